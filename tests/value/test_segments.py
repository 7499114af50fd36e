"""Maps from scores to segments: total, ordered, and refused where they have a hole."""

from __future__ import annotations

import pickle
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.errors import InvalidPolicy
from crmcore.testing.scoring import segment_map_is_total
from crmcore.value.segments import DEFAULT, R_RFM, Segment, SegmentMap, cell_name

HOLES = "215 241 251 252 341 351 441 451 541 551"
RANGE = range(1, 6)


def first_fit(rows: tuple[Segment, ...], r: int, f: int, m: int) -> str | None:
    """A second telling of the rule."""
    scores = dict(zip("rfm", (r, f, m), strict=True))
    for row in rows:
        bounds = {name: getattr(row, name) or (1, 99) for name in "rfm"}
        if all(bounds[name][0] <= scores[name] <= bounds[name][1] for name in "rfm"):
            return row.name
    return None


@pytest.mark.rule("VAL-1")
def test_the_rows_of_the_r_package_have_ten_holes_and_are_refused() -> None:
    """Worked example 9: ten cells have no segment."""
    assert [cell_name(*cell) for cell in product(RANGE, repeat=3) if first_fit(R_RFM, *cell) is None] == HOLES.split()
    with pytest.raises(InvalidPolicy, match=f"10 cells without a segment: {HOLES}'"):
        SegmentMap(R_RFM)


def test_the_default_is_total_and_agrees_where_the_r_package_answers() -> None:
    found = SegmentMap.default()
    for cell in product(RANGE, repeat=3):
        assert found.segment(*cell) == (first_fit(R_RFM, *cell) or first_fit(DEFAULT, *cell))
    filled = {cell: found.segment(*map(int, cell)) for cell in HOLES.split()}
    assert set(filled.values()) == {"about_to_sleep", "need_attention", "potential_loyalist"}
    assert filled["215"] == "about_to_sleep"
    assert filled["252"] == "need_attention"
    assert filled["551"] == "potential_loyalist"


@pytest.mark.parametrize("bins", range(2, 21))
def test_there_is_a_default_for_any_number_of_scores(bins: int) -> None:
    """On the scale of five by the middle of each score: the best are the best, and no row is idle."""
    found = SegmentMap.default(bins)
    assert found.bins == bins
    segment_map_is_total(found)
    assert set(found.names) <= set(SegmentMap.default().names)
    assert found.segment(bins, bins, bins) == ("champions" if bins > 2 else "potential_loyalist")


def test_ten_scores_are_the_five_in_halves() -> None:
    ten, five = SegmentMap.default(10), SegmentMap.default(5)
    for cell in product(range(1, 11), repeat=3):
        assert ten.segment(*cell) == five.segment(*((score + 1) // 2 for score in cell))


@given(
    st.lists(
        st.tuples(*[st.none() | st.tuples(st.integers(1, 3), st.integers(1, 3)).map(sorted).map(tuple)] * 3), min_size=1
    )
)
def test_the_first_row_that_fits_answers(bounds: list[tuple[tuple[int, int] | None, ...]]) -> None:
    """Any rows: either every cell has the answer of the first that fits, or the fault is there and named."""
    rows = tuple(Segment(f"s{at}", *three) for at, three in enumerate(bounds))
    cells = {cell: first_fit(rows, *cell) for cell in product(range(1, 4), repeat=3)}
    idle = [row.name for row in rows if row.name not in cells.values()]
    holes = [cell_name(*cell) for cell, name in cells.items() if name is None]
    if not holes and not idle:
        found = SegmentMap(rows, bins=3)
        assert {cell: found.segment(*cell) for cell in cells} == cells
        return
    with pytest.raises(InvalidPolicy) as raised:
        SegmentMap(rows, bins=3)
    if holes:
        assert str(raised.value.value).startswith(f"{len(holes)} cells without a segment: {' '.join(holes[:12])}")
        assert str(raised.value.value).endswith("…") == (len(holes) > 12)
    else:
        assert raised.value.key == f"segments.{idle[0]}"


def test_otherwise_takes_what_is_left() -> None:
    found = SegmentMap([Segment("best", r=3, f=(2, 3))], bins=3, otherwise="rest")
    assert found.names == ("best", "rest")
    assert [found.segment(3, 2, 1), found.segment(3, 1, 3), found.segment(2, 3, 3)] == ["best", "rest", "rest"]
    assert SegmentMap([Segment("all")], bins=3, otherwise="all").names == ("all",)


@pytest.mark.parametrize(
    ("rows", "bins", "key"),
    [
        ([], 5, "segments"),
        (["best"], 5, "segments"),
        ([Segment("all"), Segment("none", r=(1, 2))], 5, "segments.none"),
        ([Segment("far", r=(1, 6)), Segment("all")], 5, "segments.far.r"),
        ([Segment("all")], 1, "segments.bins"),
        ([Segment("all")], 21, "segments.bins"),
        ([Segment("all")], True, "segments.bins"),
    ],
)
def test_a_map_that_cannot_be_is_refused(rows: list[Segment], bins: int, key: str) -> None:
    with pytest.raises(InvalidPolicy) as raised:
        SegmentMap(rows, bins)
    assert raised.value.key == key


@pytest.mark.parametrize("bounds", [0, (2, 1), (0, 2), (1, 2, 3), (1.0, 2), True])
def test_bounds_that_are_none_are_refused(bounds: object) -> None:
    with pytest.raises(InvalidPolicy, match="the lowest and the highest score"):
        Segment("best", r=bounds)  # type: ignore[arg-type]


def test_a_segment_has_a_name() -> None:
    with pytest.raises(InvalidPolicy, match="text"):
        Segment("")


def test_titles_are_read_in_both_languages() -> None:
    found = SegmentMap.default()
    assert [found.title("at_risk"), found.title("at_risk", "zh")] == ["At Risk", "有流失风险"]
    assert found.title("at_risk", "fr") == "at_risk"
    assert all(found.title(name, language) != name for name in found.names for language in ("en", "zh"))


def test_titles_decide_nothing() -> None:
    plain = SegmentMap([Segment("all")], 3)
    titled = SegmentMap([Segment("all", titles={"en": "All"})], 3)
    assert plain == titled
    assert hash(plain) == hash(titled)
    assert plain.canonical() == titled.canonical()
    assert pickle.loads(pickle.dumps(titled)).title("all") == "All"


def test_a_cell_of_two_digits_is_joined_by_hyphens() -> None:
    assert [cell_name(5, 5, 5), cell_name(10, 9, 1)] == ["555", "10-9-1"]
