"""
Text to exact numbers: only what can be read in one way, for a comma may part thousands or decimals.

A number is an optional sign, digits with at most one point, and an exponent where a program wrote one (``1.2E+05``).
Commas part thousands where there is no other way to read them: before a point, or more than one. Everything else is
refused, with how to write it instead.

>>> from crmcore.files.numbers import decimal
>>> decimal("-12.50")
Decimal('-12.50')
>>> decimal("1,234.50"), decimal("1,234,567")
(Decimal('1234.50'), Decimal('1234567'))
>>> decimal("1,234").remedy
'write 1234 or 1.234: a comma may part thousands or decimals'
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from crmcore.files.instants import BLANK, Refusal

__all__ = ["decimal"]

_DIGITS: Final = 30
_PLAIN: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_THOUSANDS: Final = re.compile(r"[+-]?[0-9]{1,3}(?:(?:,[0-9]{3})+\.[0-9]+|(?:,[0-9]{3}){2,})")
_COMMA: Final = "write 1234 or 1.234: a comma may part thousands or decimals"
_SIGNS: Final = "write digits and a point, such as 1234.50 or -1234.50, without currency, percent sign or brackets"
_NONE: Final = "write a number, 0 where there was nothing, or leave such rows out: --skip-bad"
_LONG: Final = f"a number has at most {_DIGITS} digits on either side of the point"


def decimal(text: str) -> Decimal | Refusal:
    """The number that a cell says, exactly; or why it says none."""
    if _PLAIN.fullmatch(text) is None:
        if _THOUSANDS.fullmatch(text) is None:
            return _refusal(text)
        text = text.replace(",", "")
    value = Decimal(text)
    if value.adjusted() < _DIGITS and int(value.as_tuple().exponent) >= -_DIGITS:
        return value or value.copy_abs()  # no negative zero
    return Refusal("is out of all proportion", _LONG)


def _refusal(text: str) -> Refusal:
    if not text:
        return BLANK
    if not any(map(str.isdigit, text)):
        return Refusal("is no number", _NONE)
    return Refusal("is no plain number", _COMMA if "," in text else _SIGNS)
