"""Metrics of columns are those of objects, on every kind of frame; and what a frame must have."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import narwhals.stable.v2 as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmcore.analysis.metric_columns import metrics_frame
from crmcore.analysis.metrics import metrics
from crmcore.calendars import Span
from crmcore.errors import InvalidFrame, InvalidPolicy, InvalidSpan
from crmcore.sales import Periods, Sale
from crmcore.testing.selling import SALES_BACKENDS, sales, sales_frame
from crmcore.testing.times import spans, zones

BACKENDS = pytest.mark.parametrize("backend", SALES_BACKENDS)
COLUMNS = {"key": "customer", "at": "at", "value": "amount"}
RULES = st.builds(Periods, st.sampled_from(["month", "quarter", "year"]), zones())
ENDS = st.sampled_from(
    [(None, None), (date(2024, 6, 1), None), (None, date(2025, 3, 1)), (date(2024, 11, 5), date(2025, 3, 1))]
)
SEGMENTS = st.sampled_from(["north", "south", None])
LINES = [Sale(customer=f"u{n % 3}", at=date(2026, 1 + n, 9), amount=n, order=n // 2) for n in range(6)]


@BACKENDS
@settings(max_examples=20)
@given(st.data())
def test_columns_say_what_objects_say(backend: str, data: st.DataObject) -> None:
    """The same metrics, of all and by segment, on days and at instants."""
    dated = data.draw(st.booleans(), "dated")
    lines = data.draw(sales(dated=dated, min_size=1), "sales")
    size = len(lines)
    parts = data.draw(st.lists(SEGMENTS, min_size=size, max_size=size), "segments")
    rule, span = data.draw(RULES, "rule"), data.draw(spans(units=("h", "d", "w", "mo"), at_least=0), "limit")
    first, last = data.draw(ENDS, "ends")
    rows = [
        {"customer": line.customer, "at": line.at, "amount": line.amount, "order": line.order, "part": part}
        for line, part in zip(lines, parts, strict=True)
    ]
    frame = sales_frame(lines, backend, more={"part": parts})
    found = metrics_frame(
        frame, **COLUMNS, order="order", segment="part", limit=span, periods=rule, first=first, last=last
    )
    assert found == metrics(rows, periods=rule, lost_after=span, segment="part", first=first, last=last)
    assert list(found.segments) == sorted(found.segments, key=lambda part: (part is None, str(part)))


@BACKENDS
@settings(max_examples=10)
@given(st.data())
def test_limits_in_a_column(backend: str, data: st.DataObject) -> None:
    """Each customer by the whole days of its own."""
    lines = data.draw(sales(dated=data.draw(st.booleans()), orders=None, min_size=1))
    rule = data.draw(RULES)
    days = {f"c{n}": data.draw(st.sampled_from([0, 1, 30, 60, 90, 400]), f"days of c{n}") for n in range(8)}
    frame = nw.from_native(sales_frame(lines, backend, more={"days": [str(days[line.customer]) for line in lines]}))
    frame = frame.with_columns(nw.col("days").cast(nw.Int64))
    found = metrics_frame(frame.to_native(), **COLUMNS, limit="days", periods=rule)
    assert found == metrics(lines, periods=rule, lost_after={who: f"{n}d" for who, n in days.items()})


@BACKENDS
def test_no_lines(backend: str) -> None:
    """A frame without rows has no periods, or empty ones."""
    frame = sales_frame([], backend)
    assert metrics_frame(frame, **COLUMNS) == metrics([])
    ends = {"first": date(2026, 1, 1), "last": date(2026, 2, 1)}
    assert metrics_frame(frame, **COLUMNS, **ends) == metrics([], **ends)


@BACKENDS
def test_numbers_and_flags_are_segments_too(backend: str) -> None:
    """They come back as Python has them."""
    lines = [Sale(customer=n % 3, at=datetime(2026, 1 + n, 9, tzinfo=UTC), amount=n, order=n // 2) for n in range(6)]
    frame = nw.from_native(sales_frame(lines, backend))
    frame = frame.with_columns(number=nw.col("customer") * 2, flag=nw.col("customer") > 1).to_native()
    by_number = metrics_frame(frame, **COLUMNS, segment="number").segments
    assert [(type(part), part) for part in by_number] == [(int, 0), (int, 2), (int, 4)]
    by_flag = metrics_frame(frame, **COLUMNS, segment="flag", order="order")
    assert by_flag == metrics(lines, segment={0: False, 1: False, 2: True})
    assert [type(part) for part in by_flag.segments] == [bool, bool]


def test_a_categorical_column_is_text() -> None:
    """So its segments are."""
    frame = sales_frame(LINES).with_columns(part=pl.col("customer").cast(pl.Categorical))
    assert set(metrics_frame(frame, **COLUMNS, segment="part").segments) == {"u0", "u1", "u2"}


def test_amounts_in_other_units() -> None:
    """Whole numbers are taken as they are, decimals with the places asked for."""
    whole = metrics_frame(sales_frame(LINES).with_columns(pl.col("amount").cast(pl.Int64)), **COLUMNS, order="order")
    assert whole == metrics(LINES) == metrics_frame(sales_frame(LINES, decimals=True), **COLUMNS, order="order")
    small = [Sale(customer="u", at=date(2026, 1, 1), amount="0.0015")]
    assert metrics_frame(sales_frame(small), **COLUMNS, places=4) == metrics(small)


@pytest.mark.parametrize("backend", ["polars", "polars-lazy", "pandas", "pandas-pyarrow", "pyarrow"])
def test_instants_in_another_zone_and_unit(backend: str) -> None:
    """They are the same instants."""
    lines = [
        Sale(customer=n % 5, at=datetime(2024 + n % 2, 1 + n % 12, 1 + n % 28, 15, tzinfo=UTC), amount=1)
        for n in range(60)
    ]
    rule = Periods("month", "Europe/Berlin")
    frame = nw.from_native(sales_frame(lines, backend))
    frame = frame.with_columns(nw.col("at").cast(nw.Datetime("ns", "UTC")).dt.convert_time_zone("Asia/Tokyo"))
    found = metrics_frame(frame.to_native(), **COLUMNS, limit=Span("40d"), periods=rule)
    assert found == metrics(lines, lost_after="40d", periods=rule)


@BACKENDS
def test_sixty_years_of_months(backend: str) -> None:
    """A wrong date far back makes many periods, and no expression too deep."""
    lines = [Sale(customer="u", at=date(1965, 1, 1), amount=1), *LINES]
    found = metrics_frame(sales_frame(lines, backend), **COLUMNS, order="order")
    assert found == metrics(lines)
    assert len(found.periods) == 12 * 61 + 6


def test_without_a_limit_it_is_180_days() -> None:
    """As for objects."""
    assert metrics_frame(sales_frame(LINES), **COLUMNS).lost_after == ("180d",)


def test_a_clock_put_back_over_midnight() -> None:
    """St. John's, 2009: the last day to start by a cutoff is found by its start, not by the wall clock."""
    lines = [Sale(customer=f"u{day}", at=date(2009, 10, day), amount=1) for day in range(1, 31)]
    rule = Periods("month", "America/St_Johns")
    for hours in range(720, 800, 7):
        limit = Span(f"{hours}h")
        ends = {"periods": rule, "last": date(2009, 12, 31)}
        assert metrics_frame(sales_frame(lines), **COLUMNS, limit=limit, **ends) == metrics(
            lines, lost_after=limit, **ends
        )
    late = [Sale(customer="u", at=date(2009, 11, 1), amount=1)]
    ends = {"periods": Periods("month", "America/St_Johns"), "last": date(2009, 11, 30)}
    hour = Span("719h")
    assert metrics_frame(sales_frame(late), **COLUMNS, limit=hour, **ends) == metrics(late, lost_after=hour, **ends)


