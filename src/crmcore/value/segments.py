"""
Maps from scores to segments: rows in order, the first that fits; a map with a hole is refused.

>>> from crmcore.value.segments import Segment, SegmentMap
>>> few = SegmentMap([Segment("best", r=(2, 3), f=(2, 3), m=(2, 3)), Segment("rest")], bins=3)
>>> few.segment(3, 2, 2), few.segment(3, 3, 1)
('best', 'rest')
>>> SegmentMap([Segment("best", r=2)], bins=2)
Traceback (most recent call last):
crmcore.errors.InvalidPolicy: segments: '4 cells without a segment: 111 112 121 122' is not total: add rows or otherwise
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from typing import Any, Final, TypeAlias

import attrs

from crmcore.decisions.frozen import FrozenMap
from crmcore.errors import InvalidPolicy

__all__ = ["DEFAULT", "MOST_BINS", "R_RFM", "Segment", "SegmentMap", "cell_name"]

Bounds: TypeAlias = tuple[int, int]

MOST_BINS: Final = 20
"""A map has 8,000 cells then."""
SHOWN: Final = 12


def cell_name(r: int, f: int, m: int) -> str:
    """A cell as text: ``555``; joined by hyphens where a score has two digits: ``10-9-1``."""
    return ("-" if max(r, f, m) > 9 else "").join(map(str, (r, f, m)))  # noqa: PLR2004 - the last digit


def _bounds(value: int | Sequence[int] | None) -> Bounds | None:
    if value is None:
        return None
    low, high = (value, value) if isinstance(value, int) else value if len(value) == 2 else (0, 0)  # noqa: PLR2004
    if not (type(low) is type(high) is int and 1 <= low <= high):
        raise InvalidPolicy("segments.bounds", value, "the lowest and the highest score, such as (4, 5)")
    return low, high


def _name(value: str) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidPolicy("segments.name", value, "text")
    return value


def _titles(value: Mapping[str, str]) -> Mapping[str, str]:
    return FrozenMap(value)


@attrs.frozen
class Segment:
    """
    One row of a map: the name to answer, and the lowest and highest score of each dimension, both inclusive.

    ``None``: any score; an int: that score alone. `titles` is what people read, by language. Raises `InvalidPolicy`.
    """

    name: str = attrs.field(converter=_name)
    r: Bounds | None = attrs.field(default=None, converter=_bounds)
    f: Bounds | None = attrs.field(default=None, converter=_bounds)
    m: Bounds | None = attrs.field(default=None, converter=_bounds)
    titles: Mapping[str, str] = attrs.field(
        default=FrozenMap({}), converter=_titles, kw_only=True, eq=False, repr=False
    )

    @property
    def bounds(self) -> tuple[Bounds | None, Bounds | None, Bounds | None]:
        """Of r, f and m."""
        return self.r, self.f, self.m


# --- the data ---

TITLES: Final = {
    "champions": {"en": "Champions", "zh": "冠军客户"},
    "potential_loyalist": {"en": "Potential Loyalist", "zh": "潜在忠诚客户"},
    "loyal_customers": {"en": "Loyal Customers", "zh": "忠诚客户"},
    "promising": {"en": "Promising", "zh": "有潜力客户"},
    "new_customers": {"en": "New Customers", "zh": "新客户"},
    "cant_lose_them": {"en": "Can't Lose Them", "zh": "不能失去的客户"},
    "at_risk": {"en": "At Risk", "zh": "有流失风险"},
    "need_attention": {"en": "Need Attention", "zh": "需要关注"},
    "about_to_sleep": {"en": "About To Sleep", "zh": "即将沉睡"},
    "lost": {"en": "Lost", "zh": "已流失"},
}


def _row(name: str, r: Bounds, f: Bounds, m: Bounds) -> Segment:
    return Segment(name, r, f, m, titles=TITLES[name])


R_RFM: Final = (
    _row("champions", (5, 5), (5, 5), (5, 5)),
    _row("potential_loyalist", (3, 5), (3, 5), (2, 5)),
    _row("loyal_customers", (2, 4), (2, 4), (2, 4)),
    _row("promising", (3, 4), (1, 3), (3, 5)),
    _row("new_customers", (4, 5), (1, 3), (1, 5)),
    _row("cant_lose_them", (1, 2), (3, 4), (4, 5)),
    _row("at_risk", (1, 2), (2, 5), (4, 5)),
    _row("need_attention", (1, 3), (3, 5), (3, 5)),
    _row("about_to_sleep", (2, 3), (1, 3), (1, 4)),
    _row("lost", (1, 1), (1, 5), (1, 5)),
)
"""The rows of the R package rfm (0.3.0, README): 10 of its 125 cells have no segment."""

DEFAULT: Final = (
    *R_RFM,
    # What those rows leave out: who still comes often for little, who came often for little, one large purchase.
    _row("potential_loyalist", (3, 5), (4, 5), (1, 1)),
    _row("need_attention", (2, 2), (4, 5), (1, 2)),
    _row("about_to_sleep", (2, 2), (1, 1), (5, 5)),
)
"""Our rows: as `R_RFM` where it answers, and total."""
BINS: Final = 5
"""Of both."""


# --- the map ---


def _rows(value: Iterable[Segment]) -> tuple[Segment, ...]:
    rows = tuple(value)
    if not rows or not all(isinstance(row, Segment) for row in rows):
        raise InvalidPolicy("segments", value, "rows, each a Segment")
    return rows


def _bins(value: int) -> int:
    if type(value) is not int or not 1 < value <= MOST_BINS:
        raise InvalidPolicy("segments.bins", value, f"a whole number from 2 to {MOST_BINS}")
    return value


@attrs.frozen(slots=False)
class SegmentMap:
    """
    Which segment the scores 1 to `bins` of recency, frequency and monetary value belong to: the first row that fits.

    `otherwise` names the segment of all that no row fits; without it the rows must cover every cell. Several rows may
    have one name. Raises `InvalidPolicy` for a hole, for a row that no cell reaches, and for bounds beyond `bins`.
    """

    rows: tuple[Segment, ...] = attrs.field(converter=_rows)
    bins: int = attrs.field(default=BINS, converter=_bins)
    otherwise: str | None = attrs.field(default=None, converter=attrs.converters.optional(_name), kw_only=True)

    def __attrs_post_init__(self) -> None:
        for row in self.rows:
            for dimension, bounds in zip("rfm", row.bounds, strict=True):
                if bounds and bounds[1] > self.bins:
                    raise InvalidPolicy(f"segments.{row.name}.{dimension}", bounds, f"at most {self.bins}")
        reached = set(self._cells)
        if None in reached and self.otherwise is None:
            raise InvalidPolicy("segments", self._holes(), "total: add rows or otherwise")
        for place, row in enumerate(self.rows):
            if place not in reached:
                raise InvalidPolicy(f"segments.{row.name}", row, "reached by any cell: rows before it take them all")

    @classmethod
    def default(cls, bins: int = BINS) -> SegmentMap:
        """Our map for so many scores; other numbers than 5 are read on its scale, and a row that none reaches goes."""
        return _default(bins)

    def segment(self, r: int, f: int, m: int) -> str:
        """The name for these scores, each from 1 to `bins`."""
        return self._answers[((r - 1) * self.bins + f - 1) * self.bins + m - 1]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every name of the map, once, in the order of the rows."""
        last = () if self.otherwise is None else (self.otherwise,)
        return tuple(dict.fromkeys((*(row.name for row in self.rows), *last)))

    def title(self, name: str, language: str = "en") -> str:
        """What people read for `name`; the name itself where the map has no title in this language."""
        return next((row.titles[language] for row in self.rows if row.name == name and language in row.titles), name)

    def canonical(self) -> dict[str, Any]:
        """The rows as JSON-able data; titles decide nothing and are left out."""
        rows = [{"name": row.name, "r": row.r, "f": row.f, "m": row.m} for row in self.rows]
        return {"rows": rows, "bins": self.bins, "otherwise": self.otherwise}

    @cached_property
    def _answers(self) -> tuple[str, ...]:
        return tuple(str(self.otherwise) if place is None else self.rows[place].name for place in self._cells)

    @cached_property
    def _cells(self) -> list[int | None]:
        return _cells(self.rows, self.bins)

    def _holes(self) -> str:
        scores = range(1, self.bins + 1)
        names = (cell_name(r, f, m) for r in scores for f in scores for m in scores)
        holes = [name for name, place in zip(names, self._cells, strict=True) if place is None]
        return f"{len(holes)} cells without a segment: {' '.join(holes[:SHOWN])}{' …' * (len(holes) > SHOWN)}"


