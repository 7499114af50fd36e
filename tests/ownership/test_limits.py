"""Idle and no-deal: when a prospect is due (OWN-1, OWN-2, OWN-9, OWN-14)."""

from __future__ import annotations

import pytest

from crmcore.decisions import UNKNOWN
from ownership.stories import TICK, answer, at, outcome, prospect, reason, reclaim

IDLE = reclaim(idle="30d")
GRADED = reclaim(idle={"A": "15d", "B": "30d", "default": "60d"})
BOTH = reclaim(idle="30d", no_deal="90d")


@pytest.mark.rule("OWN-1")
def test_idle_is_due_at_the_limit_and_not_a_microsecond_before() -> None:
    """At the deadline it is due."""
    due = at("2026-01-31")
    assert IDLE.deadline(prospect()) == due
    assert answer(IDLE, prospect(), due - TICK) == ("keep", 0, None)
    assert answer(IDLE, prospect(), due) == ("reclaim", 0, "OWN-1")


@pytest.mark.rule("OWN-2")
def test_no_deal_is_due_at_the_limit_and_not_a_microsecond_before() -> None:
    policy, due = reclaim(no_deal="90d"), at("2026-04-01")
    assert answer(policy, prospect(last_contact_at=due - TICK), due - TICK) == ("keep", 0, None)
    assert answer(policy, prospect(last_contact_at=due - TICK), due) == ("reclaim", 0, "OWN-2")


@pytest.mark.rule("OWN-1")
@pytest.mark.parametrize(("grade", "days"), [("A", 15), ("B", 30), ("Z", 60), (None, 60)])
def test_the_idle_limit_goes_by_grade(grade: str | None, days: int) -> None:
    """A grade that is none or not listed takes the default."""
    deadline = GRADED.deadline(prospect(grade=grade))
    assert deadline is not None
    assert (deadline - at("2026-01-01")).days == days
    assert outcome(GRADED, prospect(grade=grade), deadline) == "reclaim"
    assert outcome(GRADED, prospect(grade=grade), deadline - TICK) == "keep"


@pytest.mark.rule("OWN-14")
@pytest.mark.parametrize(
    ("contact", "fact", "since"),
    [
        (None, "assigned_at", "2026-01-01"),
        ("2025-11-11", "assigned_at", "2026-01-01"),
        ("2026-01-10", "last_contact_at", "2026-01-10"),
    ],
)
def test_idle_counts_from_the_later_of_assignment_and_contact(contact: str | None, fact: str, since: str) -> None:
    """A contact by the owner before this one's assignment changes nothing."""
    facts = prospect(last_contact_at=contact and at(contact))
    idle = reason(IDLE, facts, at("2026-01-20"), "idle")
    assert (idle.fact, idle.observed) == (fact, at(since))


@pytest.mark.rule("OWN-14", "OWN-2")
def test_no_deal_counts_from_the_assignment_whatever_the_contacts() -> None:
    facts = prospect(last_contact_at=at("2026-03-25"))
    assert answer(BOTH, facts, at("2026-04-01")) == ("reclaim", 0, "OWN-2")


def test_the_earlier_limit_decides_and_the_first_rule_that_holds_is_named() -> None:
    """With both due, the rule is the first in catalogue order, and both reasons hold."""
    decision = BOTH.decide(prospect(), now=at("2026-05-01"))
    assert (decision.rule, decision.deadline) == ("OWN-1", at("2026-01-31"))
    assert [(found.rule, found.holds) for found in decision.reasons[:2]] == [("OWN-1", True), ("OWN-2", True)]


@pytest.mark.rule("OWN-9")
@pytest.mark.parametrize("status", ["won", "lost", "invalid"])
def test_what_is_not_open_is_kept_for_good(status: str) -> None:
    """Not a prospect any more: not reclaimed, however old, and time changes nothing."""
    decision = BOTH.decide(prospect(status=status), now=at("2030-01-01"))
    assert answer(BOTH, prospect(status=status), at("2030-01-01")) == ("keep", 0, None)
    assert (decision.next_change_at, decision.deadline, BOTH.deadline(prospect(status=status))) == (None, None, None)
    (only,) = decision.reasons
    assert (only.rule, only.code, only.holds, only.observed) == ("OWN-9", "not_open", True, status)


def test_without_an_owner_there_is_nobody_to_reclaim_from() -> None:
    decision = BOTH.decide(prospect(owner=None), now=at("2030-01-01"))
    assert answer(BOTH, prospect(owner=None), at("2030-01-01")) == ("keep", 0, None)
    assert (decision.next_change_at, [found.code for found in decision.reasons]) == (None, ["no_owner"])


def test_a_closed_prospect_needs_no_data() -> None:
    """Of what is not open nothing else is asked, whatever is unknown."""
    facts = prospect(status="won", assigned_at=None, frozen_until=UNKNOWN, contact_unknown=True)
    assert answer(BOTH, facts, at("2030-01-01")) == ("keep", 0, None)


def test_a_policy_without_a_limit_reclaims_nothing() -> None:
    policy = reclaim()
    assert answer(policy, prospect(assigned_at=at("1990-01-01")), at("2026-01-01")) == ("keep", 0, None)
    assert policy.deadline(prospect()) is None
    assert policy.decide(prospect(), now=at("2026-01-01")).next_change_at is None


def test_a_deadline_beyond_the_year_9999_never_comes() -> None:
    policy = reclaim(idle="120000mo")
    assert policy.deadline(prospect()) is None
    assert policy.decide(prospect(), now=at("2026-01-01")).next_change_at is None


def test_reminders_and_deadline_of_a_kept_prospect_are_what_comes_next() -> None:
    """next_change_at is the first reminder, then the next, then the deadline, then nothing."""
    policy = reclaim(idle="30d", remind_before=["7d", "1d"])
    moments = ["2026-01-10", "2026-01-24", "2026-01-30", "2026-01-31"]
    changes = [policy.decide(prospect(), now=at(moment)).next_change_at for moment in moments]
    assert changes == [at("2026-01-24"), at("2026-01-30"), at("2026-01-31"), None]
