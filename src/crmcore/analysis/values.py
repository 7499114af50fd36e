"""Ratios that say what they are: exact, with their stock basis and period, undefined with a reason."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

import attrs

from crmcore.sales.figures import nearest, rounded

__all__ = ["Basis", "Measure", "Ratio", "Undefined"]


class Basis(StrEnum):
    """At which prices stock is counted, or that the figure is no ratio but an amount."""

    RETAIL = "retail"
    COST = "cost"
    MIXED = "mixed"
    SALES = "sales"


class Undefined(StrEnum):
    """Why a ratio has no value; never infinity, never a zero that was not measured."""

    NO_SALES = "no_sales"
    NEGATIVE_SALES = "negative_sales"
    NO_COST = "no_cost"
    NEGATIVE_COST = "negative_cost"
    NO_STOCK = "no_stock"
    NEGATIVE_STOCK = "negative_stock"
    STOCK_AT_RETAIL = "stock_at_retail"
    NO_CUSTOMERS = "no_customers"
    NO_ORDERS = "no_orders"
    NO_PROSPECTS = "no_prospects"
    NO_ANSWERS = "no_answers"
    NO_PLAN = "no_plan"
    NO_PREVIOUS = "no_previous"
    NO_TOTAL = "no_total"
    UNKNOWN = "unknown"


class Measure(StrEnum):
    """What a ratio measures."""

    MARGIN_RATE = "margin_rate"
    MARKUP_RATE = "markup_rate"
    TURNOVER = "turnover"
    CROSS_RATIO = "cross_ratio"
    CONTRIBUTION_RATIO = "contribution_ratio"
    CONTRIBUTION_DEGREE = "contribution_degree"
    MARGIN_PRODUCT = "margin_product"
    GROSS_PROFIT_SHARE = "gross_profit_share"
    GMROI = "gmroi"
    TURN_AND_EARN = "turn_and_earn"
    SALES_SHARE = "sales_share"
    PLAN_MET = "plan_met"
    GROWTH = "growth"
    CHURN = "churn"
    RETENTION = "retention"
    REACTIVATION = "reactivation"
    AVERAGE_ORDER = "average_order"
    FREQUENCY = "frequency"
    CONVERSION = "conversion"
    WIN_RATE = "win_rate"
    CSAT = "csat"
    NPS = "nps"
    MEAN = "mean"


@attrs.frozen(kw_only=True)
class Ratio:
    """
    A figure that says what it is.

    `value` is exact; ``None``: `undefined` says why. `basis` is that of the stock, where there is stock; `period` the
    span of time that the figure is for, as given: a turnover of a month is not one of a year. `amount`: the figure is
    money (or money squared), no ratio.
    """

    measure: Measure
    value: Fraction | None
    undefined: Undefined | None = None
    basis: Basis | None = None
    period: str | None = None
    amount: bool = False

    def rounded(self, places: int = 4) -> Decimal | None:
        """The value to so many decimal places, half away from zero; ``None`` where it is undefined."""
        return None if self.value is None else rounded(self.value, places)

    def record(self) -> dict[str, Any]:
        """JSON-able: the value as the nearest float, ``None`` where it is undefined."""
        return {
            "measure": self.measure.value,
            "value": nearest(self.value),
            "undefined": self.undefined and self.undefined.value,
            "basis": self.basis and self.basis.value,
            "period": self.period,
            "amount": self.amount,
        }

    def __float__(self) -> float:
        return float("nan") if self.value is None else float(self.value)

    def __str__(self) -> str:
        return f"undefined ({self.undefined})" if self.value is None else f"{self.rounded()}"
