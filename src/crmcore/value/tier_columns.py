"""
Value tiers as columns: what each customer bought in the window, and the tier that it makes.

A minimum is one comparison with a literal; a float is taken to the nearest minor unit by comparing with half a unit
less. When some of it leaves the window is told by the earliest line alone, for what comes first leaves first.
"""

# mypy: disable-error-code="no-any-return"
# narwhals is imported late, so what it makes is Any here.

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, reduce
from math import ceil
from operator import and_
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from crmcore.calendars import OPEN_ENDED
from crmcore.calendars.instants import DAY, day_of, day_start, instant_at, micros
from crmcore.calendars.pieces import add_pieces
from crmcore.decisions.frames import ANSWER, OWN, check_free, narwhals, need, need_instant
from crmcore.decisions.kinds import Sheet
from crmcore.decisions.moves import Cells, Instants, Micros, Move, Words, chain
from crmcore.errors import InvalidFrame
from crmcore.money import Money
from crmcore.sales.frames import AT, KEY, ORDER, VALUE, Lines, collected, lines, purchases
from crmcore.value.values import CHANGES, RULE, TIERS, plain_amount

if TYPE_CHECKING:
    from crmcore.value.policy import ValuePolicy

__all__ = ["activity_frame", "frame"]

Expr: TypeAlias = Any
Step: TypeAlias = Mapping[str, Any]
"""Columns by name, each an expression or a part."""
MADE: Final = ("orders", "amount", CHANGES)
MOST: Final = 2**63 - 1
GREATEST: Final = 1.7976931348623157e308
"""The greatest float: what is more is infinite, or no number."""


# --- the tier ---


def frame(policy: ValuePolicy, df: Any, now: datetime, prefix: str, places: int) -> Any:
    """`df` with the four columns of the answer."""
    sheet = Sheet(df)
    columns = Columns(policy, sheet, now, places)
    names = {name: f"{prefix}{name}" for name in ANSWER}
    check_free(tuple(names.values()), sheet.schema)
    for step in columns.steps():
        sheet.make({f"{OWN}{name}": column for name, column in step.items()})
    sheet.make({name: sheet.own(answer) for answer, name in names.items()})
    return sheet.native()


class Columns:
    """Expressions for one policy, one frame and one instant."""

    def __init__(self, policy: ValuePolicy, sheet: Sheet, now: datetime, places: int) -> None:
        self.policy, self.sheet, self.nw, self.now, self.places = policy, sheet, sheet.nw, now, places
        self.rules = tuple(dict.fromkeys((RULE, *(row.rule for row in policy.rows))))
        self.changes = policy.host(CHANGES) if policy.facts and policy.host(CHANGES) in sheet.schema else None
        for fact in policy.facts:
            host = policy.host(fact)
            need(sheet.schema, host, fact, f"add it (null: none), or name yours: policy.reading({fact}='…')")
            if not sheet.schema[host].is_numeric():
                raise InvalidFrame(f"column {host!r}", sheet.schema[host], "a number", "cast it to a number")
        if self.changes:
            need_instant(self.changes, sheet.schema[self.changes])

    def steps(self) -> Iterator[Step]:
        """The columns of each step; a step may use those of earlier ones."""
        if self.changes:
            yield {"at": _instants(self.sheet, self.changes, self.sheet.schema[self.changes])}
        yield {"tier": self.by_row(TIERS.index(row.tier) for row in self.policy.rows)} | {
            "ruled": self.by_row(self.rules.index(row.rule) for row in self.policy.rows)
        }
        yield {"next": self.next(), **self.lifted()}
        yield {
            "outcome": Words(f"{OWN}number", tuple(tier.value for tier in TIERS)),
            "step": self.nw.lit(0, dtype=self.nw.Int64),
            "rule": Words(f"{OWN}met", self.rules),
            "next_change_at": Instants(f"{OWN}next"),
        }

    def by_row(self, numbers: Iterator[int]) -> Expr:
        """The number of the first row that holds; 0 where none does."""
        arms = [(held, self.nw.lit(number)) for held, number in zip(self.held, numbers, strict=True)]
        return chain(self.nw, arms, self.nw.lit(0))

    @cached_property
    def held(self) -> list[Expr]:
        """Whether each row holds."""
        return [reduce(and_, (self.reached(*item) for item in row.minima.items())) for row in self.policy.rows]

    def reached(self, fact: str, least: int | Decimal | Money) -> Expr:
        """Whether a fact reaches a minimum; null does not, nor does what is no number."""
        host = self.policy.host(fact)
        column, number = self.nw.col(host), Fraction(least if isinstance(least, int) else plain_amount(least))
        if self.sheet.schema[host].is_integer():
            return (column >= min(ceil(number), MOST)).fill_null(value=False)
        unit, less = (10**self.places, 0.5) if fact == "amount" else (1, 0)
        column = column.cast(self.nw.Float64)
        enough = column * unit >= float(ceil(number * unit)) - less
        return (enough & (column <= GREATEST)).fill_null(value=False)

    def lifted(self) -> Step:
        """Tier and rule as numbers, one tier higher for customers brought; -1 where the counts are out of date."""
        nw, tier, rule = self.nw, self.sheet.own("tier"), self.sheet.own("ruled")
        if self.policy.referrals is not None:
            up = self.reached("referrals", self.policy.referrals) & (tier < len(TIERS) - 1)
            tier, rule = nw.when(up).then(tier + 1).otherwise(tier), nw.when(up).then(nw.lit(0)).otherwise(rule)
        stale, none = self.stale, nw.lit(-1)
        if stale is None:
            return {"number": tier, "met": rule}
        return {"number": nw.when(stale).then(none).otherwise(tier), "met": nw.when(stale).then(none).otherwise(rule)}

    @property
    def stale(self) -> Expr | None:
        """Whether some of what was counted has left the window by now."""
        return (self.sheet.own("at") <= self.sheet.instant(self.now)).fill_null(value=False) if self.changes else None

    def next(self) -> Expr:
        """When the answer may change: some of what was counted leaves the window, or another book is in force."""
        nw, until, stale = self.nw, self.policy.bounded(self.now), self.stale
        other = self.sheet.instant(until or self.now)
        if stale is None:
            return nw.when(nw.lit(value=until is not None)).then(other)
        at = self.sheet.own("at")
        return nw.when(~stale).then(self.sheet.earlier(at, other) if until else at)


