"""ABC analysis as columns: on every kind of frame the classes of the plain road, exact, or a refusal."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
import narwhals.stable.v2 as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from narwhals.exceptions import InvalidOperationError

from crmcore.errors import InvalidFrame, InvalidPolicy
from crmcore.testing.classing import CLASSING_BACKENDS, ValueLines, columns_equal_objects, value_frame, value_lines
from crmcore.value.classes import AbcPolicy, abc, abc_frame

NAMES = {"key": "customer", "value": "amount"}
EDGE: ValueLines = [("u1", Decimal("75.00")), ("u2", Decimal("20.00")), ("u3", Decimal("5.00"))]
EACH = pytest.mark.parametrize("backend", CLASSING_BACKENDS)
LAZY = ("polars-lazy", "duckdb")


def policies() -> Any:
    """Every straddle, both rules for ties, both places for what is not positive, presets and cuts of many digits."""
    cuts = st.sampled_from(["s1", "s4", (50,), (0.5, 75, "99.999999"), ("33.333333", "66.666667"), ("0.000001",)])
    return st.builds(
        AbcPolicy,
        cuts=cuts,
        straddle=st.sampled_from(["upper", "lower", "nearest"]),
        ties=st.sampled_from(["together", "stable"]),
        nonpositive=st.sampled_from(["own", "lowest"]),
    )


def rows(frame: Any) -> list[tuple[Any, ...]]:
    """The rows of any frame."""
    if isinstance(frame, duckdb.DuckDBPyRelation):
        return frame.fetchall()
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    if isinstance(frame, pd.DataFrame):
        return list(frame.itertuples(index=False, name=None))
    return frame.rows() if isinstance(frame, pl.DataFrame) else [tuple(row.values()) for row in frame.to_pylist()]


@EACH
@pytest.mark.rule("VAL-2", "VAL-3", "VAL-7", "VAL-9")
@settings(max_examples=40)
@given(policies(), value_lines())
def test_columns_say_what_objects_say(backend: str, policy: AbcPolicy, lines: ValueLines) -> None:
    """Rows, their order, shares and the summary, under every straddle."""
    columns_equal_objects(policy, lines, backend)


@EACH
@pytest.mark.parametrize("straddle", ["upper", "lower", "nearest"])
def test_a_cut_that_is_met_exactly(backend: str, straddle: Any) -> None:
    """75 of 100: the first is A under every straddle, on every backend."""
    columns_equal_objects(AbcPolicy(straddle=straddle), EDGE, backend)


@EACH
@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(2**52, 2**53 - 1)), min_size=1, max_size=400))
def test_sums_that_no_float_holds_are_exact(backend: str, lines: list[tuple[str, int]]) -> None:
    """Whole amounts near 2 ** 53, hundreds of them: total and classes are those of the plain road."""
    table = pa.table({"customer": [key for key, _ in lines], "amount": pa.array([n for _, n in lines], pa.int64())})
    policy, said = AbcPolicy(straddle="nearest"), abc(lines, straddle="nearest")
    summary = policy.summary(CLASSING_BACKENDS[backend](table), **NAMES)
    assert (summary.total, summary.gini, summary.scale) == (said.total, said.gini, said.scale)
    assert summary.classes == said.classes


@EACH
def test_the_same_kind_comes_back(backend: str) -> None:
    """What is lazy stays lazy; the key keeps its name."""
    frame = value_frame(EDGE, backend)
    answer = abc_frame(frame, **NAMES)
    assert type(answer) is type(frame)
    assert nw.from_native(answer).collect_schema().names() == ["customer", "value", "cumulative", "class"]


@pytest.mark.parametrize("backend", ["polars", "polars-lazy", "pandas", "pandas-pyarrow", "pyarrow", "duckdb"])
def test_values_come_back_to_the_last_digit(backend: str) -> None:
    """35 cents are 0.35 and not 0.35000000000000003, as Polars says by default."""
    lines = [(str(cents), Decimal(cents) / 100) for cents in range(1, 500)]
    found = {row[0]: row[1] for row in rows(abc_frame(value_frame(lines, backend), **NAMES))}
    assert found == {key: float(value) for key, value in lines}


@EACH
def test_keys_may_be_whole_numbers(backend: str) -> None:
    """They are ordered as numbers."""
    table = pa.table({"customer": pa.array([10, 9, 1, 10]), "amount": [1.0, 2.0, 2.0, 1.0]})
    found = rows(abc_frame(CLASSING_BACKENDS[backend](table), **NAMES))
    assert [(row[0], row[3]) for row in found] == [(1, "A"), (9, "A"), (10, "A")]


@pytest.mark.parametrize("kind", [pl.Categorical(), pl.Enum(["z", "a"])])
def test_a_categorical_key_is_ordered_as_text(kind: Any) -> None:
    """The order of its categories is nobody's."""
    frame = pl.DataFrame({"customer": pl.Series(["z", "a"], dtype=kind), "amount": [1, 1]})
    assert abc_frame(frame, **NAMES)["customer"].to_list() == ["a", "z"]


