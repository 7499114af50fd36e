"""Pieces say of every instant what the span says."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from math import gcd

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calendars.cases import COUNTS, OFFICE, TICK, ZONES, at, instants, specs, texts
from crmcore.calendars import EARLIEST, OPEN_ENDED, BoundSpan, BusinessCalendar, Span, pieces
from crmcore.calendars.instants import EPOCH, instant_at, micros
from crmcore.calendars.pieces import Piece, add_pieces, grid, sub_pieces

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MOVES = ((add_pieces, "add"), (sub_pieces, "sub"))
LENGTHS = st.sampled_from((TICK, 2 * TICK, 3 * DAY)) | st.integers(1, 90).map(lambda days: days * DAY)


def through(table: Sequence[Piece], t: datetime) -> datetime:
    piece = table[bisect_left([each.upto for each in table], t)]
    if piece.value is not None:
        return piece.value
    return instant_at(micros(t) + piece.shift)


def check(
    table: Sequence[Piece], move: Callable[[datetime], datetime], low: datetime, high: datetime, *others: datetime
) -> None:
    """The table is the map on (low, high]: at its borders, beside them, and where else we look."""
    assert table[-1].upto == high
    assert all(a.upto < b.upto and (a.shift, a.value) != (b.shift, b.value) for a, b in pairwise(table))
    borders = (micros(each.upto) + step for each in table[:-1] for step in (-1, 0, 1, 2))
    for t in (low + TICK, high, *map(instant_at, borders), *others):
        if low < t <= high:
            assert through(table, t) == move(t), t


@st.composite
def bound(draw: st.DrawFn) -> BoundSpan:
    """Spans of every unit on their zones and calendars."""
    text = draw(texts(draw(st.sampled_from(sorted(COUNTS)))))
    return Span(text).on(draw(st.sampled_from(ZONES)), BusinessCalendar(**draw(specs())))


def draw_checked(data: st.DataObject, span: BoundSpan, low: datetime, high: datetime) -> None:
    """At the table's borders, and at days' starts, transitions and instants like them that the table need not know."""
    near = data.draw(st.lists(instants(span.where[1].key), max_size=5), "near")
    inside = [low + (high - low) * share for share in data.draw(st.lists(st.floats(0, 1), max_size=5), "inside")]
    for table, name in MOVES:
        check(table(span, low, high), getattr(span, name), low, high, *near, *inside)


@settings(max_examples=50)
@given(data=st.data())
def test_pieces_are_the_span(data: st.DataObject) -> None:
    span = data.draw(bound(), "span")
    low = data.draw(instants(span.where[1].key), "low")
    draw_checked(data, span, low, low + data.draw(LENGTHS, "length"))


@settings(max_examples=20)
@given(data=st.data())
def test_pieces_are_the_span_at_the_ends_of_time(data: st.DataObject) -> None:
    span, gap, length = data.draw(bound(), "span"), data.draw(st.integers(0, 20 * 24 * 3600)), data.draw(LENGTHS)
    low = EARLIEST + timedelta(seconds=gap)
    high = OPEN_ENDED - timedelta(seconds=gap)
    draw_checked(data, span, low, low + length)
    draw_checked(data, span, high - length, high)


@settings(max_examples=20)
@given(text=st.sampled_from(("1d", "2d", "1w", "1mo", "1wd", "2wd", "8wh", "90wmin")), hours=st.integers(-80, 80))
def test_pieces_are_the_span_where_a_day_is_left_out(text: str, hours: int) -> None:
    calendar = BusinessCalendar(zone="Pacific/Apia", week=dict.fromkeys(("thu", "fri", "sat"), ("22:00-06:00",)))
    span = Span(text).on(calendar=calendar)
    low = at("2011-12-31T00:00", "Pacific/Apia") + hours * HOUR
    for table, name in MOVES:
        check(table(span, low, low + 9 * DAY), getattr(span, name), low, low + 9 * DAY)


def test_elapsed_time_is_one_piece() -> None:
    low = at("2026-03-01T00:00")
    for table, hour in ((add_pieces, HOUR), (sub_pieces, -HOUR)):
        assert table(Span("1h").on(), low, low + 99 * DAY) == (Piece(low + 99 * DAY, hour // TICK),)


def test_a_gap_gathers_what_would_land_in_it() -> None:
    span, gap = Span("1d").on("Europe/Berlin"), at("2026-03-29T01:00")
    low, high = gap - 2 * DAY, gap + 2 * DAY
    assert add_pieces(span, low, high) == (
        Piece(gap - DAY - TICK, DAY // TICK),
        Piece(gap - DAY + HOUR - TICK, 0, gap),
        Piece(gap - TICK, (DAY - HOUR) // TICK),
        Piece(high, DAY // TICK),
    )


def test_a_free_day_is_one_value_and_back_again_a_leap() -> None:
    span = Span("1wd").on(calendar=BusinessCalendar(zone="UTC", week=OFFICE))
    monday = at("2026-03-02T00:00")
    low, high = monday - 3 * DAY, monday + 3 * DAY
    assert add_pieces(span, low, high) == (
        Piece(monday - 2 * DAY - TICK, 3 * DAY // TICK),
        Piece(monday - TICK, 0, monday + DAY),
        Piece(high, DAY // TICK),
    )
    assert sub_pieces(span, low, high) == (
        Piece(monday - 2 * DAY, -DAY // TICK),
        Piece(monday, 0, monday - 3 * DAY),
        Piece(monday + DAY, -3 * DAY // TICK),
        Piece(high, -DAY // TICK),
    )


def test_a_value_may_be_the_epoch() -> None:
    span = Span("0wd").on(calendar=BusinessCalendar(zone="UTC", week=OFFICE, closed=["1969-12-31"]))
    assert add_pieces(span, EPOCH - DAY, EPOCH - HOUR) == (Piece(EPOCH - HOUR, 0, EPOCH),)


@pytest.mark.parametrize("table", [add_pieces, sub_pieces])
def test_there_is_nothing_where_nothing_lies_between(table: Callable[..., tuple[Piece, ...]]) -> None:
    span, low = Span("1mo").on("Europe/Berlin"), at("2026-03-01T00:00")
    assert table(span, low, low) == table(span, low, low - DAY) == ()


def test_a_table_is_made_where_work_has_just_begun_or_ends() -> None:
    """The way to the pieces asks for no working time beyond what the span itself needs."""
    begun = BusinessCalendar(zone="UTC", week={}, hours=[{"from": "2026-03-02", "week": OFFICE}])
    ended = BusinessCalendar(zone="UTC", week=OFFICE, hours=[{"from": "2026-03-02", "week": {}}])
    low, high = at("2026-02-01T00:00"), at("2026-04-01T00:00")
    for text in ("2wd", "8wh"):
        first, last = Span(text).on(calendar=begun), Span(text).on(calendar=ended)
        check(add_pieces(first, low, high), first.add, low, high)
        check(sub_pieces(last, low, high), last.sub, low, high)


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces that know no edges."""
    pieces._pieces.cache_clear()
    monkeypatch.setattr(pieces, "edges", lambda *_: (set(), set()))


