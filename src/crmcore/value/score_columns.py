"""
RFM as columns: lines to customers, the cut values found once, scores by comparison with literals.

A quantile needs the customers once more than the answer does: what is eager, and all of Polars, keeps them in between;
a database is asked twice.
"""

# mypy: disable-error-code="no-any-return"
# narwhals is imported late, so what it makes is Any here.

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from crmcore.calendars import to_utc
from crmcore.decisions.frames import OWN, check_free, narwhals
from crmcore.sales.frames import AT, KEY, ORDER, VALUE, Lines, collected, days_since, lines, purchases
from crmcore.value.purchases import MEAN_PLACES
from crmcore.value.scoring import Cuts, Quantiles, cuts_of
from crmcore.value.segments import Segment, SegmentMap

if TYPE_CHECKING:
    from crmcore.value.scores import RfmPolicy

__all__ = ["amount", "door", "end_of_day", "frame", "mean_units"]

Expr: TypeAlias = Any
Frame: TypeAlias = Any

ANSWER: Final = ("r", "f", "m", "recency_days", "frequency", "monetary", "segment")
LAST, TIMES = f"{OWN}last", f"{OWN}times"
R, F, M = f"{OWN}r", f"{OWN}f", f"{OWN}m"


def frame(
    policy: RfmPolicy, df: Any, names: Mapping[str, Any], *, as_of: date | datetime, places: int, prefix: str
) -> Any:
    """One row per customer with a purchase: the key under the caller's name, and `ANSWER`."""
    order = names["order"] if policy.frequency == "orders" else None
    answer = [f"{prefix}{name}" for name in ANSWER]
    sold = door(df, {**names, "order": order}, as_of, places, answer)
    customers = _customers(policy, sold, as_of)
    if not sold.sql:
        customers = collected(customers)
    unit = 10**MEAN_PLACES if policy.monetary == "mean" else sold.unit
    cuts = _limits(policy.scoring, customers, unit)
    if customers.implementation.is_polars():
        customers = customers.lazy()
    nw = narwhals()
    scored = customers.with_columns(
        (nw.lit(cuts.k) - _reached(nw.col(LAST), cuts.recency)).alias(R),
        (1 + _reached(nw.col(TIMES), cuts.frequency)).alias(F),
        (1 + _reached(nw.col(VALUE), cuts.monetary)).alias(M),
    )
    columns = *map(nw.col, (R, F, M, LAST, TIMES)), amount(nw.col(VALUE), unit), _segment(policy.segments)
    named = [column.alias(name) for name, column in zip(answer, columns, strict=True)]
    return sold.native(scored.select(nw.col(KEY).alias(names["key"]), *named))


def door(df: Any, names: Mapping[str, Any], as_of: date | datetime, places: int, answer: Sequence[str]) -> Lines:
    """The lines, checked: nothing is null, and the columns to be made are free."""
    if isinstance(as_of, datetime):
        to_utc(as_of, "as_of")
    sold = lines(df, **names, places=places)
    check_free(answer, [names["key"]])
    first = {AT: narwhals().col(AT).min()} if sold.sql and sold.instants else {}
    (found,) = collected(sold.frame.select(**sold.faults(), **first)).rows(named=True)
    sold.refuse(found)
    return attrs.evolve(sold, since=found[AT]) if found.get(AT) else sold


# --- lines to customers ---


def _customers(policy: RfmPolicy, sold: Lines, as_of: date | datetime) -> Frame:
    """By `KEY`, as integers: `LAST`, the whole days since the last purchase, `TIMES`, and `VALUE` in units."""
    nw, bought = narwhals(), purchases()
    table = sold.frame.filter(nw.col(AT) <= sold.literal(as_of))
    table = table.with_columns(nw.when(bought).then(nw.col(AT)).alias(LAST), bought.cast(nw.Int64).alias(TIMES))
    sums = nw.col(LAST).max(), nw.col(TIMES).sum(), nw.col(VALUE).sum()
    if policy.frequency == "active_days":
        table = table.with_columns(days_since(sold, nw.col(AT), end_of_day(as_of)).alias(ORDER))
    if policy.frequency == "active_days" or "order" in sold.names:
        many = ~nw.col(ORDER).is_null() & (nw.col(TIMES) > 1)
        once = nw.when(many).then(nw.lit(1, nw.Int64)).otherwise(nw.col(TIMES).cast(nw.Int64))
        table = table.group_by(KEY, ORDER).agg(*sums).with_columns(once.alias(TIMES))
    table = table.group_by(KEY).agg(*sums).filter(nw.col(TIMES) > 0)
    times, total = nw.col(TIMES).cast(nw.Int64), nw.col(VALUE).cast(nw.Int64)
    money = total if policy.monetary == "total" else mean_units(total, times, sold.places)
    days = days_since(sold, nw.col(LAST), as_of).cast(nw.Int64)
    table = table.select(nw.col(KEY), days.alias(LAST), times.alias(TIMES), money.alias(VALUE))
    return nw.maybe_reset_index(table) if isinstance(table, nw.DataFrame) else table


