"""Ratios: the published examples, what is undefined and why, and what cannot be multiplied."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from math import isnan
from pickle import dumps, loads
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.analysis import ratios
from crmcore.analysis.ratios import (
    annualised,
    average_stock,
    contribution_degree,
    contribution_ratio,
    cross_ratio,
    gmroi,
    gross_profit_share,
    margin_product,
    margin_rate,
    markup_rate,
    sales_share,
    stock_at_cost,
    stock_at_retail,
    turn_and_earn,
    turnover,
)
from crmcore.analysis.values import Basis, Measure, Ratio, Undefined
from crmcore.errors import CurrencyMismatch, InvalidFact, InvalidPolicy
from crmcore.money import Money

TOTAL = 70_000
SHOP = {
    "processed food": (20_000, 4_500, 2_000),
    "produce": (10_000, 2_500, 150),
    "liquor": (10_000, 2_000, 1_000),
}


def percent(ratio: Ratio, places: int = 1) -> Decimal:
    assert ratio.value is not None
    return Ratio(measure=ratio.measure, value=ratio.value * 100).rounded(places)  # type: ignore[return-value]


RATE = margin_rate(20_000, 15_500)
CROSS = cross_ratio(RATE, turnover(20_000, 2_000))
MONEY = cross_ratio(RATE, 20_000, basis="sales")

# --- worked examples ---


@pytest.mark.rule("ANA-4", "ANA-5", "ANA-6", "ANA-7")
@pytest.mark.parametrize(
    ("product", "published"),
    [
        ("processed food", ("22.5", "10.0", "225.0", "64.3", "17.2")),
        ("produce", ("25.0", "66.7", "1666.7", "238.1", "63.8")),
        ("liquor", ("20.0", "10.0", "200.0", "28.6", "7.7")),
    ],
)
def test_published_cross_and_contribution(product: str, published: tuple[str, ...]) -> None:
    """Example 1 of the research; the degrees imply a sum of about 373.5 %, of rows that were cut off."""
    sales, profit, stock = SHOP[product]
    margin, turns, cross, contribution, degree = map(Decimal, published)
    rate, turned = margin_rate(sales, sales - profit), turnover(sales, stock)
    crossed = cross_ratio(rate, turned)
    contributed = contribution_ratio(crossed, sales_share(sales, TOTAL))
    assert (percent(rate), turned.rounded(1)) == (margin, turns)
    assert (percent(crossed), percent(contributed)) == (cross, contribution)
    assert abs(percent(contribution_degree(contributed, "3.735")) - degree) <= Decimal("0.1")


@pytest.mark.rule("ANA-7")
def test_published_margin_products() -> None:
    """Example 2: each part of the overall margin rate, and their sum."""
    shop = [(20_000, 4_500), (10_000, 2_500), (10_000, 2_000), (5_000, 500), (15_000, 3_750), (10_000, 3_000)]
    products = [margin_product(margin_rate(s, s - g), sales_share(s, TOTAL)) for s, g in shop]
    assert [str(percent(each)) for each in products] == ["6.4", "3.6", "2.9", "0.7", "5.4", "4.3"]
    assert sum(each.value or 0 for each in products) == Fraction(16_250, 70_000)
    other = [margin_product(margin_rate(100, 100 - m), sales_share(w, 100)) for m, w in ((30, 20), (20, 30), (15, 50))]
    assert sum(each.value or 0 for each in other) == Fraction("0.195")


@pytest.mark.rule("ANA-6")
def test_published_cross_at_retail() -> None:
    """Example 3: price 100, cost 70, 50 a day on 300 days, stock of five days."""
    sold, stock = 50 * 300, 50 * 5
    turns = turnover(sold * 100, stock * 100, period="year")
    assert turns.value == 60
    crossed = cross_ratio(margin_rate(100, 70), turns)
    assert (crossed.value, crossed.basis, crossed.period) == (18, Basis.RETAIL, "year")


@pytest.mark.rule("ANA-6")
def test_published_gmroi_and_cross() -> None:
    """Example 4: the same gross profit over stock at cost and at retail."""
    sales, cost = 80_000_000, 56_000_000
    assert percent(gmroi(sales, cost, 12_500_000), 0) == 192
    assert percent(cross_ratio(margin_rate(sales, cost), turnover(sales, 40_000_000)), 0) == 60


@pytest.mark.rule("ANA-6")
def test_published_turn_and_earn() -> None:
    """Example 5: turns of cost over stock at cost; the index is the fraction times 100."""
    turns = turnover(9_000, 900, basis="cost")
    assert turns.value == 10
    assert gmroi(10_000, 9_000, 900).rounded(2) == Decimal("1.11")
    assert turn_and_earn(margin_rate(10_000, 9_000), turns).value == 1
    for times, margin, index in ((4, 30, 120), (2, 60, 120), (6, 20, 120), (5, 35, 175)):
        earned = turn_and_earn(margin_rate(100, 100 - margin), turnover(times, 1, basis="cost"))
        assert earned.value == Fraction(index, 100)
    for margin, times, earned_back in ((60, "2.5", "3.75"), (40, 7, "4.67")):
        cost = 100 - margin
        stock = Fraction(cost) / Fraction(Decimal(times))
        assert gmroi(100, cost, stock).rounded(2) == Decimal(earned_back)


@pytest.mark.rule("ANA-6", "ANA-7")
def test_the_literal_form_is_money_and_says_so() -> None:
    """Example 20: 4,500 and 90,000,000 come only by name, and as amounts."""
    sales, profit, stock = SHOP["processed food"]
    rate = margin_rate(sales, sales - profit)
    money = cross_ratio(rate, sales, basis="sales")
    assert (money.value, money.amount, money.basis) == (4_500, True, Basis.SALES)
    squared = contribution_ratio(money, sales, basis="sales")
    assert (squared.value, squared.amount, squared.basis) == (90_000_000, True, Basis.SALES)
    standard = cross_ratio(rate, turnover(sales, stock))
    assert not standard.amount
    assert not contribution_ratio(standard, sales_share(sales, TOTAL)).amount


@pytest.mark.rule("ANA-6", "ANA-7")
@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        (lambda: cross_ratio(RATE, 20_000), "turnover(sales, stock)"),
        (lambda: cross_ratio(RATE, Decimal(10)), "basis='sales'"),
        (lambda: cross_ratio(Decimal("0.225"), turnover(1, 1)), "margin_rate(sales, cost)"),
        (lambda: cross_ratio(RATE, RATE), "a turnover"),
        (lambda: contribution_ratio(CROSS, 20_000), "sales_share(sales, total)"),
        (lambda: contribution_ratio(MONEY, sales_share(2, 7)), "only with basis='sales'"),
        (lambda: contribution_ratio(CROSS, 20_000, basis="sales"), "a cross ratio"),
        (lambda: contribution_ratio(MONEY, sales_share(2, 7), basis="sales"), "an amount of money"),
        (lambda: margin_product(RATE, Decimal("0.3")), "a share"),
        (lambda: turn_and_earn(RATE, turnover(1, 1)), "basis='cost'"),
        (lambda: contribution_degree(Decimal(1), 2), "contribution_ratio"),
    ],
)
def test_what_has_lost_its_dimension_is_refused(wrong: Callable[..., Ratio], remedy: str) -> None:
    """A bare number says not whether it is money, turns or a share; the error says what to give instead."""
    with pytest.raises(InvalidFact) as refused:
        wrong()
    assert remedy in str(refused.value)


# --- what is undefined, and why ---

OF_NOTHING = [
    (margin_rate(0, 0), Undefined.NO_SALES),
    (margin_rate(-5, 0), Undefined.NEGATIVE_SALES),
    (margin_rate(5, None), Undefined.UNKNOWN),
    (markup_rate(5, 0), Undefined.NO_COST),
    (markup_rate(5, -1), Undefined.NEGATIVE_COST),
    (turnover(5, 0), Undefined.NO_STOCK),
    (turnover(5, -1), Undefined.NEGATIVE_STOCK),
    (turnover(5, None), Undefined.UNKNOWN),
    (gmroi(5, 3, 0), Undefined.NO_STOCK),
    (sales_share(0, 0), Undefined.NO_TOTAL),
    (gross_profit_share(1, -1), Undefined.NO_TOTAL),
    (cross_ratio(margin_rate(0, 0), turnover(0, 5)), Undefined.NO_SALES),
    (cross_ratio(margin_rate(5, 3), turnover(5, 0)), Undefined.NO_STOCK),
    (cross_ratio(margin_rate(0, 0), 0, basis="sales"), Undefined.NO_SALES),
    (cross_ratio(margin_rate(5, 3), None, basis="sales"), Undefined.UNKNOWN),  # type: ignore[arg-type]
    (turn_and_earn(margin_rate(5, 3), turnover(5, 0, basis="cost")), Undefined.NO_STOCK),
]


@pytest.mark.parametrize(("ratio", "why"), OF_NOTHING, ids=str)
def test_undefined_with_a_reason(ratio: Ratio, why: Undefined) -> None:
    """Never infinity, never zero."""
    assert ratio.value is None
    assert ratio.undefined is why
    assert ratio.record()["undefined"] == why.value
    assert ratio.record()["value"] is None


def test_a_degree_of_losses_is_undefined() -> None:
    """The sum of the contributions is no whole to be a part of; what is undefined itself says why."""
    loss = contribution_ratio(cross_ratio(margin_rate(10, 12), turnover(10, 1)), sales_share(10, 10))
    assert contribution_degree(loss, [loss]).undefined is Undefined.NO_TOTAL
    bare = contribution_ratio(cross_ratio(margin_rate(0, 0), turnover(0, 1)), sales_share(0, 10))
    assert contribution_degree(bare, [bare, loss]).undefined is Undefined.NO_SALES


def test_degrees_are_of_one_basis_and_period() -> None:
    """A month's contributions are no part of a year's, nor those at cost of those at retail."""
    made = [
        contribution_ratio(cross_ratio(margin_rate(10, 7), turnover(10, 2, period=period)), sales_share(10, 20))
        for period in ("month", "year")
    ]
    with pytest.raises(InvalidFact, match="period month"):
        contribution_degree(made[0], made)
    assert contribution_degree(made[0], [made[0], made[0]]).value == Fraction(1, 2)


def test_money_of_money_squared_may_be_shared_out() -> None:
    """S1's literal form has degrees too, labelled with its basis."""
    money = contribution_ratio(cross_ratio(margin_rate(10, 7), 10, basis="sales"), 10, basis="sales")
    degree = contribution_degree(money, [money, money])
    assert (degree.value, degree.basis, degree.amount) == (Fraction(1, 2), Basis.SALES, False)


