"""
The sheet that a plot is drawn on: its style, its title above, its notes below, all of it measured in inches.

No state of pyplot is touched, and the reader's own matplotlibrc has no say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from threading import RLock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import attrs

from crmcore.errors import MissingExtra
from crmcore.report.fonts import BASE
from crmcore.report.text import clean, say, shorten, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BLACK", "GREY", "LIGHT", "SIZE", "SMALL", "Sheet", "label_axes", "need_matplotlib", "styled"]

BLACK: Final = "#000000"
GREY: Final = "#6e6e6e"
LIGHT: Final = "#c8c8c8"
SIZE: Final = 9.0
SMALL: Final = 8.0
TITLE: Final = 12.0
POINT: Final = 1 / 72
"""An inch has 72 points."""
LINE: Final = 1.45
"""From one line of text to the next, in heights of its letters."""
EDGE: Final = 0.15
"""Free at every side, in inches."""
LONGEST: Final = 120.0
"""Of a title, in ems; the rest is cut with an ellipsis."""
STYLE: Final = MappingProxyType(
    {
        "axes.edgecolor": BLACK,
        "axes.labelsize": SIZE,
        "axes.linewidth": 0.8,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlesize": SIZE,
        "figure.dpi": 100,
        "font.family": [BASE],
        "font.size": SIZE,
        "hatch.linewidth": 0.5,
        "legend.fontsize": SMALL,
        "svg.fonttype": "none",
        "svg.hashsalt": "crmcore",
        "text.parse_math": False,  # a customer may be called "$ave$"
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
    }
)
OTHERS: Final = ("backend", "interactive", "toolbar", "webagg", "tk.", "macosx.", "date.", "timezone", "animation")
"""How settings begin that are not about looks: they stay as they are."""
LOCK: Final = RLock()


def need_matplotlib() -> None:
    """Raises `MissingExtra` where it is not installed."""
    if find_spec("matplotlib") is None:
        raise MissingExtra("matplotlib", "report", "a plot")


@contextmanager
def styled() -> Iterator[None]:
    """The library's own style while it draws or saves; one thread at a time, as matplotlib's settings are global."""
    need_matplotlib()
    import matplotlib as mpl

    settings: Any = {key: value for key, value in mpl.rcParamsDefault.items() if not key.startswith(OTHERS)}
    settings |= STYLE
    with LOCK, mpl.rc_context(settings):
        yield


@attrs.define
class Sheet:
    """A figure with its title, and room for `height` inches of plot between that and the notes."""

    figure: Figure
    width: float
    height: float
    below: float
    """From the bottom to the plot, in inches."""
    whole: float
    """The height of the sheet."""

    @classmethod
    def blank(
        cls, name: str, lang: str, *, title: str | None = None, notes: Sequence[str] = (), size: Sequence[float]
    ) -> Sheet:
        """A sheet for a plot of `size` inches; `name` and `lang` become the id of the figure, the title its label."""
        from matplotlib.figure import Figure

        width, height = size
        said = say(lang, name) if title is None else clean(title)
        above = wrap(shorten(said, LONGEST), (width - 2 * EDGE) / (TITLE * POINT))
        under = wrap(say(lang, "stop").join(notes), (width - 2 * EDGE) / (SMALL * POINT))
        below = EDGE + len(under) * SMALL * LINE * POINT
        whole = below + height + len(above) * TITLE * LINE * POINT + EDGE
        figure = Figure(figsize=(width, whole), facecolor="white")
        figure.set_gid(f"{name}-{lang}")
        figure.set_label(said)
        sheet = cls(figure, width, height, below, whole)
        for at, line in enumerate(above):
            sheet.write(line, EDGE, whole - EDGE - at * TITLE * LINE * POINT, size=TITLE, weight="bold")
        for at, line in enumerate(under):
            sheet.write(line, EDGE, below - 0.08 - at * SMALL * LINE * POINT, size=SMALL, color="#333333")
        return sheet

    def write(self, text: str, x: float, y: float, **style: Any) -> None:
        """Text whose left upper corner is so many inches from the sheet's left lower one."""
        self.figure.text(x / self.width, y / self.whole, text, va="top", **style)

    def axes(self, left: float, bottom: float, right: float, top: float) -> Axes:
        """Axes that leave so many inches free at each side of the plot."""
        wide, high = self.width - left - right, self.height - bottom - top
        place = left / self.width, (self.below + bottom) / self.whole, wide / self.width, high / self.whole
        return self.figure.add_axes(place)

    def nothing(self, lang: str, why: str) -> Figure:
        """The sheet where there is nothing to draw, saying so."""
        for text, up in ((say(lang, "nothing"), 0.3), (say(lang, why), 0.0)):
            y = (self.below + self.height / 2 + up) / self.whole
            self.figure.text(0.5, y, text, ha="center", va="center", size=TITLE if up else SIZE, color=GREY)
        return self.figure


def label_axes(axes: Axes, x: str, y: str) -> None:
    """Titles of the axes; anchored, so that they stay centred whatever font the viewer has."""
    axes.set_xlabel(x)
    axes.set_ylabel(y, rotation_mode="anchor", va="bottom", ha="center")
