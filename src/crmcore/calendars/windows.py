"""
Windows of a day: "09:00-18:00", "22:00-06:00" (belongs to the day it starts on), "18:00-24:00".

Half-open, in minutes since 00:00 of the start day, at most a day long. Weeks are seven such days.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from difflib import get_close_matches
from typing import Final

import attrs

from crmcore.calendars.instants import MINUTE
from crmcore.errors import InvalidCalendar

__all__ = ["WEEKDAYS", "Window"]

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WHOLE_DAY: Final = 24 * 60
CLOCKS: Final = re.compile(r"([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])", re.ASCII)
EXPECTED: Final = 'a window such as "09:00-18:00", "22:00-06:00" or "18:00-24:00"'


@attrs.frozen(order=True)
class Window:
    """Open from `start` until before `end`, in minutes since 00:00 of the day it starts on."""

    start: int
    end: int

    def __str__(self) -> str:
        # A night shift ends on the clock of the next day; what lasts a day or more cannot be said so: 08:00-32:00.
        night = WHOLE_DAY < self.end < self.start + WHOLE_DAY
        return f"{_clock(self.start)}-{_clock(self.end - WHOLE_DAY * night)}"

    @property
    def micros(self) -> tuple[int, int]:
        """Start and end in microseconds."""
        return self.start * MINUTE, self.end * MINUTE


Windows = tuple[Window, ...]
Week = tuple[Windows, Windows, Windows, Windows, Windows, Windows, Windows]
CLOSED_WEEK: Final[Week] = ((), (), (), (), (), (), ())


def window(value: str | Window, key: str) -> Window:
    """Read one window; `key` is its place."""
    if isinstance(value, Window):
        found = value
    else:
        match = CLOCKS.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise InvalidCalendar(key, value, EXPECTED)
        hours, minutes, end_hours, end_minutes = map(int, match.groups())
        start, end = hours * 60 + minutes, end_hours * 60 + end_minutes
        found = Window(start, end + WHOLE_DAY if end < start else end)
    if not (0 <= found.start < WHOLE_DAY and found.start < found.end <= 2 * WHOLE_DAY):
        raise InvalidCalendar(key, str(value), f"{EXPECTED}, with an end that differs from its start")
    return found


def windows(values: Iterable[str | Window], key: str) -> Windows:
    """The windows of one day in order, those that overlap or touch made one."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InvalidCalendar(key, values, 'a list of windows such as ["09:00-12:00", "13:00-18:00"]')
    merged: list[Window] = []
    for found in sorted(window(value, f"{key}[{i}]") for i, value in enumerate(values)):
        if merged and found.start <= merged[-1].end:
            merged[-1] = Window(merged[-1].start, max(merged[-1].end, found.end))
        else:
            merged.append(found)
    return tuple(merged)


def week(value: Mapping[str, Iterable[str | Window]] | Week, key: str) -> Week:
    """The windows of mon to sun; a day that is not written is closed."""
    if isinstance(value, tuple):
        value = dict(zip(WEEKDAYS, value, strict=False))
    if not isinstance(value, Mapping):
        raise InvalidCalendar(key, value, 'a table of weekdays such as {mon = ["09:00-18:00"]}')
    for day in value:
        if day not in WEEKDAYS:
            close = get_close_matches(str(day).lower()[:3], WEEKDAYS, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise InvalidCalendar(f"{key}.{day}", day, f"a weekday: {' '.join(WEEKDAYS)}{hint}")
    mon, tue, wed, thu, fri, sat, sun = (windows(value.get(day, ()), f"{key}.{day}") for day in WEEKDAYS)
    return mon, tue, wed, thu, fri, sat, sun


def written(found: Week) -> dict[str, list[str]]:
    """A week as it would be written; `week` reads it back."""
    return {day: [str(each) for each in found[i]] for i, day in enumerate(WEEKDAYS) if found[i]}


def day(value: str | date, key: str) -> date:
    """A date, given as one or as "2026-10-01"."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) else _refuse(key, value)
    except ValueError:
        return _refuse(key, value)


def _refuse(key: str, value: object) -> date:
    raise InvalidCalendar(key, value, 'a date such as "2026-10-01"')


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def first_written(found: Sequence[Windows]) -> Windows:
    """The windows of the first weekday that has any."""
    return next(filter(None, found), ())
