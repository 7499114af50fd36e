"""Money is exact, keeps to one currency and is rounded once."""

from __future__ import annotations

import decimal
import pickle
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crmcore.errors import CurrencyMismatch, InvalidMoney
from crmcore.money import DIGITS, EXPONENTS, Money, exponent

if TYPE_CHECKING:
    from collections.abc import Callable

CURRENCIES = ["CNY", "JPY", "BHD", "CLF"]
AMOUNTS = st.decimals(min_value=-(10**20), max_value=10**20, allow_nan=False, allow_infinity=False)
SHORT = st.decimals(min_value=-(10**12), max_value=10**12, places=6)


def moneys(amounts: st.SearchStrategy[Decimal] = SHORT, currency: str = "CNY") -> st.SearchStrategy[Money]:
    return st.builds(Money, amounts, st.just(currency))


def cny(amount: Decimal | int | str) -> Money:
    return Money(amount, "CNY")


@pytest.mark.parametrize("amount", ["12.50", Decimal("12.5"), "  12.5 ", "1.25E+1"])
def test_equal_by_number(amount: Decimal | str) -> None:
    """12.5 is 12.50, and hashes so."""
    assert Money(amount, "CNY") == cny("12.50")
    assert hash(Money(amount, "CNY")) == hash(cny("12.50"))


def test_two_currencies_are_not_equal() -> None:
    """The same number in another currency is other money, and no money is a number."""
    assert cny(1) != Money(1, "USD")
    assert cny(1) != 1


@pytest.mark.parametrize("amount", [0.5, True, None, b"1", "NaN", "sNaN", "Infinity", "-inf", "", "1,000", "12 元"])
def test_what_is_no_amount(amount: object) -> None:
    """Floats, flags, text that is no number, and numbers without an end are refused."""
    with pytest.raises(InvalidMoney, match="amount") as caught:
        Money(amount, "CNY")  # type: ignore[arg-type]
    assert caught.value.value is amount


@pytest.mark.parametrize("amount", [f"1E+{DIGITS}", f"1E-{DIGITS + 1}", "9E+999999", "9E-999999", 10**DIGITS])
def test_amounts_have_an_end(amount: int | str) -> None:
    """Amounts so long that sums of them would take for ever are refused."""
    with pytest.raises(InvalidMoney, match="at most 100 digits"):
        cny(amount)


def test_the_longest_amounts() -> None:
    """An amount of as many digits on both sides as there may be still adds, subtracts and compares exactly."""
    long = cny("9" * DIGITS + "." + "9" * DIGITS)
    least = cny(f"1E-{DIGITS}")
    assert long - least + least == long
    assert long - least < long
    with pytest.raises(InvalidMoney, match="at most 100 digits"):
        long + least


@pytest.mark.parametrize("currency", ["cny", "CN", "CNYX", "¥", "", "ＣＮＹ", "CNY\n", None, 156])
def test_what_is_no_currency(currency: object) -> None:
    """A currency is three capital letters."""
    with pytest.raises(InvalidMoney, match="ISO 4217"):
        Money(1, currency)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (cny("12.5"), "12.50 CNY"),
        (cny("12.505"), "12.505 CNY"),
        (cny("1E+3"), "1000.00 CNY"),
        (cny("-0"), "0.00 CNY"),
        (cny("-0.001"), "-0.001 CNY"),
        (Money(1200, "JPY"), "1200 JPY"),
        (Money("1.5", "KWD"), "1.500 KWD"),
    ],
)
def test_text(money: Money, text: str) -> None:
    """As text an amount has at least its currency's places and loses none of its own."""
    assert str(money) == text


@given(moneys(AMOUNTS))
def test_text_loses_nothing(money: Money) -> None:
    """The text of an amount, read again, is the amount, even where the ambient context holds three digits."""
    with decimal.localcontext(prec=3):
        amount, currency = str(money).split()
    assert Money(amount, currency) == money


def test_minor_units() -> None:
    """Two places, but for the currencies that have none, three or four."""
    assert [exponent(each) for each in ("CNY", "USD", "JPY", "KRW", "VND", "BHD", "TND", "CLF")] == [
        *(2, 2, 0, 0, 0, 3, 3, 4),
    ]
    assert all(len(each) == 3 and each.isupper() for each in EXPONENTS)


