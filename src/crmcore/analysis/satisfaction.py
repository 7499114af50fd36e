"""
Satisfaction from the answers to a survey: CSAT, NPS, mean, and who answered (ANA-9).

Answers are whole numbers, one by one or counted: ``[5, 4, None, 2]`` or ``{5: 120, 4: 30, 2: 100}``; ``None`` is who
was asked and did not answer.

>>> from crmcore.analysis.satisfaction import csat, nps
>>> str(csat({5: 100, 4: 50, 3: 60, 1: 40})), str(nps({10: 70, 8: 10, 3: 20}))
('0.6000', '0.5000')
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from fractions import Fraction
from typing import Final, TypeAlias

from crmcore.analysis.values import Measure, Ratio, Undefined
from crmcore.errors import InvalidFact, InvalidPolicy
from crmcore.sales import share

__all__ = ["Answers", "csat", "mean_score", "nps", "response_rate"]

Answers: TypeAlias = Iterable[int | None] | Mapping[int | None, int] | Mapping[int, int]
"""The answers, or answer → how many gave it."""
SCALE: Final = (1, 5)
SATISFIED: Final = (4, 5)
NPS_SCALE: Final = (0, 10)
PROMOTERS: Final = 9
DETRACTORS: Final = 6
ANSWER: Final = "a whole number, or None for no answer"


def csat(
    answers: Answers,
    *,
    satisfied: Container[int] = SATISFIED,
    scale: tuple[int, int] = SCALE,
    period: str | None = None,
) -> Ratio:
    """
    The satisfied over all who answered, by default 4 and 5 of 1 to 5; undefined where nobody answered.

    Raises `InvalidFact` for an answer that is not on the `scale`.
    """
    counted = _counted(answers, scale)
    happy = sum(count for score, count in counted.items() if score in satisfied)
    return _ratio(Measure.CSAT, Fraction(happy), counted, period)


def nps(answers: Answers, *, period: str | None = None) -> Ratio:
    """
    Promoters (9, 10 of 0 to 10) less detractors (0 to 6) over all who answered: -1 to 1, which is -100 to 100 points.

    Raises `InvalidFact` as `csat`.
    """
    counted = _counted(answers, NPS_SCALE)
    promoters = sum(count for score, count in counted.items() if score >= PROMOTERS)
    detractors = sum(count for score, count in counted.items() if score <= DETRACTORS)
    return _ratio(Measure.NPS, Fraction(promoters - detractors), counted, period)


def mean_score(answers: Answers, *, scale: tuple[int, int] = SCALE, period: str | None = None) -> Ratio:
    """The mean of the answers; undefined where nobody answered. Raises `InvalidFact` as `csat`."""
    counted = _counted(answers, scale)
    return _ratio(Measure.MEAN, Fraction(sum(score * count for score, count in counted.items())), counted, period)


def response_rate(answers: Answers, *, asked: int | None = None) -> Fraction | None:
    """
    Who answered over who was asked: `asked`, or everyone in `answers`, those with ``None`` too; ``None`` if nobody was.

    Raises `InvalidPolicy` where more answered than were asked.
    """
    counted = _counts(answers)
    answered = counted.total() - counted[None]
    if asked is not None and asked < answered:
        raise InvalidPolicy("asked", asked, f"at least the {answered} who answered")
    return share(answered, counted.total() if asked is None else asked)


def _counts(answers: Answers) -> Counter[int | None]:
    counted: Counter[int | None] = Counter()
    for score, count in answers.items() if isinstance(answers, Mapping) else ((answer, 1) for answer in answers):
        if type(count) is not int or count < 0:
            raise InvalidFact("count", count, "a whole number from 0", score)
        if score is not None and type(score) is not int:  # 4.0 and True would be counted as 4 and 1
            raise InvalidFact("answer", score, ANSWER)
        counted[score] += count
    return counted


def _counted(answers: Answers, scale: tuple[int, int]) -> dict[int, int]:
    """How many gave each answer; who did not answer is left out."""
    least, most = scale
    found = {score: count for score, count in _counts(answers).items() if score is not None}
    for score in found:
        if not least <= score <= most:
            raise InvalidFact("answer", score, f"{ANSWER}, from {least} to {most}")
    return found


def _ratio(measure: Measure, part: Fraction, counted: Mapping[int, int], period: str | None) -> Ratio:
    answered = sum(counted.values())
    why = None if answered else Undefined.NO_ANSWERS
    return Ratio(measure=measure, value=part / answered if answered else None, undefined=why, period=period)
