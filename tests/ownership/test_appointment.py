"""An agreed appointment moves the deadline (OWN-18)."""

from __future__ import annotations

import pytest

from crmcore.calendars import OPEN_ENDED
from crmcore.decisions import UNKNOWN
from ownership.stories import TICK, answer, at, outcome, prospect, reason, reclaim

POLICY = reclaim(idle="30d", appointment="14d", remind_before=["7d"])
DUE = at("2026-01-31")


@pytest.mark.rule("OWN-18")
@pytest.mark.parametrize(
    ("appointment", "deadline"),
    [
        ("2026-01-20", "2026-01-31"),
        ("2026-01-31", "2026-01-31"),
        ("2026-02-05", "2026-02-05"),
        ("2026-02-14", "2026-02-14"),
        ("2026-02-14T00:00:00.000001", "2026-01-31"),
    ],
)
def test_an_appointment_shortly_after_the_deadline_moves_it(appointment: str, deadline: str) -> None:
    """One before the deadline changes nothing, nor does one later than `appointment` allows."""
    facts = prospect(appointment_at=at(appointment))
    assert POLICY.deadline(facts) == at(deadline)
    assert outcome(POLICY, facts, at(deadline) - TICK) == "remind"
    assert outcome(POLICY, facts, at(deadline)) == "reclaim"


@pytest.mark.rule("OWN-18")
def test_the_reminder_moves_with_the_deadline() -> None:
    facts = prospect(appointment_at=at("2026-02-10"))
    assert outcome(POLICY, facts, at("2026-02-03") - TICK) == "keep"
    assert answer(POLICY, facts, at("2026-02-03")) == ("remind", 1, "OWN-1")


@pytest.mark.rule("OWN-18")
def test_the_reason_says_whether_the_appointment_moved_the_deadline() -> None:
    facts = prospect(appointment_at=at("2026-02-10"))
    moved = reason(POLICY, facts, at("2026-02-03"), "appointment")
    assert (moved.rule, moved.holds, moved.due) == ("OWN-18", True, at("2026-02-10"))
    assert moved.margin == at("2026-02-03") - at("2026-02-10")
    over = reason(POLICY, facts, at("2026-02-10"), "appointment")
    early = reason(POLICY, prospect(appointment_at=at("2026-01-05")), at("2026-01-06"), "appointment")
    none = reason(POLICY, prospect(), at("2026-02-10"), "appointment")
    assert [(found.holds, found.due) for found in (over, early, none)] == [(False, None)] * 3
    assert [found.observed for found in (over, early, none)] == [at("2026-02-10"), at("2026-01-05"), None]


@pytest.mark.rule("OWN-18")
def test_an_appointment_is_within_reach_of_the_deadline_after_a_freeze() -> None:
    facts = prospect(frozen_until=at("2026-06-01"), appointment_at=at("2026-06-10"))
    assert POLICY.deadline(facts) == at("2026-06-10")


def test_without_the_parameter_an_appointment_is_not_read() -> None:
    policy = reclaim(idle="30d")
    assert "appointment_at" not in policy.reads
    assert policy.deadline(prospect(appointment_at=at("2026-02-05"))) == DUE


def test_an_unknown_appointment_may_move_the_deadline_as_far_as_allowed() -> None:
    """Due with and without it: RECLAIM; due only without it: NEEDS_DATA."""
    facts = prospect(appointment_at=UNKNOWN)
    assert outcome(POLICY, facts, at("2026-01-05")) == "keep"
    assert outcome(POLICY, facts, DUE) == "needs_data"
    decision = POLICY.decide(facts, now=DUE)
    assert (decision.missing, decision.next_change_at) == (("appointment_at",), at("2026-02-14"))
    assert answer(POLICY, facts, at("2026-02-14")) == ("reclaim", 0, "OWN-1")
    assert reason(POLICY, facts, DUE, "appointment").holds is None
    assert POLICY.deadline(facts) is None


def test_an_appointment_of_an_open_ended_protection_moves_nothing() -> None:
    facts = prospect(frozen_until=OPEN_ENDED, appointment_at=at("2026-02-05"))
    assert (POLICY.deadline(facts), outcome(POLICY, facts, at("2026-02-01"))) == (None, "keep")


def test_an_appointment_that_may_or_may_not_have_moved_the_deadline_is_open() -> None:
    """With the contact unknown it moves one of the possible deadlines, not the other."""
    facts = prospect(contact_unknown=True, appointment_at=at("2026-02-05"))
    assert reason(POLICY, facts, at("2026-02-01"), "appointment").holds is None
