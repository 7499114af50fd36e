"""
What a score is: 1 and the number of cut values that a value reaches; cuts are given, or found so that ties share one.

>>> from crmcore.value.scoring import Cuts, Quantiles
>>> Quantiles(5).cuts([1, 1, 1, 1, 1])
(1, 1, None, None)
>>> Cuts(recency=[30, 90], frequency=[2, 5], monetary=["100", "1000"]).scores(29, 2, 99)
(3, 2, 1)
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeAlias

import attrs

from crmcore.errors import InvalidFact, InvalidPolicy
from crmcore.sales import exact
from crmcore.value.segments import BINS, MOST_BINS

__all__ = ["Cuts", "Quantiles", "Scoring", "cut_values", "cuts_of"]


def cut_values(ordered: Sequence[Any], k: int) -> tuple[Any, ...]:
    """
    Of values in ascending order the k - 1 cuts: a score is 1 and the number of cuts that a value reaches.

    ``None``: no value reaches it. A group of equal values at the ranks a to b of n has p = (a + b - 1) / 2 / n and the
    score floor(p · k) + 1.

    >>> cut_values([1, 1, 1, 2, 9], 5), cut_values([7, 7], 5)
    ((1, 2, 2, 9), (7, 7, None, None))
    """
    return tuple(_cut(ordered, part, k) for part in range(1, k) if ordered) or (None,) * (k - 1)


def _cut(ordered: Sequence[Any], part: int, k: int) -> Any:
    n = len(ordered)
    value = ordered[part * n // k]
    first, end = bisect_left(ordered, value), bisect_right(ordered, value)
    if k * (first + end) >= 2 * part * n:  # its middle lies at or above the cut; else the next greater value's does
        return value
    return ordered[end] if end < n else None


def _k(value: int) -> int:
    if type(value) is not int or not 1 < value <= MOST_BINS:
        raise InvalidPolicy("scoring.k", value, f"a whole number from 2 to {MOST_BINS}")
    return value


@attrs.frozen
class Quantiles:
    """
    Scores 1 to `k`, each for about as many customers; those of equal value share the score of their middle.

    All equal: all have the middle score. Raises `InvalidPolicy`.
    """

    k: int = attrs.field(default=BINS, converter=_k)

    def cuts(self, values: Iterable[Any]) -> tuple[Any, ...]:
        """The k - 1 cuts of values of which more is better, as `cut_values`."""
        return cut_values(sorted(values), self.k)

    def canonical(self) -> dict[str, Any]:
        """As JSON-able data."""
        return {"quantiles": self.k}


Cut: TypeAlias = Decimal | int | None


def _cuts(name: str, value: Iterable[Any]) -> tuple[Cut, ...]:
    cuts = tuple(None if cut is None else _number(name, cut) for cut in value)
    known = [cut for cut in cuts if cut is not None]
    if not cuts or len(cuts) >= MOST_BINS or cuts[len(known) :] != (None,) * (len(cuts) - len(known)):
        raise InvalidPolicy(f"scoring.{name}", cuts, f"1 to {MOST_BINS - 1} cuts, None only at the end")
    if any(one > other for one, other in pairwise(known)):
        raise InvalidPolicy(f"scoring.{name}", cuts, "in ascending order")
    return cuts


def _number(name: str, cut: Any) -> Decimal | int:
    if name != "monetary":
        if type(cut) is not int or cut < 0:
            raise InvalidPolicy(f"scoring.{name}", cut, "a whole number, 0 or more")
        return cut
    try:
        return exact(cut)
    except InvalidFact as error:
        raise InvalidPolicy("scoring.monetary", cut, error.expected) from None


def _recency_cuts(value: Iterable[Any]) -> tuple[Cut, ...]:
    cuts = _cuts("recency", value)
    if None in cuts:
        raise InvalidPolicy("scoring.recency", cuts, "whole numbers: 0 where nobody has the highest score")
    return cuts


def _frequency_cuts(value: Iterable[Any]) -> tuple[Cut, ...]:
    return _cuts("frequency", value)


def _monetary_cuts(value: Iterable[Any]) -> tuple[Cut, ...]:
    return _cuts("monetary", value)


@attrs.frozen(kw_only=True)
class Cuts:
    """
    Fixed cut points, in ascending order: a bin begins at its lower bound, inclusive; k - 1 cuts make k scores.

    `recency` in days, the fewer the higher the score: 0 as its first cut says that nobody has the highest. ``None`` at
    the end of the others: a score that nobody has. As the R package rfm (README, thresholds). Raises `InvalidPolicy`.
    """

    recency: tuple[int, ...] = attrs.field(converter=_recency_cuts)
    frequency: tuple[int | None, ...] = attrs.field(converter=_frequency_cuts)
    monetary: tuple[Decimal | None, ...] = attrs.field(converter=_monetary_cuts)

    def __attrs_post_init__(self) -> None:
        if not len(self.recency) == len(self.frequency) == len(self.monetary):
            counts = [len(self.recency), len(self.frequency), len(self.monetary)]
            raise InvalidPolicy("scoring", counts, "as many cuts for recency, frequency and monetary value")

    @property
    def k(self) -> int:
        """How many scores there are."""
        return len(self.recency) + 1

    def scores(self, recency_days: int, frequency: int, monetary: Decimal | int) -> tuple[int, int, int]:
        """The scores r, f and m, each from 1 to k."""
        late = sum(cut <= recency_days for cut in self.recency)
        often = sum(cut is not None and cut <= frequency for cut in self.frequency)
        much = sum(cut is not None and cut <= monetary for cut in self.monetary)
        return self.k - late, 1 + often, 1 + much

    def canonical(self) -> dict[str, Any]:
        """As JSON-able data, amounts as text."""
        monetary = [None if cut is None else format(cut, "f") for cut in self.monetary]
        return {"recency": list(self.recency), "frequency": list(self.frequency), "monetary": monetary}


def cuts_of(k: int, near: Sequence[int], often: Sequence[int], much: Sequence[Any]) -> Cuts:
    """The cuts of ascending values: minus the days of recency, frequencies, amounts."""
    days = tuple(0 if cut is None else 1 - cut for cut in reversed(cut_values(near, k)))
    return Cuts(recency=days, frequency=cut_values(often, k), monetary=cut_values(much, k))


Scoring: TypeAlias = Quantiles | Cuts
"""How scores are made."""
