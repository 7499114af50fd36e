"""The lifetime summary: the semantics of the package lifetimes, under names of its own."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from crmcore.errors import InvalidPolicy
from crmcore.sales import Sale, read_sales
from crmcore.value.lifetime import Lifetime, clv_frame, clv_summary
from crmcore.value.scores import Scored

END = date(2017, 12, 31)


def sold(customer: Any, at: Any, amount: Any) -> Sale:
    return Sale(customer=customer, at=at, amount=amount)


FIRST = [
    *(sold(1, date(2017, 11, 19), amount) for amount in (100, 150)),
    *(sold(1, date(2017, 12, 19), amount) for amount in (200, 300)),
    sold(1, date(2017, 12, 20), 250),
    sold(2, date(2017, 1, 1), 110),
    sold(2, date(2017, 1, 5), 120),
]


@pytest.mark.rule("VAL-1")
def test_the_summary_is_that_of_lifetimes() -> None:
    """Worked example 10 (CamDavidsonPilon/lifetimes#208)."""
    assert clv_summary(FIRST, as_of=END) == (
        Lifetime(1, 2, 31, 42, Decimal("375.0000")),
        Lifetime(2, 1, 4, 364, Decimal("120.0000")),
    )


def test_one_purchase_has_no_mean() -> None:
    (said,) = clv_summary([sold("u", END, 9)], as_of=END)
    assert said == Lifetime("u", 0, 0, 0, None)
    assert said.record() == {"key": "u", "frequency": 0, "age_at_last": 0, "age": 0, "monetary": None}


def test_the_record_is_json() -> None:
    record = clv_summary(FIRST, as_of=END)[0].record()
    assert record == {"key": 1, "frequency": 2, "age_at_last": 31, "age": 42, "monetary": "375.0000"}
    assert json.loads(json.dumps(record)) == record


def test_later_sales_and_returns_are_none() -> None:
    """Neither a purchase nor a change of what one is worth."""
    sales = [*FIRST, sold(1, date(2018, 1, 1), 1), sold(1, date(2017, 12, 20), -250), sold(3, END, -1)]
    assert clv_summary(sales, as_of=END) == clv_summary(FIRST, as_of=END)


def test_a_gift_is_a_purchase() -> None:
    """The customer was there, though nothing was paid."""
    gifted = {each.key: each for each in clv_summary([*FIRST, sold(2, END, 0)], as_of=END)}
    assert gifted[2] == Lifetime(key=2, frequency=2, age_at_last=364, age=364, monetary=Decimal("60.0000"))


def test_weeks_begin_on_monday() -> None:
    """Sunday the 4th, Monday the 5th and Sunday the 11th of January 2026 are two weeks."""
    sales = [sold("u", date(2026, 1, day), day) for day in (4, 5, 11)]
    assert clv_summary(sales, as_of=date(2026, 1, 19), period="W") == (Lifetime("u", 1, 1, 3, Decimal("16.0000")),)


def test_days_are_those_of_the_zone_of_as_of() -> None:
    sales = [sold("u", datetime(2026, 1, 1, hour, tzinfo=UTC), 1) for hour in (15, 16)]
    as_of = datetime(2026, 1, 2, 12, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert clv_summary(sales, as_of=as_of)[0].frequency == 1
    assert clv_summary(sales, as_of=as_of.astimezone(UTC))[0].frequency == 0


def test_other_periods_are_refused() -> None:
    with pytest.raises(InvalidPolicy, match="one of D, W"):
        clv_summary([], as_of=END, period="M")  # type: ignore[arg-type]


def test_its_names_cannot_be_taken_for_those_of_rfm() -> None:
    """RFM's recency shrinks with the last purchase, the age at it grows."""
    lifetime, scored = ({field.name for field in attrs.fields(kind)} for kind in (Lifetime, Scored))
    assert "recency_days" in scored
    assert not [name for name in lifetime if "recency" in name]


# --- cdnow ---


def summary_by_pandas(path: Path, end: str) -> dict[str, tuple[int, int, int, float | None]]:
    """The same in pandas, on its own way: one row per customer and day, the first of each dropped for the mean."""
    pd: Any = pytest.importorskip("pandas")
    lines = pd.read_csv(path, dtype={"customer_id": str}, parse_dates=["date"])
    days = (
        lines[(lines.amount >= 0) & (lines.date <= end)].groupby(["customer_id", "date"], as_index=False).amount.sum()
    )
    found = days.groupby("customer_id").date.agg(["min", "max", "count"])
    again = days[days.date > days.customer_id.map(found["min"])].groupby("customer_id").amount.mean()
    return {
        key: (
            int(row["count"]) - 1,
            (row["max"] - row["min"]).days,
            (pd.Timestamp(end) - row["min"]).days,
            float(again[key]) if key in again.index else None,
        )
        for key, row in found.iterrows()
    }


@pytest.mark.parametrize("end", ["1997-09-30", "1998-06-30"])
def test_cdnow_agrees_with_pandas(shared_data: Path, end: str) -> None:
    path = shared_data / "cdnow" / "transactions.csv"
    expected = summary_by_pandas(path, end)
    with path.open(encoding="utf-8", newline="") as file:
        rows = [{**row, "date": date.fromisoformat(row["date"])} for row in csv.DictReader(file)]
    said = clv_summary(read_sales(rows, customer="customer_id", at="date"), as_of=date.fromisoformat(end))
    assert len(said) == len(expected) > 2300
    for one in said:
        frequency, at_last, age, mean = expected[str(one.key)]
        assert (one.frequency, one.age_at_last, one.age) == (frequency, at_last, age)
        assert (one.monetary is None) == (mean is None)
        assert mean is None or abs(float(one.monetary or 0) - mean) < 1e-4
    pl: Any = pytest.importorskip("polars")
    names = {"key": "customer_id", "at": "date", "value": "amount"}
    columns = clv_frame(pl.DataFrame(rows).cast({"amount": pl.Float64}), **names, as_of=date.fromisoformat(end))
    assert {row[0]: row[1:] for row in columns.rows()} == {
        one.key: (one.frequency, one.age_at_last, one.age, one.monetary and float(one.monetary)) for one in said
    }
