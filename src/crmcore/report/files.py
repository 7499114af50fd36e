"""A plot as a file: SVG, PNG, or a page that needs nothing else; the same plot gives the same bytes."""

from __future__ import annotations

import logging
import os
import re
import warnings
from html import escape
from io import BytesIO
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from crmcore.errors import Fault, InvalidFile
from crmcore.report.fonts import BASE, CHINESE, choose
from crmcore.report.sheet import need_matplotlib, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

__all__ = ["FORMATS", "check_plot", "save"]

FORMATS: Final = (".svg", ".png", ".html")
"""The endings of the files that a plot can be saved as."""
DOTS: Final = 150
"""Of a PNG, per inch."""
NAMED: Final = 20
"""Most characters that an error names."""
REMEDY: Final = (
    "write .svg or .html, where the viewer's fonts draw them, or install a font that has them:"
    " apt install fonts-noto-cjk, dnf install google-noto-sans-cjk-fonts, or Noto Sans SC"
)
PROLOGUE: Final = b'<?xml version="1.0" encoding="utf-8"?>\n'
PAGE: Final = """\
<!DOCTYPE html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 1em; background: #fff }}
svg {{ display: block; max-width: 100%; height: auto; margin: auto }}
</style>
</head>
<body>
{svg}</body>
</html>
"""


def check_plot(path: str | PathLike[str]) -> Path:
    """The path, if a plot can be saved there; to be asked before the work. Raises `InvalidFile`, `MissingExtra`."""
    need_matplotlib()
    target = Path(path)
    if target.suffix.lower() not in FORMATS:
        remedy = f"name it {target.stem or 'plot'}{FORMATS[0]}, {FORMATS[1]} or {FORMATS[2]}"
        raise InvalidFile(str(path), (Fault("suffix", target.suffix, "is no format of a plot", remedy),))
    if not target.parent.is_dir():
        raise InvalidFile(str(path), (Fault("folder", str(target.parent), "is not there", "make it first"),))
    if target.is_dir():
        raise InvalidFile(str(path), (Fault("file", str(target), "is a folder", "give the plot another name"),))
    if not os.access(target.parent, os.W_OK | os.X_OK):
        remedy = "name a folder that you may write to"
        raise InvalidFile(str(path), (Fault("folder", str(target.parent), "cannot be written to", remedy),))
    return target


def save(figure: Figure, path: str | PathLike[str]) -> None:
    """
    Write a plot as its name ends: ``.svg``, ``.png``, or ``.html``, one page with the SVG in it.

    The file is whole or not written at all; one that is there is replaced. SVG and page keep text as text and name the
    usual Chinese fonts. A PNG needs a font here. Raises `InvalidFile` for another ending, a folder that is not there,
    and a PNG with characters that no installed font has.
    """
    target = check_plot(path)
    with styled():
        made = {".svg": _svg, ".png": _png, ".html": _page}[target.suffix.lower()](figure, target)
    with TemporaryDirectory(dir=target.parent, prefix=".crmcore-") as scratch:
        whole = Path(scratch) / target.name
        whole.write_bytes(made)
        whole.replace(target)


def _texts(figure: Figure) -> list[Text]:
    from matplotlib.text import Text

    return [each for each in figure.findobj(Text) if isinstance(each, Text)]


def _draw(figure: Figure, families: tuple[str, ...], **how: object) -> bytes:
    for text in _texts(figure):
        text.set_fontfamily(families)
    made = BytesIO()
    FINDER.addFilter(_not_bold)
    try:
        figure.savefig(made, **how)  # type: ignore[arg-type]  # its keywords are those of a canvas
    finally:
        FINDER.removeFilter(_not_bold)
    return made.getvalue()


FINDER: Final = logging.getLogger("matplotlib.font_manager")


def _not_bold(said: logging.LogRecord) -> bool:
    """A Chinese font without a bold face takes its plain one: no news to anybody."""
    return "Failed to find font weight" not in said.getMessage()


def _png(figure: Figure, target: Path) -> bytes:
    families, left = choose("".join(text.get_text() for text in _texts(figure)))
    if left:
        shown = left if len(left) <= NAMED else f"{left[:NAMED]}…"
        raise InvalidFile(str(target), (Fault("font", shown, "cannot be drawn with the fonts installed", REMEDY),))
    return _draw(figure, families, format="png", dpi=DOTS, metadata={"Software": None})


def _svg(figure: Figure, _target: Path) -> bytes:
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type")) | {"Title": str(figure.get_label())}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ ")  # the viewer draws it, and no width is taken from it
        drawn = _draw(figure, (BASE,), format="svg", metadata=metadata).decode()
    drawn = re.sub(r" <metadata>.*?</metadata>\n", "", drawn[drawn.index("<svg") :], count=1, flags=re.DOTALL)
    named = ", ".join(f"'{family}'" for family in (BASE, *CHINESE))
    return PROLOGUE + re.sub(f"(<text [^>]*)'{BASE}'", lambda found: f"{found[1]}{named}, sans-serif", drawn).encode()


def _page(figure: Figure, target: Path) -> bytes:
    drawn = _svg(figure, target).decode()
    lang = {"zh": "zh-CN"}.get(str(figure.get_gid()).rpartition("-")[2], "en")
    title = escape(str(figure.get_label()))
    return PAGE.format(lang=lang, title=title, svg=drawn[len(PROLOGUE) :]).encode()
