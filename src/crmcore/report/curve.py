"""The Pareto curve of an ABC analysis (VAL-2 to VAL-4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from crmcore.report.legend import beside, patches, size_of
from crmcore.report.sheet import BLACK, GREY, LIGHT, SMALL, Sheet, label_axes, styled
from crmcore.report.text import amount, clean, fixed, percent, say, shorten
from crmcore.value.classes import Classed, Classes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["kept", "pareto"]

STEPS: Final = 1000
"""Points are left out where they lie within this part of an axis of one that is drawn."""
TOP: Final = Fraction(1, 5)
REGIONS: Final = (("#d9d9d9", "////"), ("#f2f2f2", "...."), ("#ffffff", ""), ("#bfbfbf", "xxxx"), ("#f7f7f7", "----"))
"""Shade and hatching of each class, the best first; told apart without colour."""
DASHES: Final = ((0, (6, 3)), (0, (2, 2)), (0, (8, 2, 2, 2)), (0, (1, 1)))
"""How the lines at the cuts are drawn, the first first."""
WRITTEN: Final = 0.045
"""How wide a region is at least, as a part of the axis, to have its label in it."""
LABEL: Final = 12.0
"""Widest label of a class, in ems."""
APART: Final = Fraction(1, 10)
"""From this Gini index on the curve leaves room for a word at the line of equality."""
MARKED: Final = 40
"""Up to so many customers, each has a dot."""


def pareto(classes: Classes, lang: str = "en", title: str | None = None) -> Figure:
    """
    Customers, the largest first, against their cumulative part of the value, both in per cent.

    The regions of the classes differ in hatching, the cuts in dashes; the legend has the customers and the value of
    each class, a note the Gini index and what the first fifth carries, rounded up to whole customers. Those with a
    zero or negative value stand outside the base, and in a note. More than a thousand customers are thinned: none that
    is left out lies further than a thousandth of an axis from one that is drawn. Raises `MissingExtra`.
    """
    with styled():
        base = [row for row in classes.rows if row.cumulative is not None]
        points = kept(base)
        notes = _notes(classes, base, len(points), lang)
        sheet = Sheet.blank("pareto", lang, title=title, notes=notes, size=(8.2, 4.9))
        if not base:
            return sheet.nothing(lang, "pareto.none")
        axes = sheet.axes(0.75, 0.62, 1.0, 0.3)
        label_axes(axes, say(lang, "pareto.x"), say(lang, "pareto.y"))
        axes.set(xlim=(0, 100), ylim=(0, 100), xticks=range(0, 101, 10), yticks=range(0, 101, 10))
        _regions(axes, classes, base, lang)
        _cuts(axes, classes, lang)
        _curve(axes, base, points, classes.gini or Fraction(), lang)
        _top(axes, base, lang)
        return sheet.figure


def kept(base: Sequence[Classed]) -> list[int]:
    """Which rows are drawn: the first, the last, both sides of every border of classes, and one per step of an axis."""
    return list(_kept(base))


def _kept(base: Sequence[Classed]) -> Iterator[int]:
    drawn, last = (-1, -1), len(base) - 1
    for at, row in enumerate(base):
        step = (at + 1) * STEPS // len(base), int(float(row.cumulative or 0) * STEPS)
        border = at == last or base[at + 1].class_ != row.class_ or (at > 0 and base[at - 1].class_ != row.class_)
        if step != drawn or border:
            drawn = step
            yield at


def _percent(value: Fraction | float | None) -> float:
    return float(value or 0) * 100


def _notes(classes: Classes, base: Sequence[Classed], points: int, lang: str) -> list[str]:
    notes = []
    if base:
        customers, top = fixed(len(base), 0), _fifth(base)
        notes += [say(lang, "pareto.total", customers=customers, total=amount(classes.total))]
        carried = percent(base[top - 1].cumulative, lang)
        gini = fixed(classes.gini or 0, 2)
        notes += [say(lang, "pareto.gini", gini=gini, top=fixed(top, 0), customers=customers, share=carried)]
    apart = [row.value for row in classes.rows if row.cumulative is None]
    if apart:
        zero, negative = sum(not value for value in apart), sum(value < 0 for value in apart)
        notes += [say(lang, "pareto.apart", zero=fixed(zero, 0), negative=fixed(negative, 0))]
    if points < len(base):
        notes += [say(lang, "pareto.thinned", points=fixed(points, 0))]
    return notes


def _fifth(base: Sequence[Classed]) -> int:
    return -(-len(base) * TOP.numerator // TOP.denominator)


def _regions(axes: Axes, classes: Classes, base: Sequence[Classed], lang: str) -> None:
    """A band per class, its letter above it where there is room, and all of them in the legend."""
    counts = dict.fromkeys(classes.scale.labels, 0)
    for row in base:
        counts[row.class_] += 1
    begin, legend = 0.0, []
    for at, (label, count) in enumerate(counts.items()):
        shade, hatch = REGIONS[at % len(REGIONS)]
        end = begin + 100 * count / len(base)
        if count:
            axes.axvspan(begin, end, facecolor=shade, edgecolor=LIGHT, hatch=hatch, linewidth=0.4, zorder=0)
        name = shorten(clean(label), LABEL)
        if end - begin >= 100 * WRITTEN:
            axes.text((begin + end) / 2, 101.5, name, ha="center", va="bottom", weight="bold")
        legend.append(({"facecolor": shade, "hatch": hatch}, _said(classes, label, lang)))
        begin = end
    patches(axes, legend)


def _said(classes: Classes, label: str, lang: str) -> str:
    share = classes.classes[label]
    shares = {"share_customers": percent(share.share_customers, lang), "share_value": percent(share.share_value, lang)}
    name = shorten(clean(label), LABEL)
    return say(lang, "pareto.class", name=name, customers=fixed(share.customers, 0), **shares)


def _cuts(axes: Axes, classes: Classes, lang: str) -> None:
    """A line at each cut, with its height beside it; labels too near each other are moved apart."""
    expected = [classes.classes[label].expected_value for label in classes.scale.labels]
    beside = float("-inf")
    for at, cut in enumerate(accumulate(Fraction(each or 0) for each in expected[:-1])):
        axes.axhline(_percent(cut), color=BLACK, linewidth=0.9, linestyle=DASHES[at % len(DASHES)], zorder=2)
        beside = max(_percent(cut), beside + 4)
        places = 0 if (cut * 100).denominator == 1 else 1
        said = say(lang, "pareto.cut", cut=percent(cut, lang, places))
        axes.text(101, beside, said, va="center", ha="left", size=SMALL)


def _curve(axes: Axes, base: Sequence[Classed], points: Sequence[int], gini: Fraction, lang: str) -> None:
    x = [0.0, *(100 * (at + 1) / len(base) for at in points)]
    y = [0.0, *(_percent(base[at].cumulative) for at in points)]
    axes.plot((0, 100), (0, 100), color=GREY, linewidth=0.8, linestyle=(0, (1, 3)), zorder=2)
    if gini >= APART:
        wide, high = size_of(axes)
        beside(axes, 0.42 * wide, 0.38 * high, say(lang, "pareto.equal"))
    dots = "o" if len(points) <= MARKED else ""
    axes.plot(x, y, color=BLACK, linewidth=1.8, marker=dots, markersize=3, zorder=3, clip_on=False)


def _top(axes: Axes, base: Sequence[Classed], lang: str) -> None:
    """What the first fifth carries, marked on the curve."""
    top, (wide, high) = _fifth(base), size_of(axes)
    share = base[top - 1].cumulative
    x, y = top / len(base), _percent(share) / 100
    style: dict[str, Any] = {"marker": "D", "color": "white", "markeredgecolor": BLACK, "markersize": 7}
    axes.plot([100 * x], [100 * y], zorder=5, clip_on=False, **style)
    beside(axes, x * wide + 8, y * high - 13, say(lang, "pareto.top", share=percent(share, lang)))
