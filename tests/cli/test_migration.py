"""`crmcore migration`: who moved between classes from period to period."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from cli.desk import Desk
from cli.sales_desk import LINES, document, page
from crmcore.sales.figures import sums
from crmcore.value.classes import abc


def test_the_document_has_a_matrix_from_each_period_to_the_next(desk: Desk) -> None:
    found = document(desk, "migration", LINES, "--period", "month")
    assert list(found) == ["periods", "first_to_last", "policy", "skipped", "notes", "migrations"]
    months = [each["period"] for each in found["periods"]]
    assert months == ["2026-01", "2026-02", "2026-03", "2026-04", "2026-05"]
    assert [(each["from"], each["to"]) for each in found["migrations"]] == list(pairwise(months))
    whole = found["first_to_last"]
    assert (whole["from"], whole["to"], whole["gone"], whole["new"]) == ("2026-01", "2026-05", 2, 1)
    assert found["notes"] == ["periods without sales: 1 (2026-03)"]


def test_the_sums_hold(desk: Desk) -> None:
    """The customers of a period are those of a matrix before and of the next one after."""
    found = document(desk, "migration", LINES, "--period", "month")
    for step, before in zip(found["migrations"], found["periods"], strict=False):
        rows = {row: sum(cells.values()) for row, cells in step["cells"].items() if row != "new"}
        assert rows == before["customers"]


def test_two_periods_need_no_matrix_from_first_to_last(desk: Desk) -> None:
    found = document(desk, "migration", LINES, "--period", "quarter", "--cuts", "50,80")
    assert (len(found["migrations"]), found["first_to_last"]) == (1, None)


def test_one_period_has_none(desk: Desk) -> None:
    found = document(desk, "migration", LINES, "--period", "year")
    assert found["migrations"] == []
    assert found["notes"] == ["all sales are in one period, 2026: nobody can have moved"]


def test_a_file_of_a_header_has_none(desk: Desk) -> None:
    found = document(desk, "migration", "customer,date,amount\n", "--period", "quarter")
    assert (found["periods"], found["notes"]) == ([], ["the file has no sales"])


def test_people_see_matrices(desk: Desk) -> None:
    text = page(desk, "migration", LINES, "--period", "month")
    assert text.startswith("Migration between classes by month: cuts 75 / 95 %; who crosses a cut: upper class\n")
    assert "2026-01 → 2026-02: 0 up, 0 down, 0 stayed, 4 new, 2 gone" in text
    assert "From the first to the last: 2026-01 → 2026-05" in text
    assert "首期到末期" in page(desk, "migration", LINES, "--period", "month", "--lang", "zh")


def test_classes_outside_the_base_are_shown_where_somebody_is_in_them(desk: Desk) -> None:
    with_them = page(desk, "migration", LINES, "--period", "quarter")
    without = page(desk, "migration", LINES.replace("-30.00", "1").replace("-20.00", "1"), "--period", "quarter")
    assert any(line.startswith("Z") for line in with_them.splitlines())
    assert not any(line.startswith(("Z", "N ")) for line in without.splitlines())


def test_a_class_keeps_its_name_though_a_word_of_ours_is_called_so(desk: Desk) -> None:
    """Above its column and in front of its row; `key` is no customer here."""
    text = page(desk, "migration", LINES, "--period", "quarter", "--cuts", "50", "--labels", "key,value")
    assert "customer" not in text
    assert {"key", "value", "new", "sum"} <= {line.split()[0] for line in text.splitlines() if line.strip()}


@pytest.mark.rule("VAL-2")
def test_years_of_cdnow_agree_with_two_classings(desk: Desk, shared_data: Path) -> None:
    path = shared_data / "cdnow/transactions.csv"
    result = desk.run("migration", str(path), "--key", "customer_id", "--period", "year", "--json")
    (found,) = json.loads(result.stdout)["migrations"]
    with path.open() as file:
        lines = list(csv.DictReader(file))
    before, after = (
        abc(sums((each["customer_id"], Decimal(each["amount"])) for each in lines if each["date"].startswith(year)))
        for year in ("1997", "1998")
    )
    was, now = ({row.key: row.class_ for row in side.rows} for side in (before, after))
    for row, cells in found["cells"].items():
        for column, count in cells.items():
            moved = [key for key in {**was, **now} if (was.get(key, "new"), now.get(key, "gone")) == (row, column)]
            assert len(moved) == count