# --- periods and bases ---


def test_a_ratio_carries_basis_and_period() -> None:
    """A turnover of a month is none of a year, and one at cost none at retail."""
    turns = turnover(10, 5, basis="mixed", period="2026-Q1")
    assert (turns.basis, turns.period) == (Basis.MIXED, "2026-Q1")
    crossed = cross_ratio(margin_rate(10, 7), turns)
    assert crossed.record() == {
        "measure": "cross_ratio",
        "value": 0.6,
        "undefined": None,
        "basis": "mixed",
        "period": "2026-Q1",
        "amount": False,
    }


def test_two_periods_do_not_mix() -> None:
    """The margin of one month times the turnover of another is neither's cross ratio."""
    with pytest.raises(InvalidFact, match="of the period of the margin_rate, 2026-01"):
        cross_ratio(margin_rate(10, 7, period="2026-01"), turnover(10, 5, period="2026-02"))


@pytest.mark.parametrize("basis", ["sales", "retial", None])
def test_stock_has_a_basis(basis: Any) -> None:
    with pytest.raises(InvalidPolicy, match="retail, cost, mixed"):
        turnover(10, 5, basis=basis)


def test_only_sales_names_the_literal_form() -> None:
    """The basis of stock is not said twice."""
    with pytest.raises(InvalidPolicy, match="'sales' for the literal form"):
        cross_ratio(margin_rate(10, 7), turnover(10, 5), basis="retail")  # type: ignore[arg-type]


