"""CSAT, NPS, the mean, and who answered."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.analysis.satisfaction import csat, mean_score, nps, response_rate
from crmcore.analysis.values import Measure, Undefined
from crmcore.errors import InvalidFact, InvalidPolicy


@pytest.mark.rule("ANA-9")
def test_csat_and_nps_of_the_worked_example() -> None:
    """150 of 250 satisfied: 60 %; 70 % promoters, 20 % detractors: 50 (research §6.5, example 19)."""
    assert csat({5: 100, 4: 50, 3: 60, 2: 25, 1: 15}).value == Fraction(60, 100)
    assert nps({10: 40, 9: 30, 8: 5, 7: 5, 6: 10, 0: 10}).value == Fraction(50, 100)


def test_the_borders() -> None:
    """4 is satisfied and 3 is not; 9 promotes, 8 and 7 are passive, 6 detracts."""
    assert [csat([score]).value for score in range(1, 6)] == [0, 0, 0, 1, 1]
    assert [nps([score]).value for score in (5, 6, 7, 8, 9, 10)] == [-1, -1, 0, 0, 1, 1]


def test_another_scale() -> None:
    """Of 1 to 7, 6 and 7."""
    found = csat([7, 6, 5, 1], satisfied={6, 7}, scale=(1, 7), period="2026-03")
    assert (found.value, found.measure, found.period) == (Fraction(1, 2), Measure.CSAT, "2026-03")
    assert mean_score([0, 10], scale=(0, 10)).value == 5


@pytest.mark.parametrize("measure", [csat, nps, mean_score])
def test_no_answers(measure: Any) -> None:
    """Undefined, not zero."""
    for answers in ([], [None, None], {}, {None: 7}, {5: 0}):
        assert (measure(answers).value, measure(answers).undefined) == (None, Undefined.NO_ANSWERS)


def test_who_answered() -> None:
    """Of all who are listed, or of those who were asked."""
    assert response_rate([5, None, 4, None]) == Fraction(1, 2)
    assert response_rate({5: 30, 1: 20, None: 50}) == Fraction(1, 2)
    assert response_rate([5, 4], asked=8) == Fraction(1, 4)
    assert response_rate([]) is None
    assert response_rate([], asked=0) is None
    with pytest.raises(InvalidPolicy, match="asked"):
        response_rate([5, 4], asked=1)


@pytest.mark.parametrize("answers", [[0], [6], ["5"], [4.0], [True], {5: -1}, {5: 1.5}, {5: True}])
def test_what_is_no_answer_is_refused(answers: Any) -> None:
    """Off the scale, no whole number, no count."""
    with pytest.raises(InvalidFact):
        csat(answers)


@given(st.lists(st.none() | st.integers(1, 5)), st.randoms(use_true_random=False))
def test_counted_or_one_by_one_in_any_order(answers: list[int | None], random: Any) -> None:
    """The same figures; satisfied and dissatisfied make up all."""
    shuffled = random.sample(answers, len(answers))
    counted = {score: answers.count(score) for score in answers}
    for measure in (csat, nps, mean_score, response_rate):
        assert measure(answers) == measure(shuffled) == measure(counted)
    other = csat(answers, satisfied=(1, 2, 3)).value
    assert other is None or other + csat(answers).value == 1  # type: ignore[operator]  # both have a value, or none
