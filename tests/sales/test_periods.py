"""Periods tile the calendar of a zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.errors import InvalidCalendar, InvalidFact, InvalidPolicy, NaiveDatetime
from crmcore.sales import Period, Periods

KINDS = st.sampled_from(["month", "quarter", "year"])
DAYS = st.dates(date(1990, 1, 1), date(2090, 12, 31))


@given(KINDS, DAYS, st.integers(0, 1500))
def test_periods_tile_the_days(kind: str, first: date, days: int) -> None:
    """Each begins where the one before ends; the first holds `first`, the last `last`."""
    last = first + timedelta(days=days)
    found = list(Periods(kind).between(first, last))  # type: ignore[arg-type]
    assert all(before.end == after.first for before, after in pairwise(found))
    assert found[0].first <= first < found[0].end
    assert found[-1].first <= last < found[-1].end


@given(KINDS, DAYS)
def test_a_day_falls_into_its_period(kind: str, day: date) -> None:
    """And all days of a period fall into the same one."""
    periods = Periods(kind)  # type: ignore[arg-type]
    period = periods.of(day)
    assert period == periods.of(period.first) == periods.of(period.end - timedelta(days=1))
    assert periods.of(period.end) == periods.after(period)


@given(KINDS, DAYS, st.sampled_from(["UTC", "Asia/Shanghai", "America/St_Johns", "Europe/London"]))
def test_instants_fall_into_the_period_of_their_zone(kind: str, day: date, zone: str) -> None:
    """Its first instant belongs to a period, its end to the next."""
    periods = Periods(kind, zone)  # type: ignore[arg-type]
    period = periods.of(day)
    assert periods.of(periods.starts_at(period)) == period
    assert periods.of(periods.ends_at(period)) == periods.after(period)


def test_the_zone_tells_the_month() -> None:
    """Four in the afternoon of the last of January in UTC is February in Shanghai."""
    at = datetime(2026, 1, 31, 16, tzinfo=UTC)
    assert str(Periods("month").of(at)) == "2026-01"
    assert str(Periods("month", "Asia/Shanghai").of(at)) == "2026-02"


@pytest.mark.parametrize(("kind", "text"), [("month", "2026-05"), ("quarter", "2026-Q2"), ("year", "2026")])
def test_the_text_of_a_period_sorts(kind: str, text: str) -> None:
    """It is what files and reports call it."""
    assert str(Periods(kind).of(date(2026, 5, 3))) == text  # type: ignore[arg-type]


def test_the_last_year_has_periods_too() -> None:
    """They end with the calendar."""
    assert Periods("year").of(date(9999, 6, 1)) == Period(date(9999, 1, 1), date.max, "year")
    assert Periods("month").of(date(9999, 6, 1)).end == date(9999, 7, 1)


@pytest.mark.parametrize("kind", ["month", "quarter", "year"])
def test_the_last_period_is_the_last(kind: str) -> None:
    """Nothing comes after it, and its end, the last day of the calendar, lies in none: a sentinel is no sale."""
    periods = Periods(kind)  # type: ignore[arg-type]  # a str of hypothesis
    *_, last = periods.between(date(9998, 1, 1), date(9999, 12, 30))
    assert last == periods.of(date(9999, 12, 30))
    with pytest.raises(OverflowError):
        periods.after(last)
    with pytest.raises(InvalidFact, match="9999-12-31"):
        periods.of(date.max)


def test_a_naive_instant_is_refused() -> None:
    """Its day would be that of the machine."""
    with pytest.raises(NaiveDatetime):
        Periods("month", "Asia/Shanghai").of(datetime(2026, 1, 31, 20))


def test_another_kind_or_zone_is_refused() -> None:
    """With what may be given."""
    with pytest.raises(InvalidPolicy, match="period: 'week' is not one of month, quarter, year"):
        Periods("week")  # type: ignore[arg-type]
    with pytest.raises(InvalidCalendar, match="did you mean 'Asia/Shanghai'"):
        Periods("month", "Asia/Shangai")
