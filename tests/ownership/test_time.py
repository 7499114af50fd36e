"""Days, months, hours and working days: what the unit of a limit means where clocks and calendars are not plain."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from crmcore.calendars import BusinessCalendar
from crmcore.ownership import ReclaimPolicy
from ownership.stories import TICK, WEEK, answer, at, outcome, prospect, reason

BERLIN = "Europe/Berlin"
CHINA = BusinessCalendar.from_table({"zone": "Asia/Shanghai", "week": WEEK, "holidays": "chinesecalendar"})


THIS_YEAR = BusinessCalendar(zone="UTC", week=WEEK, known_through=date(2026, 12, 31))


def due(idle: str, assigned: datetime, zone: str = BERLIN, calendar: BusinessCalendar | None = None) -> datetime:
    """The deadline of an idle limit; the answer there and just before agrees with it."""
    policy = ReclaimPolicy(idle=idle, zone=zone, calendar=calendar)
    facts = prospect(assigned_at=assigned)
    deadline = policy.deadline(facts)
    assert deadline is not None
    assert outcome(policy, facts, deadline - TICK) == "keep"
    assert outcome(policy, facts, deadline) == "reclaim"
    return deadline


@pytest.mark.rule("OWN-1")
@pytest.mark.parametrize(
    ("idle", "assigned", "expected"),
    [
        ("1d", "2026-03-28 10:00", "2026-03-29 10:00"),  # 23 hours later
        ("24h", "2026-03-28 10:00", "2026-03-29 11:00"),
        ("1d", "2026-10-24 10:00", "2026-10-25 10:00"),  # 25 hours later
        ("24h", "2026-10-24 10:00", "2026-10-25 09:00"),
        ("1d", "2026-03-28 02:30", "2026-03-29 03:00"),  # no such time: the end of the gap
        ("1d", "2026-10-24 02:30", "2026-10-25 02:30"),  # twice: the first
        ("1w", "2026-03-28 02:30", "2026-04-04 02:30"),
    ],
)
def test_days_are_the_zones_and_hours_are_hours(idle: str, assigned: str, expected: str) -> None:
    assert due(idle, at(assigned, BERLIN)) == at(expected, BERLIN)


def test_a_start_in_the_second_pass_of_a_fold_counts_as_its_end() -> None:
    """02:30 for the second time counts as 03:00."""
    assert due("1d", at("2026-10-25 02:30", BERLIN, fold=1)) == at("2026-10-26 03:00", BERLIN)


@pytest.mark.parametrize(
    ("assigned", "expected"),
    [
        ("2026-01-31 10:00", "2026-03-01"),  # all of 28 February is still free
        ("2024-01-31 10:00", "2024-03-01"),
        ("2024-01-29 10:00", "2024-02-29 10:00"),
        ("2026-03-31 10:00", "2026-05-01"),
        ("2026-12-31 10:00", "2027-01-31 10:00"),
        ("2026-02-28 10:00", "2026-03-28 10:00"),
    ],
)
def test_a_month_is_the_same_day_of_the_next_or_the_end_of_its_last(assigned: str, expected: str) -> None:
    assert due("1mo", at(assigned), "UTC") == at(expected)


@pytest.mark.parametrize(
    ("idle", "assigned", "expected"),
    [
        ("5wd", "2025-09-26 10:00", "2025-10-10 10:00"),  # Sunday 28 September is worked, 1 to 8 October are free
        ("1wd", "2025-09-27 15:00", "2025-09-29"),  # a start on a free day counts from the next working day
        ("1wd", "2025-10-10 10:00", "2025-10-11 10:00"),  # a Saturday that is worked
        ("9wh", "2025-09-30 09:00", "2025-09-30 18:00"),
        ("10wh", "2025-09-30 09:00", "2025-10-09 10:00"),
        ("30wmin", "2025-09-30 17:45", "2025-10-09 09:15"),
    ],
)
def test_working_time_follows_the_chinese_calendar(idle: str, assigned: str, expected: str) -> None:
    shanghai = "Asia/Shanghai"
    assert due(idle, at(assigned, shanghai), shanghai, CHINA) == at(expected, shanghai)


def test_the_zone_of_a_policy_is_not_the_zone_of_its_facts() -> None:
    """Instants are instants: the same one, written in another zone, gives the same answer."""
    policy = ReclaimPolicy(idle="1d", zone=BERLIN)
    for zone in ("UTC", "Asia/Shanghai", "America/New_York"):
        facts = prospect(assigned_at=at("2026-03-28 10:00", BERLIN).astimezone(ZoneInfo(zone)))
        assert policy.deadline(facts) == at("2026-03-29 10:00", BERLIN)


ANNOUNCED = BusinessCalendar(zone="UTC", week=WEEK, known_through=date(2026, 1, 9))


def test_a_deadline_beyond_the_announced_dates_is_provisional() -> None:
    """The decision says so, and the reason until when the calendar is known."""
    policy = ReclaimPolicy(idle="10wd", zone="UTC", calendar=ANNOUNCED)
    decision = policy.decide(prospect(), now=at("2026-01-05"))
    assert (decision.provisional, decision.outcome) == (True, "keep")
    assert reason(policy, prospect(), at("2026-01-05"), "idle").known_through == date(2026, 1, 9)
    assert "provisional: the calendar is known through 2026-01-09 only" in decision.explain()


def test_a_deadline_within_the_announced_dates_is_not_provisional() -> None:
    policy = ReclaimPolicy(idle="5wd", zone="UTC", calendar=ANNOUNCED)
    decision = policy.decide(prospect(), now=at("2026-01-05"))
    assert (decision.provisional, decision.reasons[0].known_through) == (False, None)


@pytest.mark.parametrize(
    "parameters",
    [
        {"idle": "5d", "no_deal": "20wd"},
        {"idle": "5d", "min_hold": "20wd"},
        {"idle": "20d", "remind_before": ["1wd"]},
        {"idle": "5d", "min_remaining": "20wd"},
    ],
)
def test_every_span_that_uses_the_calendar_counts(parameters: dict[str, str]) -> None:
    """Limit, hold, remaining time or lead beyond the announced dates: provisional."""
    policy = ReclaimPolicy(zone="UTC", calendar=ANNOUNCED, **parameters)
    assert policy.decide(prospect(frozen_until=at("2026-01-08")), now=at("2026-01-02")).provisional


def test_a_provisional_lead_alone_says_that_days_are_not_announced() -> None:
    policy = ReclaimPolicy(idle="20d", remind_before=["1wd"], zone="UTC", calendar=ANNOUNCED)
    text = policy.decide(prospect(), now=at("2026-01-02")).explain()
    assert "provisional: working days not announced yet" in text


def test_a_limit_in_days_is_never_provisional() -> None:
    policy = ReclaimPolicy(idle="60d", zone="UTC", calendar=ANNOUNCED)
    assert not policy.decide(prospect(), now=at("2026-01-05")).provisional


def test_a_provisional_reclaim_in_the_unannounced_year() -> None:
    policy = ReclaimPolicy(idle="10wd", zone="UTC", calendar=ANNOUNCED)
    assert answer(policy, prospect(), at("2026-06-01")) == ("reclaim", 0, "OWN-1")
    assert policy.decide(prospect(), now=at("2026-06-01")).provisional


def test_now_may_be_in_any_zone_and_the_decision_is_in_utc() -> None:
    policy = ReclaimPolicy(idle="1d", zone="UTC")
    now = at("2026-01-05 10:00").astimezone(ZoneInfo("Asia/Shanghai"))
    decision = policy.decide(prospect(), now=now)
    assert (decision.as_of, decision.as_of.utcoffset()) == (now, timedelta())


def test_the_first_instant_that_is_not_known_is_provisional() -> None:
    """Due exactly at the end of what the calendar knows: the decision says so, and so does its reason."""
    facts = {"status": "open", "owner": "u", "last_contact_at": None, "frozen_until": None, "id": 1}
    start = datetime(2026, 12, 31, tzinfo=UTC)
    decision = ReclaimPolicy(idle="1wd", calendar=THIS_YEAR).decide({**facts, "assigned_at": start}, now=start)
    assert (decision.deadline, decision.provisional) == (datetime(2027, 1, 1, tzinfo=UTC), True)
    assert str(decision.reasons[0].known_through) == "2026-12-31"


def test_an_appointment_counted_in_days_that_are_not_known_is_provisional() -> None:
    policy = ReclaimPolicy(no_deal="10d", appointment="5wd", calendar=THIS_YEAR, zone="UTC")
    start = datetime(2026, 12, 28, tzinfo=UTC)
    facts = {"status": "open", "owner": "u", "assigned_at": start, "frozen_until": None, "appointment_at": None}
    assert policy.decide(facts, now=start).provisional
