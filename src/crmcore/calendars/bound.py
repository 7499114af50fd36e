"""
Spans with the zone or calendar they need: maps of instants that never decrease, and their inverses.

Each kind is written twice over whole microseconds: `_add(u)`, and `_cutoff(u)`, the greatest v with _add(v) <= u. All
else follows, `sub(t)` too: add(s) >= t ⇔ not add(s) <= t - 1µs, so it is cutoff(t - 1µs) + 1µs. Results are held inside
the years 1 to 9999; `OPEN_ENDED` plus anything is `OPEN_ENDED`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, NoReturn

from crmcore.calendars import zones
from crmcore.calendars.instants import (
    DAY,
    EARLIEST,
    EPOCH,
    EPOCH_DAY,
    FIRST,
    LAST,
    OPEN_ENDED,
    day_start,
    instant_at,
    micros,
    to_utc,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from crmcore.calendars.business import BusinessCalendar
    from crmcore.calendars.spans import Span
    from crmcore.calendars.zones import Zone

__all__ = ["BoundSpan"]

REMEMBERED: Final = 8192  # days whose shift a span keeps
CYCLE_YEARS: Final = 400  # the Gregorian calendar repeats
CYCLE_DAYS: Final = 146_097


class BoundSpan(ABC):
    """
    A span on its zone or calendar. Equal when span, zone and calendar are.

    Laws: `add` never decreases; t <= cutoff(now) ⇔ add(t) <= now. The resolution is one microsecond.
    """

    __slots__ = ("_calendar", "_zone", "span")

    span: Span

    def __init__(self, span: Span, zone: Zone | None = None, calendar: BusinessCalendar | None = None) -> None:
        self.span = span
        self._zone = zone
        self._calendar = calendar

    def add(self, t: datetime) -> datetime:
        """The instant at which the span that began at `t` is over."""
        u = micros(to_utc(t))
        return OPEN_ENDED if u >= LAST else instant_at(self._add(u))

    def cutoff(self, now: datetime) -> datetime:
        """The greatest t with add(t) <= now: what began then or before is over by `now`."""
        u = micros(to_utc(now))
        return OPEN_ENDED if u >= LAST else instant_at(self._cutoff(u))

    def sub(self, t: datetime) -> datetime:
        """The least s with add(s) >= t: what begins then or after lasts until `t`."""
        u = micros(to_utc(t))
        return EARLIEST if u <= FIRST else instant_at(self._cutoff(u - 1) + 1)

    def provisional(self, t: datetime) -> bool:
        """Whether `t` lies after the last day for which the calendar's dates are known."""
        return self._calendar is not None and self._calendar.provisional(t)

    @property
    def where(self) -> tuple[BusinessCalendar | None, Zone]:
        """The calendar, if any, and the zone that the span counts in; of elapsed time UTC."""
        if self._calendar is not None:
            return self._calendar, self._calendar.zone
        return None, self._zone or zones.zone("UTC")

    @property
    def known_through(self) -> date | None:
        """The last day for which the calendar's dates are known; None: all, or no calendar."""
        return self._calendar.known_through if self._calendar else None

    @property
    def known_until(self) -> datetime:
        """The first instant that is provisional; `OPEN_ENDED` where none is."""
        return (self._calendar.known_until if self._calendar else None) or OPEN_ENDED

    @abstractmethod
    def _add(self, u: int) -> int: ...

    @abstractmethod
    def _cutoff(self, u: int) -> int: ...

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoundSpan):
            return NotImplemented
        mine, yours = (self.span, self._zone, self._calendar), (other.span, other._zone, other._calendar)
        return mine == yours

    def __hash__(self) -> int:
        return hash((self.span, self._zone, self._calendar))

    def __repr__(self) -> str:
        place = self._zone or self._calendar
        return f"<{self.span}{f' on {place}' if place else ''}>"

    def __setattr__(self, name: str, value: object) -> None:
        if hasattr(self, name):
            self._frozen(name)
        super().__setattr__(name, value)

    def _frozen(self, name: str) -> NoReturn:
        msg = f"{name}: a bound span does not change"
        raise AttributeError(msg)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return _rebuilt, (self.span, self._zone, self._calendar)


