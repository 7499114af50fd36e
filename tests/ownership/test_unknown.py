"""None says there was none; unknown says we do not know: NEEDS_DATA only where it would matter (DESIGN 3)."""

from __future__ import annotations

from typing import Any

import pytest

from crmcore.calendars import OPEN_ENDED
from crmcore.decisions import UNKNOWN
from ownership.stories import TICK, answer, at, outcome, prospect, reason, reclaim

BOTH = reclaim(idle="30d", no_deal="90d", protected_by=["contract"])
EARLY, IDLE_DUE, BOTH_DUE = at("2026-01-20"), at("2026-02-10"), at("2026-05-01")
UNGRADED = reclaim(idle={"A": "15d", "B": "60d"})


@pytest.mark.parametrize("said", [{"contact_unknown": True}, {"last_contact_at": UNKNOWN}])
@pytest.mark.parametrize(
    ("now", "facts", "expected"),
    [
        (EARLY, {}, ("keep", 0, None)),
        (IDLE_DUE, {}, ("needs_data", 0, None)),
        (BOTH_DUE, {}, ("reclaim", 0, "OWN-2")),
        (IDLE_DUE, {"contract_until": OPEN_ENDED}, ("keep", 0, None)),
        (IDLE_DUE, {"frozen_until": at("2026-06-01")}, ("keep", 0, None)),
        (BOTH_DUE, {"frozen_until": at("2026-06-01")}, ("keep", 0, None)),
    ],
)
def test_an_unknown_contact(said: dict[str, Any], now: Any, facts: dict[str, Any], expected: Any) -> None:
    """Not due from the assignment: KEEP; idle due, no-deal not: NEEDS_DATA; no-deal due: RECLAIM; protected: KEEP."""
    assert answer(BOTH, prospect(**said, **facts), now) == expected


def test_needs_data_names_what_is_missing_and_when_the_answer_will_stand() -> None:
    decision = BOTH.decide(prospect(contact_unknown=True), now=IDLE_DUE)
    assert (decision.missing, decision.next_change_at) == (("last_contact_at",), at("2026-04-01"))
    assert [(found.code, found.holds) for found in decision.reasons[:2]] == [("idle", None), ("no_deal", False)]
    assert BOTH.decide(prospect(contact_unknown=True), now=EARLY).next_change_at == at("2026-01-31")


def test_a_known_contact_beside_the_flag_is_not_trusted() -> None:
    """The flag says that the record of contacts is not whole."""
    facts = prospect(contact_unknown=True, last_contact_at=at("2026-02-09"))
    assert outcome(BOTH, facts, IDLE_DUE) == "needs_data"


@pytest.mark.parametrize(("now", "expected"), [(EARLY, "keep"), (at("2026-01-31"), "remind"), (BOTH_DUE, "reclaim")])
def test_an_unknown_that_changes_nothing_is_not_asked_for(now: Any, expected: str) -> None:
    """The idle limit is longer than no-deal: it can never be the first."""
    policy = reclaim(idle="60d", no_deal="40d", remind_before=["12d"])
    facts = prospect(contact_unknown=True)
    assert outcome(policy, facts, now) == expected
    assert policy.decide(facts, now=now).missing == ()


@pytest.mark.parametrize("grade", [None, "Z", UNKNOWN])
@pytest.mark.parametrize(("day", "expected"), [(14, "keep"), (20, "needs_data"), (70, "reclaim")])
def test_a_grade_that_is_not_known_is_judged_over_all_the_limits(grade: Any, day: int, expected: str) -> None:
    now = at("2026-01-01") + (at("2026-01-02") - at("2026-01-01")) * day
    decision = UNGRADED.decide(prospect(grade=grade), now=now)
    assert outcome(UNGRADED, prospect(grade=grade), now) == expected
    assert decision.missing == (("grade",) if expected == "needs_data" else ())


def test_an_unknown_grade_is_unknown_even_with_a_default() -> None:
    """The default is for none and for what is not listed."""
    policy = reclaim(idle={"A": "15d", "default": "60d"})
    assert outcome(policy, prospect(grade=UNKNOWN), at("2026-01-20")) == "needs_data"
    assert reason(policy, prospect(grade=UNKNOWN), at("2026-01-20"), "idle").fact == "grade"
    assert policy.deadline(prospect(grade=UNKNOWN)) is None
    assert outcome(policy, prospect(grade=None), at("2026-01-20")) == "keep"


