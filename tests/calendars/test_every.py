"""Recurrences: clamped from the anchor, found without a loop."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import count, islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calendars.cases import TICK, at
from crmcore.calendars import Every
from crmcore.errors import InvalidCalendar, InvalidFact, InvalidSpan, NaiveDatetime

STEPS = ("100d", "26w", "2mo", "3mo", "1y", "4y")


def test_a_month_end_is_held_and_does_not_drift() -> None:
    monthly = Every("1mo", anchor=date(2026, 1, 31))
    assert [monthly.occurrence(n) for n in range(4)] == [
        date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30),
    ]  # fmt: skip


def test_a_leap_day_falls_where_it_is_told() -> None:
    leap = date(2024, 2, 29)
    assert Every("1y", anchor=leap).occurrence(1) == date(2025, 2, 28)
    assert Every("1y", anchor=leap, feb29="1 Mar").occurrence(1) == date(2025, 3, 1)
    assert {Every("4y", anchor=leap, feb29=where).occurrence(1) for where in ("28 Feb", "1 Mar")} == {date(2028, 2, 29)}
    with pytest.raises(InvalidCalendar, match="feb29"):
        Every("1y", anchor=leap, feb29="skip")


@settings(max_examples=50)
@given(
    st.sampled_from(STEPS), st.dates(date(1990, 1, 1), date(2030, 1, 1)), st.dates(date(1980, 1, 1), date(2100, 1, 1))
)
def test_the_search_finds_what_counting_finds(step: str, anchor: date, day: date) -> None:
    every = Every(step, anchor=anchor)
    counted = list(takewhile(lambda each: each < date(2105, 1, 1), map(every.occurrence, count())))
    found, before = every.after(day), every.before(day)
    assert found > day
    assert every.after(day, inclusive=True) in (day, found)
    assert every.before(found) == (every.before(day, inclusive=True) or (None if found == anchor else before))
    assert found == next(each for each in counted if each > day)
    assert before == max((each for each in counted if each < day), default=None)


def test_occurrences_between_are_half_open() -> None:
    every = Every("2w", anchor=date(2026, 1, 5))
    found = list(every.between(date(2026, 1, 19), date(2026, 2, 16)))
    assert found == [date(2026, 1, 19), date(2026, 2, 2)]
    assert list(every.between(date(2025, 1, 1), date(2026, 1, 6))) == [date(2026, 1, 5)]
    assert list(every.between(date(2026, 2, 2), date(2026, 2, 2))) == []


def test_nothing_lies_before_the_anchor_or_after_the_year_9999() -> None:
    every = Every("1y", anchor=date(2026, 1, 5))
    assert every.before(date(2026, 1, 5)) is None
    assert every.before(date(2026, 1, 5), inclusive=True) == date(2026, 1, 5)
    assert every.after(date(1000, 1, 1)) == date(2026, 1, 5)
    assert every.after(date.max) is None
    assert every.before(date.max) == date(9999, 1, 5)
    assert [*every.between(date(9998, 6, 1), date.max)] == [date(9999, 1, 5)]
    assert Every("24h", anchor=at("2026-01-05T00:00")).after(at("9999-12-31T00:00")) is None
    with pytest.raises(InvalidFact, match="n is -1"):
        every.occurrence(-1)


def test_an_instant_keeps_its_wall_clock() -> None:
    daily = Every("1d", anchor=datetime(2026, 3, 28, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")))
    assert [daily.occurrence(n) for n in (0, 1, 2)] == [
        at("2026-03-28T01:30"), at("2026-03-29T01:00"), at("2026-03-30T00:30"),
    ]  # fmt: skip
    assert daily.occurrence(211) == at("2026-10-25T00:30")  # the first pass
    given_zone = Every("1d", anchor=at("2026-03-28T01:30"), zone="Europe/Berlin")
    assert given_zone == daily
    assert daily.after(at("2026-10-24T23:00")) == at("2026-10-25T00:30")
    assert daily.after(at("2026-10-25T00:30") - TICK) == at("2026-10-25T00:30")


def test_hours_are_elapsed() -> None:
    every = Every("8h", anchor=at("2026-03-28T01:30"), zone="Europe/Berlin")
    found = list(islice(every.between(at("2026-03-28T00:00"), at("2027-01-01T00:00")), 10))
    assert {b - a for a, b in pairwise(found)} == {timedelta(hours=8)}
    assert Every("90min", anchor=at("2026-03-28T01:30")).occurrence(2) == at("2026-03-28T04:30")
    assert all(each.tzinfo is UTC for each in found)


@pytest.mark.parametrize("step", ["0d", "3m", "5wd", "-1d", "1 mo", "", None])
def test_what_is_no_recurrence_is_refused(step: object) -> None:
    with pytest.raises(InvalidSpan, match="a recurrence is a number from 1 and a unit"):
        Every(step, anchor=date(2026, 1, 1))


def test_dates_and_instants_are_not_mixed() -> None:
    dates, instants = Every("1d", anchor=date(2026, 1, 1)), Every("1d", anchor=at("2026-01-01T00:00"))
    with pytest.raises(InvalidFact, match="a date"):
        dates.after(at("2026-01-01T00:00"))
    with pytest.raises(InvalidFact, match="a datetime"):
        instants.after(date(2026, 1, 1))
    with pytest.raises(InvalidSpan, match="a date has no clock"):
        Every("8h", anchor=date(2026, 1, 1))
    with pytest.raises(InvalidFact, match="anchor"):
        Every("1d", anchor="2026-01-01")
    with pytest.raises(NaiveDatetime, match="anchor"):
        Every("1d", anchor=datetime(2026, 1, 1))
