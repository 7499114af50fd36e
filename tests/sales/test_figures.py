"""Sums lose nothing, whatever the order, the ambient context or the currency."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore import Money
from crmcore.errors import CurrencyMismatch, InvalidFact
from crmcore.sales import exact, exact_sum, share, sums
from crmcore.sales.figures import rounded

AMOUNTS = st.decimals(min_value=-(10**9), max_value=10**9, places=4, allow_nan=False)
LINES = st.lists(st.tuples(st.sampled_from("abc"), AMOUNTS))


@given(LINES)
def test_sums_are_those_of_fractions(lines: list[tuple[str, Decimal]]) -> None:
    """A sum is exact even where the ambient context has three digits."""
    with localcontext(prec=3):
        found = sums(lines)
    assert found == {key: sum(Fraction(value) for k, value in lines if k == key) for key, _ in lines}


@given(LINES, st.randoms(use_true_random=False))
def test_order_changes_no_sum(lines: list[tuple[str, Decimal]], random: object) -> None:
    """Lines in another order sum up to the same."""
    shuffled = list(lines)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis's
    assert sums(shuffled) == sums(lines)


def test_keys_keep_the_order_of_their_first_line() -> None:
    """What was first seen stands first, so that a report does not jump."""
    assert list(sums([("b", 1), ("a", 2), ("b", 3)])) == ["b", "a"]


def test_a_mapping_is_its_items() -> None:
    """A mapping from key to value needs no lines."""
    assert sums({"u1": "1.50", 7: 2}) == {"u1": Decimal("1.50"), 7: Decimal(2)}


def test_money_is_summed_by_its_amount() -> None:
    """Money of one currency adds up to a plain amount."""
    assert exact_sum([Money("1.50", "CNY"), Money(2, "CNY")]) == Decimal("3.50")
    assert exact_sum([]) == 0


@pytest.mark.parametrize("other", [Money(1, "USD"), 1])
def test_two_currencies_never_mix(other: Money | int) -> None:
    """Not even over two keys: they would be ranked against each other."""
    with pytest.raises(CurrencyMismatch, match="cannot combine CNY and"):
        sums([("a", Money(1, "CNY")), ("b", other)])


@pytest.mark.parametrize("value", [1.5, None, True, "one", "", "NaN", "Infinity", Decimal("1e101"), "1" * 101])
def test_what_is_no_exact_number_is_refused(value: object) -> None:
    """With the name of the fact and of the key."""
    with pytest.raises(InvalidFact, match=r"value of 'u1' is .*expected"):
        sums([("u1", value)])  # type: ignore[list-item]


class Amount(Decimal):
    """A host's own kind of Decimal."""


def test_a_kind_of_decimal_is_a_decimal() -> None:
    """And comes out as a plain one."""
    assert type(exact(Amount("1.5"))) is Decimal


@given(st.fractions(-1000, 1000, max_denominator=2000), st.integers(0, 4))
def test_rounding_is_to_the_nearest_and_halves_go_away_from_zero(value: Fraction, places: int) -> None:
    """And mirrors at zero, without a negative one."""
    found = rounded(value, places)
    off = abs(Fraction(found)) - abs(value)
    assert -Fraction(1, 2) < off * 10**places <= Fraction(1, 2)
    assert found.as_tuple().exponent == -places
    assert rounded(-value, places) == -found
    assert not (found.is_signed() and found.is_zero())


def test_a_share_is_exact_or_none() -> None:
    """A third is a third; of nothing there is no share."""
    assert share(1, 3) == Fraction(1, 3)
    assert share(Decimal("0.5"), Decimal(2)) == Fraction(1, 4)
    assert share(1, 0) is None


@pytest.mark.parametrize("line", [5, "abc", ("a", 1, 2), ("a",)])
def test_a_line_that_is_no_pair_is_refused(line: object) -> None:
    """Iterating over a frame gives names of columns, over a series values: neither is a line."""
    with pytest.raises(InvalidFact, match=r"^line is .*; expected a pair \(key, value\)"):
        sums([("a", 1), line])  # type: ignore[list-item]  # wrong on purpose