def test_annualised_on_request_only() -> None:
    """A quarter's turnover times four; what has no value keeps its reason."""
    year = annualised(turnover(10, 5, period="2026-Q1"), 4)
    assert (year.value, year.period, year.basis) == (8, "year", Basis.RETAIL)
    assert annualised(turnover(10, 0), Decimal("0.5")).undefined is Undefined.NO_STOCK


@pytest.mark.parametrize(
    "ratio",
    [margin_rate(10, 7), cross_ratio(margin_rate(10, 7), 10, basis="sales"), turnover(1, 1, period="year")],
    ids=["margin", "amount", "year"],
)
def test_what_cannot_be_annualised(ratio: Ratio) -> None:
    with pytest.raises(InvalidFact, match="of a period other than 'year'"):
        annualised(ratio, 4)


def test_a_year_has_some_periods() -> None:
    with pytest.raises(InvalidPolicy, match="more than 0"):
        annualised(turnover(1, 1), 0)


# --- amounts ---


def test_average_stock() -> None:
    """Of two counts or of a series, exact, unknown where a count is."""
    assert average_stock("0.1", "0.2") == Fraction("0.15")
    assert average_stock([1, 2, 2]) == Fraction(5, 3)
    assert average_stock(1, None) is None
    assert average_stock("7") == 7
    assert average_stock(Money(3, "CNY"), Money(4, "CNY")) == Fraction(7, 2)
    for nothing in ((), ([],)):
        with pytest.raises(InvalidFact, match="an opening and a closing stock"):
            average_stock(*nothing)


