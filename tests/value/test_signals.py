"""Growth potential and price sensitivity beside a class, and who may rise (VAL-11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.errors import InvalidFact
from crmcore.value.classes import AbcPolicy, Classes, abc
from crmcore.value.signals import Candidate, Signals, candidates

pytestmark = pytest.mark.rule("VAL-11")
KEYS = st.sampled_from([f"u{number}" for number in range(8)])
VALUES = st.dictionaries(KEYS, st.sampled_from([-3, -2, 0, 1, 2, 5, 10, 30, 100]))
SIGNALS = st.dictionaries(KEYS, st.builds(Signals, potential=st.sampled_from([None, True, False])))
Found = Callable[[Classes, Mapping[Any, Signals]], tuple[Candidate, ...]]


# --- laws: each takes the function, so that a broken one can be tried ---


def everyone_with_a_class_above_but_those_without_potential(found: Found) -> None:
    @given(VALUES, SIGNALS)
    def law(values: dict[str, int], signals: dict[str, Signals]) -> None:
        classes = abc(values)
        best = min((row.class_ for row in classes.rows), key="ABCZN".index, default=None)
        hopeless = {key for key, signal in signals.items() if signal.potential is False}
        expected = {row.key for row in classes.rows if row.class_ != best} - hopeless
        assert {candidate.key for candidate in found(classes, signals)} == expected

    law()


def the_distance_is_what_lacks_to_the_least_of_the_nearest_class_above(found: Found) -> None:
    @given(VALUES)
    def law(values: dict[str, int]) -> None:
        classes = abc(values)
        for candidate in found(classes, {}):
            above = "ABCZN"[: "ABCZN".index(candidate.class_)]
            upper = [row for row in classes.rows if row.class_ in above]
            nearest = max((row.class_ for row in upper), key="ABCZN".index)
            least = min(row.value for row in upper if row.class_ == nearest)
            assert (candidate.next_class, candidate.least) == (nearest, least)
            assert candidate.value + candidate.distance == least
            assert candidate.distance > 0
            assert candidate.class_ == classes.of(candidate.key)

    law()


def the_nearest_come_first(found: Found) -> None:
    @given(VALUES, SIGNALS)
    def law(values: dict[str, int], signals: dict[str, Signals]) -> None:
        order = [(candidate.distance, -candidate.value) for candidate in found(abc(values), signals)]
        assert order == sorted(order)

    law()


def signals_change_neither_class_nor_distance(found: Found) -> None:
    @given(VALUES, SIGNALS)
    def law(values: dict[str, int], signals: dict[str, Signals]) -> None:
        classes = abc(values)
        plain = {one.key: attrs.evolve(one, potential=None) for one in found(classes, {})}
        for candidate in found(classes, signals):
            assert attrs.evolve(candidate, potential=None) == plain[candidate.key]
            assert candidate.potential is signals.get(candidate.key, Signals()).potential

    law()


def order_does_not_matter(found: Found) -> None:
    @given(VALUES)
    def law(values: dict[str, int]) -> None:
        assert found(abc(dict(reversed(values.items()))), {}) == found(abc(values), {})

    law()


LAWS = [
    everyone_with_a_class_above_but_those_without_potential,
    the_distance_is_what_lacks_to_the_least_of_the_nearest_class_above,
    the_nearest_come_first,
    signals_change_neither_class_nor_distance,
    order_does_not_matter,
]


@pytest.mark.parametrize("law", LAWS)
def test_law(law: Callable[[Found], None]) -> None:
    """What the name of the law says."""
    law(candidates)


# --- each law bites ---


def _only_known(classes: Classes, signals: Mapping[Any, Signals]) -> tuple[Candidate, ...]:
    return tuple(one for one in candidates(classes, signals) if one.potential)


def _to_zero(classes: Classes, signals: Mapping[Any, Signals]) -> tuple[Candidate, ...]:
    return tuple(attrs.evolve(one, distance=one.least) for one in candidates(classes, signals))


def _potential_first(classes: Classes, signals: Mapping[Any, Signals]) -> tuple[Candidate, ...]:
    return tuple(sorted(candidates(classes, signals), key=lambda one: one.potential is None))


def _potential_lifts(classes: Classes, signals: Mapping[Any, Signals]) -> tuple[Candidate, ...]:
    return tuple(attrs.evolve(one, class_="A") if one.potential else one for one in candidates(classes, signals))


def _last_given() -> Found:
    """What is called once more with the same customers gives them in another order."""
    calls: list[int] = []

    def found(classes: Classes, signals: Mapping[Any, Signals]) -> tuple[Candidate, ...]:
        calls.append(1)
        made = candidates(classes, signals)
        return made if len(calls) % 2 else made[::-1]

    return found


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        (everyone_with_a_class_above_but_those_without_potential, _only_known),
        (the_distance_is_what_lacks_to_the_least_of_the_nearest_class_above, _to_zero),
        (the_nearest_come_first, _potential_first),
        (signals_change_neither_class_nor_distance, _potential_lifts),
        (order_does_not_matter, _last_given()),
    ],
)
@pytest.mark.usefixtures("one_fault")
def test_the_law_bites(law: Callable[[Found], None], broken: Found) -> None:
    """A function that breaks the law is caught by it."""
    with pytest.raises(AssertionError):
        law(broken)


# --- stories ---


def test_potential_is_a_flag_at_any_class() -> None:
    """S0 sees it in the middle, S1 in class C: here both are candidates, and so is who lost money for us."""
    values = {"a": 700, "b": 150, "c": 100, "d": 50, "z": 0, "n": -10}
    found = candidates(
        abc(values), {"d": Signals(potential=True, price_sensitive=False), "c": Signals(potential=False)}
    )
    assert [(one.key, one.class_, one.next_class, one.distance, one.potential) for one in found] == [
        ("n", "N", "Z", Decimal(10), None),
        ("d", "C", "B", Decimal(50), True),
        ("z", "Z", "C", Decimal(50), None),
    ]


def test_an_empty_class_is_passed_over() -> None:
    """With nobody in B the next class of C is A."""
    classes = AbcPolicy(cuts=(75, 76)).classify({"a": 70, "b": 20, "c": 10})
    assert [(one.key, one.next_class) for one in candidates(classes)] == [("c", "A")]


def test_a_candidate_has_a_record() -> None:
    """Amounts are text, what is not known is null."""
    (found,) = candidates(abc({("x", 1): "0.50", "a": "99.50", "b": -1}), {"b": Signals(potential=False)})
    assert found.record() == {
        "key": "('x', 1)",
        "class": "C",
        "next_class": "A",
        "value": "0.50",
        "least": "99.50",
        "distance": "99.00",
        "potential": None,
        "price_sensitive": None,
    }


@pytest.mark.parametrize("name", ["potential", "price_sensitive"])
def test_a_signal_is_yes_no_or_not_known(name: str) -> None:
    """And nothing else: 0 may be a score."""
    with pytest.raises(InvalidFact) as error:
        Signals(**{name: 0})
    assert error.value.fact == name
