"""
Metrics of columns: the same figures as `metrics`, made in the backend that holds the lines.

A line's period, and the start of the first period by which its customer would be lost, are numbers of literals that lie
before it: the periods' first instants, and what `BoundSpan.cutoff` makes of them. Customers' purchases of a period then
stand next to those of the period before, and only kinds of stretches with their counts leave the backend.
"""

# mypy: disable-error-code="no-any-return"
# narwhals is imported late, so what it makes is Any here.

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any, Final, TypeAlias

import attrs

from crmcore.analysis.metrics import Metrics, Tally, period_metrics
from crmcore.analysis.silence import LOST_AFTER, Came, Stretch, Timeline, first_instant, texts
from crmcore.calendars import Span
from crmcore.decisions.frames import OWN, narwhals
from crmcore.errors import InvalidFrame
from crmcore.sales import Periods
from crmcore.sales.frames import AT, KEY, ORDER, VALUE, Lines, collected, lines, purchases

__all__ = ["metrics_frame"]

Expr: TypeAlias = Any
Frame: TypeAlias = Any

SEGMENT: Final = f"{OWN}segment"
LIMIT: Final = f"{OWN}limit"
BOUGHT: Final = f"{OWN}bought"
GONE: Final = f"{OWN}gone"
MOST_LIMITS: Final = 100
DAY: Final = timedelta(days=1)
WIDE: Final = Context(prec=100)


def metrics_frame(
    df: Any,
    *,
    key: str,
    at: str,
    value: str,
    order: str | None = None,
    segment: str | None = None,
    limit: str | Span | None = None,
    periods: Periods | None = None,
    first: date | datetime | None = None,
    last: date | datetime | None = None,
    places: int = 2,
) -> Metrics:
    """
    As `metrics`, of lines in columns.

    `limit`: a `Span` for all, or the column with each customer's limit in whole days (at most 100 different ones); by
    default 180 days. `segment`: a column of text, whole numbers or flags. Amounts are read to `places` decimals. Raises
    `InvalidFrame`, `InvalidPolicy`, `MissingExtra`.
    """
    rule = Periods() if periods is None else periods
    column = limit if isinstance(limit, str) else None
    found = _lines(df, {"key": key, "value": value, "at": at, "order": order}, segment, column, places)
    seen = _seen(found, rule, column)
    timeline = Timeline.of(rule, seen.earliest, seen.latest, first, last)
    spans: dict[int | None, Span] = {days: Span(f"{days}d") for days in seen.limits}
    if not isinstance(limit, str):
        spans[None] = Span(LOST_AFTER) if limit is None else limit
    counting = _Counting(found, seen, timeline, rule, spans, column)
    whole = counting.tallies(by_segment=False).get(None, Tally())
    parts = counting.tallies(by_segment=True) if segment is not None else {}
    return Metrics(
        period_kind=rule.kind,
        lost_after=texts(spans.values()),
        periods=period_metrics(timeline, whole),
        segments={part: period_metrics(timeline, tally) for part, tally in parts.items()},
    )


def _lines(df: Any, names: Mapping[str, Any], segment: str | None, limit: str | None, places: int) -> Lines:
    """The lines with segment and limit beside them."""
    more = {ours: name for ours, name in ((SEGMENT, segment), (LIMIT, limit)) if name is not None}
    found, nw, cast = lines(df, **names, more=more, places=places), narwhals(), dict[str, Expr]()
    if segment is not None:
        cast[SEGMENT] = _segment(segment, found.schema[segment])
    if limit is not None:
        if not found.schema[limit].is_integer():
            raise InvalidFrame(f"column {limit!r}", found.schema[limit], "whole days", "cast it to an integer")
        cast[LIMIT] = nw.col(LIMIT).cast(nw.Int64)
    return attrs.evolve(found, frame=found.frame.with_columns(**cast)) if cast else found


def _segment(name: str, dtype: Any) -> Expr:
    nw = narwhals()
    if dtype.is_integer() or dtype == nw.Boolean:
        return nw.col(SEGMENT)
    if dtype not in (nw.String, nw.Categorical) and not isinstance(dtype, nw.Enum):
        raise InvalidFrame(f"column {name!r}", dtype, "text, whole numbers or flags", "cast it to text")
    return nw.col(SEGMENT).cast(nw.String)


@attrs.frozen
class _Seen:
    """The ends of the lines, and which limits customers have."""

    earliest: datetime | None
    latest: datetime | None
    limits: tuple[int, ...] = ()


def _seen(found: Lines, rule: Periods, limit: str | None) -> _Seen:
    nw = narwhals()
    ends = {"earliest": nw.col(AT).min(), "latest": nw.col(AT).max()}
    row = collected(found.frame.select(**found.faults(), **ends)).rows(named=True)[0]
    found.refuse(row)
    earliest, latest = (_instant(row[name], found, rule) for name in ends)
    return _Seen(earliest, latest, _limits(found, limit) if limit is not None else ())


