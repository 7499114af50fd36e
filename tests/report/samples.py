"""Results to be drawn, plain and degenerate, and a font with Chinese characters for machines that have none."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from crmcore.analysis.assortment_table import assortment_table
from crmcore.analysis.metrics import metrics
from crmcore.report.fonts import CHINESE
from crmcore.report.words import WORDS
from crmcore.sales import Periods
from crmcore.value.classes import abc
from crmcore.value.migration import migration
from crmcore.value.scores import rfm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from matplotlib.figure import Figure

LANGUAGES = ("en", "zh")
LONG = "特级初榨橄榄油（进口，礼盒装，500毫升×12瓶），配木盒与说明书"


def sales(customers: int) -> Iterator[dict[str, Any]]:
    for number in range(customers):
        for back in range(0, 400 - number % 300, 11 + number % 37):
            at = date(2026, 3, 1) - timedelta(days=back + number % 90)
            yield {"customer": number, "at": at, "amount": 10 + number * 7 % 90}


def product(name: str, sold: int, cost: int | None, opening: int, closing: int) -> dict[str, Any]:
    return {"product": name, "sales": sold, "cost": cost, "opening": opening, "closing": closing}


SHOP = [
    product("Processed food", 20_000, 15_500, 1_500, 2_500),
    product("Produce", 10_000, 7_500, 150, 150),
    product("Liquor", 10_000, 8_000, 1_000, 1_000),
    product("Bread", 5_000, 4_500, 800, 800),
    product("Dairy", 15_000, 11_250, 900, 1_100),
    product("Sweets", 10_000, 7_000, 1_200, 800),
]
UGLY = [
    product(LONG, 3_000, 3_600, 300, 300),
    product("dropped $shipped$ <b>", 900, 500, 0, 0),
    product("nobody\nbought\x00it", 0, 0, 500, 500),
    product("no cost", 100, None, 10, 10),
]


def many(count: int) -> list[dict[str, Any]]:
    """Products on a spiral, from 40 % margin to a loss."""
    return [
        product(f"Product {each:02}", 900 + each * 937 % 9_000, 500 + each * 773 % 9_000, 40 + each * 31 % 400, 60)
        for each in range(count)
    ]


PLAIN: dict[str, Any] = {
    "pareto": abc({f"u{each}": 100_000 // (each + 1) for each in range(300)} | {"back": 0, "owing": -5}),
    "rfm": rfm(sales(200), as_of=date(2026, 3, 1)),
    "cross": assortment_table(SHOP, period="2026-03"),
    "migration": migration({1: "A", 2: "A", 3: "B", 4: "C"}, {1: "A", 2: "B", 3: "B", 5: "C"}, from_="2025", to="2026"),
    "metrics": metrics(sales(60), periods=Periods("month"), lost_after="60d"),
}
"""One result for each plot."""

LONELY: dict[str, Any] = {
    "pareto": [
        abc({"u1": 5}),
        abc(dict.fromkeys(range(12), 7)),
        abc(dict(enumerate(range(60))), cuts=range(10, 99, 8)),
    ],
    "rfm": [rfm([{"customer": 1, "at": date(2026, 3, 1), "amount": 0}, *sales(1)], as_of=date(2026, 3, 1))],
    "cross": [
        assortment_table([*SHOP, *UGLY]),
        assortment_table(SHOP[:1], basis="cost"),
        assortment_table(many(40)),
        assortment_table([product(f"p{each}", 10, 5, 10**each, 10**each) for each in range(4)]),
        assortment_table([product("loss", 10, 15, 10, 10)]),
    ],
    "migration": [migration({1: LONG}, {1: LONG})],
    "metrics": [metrics([*sales(1)][:1]), metrics(sales(3), periods=Periods("quarter"))],
}
"""Results with little in them, or with ugly names."""

EMPTY: dict[str, Any] = {
    "pareto": abc({"back": 0, "owing": -5}),
    "rfm": rfm([], as_of=date(2026, 3, 1)),
    "cross": assortment_table(UGLY[1:]),
    "migration": migration({}, {}),
    "metrics": metrics([]),
}
"""Results with nothing to draw."""


def texts(figure: Figure) -> list[str]:
    """What is written on a plot."""
    from matplotlib.text import Text

    return [each.get_text() for each in figure.findobj(Text) if each.get_text()]


def make_font(path: Path) -> Path:
    """A font with a box for each Chinese character that the plots and the samples write, named as the usual one."""
    written = {each for words in (*WORDS["zh"].values(), LONG) for each in words if ord(each) > 0x2E00}
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for corner in ((100, 800), (900, 800), (900, 0)):
        pen.lineTo(corner)
    pen.closePath()
    glyph = pen.glyph()
    made = FontBuilder(1000, isTTF=True)
    made.setupGlyphOrder([".notdef", "box"])
    made.setupCharacterMap({ord(each): "box" for each in written})
    made.setupGlyf({".notdef": glyph, "box": glyph})
    made.setupHorizontalMetrics({".notdef": (1000, 100), "box": (1000, 100)})
    made.setupHorizontalHeader(ascent=880, descent=-120)
    made.setupNameTable({"familyName": CHINESE[0], "styleName": "Regular"})
    made.setupOS2(sTypoAscender=880, usWinAscent=880, usWinDescent=120)
    made.setupPost()
    made.save(path)
    return path
