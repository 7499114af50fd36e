"""Business calendars: the edge cases a calendar must get right, by name, and what is refused."""

from __future__ import annotations

import copy
import json
import pickle
import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import attrs
import pytest
from hypothesis import given, settings

from calendars.cases import OFFICE, TICK, WEEKDAYS, at, specs
from crmcore.calendars import EARLIEST, OPEN_ENDED, BusinessCalendar, Span, Window
from crmcore.errors import InvalidCalendar, NaiveDatetime, NoWorkingTime

HOUR = timedelta(hours=1)
ALWAYS = {day: ["00:00-24:00"] for day in WEEKDAYS}
NIGHTS = {day: ["22:00-06:00"] for day in WEEKDAYS}


def made(place: str = "Asia/Shanghai", **fields: object) -> BusinessCalendar:
    return BusinessCalendar(**{"zone": place, "week": OFFICE, **fields})


def here(text: str, place: str = "Asia/Shanghai") -> datetime:
    return at(text, place)


# 1. Half-open windows; the earliest instant; add(t, 0) = t


def test_working_time_ends_at_the_closing_instant() -> None:
    calendar = made()
    assert calendar.add(here("2026-03-06T17:00"), "1wh") == here("2026-03-06T18:00")
    assert calendar.add(here("2026-03-06T17:00"), "0wh") == here("2026-03-06T17:00")
    assert not calendar.is_open(here("2026-03-06T18:00"))
    assert calendar.is_open(here("2026-03-06T18:00") - TICK)


def test_adding_what_lies_between_does_not_pass_the_end() -> None:
    calendar = made()
    t, end = here("2026-03-06T17:30"), here("2026-03-07T12:00")
    done = calendar.between(t, end)
    assert calendar.add(t, f"{int(done.total_seconds() // 60)}wmin") <= end


# 2. Starts outside, at open, at close; a whole day


@pytest.mark.parametrize(
    ("start", "span", "due"),
    [
        ("2026-03-07T10:00", "1wh", "2026-03-09T10:00"),
        ("2026-03-06T09:00", "1wh", "2026-03-06T10:00"),
        ("2026-03-06T12:00", "1wh", "2026-03-06T14:00"),
        ("2026-03-06T18:00", "1wh", "2026-03-09T10:00"),
        ("2026-03-06T08:00", "8wh", "2026-03-06T18:00"),
        ("2026-03-06T09:00", "40wh", "2026-03-12T18:00"),
    ],
)
def test_starts_inside_outside_and_at_the_edges(start: str, span: str, due: str) -> None:
    assert made().add(here(start), span) == here(due)


@pytest.mark.parametrize(
    ("t", "opens", "closes"),
    [
        ("2026-03-06T18:00", "2026-03-09T09:00", "2026-03-09T12:00"),
        ("2026-03-06T09:00", "2026-03-06T09:00", "2026-03-06T12:00"),
        ("2026-03-06T12:30", "2026-03-06T13:00", "2026-03-06T18:00"),
        ("2026-03-06T17:59", "2026-03-06T17:59", "2026-03-06T18:00"),
    ],
)
def test_the_next_opening_and_closing(t: str, opens: str, closes: str) -> None:
    assert made().next_open(here(t)) == here(opens)
    assert made().next_close(here(t)) == here(closes)


# 3. Midnight, 24:00, overlaps, night shifts


def test_round_the_clock_loses_no_minute() -> None:
    calendar = made("Europe/Berlin", week=ALWAYS)
    t = at("2026-03-20T07:31")
    assert calendar.add(t, "240wh") == t + 240 * HOUR
    assert calendar.next_close(t) == OPEN_ENDED
    assert calendar.between(at("2026-01-01T00:00"), at("2027-01-01T00:00")) == timedelta(days=365)


def test_a_window_that_reaches_the_years_end_may_go_on() -> None:
    calendar = made("UTC", week=ALWAYS, closed=["2028-01-02"])
    assert calendar.is_open(at("2026-06-01T00:00"))
    assert calendar.next_close(at("2027-12-30T00:00")) == at("2028-01-02T00:00")


def test_windows_that_overlap_or_touch_are_one() -> None:
    written = {"mon": ["13:00-18:00", "09:00-12:00", "11:00-13:00"]}
    assert made(week=written) == made(week={"mon": ["09:00-18:00"]})


