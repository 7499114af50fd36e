"""What is drawn."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.analysis.advice import Advice, AdviceLimits
from crmcore.analysis.assortment_table import assortment_table
from crmcore.analysis.values import Basis, Undefined
from crmcore.errors import InvalidPolicy, MissingExtra
from crmcore.report import cross_chart, metrics_lines, pareto, plot, rfm_grid
from crmcore.report.curve import STEPS, kept
from crmcore.report.grids import WHITE_BELOW, _shade
from crmcore.report.scatter import MARKS, NAMED
from crmcore.report.words import WORDS
from crmcore.value.classes import Classed, abc
from crmcore.value.scores import rfm
from report.samples import EMPTY, LANGUAGES, LONELY, LONG, PLAIN, SHOP, UGLY, many, product, texts

in_both = pytest.mark.parametrize("lang", LANGUAGES)


@in_both
@pytest.mark.parametrize("name", PLAIN)
def test_every_plot_says_what_it_is(name: str, lang: str) -> None:
    """Title and axes are there, in the language asked for."""
    written = texts(plot(PLAIN[name], lang))
    wanted = [WORDS[lang][key] for key in (name, f"{name}.x", f"{name}.y") if key in WORDS[lang]]
    for each in wanted:
        assert any(re.fullmatch(re.sub(r"\\{.*?\\}", ".*", re.escape(each)) + ".*", text) for text in written), each
    if lang == "en":
        assert not re.search(r"[\u4e00-\u9fff]", "".join(written))


@in_both
@pytest.mark.parametrize("name", PLAIN)
def test_nothing_to_draw(name: str, lang: str) -> None:
    """Where there is nothing to draw, the sheet says so, and why."""
    written = texts(plot(EMPTY[name], lang))
    assert {WORDS[lang]["nothing"], WORDS[lang][f"{name}.none"]} <= {*written}


@in_both
@pytest.mark.parametrize("result", [each for some in LONELY.values() for each in some])
def test_little_to_draw(result: Any, lang: str) -> None:
    """One customer, all equal, one product, a loss: drawn like any other."""
    assert WORDS[lang]["nothing"] not in texts(plot(result, lang))


def test_a_title_of_ones_own() -> None:
    """A title given takes the place of ours; line ends in it are spaces, and it is broken where it is long."""
    figure = pareto(PLAIN["pareto"], title="North\nregion " * 12)
    assert figure.get_label().startswith("North region North")
    assert [text for text in texts(figure) if text.startswith("North region")] != []
    assert WORDS["en"]["pareto"] not in texts(figure)


def test_unknown_language() -> None:
    """A language that there is not is refused by name."""
    with pytest.raises(InvalidPolicy, match="lang: 'fr' is not one of en, zh"):
        pareto(PLAIN["pareto"], "fr")


def test_no_plot() -> None:
    """What no plot shows is refused."""
    with pytest.raises(InvalidPolicy, match="result: 'str' is not one of Classes, RfmScores"):
        plot("something else")


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """The missing extra is named."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"a plot needs matplotlib; pip install 'crmcore\[report\]'"):
        pareto(PLAIN["pareto"])


def test_no_state_of_pyplot(tmp_path: Path) -> None:
    """pyplot, with its global state, is never imported; matplotlib itself only when something is drawn."""
    code = """
import sys
from crmcore.report import draw
from crmcore.value.classes import abc
assert "matplotlib" not in sys.modules
for name in ("a.svg", "a.png", "a.html"):
    draw(abc({"u1": 3, "u2": 1}), name)
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_settings_are_left_alone() -> None:
    """A host's settings of matplotlib are as they were, and have no say in ours."""
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 31.0, "text.usetex": True}):
        figure = pareto(PLAIN["pareto"])
        assert mpl.rcParams["font.size"] == 31.0
    assert {text.get_size() for text in figure.findobj(mpl.text.Text) if text.get_text()} <= {8.0, 9.0, 10.0, 12.0}


# --- words ---


def fields(text: str) -> set[str | None]:
    return {field for _, field, _, _ in Formatter().parse(text) if field is not None}


def test_words_in_both_languages() -> None:
    """Both languages have the same words with the same holes, and none is empty but the Chinese stop."""
    assert WORDS["en"].keys() == WORDS["zh"].keys()
    for key, text in WORDS["en"].items():
        assert fields(text) == fields(WORDS["zh"][key]), key
    assert [key for key, text in WORDS["zh"].items() if not text] == ["stop"]


def test_words_for_every_code() -> None:
    """Every advice, every basis of stock, every reason why a ratio is undefined has words."""
    assert {*MARKS} == {*Advice}
    assert {f"advice.{each}" for each in Advice} | {*Basis} | {*Undefined} <= WORDS["en"].keys()


