"""The order of names."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crmcore.sales.names import by_text, in_order

NAMES = st.lists(st.integers(-20, 20) | st.text("19u", max_size=3) | st.none() | st.complex_numbers(), unique_by=repr)


@given(NAMES, st.randoms())
def test_names_have_one_order_whatever_they_are(names: list[Any], random: Any) -> None:
    """It does not depend on the order that they came in."""
    shuffled = random.sample(names, len(names))
    assert list(map(repr, in_order(shuffled))) == list(map(repr, in_order(names)))
    assert [*map(repr, sorted(shuffled, key=by_text))] == [*map(repr, sorted(names, key=by_text))]


def test_each_kind_has_its_own_order() -> None:
    """Ints before text, 9 before 10; what has no order goes by its text."""
    assert in_order(["u2", 10, 1j, 9, "u1", 0j, None]) == (None, 0j, 1j, 9, 10, "u1", "u2")


def test_rows_go_by_the_name_that_they_have() -> None:
    """The rest of a row has no say."""
    assert in_order([("b", 1), (2, 5), ("a", 9)], itemgetter(0)) == ((2, 5), ("a", 9), ("b", 1))


def test_names_that_read_alike_differ_by_kind() -> None:
    """As text 10 comes before 9, and 1 before "1"."""
    assert sorted(["1", 1, 9, 10], key=by_text) == [1, "1", 10, 9]
