"""The shipped example: made by a kept script, and with something to see in every list."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crmcore.book import PolicyBook
from sources import ROOT

EXAMPLES = ROOT / "examples"
AS_OF = "2026-03-31"


@pytest.fixture(scope="module")
def day() -> dict[str, Any]:
    files = [f"--{name}={EXAMPLES / file}" for name, file in FILES.items()]
    command = [
        sys.executable,
        "-c",
        "from crmcore.cli import main; main()",
        "day",
        *files,
        f"--as-of={AS_OF}",
        "--json",
    ]
    done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8", env={"PYTHONUTF8": "1"})
    found: dict[str, Any] = json.loads(done.stdout)
    return found


FILES = {"deals": "pipeline.csv", "map": "map.toml", "policies": "policies.toml"}


def test_the_script_makes_the_file_that_is_shipped(tmp_path: Path) -> None:
    """Anyone who runs the script gets the same bytes."""
    made = tmp_path / "pipeline.csv"
    subprocess.run([sys.executable, EXAMPLES / "make_pipeline.py", made], check=True)
    assert made.read_bytes() == (EXAMPLES / "pipeline.csv").read_bytes()


def test_the_script_makes_the_sales_that_are_shipped(tmp_path: Path) -> None:
    """Both files."""
    subprocess.run([sys.executable, EXAMPLES / "make_sales.py", tmp_path], check=True)
    for name in ("sales.csv", "products.csv"):
        assert (tmp_path / name).read_bytes() == (EXAMPLES / name).read_bytes()


def test_every_list_has_something_to_see(day: dict[str, Any]) -> None:
    """A newcomer sees reclaims by both rules, both reminders, changes today, missing data and an owner over the cap."""
    assert {row["rule"] for row in day["reclaim"]} == {"OWN-1", "OWN-2"}
    assert {row["step"] for row in day["remind"]} == {1, 2}
    assert {row["outcome"] for row in day["due_today"]} == {"remind", "reclaim"}
    assert {fact for group in day["needs_data"] for fact in group["missing"]} == {"assigned_at", "last_contact_at"}
    assert any(load["over_by"] for load in day["owners"])
    assert day["counts"]["pool"]
    assert day["counts"]["closed"]
    assert not day["notes"]


def test_every_kind_of_hold_has_its_prospect(day: dict[str, Any]) -> None:
    """Freezes, contracts and appointments are in the sample, so that `explain` has something to tell."""
    text = (EXAMPLES / "pipeline.csv").read_text(encoding="utf-8")
    assert all(word in text for word in (",true,", ",2026-06-30,", ",2026-04-30,", ",2026-04-08 10:00,", ",?,"))
    assert day["counts"]["prospects"] == text.count("\n") - 1 == 200


def test_the_book_is_as_meant() -> None:
    """The shipped book has no findings and needs no extra to load."""
    text = (EXAMPLES / "policies.toml").read_text(encoding="utf-8")
    assert PolicyBook.loads(text).check() == ()
    assert "holidays =" not in text
