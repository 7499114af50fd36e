"""Plots of classes, scores, ratios and metrics, in English and Chinese, readable in black and white; extra `report`."""

from crmcore.report.curve import pareto
from crmcore.report.files import FORMATS, check_plot, save
from crmcore.report.grids import migration_matrix, rfm_grid
from crmcore.report.lines import metrics_lines
from crmcore.report.plots import draw, plot
from crmcore.report.scatter import cross_chart

__all__ = [
    "FORMATS",
    "check_plot",
    "cross_chart",
    "draw",
    "metrics_lines",
    "migration_matrix",
    "pareto",
    "plot",
    "rfm_grid",
    "save",
]
