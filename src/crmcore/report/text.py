"""
Text on a plot: cleaned, measured without a font, shortened and broken into lines.

Widths are estimated, so that a plot is laid out alike on every machine, whichever fonts it has.

>>> ems("Ab") < ems("客户")
True
>>> shorten("华东区第一百货公司", 6)
'华东区第一…'
>>> wrap("one two three", 5)
['one two', 'three']
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final
from unicodedata import east_asian_width

from crmcore.errors import InvalidPolicy
from crmcore.report.words import WORDS
from crmcore.sales.figures import rounded

__all__ = ["amount", "clean", "ems", "fixed", "percent", "say", "shorten", "wrap"]

NARROW: Final = 0.6
"""The width of a letter of DejaVu Sans, nearly, in its height; a Chinese character is as wide as high."""
WHOLE_FROM: Final = 10_000
"""An amount from here on is shown without cents."""


def say(lang: str, key: str, **values: object) -> str:
    """The words of a language, filled in; raises `InvalidPolicy` for a language that there is not."""
    if lang not in WORDS:
        raise InvalidPolicy("lang", lang, f"one of {', '.join(WORDS)}")
    return WORDS[lang][key].format(**values)


def clean(value: object) -> str:
    """A name as one line: what cannot be printed (line ends, control characters) is a space."""
    return " ".join("".join(each if each.isprintable() else " " for each in str(value)).split())


def _em(character: str) -> float:
    return 1.0 if east_asian_width(character) in "WF" else NARROW


def ems(text: str) -> float:
    """About how wide the text is, in the size of its letters."""
    return sum(map(_em, text))


def shorten(text: str, limit: float) -> str:
    """The text, cut with an ellipsis where it is wider than `limit` ems."""
    if ems(text) <= limit:
        return text
    kept = text
    while kept and ems(kept) > limit - 1:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"


def wrap(text: str, limit: float) -> list[str]:
    """The text in lines of at most `limit` ems; a break stands at a space, or after a wide character."""
    lines, line, rest = list[str](), "", text
    while rest:
        piece, rest = _piece(rest)
        if line and ems((line + piece).rstrip()) > limit:
            lines.append(line.rstrip())
            line = ""
        line += piece
    return [*lines, line.rstrip()] if line else lines


def _piece(text: str) -> tuple[str, str]:
    """What cannot be parted from its beginning, and the rest; a full stop stays with what stands before it."""
    for at, each in enumerate(text, 1):
        if each == " " or (_em(each) == 1 and not (at < len(text) and text[at] in "，。、；：）")):
            return text[:at], text[at:]
    return text, ""


def fixed(value: Decimal | Fraction | int, places: int) -> str:
    """The number with so many decimal places, rounded half away from zero, its thousands parted."""
    return f"{rounded(value, places):,f}"


def amount(value: Decimal | Fraction | int) -> str:
    """An amount of money as one reads it: cents below ten thousand, where there are any, and none above."""
    number = Fraction(value)
    small = abs(number) < WHOLE_FROM and number.denominator != 1
    return fixed(value, 2 if small else 0)


def percent(value: Fraction | None, lang: str, places: int = 1) -> str:
    """A share in per cent."""
    if value is None:
        return say(lang, "undefined")
    return say(lang, "percent", number=fixed(value * 100, places))