def test_a_night_shift_belongs_to_the_day_it_starts_on() -> None:
    calendar = made(week={"fri": ["22:00-06:00"]})
    assert calendar.working_day(date(2026, 3, 6))
    assert not calendar.working_day(date(2026, 3, 7))
    assert calendar.add(here("2026-03-06T23:00"), "7wh") == here("2026-03-07T06:00")
    assert [str(each) for each in calendar.windows(date(2026, 3, 6))] == ["22:00-06:00"]


def test_a_window_may_last_until_midnight() -> None:
    calendar = made(week={"fri": ["18:00-24:00"], "sat": ["00:00-02:00"]})
    assert calendar.next_close(here("2026-03-06T18:00")) == here("2026-03-07T02:00")


# 4. A holiday takes time; a night shift into it loses what is after midnight


def test_a_closed_date_takes_the_end_of_a_night_shift_or_leaves_it_whole() -> None:
    cut, whole = (made(week=NIGHTS, closed=["2026-03-07"], whole_shifts=kept) for kept in (False, True))
    start = here("2026-03-06T22:00")
    assert cut.add(start, "3wh") == here("2026-03-08T23:00")
    assert whole.add(start, "3wh") == here("2026-03-07T01:00")
    assert whole.next_close(start) == here("2026-03-07T06:00")
    assert cut.next_close(start) == here("2026-03-07T00:00")
    assert cut.between(start, here("2026-03-09T00:00")) == 4 * HOUR
    assert whole.between(start, here("2026-03-09T00:00")) == 10 * HOUR


# 5. Daylight saving


@pytest.mark.parametrize(
    ("window", "day", "length"),
    [
        ("02:00-03:00", "2026-03-29", 0),  # inside the gap
        ("01:30-03:30", "2026-03-29", 1),
        ("02:00-03:00", "2026-10-25", 2),  # twice
        ("01:00-02:30", "2026-10-25", 2),  # 01:00-02:30, then 02:00-02:30 again
        ("22:00-06:00", "2026-10-24", 9),
        ("22:00-06:00", "2026-03-28", 7),
    ],
)
def test_windows_over_a_change_of_clocks(window: str, day: str, length: int) -> None:
    calendar = made("Europe/Berlin", week={}, open={day: [window]})
    assert calendar.between(at(f"{day}T00:00") - 12 * HOUR, at(f"{day}T00:00") + 48 * HOUR) == length * HOUR


def test_windows_interleave_in_a_fold() -> None:
    calendar = made("Europe/Berlin", week={"sun": ["02:00-02:30", "02:45-03:00"]})
    first = at("2026-10-25T00:00")
    opens = [calendar.is_open(first + timedelta(minutes=m)) for m in (0, 30, 45, 60, 89, 90, 105, 119, 120)]
    assert opens == [True, False, True, True, True, False, True, True, False]


# 6. Exceptions of both signs, and which wins


def test_open_wins_over_closed_over_hours_over_the_week() -> None:
    calendar = made(
        hours=[{"from": "2026-03-02", "week": {"mon": ["10:00-11:00"], "tue": ["10:00-11:00"]}}],
        closed=["2026-03-09/2026-03-10", "2026-03-16"],
        open={"2026-03-10": ["14:00-15:00"], "2026-03-14": ["08:00-09:00"]},
    )
    texts = [[str(each) for each in calendar.windows(date(2026, 3, day))] for day in (2, 9, 10, 14, 16, 17)]
    assert texts == [["10:00-11:00"], [], ["14:00-15:00"], ["08:00-09:00"], [], ["10:00-11:00"]]


def test_an_open_date_cuts_no_night_shift() -> None:
    calendar = made(week=NIGHTS, closed=["2026-03-07"], open={"2026-03-07": ["12:00-13:00"]})
    assert calendar.next_close(here("2026-03-06T22:00")) == here("2026-03-07T06:00")


# 7. Hours that change on a date


def test_hours_change_on_a_local_date() -> None:
    calendar = made("Pacific/Apia", hours=[{"from": date(2026, 5, 1), "week": {"fri": ["08:00-10:00"]}}])
    assert calendar.windows(date(2026, 4, 30)) == (Window(540, 720), Window(780, 1080))
    assert calendar.windows(date(2026, 5, 1)) == (Window(480, 600),)
    assert calendar.add(here("2026-04-30T17:00", "Pacific/Apia"), "2wh") == here("2026-05-01T09:00", "Pacific/Apia")


