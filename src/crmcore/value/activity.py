"""What customers bought in a window: orders, amount, and when some of it leaves the window; the facts of a tier."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from crmcore.calendars import OPEN_ENDED, BoundSpan, Zone
from crmcore.calendars.instants import day_start, instant_at
from crmcore.decisions.facts import FactReader
from crmcore.money import Money
from crmcore.sales.figures import Number, exact, sums
from crmcore.sales.values import SaleFacts, moment, optional
from crmcore.value.values import Activity

__all__ = ["activity"]

SALES: Final = FactReader(("customer", "at", "amount"), {})


def activity(
    sales: Iterable[SaleFacts | Mapping[str, Any]],
    window: BoundSpan,
    zone: Zone,
    now: datetime,
    referrals: Mapping[Any, int],
) -> dict[Hashable, Activity]:
    """Of every customer in `sales` what lies in (now − window, now]; see `ValuePolicy.activity`."""
    cutoff = window.cutoff(now)
    orders: dict[Hashable, set[Hashable]] = {}
    first: dict[Hashable, datetime] = {}
    currency: list[str] = []

    def counted() -> Iterator[tuple[Hashable, Number]]:
        for number, sale in enumerate(sales):
            customer, when, amount = SALES(sale)
            at, value = _instant(when, zone, customer), exact(amount, "amount", customer)
            inside = cutoff < at <= now
            ordered = orders.setdefault(customer, set())
            if inside:
                first[customer] = min(at, first.get(customer, at))
            if inside and value >= 0:
                ordered.add(_order(sale, number))
            counts = value if inside else Decimal(0)
            if isinstance(amount, Money):
                currency[:] = [amount.currency]
            yield customer, Money(counts, amount.currency) if isinstance(amount, Money) else counts

    amounts = sums(counted(), "amount")
    return {
        customer: Activity(
            orders=len(orders[customer]),
            amount=Money(amount, currency[0]) if currency else amount,
            referrals=referrals.get(customer),
            changes_at=_leaves(first.get(customer), window),
        )
        for customer, amount in amounts.items()
    }


def _instant(value: object, zone: Zone, customer: object) -> datetime:
    at = moment(value, customer)
    return at if isinstance(at, datetime) else instant_at(zone.instant(day_start(at)))


def _order(sale: object, number: int) -> Hashable:
    """The order that the line belongs to; one of its own where none is said."""
    order = optional(sale, "order")
    return (None, number) if order is None else (order,)


def _leaves(first: datetime | None, window: BoundSpan) -> datetime | None:
    at = None if first is None else window.add(first)
    return None if at == OPEN_ENDED else at
