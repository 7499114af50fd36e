"""
Instants: aware datetimes in UTC, and the same as whole microseconds since 1970.

A datetime is what comes and goes at the door; inside, an instant is an `int` (as is a wall clock), which neither
overflows nor knows a fold. `instant_at` brings it back, held inside the years 1 to 9999.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

from crmcore.errors import InvalidFact, NaiveDatetime

__all__ = ["EARLIEST", "OPEN_ENDED", "to_utc"]

OPEN_ENDED: Final = datetime.max.replace(tzinfo=UTC)
"""The instant that never comes: of a protection without an end, of a deadline beyond the year 9999."""
EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
"""The first instant that a datetime can say, in UTC."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY: Final = date(1970, 1, 1).toordinal()

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
MIDDLE_YEAR: Final = 5000


def to_utc(value: datetime, name: str = "instant", id: object = None) -> datetime:
    """The same instant in UTC; an error names what came instead by `name` and `id`. Held inside the years 1 to 9999."""
    if not isinstance(value, datetime):
        raise InvalidFact(name, value, "an aware datetime", id)
    if value.tzinfo is UTC:
        return value
    if value.tzinfo is None or value.utcoffset() is None:
        raise NaiveDatetime(name, value, id)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return OPEN_ENDED if value.year > MIDDLE_YEAR else EARLIEST


def micros(instant: datetime) -> int:
    """Microseconds since 1970 of an instant in UTC."""
    gap = instant - EPOCH
    return (gap.days * 86_400 + gap.seconds) * SECOND + gap.microseconds


FIRST: Final = micros(EARLIEST)
LAST: Final = micros(OPEN_ENDED)


def instant_at(us: int) -> datetime:
    """The instant at so many microseconds since 1970, or the end of time that lies nearest."""
    if us >= LAST:
        return OPEN_ENDED
    if us <= FIRST:
        return EARLIEST
    return EPOCH + timedelta(microseconds=us)


def day_start(day: date) -> int:
    """The wall clock 00:00 of a date."""
    return (day.toordinal() - EPOCH_DAY) * DAY


def day_of(wall: int) -> date:
    """The date of a wall clock, held inside the years 1 to 9999."""
    return date.fromordinal(min(max(wall // DAY + EPOCH_DAY, 1), date.max.toordinal()))


def year_start(year: int) -> int:
    """The first instant (or wall clock) of a year; of the year 10000 too."""
    return LAST + 1 if year > date.max.year else day_start(date(year, 1, 1))
