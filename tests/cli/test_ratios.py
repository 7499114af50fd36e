"""`crmcore ratios`: margin, turnover, cross and contribution ratio of products."""

from __future__ import annotations

import pytest

from cli.desk import Desk
from cli.sales_desk import PRODUCTS, document, page

NO_PERIOD = "product,sales,cost,opening,closing\nfood,20000,15500,1500,2500\nrest,50000,30000,5000,5000\n"


@pytest.mark.rule("ANA-6")
def test_there_is_one_table_for_each_period(desk: Desk) -> None:
    """The food of research §6.5, example 1: margin 22.5 %, turnover 10, cross ratio 2.25."""
    found = document(desk, "ratios", PRODUCTS)
    assert list(found) == ["skipped", "notes", "periods"]
    january, february = found["periods"]
    assert (january["period"], february["period"], january["basis"]) == ("2026-01", "2026-02", "retail")
    food = next(row for row in january["rows"] if row["product"] == "food")
    assert {name: food[name] for name in ("margin_rate", "turnover", "cross_ratio", "contribution_ratio")} == {
        "margin_rate": 0.225,
        "turnover": 10.0,
        "cross_ratio": 2.25,
        "contribution_ratio": 1.125,
    }
    assert (food["advice"], food["plan"]) == ("watch", "18000")
    assert january["totals"]["sales"] == "40000"


@pytest.mark.rule("ANA-7")
def test_the_period_of_a_file_may_be_said(desk: Desk) -> None:
    """Food of 70,000: its contribution ratio is 0.643."""
    (table,) = document(desk, "ratios", NO_PERIOD, "--period", "March")["periods"]
    assert (table["period"], round(table["rows"][1]["contribution_ratio"], 4)) == ("March", 0.6429)
    (table,) = document(desk, "ratios", NO_PERIOD)["periods"]
    assert table["period"] is None


def test_the_period_is_said_once(desk: Desk) -> None:
    result = desk.run("ratios", desk.write("p.csv", PRODUCTS), "--period", "x", "--period-column", "period")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--period and --period-column both say the period" in result.stderr


def test_a_period_that_is_said_goes_before_a_column(desk: Desk) -> None:
    assert [each["period"] for each in document(desk, "ratios", PRODUCTS, "--period", "2026")["periods"]] == ["2026"]


def test_columns_have_any_name(desk: Desk) -> None:
    content = NO_PERIOD.replace("product,sales,cost,opening,closing", "品名,销售额,成本,期初,期末")
    names = ("--product", "品名", "--sales", "销售额", "--cost", "成本", "--opening", "期初", "--closing", "期末")
    assert document(desk, "ratios", content, *names)["periods"][0]["totals"]["sales"] == "70000"


@pytest.mark.parametrize("basis", ["retail", "cost", "mixed"])
def test_the_basis_is_on_the_answer(desk: Desk, basis: str) -> None:
    assert document(desk, "ratios", PRODUCTS, "--basis", basis)["periods"][0]["basis"] == basis


def test_what_is_not_known_has_a_reason(desk: Desk) -> None:
    """A cost that is missing is no cost of zero."""
    found = document(desk, "ratios", PRODUCTS)
    assert found["periods"][1]["rows"][1]["undefined"]["margin_rate"] == "unknown"
    assert any("because a figure is not known: produce (1)" in note for note in found["notes"])
    assert any("because there are no sales: gifts (1)" in note for note in found["notes"])
    assert not any("GMROI" in note for note in found["notes"])
    at_cost = document(desk, "ratios", PRODUCTS, "--basis", "cost")["notes"]
    assert any("GMROI" in note for note in at_cost)


def test_what_a_map_calls_unknown_is_not_known(desk: Desk) -> None:
    desk.write("map.toml", 'schema = 1\n[values]\nunknown = ["?"]\n[columns]\ncost = "cost"\n')
    content = NO_PERIOD.replace("15500", "?")
    found = document(desk, "ratios", content, "--map", str(desk.folder / "map.toml"))
    assert {row["product"]: row["cost"] for row in found["periods"][0]["rows"]} == {"food": None, "rest": "30000"}


def test_a_cost_is_blank_only_where_the_map_lets_it_be(desk: Desk) -> None:
    desk.write("map.toml", 'schema = 1\n[values]\nmissing = ["-"]\n')
    args = ("--map", str(desk.folder / "map.toml"))
    assert document(desk, "ratios", NO_PERIOD.replace("15500", "-"), *args)["periods"][0]["totals"]["cost"] is None
    result = desk.run("ratios", desk.write("p.csv", NO_PERIOD.replace("15500", "")), *args)
    assert "line 2, column cost: '' is blank; add" in result.stderr


def test_people_see_advice_and_why(desk: Desk) -> None:
    text = page(desk, "ratios", PRODUCTS, "--top", "2")
    assert text.startswith("Ratios of 4 products, sales 40,000.00, stock at retail prices, period 2026-01\n")
    for part in ("22.5 %", "111.1 %", "Watch: earns well", "… and 2 more", "all", "period 2026-02"):
        assert part in text
    assert "GMROI" not in text
    assert "plan met" not in page(desk, "ratios", NO_PERIOD)


def test_the_words_are_chinese_where_asked(desk: Desk) -> None:
    text = page(desk, "ratios", PRODUCTS, "--lang", "zh", "--basis", "cost")
    assert text.startswith("产品 4 个的比率，销售额 40,000.00，库存按成本计，期间 2026-01\n")
    assert "GMROI" in text


def test_faulty_lines_are_left_out_and_counted(desk: Desk) -> None:
    found = document(desk, "ratios", PRODUCTS.replace("20000", "n/a"), "--skip-bad")
    assert (found["skipped"], found["notes"][-1]) == (1, "lines left out because of faults (--skip-bad): 1")


def test_a_file_of_a_header_has_no_products(desk: Desk) -> None:
    found = document(desk, "ratios", NO_PERIOD.splitlines()[0] + "\n")
    assert (found["periods"][0]["rows"], found["notes"]) == ([], ["the file has no products"])
    assert "the file has no products" in page(desk, "ratios", NO_PERIOD.splitlines()[0] + "\n")


def test_a_note_stands_once_and_the_advice_of_all_is_not_asked_for(desk: Desk) -> None:
    """Two periods with the same gap, and a table in two parts."""
    lines = "product,sales,cost,opening,closing,period\n" + "".join(
        f"lamp,100,60,0,0,{period}\noil,100,60,10,10,{period}\n" for period in ("Q1", "Q2")
    )
    text = page(desk, "ratios", lines)
    assert text.count("no value of") == 1
    assert sum(line.startswith("all") for line in text.splitlines()) == 2
    assert len(document(desk, "ratios", lines)["notes"]) == 1


def test_names_cannot_move_the_cursor(desk: Desk) -> None:
    """A colour in a name is shown as blanks."""
    assert "\x1b" not in page(desk, "ratios", "product,sales,cost,opening,closing\n\x1b[31mred,1,1,1,1\n")
