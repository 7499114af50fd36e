"""Explanations: what was skipped between start and due, and why."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calendars.cases import OFFICE, at, instants, specs
from crmcore.calendars import OPEN_ENDED, BusinessCalendar, Explanation, Span

OFFICE_2026 = BusinessCalendar(
    zone="Asia/Shanghai",
    week=OFFICE,
    closed=["2026-10-01/2026-10-07"],
    open={"2026-10-10": ["09:00-18:00"]},
    labels={date(2026, 10, day): "国庆节" for day in range(1, 8)},
    known_through="2026-10-08",
)


def shown(found: Explanation) -> list[tuple[str, str, str, str]]:
    local = [(found.zone.local(each.start), found.zone.local(each.end), each) for each in found.skipped]
    return [(f"{start:%d %H:%M}", f"{end:%d %H:%M}", each.code, each.label) for start, end, each in local]


def test_working_time_skips_nights_weekends_and_closures() -> None:
    found = OFFICE_2026.explain(at("2026-09-30T17:00", "Asia/Shanghai"), "11wh")
    assert shown(found) == [
        ("30 18:00", "01 00:00", "outside_hours", ""),
        ("01 00:00", "08 00:00", "closure", "国庆节"),
        ("08 00:00", "08 09:00", "outside_hours", ""),
        ("08 12:00", "08 13:00", "outside_hours", ""),
        ("08 18:00", "09 09:00", "outside_hours", ""),
    ]
    assert (found.due, found.provisional) == (at("2026-10-09T11:00", "Asia/Shanghai"), True)
    assert found.known_through == date(2026, 10, 8)


def test_working_days_skip_free_days() -> None:
    found = OFFICE_2026.explain(at("2026-10-03T12:00", "Asia/Shanghai"), "3wd")
    assert shown(found) == [("03 12:00", "08 00:00", "closure", "国庆节"), ("11 00:00", "12 00:00", "closed_day", "")]


def test_a_gap_over_working_time_is_named() -> None:
    calendar = BusinessCalendar(zone="Europe/Berlin", week={"sat": ["22:00-06:00"], "mon": ["09:00-18:00"]})
    found = calendar.explain(at("2026-03-28T22:00", "Europe/Berlin"), "8wh")
    assert shown(found)[0] == ("29 03:00", "29 03:00", "dst_gap", "")
    assert [code for *_, code, _ in shown(found)] == ["dst_gap", "closed_day", "outside_hours"]
    office = BusinessCalendar(zone="Europe/Berlin", week=OFFICE)
    assert "dst_gap" not in [each.code for each in office.explain(at("2026-03-27T12:00"), "40wh").skipped]
    assert "dst_gap" not in [each.code for each in office.explain(at("2026-10-23T12:00"), "40wh").skipped]


@pytest.mark.parametrize("span", ["36h", "90min", "7d", "2w", "3mo"])
def test_time_that_passes_skips_nothing(span: str) -> None:
    found = OFFICE_2026.explain(at("2026-09-30T12:00"), Span(span))
    assert (found.skipped, found.provisional) == ((), False)
    assert found.due == OFFICE_2026.add(found.start, span)


def test_the_open_end_is_not_explained_day_by_day() -> None:
    assert OFFICE_2026.explain(OPEN_ENDED, "5wd").skipped == ()
    assert "9999-12-31" in OFFICE_2026.explain(OPEN_ENDED, "5wd").text()


def test_an_explanation_over_a_century_is_whole() -> None:
    calendar = BusinessCalendar(
        zone="UTC", week={}, open={"1900-01-01": ["09:00-10:00"], "2026-01-01": ["09:00-10:00"]}
    )
    found = calendar.explain(at("1900-01-01T09:30"), "1wh")
    assert found.due == at("2026-01-01T09:30")
    assert sum((each.end - each.start for each in found.skipped), timedelta(0)) == found.due - found.start - timedelta(
        hours=1
    )


def test_an_explanation_reads_in_both_languages() -> None:
    found = OFFICE_2026.explain(at("2026-09-30T17:30:15", "Asia/Shanghai"), "1wh")
    assert found.text() == (
        "Wed 2026-09-30 17:30:15 + 1wh = Thu 2026-10-08 09:30:15 (Asia/Shanghai)\n"
        "  Wed 2026-09-30 18:00 – Thu 2026-10-01 00:00: outside hours\n"
        "  Thu 2026-10-01 00:00 – Thu 2026-10-08 00:00: closed (国庆节)\n"
        "  Thu 2026-10-08 00:00 – Thu 2026-10-08 09:00: outside hours"
    )
    late = OFFICE_2026.explain(at("2026-10-08T17:30", "Asia/Shanghai"), "1wh")
    assert late.text("zh") == (
        "周四 2026-10-08 17:30 + 1wh = 周五 2026-10-09 09:30（Asia/Shanghai）\n"
        "  周四 2026-10-08 18:00 – 周五 2026-10-09 09:00: 非工作时间\n"
        "  日期公布至 2026-10-08；其后按每周工时推算（暂定）"
    )


@settings(max_examples=60)
@given(specs(), st.integers(0, 3000), st.data())
def test_what_is_skipped_and_what_is_worked_make_up_the_whole(
    spec: dict[str, object], n: int, data: st.DataObject
) -> None:
    calendar = BusinessCalendar(**spec)
    found = calendar.explain(data.draw(instants(str(spec["zone"]))), f"{n}wmin")
    skipped = sum((each.end - each.start for each in found.skipped), timedelta(0))
    assert found.due - found.start == skipped + timedelta(minutes=n)
    assert all(a.end <= b.start for a, b in pairwise(found.skipped))
    assert all(not calendar.is_open(each.start) for each in found.skipped if each.code != "dst_gap")
