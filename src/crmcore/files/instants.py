"""
Text to instants: ISO 8601, then the formats that a map names, never guessed; in UTC at once.

A column holds few distinct days, so the shift from a zone's wall clock to UTC is looked up once per day
and the rest is arithmetic; days on which the clocks change take the slow path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from crmcore.calendars.instants import instant_at, micros, to_utc
from crmcore.calendars.zones import zone as compiled

__all__ = ["BLANK", "Refusal", "bulk_parser", "instant_parser", "plain_day", "wall_to_utc"]

_DAY: Final = timedelta(days=1)
_FIRST_DAY: Final = datetime(1, 1, 3)  # noqa: DTZ001  # a wall clock
_LAST_DAY: Final = datetime(9999, 12, 29)  # noqa: DTZ001  # a wall clock
_DAYS_KEPT: Final = 40_000
_SEPARATORS: Final = ("", "T", " ")
_ISO: Final = "write it as 2026-03-31, 2026-03-31 14:30 or 2026-03-31T14:30:00+08:00"
_DAYS: Final = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y-%m-%d", "%Y.%m.%d", "%d-%m-%Y", "%m-%d-%Y")
_SHORT: Final = ("%d.%m.%y", "%d/%m/%y", "%m/%d/%y")
_NAMED: Final = ("%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%b %d %Y", "%d %B %Y", "%B %d, %Y")
_TIMES: Final = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_OFTEN: Final = (
    *(day + time for time in _TIMES for day in (*_DAYS, *_SHORT, *_NAMED)),
    *("%Y年%m月%d日" + time for time in _TIMES[:3]),
)
_PARTS: Final = {"%Y": r"\d{4}", "%b": "[A-Za-z]{3}", "%B": "[A-Za-z]{3,9}", "%p": "[AaPp][Mm]", "%y": r"\d\d"}


def _shape(form: str) -> re.Pattern[str]:
    pieces = re.split(r"(%\w)", form)
    return re.compile("".join(_PARTS.get(each, r"\d\d?") if each[:1] == "%" else re.escape(each) for each in pieces))


class Refusal(NamedTuple):
    """Why a cell has no value, and what to do."""

    problem: str
    remedy: str
    once: bool = False
    """Whether all cells of this text are told as one fault."""


BLANK: Final = Refusal("is blank", 'add "" to [values] missing or to [values] unknown')
"""The refusal of a cell with nothing in it that the map does not call missing or unknown."""


def wall_to_utc(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a naive wall clock: inside a gap the gap's end, where it passes twice the first pass."""
    return instant_at(compiled(zone).instant(micros(wall.replace(tzinfo=UTC))))


def instant_parser(zone: ZoneInfo, formats: tuple[str, ...]) -> Callable[[str], datetime | Refusal]:
    """A function from text to an aware UTC instant, or the reason why the text is none."""
    days: dict[str, tuple[datetime, datetime] | None] = {}
    iso = datetime.fromisoformat

    def parse(text: str) -> datetime | Refusal:
        try:
            stamp = iso(text)
            # fromisoformat takes any separator: the zone of "2026-01-01+08:00" must not become a time of day.
            if text[10:11] not in _SEPARATORS and text[8] not in _SEPARATORS:
                return _with_formats(text, zone, formats)
            if stamp.tzinfo is not None:
                return to_utc(stamp)
            key = text[:10]  # it holds the whole date, however that is written
            try:
                day = days[key]
            except KeyError:
                if len(days) >= _DAYS_KEPT:
                    days.clear()
                day = days[key] = plain_day(stamp.date(), zone)
            return wall_to_utc(stamp, zone) if day is None else day[1] + (stamp - day[0])
        except ValueError:
            return _with_formats(text, zone, formats)

    return parse


class _Days(dict[str, tuple[datetime, datetime] | None]):
    """Date and separator → midnight as wall clock and as instant; None for a day on which the clocks change."""

    def __init__(self, zone: ZoneInfo) -> None:
        super().__init__()
        self._zone = zone

    def __missing__(self, key: str) -> tuple[datetime, datetime] | None:
        plain = plain_day(date.fromisoformat(key[:10]), self._zone)
        if key[10:] not in _SEPARATORS:
            raise ValueError(key)
        if len(self) >= _DAYS_KEPT:
            self.clear()
        self[key] = plain
        return plain


def bulk_parser(zone: ZoneInfo) -> Callable[[Sequence[str]], list[datetime]]:
    """
    `instant_parser` for many cells that are hardly ever the same, in a third of its time.

    Raises ValueError or TypeError where one of them is anything but a naive ISO stamp.
    """
    days = _Days(zone)
    iso = datetime.fromisoformat

    def parse(cells: Sequence[str]) -> list[datetime]:
        stamps = list(map(iso, cells))
        dated = zip(stamps, map(days.__getitem__, [cell[:11] for cell in cells]), strict=True)
        return [day[1] + (stamp - day[0]) if day else _odd(stamp, zone) for stamp, day in dated]

    return parse


def _odd(stamp: datetime, zone: ZoneInfo) -> datetime:
    return to_utc(stamp) if stamp.tzinfo else wall_to_utc(stamp, zone)


def plain_day(day: date, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """Midnight as wall clock and as instant; None where the clocks change on that day, or time ends."""
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001  # a wall clock
    if not _FIRST_DAY < midnight < _LAST_DAY:
        return None
    start = wall_to_utc(midnight, zone)
    return (midnight, start) if wall_to_utc(midnight + _DAY, zone) - start == _DAY else None


def _with_formats(text: str, zone: ZoneInfo, formats: tuple[str, ...]) -> datetime | Refusal:
    if not text:
        return BLANK
    for form in formats:
        stamp = _stripped(text, form)
        if stamp is not None:
            return _odd(stamp, zone)
    return Refusal("is no date that the map knows", _remedy(text))


def _stripped(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)  # noqa: DTZ007  # a wall clock, unless the format has %z
    except (ValueError, OverflowError):
        return None


@cache
def _shapes() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((form, _shape(form)) for form in _OFTEN)


@lru_cache(maxsize=1024)
def _remedy(text: str) -> str:
    # strptime is slow to refuse: only forms of the text's shape are tried.
    if fitting := [form for form, shape in _shapes() if shape.fullmatch(text) and _stripped(text, form)]:
        return "add " + " or ".join(f'"{form}"' for form in fitting) + " to [time] formats"
    if text.isdecimal():
        return f"format the column as a date before the export, or {_ISO}"
    return f"{_ISO}, or add its form to [time] formats"
