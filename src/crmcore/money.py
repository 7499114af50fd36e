"""
Amounts of money: exact, in one currency, rounded once at the end.

>>> from crmcore import Money
>>> from fractions import Fraction
>>> price = Money("19.99", "CNY")
>>> str(price * 3)
'59.97 CNY'
>>> str(price.rounded(Fraction(1, 3)))
'6.66 CNY'
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction
from functools import total_ordering
from numbers import Number
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from attrs import field, frozen

from crmcore.errors import CurrencyMismatch, InvalidMoney

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EXPONENTS", "Money", "exponent"]

DIGITS: Final = 100  # on either side of the point: more than any amount has, few enough to stay quick
DEFAULT_EXPONENT: Final = 2

EXPONENTS: Final[Mapping[str, int]] = MappingProxyType(
    {
        **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
        **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
        **dict.fromkeys("CLF UYW".split(), 4),
    }
)
"""The currencies whose minor unit is not a hundredth: how many decimal places they have (ISO 4217)."""

# Our own context: the ambient one may have a precision of 28 or of 3, and would round without a word.
# Two amounts of DIGITS digits on each side multiply to 4 * DIGITS; whatever would still be lost raises.
_EXACT: Final = Context(prec=4 * DIGITS + 1, traps=[Inexact, InvalidOperation])
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


def exponent(currency: str) -> int:
    """How many decimal places the currency's minor unit has."""
    return EXPONENTS.get(currency, DEFAULT_EXPONENT)


def _amount(value: Decimal | int | str) -> Decimal:
    return _number(value, "an amount")


def _ratio(factor: Decimal | Fraction | int) -> Fraction:
    return factor if isinstance(factor, Fraction) else Fraction(_number(factor, "a factor"))


def _number(value: object, what: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise InvalidMoney(value, f"{what}: give a Decimal, an int or text such as '12.50', never a float")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise InvalidMoney(value, f"{what} such as '12.50'") from None
    if not _short(number):
        raise InvalidMoney(value, f"{what}: a finite number with at most {DIGITS} digits on either side of the point")
    return number or number.copy_abs()  # no negative zero


def _short(number: Decimal) -> bool:
    _, digits, places = number.as_tuple()
    return isinstance(places, int) and places >= -DIGITS and len(digits) + places <= DIGITS


def _currency(value: object) -> str:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise InvalidMoney(value, "a currency: three capital letters (ISO 4217), such as 'CNY'")
    return value


@total_ordering
@frozen(order=False)
class Money:
    """
    An amount in one currency.

    Sums, differences and products are exact whatever the ambient decimal context says; two currencies never mix.
    Equality is by number: 12.5 CNY is 12.50 CNY.
    """

    amount: Decimal = field(converter=_amount)
    currency: str = field(converter=_currency)

    @classmethod
    def zero(cls, currency: str) -> Self:
        """Nothing, in a currency: the start of a sum, ``sum(amounts, Money.zero("CNY"))``."""
        return cls(0, currency)

    def __str__(self) -> str:
        return f"{self._shown():f} {self.currency}"

    def __lt__(self, other: Self) -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return self.amount < self._same(other)

    def __add__(self, other: Self) -> Self:
        if not isinstance(other, Money):
            return NotImplemented
        return type(self)(_EXACT.add(self.amount, self._same(other)), self.currency)

    def __sub__(self, other: Self) -> Self:
        if not isinstance(other, Money):
            return NotImplemented
        return type(self)(_EXACT.subtract(self.amount, self._same(other)), self.currency)

    def __neg__(self) -> Self:
        return type(self)(self.amount.copy_negate(), self.currency)

    def __abs__(self) -> Self:
        return type(self)(self.amount.copy_abs(), self.currency)

    def __mul__(self, factor: Decimal | Fraction | int) -> Self:
        if not isinstance(factor, Number):
            return NotImplemented
        ratio = _ratio(factor)
        try:
            product = _EXACT.multiply(self.amount, Decimal(ratio.numerator))
            exact = _EXACT.divide(product, Decimal(ratio.denominator))
        except Inexact:
            raise InvalidMoney(factor, "a factor with a finite product; use .rounded(factor)") from None
        return type(self)(exact, self.currency)

    __rmul__ = __mul__

    def rounded(self, factor: Decimal | Fraction | int = 1) -> Self:
        """The amount, times an exact factor, rounded once: half up (away from zero) to the currency's minor unit."""
        ratio = _ratio(factor)
        places = exponent(self.currency)
        minor = abs(Fraction(self.amount) * ratio * 10**places)
        units = int(minor + Fraction(1, 2))
        sign = -1 if (self.amount < 0) != (ratio < 0) else 1
        return type(self)(Decimal(sign * units).scaleb(-places, _EXACT), self.currency)

    def _same(self, other: Money) -> Decimal:
        if self.currency != other.currency:
            raise CurrencyMismatch(self.currency, other.currency)
        return other.amount

    def _shown(self) -> Decimal:
        places = exponent(self.currency)
        short = -int(self.amount.as_tuple().exponent) < places
        return self.amount.quantize(Decimal(1).scaleb(-places), context=_EXACT) if short else self.amount