def _cells(rows: Sequence[Segment], bins: int) -> list[int | None]:
    """By cell, 111 first, the place of the row that answers; ``None``: a hole."""
    cells: list[int | None] = [None] * bins**3
    for place, row in reversed(list(enumerate(rows))):  # what comes first has the last word
        rs, fs, ms = (range(low, high + 1) for low, high in (bounds or (1, bins) for bounds in row.bounds))
        for r in rs:
            for f in fs:
                start = ((r - 1) * bins + f - 1) * bins - 1
                cells[start + ms[0] : start + ms[-1] + 1] = [place] * len(ms)
    return cells


@cache
def _default(bins: int) -> SegmentMap:
    # The middle of each score, on the scale of five: 1 2 3 is 1 3 5.
    five = [(2 * score - 1) * BINS // (2 * _bins(bins)) + 1 for score in range(1, bins + 1)]
    rows = list(_scaled(five))
    reached = set(_cells(rows, bins))
    return SegmentMap([row for place, row in enumerate(rows) if place in reached], bins)


def _scaled(five: list[int]) -> Iterable[Segment]:
    """The rows that some score falls into, in each dimension, with their bounds in these scores."""
    for row in DEFAULT:
        bounds = (pair or (1, BINS) for pair in row.bounds)
        found = [[score for score, as_five in enumerate(five, 1) if low <= as_five <= high] for low, high in bounds]
        if all(found):
            r, f, m = ((scores[0], scores[-1]) for scores in found)
            yield Segment(row.name, r, f, m, titles=row.titles)
