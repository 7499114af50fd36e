"""
Why a figure changed: its difference in parts that add up to it exactly.

Sales are a tree: customers × orders per customer × average order, the last of these items per order × price where items
are known. A rate over segments changes within them, and by their mix.

>>> from crmcore.analysis.decomposition import SalesTree, decompose
>>> change = decompose(SalesTree(100, 200, 10_000), SalesTree(110, 242, 12_100))
>>> {name: float(part) for name, part in change.parts.items()}
{'customers': 1050.0, 'frequency': 1050.0, 'average_order': 0.0}
>>> change.difference
Fraction(2100, 1)
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import permutations
from math import prod
from typing import Any, Final, Literal, TypeAlias

import attrs

from crmcore.analysis.metrics import PeriodMetrics
from crmcore.analysis.values import Undefined
from crmcore.errors import InvalidFact, InvalidPolicy
from crmcore.sales import Number, exact, exact_sum
from crmcore.sales.figures import nearest
from crmcore.sales.names import by_text

__all__ = ["Change", "MixChange", "SalesTree", "Shift", "ShiftKind", "decompose", "mix_change"]

TREE: Final = ("customers", "frequency", "average_order")
TREE_WITH_ITEMS: Final = ("customers", "frequency", "items_per_order", "price")


def _customers(value: int) -> int:
    return _count(value, "customers")


def _orders(value: int) -> int:
    return _count(value, "orders")


def _count(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidFact(name, value, "a whole number from 0")
    return value


def _sales(value: Number) -> Decimal:
    return exact(value, "sales")


def _items(value: Number | None) -> Decimal | None:
    return None if value is None else exact(value, "items")


@attrs.frozen
class SalesTree:
    """Customers who bought, their orders and net sales, and the items sold where known; raises `InvalidFact`."""

    customers: int = attrs.field(converter=_customers)
    orders: int = attrs.field(converter=_orders)
    sales: Decimal = attrs.field(converter=_sales)
    items: Decimal | None = attrs.field(default=None, converter=_items)

    @classmethod
    def of(cls, period: PeriodMetrics, items: Number | None = None) -> SalesTree:
        """The tree of a period."""
        return cls(period.buyers, period.orders, period.sales, items)

    def factors(self) -> dict[str, Fraction] | None:
        """What sales are the product of; ``None`` where there is nothing to divide by."""
        counts = [Fraction(1), *map(Fraction, (self.customers, self.orders))]
        counts += [] if self.items is None else [Fraction(self.items)]
        if not all(counts):
            return None
        names = TREE if self.items is None else TREE_WITH_ITEMS
        pairs = zip(names, [*counts[1:], Fraction(self.sales)], counts, strict=True)
        return {name: above / below for name, above, below in pairs}


@attrs.frozen(kw_only=True)
class Change:
    """
    The difference of sales, by factor; the parts add up to it exactly.

    `undefined`: one side has no customers, orders or items to divide by, and all of it counts as due to customers.
    """

    before: Decimal
    after: Decimal
    parts: Mapping[str, Fraction]
    undefined: Undefined | None = None

    @property
    def difference(self) -> Fraction:
        """After less before."""
        return Fraction(self.after) - Fraction(self.before)

    def record(self) -> dict[str, Any]:
        """For JSON; the parts are floats of exact fractions."""
        return {
            "before": format(self.before, "f"),
            "after": format(self.after, "f"),
            "parts": {name: float(part) for name, part in self.parts.items()},
            "undefined": self.undefined,
        }


def decompose(before: SalesTree, after: SalesTree, *, order: Sequence[str] | None = None) -> Change:
    """
    What each factor did to the difference of sales.

    By default each part is the mean over all orders in which the factors may change (Shapley), so none is favoured;
    with `order` they change one after the other, each held at its old value until its turn comes. Items count only
    where both sides have them. Raises `InvalidPolicy` for an order that does not name each factor once.
    """
    if before.items is None or after.items is None:
        before, after = (attrs.evolve(tree, items=None) for tree in (before, after))
    names = TREE if before.items is None else TREE_WITH_ITEMS
    if order is not None and sorted(order) != sorted(names):
        raise InvalidPolicy("order", list(order), f"each of {', '.join(names)} once")
    old, new = before.factors(), after.factors()
    if old is None or new is None:
        whole = Fraction(after.sales) - Fraction(before.sales)
        parts = dict.fromkeys(names, Fraction(0)) | {"customers": whole}
        return Change(before=before.sales, after=after.sales, parts=parts, undefined=_why(before, after))
    orders = [tuple(order)] if order is not None else list(permutations(names))
    parts = dict.fromkeys(names, Fraction(0))
    for one in orders:
        for name, part in _in_turn(old, new, one).items():
            parts[name] += part / len(orders)
    return Change(before=before.sales, after=after.sales, parts=parts)


def _in_turn(old: Mapping[str, Fraction], new: Mapping[str, Fraction], order: Sequence[str]) -> dict[str, Fraction]:
    now, parts = dict(old), dict[str, Fraction]()
    for name in order:
        sold = prod(now.values(), start=Fraction(1))
        now[name] = new[name]
        parts[name] = prod(now.values(), start=Fraction(1)) - sold
    return parts


def _why(before: SalesTree, after: SalesTree) -> Undefined:
    if not (before.customers and after.customers):
        return Undefined.NO_CUSTOMERS
    return Undefined.NO_ORDERS if not (before.orders and after.orders) else Undefined.NO_SALES


# --- mix and rate ---

ShiftKind: TypeAlias = Literal["there", "new", "gone"]


@attrs.frozen(kw_only=True)
class Shift:
    """What one segment did to a rate: by its own rate (`within`), and by its weight (`mix`)."""

    segment: Hashable
    kind: ShiftKind
    within: Fraction
    mix: Fraction


@attrs.frozen(kw_only=True)
class MixChange:
    """The difference of a rate, by segment; ``within + mix + new + gone`` is the difference exactly."""

    before: Fraction | None
    after: Fraction | None
    shifts: tuple[Shift, ...] = ()
    undefined: Undefined | None = None

    @property
    def difference(self) -> Fraction | None:
        """After less before."""
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def within(self) -> Fraction:
        """What the segments' own rates did."""
        return sum((shift.within for shift in self.shifts), Fraction(0))

    @property
    def mix(self) -> Fraction:
        """What the weights did of the segments that were there before and after."""
        return self._by_weight("there")

    @property
    def new(self) -> Fraction:
        """What the segments did that were not there before."""
        return self._by_weight("new")

    @property
    def gone(self) -> Fraction:
        """What it did that segments are no longer there."""
        return self._by_weight("gone")

    def _by_weight(self, kind: ShiftKind) -> Fraction:
        return sum((shift.mix for shift in self.shifts if shift.kind == kind), Fraction(0))

    def record(self) -> dict[str, Any]:
        """For JSON; floats of exact fractions."""
        names = ("before", "after", "difference", "within", "mix", "new", "gone")
        figures = {name: getattr(self, name) for name in names}
        shifts = [
            {"segment": str(s.segment), "kind": s.kind, "within": float(s.within), "mix": float(s.mix)}
            for s in self.shifts
        ]
        found = {name: nearest(value) for name, value in figures.items()}
        return {**found, "shifts": shifts, "undefined": self.undefined}


