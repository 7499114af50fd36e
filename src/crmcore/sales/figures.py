"""
Exact figures: sums that lose nothing, and shares as fractions.

>>> from crmcore.sales import share, sums
>>> sums([("u1", "0.10"), ("u2", 3), ("u1", "0.20")])
{'u1': Decimal('0.30'), 'u2': Decimal('3')}
>>> share(1, 3)
Fraction(1, 3)
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction
from typing import Final, TypeAlias, TypeVar

from crmcore.errors import CurrencyMismatch, InvalidFact
from crmcore.money import Money

__all__ = ["EXACT", "WIDE", "Number", "OneCurrency", "exact", "exact_sum", "nearest", "rounded", "share", "sums"]

K = TypeVar("K", bound=Hashable)
Number: TypeAlias = Decimal | int | str | Money
"""An amount or a count: exact, so never a float."""

DIGITS: Final = 100
EXPECTED: Final = "a Decimal, an int, Money or text such as '12.50', never a float: Decimal(str(x))"
EXACT: Final = Context(prec=4 * DIGITS, traps=[Inexact, InvalidOperation])
"""The ambient context may have a precision of 3, and would round without a word; what this one loses raises."""
WIDE: Final = Context(prec=2000)
"""To move a point: wide enough to round nothing."""


def exact(value: object, name: str = "value", id: object = None) -> Decimal:
    """The value as a Decimal; raises `InvalidFact` for a float, for text that is no number, and for nothing."""
    if type(value) is Decimal or type(value) is int:
        number = Decimal(value)
    elif isinstance(value, Money):
        return value.amount
    elif isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise InvalidFact(name, value, EXPECTED, id)
    else:
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise InvalidFact(name, value, EXPECTED, id) from None
    if not number.is_finite() or abs(number.adjusted()) > DIGITS or not _short(number):
        raise InvalidFact(name, value, f"a finite number of at most {DIGITS} digits", id)
    return number


def _short(number: Decimal) -> bool:
    # Its text is made four times as fast as its digits.
    return len(str(number)) <= DIGITS or len(number.as_tuple().digits) <= DIGITS


def exact_sum(values: Iterable[Number], name: str = "value") -> Decimal:
    """Their sum, whatever the ambient decimal context says; raises as `sums`."""
    return sums(((None, value) for value in values), name).get(None, Decimal(0))


def sums(pairs: Mapping[K, Number] | Iterable[tuple[K, Number]], name: str = "value") -> dict[K, Decimal]:
    """
    The sum per key, in the order in which keys first appear; returns are negative values.

    Raises `InvalidFact` for what is no pair and, naming the key, for a value that is no exact number, and
    `CurrencyMismatch` where `Money` of two currencies, or `Money` and plain numbers, would be added up.
    """
    add, totals, currency = EXACT.add, dict[K, Decimal](), OneCurrency()
    for pair in pairs.items() if isinstance(pairs, Mapping) else pairs:
        try:
            key, value = pair
        except (TypeError, ValueError):
            raise InvalidFact("line", pair, "a pair (key, value); of a frame: abc_frame") from None
        currency.see(value)
        number = exact(value, name, key)
        totals[key] = add(totals[key], number) if key in totals else number
    return totals


class OneCurrency:
    """Sees to it that what is added up is of one currency; raises `CurrencyMismatch`."""

    def __init__(self) -> None:
        self._seen: str | None = None
        self._any = False

    def see(self, value: object) -> None:
        """The next value: `Money`, or a plain number."""
        currency = value.currency if isinstance(value, Money) else None
        if self._any and currency != self._seen:
            raise CurrencyMismatch(self._seen or "a plain number", currency or "a plain number")
        self._seen, self._any = currency, True


def nearest(value: Fraction | Decimal | None) -> float | None:
    """The float nearest to a figure, as records have it; ``None`` where there is none."""
    return None if value is None else float(value)


def rounded(value: Decimal | Fraction | int, places: int) -> Decimal:
    """The value to so many decimal places, half away from zero; never a negative zero."""
    units = int(abs(Fraction(value)) * 10**places + Fraction(1, 2))
    return Decimal(-units if value < 0 else units).scaleb(-places, WIDE)


def share(part: Decimal | int, whole: Decimal | int) -> Fraction | None:
    """``part / whole``, exact; ``None`` where there is no whole."""
    return Fraction(part) / Fraction(whole) if whole else None
