"""The cross-ratio chart: margin rate against turnover, with lines of equal cross ratio (ANA-4 to ANA-8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from math import log
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import attrs

from crmcore.analysis.assortment import Assortment, AssortmentRow
from crmcore.report.legend import ground, marks, size_of, width_of, write
from crmcore.report.placing import Box, Point, nearest, place
from crmcore.report.sheet import BLACK, GREY, SMALL, Sheet, label_axes, styled
from crmcore.report.text import amount, clean, fixed, percent, say, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["NAMED", "cross_chart"]

SIZE: Final = (8.2, 5.2)
MARGINS: Final = (0.75, 0.62, 0.8, 0.3)
"""Inches free at the left, bottom, right and top of the axes."""
INSIDE: Final = (72 * (SIZE[0] - MARGINS[0] - MARGINS[2]), 72 * (SIZE[1] - MARGINS[1] - MARGINS[3]))
"""The axes in points."""
NAMED: Final = 20
"""Most products that are named in the plot: those with the greatest sales."""
LISTED: Final = 12
"""Most products that the note names."""
LABEL: Final = 16.0
"""Widest name of a product, in ems."""
LOGARITHMIC_FROM: Final = 15
"""How many times the least turnover the greatest is, for the axis to be logarithmic."""
LARGEST: Final = 13.0
SMALLEST: Final = 2.5
"""Radius of a point, in points of type."""
DIAMOND: Final = 0.8
"""A diamond of the same area is that much smaller than matplotlib's."""
MARKS: Final = MappingProxyType(
    {
        "push": {"marker": "^", "markerfacecolor": BLACK, "markeredgecolor": "white"},
        "keep": {"marker": "o", "markerfacecolor": "#a6a6a6", "markeredgecolor": BLACK},
        "watch": {"marker": "D", "markerfacecolor": "white", "markeredgecolor": BLACK},
        "drop": {"marker": "v", "markerfacecolor": "white", "markeredgecolor": BLACK},
        "unknown": {"marker": "s", "markerfacecolor": "white", "markeredgecolor": GREY},
    }
)
"""Told apart by shape and shade."""
STEPS: Final = (1, 2, 5)
"""The cross ratios of lines: these, times powers of ten."""
APART: Final = 10.0
"""Between the labels of two lines, in points of type; a line whose label has no room is not drawn."""
SAMPLES: Final = 120


def cross_chart(assortment: Assortment, lang: str = "en", title: str | None = None) -> Figure:
    """
    A point for each product: turnover to the right, margin rate upwards, sales as its area, the advice as its shape.

    Dashed lines have one cross ratio each. Products without a margin rate or a turnover are in a note with the reason.
    Of more than 20 drawn the 20 with the greatest sales are named. The turnover's axis is logarithmic where the
    greatest is 15 times the least. Raises `MissingExtra`.
    """
    with styled():
        drawn = [row for row in assortment.rows if row.margin_rate.value is not None and row.turnover.value is not None]
        view = _View.of(drawn)
        points = _points(view, drawn)
        names = _names(drawn, points)
        notes = [*_notes(assortment, drawn, len(names), lang), *_undefined(assortment, lang)]
        sheet = Sheet.blank("cross", lang, title=title, notes=notes, size=SIZE)
        if not drawn:
            return sheet.nothing(lang, "cross.none")
        axes = sheet.axes(*MARGINS)
        period = say(lang, "cross.period", period=clean(assortment.period)) if assortment.period else ""
        label_axes(axes, say(lang, "cross.x.log" if view.log else "cross.x", period=period), say(lang, "cross.y"))
        view.set(axes)
        _limits(axes, assortment)
        _lines(axes, view, drawn, lang)
        _products(axes, drawn, points)
        for name, box, point in names:
            _name(axes, name, box, point)
        advised = [row.advice for row in drawn]
        shown = [(name, mark) for name, mark in MARKS.items() if name in advised]
        legend = [({**mark, "linewidth": 0}, say(lang, f"advice.{name}")) for name, mark in shown]
        marks(axes, legend, above=12, left=True)
        return sheet.figure


