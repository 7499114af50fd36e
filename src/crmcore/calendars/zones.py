"""
Zones compiled to their transitions, and four maps between instants and wall clocks that never decrease.

Local time runs backwards in a fold and jumps in a gap, so neither "the wall clock of an instant" nor "the instant of a
wall clock" can be inverted as it stands. Here the second pass of a fold counts as the fold's end and a wall clock
inside a gap as the gap's end. Each map has its floor, and with `real` for the true local clock:

    instant(w) <= t  ⇔  w <= wall_floor(t)      instant(w) = least t with real(t) >= w
    wall(t) <= w     ⇔  t <= instant_floor(w)   wall(t) = supremum of real(s) over s <= t
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from difflib import get_close_matches
from itertools import accumulate, pairwise
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from crmcore.calendars.instants import DAY, EPOCH, FIRST, LAST, SECOND
from crmcore.errors import InvalidCalendar

__all__ = ["Zone", "zone"]

BLOCK: Final = 3653 * DAY  # compiled at once, about ten years
MARGIN: Final = 3 * DAY  # an offset is less than a day, so a block sees every fold and gap that reaches into it
PROBED: Final = (FIRST + DAY, LAST - DAY)  # outside, a local time may have no datetime; the offset stands still there


class Block:
    """The transitions around ten years: when, the offsets on both sides, and the peaks of the wall clock."""

    __slots__ = ("at", "entries", "offsets", "peaks")

    def __init__(self, at: list[int], offsets: list[int]) -> None:
        self.at = at
        self.offsets = offsets
        # peaks[i]: where the wall clock stood at most before transition i; entries[i]: what it counts as there.
        self.peaks = list(accumulate((t + before for t, before in zip(at, offsets, strict=False)), max))
        self.entries = [max(t + after, top) for t, after, top in zip(at, offsets[1:], self.peaks, strict=True)]


class Zone:
    """A time zone by its transitions. Equal when the key is; `wall` and the rest take and give microseconds."""

    __slots__ = ("_blocks", "key", "tz")

    def __init__(self, tz: tzinfo) -> None:
        self.tz = tz
        self.key = str(getattr(tz, "key", None) or getattr(tz, "zone", None) or tz)
        self._blocks: dict[int, Block] = {}

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, Zone) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"Zone({self.key!r})"

    def __str__(self) -> str:
        return self.key

    def __reduce__(self) -> tuple[object, tuple[tzinfo]]:
        return zone, (self.tz,)

    def wall(self, t: int) -> int:
        """The local clock at an instant; in the second pass of a fold, the fold's end."""
        block = self._block(t)
        i = bisect_right(block.at, t)
        here = t + block.offsets[i]
        return max(here, block.peaks[i - 1]) if i else here

    def wall_floor(self, t: int) -> int:
        """The greatest wall clock whose instant is not after `t`."""
        block = self._block(t)
        i = bisect_right(block.at, t)
        here = t + block.offsets[i]
        return max(here, block.peaks[i - 1] - 1) if i else here

    def instant(self, wall: int) -> int:
        """When the local clock first shows `wall`; inside a gap, the gap's end."""
        block = self._block(wall)
        i = bisect_right(block.peaks, wall)
        there = wall - block.offsets[i]
        return max(there, block.at[i - 1]) if i else there

    def instant_floor(self, wall: int) -> int:
        """The greatest instant whose wall clock is not after `wall`."""
        block = self._block(wall)
        i = bisect_right(block.entries, wall)
        there = wall - block.offsets[i]
        return min(there, block.at[i] - 1) if i < len(block.at) else there

    def stretches(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """The pieces of [start, end) between transitions, each with its offset: local clock = instant + offset."""
        inner = sorted({t for i in range(start // BLOCK, end // BLOCK + 1) for t in self._block(i * BLOCK).at})
        for a, b in pairwise([start, *(t for t in inner if start < t < end), end]):
            yield a, b, self.offset(a)

    def steady(self, start: int, end: int) -> bool:
        """Whether the offset stands still all through [start, end]."""
        return all(start == a and end == b for a, b, _ in self.stretches(start, end))

    def offset(self, t: int) -> int:
        """Local clock minus UTC at an instant."""
        block = self._block(t)
        return block.offsets[bisect_right(block.at, t)]

    def local(self, instant: datetime) -> datetime:
        """An instant as an aware datetime of the zone, for display; as it is where the zone's own would overflow."""
        try:
            return instant.astimezone(self.tz)
        except OverflowError:
            return instant

    def _block(self, us: int) -> Block:
        return self._blocks.get(us // BLOCK) or self._compile(us // BLOCK)

    def _compile(self, index: int) -> Block:
        start, end = index * BLOCK - MARGIN, (index + 1) * BLOCK + MARGIN
        at, offsets = [], [self._probe(start)]
        for day in range(start + DAY, end + 1, DAY):
            here, offset = day - DAY, self._probe(day)
            while offset != offsets[-1]:
                here = self._search(here, day, offsets[-1])
                at.append(here)
                offsets.append(self._probe(here))
        block = self._blocks[index] = Block(at, offsets)
        return block

    def _search(self, low: int, high: int, before: int) -> int:
        """Where the offset is no longer `before`."""
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._probe(middle) == before else (low, middle)
        return high

    def _probe(self, t: int) -> int:
        instant = EPOCH + timedelta(microseconds=min(max(t, PROBED[0]), PROBED[1]))
        # The clock itself, not utcoffset(): what a zone says of a fold depends on how it was made.
        ahead = instant.astimezone(self.tz).replace(tzinfo=UTC) - instant
        return (ahead.days * 86_400 + ahead.seconds) * SECOND + ahead.microseconds


_KNOWN: dict[str, Zone] = {}


def zone(value: str | tzinfo | Zone) -> Zone:
    """The compiled zone of an IANA name or any tzinfo; one per name."""
    if isinstance(value, Zone):
        return value
    tz = _named(value) if isinstance(value, str) else value
    if not isinstance(tz, tzinfo):
        raise InvalidCalendar("zone", value, 'a time zone such as "Asia/Shanghai"')
    if not isinstance(tz, ZoneInfo | timezone) or (isinstance(tz, ZoneInfo) and tz.key is None):
        return Zone(tz)
    return _KNOWN.get(str(tz)) or _KNOWN.setdefault(str(tz), Zone(tz))


def _named(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        known = {key.lower(): key for key in available_timezones()}
        close = [known[key] for key in get_close_matches(name.lower(), known, n=1)]
        hint = f"; did you mean {close[0]!r}?" if close else ' such as "Asia/Shanghai"'
        raise InvalidCalendar("zone", name, f"a known time zone{hint}") from error
