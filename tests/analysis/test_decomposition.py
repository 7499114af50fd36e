"""Differences in parts that add up to them exactly."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.analysis.decomposition import SalesTree, decompose, mix_change
from crmcore.analysis.metrics import metrics
from crmcore.analysis.values import Undefined
from crmcore.errors import InvalidFact, InvalidPolicy
from crmcore.sales import Sale
from crmcore.testing.measuring import parts_add_up
from crmcore.testing.selling import amounts, sales

TREES = st.builds(
    SalesTree,
    st.integers(0, 5),
    st.integers(0, 9),
    amounts(least=-100, most=1000),
    st.none() | st.integers(0, 50) | amounts(places=1, most=9),
)


def test_doubled_customers_double_sales() -> None:
    """Where one factor alone changes, all of the difference is its part."""
    change = decompose(SalesTree(10, 20, 400, 80), SalesTree(20, 40, 800, 160))
    assert change.parts == {"customers": 400, "frequency": 0, "items_per_order": 0, "price": 0}
    assert change.difference == 400


def test_two_factors_share_what_they_do_together() -> None:
    """10 × 40 to 12 × 50: 200 more, of which (50 + 40) / 2 × 2 = 90 are due to customers."""
    change = decompose(SalesTree(10, 10, 400), SalesTree(12, 12, 600))
    assert change.parts == {"customers": 90, "frequency": 0, "average_order": 110}


def test_one_after_the_other() -> None:
    """In a stated order the first changes at the old values of the others, the last at their new ones."""
    before, after = SalesTree(10, 10, 400), SalesTree(12, 12, 600)
    first = decompose(before, after, order=("customers", "frequency", "average_order"))
    last = decompose(before, after, order=("average_order", "frequency", "customers"))
    assert (first.parts["customers"], last.parts["customers"]) == (80, 100)
    parts_add_up(first)
    parts_add_up(last)
    with pytest.raises(InvalidPolicy, match="order"):
        decompose(before, after, order=("customers", "price"))


@given(TREES, TREES)
def test_parts_of_sales_add_up(before: SalesTree, after: SalesTree) -> None:
    """Exactly, whatever is 0; one order or all; back again each part is its opposite."""
    change = decompose(before, after)
    parts_add_up(change)
    back = decompose(after, before)
    assert {name: -part for name, part in back.parts.items()} == change.parts
    for order in (list(change.parts), list(change.parts)[::-1]):
        parts_add_up(decompose(before, after, order=order))


@given(TREES, TREES)
def test_the_part_of_a_factor_in_a_closed_form(before: SalesTree, after: SalesTree) -> None:
    """Of three factors x, y, z: change of x times (y z + y' z') / 3 + (y z' + y' z) / 6."""
    before, after = (attrs.evolve(tree, items=None) for tree in (before, after))
    old, new = before.factors(), after.factors()
    if old is not None and new is not None:
        for name, part in decompose(before, after).parts.items():
            y, z = (factor for factor in old if factor != name)
            together = (old[y] * old[z] + new[y] * new[z]) / 3 + (old[y] * new[z] + new[y] * old[z]) / 6
            assert part == (new[name] - old[name]) * together


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (SalesTree(0, 0, 0), SalesTree(3, 4, 70), Undefined.NO_CUSTOMERS),
        (SalesTree(3, 4, 70), SalesTree(0, 0, "-5.50"), Undefined.NO_CUSTOMERS),
        (SalesTree(3, 0, 0), SalesTree(3, 4, 70), Undefined.NO_ORDERS),
        (SalesTree(3, 4, 5, 0), SalesTree(3, 4, 70, 6), Undefined.NO_SALES),
    ],
)
def test_nothing_to_divide_by(before: SalesTree, after: SalesTree, why: Undefined) -> None:
    """All of it counts as customers who came or went, and the reason is said."""
    change = decompose(before, after)
    assert (change.undefined, change.parts["customers"]) == (why, change.difference)
    parts_add_up(change)
    assert json.loads(json.dumps(change.record()))["undefined"] == why.value


@given(sales(min_size=1))
def test_periods_decompose(lines: list[Sale]) -> None:
    """Between any two periods in a row."""
    rows = metrics(lines).periods
    for before, after in pairwise(rows):
        change = decompose(SalesTree.of(before), SalesTree.of(after))
        assert change.difference == Fraction(after.sales - before.sales)
        parts_add_up(change)


def test_the_record_of_a_change() -> None:
    """Amounts as text, parts as floats."""
    record = decompose(SalesTree(1, 1, "10.50"), SalesTree(2, 2, 21)).record()
    assert (record["before"], record["after"], record["undefined"]) == ("10.50", "21", None)
    assert record["parts"] == {"customers": 10.5, "frequency": 0.0, "average_order": 0.0}


@pytest.mark.parametrize("given_", [(-1, 1, 1), (1, True, 1), (1, 1, 1.5), (1, "2", 1), (1, 1, 1, 0.5)])
def test_what_is_no_tree_is_refused(given_: Any) -> None:
    """Counts are whole numbers from 0, amounts exact."""
    with pytest.raises(InvalidFact):
        SalesTree(*given_)


# --- mix and rate ---


def test_rates_fall_by_mix_alone() -> None:
    """Each segment's average order stays, and the cheap one grows: all of it is mix (Simpson's case)."""
    before = {"shop": (8_000, 80), "web": (1_000, 20)}
    after = {"shop": (8_000, 80), "web": (4_000, 80)}
    change = mix_change(before, after)
    assert (change.before, change.after) == (90, 75)
    assert (change.within, change.mix, change.new, change.gone) == (0, -15, 0, 0)
    parts_add_up(change)


def test_new_and_gone_segments() -> None:
    """Each with what it did to the mean: its weight times its distance from it."""
    change = mix_change({"a": (100, 10), "old": (50, 10)}, {"a": (120, 10), "young": ("40.5", 10)})
    kinds = {shift.segment: shift.kind for shift in change.shifts}
    assert kinds == {"a": "there", "old": "gone", "young": "new"}
    assert change.difference == Fraction("8.025") - Fraction("7.5")
    assert (change.within, change.mix) == (1, 0)
    parts_add_up(change)
    record = change.record()
    assert json.loads(json.dumps(record)) == record
    assert (record["within"], len(record["shifts"])) == (1.0, 3)


PARTS = st.dictionaries(
    st.sampled_from("abcd"), st.tuples(amounts(least=-50, most=100), amounts(places=1, least=Decimal("0.1"), most=20))
)


@given(PARTS, PARTS)
def test_parts_of_a_rate_add_up(before: Any, after: Any) -> None:
    """Exactly, with segments that come and go; without any, it is undefined with a reason."""
    change = mix_change(before, {**after, "empty": (0, 0)})
    assert (change.undefined is Undefined.NO_TOTAL) == (not before or not after)
    parts_add_up(change)
    assert "empty" not in {shift.segment for shift in change.shifts}
    if before and after:
        whole = [Fraction(sum(a for a, _ in part.values())) / Fraction(sum(b for _, b in part.values()))
                 for part in (before, after)]  # fmt: skip
        assert change.difference == whole[1] - whole[0]
    else:
        assert change.difference is None
        assert change.record()["difference"] is None


@pytest.mark.parametrize("parts", [{"a": (1, -1)}, {"a": (1, 0)}, {"a": (0.5, 1)}])
def test_what_is_no_rate_is_refused(parts: Any) -> None:
    """A whole below 0, a part of none, a float."""
    with pytest.raises(InvalidFact):
        mix_change(parts, {"a": (1, 1)})


def test_the_law_bites() -> None:
    """Parts that do not add up are caught."""
    change = decompose(SalesTree(1, 1, 1), SalesTree(2, 2, 2))
    with pytest.raises(AssertionError, match="do not add up"):
        parts_add_up(SimpleNamespace(parts={**change.parts, "price": 1}, difference=change.difference))
    shift = mix_change({"a": (1, 1)}, {"a": (2, 1)})
    wrong = SimpleNamespace(within=shift.within, mix=1, new=0, gone=0, difference=shift.difference)
    with pytest.raises(AssertionError, match="do not add up"):
        parts_add_up(wrong)


def test_periods_with_items() -> None:
    """Items come from the host."""
    row = metrics([Sale(customer="u", at=date(2026, 1, 1), amount=12)]).periods[0]
    assert SalesTree.of(row, 4).factors() == {"customers": 1, "frequency": 1, "items_per_order": 4, "price": 3}
