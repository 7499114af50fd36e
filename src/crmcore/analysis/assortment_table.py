"""
The assortment table: every ratio of every product at once, and which to push, keep, watch or drop (ANA-3 to ANA-8).

>>> from crmcore.analysis.assortment_table import assortment_table
>>> products = [
...     {"product": "food", "sales": 20_000, "cost": 15_500, "opening": 1_500, "closing": 2_500},
...     {"product": "produce", "sales": 10_000, "cost": 7_500, "opening": 150, "closing": 150},
...     {"product": "liquor", "sales": 10_000, "cost": 8_000, "opening": 1_000, "closing": 1_000},
... ]
>>> table = assortment_table(products, period="month")
>>> for row in table.rows:
...     print(row.product, row.turnover, row.cross_ratio, row.contribution_ratio, row.advice)
food 10.0000 2.2500 1.1250 watch
liquor 10.0000 2.0000 0.5000 drop
produce 66.6667 16.6667 4.1667 push
>>> print(table.row("liquor").text())
Drop: earns little and sells slowly (margin rate 20.0%, below 22.5%, turnover 10.00, below 12.70)
>>> print(table.row("liquor").text("zh"))
淘汰：毛利低、周转慢（毛利率20.0%，低于22.5%，周转率10.00，低于12.70）
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from fractions import Fraction
from functools import cached_property
from typing import Any, Final

import attrs

from crmcore.analysis.advice import AdviceLimits, Fact
from crmcore.analysis.assortment import AMOUNTS, Assortment, AssortmentBy, AssortmentRow, AssortmentTotals
from crmcore.analysis.assortment_lines import Figures, added, all_of
from crmcore.analysis.lines import largest, one_fact
from crmcore.analysis.ratios import (
    contribution_ratio,
    cross_ratio,
    gmroi,
    gross_profit_share,
    margin_rate,
    sales_share,
    stock_basis,
    turnover,
)
from crmcore.analysis.values import Basis, Measure, Ratio, Undefined
from crmcore.decisions.frozen import FrozenMap
from crmcore.sales.figures import Number

__all__ = ["assortment_by", "assortment_table"]

OWN_LIMITS: Final = AdviceLimits()


def assortment_table(
    products: Iterable[object],
    *,
    period: str | None = None,
    basis: str = "retail",
    plan: Mapping[Any, Number] | None = None,
    within: str | None = None,
    limits: AdviceLimits = OWN_LIMITS,
) -> Assortment:
    """
    The table of `products`: objects or mappings with product, sales, cost, opening and closing stock, and maybe plan.

    Lines of one product add up, in stock and plan too; where one line's cost or stock is unknown (``None``), the
    product's is. `basis` says at which prices the stock is (see `turnover`); GMROI needs it at cost. `plan` by product
    goes before the lines' own. `within` names the fact with a product's group: shares are then of the group's total.
    Ten thousand products take seconds, for what is exact has many digits; for more there is `assortment_frame`.

    Raises `MissingFact`, `InvalidFact`, `InvalidPolicy`, `CurrencyMismatch`.
    """
    found = sorted(added(products, plan, within), key=lambda each: largest(each.product, each.sales))
    table = _Table(products=found, period=period, basis=stock_basis(basis), given=limits)
    return table.assortment(grouped=within is not None)


def assortment_by(
    lines: Iterable[object],
    by: str = "customer",
    *,
    period: str | None = None,
    basis: str = "retail",
    within: str | None = None,
    limits: AdviceLimits = OWN_LIMITS,
) -> AssortmentBy:
    """One table for each value of the fact `by` (customer, owner, region; ANA-8), in the order of its sales."""
    given, segments = list(lines), defaultdict[Hashable, list[object]](list)
    segment_of = one_fact(by)
    for line in given:
        segments[segment_of(line)].append(line)

    def table(part: list[object]) -> Assortment:
        return assortment_table(part, period=period, basis=basis, within=within, limits=limits)

    total = table(given)
    tables = [(segment, table(part)) for segment, part in segments.items()]
    tables.sort(key=lambda each: largest(each[0], each[1].totals.sales))
    return AssortmentBy(by=by, segments=FrozenMap(dict(tables)), total=total)


# --- what comes of it ---


@attrs.frozen(kw_only=True, slots=False)
class _Table:
    """Products by sales, of one period and basis, and what comes of them."""

    products: list[Figures]
    period: str | None
    basis: Basis
    given: AdviceLimits

    def assortment(self, *, grouped: bool) -> Assortment:
        """The rows, the totals, and the limits with the assortment's own filled in."""
        groups = defaultdict[Hashable, list[Figures]](list)
        for each in self.products:
            groups[each.group].append(each)
        rows = {row.product: row for part in groups.values() for row in self._rows(part)}
        return Assortment(
            period=self.period,
            basis=self.basis,
            rows=tuple(rows[each.product] for each in self.products),
            totals=self._totals(self.products),
            groups=FrozenMap({group: self._totals(part) for group, part in groups.items()} if grouped else {}),
            limits=self._limits,
        )

    # --- one product ---

    def _rows(self, part: list[Figures]) -> Iterator[AssortmentRow]:
        """The rows of what shares one total."""
        whole, running = all_of(part), Fraction()
        contributions = self._contributions(part, whole)
        total = _sum(contributions)
        for each, contribution in zip(part, contributions, strict=True):
            running += Fraction(each.sales)
            yield AssortmentRow(
                **self._figures(each, whole),
                **self._advised(each),
                cumulative_share=sales_share(running, whole.sales).value,
                contribution_ratio=contribution,
                contribution_total=total,
            )

    def _figures(self, each: Figures, whole: Figures) -> dict[str, Any]:
        margin, turns, cross = self._rates[each.product]
        product = gross_profit_share(each.gross_profit, whole.sales, period=self.period)
        return {
            "product": each.product,
            "group": each.group,
            **_amounts(each),
            "sales_share": sales_share(each.sales, whole.sales, period=self.period),
            "margin_rate": margin,
            "margin_rank": self._ranks.get(each.product),
            "turnover": turns,
            "cross_ratio": cross,
            "margin_product": attrs.evolve(product, measure=Measure.MARGIN_PRODUCT),
            "gross_profit_share": gross_profit_share(each.gross_profit, whole.gross_profit, period=self.period),
            "gmroi": self._gmroi(each),
        }

    def _advised(self, each: Figures) -> dict[str, Any]:
        margin, turns, cross = self._rates[each.product]
        plan_met = self._plan_met(each)
        figures = {
            Fact.SALES: Fraction(each.sales),
            Fact.STOCK: None if each.stock is None else Fraction(each.stock),
            Fact.MARGIN_RATE: margin.value,
            Fact.TURNOVER: turns.value,
            Fact.CROSS_RATIO: cross.value,
            Fact.PLAN_MET: plan_met.value,
        }
        selling = self._limits.selling(plan_met.value)
        return {"plan_met": plan_met, "selling": selling, "verdict": self._limits.judge(figures)}

    # --- ratios ---

    @cached_property
    def _rates(self) -> dict[Hashable, tuple[Ratio, Ratio, Ratio]]:
        return {each.product: self._rates_of(each) for each in self.products}

    def _rates_of(self, each: Figures) -> tuple[Ratio, Ratio, Ratio]:
        """Margin rate, turnover, cross ratio."""
        margin = margin_rate(each.sales, each.cost, period=self.period)
        turned = each.cost if self.basis is Basis.COST else each.sales
        turns = turnover(turned, each.stock, basis=self.basis.value, period=self.period)
        return margin, turns, cross_ratio(margin, turns)

    def _contributions(self, part: list[Figures], whole: Figures) -> list[Ratio]:
        shares = (sales_share(each.sales, whole.sales, period=self.period) for each in part)
        crosses = (self._rates[each.product][2] for each in part)
        return [contribution_ratio(cross, share) for cross, share in zip(crosses, shares, strict=True)]

    def _gmroi(self, each: Figures) -> Ratio:
        if self.basis is Basis.RETAIL:
            return self._undefined(Measure.GMROI, Undefined.STOCK_AT_RETAIL, self.basis)
        return gmroi(each.sales, each.cost, each.stock, period=self.period)

    def _plan_met(self, each: Figures, lacking: Undefined = Undefined.NO_PLAN) -> Ratio:
        """What of the plan was sold; a plan of 0 or less is none."""
        if each.plan is None:
            return self._undefined(Measure.PLAN_MET, lacking)
        if each.plan <= 0:
            return self._undefined(Measure.PLAN_MET, Undefined.NO_PLAN)
        met = Fraction(each.sales) / Fraction(each.plan)
        return Ratio(measure=Measure.PLAN_MET, value=met, period=self.period)

    def _undefined(self, measure: Measure, why: Undefined, basis: Basis | None = None) -> Ratio:
        return Ratio(measure=measure, value=None, undefined=why, basis=basis, period=self.period)

    # --- all products ---

    @cached_property
    def _ranks(self) -> dict[Hashable, int]:
        """Places by margin rate, 1 the highest (ANA-4); equal rates share one."""
        rates = {product: margin.value for product, (margin, _, _) in self._rates.items() if margin.value is not None}
        places: dict[Fraction, int] = {}
        for place, rate in enumerate(sorted(rates.values(), reverse=True), 1):
            places.setdefault(rate, place)
        return {product: places[rate] for product, rate in rates.items()}

    @cached_property
    def _limits(self) -> AdviceLimits:
        """Where no limit is given, the assortment's own: of what has stock, else of all whose cost is known."""
        stocked = [each for each in self.products if each.stocked]
        judged = stocked or [each for each in self.products if each.cost is not None]
        values = (rate.value for rate in self._rates_of(all_of(judged)))
        own: dict[str, Any] = dict(zip(("margin_rate", "turnover", "cross_ratio"), values, strict=True))
        return attrs.evolve(
            self.given, **{name: value for name, value in own.items() if getattr(self.given, name) is None}
        )

    def _totals(self, part: list[Figures]) -> AssortmentTotals:
        whole = all_of(part)
        margin, turns, cross = self._rates_of(whole)
        planned = any(each.plan is not None for each in part)
        contributions = [each for each in self._contributions(part, whole) if each.value is not None]
        none = self._undefined(Measure.CONTRIBUTION_RATIO, Undefined.NO_TOTAL, self.basis)
        return AssortmentTotals(
            products=len(part),
            **_amounts(whole),
            margin_rate=margin,
            turnover=turns,
            cross_ratio=cross,
            contribution_ratio=attrs.evolve(contributions[0], value=_sum(contributions)) if contributions else none,
            gmroi=self._gmroi(whole),
            plan_met=self._plan_met(whole, Undefined.UNKNOWN if planned else Undefined.NO_PLAN),
            sales_without_stock=all_of(each for each in part if each.stock == 0).sales,
        )


def _sum(ratios: Iterable[Ratio]) -> Fraction:
    return sum((each.value for each in ratios if each.value is not None), Fraction())


def _amounts(each: Figures) -> dict[str, Any]:
    names = {"average_stock": "stock"}
    return {name: getattr(each, names.get(name, name)) for name in AMOUNTS}
