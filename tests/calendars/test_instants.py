"""Instants at the door."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from crmcore import calendars
from crmcore.calendars import EARLIEST, OPEN_ENDED, to_utc
from crmcore.calendars.instants import day_of, day_start, instant_at, micros, year_start
from crmcore.errors import InvalidFact, NaiveDatetime


class Nowhere(tzinfo):
    def utcoffset(self, _: datetime | None) -> None:
        return None


def test_an_instant_in_utc_is_returned_as_it_is() -> None:
    t = datetime(2026, 1, 1, tzinfo=UTC)
    assert to_utc(t) is t


def test_an_instant_elsewhere_becomes_utc() -> None:
    t = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    assert (to_utc(t), to_utc(t).tzinfo) == (datetime(2026, 7, 1, 10, tzinfo=UTC), UTC)


@pytest.mark.parametrize("value", [datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=Nowhere())])
def test_a_naive_instant_is_refused_by_name_and_id(value: datetime) -> None:
    with pytest.raises(NaiveDatetime, match="last_contact_at of 'L-7'"):
        to_utc(value, "last_contact_at", "L-7")


@pytest.mark.parametrize("value", [None, "2026-01-01", date(2026, 1, 1), 0])
def test_what_is_no_instant_is_refused(value: object) -> None:
    with pytest.raises(InvalidFact, match=r"assigned_at is .*; expected an aware datetime"):
        to_utc(value, "assigned_at")


def test_the_ends_of_time_are_not_left() -> None:
    west, east = timezone(timedelta(hours=-5)), timezone(timedelta(hours=5))
    assert to_utc(datetime.max.replace(tzinfo=west)) == OPEN_ENDED
    assert to_utc(datetime.min.replace(tzinfo=east)) == EARLIEST
    assert instant_at(micros(OPEN_ENDED) + 1) == OPEN_ENDED
    assert instant_at(micros(EARLIEST) - 1) == EARLIEST
    assert year_start(10_000) == micros(OPEN_ENDED) + 1
    assert day_of(day_start(date.min) - 1) == date.min


def test_microseconds_come_back() -> None:
    for t in (EARLIEST, OPEN_ENDED, datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)):
        assert instant_at(micros(t)) == t


def test_all_is_exactly_what_is_public() -> None:
    modules = type(calendars)
    public = {name for name, value in vars(calendars).items() if name[0] != "_" and not isinstance(value, modules)}
    assert set(calendars.__all__) == public
