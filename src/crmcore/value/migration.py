"""
Who moved from class to class between two periods.

>>> from crmcore.value.migration import migration
>>> moved = migration({"u1": "A", "u2": "B", "u3": "B"}, {"u1": "B", "u2": "A", "u4": "B"})
>>> moved.table()
(('', 'A', 'B', 'gone'), ('A', 0, 1, 0), ('B', 1, 0, 1), ('new', 0, 1, 0))
>>> moved.up, moved.down, moved.stayed, moved.share("B", "A")
(1, 1, 0, Fraction(1, 2))
"""

# mypy: disable-error-code="no-any-return"
# narwhals is imported late, so what it makes is Any here.

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final, TypeAlias

import attrs

from crmcore.decisions.frames import OWN, narwhals
from crmcore.decisions.frozen import FrozenMap
from crmcore.errors import InvalidFact, InvalidPolicy
from crmcore.sales.figures import exact_sum, nearest, share, sums
from crmcore.sales.frames import AT, KEY, VALUE, Lines, collected, lines
from crmcore.sales.names import in_order
from crmcore.sales.periods import Period, Periods
from crmcore.sales.values import read_sales
from crmcore.value.classes import AbcPolicy, Classes
from crmcore.value.cuts import NEGATIVE, ZERO, amount, least_units, rows_above
from crmcore.value.stability import ClassHistory

__all__ = ["GONE", "NEW", "Cell", "Migration", "class_periods", "migration", "migration_frame", "migrations"]

GONE: Final = "gone"
"""The column of those who are in no class afterwards."""
NEW: Final = "new"
"""The row of those who were in no class before."""
OUTSIDE: Final = (ZERO, NEGATIVE)
SLOT: Final = f"{OWN}slot"
CODE: Final = f"{OWN}code"
STEP: Final = f"{OWN}step"
WAS: Final = f"{OWN}was"
NOW: Final = f"{OWN}now"
BEFORE: Final = f"{OWN}before"
AFTER: Final = f"{OWN}after"
COUNT: Final = f"{OWN}count"
Frame: TypeAlias = Any
"""A frame of narwhals."""
Side: TypeAlias = Mapping[Any, str] | Classes
"""The class of each customer; `Classes` know the values, too."""


@attrs.frozen(kw_only=True)
class Cell:
    """
    Those who went from one class to another.

    `before` and `after` are the sums of their values, nothing for who was not there; ``None`` where values are not
    known. `keys` are in their own order; ``None`` where they were not asked for.
    """

    customers: int
    before: Decimal | None = None
    after: Decimal | None = None
    keys: tuple[Hashable, ...] | None = attrs.field(default=None, repr=False)

    @property
    def moved(self) -> Decimal | None:
        """By how much their value has changed."""
        return None if self.before is None or self.after is None else exact_sum((self.after, -self.before))


