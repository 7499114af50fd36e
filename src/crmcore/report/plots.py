"""Which plot shows which result."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

from crmcore.analysis.assortment import Assortment
from crmcore.analysis.metrics import Metrics
from crmcore.errors import InvalidPolicy
from crmcore.report.curve import pareto
from crmcore.report.files import check_plot, save
from crmcore.report.grids import migration_matrix, rfm_grid
from crmcore.report.lines import metrics_lines
from crmcore.report.scatter import cross_chart
from crmcore.value.classes import Classes
from crmcore.value.migration import Migration
from crmcore.value.scores import RfmScores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PLOTS", "draw", "plot"]

PLOTS: Final[dict[type, Callable[..., Any]]] = {
    Classes: pareto,
    RfmScores: rfm_grid,
    Assortment: cross_chart,
    Migration: migration_matrix,
    Metrics: metrics_lines,
}


def plot(result: object, lang: str = "en", title: str | None = None) -> Figure:
    """The plot of a result: of classes the Pareto curve, of RFM scores the grid, and so on. Raises `InvalidPolicy`."""
    for kind, made in PLOTS.items():
        if isinstance(result, kind):
            figure: Figure = made(result, lang, title)
            return figure
    raise InvalidPolicy("result", type(result).__name__, f"one of {', '.join(kind.__name__ for kind in PLOTS)}")


def draw(result: object, path: str | PathLike[str], *, lang: str = "en", title: str | None = None) -> None:
    """`plot` and `save` in one. Raises as both."""
    check_plot(path)
    save(plot(result, lang, title), path)