@pytest.mark.usefixtures("blind")
def test_a_cell_that_is_neither_is_halved() -> None:
    span, gap = Span("1d").on("Europe/Berlin"), at("2026-03-29T01:00")
    low, high = gap - 3 * DAY, gap - DAY + HOUR / 2
    assert add_pieces(span, low, high) == (Piece(gap - DAY - TICK, DAY // TICK), Piece(high, 0, gap))


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize(("text", "days"), [("1d", 5), ("1wd", 7), ("8wh", 7)])
def test_edges_that_are_forgotten_are_noticed(text: str, days: int) -> None:
    span = Span(text).on(calendar=BusinessCalendar(zone="Europe/Berlin", week=OFFICE))
    low = at("2026-03-26T12:00")
    for table, name in MOVES:
        made = table(span, low, low + days * DAY)
        with pytest.raises(AssertionError):
            check(made, getattr(span, name), low, low + days * DAY, *(low + hour * HOUR for hour in range(24 * days)))


@pytest.mark.parametrize("step", [TICK, -TICK])
def test_a_border_that_is_off_by_a_microsecond_is_noticed(step: timedelta) -> None:
    span = Span("1d").on("Europe/Berlin")
    gap = at("2026-03-29T01:00")
    low, high = gap - 2 * DAY, gap + 2 * DAY
    for table, name, border in ((add_pieces, "add", gap - TICK), (sub_pieces, "sub", gap)):
        made = table(span, low, high)
        moved = [attrs.evolve(each, upto=each.upto + step * (each.upto == border)) for each in made]
        assert moved != list(made)
        with pytest.raises(AssertionError):
            check(moved, getattr(span, name), low, high)


@settings(max_examples=50)
@given(st.sets(st.integers(1, 10**6), min_size=3), st.integers(1, 10**9))
def test_a_grid_holds_all_borders_and_no_coarser_one_does(places: set[int], step: int) -> None:
    made = [Piece(EPOCH + place * step * TICK, place) for place in sorted(places)]
    found = grid(made)
    assert found is not None
    origin, width = found
    counted = [divmod(micros(each.upto) - origin, width) for each in made[:-1]]
    assert {rest for _, rest in counted} == {0}
    assert gcd(*(count for count, _ in counted)) == 1


def test_a_single_border_stands_on_a_grid_of_days() -> None:
    border = EPOCH + 5 * TICK
    assert grid([Piece(border, 0), Piece(border + HOUR, 1)]) == (5, DAY // TICK)


def test_without_a_border_there_is_no_grid() -> None:
    assert grid([]) is grid([Piece(EPOCH + HOUR, 0)]) is None


@pytest.mark.parametrize("text", ["1d", "3mo", "5wd", "20wd", "8wh", "90wmin"])
@pytest.mark.parametrize("table", [add_pieces, sub_pieces])
def test_the_borders_of_a_span_lie_on_a_grid_of_minutes(table: Callable[..., tuple[Piece, ...]], text: str) -> None:
    week = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), ("08:30-12:00", "13:00-17:45"))
    low = at("2026-03-31T12:00")
    found = grid(
        table(Span(text).on("Europe/Berlin", BusinessCalendar(zone="Europe/Berlin", week=week)), low, low + 400 * DAY)
    )
    assert found is not None
    assert found[1] % 900_000_000 == 0


def test_an_early_year_is_counted_apart_from_a_late_one() -> None:
    """Far from every dated change years repeat, but local mean time was not what the clocks show now."""
    calendar = BusinessCalendar(zone="Africa/Monrovia", week={"sat": ["23:59-24:00"]})
    alone = [calendar.working_time.total(year) for year in range(1700, 1720)]
    again = BusinessCalendar(zone="Africa/Monrovia", week={"sat": ["23:59-24:00"]}).working_time
    assert all(again.total(year) for year in range(2101, 2500))
    assert [again.total(year) for year in range(1700, 1720)] == alone
