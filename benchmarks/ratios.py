"""
Ratios from interleaved runs: ours, theirs, theirs, ours … in one process, and the median of the ratios of the pairs.

What is timed is processor time, which a busy neighbour disturbs less than the clock on the wall; the garbage collector
runs before each timed part, and during it for both sides or for neither.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from statistics import median
from time import process_time

import attrs

__all__ = ["Row", "compared", "timed"]


@attrs.frozen
class Row:
    """
    One line of the table: a ratio by pair, and how much it may be (None: shown for information).

    `least`: the target is how much it must be. `note`: why there are no ratios.
    """

    topic: str
    what: str
    ratios: tuple[float, ...]
    target: float | None = None
    unit: str = ""
    least: bool = False
    note: str = ""

    @property
    def ratio(self) -> float:
        """The median."""
        return median(self.ratios)

    @property
    def verdict(self) -> str:
        """Met or missed, where there is a target; else the note."""
        if self.target is None:
            return self.note
        met = self.ratio >= self.target if self.least else self.ratio <= self.target
        return "met" if met else "MISSED"

    def cells(self) -> tuple[str, str, str, str, str]:
        """What, ratio, spread, target, verdict."""
        spread = f"{min(self.ratios):.2f}-{max(self.ratios):.2f}" if len(self.ratios) > 1 else ""
        ratio = f"{self.ratio:.2f}{self.unit}" if self.ratios else ""
        target = "" if self.target is None else f"{'>=' if self.least else '<='} {self.target:g}{self.unit}"
        return self.what, ratio, spread, target, self.verdict


def timed(work: Callable[[], object], *, collecting: bool, clock: Callable[[], float] = process_time) -> float:
    """The processor seconds of one call, or those of another clock."""
    gc.collect()
    if not collecting:
        gc.disable()
    try:
        start = clock()
        work()
        return clock() - start
    finally:
        gc.enable()


def compared(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    pairs: int = 31,
    collecting: bool = False,
    warm: int = 1,
    clock: Callable[[], float] = process_time,
) -> tuple[float, ...]:
    """Ours over theirs, pair by pair; which of the two goes first alternates. `warm` pairs before these warm up."""
    found = []
    for pair in range(pairs + warm):
        if pair % 2:
            other = timed(theirs, collecting=collecting, clock=clock)
            own = timed(ours, collecting=collecting, clock=clock)
        else:
            own = timed(ours, collecting=collecting, clock=clock)
            other = timed(theirs, collecting=collecting, clock=clock)
        found.append(own / other)
    return tuple(found[warm:])
