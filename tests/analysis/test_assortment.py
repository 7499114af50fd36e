"""The assortment table: sums, shares, advice with reasons, and laws with variants that they catch."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import product as every
from pickle import dumps, loads
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.analysis.advice import ADVICE, Advice, AdviceLimits, Fact, Level, Selling
from crmcore.analysis.advice_words import WORDS
from crmcore.analysis.assortment import Assortment
from crmcore.analysis.assortment_table import assortment_by, assortment_table
from crmcore.analysis.values import Basis, Undefined
from crmcore.errors import CurrencyMismatch, InvalidFact, InvalidPolicy, MissingFact
from crmcore.money import Money


def line(product: Any, sales: Any, cost: Any, opening: Any, closing: Any, **more: Any) -> dict[str, Any]:
    return {"product": product, "sales": sales, "cost": cost, "opening": opening, "closing": closing, **more}


SHOP = [
    line("food", 20_000, 15_500, 1_000, 3_000),
    line("produce", 10_000, 7_500, 150, 150),
    line("liquor", 10_000, 8_000, 1_000, 1_000),
]

# --- figures ---


@pytest.mark.rule("ANA-3", "ANA-4", "ANA-5", "ANA-6", "ANA-7")
def test_one_table_of_all_figures() -> None:
    """Products by sales; the figures are those of the ratios."""
    table = assortment_table(SHOP, period="2026-01")
    food, liquor, produce = table.rows
    assert [row.product for row in table.rows] == ["food", "liquor", "produce"]
    assert (food.gross_profit, food.average_stock) == (4_500, 2_000)
    assert [row.sales_share.value for row in table.rows] == [Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)]
    assert [row.cumulative_share for row in table.rows] == [Fraction(1, 2), Fraction(3, 4), 1]
    assert (food.cross_ratio.value, produce.turnover.value) == (Fraction("2.25"), Fraction(200, 3))
    assert food.contribution_ratio.value == Fraction("1.125")
    assert (produce.margin_rank, food.margin_rank, liquor.margin_rank) == (1, 2, 3)
    assert (table.basis, food.cross_ratio.basis, food.cross_ratio.period) == (Basis.RETAIL, Basis.RETAIL, "2026-01")
    assert table.totals.margin_rate.value == Fraction(9_000, 40_000)
    assert table.totals.turnover.value == Fraction(40_000, 3_150)
    assert table.row("liquor") is liquor
    with pytest.raises(KeyError):
        table.row("tea")


def test_equal_margins_share_a_rank() -> None:
    lines = [line(name, 10, cost, 1, 1) for name, cost in (("a", 5), ("b", 7), ("c", 5), ("d", 9))]
    lines.append(line("e", 0, 0, 1, 1))
    ranks = {row.product: row.margin_rank for row in assortment_table(lines).rows}
    assert ranks == {"a": 1, "c": 1, "b": 3, "d": 4, "e": None}


def test_lines_of_one_product_add_up() -> None:
    """Objects and mappings alike, stock and plan too; one unknown line makes the product's figure unknown."""
    lines = [line("tea", "1.5", 1, 2, 2, plan=3), SimpleNamespace(**line("tea", 2, "0.5", 1, 3, plan="0.5"))]
    (row,) = assortment_table(lines).rows
    assert (row.sales, row.cost, row.average_stock, row.plan) == (Decimal("3.5"), Decimal("1.5"), 4, Decimal("3.5"))
    (row,) = assortment_table([*lines, line("tea", 1, None, 1, None)]).rows
    assert (row.cost, row.gross_profit, row.average_stock) == (None, None, None)
    assert {row.margin_rate.undefined, row.turnover.undefined, row.cross_ratio.undefined} == {Undefined.UNKNOWN}
    assert row.advice == "unknown"


@pytest.mark.parametrize(
    ("basis", "turns", "gmroi"),
    [("retail", Fraction(10, 5), None), ("cost", Fraction(6, 5), Fraction(4, 5)), ("mixed", 2, Fraction(4, 5))],
)
def test_the_basis_decides_what_is_turned(basis: str, turns: Any, gmroi: Any) -> None:
    """GMROI needs stock at cost."""
    (row,) = assortment_table([line("tea", 10, 6, 5, 5)], basis=basis).rows
    assert (row.turnover.value, row.gmroi.value) == (turns, gmroi)
    assert row.gmroi.undefined is (Undefined.STOCK_AT_RETAIL if gmroi is None else None)
    assert row.turnover.basis == basis


