"""
Amounts of a Parquet file summed by key in columns: the file may be larger than memory, the answer is the same.

Only plain numbers under plain keys are summed here. What has a fault to be told, and a number that columns would round,
is left to the reading of lines: `column_sums` then says ``None``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from decimal import Context, Decimal, Inexact
from typing import Any, Final, TypeAlias

from crmcore.decisions.frames import narwhals
from crmcore.files.parquet import Parquet, is_parquet
from crmcore.files.sources import Ledger
from crmcore.sales.figures import sums
from crmcore.sales.records import SaleFile

__all__ = ["column_sums"]

Expr: TypeAlias = Any
Frame: TypeAlias = Any
Summed: TypeAlias = tuple[Any, int, int, int, bool, float]
"""Key, sum in units, decimals, the places of the units, whether every line is plain, the sum of sizes."""
KEY: Final = "0"
VALUE: Final = "1"
PLACES: Final = 6
PLAIN_UP_TO: Final = 2**51
"""In units of the last place: so far, a float that is nearest to a number of so many places is nearest to no other."""
SUM_UP_TO: Final = 2.0**62
SOME: Final = 500_000
"""Sums of so many keys may wait to be summed."""
EXACT: Final = Context(prec=50, traps=[Inexact])


class _NotPlainError(Exception):
    """Columns cannot tell."""


def column_sums(file: SaleFile, places: int = 2) -> dict[str, Decimal] | None:
    """
    The amount of each customer, as the lines of the file would add up; ``None`` where columns cannot tell.

    `places`: most decimal places that are summed in columns. Needs Polars or DuckDB. Raises `InvalidFile` for what is
    no Parquet.
    """
    names = [name for name in map(file.layout.column, ("customer", "amount")) if name is not None]
    if len(names) < len(file.layout.roles) or len(names) < 2 or not is_parquet(file.path):  # noqa: PLR2004
        return None
    parquet = Parquet(file.path, Ledger(file.path))
    if any(parquet.header.count(name) != 1 for name in names):
        return None
    nothing = {"", *file.layout.map.missing, *file.layout.map.unknown}
    unable: tuple[type[BaseException], ...] = (_NotPlainError, *parquet.engine.errors)
    try:
        return sums(_read(_summed(parquet.pieces(names), min(places, PLACES)), nothing))
    except unable:
        return None


def _summed(pieces: Iterator[Any], places: int) -> Iterator[Summed]:
    """
    What the lines of each key come to.

    Frames are summed one by one, and their sums together as soon as there are half as many more of them as keys.
    """
    nw = narwhals()
    parts, size, merged = list[Frame](), 0, 0
    for piece in pieces:
        part = _of_keys(_lines(nw.from_native(piece), places))
        if isinstance(part, nw.LazyFrame):
            yield from part.to_native().fetchall()  # DuckDB sees to its memory itself
            return
        parts.append(part)
        size += len(part)
        if 2 * size > 3 * max(merged, SOME):
            parts = [_of_keys(nw.concat(parts))]
            size = merged = len(parts[0])
    if not parts:
        raise _NotPlainError
    yield from _of_keys(nw.concat(parts)).iter_rows()


def _of_keys(lines: Frame) -> Frame:
    """The sums of each key, of lines or of sums."""
    nw = narwhals()
    return lines.group_by("key").agg(
        nw.col("units").sum().cast(nw.Int64),
        nw.col("decimals").max(),
        nw.col("places").max(),
        nw.col("plain").all(),
        nw.col("size").sum(),
    )


def _lines(frame: Frame, places: int) -> Frame:
    """Key, units, decimals, the places of the units, whether all is exact, and size, of each line."""
    nw = narwhals()
    schema = frame.collect_schema()
    if not (schema[KEY].is_integer() or schema[KEY] in (nw.String, nw.Categorical) or isinstance(schema[KEY], nw.Enum)):
        raise _NotPlainError
    units, decimals, plain, places = _units(schema[VALUE], places)
    size = units.abs().cast(nw.Float64)
    return frame.select(key=nw.col(KEY), units=units, decimals=decimals, places=nw.lit(places), plain=plain, size=size)


def _units(dtype: Any, places: int) -> tuple[Expr, Expr, Expr, int]:
    """A column in whole units of so many places, with how many decimals it is written, and whether both are exact."""
    nw = narwhals()
    if dtype.is_decimal() and dtype.scale <= PLACES:
        places = least = dtype.scale
    elif dtype.is_integer():
        places = least = 0
    elif dtype.is_float():
        least = 1  # as Python writes it
    else:
        raise _NotPlainError
    value = nw.col(VALUE).cast(nw.Float64)
    scaled = (value * 10**places).round(0)
    unit = scaled * 0 + 10**places  # a column: by a literal, Polars multiplies with the inverse, which is not exact
    plain = ((scaled.abs() < PLAIN_UP_TO) & (scaled / unit == value)).fill_null(value=False)
    units = nw.when(plain).then(scaled).otherwise(0).cast(nw.Int64)
    decimals = nw.lit(least)
    for more in range(least + 1, places + 1):
        decimals = nw.when(units % 10 ** (places - more + 1) != 0).then(nw.lit(more)).otherwise(decimals)
    return units, decimals, plain, places


def _read(summed: Iterable[Summed], nothing: Collection[str]) -> Iterator[tuple[str, Decimal]]:
    for key, units, decimals, places, plain, size in summed:
        text = "" if key is None else str(key).strip()
        if not plain or size >= SUM_UP_TO or text in nothing:
            raise _NotPlainError
        value = Decimal(units).scaleb(-places)
        yield text, value.quantize(Decimal(1).scaleb(-decimals), context=EXACT)
