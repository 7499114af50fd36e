"""The tables that value brings to a book, ``[value.abc]``, tier, rfm, key_accounts, stability: read and written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeVar, get_args

import attrs

from crmcore.calendars import BusinessCalendar
from crmcore.calendars import zone as zone_of
from crmcore.decisions.codes import Outcome
from crmcore.decisions.decision import Finding
from crmcore.decisions.digest import digest
from crmcore.errors import CurrencyMismatch, InvalidPolicy
from crmcore.files.toml import Section, did_you_mean
from crmcore.value.accounts import KeyAccountPolicy, KeyAccountsBy
from crmcore.value.classes import AbcPolicy
from crmcore.value.cuts import Nonpositive, Straddle, Ties
from crmcore.value.policy import ValuePolicy
from crmcore.value.presets import PRESETS
from crmcore.value.scores import Frequency, Monetary, RfmPolicy
from crmcore.value.scoring import Cuts, Quantiles, Scoring
from crmcore.value.stability import StabilityPolicy
from crmcore.value.values import TierRow

__all__ = ["NAME", "SCHEMA", "Value", "calendars", "read", "write", "zone"]

P = TypeVar("P")
NAME: Final = "value"
TIERS: Final = (Outcome.HIGH, Outcome.MID)
ABC_KEYS: Final = ("cuts", "straddle", "ties", "nonpositive", "labels")
TIER_KEYS: Final = ("window", "referrals")
ROW_KEYS: Final = ("orders", "amount", "referrals", "rule")
RFM_KEYS: Final = ("frequency", "monetary", "min_customers")
CUTS_KEYS: Final = ("recency", "frequency", "monetary")
ACCOUNT_KEYS: Final = ("top", "by", "department_from")
STABILITY_KEYS: Final = ("demote_after", "margin", "newcomer_grace", "newcomer_floor")
NEVER: Final = "none"
"""A cut that nobody reaches."""

# --- the schema ---

COUNT: Final = {"type": "integer", "minimum": 1}
AMOUNT: Final = {"oneOf": [COUNT, {"type": "string", "pattern": r"^(?!0+(\.0+)?( |$))[0-9]+(\.[0-9]+)?( [A-Z]{3})?$"}]}
NUMBER: Final = {"oneOf": [{"type": "number"}, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}]}


def _table(description: str = "", **properties: Any) -> dict[str, Any]:
    said = {"description": description} if description else {}
    return {**said, "type": "object", "additionalProperties": False, "properties": properties}


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": dict(items)}


def _one_of(literal: Any) -> dict[str, Any]:
    return {"enum": list(get_args(literal))}


ROW: Final = {
    **_table(orders=COUNT, amount=AMOUNT, referrals=COUNT, rule={"type": "string", "minLength": 1}),
    "anyOf": [{"required": [fact]} for fact in ("orders", "amount", "referrals")],
}
ROWS: Final = {"oneOf": [ROW, _list(ROW)]}
SCHEMA: Final[Mapping[str, Any]] = _table(
    abc=_table(
        "VAL-2, VAL-3, VAL-8",
        cuts={"description": "percent of the cumulated value", "oneOf": [{"enum": list(PRESETS)}, _list(NUMBER)]},
        straddle={"description": "VAL-9: where those go who cross a cut", **_one_of(Straddle)},
        ties={"description": "VAL-7: equal values as one block, or one by one in the order of keys", **_one_of(Ties)},
        nonpositive={"description": "VAL-7: zero and negative net sales", **_one_of(Nonpositive)},
        labels={"description": "from the best class to the lowest", **_list({"type": "string"})},
    ),
    tier=_table(
        "VAL-1",
        window={"type": "string", "pattern": "^0*[1-9][0-9]*(min|h|d|w|mo)$"},
        high={"description": "one row of minima, or several", **ROWS},
        mid={"description": "as high", **ROWS},
        referrals={"description": "from so many customers brought on, one tier up", **COUNT},
    ),
    rfm=_table(
        frequency=_one_of(Frequency),
        monetary=_one_of(Monetary),
        bins={"description": "scores by quantiles, 1 to so many", "type": "integer", "minimum": 2, "maximum": 20},
        cuts=_table(
            "instead of bins",
            recency=_list({"type": "integer", "minimum": 0}),
            frequency=_list({"oneOf": [{"type": "integer", "minimum": 0}, {"const": NEVER}]}),
            monetary=_list({"oneOf": [{"type": "integer"}, {"type": "string"}]}),
        ),
        min_customers={"type": "integer", "minimum": 0},
    ),
    key_accounts=_table(
        "VAL-4, VAL-10",
        top={"description": "percent of the customers", **NUMBER},
        by=_one_of(KeyAccountsBy),
        department_from={"description": "VAL-5", **COUNT},
    ),
    stability=_table(
        demote_after=COUNT,
        margin={"description": "a share of the base", **NUMBER},
        newcomer_grace={"type": "integer", "minimum": 0},
        newcomer_floor={"type": "string"},
    ),
)

# --- the policies ---


@attrs.frozen(kw_only=True)
class Value:
    """
    The value policies of a book. Key accounts and stability go by its ABC scale: one report never mixes two (VAL-8).

    Raises `InvalidPolicy` for policies of another scale.
    """

    abc: AbcPolicy = attrs.field(factory=AbcPolicy)
    tier: ValuePolicy = attrs.field(factory=ValuePolicy)
    rfm: RfmPolicy = attrs.field(factory=RfmPolicy)
    key_accounts: KeyAccountPolicy = attrs.field()
    stability: StabilityPolicy = attrs.field()

    @classmethod
    def named(cls, name: str, version: str, zone: str | None) -> Value:
        """The policies of a book that says nothing about value."""
        label: dict[str, Any] = {"name": name, "version": version}
        abc = AbcPolicy(**label)
        return cls(
            abc=abc,
            tier=ValuePolicy(zone=zone, **label),
            rfm=RfmPolicy(**label),
            key_accounts=KeyAccountPolicy(abc=abc, **label),
            stability=StabilityPolicy(abc=abc, **label),
        )

    @key_accounts.default
    def _key_accounts(self) -> KeyAccountPolicy:
        return KeyAccountPolicy(abc=self.abc)

    @stability.default
    def _stability(self) -> StabilityPolicy:
        return StabilityPolicy(abc=self.abc)

    def __attrs_post_init__(self) -> None:
        for key in ("key_accounts", "stability"):
            scale = getattr(self, key).abc
            if scale.digest != self.abc.digest:
                raise InvalidPolicy(f"{key}.abc", scale.cuts, f"the scale of abc, {self.abc.cuts}")

    def policies(self) -> dict[str, Any]:
        """The policies by the names of their tables."""
        return {field.name: getattr(self, field.name) for field in attrs.fields(Value)}

    @property
    def usual(self) -> bool:
        """Whether everything is as in a book that says nothing about value."""
        return self.resolved() == Value(tier=ValuePolicy(zone=self.tier.zone)).resolved()

    def check(self) -> tuple[Finding, ...]:
        """The findings of every policy, keys as they stand in a book; none where it says nothing about tiers."""
        usual = self.tier.canonical() == ValuePolicy(zone=self.tier.zone).canonical()
        found = () if usual else self.tier.check()
        keys = ("zone" if finding.key == "zone" else f"{NAME}.tier.{finding.key}" for finding in found)
        return tuple(attrs.evolve(finding, key=key) for finding, key in zip(found, keys, strict=True))

    def until(self, end: datetime) -> Value:
        """The same policies, none of which promises anything beyond `end`."""
        return attrs.evolve(self, tier=attrs.evolve(self.tier, until=end))

    def canonical(self) -> dict[str, Any]:
        """The resolved parameters of every policy; nothing where all are as usual, as before there were any."""
        return {} if self.usual else self.resolved()

    def resolved(self) -> dict[str, Any]:
        """The parameters of every policy as JSON-able data."""
        return {name: policy.canonical() for name, policy in self.policies().items()}

    @property
    def digest(self) -> str:
        """SHA-256 of the resolved parameters of every policy."""
        return digest(NAME, self.resolved())


# --- in ---


def read(
    section: Section,
    *,
    name: str,
    version: str,
    zone: str | None,
    calendars: Mapping[str, BusinessCalendar],  # noqa: ARG001 - no span here counts working time
) -> Value:
    """The policies that a book's ``[value]`` describes; what is wrong is noted in the section as faults."""
    label: dict[str, Any] = {"name": name, "version": version}
    abc = _or_usual(section.table("abc"), ABC_KEYS, partial(AbcPolicy, **label))
    accounts, stability = section.table("key_accounts"), section.table("stability")
    return Value(
        abc=abc,
        tier=_tier(section.table("tier"), partial(ValuePolicy, zone=zone, **label)),
        rfm=_rfm(section.table("rfm"), partial(RfmPolicy, **label)),
        key_accounts=_or_usual(accounts, ACCOUNT_KEYS, partial(KeyAccountPolicy, abc=abc, **label)),
        stability=_or_usual(stability, STABILITY_KEYS, partial(StabilityPolicy, abc=abc, **label)),
    )


