"""The laws of `crmcore.testing`, over random policies and records on their borders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmcore import PolicyBook, testing
from crmcore.calendars import Span
from crmcore.decisions import UNKNOWN, Outcome
from crmcore.ownership import CapPolicy, Prospect, ReclaimPolicy
from crmcore.testing import laws

CASES = testing.policies_and_prospects()
few = settings(max_examples=settings.default.max_examples * 3 // 5)
many = settings(max_examples=settings.default.max_examples * 2)


@many
@given(CASES, testing.instants())
def test_the_answer_is_constant_until_it_changes(case: Any, probe: Any) -> None:
    """Nobody needs to look again before `next_change_at`."""
    laws.answer_is_constant_until_next_change(*case, [probe])


def test_a_fact_ahead_in_the_second_pass_of_a_fold_is_a_bound_too() -> None:
    """Told by the clock of a host, it equals no instant in UTC: there the law would see a change that need not be."""
    ahead = datetime(2023, 10, 29, 2, 10, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
    facts = {"status": "open", "owner": "u", "assigned_at": ahead, "last_contact_at": UNKNOWN, "frozen_until": None}
    policy = ReclaimPolicy(idle="1min", zone="Europe/Berlin")
    now = datetime(2023, 10, 29, 1, tzinfo=UTC)
    assert policy.decide(facts, now=now).next_change_at == datetime(2023, 10, 29, 1, 10, tzinfo=UTC)
    laws.answer_is_constant_until_next_change(policy, facts, now)


@many
@given(CASES)
def test_at_is_decide(case: Any) -> None:
    """The loop and the single decision say the same."""
    laws.at_equals_decide(*case)


@many
@given(CASES, st.timedeltas(timedelta(), timedelta(days=9)))
def test_the_sweep_is_decide(case: Any, ahead: timedelta) -> None:
    """`sweep` says what `decide` says at the end, or nothing; a record that stays has stayed all the time."""
    policy, facts, now = case
    until = now + ahead
    outcome = policy.sweep(now, until)(facts)
    assert outcome in (None, policy.decide(facts, now=until).outcome)
    if outcome is Outcome.KEEP:
        decision = policy.decide(facts, now=now)
        assert decision.outcome is Outcome.KEEP
        assert decision.next_change_at is None or decision.next_change_at > until


@many
@given(CASES)
@pytest.mark.rule("OWN-1", "OWN-2", "OWN-14")
def test_a_reminder_is_reclaim_seen_earlier(case: Any) -> None:
    """There is no second copy of the rules."""
    laws.reminder_is_reclaim_seen_earlier(*case)


@many
@given(CASES)
@pytest.mark.rule("OWN-1", "OWN-2")
def test_due_at_the_deadline(case: Any) -> None:
    """At the deadline it is due, and one microsecond before it is not."""
    laws.deadline_is_when_it_is_due(*case)


@few
@given(CASES)
@pytest.mark.rule("OWN-3", "OWN-15", "OWN-18", "OWN-19")
def test_protected_is_never_reclaimed(case: Any) -> None:
    """Freeze, protection, remaining time and minimum hold keep both reclaims back."""
    laws.protected_is_never_reclaimed(*case)


@few
@given(CASES)
@pytest.mark.rule("OWN-9")
def test_closed_or_unowned_is_kept(case: Any) -> None:
    """Who is won, or belongs to nobody, is not reclaimed."""
    laws.closed_or_unowned_is_kept(*case)


@many
@given(CASES, st.lists(testing.instants(), max_size=3), st.sampled_from(["A", "B", "C", "Z", None]))
def test_unknown_is_answered_only_when_certain(case: Any, instants: Any, grade: Any) -> None:
    """Kleene: no guess, and no question that does not matter."""
    now = case[2]
    ends = dict.fromkeys(("frozen_until", "contract_until", "quote_until", "visit_until", "appointment_at"), instants)
    past = [min(at, now) for at in instants]
    values = {"grade": [grade], "assigned_at": past, "last_contact_at": past, **ends}
    laws.unknown_is_answered_only_when_certain(*case, values)


@few
@given(CASES, testing.policies_and_prospects())
def test_unread_facts_change_nothing(case: Any, other: Any) -> None:
    """A host may hand in its whole record."""
    laws.unread_facts_change_nothing(*case, vars(other[1]) | {"region": "north", "id": None})


@few
@given(CASES, st.data())
@pytest.mark.rule("OWN-1", "OWN-2")
def test_a_longer_limit_never_reclaims_more(case: Any, data: Any) -> None:
    """Raising a limit takes nobody's customer."""
    policy, facts, now = case
    laws.longer_limit_never_reclaims_more(policy, data.draw(testing.longer_policies(policy)), facts, now)


