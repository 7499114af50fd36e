"""
Where classes begin: of each cut of the cumulated value the least value that is still above it, in whole units.

Both roads, objects and columns, count in whole units and hand over a `Tally`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import accumulate, groupby, pairwise
from operator import itemgetter
from typing import Any, Final, Literal, TypeAlias

import attrs

from crmcore.errors import InvalidFact, InvalidPolicy
from crmcore.sales.figures import WIDE, Number, sums
from crmcore.sales.names import in_order

__all__ = [
    "NEGATIVE",
    "ZERO",
    "Cut",
    "Cutting",
    "Degenerate",
    "Nonpositive",
    "Scale",
    "Straddle",
    "Tally",
    "Ties",
    "Values",
    "amount",
    "least_units",
    "ranked",
    "read_cuts",
    "read_labels",
    "rows_above",
    "units_of",
]

Straddle: TypeAlias = Literal["upper", "lower", "nearest"]
Ties: TypeAlias = Literal["together", "stable"]
Nonpositive: TypeAlias = Literal["own", "lowest"]
Degenerate: TypeAlias = Literal["empty", "single", "equal", "first_empty"]
Cut: TypeAlias = Decimal | int | float | str
Values: TypeAlias = Mapping[Any, Number] | Iterable[tuple[Any, Number]]
"""A value by key, or lines (key, value) that are summed by key; a return is negative."""

ZERO: Final = "Z"
"""The class of a net value of zero: outside the base."""
NEGATIVE: Final = "N"
"""The class of a net value below zero: outside the base."""
PLACES: Final = 6
"""Decimal places of a cut in percent: with these, columns compare in whole numbers that fit."""


# --- the parameters ---


@attrs.frozen
class Cutting:
    """How to cut: cuts as shares, who is above them, labels, the place of those outside the base, ties."""

    shares: tuple[Fraction, ...]
    straddle: Straddle
    labels: tuple[str, ...]
    nonpositive: Nonpositive
    ties: Ties


def read_cuts(values: Iterable[Cut]) -> tuple[Decimal, ...]:
    """The cuts in percent; what is below 1 is a share. Raises `InvalidPolicy`."""
    given = tuple(values)
    cuts = tuple(map(_percent, given))
    if not cuts or any(low >= high for low, high in pairwise(cuts)):
        raise InvalidPolicy("cuts", given, "one percentage or more, each greater than the one before")
    return cuts


def _percent(value: Cut) -> Decimal:
    try:
        cut = Decimal(repr(value) if isinstance(value, float) else value)
    except (InvalidOperation, TypeError, ValueError):
        cut = Decimal("NaN")
    if isinstance(value, bool) or not cut.is_finite() or not 0 < cut < 100:  # noqa: PLR2004 - percent
        raise InvalidPolicy("cuts", value, "a percentage above 0 and below 100 (75), or a share below 1 (0.75)")
    percent = (cut.scaleb(2, WIDE) if cut < 1 else cut).normalize(WIDE)
    if -int(percent.as_tuple().exponent) > PLACES:
        raise InvalidPolicy("cuts", value, f"a percentage of at most {PLACES} decimal places")
    return percent


def read_labels(value: Iterable[str] | None) -> tuple[str, ...] | None:
    """The labels, checked; ``None``: letters. Raises `InvalidPolicy`."""
    if value is None:
        return None
    labels = tuple(value)
    if not all(isinstance(label, str) and label for label in labels) or len(set(labels)) < len(labels):
        raise InvalidPolicy("labels", labels, "texts that differ")
    if taken := {ZERO, NEGATIVE} & set(labels):
        raise InvalidPolicy("labels", labels, f"free: {', '.join(sorted(taken))} is for what is outside the base")
    return labels


# --- objects ---


def ranked(values: Values) -> list[tuple[Any, Decimal]]:
    """Summed by key; by value, the greatest first, then by key. Raises as `sums`, and for a key that is ``None``."""
    summed = sums(values)
    if None in summed:
        raise InvalidFact("key", None, "the name of a customer; call those not known 'unknown', say")
    key, value = itemgetter(0), itemgetter(1)
    blocks = (list(tied) for _, tied in groupby(sorted(summed.items(), key=value, reverse=True), key=value))
    return [row for tied in blocks for row in (in_order(tied, key) if len(tied) > 1 else tied)]


def units_of(values: Iterable[Decimal]) -> tuple[list[int], int]:
    """The values in whole units of 10 ** exponent, and the exponent: the smallest among them, at most 0."""
    found = list(values)
    exponent = min((0, *(int(value.as_tuple().exponent) for value in found)))
    return [int(value.scaleb(-exponent, WIDE)) for value in found], exponent


def amount(units: int, exponent: int) -> Decimal:
    """Whole units as an amount."""
    return Decimal(units).scaleb(exponent, WIDE)


def rows_above(units: Sequence[int], shares: Iterable[Fraction], straddle: Straddle, ties: Ties) -> tuple[int, ...]:
    """
    Of each share how many of the `units` (positive, the greatest first) are above the cut.

    Equal units are one block, or each a block (stable). A block is above a cut if its start is below the share of the
    sum (upper), its end within it (lower), or its middle (nearest). Units that are all equal are above every cut.
    """
    counts = list(accumulate(sum(1 for _ in block) for _, block in groupby(units)))
    if len(counts) <= 1:
        return tuple(len(units) for _ in shares)
    if ties == "stable":
        counts = list(range(1, len(units) + 1))
    running = list(accumulate(units))
    ends = [running[count - 1] for count in counts]
    starts, base = [0, *ends[:-1]], ends[-1]
    found = []
    for part, whole in (share.as_integer_ratio() for share in shares):
        if straddle == "upper":
            above = bisect_left(starts, -(-part * base // whole))
        elif straddle == "lower":
            above = bisect_right(ends, part * base // whole)
        else:
            middles = [start + end for start, end in zip(starts, ends, strict=True)]
            above = bisect_right(middles, 2 * part * base // whole)
        found.append(counts[above - 1] if above else 0)
    return tuple(found)


def least_units(units: Sequence[int], above: Iterable[int]) -> tuple[int | None, ...]:
    """Of so many of the `units`, the greatest first, the least; ``None`` of none."""
    return tuple(units[count - 1] if count else None for count in above)


# --- what both roads say ---


@attrs.frozen(kw_only=True)
class Tally:
    """
    What both roads count, in units of 10 ** `exponent`.

    `least`: the least units above each cut; `classes`: customers and units of each class that has any; `positive`: how
    many customers are in the base; `equal`: whether all of those have the same value; `running`: the sum of the
    running sums over the base, the greatest value first.
    """

    exponent: int
    least: tuple[int | None, ...]
    classes: Mapping[str, tuple[int, int]]
    positive: int
    base: int
    equal: bool
    running: int

    @property
    def degenerate(self) -> Degenerate | None:
        """Why the classes tell nothing; ``first_empty``: no customer fits the best class (lower, nearest)."""
        if self.positive <= 1:
            return "single" if self.positive else "empty"
        if self.equal:
            return "equal"
        return "first_empty" if self.least[0] is None else None

    @property
    def gini(self) -> Fraction | None:
        """The Gini coefficient of the positive values; ``None``: there are none."""
        if not self.base:
            return None
        return Fraction(2 * self.running, self.positive * self.base) - Fraction(self.positive + 1, self.positive)


@attrs.frozen(kw_only=True)
class Scale:
    """
    The values at which classes begin.

    `least`: of each label but the last the least positive value that is in its class or a better one; ``None``: no
    value is. Where ties are not kept together, a value may be in the class below, too.
    """

    labels: tuple[str, ...]
    least: tuple[Decimal | None, ...]
    nonpositive: Nonpositive = "own"

    def of(self, value: Decimal | int) -> str:
        """The class of a net value."""
        if value <= 0:
            return self.labels[-1] if self.nonpositive == "lowest" else NEGATIVE if value else ZERO
        for label, least in zip(self.labels, self.least, strict=False):
            if least is not None and value >= least:
                return label
        return self.labels[-1]
