"""Topic `scores`: RFM of 1,000,000 customers against the same scores and segments by hand, in Polars and in DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from benchmarks.ratios import Row, compared
from crmcore.value.scores import RfmPolicy
from crmcore.value.segments import DEFAULT

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["scores"]

CUSTOMERS: Final = 1_000_000
AS_OF: Final = date(2026, 4, 1)
POLICY: Final = RfmPolicy(frequency="lines")
TARGET: Final = 1.3
NAMES: Final = {"key": "customer", "at": "day", "value": "amount"}
FITS: Final = " ".join(
    "when "
    + " and ".join(f"{n} between {low} and {high}" for n, (low, high) in zip("rfm", row.bounds, strict=True))  # type: ignore[misc]  # each has bounds
    + f" then '{row.name}'"
    for row in DEFAULT
)
SQL: Final = f"""
with bought as (
    select customer, max(day) filter (units > 0) as seen, count(*) filter (units > 0) as frequency,
        sum(units)::bigint as units
    from (select customer, day, round(amount * 100)::bigint as units from lines where day <= date '{AS_OF}')
    group by customer having count(*) filter (units > 0) > 0
), measured as (
    select *, date_diff('day', seen, date '{AS_OF}') as recency_days from bought
), ranked as (
    select *, count(*) over () as n,
        rank() over (order by recency_days desc) + count(*) over (order by recency_days desc) - 1 as near,
        rank() over (order by frequency) + count(*) over (order by frequency) - 1 as often,
        rank() over (order by units) + count(*) over (order by units) - 1 as much
    from measured
), scored as (
    select customer, (near * 5) // (2 * n) + 1 as r, (often * 5) // (2 * n) + 1 as f, (much * 5) // (2 * n) + 1 as m,
        recency_days, frequency, units / 100 as monetary
    from ranked
)
select *, case {FITS} end as segment from scored
"""  # noqa: S608 - our own words


def scores(*, quick: bool) -> Iterator[Row]:
    """The answers of both sides are compared on the very rows before anything is timed."""
    if lacking := [name for name in ("numpy", "pyarrow", "narwhals", "polars", "duckdb") if not find_spec(name)]:
        yield Row("scores", "scores", (), note=f"skipped: no {' and no '.join(lacking)}")
        return
    import polars as pl

    customers, target = (50_000, None) if quick else (CUSTOMERS, TARGET)
    for per in (1, 3):
        lines = table(customers, per)
        frame: Any = pl.from_arrow(lines, rechunk=True)
        what = f"{customers:,} customers, {per} line{'s' * (per > 1)} each"
        ours: Callable[[], Any] = partial(POLICY.frame, frame, **NAMES, as_of=AS_OF)
        theirs: Callable[[], Any] = partial(by_polars, frame)
        same(ours(), theirs())
        yield Row("scores", f"Polars, {what}", compared(ours, theirs, pairs=5 if quick else 15), target)
        yield from _duckdb(lines, what, target, pairs=3 if quick else 9)


def _duckdb(lines: pa.Table, what: str, target: float | None, *, pairs: int) -> Iterator[Row]:
    import duckdb
    import polars as pl

    with duckdb.connect() as session:
        session.register("given", lines)
        session.execute("SET enable_progress_bar = false")
        session.execute("CREATE TABLE lines AS FROM given")

        def ours() -> Any:
            return POLICY.frame(session.table("lines"), **NAMES, as_of=AS_OF).to_arrow_table()  # type: ignore[type-var]

        def theirs() -> Any:
            return session.sql(SQL).to_arrow_table()

        same(pl.from_arrow(ours()), pl.from_arrow(theirs()))
        yield Row("scores", f"DuckDB, {what}", compared(ours, theirs, pairs=pairs), target)


def table(customers: int, per: int) -> pa.Table:
    """Lines in no order: days of 15 months, amounts with a long tail, one in fifty a return."""
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(7)
    rows = customers * per
    owners = random.permutation(np.repeat(np.arange(customers), per))
    days = np.datetime64("2025-01-01") + random.integers(0, 450, rows).astype("timedelta64[D]")
    amounts = np.round(random.lognormal(3, 1, rows), 2) * np.where(random.random(rows) < 0.02, -1, 1)
    names = pa.array(owners).cast(pa.string())
    return pa.table({"customer": names, "day": pa.array(days, pa.date32()), "amount": amounts})


def by_polars(frame: Any) -> Any:
    """By average ranks."""
    import polars as pl

    units, units_of = pl.col("units"), (pl.col("amount") * 100).round().cast(pl.Int64)
    bought = (
        frame.lazy()
        .filter(pl.col("day") <= AS_OF)
        .with_columns(units=units_of)
        .group_by("customer")
        .agg(
            seen=pl.col("day").filter(units > 0).max(),
            frequency=(units > 0).sum().cast(pl.Int64),
            units=units.sum(),
        )
        .filter(pl.col("frequency") > 0)
        .with_columns(recency_days=(pl.lit(AS_OF) - pl.col("seen")).dt.total_days())
    )
    r, f, m = pl.col("r"), pl.col("f"), pl.col("m")
    segment: Any = pl
    for row in DEFAULT:
        fits = [score.is_between(*bounds) for score, bounds in zip((r, f, m), row.bounds, strict=True)]  # type: ignore[misc]
        segment = segment.when(pl.all_horizontal(fits)).then(pl.lit(row.name))
    measured = {"r": -pl.col("recency_days"), "f": pl.col("frequency"), "m": units}
    return (
        bought.with_columns(**{name: _score(value) for name, value in measured.items()})
        .select("customer", r, f, m, "recency_days", "frequency", monetary=units / 100, segment=segment)
        .collect()
    )


def _score(value: Any) -> Any:
    import polars as pl

    return ((value.rank("average") * 2 - 1) * 5 / (2 * pl.len())).floor().cast(pl.Int64) + 1


def same(ours: Any, theirs: Any) -> None:
    """The same customers, scores and segments; every segment; amounts as near as division by hand comes."""
    import polars as pl

    assert ours.columns == theirs.columns
    ours, theirs = (each.sort("customer").with_columns(pl.col("monetary").round(2)) for each in (ours, theirs))
    assert ours.equals(theirs.cast(ours.schema))
    assert ours["segment"].n_unique() > 6