@few
@given(CASES)
def test_decisions_are_values(case: Any) -> None:
    """A decision can be repeated, kept, sent and read."""
    policy, facts, now = case
    laws.decision_is_deterministic(policy, facts, now)
    laws.decision_round_trips(policy.decide(facts, now=now))


@few
@given(CASES, st.data())
def test_digests(case: Any, data: Any) -> None:
    """The digest says which answers a policy gives: no more, no less."""
    policy, facts, now = case
    changed = data.draw(testing.changed_policies(policy))
    laws.reading_keeps_digest(policy)
    laws.equal_policies_equal_digest(policy, changed)
    laws.equal_digests_equal_answers(policy, changed, facts, now)


@few
@given(testing.books())
def test_books_round_trip(book: Any) -> None:
    """What is written is what was meant."""
    laws.book_round_trips(book)


@many
@given(st.data(), testing.calendars(), testing.spans(), testing.zones())
def test_spans(data: Any, calendar: Any, span: Any, zone: Any) -> None:
    """Every span is a monotone map, every age condition a cutoff."""
    bound = span.on(zone, calendar)
    t = data.draw(testing.instants(zone=zone))
    u = data.draw(testing.instants(near=[t, bound.add(t), bound.cutoff(t), bound.sub(t)], zone=zone))
    laws.span_is_monotone_and_adjoint(bound, t, u)


@many
@given(testing.cap_policies(), st.sampled_from(["u1", "u2", 7, "7", "nobody"]), st.integers(0, 14), testing.instants())
@pytest.mark.rule("OWN-4", "OWN-10")
def test_caps(policy: Any, owner: Any, held: Any, now: Any) -> None:
    """Who holds the number is full."""
    laws.cap_is_monotone(policy, owner, held, now)


def test_every_law_at_once() -> None:
    """What adopters call, on the standard book and on a policy of every kind of parameter."""
    testing.check_book(PolicyBook.standard(), 30)
    testing.check_cap_policy(CapPolicy(default=3, per_owner={"u1": 0}), 30)
    policy = ReclaimPolicy(
        idle={"A": "15d", "default": "2mo"},
        no_deal="90d",
        min_hold="7d",
        remind_before=["7d", "24h"],
        min_remaining="3d",
        protected_by=["contract"],
        appointment="14d",
        zone="Europe/Berlin",
    )
    testing.check_reclaim_policy(policy.reading(owner="owner_id", last_contact_at="last_activity"), 60)


# --- found by these laws, and kept ---

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.rule("OWN-14")
def test_the_later_of_two_instants_in_a_fold() -> None:
    """Of 02:30 and, when the hour has come again, 02:10 in one zone, the second is the later."""
    policy = ReclaimPolicy(idle="1h")
    facts = Prospect(
        id=1,
        owner="u1",
        assigned_at=datetime(2025, 10, 26, 2, 30, tzinfo=BERLIN, fold=0),
        last_contact_at=datetime(2025, 10, 26, 2, 10, tzinfo=BERLIN, fold=1),
    )
    now = datetime(2025, 10, 26, 1, 40, tzinfo=UTC)  # 70 minutes after the first, 30 after the second
    assert policy.decide(facts, now=now).outcome is Outcome.KEEP
    laws.at_equals_decide(policy, facts, now)


def test_a_protection_not_known() -> None:
    """UNKNOWN is a value of every fact, of a freeze too."""
    policy = ReclaimPolicy(no_deal="1d", future_tolerance=Span("24h"))
    now = datetime(2026, 3, 2, tzinfo=UTC)
    facts = {"status": "open", "owner": "u1", "assigned_at": now - timedelta(days=2), "frozen_until": UNKNOWN}
    assert policy.decide(facts, now=now).missing == ("frozen_until",)
    laws.at_equals_decide(policy, facts, now)