# --- the Pareto curve ---


@st.composite
def bases(draw: st.DrawFn) -> list[Classed]:
    values = draw(
        st.lists(st.integers(1, 10**6), min_size=1, max_size=3000) | st.integers(1, 5000).map(lambda n: [1] * n)
    )
    return [row for row in abc(dict(enumerate(values))).rows if row.cumulative is not None]


def check_kept(base: list[Classed], points: list[int]) -> None:
    """The law of thinning."""
    borders = {0, len(base) - 1}
    for at in range(1, len(base)):
        if base[at].class_ != base[at - 1].class_:
            borders |= {at - 1, at}
    assert borders <= {*points}
    assert sorted({*points}) == points
    assert len(points) <= 2 * STEPS + 2 * 3 + 2
    drawn = iter([*points, len(base)])
    here, after = -1, next(drawn)
    for at, row in enumerate(base):
        if at == after:
            here, after = at, next(drawn)
        assert (at - here) / len(base) <= 1 / STEPS
        assert float(row.cumulative or 0) - float(base[here].cumulative or 0) <= 1.001 / STEPS


@given(bases())
def test_thinning_keeps_the_shape(base: list[Classed]) -> None:
    """First, last and border points are kept; nobody left out lies further than a thousandth from a point."""
    check_kept(base, kept(base))