def _instant(value: Any, found: Lines, rule: Periods) -> datetime | None:
    if _none(value):
        return None
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime(warn=False)
    if isinstance(value, datetime) and not found.instants:
        value = value.date()
    return first_instant(value, rule)


def _none(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124 - so NaN and NaT tell themselves


def _limits(found: Lines, limit: str) -> tuple[int, ...]:
    """The limits of those who bought."""
    listed = collected(found.frame.filter(purchases()).select(LIMIT).unique())[LIMIT].to_list()
    wrong = [value for value in listed if _none(value) or value < 0]
    if wrong or len(listed) > MOST_LIMITS:
        seen = f"{wrong[0]!r}" if wrong else f"{len(listed)} different limits"
        remedy = "fill in the limit of all others, .fill_null(180)" if wrong else "round them, to weeks for instance"
        raise InvalidFrame(f"column {limit!r}", seen, f"whole days from 0, at most {MOST_LIMITS} different", remedy)
    return tuple(sorted(int(value) for value in listed))


@attrs.frozen
class _Counting:
    """What there is to count with."""

    found: Lines
    seen: _Seen
    timeline: Timeline
    rule: Periods
    spans: Mapping[int | None, Span]
    """By days, where the limit is a column, else the one for all."""
    limit: str | None
    """The column of limits."""

    def tallies(self, *, by_segment: bool) -> dict[Hashable, Tally]:
        """What was counted, of each segment, or of all under ``None``."""
        tallies = defaultdict[Hashable, Tally](Tally)
        if not len(self.timeline):
            return {}
        segment = [SEGMENT] if by_segment else []
        placed = self.placed()
        for row in self.stretches(placed, segment):
            tally, count = tallies[_plain(row.get(SEGMENT))], int(row["count"])
            stretch = Stretch(int(row["bought"]), Came(int(row["came"])), int(row["until"]), bool(row["lost"]))
            tally.stretches[stretch] += count
            tally.orders[stretch.bought] += int(row["orders"])
            tally.repeats[stretch.bought] += int(row["repeats"])
        for row in self.net(placed, segment):
            sold = Decimal(int(row["net"])).scaleb(-self.found.places, WIDE)
            tallies[_plain(row.get(SEGMENT))].sales[int(row[BOUGHT])] = sold
        return tallies

    # --- places on the timeline ---

    def placed(self) -> Frame:
        """The lines up to the last period, each with the place of its period."""
        nw, count = narwhals(), len(self.timeline)
        place = self._passed(nw.col(AT), [(at, self._first(at)) for at in self.timeline.bounds], inclusive=True) - 1
        placed = self.found.frame.with_columns(**{BOUGHT: place.cast(nw.Int64)})
        return placed.filter(nw.col(BOUGHT) < count)

    def gone(self, last: Expr) -> Expr:
        """The first period by whose start a customer is lost who last bought at `last`."""
        nw = narwhals()
        if None in self.spans:
            return self._passed(last, self._cutoffs(self.spans[None]), inclusive=False)
        arms = [
            nw.when(nw.col(LIMIT) == days).then(self._passed(last, self._cutoffs(span), inclusive=False))
            for days, span in self.spans.items()
        ]
        return nw.coalesce(*arms, nw.lit(0, dtype=nw.Int64))

    def _first(self, bound: datetime) -> date | datetime:
        return bound if self.found.instants else bound.astimezone(self.rule.zone).date()

    def _cutoffs(self, span: Span) -> list[tuple[datetime, date | datetime]]:
        limit = span.on(self.rule.zone)
        return [(at, self._day(at)) for at in map(limit.cutoff, self.timeline.bounds)]

    def _day(self, at: datetime) -> date | datetime:
        """The instant, or the last day that starts at or before it."""
        if self.found.instants:
            return at
        day = at.astimezone(self.rule.zone).date()
        return day + DAY if first_instant(day + DAY, self.rule) <= at else day

    def _passed(self, at: Expr, marks: Iterable[tuple[datetime, date | datetime]], *, inclusive: bool) -> Expr:
        """How many of the marks lie before `at`, or `inclusive` at it; those outside the lines need no comparison."""
        nw, earliest, latest = narwhals(), self.seen.earliest, self.seen.latest
        terms, always = list[Expr](), 0
        for mark, shown in marks:
            if earliest is None or latest is None or mark > latest:
                continue
            if mark < earliest:
                always += 1
            else:
                literal = self.found.literal(shown)
                terms.append((at >= literal if inclusive else at > literal).cast(nw.Int64))
        return _sum(terms) + always if terms else nw.lit(always, dtype=nw.Int64)

    # --- what is counted ---

    def net(self, placed: Frame, segment: Sequence[str]) -> list[dict[str, Any]]:
        """The sum of the amounts of each period."""
        nw = narwhals()
        sums = placed.group_by(*segment, BOUGHT).agg(net=nw.col(VALUE).sum())
        return collected(sums.with_columns(nw.col("net").cast(nw.Int64))).rows(named=True)

    def stretches(self, placed: Frame, segment: Sequence[str]) -> list[dict[str, Any]]:
        """The kinds of stretches of customers, how many there are of each, and the orders in them."""
        nw, col = narwhals(), narwhals().col
        table, following = self._neighbours(self._purchases(placed, segment), segment), col("following")
        lost = col(GONE) <= following
        came = nw.when(~col("again")).then(int(Came.NEW)).when(col("lapsed")).then(int(Came.RETURNED))
        table = table.select(
            *segment,
            bought=col(BOUGHT),
            came=came.otherwise(int(Came.STAYED)).cast(nw.Int64),
            until=nw.when(lost).then(col(GONE)).otherwise(following + 1).cast(nw.Int64),
            lost=lost.cast(nw.Int64),
            orders=col("orders"),
            repeats=(col("orders") > 1).cast(nw.Int64),
            uneven=col("uneven"),
        )
        sums = {name: col(name).sum() for name in ("orders", "repeats", "uneven")}
        found = collected(
            table.group_by(*segment, "bought", "came", "until", "lost").agg(nw.len().alias("count"), **sums)
        )
        rows = found.rows(named=True)
        if uneven := sum(int(row["uneven"]) for row in rows):
            remedy = "give all lines of a customer the same: the largest, say"
            raise InvalidFrame(f"column {self.limit!r}", f"changes {uneven} times", "one limit for a customer", remedy)
        return rows

    def _purchases(self, placed: Frame, segment: Sequence[str]) -> Frame:
        """A row for each customer and period of purchases: the last, how many orders, and by when it is lost."""
        nw, col = narwhals(), narwhals().col
        by = [KEY, *segment, *self._limit, BOUGHT]
        bought, count = placed.filter(purchases()), nw.len()
        if "order" in self.found.names:
            bought = bought.group_by(*by, ORDER).agg(col(AT).max(), lines=nw.len())
            single = nw.when(col(ORDER).is_null()).then(col("lines")).otherwise(1)
            bought, count = bought.with_columns(lines=single), col("lines").sum()
        bought = bought.group_by(*by).agg(col(AT).max(), orders=count)
        bought = bought.with_columns(col("orders").cast(nw.Int64), **{GONE: self.gone(col(AT))})
        gone = nw.when(col(GONE) > col(BOUGHT)).then(col(GONE)).otherwise(col(BOUGHT) + 1)
        return bought.with_columns(**{GONE: gone.cast(nw.Int64)})

    def _neighbours(self, table: Frame, segment: Sequence[str]) -> Frame:
        """Beside each row what it follows, and the period of the customer's next."""
        nw, col = narwhals(), narwhals().col
        own, order = [KEY, *segment], [KEY, *segment, BOUGHT]
        if not self.found.sql:
            table = collected(table).sort(order)

        def beside(name: str, by: int) -> Expr:
            return col(name).shift(by).over(order_by=order) if self.found.sql else col(name).shift(by)

        shifted = {f"before_{name}": beside(name, 1) for name in (*own, *self._limit, GONE)}
        shifted |= {f"after_{name}": beside(name, -1) for name in (*own, BOUGHT)}
        table = table.with_columns(**shifted)
        again, goes_on = (_same(own, side) for side in ("before_", "after_"))
        return table.with_columns(
            again=again,
            lapsed=(col(f"before_{GONE}") <= col(BOUGHT)).fill_null(value=False),
            following=nw.when(goes_on).then(col(f"after_{BOUGHT}")).otherwise(len(self.timeline)).cast(nw.Int64),
            uneven=self._uneven().cast(nw.Int64),
        )

    @property
    def _limit(self) -> list[str]:
        return [] if None in self.spans else [LIMIT]

    def _uneven(self) -> Expr:
        """Whether a customer has another limit than in the row before."""
        nw, same = narwhals(), _same([KEY], "before_")
        if None in self.spans:
            return nw.lit(0)
        return same & (nw.col(LIMIT) != nw.col(f"before_{LIMIT}")).fill_null(value=False)


def _sum(terms: Sequence[Expr]) -> Expr:
    """Halved and halved again, for a database climbs down an expression by recursion."""
    half = len(terms) // 2
    return _sum(terms[:half]) + _sum(terms[half:]) if half else terms[0]


def _same(names: Sequence[str], side: str) -> Expr:
    """Whether the neighbour on that side has the same key, and the same segment or none as well."""
    nw = narwhals()
    key, *segment = names
    same = (nw.col(key) == nw.col(f"{side}{key}")).fill_null(value=False)
    for name in segment:
        here, there = nw.col(name), nw.col(f"{side}{name}")
        same = same & ((here == there).fill_null(value=False) | (here.is_null() & there.is_null()))
    return same


def _plain(value: Any) -> Hashable:
    """The segment as Python has it."""
    return None if _none(value) else value.item() if hasattr(value, "item") else value
