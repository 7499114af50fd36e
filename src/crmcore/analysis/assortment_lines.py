"""The lines of an assortment, added up by product: exact, in one currency, unknown where a line is."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from crmcore.analysis.lines import one_fact
from crmcore.decisions.facts import FactReader
from crmcore.errors import InvalidFact, InvalidPolicy
from crmcore.sales.figures import EXACT, Number, sums
from crmcore.sales.values import optional

__all__ = ["Figures", "added", "all_of"]

FACTS: Final = ("product", "sales", "cost", "opening", "closing")
READ: Final = FactReader(FACTS, {}, "add it to each line")
HALF: Final = Decimal("0.5")


@attrs.frozen(kw_only=True)
class Figures:
    """The amounts of one product, or of several."""

    product: Hashable = None
    group: Hashable = None
    sales: Decimal
    cost: Decimal | None
    stock: Decimal | None
    plan: Decimal | None

    @property
    def gross_profit(self) -> Decimal | None:
        """Sales less cost."""
        return None if self.cost is None else EXACT.subtract(self.sales, self.cost)

    @property
    def stocked(self) -> bool:
        """Whether there is stock, and the cost is known."""
        return self.cost is not None and self.stock is not None and self.stock > 0


def added(products: Iterable[object], plan: Mapping[Any, Number] | None, within: str | None) -> list[Figures]:
    """The lines of each product, added up; one sum for all, so that there is one currency."""
    groups: dict[Hashable, Hashable] = {}
    amounts: list[tuple[tuple[str, Hashable], Number]] = []
    unknown: set[tuple[str, Hashable]] = set()
    group_of = one_fact(within) if within else None
    for line in products:
        product, *figures = READ(line)
        if product is None:
            raise InvalidFact("product", None, "the name of a product")
        group = group_of(line) if group_of else None
        if groups.setdefault(product, group) != group:
            raise InvalidFact(str(within), group, f"one group for each product, here {groups[product]!r}", product)
        for name, value in zip(FACTS[1:], figures, strict=True):
            if value is None and name != "sales":
                unknown.add((name, product))
            else:
                amounts.append(((name, product), value))
        if plan is None and (planned := optional(line, "plan")) is not None:
            amounts.append((("plan", product), planned))
    amounts += [(("plan", product), value) for product, value in (plan or {}).items()]
    if unplanned := [product for product in plan or () if product not in groups]:
        raise InvalidPolicy("plan", unplanned[0], "a product of the lines: give what sold nothing a line with 0")
    return list(_products(groups, sums(amounts, "figure"), unknown))


def _products(
    groups: Mapping[Hashable, Hashable],
    totals: Mapping[tuple[str, Hashable], Decimal],
    unknown: set[tuple[str, Hashable]],
) -> Iterator[Figures]:
    for product, group in groups.items():
        cost, opening, closing = (
            None if (name, product) in unknown else totals[name, product] for name in ("cost", "opening", "closing")
        )
        stock = None if opening is None or closing is None else EXACT.multiply(EXACT.add(opening, closing), HALF)
        sales, plan = totals["sales", product], totals.get(("plan", product))
        yield Figures(product=product, group=group, sales=sales, cost=cost, stock=stock, plan=plan)


def all_of(products: Iterable[Figures]) -> Figures:
    """The sum of products; unknown where one is."""
    given = list(products)

    def total(name: str) -> Decimal | None:
        values = [getattr(each, name) for each in given]
        return None if None in values else sums(((None, value) for value in values), name).get(None, Decimal(0))

    return Figures(sales=total("sales") or Decimal(0), cost=total("cost"), stock=total("stock"), plan=total("plan"))