@pytest.mark.parametrize("fact", ["owner", "status"])
def test_an_unknown_owner_or_status_matters_once_it_would_be_due(fact: str) -> None:
    facts = prospect(**{fact: UNKNOWN})
    assert answer(BOTH, facts, EARLY) == ("keep", 0, None)
    assert answer(BOTH, facts, IDLE_DUE) == ("needs_data", 0, None)
    decision = BOTH.decide(facts, now=IDLE_DUE)
    assert (decision.missing, decision.next_change_at) == ((fact,), None)
    assert BOTH.deadline(facts) is None


def test_an_unknown_status_of_a_prospect_without_an_owner_does_not_matter() -> None:
    assert answer(BOTH, prospect(status=UNKNOWN, owner=None), BOTH_DUE) == ("keep", 0, None)


@pytest.mark.parametrize("fact", ["frozen_until", "contract_until"])
def test_an_unknown_protection_matters_once_it_would_be_due(fact: str) -> None:
    facts = prospect(**{fact: UNKNOWN})
    assert answer(BOTH, facts, at("2026-01-31") - TICK) == ("keep", 0, None)
    decision = BOTH.decide(facts, now=IDLE_DUE)
    assert answer(BOTH, facts, IDLE_DUE) == ("needs_data", 0, None)
    assert (decision.missing, decision.deadline) == ((fact,), None)
    assert next(found for found in decision.reasons if found.fact == fact).holds is None


def test_an_unknown_protection_beside_an_open_ended_one_does_not_matter() -> None:
    facts = prospect(frozen_until=UNKNOWN, contract_until=OPEN_ENDED)
    assert answer(BOTH, facts, BOTH_DUE) == ("keep", 0, None)


def test_an_unknown_assignment_matters_where_the_contact_is_too_old() -> None:
    """A recent contact says idle is not due; no-deal may be."""
    idle = reclaim(idle="30d")
    facts = prospect(assigned_at=UNKNOWN, last_contact_at=at("2026-02-01"))
    assert answer(idle, facts, IDLE_DUE) == ("keep", 0, None)
    assert answer(idle, facts, BOTH_DUE) == ("needs_data", 0, None)
    decision = BOTH.decide(facts, now=IDLE_DUE)
    assert (decision.outcome, decision.missing) == ("needs_data", ("assigned_at",))


@pytest.mark.parametrize("assigned", [None, UNKNOWN])
def test_no_start_at_all_is_needs_data_and_never_reclaim(assigned: Any) -> None:
    facts = prospect(assigned_at=assigned)
    assert answer(BOTH, facts, BOTH_DUE) == ("needs_data", 0, None)
    assert BOTH.decide(facts, now=BOTH_DUE).missing == ("assigned_at",)


def test_no_assignment_but_a_contact() -> None:
    """Idle counts from the contact; no-deal has no start."""
    facts = prospect(assigned_at=None, last_contact_at=at("2026-01-01"))
    assert answer(reclaim(idle="30d"), facts, IDLE_DUE) == ("reclaim", 0, "OWN-1")
    assert answer(BOTH, facts, EARLY) == ("needs_data", 0, None)
    assert answer(BOTH, facts, IDLE_DUE) == ("reclaim", 0, "OWN-1")


def test_the_unknown_may_be_said_to_be_false() -> None:
    for flag in (False, None, 0):
        assert outcome(BOTH, prospect(contact_unknown=flag), IDLE_DUE) == "reclaim"


def test_a_rule_is_named_where_the_cases_hold_different_ones() -> None:
    """Due whatever the grade, whatever the contact: the rule is the first that holds in every case, else the last's."""
    policy = reclaim(idle={"A": "15d", "B": "40d"}, no_deal="30d")
    assert answer(policy, prospect(grade=UNKNOWN), at("2026-02-01")) == ("reclaim", 0, "OWN-2")
    assert answer(policy, prospect(grade=UNKNOWN), at("2026-03-01")) == ("reclaim", 0, "OWN-1")


def test_a_minimum_hold_of_an_unknown_assignment_never_hurries() -> None:
    policy = reclaim(idle="30d", min_hold="7d")
    facts = prospect(assigned_at=UNKNOWN, last_contact_at=at("2026-01-01"))
    assert outcome(policy, facts, IDLE_DUE) == "needs_data"
    assert reason(policy, facts, IDLE_DUE, "min_hold").holds is None
