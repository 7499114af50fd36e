"""
Laws of ABC analysis (VAL-7): what holds of the classes that any policy makes of any lines.

    from crmcore.testing.classing import check_abc_policy

    def test_our_policy() -> None:
        check_abc_policy(our_policy)                                     # the laws of the plain road
        check_abc_policy(our_policy, backends=("polars-lazy", "duckdb"))   # and: columns say the same

Each law is a function that raises AssertionError where it does not hold. A policy is an `AbcPolicy`, a subclass, or a
wrapper with the same face; `straddles_are_ordered` wants an attrs value. Needs the extra ``testing``, and the libraries
of the backends that are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from math import isnan
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import attrs
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from crmcore.decisions.frames import narwhals
from crmcore.testing.checks import _run
from crmcore.testing.records import expect
from crmcore.value.classes import Classes, ClassSummary

__all__ = [
    "CLASSING_BACKENDS",
    "ValueLines",
    "check_abc_policy",
    "columns_equal_objects",
    "equal_values_share_a_class",
    "greater_value_is_never_lower",
    "order_changes_nothing",
    "scaling_changes_no_class",
    "splitting_changes_nothing",
    "straddles_are_ordered",
    "value_frame",
    "value_lines",
    "zero_changes_no_class",
]

ValueLines: TypeAlias = Sequence[tuple[Any, Decimal]]
"""Lines of (key, amount)."""

NOBODY: Final = "a newcomer"
FEW: Final = tuple(Decimal(text) for text in ("0", "0.01", "5", "10", "10.10", "20", "25", "50", "75", "100"))
CLOSE: Final = 1e-12


# --- the plain road ---


def scaling_changes_no_class(policy: Any, lines: ValueLines, factor: Decimal) -> None:
    """Every value times a positive factor: the same classes, shares and Gini."""
    before, after = policy.classify(lines), policy.classify([(key, value * factor) for key, value in lines])
    expect(_by_key(before) == _by_key(after), "scaling changes a class", policy, lines, factor=factor)
    same = [row.cumulative for row in before.rows] == [row.cumulative for row in after.rows]
    expect(same and before.gini == after.gini, "scaling changes a share", policy, lines, factor=factor)


def zero_changes_no_class(policy: Any, lines: ValueLines) -> None:
    """One more customer with a value of zero: the same classes of all others, and the same base."""
    before, after = policy.classify(lines), policy.classify([*lines, (NOBODY, Decimal(0))])
    others = {key: label for key, label in _by_key(after).items() if key != NOBODY}
    expect(_by_key(before) == others, "a zero changes a class", policy, lines)
    expect(before.total == after.total, "a zero changes the base", policy, lines, before=before.total, now=after.total)


def order_changes_nothing(policy: Any, lines: ValueLines, shuffled: ValueLines) -> None:
    """The same lines in another order: the same answer, its rows included."""
    before, after = policy.classify(lines).record(), policy.classify(shuffled).record()
    expect(_figures(before) == _figures(after), "the order of lines changes the answer", policy, lines, other=shuffled)


def splitting_changes_nothing(policy: Any, lines: ValueLines, part: Decimal) -> None:
    """Every line as two, one of them perhaps a return: the same answer."""
    split = [line for key, value in lines for line in ((key, part), (key, value - part))]
    before, after = policy.classify(lines).record(), policy.classify(split).record()
    expect(_figures(before) == _figures(after), "splitting lines changes the answer", policy, lines, part=part)


def equal_values_share_a_class(policy: Any, lines: ValueLines) -> None:
    """Customers of the same net value are in the same class, unless the policy's `ties` are stable."""
    labels: dict[Decimal, str] = {}
    for row in policy.classify(lines).rows:
        same = labels.setdefault(row.value, row.class_) == row.class_
        expect(same, "equal values in two classes", policy, lines, value=row.value)


def greater_value_is_never_lower(policy: Any, lines: ValueLines) -> None:
    """Down the rows values never rise and classes never improve; shares add up to one."""
    found: Classes = policy.classify(lines)
    ranks = {label: rank for rank, label in enumerate(found.classes)}
    values, labels = [row.value for row in found.rows], [ranks[row.class_] for row in found.rows]
    expect(values == sorted(values, reverse=True), "rows are not by value", policy, lines)
    expect(labels == sorted(labels), "a greater value has a lower class", policy, lines, classes=_by_key(found))
    customers = [share.share_customers for share in found.classes.values()]
    if found.rows:
        expect(sum(part or 0 for part in customers) == 1, "shares of customers are not all", policy, lines)


def straddles_are_ordered(policy: Any, lines: ValueLines) -> None:
    """Of each customer: upper gives the best class, lower the worst, nearest one of the two."""
    upper, nearest, lower = (
        attrs.evolve(policy, straddle=straddle).classify(lines) for straddle in ("upper", "nearest", "lower")
    )
    ranks = {label: rank for rank, label in enumerate(upper.classes)}
    for row in upper.rows:
        best, middle, worst = (ranks[found.of(row.key)] for found in (upper, nearest, lower))
        expect(best <= middle <= worst, "the straddles are not in order", policy, lines, key=row.key)


