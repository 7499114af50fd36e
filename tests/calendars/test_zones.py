"""Zones: the four maps between instants and wall clocks."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from dateutil import tz as dateutil_tz
from hypothesis import given, settings
from hypothesis import strategies as st

from calendars.cases import ZONES, at, instants, transitions
from crmcore.calendars import EARLIEST, OPEN_ENDED, Zone, zone
from crmcore.calendars.instants import DAY, HOUR, MINUTE, instant_at, micros
from crmcore.errors import InvalidCalendar

BERLIN = zone("Europe/Berlin")
GAP, FOLD = micros(at("2026-03-29T01:00")), micros(at("2026-10-25T01:00"))


def wall(text: str) -> int:
    return micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


def test_the_second_pass_of_a_fold_counts_as_its_end() -> None:
    assert BERLIN.wall(FOLD - 1) == wall("2026-10-25T03:00") - 1
    assert BERLIN.wall(FOLD) == BERLIN.wall(FOLD + 15 * MINUTE) == BERLIN.wall(FOLD + HOUR) == wall("2026-10-25T03:00")
    assert BERLIN.wall_floor(FOLD + 15 * MINUTE) == wall("2026-10-25T03:00") - 1
    assert BERLIN.wall_floor(FOLD + HOUR) == wall("2026-10-25T03:00")


def test_an_ambiguous_clock_is_its_first_pass() -> None:
    assert BERLIN.instant(wall("2026-10-25T02:15")) == FOLD - 45 * MINUTE
    assert BERLIN.instant(wall("2026-10-25T03:00")) == FOLD + HOUR
    assert BERLIN.instant_floor(wall("2026-10-25T03:00")) == FOLD + HOUR
    assert BERLIN.instant_floor(wall("2026-10-25T03:00") - 1) == FOLD - 1


def test_a_clock_inside_a_gap_is_the_gaps_end() -> None:
    assert BERLIN.instant(wall("2026-03-29T02:00")) == BERLIN.instant(wall("2026-03-29T02:59")) == GAP
    assert BERLIN.instant_floor(wall("2026-03-29T02:30")) == GAP - 1
    assert BERLIN.instant_floor(wall("2026-03-29T03:00")) == GAP


def test_a_lost_day_is_a_gap() -> None:
    """Samoa had no 30 December 2011."""
    apia = zone("Pacific/Apia")
    assert apia.instant(wall("2011-12-30T12:00")) == micros(at("2011-12-30T10:00"))


@settings(max_examples=150)
@given(st.sampled_from(ZONES), st.data())
def test_each_map_never_decreases_and_has_its_floor(place: str, data: st.DataObject) -> None:
    here = zone(place)
    t, other = micros(data.draw(instants(place))), micros(data.draw(instants(place)))
    clock = other + here.offset(other) + data.draw(st.integers(-90, 90)) * MINUTE
    low, high = sorted((t, t + data.draw(st.integers(-90, 90)) * MINUTE))
    for maps in (here.wall, here.wall_floor, here.instant, here.instant_floor):
        assert maps(low) <= maps(high)
    for w in (clock, here.wall(t), here.wall_floor(t), here.wall_floor(t) + 1):
        assert (here.instant(w) <= t) == (w <= here.wall_floor(t))
    for s in (t, here.instant(clock), here.instant_floor(clock), here.instant_floor(clock) + 1):
        assert (here.wall(s) <= clock) == (s <= here.instant_floor(clock))


@settings(max_examples=100)
@given(st.sampled_from(ZONES), st.data())
def test_offsets_are_those_of_the_zone(place: str, data: st.DataObject) -> None:
    t = data.draw(instants(place))
    assert zone(place).offset(micros(t)) == t.astimezone(ZoneInfo(place)).utcoffset() / timedelta(microseconds=1)


@pytest.mark.parametrize("place", ZONES)
def test_stretches_lie_end_to_end(place: str) -> None:
    found = list(zone(place).stretches(micros(at("2008-01-01T00:00")), micros(at("2031-01-01T00:00"))))
    assert all(a[1] == b[0] and a[2] != b[2] for a, b in pairwise(found))
    assert len(transitions(place)) <= len(found)


def test_a_day_may_hold_two_transitions() -> None:
    class Twice(tzinfo):
        """An hour ahead from 06:00, two hours from 09:00."""

        def fromutc(self, t: datetime) -> datetime:
            steps = (datetime(2026, 5, 5, 6), datetime(2026, 5, 5, 9))
            return t + timedelta(hours=sum(t.replace(tzinfo=None) >= step for step in steps))

        def utcoffset(self, _: datetime | None) -> timedelta:
            return timedelta(0)

    here = zone(Twice())
    stretches = list(here.stretches(micros(at("2026-05-04T00:00")), micros(at("2026-05-07T00:00"))))
    assert [offset for _, _, offset in stretches] == [0, HOUR, 2 * HOUR]
    assert stretches[1][:2] == (micros(at("2026-05-05T06:00")), micros(at("2026-05-05T09:00")))


def test_the_ends_of_time_do_not_overflow() -> None:
    for place in ZONES:
        for t in (micros(EARLIEST), micros(OPEN_ENDED)):
            here = zone(place)
            for shift in (-3 * DAY, 0, 3 * DAY):
                assert abs(here.wall(t + shift) - t - shift) < DAY
                assert abs(here.instant(t + shift) - t - shift) < DAY
            assert isinstance(here.local(instant_at(t)), datetime)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("Asia/Shanghai", "Asia/Shanghai"),
        (ZoneInfo("Asia/Shanghai"), "Asia/Shanghai"),
        (UTC, "UTC"),
        (timezone(timedelta(hours=8)), "UTC+08:00"),
        (dateutil_tz.tzoffset("east", 3600), "tzoffset('east', 3600)"),
    ],
)
def test_a_zone_may_be_given_in_several_ways(value: object, key: str) -> None:
    found = zone(value)
    assert str(found) == found.key == key
    assert zone(found) is found
    assert pickle.loads(pickle.dumps(found)) == found == zone(value)
    assert hash(found) == hash(zone(value))
    assert found != key
    assert repr(found) == f"Zone({key!r})"


def test_zones_of_one_name_are_one() -> None:
    assert zone("Europe/Berlin") is zone(ZoneInfo("Europe/Berlin"))
    assert zone("Europe/Berlin") != zone("Europe/Paris")
    assert isinstance(BERLIN, Zone)


def test_a_zone_of_dateutil_says_the_same() -> None:
    found = zone(dateutil_tz.gettz("Europe/Berlin"))
    assert [found.offset(GAP - 1), found.offset(GAP), found.offset(FOLD - 1), found.offset(FOLD)] == [
        HOUR, 2 * HOUR, 2 * HOUR, HOUR,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("Asia/Shangai", "did you mean 'Asia/Shanghai'?"),
        ("europe/berln", "did you mean 'Europe/Berlin'?"),
        ("qqqqqqqq", 'such as "Asia/Shanghai"'),
        ("", "a known time zone"),
        ("../etc/passwd", "a known time zone"),
        (8, 'a time zone such as "Asia/Shanghai"'),
    ],
)
def test_an_unknown_zone_is_refused(value: object, said: str) -> None:
    with pytest.raises(InvalidCalendar) as error:
        zone(value)
    assert error.value.key == "zone"
    assert said in str(error.value)