# 8. A year that is not announced


def test_beyond_the_last_known_day_the_week_rules_provisionally() -> None:
    calendar = made(known_through=date(2026, 12, 31), closed=["2026-10-01/2026-10-07"])
    assert not calendar.provisional(here("2026-12-31T23:59"))
    assert calendar.provisional(here("2027-01-01T00:00"))
    assert calendar.working_day(date(2027, 10, 1))
    assert not made().provisional(OPEN_ENDED)


# 9. No working time


def test_no_working_time_is_an_error_never_a_loop() -> None:
    empty, ended = made(week={}), made(hours=[{"from": "2026-03-02", "week": {}}])
    t = here("2026-03-06T12:00")
    for calendar in (empty, ended):
        for verb, *rest in (("add", "1wh"), ("add", "1wd"), ("next_open",), ("next_close",)):
            with pytest.raises(NoWorkingTime, match=r"has no working time after 2026-03-06;"):
                getattr(calendar, verb)(t, *rest)
    assert ended.add(here("2026-02-27T12:00"), "1wh") == here("2026-02-27T14:00")
    assert empty.between(EARLIEST, OPEN_ENDED) == timedelta(0)


def test_no_working_time_going_back_is_an_error_too() -> None:
    begun = made(week={}, hours=[{"from": "2026-03-02", "week": OFFICE}])
    for span in ("2wh", "2wd"):
        with pytest.raises(NoWorkingTime, match="going back"):
            begun.cutoff(here("2026-03-02T10:00"), span)
        assert begun.cutoff(here("2026-03-04T10:00"), span) > here("2026-03-02T00:00")


def test_a_closure_of_400_days_is_crossed() -> None:
    calendar = made(closed=["2026-03-07/2027-04-10"])
    assert calendar.add(here("2026-03-06T18:00"), "1wh") == here("2027-04-12T10:00")
    assert calendar.cutoff(here("2027-04-12T09:00"), "1wh") == here("2026-03-06T17:00")
    assert calendar.add(here("2026-03-06T12:00"), "1wd") == here("2027-04-12T12:00")


def test_a_single_day_long_ago_is_found_going_back() -> None:
    calendar = made(week={}, open={"1990-05-05": ["09:00-18:00"], "2026-03-06": ["09:00-18:00"]})
    assert calendar.cutoff(here("2026-03-06T10:00"), "2wh") == here("1990-05-05T17:00")
    assert calendar.add(here("1990-05-05T17:00"), "2wh") == here("2026-03-06T10:00")


# 10. Signs, fractions, naive input, leap days, the year 9999


def test_between_is_signed_and_exact() -> None:
    calendar = made()
    a, b = here("2026-03-06T17:59:59") - TICK, here("2026-03-09T09:00:00.000001")
    assert calendar.between(a, b) == timedelta(seconds=1, microseconds=2) == -calendar.between(b, a)
    assert calendar.worked(b) - calendar.worked(a) == calendar.between(a, b)
    assert calendar.worked(datetime(1970, 1, 1, tzinfo=UTC)) == timedelta(0) > calendar.worked(at("1969-01-01T00:00"))


def test_working_time_over_centuries_is_the_sum_of_its_parts() -> None:
    calendar = made("Europe/Berlin", closed=["2026-12-24/2026-12-26"])
    marks = [EARLIEST, at("1500-06-01T12:00"), at("1899-12-31T23:00"), at("2026-12-25T00:00"), at("2400-02-29T12:00"),
             at("2900-07-01T08:00"), at("7777-07-07T07:00"), OPEN_ENDED]  # fmt: skip
    for low, high in pairwise(marks):
        middle = low + (high - low) / 2
        assert calendar.between(low, high) == calendar.between(low, middle) + calendar.between(middle, high)
        assert calendar.between(high, low) == -calendar.between(low, high)
    plain = made("UTC")  # 400 years are 20871 weeks
    assert plain.between(at("2200-01-01T00:00"), at("3400-01-01T00:00")) == 3 * 20_871 * 40 * HOUR
    assert plain.between(at("0100-01-01T00:00"), at("0900-01-01T00:00")) == 2 * 20_871 * 40 * HOUR


