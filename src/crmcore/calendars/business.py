"""
Business calendars: when a place is at work, to the microsecond, in its zone, with its dated exceptions.

What is given is resolved at birth to a week, weeks that begin on a date, closed dates and dates with their own windows;
equality, hash and `canonical` see only that. What is computed lies in two ledgers, compiled when first needed.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

import attrs

from crmcore.calendars import windows as read
from crmcore.calendars.bound import BoundSpan
from crmcore.calendars.instants import (
    DAY,
    EPOCH,
    EPOCH_DAY,
    LAST,
    OPEN_ENDED,
    day_of,
    day_start,
    instant_at,
    micros,
    to_utc,
    year_start,
)
from crmcore.calendars.ledger import Interval, Ledger
from crmcore.calendars.spans import Span
from crmcore.calendars.windows import Week, Window, Windows
from crmcore.calendars.zones import Zone, zone
from crmcore.errors import InvalidCalendar

if TYPE_CHECKING:
    from crmcore.calendars.explain import Explanation

__all__ = ["BusinessCalendar"]

LONGEST: Final = 36_525  # days of one closed range: a hundred years
NEVER: Final = (date.max.year + 2, -1)  # the dated years of a calendar without dates
NO_LABELS: Final[Mapping[date, str]] = MappingProxyType({})
HOURS: Final = 'a table such as {from = 2026-05-01, week = {mon = ["08:30-17:30"]}}'


@attrs.frozen(order=True)
class Hours:
    """A week in force from a local date on."""

    start: date
    week: Week


def _week(value: Any) -> Week:
    return read.week(value, "week")


def _closed(values: Iterable[str | date]) -> frozenset[date]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InvalidCalendar("closed", values, 'a list of dates such as ["2026-10-01/2026-10-07"]')
    return frozenset(day for i, value in enumerate(values) for day in _days(value, f"closed[{i}]"))


def _days(value: str | date, key: str) -> Iterator[date]:
    if not (isinstance(value, str) and "/" in value):
        yield read.day(value, key)
        return
    first, last = (read.day(part, key) for part in value.split("/", 1))
    if not 0 <= (last - first).days <= LONGEST:
        raise InvalidCalendar(key, value, "a range of dates in order, a hundred years at most")
    yield from map(date.fromordinal, range(first.toordinal(), last.toordinal() + 1))


def _open(values: Mapping[Any, Iterable[str | Window]]) -> Mapping[date, Windows]:
    if not isinstance(values, Mapping):
        raise InvalidCalendar("open", values, 'a table of dates such as {2026-10-10 = ["09:00-18:00"]}')
    found = {read.day(day, f"open.{day}"): read.windows(given, f"open.{day}") for day, given in values.items()}
    for day, given in found.items():
        if not given:
            raise InvalidCalendar(f"open.{day}", [], "at least one window; a day without any is closed")
    return MappingProxyType(dict(sorted(found.items())))


def _hours(values: Iterable[Any]) -> tuple[Hours, ...]:
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise InvalidCalendar("hours", values, f"a list of tables, each {HOURS}")
    found = sorted(_one_hours(value, f"hours[{i}]") for i, value in enumerate(values))
    for i, each in enumerate(found[1:]):
        if each.start == found[i].start:
            raise InvalidCalendar("hours", each.start.isoformat(), "a date that is given once")
    return tuple(found)


def _one_hours(value: Any, key: str) -> Hours:
    if isinstance(value, Hours):
        return value
    if not isinstance(value, Mapping) or set(value) != {"from", "week"}:
        raise InvalidCalendar(key, value, HOURS)
    return Hours(read.day(value["from"], f"{key}.from"), read.week(value["week"], f"{key}.week"))


def _known_through(value: str | date | None) -> date | None:
    return None if value is None else read.day(value, "known_through")


def _flag(value: bool) -> bool:  # noqa: FBT001 - a converter
    if not isinstance(value, bool):
        raise InvalidCalendar("whole_shifts", value, "true or false")
    return value


def _labels(values: Mapping[date, str]) -> Mapping[date, str]:
    return MappingProxyType(dict(values))


@attrs.frozen(kw_only=True, eq=False, slots=False)
class BusinessCalendar:
    """
    Working hours of a place: a week, and what differs from it on dates.

    A date in `open` has those windows, whatever else is said of it; a date in `closed` has none, and time on it is
    removed, so that a night shift into it ends at midnight (kept with `whole_shifts`); else the week in force rules.
    Instants after the day `known_through` are computed from the week and called provisional. `labels` name dates.
    """

    zone: Zone = attrs.field(converter=zone)
    week: Week = attrs.field(converter=_week)
    closed: frozenset[date] = attrs.field(default=(), converter=_closed)
    open: Mapping[date, Windows] = attrs.field(factory=dict, converter=_open)
    hours: tuple[Hours, ...] = attrs.field(default=(), converter=_hours)
    known_through: date | None = attrs.field(default=None, converter=_known_through)
    name: str = ""
    whole_shifts: bool = attrs.field(default=False, converter=_flag)
    labels: Mapping[date, str] = attrs.field(default=NO_LABELS, converter=_labels, repr=False)

    @classmethod
    def from_table(cls, table: Mapping[str, Any], *, name: str = "") -> Self:
        """A calendar as a book writes it: the arguments of the class, and `holidays` with `make_up`."""
        keys = [field.name for field in attrs.fields(cls) if field.name not in {"name", "labels"}]
        for key in table:
            if key not in (*keys, "holidays", "make_up"):
                close = get_close_matches(str(key), [*keys, "holidays", "make_up"], n=1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise InvalidCalendar(str(key), table[key], f"a key of a calendar{hint}")
        for key in ("zone", "week"):
            if key not in table:
                raise InvalidCalendar(key, None, "given; a calendar needs it")
        made = cls(name=name, **{key: table[key] for key in keys if key in table})
        source = table.get("holidays")
        return made if source is None else made.with_holidays(source, table.get("make_up"))

    def with_holidays(self, source: str, make_up: Iterable[str | Window] | None = None) -> Self:
        """
        The same with an importer's dates, below its own: `closed` and `open` keep their say.

        Make-up days have the hours `make_up`, by default those of the first weekday written.
        """
        from crmcore.calendars.importers import load

        dates = load(source)
        hours = read.first_written(self.week) if make_up is None else read.windows(make_up, "make_up")
        if dates.make_up and not hours:
            raise InvalidCalendar("make_up", make_up, "at least one window")
        worked = dict.fromkeys(dates.make_up - self.closed, hours)
        return attrs.evolve(
            self,
            closed=self.closed | dates.closed.keys(),
            open={**worked, **self.open},
            known_through=self.known_through or dates.known_through,
            labels={**dates.closed, **self.labels},
        )

    def canonical(self) -> dict[str, Any]:
        """The resolved data for JSON: the same however it was written; read back by the class. Without the name."""
        weeks = [self.week, *(each.week for each in self.hours)]
        changed = [each for each, before in zip(self.hours, weeks, strict=False) if each.week != before]
        return {
            "zone": self.zone.key,
            "week": read.written(self.week),
            "hours": [{"from": each.start.isoformat(), "week": read.written(each.week)} for each in changed],
            "closed": [day.isoformat() for day in sorted(self.closed - self.open.keys())],
            "open": {day.isoformat(): [str(each) for each in given] for day, given in self.open.items()},
            "known_through": self.known_through and self.known_through.isoformat(),
            "whole_shifts": self.whole_shifts,
        }

    @cached_property
    def _identity(self) -> str:
        return json.dumps(self.canonical(), sort_keys=True)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BusinessCalendar):
            return NotImplemented
        return self is other or self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __str__(self) -> str:
        return self.name or self.zone.key

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return _rebuilt, (
            type(self),
            {**attrs.asdict(self, recurse=False), "open": {**self.open}, "labels": {**self.labels}},
        )

    # Dates

    def working_day(self, day: date) -> bool:
        """Whether a window starts on the date."""
        return bool(self.windows(day))

    def windows(self, day: date) -> tuple[Window, ...]:
        """The windows that start on the local date; a night shift's end may still be cut by a closed date."""
        found = self.open.get(day)
        if found is not None:
            return found
        return () if day in self.closed else self.week_at(day)[day.weekday()]

    def week_at(self, day: date) -> Week:
        """The week in force on a date."""
        i = bisect_right(self._starts, day)
        return self.hours[i - 1].week if i else self.week

    def removed(self, day: date) -> bool:
        """Whether the date takes the end of a night shift that runs into it."""
        return day in self.closed and day not in self.open and not self.whole_shifts

    # Instants

    def worked(self, t: datetime) -> timedelta:
        """Working time between 1970 and `t`, negative before: the one coordinate of working time."""
        return self.between(EPOCH, t)

    def between(self, a: datetime, b: datetime) -> timedelta:
        """Working time from `a` to `b`, negative when `b` comes first."""
        x, y, table = micros(to_utc(a)), micros(to_utc(b)), self.working_time.table
        if table.low <= x < table.high and table.low <= y < table.high:
            return timedelta(0, 0, table.done(y) - table.done(x))
        return timedelta(0, 0, self.working_time.between(x, y))

    def add(self, t: datetime, span: str | Span) -> datetime:
        """The instant at which the span is over; see `BoundSpan.add`."""
        return self.on(span).add(t)

    def sub(self, t: datetime, span: str | Span) -> datetime:
        """See `BoundSpan.sub`."""
        return self.on(span).sub(t)

    def cutoff(self, now: datetime, span: str | Span) -> datetime:
        """See `BoundSpan.cutoff`."""
        return self.on(span).cutoff(now)

    def on(self, span: str | Span) -> BoundSpan:
        """The span on this calendar and its zone; kept, so that asking again costs little."""
        found = self._spans.get(span)
        return found or self._spans.setdefault(span, Span(span).on(calendar=self))

    def is_open(self, t: datetime) -> bool:
        """Whether work is done at `t`."""
        x = micros(to_utc(t))
        return self.working_time.around(x).inside(x)

    def next_open(self, t: datetime) -> datetime:
        """The earliest instant from `t` on that is open."""
        x = micros(to_utc(t))
        return instant_at(x if self.working_time.around(x).inside(x) else self.working_time.late(x, 0))

    def next_close(self, t: datetime) -> datetime:
        """When the window that is open at `t`, or else the next one, closes; `OPEN_ENDED` if it never does."""
        opened = micros(self.next_open(t))
        return instant_at(self.working_time.closing(opened)) if opened < LAST else OPEN_ENDED

    def provisional(self, t: datetime) -> bool:
        """Whether `t` lies after the last day for which the dates are known."""
        return self.known_until is not None and to_utc(t) >= self.known_until

    def explain(self, t: datetime, span: str | Span) -> Explanation:
        """Where the time between `t` and the end of the span went."""
        from crmcore.calendars.explain import explain

        return explain(self, t, Span(span))

    # What is computed once

    @cached_property
    def working_time(self) -> Ledger:
        """The windows, as instants."""
        return Ledger(self._open_instants, dated=self._dated, weekly=self._weekly, name=str(self))

    @cached_property
    def working_days(self) -> Ledger:
        """The working days, as wall clocks from 00:00 to 24:00."""
        return Ledger(self._open_days, dated=self._dated, weekly=self._weekly, name=str(self))

    @cached_property
    def _spans(self) -> dict[str | Span, BoundSpan]:
        return {}

    @cached_property
    def _starts(self) -> list[date]:
        return [each.start for each in self.hours]

    @cached_property
    def known_until(self) -> datetime | None:
        """The first instant that is provisional; None if none is."""
        last = self.known_through
        return None if last is None else instant_at(self.zone.instant(day_start(last) + DAY))

    @cached_property
    def _dated(self) -> tuple[int, int]:
        years = {day.year for days in (self.closed, self.open, self._starts) for day in days}
        return (min(years), max(years)) if years else NEVER

    @cached_property
    def _weekly(self) -> tuple[bool, bool]:
        return any(self.week), any(self.hours[-1].week if self.hours else self.week)

    def _open_days(self, year: int) -> list[Interval]:
        first = year_start(year)
        days = (year_start(year + 1) - first) // DAY
        starts = (first + i * DAY for i in range(days))
        return merged((start, start + DAY) for start in starts if self.working_day(day_of(start)))

    def _open_instants(self, year: int) -> list[Interval]:
        start, end = year_start(year), year_start(year + 1)
        walls = merged(self.open_walls(start - 2 * DAY, end + 2 * DAY))
        return merged(
            (max(opens - offset, a), min(closes - offset, b))
            for a, b, offset in self.zone.stretches(start, end)
            for opens, closes in walls
            if opens - offset < b and closes - offset > a
        )

    def open_walls(self, start: int, end: int) -> Iterator[Interval]:
        """The windows of the dates that begin in [start, end), as wall clocks."""
        first, last = max(start // DAY + EPOCH_DAY, 1), min(end // DAY + EPOCH_DAY, date.max.toordinal())
        for ordinal in range(first, last):
            day, base = date.fromordinal(ordinal), (ordinal - EPOCH_DAY) * DAY
            for each in self.windows(day):
                opens, closes = each.micros
                if closes > DAY and ordinal < last and self.removed(date.fromordinal(ordinal + 1)):
                    closes = DAY
                yield base + opens, base + closes


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Sorted intervals, those that overlap or touch made one."""
    found: list[Interval] = []
    for start, end in intervals:
        if found and start <= found[-1][1]:
            if end > found[-1][1]:
                found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def _rebuilt(cls: type[BusinessCalendar], fields: dict[str, Any]) -> BusinessCalendar:
    return cls(**fields)
