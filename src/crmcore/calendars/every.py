"""
Recurrences: each three months from an anchor, the day held inside the month (31 Jan, 28 Feb, 31 Mar).

Every occurrence is counted from the anchor, never from the one before, so nothing drifts and none needs a loop.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta, tzinfo
from itertools import count, takewhile
from typing import Final, Generic, Literal, TypeVar, cast

import attrs
from dateutil.relativedelta import relativedelta

from crmcore.calendars import zones
from crmcore.calendars.instants import DAY, EPOCH, HOUR, MINUTE, day_of, day_start, micros, to_utc
from crmcore.errors import InvalidCalendar, InvalidFact, InvalidSpan

__all__ = ["Every"]

D = TypeVar("D", bound=date)
FORM: Final = re.compile(r"([1-9][0-9]{0,4})(min|h|d|w|mo|y)", re.ASCII)
ELAPSED: Final[dict[str, int]] = {"min": MINUTE, "h": HOUR}
NOMINAL: Final[dict[str, int]] = {**ELAPSED, "d": DAY, "w": 7 * DAY, "mo": 2_629_746_000_000, "y": 31_556_952_000_000}
"""Mean lengths, to guess where an occurrence lies."""
GUESS: Final = 2  # occurrences that a guess may be too far
KEYWORDS: Final = {"d": "days", "w": "weeks", "mo": "months", "y": "years"}


def _step(text: str) -> str:
    if not isinstance(text, str) or FORM.fullmatch(text) is None:
        raise InvalidSpan(text, "a recurrence is a number from 1 and a unit: 30min 24h 10d 2w 3mo 1y")
    return text


@attrs.frozen
class Every(Generic[D]):
    """
    Every so often from an anchor on, which is occurrence 0: a date gives dates, an instant gives instants.

    An instant keeps the wall clock of the zone (a gap's end, a fold's first pass); ``min h`` are elapsed.
    `feb29` is where a yearly recurrence from 29 February falls in other years.
    """

    step: str = attrs.field(converter=_step)
    anchor: D = attrs.field(kw_only=True)
    zone: zones.Zone | None = attrs.field(kw_only=True, default=None, converter=attrs.converters.optional(zones.zone))
    feb29: Literal["28 Feb", "1 Mar"] = attrs.field(kw_only=True, default="28 Feb")

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.anchor, date):
            raise InvalidFact("anchor", self.anchor, "a date or an aware datetime")
        if self.feb29 not in {"28 Feb", "1 Mar"}:
            raise InvalidCalendar("feb29", self.feb29, '"28 Feb" or "1 Mar"')
        if isinstance(self.anchor, datetime):
            anchor = to_utc(self.anchor, "anchor")
            object.__setattr__(self, "zone", self.zone or zones.zone(cast("tzinfo", self.anchor.tzinfo)))
            object.__setattr__(self, "anchor", anchor)
        elif self._parts[1] in ELAPSED:
            raise InvalidSpan(self.step, "a date has no clock; count in d w mo y, or anchor it at an instant")

    def occurrence(self, n: int) -> D | None:
        """The n-th after the anchor; None beyond the year 9999."""
        if n < 0:
            raise InvalidFact("n", n, "0 for the anchor or more")
        try:
            return cast("D", self._at(n))
        except (OverflowError, ValueError):
            return None

    def after(self, t: D, *, inclusive: bool = False) -> D | None:
        """The first occurrence after `t`, or at it; None beyond the year 9999."""
        return self.occurrence(self._until(t, inclusive=not inclusive))

    def before(self, t: D, *, inclusive: bool = False) -> D | None:
        """The last occurrence before `t`, or at it; None before the anchor."""
        n = self._until(t, inclusive=inclusive)
        return self.occurrence(n - 1) if n else None

    def between(self, a: D, b: D) -> Iterator[D]:
        """The occurrences from `a` on and before `b`."""
        first, end = self._until(a, inclusive=False), self._instant(b)
        found = (self.occurrence(n) for n in count(first))
        return cast("Iterator[D]", takewhile(lambda each: each is not None and self._instant(each) < end, found))

    def _until(self, t: D, *, inclusive: bool) -> int:
        """How many occurrences lie before `t`, or at it too: guessed low by the mean length, then set right."""
        here = self._instant(t)
        number, unit = self._parts
        passed = (micros_of(here) - micros_of(self._instant(self.anchor))) // (number * NOMINAL[unit])
        n = max(passed - GUESS, 0)
        while self._passed(n, here, inclusive=inclusive):
            n += 1
        return n

    def _passed(self, n: int, t: date, *, inclusive: bool) -> bool:
        found = self.occurrence(n)
        return found is not None and (found <= t if inclusive else found < t)

    def _instant(self, t: date) -> date:
        """`t` as what the anchor is; the other kind is refused."""
        if isinstance(t, datetime) is not isinstance(self.anchor, datetime):
            raise InvalidFact("t", t, "a datetime, as the anchor is" if isinstance(self.anchor, datetime) else "a date")
        return to_utc(t) if isinstance(t, datetime) else t

    def _at(self, n: int) -> date:
        number, unit = self._parts
        if not isinstance(self.anchor, datetime):
            return self._on(self.anchor, n * number, unit)
        start = micros(self.anchor)
        if unit in ELAPSED:
            return EPOCH + timedelta(microseconds=start + n * number * ELAPSED[unit])
        where = cast("zones.Zone", self.zone)
        local = start + where.offset(start)
        day = self._on(day_of(local), n * number, unit)
        return EPOCH + timedelta(microseconds=where.instant(day_start(day) + local % DAY))

    def _on(self, day: date, number: int, unit: str) -> date:
        found = day + relativedelta(**{KEYWORDS[unit]: number})  # type: ignore[arg-type]
        moved = unit == "y" and found.day != day.day and self.feb29 == "1 Mar"
        return found + timedelta(days=1) if moved else found

    @property
    def _parts(self) -> tuple[int, str]:
        match = cast("re.Match[str]", FORM.fullmatch(self.step))
        return int(match[1]), match[2]


def micros_of(t: date) -> int:
    """A guess needs no more than the day of a date."""
    return micros(t) if isinstance(t, datetime) else day_start(t)
