"""
Customers from period to period: who came, who was lost, what they bought (ANA-9, ANA-14).

>>> from datetime import date
>>> from crmcore.sales import Periods, Sale
>>> bought = [("u1", 1), ("u2", 1), ("u3", 1), ("u1", 2), ("u3", 2), ("u4", 2)]
>>> lines = [Sale(customer=who, at=date(2026, month, 15), amount=100) for who, month in bought]
>>> march = metrics(lines, periods=Periods("month"), lost_after="1mo").periods[1]
>>> march.start, march.new, march.returned, march.lost, march.end
(3, 1, 0, 1, 3)
>>> str(march.churn), str(march.growth)
('0.3333', '0.0000')
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate, chain, pairwise
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import attrs

from crmcore.analysis.silence import LOST_AFTER, Came, LostAfter, Silence, Stretch, Timeline, first_instant
from crmcore.analysis.values import Measure, Ratio, Undefined
from crmcore.decisions.facts import FactReader
from crmcore.errors import InvalidFact, InvalidPolicy
from crmcore.sales import Period, PeriodKind, Periods, Sale, as_sale, share, sums
from crmcore.sales.figures import nearest
from crmcore.sales.names import by_text

__all__ = ["Metrics", "PeriodMetrics", "SegmentOf", "Tally", "metrics", "period_metrics", "sale_lines"]

SegmentOf: TypeAlias = str | Mapping[Any, Hashable]
"""The attribute or key of a line of sales that says its segment, or customer → segment."""
COUNTS: Final = ("start", "new", "returned", "lost", "lost_of_start", "end", "buyers", "orders")
RATIOS: Final = ("growth", "churn", "retention", "reactivation", "frequency")


@attrs.frozen(kw_only=True)
class PeriodMetrics:
    """
    One period, of all customers or of one segment.

    `start`, `end`: active at the period's first instant, and at the first instant after it. `new` made their first
    purchase ever in the period; `returned` bought again after they had been lost; `lost` were active at the start or
    came, and are not active at the end, `lost_of_start` of them were active at the start. `dormant` had bought before
    and were not active at the start. Raises `InvalidFact` unless ``end = start + new + returned - lost``.
    """

    period: Period
    start: int
    new: int
    returned: int
    lost: int
    end: int
    lost_of_start: int
    dormant: int
    buyers: int
    """Customers who made a purchase in the period."""
    orders: int
    """Orders with a purchase in the period, per customer; a line without an order is one."""
    repeat_buyers: int
    """Buyers with two orders in the period, or more."""
    sales: Decimal
    """Net: returns are taken off."""

    def __attrs_post_init__(self) -> None:
        if self.end != (found := self.start + self.new + self.returned - self.lost):
            raise InvalidFact("end", self.end, f"start + new + returned - lost = {found}", str(self.period))

    @property
    def growth(self) -> Ratio:
        """(end - start) / start."""
        return self._of_customers(Measure.GROWTH, self.end - self.start, self.start)

    @property
    def churn(self) -> Ratio:
        """Lost of those active at the start, over these: who comes and goes within the period is not among them."""
        return self._of_customers(Measure.CHURN, self.lost_of_start, self.start)

    @property
    def retention(self) -> Ratio:
        """1 - churn: still active at the end of those active at the start, over these."""
        return self._of_customers(Measure.RETENTION, self.start - self.lost_of_start, self.start)

    @property
    def reactivation(self) -> Ratio:
        """Returned, over those who were lost at the start."""
        return self._of_customers(Measure.REACTIVATION, self.returned, self.dormant)

    @property
    def frequency(self) -> Ratio:
        """Orders per buyer."""
        return self._of_customers(Measure.FREQUENCY, self.orders, self.buyers)

    @property
    def average_order(self) -> Ratio:
        """Net sales per order, an amount."""
        value = share(self.sales, self.orders)
        why = Undefined.NO_ORDERS if value is None else None
        return Ratio(measure=Measure.AVERAGE_ORDER, value=value, undefined=why, period=str(self.period), amount=True)

    @property
    def customers(self) -> int:
        """Who was active at the start, or came in the period."""
        return self.start + self.new + self.returned

    @property
    def orders_per_customer(self) -> Fraction | None:
        """Orders over `customers`: falls also where active customers stop buying."""
        return share(self.orders, self.customers)

    @property
    def repeat_rate(self) -> Fraction | None:
        """Buyers with two orders or more over all buyers."""
        return share(self.repeat_buyers, self.buyers)

    def _of_customers(self, measure: Measure, part: int, whole: int) -> Ratio:
        why = None if whole else Undefined.NO_CUSTOMERS
        return Ratio(measure=measure, value=share(part, whole), undefined=why, period=str(self.period))

    def record(self) -> dict[str, Any]:
        """For JSON: amounts as text, the average order to 2 places, half away from zero; ratios as floats or null."""
        average, repeat = self.average_order.rounded(2), self.repeat_rate
        ratios = {name: getattr(self, name).value for name in RATIOS} | {"repeat_rate": repeat}
        return {
            "period": str(self.period),
            **{name: getattr(self, name) for name in COUNTS},
            "sales": format(self.sales, "f"),
            "average_order": None if average is None else format(average, "f"),
            **{name: nearest(value) for name, value in ratios.items()},
        }


def _segments(value: Mapping[Hashable, Iterable[PeriodMetrics]]) -> Mapping[Hashable, tuple[PeriodMetrics, ...]]:
    keys = sorted(value, key=lambda key: (key is None, *by_text(key)))
    return MappingProxyType({key: tuple(value[key]) for key in keys})


@attrs.frozen(kw_only=True)
class Metrics:
    """
    Periods one after the other, of all customers and segment by segment; as a record for JSON.

    Raises `InvalidFact` where a period does not start with those with whom the one before it ended.
    """

    period_kind: PeriodKind
    lost_after: tuple[str, ...]
    """The limits that were used, the shortest first."""
    periods: tuple[PeriodMetrics, ...]
    segments: Mapping[Hashable, tuple[PeriodMetrics, ...]] = attrs.field(factory=dict, converter=_segments)
    """Each segment by its own sales alone; who bought in two is a customer of both. Without a segment: ``None``."""

    def __attrs_post_init__(self) -> None:
        for rows in (self.periods, *self.segments.values()):
            for before, after in pairwise(rows):
                if after.start != before.end:
                    raise InvalidFact("start", after.start, f"{before.end}, the end before", str(after.period))

    def record(self) -> dict[str, Any]:
        """For JSON; lines without a segment are under ``unknown``, or ``unknown?`` where one is called so."""
        nobody = "unknown?" if "unknown" in self.segments else "unknown"
        named = {nobody if key is None else str(key): rows for key, rows in self.segments.items()}
        return {
            "period_kind": self.period_kind,
            "lost_after": self.lost_after[0] if len(self.lost_after) == 1 else list(self.lost_after),
            "periods": [row.record() for row in self.periods],
            "segments": {key: [row.record() for row in rows] for key, rows in named.items()},
        }


def metrics(
    sales: Iterable[object],
    *,
    periods: Periods | None = None,
    lost_after: LostAfter = LOST_AFTER,
    segment: SegmentOf | None = None,
    first: date | datetime | None = None,
    last: date | datetime | None = None,
) -> Metrics:
    """
    The metrics of every period from the first sale to the last, the empty ones too, or from that of `first` to `last`.

    `periods`: by default months in UTC. Sales before `first` say who was a customer; those after `last` are not looked
    at. Only purchases, amounts of 0 or more, make a customer active or an order; returns reduce sales. An order with
    purchases in two periods counts in both. Raises `InvalidFact`, `MissingFact`, `InvalidPolicy`, `InvalidSpan`.
    """
    rule = Periods() if periods is None else periods
    silence, lines = Silence.of(lost_after, rule), sale_lines(sales, segment)
    instants = [first_instant(line.at, rule) for line, _ in lines]
    timeline = Timeline.of(rule, min(instants, default=None), max(instants, default=None), first, last)
    parts = defaultdict[Hashable, list[Placed]](list)
    for at, (line, part) in zip(instants, lines, strict=True):
        if (place := timeline.index(at)) < len(timeline):
            parts[part].append((place, at, line))

    def figures(some: Iterable[Placed]) -> tuple[PeriodMetrics, ...]:
        return period_metrics(timeline, _tally(some, timeline, silence))

    return Metrics(
        period_kind=rule.kind,
        lost_after=silence.texts({line.customer for line, _ in lines if line.bought}),
        periods=figures(chain.from_iterable(parts.values())),
        segments={part: figures(some) for part, some in parts.items()} if segment is not None else {},
    )


# --- lines ---


def sale_lines(sales: Iterable[object], segment: SegmentOf | None = None) -> list[tuple[Sale, Hashable]]:
    """The sales, each with its segment; objects with the attributes of `SaleFacts` or mappings, `order` at will."""
    part = _part(segment)
    lines = []
    for row in sales:
        line = as_sale(row)
        lines.append((line, part(row, line)))
    return lines


def _part(segment: SegmentOf | None) -> Callable[[object, Sale], Hashable]:
    if segment is None:
        return lambda _row, _line: None
    if isinstance(segment, Mapping):
        return lambda _row, line: segment.get(line.customer)
    if not isinstance(segment, str):
        raise InvalidPolicy("segment", segment, "the name of a fact, or a mapping of customers to their segments")
    read = FactReader(("segment",), {"segment": segment})
    return lambda row, _line: read(row)[0]


# --- what both roads count ---


@attrs.define
class Tally:
    """Of all customers, or of a segment: how many stretches there are of each kind, and figures by period."""

    stretches: Counter[Stretch] = attrs.field(factory=Counter)
    orders: Counter[int] = attrs.field(factory=Counter)
    repeats: Counter[int] = attrs.field(factory=Counter)
    sales: dict[int, Decimal] = attrs.field(factory=dict)


Placed: TypeAlias = tuple[int, datetime, Sale]
"""A sale, the place of its period and its instant in UTC."""


def _tally(lines: Iterable[Placed], timeline: Timeline, silence: Silence) -> Tally:
    purchases = defaultdict[Hashable, dict[int, datetime]](dict)
    orders = defaultdict[tuple[Hashable, int], set[object]](set)
    found, placed = Tally(), list(lines)
    for place, at, line in placed:
        if line.bought:
            bought = purchases[line.customer]
            bought[place] = max(bought.get(place, at), at)
            orders[line.customer, place].add(object() if line.order is None else line.order)
    found.sales |= sums((place, line.amount) for place, _, line in placed)
    for customer, bought in purchases.items():
        found.stretches.update(silence.stretches(customer, bought, timeline))
    for (_, place), some in orders.items():
        found.orders[place] += len(some)
        found.repeats[place] += len(some) > 1
    return found


def period_metrics(timeline: Timeline, tally: Tally) -> tuple[PeriodMetrics, ...]:
    """The figures of each period from what was counted."""
    return tuple(_period_metrics(timeline, tally))


def _period_metrics(timeline: Timeline, tally: Tally) -> Iterator[PeriodMetrics]:
    starts, known = _starts(tally, len(timeline)), _known(tally, len(timeline))
    came, lost, lost_of_start = Counter[tuple[int, Came]](), Counter[int](), Counter[int]()
    for stretch, count in tally.stretches.items():
        came[stretch.bought, stretch.came] += count
        if stretch.lost:
            lost[stretch.until - 1] += count
            at_start = stretch.came is Came.STAYED or stretch.until - 1 > stretch.bought
            lost_of_start[stretch.until - 1] += count * at_start
    for place, period in enumerate(timeline.periods):
        yield PeriodMetrics(
            period=period,
            start=starts[place],
            new=came[place, Came.NEW],
            returned=came[place, Came.RETURNED],
            lost=lost[place],
            end=starts[place + 1],
            lost_of_start=lost_of_start[place],
            dormant=known[place] - starts[place],
            buyers=sum(came[place, how] for how in Came),
            orders=tally.orders[place],
            repeat_buyers=tally.repeats[place],
            sales=tally.sales.get(place, Decimal(0)),
        )


def _starts(tally: Tally, count: int) -> list[int]:
    """How many are active at the start of each period, and at the end of the last."""
    changes = [0] * (count + 2)
    for stretch, number in tally.stretches.items():
        changes[stretch.bought + 1] += number
        changes[stretch.until] -= number
    return list(accumulate(changes))


def _known(tally: Tally, count: int) -> list[int]:
    """How many had bought before the start of each period."""
    firsts = [0] * (count + 1)
    for stretch, number in tally.stretches.items():
        firsts[stretch.bought + 1] += number * (stretch.came is Came.NEW)
    return list(accumulate(firsts))
