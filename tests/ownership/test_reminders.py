"""Reminders are the reclaim seen earlier: leads in any order and unit."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from crmcore.calendars import BusinessCalendar
from crmcore.errors import InvalidPolicy
from crmcore.ownership import ReclaimPolicy
from ownership.stories import TICK, WEEK, answer, at, outcome, prospect, reclaim

OFFICE = BusinessCalendar(zone="UTC", week=WEEK)
LEADS = ("1w", "2d", "24h")


@pytest.mark.parametrize("leads", list(permutations(LEADS)))
def test_a_step_is_how_many_leads_have_begun_whatever_their_order(leads: tuple[str, ...]) -> None:
    policy = reclaim(idle="30d", remind_before=leads)
    moments = ["2026-01-23T23:59", "2026-01-24", "2026-01-29", "2026-01-30", "2026-01-31"]
    assert [answer(policy, prospect(), at(moment)) for moment in moments] == [
        ("keep", 0, None),
        ("remind", 1, "OWN-1"),
        ("remind", 2, "OWN-1"),
        ("remind", 3, "OWN-1"),
        ("reclaim", 0, "OWN-1"),
    ]


@pytest.mark.parametrize(("unit", "begins"), [("2d", "2026-01-29"), ("48h", "2026-01-29"), ("1w", "2026-01-24")])
def test_a_reminder_begins_its_lead_before_the_deadline(unit: str, begins: str) -> None:
    policy = reclaim(idle="30d", remind_before=[unit])
    assert outcome(policy, prospect(), at(begins) - TICK) == "keep"
    assert answer(policy, prospect(), at(begins)) == ("remind", 1, "OWN-1")


def test_a_lead_in_working_days_skips_the_weekend() -> None:
    """31 January 2026 is a Saturday: two working days before it is Friday's last moment less a working day."""
    policy = ReclaimPolicy(idle="30d", remind_before=["2wd"], zone="UTC", calendar=OFFICE)
    begins = policy.decide(prospect(), now=at("2026-01-10")).next_change_at
    assert begins is not None
    assert OFFICE.add(begins, "2wd") >= at("2026-01-31") > OFFICE.add(begins - TICK, "2wd")
    assert answer(policy, prospect(), begins) == ("remind", 1, "OWN-1")
    assert outcome(policy, prospect(), begins - TICK) == "keep"


def test_an_open_record_is_reminded_exactly_when_it_will_be_due_after_the_lead() -> None:
    """REMIND at now is RECLAIM at now + lead."""
    policy = reclaim(idle="30d", no_deal="40d", remind_before=["5d"])
    for day in range(1, 31):
        now = at(f"2026-01-{day:02}")
        later = outcome(reclaim(idle="30d", no_deal="40d"), prospect(), policy._deadlines.rules.leads[0].add(now))
        assert (outcome(policy, prospect(), now) == "remind") == (later == "reclaim")


def test_the_rule_of_a_reminder_is_the_one_that_will_hold() -> None:
    """The first in catalogue order at the soonest reminder that has begun."""
    facts = prospect(last_contact_at=at("2026-03-20"))
    policy = reclaim(idle="30d", no_deal="90d", remind_before=["7d", "1d"])
    assert answer(policy, facts, at("2026-03-28")) == ("remind", 1, "OWN-2")
    both = prospect(last_contact_at=at("2026-03-02T12:00"))
    assert answer(policy, both, at("2026-03-27")) == ("remind", 1, "OWN-1")


@pytest.mark.parametrize("lead", ["15d", "16d", "360h"])
def test_a_lead_that_is_not_shorter_than_a_limit_is_not_used_for_it(lead: str) -> None:
    """Else a grade A prospect would be reminded from the day it was assigned."""
    policy = reclaim(idle={"A": "15d", "default": "60d"}, remind_before=[lead, "1d"])
    assert outcome(policy, prospect(grade="A"), at("2026-01-02")) == "keep"
    assert answer(policy, prospect(grade="A"), at("2026-01-15")) == ("remind", 1, "OWN-1")
    assert policy.decide(prospect(grade="A"), now=at("2026-01-02")).next_change_at == at("2026-01-15")
    assert answer(policy, prospect(grade="B"), at("2026-02-15")) == ("remind", 1, "OWN-1")
    assert answer(policy, prospect(grade="B"), at("2026-03-01")) == ("remind", 2, "OWN-1")


def test_a_lead_too_long_for_one_limit_still_serves_the_other() -> None:
    """The reminder for no-deal begins although the idle limit is shorter than its lead."""
    policy = reclaim(idle="10d", no_deal="90d", remind_before=["20d"])
    facts = prospect(last_contact_at=at("2026-03-10"))
    assert answer(policy, facts, at("2026-03-12") - TICK) == ("keep", 0, None)
    assert answer(policy, facts, at("2026-03-12")) == ("remind", 1, "OWN-2")
    assert policy.deadline(facts) == at("2026-03-20")
    assert answer(policy, facts, at("2026-03-20")) == ("reclaim", 0, "OWN-1")


def test_a_protection_ending_soon_reminds() -> None:
    """Exempt from the reclaim is not exempt from the reminder."""
    policy = reclaim(idle="30d", remind_before=["7d"])
    facts = prospect(frozen_until=at("2026-06-10"))
    assert answer(policy, facts, at("2026-06-03")) == ("remind", 1, "OWN-1")


@pytest.mark.parametrize("lead", ["1mo", "30min", "4wh", "10wmin"])
def test_leads_are_in_hours_days_weeks_or_working_days(lead: Any) -> None:
    with pytest.raises(InvalidPolicy, match=rf"^remind_before\[1\]: '{lead}' is not in h, d, w, wd$"):
        ReclaimPolicy(idle="90d", remind_before=["1d", lead], calendar=OFFICE)
