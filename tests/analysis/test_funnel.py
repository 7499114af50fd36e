"""Conversion, win rate, repeat buying."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from crmcore.analysis.funnel import first_purchases, repeat_buying, win_rate
from crmcore.analysis.values import Undefined
from crmcore.errors import InvalidFact, InvalidPolicy
from crmcore.sales import Sale


def sold(customer: object, at: date | datetime, amount: Any = 10, order: object = None) -> Sale:
    return Sale(customer=customer, at=at, amount=amount, order=order)


@pytest.mark.rule("ANA-12")
def test_first_purchase_conversion() -> None:
    """Of four prospects, one bought before it was one, one bought in time, one too late, one only gave back."""
    listed = {who: date(2026, 1, 10) for who in ("old", "quick", "slow", "back")}
    lines = [
        sold("old", date(2026, 1, 9)),
        sold("old", date(2026, 1, 20)),
        sold("quick", date(2026, 2, 8)),
        sold("quick", date(2026, 1, 10)),
        sold("slow", date(2026, 2, 9)),
        sold("back", date(2026, 1, 20), -5),
        sold("stranger", date(2026, 1, 20)),
    ]
    found = first_purchases(listed, lines, within="30d")
    assert (found.prospects, found.converted, found.earlier, found.ratio.value) == (3, 1, 1, Fraction(1, 3))
    assert found.record() == {"prospects": 3, "converted": 1, "earlier": 1, "conversion": 1 / 3}
    assert first_purchases(listed, lines).converted == 2


def test_days_of_prospects_are_those_of_the_zone() -> None:
    """A day begins in Shanghai eight hours before it does in UTC."""
    lines = [sold("u", datetime(2026, 1, 9, 20, tzinfo=UTC))]
    listed = {"u": date(2026, 1, 10)}
    assert first_purchases(listed, lines, zone="Asia/Shanghai").converted == 1
    assert first_purchases(listed, lines).earlier == 1


def test_no_prospects() -> None:
    """Undefined, not zero."""
    found = first_purchases({}, [])
    assert (found.ratio.undefined, found.record()["conversion"]) == (Undefined.NO_PROSPECTS, None)


@pytest.mark.rule("ANA-12")
def test_win_rate_has_two_readings() -> None:
    """Of those closed, or of all; an invalid prospect was none."""
    deals = ["won"] * 3 + ["lost"] * 5 + ["open"] * 2 + ["invalid"]
    assert (win_rate(deals).value, win_rate(deals, of="all").value) == (Fraction(3, 8), Fraction(3, 10))
    assert win_rate({"won": 3, "lost": 5}) == win_rate(deals)
    assert win_rate({"open": 4}).undefined is Undefined.NO_PROSPECTS


def test_what_is_no_deal_is_refused() -> None:
    """Another status, a count that is none, another reading."""
    with pytest.raises(InvalidFact, match="status"):
        win_rate(["Won"])
    with pytest.raises(InvalidFact, match="count"):
        win_rate({"won": -1})
    with pytest.raises(InvalidPolicy, match="of"):
        win_rate([], of="some")  # type: ignore[arg-type]  # what is refused


@pytest.mark.rule("ANA-12")
def test_repeat_buying() -> None:
    """Three orders of two customers, one of them twice; a return is no order."""
    day = date(2026, 1, 1)
    lines = [sold("u", day, 5, "o1"), sold("u", day, 5, "o1"), sold("u", day), sold("v", day), sold("v", day, -1)]
    found = repeat_buying(lines)
    assert (found.customers, found.orders, found.repeaters) == (2, 3, 1)
    figures = (found.frequency.value, found.repeat_frequency, found.repeat_rate)
    assert figures == (Fraction(3, 2), Fraction(1, 2), Fraction(1, 2))
    assert found.record()["frequency"] == 1.5
    nobody = repeat_buying([])
    assert nobody.frequency.undefined is Undefined.NO_CUSTOMERS
    assert nobody.record()["repeat_rate"] is None


def test_a_real_pipeline(shared_data: Path) -> None:
    """crm_pipeline: won and lost as the stages say."""
    stages = {"Won": "won", "Lost": "lost", "Engaging": "open", "Prospecting": "open"}
    with (shared_data / "crm_pipeline" / "sales_pipeline.csv").open(encoding="utf-8-sig", newline="") as file:
        deals = [stages[row["deal_stage"]] for row in csv.DictReader(file)]
    won, lost, still = (deals.count(status) for status in ("won", "lost", "open"))
    assert min(won, lost, still) > 0
    assert win_rate(deals).value == Fraction(won, won + lost)
    assert win_rate(deals, of="all").value == Fraction(won, won + lost + still)
