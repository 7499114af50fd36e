"""The laws, all of them, on a policy or a book of yours: one call in a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from crmcore.book import PolicyBook
from crmcore.ownership import CapPolicy, ReclaimPolicy
from crmcore.testing import laws
from crmcore.testing.policies import changed_policies, longer_policies, moments, prospects
from crmcore.testing.times import instants

__all__ = ["check_book", "check_cap_policy", "check_reclaim_policy"]

ONE_RECORD: Final = (
    laws.at_equals_decide,
    laws.reminder_is_reclaim_seen_earlier,
    laws.deadline_is_when_it_is_due,
    laws.protected_is_never_reclaimed,
    laws.closed_or_unowned_is_kept,
    laws.unknown_is_answered_only_when_certain,
    laws.decision_is_deterministic,
)
NOISE: Final = {"grade": "Z", "region": "north", "last_seen": None, "appointment_at": "soon"}


def check_reclaim_policy(policy: Any, examples: int = 200, *, derandomize: bool = True) -> None:
    """
    Runs every law of reclaim on the policy: raises AssertionError with the smallest case that breaks one.

    `policy` is a `ReclaimPolicy`, a subclass, or a wrapper with the same face (`decide`, `at`, `deadline`, `reads`,
    `reading`, `digest`, and its parameters). The same cases each time, unless `derandomize` is false.
    """
    laws.equal_policies_equal_digest(policy, policy)
    laws.reading_keeps_digest(policy)

    @given(st.data())
    def every_law(data: st.DataObject) -> None:
        now = data.draw(moments(policy), "now")
        facts = data.draw(prospects(policy, now), "facts")
        laws.answer_is_constant_until_next_change(policy, facts, now, [data.draw(instants(), "probe")])
        for law in ONE_RECORD:
            law(policy, facts, now)
        laws.unread_facts_change_nothing(policy, facts, now, NOISE)
        laws.decision_round_trips(policy.decide(facts, now=now))
        if isinstance(policy, ReclaimPolicy):
            laws.longer_limit_never_reclaims_more(policy, data.draw(longer_policies(policy), "longer"), facts, now)
            laws.equal_digests_equal_answers(policy, data.draw(changed_policies(policy), "changed"), facts, now)

    _run(every_law, examples, derandomize=derandomize)


def check_cap_policy(policy: CapPolicy, examples: int = 200, *, derandomize: bool = True) -> None:
    """Runs the laws of the cap on the policy, for owners that it names and others."""
    owners = st.sampled_from((*policy.per_owner, "somebody else", 0))
    caps = {policy.default or 0, *policy.per_owner.values()}
    counts = st.sampled_from(sorted({max(cap + by, 0) for cap in caps for by in (-1, 0, 1)}))

    @given(owners, counts | st.integers(0, 500), instants())
    def every_law(owner: Any, held: int, now: Any) -> None:
        laws.cap_is_monotone(policy, owner, held, now)
        laws.decision_round_trips(policy.decide({"owner": owner, "held": held}, now=now))

    _run(every_law, examples, derandomize=derandomize)


def check_book(book: PolicyBook, examples: int = 200, *, derandomize: bool = True) -> None:
    """Runs the laws of books on the book, and those of each policy on its policies."""
    laws.book_round_trips(book)
    check_reclaim_policy(book.ownership.reclaim, examples, derandomize=derandomize)
    check_cap_policy(book.ownership.cap, examples, derandomize=derandomize)


def _run(test: Callable[[], None], examples: int, *, derandomize: bool) -> None:
    profile = settings(
        max_examples=examples,
        derandomize=derandomize,
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    profile(test)()
