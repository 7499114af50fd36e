"""What is written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure

from crmcore.analysis.assortment_table import assortment_table
from crmcore.errors import InvalidFile, InvalidInput, MissingExtra
from crmcore.report import FORMATS, check_plot, cross_chart, draw, plot, save
from crmcore.report.words import WORDS
from report.samples import LANGUAGES, LONELY, PLAIN, product, texts

SVG = "{http://www.w3.org/2000/svg}"
every = pytest.mark.parametrize("name", PLAIN)
in_both = pytest.mark.parametrize("lang", LANGUAGES)


def parsed(path: Path) -> ET.ElementTree:
    return ET.parse(path)  # noqa: S314 (of our own making)


def written_in(path: Path) -> list[str]:
    """The texts of an SVG."""
    return ["".join(each.itertext()) for each in parsed(path).iter(f"{SVG}text")]


@every
@in_both
def test_svg(name: str, lang: str, tmp_path: Path, without_font: None) -> None:
    """An SVG is XML whose text is text, with a title, and fonts for Chinese by name: no font is needed to write it."""
    figure = plot(PLAIN[name], lang)
    save(figure, tmp_path / "plot.svg")
    tree, written = parsed(tmp_path / "plot.svg"), written_in(tmp_path / "plot.svg")
    assert tree.findtext(f"{SVG}title") == figure.get_label()
    assert {*texts(figure)} >= {*written}
    assert any(figure.get_label().startswith(each) for each in written)
    fonts = {each.get("style") for each in tree.iter(f"{SVG}text")}
    assert all("'DejaVu Sans', 'Noto Sans CJK SC', " in str(style) and "sans-serif" in str(style) for style in fonts)


@every
@in_both
def test_html(name: str, lang: str, tmp_path: Path, without_font: None) -> None:
    """A page has its language and title, and the plot in it; it asks nothing of a network."""
    draw(PLAIN[name], tmp_path / "plot.HTML", lang=lang)
    page = (tmp_path / "plot.HTML").read_text(encoding="utf-8")
    assert page.startswith(f'<!DOCTYPE html>\n<html lang="{"zh-CN" if lang == "zh" else "en"}">')
    assert re.search(r"<title>(?!</)", page)
    assert page.count("<svg") == 1
    assert "<?xml" not in page
    assert not re.search(r"(src|href)=[\"'](?!#)|url\((?!#)|@import|<script|<link", page)


@every
@in_both
def test_png(name: str, lang: str, tmp_path: Path, with_font: None) -> None:
    """A PNG is one."""
    draw(PLAIN[name], tmp_path / "plot.png", lang=lang)
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG\r\n")


@pytest.mark.parametrize("suffix", FORMATS)
@every
def test_the_same_bytes(name: str, suffix: str, tmp_path: Path, font: Path, without_font: None) -> None:
    """The same result gives the same bytes, saved twice, drawn twice; a page and an SVG on whatever machine."""
    lang = "zh" if suffix != ".png" else "en"
    first, second, third = (tmp_path / f"{each}{suffix}" for each in range(3))
    figure = plot(PLAIN[name], lang)
    save(figure, first)
    font_manager.fontManager.addfont(font)
    save(figure, second)
    draw(PLAIN[name], third, lang=lang)
    assert first.read_bytes() == second.read_bytes() == third.read_bytes()


def test_after_a_png(tmp_path: Path, with_font: None) -> None:
    """What was saved before has no say in what is saved now."""
    figure = plot(PLAIN["pareto"], "zh")
    for name in ("a.svg", "b.png", "c.svg"):
        save(figure, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "c.svg").read_bytes()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_boxes_for_letters(lang: str, tmp_path: Path, without_font: None) -> None:
    """Without a font for them, Chinese words and names are refused in a PNG; the error says what to do."""
    figure = cross_chart(LONELY["cross"][0], lang)  # one product has a Chinese name
    with pytest.raises(InvalidFile, match=r"plot.png: font: '.+' cannot be drawn .+ write .svg or .html, .+ install"):
        save(figure, tmp_path / "plot.png")
    assert [*tmp_path.iterdir()] == []


def test_a_font_that_lacks_some(tmp_path: Path, with_font: None) -> None:
    """A character that no font has is named."""
    with pytest.raises(InvalidFile, match="'\U00013000' cannot be drawn"):
        draw(PLAIN["pareto"], tmp_path / "plot.png", title="\U00013000 客户")


@pytest.mark.parametrize("name", ["plot.pdf", "plot", ".svg", "plot.svg.gz"])
def test_other_formats(name: str, tmp_path: Path) -> None:
    """Another ending is refused, with those that there are."""
    with pytest.raises(InvalidInput, match=r"is no format of a plot; name it .+\.svg, \.png or \.html"):
        check_plot(tmp_path / name)


def test_no_folder(tmp_path: Path) -> None:
    """A folder that is not there is not made."""
    with pytest.raises(InvalidFile, match="is not there; make it first"):
        draw(PLAIN["pareto"], tmp_path / "there" / "plot.svg")


def test_no_place_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written is refused before the work, by its name."""
    (tmp_path / "taken.svg").mkdir()
    with pytest.raises(InvalidFile, match=r"taken\.svg.* is a folder; give the plot another name"):
        check_plot(tmp_path / "taken.svg")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(InvalidFile, match="cannot be written to; name a folder that you may write to"):
        check_plot(tmp_path / "plot.svg")


