"""Topic `calendar`: working time against a bare prefix sum that takes and returns aware datetimes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from benchmarks.hand import HOUR, WorkingTime
from benchmarks.portfolio import office
from benchmarks.ratios import Row, compared
from crmcore.calendars import BusinessCalendar

__all__ = ["calendar"]

ZONES = ("Asia/Shanghai", "Europe/Berlin")
LENGTHS = (4, 40, 400)
FIRST = datetime(2024, 3, 1, tzinfo=UTC)
TARGET = 1.7


def calendar(*, quick: bool) -> Iterator[Row]:
    """Every instant of two years, in random order; both sides keep what they compile, so that is not timed."""
    count, pairs = (2_000, 11) if quick else (10_000, 41)
    for zone in ZONES:
        made = office(zone)
        bare, random = WorkingTime(made), Random(3)
        starts = [FIRST + random.randrange(730 * 1440) * timedelta(minutes=1) for _ in range(count)]
        yield from _adds(zone, made, bare, starts, pairs)
        for hours in LENGTHS:
            ends = [made.add(start, f"{hours}wh") for start in starts]
            assert list(map(made.between, starts, ends)) == list(map(bare.between, starts, ends))
            ours, theirs = _each(made.between, starts, ends), _each(bare.between, starts, ends)
            yield Row("calendar", f"between, {hours} h, {zone}", compared(ours, theirs, pairs=pairs), TARGET)


def _adds(zone: str, made: BusinessCalendar, bare: WorkingTime, starts: list[datetime], pairs: int) -> Iterator[Row]:
    works: dict[int, Callable[[], object]] = {}
    for hours in LENGTHS:
        span, amount = f"{hours}wh", hours * HOUR
        spans, amounts = [span] * len(starts), [amount] * len(starts)
        assert list(map(made.add, starts, spans)) == list(map(bare.add, starts, amounts))
        ours, theirs = _each(made.add, starts, spans), _each(bare.add, starts, amounts)
        works[hours] = ours
        yield Row("calendar", f"add, {hours} h, {zone}", compared(ours, theirs, pairs=pairs), TARGET)
        bound = _one(made.on(span).add, starts)
        yield Row("calendar", f"add, {hours} h, {zone}, span bound before", compared(bound, theirs, pairs=pairs))
    yield Row("calendar", f"add 400 h against add 4 h, {zone}: flat", compared(works[400], works[4], pairs=pairs), 1.25)


def _each(function: Callable[..., object], *arguments: list[datetime] | list[str] | list[int]) -> Callable[[], object]:
    return lambda: deque(map(function, *arguments), 0)


def _one(function: Callable[[datetime], object], starts: list[datetime]) -> Callable[[], object]:
    return lambda: deque(map(function, starts), 0)
