"""
Holiday dates from the libraries that keep them: "chinesecalendar", "holidays:CN", "holidays:DE", "holidays:DE-BY".

The years are fixed, never those of today, so that the same library gives the same dates. `known_through` is the last
day for which they are announced: later ones that a library computes without make-up days are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

import attrs

from crmcore.errors import InvalidCalendar, MissingExtra

__all__ = ["HolidayDates", "load"]

FIRST_YEAR: Final = 2010
LAST_YEAR: Final = 2040
KINDS: Final = ("chinesecalendar", "holidays")
EXPECTED: Final = 'an importer: "chinesecalendar", "holidays:CN", "holidays:DE" or "holidays:DE-BY"'


def _frozen(names: Mapping[date, str]) -> Mapping[date, str]:
    return MappingProxyType(dict(names))


@attrs.frozen(kw_only=True)
class HolidayDates:
    """Dates from one source: free days with their names, free days of the week that are worked, and until when."""

    closed: Mapping[date, str] = attrs.field(converter=_frozen, hash=False)
    make_up: frozenset[date]
    known_through: date
    source: str

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (dict(self.closed), self.make_up, self.known_through, self.source)


def _rebuilt(closed: dict[date, str], make_up: frozenset[date], known_through: date, source: str) -> HolidayDates:
    return HolidayDates(closed=closed, make_up=make_up, known_through=known_through, source=source)


def load(source: str) -> HolidayDates:
    """The dates of a source."""
    kind, _, place = source.partition(":") if isinstance(source, str) else ("", "", "")
    if kind == "chinesecalendar" and not place:
        return _chinesecalendar()
    if kind == "holidays" and place:
        country, _, subdivision = place.partition("-")
        return _holidays(source, country, subdivision or None)
    close = get_close_matches(kind, KINDS, n=1)
    raise InvalidCalendar("holidays", source, f"{EXPECTED}{_meant(close)}")


def _chinesecalendar() -> HolidayDates:
    try:
        from chinese_calendar import constants
    except ImportError as error:
        raise MissingExtra("chinesecalendar", "calendars", 'holidays = "chinesecalendar"') from error
    last = max(*constants.holidays, *constants.workdays).year
    return HolidayDates(
        closed=constants.holidays,
        make_up=frozenset(constants.workdays),
        known_through=date(last, 12, 31),
        source="chinesecalendar",
    )


def _holidays(source: str, country: str, subdivision: str | None) -> HolidayDates:
    try:
        import holidays
    except ImportError as error:
        raise MissingExtra("holidays", "calendars", f'holidays = "{source}"') from error
    known = holidays.list_supported_countries(include_aliases=True)
    if country not in known:
        raise InvalidCalendar("holidays", source, f"a country it covers{_close(country, known)}")
    if subdivision is not None and subdivision not in known[country]:
        close = _close(subdivision, known[country], prefix=f"{country}-")
        raise InvalidCalendar("holidays", source, f"a subdivision of {country}{close}")
    found = holidays.country_holidays(country, subdiv=subdivision, years=range(FIRST_YEAR, LAST_YEAR + 1))
    make_up = frozenset(day for day in found.weekend_workdays if day.year >= FIRST_YEAR)
    # A country that has make-up days announces each year: without them its later years are a guess.
    last = max((day.year for day in make_up), default=min(LAST_YEAR, found.end_year))
    return HolidayDates(
        closed={day: name for day, name in sorted(found.items()) if FIRST_YEAR <= day.year <= last},
        make_up=make_up,
        known_through=date(last, 12, 31),
        source=source,
    )


def _close(word: str, known: Mapping[str, object] | list[str], prefix: str = "") -> str:
    return _meant([prefix + each for each in get_close_matches(word.upper(), known, n=1)])


def _meant(close: list[str]) -> str:
    return f"; did you mean {close[0]!r}?" if close else ""
