"""What falls from period to period, and who is lost."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.analysis.losses import falling, lost_customers
from crmcore.analysis.metrics import metrics
from crmcore.calendars import Span
from crmcore.errors import InvalidPolicy
from crmcore.sales import Periods, Sale
from crmcore.testing.selling import sales
from crmcore.testing.times import spans


def bought(customer: str, *times: tuple[int, int]) -> list[Sale]:
    """So many orders in a month."""
    return [Sale(customer=customer, at=date(2026, month, 3), amount=10) for month, count in times for _ in range(count)]


SEGMENT = {"n1": "north", "n2": "north", "s1": "south", "w1": "west", "e1": "east"}
LINES = [
    *bought("n1", (1, 4), (2, 4), (3, 2)),
    *bought("n2", (1, 2), (2, 2), (3, 2)),
    *bought("s1", (1, 2), (2, 2), (3, 2)),
    *bought("w1", (1, 1), (3, 1)),
    *bought("e1", (1, 5), (2, 4), (3, 2)),
]
FOUND = metrics(LINES, segment=SEGMENT)


@pytest.mark.rule("ANA-13")
def test_segments_that_buy_less_often() -> None:
    """The east from 4 to 2, the north from 3 to 2, the worst first; of the west February says nothing."""
    found = falling(FOUND)
    assert [(fall.segment, fall.before, fall.after, fall.change) for fall in found.falling] == [
        ("east", 4, 2, Fraction(-1, 2)),
        ("north", 3, 2, Fraction(-1, 3)),
    ]
    assert found.unknown == ("west",)
    record = found.record()
    assert json.loads(json.dumps(record)) == record
    assert record["falling"][0]["periods"] == ["2026-02", "2026-03"]


def test_the_threshold_is_a_parameter() -> None:
    """A third is a fall by a third; by more than that it is none."""
    assert [fall.segment for fall in falling(FOUND, by="0.5").falling] == ["east"]
    assert falling(FOUND, by="0.51").falling == ()


def test_periods_apart_and_back_in_time() -> None:
    """March against January; February against January, by a day of it."""
    assert [fall.change for fall in falling(FOUND, periods=2).falling] == [Fraction(-3, 5), Fraction(-1, 3)]
    for at in (date(2026, 2, 28), date(2026, 2, 1)):
        assert [fall.segment for fall in falling(FOUND, at=at).falling] == ["east"]


def test_other_figures_and_all_customers() -> None:
    """Sales, counts, and what has no value; without segments all customers are one."""
    whole = metrics(LINES)
    assert [(fall.segment, fall.measure) for fall in falling(whole, measure="orders").falling] == [(None, "orders")]
    assert falling(whole, measure="orders").record()["falling"][0]["segment"] is None
    assert falling(whole, measure="sales", by="0.3").falling == ()
    assert falling(whole, measure="retention", at=date(2026, 2, 1)).unknown == (None,)
    assert falling(whole, measure="retention", at=date(2026, 2, 1)).record()["unknown"] == [None]
    assert falling(whole, measure="orders_per_customer").falling[0].before == Fraction(12, 5)
    nothing = metrics([], first=date(2026, 1, 1), last=date(2026, 2, 1))
    assert falling(nothing, measure="orders_per_customer").unknown == (None,)
    assert falling(nothing, measure="orders").falling == ()


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"measure": "luck"}, "measure"),
        ({"by": 0}, "by"),
        ({"periods": 0}, "periods"),
        ({"periods": 3}, "periods"),
        ({"at": date(2027, 1, 1)}, "at"),
        ({"at": datetime(2026, 2, 1, tzinfo=UTC)}, "at"),
    ],
)
def test_what_cannot_be_watched_is_refused(parameters: Any, says: str) -> None:
    """Each names its parameter."""
    with pytest.raises(InvalidPolicy, match=says):
        falling(FOUND, **parameters)


@pytest.mark.rule("ANA-13")
def test_who_was_lost_and_why() -> None:
    """Two of the web are lost in February, one of them said why; lift is their share over that of those who stayed."""
    lines = [*bought("a", (1, 1)), *bought("b", (1, 1)), *bought("c", (1, 1), (2, 1)), *bought("d", (2, 1))]
    traits = {
        "a": {"channel": "web", "size": 1},
        "b": {"channel": "web"},
        "c": {"channel": "shop"},
        "d": {"channel": "web"},
    }
    january, february = lost_customers(lines, lost_after="40d", traits=traits, reasons={"a": "price", "c": "rude"})
    assert (january.customers, january.stayed, january.reasons) == ((), 3, {})
    assert {trait.lift for trait in january.traits} == {None}
    assert (february.customers, february.stayed) == (("a", "b"), 2)
    assert february.reasons == {None: 1, "price": 1}
    found = {(trait.name, trait.value): (trait.lost, trait.stayed, trait.lift) for trait in february.traits}
    assert found == {
        ("channel", "web"): (2, 1, Fraction(2)),
        ("channel", "shop"): (0, 1, Fraction(0)),
        ("size", None): (1, 2, Fraction(1, 2)),
        ("size", 1): (1, 0, None),
    }
    record = february.record()
    assert json.loads(json.dumps(record)) == record
    assert record["reasons"] == {"unknown": 1, "price": 1}
    assert record["traits"][0] == {"name": "channel", "value": "web", "lost": 2, "stayed": 1, "lift": 2.0}


def test_the_order_of_lines_changes_no_row() -> None:
    """Not for customers either who read alike, 1 and "1"."""
    lines = [Sale(customer=customer, at=date(2026, 1, 3), amount=10) for customer in ("1", 1)]
    one, other = (lost_customers(some, last=date(2026, 12, 31)) for some in (lines, lines[::-1]))
    assert one == other
    assert {lost.customers for lost in one} == {(), (1, "1")}


@given(sales(returns=True), spans(units=("d", "h"), at_least=0), st.sampled_from(["month", "quarter"]))
def test_they_are_those_whom_metrics_counts(lines: list[Sale], limit: Span, kind: Any) -> None:
    """As many lost in each period, as many there at its end; each of them had bought."""
    rule = Periods(kind, "Europe/Berlin")
    ends = {"periods": rule, "lost_after": limit, "last": date(2025, 3, 1)}
    found, rows = lost_customers(lines, **ends), metrics(lines, **ends).periods
    assert [(str(part.period), len(part.customers), part.stayed) for part in found] == [
        (str(row.period), row.lost, row.end) for row in rows
    ]
    for part in found:
        assert set(part.customers) <= {line.customer for line in lines if line.amount >= 0}
        assert sum(part.reasons.values()) == len(part.customers)