def _by_key(found: Classes) -> dict[Any, str]:
    return {row.key: row.class_ for row in found.rows}


def _figures(record: Mapping[str, Any]) -> dict[str, Any]:
    """Amounts as numbers: 1.5 and 1.50 are the same."""
    classes = {label: {**share, "value": Decimal(share["value"])} for label, share in record["classes"].items()}
    rows = [{**row, "value": Decimal(row["value"])} for row in record["rows"]]
    return {
        **record,
        "total": Decimal(record["total"]),
        "net": Decimal(record["net"]),
        "classes": classes,
        "rows": rows,
    }


# --- columns ---


def columns_equal_objects(policy: Any, lines: ValueLines, backend: str) -> None:
    """`policy.frame` and `policy.summary` say what `policy.classify` says, on one of the `CLASSING_BACKENDS`."""
    frame, said = value_frame(lines, backend), policy.classify(lines)
    answer = narwhals().from_native(policy.frame(frame, key="customer", value="amount")).lazy().collect()
    rows = [(row["customer"], row["value"], row["class"]) for row in answer.rows(named=True)]
    expected = [(row.key, float(row.value), row.class_) for row in said.rows]
    expect(rows == expected, f"the columns of {backend} differ", policy, lines, columns=rows, objects=expected)
    for row, share in zip(said.rows, answer["cumulative"].to_list(), strict=True):
        none = not isinstance(share, float) or isnan(share)  # pandas has its ways to say none
        close = none if row.cumulative is None else not none and abs(share - float(row.cumulative)) < CLOSE
        expect(close, f"a cumulated share of {backend} differs", policy, lines, key=row.key, column=share)
    summary: ClassSummary = policy.summary(frame, key="customer", value="amount")
    for name in [field.name for field in attrs.fields(ClassSummary)]:
        one, other = getattr(summary, name), getattr(said, name)
        expect(one == other, f"{name} of {backend} differs", policy, lines, columns=one, objects=other)


def value_frame(lines: ValueLines, backend: str) -> Any:
    """The lines as a frame of one of the `CLASSING_BACKENDS`: columns customer, as text, and amount, a float."""
    import pyarrow as pa  # type: ignore[import-untyped]

    keys = pa.array([str(key) for key, _ in lines], pa.string())
    amounts = pa.array([float(value) for _, value in lines], pa.float64())
    return CLASSING_BACKENDS[backend](pa.table({"customer": keys, "amount": amounts}))


def _polars(table: Any) -> Any:
    import polars as pl

    return pl.DataFrame(table)


def _pandas_pyarrow(table: Any) -> Any:
    import pandas as pd  # type: ignore[import-untyped]

    return table.to_pandas(types_mapper=pd.ArrowDtype)


def _duckdb(table: Any) -> Any:
    import duckdb

    return duckdb.from_arrow(table)


CLASSING_BACKENDS: Final[Mapping[str, Callable[[Any], Any]]] = MappingProxyType(
    {
        "polars": _polars,
        "polars-lazy": lambda table: _polars(table).lazy(),
        "pandas": lambda table: table.to_pandas(),
        "pandas-pyarrow": _pandas_pyarrow,
        "pyarrow": lambda table: table,
        "duckdb": _duckdb,
    }
)


# --- all of them ---


@st.composite
def value_lines(draw: DrawFn, *, most: int = 12, amounts: SearchStrategy[Decimal] | None = None) -> ValueLines:
    """Lines of a few customers, most with amounts of a few sizes, so that values tie and meet the cuts; returns too."""
    sizes = st.sampled_from(FEW) | st.decimals("0.01", 10_000, places=2)
    signed = sizes | sizes | sizes.map(lambda value: -value)
    keys = st.integers(0, 7).map(lambda number: f"c{number}")
    return draw(st.lists(st.tuples(keys, signed if amounts is None else amounts), max_size=most))


def check_abc_policy(
    policy: Any, examples: int = 100, *, backends: Iterable[str] = (), derandomize: bool = True
) -> None:
    """Runs every law on the policy; of the `backends` also that their columns say the same."""
    named = tuple(backends)
    factors = st.sampled_from([Decimal(text) for text in ("0.5", "3", "1000")])

    @given(value_lines(), st.data())
    def every_law(lines: ValueLines, data: st.DataObject) -> None:
        scaling_changes_no_class(policy, lines, data.draw(factors, "factor"))
        zero_changes_no_class(policy, lines)
        order_changes_nothing(policy, lines, data.draw(st.permutations(lines), "shuffled"))
        splitting_changes_nothing(policy, lines, data.draw(st.sampled_from(FEW), "part"))
        if getattr(policy, "ties", "together") == "together":
            equal_values_share_a_class(policy, lines)
        greater_value_is_never_lower(policy, lines)
        straddles_are_ordered(policy, lines)
        for backend in named:
            columns_equal_objects(policy, lines, backend)

    _run(every_law, examples, derandomize=derandomize)
