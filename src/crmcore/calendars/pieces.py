"""
A span as pieces: on a stretch of time, where its map is a shift and where it is constant.

This is what a column needs: a handful of comparisons with literals instead of a call per row. Every map here goes from
instants to wall clocks, windows or months and back, in steps that each are a shift or constant between their edges. So
the whole is one or the other between the edges here and what leads to those there, and the two ends of such a cell tell
which; a cell that is neither is halved until it is. `sub` is the same table read from the other side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain, pairwise
from math import gcd
from typing import Final

import attrs

from crmcore.calendars.bound import BoundSpan, month_of, month_start
from crmcore.calendars.instants import DAY, FIRST, LAST, SECOND, instant_at, micros
from crmcore.calendars.zones import Zone

__all__ = ["Piece", "add_pieces", "grid", "sub_pieces"]

Run = tuple[int, int, int | None]
"""A piece in microseconds: up to, shift, value."""
KEPT: Final = 64  # tables, some hundred pieces each


@attrs.frozen
class Piece:
    """Up to `upto`, inclusive: every instant moved by `shift` microseconds, or all of them to `value`."""

    upto: datetime
    shift: int
    value: datetime | None = None


def add_pieces(span: BoundSpan, after: datetime, upto: datetime) -> tuple[Piece, ...]:
    """The pieces of ``span.add`` on (after, upto], in order, no two neighbours alike; none if `upto` is not later."""
    return _pieces(_added, span, micros(after), micros(upto))


def sub_pieces(span: BoundSpan, after: datetime, upto: datetime) -> tuple[Piece, ...]:
    """The pieces of ``span.sub`` on (after, upto], in order, no two neighbours alike; none if `upto` is not later."""
    return _pieces(_subtracted, span, micros(after), micros(upto))


def grid(pieces: Iterable[Piece]) -> tuple[int, int] | None:
    """
    The coarsest even grid that holds every border between the pieces: origin and step, in µs.

    Of a single border, that border and a day; None if there is none. The end of the last piece is no border.
    """
    borders = [micros(piece.upto) for piece, _ in pairwise(pieces)]
    if not borders:
        return None
    return borders[0], gcd(*(border - borders[0] for border in borders)) or DAY


def edges(span: BoundSpan, low: int, high: int) -> tuple[set[int], set[int]]:
    """Where in (low, high] days, months, windows or the clocks' rules begin, and where they end; and a few more."""
    if span.span.needs is None:
        return set(), set()
    calendar, zone = span.where
    if calendar is not None and span.span.unit != "wd":
        return _sides(calendar.working_time.intervals(low, high + 1))  # the transitions are in them
    begins, ends = _sides(_transitions(zone, low, high))
    first, last = max(zone.wall_floor(low), FIRST), zone.wall(high) + 1
    if calendar is not None:
        days = _sides(calendar.working_days.intervals(first, last))
        return begins.union(map(zone.instant, days[0])), ends.union(map(zone.instant, days[1]))
    if span.span.unit == "mo":
        begins.update(zone.instant(month_start(i)) for i in range(month_of(first), month_of(last) + 1))
    return begins, ends


def _sides(stretches: Iterable[tuple[int, int]]) -> tuple[set[int], set[int]]:
    found = list(stretches)
    return {begin for begin, _ in found}, {end for _, end in found}


def _transitions(zone: Zone, low: int, high: int) -> Iterator[tuple[int, int]]:
    """The transitions, and where after each the wall clock goes on: the end of the fold, if it is one."""
    for at, _, _ in list(zone.stretches(low - 2 * DAY, high + 1))[1:]:
        yield at, zone.instant_floor(zone.wall(at))


@lru_cache(KEPT)
def _pieces(
    runs: Callable[[BoundSpan, int, int], Iterable[Run]], span: BoundSpan, low: int, high: int
) -> tuple[Piece, ...]:
    found = _aligned(_joined(low, runs(span, low, high))) if low < high else []
    return tuple(Piece(instant_at(end), shift, None if to is None else instant_at(to)) for end, shift, to in found)


def _joined(low: int, runs: Iterable[Run]) -> list[Run]:
    """The runs from `low` on without the empty ones, like ones made one; a single instant is like any that gives it."""
    found: list[Run] = []
    for end, shift, value in runs:
        before = found[-1] if found else (low, 0, None)
        if end <= before[0]:
            continue
        run = (end, shift, value)
        if end == before[0] + 1:
            at = _moved(end, shift, value)
            run = (end, 0, at) if before[2] == at else (end, at - end, None)
        if found and run[1:] == before[1:]:
            found.pop()
        found.append(run)
    return found


def _aligned(runs: Sequence[Run]) -> list[Run]:
    """A border that may come before or after an instant comes as those do that may not: so all lie on one grid."""
    sides = [set(_sides_of(*pair)) for pair in pairwise(runs)]
    fixed = next((min(each) for each in sides if len(each) == 1), runs[0][0]) % SECOND
    ends = (
        next((side for side in each if side % SECOND == fixed), run[0]) for each, run in zip(sides, runs, strict=False)
    )
    return [(end, *run[1:]) for end, run in zip((*ends, runs[-1][0]), runs, strict=True)]


def _sides_of(before: Run, after: Run) -> Iterator[int]:
    """Where the border of two runs may lie."""
    end = before[0]
    yield end
    for at, side in ((end, end - 1), (end + 1, end + 1)):
        if _moved(at, *before[1:]) == _moved(at, *after[1:]):
            yield side


def _moved(at: int, shift: int, value: int | None) -> int:
    return at + shift if value is None else value


def _added(span: BoundSpan, low: int, high: int) -> Iterator[Run]:
    """The runs of `add` on (low, high], where low < high."""

    def move(u: int) -> int:
        return min(span._add(u), LAST)  # noqa: SLF001 - in microseconds

    for start, end in pairwise(_cuts(span, low, high, move(low + 1), move(high))):
        yield from _cell(move, start, end)


def _cuts(span: BoundSpan, low: int, high: int, first: int, last: int) -> list[int]:
    """Where runs of (low, high] may end: before its edges, and with what leads to those of [first, last]."""
    begins, ends = edges(span, first - 1, last)
    there = {u for u in (*(edge - 1 for edge in (*begins, LAST)), *ends) if first <= u < last}
    leading = map(span._cutoff, there)  # noqa: SLF001 - in microseconds
    here = (edge - 1 for edge in chain(*edges(span, low, high)))
    return sorted({low, high, *(cut for cut in chain(here, leading) if low < cut < high)})


def _cell(move: Callable[[int], int], start: int, end: int) -> Iterator[Run]:
    """The runs of (start, end]."""
    first, last = move(start + 1), move(end)
    if last - first == end - start - 1:
        yield end, last - end, None
    elif first == last:
        yield end, 0, last
    else:
        middle = (start + end) // 2
        yield from _cell(move, start, middle)
        yield from _cell(move, middle, end)


def _subtracted(span: BoundSpan, low: int, high: int) -> Iterator[Run]:
    """The runs of `sub` on (low, high]: constant where `add` jumps, while it jumps where that is constant."""
    least, greatest = (micros(span.sub(instant_at(u))) for u in (low, high))
    if least < greatest:
        for end, shift, value in _added(span, least - 1, greatest - 1):
            yield least + shift if value is None else value, 0, least
            if value is None:
                yield end + shift, -shift, None
            least = end + 1
    yield high, 0, greatest