def _or_usual(section: Section, keys: tuple[str, ...], make: Callable[..., P]) -> P:
    return _make(section, keys, make) or make()


def _tier(section: Section, make: Callable[..., ValuePolicy]) -> ValuePolicy:
    tables = [(tier, table) for tier in TIERS for table in _rows(section, tier.value)]
    rows = [_make(table, ROW_KEYS, partial(TierRow, tier)) for tier, table in tables]
    try:
        return _or_usual(section, TIER_KEYS, partial(make, rows=[row for row in rows if row]))
    except CurrencyMismatch as error:
        section.fault_below("", None, f"has amounts of two currencies: {error}", "write all amounts in one currency")
        return make()


def _rows(section: Section, key: str) -> tuple[Section, ...]:
    if isinstance(section.any(key), list):
        return section.tables(key)
    table = section.table(key)
    return (table,) if table.present else ()


def _rfm(section: Section, make: Callable[..., RfmPolicy]) -> RfmPolicy:
    bins, cuts = section.any("bins"), section.table("cuts")
    scoring: Scoring | None = None
    if bins is not None and cuts.present:
        section.fault("bins", "stands beside cuts", "keep one of them")
    if cuts.present:
        scoring = _make(cuts, CUTS_KEYS, _cuts)
    elif bins is not None:
        scoring = _make(section, ("bins",), _quantiles)
    return _or_usual(section, RFM_KEYS, partial(make, scoring=scoring or Quantiles()))


