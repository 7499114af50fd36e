"""
The value tier (VAL-1) as a frozen value: high, mid or low by orders and amount in a window, referrals in favour.

>>> from datetime import UTC, datetime
>>> from crmcore.value.policy import ValuePolicy
>>> from crmcore.value.values import TierRow
>>> rows = [TierRow("high", orders=12, amount="50000"), TierRow("mid", orders=4, amount="10000")]
>>> policy = ValuePolicy(rows=rows, referrals=3)
>>> facts = {"orders": 6, "amount": "21000.00", "referrals": 1}
>>> decision = policy.decide(facts, now=datetime(2026, 3, 31, tzinfo=UTC))
>>> decision.outcome.value, decision.rule
('mid', 'VAL-1')
>>> print(decision.explain())
Mid value (VAL-1), as of 2026-03-31 00:00
  - VAL-1 orders in 12 months: 6, high value from 12
  - VAL-1 amount in 12 months: 21000.00, high value from 50000
  + VAL-1 orders in 12 months: 6, mid value from 4
  + VAL-1 amount in 12 months: 21000.00, mid value from 10000
  - VAL-1 referrals: 1, one tier up from 3
  time alone changes nothing
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import datetime, tzinfo
from difflib import get_close_matches
from functools import cached_property
from itertools import product
from typing import Any, ClassVar, Self, TypeVar

import attrs

from crmcore.calendars import BoundSpan, Span, Zone, to_utc, zone
from crmcore.decisions.codes import FindingCode, Outcome, ReasonCode
from crmcore.decisions.decision import Decision, Finding, PolicyRef, Reason
from crmcore.decisions.digest import digest
from crmcore.decisions.facts import UNKNOWN, FactReader
from crmcore.decisions.frozen import FrozenMap
from crmcore.errors import InvalidFact, InvalidPolicy, InvalidSpan
from crmcore.money import Money
from crmcore.sales.figures import Number, exact
from crmcore.sales.values import SaleFacts
from crmcore.value.activity import activity
from crmcore.value.values import (
    CHANGES,
    FACTS,
    RULE,
    STALE,
    TIERS,
    Activity,
    TierRow,
    condition,
    count,
    minimum,
    optional,
    same_currency,
    settled,
)

__all__ = ["ValuePolicy"]

Frame = TypeVar("Frame")
"""A kind of data frame."""


def _window(value: str | Span) -> Span:
    try:
        span = Span(value)
    except InvalidSpan as error:
        raise InvalidPolicy("window", value, f"a span; {error.hint}") from None
    if span.count == 0 or span.needs == "calendar":
        raise InvalidPolicy("window", str(span), "longer than nothing, in min, h, d, w or mo")
    return span


def _rows(value: Iterable[TierRow]) -> tuple[TierRow, ...]:
    rows = tuple(value)
    for number, row in enumerate(rows):
        if not isinstance(row, TierRow):
            raise InvalidPolicy(f"rows[{number}]", row, "a TierRow, such as TierRow('high', orders=12)")
    return tuple(sorted(rows, key=lambda row: -TIERS.index(row.tier)))


def _referrals(value: int | None) -> int | None:
    return minimum(value, "referrals")


def _names(names: Mapping[str, str]) -> Mapping[str, str]:
    return FrozenMap(names)


def _is_zone(_: Any, __: attrs.Attribute[Any], value: str | tzinfo | None) -> None:
    if value is not None:
        zone(value)


@attrs.frozen(kw_only=True, slots=False)
class ValuePolicy:
    """
    Which tier a customer is in (VAL-1).

    `rows`: ways into a tier, kept with those into the higher tier first; the first that holds decides, and where none
    does the tier is low. From `referrals` customers brought on the tier is one higher than that; ``None``: they lift
    nobody. All amounts are plain numbers, or `Money` of one currency.

    `window`, in min h d w mo, says what counts as orders and amount: what was sold in (now − window, now]; `zone` is
    whose days and months (default UTC). `decide` reads the counts as facts, `activity` makes them from sales. Raises
    `InvalidPolicy`, `CurrencyMismatch`.
    """

    kind: ClassVar[str] = "value.tier"

    name: str = ""
    version: str = "unversioned"
    until: datetime | None = attrs.field(default=None, repr=False)
    names: Mapping[str, str] = attrs.field(default=FrozenMap[str, str]({}), converter=_names, repr=False)
    window: Span = attrs.field(default=Span("12mo"), converter=_window)
    rows: tuple[TierRow, ...] = attrs.field(default=(), converter=_rows)
    referrals: int | None = attrs.field(default=None, converter=_referrals)
    zone: str | tzinfo | None = attrs.field(default=None, validator=_is_zone)

    def __attrs_post_init__(self) -> None:
        amounts = [row.amount for row in self.rows if row.amount is not None]
        for amount in amounts:
            same_currency(amounts[0], amount)

    # --- objects ---

    def decide(self, facts: object, *, now: datetime) -> Decision:
        """
        The tier at `now`, an aware instant, of facts as `TierFacts` says; ``None`` is none, `UNKNOWN` is unknown.

        An unknown fact gives NEEDS_DATA only if some value of it would give another tier. `next_change_at` is
        `changes_at`, where the facts have it. Raises `MissingFact`, `NaiveDatetime`, `CurrencyMismatch`, and
        `InvalidFact`, also for a `changes_at` that is not after `now`: those counts are out of date.
        """
        at = to_utc(now, "now")
        values, changes = self._read(facts), self._changes(facts, at)
        missing = self._missing(values)
        outcome, rule = (Outcome.NEEDS_DATA, None) if missing else self._tier(settled(values))
        change = min(filter(None, (changes, self.bounded(at))), default=None)
        return Decision(outcome, 0, rule, at, change, None, missing, False, self.ref, _Judged(self, values))

    def at(self, now: datetime) -> Callable[[object], Outcome]:
        """A function from facts to their outcome at `now`, for loops; raises as `decide`."""
        at = to_utc(now, "now")

        def evaluate(facts: object) -> Outcome:
            values = self._read(facts)
            self._changes(facts, at)
            return Outcome.NEEDS_DATA if self._missing(values) else self._tier(settled(values))[0]

        return evaluate

    @property
    def reads(self) -> tuple[str, ...]:
        """The facts that a record must have, and `changes_at`, which may be absent."""
        return (*self.facts, CHANGES)

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """The facts that the rows ask for."""
        asked = {fact for row in self.rows for fact in row.minima} | ({"referrals"} if self.referrals else set())
        return tuple(fact for fact in FACTS if fact in asked)

    def reading(self, **names: str) -> Self:
        """
        The same policy, with the same digest, on records that call the facts by other names.

        ``policy.reading(orders="order_count", amount="net_12m")``. Raises `InvalidPolicy` for a fact that no tier is
        decided by.
        """
        known = (*FACTS, CHANGES)
        for fact in names:
            if fact not in known:
                near = get_close_matches(fact, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else f" ({', '.join(known)})"
                raise InvalidPolicy(f"reading({fact}=…)", fact, f"a fact of this policy{hint}")
        return attrs.evolve(self, names={**self.names, **names})

    def host(self, fact: str) -> str:
        """What the host calls a fact."""
        return self.names.get(fact, fact)

    # --- the window ---

    def activity(
        self,
        sales: Iterable[SaleFacts | Mapping[str, Any]],
        *,
        now: datetime,
        referrals: Mapping[Any, int] | None = None,
    ) -> dict[Hashable, Activity]:
        """
        What each customer bought in (now − window, now], in the order in which they first appear; the facts of a tier.

        A date is its first instant in the zone. Lines of one order are one order, once one of them is no
        return; returns only lessen the amount. Who bought nothing in the window is there with nothing. `referrals`:
        how many each has brought. Raises `MissingFact`, `InvalidFact`, `NaiveDatetime`, `CurrencyMismatch`.
        """
        return activity(sales, self.bound, self.place, to_utc(now, "now"), referrals or {})

    @property
    def bound(self) -> BoundSpan:
        """The window on its zone."""
        return self.window.on(zone=self.place, key="window")

    @property
    def place(self) -> Zone:
        """The zone whose days and months count."""
        return zone(self.zone or "UTC")

    def bounded(self, now: datetime) -> datetime | None:
        """`until` while it is to come."""
        return None if self.until is None or self.until <= now else self.until

    # --- columns ---

    def frame(self, df: Frame, *, now: datetime, prefix: str = "", places: int = 2) -> Frame:
        """
        The caller's data frame with four more columns: outcome, step, rule, next_change_at (extra `frames`).

        They are what `decide` says of each row; null is none, and columns have no unknown. Amounts are in the policy's
        currency; a float is read to `places` decimals. A row whose `changes_at` is not after `now` has no outcome. What
        is lazy stays lazy. Raises `InvalidFrame`, `InvalidPolicy`, `MissingExtra`.
        """
        from crmcore.value.tier_columns import frame

        judged: Frame = frame(self, df, to_utc(now, "now"), prefix, places)
        return judged

    def activity_frame(
        self,
        df: Frame,
        *,
        key: str,
        at: str,
        value: str,
        now: datetime,
        order: str | None = None,
        places: int = 2,
        prefix: str = "",
    ) -> Frame:
        """
        `activity` as columns (extra `frames`): one row for each customer with `key`, orders, amount, changes_at.

        Lines as `sales.frames.lines` takes them; without `order` each line is an order of its own. The same kind comes
        back, what is lazy stays lazy, though null keys, values and dates are looked for at once. Raises `InvalidFrame`,
        `InvalidPolicy`, `MissingExtra`.
        """
        from crmcore.value.tier_columns import activity_frame

        names = {"key": key, "at": at, "value": value, "order": order}
        made: Frame = activity_frame(self, df, to_utc(now, "now"), names, places=places, prefix=prefix)
        return made

    # --- the policy as data ---

    def check(self) -> tuple[Finding, ...]:
        """What is legal, yet hardly meant: no rows at all, a row that never decides, a zone not said."""
        return (*self._check_rows(), *self._check_zone())

    def canonical(self) -> dict[str, Any]:
        """The resolved parameters as JSON-able data, the same however they were written."""
        return {
            "window": str(self.window),
            "rows": [row.canonical() for row in self.rows],
            "referrals": self.referrals,
            "zone": self._zone_name,
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the parameters in a numbered canonical form; name, version and the host's names are left out."""
        return digest(self.kind, self.canonical())

    @property
    def ref(self) -> PolicyRef:
        """Name, version and digest, as every decision carries them."""
        return PolicyRef(self.name or self.kind, self.version, self.digest, self._zone_name)

    @property
    def _zone_name(self) -> str:
        return self.place.key

    def __getstate__(self) -> dict[str, Any]:
        fields = {field.name for field in attrs.fields(type(self))}
        return {name: value for name, value in self.__dict__.items() if name in fields}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    # --- reading ---

    @cached_property
    def _reader(self) -> FactReader:
        return FactReader(self.facts * 2, self.names)  # a reader of a single fact gives it bare

    @cached_property
    def _currency(self) -> Number:
        """An amount such as the rows have; without one, any number."""
        return next((row.amount for row in self.rows if row.amount is not None), 0)

    def _read(self, facts: object) -> dict[str, Any]:
        if not self.facts:
            return {}
        values = dict(zip(self.facts, self._reader(facts), strict=False))
        return {fact: self._amount(each) if fact == "amount" else count(fact, each) for fact, each in values.items()}

    def _amount(self, value: Any) -> Any:
        if value is None or value is UNKNOWN:
            return 0 if value is None else value
        number = exact(value, "amount")
        same_currency(self._currency, value)
        return value if isinstance(value, Money) else number

    def _changes(self, facts: object, now: datetime) -> datetime | None:
        value = optional(facts, self.host(CHANGES)) if self.facts else None
        if value is None:
            return None
        at = to_utc(value, CHANGES)
        if at <= now:
            raise InvalidFact(CHANGES, value, STALE)
        return at

    def _tier(self, values: Mapping[str, Any]) -> tuple[Outcome, str]:
        row = next((row for row in self.rows if row.holds(values)), None)
        tier, rule = (row.tier, row.rule) if row else (Outcome.LOW, RULE)
        if self.referrals is None or values["referrals"] < self.referrals or tier is Outcome.HIGH:
            return tier, rule
        return TIERS[TIERS.index(tier) + 1], RULE

    def _missing(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """The unknown facts of which some value makes a difference, whatever the other unknown ones are."""
        unknown = [fact for fact, value in values.items() if value is UNKNOWN]
        return tuple(fact for fact in unknown if self._matters(fact, values, unknown))

    def _matters(self, fact: str, values: Mapping[str, Any], unknown: list[str]) -> bool:
        others = [other for other in unknown if other != fact]
        for guess in product(*(self._steps(other) for other in others)):
            seen = {**values, **dict(zip(others, guess, strict=True))}
            if len({self._tier({**seen, fact: value})[0] for value in self._steps(fact)}) > 1:
                return True
        return False

    def _steps(self, fact: str) -> list[Any]:
        """Values of a fact of which each reaches another minimum: nothing, and every minimum."""
        lift = [self.referrals] if fact == "referrals" and self.referrals else []
        return [0, *(row.minima[fact] for row in self.rows if fact in row.minima), *lift]

    def reasons(self, values: Mapping[str, Any]) -> Iterator[Reason]:
        """Every condition of every row, in the order of the table, then the lift."""
        for row in self.rows:
            for fact, least in row.minima.items():
                window = None if fact == "referrals" else self.window
                yield condition(fact, values[fact], least, rule=row.rule, tier=row.tier, window=window)
        if self.referrals is not None:
            yield condition("referrals", values["referrals"], self.referrals, code=ReasonCode.LIFTED)

    def _check_rows(self) -> Iterator[Finding]:
        if not self.rows:
            yield Finding(
                code=FindingCode.NOTHING_JUDGED,
                rule=RULE,
                key="high",
                problem="neither high nor mid has a row, so hardly anybody is above low",
                remedy='set high = { orders = 12, amount = "50000" } or yours',
            )
        for number, row in enumerate(self.rows):
            if before := next((each for each in self.rows[:number] if row.implies(each)), None):
                yield Finding(
                    code=FindingCode.DEAD_ROW,
                    rule=row.rule,
                    key=row.tier.value,
                    problem=f"wherever {row} holds, {before.tier} ({before}) does and comes first, so it never decides",
                    remedy=f"lower a minimum of {row.tier.value}, or raise one of {before.tier.value}",
                )

    def _check_zone(self) -> Iterator[Finding]:
        if self.window.needs and self.zone is None:
            yield Finding(
                code=FindingCode.ZONE_NOT_SAID,
                rule=None,
                key="zone",
                problem=f"window = {self.window} counts days, but no zone says whose; UTC is used",
                remedy='set zone = "Asia/Shanghai" or yours',
            )


@attrs.frozen
class _Judged:
    """What a decision on a tier keeps, to give its reasons when asked."""

    policy: ValuePolicy
    values: Mapping[str, Any]

    def reasons(self, as_of: datetime) -> tuple[Reason, ...]:  # noqa: ARG002 - the port's signature
        """Every condition, held or not, in the order of the table."""
        return tuple(self.policy.reasons(self.values))