@attrs.frozen(kw_only=True)
class Migration:
    """
    A matrix of classes: rows before, columns after, best class first; `NEW` is the last row, `GONE` the last column.

    Each cell is there, the empty ones too. The sum of a row are the customers before, of a column those after.
    """

    from_: str
    to: str
    labels: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell] = attrs.field(repr=False)

    @property
    def rows(self) -> tuple[str, ...]:
        """The names of the rows."""
        return (*self.labels, NEW)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return (*self.labels, GONE)

    def count(self, row: str, column: str) -> int:
        """How many went this way; nobody went from `NEW` to `GONE`."""
        return 0 if (row, column) == (NEW, GONE) else self.cells[row, column].customers

    def share(self, row: str, column: str) -> Fraction | None:
        """Their share of the row; ``None`` where the row is empty."""
        return share(self.count(row, column), self.row_sum(row))

    def row_sum(self, row: str) -> int:
        """The customers of a class before, or the new ones."""
        return sum(self.count(row, column) for column in self.columns)

    def column_sum(self, column: str) -> int:
        """The customers of a class after, or those gone."""
        return sum(self.count(row, column) for row in self.rows)

    def table(self) -> tuple[tuple[str | int, ...], ...]:
        """The counts with the names of the columns above and of the rows in front."""
        rows: list[tuple[str | int, ...]] = [
            (row, *(self.count(row, column) for column in self.columns)) for row in self.rows
        ]
        return (("", *self.columns), *rows)

    def _steps(self) -> Iterator[tuple[int, int]]:
        for at, row in enumerate(self.labels):
            for to, column in enumerate(self.labels):
                yield to - at, self.count(row, column)

    @property
    def up(self) -> int:
        """Who are in a better class than before."""
        return sum(count for step, count in self._steps() if step < 0)

    @property
    def down(self) -> int:
        """Who are in a worse class than before."""
        return sum(count for step, count in self._steps() if step > 0)

    @property
    def stayed(self) -> int:
        """Who are where they were."""
        return sum(count for step, count in self._steps() if step == 0)

    @property
    def new(self) -> int:
        """Who were in no class before."""
        return self.row_sum(NEW)

    @property
    def gone(self) -> int:
        """Who are in no class afterwards."""
        return self.column_sum(GONE)

    def record(self, *, keys: bool = False) -> dict[str, Any]:
        """JSON-able: counts, shares of the row, values where they are known, and with `keys` who they are."""
        known = any(cell.before is not None for cell in self.cells.values())
        return {
            "from": self.from_,
            "to": self.to,
            "labels": list(self.labels),
            "cells": self._matrix(lambda cell, _: cell.customers),
            "shares": self._matrix(lambda _, part: nearest(part)),
            **({"values": self._matrix(lambda cell, _: _amounts(cell))} if known else {}),
            **({"keys": self._matrix(lambda cell, _: list(cell.keys or ()))} if keys else {}),
            "up": self.up,
            "down": self.down,
            "stayed": self.stayed,
            "new": self.new,
            "gone": self.gone,
        }

    def _matrix(self, shown: Any) -> dict[str, dict[str, Any]]:
        matrix: dict[str, dict[str, Any]] = {row: {} for row in self.rows}
        for (row, column), cell in self.cells.items():
            matrix[row][column] = shown(cell, self.share(row, column))
        return matrix


def _amounts(cell: Cell) -> dict[str, str]:
    return {name: format(getattr(cell, name), "f") for name in ("before", "after", "moved")}


def _matrix(
    labels: Sequence[str], cells: Mapping[tuple[str, str], Cell], empty: Cell, names: tuple[str, str]
) -> Migration:
    if taken := {NEW, GONE}.intersection(labels):
        raise InvalidPolicy("labels", min(taken), f"a class: {NEW} and {GONE} are those without one")
    places = [(row, column) for row in (*labels, NEW) for column in (*labels, GONE) if (row, column) != (NEW, GONE)]
    whole = FrozenMap({place: cells.get(place, empty) for place in places})
    return Migration(from_=names[0], to=names[1], labels=tuple(labels), cells=whole)


# --- the plain road ---


def migration(
    before: Side,
    after: Side,
    *,
    labels: Sequence[str] | None = None,
    from_: object = "",
    to: object = "",
    keys: bool = True,
) -> Migration:
    """
    The matrix of two classings; `from_` and `to` name their periods, `keys`: whether cells say who is in them.

    `labels` from the best class to the lowest; else those of `Classes`, then any others in alphabetical order, with
    zero and negative net values last. Values are known where both sides are `Classes`. Raises `InvalidFact` for a class
    that is not among the `labels`, `InvalidPolicy` for a class called as those without one are.
    """
    was, now = _classes(before), _classes(after)
    order = _order(before, after) if labels is None else tuple(labels)
    _check(order, was, now)
    cells: dict[tuple[str, str], list[Any]] = {}
    for key in {**was, **now}:
        cells.setdefault((was.get(key, NEW), now.get(key, GONE)), []).append(key)
    values = _values(before, after)
    made = {place: _cell(there, values, keys=keys) for place, there in cells.items()}
    return _matrix(order, made, _cell((), values, keys=keys), (str(from_), str(to)))