def test_checked_before_the_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A host that asks before the work learns that the extra is missing, too."""
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(MissingExtra):
        check_plot(tmp_path / "plot.svg")


@pytest.mark.parametrize("broken", [(Figure, "savefig"), (Path, "write_bytes"), (Path, "replace")])
def test_whole_or_not_at_all(broken: tuple[Any, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What breaks off leaves the old file as it was, and nothing beside it."""
    (tmp_path / "plot.svg").write_text("the old one", encoding="utf-8")

    def breaks(*_: object, **__: object) -> None:
        raise OSError

    figure = plot(PLAIN["pareto"])
    with monkeypatch.context() as patched:
        patched.setattr(*broken, breaks)
        with pytest.raises(OSError):  # noqa: PT011 (made above)
            save(figure, tmp_path / "plot.svg")
    assert [each.name for each in tmp_path.iterdir()] == ["plot.svg"]
    assert (tmp_path / "plot.svg").read_text(encoding="utf-8") == "the old one"
    save(figure, tmp_path / "plot.svg")
    assert WORDS["en"]["pareto"] in (tmp_path / "plot.svg").read_text(encoding="utf-8")


def test_names_are_not_markup(tmp_path: Path) -> None:
    """A product may be called anything: markup, formulas, control characters."""
    names = ["<script>alert(1)</script>", "$\\frac{1}{2}$", "a\nb\x00c\ud800", "\"'&", "'DejaVu Sans'"]
    rows = [product(name, 100 + at, 50, 10 + at * 7, 5) for at, name in enumerate(names)]
    draw(assortment_table(rows, period="<b>"), tmp_path / "plot.html", title="</title><script>")
    draw(assortment_table(rows), tmp_path / "plot.svg")
    written = written_in(tmp_path / "plot.svg")
    assert {"$\\frac{1}{2}$", "a b c", "\"'&", "'DejaVu Sans'"} <= {*written}
    assert "<script" not in (tmp_path / "plot.html").read_text(encoding="utf-8")


def test_any_figure(tmp_path: Path) -> None:
    """A figure of the host's own can be saved the same way; its page is in English."""
    figure = Figure()
    figure.suptitle("mine")
    save(figure, tmp_path / "mine.html")
    assert '<html lang="en">' in (tmp_path / "mine.html").read_text(encoding="utf-8")