def _rebuilt(span: Span, zone: Zone | None, calendar: BusinessCalendar | None) -> BoundSpan:
    return span.on(zone, calendar)


class Elapsed(BoundSpan):
    """``min h``: time that passes, whatever the clocks show."""

    __slots__ = ("_amount", "_delta")

    def __init__(self, span: Span, amount: int) -> None:
        super().__init__(span)
        self._amount = amount
        self._delta = timedelta(microseconds=amount)

    def add(self, t: datetime) -> datetime:
        try:
            return t + self._delta if t.__class__ is datetime and t.tzinfo is UTC else super().add(t)
        except OverflowError:
            return OPEN_ENDED

    def cutoff(self, now: datetime) -> datetime:
        if now.__class__ is datetime and now.tzinfo is UTC and now != OPEN_ENDED:
            try:
                return now - self._delta
            except OverflowError:
                return EARLIEST
        return super().cutoff(now)

    def sub(self, t: datetime) -> datetime:
        try:
            return t - self._delta if t.__class__ is datetime and t.tzinfo is UTC else super().sub(t)
        except OverflowError:
            return EARLIEST

    def _add(self, u: int) -> int:
        return u + self._amount

    def _cutoff(self, u: int) -> int:
        return u - self._amount


class Shifts(dict[int, "timedelta | None"]):
    """By day of UTC: how far a map moves every instant of that day, None where not all alike. Found when asked for."""

    __slots__ = ("_find",)

    def __init__(self, find: Callable[[int], int | None]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, day: int) -> timedelta | None:
        shift = self._find((day - EPOCH_DAY) * DAY)
        if len(self) >= REMEMBERED:
            self.clear()
        found = self[day] = None if shift is None else timedelta(microseconds=shift)
        return found


class Days(BoundSpan):
    """``d w``: the same wall clock so many days on."""

    __slots__ = ("_adds", "_amount", "_cutoffs", "_where")

    def __init__(self, span: Span, amount: int, zone: Zone) -> None:
        super().__init__(span, zone)
        self._amount = amount
        self._where = zone
        self._adds = Shifts(lambda start: self._uniform(start, self._add, amount))
        self._cutoffs = Shifts(lambda start: self._uniform(start, self._cutoff, -amount))

    def add(self, t: datetime) -> datetime:
        if t.__class__ is datetime and t.tzinfo is UTC:
            shift = self._adds[t.toordinal()]
            if shift is not None:
                return t + shift
        return super().add(t)

    def cutoff(self, now: datetime) -> datetime:
        if now.__class__ is datetime and now.tzinfo is UTC:
            shift = self._cutoffs[now.toordinal()]
            if shift is not None:
                return now + shift
        return super().cutoff(now)

    def sub(self, t: datetime) -> datetime:
        if t.__class__ is datetime and t.tzinfo is UTC:
            shift = self._cutoffs[t.toordinal()]
            if shift is not None:  # far from transitions the map can be inverted
                return t + shift
        return super().sub(t)

    def _add(self, u: int) -> int:
        return self._where.instant(self._where.wall(u) + self._amount)

    def _cutoff(self, u: int) -> int:
        return self._where.instant_floor(self._where.wall_floor(u) - self._amount)

    def _uniform(self, start: int, move: Callable[[int], int], amount: int) -> int | None:
        """How far `move` takes each instant of the day from `start`, if no transition is near it here or there."""
        reaches = [(day - 2 * DAY, day + 3 * DAY) for day in (start, start + amount)]
        still = all(low > FIRST and high < LAST and self._where.steady(low, high) for low, high in reaches)
        return move(start) - start if still else None


