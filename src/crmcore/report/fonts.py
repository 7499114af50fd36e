"""
Fonts: which of those with Chinese characters is installed, and what none of them can draw.

>>> "Noto Sans CJK SC" in CHINESE
True
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["BASE", "CHINESE", "choose"]

BASE: Final = "DejaVu Sans"
"""Comes with matplotlib."""
CHINESE: Final = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "STHeiti",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "SimHei",
    "SimSun",
    "Droid Sans Fallback",
    "Arial Unicode MS",
    "Noto Sans CJK JP",  # the first font of Debian's fonts-noto-cjk, with the Chinese characters too
)
"""In the order in which they are tried; a page or an SVG names them all, and the viewer takes the first it has."""


def choose(characters: Iterable[str]) -> tuple[tuple[str, ...], str]:
    """The installed families that draw these characters, the base first, and the characters that none of them has."""
    families = [BASE]
    left = {each for each in characters if not each.isspace()} - _drawn(BASE)
    for family in CHINESE:
        if left and (drawn := _drawn(family) & left):
            families.append(family)
            left -= drawn
    return tuple(families), "".join(sorted(left))


def _drawn(family: str) -> set[str]:
    """The characters of a family; none where it is not installed."""
    from matplotlib import font_manager

    if all(font.name != family for font in font_manager.fontManager.ttflist):
        return set()
    path = font_manager.findfont(font_manager.FontProperties(family=[family]))
    return {chr(code) for code in font_manager.get_font(path).get_charmap()}
