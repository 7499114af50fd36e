"""Whether segments are worth having: each criterion, and the tests behind the last."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import product
from math import comb, erfc, isclose, sqrt
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.analysis.segmentation import Member, SegmentTest, fisher, segment_quality, two_proportions
from crmcore.errors import InvalidFact, InvalidPolicy


def members(segment: object, count: int, **facts: Any) -> list[dict[str, Any]]:
    return [{"customer": f"{segment}{n}", "segment": segment, **facts} for n in range(count)]


def responding(segment: object, yes: int, of: int) -> list[dict[str, Any]]:
    return [{**row, "responded": n < yes} for n, row in enumerate(members(segment, of, value=10, reachable=True))]


@pytest.mark.rule("ANA-10")
def test_a_segment_worth_having() -> None:
    """Known, rich enough, reachable, and it responds otherwise than the others."""
    found = segment_quality([*responding("a", 30, 40), *responding("b", 8, 40)], SegmentTest(goal=400))
    assert [quality.segment for quality in found] == ["a", "b"]
    assert [quality.holds for quality in found] == [True, True]
    record = found[0].record()
    assert json.loads(json.dumps(record)) == record
    assert (record["large_enough"]["profit"], record["large_enough"]["goal"]) == ("400", "400")
    assert record["different"]["test"] == "fisher"
    assert record["different"]["share"] == 0.75


def test_alike_is_not_different() -> None:
    """Then the segment is not worth having."""
    found = segment_quality([*responding("a", 20, 40), *responding("b", 21, 40)], SegmentTest(goal=1))
    assert [(quality.different.holds, quality.holds) for quality in found] == [(False, False)] * 2


def test_too_few_are_not_guessed_at() -> None:
    """A striking difference of ten customers is none yet; it may be of as many as one asks for."""
    rows = [*responding("a", 10, 10), *responding("b", 0, 40)]
    unsure = segment_quality(rows, SegmentTest(goal=1))[0]
    assert (unsure.different.holds, unsure.different.figures["test"], unsure.holds) == (None, "not enough", None)
    assert segment_quality(rows, SegmentTest(goal=1, min_sample=10))[0].different.holds is True
    alone = segment_quality(responding("a", 10, 40), SegmentTest(goal=1, min_sample=0))[0]
    assert (alone.different.holds, alone.different.figures["share_of_others"]) == (None, None)


def test_many_customers_are_tested_by_the_normal_curve() -> None:
    """Beyond 2,000 the exact sum would take long."""
    found = segment_quality([*responding("a", 600, 1500), *responding("b", 500, 1500)])[0].different
    assert (found.holds, found.figures["test"]) == (True, "two proportions")


@pytest.mark.parametrize(
    ("values", "goal", "holds"),
    [
        ([100, 50], 150, True),
        ([100, 50], "150.01", False),
        ([100, None], 150, None),
        ([100, None], 100, True),
        ([100, 50], None, None),
        ([100, 50], {"a": 10}, True),
        ([100, 50], {"b": 10}, None),
    ],
)
def test_large_enough(values: Any, goal: Any, holds: bool | None) -> None:
    """The profit against the goal; while some is not known, a goal not reached says nothing."""
    rows = [Member(customer=n, segment="a", value=value) for n, value in enumerate(values)]
    assert segment_quality(rows, SegmentTest(goal=goal))[0].large_enough.holds is holds


def test_measurable() -> None:
    """Enough customers have a segment, and enough of the segment a value."""
    rows = [*members("a", 8, value=1), *members("b", 4, value=1), *members(None, 3)]
    rows[8]["value"] = None
    a, b = segment_quality(rows)
    assert (a.measurable.figures["segment_known"], a.measurable.holds) == (Fraction(12, 15), True)
    assert (b.measurable.figures["value_known"], b.measurable.holds) == (Fraction(3, 4), False)
    assert segment_quality(rows, SegmentTest(known="0.81"))[0].measurable.holds is False


@pytest.mark.parametrize(
    ("ways", "holds"),
    [([True, True, None], True), ([True, False, None], None), ([False, False, None], False), ([None], None)],
)
def test_reachable(ways: Any, holds: bool | None) -> None:
    """It holds, or fails, whatever is true of those of whom it is not known."""
    rows = [SimpleNamespace(customer=n, segment="a", reachable=way) for n, way in enumerate(ways)]
    assert segment_quality(rows)[0].reachable.holds is holds


def test_nobody() -> None:
    """No customers, no segments; those without a segment make none."""
    assert segment_quality([]) == ()
    assert segment_quality(members(None, 3)) == ()


def test_what_cannot_be_judged_is_refused() -> None:
    """A customer twice, a share that is none, a float."""
    with pytest.raises(InvalidFact, match="customer"):
        segment_quality(members("a", 1) * 2)
    with pytest.raises(InvalidPolicy, match="share"):
        SegmentTest(alpha="1.5")
    with pytest.raises(InvalidFact, match="value"):
        Member(customer=1, value=0.5)  # type: ignore[arg-type]  # what is refused
    for wrong in ((3, 2, 0, 1), (-1, 2, 0, 1), (0, 1, 2, 1)):
        with pytest.raises(InvalidFact, match="responses"):
            fisher(*wrong)


# --- the tests behind it ---

SMALL = st.integers(0, 6).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


@given(SMALL, SMALL)
def test_fisher_counts_tables(here: tuple[int, int], there: tuple[int, int]) -> None:
    """Of all ways to deal out the responses: those that give a table no likelier than this one."""
    people, yes = here[1] + there[1], here[0] + there[0]
    dealt = [sum(cards[: here[1]]) for cards in product((0, 1), repeat=people) if sum(cards) == yes]
    likely = {k: dealt.count(k) for k in dealt}
    wanted = Fraction(sum(n for n in likely.values() if n <= likely[here[0]]), len(dealt))
    assert fisher(*here, *there) == wanted == fisher(*there, *here)


def test_published_values() -> None:
    """Fisher's tea 17/35; 1 of 10 against 11 of 14, two-sided 0.0028 (SciPy's example 8, 2 / 1, 5: 0.0349)."""
    assert fisher(3, 4, 1, 4) == Fraction(17, 35)
    assert isclose(fisher(8, 10, 1, 6), 0.03496503496503495)
    assert fisher(8, 10, 1, 6) == Fraction(comb(10, 8) * 6 + comb(10, 9) + comb(10, 3) * 1, comb(16, 9))


@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_two_proportions_is_the_square_root_of_chi_square(of: int, other_of: int, data: st.DataObject) -> None:
    """Chi-square from the four cells: (ad - bc)² n / (product of the margins)."""
    a, c = data.draw(st.integers(0, of)), data.draw(st.integers(0, other_of))
    b, d = of - a, other_of - c
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    wanted = erfc(sqrt((a * d - b * c) ** 2 * (of + other_of) / margins / 2)) if margins else 1.0
    assert isclose(two_proportions(a, of, c, other_of), wanted, rel_tol=1e-9, abs_tol=1e-300)


def test_two_proportions_of_nobody() -> None:
    """Nothing to tell apart."""
    assert two_proportions(0, 0, 1, 3) == two_proportions(1, 3, 0, 0) == two_proportions(0, 0, 0, 0) == 1
