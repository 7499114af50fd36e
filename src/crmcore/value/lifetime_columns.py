"""The lifetime summary as columns: lines to periods, periods to customers."""

# mypy: disable-error-code="no-any-return"
# narwhals is imported late, so what it makes is Any here.

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from crmcore.decisions.frames import OWN, narwhals
from crmcore.sales.frames import AT, KEY, VALUE, days_since, purchases
from crmcore.value.purchases import MEAN_PLACES
from crmcore.value.score_columns import amount, door, end_of_day, mean_units

__all__ = ["frame"]

ANSWER: Final = ("frequency", "age_at_last", "age", "monetary")
PERIOD, FIRST, LAST, TIMES = f"{OWN}period", f"{OWN}first", f"{OWN}last", f"{OWN}times"


def frame(df: Any, names: Mapping[str, str], *, as_of: date | datetime, days: int, places: int, prefix: str) -> Any:
    """One row per customer with a purchase: the key under the caller's name, and `ANSWER`."""
    answer = [f"{prefix}{name}" for name in ANSWER]
    sold = door(df, names, as_of, places, answer)
    nw, today = narwhals(), as_of.toordinal() - 1
    table = sold.frame.filter((nw.col(AT) <= sold.literal(as_of)) & purchases())
    table = table.select(KEY, VALUE, days_since(sold, nw.col(AT), end_of_day(as_of)).alias(PERIOD))
    table = table.group_by(KEY, PERIOD).agg(nw.col(VALUE).sum())  # a day is told once for all its lines
    if days > 1:
        period = (today - nw.col(PERIOD).cast(nw.Int64)) // days
        table = table.with_columns(period.alias(PERIOD)).group_by(KEY, PERIOD).agg(nw.col(VALUE).sum())
    else:
        table = table.with_columns((today - nw.col(PERIOD).cast(nw.Int64)).alias(PERIOD))
    table = table.with_columns(nw.col(PERIOD).min().over(KEY).alias(FIRST))
    again = nw.when(nw.col(PERIOD) > nw.col(FIRST)).then(nw.col(VALUE).cast(nw.Int64)).otherwise(nw.lit(0, nw.Int64))
    table = table.with_columns(again.alias(VALUE), (nw.col(PERIOD) > nw.col(FIRST)).cast(nw.Int64).alias(TIMES))
    table = table.group_by(KEY).agg(
        nw.col(TIMES).sum(), nw.col(VALUE).sum(), nw.col(FIRST).min(), nw.col(PERIOD).max().alias(LAST)
    )
    times, total, first, last = (nw.col(name).cast(nw.Int64) for name in (TIMES, VALUE, FIRST, LAST))
    per_time = mean_units(total, nw.when(times > 0).then(times).otherwise(nw.lit(1, nw.Int64)), sold.places)
    money = nw.when(times > 0).then(amount(per_time, 10**MEAN_PLACES))
    columns = times, last - first, nw.lit(today // days) - first, money
    named = [column.alias(name) for name, column in zip(answer, columns, strict=True)]
    table = table.select(nw.col(KEY).alias(names["key"]), *named)
    return sold.native(nw.maybe_reset_index(table) if isinstance(table, nw.DataFrame) else table)
