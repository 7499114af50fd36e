"""The classes and metrics of lines on Spark are those of objects."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from crmcore.analysis import metrics, metrics_frame
from crmcore.errors import InvalidFrame
from crmcore.sales import Periods, Sale
from crmcore.value import abc, abc_frame, rfm, rfm_frame

pa = pytest.importorskip("pyarrow")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]

SALES = [
    Sale(
        customer=f"c{number % 97}",
        at=date(2025, 1 + number % 12, 1 + number % 28),
        amount=Decimal(number * 7919 % 10007 - 300) / 100,
        order=f"o{number // 3}",
    )
    for number in range(2000)
]
COLUMNS = {"key": "customer", "value": "amount"}
MOMENTS = {**COLUMNS, "at": "at", "order": "order"}


@pytest.fixture(scope="module")
def lines(spark: Any) -> Any:
    columns = {name: [getattr(sale, name) for sale in SALES] for name in ("customer", "at", "order")}
    return spark.createDataFrame(pa.table({**columns, "amount": [float(sale.amount) for sale in SALES]}))


def test_classes(lines: Any) -> None:
    """Every class, and nobody else."""
    answer = {row["customer"]: (row["value"], row["class"]) for row in abc_frame(lines, **COLUMNS).collect()}
    plain = abc((sale.customer, sale.amount) for sale in SALES)
    assert answer == {row.key: (float(row.value), row.class_) for row in plain.rows}


def test_scores_are_told_in_memory(lines: Any) -> None:
    """Spark cannot tell days between two dates: the refusal says what to do, and that does."""
    how = {**MOMENTS, "as_of": date(2026, 1, 1)}
    with pytest.raises(InvalidFrame, match=r"give df\.toArrow\(\)"):
        rfm_frame(lines, **how)
    answer = rfm_frame(lines.toArrow(), **how).to_pylist()
    found = {row["customer"]: (row["r"], row["f"], row["m"], row["recency_days"], row["segment"]) for row in answer}
    plain = rfm(SALES, as_of=date(2026, 1, 1))
    assert found == {row.key: (row.r, row.f, row.m, row.recency_days, row.segment) for row in plain.rows}


def test_metrics(lines: Any) -> None:
    """Every figure of every month."""
    periods = Periods("month")
    assert metrics_frame(lines, **MOMENTS, periods=periods) == metrics(SALES, periods=periods)