@attrs.frozen
class _View:
    """What the axes show; margins in per cent."""

    left: float
    right: float
    low: float
    high: float
    log: bool

    @classmethod
    def of(cls, drawn: Sequence[AssortmentRow]) -> _View:
        """Room for all points, with the margin rate of zero; a turnover of zero too, unless it is logarithmic."""
        turns = [_float(row.turnover.value) for row in drawn] or [1.0]
        rates = [100 * _float(row.margin_rate.value) for row in drawn] or [1.0]
        least, most = min(turns), max(turns)
        up, down = max(*rates, 0.0), min(*rates, 0.0)
        pad = 0.12 * (up - down or 10)
        low, high = down - pad if down < 0 else 0.0, up + pad
        if least > 0 and most / least >= LOGARITHMIC_FROM:
            return cls(least / 1.6, most * 1.6, low, high, log=True)
        room = 0.12 * (max(most, 0.0) - min(least, 0.0) or 1)
        return cls(least - room if least < 0 else 0.0, max(most, 0.0) + room, low, high, log=False)

    def set(self, axes: Axes) -> None:
        """Give the axes these limits."""
        if self.log:
            from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=STEPS))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
            axes.xaxis.set_minor_locator(NullLocator())
        axes.set(xlim=(self.left, self.right), ylim=(self.low, self.high))
        if self.low < 0:
            axes.axhline(0, color=BLACK, linewidth=0.8, zorder=1)

    def at(self, turnover: float, rate: float) -> tuple[float, float]:
        """Where a point is, as parts of the axes."""
        if self.log:
            x = log(turnover / self.left) / log(self.right / self.left)
        else:
            x = (turnover - self.left) / (self.right - self.left)
        return x, (rate - self.low) / (self.high - self.low)

    def sampled(self) -> Iterator[float]:
        """Turnovers from left to right, none of them zero."""
        for at in range(1, SAMPLES + 1):
            part = at / SAMPLES
            yield self.left * (self.right / self.left) ** part if self.log else self.right * part**2


def _float(value: Fraction | None) -> float:
    return float(value or 0)


# --- what is said below ---


def _notes(assortment: Assortment, drawn: Sequence[AssortmentRow], named: int, lang: str) -> Iterator[str]:
    if not drawn:
        return
    yield say(lang, "cross.lines")
    limits = assortment.limits
    figures = {
        "margin_rate": None if limits.margin_rate is None else percent(limits.margin_rate, lang),
        "turnover": None if limits.turnover is None else fixed(limits.turnover, 2),
    }
    if said := [say(lang, f"cross.limit.{name}", figure=figure) for name, figure in figures.items() if figure]:
        yield say(lang, "cross.limits", limits=say(lang, "join").join(said))
    yield say(lang, "cross.basis", basis=say(lang, assortment.basis))
    sales = [row.sales for row in drawn]
    yield say(lang, "cross.size", least=amount(min(sales)), most=amount(max(sales)))
    if named < len(drawn):
        yield say(lang, "cross.named", named=named, products=len(drawn))


def _undefined(assortment: Assortment, lang: str) -> Iterator[str]:
    """Which products are not drawn, and why; the first by name, the others by number."""
    lacking = [
        (row.product, reason)
        for row in assortment.rows
        if (reason := row.margin_rate.undefined or row.turnover.undefined) is not None
    ]
    named = [
        say(lang, "cross.because", product=shorten(clean(product), LABEL), why=say(lang, reason))
        for product, reason in lacking[:LISTED]
    ]
    if rest := len(lacking) - len(named):
        named.append(say(lang, "cross.more", count=rest))
    if named:
        yield say(lang, "cross.undefined", products=say(lang, "join").join(named))


# --- what is drawn ---


def _limits(axes: Axes, assortment: Assortment) -> None:
    style: dict[str, Any] = {"color": BLACK, "linewidth": 0.8, "linestyle": (0, (1, 2)), "zorder": 1}
    if assortment.limits.margin_rate is not None:
        axes.axhline(100 * float(assortment.limits.margin_rate), **style)
    if assortment.limits.turnover is not None:
        axes.axvline(float(assortment.limits.turnover), **style)