@pytest.mark.parametrize("broken", [lambda n: [*range(0, n, 10)], lambda n: [0, n - 1], lambda n: [*range(n)]])
def test_the_law_of_thinning_bites(broken: Any) -> None:
    """Every tenth, only the ends, or all of very many: each breaks the law."""
    base = [row for row in abc({each: 1 + 10**6 // (each + 1) for each in range(4000)}).rows if row.cumulative]
    with pytest.raises(AssertionError):
        check_kept(base, broken(len(base)))


@in_both
@pytest.mark.rule("VAL-4")
def test_pareto_numbers(lang: str) -> None:
    """The legend has each class's customers and value, the note the Gini index, the first fifth and who is apart."""
    written = texts(pareto(abc({"a": 60, "b": 20, "c": 10, "d": 5, "e": 5, "z": 0, "n": -9}), lang))
    note = " ".join(written[-2:])
    numbers = ("60.0", "0.50", "(1 of 5)" if lang == "en" else "5 个中的 1 个")
    assert all(number in note for number in numbers)
    assert any("28.6" in text and "80.0" in text and "(2" in text.replace("（", "(") for text in written)


def test_classes_of_ones_own() -> None:
    """Any number of classes, and labels that are long, or no good for XML."""
    labels = [f"<{LONG}>", "b", "c", "d", "e", "f"]
    written = texts(pareto(abc(dict(enumerate(range(1, 40))), cuts=(10, 20, 30, 40, 50), labels=labels)))
    assert sum(text.startswith("cut ") for text in written) == 5
    assert any(text.startswith("<特级") and "…" in text for text in written)


# --- grids ---


def contrast(shade: float, white_below: float) -> float:
    """Of the numbers to their ground, as WCAG has it."""
    ground = ((shade + 0.055) / 1.055) ** 2.4
    ink = 1.0 if shade < white_below else 0.0
    return (max(ground, ink) + 0.05) / (min(ground, ink) + 0.05)


@given(st.floats(0, 1, exclude_min=True))
def test_numbers_are_readable_on_every_shade(part: float) -> None:
    """Ink and ground differ by 4.5 : 1 at least (WCAG AA), however dark the cell."""
    assert contrast(_shade(part), WHITE_BELOW) >= 4.5


@pytest.mark.parametrize("elsewhere", [0.3, 0.6])
def test_the_law_of_contrast_bites(elsewhere: float) -> None:
    """White letters sooner or later than that would not be readable on some shade."""
    assert min(contrast(_shade(part / 100), elsewhere) for part in range(1, 101)) < 4.5


def test_the_grid_has_the_counts() -> None:
    """Each cell has its customers and their mean M; together they are all."""
    scores = PLAIN["rfm"]
    written = texts(rfm_grid(scores))
    means = [text for text in written if re.fullmatch(r"M \d\.\d", text)]
    cells = {(row.r, row.f) for row in scores.rows}
    assert len(means) == len(cells)
    assert any(f": {scores.n}." in text for text in written)


def test_as_of_an_instant() -> None:
    """Who never bought is said; an instant is shown as its day."""
    lines = [{"customer": "u1", "at": datetime(2026, 2, 1, tzinfo=UTC), "amount": amount} for amount in (5, 7)]
    lines += [{"customer": "u2", "at": datetime(2026, 2, 1, tzinfo=UTC), "amount": -5}]
    note = " ".join(texts(rfm_grid(rfm(lines, as_of=datetime(2026, 3, 1, 9, tzinfo=UTC)))))
    assert "as of 2026-03-01: 1." in note
    assert "not in the grid: 1." in note


@in_both
def test_migration_has_rows_and_columns_of_both_ends(lang: str) -> None:
    """Those new and those gone are there, and the periods beside the axes."""
    written = texts(plot(PLAIN["migration"], lang))
    words = WORDS[lang]
    assert {words["migration.new"], words["migration.gone"], f"{words['migration.y']}: 2025"} <= {*written}
    assert written.count(f"50.0{' %' if lang == 'en' else '%'}") == 2


# --- the cross-ratio chart ---


@in_both
@pytest.mark.rule("ANA-6")
def test_products_are_named_and_none_is_dropped(lang: str) -> None:
    """Every product is named at its point, or in the note with the reason; a loss lies below zero."""
    figure = cross_chart(assortment_table([*SHOP, *UGLY]), lang)
    written = texts(figure)
    for each in SHOP:
        assert each["product"] in written
    note = "".join(written).replace(" ", "")
    for name, why in (("dropped$shipped$<b>", "no_stock"), ("nobodyboughtit", "no_sales"), ("nocost", "unknown")):
        assert re.search(f"{re.escape(name)}.{WORDS[lang][why].replace(' ', '')}", note)
    assert figure.axes[0].get_ylim()[0] < -20


def test_many_products() -> None:
    """Twenty have names, those with the greatest sales; the note says so."""
    written = texts(cross_chart(assortment_table(many(40))))
    named = [text for text in written if text.startswith("Product ")]
    assert len(named) <= NAMED
    assert any(f"Named: {len(named)} of the 40" in text for text in written)


def test_many_undefined() -> None:
    """A long list of what is not drawn ends with a number."""
    lacking = [product(f"gone {each}", 5, 3, 0, 0) for each in range(30)]
    note = " ".join(texts(cross_chart(assortment_table([*SHOP, *lacking]))))
    assert "gone 0 (no stock)" in note
    assert "and 18 more" in note.replace("\n", " ")


def test_turnovers_far_apart() -> None:
    """The axis is logarithmic where one turnover is many times another, and says so."""
    figure = cross_chart(LONELY["cross"][3])
    assert figure.axes[0].get_xscale() == "log"
    assert any("logarithmic" in text for text in texts(figure))
    assert cross_chart(PLAIN["cross"]).axes[0].get_xscale() == "linear"


def test_lines_have_their_cross_ratio() -> None:
    """Every point of a dashed line has the cross ratio that is written at its end."""
    axes = cross_chart(PLAIN["cross"]).axes[0]
    levels = [float(text.get_text()) for text in axes.texts if re.fullmatch(r"[\d.]+", text.get_text())]
    lines = [line for line in axes.lines if len(line.get_xdata()) > 3]
    assert len(levels) == len(lines) > 2
    for level, line in zip(levels, lines, strict=True):
        assert [x * y / 100 for x, y in zip(*line.get_data(), strict=True)] == pytest.approx(
            [level] * len(line.get_xdata())
        )


# --- metrics ---


@in_both
def test_lines_of_metrics(lang: str) -> None:
    """Six plots; what is undefined is a gap, and a note says so."""
    figure = metrics_lines(PLAIN["metrics"], lang)
    assert len(figure.axes) == 6
    assert WORDS[lang]["metrics.gaps"] in " ".join(texts(figure))
    rows = PLAIN["metrics"].periods
    ends = next(line for line in figure.axes[0].lines if len(line.get_xdata()) == len(rows))
    assert [*ends.get_ydata()] == [row.end for row in rows]


def test_very_many_customers() -> None:
    """Thousands are thinned, and a note says to how many points."""
    figure = pareto(abc({each: 1 + 10**6 // (each + 1) for each in range(5_000)}))
    note = re.search(r"Drawn through ([\d,]+) points", " ".join(texts(figure)))
    assert note
    assert int(note[1].replace(",", "")) < 2 * STEPS


def test_without_limits() -> None:
    """Where the advice was measured against nothing, no dotted line is drawn, and none is spoken of."""
    table = attrs.evolve(PLAIN["cross"], limits=AdviceLimits())
    assert "Dotted" not in " ".join(texts(cross_chart(table)))
    assert len(cross_chart(table).axes[0].lines) == len(cross_chart(PLAIN["cross"]).axes[0].lines) - 2