Parts: TypeAlias = Mapping[Any, tuple[Number, Number]]
"""Segment → the rate's part and whole: sales and orders, say."""


def mix_change(before: Parts, after: Parts) -> MixChange:
    """
    Why the rate of all segments together changed: ``mix_change({"north": (sales, orders)}, {"north": …})``.

    A segment's weight is its whole over that of all. With means of before and after: within = mean weight × change of
    rate, mix = change of weight × (mean rate - mean rate of all). A segment that is new or gone has no change of rate,
    and what it did is its weight × its distance from the mean rate of all. Raises `InvalidFact` for a whole below 0,
    and for a part of no whole.
    """
    old, new = _rates(before), _rates(after)
    totals = [_total(rates) for rates in (old, new)]
    if totals[0] is None or totals[1] is None:
        return MixChange(before=totals[0], after=totals[1], undefined=Undefined.NO_TOTAL)
    middle = (totals[0] + totals[1]) / 2
    segments = sorted({**old, **new}, key=by_text)
    shifts = tuple(_shift(segment, old.get(segment), new.get(segment), middle) for segment in segments)
    return MixChange(before=totals[0], after=totals[1], shifts=shifts)


Rate: TypeAlias = tuple[Fraction, Fraction]
"""Weight and rate."""


def _rates(parts: Parts) -> dict[Any, Rate]:
    whole = Fraction(exact_sum((below for _, below in parts.values()), "whole"))
    found = {}
    for segment, (above, below) in parts.items():
        part, base = Fraction(exact(above, "part", segment)), Fraction(exact(below, "whole", segment))
        if base < 0 or (part and not base):
            raise InvalidFact("whole", below, "above 0, or 0 where the part is 0 too", segment)
        if base:
            found[segment] = (base / whole, part / base)
    return found


def _total(rates: Mapping[Any, Rate]) -> Fraction | None:
    return sum((weight * rate for weight, rate in rates.values()), Fraction(0)) if rates else None


def _shift(segment: Hashable, old: Rate | None, new: Rate | None, middle: Fraction) -> Shift:
    if old is None or new is None:
        weight, rate = new or old or (Fraction(0), Fraction(0))
        kind: ShiftKind = "new" if old is None else "gone"
        mix = weight * (rate - middle) * (1 if old is None else -1)
        return Shift(segment=segment, kind=kind, within=Fraction(0), mix=mix)
    (weight, rate), (weight_after, rate_after) = old, new
    within = (weight + weight_after) / 2 * (rate_after - rate)
    mix = (weight_after - weight) * ((rate + rate_after) / 2 - middle)
    return Shift(segment=segment, kind="there", within=within, mix=mix)
