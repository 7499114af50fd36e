"""Past years by region, season, product, customer: changes, prices, and every rep's part."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.analysis.history import BY, QUARTERS, SalesHistory, history_by, sales_history
from crmcore.analysis.values import Undefined
from crmcore.errors import InvalidFact, InvalidPolicy, MissingFact, NaiveDatetime


def sold(day: Any, amount: Any, quantity: Any = None, **facts: Any) -> dict[str, Any]:
    made = {"region": "north", "product": "tea", "customer": "ann", "owner": "li"}
    return {"at": day, "amount": amount, "quantity": quantity, **made, **facts}


@pytest.mark.rule("ANA-11")
def test_year_on_year_by_season_and_product() -> None:
    """A change is exact; prices are there where every quantity is known."""
    lines = [
        sold(date(2024, 1, 9), 100, 10),
        sold(date(2024, 3, 9), 20, 2),
        sold(date(2025, 2, 9), 126, 9),
        sold(date(2025, 7, 9), 50, 5),
        sold(date(2025, 8, 9), 50),
    ]
    history = sales_history(lines, ("season", "product"))
    found = [(row.year, row.key, row.amount, row.change, row.price) for row in history.rows]
    assert found == [
        (2024, ("Q1", "tea"), 120, None, 10),
        (2025, ("Q1", "tea"), 126, Fraction(1, 20), 14),
        (2025, ("Q3", "tea"), 100, None, None),
    ]
    assert history.rows[1].price_change == Fraction(2, 5)
    assert (history.rows[1].previous, history.rows[2].quantity) == (120, None)
    assert history.rows[2].undefined is Undefined.NO_PREVIOUS
    assert [(row.year, row.amount, row.change) for row in history.totals] == [
        (2024, 120, None),
        (2025, 226, Fraction(53, 60)),
    ]


@pytest.mark.rule("ANA-11")
def test_what_sells_no_more_is_seen() -> None:
    """The year after its last sale is there, with 0, and no year beyond the last or after a gap."""
    lines = [
        sold(date(2022, 1, 1), 10, 1, product="pen"),
        *(sold(date(year, 1, 1), 5, 1) for year in range(2022, 2026)),
    ]
    pens = [row for row in sales_history(lines, ("product",)).rows if row.key == ("pen",)]
    assert [(row.year, row.amount, row.quantity, row.change, row.price) for row in pens] == [
        (2022, 10, 1, None, 10),
        (2023, 0, 0, -1, None),
    ]


def test_a_change_needs_something_before() -> None:
    """Against returns, or prices of nothing, there is none."""
    lines = [sold(date(2024, 1, 1), -5, -1), sold(date(2025, 1, 1), 5, 1), sold(date(2026, 1, 1), 10, 1)]
    rows = sales_history(lines, ("product",)).rows
    assert [(row.price, row.change, row.price_change) for row in rows] == [
        (None, None, None),
        (5, None, None),
        (10, 1, 1),
    ]
    free = [sold(date(2024, 1, 1), 0, 1), sold(date(2025, 1, 1), 5, 1)]
    assert sales_history(free, ("product",)).rows[1].price_change is None


@pytest.mark.rule("ANA-11")
def test_seasons_are_data() -> None:
    """High and low season, in calendar years; each month has one."""
    seasons = {month: "high" if month in {12, 1, 2} else "low" for month in range(1, 13)}
    lines = [sold(date(2025, month, 1), 1) for month in range(1, 13)]
    rows = sales_history(lines, ("season",), seasons=seasons).rows
    assert [(row.key, row.amount) for row in rows] == [(("high",), 3), (("low",), 9)]
    with pytest.raises(InvalidPolicy, match="each month from 1 to 12"):
        sales_history(lines, seasons={1: "high"})
    assert [QUARTERS[month] for month in (1, 3, 4, 12)] == ["Q1", "Q1", "Q2", "Q4"]


def test_years_that_count() -> None:
    """A year that is not over is left out by name; an instant falls into the year of the zone."""
    lines = [sold(datetime(2024, 12, 31, 20, tzinfo=UTC), 1), sold(date(2026, 1, 1), 1), sold(date(2024, 1, 1), 1)]
    assert [row.year for row in sales_history(lines, years=(2024, 2025)).totals] == [2024]
    history = sales_history(lines, zone="Asia/Shanghai", years=(2024, 2025))
    assert [(row.year, row.amount) for row in history.totals] == [(2024, 1), (2025, 1)]


@pytest.mark.rule("ANA-11")
def test_the_outcome_reaches_every_rep() -> None:
    lines = [
        sold(date(2025, 1, 1), 3, owner="li"),
        sold(date(2025, 1, 1), 4, owner="wang"),
        sold(date(2025, 1, 1), 5, owner=None),
    ]
    reps = history_by(lines, by=("product",))
    assert {name: history.totals[0].amount for name, history in reps.items()} == {"li": 3, "wang": 4, None: 5}
    assert reps["li"] == sales_history(lines[:1], ("product",))


def test_the_record_is_json() -> None:
    history = sales_history([sold(date(2024, 1, 9), "1.50", 3), sold(date(2025, 1, 9), 3, 3)])
    record = json.loads(json.dumps(history.record()))
    assert record["by"] == list(BY)
    assert record["rows"][1] == {
        "year": 2025,
        "key": {"region": "north", "season": "Q1", "product": "tea", "customer": "ann"},
        "amount": "3",
        "quantity": "3",
        "price": 1.0,
        "previous": "1.50",
        "change": 1.0,
        "price_change": 1.0,
        "undefined": None,
    }
    assert record["totals"][0]["undefined"] == "no_previous"
    assert sales_history([]).rows == ()


def test_what_is_refused() -> None:
    with pytest.raises(NaiveDatetime):
        sales_history([sold(datetime(2026, 1, 1), 1)])
    with pytest.raises(MissingFact, match="'colour'"):
        sales_history([sold(date(2026, 1, 1), 1)], ("colour",))
    with pytest.raises(InvalidFact, match="never a float"):
        sales_history([sold(date(2026, 1, 1), 1, 0.5)])
    with pytest.raises(InvalidPolicy, match="a sequence of facts"):
        sales_history([], "product")


# --- laws, and variants that they catch ---

LINES = st.lists(
    st.builds(
        sold,
        st.dates(date(2022, 1, 1), date(2025, 12, 31)),
        st.integers(-50, 900).map(Decimal),
        st.none() | st.integers(0, 9),
        region=st.sampled_from(["north", "south", None]),
        product=st.sampled_from(["tea", "ink"]),
    ),
    max_size=10,
)
Make = Callable[..., SalesHistory]


def cells_sum_to_the_years(make: Make, lines: Sequence[Any]) -> None:
    """Whatever it is cut by."""
    for by in (BY, ("season",), ("region", "product")):
        history = make(lines, by)
        for total in history.totals:
            assert sum(row.amount for row in history.rows if row.year == total.year) == total.amount


def changes_lead_from_year_to_year(make: Make, lines: Sequence[Any]) -> None:
    history = make(lines, ("product",))
    amounts = {(row.key, row.year): row.amount for row in history.rows}
    for row in history.rows:
        before = amounts.get((row.key, row.year - 1))
        assert (row.change is None) is (before is None or before <= 0)
        assert row.change is None or Fraction(before or 0) * (1 + row.change) == row.amount


def order_does_not_matter(make: Make, lines: Sequence[Any]) -> None:
    assert make(lines) == make(lines[::-1])


LAWS = {law.__name__: law for law in (cells_sum_to_the_years, changes_lead_from_year_to_year, order_does_not_matter)}


@pytest.mark.rule("ANA-11")
@pytest.mark.parametrize("law", LAWS)
@given(lines=LINES)
def test_laws(law: str, lines: Sequence[Any]) -> None:
    LAWS[law](sales_history, lines)


def _first_of_each(lines: Sequence[Any], by: Sequence[str] = BY) -> SalesHistory:
    first = {(line["product"], line["at"].year): line for line in reversed(lines)}
    return attrs.evolve(sales_history(lines, by), rows=sales_history(first.values(), by).rows)


def _over_this_year(lines: Sequence[Any], by: Sequence[str] = BY) -> SalesHistory:
    history = sales_history(lines, by)
    rows = (
        attrs.evolve(row, change=None if row.change is None else row.change / (1 + row.change)) for row in history.rows
    )
    return attrs.evolve(history, rows=tuple(rows))


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        ("cells_sum_to_the_years", _first_of_each),
        ("changes_lead_from_year_to_year", _over_this_year),
        ("order_does_not_matter", _first_of_each),
    ],
)
def test_laws_bite(law: str, broken: Make) -> None:
    lines = [sold(date(2024, 1, 1), 3), sold(date(2024, 1, 2), 4), sold(date(2025, 1, 2), 9)]
    with pytest.raises(AssertionError):
        LAWS[law](broken, lines)
