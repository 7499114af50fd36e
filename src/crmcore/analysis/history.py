"""
Past years' sales by region, season, product and customer, so that prices can be argued (ANA-11).

>>> from datetime import date
>>> from crmcore.analysis.history import sales_history
>>> lines = [
...     {"at": date(2024, 1, 9), "product": "tea", "amount": 100, "quantity": 10},
...     {"at": date(2025, 2, 9), "product": "tea", "amount": 120, "quantity": 10},
... ]
>>> for row in sales_history(lines, by=("season", "product")).rows:
...     print(row.year, row.key, row.amount, row.change, row.price)
2024 ('Q1', 'tea') 100 None 10
2025 ('Q1', 'tea') 120 1/5 12
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import attrs

from crmcore.analysis.composition import share_of
from crmcore.analysis.lines import one_fact
from crmcore.analysis.records import amount as shown
from crmcore.analysis.records import number, said
from crmcore.analysis.values import Undefined
from crmcore.decisions.facts import FactReader
from crmcore.decisions.frozen import FrozenMap
from crmcore.errors import InvalidPolicy
from crmcore.sales.figures import EXACT, sums
from crmcore.sales.names import by_text
from crmcore.sales.periods import Periods
from crmcore.sales.values import moment, optional

__all__ = ["BY", "QUARTERS", "HistoryRow", "SalesHistory", "history_by", "sales_history"]

Key: TypeAlias = tuple[Hashable, ...]

BY: Final = ("region", "season", "product", "customer")
SEASON: Final = "season"
QUARTERS: Final[Mapping[int, str]] = MappingProxyType({month: f"Q{(month + 2) // 3}" for month in range(1, 13)})
"""Which season a month belongs to; yours may say ``high`` and ``low`` (淡旺季)."""


@attrs.frozen(kw_only=True)
class HistoryRow:
    """
    One cell in one year; `key` has the values of the history's `by`.

    `quantity` is ``None`` where a line does not say it, and `price`, amount ÷ quantity, with it. `change` and
    `price_change` are against the year before, ``None`` where there was nothing (or a price that was none).
    """

    year: int
    key: Key
    amount: Decimal
    quantity: Decimal | None
    price: Fraction | None
    previous: Decimal | None
    change: Fraction | None
    price_change: Fraction | None

    @property
    def undefined(self) -> Undefined | None:
        """Why there is no change."""
        return Undefined.NO_PREVIOUS if self.change is None else None

    def record(self, by: Sequence[str]) -> dict[str, Any]:
        """JSON-able; `by` names the parts of the key."""
        return {
            "year": self.year,
            "key": {name: said(value) for name, value in zip(by, self.key, strict=True)},
            "amount": shown(self.amount),
            "quantity": shown(self.quantity),
            "price": number(self.price),
            "previous": shown(self.previous),
            "change": number(self.change),
            "price_change": number(self.price_change),
            "undefined": self.undefined and self.undefined.value,
        }


@attrs.frozen
class SalesHistory:
    """Rows by key and year; what sold last year and not this year is there, with 0. `totals` has the years."""

    by: tuple[str, ...]
    rows: tuple[HistoryRow, ...]
    totals: tuple[HistoryRow, ...]

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "by": list(self.by),
            "rows": [row.record(self.by) for row in self.rows],
            "totals": [row.record(()) for row in self.totals],
        }


def sales_history(
    lines: Iterable[object],
    by: Sequence[str] = BY,
    *,
    seasons: Mapping[int, str] = QUARTERS,
    years: tuple[int, int] | None = None,
    zone: str | tzinfo = UTC,
) -> SalesHistory:
    """
    The sales of each year by the facts `by` of `lines`, which have at and amount and maybe quantity.

    ``season`` is made of the month, in calendar years: a winter is that of its year's January and December. `years`,
    first and last inclusive, leaves out a year that is not over; by default every year counts as whole.

    Raises `MissingFact`, `InvalidFact`, `InvalidPolicy`, `CurrencyMismatch`.
    """
    if set(seasons) != set(range(1, 13)):
        raise InvalidPolicy("seasons", sorted(seasons), "a season for each month from 1 to 12")
    if isinstance(by, str):
        raise InvalidPolicy("by", by, "a sequence of facts: ('product',)")
    read = FactReader(("at", "amount", *(name for name in by if name != SEASON)), {}, "add it to each line")
    days = Periods("year", zone)
    cells = [_cell(line, read, by, seasons, days) for line in lines]
    kept = [cell for cell in cells if years is None or years[0] <= cell[0] <= years[1]]
    totals = [(year, (), amount, quantity) for year, _, amount, quantity in kept]
    return SalesHistory(tuple(by), tuple(_rows(kept)), tuple(_rows(totals)))


def history_by(lines: Iterable[object], owner: str = "owner", **asked: Any) -> Mapping[Hashable, SalesHistory]:
    """
    A history for each owner of the lines, so that the outcome reaches every rep (ANA-11); ``None``: of nobody.

    `asked` as of `sales_history`; raises as it does.
    """
    given = list(lines)
    owner_of, parts = one_fact(owner), defaultdict[Hashable, list[object]](list)
    for line in given:
        parts[owner_of(line)].append(line)
    return FrozenMap({name: sales_history(parts[name], **asked) for name in sorted(parts, key=by_text)})


Cell: TypeAlias = tuple[int, Key, Any, Any]
"""Year, key, amount, quantity."""


def _cell(line: object, read: FactReader, by: Sequence[str], seasons: Mapping[int, str], days: Periods) -> Cell:
    at, amount, *rest = read(line)
    day, facts = days.day(moment(at)), iter(rest)
    key = tuple(seasons[day.month] if name == SEASON else next(facts) for name in by)
    return day.year, key, amount, optional(line, "quantity")


def _rows(cells: Iterable[Cell]) -> Iterator[HistoryRow]:
    given = list(cells)
    amounts = sums((((key, year), amount) for year, key, amount, _ in given), "amount")
    counted = sums((((key, year), count) for year, key, _, count in given if count is not None), "quantity")
    unknown = {(key, year) for year, key, _, count in given if count is None}
    known = {cell: count for cell, count in counted.items() if cell not in unknown}
    last = max((year for _, year in amounts), default=0)
    shown_in = set(amounts) | {(key, year + 1) for key, year in amounts if year < last}
    for key, year in sorted(shown_in, key=lambda cell: (*map(by_text, cell[0]), cell[1])):
        yield _row(key, year, amounts, known)


def _row(
    key: Key,
    year: int,
    amounts: Mapping[tuple[Key, int], Decimal],
    counts: Mapping[tuple[Key, int], Decimal],
) -> HistoryRow:
    now, before = (key, year), (key, year - 1)
    price, old = (_price(amounts.get(cell), counts.get(cell)) for cell in (now, before))
    amount, previous = amounts.get(now, Decimal(0)), amounts.get(before)
    return HistoryRow(
        year=year,
        key=key,
        amount=amount,
        quantity=counts.get(now) if now in amounts else Decimal(0),
        price=price,
        previous=previous,
        change=None if previous is None else share_of(EXACT.subtract(amount, previous), previous),
        price_change=None if price is None or not old or old < 0 else price / old - 1,
    )


def _price(amount: Decimal | None, count: Decimal | None) -> Fraction | None:
    return None if amount is None or count is None else share_of(amount, count)