def end_of_day(as_of: date | datetime) -> date | datetime:
    """From here whole days tell one day of the calendar from another."""
    if not isinstance(as_of, datetime):
        return as_of
    return as_of.replace(hour=23, minute=59, second=59, microsecond=999_999, fold=1)


def mean_units(total: Expr, times: Expr, places: int) -> Expr:
    """In units of 10 ** -MEAN_PLACES, half away from zero."""
    nw = narwhals()
    scale, by = 10 ** max(MEAN_PLACES - places, 0), times * 10 ** max(places - MEAN_PLACES, 0)
    size = total.abs()
    whole = size // by
    units = whole * scale + (2 * scale * (size - whole * by) + by) // (2 * by)
    return nw.when(total < 0).then(-units).otherwise(units).cast(nw.Int64)


# --- cuts ---


@attrs.frozen
class _Limits:
    """Cuts as the columns have them: the amounts in units."""

    k: int
    recency: Iterable[int]
    frequency: Iterable[int | None]
    monetary: Iterable[int | None]


def _limits(scoring: Quantiles | Cuts, customers: Frame, unit: int) -> _Limits:
    nw = narwhals()
    if isinstance(scoring, Cuts):
        money = [None if cut is None else ceil(Fraction(cut) * unit) for cut in scoring.monetary]
        return _Limits(scoring.k, scoring.recency, scoring.frequency, money)
    table = collected(customers.select((-nw.col(LAST)).alias(LAST), TIMES, VALUE))
    near, often, much = (_Ascending(table.get_column(name).sort()) for name in (LAST, TIMES, VALUE))
    found = cuts_of(scoring.k, near, often, much)
    return _Limits(
        found.k, found.recency, found.frequency, [None if cut is None else int(cut) for cut in found.monetary]
    )


class _Ascending(Sequence[int]):
    """A sorted column as a sequence of Python's integers."""

    def __init__(self, column: Any) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, at: Any) -> Any:
        return int(self._column[at])


# --- scores ---


def _reached(value: Expr, cuts: Iterable[int | None]) -> Expr:
    """How many of the cuts a value reaches."""
    nw = narwhals()
    reached = ((value >= cut).cast(nw.Int64) for cut in cuts if cut is not None)
    return sum(reached, start=nw.lit(0, nw.Int64))


def amount(value: Expr, unit: int) -> Expr:
    """The amount as the caller counts: the nearest float."""
    nw = narwhals()
    # Polars multiplies by the reciprocal where it divides by one number, and 44.8 becomes 44.800000000000004.
    return value if unit == 1 else value.cast(nw.Float64) / (value * 0 + unit).cast(nw.Float64)


def _segment(segments: SegmentMap) -> Expr:
    """The name of the first row that fits; rows before the last are asked, what is left is the last one's."""
    nw = narwhals()
    *rows, last = segments.rows
    if segments.otherwise is not None:
        rows, name = [*rows, last], segments.otherwise
    else:
        name = last.name
    arms = [nw.when(_fits(row, segments.bins)).then(nw.lit(row.name)) for row in rows]
    return nw.coalesce(*arms, nw.lit(name))


def _fits(row: Segment, bins: int) -> Expr:
    nw = narwhals()
    tests = []
    for name, bounds in zip((R, F, M), row.bounds, strict=True):
        low, high = bounds or (1, bins)
        tests += [nw.col(name) >= low] * (low > 1) + [nw.col(name) <= high] * (high < bins)
    return nw.all_horizontal(*tests, ignore_nulls=False)