@pytest.mark.rule("ANA-3", "ANA-8")
def test_plan_met_and_selling() -> None:
    """From the lines or by product; without a plan there is nothing to meet."""
    lines = [line("a", 12, 5, 1, 1, plan=10), line("b", 10, 5, 1, 1, plan=10), line("c", 8, 5, 1, 1, plan=10)]
    table = assortment_table(lines)
    assert [row.selling for row in table.rows] == [Selling.FAST, Selling.PLANNED, Selling.SLOW]
    assert table.totals.plan_met.value == 1
    table = assortment_table(lines, plan={"a": 24, "b": 0})
    assert [row.plan_met.value for row in table.rows] == [Fraction(1, 2), None, None]
    assert [row.plan_met.undefined for row in table.rows] == [None, Undefined.NO_PLAN, Undefined.NO_PLAN]
    assert table.totals.plan_met.undefined is Undefined.UNKNOWN
    assert assortment_table(SHOP).totals.plan_met.undefined is Undefined.NO_PLAN
    with pytest.raises(InvalidPolicy, match="a line with 0"):
        assortment_table(lines, plan={"d": 1})


@pytest.mark.rule("ANA-7")
def test_shares_are_of_the_grand_total_unless_within() -> None:
    """Within a group shares and margin products are the group's; the advice's limits stay those of all."""
    lines = [{**each, "kind": "dry" if each["product"] != "produce" else "fresh"} for each in SHOP]
    whole, table = assortment_table(lines), assortment_table(lines, within="kind")
    assert [row.sales_share.value for row in table.rows] == [Fraction(2, 3), Fraction(1, 3), 1]
    assert [row.cumulative_share for row in table.rows] == [Fraction(2, 3), 1, 1]
    assert {group: totals.sales for group, totals in table.groups.items()} == {"dry": 30_000, "fresh": 10_000}
    for group, totals in table.groups.items():
        rows = [row for row in table.rows if row.group == group]
        assert sum(row.margin_product.value or 0 for row in rows) == totals.margin_rate.value
    assert (table.totals, table.limits) == (whole.totals, whole.limits)
    assert [row.advice for row in table.rows] == [row.advice for row in whole.rows]
    with pytest.raises(InvalidFact, match="one group for each product, here 'dry'"):
        assortment_table([*lines, {**lines[0], "kind": "fresh"}], within="kind")


@pytest.mark.rule("ANA-8")
def test_one_table_for_each_customer() -> None:
    """The largest first (here: of one size), each with its own totals; together they are the total."""
    lines = [{**each, "customer": who} for who, each in zip(("shop", "kiosk", "kiosk"), SHOP, strict=True)]
    tables = assortment_by(lines, period="2026-01")
    assert list(tables.segments) == ["kiosk", "shop"]
    assert tables.segments["kiosk"] == assortment_table(lines[1:], period="2026-01")
    assert tables.total == assortment_table(SHOP, period="2026-01")
    record = tables.record()
    assert [each["segment"] for each in record["segments"]] == ["kiosk", "shop"]
    assert record["by"] == "customer"


def test_what_is_refused() -> None:
    with pytest.raises(MissingFact, match="'closing'"):
        assortment_table([{"product": "a", "sales": 1, "cost": 1, "opening": 1}])
    with pytest.raises(InvalidFact, match="the name of a product"):
        assortment_table([line(None, 1, 1, 1, 1)])
    with pytest.raises(InvalidFact, match="never a float"):
        assortment_table([line("a", 1, 1.5, 1, 1)])
    with pytest.raises(InvalidFact, match="None"):
        assortment_table([line("a", None, 1, 1, 1)])
    with pytest.raises(CurrencyMismatch):
        assortment_table([line("a", Money(1, "CNY"), Money(1, "CNY"), Money(1, "USD"), Money(1, "CNY"))])
    with pytest.raises(InvalidPolicy, match="retail, cost, mixed"):
        assortment_table(SHOP, basis="sales")