def test_floats_and_two_currencies_are_refused() -> None:
    with pytest.raises(InvalidFact, match="never a float"):
        margin_rate(10.0, 7)  # type: ignore[arg-type]
    with pytest.raises(CurrencyMismatch):
        margin_rate(Money(10, "CNY"), Money(7, "USD"))
    with pytest.raises(CurrencyMismatch):
        margin_rate(Money(10, "CNY"), 7)
    assert turnover(Money(10, "CNY"), average_stock(Money(1, "CNY"), Money(3, "CNY"))).value == 5


def test_stock_from_one_basis_to_the_other() -> None:
    """At a margin of 30 % what cost 70 sells for 100; nothing sells for infinity."""
    rate = margin_rate(100, 70)
    assert (stock_at_cost(100, rate), stock_at_retail(70, rate)) == (70, 100)
    assert stock_at_retail(70, margin_rate(100, 0)) is None
    assert stock_at_retail(70, margin_rate(0, 0)) is None
    assert stock_at_cost(70, margin_rate(0, 0)) is None


# --- how a ratio shows itself ---


def test_a_ratio_in_words_and_numbers() -> None:
    """Rounded half away from zero; what is undefined says so."""
    loss = margin_rate(2000, 2001)
    assert (loss.rounded(3), loss.rounded(4), str(loss)) == (Decimal("-0.001"), Decimal("-0.0005"), "-0.0005")
    assert float(margin_rate(4, 1)) == 0.75
    nothing = margin_rate(0, 0)
    assert (str(nothing), nothing.rounded()) == ("undefined (no_sales)", None)
    assert isnan(float(nothing))
    assert loads(dumps(loss)) == loss


# --- laws, and variants that they catch ---

POSITIVE = st.integers(1, 10**6).map(lambda units: Decimal(units).scaleb(-2))
ANY = st.integers(-(10**6), 10**6).map(lambda units: Decimal(units).scaleb(-2))
Api = dict[str, Callable[..., Any]]
REAL: Api = {name: getattr(ratios, name) for name in ratios.__all__ if callable(getattr(ratios, name))}


def cross_is_profit_over_stock(api: Api, sales: Decimal, cost: Decimal, stock: Decimal) -> None:
    crossed = api["cross_ratio"](api["margin_rate"](sales, cost), api["turnover"](sales, stock))
    assert crossed.value == (Fraction(sales) - Fraction(cost)) / Fraction(stock)


def turn_and_earn_is_gmroi_less_margin(api: Api, sales: Decimal, cost: Decimal, stock: Decimal) -> None:
    rate = api["margin_rate"](sales, cost)
    earned = api["turn_and_earn"](rate, api["turnover"](cost, stock, basis="cost"))
    assert earned.value == api["gmroi"](sales, cost, stock).value * (1 - rate.value)