@given(moneys(AMOUNTS), moneys(AMOUNTS))
def test_sums_are_exact(a: Money, b: Money) -> None:
    """Sums and differences are those of fractions, whatever the ambient context holds."""
    with decimal.localcontext(prec=1, traps=[decimal.Inexact]):
        total, rest = a + b, a - b
    assert Fraction(total.amount) == Fraction(a.amount) + Fraction(b.amount)
    assert Fraction(rest.amount) == Fraction(a.amount) - Fraction(b.amount)
    assert total - b == a
    assert a + -a == Money.zero("CNY")
    assert abs(a) in {a, -a}


@given(moneys(), SHORT | st.integers() | st.fractions(max_denominator=1).map(lambda whole: whole / 8))
def test_products_are_exact(money: Money, factor: Decimal | Fraction | int) -> None:
    """A product is that of fractions, from either side."""
    with decimal.localcontext(prec=1):
        product = money * factor
    assert Fraction(product.amount) == Fraction(money.amount) * Fraction(factor)
    assert factor * money == product


def test_products_without_an_end() -> None:
    """A third of an amount has no last digit: refused, with the way out."""
    with pytest.raises(InvalidMoney, match=r"a finite product; use \.rounded\(factor\)"):
        cny(10) * Fraction(1, 3)
    with pytest.raises(InvalidMoney, match="finite"):
        cny("0.1") * Fraction(10**600 + 1)
    assert cny(10).rounded(Fraction(1, 3)) == cny("3.33")


@pytest.mark.parametrize("factor", [0.5, True, Decimal("NaN"), 1j])
def test_what_is_no_factor(factor: Decimal | int) -> None:
    """A float, a flag and a number without an end multiply no money."""
    with pytest.raises(InvalidMoney, match="factor"):
        cny(10) * factor
    with pytest.raises(InvalidMoney, match="factor"):
        cny(10).rounded(factor)


@given(moneys(), st.fractions(), st.sampled_from(CURRENCIES))
@example(cny("0.005"), Fraction(1), "CNY")
@example(cny("-0.005"), Fraction(1), "CNY")
@example(cny("-0.004"), Fraction(1), "CNY")
@example(cny("0.015"), Fraction(-1, 3), "CNY")
def test_rounded_is_half_up_once(money: Money, factor: Fraction, currency: str) -> None:
    """Rounding takes the nearest minor unit; a half goes away from zero."""
    exact = Fraction(money.amount) * factor
    got = Fraction(Money(money.amount, currency).rounded(factor).amount)
    unit = Fraction(1, 10 ** exponent(currency))
    assert got % unit == 0
    assert abs(got - exact) <= unit / 2
    if abs(got - exact) == unit / 2:
        assert abs(got) > abs(exact)


@given(moneys())
def test_rounded_agrees_with_decimal(money: Money) -> None:
    """Without a factor it is what decimal calls ROUND_HALF_UP."""
    assert money.rounded() == cny(money.amount.quantize(Decimal("0.01"), ROUND_HALF_UP))


@given(st.lists(moneys()))
def test_sum(amounts: list[Money]) -> None:
    """`sum` adds amounts from a zero."""
    total = sum(amounts, Money.zero("CNY"))
    assert total == cny(sum((each.amount for each in amounts), Decimal(0)))


@given(moneys(), moneys())
def test_order(a: Money, b: Money) -> None:
    """Amounts of one currency compare as their numbers do."""
    x, y = a.amount, b.amount
    assert (a < b, a <= b, a > b, a >= b) == (x < y, x <= y, x > y, x >= y)


@pytest.mark.parametrize(
    "combine",
    [
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a < b,
        lambda a, b: a <= b,
        lambda a, b: a > b,
        lambda a, b: a >= b,
    ],
)
def test_two_currencies_never_mix(combine: Callable[[Money, Money], object]) -> None:
    """Adding or comparing two currencies raises and names both."""
    with pytest.raises(CurrencyMismatch, match="CNY and USD"):
        combine(cny(1), Money(1, "USD"))


@pytest.mark.parametrize("other", [1, Decimal(1), "1 CNY", None])
def test_only_money_adds_to_money(other: object) -> None:
    """A bare number has no currency: adding it or comparing with it is a TypeError."""
    for combine in (Money.__add__, Money.__sub__, Money.__lt__):
        assert combine(cny(1), other) is NotImplemented  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        cny(1) * "3"  # type: ignore[operator]
    with pytest.raises(TypeError):
        cny(1) * cny(1)  # type: ignore[operator]


def test_value() -> None:
    """Money is a frozen value that pickles."""
    assert pickle.loads(pickle.dumps(cny("12.50"))) == cny("12.50")
    with pytest.raises(AttributeError):
        cny(1).amount = Decimal(2)  # type: ignore[misc]