def _classes(side: Side) -> Mapping[Any, str]:
    return {row.key: row.class_ for row in side.rows} if isinstance(side, Classes) else side


def _values(*sides: Side) -> list[dict[Any, Decimal]] | None:
    found = [{row.key: row.value for row in side.rows} for side in sides if isinstance(side, Classes)]
    return found if len(found) == len(sides) else None


def _order(*sides: Side) -> tuple[str, ...]:
    known = dict.fromkeys(label for side in sides if isinstance(side, Classes) for label in side.classes)
    found = {label for side in sides for label in _classes(side).values()} | set(known)
    inside = [label for label in known if label not in OUTSIDE]
    return (*inside, *sorted(found.difference(inside, OUTSIDE)), *(label for label in OUTSIDE if label in found))


def _check(labels: Sequence[str], *sides: Mapping[Any, str]) -> None:
    for side in sides:
        for key, label in side.items():
            if label not in labels:
                raise InvalidFact("class", label, f"one of {', '.join(labels)}", key)


def _cell(there: Sequence[Any], values: Sequence[Mapping[Any, Decimal]] | None, *, keys: bool) -> Cell:
    cell = Cell(customers=len(there), keys=in_order(there) if keys else None)
    if values is None:
        return cell
    before, after = (exact_sum(side[key] for key in there if key in side) for side in values)
    return attrs.evolve(cell, before=before, after=after)


def migrations(
    classings: ClassHistory | Mapping[Period, Side] | Iterable[tuple[object, Side]],
    *,
    labels: Sequence[str] | None = None,
    keys: bool = True,
) -> tuple[Migration, ...]:
    """
    From each period to the next: of a history, of `class_periods`, or of pairs of a period and its classes.

    Raises as `migration`.
    """
    if isinstance(classings, ClassHistory):
        classings = classings.by_period()
    pairs = classings.items() if isinstance(classings, Mapping) else classings
    return tuple(
        migration(before, after, labels=labels, from_=from_, to=to, keys=keys)
        for (from_, before), (to, after) in pairwise(pairs)
    )


def class_periods(sales: Iterable[object], periods: Periods, policy: AbcPolicy) -> dict[Period, Classes]:
    """
    The classes of each period, from that of the first sale to that of the last, the empty ones too.

    Who bought nothing in a period has no class there. Raises `MissingFact`, `InvalidFact`, `NaiveDatetime`.
    """
    bought = sums((((periods.of(sale.at), sale.customer), sale.amount) for sale in read_sales(sales)), "amount")
    found: dict[Period, dict[Any, Decimal]] = {}
    for (period, customer), value in bought.items():
        found.setdefault(period, {})[customer] = value
    every = periods.between(min(found).first, max(found).first) if found else ()
    return {period: policy.classify(found.get(period, {})) for period in every}


# --- the column road ---


def migration_frame(
    df: Any, *, key: str, value: str, at: str, periods: Periods, policy: AbcPolicy, places: int = 2
) -> tuple[Migration, ...]:
    """
    `migrations` of the classes of each period, without keys, of the lines in a data frame (extra `frames`).

    `key`, `value` and `at` name the caller's columns, `places` the decimal places of the values. The lines are read
    twice and need not fit into memory; one row for each customer and period must. Polars, pandas, PyArrow, DuckDB.
    Raises `InvalidFrame`, `InvalidPolicy`, `MissingExtra`.
    """
    if policy.ties != "together":
        raise InvalidPolicy("policy.ties", policy.ties, "together, as columns count; class_periods has stable ties too")
    sold = lines(df, key=key, value=value, at=at, places=places)
    every = _periods(sold, periods)
    if len(every) <= 1:
        return ()
    totals = _totals(sold, periods, every)
    slots = sorted(totals[SLOT].unique().to_list())
    classed = narwhals().concat([_coded(totals.filter(narwhals().col(SLOT) == slot), policy) for slot in slots])
    labels = policy.letters if policy.nonpositive == "lowest" else (*policy.letters, *OUTSIDE)
    cells, empty = _counted(classed, labels, sold.places), Cell(customers=0, before=Decimal(0), after=Decimal(0))
    names = pairwise(map(str, every))
    return tuple(_matrix(labels, cells.get(step, {}), empty, name) for step, name in enumerate(names))