class Months(BoundSpan):
    """``mo``: the same day and wall clock so many months on; a day that the month lacks lands at its end."""

    __slots__ = ("_where",)

    def __init__(self, span: Span, zone: Zone) -> None:
        super().__init__(span, zone)
        self._where = zone

    def _add(self, u: int) -> int:
        return self._where.instant(months_on(self._where.wall(u), self.span.count))

    def _cutoff(self, u: int) -> int:
        return self._where.instant_floor(months_back(self._where.wall_floor(u), self.span.count))


def months_on(wall: int, count: int) -> int:
    """As far into the month `count` later, at most to its end: what comes from the month after lies there or later."""
    number = month_of(wall)
    target = number + count
    return min(month_start(target) + wall - month_start(number), month_start(target + 1))


def months_back(wall: int, count: int) -> int:
    """
    The greatest w with months_on(w, count) <= wall.

    Let M be the month of `wall`, P the one `count` before. Each w after P goes to M+1 or later, so w lies in P or
    before it; in P, what is as far in as `wall` is in M goes to `wall`, and if P is not that long, all of P goes below.
    """
    number = month_of(wall)
    source = number - count
    return min(month_start(source) + wall - month_start(number), month_start(source + 1) - 1)


def month_of(wall: int) -> int:
    """Months since the year 0, of any wall clock; a date serves for one cycle of 400 years."""
    cycles, day = divmod(wall // DAY + EPOCH_DAY - 1, CYCLE_DAYS)
    found = date.fromordinal(day + 1)
    return (cycles * CYCLE_YEARS + found.year) * 12 + found.month - 1


def month_start(number: int) -> int:
    """The first wall clock of a month."""
    cycles, year = divmod(number // 12 - 1, CYCLE_YEARS)
    return day_start(date(year + 1, number % 12 + 1, 1)) + cycles * CYCLE_DAYS * DAY


class WorkingDays(BoundSpan):
    """``wd``: the same wall clock on the n-th next working day; a free day counts as 00:00 of the next working day."""

    __slots__ = ("_amount", "_days", "_where")

    def __init__(self, span: Span, calendar: BusinessCalendar) -> None:
        super().__init__(span, None, calendar)
        self._amount = span.count * DAY
        self._where = calendar.zone
        self._days = calendar.working_days

    # The ledger's intervals are the working days, on the line of wall clocks: a free day holds no time at all.
    def _add(self, u: int) -> int:
        wall = self._where.wall(u)
        return LAST if wall > LAST else self._where.instant(self._days.late(max(wall, FIRST), self._amount))

    def _cutoff(self, u: int) -> int:
        wall = min(self._where.wall_floor(u), LAST)
        if wall < FIRST:
            return FIRST - DAY
        # From a free day back: all that ends with a working day, so one microsecond short of the next.
        free = not self._days.around(wall).inside(wall)
        return self._where.instant_floor(self._days.late(wall, -self._amount - free))


class WorkingTime(BoundSpan):
    """``wh wmin``: the earliest instant with so much working time done; nothing to do is done at once."""

    __slots__ = ("_amount", "_ledger")

    def __init__(self, span: Span, amount: int, calendar: BusinessCalendar) -> None:
        super().__init__(span, None, calendar)
        self._amount = amount
        self._ledger = calendar.working_time

    def add(self, t: datetime) -> datetime:
        # The one hot path: what `_add` does, where table and answer are at hand; benchmarks hold it near its floor.
        if t.__class__ is datetime and t.tzinfo is UTC:
            table = self._ledger.table
            gap = t - EPOCH
            x = (gap.days * 86_400 + gap.seconds) * 1_000_000 + gap.microseconds
            if table.low <= x < table.high and self._amount:
                i = bisect_right(table.opens, x) - 1
                done = (x - table.shifts[i] if x < table.closes[i] else table.done_at[i]) + self._amount
                j = bisect_left(table.done_at, done, i)
                if j < len(table.shifts):
                    return EPOCH + timedelta(0, 0, done + table.shifts[j])
        return super().add(t)

    def _add(self, u: int) -> int:
        return self._ledger.early(u, self._amount) if self._amount else u

    def _cutoff(self, u: int) -> int:
        return self._ledger.late(u, -self._amount) if self._amount else u
