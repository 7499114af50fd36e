"""Every answer against oracles that share no code: minute stepping over ZoneInfo, and workclock where it can say it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from calendars.cases import MINUTE, WEEKDAYS, WINDOWS, ZONES, Oracle, instants, minutes, specs
from crmcore.calendars import BusinessCalendar

DAY = timedelta(days=1)


def on_the_minute(t: datetime) -> datetime:
    return t.replace(second=0, microsecond=0)


@st.composite
def cases(draw: st.DrawFn) -> tuple[BusinessCalendar, Oracle, datetime]:
    spec = draw(specs())
    return BusinessCalendar(**spec), Oracle(spec), on_the_minute(draw(instants(str(spec["zone"]))))


@settings(max_examples=40)
@given(cases(), st.integers(1, 4000))
def test_working_time_is_that_of_stepping_minutes(case: tuple[Any, ...], length: int) -> None:
    calendar, oracle, t = case
    end = t + length * MINUTE
    expected = oracle.between(t, end)
    assert calendar.between(t, end) == expected == -calendar.between(end, t)
    assert calendar.worked(end) - calendar.worked(t) == expected


@settings(max_examples=40)
@given(cases(), st.integers(0, 900))
def test_adding_is_stepping_minutes(case: tuple[Any, ...], amount: int) -> None:
    calendar, oracle, t = case
    expected = oracle.add(t, amount * MINUTE, patience=6 * 1440)
    if expected is None:
        assert calendar.add(t, f"{amount}wmin") >= t + 6 * DAY
    else:
        assert calendar.add(t, f"{amount}wmin") == expected


@settings(max_examples=40)
@given(cases())
def test_open_is_what_the_minute_says(case: tuple[Any, ...]) -> None:
    calendar, oracle, t = case
    for step in range(-120, 120, 15):
        assert calendar.is_open(t + step * MINUTE) == oracle.is_open(t + step * MINUTE)
    opens = calendar.next_open(t)
    closes = calendar.next_close(t)
    assert oracle.is_open(opens)
    assert not any(oracle.is_open(t + i * MINUTE) for i in range(min(int((opens - t) / MINUTE), 1500)))
    assert closes.year > 9000 or (not oracle.is_open(closes) and oracle.is_open(closes - MINUTE))
    assert closes > opens >= t


@settings(max_examples=60)
@given(cases(), st.integers(0, 40))
def test_days_months_and_working_days_are_those_of_the_wall_clock(case: tuple[Any, ...], count: int) -> None:
    calendar, oracle, t = case
    assert calendar.add(t, f"{count}d") == oracle.add_days(t, count)
    assert calendar.add(t, f"{count}w") == oracle.add_days(t, 7 * count)
    assert calendar.add(t, f"{count}mo") == oracle.add_months(t, count)
    assert calendar.add(t, f"{count}wd") == oracle.add_working_days(t, count)


@settings(max_examples=40)
@given(specs(), st.dates(date(2010, 1, 1), date(2027, 12, 1)))
def test_windows_and_working_days_are_those_of_the_arguments(spec: dict[str, Any], day: date) -> None:
    calendar, oracle = BusinessCalendar(**spec), Oracle(spec)
    expected = {minute for start, end in oracle.windows(day) for minute in range(start, end)}
    assert {minute for each in calendar.windows(day) for minute in range(each.start, each.end)} == expected
    assert calendar.working_day(day) == bool(expected)


@settings(max_examples=40)
@given(st.data())
def test_workclock_agrees(data: st.DataObject) -> None:
    workclock = pytest.importorskip("workclock")
    # It maps a window's two ends to instants, so an hour that comes twice differs where a window ends in it.
    places = tuple(place for place in ZONES if place != "America/St_Johns")  # at midnight until 2011
    spec = {**data.draw(specs(places=places, hours=WINDOWS)), "open": {}, "hours": [], "whole_shifts": False}
    closed, week = spec["closed"], spec["week"]
    # Its night shift into the day after a closed date keeps its end; ours does not start.
    assume(not closed or all(end <= 1440 for texts in week.values() for _, end in map(minutes, texts)))
    rules = [
        workclock.WorkDay(time(start // 60, start % 60), time(end // 60 % 24, end % 60), [WEEKDAYS.index(day)])
        for day, texts in week.items()
        for start, end in map(minutes, texts)
    ]
    schedule = workclock.Schedule([*rules, workclock.Holidays(closed)], time_zone=spec["zone"])
    calendar = BusinessCalendar(**spec)
    t, other = (data.draw(instants(spec["zone"])) for _ in range(2))
    amount = data.draw(st.integers(0, 20_000))
    assert calendar.between(t, other) == schedule.between(t, other)
    assert calendar.add(t, f"{amount}wmin") == schedule.add(t, minutes=amount)


def test_the_oracle_knows_a_fold() -> None:
    """02:00-03:00 of the night the clocks go back lasts two hours."""
    spec = {"zone": "Europe/Berlin", "week": {"sun": ("02:00-03:00",)}, "closed": [], "open": {}, "hours": []}
    start = datetime(2026, 10, 25, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    assert Oracle({**spec, "whole_shifts": False}).between(start, start + DAY) == timedelta(hours=2)
