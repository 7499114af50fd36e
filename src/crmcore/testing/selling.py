"""
Strategies for sales, and frames of them: for the laws of `value`, `analysis` and of whoever builds on `crmcore.sales`.

    from crmcore.testing.selling import sales, sales_frame

    @given(sales(returns=True))
    def test_columns_say_what_objects_say(lines: list[Sale]) -> None:
        assert ours(lines) == ours_frame(sales_frame(lines, "duckdb"))

`sales_frame` needs the libraries of the frames that it is asked for.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from crmcore.sales import Sale
from crmcore.testing.times import instants

__all__ = ["SALES_BACKENDS", "amounts", "days", "sales", "sales_frame"]

CUSTOMERS: Final = tuple(f"c{number}" for number in range(8))
ORDERS: Final = (None, "o1", "o2", "o3")
YEARS: Final = (date(2024, 1, 1), date(2025, 12, 31))
"""Two years, one of them a leap year."""
PLACES: Final = 4
"""Decimal places of an amount in a decimal column."""


def amounts(
    *, places: int = 2, least: int | Decimal = 0, most: int | Decimal = 10_000, whole: bool = False
) -> SearchStrategy[Decimal]:
    """
    Decimals of `places` from `least` to `most`, both inclusive, half of them among few values, so that there are ties.

    `whole`: of no places but those.
    """
    low, high = (int(end * 10**places) for end in (least, most))
    step = 10**places if whole else 1
    anything = st.integers(-(-low // step), high // step).map(lambda units: units * step)
    few = st.sampled_from(sorted({low, high, *(units for units in _few(10**places) if low <= units <= high)}))
    return (few | anything if not whole else anything).map(lambda units: Decimal(units).scaleb(-places))


@lru_cache(maxsize=16)
def _few(unit: int) -> tuple[int, ...]:
    return tuple(sign * units for sign in (-1, 1) for units in (0, 1, unit // 2, unit, 3 * unit, 10 * unit, 25 * unit))


def days(*, between: tuple[date, date] = YEARS) -> SearchStrategy[date]:
    """Dates between the two, both inclusive, many of them the first or the last of a month."""
    first, last = between
    anything = st.dates(first, last)
    edges = [day for day in _edges(first.year, last.year) if first <= day <= last]
    return st.one_of(anything, st.sampled_from(edges)) if edges else anything


@lru_cache(maxsize=16)
def _edges(first: int, last: int) -> tuple[date, ...]:
    months = [date(year, month, 1) for year in range(first, last + 1) for month in range(1, 13)]
    return tuple(sorted({*months, *(month - timedelta(days=1) for month in months if month > date.min)}))


@st.composite
def sales(
    draw: DrawFn,
    *,
    customers: Sequence[Hashable] | SearchStrategy[Any] = CUSTOMERS,
    orders: Sequence[Hashable] | SearchStrategy[Any] | None = ORDERS,
    returns: bool = True,
    dated: bool = True,
    between: tuple[date, date] = YEARS,
    amounts: SearchStrategy[Decimal] | None = None,
    zone: str = "",
    min_size: int = 0,
    max_size: int = 30,
) -> list[Sale]:
    """
    Sales in no order, on `dated` days, else at instants on the borders of `zone` (by default of any zone of the kit).

    `orders`: ids, or ``None`` for lines that are orders of their own. `returns`: a fifth of the amounts are negative or
    0. `between`: first and last day, both inclusive.
    """
    bought = _amounts() if amounts is None else amounts
    moments = days(between=between) if dated else _instants(between, zone)
    lines = st.builds(
        Sale,
        customer=_any(customers),
        at=moments,
        amount=_with_returns(bought) if returns else bought,
        order=st.none() if orders is None else _any(orders),
    )
    return draw(st.lists(lines, min_size=min_size, max_size=max_size))


def _any(options: Sequence[Hashable] | SearchStrategy[Any]) -> SearchStrategy[Any]:
    return options if isinstance(options, SearchStrategy) else st.sampled_from(list(options))


def _amounts() -> SearchStrategy[Decimal]:
    return amounts(least=Decimal("0.01"))


def _with_returns(bought: SearchStrategy[Decimal]) -> SearchStrategy[Decimal]:
    factor = st.sampled_from((1, 1, 1, 1, 1, 1, 1, 1, -1, 0))
    return st.builds(lambda amount, by: (amount * by) if by else Decimal(0), bought, factor)


def _instants(between: tuple[date, date], zone: str) -> SearchStrategy[datetime]:
    first, after = (datetime.combine(day, time(), UTC) for day in (between[0], between[1] + timedelta(days=1)))
    last = after - timedelta(microseconds=1)
    anywhere = instants(zone=zone, earliest=first, latest=last)
    return anywhere.map(lambda at: min(max(at, first), last))


# --- frames ---

Columns = Mapping[str, Sequence[Any]]


def sales_frame(
    sales: Iterable[Sale],
    backend: str = "polars",
    *,
    dated: bool | None = None,
    decimals: bool = False,
    more: Mapping[str, Sequence[Any]] | None = None,
) -> Any:
    """
    A frame of one of `SALES_BACKENDS` with the columns customer, at, amount, order; a row for each, in their order.

    Customers are integers if all are, else text, as orders are. `dated`: dates or instants in UTC, by default what the
    first sale has (dates if there is none; pandas has days as time stamps without a zone). `decimals`: amounts as
    decimals of four places, not floats (pandas with numpy types has floats only). `more`: further columns of text.
    """
    given = list(sales)
    numbered = bool(given) and all(type(sale.customer) is int for sale in given)
    if dated is None:
        dated = not (given and isinstance(given[0].at, datetime))
    columns = {
        "customer": [sale.customer if numbered else _text(sale.customer) for sale in given],
        "at": [sale.at for sale in given],
        "amount": [sale.amount if decimals else float(sale.amount) for sale in given],
        "order": [_text(sale.order) for sale in given],
        **(more or {}),
    }
    kinds = {"customer": "id" if numbered else "text", "at": "day" if dated else "instant"}
    kinds["amount"] = "decimal" if decimals else "float"
    return SALES_BACKENDS[backend](columns, {name: kinds.get(name, "text") for name in columns})


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _pyarrow(columns: Columns, kinds: Mapping[str, str]) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped]

    types = {
        "id": pa.int64(),
        "text": pa.string(),
        "day": pa.date32(),
        "instant": pa.timestamp("us", "UTC"),
        "float": pa.float64(),
        "decimal": pa.decimal128(30, PLACES),
    }
    return pa.table({name: pa.array(columns[name], types[kind]) for name, kind in kinds.items()})


def _polars(columns: Columns, kinds: Mapping[str, str]) -> Any:
    import polars as pl

    types = {
        "id": pl.Int64(),
        "text": pl.String(),
        "day": pl.Date(),
        "instant": pl.Datetime("us", "UTC"),
        "float": pl.Float64(),
        "decimal": pl.Decimal(30, PLACES),
    }
    return pl.DataFrame({name: pl.Series(name, columns[name], dtype=types[kind]) for name, kind in kinds.items()})


def _pandas(columns: Columns, kinds: Mapping[str, str]) -> Any:
    import pandas as pd  # type: ignore[import-untyped]

    types = {
        "id": "int64",
        "text": "object",
        "day": "datetime64[us]",
        "instant": "datetime64[us, UTC]",
        "float": "float64",
        "decimal": "float64",
    }
    return pd.DataFrame({name: pd.Series(list(columns[name]), dtype=types[kind]) for name, kind in kinds.items()})


def _pandas_pyarrow(columns: Columns, kinds: Mapping[str, str]) -> Any:
    import pandas as pd

    return _pyarrow(columns, kinds).to_pandas(types_mapper=pd.ArrowDtype)


def _duckdb(columns: Columns, kinds: Mapping[str, str]) -> Any:
    """In a session whose zone is none of the sales': it must not matter."""
    import duckdb

    session = duckdb.connect()
    session.execute("SET TimeZone = 'America/St_Johns'")
    return session.from_arrow(_pyarrow(columns, kinds))


SALES_BACKENDS: Final = MappingProxyType(
    {
        "polars": _polars,
        "polars-lazy": lambda columns, kinds: _polars(columns, kinds).lazy(),
        "pandas": _pandas,
        "pandas-pyarrow": _pandas_pyarrow,
        "pyarrow": _pyarrow,
        "duckdb": _duckdb,
    }
)
