"""Columns say what the tables of values say, on every backend: amounts exactly, ratios within 1e-12."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from math import isclose, isnan
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmcore.analysis.assortment import Assortment
from crmcore.analysis.assortment_table import assortment_table
from crmcore.analysis.composition import composition
from crmcore.analysis.ratio_columns import ASSORTMENT, assortment_frame, composition_frame
from crmcore.analysis.values import Ratio
from crmcore.errors import InvalidFrame, InvalidPolicy
from crmcore.sales.frames import collected

nw = pytest.importorskip("narwhals.stable.v2")
pl = pytest.importorskip("polars")
duckdb = pytest.importorskip("duckdb")

KINDS: dict[str, Callable[[Any], Any]] = {
    "polars": lambda frame: frame,
    "polars-lazy": lambda frame: frame.lazy(),
    "pandas": lambda frame: frame.to_pandas(),
    "pandas-pyarrow": lambda frame: frame.to_pandas(use_pyarrow_extension_array=True),
    "pyarrow": lambda frame: frame.to_arrow(),
    "duckdb": lambda frame: duckdb.connect().from_arrow(frame.to_arrow()),
}
every_kind = pytest.mark.parametrize("kind", KINDS)

FACTS = ("product", "sales", "cost", "opening", "closing")
AMOUNTS = ("sales", "cost", "gross_profit", "average_stock")
NEAR = 1e-12
SCHEMA = {"product": pl.String} | dict.fromkeys(FACTS[1:], pl.Float64)
Rows = Sequence[Sequence[Any]]


def made(kind: str, rows: Rows, schema: dict[str, Any] | None = None) -> Any:
    types = schema or SCHEMA
    floats = [[float(cell) if isinstance(cell, Decimal) else cell for cell in row] for row in rows]
    return KINDS[kind](pl.DataFrame(floats, schema=types, orient="row"))


def rows_of(frame: Any) -> list[dict[str, Any]]:
    rows = collected(nw.from_native(frame)).rows(named=True)
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    missing = value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and isnan(value))
    return None if missing else value


def plain(table: Assortment) -> list[dict[str, Any]]:
    return [
        {name: _figure(row, name) for name in ("product", *ASSORTMENT)} for row in table.rows
    ]  # fmt: skip


def _figure(row: Any, name: str) -> Any:
    if name.endswith("_undefined"):
        why = getattr(row, name.removesuffix("_undefined")).undefined
        return why and why.value
    value = getattr(row, name)
    value = value.value if isinstance(value, Ratio) else value
    return value if value is None or isinstance(value, str) else float(value)


def expect_equal(found: list[dict[str, Any]], table: Assortment) -> None:
    """Amounts and words are equal, ratios near; a degree only where the contributions do not cancel out."""
    wanted = plain(table)
    assert [row["product"] for row in found] == [row["product"] for row in wanted]
    parts = [row.contribution_ratio.value for row in table.rows if row.contribution_ratio.value is not None]
    unsure = abs(sum(parts)) * 10**6 < sum(map(abs, parts))
    for one, other in zip(found, wanted, strict=True):
        for name in ASSORTMENT:
            if name != "contribution_degree" or not unsure:
                near = isinstance(other[name], float) and name not in AMOUNTS and one[name] is not None
                same = isclose(one[name], other[name], rel_tol=NEAR, abs_tol=0) if near else one[name] == other[name]
                assert same, (name, one, other)


CELL = st.integers(-300, 20_000).map(lambda units: Decimal(units).scaleb(-2)) | st.sampled_from(
    [Decimal(0), Decimal(1), Decimal("0.57")]
)
ROWS = st.lists(st.tuples(st.sampled_from("abcdefg"), CELL, *[st.none() | CELL] * 3), max_size=20)
BASES = st.sampled_from(["retail", "cost", "mixed"])


@pytest.mark.rule("ANA-4", "ANA-5", "ANA-6", "ANA-7")
@every_kind
@settings(max_examples=15)
@given(rows=ROWS, basis=BASES)
def test_columns_say_what_the_table_says(kind: str, rows: Rows, basis: str) -> None:
    lines = [dict(zip(FACTS, row, strict=True)) for row in rows]
    expect_equal(rows_of(assortment_frame(made(kind, rows), basis=basis)), assortment_table(lines, basis=basis))


@pytest.mark.parametrize("name", ["cross_ratio", "cumulative_share", "sales", "turnover_undefined"])
def test_the_law_bites(name: str) -> None:
    """A figure a millionth of a millionth off, or a wrong reason, is seen."""
    rows = [("a", Decimal(10), Decimal(6), Decimal(1), Decimal(2)), ("b", Decimal(5), Decimal(2), None, Decimal(1))]
    found = rows_of(assortment_frame(made("polars", rows)))
    table = assortment_table([dict(zip(FACTS, row, strict=True)) for row in rows])
    expect_equal(found, table)
    for row in found:
        row[name] = row[name] * (1 + 5e-12) if isinstance(row[name], float) else "no_stock"
    with pytest.raises(AssertionError):
        expect_equal(found, table)
    with pytest.raises(AssertionError):
        expect_equal(found, attrs.evolve(table, rows=table.rows[::-1]))


@every_kind
def test_whole_numbers_and_parts_of_one_table(kind: str) -> None:
    """Where some columns are whole and others not, all are counted in the same units."""
    schema = SCHEMA | {"sales": pl.Int64, "opening": pl.Int32}
    frame = made(kind, [("a", 10, 2.5, 1, 4.0), ("a", 1, 1.25, 2, 0.5)], schema)
    (row,) = rows_of(assortment_frame(frame, prefix="its_"))
    assert (row["its_sales"], row["its_gross_profit"], row["its_average_stock"]) == (11.0, 7.25, 3.75)
    whole = made(kind, [("a", 10, 2, 1, 4)], dict.fromkeys(SCHEMA, pl.Int64) | {"product": pl.String})
    assert rows_of(assortment_frame(whole))[0]["turnover"] == 4.0


@every_kind
def test_the_same_kind_comes_back(kind: str) -> None:
    """What is lazy stays lazy."""
    frame = made(kind, [("a", 10.0, 2.5, 1.0, 4.0)])
    assert type(assortment_frame(frame)) is type(frame)
    assert type(composition_frame(frame, by="product", value="sales")) is type(frame)


@every_kind
def test_every_hundredth_is_the_nearest_float(kind: str) -> None:
    """Polars multiplies by the reciprocal of a literal: 57 / 100 was 0.5700000000000001."""
    rows = [(f"p{units}", Decimal(units).scaleb(-2), *[Decimal(0)] * 3) for units in range(200)]
    frame = made(kind, rows)
    assert {row["sales"] for row in rows_of(assortment_frame(frame))} == {units / 100 for units in range(200)}
    found = rows_of(composition_frame(frame, by="product", value="sales"))
    assert {row["amount"] for row in found} == {units / 100 for units in range(200)}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((None, 1.0, 1.0, 1.0, 1.0), "column 'product': null in 1 rows"),
        (("a", None, 1.0, 1.0, 1.0), "column 'sales': null in 1 rows"),
        (("a", 1.0, float("inf"), 1.0, 1.0), "column 'cost': no such number in 1 rows"),
        (("a", 1.0, 1.0, 1e300, 1.0), "column 'opening': no such number in 1 rows"),
        (("a", float("-inf"), 1.0, 1.0, 1.0), "column 'sales': no such number in 1 rows"),
    ],
)
@every_kind
def test_what_cannot_be_used_is_refused(kind: str, row: Any, said: str) -> None:
    """At once, of a lazy frame too: the totals have to be added up anyway."""
    with pytest.raises(InvalidFrame) as refused:
        assortment_frame(made(kind, [("b", 1.0, 1.0, 1.0, 1.0), row]))
    assert said in str(refused.value)


def test_names_and_parameters() -> None:
    frame = made("polars", [("a", 10.0, 2.5, 1.0, 4.0)])
    assert list(assortment_frame(frame).columns) == ["product", *ASSORTMENT]
    with pytest.raises(InvalidFrame, match=r"prefix='…'"):
        assortment_frame(frame.rename({"product": "turnover"}), product="turnover")
    with pytest.raises(InvalidFrame, match="read as value"):
        assortment_frame(frame, cost="kost")
    with pytest.raises(InvalidPolicy, match="retail, cost, mixed"):
        assortment_frame(frame, basis="sales")
    with pytest.raises(InvalidFrame, match=r"prefix='…'"):
        composition_frame(frame.rename({"product": "share"}), by="share", value="sales")


# --- composition ---

PARTS = st.lists(st.tuples(st.none() | st.sampled_from(["agent", "dealer", "retailer", "网店"]), CELL), max_size=20)
CHANNEL = {"channel": pl.String, "amount": pl.Float64}


@pytest.mark.rule("ANA-1")
@every_kind
@settings(max_examples=15)
@given(rows=PARTS)
def test_parts_as_columns(kind: str, rows: Rows) -> None:
    """The unknown is a part of its own, and the last."""
    whole = composition([dict(zip(CHANNEL, row, strict=True)) for row in rows])
    found = rows_of(composition_frame(made(kind, rows, CHANNEL)))
    assert [(row["channel"], row["amount"]) for row in found] == [
        (each.key, float(each.amount)) for each in whole.parts
    ]
    for row, each in zip(found, whole.parts, strict=True):
        assert row["share"] == (None if each.share is None else pytest.approx(float(each.share), rel=NEAR, abs=0))


@every_kind
def test_an_amount_is_known(kind: str) -> None:
    with pytest.raises(InvalidFrame, match="column 'amount': null in 2 rows"):
        composition_frame(made(kind, [("agent", 1.0), ("agent", None), (None, None)], CHANNEL))
