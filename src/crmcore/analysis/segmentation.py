"""
Whether segments are worth having (ANA-10): measurable, large enough for the profit goal, reachable, and different.

Each criterion holds, does not, or is not known (``None``): what too few customers would have to say is not guessed.

*Different in response* is a two-sided test of the segment's share of responses against that of all other segments:
Fisher's exact test, in whole numbers, up to `EXACT_UP_TO` customers in both; beyond, the two-proportion z test with a
pooled share and without correction. The level is `alpha` for each segment: of twenty that are all alike, one will look
different at 0.05; say ``alpha="0.0025"`` where that matters.

>>> from crmcore.analysis.segmentation import fisher
>>> fisher(3, 4, 1, 4)  # Fisher's tea: three of four against one of four
Fraction(17, 35)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import comb, erfc, sqrt
from typing import Any, Final

import attrs

from crmcore.errors import InvalidFact, InvalidPolicy
from crmcore.sales import Number, exact, exact_sum, share
from crmcore.sales.names import by_text

__all__ = ["Criterion", "Member", "SegmentQuality", "SegmentTest", "fisher", "segment_quality", "two_proportions"]

EXACT_UP_TO: Final = 2_000
CRITERIA: Final = ("measurable", "large_enough", "reachable", "different")


def _value(value: Number | None) -> Decimal | None:
    return None if value is None else exact(value, "value")


@attrs.frozen(kw_only=True)
class Member:
    """One customer as it bears on its segment; ``None``: not known. Raises `InvalidFact`."""

    customer: Hashable
    segment: Hashable = None
    value: Decimal | None = attrs.field(default=None, converter=_value)
    """Its profit over the time that the goal is for."""
    reachable: bool | None = None
    """Whether there is a way to reach it."""
    responded: bool | None = None
    """Whether it answered to what it was offered; ``None`` also where it was offered nothing."""


@attrs.frozen
class Criterion:
    """Whether it holds, ``None`` if that is not known, and the figures that say so."""

    holds: bool | None
    figures: Mapping[str, Any]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {"holds": self.holds, **{name: _shown(value) for name, value in self.figures.items()}}


def _shown(value: object) -> object:
    return float(value) if isinstance(value, Fraction) else format(value, "f") if isinstance(value, Decimal) else value


@attrs.frozen(kw_only=True)
class SegmentQuality:
    """A segment held against the four criteria."""

    segment: Hashable
    customers: int
    measurable: Criterion
    large_enough: Criterion
    reachable: Criterion
    different: Criterion

    @property
    def holds(self) -> bool | None:
        """Whether all four hold; ``None`` where none fails and some are not known."""
        found = [getattr(self, name).holds for name in CRITERIA]
        return False if False in found else None if None in found else True

    def record(self) -> dict[str, Any]:
        """For JSON."""
        named = None if self.segment is None else str(self.segment)
        criteria = {name: getattr(self, name).record() for name in CRITERIA}
        return {"segment": named, "customers": self.customers, "holds": self.holds, **criteria}


def _share(value: Number | Fraction) -> Fraction:
    found = value if isinstance(value, Fraction) else Fraction(exact(value, "share"))
    if not 0 <= found <= 1:
        raise InvalidPolicy("segments", value, "a share from 0 to 1")
    return found


@attrs.frozen(kw_only=True)
class SegmentTest:
    """
    What is asked of segments.

    `goal`: the profit that each must bring, one for all or segment → goal; ``None``: no goal is known. `known`,
    `reachable`: least shares of customers. `alpha`: the level of the test; `min_sample`: so many customers with a known
    response in the segment, and as many in the others, or the test is not made. Raises `InvalidPolicy`, `InvalidFact`.
    """

    goal: Number | Mapping[Any, Number] | None = None
    known: Fraction = attrs.field(default=Fraction(4, 5), converter=_share)
    reachable: Fraction = attrs.field(default=Fraction(1, 2), converter=_share)
    alpha: Fraction = attrs.field(default=Fraction(1, 20), converter=_share)
    min_sample: int = 30


def segment_quality(members: Iterable[object], test: SegmentTest | None = None) -> tuple[SegmentQuality, ...]:
    """
    Each segment against the four criteria, in the order of their names.

    `members`: each customer once, as objects with the attributes of `Member` or mappings with these keys; what they
    lack is not known. Customers without a segment count only in the share of those whose segment is known. Raises
    `InvalidFact` for a customer who is there twice.
    """
    asked = SegmentTest() if test is None else test
    groups = defaultdict[Hashable, list[Member]](list)
    seen = set[Hashable]()
    for member in map(_member, members):
        if member.customer in seen:
            raise InvalidFact("customer", member.customer, "there once", member.customer)
        seen.add(member.customer)
        groups[member.segment].append(member)
    placed = {segment: some for segment, some in groups.items() if segment is not None}
    known = share(sum(map(len, placed.values())), len(seen)) or Fraction(0)
    everyone = _responses([member for some in placed.values() for member in some])
    return tuple(
        SegmentQuality(
            segment=segment,
            customers=len(placed[segment]),
            measurable=_measurable(placed[segment], known, asked),
            large_enough=_large_enough(segment, placed[segment], asked),
            reachable=_reachable(placed[segment], asked),
            different=_different(_responses(placed[segment]), everyone, asked),
        )
        for segment in sorted(placed, key=by_text)
    )


def _member(row: object) -> Member:
    if isinstance(row, Member):
        return row
    names = [field.name for field in attrs.fields(Member)]
    found = row if isinstance(row, Mapping) else {name: getattr(row, name, None) for name in names}
    return Member(**{name: found.get(name) for name in names})


def _measurable(some: Sequence[Member], segment_known: Fraction, asked: SegmentTest) -> Criterion:
    """Whether segment and value of enough customers are known."""
    value_known = Fraction(sum(member.value is not None for member in some), len(some))
    figures = {"segment_known": segment_known, "value_known": value_known, "least": asked.known}
    return Criterion(min(segment_known, value_known) >= asked.known, figures)


def _large_enough(segment: Hashable, some: Sequence[Member], asked: SegmentTest) -> Criterion:
    """Whether the profit reaches the goal; not known while it does not, and some profit is not known."""
    goal = asked.goal.get(segment) if isinstance(asked.goal, Mapping) else asked.goal
    known = [member.value for member in some if member.value is not None]
    profit, unknown = exact_sum(known), len(some) - len(known)
    figures = {"profit": profit, "goal": None if goal is None else exact(goal, "goal", segment), "unknown": unknown}
    if figures["goal"] is None:
        return Criterion(None, figures)
    enough = profit >= exact(figures["goal"])
    return Criterion(None if unknown and not enough else enough, figures)


def _reachable(some: Sequence[Member], asked: SegmentTest) -> Criterion:
    """Whether enough can be reached, whatever is true of those of whom it is not known."""
    yes = sum(member.reachable is True for member in some)
    unknown = sum(member.reachable is None for member in some)
    least, most = Fraction(yes, len(some)), Fraction(yes + unknown, len(some))
    holds = True if least >= asked.reachable else False if most < asked.reachable else None
    return Criterion(holds, {"least_share": least, "most_share": most, "least": asked.reachable})


Responses = tuple[int, int]
"""How many responded, of how many of whom it is known."""


def _responses(some: Iterable[Member]) -> Responses:
    known = [member.responded for member in some if member.responded is not None]
    return sum(known), len(known)


def _different(here: Responses, everyone: Responses, asked: SegmentTest) -> Criterion:
    """Whether the share of responses differs from that of the customers of all other segments."""
    there = everyone[0] - here[0], everyone[1] - here[1]
    figures: dict[str, Any] = {"share": share(*here), "share_of_others": share(*there), "sample": here[1]}
    figures |= {"sample_of_others": there[1], "alpha": asked.alpha}
    if min(here[1], there[1]) < max(asked.min_sample, 1):
        return Criterion(None, {**figures, "test": "not enough", "p": None})
    small = everyone[1] <= EXACT_UP_TO
    p: Fraction | float = fisher(*here, *there) if small else two_proportions(*here, *there)
    return Criterion(p < asked.alpha, {**figures, "test": "fisher" if small else "two proportions", "p": p})


# --- the tests ---


def fisher(yes: int, of: int, other_yes: int, other_of: int) -> Fraction:
    """
    Fisher's exact test, two-sided: how likely a table is with these margins that is no likelier than this one.

    Raises `InvalidFact` for more responses than customers.
    """
    _check(yes, of, other_yes, other_of)
    total = yes + other_yes
    ways = [comb(of, k) * comb(other_of, total - k) for k in range(max(0, total - other_of), min(of, total) + 1)]
    here = comb(of, yes) * comb(other_of, other_yes)
    return Fraction(sum(way for way in ways if way <= here), sum(ways))


def two_proportions(yes: int, of: int, other_yes: int, other_of: int) -> float:
    """The two-sided p of the z test with a pooled share, without correction: 1 where all or none responded."""
    _check(yes, of, other_yes, other_of)
    pooled = share(yes + other_yes, of + other_of) or Fraction(0)
    variance = pooled * (1 - pooled) * (of + other_of)
    if not variance or not of or not other_of:
        return 1.0
    gap = Fraction(yes, of) - Fraction(other_yes, other_of)
    return erfc(sqrt(gap**2 * of * other_of / variance / 2))


def _check(yes: int, of: int, other_yes: int, other_of: int) -> None:
    for found, all_of_them in ((yes, of), (other_yes, other_of)):
        if not 0 <= found <= all_of_them:
            raise InvalidFact("responses", found, f"from 0 to the {all_of_them} customers")
