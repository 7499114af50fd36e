"""Grids of counts, shaded by how many: the RFM grid, and the migration between classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING, Any, Final

import attrs

from crmcore.report.legend import width_of
from crmcore.report.sheet import BLACK, GREY, SMALL, Sheet, label_axes, styled
from crmcore.report.text import clean, fixed, percent, say, shorten
from crmcore.value.migration import GONE, NEW, Migration
from crmcore.value.scores import RfmScores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["migration_matrix", "rfm_grid"]

WIDE: Final = 1.05
HIGH: Final = 0.72
"""Inches of a cell."""
BESIDE: Final = 0.5
"""Inches for the title at the left, and around it."""
NARROWEST: Final = 6.4
"""Inches of a sheet."""
LIGHTEST: Final = 0.97
DARKEST: Final = 0.30
"""Grey of a cell with one customer, nearly, and of the fullest one."""
WHITE_BELOW: Final = 0.46
"""On a darker grey than this, letters are white: that has the greater contrast (at least 4.6 : 1)."""
LABEL: Final = 8.5
"""Widest name of a class, in ems."""


@attrs.frozen(kw_only=True)
class Grid:
    """What is in the cells: `counts` by (row, column), rows from the top; `under` is the small text of a cell."""

    rows: Sequence[str]
    columns: Sequence[str]
    counts: Mapping[tuple[str, str], int]
    under: Callable[[str, str], str]
    named: Mapping[str, str] = attrs.field(factory=dict)
    """What rows and columns are called on the sheet, where it is another name."""

    def name(self, of: str) -> str:
        """What a row or column is called."""
        return self.named.get(of, of)


def rfm_grid(scores: RfmScores, lang: str = "en", title: str | None = None) -> Figure:
    """
    Recency scores upwards, frequency scores to the right: in each cell the customers, and their mean monetary score.

    The darker, the more customers; a cell with nobody is hatched. Raises `MissingExtra`.
    """
    with styled():
        customers, counts, monetary = 0, dict[tuple[str, str], int](), dict[tuple[str, str], int]()
        for row in scores.rows:
            cell = str(row.r), str(row.f)
            customers += 1
            counts[cell] = counts.get(cell, 0) + 1
            monetary[cell] = monetary.get(cell, 0) + row.m
        recencies, frequencies = _scale(scores.cuts.recency), _scale(scores.cuts.frequency)

        def mean(r: str, f: str) -> str:
            return say(lang, "rfm.mean", mean=fixed(Fraction(monetary[r, f], counts[r, f]), 1))

        grid = Grid(rows=recencies[::-1], columns=frequencies, counts=counts, under=mean)
        as_of = scores.as_of.strftime("%Y-%m-%d")
        notes = [say(lang, "rfm.note", customers=fixed(customers, 0), as_of=as_of), say(lang, "rfm.empty")]
        if scores.unscored:
            notes.append(say(lang, "rfm.unscored", customers=fixed(len(scores.unscored), 0)))
        if scores.insufficient:
            notes.append(say(lang, "rfm.insufficient"))
        sheet, axes = _sheet("rfm", grid, lang, title, notes if customers else [])
        if axes is None:
            return sheet.nothing(lang, "rfm.none")
        label_axes(axes, say(lang, "rfm.x"), say(lang, "rfm.y"))
        _cells(axes, grid, set())
        return sheet.figure


def _scale(cuts: Sequence[object]) -> list[str]:
    """The scores that these cuts give, from 1."""
    return [str(score) for score in range(1, len(cuts) + 2)]


def migration_matrix(migration: Migration, lang: str = "en", title: str | None = None) -> Figure:
    """
    The class before downwards, the class after to the right: in each cell the customers, and their share of the row.

    The darker, the more customers; those who stayed are framed; who was or is in no class has a row or column too.
    Raises `MissingExtra`.
    """
    with styled():
        counts = {cell: found.customers for cell, found in migration.cells.items() if found.customers}
        said = {name: say(lang, f"migration.{name}") for name in (NEW, GONE)}
        named = {name: said.get(name, shorten(clean(name), LABEL)) for name in (*migration.rows, GONE)}

        def part(row: str, column: str) -> str:
            return percent(migration.share(row, column), lang)

        grid = Grid(rows=migration.rows, columns=migration.columns, counts=counts, under=part, named=named)
        total = fixed(sum(counts.values()), 0)
        notes = [say(lang, "migration.note", customers=total)]
        sheet, axes = _sheet("migration", grid, lang, title, notes if counts else [])
        if axes is None:
            return sheet.nothing(lang, "migration.none")
        x, y = (_ends(say(lang, f"migration.{end}"), at) for end, at in (("x", migration.to), ("y", migration.from_)))
        label_axes(axes, x, y)
        _cells(axes, grid, {(label, label) for label in migration.labels})
        return sheet.figure


def _ends(said: str, at: str) -> str:
    return f"{said}: {clean(at)}" if at else said


def _sheet(name: str, grid: Grid, lang: str, title: str | None, notes: Sequence[str]) -> tuple[Sheet, Axes | None]:
    """The sheet, and its axes if there is anything to draw."""
    wide, high = len(grid.columns) * WIDE, len(grid.rows) * HIGH
    before = max(width_of(grid.name(row)) for row in grid.rows) / 72
    width = max(wide + before + BESIDE + 0.2, NARROWEST)
    sheet = Sheet.blank(name, lang, title=title, notes=notes, size=(width, high + 0.75))
    if not grid.counts:
        return sheet, None
    left = (width - wide + before + BESIDE - 0.2) / 2
    axes = sheet.axes(left, 0.6, width - wide - left, 0.15)
    axes.yaxis.set_label_coords(-(before + 0.2) / wide, 0.5)
    return sheet, axes


def _cells(axes: Axes, grid: Grid, framed: set[tuple[str, str]]) -> None:
    """Every cell with its number and its small text, its shade, and its frame."""
    axes.set(xlim=(0, len(grid.columns)), ylim=(len(grid.rows), 0))
    axes.set_xticks([at + 0.5 for at in range(len(grid.columns))], [*map(grid.name, grid.columns)])
    axes.set_yticks([at + 0.5 for at in range(len(grid.rows))], [*map(grid.name, grid.rows)])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    most = max(grid.counts.values())
    for y, row in enumerate(grid.rows):
        for x, column in enumerate(grid.columns):
            count = grid.counts.get((row, column), 0)
            _cell(axes, x, y, count / most)
            if count:
                ink = "white" if _shade(count / most) < WHITE_BELOW else BLACK
                style: dict[str, Any] = {"ha": "center", "va": "center", "color": ink}
                axes.text(x + 0.5, y + 0.42, fixed(count, 0), size=12, weight="bold", **style)
                axes.text(x + 0.5, y + 0.76, grid.under(row, column), size=SMALL, **style)
    for y, row in enumerate(grid.rows):
        for x, column in enumerate(grid.columns):
            if (row, column) in framed:
                _frame(axes, x, y)


def _shade(part: float) -> float:
    """The grey of a cell; by the square root, so that few and fewer still differ."""
    return LIGHTEST - (LIGHTEST - DARKEST) * sqrt(part)


def _cell(axes: Axes, x: int, y: int, part: float) -> None:
    from matplotlib.patches import Rectangle

    full = part > 0
    shade = str(round(_shade(part), 4)) if full else "white"
    axes.add_patch(Rectangle((x, y), 1, 1, facecolor=shade, edgecolor=GREY, linewidth=0.5, hatch="" if full else "//"))


def _frame(axes: Axes, x: int, y: int) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x + 0.03, y + 0.03), 0.94, 0.94, fill=False, edgecolor=BLACK, linewidth=2.2))
