"""The pitfalls that the peers fall into (research, ownership §4, 1 to 13), each as a fact about reclaim."""

from __future__ import annotations

from datetime import UTC, date, timedelta

import attrs
import pytest

from crmcore.calendars import OPEN_ENDED, BusinessCalendar
from crmcore.errors import NoWorkingTime
from crmcore.ownership import CapPolicy, ReclaimPolicy
from ownership.stories import TICK, WEEK, answer, at, outcome, prospect, reclaim


def test_1_one_deadline_is_behind_every_view() -> None:
    """Sweep, reminder, days left and work list agree at every border."""
    policy = reclaim(idle="30d", no_deal="90d", min_hold="7d", remind_before=["3d"])
    facts = prospect(last_contact_at=at("2026-02-20 15:00"), frozen_until=at("2026-03-25"))
    deadline = policy.deadline(facts)
    assert deadline == policy.decide(facts, now=at("2026-03-01")).deadline == at("2026-03-25")
    moments = [deadline - timedelta(days=3) - TICK, deadline - timedelta(days=3), deadline - TICK, deadline]
    assert [outcome(policy, facts, moment) for moment in moments] == ["keep", "remind", "remind", "reclaim"]
    assert policy.decide(facts, now=moments[0]).next_change_at == moments[1]
    assert policy.decide(facts, now=moments[1]).next_change_at == deadline


def test_2_days_are_counted_in_the_organisations_zone() -> None:
    """The same limit is due at midnight of the place, not of UTC, over the change to summer time too."""
    facts = prospect(assigned_at=at("2026-03-28", "Europe/Berlin"))
    due = {zone: ReclaimPolicy(idle="2d", zone=zone).deadline(facts) for zone in ("Europe/Berlin", "UTC")}
    assert due == {"Europe/Berlin": at("2026-03-30", "Europe/Berlin"), "UTC": at("2026-03-29 23:00")}


def test_3_hours_days_and_working_days_are_three_things() -> None:
    """And of a year that is not announced yet the answer says so."""
    office = BusinessCalendar(zone="Europe/Berlin", week=WEEK, known_through=date(2026, 12, 31))
    friday = at("2026-03-27 10:00", "Europe/Berlin")
    spans = {"48h": "2026-03-29 11:00", "2d": "2026-03-29 10:00", "2wd": "2026-03-31 10:00"}
    for span, due in spans.items():
        policy = ReclaimPolicy(idle=span, zone="Europe/Berlin", calendar=office)
        assert policy.deadline(prospect(assigned_at=friday)) == at(due, "Europe/Berlin")
    later = policy.decide(prospect(assigned_at=at("2027-02-01")), now=at("2027-02-01"))
    assert later.provisional


def test_4_a_calendar_without_working_days_is_an_error_not_a_loop() -> None:
    policy = ReclaimPolicy(idle="5wd", calendar=BusinessCalendar(zone="UTC", week={}, name="nobody"))
    with pytest.raises(NoWorkingTime, match="'nobody' has no working time"):
        policy.decide(prospect(), now=at("2026-06-01"))


def test_5_a_reps_leave_is_a_protection_with_an_end() -> None:
    """List it in the book; it holds back until the leave is over, and not for ever."""
    policy = reclaim(idle="30d", protected_by=["leave"], min_remaining="3d")
    facts = {**attrs.asdict(prospect()), "leave_until": at("2026-03-01")}
    assert policy.deadline(facts) == at("2026-03-04")
    assert outcome(policy, facts, at("2026-03-04")) == "reclaim"


def test_6_the_activity_clock_takes_the_latest_and_never_the_far_future() -> None:
    """An old contact entered late changes nothing; one dated next year saves nobody; a deleted one counts no more."""
    policy, now = reclaim(idle="30d"), at("2026-03-01")
    contacts = [at("2025-01-01"), at("2027-01-01"), None]
    assert [outcome(policy, prospect(last_contact_at=contact), now) for contact in contacts] == ["reclaim"] * 3
    assert outcome(policy, prospect(last_contact_at=at("2026-02-20")), now) == "keep"


@pytest.mark.rule("OWN-14")
def test_7_no_contact_yet_counts_from_the_assignment_and_nothing_at_all_needs_data() -> None:
    policy, now = reclaim(idle="30d"), at("2026-01-20")
    assert outcome(policy, prospect(), now) == "keep"
    assert outcome(policy, prospect(assigned_at=None), now) == "needs_data"


@pytest.mark.rule("OWN-19")
def test_8_a_freshly_claimed_old_customer_is_not_taken_back_the_next_night() -> None:
    policy = reclaim(idle="30d", no_deal="90d", min_hold="7d")
    claimed = prospect(assigned_at=at("2026-03-01"), last_contact_at=at("2024-05-05"))
    assert outcome(policy, claimed, at("2026-03-02")) == "keep"
    assert policy.deadline(claimed) == at("2026-03-31")


def test_9_what_counts_as_a_contact_is_the_hosts_to_say() -> None:
    """Only the facts in `reads` count: a page view or a mass mailing on the record changes nothing."""

    @attrs.frozen
    class Busy:
        status: str = "open"
        owner: str = "ann"
        assigned_at: object = at("2026-01-01")
        last_contact_at: object = None
        frozen_until: object = None
        last_viewed_at: object = at("2026-02-28")
        mailed_at: object = at("2026-02-28")

    policy = reclaim(idle="30d")
    assert {"last_viewed_at", "mailed_at"}.isdisjoint(policy.reads)
    assert outcome(policy, Busy(), at("2026-03-01")) == "reclaim"


@pytest.mark.rule("OWN-18")
def test_10_every_exemption_has_an_end() -> None:
    """A quote that has run out protects no more; open-ended is said, never assumed."""
    policy = reclaim(idle="30d", protected_by=["quote"])
    assert outcome(policy, prospect(quote_until=at("2026-02-15")), at("2026-03-01")) == "reclaim"
    assert outcome(policy, prospect(quote_until=OPEN_ENDED), at("2126-03-01")) == "keep"


def test_11_several_exemptions_are_all_named_and_the_next_change_told() -> None:
    policy = reclaim(idle="30d", protected_by=["quote", "order"])
    facts = prospect(frozen_until=at("2026-04-01"), quote_until=at("2026-05-01"), order_until=at("2026-03-15"))
    decision = policy.decide(facts, now=at("2026-03-01"))
    assert [found.fact for found in decision.reasons if found.holds] == [
        "assigned_at",
        "frozen_until",
        "quote_until",
        "order_until",
    ]
    assert decision.next_change_at == at("2026-05-01")


@pytest.mark.rule("OWN-18")
def test_12_exempt_from_the_reclaim_is_not_exempt_from_the_reminder() -> None:
    policy = reclaim(idle="30d", protected_by=["order"], remind_before=["7d"])
    facts = prospect(order_until=at("2026-06-10"))
    assert answer(policy, facts, at("2026-06-05")) == ("remind", 1, "OWN-1")


def test_13_what_no_rule_fits_is_seen() -> None:
    """An owner nobody listed has the default cap; a grade nobody listed, without a default, is NEEDS_DATA."""
    assert CapPolicy(default=5, per_owner={"ann": 9}).cap("stranger") == 5
    policy = reclaim(idle={"A": "15d", "B": "60d"})
    decision = policy.decide(prospect(grade="C"), now=at("2026-01-20").astimezone(UTC))
    assert (decision.outcome, decision.missing) == ("needs_data", ("grade",))