@pytest.mark.parametrize(
    ("columns", "more", "says"),
    [
        ({}, {"segment": "channel"}, "column 'channel'"),
        ({}, {"limit": "days"}, "column 'days'"),
        ({"days": pl.lit("90")}, {"limit": "days"}, "whole days"),
        ({"days": pl.lit(-1)}, {"limit": "days"}, "whole days from 0"),
        ({"days": pl.lit(None, dtype=pl.Int64)}, {"limit": "days"}, "whole days from 0"),
        ({"days": pl.col("at").dt.month().cast(pl.Int64)}, {"limit": "days"}, "changes"),
        ({"part": pl.lit(1.5)}, {"segment": "part"}, "text, whole numbers or flags"),
        ({"customer": pl.lit(None, dtype=pl.String)}, {}, "null in 6 rows"),
        ({"at": pl.lit(None, dtype=pl.Date)}, {}, "null in 6 rows"),
        ({"amount": pl.lit(float("nan"))}, {}, "null in 6 rows"),
    ],
)
def test_what_cannot_be_measured_is_refused(columns: Any, more: Any, says: str) -> None:
    """Each with what, where, and what to do."""
    with pytest.raises(InvalidFrame, match=says):
        metrics_frame(sales_frame(LINES).with_columns(**columns), **COLUMNS, **more)


def test_too_many_limits_are_refused() -> None:
    """Each costs a comparison for each period."""
    lines = [Sale(customer=f"u{n}", at=date(2026, 1, 1), amount=1) for n in range(101)]
    frame = sales_frame(lines).with_columns(days=pl.int_range(pl.len()))
    with pytest.raises(InvalidFrame, match="101 different limits"):
        metrics_frame(frame, **COLUMNS, limit="days")
    assert len(metrics_frame(frame.head(100), **COLUMNS, limit="days").lost_after) == 100


def test_parameters_are_refused() -> None:
    """As for objects."""
    with pytest.raises(InvalidPolicy, match="last"):
        metrics_frame(sales_frame(LINES), **COLUMNS, first=date(2026, 5, 1), last=date(2026, 4, 1))
    with pytest.raises(InvalidSpan):
        metrics_frame(sales_frame(LINES), **COLUMNS, limit=Span("soon"))
