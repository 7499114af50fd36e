"""
Legends and labels inside a plot, laid out by the estimated widths of their texts.

What matplotlib measures with a font that lacks the Chinese characters would be too narrow in an SVG.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from crmcore.report.placing import Box
from crmcore.report.sheet import BLACK, GREY, SMALL
from crmcore.report.text import ems

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["beside", "ground", "marks", "patches", "size_of", "width_of", "write"]

GAP: Final = 6.0
"""Points between the pieces of a legend."""
LINE: Final = 13.0
SWATCH: Final = (24.0, 9.0)
HIGH: Final = 11.0
"""Points of a line of small text, with the free space above and below it."""


def size_of(axes: Axes) -> tuple[float, float]:
    """The width and height of the axes, in points."""
    width, height = axes.get_figure().get_size_inches()  # type: ignore[union-attr]  # they are on a figure
    return axes.get_position().width * width * 72, axes.get_position().height * height * 72


def width_of(text: str, size: float = SMALL) -> float:
    """About how many points wide the text is."""
    return ems(text) * size


def write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Text at so many points from the left lower corner of the axes, in the middle of its height."""
    wide, high = size_of(axes)
    given: dict[str, Any] = {"ha": "left", "va": "center", "size": SMALL, "zorder": 6} | style
    axes.text(x / wide, y / high, text, transform=axes.transAxes, **given)


def _box(axes: Axes, box: Box, style: Mapping[str, Any]) -> None:
    from matplotlib.patches import Rectangle

    wide, high = size_of(axes)
    place = (box.left / wide, box.bottom / high), (box.right - box.left) / wide, (box.top - box.bottom) / high
    axes.add_patch(Rectangle(*place, transform=axes.transAxes, clip_on=False, **style))


def ground(axes: Axes, box: Box) -> None:
    """White behind a text: above the lines of the plot, below its points."""
    white = {"facecolor": "white", "edgecolor": "none", "zorder": 2, "alpha": 0.85}
    _box(axes, box, white)


def beside(axes: Axes, x: float, y: float, text: str) -> None:
    """Text on a white ground, its left middle at so many points; moved to the left where it would leave the axes."""
    width = width_of(text) + 4
    left = min(x, size_of(axes)[0] - width)
    white = {"facecolor": "white", "edgecolor": "none", "zorder": 4}
    _box(axes, Box(left, y - HIGH / 2, left + width, y + HIGH / 2), white)
    write(axes, left + 2, y, text)


def patches(axes: Axes, entries: Sequence[tuple[Mapping[str, Any], str]]) -> None:
    """A framed legend in the right lower corner: a swatch of each style with its text."""
    width = GAP * 3 + SWATCH[0] + max(width_of(text) for _, text in entries)
    height = GAP + LINE * len(entries)
    left, top = size_of(axes)[0] - width - GAP, GAP + height
    framed = {"facecolor": "white", "edgecolor": GREY, "linewidth": 0.8, "zorder": 5}
    _box(axes, Box(left, GAP, left + width, top), framed)
    for at, (style, text) in enumerate(entries):
        middle = top - GAP / 2 - LINE * (at + 0.5)
        swatch = {"edgecolor": GREY, "linewidth": 0.5, "zorder": 6} | dict(style)
        begin, half = left + GAP, SWATCH[1] / 2
        _box(axes, Box(begin, middle - half, begin + SWATCH[0], middle + half), swatch)
        write(axes, left + GAP * 2 + SWATCH[0], middle, text)


def marks(axes: Axes, entries: Sequence[tuple[Mapping[str, Any], str]], *, above: float, left: bool = False) -> None:
    """A legend in one line, so many points above the axes, at their right or left: a mark on its line, and its text."""
    wide, high = size_of(axes)
    x, y = wide - sum(width_of(text) + GAP * 5 for _, text in entries), high + above
    x = 0.0 if left else x
    for style, text in entries:
        given: dict[str, Any] = {"color": BLACK, "linewidth": 1.2, "markersize": 7} | dict(style)
        ends = [(x + GAP * part) / wide for part in range(3)]
        axes.plot(ends, [y / high] * 3, transform=axes.transAxes, clip_on=False, markevery=[1], **given)
        write(axes, x + GAP * 3, y, text)
        x += width_of(text) + GAP * 5