def _quantiles(bins: int = Quantiles().k) -> Quantiles:
    try:
        return Quantiles(bins)
    except InvalidPolicy as error:
        raise InvalidPolicy("bins", bins, error.expected) from None


def _cuts(**values: Any) -> Cuts:
    for key in CUTS_KEYS:
        if not isinstance(values.get(key, []), list):
            raise InvalidPolicy(key, values[key], "a list of cuts, as many as the other two have")
    try:
        return Cuts(**{key: [None if cut == NEVER else cut for cut in values.get(key, [])] for key in CUTS_KEYS})
    except InvalidPolicy as error:
        raise InvalidPolicy(error.key.removeprefix("scoring").removeprefix("."), error.value, error.expected) from None


def _make(section: Section, keys: tuple[str, ...], make: Callable[..., P]) -> P | None:
    """What the values given make; a value that is refused is noted and left out, so that every fault is found."""
    given = {key: section.any(key) for key in keys}
    values = {key: _exact(key, value) for key, value in given.items() if value is not None}
    sound = True
    while True:
        try:
            made = make(**values)
        except InvalidPolicy as error:
            key = error.key.partition(".")[0].partition("[")[0]
            if key in values or sound:
                _note(section, key if key in values else "", error)
            sound = False
            if key not in values:
                return None
            del values[key]
            if key == "cuts":  # there is a label for each
                values.pop("labels", None)
        else:
            return made if sound else None


def _note(section: Section, key: str, error: InvalidPolicy) -> None:
    """Notes what was refused, as the file has it."""
    problem, near = f"is not {error.expected}", _near(error)
    if key and key == error.key:
        section.fault(key, problem, near)
    else:
        section.fault_below(error.key if key else "", error.value, problem, near)


def _near(error: InvalidPolicy) -> str:
    words = error.expected.removeprefix("one of ").replace(" or ", ", ").split(", ")
    return did_you_mean(error.value, words) if isinstance(error.value, str) else ""


def _exact(key: str, value: Any) -> Any:
    """A number as it was written: a float of TOML is the decimal that is written there. Amounts are text."""
    return Decimal(repr(value)) if key == "margin" and isinstance(value, float) else value


# --- out ---


def calendars(value: Value) -> dict[str, BusinessCalendar]:  # noqa: ARG001 - the concepts' signature
    """The calendars that the policies use: none."""
    return {}


def zone(value: Value) -> str | None:
    """The zone that the policies say."""
    said = value.tier.zone
    return None if said is None else zone_of(said).key


def write(value: Value) -> dict[str, Any]:
    """The tables as a book writes them, all or none; reading them again gives equal policies."""
    if value.usual:
        return {}
    return {
        "abc": _said(value.abc, ABC_KEYS),
        "tier": {**_said(value.tier, TIER_KEYS), **dict(_written_rows(value.tier))},
        "rfm": {**_said(value.rfm, RFM_KEYS), **_scoring(value.rfm)},
        "key_accounts": _said(value.key_accounts, ACCOUNT_KEYS),
        "stability": _said(value.stability, STABILITY_KEYS),
    }


def _said(policy: object, keys: tuple[str, ...]) -> dict[str, Any]:
    values = {key: _plain(getattr(policy, key)) for key in keys}
    return {key: value for key, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [NEVER if each is None else _plain(each) for each in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    return value if value is None or isinstance(value, int) else str(value)


def _written_rows(policy: ValuePolicy) -> Iterator[tuple[str, Any]]:
    for tier in TIERS:
        rows = [_row(row) for row in policy.rows if row.tier is tier]
        if rows:
            yield tier.value, rows if len(rows) > 1 else rows[0]


def _row(row: TierRow) -> dict[str, Any]:
    said = row.canonical()
    usual = {"tier", *(["rule"] if row.rule == "VAL-1" else [])}
    return {key: value for key, value in said.items() if key not in usual}


def _scoring(policy: RfmPolicy) -> dict[str, Any]:
    if policy.segments != RfmPolicy(scoring=policy.scoring).segments:
        raise InvalidPolicy("value.rfm.segments", policy.segments, "a map that a book can write; it has the usual only")
    if isinstance(policy.scoring, Quantiles):
        return {"bins": policy.scoring.k}
    return {"cuts": _said(policy.scoring, CUTS_KEYS)}
