"""Freeze, protections, minimum hold and remaining time (OWN-3, OWN-15, OWN-18, OWN-19)."""

from __future__ import annotations

from typing import Any

import pytest

from crmcore.calendars import OPEN_ENDED
from ownership.stories import TICK, answer, at, outcome, prospect, reason, reclaim

BOTH = reclaim(idle="30d", no_deal="90d", remind_before=["7d"])
LISTED = reclaim(idle="30d", protected_by=["contract", "quote"], remind_before=["7d"])
LATE = at("2027-01-01")


@pytest.mark.rule("OWN-3")
def test_a_frozen_prospect_is_kept_until_the_freeze_ends() -> None:
    """The end is exclusive: at that instant the ordinary rules apply again."""
    facts = prospect(frozen_until=LATE)
    assert BOTH.deadline(facts) == LATE
    assert outcome(BOTH, facts, at("2026-10-01")) == "keep"
    assert outcome(BOTH, facts, LATE - TICK) == "remind"
    assert answer(BOTH, facts, LATE) == ("reclaim", 0, "OWN-1")


@pytest.mark.rule("OWN-15")
@pytest.mark.parametrize("policy", [reclaim(idle="30d"), reclaim(no_deal="30d"), reclaim(idle="30d", no_deal="30d")])
def test_a_freeze_holds_back_both_reclaims(policy: Any) -> None:
    assert outcome(policy, prospect(), at("2026-06-01")) == "reclaim"
    assert outcome(policy, prospect(frozen_until=LATE), at("2026-06-01")) == "keep"


@pytest.mark.rule("OWN-15")
def test_the_clocks_run_on_during_a_freeze() -> None:
    """A freeze that ends before the limit moves nothing; idle still counts from the contact."""
    facts = prospect(frozen_until=at("2026-01-20"))
    assert BOTH.deadline(facts) == at("2026-01-31")
    idle = reason(BOTH, prospect(frozen_until=LATE), at("2026-06-01"), "idle")
    assert (idle.holds, idle.observed, idle.due) == (True, at("2026-01-01"), at("2026-01-31"))


@pytest.mark.rule("OWN-3")
def test_the_end_of_a_freeze_is_what_changes_next() -> None:
    policy = reclaim(idle="30d")
    assert policy.decide(prospect(frozen_until=LATE), now=at("2026-06-01")).next_change_at == LATE
    assert policy.decide(prospect(frozen_until=LATE), now=LATE).next_change_at is None


@pytest.mark.rule("OWN-18")
@pytest.mark.parametrize("fact", ["contract_until", "quote_until"])
def test_a_listed_protection_holds_back_the_reclaim_until_it_ends(fact: str) -> None:
    facts = prospect(**{fact: LATE})
    assert (LISTED.deadline(facts), outcome(LISTED, facts, at("2026-06-01"))) == (LATE, "keep")
    assert answer(LISTED, facts, LATE) == ("reclaim", 0, "OWN-1")
    held = [found for found in LISTED.decide(facts, now=at("2026-06-01")).reasons if found.holds]
    assert [(found.rule, found.code, found.fact) for found in held] == [
        ("OWN-1", "idle", "assigned_at"),
        ("OWN-18", "protected", fact),
    ]


@pytest.mark.rule("OWN-18")
def test_a_protection_that_the_policy_does_not_list_is_not_read() -> None:
    facts = prospect(order_until=OPEN_ENDED)
    assert "order_until" not in LISTED.reads
    assert outcome(LISTED, facts, at("2026-02-01")) == "reclaim"


@pytest.mark.rule("OWN-18")
def test_the_last_protection_to_end_counts() -> None:
    facts = prospect(frozen_until=at("2026-03-01"), contract_until=at("2026-05-01"), quote_until=at("2026-04-01"))
    assert LISTED.deadline(facts) == at("2026-05-01")


@pytest.mark.rule("OWN-3", "OWN-18")
@pytest.mark.parametrize("fact", ["frozen_until", "contract_until"])
@pytest.mark.parametrize("rest", [None, "3d"])
def test_an_open_ended_protection_keeps_for_good(fact: str, rest: str | None) -> None:
    """KEEP, no reminder, no deadline, nothing to come; the reason shows the deadline it would have had."""
    policy = reclaim(idle="30d", protected_by=["contract"], remind_before=["7d"], min_remaining=rest)
    facts = prospect(**{fact: OPEN_ENDED})
    for now in ("2026-01-28", "2026-06-01"):
        decision = policy.decide(facts, now=at(now))
        assert answer(policy, facts, at(now)) == ("keep", 0, None)
        assert (decision.deadline, decision.next_change_at, policy.deadline(facts)) == (None, None, None)
        assert decision.reasons[0].due == at("2026-01-31")
    held = next(found for found in decision.reasons if found.fact == fact)
    assert (held.holds, held.observed, held.due, held.margin) == (True, OPEN_ENDED, None, None)


@pytest.mark.rule("OWN-19")
def test_a_new_owner_has_the_minimum_hold() -> None:
    """A hold longer than the idle limit: nobody is taken from an owner who has just got it."""
    policy = reclaim(idle="3d", min_hold="7d")
    assert policy.deadline(prospect()) == at("2026-01-08")
    assert outcome(policy, prospect(), at("2026-01-08") - TICK) == "keep"
    assert answer(policy, prospect(), at("2026-01-08")) == ("reclaim", 0, "OWN-1")


@pytest.mark.rule("OWN-19")
def test_the_minimum_hold_begins_anew_with_each_change_of_owner() -> None:
    policy = reclaim(idle="3d", min_hold="7d")
    facts = prospect(owner="bob", assigned_at=at("2026-03-01"), last_contact_at=at("2025-06-01"))
    hold = reason(policy, facts, at("2026-03-05"), "min_hold")
    assert policy.deadline(facts) == at("2026-03-08")
    assert (hold.rule, hold.holds, hold.fact, str(hold.limit), hold.due) == (
        "OWN-19",
        True,
        "assigned_at",
        "7d",
        at("2026-03-08"),
    )
    assert reason(policy, facts, at("2026-03-08"), "min_hold").holds is False


@pytest.mark.rule("OWN-19")
@pytest.mark.parametrize("fact", ["frozen_until", "contract_until"])
def test_some_time_remains_after_a_protection_ends(fact: str) -> None:
    """Nobody is lost the minute a freeze ends."""
    policy = reclaim(idle="30d", protected_by=["contract"], min_remaining="3d")
    facts = prospect(**{fact: at("2026-06-01")})
    assert policy.deadline(facts) == at("2026-06-04")
    assert outcome(policy, facts, at("2026-06-04") - TICK) == "keep"
    assert outcome(policy, facts, at("2026-06-04")) == "reclaim"


@pytest.mark.rule("OWN-19")
def test_no_time_remains_where_there_was_no_protection_or_it_ended_long_ago() -> None:
    policy = reclaim(idle="30d", min_remaining="3d")
    assert policy.deadline(prospect()) == at("2026-01-31")
    assert policy.deadline(prospect(frozen_until=at("2026-01-10"))) == at("2026-01-31")
