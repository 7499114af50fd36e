"""Labels and texts."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.report.placing import Box, Point, nearest, place
from crmcore.report.text import amount, clean, ems, fixed, percent, shorten, wrap

INSIDE = Box(0, 0, 480, 300)
points = st.builds(Point, st.floats(0, 480), st.floats(0, 300), st.floats(2, 13))
sizes = st.tuples(st.floats(10, 90), st.just(10.0))
words = st.text(st.sampled_from("ab c客户，。-"), max_size=60)


def check_placed(all_points: list[Point], placed: list[Box | None]) -> None:
    """The law of placing."""
    found = [box for box in placed if box]
    assert not any(one.meets(other) for one, other in combinations(found, 2))
    assert not any(box.meets(point.box) for box in found for point in all_points)
    assert all(box.within(INSIDE) for box in found)


@given(st.lists(st.tuples(points, sizes), max_size=25))
def test_no_label_covers_anything(given_: list[tuple[Point, tuple[float, float]]]) -> None:
    """Labels cover neither one another nor a point, and stay inside."""
    all_points = [point for point, _ in given_]
    check_placed(all_points, place(all_points, [size for _, size in given_], INSIDE))


@pytest.mark.parametrize("crowd", [[100, 103], [100, 130], [460]])
def test_the_law_of_placing_bites(crowd: list[int]) -> None:
    """Labels that are all set at the right of their points cover each other, cover a point, or leave the plot."""
    all_points = [Point(x, 100, 5) for x in crowd]
    with pytest.raises(AssertionError):
        check_placed(all_points, [Box(point.x + 7, 95, point.x + 47, 105) for point in all_points])


def test_the_nearest_place_is_taken() -> None:
    """A point that is alone has its label at its right, or where there is room."""
    assert place([Point(100, 100, 5)], [(40, 10)], INSIDE) == [Box(107, 95, 147, 105)]
    assert place([Point(470, 100, 5)], [(40, 10)], INSIDE) == [Box(423, 95, 463, 105)]
    assert place([Point(100, 100, 5)], [(900, 10)], INSIDE) == [None]


def test_a_line_runs_through_no_label() -> None:
    """The pieces of a line from a label to its point are kept free of other labels."""
    crowd = [Point(100 + 3 * at, 100, 6) for at in range(12)]
    found = [(box, point) for box, point in zip(place(crowd, [(40, 10)] * 12, INSIDE), crowd, strict=True) if box]
    assert len(found) > 3
    for (box, point), (other, _) in combinations(found, 2):
        x, y, away = nearest(box, point)
        for part in (0.25, 0.5, 0.75) if away > 0 else ():
            at = x + (point.x - x) * part, y + (point.y - y) * part
            assert not (other.left < at[0] < other.right and other.bottom < at[1] < other.top)


@given(words, st.integers(4, 30))
def test_lines_are_short_enough(text: str, limit: int) -> None:
    """No line is wider than asked, unless one word is; nothing is lost but spaces at the breaks."""
    lines = wrap(text, limit)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(ems(line) <= limit or " " not in line.strip() for line in lines)


@given(words, st.integers(2, 30))
def test_shortened(text: str, limit: int) -> None:
    """A text is cut only where it is too wide, and then fits."""
    assert ems(shorten(text, limit)) <= max(limit, 1)
    assert shorten(text, limit) == text or shorten(text, limit)[-1] == "…"


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        (Fraction(5, 2), "2.50"),
        (Fraction(20_001, 2), "10,001"),
        (3, "3"),
        (12_345, "12,345"),
        (Fraction(-1, 3), "-0.33"),
    ],
)
def test_amounts(given_: Fraction | int, said: str) -> None:
    """Cents where there are any, below ten thousand; halves away from zero."""
    assert amount(given_) == said


def test_numbers() -> None:
    """Shares in per cent, in each language's way; control characters in names are spaces."""
    assert percent(Fraction(1, 3), "en") == "33.3 %"
    assert percent(Fraction(1, 3), "zh") == "33.3%"
    assert percent(None, "en") == "undefined"
    assert fixed(Fraction(-1, 1000), 1) == "-0.0".replace("-", "")
    assert clean(" a\n\tb\x00\u2028c ") == "a b c"
