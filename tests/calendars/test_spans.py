"""Spans as values, and what each unit means."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calendars.cases import COUNTS, OFFICE, TICK, at, texts
from crmcore.calendars import OPEN_ENDED, BusinessCalendar, Span
from crmcore.calendars.bound import REMEMBERED, BoundSpan
from crmcore.errors import InvalidFact, InvalidSpan, NaiveDatetime, SpanNeeds

SHANGHAI = BusinessCalendar(zone="Asia/Shanghai", week=OFFICE)


@given(st.sampled_from(sorted(COUNTS)).flatmap(texts))
def test_a_span_is_its_text(text: str) -> None:
    span = Span(text)
    assert str(span) == text == f"{span.count}{span.unit}"
    assert Span(span) == span == pickle.loads(pickle.dumps(span))
    assert hash(Span(text)) == hash(span)
    assert eval(repr(span)) == span  # noqa: S307
    assert span.nominal >= timedelta(0)


def test_spans_are_equal_when_written_alike() -> None:
    assert Span("007d") == Span("7d")
    assert Span("24h") != Span("1d")
    assert len({Span("7d"), Span("7d"), Span("1w")}) == 2


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("5m", "say min or mo for m"),
        ("3 months", "say mo for months"),
        ("2y", "say mo, 12 to a year for y"),
        ("5 D", 'say "5d"'),
        ("7 fortnights", "fortnights is no unit"),
        ("-3d", "a whole number and a unit"),
        ("+3d", "a whole number and a unit"),
        ("1.5h", "a whole number and a unit"),
        ("", "a whole number and a unit"),
        ("d", "a whole number and a unit"),
        ("٣d", "a whole number and a unit"),
        (7, "a whole number and a unit"),
        (None, "a whole number and a unit"),
        (timedelta(days=1), 'for elapsed time in text such as "24h"'),
        ("999999999mo", "too long"),
    ],
)
def test_what_is_no_span_is_refused_with_a_hint(text: object, hint: str) -> None:
    with pytest.raises(InvalidSpan) as error:
        Span(text)
    assert hint in str(error.value)


@pytest.mark.parametrize(
    ("text", "nominal", "needs"),
    [
        ("90min", timedelta(minutes=90), None),
        ("24h", timedelta(hours=24), None),
        ("7d", timedelta(days=7), "zone"),
        ("2w", timedelta(days=14), "zone"),
        ("3mo", timedelta(days=90), "zone"),
        ("5wd", timedelta(days=7), "calendar"),
        ("8wh", timedelta(hours=8), "calendar"),
        ("30wmin", timedelta(minutes=30), "calendar"),
    ],
)
def test_the_unit_decides_length_and_needs(text: str, nominal: timedelta, needs: str | None) -> None:
    span = Span(text)
    assert (span.nominal, span.needs) == (nominal, needs)
    if needs:
        with pytest.raises(SpanNeeds, match=f"idle.A = '{text}' needs a {needs}"):
            span.on("Asia/Shanghai" if needs == "calendar" else None, key="idle.A")
    else:
        assert span.on().add(at("2026-01-01T00:00")) == at("2026-01-01T00:00") + nominal


def test_a_calendar_lends_its_zone() -> None:
    assert Span("1d").on(calendar=SHANGHAI) == Span("1d").on("Asia/Shanghai")
    assert Span("1d").on("UTC", SHANGHAI) == Span("1d").on("UTC")


@pytest.mark.parametrize(
    ("text", "start", "due"),
    [
        # elapsed: 24 hours are 24 hours, whatever the clocks do
        ("24h", "2026-10-24T12:00", "2026-10-25T11:00"),
        ("24h", "2026-03-28T12:00", "2026-03-29T13:00"),
        # the same wall clock
        ("1d", "2026-10-24T12:00", "2026-10-25T12:00"),
        ("1d", "2026-03-28T12:00", "2026-03-29T12:00"),
        ("1d", "2026-03-28T02:30", "2026-03-29T03:00"),  # into the gap: its end
        ("1w", "2026-10-18T02:30", "2026-10-25T02:30"),  # into the fold: its first pass
        # months: a day that is missing lands at the end of the last day
        ("1mo", "2026-01-31T12:00", "2026-03-01T00:00"),
        ("1mo", "2026-01-28T12:00", "2026-02-28T12:00"),
        ("1mo", "2028-01-29T12:00", "2028-02-29T12:00"),
        ("12mo", "2024-02-29T12:00", "2025-03-01T00:00"),
        ("48mo", "2024-02-29T12:00", "2028-02-29T12:00"),
        ("1mo", "2026-02-28T02:30", "2026-03-28T02:30"),
        # working days
        ("1wd", "2026-03-06T15:00", "2026-03-09T15:00"),
        ("1wd", "2026-03-07T15:00", "2026-03-10T00:00"),
        ("0wd", "2026-03-07T15:00", "2026-03-09T00:00"),
        ("0wd", "2026-03-06T15:00", "2026-03-06T15:00"),
        # working time: the closing instant, not the next opening
        ("8wh", "2026-03-06T09:00", "2026-03-06T18:00"),
        ("1wmin", "2026-03-06T18:00", "2026-03-09T09:01"),
        ("0wh", "2026-03-07T15:00", "2026-03-07T15:00"),
    ],
)
def test_what_each_unit_means(text: str, start: str, due: str) -> None:
    span = Span(text).on(calendar=BusinessCalendar(zone="Europe/Berlin", week=OFFICE))
    assert span.add(at(start, "Europe/Berlin")) == at(due, "Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "now", "cutoff"),
    [
        ("1mo", "2026-02-28T12:00", "2026-01-28T12:00"),
        ("1mo", "2026-03-01T00:00", "2026-02-01T00:00"),
        ("1wd", "2026-03-09T15:00", "2026-03-06T15:00"),
        ("2wd", "2026-03-10T00:00", "2026-03-06T00:00"),
        ("1wh", "2026-03-09T09:30", "2026-03-06T17:30"),
        ("1wh", "2026-03-06T18:00", "2026-03-06T17:00"),
    ],
)
def test_cutoffs(text: str, now: str, cutoff: str) -> None:
    assert SHANGHAI.cutoff(at(now, "Asia/Shanghai"), text) == at(cutoff, "Asia/Shanghai")


def test_the_cutoff_of_a_free_day_is_the_end_of_a_working_day() -> None:
    assert SHANGHAI.cutoff(at("2026-03-07T15:00"), "1wd") == at("2026-03-06T00:00", "Asia/Shanghai") - TICK
    assert SHANGHAI.sub(at("2026-03-07T15:00"), "1wd") == at("2026-03-06T00:00", "Asia/Shanghai")


def test_a_month_that_is_shorter_ends_before_the_cutoff() -> None:
    span = Span("1mo").on("UTC")
    assert span.cutoff(at("2026-03-30T12:00")) == at("2026-03-01T00:00") - TICK
    assert span.add(at("2026-03-01T00:00") - TICK) == at("2026-03-29T00:00") - TICK


@pytest.mark.parametrize("text", ["1h", "1d", "1mo", "1wd", "1wh"])
@pytest.mark.parametrize("verb", ["add", "cutoff", "sub", "provisional"])
def test_only_aware_instants_are_taken(text: str, verb: str) -> None:
    calendar = BusinessCalendar(zone="UTC", week=OFFICE, known_through="2026-12-31")
    act = getattr(Span(text).on(calendar=calendar), verb)
    if verb == "provisional" and text in {"1h", "1d", "1mo"}:
        assert act(at("2099-01-01T00:00")) is False
        return
    with pytest.raises(NaiveDatetime):
        act(datetime(2026, 1, 1))
    for value in (date(2026, 1, 1), "2026-01-01", None):
        with pytest.raises(InvalidFact):
            act(value)


def test_provisional_is_what_lies_after_the_last_known_day() -> None:
    calendar = BusinessCalendar(zone="Asia/Shanghai", week=OFFICE, known_through="2026-12-31")
    span = Span("1wd").on(calendar=calendar)
    new_year = at("2027-01-01T00:00", "Asia/Shanghai")
    assert [span.provisional(new_year - TICK), span.provisional(new_year)] == [False, True]
    assert (span.known_through, span.known_until) == (date(2026, 12, 31), new_year)
    assert not Span("1wd").on(calendar=SHANGHAI).provisional(OPEN_ENDED)
    elapsed = Span("1h").on()
    assert (elapsed.known_through, elapsed.known_until) == (None, OPEN_ENDED)


def test_bound_spans_are_equal_by_span_zone_and_calendar() -> None:
    spans = [Span("1d").on("UTC"), Span("1d").on("Asia/Shanghai"), Span("2d").on("UTC"), Span("1wh").on(None, SHANGHAI)]
    assert len(set(spans)) == 4
    assert spans[0] != "1d"
    assert [repr(span) for span in spans] == [
        "<1d on UTC>",
        "<1d on Asia/Shanghai>",
        "<2d on UTC>",
        "<1wh on Asia/Shanghai>",
    ]
    assert repr(Span("1h").on()) == "<1h>"


def test_a_bound_span_does_not_change() -> None:
    span: BoundSpan = Span("1d").on("UTC")
    with pytest.raises(AttributeError, match="span: a bound span does not change"):
        span.span = Span("2d")


def test_shifts_are_not_kept_without_end() -> None:
    span = Span("1d").on("Asia/Shanghai")
    start = datetime(1950, 1, 1, tzinfo=UTC)
    for i in range(REMEMBERED + 2):
        span.add(start + timedelta(days=i))
    assert len(span._adds) < REMEMBERED


def test_a_span_can_be_used_at_once() -> None:
    """`add`, `sub` and `cutoff` without binding it first."""
    at = datetime(2026, 3, 31, 12, tzinfo=UTC)
    bound = Span("7d").on("Europe/Berlin")
    assert Span("7d").add(at, "Europe/Berlin") == bound.add(at)
    assert Span("7d").sub(at, "Europe/Berlin") == bound.sub(at)
    assert Span("7d").cutoff(at, "Europe/Berlin") == bound.cutoff(at)
    assert Span("24h").add(at) == at + timedelta(hours=24)
