"""Strategies for time: zones, instants weighted to borders, spans, business calendars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from crmcore.calendars import EARLIEST, OPEN_ENDED, BusinessCalendar, Span, zone

__all__ = ["calendars", "instants", "nudged", "spans", "zones"]

T = TypeVar("T")

ZONES: Final = (
    "UTC",
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "Africa/Cairo",  # its gap and its fold touch midnight
    "Australia/Lord_Howe",  # half an hour of daylight saving
    "Asia/Kathmandu",  # a quarter of an hour off
)
EARLY: Final = datetime(2023, 1, 1, tzinfo=UTC)
LATE: Final = datetime(2027, 12, 31, tzinfo=UTC)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
STEPS: Final = (timedelta(0), timedelta(microseconds=-1), timedelta(microseconds=1))
MOST: Final = {"min": 9_000, "h": 400, "d": 60, "w": 8, "mo": 5, "wd": 40, "wh": 160, "wmin": 6_000}
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
USUAL: Final = ("09:00-12:00", "13:00-18:00", "09:00-18:00", "22:00-06:00", "18:00-24:00", "00:00-24:00", "02:15-02:45")


def zones(*, names: Iterable[str] = ZONES) -> SearchStrategy[str]:
    """Names of zones; by default with gaps and folds at night and at midnight, odd offsets, and none of it."""
    return st.sampled_from(tuple(names))


def nudged(instants: SearchStrategy[datetime]) -> SearchStrategy[datetime]:
    """The instants, and those one microsecond before and after."""
    return st.builds(nudge, instants, st.sampled_from(STEPS))


def nudge(at: datetime, by: timedelta) -> datetime:
    """The instant moved, held inside the years 1 to 9999."""
    return at if at in (EARLIEST, OPEN_ENDED) else at + by


@lru_cache(maxsize=256)
def index(count: int) -> SearchStrategy[int]:
    """Numbers below `count`; kept, for Hypothesis takes longer to make a strategy than to draw from it."""
    return st.integers(0, count - 1)


def pick(draw: DrawFn, options: Sequence[T]) -> T:
    """One of the options; what ``st.sampled_from`` does, without making it anew."""
    return options[draw(index(len(options)))]


@st.composite
def instants(
    draw: DrawFn,
    *,
    near: Iterable[datetime] = (),
    zone: str = "",
    earliest: datetime = EARLY,
    latest: datetime = LATE,
) -> datetime:
    """
    Instants in UTC, most of them on a border or one microsecond beside it.

    Borders are `near` (which may lie outside the range), the gaps and folds, midnights and month ends of `zone`, by
    default of any of `zones()`.
    """
    points = tuple(near)
    if bool(points) and draw(index(3)):
        return nudge(pick(draw, points), pick(draw, STEPS))
    return draw(_plain_instants(zone, earliest, latest))


@lru_cache(maxsize=64)
def _plain_instants(zone: str, earliest: datetime, latest: datetime) -> SearchStrategy[datetime]:
    names = (zone,) if zone else ZONES
    anywhere = st.datetimes(earliest.replace(tzinfo=None), latest.replace(tzinfo=None), timezones=st.just(UTC))
    turns = tuple(at for name in names for at in transitions(name, earliest, latest))
    days = st.dates(earliest.date(), latest.date())
    local = st.builds(midnight, st.one_of(days, days.map(first_of_month)), st.sampled_from(names))
    return st.one_of(nudged(local), anywhere, *([nudged(st.sampled_from(turns))] if turns else []))


def midnight(day: date, zone: str) -> datetime:
    """The first instant of a date in a zone."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def first_of_month(day: date) -> date:
    """The date on which the month of `day` begins."""
    return day.replace(day=1)


@lru_cache(maxsize=256)
def transitions(name: str, earliest: datetime = EARLY, latest: datetime = LATE) -> tuple[datetime, ...]:
    """The instants at which the zone's offset changes, in [earliest, latest]."""
    low, high = ((at - EPOCH) // timedelta(microseconds=1) for at in (earliest, latest))
    offsets = [(start, offset) for start, _, offset in zone(name).stretches(low, high)]
    return tuple(EPOCH + timedelta(microseconds=at) for (_, a), (at, b) in pairwise(offsets) if a != b)


@st.composite
def spans(draw: DrawFn, *, units: Iterable[str] = tuple(MOST), at_least: int = 1, at_most: int | None = None) -> Span:
    """Spans in the `units`, from `at_least` of a unit to `at_most`, by default some weeks or months."""
    unit = pick(draw, tuple(units))
    return Span(f"{draw(_counts(at_least, MOST[unit] if at_most is None else at_most))}{unit}")


@lru_cache(maxsize=256)
def _counts(low: int, high: int) -> SearchStrategy[int]:
    return st.integers(low, high)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@st.composite
def _windows(draw: DrawFn) -> list[str]:
    if draw(index(3)):
        return [pick(draw, USUAL) for _ in range(1 + draw(index(2)))]
    start, length = draw(index(24 * 60)), 1 + draw(index(24 * 60 - 1))
    return [f"{_clock(start)}-{_clock((start + length) % (24 * 60))}"]


@st.composite
def _weeks(draw: DrawFn) -> dict[str, list[str]]:
    if draw(index(2)):
        return dict.fromkeys(DAYS[:5], draw(_WINDOWS))
    return draw(_ODD_WEEKS)


_WINDOWS: Final = _windows()
_ODD_WEEKS: Final = st.dictionaries(st.sampled_from(DAYS), _WINDOWS, min_size=1, max_size=6)
_WEEKS: Final = _weeks()


@st.composite
def calendars(
    draw: DrawFn,
    *,
    zones: SearchStrategy[str] | None = None,
    names: SearchStrategy[str] | None = None,
    earliest: datetime = EARLY,
    latest: datetime = LATE,
) -> BusinessCalendar:
    """Business calendars: split and overnight windows, closures, make-up days, hours that change, `known_through`."""
    days = _days(earliest.date(), latest.date())
    changes = sorted({draw(days) for _ in range(draw(index(3)))})
    parts: dict[str, Any] = {
        "closed": [_range(draw(days), draw(index(10))) for _ in range(draw(index(5)))],
        "open": {draw(days): draw(_WINDOWS) for _ in range(draw(index(4)))},
        "hours": [{"from": day, "week": draw(_WEEKS)} for day in changes],
        "known_through": draw(days) if draw(index(2)) else None,
        "whole_shifts": bool(draw(index(2))),
    }
    name = "office" if names is None else draw(names)
    where = pick(draw, ZONES) if zones is None else draw(zones)
    return BusinessCalendar(zone=where, week=draw(_WEEKS), name=name, **parts)


@lru_cache(maxsize=64)
def _days(first: date, last: date) -> SearchStrategy[date]:
    return st.dates(first, last)


def _range(day: date, length: int) -> str:
    return f"{day.isoformat()}/{(day + timedelta(days=length)).isoformat()}" if length else day.isoformat()
