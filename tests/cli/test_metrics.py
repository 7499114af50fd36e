"""`crmcore metrics`: customers won and lost, orders and sales by period."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from cli.desk import Desk
from cli.sales_desk import LINES, document, page

KEYS = [
    "period",
    "start",
    "new",
    "returned",
    "lost",
    "end",
    "growth",
    "churn",
    "orders",
    "sales",
    "average_order",
    "frequency",
]


@pytest.mark.rule("ANA-9")
def test_the_document_is_as_the_issue_says(desk: Desk) -> None:
    found = document(desk, "metrics", LINES, "--order", "order", "--lost-after", "2mo")
    assert next(iter(found)) == "periods"
    january, february, *_ = found["periods"]
    assert set(KEYS) <= set(january)
    assert {key: january[key] for key in KEYS} == {
        "period": "2026-01",
        "start": 0,
        "new": 2,
        "returned": 0,
        "lost": 0,
        "end": 2,
        "growth": None,
        "churn": None,
        "orders": 2,
        "sales": "950.50",
        "average_order": "475.25",
        "frequency": 1.0,
    }
    assert (february["start"], february["new"], february["sales"]) == (2, 3, "129.50")
    assert "no value of growth, churn, because there are no customers: 2026-01 (1)" in found["notes"]


@pytest.mark.rule("ANA-14")
def test_lost_is_silent_for_as_long_as_said(desk: Desk) -> None:
    """From order to order 95 days pass: with 60 days ann was lost in March and returned in April."""
    quick = document(desk, "metrics", LINES, "--lost-after", "60d")["periods"]
    slow = document(desk, "metrics", LINES, "--lost-after", "100d")["periods"]
    assert (sum(each["returned"] for each in quick), sum(each["returned"] for each in slow)) == (1, 0)


@pytest.mark.parametrize(("period", "names"), [("quarter", ["2026-Q1", "2026-Q2"]), ("year", ["2026"])])
def test_periods_are_of_any_length(desk: Desk, period: str, names: list[str]) -> None:
    found = document(desk, "metrics", LINES, "--period", period)
    assert [each["period"] for each in found["periods"]] == names


def test_each_segment_has_its_own(desk: Desk) -> None:
    content = LINES + "hal,2026-05-03,5,o10,\n"
    found = document(desk, "metrics", content, "--segment", "region", "--period", "year")
    assert {name: rows[0]["new"] for name, rows in found["segments"].items()} == {"north": 3, "south": 3, "unknown": 1}
    text = page(desk, "metrics", content, "--segment", "region")
    assert "\nSegment north\n" in text
    assert "\nWithout a segment\n" in text


def test_what_a_map_calls_unknown_has_no_segment(desk: Desk) -> None:
    desk.write("map.toml", 'schema = 1\n[values]\nunknown = ["north"]\n[columns]\nsegment = "region"\n')
    found = document(desk, "metrics", LINES, "--map", str(desk.folder / "map.toml"), "--period", "year")
    assert set(found["segments"]) == {"unknown", "south"}


def test_people_see_one_row_per_period(desk: Desk) -> None:
    text = page(desk, "metrics", LINES, "--period", "quarter")
    assert text.startswith("Metrics by quarter; lost after 180 days without a purchase\n")
    assert [line.split()[0] for line in text.splitlines() if line.startswith("2026")] == ["2026-Q1", "2026-Q2"]
    assert page(desk, "metrics", LINES, "--lang", "zh").startswith("指标，按月；180天 无购买即为流失\n")


def test_the_table_of_a_narrow_terminal_is_cut_in_two(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each half begins with the period, and no figure is cut off."""
    monkeypatch.setattr("crmcore.cli.render.WIDTH", 80)
    text = page(desk, "metrics", LINES, "--period", "year")
    assert [line.split()[0] for line in text.splitlines() if line.startswith("2026")] == ["2026", "2026"]
    assert "1,560.00" in text
    assert max(map(len, text.splitlines())) <= 80


def test_faulty_lines_are_left_out_and_counted(desk: Desk) -> None:
    found = document(desk, "metrics", LINES.replace("600.00", "n/a"), "--skip-bad")
    assert (found["skipped"], found["notes"][-1]) == (1, "lines left out because of faults (--skip-bad): 1")


def test_a_file_of_a_header_has_no_periods(desk: Desk) -> None:
    found = document(desk, "metrics", "customer,date,amount\n")
    assert (found["periods"], found["notes"]) == ([], ["the file has no sales"])
    assert "the file has no sales" in page(desk, "metrics", "customer,date,amount\n")


@pytest.mark.rule("ANA-9")
def test_periods_of_cdnow_agree_with_plain_counting(desk: Desk, shared_data: Path) -> None:
    """Sales, lines and new customers by a second computation; the identity holds, period after period."""
    path = shared_data / "cdnow/transactions.csv"
    result = desk.run("metrics", str(path), "--key", "customer_id", "--period", "quarter", "--json")
    periods = json.loads(result.stdout)["periods"]
    sales: dict[str, Decimal] = defaultdict(Decimal)
    orders: dict[str, int] = defaultdict(int)
    first: dict[str, str] = {}
    with path.open() as file:
        for line in csv.DictReader(file):
            quarter = f"{line['date'][:4]}-Q{(int(line['date'][5:7]) + 2) // 3}"
            amount = Decimal(line["amount"])
            sales[quarter] += amount
            if amount >= 0:  # a gift is a purchase, a return is none
                orders[quarter] += 1
                first[line["customer_id"]] = min(first.get(line["customer_id"], quarter), quarter)
    assert {each["period"]: Decimal(each["sales"]) for each in periods} == sales
    assert {each["period"]: each["orders"] for each in periods} == orders
    assert sum(each["new"] for each in periods) == len(first)
    assert all(each["end"] == each["start"] + each["new"] + each["returned"] - each["lost"] for each in periods)
    assert all(after["start"] == before["end"] for before, after in pairwise(periods))


def test_a_last_period_that_is_not_over_is_told(desk: Desk) -> None:
    """Its end lies ahead, and whoever bought until today is silent by then."""
    note = "the last sale is of 2026-05-02; 2026 goes on"
    assert any(said.startswith(note) for said in document(desk, "metrics", LINES, "--period", "year")["notes"])
    whole = LINES + "gus,2026-12-01,1.00,o10,south\n"
    assert not any("goes on" in said for said in document(desk, "metrics", whole, "--period", "year")["notes"])
