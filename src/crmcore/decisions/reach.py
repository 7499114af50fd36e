"""
How far ahead columns know what a span does.

What has begun is due within the span's own length, so its pieces are few. What holds a deadline back may end in years,
and where the clocks change or days are free the pieces of those years have no end: columns know some, and beyond them
that the true instant is not sooner.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from math import gcd
from typing import Final

import attrs

from crmcore.calendars import EARLIEST, OPEN_ENDED, BoundSpan, Span
from crmcore.calendars.instants import DAY, instant_at, micros
from crmcore.calendars.pieces import Piece, grid
from crmcore.errors import NoWorkingTime

__all__ = ["FAR", "NEAR", "apart", "far", "just_before", "over"]

FAR: Final = timedelta(days=1100)
"""
How far ahead what is to come is known to the microsecond, where a span is more than one shift; beyond it
`next_change_at` may be too early, never too late: whoever decides again at that instant is told the next one.
"""
NEAR: Final = timedelta(days=90)
"""The same for working hours and minutes."""
DECADES: Final = timedelta(days=7_305)
"""The same where a limit is longer than all that."""
MICROSECOND: Final = timedelta(microseconds=1)

Make = Callable[[BoundSpan, datetime, datetime], tuple[Piece, ...]]
WELL_APART: Final = timedelta(hours=30)
"""More than the clocks may change by: the Pacific has left out a day."""


def far(
    make: Make, span: BoundSpan, after: datetime, base: datetime, *, latest: datetime, beyond: datetime | None = None
) -> tuple[Piece, ...]:
    """
    The pieces of a span after `after` and well beyond `base`, up to `latest` if that is not in decades.

    What lies beyond them is one value: `beyond`, or one that is too early.
    """
    pieces = _known(make, span, after, base, latest)
    if len(pieces) == 1 and span.span.needs != "calendar":
        return pieces
    *known, final = pieces
    border = _even_end(pieces)
    value = final.value or border + (1 + final.shift) * MICROSECOND
    return (*known, attrs.evolve(final, upto=border), Piece(OPEN_ENDED, 0, beyond or value))


def _known(make: Make, span: BoundSpan, after: datetime, base: datetime, latest: datetime) -> tuple[Piece, ...]:
    ahead = NEAR if span.span.unit in ("wh", "wmin") else max(FAR, min(latest - base, DECADES))
    while True:
        try:
            return make(span, after, instant_at(micros(base) + ahead // MICROSECOND))
        except NoWorkingTime:  # the calendar ends before
            if ahead < MICROSECOND:
                raise
            ahead //= 2


def _even_end(pieces: tuple[Piece, ...]) -> datetime:
    """The last instant of the pieces on a grid with their borders, so that they make a table."""
    *known, final = pieces
    if not known:
        return final.upto
    _, step = grid(pieces) or (0, DAY)
    last = micros(known[-1].upto)
    return instant_at(last + (micros(final.upto) - last) // (even := gcd(step, DAY)) * even)


def apart(a: BoundSpan, b: BoundSpan) -> bool:
    """Whether one of the leads surely begins first, whatever the clocks and the calendar do."""
    if a.span.unit == b.span.unit:
        return True
    return any(longest(short.span) + WELL_APART < shortest(long.span) for long, short in ((a, b), (b, a)))


def shortest(span: Span) -> timedelta:
    """No less time than this, but for the clocks' changes."""
    days = {"mo": 28, "wd": 1}.get(span.unit)
    return span.nominal if days is None else timedelta(days * span.count)


def longest(span: Span) -> timedelta:
    """No more time than this, but for the clocks' changes."""
    if span.needs == "calendar":
        return timedelta.max - WELL_APART
    return timedelta(31 * span.count) if span.unit == "mo" else span.nominal


def just_before(at: datetime) -> datetime:
    """The instant before, if there is one."""
    return instant_at(micros(at) - 1)


def over(span: BoundSpan, at: datetime) -> datetime:
    """The instant before the last that is over by `at`: pieces after it begin with one that holds for all before."""
    try:
        return just_before(span.cutoff(at))
    except NoWorkingTime:  # the calendar begins later: nothing is over
        return EARLIEST