@pytest.mark.parametrize("verb", ["worked", "is_open", "next_open", "next_close", "provisional"])
def test_naive_instants_are_refused(verb: str) -> None:
    with pytest.raises(NaiveDatetime):
        getattr(made(known_through="2026-12-31"), verb)(datetime(2026, 1, 1))


def test_a_leap_day_is_a_day() -> None:
    calendar = made()
    assert calendar.working_day(date(2028, 2, 29))
    assert calendar.between(here("2028-02-29T00:00"), here("2028-03-01T00:00")) == 8 * HOUR


def test_the_year_9999_is_the_open_end_and_is_reached_at_once() -> None:
    calendar = made()
    begun = time.perf_counter()
    assert calendar.add(here("2026-03-06T12:00"), "100000000wh") == OPEN_ENDED
    assert calendar.add(here("2026-03-06T12:00"), "100000000wd") == OPEN_ENDED
    assert calendar.cutoff(here("2026-03-06T12:00"), "100000000wh") == EARLIEST
    assert calendar.next_open(OPEN_ENDED) == calendar.next_close(OPEN_ENDED) == OPEN_ENDED
    assert calendar.add(OPEN_ENDED - TICK, "1wh") == OPEN_ENDED
    assert calendar.next_close(OPEN_ENDED - 5 * HOUR) == OPEN_ENDED
    assert time.perf_counter() - begun < 10  # most is compiling, once; a walk would take minutes


def test_far_instants_cost_no_years_between() -> None:
    """Going back and forth between centuries begins the table anew, and says the same."""
    calendar, near = made(), made()
    expected = near.add(here("2026-03-06T12:00"), "400wh")
    assert calendar.add(at("5026-03-06T12:00"), "1wh").year == 5026
    assert calendar.add(here("2026-03-06T12:00"), "400wh") == expected
    assert calendar.working_time.table.stop - calendar.working_time.table.first < 50
    assert calendar.add(here("2026-03-06T12:00"), "1000000wh") == near.add(here("2026-03-06T12:00"), "1000000wh")


# 11. Days are not hours


def test_working_days_keep_the_clock() -> None:
    calendar = made(closed=["2026-10-01/2026-10-08"], open={"2026-10-10": ["09:00-18:00"]})
    assert calendar.add(here("2026-09-30T15:00"), "1wd") == here("2026-10-09T15:00")
    assert calendar.add(here("2026-09-30T15:00"), "2wd") == here("2026-10-10T15:00")
    assert calendar.add(here("2026-10-03T15:00"), "1wd") == here("2026-10-10T00:00")
    assert calendar.sub(here("2026-10-09T15:00"), "1wd") == here("2026-09-30T15:00")


# Values


@settings(max_examples=60)
@given(specs())
def test_a_calendar_is_what_it_resolves_to(spec: dict[str, object]) -> None:
    calendar = BusinessCalendar(**spec, name="office", known_through="2026-12-31")
    data = calendar.canonical()
    assert json.loads(json.dumps(data)) == data
    assert BusinessCalendar(**data) == calendar
    assert BusinessCalendar(**data).canonical() == data
    for same in (pickle.loads(pickle.dumps(calendar)), copy.deepcopy(calendar), attrs.evolve(calendar, name="other")):
        assert (same, hash(same)) == (calendar, hash(calendar))


def test_order_and_spelling_do_not_count() -> None:
    one = made(
        closed=["2026-01-02", date(2026, 1, 1)],
        open={"2026-02-01": ["09:00-10:00"], date(2026, 1, 31): ["09:00-10:00"]},
    )
    other = made(
        closed=("2026-01-01/2026-01-02", "2026-01-31"),
        open={"2026-01-31": [Window(540, 600)], "2026-02-01": ["09:00-09:30", "09:30-10:00"]},
        hours=[{"from": "2026-05-01", "week": OFFICE}],  # changes nothing
        labels={date(2026, 1, 1): "New Year"},
    )
    assert one == other
    assert one.canonical() == other.canonical()
    assert one != made()
    assert one != "office"


