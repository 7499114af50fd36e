"""
Classes that do not flap: each period's classes settled against those of the periods before.

A period's classes are *computed* by an `AbcPolicy`; `StabilityPolicy` settles what a customer is treated as, and why.
The file is long because history and policy are one thought: what was settled is what the next period is settled by.

>>> from datetime import date
>>> from crmcore.sales import Periods
>>> from crmcore.value.classes import AbcPolicy
>>> abc, stable, history = AbcPolicy(), StabilityPolicy(), ClassHistory()
>>> spring, summer, autumn = Periods("quarter").between(date(2026, 1, 1), date(2026, 9, 30))
>>> for period, sold in (spring, (700, 200, 100)), (summer, (700, 100, 200)), (autumn, (700, 100, 200)):
...     classes = abc.classify(zip(("u1", "u2", "u3"), sold))
...     history = stable.settle(history, classes, period=period, as_of=period.end)
>>> [(str(period), settled.class_, settled.computed, settled.why.value) for period, settled in history.of("u2")]
[('2026-Q1', 'A', 'A', 'computed'), ('2026-Q2', 'A', 'B', 'held'), ('2026-Q3', 'B', 'B', 'computed')]
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, Final

import attrs

from crmcore.decisions.decision import PolicyRef
from crmcore.decisions.digest import digest
from crmcore.decisions.frozen import FrozenMap
from crmcore.errors import InvalidFact, InvalidPolicy
from crmcore.sales.figures import Number, exact, nearest
from crmcore.sales.periods import Period
from crmcore.value.classes import AbcPolicy, Classes
from crmcore.value.cuts import NEGATIVE, ZERO

__all__ = ["ClassHistory", "Override", "Settled", "Settlement", "StabilityPolicy", "Why"]

SCHEMA: Final = 1


class Why(StrEnum):
    """Why a customer has the class that it has."""

    COMPUTED = "computed"
    HELD = "held"
    NEWCOMER = "newcomer"
    OVERRIDE = "override"


def _day(value: date) -> date:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise InvalidFact("day", value, "a date")
    return value


# --- the history ---


@attrs.frozen(kw_only=True)
class Override:
    """A class given by hand, up to and including the day `until`; `by` and `reason` are kept with it."""

    key: Any
    class_: str
    until: date = attrs.field(converter=_day)
    reason: str = ""
    by: str = ""

    def record(self) -> dict[str, Any]:
        """As JSON-able data."""
        return {
            "key": _plain(self.key),
            "class": self.class_,
            "until": self.until.isoformat(),
            "reason": self.reason,
            "by": self.by,
        }

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Override:
        """What `record` made."""
        return cls(class_=record["class"], until=date.fromisoformat(record["until"]), **_same(record, "key reason by"))


@attrs.frozen(kw_only=True)
class Settled:
    """
    The class of one customer in one period, and why.

    `computed` is that of the period alone; `earned` what it comes to after those before, without grace and override,
    which leave no trace in later periods. Where they differ, `past` is the share of the base by which the customer is
    past the cut of `earned` (``None``: net value not positive), and `below` how many periods in succession it is past
    it downwards by the margin or more. `age`: its how-many-th period this is; ``None``: it was there from the start.
    """

    class_: str
    why: Why
    computed: str
    earned: str
    below: int = 0
    past: Fraction | None = None
    age: int | None = None
    override: Override | None = None

    def record(self) -> dict[str, Any]:
        """As JSON-able data."""
        return {
            "class": self.class_,
            "why": self.why.value,
            "computed": self.computed,
            "earned": self.earned,
            "below": self.below,
            "past": nearest(self.past),
            "age": self.age,
            "override": self.override and self.override.record(),
        }

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Settled:
        """What `record` made."""
        past, override = record["past"], record["override"]
        return cls(
            class_=record["class"],
            why=Why(record["why"]),
            past=None if past is None else Fraction(past),
            override=None if override is None else Override.of_record(override),
            **_same(record, "computed earned below age"),
        )


def _frozen(classes: Mapping[Any, Settled]) -> Mapping[Any, Settled]:
    return FrozenMap(classes)


@attrs.frozen(kw_only=True)
class Settlement:
    """
    The settled classes of one period, as of a day.

    `expired`: the overrides that were over; `unknown`: those in force for who has no class in this period.
    """

    period: Period
    as_of: date = attrs.field(converter=_day)
    classes: Mapping[Any, Settled] = attrs.field(repr=False, converter=_frozen)
    expired: tuple[Override, ...] = ()
    unknown: tuple[Override, ...] = ()

    def record(self) -> dict[str, Any]:
        """As JSON-able data."""
        first, end = self.period.first.isoformat(), self.period.end.isoformat()
        return {
            "period": {"first": first, "end": end, "kind": self.period.kind},
            "as_of": self.as_of.isoformat(),
            "classes": [{"key": _plain(key), **settled.record()} for key, settled in self.classes.items()],
            "expired": [override.record() for override in self.expired],
            "unknown": [override.record() for override in self.unknown],
        }

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Settlement:
        """What `record` made."""
        days = {name: date.fromisoformat(record["period"][name]) for name in ("first", "end")}
        return cls(
            period=Period(**days, kind=record["period"]["kind"]),
            as_of=date.fromisoformat(record["as_of"]),
            classes={row["key"]: Settled.of_record(row) for row in record["classes"]},
            expired=tuple(map(Override.of_record, record["expired"])),
            unknown=tuple(map(Override.of_record, record["unknown"])),
        )


def _plain(key: Any) -> str | int:
    if isinstance(key, str | int):
        return key
    raise InvalidFact("key", key, "a str or an int, which a record keeps as they are")


def _same(record: Mapping[str, Any], names: str) -> dict[str, Any]:
    return {name: record[name] for name in names.split()}


def _forward(_: object, __: object, settlements: tuple[Settlement, ...]) -> None:
    for before, after in pairwise(settlements):
        if after.period.first < before.period.end:
            raise InvalidFact("period", str(after.period), f"a period after {before.period}: history goes forward")


@attrs.frozen
class ClassHistory:
    """Settled classes, period after period; immutable. Raises `InvalidFact` where periods overlap or go back."""

    settlements: tuple[Settlement, ...] = attrs.field(default=(), validator=_forward)

    def of(self, key: Hashable) -> tuple[tuple[Period, Settled], ...]:
        """One customer's classes; a period without it is left out."""
        return tuple((found.period, found.classes[key]) for found in self.settlements if key in found.classes)

    def by_period(self) -> dict[Period, dict[Any, str]]:
        """The class of each customer, by period."""
        return {
            found.period: {key: settled.class_ for key, settled in found.classes.items()} for found in self.settlements
        }

    def before(self, period: Period) -> ClassHistory:
        """The history without `period`, if that is its last."""
        same = self.settlements and self.settlements[-1].period == period
        return ClassHistory(self.settlements[:-1]) if same else self

    def record(self) -> dict[str, Any]:
        """JSON-able data to be kept; raises `InvalidFact` for a customer whose key is neither str nor int."""
        return {"schema": SCHEMA, "periods": [settlement.record() for settlement in self.settlements]}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> ClassHistory:
        """What `record` made; `past` as near as a float. Raises `InvalidFact` for anything else."""
        try:
            if record["schema"] == SCHEMA:
                return cls(tuple(map(Settlement.of_record, record["periods"])))
        except InvalidFact:
            raise
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InvalidFact("record", error.args[0], "what ClassHistory.record made") from error
        raise InvalidFact("schema", record["schema"], f"{SCHEMA}: another version of crmcore made this record")