def test_an_assortment_of_nothing() -> None:
    """No rows, and totals that say why they are undefined."""
    table = assortment_table([])
    assert table.rows == ()
    assert table.totals.margin_rate.undefined is Undefined.NO_SALES
    assert table.totals.contribution_ratio.undefined is Undefined.NO_TOTAL
    assert json.loads(json.dumps(table.record()))["rows"] == []


def test_the_record_is_json() -> None:
    """Amounts as text, ratios as floats, what is undefined with its reason."""
    record = json.loads(json.dumps(assortment_table([line("a", 10, 6, 0, 0), line(7, 10, 6, 5, 5)]).record()))
    assert record["basis"] == "retail"
    first, second = record["rows"]
    assert (first["product"], second["product"]) == (7, "a")
    assert (second["sales"], second["margin_rate"], second["turnover"]) == ("10", 0.4, None)
    assert second["undefined"]["turnover"] == "no_stock"
    assert second["advice"] == "keep"
    assert second["reasons"][1] == {"fact": "margin_rate", "level": "high", "observed": 0.4, "limit": 0.4}
    assert record["totals"]["sales_without_stock"] == "10"


def test_values_are_frozen_and_pickle() -> None:
    table = assortment_by([{**each, "customer": "ann"} for each in SHOP])
    assert loads(dumps(table)) == table
    assert loads(dumps(ADVICE)) == ADVICE
    assert hash(table.total.limits) == hash(attrs.evolve(table.total.limits))


# --- advice ---

LIMITS = AdviceLimits(margin_rate="0.3", turnover=4, cross_ratio=Fraction(6, 5))

STORIES = [
    ("high margin and high turnover", line("a", 100, 60, 20, 20), "push", "strong"),
    ("the margin makes up for slow sales", line("a", 100, 40, 50, 50), "keep", "balanced"),
    ("the turnover makes up for a thin margin", line("a", 100, 80, 10, 10), "keep", "balanced"),
    ("good margin, too slow", line("a", 100, 60, 50, 50), "watch", "slow"),
    ("quick, too thin", line("a", 100, 90, 20, 20), "watch", "thin"),
    ("neither", line("a", 100, 90, 50, 50), "drop", "weak"),
    ("neither, but planned so", line("a", 100, 90, 50, 50, plan=100), "watch", "weak_on_plan"),
    ("neither, and not even planned so", line("a", 100, 90, 50, 50, plan=101), "drop", "weak"),
    ("stock that nobody buys", line("a", 0, 0, 5, 5), "drop", "unsold"),
    ("more came back than was sold", line("a", -1, 0, 5, 5), "drop", "unsold"),
    ("nothing sold, nothing there", line("a", 0, 0, 0, 0), "unknown", "idle"),
    ("at a loss, slowly", line("a", 100, 110, 50, 50), "drop", "loss"),
    ("at a loss, quickly", line("a", 100, 110, 5, 5), "watch", "loss_leader"),
    ("delivered from the maker, good margin", line("a", 100, 60, 0, 0), "keep", "unstocked"),
    ("delivered from the maker, thin margin", line("a", 100, 90, 0, 0), "watch", "unstocked_thin"),
    ("the stock was not counted", line("a", 100, 60, None, 0), "unknown", "otherwise"),
    ("the stock was counted wrongly", line("a", 100, 60, -1, 0), "unknown", "otherwise"),
    ("the cost is not known", line("a", 100, None, 5, 5), "unknown", "otherwise"),
]


@pytest.mark.rule("ANA-6", "ANA-8")
@pytest.mark.parametrize(("facts", "advice", "code"), [each[1:] for each in STORIES], ids=[each[0] for each in STORIES])
def test_advice(facts: dict[str, Any], advice: str, code: str) -> None:
    """S1 §3: the higher margin and turnover, the more it is worth pushing."""
    (row,) = assortment_table([facts], limits=LIMITS).rows
    assert (row.advice, row.verdict.code) == (advice, code)
    assert row.verdict.reasons


def test_every_row_of_the_table_has_a_story() -> None:
    assert {each[3] for each in STORIES} == {row.code for row in ADVICE}


