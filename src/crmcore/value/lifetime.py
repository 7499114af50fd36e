"""
What models of customer lifetime value are fed with: repeat purchases, age at the last of them, age, mean amount.

As the package lifetimes has it (`summary_data_from_transaction_data`), whose "recency" is the age at the last purchase
and grows with it; RFM's recency is the days since then, and shrinks. Hence no field has that name here.

>>> from datetime import date
>>> from crmcore.sales import Sale
>>> from crmcore.value.lifetime import clv_summary
>>> days = {1: 110, 5: 120}
>>> sales = [Sale(customer=2, at=date(2017, 1, day), amount=amount) for day, amount in days.items()]
>>> clv_summary(sales, as_of=date(2017, 12, 31))
(Lifetime(key=2, frequency=1, age_at_last=4, age=364, monetary=Decimal('120.0000')),)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias, TypeVar, get_args

import attrs

from crmcore.errors import InvalidPolicy
from crmcore.sales import as_sale, exact_sum
from crmcore.sales.names import in_order
from crmcore.value.purchases import Clock, mean

__all__ = ["Lifetime", "LifetimePeriod", "clv_frame", "clv_summary"]

Frame = TypeVar("Frame")
"""A kind of data frame."""
LifetimePeriod: TypeAlias = Literal["D", "W"]
"""Days, or weeks from Monday on."""
DAYS = {"D": 1, "W": 7}


@attrs.frozen
class Lifetime:
    """
    A customer's life so far, in periods.

    `frequency` (x): periods with a purchase after the first such; `age_at_last` (t_x): from the first purchase to the
    last; `age` (T): from the first to `as_of`; `monetary`: the mean of the periods that `frequency` counts, rounded to
    four places, ``None`` where there are none (lifetimes says 0).
    """

    key: Hashable
    frequency: int
    age_at_last: int
    age: int
    monetary: Decimal | None

    def record(self) -> dict[str, Any]:
        """JSON-able data, the amount as text."""
        return attrs.asdict(self) | {"monetary": None if self.monetary is None else format(self.monetary, "f")}


def clv_summary(
    sales: Iterable[object], *, as_of: date | datetime, period: LifetimePeriod = "D"
) -> tuple[Lifetime, ...]:
    """
    The customers in the order of their keys; those without a purchase are left out.

    `sales` and `as_of` as in `RfmPolicy.score`. All that is bought in one day (or week) is one purchase; returns
    are none, and change no amount. Raises `InvalidPolicy`, `InvalidFact`, `MissingFact`, `NaiveDatetime`.
    """
    clock, days = Clock(as_of), _days(period)
    bought = defaultdict[Hashable, defaultdict[int, list[Decimal]]](lambda: defaultdict(list))
    for sale in map(as_sale, sales):
        moment = clock.moment(sale.at)
        if moment.at <= clock.now.at and sale.bought:
            bought[sale.customer][_period(moment.wall, days)].append(sale.amount)
    end = _period(clock.now.wall, days)
    return tuple(_lifetime(key, bought[key], end) for key in in_order(bought))


def _days(period: str) -> int:
    if period not in get_args(LifetimePeriod):
        raise InvalidPolicy("period", period, f"one of {', '.join(get_args(LifetimePeriod))}")
    return DAYS[period]


def _period(wall: datetime, days: int) -> int:
    return (wall.toordinal() - 1) // days  # the first day of all is a Monday


def _lifetime(key: Hashable, bought: Mapping[int, list[Decimal]], end: int) -> Lifetime:
    first, last, again = min(bought), max(bought), len(bought) - 1
    repeated = exact_sum(amount for period, amounts in bought.items() if period != first for amount in amounts)
    return Lifetime(key, again, last - first, end - first, mean(repeated, again) if again else None)


def clv_frame(
    df: Frame,
    *,
    key: str,
    at: str,
    value: str,
    as_of: date | datetime,
    period: LifetimePeriod = "D",
    places: int = 2,
    prefix: str = "",
) -> Frame:
    """
    The same as columns (extra `frames`): the key, frequency, age_at_last, age, monetary; one row per customer.

    The same kind comes back, in no order, and what is lazy stays lazy. Raises `InvalidPolicy`, `InvalidFrame`,
    `MissingExtra`.
    """
    from crmcore.value.lifetime_columns import frame

    names = {"key": key, "at": at, "value": value}
    lived: Frame = frame(df, names, as_of=as_of, days=_days(period), places=places, prefix=prefix)
    return lived