# --- the policy ---


def _whole(least: int) -> Any:
    def check(_: object, attribute: Any, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InvalidPolicy(attribute.name, value, f"a whole number of periods, {least} or more")

    return check


def _margin(value: Number) -> Decimal:
    expected = "a share of the base, 0 or more and below 1, such as '0.02'"
    try:
        margin = exact(value)
    except InvalidFact:
        raise InvalidPolicy("margin", value, expected) from None
    if not 0 <= margin < 1:
        raise InvalidPolicy("margin", value, expected)
    return margin


@attrs.frozen(kw_only=True, slots=False)
class StabilityPolicy:
    """
    When a computed class becomes a customer's class; the defaults are ours, no source has any.

    `margin`, a share of the base, makes a band about each cut of `abc`: a customer less than `margin` away from a cut
    keeps its class of either side, so nothing flaps there. Past the band it rises at once, and falls when it is below
    for the `demote_after`-th period in succession; either way to the nearest class of the band that it is in. Where it
    is, is the point that the policy's `straddle` looks at: where its value begins in the cumulated value (upper), ends
    (lower), or the middle; customers of equal value are one. Zero and negative net values have no band. A period in
    which it has no class neither counts nor breaks a succession.

    For its first `newcomer_grace` periods a customer is a newcomer, and with `newcomer_floor` in no lower class than
    that; who is there when the history begins is none. `overrides` come before everything.

    Raises `InvalidPolicy`.
    """

    kind: ClassVar[str] = "value.stability"

    name: str = ""
    version: str = "unversioned"
    abc: AbcPolicy = attrs.field(factory=AbcPolicy)
    demote_after: int = attrs.field(default=2, validator=_whole(1))
    margin: Decimal = attrs.field(default=Decimal("0.02"), converter=_margin)
    newcomer_grace: int = attrs.field(default=1, validator=_whole(0))
    newcomer_floor: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.abc.ties != "together":
            raise InvalidPolicy("abc.ties", self.abc.ties, "together: a band about a cut is one of values")
        if self.newcomer_floor is not None and self.newcomer_floor not in self.abc.letters:
            raise InvalidPolicy("newcomer_floor", self.newcomer_floor, f"one of {', '.join(self.abc.letters)}")

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Every class, the best first."""
        return (*self.abc.letters, *((ZERO, NEGATIVE) if self.abc.nonpositive == "own" else ()))

    @cached_property
    def _bands(self) -> tuple[tuple[Fraction, Fraction], ...]:
        """About each cut the places, ends excluded, at which a customer keeps its class."""
        margin = Fraction(self.margin)
        return tuple((cut - margin, cut + margin) for cut in self.abc.shares)

    def settle(
        self,
        history: ClassHistory,
        classes: Classes,
        *,
        period: Period,
        as_of: date,
        overrides: Iterable[Override] = (),
    ) -> ClassHistory:
        """
        The history with `period`, the one after its last or its last once more: that is then settled anew.

        `as_of` is the day that overrides are judged by. Raises `InvalidPolicy` for classes of another `abc`,
        `InvalidFact` for an earlier period, an override to no class, and two in force for one customer.
        """
        if classes.policy.digest != self.abc.digest:
            raise InvalidPolicy("abc", classes.policy.name, f"the policy of these classes: {self.abc.ref.name}")
        past = history.before(period)
        forced, expired = self._in_force(overrides, _day(as_of))
        last = {key: (at, found) for at, one in enumerate(past.settlements) for key, found in one.classes.items()}
        places, index = self._places(classes), len(past.settlements)
        settled = {}
        for row in classes.rows:
            at, before = last.get(row.key, (index, None))
            earned = self._earned(row.class_, places.get(row.value), before)
            settled[row.key] = self._given(earned, before, index, index - at, forced.pop(row.key, None))
        found = Settlement(period=period, as_of=as_of, classes=settled, expired=expired, unknown=tuple(forced.values()))
        return ClassHistory((*past.settlements, found))

    def _in_force(self, overrides: Iterable[Override], as_of: date) -> tuple[dict[Any, Override], tuple[Override, ...]]:
        forced: dict[Any, Override] = {}
        expired = []
        for override in overrides:
            if override.class_ not in self.labels:
                raise InvalidFact("class", override.class_, f"one of {', '.join(self.labels)}", override.key)
            if override.until < as_of:
                expired.append(override)
            elif override.key in forced:
                raise InvalidFact("override", override.class_, "the only one in force", override.key)
            else:
                forced[override.key] = override
        return forced, tuple(expired)

    def _places(self, classes: Classes) -> dict[Decimal, Fraction]:
        """By value, the point in the cumulated value that decides its class; empty where there is nothing to cut."""
        if classes.degenerate in ("single", "equal"):
            return {}
        ends: dict[Decimal, Fraction] = {
            row.value: row.cumulative for row in classes.rows if row.cumulative is not None
        }
        begins = (Fraction(0), *ends.values())  # equal values are one: the last of them has the last word
        if self.abc.straddle == "nearest":
            middles = ((begin + end) / 2 for begin, end in zip(begins, ends.values(), strict=False))
            return dict(zip(ends, middles, strict=True))
        return ends if self.abc.straddle == "lower" else dict(zip(ends, begins, strict=False))

    def _earned(self, computed: str, place: Fraction | None, before: Settled | None) -> Settled:
        """The class after those before, in an answer that knows no grace and no override."""
        at = self.labels.index(computed)
        had = self.labels.index(before.earned) if before and before.earned in self.labels else at
        near = [n for n, (low, high) in enumerate(self._bands) if place is not None and low < place < high]
        best, worst = min((at, *near)), max((at, *(n + 1 for n in near)))
        earned, below = min(max(had, best), worst), 0
        if before and had < best and before.below + 1 < self.demote_after:
            earned, below = had, before.below + 1
        past = None if place is None or earned == at else self._past(place, earned, falling=earned < at)
        label = self.labels[earned]
        why = Why.COMPUTED if earned == at else Why.HELD
        return Settled(class_=label, why=why, computed=computed, earned=label, below=below, past=past)

    def _past(self, place: Fraction, earned: int, *, falling: bool) -> Fraction:
        return place - self.abc.shares[earned] if falling else self.abc.shares[earned - 1] - place

    def _given(
        self, earned: Settled, before: Settled | None, index: int, since: int, override: Override | None
    ) -> Settled:
        """With its age, and what grace and override make of it."""
        age = (1 if index else None) if before is None else None if before.age is None else before.age + since
        if override is not None:
            return attrs.evolve(earned, class_=override.class_, why=Why.OVERRIDE, age=age, override=override)
        if age is None or age > self.newcomer_grace:
            return attrs.evolve(earned, age=age)
        label = min(earned.earned, self.newcomer_floor or earned.earned, key=self.labels.index)
        return attrs.evolve(earned, class_=label, why=Why.NEWCOMER, age=age)

    def canonical(self) -> dict[str, Any]:
        """The parameters as JSON-able data."""
        return {
            "abc": self.abc.canonical(),
            "demote_after": self.demote_after,
            "margin": format(self.margin, "f"),
            "newcomer_grace": self.newcomer_grace,
            "newcomer_floor": self.newcomer_floor,
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the parameters in a numbered canonical form."""
        return digest(self.kind, self.canonical())

    @property
    def ref(self) -> PolicyRef:
        """Name, version and digest."""
        return PolicyRef(self.name or self.kind, self.version, self.digest)
