"""`crmcore rfm`: scores and segments of the customers in a file."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli.desk import Desk
from cli.sales_desk import LINES, document, page
from crmcore.cli import clock

AS_OF = ("--as-of", "2026-06-01")


def row(found: dict[str, Any], key: str) -> dict[str, Any]:
    """The row of a customer."""
    return next(each for each in found["rows"] if each["key"] == key)


def test_the_document_is_as_the_issue_says(desk: Desk) -> None:
    found = document(desk, "rfm", LINES, *AS_OF, "--order", "order")
    assert [*list(found)[:4], list(found)[-1]] == ["as_of", "n", "cells", "segments", "rows"]
    assert (found["as_of"], found["n"]) == ("2026-06-01T00:00:00+00:00", 6)
    assert sum(found["cells"].values()) == sum(found["segments"].values()) == 6
    ann = row(found, "ann")
    assert list(ann) == ["key", "r", "f", "m", "recency_days", "frequency", "monetary", "segment"]
    assert (ann["recency_days"], ann["frequency"], ann["monetary"]) == (52, 2, "780.50")
    assert found["cells"][f"{ann['r']}{ann['f']}{ann['m']}"] >= 1


def test_without_orders_each_line_is_one(desk: Desk) -> None:
    assert row(document(desk, "rfm", LINES, *AS_OF), "ann")["frequency"] == 3


def test_sales_after_the_instant_are_counted_and_noted(desk: Desk) -> None:
    found = document(desk, "rfm", LINES, "--as-of", "2026-04-10")
    assert found["ignored"] == 1
    assert "sales after the as-of instant, not counted: 1" in found["notes"]
    assert row(found, "ann")["recency_days"] == 0


def test_who_only_returned_has_no_scores_and_that_is_noted(desk: Desk) -> None:
    found = document(desk, "rfm", LINES, *AS_OF)
    assert found["unscored"] == ["fay"]
    assert "customers without a purchase, and so without scores: 1 (fay)" in found["notes"]
    many = LINES + "".join(f"z{n},2026-01-01,-1,,\n" for n in range(9))
    assert any("10 (fay, z0, z1, z2, z3 …)" in note for note in document(desk, "rfm", many, *AS_OF)["notes"])


def test_few_customers_are_said_to_be_few(desk: Desk) -> None:
    content = "customer,date,amount\nu1,2026-01-01,5\n"
    found = document(desk, "rfm", content, *AS_OF)
    assert found["insufficient"]
    assert "1 customers are fewer than the 5 that scores need: they say little" in found["notes"]


def test_days_are_those_of_the_zone(desk: Desk) -> None:
    """23:30 in London is the next day in Shanghai."""
    content = "customer,date,amount\nu1,2026-01-01T23:30:00+00:00,5\n"
    assert row(document(desk, "rfm", content, "--as-of", "2026-01-03"), "u1")["recency_days"] == 1
    shanghai = document(desk, "rfm", content, "--as-of", "2026-01-03", "--zone", "Asia/Shanghai")
    assert shanghai["as_of"] == "2026-01-03T00:00:00+08:00"
    assert row(shanghai, "u1")["recency_days"] == 0


def test_a_map_says_the_zone_and_how_dates_are_written(desk: Desk) -> None:
    desk.write("map.toml", 'schema = 1\n[time]\nzone = "Asia/Shanghai"\nformats = ["%d.%m.%Y"]\n')
    found = document(
        desk, "rfm", "customer,date,amount\nu1,31.12.2025,5\n", "--map", str(desk.folder / "map.toml"), *AS_OF
    )
    assert (found["as_of"][-6:], found["rows"][0]["recency_days"]) == ("+08:00", 152)


def test_the_default_instant_is_now(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert document(desk, "rfm", LINES)["as_of"] == "2026-03-01T12:00:00+00:00"


def test_scores_are_those_of_a_book(desk: Desk) -> None:
    book = desk.write("book.toml", 'schema = 1\n[value.rfm]\nfrequency = "lines"\n')
    assert row(document(desk, "rfm", LINES, *AS_OF, "--order", "order", "--policies", book), "ann")["frequency"] == 3


def test_people_see_segments_grid_and_customers(desk: Desk) -> None:
    text = page(desk, "rfm", LINES, *AS_OF, "--top", "1")
    assert text.startswith("RFM as of 2026-06-01 00:00 (UTC): 6 customers\n")
    for part in ("Segments", "R \\ F", "Customers by recency", "… and 5 more", "·"):
        assert part in text
    chinese = page(desk, "rfm", LINES, *AS_OF, "--lang", "zh")
    assert chinese.startswith("RFM，截至 2026-06-01 00:00（UTC）：客户 6\n")
    assert "客户细分" in chinese


def test_a_file_of_a_header_has_no_scores(desk: Desk) -> None:
    found = document(desk, "rfm", "customer,date,amount\n", *AS_OF)
    assert (found["n"], found["cells"], found["rows"]) == (0, {}, [])
    assert "Segments" not in page(desk, "rfm", "customer,date,amount\n", *AS_OF)


@pytest.mark.rule("VAL-7")
def test_customers_of_cdnow_agree_with_plain_counting(desk: Desk, shared_data: Path) -> None:
    """Recency, frequency and monetary value by a second computation; equal values have equal scores."""
    path = shared_data / "cdnow/transactions.csv"
    args = ("--key", "customer_id", "--as-of", "1998-07-01", "--json")
    found = json.loads(desk.run("rfm", str(path), *args).stdout)
    last: dict[str, date] = {}
    lines: dict[str, int] = defaultdict(int)
    money: dict[str, Decimal] = defaultdict(Decimal)
    with path.open() as file:
        for line in csv.DictReader(file):
            key, amount = line["customer_id"], Decimal(line["amount"])
            money[key] += amount
            if amount >= 0:  # a gift is a purchase, a return is none
                last[key] = max(last.get(key, date.min), date.fromisoformat(line["date"]))
                lines[key] += 1
    assert {each["key"]: (each["recency_days"], each["frequency"]) for each in found["rows"]} == {
        key: ((date(1998, 7, 1) - day).days, lines[key]) for key, day in last.items()
    }
    assert all(Decimal(each["monetary"]) == money[each["key"]] for each in found["rows"])
    by_frequency: dict[int, set[int]] = defaultdict(set)
    for each in found["rows"]:
        by_frequency[each["frequency"]].add(each["f"])
    assert all(len(scores) == 1 for scores in by_frequency.values())