def _periods(sold: Lines, periods: Periods) -> tuple[Period, ...]:
    """Every period of the lines."""
    nw = narwhals()
    ends = {"first": nw.col(AT).min(), "last": nw.col(AT).max()}
    found = collected(sold.frame.select(nw.len().alias(COUNT), **ends, **sold.faults())).rows(named=True)[0]
    sold.refuse(found)
    if not found[COUNT]:
        return ()
    first, last = (found[name] if sold.instants else date.fromisoformat(str(found[name])[:10]) for name in ends)
    return tuple(periods.between(first, last))


def _totals(sold: Lines, periods: Periods, every: Sequence[Period]) -> Frame:
    """One row for each customer and period: `KEY`, `SLOT`, the number of the period, `VALUE` in units."""
    nw = narwhals()
    starts = [periods.starts_at(period) if sold.instants else period.first for period in every[1:]]
    begun = [nw.when(nw.col(AT) >= sold.literal(start)).then(1).otherwise(0) for start in starts]
    frame = sold.frame.select(KEY, VALUE, **{SLOT: _added(begun or [nw.lit(0)]).cast(nw.Int64)})
    totals = frame.group_by(KEY, SLOT).agg(nw.col(VALUE).sum())
    return collected(totals.with_columns(nw.col(VALUE).cast(nw.Int64)))


def _added(terms: Sequence[Any]) -> Any:
    """Their sum by halves: hundreds in a row would nest too deep for some engines."""
    half = len(terms) // 2
    return _added(terms[:half]) + _added(terms[half:]) if half else terms[0]


def _coded(totals: Frame, policy: AbcPolicy) -> Frame:
    """The customers of one period with the number of their class in `CODE`."""
    nw = narwhals()
    value = nw.col(VALUE)
    units = totals.filter(value > 0)[VALUE].to_list()
    units.sort(reverse=True)
    begins = least_units(units, rows_above(units, policy.shares, policy.straddle, policy.ties))
    better = [value >= least for least in begins if least is not None]
    worse = [value <= 0, value < 0] if policy.nonpositive == "own" else []
    code = nw.lit(len(begins))
    for one, by in (*((one, -1) for one in better), *((one, 1) for one in worse)):
        code = code + nw.when(one).then(by).otherwise(0)
    return totals.with_columns(**{CODE: code.cast(nw.Int64)})


def _counted(classed: Frame, labels: Sequence[str], places: int) -> dict[int, dict[tuple[str, str], Cell]]:
    """
    The cells of each step, 0 from the first period to the second.

    A customer of a period is one row of the step from it and one of the step to it; the two of a step are then one.
    """
    nw = narwhals()
    none, zero = nw.lit(-1).cast(nw.Int64), nw.lit(0).cast(nw.Int64)
    slot, code, value = nw.col(SLOT), nw.col(CODE), nw.col(VALUE)
    leaving = classed.select(KEY, **{STEP: slot, WAS: code, NOW: none, BEFORE: value, AFTER: zero})
    coming = classed.select(KEY, **{STEP: slot - 1, WAS: none, NOW: code, BEFORE: zero, AFTER: value})
    most, added = (nw.col(WAS).max(), nw.col(NOW).max()), (nw.col(BEFORE).sum(), nw.col(AFTER).sum())
    one = nw.concat([leaving, coming]).group_by(KEY, STEP).agg(*most, *added)
    cells: dict[int, dict[tuple[str, str], Cell]] = {}
    for row in one.group_by(STEP, WAS, NOW).agg(nw.len().alias(COUNT), *added).rows(named=True):
        place = (*labels, NEW)[int(row[WAS])], (*labels, GONE)[int(row[NOW])]
        before, after = (amount(int(row[name]), -places) for name in (BEFORE, AFTER))
        cell = Cell(customers=int(row[COUNT]), before=before, after=after)
        cells.setdefault(int(row[STEP]), {})[place] = cell
    return cells