@pytest.mark.rule("ANA-8")
def test_advice_in_words() -> None:
    (row,) = assortment_table([line("a", 100, 60, 20, 20)], limits=LIMITS).rows
    said = "Push: earns well and sells fast (margin rate 40.0%, at least 30.0%, turnover 5.00, at least 4.00)"
    assert row.text() == said
    assert row.text("zh") == "主推：毛利高、周转快（毛利率40.0%，不低于30.0%，周转率5.00，不低于4.00）"
    (row,) = assortment_table([line("a", 100, None, None, 5)], limits=LIMITS).rows
    said = "No advice: too little is known (margin rate not known, average stock not known, turnover not known)"
    assert row.text() == said
    with pytest.raises(InvalidPolicy, match="one of en, zh"):
        row.text("fr")


@pytest.mark.parametrize("facts", [each[1] for each in STORIES], ids=[each[3] for each in STORIES])
def test_every_story_has_words(facts: dict[str, Any]) -> None:
    (row,) = assortment_table([facts], limits=LIMITS).rows
    for lang, words in WORDS.items():
        assert row.text(lang).startswith(words[f"advice.{row.advice}"])


def test_both_languages_say_the_same() -> None:
    assert WORDS["en"].keys() == WORDS["zh"].keys()


FIGURES: list[Fraction | None] = [None, Fraction(-1), Fraction(0), Fraction(1), Fraction(2)]
"""Unknown, a loss, nothing, below and at the limits."""


def advised(figures: dict[Fact, Fraction | None], limit: Fraction) -> tuple[Advice, str]:
    """The table written as a person would."""
    sales, stock, margin, turns, cross, plan = (figures[fact] for fact in Fact)
    fast = turns is not None and turns >= limit
    if sales is not None and sales <= 0:
        answer = (Advice.DROP if stock is not None and stock > 0 else Advice.UNKNOWN, "ANA-5")
    elif margin is not None and margin < 0:
        answer = (Advice.WATCH if fast else Advice.DROP, "ANA-4")
    elif margin is not None and margin >= limit and fast:
        answer = (Advice.PUSH, "ANA-6")
    elif cross is not None and cross >= limit:
        answer = (Advice.KEEP, "ANA-6")
    elif margin is not None and turns is not None and margin < limit and not fast:
        answer = (Advice.WATCH, "ANA-8") if plan is not None and plan >= 1 else (Advice.DROP, "ANA-6")
    elif margin is not None and turns is not None:
        answer = (Advice.WATCH, "ANA-4" if fast else "ANA-5")
    elif stock == 0 and margin is not None:
        answer = (Advice.KEEP if margin >= limit else Advice.WATCH, "ANA-4")
    else:
        answer = (Advice.UNKNOWN, "ANA-8")
    return answer


@pytest.mark.rule("ANA-6", "ANA-8")
def test_the_table_says_what_was_meant() -> None:
    """Every combination of figures gets exactly one advice, the one of the rules in words."""
    limit = Fraction(2)
    limits = AdviceLimits(margin_rate=limit, turnover=limit, cross_ratio=limit)
    for values in every(FIGURES, repeat=len(Fact)):
        figures = dict(zip(Fact, values, strict=True))
        verdict = limits.judge(figures)
        assert (verdict.advice, verdict.rule) == advised(figures, limit), figures


def test_what_otherwise_answers_is_always_said() -> None:
    """Without a reason in its row, what is not known is the reason."""
    limits = AdviceLimits(margin_rate=2, turnover=2, cross_ratio=2)
    for values in every(FIGURES, repeat=len(Fact)):
        verdict = limits.judge(dict(zip(Fact, values, strict=True)))
        assert verdict.reasons
        assert verdict.code != "otherwise" or {reason.level for reason in verdict.reasons} == {Level.UNKNOWN}