def mixed_cross_is_gmroi(api: Api, sales: Decimal, cost: Decimal, stock: Decimal) -> None:
    mixed = api["cross_ratio"](api["margin_rate"](sales, cost), api["turnover"](sales, stock, basis="mixed"))
    assert mixed.value == api["gmroi"](sales, cost, stock).value
    assert mixed.basis is Basis.MIXED


def turns_agree_between_bases(api: Api, sales: Decimal, cost: Decimal, stock: Decimal) -> None:
    at_retail = api["stock_at_retail"](stock, api["margin_rate"](sales, cost))
    if at_retail is not None and at_retail > 0:
        assert api["turnover"](sales, at_retail).value == api["turnover"](cost, stock, basis="cost").value


def scale_changes_nothing(api: Api, sales: Decimal, cost: Decimal, stock: Decimal) -> None:
    for name in ("margin_rate", "markup_rate", "sales_share"):
        assert api[name](sales, cost) == api[name](sales * 1000, cost * 1000)
    assert api["turnover"](sales, stock) == api["turnover"](sales * 1000, stock * 1000)
    assert api["gmroi"](sales, cost, stock) == api["gmroi"](sales * 1000, cost * 1000, stock * 1000)


LAWS = {law.__name__: law for law in (
    cross_is_profit_over_stock,
    turn_and_earn_is_gmroi_less_margin,
    mixed_cross_is_gmroi,
    turns_agree_between_bases,
    scale_changes_nothing,
)}  # fmt: skip


@pytest.mark.rule("ANA-4", "ANA-5", "ANA-6")
@pytest.mark.parametrize("law", LAWS)
@given(sales=POSITIVE, cost=ANY, stock=POSITIVE)
def test_identities(law: str, sales: Decimal, cost: Decimal, stock: Decimal) -> None:
    LAWS[law](REAL, sales, cost, stock)


def _markup_for_margin(sales: Decimal, cost: Decimal) -> Ratio:
    return Ratio(measure=Measure.MARGIN_RATE, value=markup_rate(sales, cost).value)


def _closing_only(sales: Decimal, stock: Decimal, **basis: Any) -> Ratio:
    return turnover(sales, stock * 2, **basis)


def _gmroi_of_sales(sales: Decimal, cost: Decimal, stock: Decimal) -> Ratio:
    return Ratio(measure=Measure.GMROI, value=Fraction(sales) / Fraction(stock))


def _rounded_margin(sales: Decimal, cost: Decimal) -> Ratio:
    return Ratio(measure=Measure.MARGIN_RATE, value=Fraction(int(margin_rate(sales, cost).value * 100), 100))


def _plus_a_yuan(sales: Decimal, cost: Decimal) -> Ratio:
    return margin_rate(sales + 1, cost)


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        ("cross_is_profit_over_stock", {"turnover": _closing_only}),
        ("cross_is_profit_over_stock", {"margin_rate": _rounded_margin}),
        ("turn_and_earn_is_gmroi_less_margin", {"gmroi": _gmroi_of_sales}),
        ("mixed_cross_is_gmroi", {"margin_rate": _markup_for_margin}),
        ("turns_agree_between_bases", {"margin_rate": _rounded_margin}),
        ("scale_changes_nothing", {"margin_rate": _plus_a_yuan}),
    ],
)
def test_identities_bite(law: str, broken: Api) -> None:
    with pytest.raises(AssertionError):
        LAWS[law](REAL | broken, Decimal(17), Decimal(11), Decimal(3))


@given(POSITIVE, ANY, POSITIVE, ANY, POSITIVE)
def test_the_literal_form_is_gross_profit(
    sales: Decimal, cost: Decimal, stock: Decimal, other: Decimal, total: Decimal
) -> None:
    """Whatever the numbers, an amount never comes back without its label, nor a ratio with it."""
    rate = margin_rate(sales, cost)
    money = cross_ratio(rate, sales, basis="sales")
    assert money.value == Fraction(sales) - Fraction(cost)
    assert money.amount
    assert contribution_ratio(money, sales, basis="sales").value == (Fraction(sales) - Fraction(cost)) * Fraction(sales)
    assert not cross_ratio(rate, turnover(other, stock)).amount