def test_a_calendar_is_called_by_its_name() -> None:
    assert [str(made()), str(made(name="office"))] == ["Asia/Shanghai", "office"]


def test_a_day_long_window_is_written_as_it_is_read() -> None:
    calendar = made(week={"mon": ["08:00-20:00", "20:00-08:00"]})
    assert calendar.canonical()["week"] == {"mon": ["08:00-32:00"]}
    assert BusinessCalendar(**calendar.canonical()) == calendar


def test_spans_are_kept() -> None:
    calendar = made()
    assert calendar.on("8wh") is calendar.on("8wh")
    assert calendar.on(Span("8wh")) == calendar.on("8wh")
    t = here("2026-03-06T12:00")
    assert calendar.sub(calendar.add(t, "3d"), Span("3d")) == t


def test_a_table_of_a_book_is_read() -> None:
    table = {"zone": "Asia/Shanghai", "week": OFFICE, "closed": ["2026-01-01"], "known_through": date(2026, 12, 31)}
    assert BusinessCalendar.from_table(table, name="office") == made(closed=["2026-01-01"], known_through="2026-12-31")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"zone": "UTC", "week": {}, "holiday": "x"}, "did you mean 'holidays'?"),
        ({"zone": "UTC", "week": {}, "qqqq": "x"}, "a key of a calendar"),
        ({"zone": "UTC"}, "week: None is not given"),
    ],
)
def test_a_table_with_other_keys_is_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidCalendar) as error:
        BusinessCalendar.from_table(table)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"week": {"mon": ["9-18"]}}, "week.mon[0]"),
        ({"week": {"mon": ["09:00-12:00", "09:00-09:00"]}}, "week.mon[1]"),
        ({"week": {"mon": ["24:00-25:00"]}}, "week.mon[0]"),
        ({"week": {"mon": ["09:00-48:01"]}}, "week.mon[0]"),
        ({"week": {"mon": ["09:60-10:00"]}}, "week.mon[0]"),
        ({"week": {"mon": [9]}}, "week.mon[0]"),
        ({"week": {"mon": "09:00-18:00"}}, "week.mon"),
        ({"week": {"mon": None}}, "week.mon"),
        ({"week": {"Monday": []}}, "week.Monday"),
        ({"week": {"xyz": []}}, "week.xyz"),
        ({"week": ["09:00-18:00"]}, "week"),
        ({"closed": "2026-01-01"}, "closed"),
        ({"closed": ["2026-01-01", "2026-02-30"]}, "closed[1]"),
        ({"closed": ["2026-01-02/2026-01-01"]}, "closed[0]"),
        ({"closed": ["2026-01-02/9999-01-01"]}, "closed[0]"),
        ({"closed": ["2026-01-02/x"]}, "closed[0]"),
        ({"closed": [datetime(2026, 1, 1)]}, "closed[0]"),
        ({"closed": 5}, "closed"),
        ({"open": {"2026-13-01": ["09:00-18:00"]}}, "open.2026-13-01"),
        ({"open": {"2026-01-01": ["x"]}}, "open.2026-01-01[0]"),
        ({"open": {"2026-01-01": []}}, "open.2026-01-01"),
        ({"open": ["2026-01-01"]}, "open"),
        ({"hours": {"from": "2026-01-01"}}, "hours"),
        ({"hours": 7}, "hours"),
        ({"hours": [{"from": "2026-01-01"}]}, "hours[0]"),
        ({"hours": ["2026-01-01"]}, "hours[0]"),
        ({"hours": [{"from": "x", "week": {}}]}, "hours[0].from"),
        ({"hours": [{"from": "2026-01-01", "week": {"mon": ["x"]}}]}, "hours[0].week.mon[0]"),
        ({"hours": [{"from": "2026-01-01", "week": {}}, {"from": "2026-01-01", "week": OFFICE}]}, "hours"),
        ({"known_through": "soon"}, "known_through"),
        ({"whole_shifts": "no"}, "whole_shifts"),
        ({"zone": "Mars/Olympus"}, "zone"),
    ],
)
def test_what_makes_no_calendar_is_refused_by_its_place(fields: dict[str, object], key: str) -> None:
    with pytest.raises(InvalidCalendar) as error:
        made(**fields)
    assert error.value.key == key
    assert pickle.loads(pickle.dumps(error.value)).key == key
