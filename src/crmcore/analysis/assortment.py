"""The assortment as values: what each product earns and turns, what all of them do, and what to do about it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import attrs

from crmcore.analysis.advice import AdviceLimits, Selling, Verdict
from crmcore.analysis.ratios import contribution_degree
from crmcore.analysis.records import amount, number, said, undefined
from crmcore.analysis.values import Basis, Ratio

__all__ = ["Assortment", "AssortmentBy", "AssortmentRow", "AssortmentTotals"]


@attrs.frozen(kw_only=True)
class AssortmentRow:
    """
    One product.

    Shares are of the grand total, or of the group's where a group was asked for. `margin_rank` 1 has the highest margin
    rate (ANA-4), equal rates have one rank. `margin_product` is gross profit ÷ total sales, whatever the product's own
    sales are, so that the sum is the overall margin rate.
    """

    product: Hashable
    group: Hashable
    sales: Decimal
    cost: Decimal | None
    gross_profit: Decimal | None
    average_stock: Decimal | None
    plan: Decimal | None
    sales_share: Ratio
    cumulative_share: Fraction | None
    margin_rate: Ratio
    margin_rank: int | None
    turnover: Ratio
    cross_ratio: Ratio
    contribution_ratio: Ratio
    contribution_total: Fraction = attrs.field(repr=False)
    """The sum of all contribution ratios. (Kept once: each degree is a fraction of as many digits as all stocks.)"""
    margin_product: Ratio
    gross_profit_share: Ratio
    gmroi: Ratio
    plan_met: Ratio
    selling: Selling | None
    verdict: Verdict

    @property
    def advice(self) -> str:
        """``push``, ``keep``, ``watch``, ``drop`` or ``unknown``."""
        return self.verdict.advice

    @property
    def contribution_degree(self) -> Ratio:
        """The contribution ratio in parts of the sum of all (ANA-7)."""
        return contribution_degree(self.contribution_ratio, self.contribution_total)

    def text(self, lang: str = "en") -> str:
        """The advice and its reasons in words, ``en`` or ``zh``."""
        return self.verdict.text(lang)

    def record(self) -> dict[str, Any]:
        """JSON-able: amounts as text, ratios as floats, ``undefined`` says why where there is none."""
        return {
            "product": said(self.product),
            "group": said(self.group),
            **{name: amount(getattr(self, name)) for name in AMOUNTS},
            **{name: number(getattr(self, name)) for name in ROW_RATIOS},
            "cumulative_share": number(self.cumulative_share),
            "margin_rank": self.margin_rank,
            "selling": self.selling and self.selling.value,
            "advice": self.verdict.advice.value,
            "rule": self.verdict.rule,
            "code": self.verdict.code,
            "reasons": [reason.record() for reason in self.verdict.reasons],
            "undefined": undefined(self, ROW_RATIOS),
        }


@attrs.frozen(kw_only=True)
class AssortmentTotals:
    """All products of an assortment or of a group; a figure is unknown where one product's is."""

    products: int
    sales: Decimal
    cost: Decimal | None
    gross_profit: Decimal | None
    average_stock: Decimal | None
    plan: Decimal | None
    margin_rate: Ratio
    turnover: Ratio
    cross_ratio: Ratio
    contribution_ratio: Ratio
    gmroi: Ratio
    plan_met: Ratio
    sales_without_stock: Decimal
    """What was sold of products that had no stock: their sales make the turnover look higher."""

    def record(self) -> dict[str, Any]:
        """JSON-able, as of a row."""
        return {
            "products": self.products,
            **{name: amount(getattr(self, name)) for name in (*AMOUNTS, "sales_without_stock")},
            **{name: number(getattr(self, name)) for name in TOTAL_RATIOS},
            "undefined": undefined(self, TOTAL_RATIOS),
        }


@attrs.frozen(kw_only=True)
class Assortment:
    """Products by sales, the highest first, with their totals; `limits` is what the advice was measured against."""

    period: str | None
    basis: Basis
    rows: tuple[AssortmentRow, ...]
    totals: AssortmentTotals
    groups: Mapping[Hashable, AssortmentTotals]
    """The totals of each group, where ``within`` was given."""
    limits: AdviceLimits

    def row(self, product: Hashable) -> AssortmentRow:
        """The row of a product; raises `KeyError`."""
        for row in self.rows:
            if row.product == product:
                return row
        raise KeyError(product)

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "period": self.period,
            "basis": self.basis.value,
            "limits": self.limits.record(),
            "totals": self.totals.record(),
            "groups": [{"group": said(group)} | totals.record() for group, totals in self.groups.items()],
            "rows": [row.record() for row in self.rows],
        }


@attrs.frozen(kw_only=True)
class AssortmentBy:
    """One assortment per segment, such as a customer (ANA-8), each with its own totals, and that of them all."""

    by: str
    segments: Mapping[Hashable, Assortment]
    total: Assortment

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        segments = [{"segment": said(segment)} | found.record() for segment, found in self.segments.items()]
        return {"by": self.by, "segments": segments, "total": self.total.record()}


AMOUNTS: Final = ("sales", "cost", "gross_profit", "average_stock", "plan")
ROW_RATIOS: Final = (
    "sales_share",
    "margin_rate",
    "turnover",
    "cross_ratio",
    "contribution_ratio",
    "contribution_degree",
    "margin_product",
    "gross_profit_share",
    "gmroi",
    "plan_met",
)
TOTAL_RATIOS: Final = ("margin_rate", "turnover", "cross_ratio", "contribution_ratio", "gmroi", "plan_met")