def _instants(sheet: Sheet, name: str, dtype: Any) -> Any:
    """A column of instants in UTC to the microsecond, as the parts of a sheet take it; days as wall clocks."""
    nw, column = sheet.nw, sheet.nw.col(name)
    if sheet.kind.whole:
        return Micros(name)
    zone = getattr(dtype, "time_zone", None)
    if zone is None:
        return column.cast(nw.Datetime("us"))
    column = column if sheet.kind.sql or zone == "UTC" else column.dt.convert_time_zone("UTC")
    plain = sheet.kind.sql or dtype.time_unit == "us"
    return column if plain else column.dt.timestamp("us").cast(nw.Datetime("us", "UTC"))


# --- the window ---


def activity_frame(
    policy: ValuePolicy, df: Any, now: datetime, names: Mapping[str, Any], *, places: int, prefix: str
) -> Any:
    """One row for each key: orders, amount, changes_at."""
    made = {name: f"{prefix}{name}" for name in MADE}
    check_free(tuple(made.values()), [names["key"]])
    given = lines(df, **names, places=places)
    given.refuse(collected(given.frame.select(**given.faults())).rows(named=True)[0])
    window = Window(policy, given, now)
    sheet = Sheet(window.counted().to_native())
    for step in window.steps(sheet):
        sheet.make(step)
    nw = narwhals()
    found = nw.from_native(sheet.native())
    return given.native(found.select(**{names["key"]: nw.col(KEY), **{made[name]: nw.col(name) for name in MADE}}))


class Window:
    """The window of a policy at one instant, and the lines in it."""

    def __init__(self, policy: ValuePolicy, given: Lines, now: datetime) -> None:
        self.given, self.now, self.span, self.zone = given, now, policy.bound, policy.place
        self.cutoff = self.span.cutoff(now)

    def day(self, at: datetime) -> Any:
        """The day of an instant in the policy's zone."""
        return day_of(self.zone.wall(micros(at)))

    def counted(self) -> Any:
        """Of each key the orders, the amount, and the first line in the window."""
        nw, given = narwhals(), self.given
        low, high = (at if given.instants else self.day(at) for at in (self.cutoff, self.now))
        inside = (nw.col(AT) > given.literal(low)) & (nw.col(AT) <= given.literal(high))
        bought = inside & purchases()
        ordered = "order" in given.names
        order = nw.when(bought).then(nw.col(ORDER)) if ordered else nw.lit(None, dtype=nw.Int64)
        lone = bought & nw.col(ORDER).is_null() if ordered else bought
        frame = given.frame.select(
            nw.col(KEY),
            amount=nw.when(inside).then(nw.col(VALUE)).otherwise(0),
            first=nw.when(inside).then(nw.col(AT)),
            lone=lone.cast(nw.Int64),
            **({"order": order} if ordered else {}),
        )
        if ordered:
            frame = frame.with_columns(none=nw.col("order").is_null().cast(nw.Int64))
        distinct = {"distinct": nw.col("order").n_unique(), "none": nw.col("none").max()} if ordered else {}
        found = frame.group_by(KEY).agg(nw.col("amount", "lone").sum(), nw.col("first").min(), **distinct)
        orders = nw.col("lone").cast(nw.Int64)
        orders = orders + nw.col("distinct").cast(nw.Int64) - nw.col("none").cast(nw.Int64) if ordered else orders
        amount = nw.col("amount").cast(nw.Int64)
        amount = amount / given.unit if given.places else amount
        return found.select(KEY, orders=orders.cast(nw.Int64), amount=amount, first=nw.col("first"))

    def steps(self, sheet: Sheet) -> Iterator[Step]:
        """`changes_at` from the first line; a step may use the columns of earlier ones."""
        first, moved = f"{OWN}first", f"{OWN}moved"
        yield {first: _instants(sheet, "first", sheet.schema["first"])}
        yield {moved: self.move(first)}
        at = sheet.nw.col(moved)
        leaves = ~sheet.nw.col(first).is_null() & (at < sheet.instant(OPEN_ENDED))
        yield {f"{OWN}leaves": sheet.nw.when(leaves).then(at)}
        yield {CHANGES: Instants(f"{OWN}leaves")}

    def move(self, first: str) -> Any:
        """When the window leaves an instant behind, or a day, which is a wall clock here."""
        if self.given.instants:
            return Move(first, add_pieces(self.span, self.cutoff, self.now))
        start, end = (day_start(self.day(at)) for at in (self.cutoff, self.now))
        days = range(start + DAY, end + DAY, DAY) or [end]
        leaves: list[int | None] = [micros(self.span.add(instant_at(self.zone.instant(day)))) for day in days]
        return Cells(first, days[0], DAY, [None] * len(leaves), leaves)
