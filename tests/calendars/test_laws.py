"""The laws of every span, over zones with gaps and folds, odd weeks, closures and instants at borders."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calendars.cases import (
    OFFICE,
    TICK,
    ZONES,
    at,
    check_laws,
    held,
    instants,
    specs,
    texts,
)
from crmcore.calendars import EARLIEST, OPEN_ENDED, BusinessCalendar, Span

ALL_UNITS = ("min", "h", "d", "w", "mo", "wd", "wh", "wmin")


@pytest.mark.parametrize("unit", ALL_UNITS)
@settings(max_examples=40)
@given(st.data())
def test_add_never_decreases_and_cutoff_and_sub_are_its_inverses(unit: str, data: st.DataObject) -> None:
    spec = data.draw(specs())
    place = str(spec["zone"])
    span = Span(data.draw(texts(unit))).on(calendar=BusinessCalendar(**spec))
    check_laws(span, data.draw(instants(place)), data.draw(instants(place)))


@pytest.mark.parametrize("unit", ["h", "d", "mo", "wd", "wh"])
@settings(max_examples=20)
@given(st.data())
def test_the_laws_hold_in_a_zone_that_is_not_the_calendars(unit: str, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(ZONES))
    span = Span(data.draw(texts(unit))).on(place, BusinessCalendar(zone="Asia/Shanghai", week=OFFICE))
    check_laws(span, data.draw(instants(place)), data.draw(instants(place)))


@pytest.mark.parametrize("unit", ALL_UNITS)
@settings(max_examples=10)
@given(st.data())
def test_the_quick_ways_say_what_the_slow_ones_say(unit: str, data: st.DataObject) -> None:
    """An instant in another zone takes the slow way."""
    spec = data.draw(specs())
    place = str(spec["zone"])
    span = Span(data.draw(texts(unit))).on(calendar=BusinessCalendar(**spec))
    t = data.draw(instants(place))
    slow = t.astimezone(ZoneInfo("America/New_York"))
    assert [span.add(t), span.cutoff(t), span.sub(t)] == [span.add(slow), span.cutoff(slow), span.sub(slow)]
    assert all(result.tzinfo is UTC for result in (span.add(slow), span.cutoff(slow), span.sub(slow)))


@settings(max_examples=40)
@given(specs(), st.sampled_from(ALL_UNITS).flatmap(texts), st.data())
def test_a_bound_span_is_a_value(spec: dict[str, object], text: str, data: st.DataObject) -> None:
    span = Span(text).on(calendar=BusinessCalendar(**spec))
    same = pickle.loads(pickle.dumps(span))
    t = data.draw(instants(str(spec["zone"])))
    assert same == span == Span(text).on(calendar=BusinessCalendar(**spec))
    assert hash(same) == hash(span)
    assert same.add(t) == span.add(t)


@pytest.mark.parametrize("unit", ALL_UNITS)
def test_the_ends_of_time_hold(unit: str) -> None:
    """A span from the open end is open; beyond the year 9999 is the open end; nothing lies before the year 1."""
    calendar = BusinessCalendar(zone="America/New_York", week=OFFICE)
    span, none = Span(f"9999{unit}").on(calendar=calendar), Span(f"0{unit}").on(calendar=calendar)
    late, early = OPEN_ENDED - timedelta(hours=20), EARLIEST + timedelta(hours=20)
    for each in (span, none):
        assert each.add(OPEN_ENDED) == each.cutoff(OPEN_ENDED) == OPEN_ENDED
        assert each.sub(EARLIEST) == EARLIEST
        for t in (late, early, OPEN_ENDED - TICK, EARLIEST, EARLIEST + TICK):
            assert t <= each.add(t) <= OPEN_ENDED
            assert EARLIEST <= each.cutoff(t) <= t
            assert EARLIEST <= each.sub(t) <= each.add(t)
    assert span.add(late) == OPEN_ENDED
    assert span.cutoff(early) == span.sub(early) == EARLIEST


@pytest.mark.parametrize("place", ["America/New_York", "Asia/Shanghai"])
@pytest.mark.parametrize("unit", ALL_UNITS)
def test_the_law_holds_up_to_the_ends_of_time(unit: str, place: str) -> None:
    span = Span(f"3{unit}").on(calendar=BusinessCalendar(zone=place, week=OFFICE))
    for days in (0, 1, 2, 3, 5, 100):
        late = OPEN_ENDED - timedelta(days=days)
        assert all(held(span, t, late - shift) for t in (span.cutoff(late), late) for shift in (0 * TICK, TICK))
        early = EARLIEST + timedelta(days=days + 100)
        assert held(span, early, early)
        assert held(span, early, span.add(early))


class Broken:
    """What one writes first: aware arithmetic in the local zone."""

    def __init__(self, days: int, place: str) -> None:
        self.step, self.tz = timedelta(days=days), ZoneInfo(place)

    def add(self, t: datetime) -> datetime:
        return (t.astimezone(self.tz) + self.step).astimezone(UTC)

    def cutoff(self, now: datetime) -> datetime:
        return (now.astimezone(self.tz) - self.step).astimezone(UTC)

    def sub(self, t: datetime) -> datetime:
        return self.cutoff(t)


class Clamped(Broken):
    """A month that ends on the last day it has: the 29th, 30th and 31st land on one instant."""

    def add(self, t: datetime) -> datetime:
        return max(t + timedelta(days=28), datetime(2026, 2, 28, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("broken", "t", "other"),
    [
        (Broken(1, "Europe/Berlin"), at("2026-10-24T00:30"), at("2026-10-25T01:15")),  # judged in the second pass
        (Broken(1, "Europe/Berlin"), at("2026-03-28T01:30"), at("2026-03-28T02:00")),  # lands in the gap
        (Broken(1, "Europe/Berlin"), at("2026-10-25T00:45"), at("2026-10-25T01:15")),  # starts in the second pass
        (Clamped(28, "UTC"), at("2026-01-29T12:00"), at("2026-01-30T12:00")),
    ],
)
def test_the_laws_bite(broken: Broken, t: datetime, other: datetime) -> None:
    with pytest.raises(AssertionError):
        check_laws(broken, t, other)
