"""Metrics from period to period, in six small plots over one row of periods (ANA-9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import isnan
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from crmcore.analysis.metrics import Metrics, PeriodMetrics
from crmcore.report.legend import marks
from crmcore.report.sheet import BLACK, GREY, LIGHT, SIZE, SMALL, Sheet, styled
from crmcore.report.text import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["metrics_lines"]

Read: TypeAlias = Callable[[PeriodMetrics], Decimal | Fraction | int | None]
LINES: Final[Mapping[str, Mapping[str, Read]]] = MappingProxyType(
    {
        "customers": {"end": lambda row: row.end},
        "flows": {"new": lambda row: row.new, "returned": lambda row: row.returned, "lost": lambda row: row.lost},
        "rates": {"growth": lambda row: row.growth.value, "churn": lambda row: row.churn.value},
        "sales": {"sales": lambda row: row.sales},
        "average_order": {"average_order": lambda row: row.average_order.value},
        "frequency": {"frequency": lambda row: row.frequency.value},
    }
)
"""What stands in each plot."""
STYLES: Final[tuple[Mapping[str, Any], ...]] = (
    {"marker": "o", "markerfacecolor": BLACK, "linestyle": "-"},
    {"marker": "s", "markerfacecolor": "white", "linestyle": (0, (5, 2))},
    {"marker": "^", "markerfacecolor": "#a6a6a6", "linestyle": (0, (1, 1.5))},
)
"""Of the first, second and third line of a plot."""
RATES: Final = "rates"
ACROSS: Final = 2
SIZES: Final = (4.3, 2.1)
"""Inches of one plot with what is written around it."""
DOTTED: Final = 36
"""Up to so many periods, each has a mark."""
NAMED: Final = 5
"""At most so many periods have their name below the axis."""


def metrics_lines(metrics: Metrics, lang: str = "en", title: str | None = None) -> Figure:
    """
    Customers, who came and went, growth and churn, sales, the average order and the frequency, period by period.

    A figure that is undefined is a gap. Of many periods some are named, at equal distances. Raises `MissingExtra`.
    """
    with styled():
        rows = metrics.periods
        values = {name: _values(rows, lines, 100 if name == RATES else 1) for name, lines in LINES.items()}
        gaps = any(isnan(value) for lines in values.values() for line in lines for value in line)
        said = say(lang, "metrics", kind=say(lang, metrics.period_kind)) if title is None else title
        notes = [say(lang, "metrics.gaps")] if gaps else []
        size = SIZES[0] * ACROSS, SIZES[1] * len(LINES) / ACROSS
        sheet = Sheet.blank("metrics", lang, title=said, notes=notes, size=size)
        if not rows:
            return sheet.nothing(lang, "metrics.none")
        for at, (name, lines) in enumerate(values.items()):
            _plot(_axes(sheet, at), name, lines, [str(row.period) for row in rows], lang)
        return sheet.figure


def _values(rows: Sequence[PeriodMetrics], lines: Mapping[str, Read], times: int) -> list[list[float]]:
    """The figures of each line; no number where one is undefined."""

    def number(value: Decimal | Fraction | int | None) -> float:
        return float("nan") if value is None else float(value) * times

    return [[number(read(row)) for row in rows] for read in lines.values()]


def _axes(sheet: Sheet, at: int) -> Axes:
    """The axes of one plot; they fill the sheet row by row."""
    down, across = divmod(at, ACROSS)
    left, top = across * SIZES[0], down * SIZES[1]
    return sheet.axes(left + 0.75, sheet.height - top - SIZES[1] + 0.4, sheet.width - left - SIZES[0] + 0.2, top + 0.42)


def _plot(axes: Axes, name: str, lines: Sequence[Sequence[float]], periods: Sequence[str], lang: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_title(say(lang, f"metrics.{name}"), loc="left", size=SIZE, pad=16 if len(lines) > 1 else 6)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=name in {"customers", "flows"}))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.grid(axis="y", color=LIGHT, linewidth=0.5)
    entries: list[tuple[Mapping[str, Any], str]] = []
    for line, what, style in zip(lines, LINES[name], STYLES, strict=False):
        drawn: dict[str, Any] = {**style, "color": BLACK, "markeredgecolor": BLACK, "markersize": 3.5}
        entries.append((drawn, say(lang, f"metrics.{what}") if len(lines) > 1 else ""))
        shown = drawn if len(periods) <= DOTTED else drawn | {"marker": ""}
        axes.plot(range(len(periods)), line, linewidth=1.2, clip_on=False, zorder=3, **shown)
    if len(lines) > 1:
        marks(axes, entries, above=7)
    every = -(-len(periods) // NAMED)
    axes.set_xticks(range(0, len(periods), every), periods[::every], size=SMALL)
    axes.set_xlim(-0.4, len(periods) - 0.6)
    _from_zero(axes, [value for line in lines for value in line if not isnan(value)])
    if axes.get_ylim()[0] < 0:
        axes.axhline(0, color=GREY, linewidth=0.8, zorder=1)


def _from_zero(axes: Axes, values: Sequence[float]) -> None:
    """Zero is seen: a line that falls by a tenth does not look as if it fell to nothing."""
    least, most = min(*values, 0.0, 0.0), max(*values, 0.0, 0.0)
    axes.set_ylim(least * 1.08, most * 1.08 if most > least else 1.0)