def test_keys_of_several_types_are_refused() -> None:
    """Columns have one type; the plain road takes such keys."""
    frame = pd.DataFrame({"customer": pd.Series([1, "a"], dtype=object), "amount": [1, 1]})
    with pytest.raises(InvalidFrame, match="keys of one type"):
        abc_frame(frame, **NAMES)


@EACH
@pytest.mark.parametrize(
    ("keys", "amounts"), [(["a", None], [1.0, 1.0]), (["a", "b"], [1.0, None]), (["a", "b"], [1.0, 1e300])]
)
def test_what_is_null_or_too_large_is_refused(backend: str, keys: list[Any], amounts: list[Any]) -> None:
    """At once where something is collected; else when the frame is computed, in the words of its engine and ours."""
    table = pa.table({"customer": pa.array(keys, pa.string()), "amount": pa.array(amounts, pa.float64())})
    frame = CLASSING_BACKENDS[backend](table)
    errors: Any = (pl.exceptions.InvalidOperationError, duckdb.ConversionException) if backend in LAZY else InvalidFrame
    with pytest.raises(InvalidFrame, match="null"):
        AbcPolicy().summary(frame, **NAMES)
    with pytest.raises(errors, match="null"):
        rows(abc_frame(frame, **NAMES))


def test_an_error_that_is_not_ours_stays_what_it_is() -> None:
    """A lazy frame may fail for reasons of its own."""
    frame = pl.LazyFrame({"customer": ["x"], "amount": [1]}).with_columns(pl.col("customer").cast(pl.Int64))
    with pytest.raises(InvalidOperationError, match="x"):
        AbcPolicy().summary(frame, **NAMES)


@EACH
def test_a_sum_that_no_integer_holds_is_refused(backend: str) -> None:
    """It would come round as a negative."""
    table = pa.table({"customer": ["a"] * 4, "amount": pa.array([2**62] * 4, pa.int64())})
    frame = CLASSING_BACKENDS[backend](table)
    errors: Any = (pl.exceptions.InvalidOperationError, duckdb.ConversionException, duckdb.OutOfRangeException)
    with pytest.raises(errors if backend in LAZY else InvalidFrame):
        rows(abc_frame(frame, **NAMES))


def test_names_must_be_free() -> None:
    """A key that is called as an answer is wants a prefix."""
    frame = pl.DataFrame({"class": ["a"], "amount": [1]})
    with pytest.raises(InvalidFrame, match="prefix"):
        abc_frame(frame, key="class", value="amount")
    found = abc_frame(frame, key="class", value="amount", prefix="abc_")
    assert found.columns == ["class", "abc_value", "abc_cumulative", "abc_class"]


def test_places_are_checked() -> None:
    """And used: what lies below them is rounded half away from zero."""
    frame = pl.DataFrame({"customer": ["a"], "amount": [0.125]})
    assert abc_frame(frame, **NAMES)["value"].to_list() == [0.13]
    assert abc_frame(frame, **NAMES, places=3)["value"].to_list() == [0.125]
    with pytest.raises(InvalidPolicy, match="places"):
        abc_frame(frame, **NAMES, places=7)


def test_whole_numbers_stay_whole() -> None:
    """Counts are no amounts of cents."""
    frame = pl.DataFrame({"customer": ["a"], "amount": [7]})
    assert abc_frame(frame, **NAMES).schema["value"] == pl.Int64
    assert AbcPolicy().summary(frame, **NAMES).record()["total"] == "7"