def _lines(axes: Axes, view: _View, drawn: Sequence[AssortmentRow], lang: str) -> None:
    """The lines of equal cross ratio, each with its value where it leaves the axes at the right."""
    wide, high = size_of(axes)
    turns, last = [*view.sampled()], float("inf")
    for level in _levels(view, drawn):
        up = view.at(view.right, 100 * float(level) / view.right)[1] * high
        if last - up < APART:
            continue
        last = up
        axes.plot(
            turns, [100 * float(level) / each for each in turns], color=GREY, linewidth=0.8, linestyle="--", zorder=1
        )
        write(axes, wide + 4, up, f"{level.normalize():,f}".replace("-", "−"), color="#333333")
    write(axes, wide + 4, high + 12, say(lang, "cross.heading"), color="#333333", ha="center")


def _levels(view: _View, drawn: Sequence[AssortmentRow]) -> list[Decimal]:
    """Round cross ratios, descending, that are seen in the axes and lie among the products'."""
    crossed = [abs(_float(row.cross_ratio.value)) for row in drawn]
    some = [each for each in crossed if each > 0] or [1.0]
    least, most = min(some) / 2, max(some) * 2
    exponents = range(Decimal(least).adjusted(), Decimal(most).adjusted() + 1)
    round_ = [Decimal(step).scaleb(exponent) for exponent in exponents for step in STEPS]
    near = [each for each in round_ if least <= each <= most]
    both = [*near, *(-each for each in near)]
    return sorted((each for each in both if view.low < 100 * float(each) / view.right < view.high), reverse=True)


def _points(view: _View, drawn: Sequence[AssortmentRow]) -> list[Point]:
    """Where each product is in the axes, and how large."""
    wide, high = INSIDE
    most = max((row.sales for row in drawn), default=Decimal(0))
    points = []
    for row in drawn:
        part = float(row.sales / most) if row.sales > 0 else 0.0
        x, y = view.at(_float(row.turnover.value), 100 * _float(row.margin_rate.value))
        points.append(Point(x * wide, y * high, max(LARGEST * part**0.5, SMALLEST)))
    return points


def _names(drawn: Sequence[AssortmentRow], points: Sequence[Point]) -> list[tuple[str, Box, Point]]:
    """The names of the products with the greatest sales, as far as they find a place."""
    texts = [shorten(clean(row.product), LABEL) for row in drawn[:NAMED]]
    sizes = [(width_of(text) + 2, SMALL * 1.25) for text in texts]
    places = place(points, sizes, Box(2, 2, INSIDE[0] - 2, INSIDE[1] - 2))
    return [(text, box, point) for text, box, point in zip(texts, places, points, strict=False) if box]


def _products(axes: Axes, drawn: Sequence[AssortmentRow], points: Sequence[Point]) -> None:
    """The points, those with the greatest sales below the others."""
    for row, point in zip(drawn, points, strict=True):
        turnover, rate = _float(row.turnover.value), 100 * _float(row.margin_rate.value)
        style: dict[str, Any] = {"markeredgewidth": 0.8, "zorder": 3, **MARKS[row.advice]}
        size = 2 * point.radius * DIAMOND if style["marker"] == "D" else 2 * point.radius
        axes.plot([turnover], [rate], markersize=size, **style)


def _name(axes: Axes, name: str, box: Box, point: Point) -> None:
    """A product's name, tied to its point by a line where it stands away from it."""
    wide, high = size_of(axes)
    x, y, away = nearest(box, point)
    if away > LARGEST / 2:
        ends = [x / wide, point.x / wide], [y / high, point.y / high]
        axes.plot(*ends, transform=axes.transAxes, color=BLACK, linewidth=0.5, zorder=2.5)
    ground(axes, box)
    write(axes, box.left + 1, (box.bottom + box.top) / 2, name)
