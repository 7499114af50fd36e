"""Facts of past events that lie in the future: a clock that is wrong, a contact made while the run is under way."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crmcore.decisions import UNKNOWN
from ownership.stories import TICK, answer, at, outcome, prospect, reason, reclaim

POLICY = reclaim(idle="30d", no_deal="90d")
NOW = at("2026-02-15")


@pytest.mark.rule("OWN-14")
@pytest.mark.parametrize("ahead", [TICK, timedelta(hours=5), timedelta(hours=24)])
def test_a_contact_within_the_tolerance_saves_its_customer(ahead: timedelta) -> None:
    """The decision is only good until the contact's instant: then it is looked at again."""
    facts = prospect(last_contact_at=NOW + ahead)
    decision = POLICY.decide(facts, now=NOW)
    assert answer(POLICY, facts, NOW) == ("keep", 0, None)
    assert (decision.missing, decision.next_change_at) == ((), NOW + ahead)
    assert decision.deadline == POLICY.deadline(facts) == NOW + ahead + timedelta(days=30)


def test_a_contact_beyond_the_tolerance_is_ignored_named_and_looked_at_again() -> None:
    """It counts from fact - tolerance on, and that instant bounds the answer."""
    contact = NOW + timedelta(hours=24) + TICK
    decision = POLICY.decide(prospect(last_contact_at=contact), now=NOW)
    assert answer(POLICY, prospect(last_contact_at=contact), NOW) == ("reclaim", 0, "OWN-1")
    assert (decision.missing, decision.next_change_at) == (("last_contact_at",), contact - timedelta(hours=24))
    assert decision.deadline == at("2026-01-31")
    assert reason(POLICY, prospect(last_contact_at=contact), NOW, "idle").fact == "assigned_at"
    assert answer(POLICY, prospect(last_contact_at=contact), NOW + TICK) == ("keep", 0, None)


def test_the_deadline_of_the_facts_as_they_stand_knows_no_tolerance() -> None:
    assert POLICY.deadline(prospect(last_contact_at=at("2027-01-01"))) == at("2026-04-01")
    assert reclaim(idle="30d").deadline(prospect(last_contact_at=at("2027-01-01"))) == at("2027-01-31")


@pytest.mark.parametrize(("tolerance", "said"), [("0h", "reclaim"), ("48h", "keep"), ("2d", "keep")])
def test_the_tolerance_is_a_parameter(tolerance: str, said: str) -> None:
    policy = reclaim(idle="30d", future_tolerance=tolerance)
    assert outcome(policy, prospect(last_contact_at=NOW + timedelta(hours=30)), NOW) == said


def test_an_assignment_far_ahead_leaves_no_start() -> None:
    """Ignored, and there is nothing else to count from."""
    decision = POLICY.decide(prospect(assigned_at=at("2026-06-01")), now=NOW)
    assert (decision.outcome, decision.missing) == ("needs_data", ("assigned_at",))
    assert decision.next_change_at == at("2026-05-31")


def test_of_several_bounds_the_first_counts() -> None:
    facts = prospect(assigned_at=NOW + timedelta(hours=3), last_contact_at=NOW + timedelta(hours=2))
    assert POLICY.decide(facts, now=NOW).next_change_at == NOW + timedelta(hours=2)


def test_a_reminder_before_the_bound_comes_first() -> None:
    policy = reclaim(idle="30d", no_deal="90d", remind_before=["7d"])
    facts = prospect(assigned_at=at("2025-12-01"), last_contact_at=at("2026-02-23"))
    decision = policy.decide(facts, now=at("2026-02-22T00:00"))
    assert (decision.outcome, decision.step, decision.next_change_at) == ("remind", 1, at("2026-02-23"))
    early = policy.decide(facts, now=at("2026-02-21T22:00"))
    assert (early.missing, early.outcome, early.next_change_at) == (("last_contact_at",), "reclaim", at("2026-02-22"))


def test_protections_and_appointments_ahead_bound_nothing() -> None:
    """Only past events do: a freeze, a contract, a meeting are meant to lie ahead."""
    policy = reclaim(idle="60d", protected_by=["contract"], appointment="7d")
    ahead = NOW + timedelta(hours=1)
    facts = prospect(frozen_until=ahead, contract_until=ahead, appointment_at=ahead)
    decision = policy.decide(facts, now=NOW)
    assert (decision.next_change_at, decision.missing) == (at("2026-03-02"), ())


def test_a_future_fact_that_is_not_read_bounds_nothing() -> None:
    policy = reclaim(no_deal="90d")
    assert policy.decide(prospect(last_contact_at=NOW + TICK), now=NOW).next_change_at == at("2026-04-01")


def test_an_ignored_contact_beside_an_unknown_fact_is_named_once() -> None:
    facts = prospect(assigned_at=UNKNOWN, last_contact_at=NOW + timedelta(days=9))
    decision = POLICY.decide(facts, now=NOW)
    assert (decision.outcome, decision.missing) == ("needs_data", ("last_contact_at", "assigned_at"))
