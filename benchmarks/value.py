"""Topic `value`: ABC analysis of a million customers against the same rows by hand, in Polars and in DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from time import perf_counter
from typing import Any, Final

from benchmarks.ratios import Row, compared, timed
from crmcore.value.classes import AbcPolicy

__all__ = ["value"]

CUSTOMERS, LOOPED = 1_000_000, 200_000
TARGET: Final = 1.3
NEEDED: Final = ("numpy", "polars", "duckdb", "narwhals", "pyarrow")
COLUMNS: Final = {"key": "customer", "value": "amount"}


def value(*, quick: bool) -> Iterator[Row]:
    """The rows of both sides are compared before anything is timed."""
    if lacking := [name for name in NEEDED if not find_spec(name)]:
        yield Row("value", "abc", (), note=f"skipped: no {' and no '.join(lacking)}")
        return
    for lines in (1, 3):
        frame = _frame(CUSTOMERS, lines)
        yield from _columns(frame, f"{CUSTOMERS:,} customers with {lines} lines each", pairs=5 if quick else 15)
    yield from _objects(_frame(LOOPED, 1), repeats=3 if quick else 9)


def _frame(customers: int, lines: int) -> Any:
    """Lines in no order: lognormal amounts of two decimal places, with returns, and with many of the same price."""
    import numpy as np
    import polars as pl

    random = np.random.default_rng(7)
    keys = np.tile(np.arange(customers), lines)
    random.shuffle(keys)
    amounts = np.round(np.exp(random.normal(4, 1.5, keys.size)), 2)
    amounts[random.random(keys.size) < 0.05] *= -1
    amounts[random.random(keys.size) < 0.05] = 20.0
    return pl.DataFrame({"customer": keys, "amount": amounts})


def _columns(frame: Any, what: str, *, pairs: int) -> Iterator[Row]:
    import duckdb

    policy = AbcPolicy()
    lazy = frame.lazy()
    sides: list[tuple[str, Callable[[], Any], Callable[[], Any]]] = [
        ("Polars", lambda: policy.frame(frame, **COLUMNS), lambda: _by_polars(lazy).collect()),
        ("Polars, lazy", lambda: policy.frame(lazy, **COLUMNS).collect(), lambda: _by_polars(lazy).collect()),
    ]
    with duckdb.connect() as session:
        session.register("given", frame.to_arrow())
        session.execute("CREATE TABLE lines AS FROM given")
        table = session.table("lines")
        ours = partial(_arrow, lambda: policy.frame(table, **COLUMNS))
        sides.append(("DuckDB", ours, partial(_arrow, lambda: session.sql(BY_SQL))))
        for engine, own, theirs in sides:
            _same(own(), theirs())
            yield Row("value", f"abc, {engine}, {what}", compared(own, theirs, pairs=pairs, warm=2), TARGET)


def _arrow(make: Callable[[], Any]) -> Any:
    return make().to_arrow_table()


def _same(ours: Any, theirs: Any) -> None:
    import polars as pl
    from polars.testing import assert_frame_equal

    own, other = (frame if isinstance(frame, pl.DataFrame) else pl.from_arrow(frame) for frame in (ours, theirs))
    assert_frame_equal(own, other, check_dtypes=False, rel_tol=1e-12)
    assert set(own["class"].unique()) >= set("ABCN"), own["class"].value_counts()


def _objects(frame: Any, *, repeats: int) -> Iterator[Row]:
    pairs = [(key, f"{amount:.2f}") for key, amount in frame.rows()]
    work = partial(AbcPolicy().classify, pairs)
    micros = tuple(timed(work, collecting=False, clock=perf_counter) * 1e6 / len(pairs) for _ in range(repeats))
    yield Row("value", f"abc of {LOOPED:,} objects, by customer, wall clock", micros, unit=" µs")


# --- by hand ---


def _by_polars(lines: Any) -> Any:
    import polars as pl

    units, begun = pl.col("units"), pl.col("begun") * 100
    inside = units.clip(lower_bound=0)
    table = lines.group_by("customer").agg(units=(pl.col("amount") * 100).round().cast(pl.Int64).sum())
    table = table.sort("units", "customer", descending=[True, False])
    table = table.with_columns(running=inside.cum_sum(), base=inside.sum())
    first = (units != units.shift()) | units.shift().is_null()
    table = table.with_columns(begun=pl.when(first).then(pl.col("running") - inside).forward_fill())
    return table.select(
        "customer",
        (units / 100).alias("value"),
        pl.when(units > 0).then(pl.col("running") / pl.col("base")).alias("cumulative"),
        pl.when(units < 0)
        .then(pl.lit("N"))
        .when(units == 0)
        .then(pl.lit("Z"))
        .when(begun < pl.col("base") * 75)
        .then(pl.lit("A"))
        .when(begun < pl.col("base") * 95)
        .then(pl.lit("B"))
        .otherwise(pl.lit("C"))
        .alias("class"),
    )


BY_SQL: Final = """
WITH summed AS (
    SELECT customer, sum(CAST(round(amount * 100) AS BIGINT))::BIGINT AS units FROM lines GROUP BY customer
), ties AS (
    SELECT units, sum(units * count(*)) OVER (ORDER BY units DESC) - units * count(*) AS begun
    FROM summed WHERE units > 0 GROUP BY units
), ranked AS (
    SELECT customer, units, (SELECT sum(units) FROM summed WHERE units > 0) AS base,
        sum(greatest(units, 0)) OVER (ORDER BY units DESC, customer ROWS UNBOUNDED PRECEDING) AS running
    FROM summed
)
SELECT customer, units / 100 AS value, CASE WHEN units > 0 THEN running / base END AS cumulative,
    CASE WHEN units < 0 THEN 'N' WHEN units = 0 THEN 'Z' WHEN begun * 100 < base * 75 THEN 'A'
        WHEN begun * 100 < base * 95 THEN 'B' ELSE 'C' END AS class
FROM ranked LEFT JOIN ties USING (units) ORDER BY units DESC, customer
"""
