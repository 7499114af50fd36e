"""
Ratios of sales, cost and stock (ANA-4 to ANA-7): exact, each with its stock basis and period.

Processed food sold for 20,000 at a gross profit of 4,500, with a stock of 2,000 at retail, out of sales of 70,000:

>>> from crmcore.analysis.ratios import contribution_ratio, cross_ratio, margin_rate, sales_share, turnover
>>> margin = margin_rate(20_000, 15_500)
>>> cross = cross_ratio(margin, turnover(20_000, 2_000, period="year"))
>>> print(cross, cross.basis, cross.period)
2.2500 retail year
>>> print(contribution_ratio(cross, sales_share(20_000, 70_000)))
0.6429

S1 writes sales where turnover and share belong. That form is money, is asked for by name and says so (ANA-6, ANA-7):

>>> gross_profit = cross_ratio(margin, 20_000, basis="sales")
>>> int(gross_profit.value), gross_profit.amount
(4500, True)
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal, TypeAlias

from crmcore.analysis.values import Basis, Measure, Ratio, Undefined
from crmcore.errors import CurrencyMismatch, InvalidFact, InvalidPolicy
from crmcore.money import Money
from crmcore.sales.figures import Number, exact

__all__ = [
    "Stock",
    "annualised",
    "average_stock",
    "contribution_degree",
    "contribution_ratio",
    "cross_ratio",
    "fractions",
    "gmroi",
    "gross_profit_share",
    "margin_product",
    "margin_rate",
    "markup_rate",
    "sales_share",
    "stock_at_cost",
    "stock_at_retail",
    "turn_and_earn",
    "turnover",
]

Stock: TypeAlias = Number | Fraction
"""An amount, or one that was computed: an average is a fraction, and its currency has been seen to."""

STOCK_BASES: Final = (Basis.RETAIL, Basis.COST, Basis.MIXED)
BAD_SALES: Final = (Undefined.NO_SALES, Undefined.NEGATIVE_SALES)
BAD_COST: Final = (Undefined.NO_COST, Undefined.NEGATIVE_COST)
BAD_STOCK: Final = (Undefined.NO_STOCK, Undefined.NEGATIVE_STOCK)
BAD_TOTAL: Final = (Undefined.NO_TOTAL, Undefined.NO_TOTAL)
YEAR: Final = "year"
PER_PERIOD: Final = (
    Measure.TURNOVER,
    Measure.CROSS_RATIO,
    Measure.CONTRIBUTION_RATIO,
    Measure.GMROI,
    Measure.TURN_AND_EARN,
)
"""What grows with the length of the period; shares and margins do not."""


def fractions(**amounts: Stock | None) -> tuple[Fraction | None, ...]:
    """The amounts, exact, unknown (``None``) as it is; raises `InvalidFact`, and `CurrencyMismatch` for two of them."""
    seen: set[str] = set()
    found = []
    for name, value in amounts.items():
        if value is not None and not isinstance(value, Fraction):
            seen.add(value.currency if isinstance(value, Money) else "a plain number")
            value = Fraction(exact(value, name))  # noqa: PLW2901  # the same amount, read
        found.append(value)
    if len(seen) > 1:
        raise CurrencyMismatch(*sorted(seen)[:2])
    return tuple(found)


def _divided(
    measure: Measure,
    part: Fraction | None,
    whole: Fraction | None,
    *,
    why: tuple[Undefined, Undefined],
    basis: Basis | None = None,
    period: str | None = None,
) -> Ratio:
    """``part / whole``, undefined where either is unknown or the whole is zero (`why` first) or less (`why` last)."""
    if part is None or whole is None:
        return Ratio(measure=measure, value=None, undefined=Undefined.UNKNOWN, basis=basis, period=period)
    if whole <= 0:
        return Ratio(measure=measure, value=None, undefined=why[whole < 0], basis=basis, period=period)
    return Ratio(measure=measure, value=part / whole, basis=basis, period=period)


def _less(whole: Fraction | None, part: Fraction | None) -> Fraction | None:
    return None if whole is None or part is None else whole - part


# --- of sales and cost ---


def margin_rate(sales: Stock | None, cost: Stock | None, *, period: str | None = None) -> Ratio:
    """Gross profit ÷ sales (ANA-4): ``no_sales`` at 0, ``negative_sales`` where more came back than was sold."""
    sold, spent = fractions(sales=sales, cost=cost)
    return _divided(Measure.MARGIN_RATE, _less(sold, spent), sold, why=BAD_SALES, period=period)


def markup_rate(sales: Stock | None, cost: Stock | None, *, period: str | None = None) -> Ratio:
    """Gross profit ÷ cost; ``no_cost`` at 0, ``negative_cost`` below."""
    sold, spent = fractions(sales=sales, cost=cost)
    return _divided(Measure.MARKUP_RATE, _less(sold, spent), spent, why=BAD_COST, period=period)


def _share(measure: Measure, part: Fraction | None, total: Fraction | None, period: str | None) -> Ratio:
    return _divided(measure, part, total, why=BAD_TOTAL, period=period)


def sales_share(sales: Stock | None, total: Stock | None, *, period: str | None = None) -> Ratio:
    """Sales ÷ total sales (ANA-3); ``no_total`` where the total is 0 or less."""
    sold, whole = fractions(sales=sales, total=total)
    return _share(Measure.SALES_SHARE, sold, whole, period)


def gross_profit_share(gross_profit: Stock | None, total: Stock | None, *, period: str | None = None) -> Ratio:
    """Gross profit ÷ total gross profit; ``no_total`` where the total is 0 or less."""
    earned, whole = fractions(gross_profit=gross_profit, total=total)
    return _share(Measure.GROSS_PROFIT_SHARE, earned, whole, period)


# --- of stock ---


def average_stock(*counted: Stock | Iterable[Stock | None] | None) -> Fraction | None:
    """
    The plain mean of the opening and the closing stock, or of a series of counts at even distances (ANA-5).

    ``None`` where a count is unknown. Raises `InvalidFact` where nothing was counted.

    >>> average_stock(100, "50"), average_stock([1, 1, 2])
    (Fraction(75, 1), Fraction(4, 3))
    """
    series = _series(counted)
    if not series:
        raise InvalidFact("stock", counted, "an opening and a closing stock, or a series of counts")
    found = fractions(**{f"stock[{place}]": value for place, value in enumerate(series)})
    known = [value for value in found if value is not None]
    return sum(known, Fraction()) / len(known) if len(known) == len(found) else None


def _series(counted: tuple[Stock | Iterable[Stock | None] | None, ...]) -> tuple[Stock | None, ...]:
    if len(counted) == 1 and isinstance(counted[0], Iterable) and not isinstance(counted[0], str):
        return tuple(counted[0])
    return counted  # type: ignore[return-value]  # what is no amount, `exact` refuses


def stock_at_cost(stock_at_retail: Stock, margin_rate: Ratio) -> Fraction | None:
    """
    What stock at retail prices cost: retail × (1 − margin rate), with one mark-up and no mark-downs.

    ``None`` where the margin rate is undefined. Then sales ÷ stock at retail is cost ÷ stock at cost.
    """
    (stock,), margin = fractions(stock_at_retail=stock_at_retail), _of(margin_rate, Measure.MARGIN_RATE)
    return None if stock is None or margin is None else stock * (1 - margin)


def stock_at_retail(stock_at_cost: Stock, margin_rate: Ratio) -> Fraction | None:
    """What stock at cost sells for: cost ÷ (1 − margin rate); ``None`` where that is undefined, or 1 or more."""
    (stock,), margin = fractions(stock_at_cost=stock_at_cost), _of(margin_rate, Measure.MARGIN_RATE)
    return None if stock is None or margin is None or margin >= 1 else stock / (1 - margin)


def turnover(
    sales_or_cost: Stock | None,
    stock: Stock | None,
    *,
    basis: str = "retail",
    period: str | None = None,
) -> Ratio:
    """
    How often stock is sold (ANA-5): ÷ `average_stock`, ``no_stock`` at 0 and ``negative_stock`` below.

    `basis`: ``retail`` sales over stock at retail, ``cost`` cost of sales over stock at cost, ``mixed`` sales over
    stock at cost, which is too high by the mark-up. Raises `InvalidPolicy`.
    """
    sold, held = fractions(sales_or_cost=sales_or_cost, stock=stock)
    return _per_stock(Measure.TURNOVER, sold, held, stock_basis(basis), period)


def stock_basis(value: str) -> Basis:
    """The basis of stock that is meant; raises `InvalidPolicy`."""
    if value not in STOCK_BASES:
        raise InvalidPolicy("basis", value, f"a basis of stock: {', '.join(STOCK_BASES)}")
    return Basis(value)


def _per_stock(
    measure: Measure, part: Fraction | None, stock: Fraction | None, basis: Basis, period: str | None
) -> Ratio:
    return _divided(measure, part, stock, why=BAD_STOCK, basis=basis, period=period)


def gmroi(sales: Stock | None, cost: Stock | None, stock_at_cost: Stock | None, *, period: str | None = None) -> Ratio:
    """Gross margin return on inventory investment: gross profit ÷ average stock at cost."""
    sold, spent, held = fractions(sales=sales, cost=cost, stock_at_cost=stock_at_cost)
    return _per_stock(Measure.GMROI, _less(sold, spent), held, Basis.COST, period)


# --- products of ratios ---


def cross_ratio(margin_rate: Ratio, turnover: Ratio | Number, *, basis: Literal["sales"] | None = None) -> Ratio:
    """
    Margin rate × turnover (ANA-6); with turnover at retail, gross profit ÷ average stock.

    The basis and the period are those of the turnover: with ``cost`` it is turn and earn, with ``mixed`` GMROI.
    ``basis="sales"`` is S1's literal form, margin rate × sales: gross profit, labelled an amount.

    Raises `InvalidFact` for a number where a turnover belongs, and for ratios of two periods.
    """
    margin = _of(margin_rate, Measure.MARGIN_RATE)
    if basis is not None:
        return _times_sales(Measure.CROSS_RATIO, margin_rate, margin, turnover, basis)
    return _product(Measure.CROSS_RATIO, margin_rate, Measure.MARGIN_RATE, turnover, Measure.TURNOVER)


def contribution_ratio(
    cross_ratio: Ratio, sales_share: Ratio | Number, *, basis: Literal["sales"] | None = None
) -> Ratio:
    """
    Cross ratio × share of sales (ANA-7), with the basis and period of the cross ratio.

    ``basis="sales"`` is S1's literal form, an amount times sales: money squared, labelled an amount. Raises as
    `cross_ratio`, and `InvalidFact` for a cross ratio that is an amount without it.
    """
    if basis is not None:
        amount = _of(cross_ratio, Measure.CROSS_RATIO, amount=True)
        return _times_sales(Measure.CONTRIBUTION_RATIO, cross_ratio, amount, sales_share, basis)
    pair = (cross_ratio, Measure.CROSS_RATIO, sales_share, Measure.SALES_SHARE)
    return _product(Measure.CONTRIBUTION_RATIO, *pair)


def margin_product(margin_rate: Ratio, sales_share: Ratio) -> Ratio:
    """Margin rate × share of sales (相乗積, 商品贡献度): what of the overall margin rate a product brings."""
    return _product(Measure.MARGIN_PRODUCT, margin_rate, Measure.MARGIN_RATE, sales_share, Measure.SALES_SHARE)


def turn_and_earn(margin_rate: Ratio, turnover: Ratio) -> Ratio:
    """
    Margin rate × turnover at cost, GMROI × (1 − margin rate); as an index it is shown × 100.

    Raises `InvalidFact` for a turnover on another basis.
    """
    found = _product(Measure.TURN_AND_EARN, margin_rate, Measure.MARGIN_RATE, turnover, Measure.TURNOVER)
    if found.basis != Basis.COST:
        raise InvalidFact("turnover", turnover, "a turnover at cost: turnover(cost, stock_at_cost, basis='cost')")
    return found


def contribution_degree(contribution_ratio: Ratio, total: Stock | Iterable[Ratio]) -> Ratio:
    """
    A contribution ratio ÷ the sum of all: `total`, or those ratios; the undefined ones count as nothing.

    ``no_total`` where the sum is 0 or less. Raises `InvalidFact` for ratios of another basis or period.
    """
    amount = isinstance(contribution_ratio, Ratio) and contribution_ratio.amount
    value = _of(contribution_ratio, Measure.CONTRIBUTION_RATIO, amount=amount)
    whole = _total(contribution_ratio, total) if _many(total) else fractions(total=total)[0]  # type: ignore[arg-type]
    basis, period, undefined = contribution_ratio.basis, contribution_ratio.period, contribution_ratio.undefined
    if undefined:
        return Ratio(measure=Measure.CONTRIBUTION_DEGREE, value=None, undefined=undefined, basis=basis, period=period)
    return _divided(Measure.CONTRIBUTION_DEGREE, value, whole, why=BAD_TOTAL, basis=basis, period=period)


def _many(total: object) -> bool:
    return isinstance(total, Iterable) and not isinstance(total, str)


def _total(one: Ratio, ratios: Iterable[Ratio]) -> Fraction:
    whole = Fraction()
    for each in ratios:
        value = _of(each, Measure.CONTRIBUTION_RATIO, amount=one.amount)
        if (each.basis, each.period) != (one.basis, one.period):
            raise InvalidFact("total", each, f"of basis {one.basis} and period {one.period}, as what it is to measure")
        whole += value or 0
    return whole


def annualised(ratio: Ratio, periods_per_year: Fraction | Decimal | int) -> Ratio:
    """
    The ratio × how many of its periods make a year: 4 for a quarter's turnover. Nothing is annualised unasked.

    Raises `InvalidFact` for what does not grow with the period (a margin, a share), for an amount, and for what is a
    year's already.
    """
    expected = f"one of {', '.join(PER_PERIOD)}, of a period other than {YEAR!r}, and no amount"
    if ratio.measure not in PER_PERIOD or ratio.amount or ratio.period == YEAR:
        raise InvalidFact("ratio", ratio, expected)
    (times,) = fractions(periods_per_year=periods_per_year)
    if times is None or times <= 0:
        raise InvalidPolicy("periods_per_year", periods_per_year, "more than 0")
    value = None if ratio.value is None else ratio.value * times
    return Ratio(measure=ratio.measure, value=value, undefined=ratio.undefined, basis=ratio.basis, period=YEAR)


# --- the guard: what may be multiplied ---

REMEDIES: Final = {
    Measure.MARGIN_RATE: "a margin rate: margin_rate(sales, cost)",
    Measure.TURNOVER: "a turnover: turnover(sales, stock); S1's literal form, gross profit in money, is basis='sales'",
    Measure.SALES_SHARE: "a share: sales_share(sales, total); S1's literal form, money squared, is basis='sales'",
    Measure.CROSS_RATIO: "a cross ratio: cross_ratio(margin_rate, turnover), an amount only with basis='sales'",
    Measure.CONTRIBUTION_RATIO: "a contribution ratio: contribution_ratio(cross_ratio, sales_share)",
}


def _checked(ratio: object, measure: Measure, *, amount: bool = False) -> Ratio:
    """The ratio, if it is of that measure; a bare number has lost what it measures."""
    if not isinstance(ratio, Ratio) or ratio.measure is not measure or ratio.amount is not amount:
        raise InvalidFact(measure.value, ratio, REMEDIES[measure])
    return ratio


def _of(ratio: object, measure: Measure, *, amount: bool = False) -> Fraction | None:
    return _checked(ratio, measure, amount=amount).value


def _product(measure: Measure, first: object, of: Measure, second: object, by: Measure) -> Ratio:
    first, second = _checked(first, of), _checked(second, by)
    if first.period and second.period and first.period != second.period:
        raise InvalidFact(by.value, second, f"of the period of the {of}, {first.period}")
    undefined = first.undefined or second.undefined
    value = None if first.value is None or second.value is None else first.value * second.value
    basis, period = first.basis or second.basis, first.period or second.period
    return Ratio(measure=measure, value=value, undefined=undefined, basis=basis, period=period)


def _times_sales(measure: Measure, ratio: Ratio, value: Fraction | None, sales: object, basis: str) -> Ratio:
    if basis != Basis.SALES:
        expected = "'sales' for the literal form; the basis of stock is that of the turnover"
        raise InvalidPolicy("basis", basis, expected)
    if isinstance(sales, Ratio):
        raise InvalidFact("sales", sales, "an amount of money: with basis='sales' that is what is multiplied")
    (sold,) = fractions(sales=sales)  # type: ignore[arg-type]  # what is no amount, `exact` refuses
    found = None if value is None or sold is None else value * sold
    undefined = (ratio.undefined or Undefined.UNKNOWN) if found is None else None
    return Ratio(measure=measure, value=found, undefined=undefined, basis=Basis.SALES, period=ratio.period, amount=True)