def test_limits_are_the_assortments_own_unless_given() -> None:
    """Of what has stock: what is sold without any would make the turnover look higher. With no stock at all, of all."""
    direct = line("direct", 90_000, 80_000, 0, 0)
    table = assortment_table([*SHOP, direct])
    assert table.limits == assortment_table(SHOP).limits
    assert table.limits.turnover == Fraction(40_000, 3_150)
    assert table.totals.sales_without_stock == 90_000
    assert assortment_table([direct]).limits.margin_rate == Fraction(1, 9)
    given = assortment_table(SHOP, limits=AdviceLimits(turnover=1))
    assert (given.limits.turnover, given.limits.margin_rate) == (1, Fraction(9, 40))


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"margin_rate": 0.3}, "never a float"),
        ({"met": None}, "a part of the plan"),
        ({"slow": "1.2"}, "at most fast"),
    ],
)
def test_limits_that_are_none(limits: Any, expected: str) -> None:
    with pytest.raises(InvalidPolicy, match=expected):
        AdviceLimits(**limits)


# --- laws, and variants that they catch ---

Table = Callable[..., Assortment]
Lines = Sequence[dict[str, Any]]

MONEY = st.integers(0, 10_000).map(lambda units: Decimal(units).scaleb(-2)) | st.sampled_from([Decimal(1), Decimal(2)])
NET = MONEY | MONEY.map(lambda amount: -amount)
STOCK = st.none() | MONEY
LINES = st.lists(
    st.builds(line, st.sampled_from("abcdef"), NET, st.none() | NET, STOCK, STOCK, plan=st.none() | MONEY), max_size=9
)
BASES = st.sampled_from(["retail", "cost", "mixed"])


def cross_is_profit_over_stock(table: Table, lines: Lines) -> None:
    for row in table(lines).rows:
        if row.cross_ratio.value is not None:
            assert row.cross_ratio.value == Fraction(row.gross_profit or 0) / Fraction(row.average_stock or 0)


def margin_products_sum_to_the_margin(table: Table, lines: Lines) -> None:
    found = table(lines)
    if found.totals.margin_rate.value is not None:
        assert sum(row.margin_product.value or 0 for row in found.rows) == found.totals.margin_rate.value


def degrees_sum_to_one(table: Table, lines: Lines) -> None:
    found = table(lines)
    degrees = [row.contribution_degree.value for row in found.rows if row.contribution_degree.value is not None]
    assert sum(degrees) == (1 if (found.totals.contribution_ratio.value or 0) > 0 else 0)


def shares_sum_to_one(table: Table, lines: Lines) -> None:
    found = table(lines)
    assert sum(row.sales_share.value or 0 for row in found.rows) == (1 if found.totals.sales > 0 else 0)
    assert [row.cumulative_share for row in found.rows][-1:] in ([], [1], [None])


def scale_changes_no_ratio(table: Table, lines: Lines) -> None:
    names = ("sales", "cost", "opening", "closing", "plan")
    scaled = [each | {name: each[name] and each[name] * 7 for name in names} for each in lines]
    first, second = table(lines), table(scaled)
    assert [ratios_of(row) for row in first.rows] == [ratios_of(row) for row in second.rows]


def ratios_of(row: Any) -> dict[str, Any]:
    record = row.record()
    money = ("sales", "cost", "gross_profit", "average_stock", "plan", "reasons")
    return {name: value for name, value in record.items() if name not in money}


def order_of_lines_does_not_matter(table: Table, lines: Lines) -> None:
    assert table(lines).record() == table(lines[::-1]).record()


def a_split_line_changes_nothing(table: Table, lines: Lines) -> None:
    half = Decimal("0.5")
    names = ("sales", "cost", "opening", "closing", "plan")
    halves = [each | {name: each[name] and each[name] * half for name in names} for each in lines]
    first, second = table(lines), table([*halves, *halves])
    assert first.rows == second.rows
    assert first.totals == second.totals


def what_has_nothing_changes_no_other(table: Table, lines: Lines) -> None:
    """Neither sales nor cost nor stock. (Stock alone would lower the turnover that others are measured against.)"""
    first, second = table(lines), table([*lines, line("new", 0, 0, 0, 0)])
    assert first.rows == tuple(row for row in second.rows if row.product != "new")


LAWS = {law.__name__: law for law in (
    cross_is_profit_over_stock,
    margin_products_sum_to_the_margin,
    degrees_sum_to_one,
    shares_sum_to_one,
    scale_changes_no_ratio,
    order_of_lines_does_not_matter,
    a_split_line_changes_nothing,
    what_has_nothing_changes_no_other,
)}  # fmt: skip


