"""
The aims as figures (ANA-12): prospects that buy, deals won, customers who buy again.

Churn, the fourth of them, is `PeriodMetrics.churn`.

>>> from crmcore.analysis.funnel import win_rate
>>> deals = {"won": 30, "lost": 50, "open": 20, "invalid": 7}
>>> str(win_rate(deals)), str(win_rate(deals, of="all"))
('0.3750', '0.3000')
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from datetime import UTC, date, datetime, tzinfo
from fractions import Fraction
from typing import Any, Final, Literal, TypeAlias

import attrs

from crmcore.analysis.metrics import sale_lines
from crmcore.analysis.silence import first_instant
from crmcore.analysis.values import Measure, Ratio, Undefined
from crmcore.calendars import Span
from crmcore.errors import InvalidFact, InvalidPolicy
from crmcore.sales import Periods, share
from crmcore.sales.figures import nearest

__all__ = ["Conversion", "RepeatBuying", "first_purchases", "repeat_buying", "win_rate"]

STATUSES: Final = ("won", "lost", "open", "invalid")
WinBasis: TypeAlias = Literal["closed", "all"]
WIN_BASES: Final[Mapping[str, tuple[str, ...]]] = {"closed": ("won", "lost"), "all": ("won", "lost", "open")}
"""What deals won are held against; an invalid prospect was none."""


@attrs.frozen(kw_only=True)
class Conversion:
    """How many prospects became customers; `earlier` had bought before they were listed, and are not among them."""

    prospects: int
    converted: int
    earlier: int = 0

    @property
    def ratio(self) -> Ratio:
        """Converted over prospects."""
        why = None if self.prospects else Undefined.NO_PROSPECTS
        return Ratio(measure=Measure.CONVERSION, value=share(self.converted, self.prospects), undefined=why)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {**attrs.asdict(self), "conversion": nearest(self.ratio.value)}


def first_purchases(
    prospects: Mapping[Any, date | datetime],
    sales: Iterable[object],
    *,
    within: str | Span | None = None,
    zone: str | tzinfo = UTC,
) -> Conversion:
    """
    First-purchase conversion: of the prospects, each with the day or instant from which it was one, how many bought.

    A first purchase is an amount of 0 or more, before which there was none, at the time of the prospect's listing or
    after it; with `within`, before that span is over. Days are those of the `zone`. Raises as `metrics`.
    """
    rule = Periods(zone=zone)
    limit = None if within is None else Span(within).on(rule.zone, key="within")
    bought: dict[Hashable, datetime] = {}
    for line, _ in sale_lines(sales):
        if line.bought and line.customer in prospects:
            at = first_instant(line.at, rule)
            bought[line.customer] = min(bought.get(line.customer, at), at)
    converted = earlier = 0
    for customer, at in bought.items():
        listed = first_instant(prospects[customer], rule)
        earlier += at < listed
        converted += at >= listed and (limit is None or at < limit.add(listed))
    return Conversion(prospects=len(prospects) - earlier, converted=converted, earlier=earlier)


def win_rate(deals: Iterable[str] | Mapping[str, int], *, of: WinBasis = "closed") -> Ratio:
    """
    Prospects won over those closed (won or lost), or over `all` (the open ones too); an invalid one was none.

    `deals`: statuses won, lost, open, invalid, one by one or counted. Raises `InvalidFact`, `InvalidPolicy`.
    """
    if of not in WIN_BASES:
        raise InvalidPolicy("of", of, f"one of {', '.join(WIN_BASES)}")
    counted: Counter[str] = Counter(deals)
    for status, count in counted.items():
        if status not in STATUSES:
            raise InvalidFact("status", status, f"one of {', '.join(STATUSES)}")
        if type(count) is not int or count < 0:
            raise InvalidFact("count", count, "a whole number from 0", status)
    whole = sum(counted[status] for status in WIN_BASES[of])
    why = None if whole else Undefined.NO_PROSPECTS
    return Ratio(measure=Measure.WIN_RATE, value=share(counted["won"], whole), undefined=why)


@attrs.frozen(kw_only=True)
class RepeatBuying:
    """How often those who bought at all bought: over all the sales given, not by period."""

    customers: int
    orders: int
    repeaters: int
    """Customers with two orders or more."""

    @property
    def frequency(self) -> Ratio:
        """Orders per customer."""
        why = None if self.customers else Undefined.NO_CUSTOMERS
        return Ratio(measure=Measure.FREQUENCY, value=share(self.orders, self.customers), undefined=why)

    @property
    def repeat_frequency(self) -> Fraction | None:
        """Orders after the first, per customer."""
        return share(self.orders - self.customers, self.customers)

    @property
    def repeat_rate(self) -> Fraction | None:
        """Repeaters over customers."""
        return share(self.repeaters, self.customers)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **attrs.asdict(self),
            "frequency": nearest(self.frequency.value),
            "repeat_frequency": nearest(self.repeat_frequency),
            "repeat_rate": nearest(self.repeat_rate),
        }


def repeat_buying(sales: Iterable[object]) -> RepeatBuying:
    """Orders of each customer: with a purchase, and distinct; a line without an order is one. Raises as `metrics`."""
    orders = defaultdict[Hashable, set[object]](set)
    for line, _ in sale_lines(sales):
        if line.bought:
            orders[line.customer].add(object() if line.order is None else line.order)
    counts = [len(some) for some in orders.values()]
    return RepeatBuying(customers=len(counts), orders=sum(counts), repeaters=sum(count > 1 for count in counts))
