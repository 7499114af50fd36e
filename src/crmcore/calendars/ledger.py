"""
Working time as prefix sums: intervals on a line of microseconds, compiled a year at a time, only where needed.

`done(x)` is the working time before x, counted from the table's start. Moving by working time is then a bisection to
find `done`, an addition, and a bisection back; two places share a value where nothing is open between them, so there
are two ways back: `early` (the closing side) and `late` (the opening side). Nothing here depends on how far one moves.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import isleap
from collections.abc import Callable
from datetime import MAXYEAR
from itertools import accumulate
from typing import Final

from crmcore.calendars.instants import DAY, FIRST, LAST, instant_at, year_start
from crmcore.errors import NoWorkingTime

__all__ = ["Ledger", "Table"]

Interval = tuple[int, int]
NEAR: Final = 100  # years between instants that one table still spans
GROWTH: Final = 8  # years added at once at most
WEEK: Final = 8 * DAY  # and a day, for it may begin in the middle of one
REGULAR: Final = (1800, 2101)  # before and from these years no zone changes its rules


class Table:
    """The intervals of the years [first, stop). Begins with an empty one, so that a bisection always finds one."""

    __slots__ = ("before", "closes", "done_at", "first", "high", "intervals", "low", "opens", "shifts", "stop")

    def __init__(self, first: int, stop: int, intervals: list[Interval]) -> None:
        self.first, self.stop = first, stop
        self.low, self.high = year_start(first), year_start(stop)
        self.intervals = intervals
        self.opens = [self.low, *(start for start, _ in intervals)]
        self.closes = [self.low, *(end for _, end in intervals)]
        self.done_at = list(accumulate(b - a for a, b in zip(self.opens, self.closes, strict=True)))  # by each close
        self.before = [0, *self.done_at[:-1]]
        self.shifts = [a - done for a, done in zip(self.opens, self.before, strict=True)]

    def done(self, x: int) -> int:
        """Open time in [low, x)."""
        i = bisect_right(self.opens, x) - 1
        return x - self.shifts[i] if x < self.closes[i] else self.done_at[i]

    def inside(self, x: int) -> bool:
        """Whether it is open at x."""
        return x < self.closes[bisect_right(self.opens, x) - 1]

    def total(self) -> int:
        """Open time in all."""
        return self.done_at[-1]

    def early(self, done: int) -> int:
        """The least x with so much done; 0 < done <= total."""
        return done + self.shifts[bisect_left(self.done_at, done)]

    def late(self, done: int) -> int:
        """The greatest x with no more than so much done; 0 <= done < total."""
        return done + self.shifts[bisect_right(self.before, done) - 1]


class Ledger:
    """
    All years of a calendar on one line. `year` gives the sorted, disjoint intervals of a year, cut to it.

    Outside the years `dated` (first, last) the same week rules for ever; `weekly` says whether it has any open time
    (before, after). What lies beyond the years 1 to 9999 is a day outside them.
    """

    def __init__(
        self, year: Callable[[int], list[Interval]], *, dated: tuple[int, int], weekly: tuple[bool, bool], name: str
    ) -> None:
        self._year = year
        self._dated = dated
        self._weekly = weekly
        self._name = name
        self._totals: dict[int, int] = {}
        self._regular = min(dated[0] - 1, REGULAR[0]), max(dated[1] + 2, REGULAR[1])
        self.table = Table(1970, 1970, [])  # replaced as a whole, never changed: threads may read it

    def around(self, x: int) -> Table:
        """The table in which `x` lies."""
        return self.cover(instant_at(x).year)

    def cover(self, year: int) -> Table:
        """The table in which a year lies: grown by it, or begun anew where it is far away."""
        table = self.table
        if table.first <= year < table.stop:
            return table
        if table.first == table.stop or not table.first - NEAR <= year < table.stop + NEAR:
            return self._begin(year)
        pad = min(table.stop - table.first, GROWTH)
        first, stop = table.first, table.stop
        if year < first:
            first = max(year - pad, 1)
            earlier = self._compile(first, table.first)
            intervals = _joined(earlier, table.intervals)
        else:
            stop = min(year + 1 + pad, MAXYEAR + 1)
            intervals = _joined(table.intervals, self._compile(table.stop, stop))
        self.table = Table(first, stop, intervals)
        return self.table

    def between(self, a: int, b: int) -> int:
        """Open time in [a, b), negative where b lies before a."""
        start, end = instant_at(a).year, instant_at(b).year
        if abs(start - end) <= NEAR:
            self.cover(start)
            table = self.cover(end)
            return table.done(b) - table.done(a)
        if start > end:
            return -self.between(b, a)
        ends = self.between(a, year_start(start + 1)) + self.between(year_start(end), b)
        return ends + sum(map(self.total, range(start + 1, end)))

    def intervals(self, start: int, end: int) -> list[Interval]:
        """What is open in [start, end), cut to it."""
        first, last = instant_at(start).year, instant_at(end).year
        for year in (*range(first, last, NEAR), last):
            self.cover(year)  # each near the one before, so one table spans them all
        table = self.table
        inside = slice(bisect_right(table.opens, start) - 1, bisect_left(table.opens, end))
        found = zip(table.opens[inside], table.closes[inside], strict=True)
        return [(max(a, start), min(b, end)) for a, b in found if b > start]

    def early(self, x: int, amount: int) -> int:
        """The least y with `amount` (> 0) of open time in [x, y)."""
        table = self.around(x)
        rest = table.done(x) + amount
        if rest <= table.total():
            return table.early(rest)
        rest -= table.total()
        year = table.stop
        while rest > (total := self._ahead(year, x)):
            if year > MAXYEAR:
                return LAST + DAY
            rest -= total
            year += 1
        table = self.cover(year)
        return table.early(table.done(year_start(year)) + rest)

    def late(self, x: int, amount: int) -> int:
        """The greatest y with done(y) <= done(x) + `amount`, which may be negative."""
        table = self.around(x)
        rest = table.done(x) + amount
        if rest < 0:
            return self._late_back(table, rest, x)
        if rest < table.total():
            return table.late(rest)
        rest -= table.total()
        year = table.stop
        while rest >= (total := self._ahead(year, x)):
            if year > MAXYEAR:
                return LAST + DAY
            rest -= total
            year += 1
        return self._late_in(year, rest)

    def closing(self, x: int) -> int:
        """Where the interval that holds `x` ends; LAST if it never does."""
        while True:
            table = self.around(x)
            end = table.closes[bisect_right(table.opens, x) - 1]
            if end < table.high:
                return end
            settled = max(table.opens[-1], year_start(self._dated[1] + 2))
            if table.stop > MAXYEAR or table.high - settled > WEEK:  # open a whole week without a dated change
                return LAST
            self.cover(table.stop)

    def _late_back(self, table: Table, rest: int, x: int) -> int:
        year = table.first
        while rest < 0:
            year -= 1
            if year < 1:
                return FIRST - DAY
            if year < self._dated[0] - 1 and not self._weekly[0]:
                raise NoWorkingTime(self._name, f"{instant_at(x).date()}, going back")
            rest += self.total(year)
        return self._late_in(year, rest)

    def _late_in(self, year: int, rest: int) -> int:
        table = self.cover(year)
        return table.late(table.done(year_start(year)) + rest)

    def _ahead(self, year: int, x: int) -> int:
        if year > self._dated[1] + 1 and not self._weekly[1]:
            raise NoWorkingTime(self._name, instant_at(x).date())
        return self.total(year) if year <= MAXYEAR else 0

    def total(self, year: int) -> int:
        """Open time in a year; far from every dated change, that of any such year with the same dates and weekdays."""
        key, early = year, year < self._regular[0]
        if year > 1 and (early or self._regular[1] <= year < MAXYEAR):
            key = -(early * 14 + isleap(year) * 7 + year_start(year) // DAY % 7)  # never a year: 0 to -27
        if key not in self._totals:
            self._totals[key] = sum(end - start for start, end in self._year(year))
        return self._totals[key]

    def _begin(self, year: int) -> Table:
        first, stop = max(year - 1, 1), min(year + 2, MAXYEAR + 1)
        self.table = Table(first, stop, self._compile(first, stop))
        return self.table

    def _compile(self, first: int, stop: int) -> list[Interval]:
        intervals: list[Interval] = []
        for year in range(first, stop):
            intervals = _joined(intervals, self._year(year))
        return intervals


def _joined(left: list[Interval], right: list[Interval]) -> list[Interval]:
    """Two lists of intervals, one after the other; those that touch where they meet become one."""
    if left and right and left[-1][1] == right[0][0]:
        return [*left[:-1], (left[-1][0], right[0][1]), *right[1:]]
    return left + right