@pytest.mark.rule("ANA-4", "ANA-5", "ANA-6", "ANA-7")
@pytest.mark.parametrize("law", LAWS)
@given(lines=LINES)
def test_laws(law: str, lines: Lines) -> None:
    LAWS[law](assortment_table, lines)


def _with(**change: Callable[[Any], Any]) -> Table:
    """The table with a figure of each row changed."""

    def table(lines: Lines) -> Assortment:
        found = assortment_table(lines)
        rows = (attrs.evolve(row, **{name: how(row) for name, how in change.items()}) for row in found.rows)
        return attrs.evolve(found, rows=tuple(rows))

    return table


def _valued(ratio: Any, value: Fraction) -> Any:
    return attrs.evolve(ratio, value=value)


def _last_line_wins(lines: Lines) -> Assortment:
    return assortment_table({each["product"]: each for each in lines}.values())


def _rounded(lines: Lines) -> Assortment:
    return assortment_table([each | {"sales": round(each["sales"])} for each in lines])


def _as_given(lines: Lines) -> Assortment:
    found = assortment_table(lines)
    first = [each["product"] for each in lines]
    return attrs.evolve(found, rows=tuple(sorted(found.rows, key=lambda row: first.index(row.product))))


def _share_of_the_count(lines: Lines) -> Assortment:
    found = assortment_table(lines)
    share = Fraction(1, len(found.rows))
    rows = tuple(attrs.evolve(row, sales_share=_valued(row.sales_share, share)) for row in found.rows)
    return attrs.evolve(found, rows=rows)


BITE = [
    line("b", Decimal("10.2"), Decimal("7.5"), Decimal(2), Decimal(1), plan=None),
    line("a", Decimal("20.4"), Decimal("15.5"), Decimal(1), Decimal(3), plan=Decimal(20)),
    line("a", Decimal(3), Decimal(2), Decimal(1), Decimal(0), plan=Decimal(1)),
]


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        ("cross_is_profit_over_stock", _with(cross_ratio=lambda row: row.gross_profit_share)),
        ("margin_products_sum_to_the_margin", _with(margin_product=lambda row: row.margin_rate)),
        ("margin_products_sum_to_the_margin", _with(margin_product=lambda row: row.gross_profit_share)),
        ("degrees_sum_to_one", _with(contribution_total=lambda row: row.contribution_total * 2)),
        ("shares_sum_to_one", _with(sales_share=lambda row: row.margin_rate)),
        ("scale_changes_no_ratio", _rounded),
        ("scale_changes_no_ratio", _with(turnover=lambda row: _valued(row.turnover, Fraction(row.sales)))),
        ("order_of_lines_does_not_matter", _as_given),
        ("order_of_lines_does_not_matter", _last_line_wins),
        ("a_split_line_changes_nothing", _last_line_wins),
        ("what_has_nothing_changes_no_other", _share_of_the_count),
    ],
)
def test_laws_bite(law: str, broken: Table) -> None:
    LAWS[law](assortment_table, BITE)
    with pytest.raises(AssertionError):
        LAWS[law](broken, BITE)


@pytest.mark.rule("ANA-8")
@given(LINES, BASES)
def test_every_product_gets_one_advice(lines: Lines, basis: str) -> None:
    """Of whatever lines, on every basis; the record is JSON."""
    table = assortment_table(lines, basis=basis)
    assert [row.product for row in table.rows] == sorted(
        {each["product"] for each in lines}, key=lambda name: (-table.row(name).sales, name)
    )
    assert all(row.advice in set(Advice) and row.verdict.reasons for row in table.rows)
    json.dumps(table.record(), allow_nan=False)


@given(st.lists(st.builds(line, st.sampled_from("abcdef"), *[MONEY.filter(bool)] * 4), min_size=1, max_size=9))
def test_somebody_is_up_to_the_own_limit(lines: Lines) -> None:
    """Of what sells and has stock the best cross ratio is at least the assortment's own."""
    table = assortment_table(lines)
    best = max(row.cross_ratio.value for row in table.rows if row.cross_ratio.value is not None)
    assert table.limits.cross_ratio is not None
    assert best >= table.limits.cross_ratio
