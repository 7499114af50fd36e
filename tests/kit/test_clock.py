"""`ManualClock`: the present, as a test says it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from crmcore.calendars import BusinessCalendar, Span
from crmcore.errors import InvalidInput, NaiveDatetime, SpanNeeds
from crmcore.testing import ManualClock

NOON = datetime(2026, 3, 6, 12, tzinfo=UTC)  # a Friday


def test_it_stands_still() -> None:
    """Nothing moves it but what moves it."""
    clock = ManualClock(NOON)
    assert clock.now == clock() == clock.now == NOON
    assert repr(clock) == "ManualClock(2026-03-06T12:00:00+00:00)"


@pytest.mark.parametrize("by", ["36h", Span("36h"), timedelta(hours=36)])
def test_advance(by: str | Span | timedelta) -> None:
    """By a span or a timedelta, and it says where it stands."""
    clock = ManualClock(NOON)
    assert clock.advance(by) == clock.now == NOON + timedelta(hours=36)


def test_days_and_working_days() -> None:
    """Spans that need a zone or a calendar take the clock's."""
    office = BusinessCalendar(zone="UTC", week={day: ["09:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")})
    assert ManualClock(NOON, calendar=office).advance("1wd") == NOON + timedelta(days=3)
    assert ManualClock(NOON.replace(day=28), zone="Europe/Berlin").advance("1d") == NOON.replace(day=29, hour=11)
    with pytest.raises(SpanNeeds):
        ManualClock(NOON).advance("1d")


def test_set() -> None:
    """To any later instant, in UTC; to an earlier one when it is said."""
    clock = ManualClock(NOON)
    assert clock.set(datetime(2026, 3, 6, 20, tzinfo=timezone(timedelta(hours=8)))) == NOON
    with pytest.raises(InvalidInput, match="backwards=True"):
        clock.set(NOON - timedelta(microseconds=1))
    assert clock.set(NOON - timedelta(days=1), backwards=True) == clock.now


def test_never_backwards_by_advance() -> None:
    """Time does not run backwards."""
    with pytest.raises(InvalidInput, match="is earlier"):
        ManualClock(NOON).advance(timedelta(seconds=-1))


def test_aware_only() -> None:
    """A naive instant is refused at the door."""
    with pytest.raises(NaiveDatetime):
        ManualClock(datetime(2026, 3, 6))
    with pytest.raises(NaiveDatetime):
        ManualClock(NOON).set(datetime(2026, 3, 7))
