"""A policy at an instant, on stored prospects: what is to be kept of its answers, and who is to be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs

from crmcore.decisions.codes import Outcome
from crmcore.ownership.in_columns import staying
from crmcore.ownership.policy import ReclaimPolicy
from crmcore.ownership.rollout import Grace
from crmcore.ownership.stored import Answer, Message, Stored, owner_of, said

__all__ = ["Judge", "Judged"]

MANY: Final = 2000
"""From how many on columns are faster."""
NO_NAMES: Final[Mapping[str, str]] = {}


@attrs.frozen
class Judged:
    """An answer to keep, and the message that goes with it."""

    answer: Answer
    message: Message | None = None


class Judge:
    """
    `policy` at `now`, with the grace after its activation.

    Facts are stored under the library's names, so the host's are left out of the policy; a fact that a stored prospect
    does not have is none. A RECLAIM is kept with the instant from which it may be
    applied; a message is a reminder that has begun.
    """

    def __init__(self, policy: ReclaimPolicy, grace: Grace, now: datetime) -> None:
        self.policy = policy = attrs.evolve(policy, names=NO_NAMES) if policy.names else policy
        self.now, self._grace = now, grace
        read = [policy.reads, *(earlier.reads for earlier, _ in grace.earlier if earlier is not None)]
        self.none: Mapping[str, Any] = dict.fromkeys(fact for facts in read for fact in facts)

    def judge(self, facts: Mapping[str, Any]) -> Judged:
        """The answer on these facts; raises what `policy.decide` raises."""
        full = {**self.none, **facts}
        decision = self.policy.decide(full, now=self.now)
        answer = said(decision)
        if decision.outcome is Outcome.RECLAIM:
            free, change = self._grace.free_from(full, decision), decision.next_change_at
            return Judged(attrs.evolve(answer, next_change_at=free if change is None else min(free, change)))
        if decision.outcome is Outcome.REMIND:
            return Judged(answer, self.message(facts, answer))
        return Judged(answer)

    def rejudge(self, stored: Stored) -> Judged:
        """The answer on a stored prospect, parked with its reason where it cannot be judged; not told twice."""
        try:
            judged = self.judge(stored.facts)
        except Exception as error:  # noqa: BLE001 - whatever a fact does, it must not hold up the others
            reason = f"{type(error).__name__}: {error}"
            return Judged(Answer(digest=self.policy.digest, parked=reason))
        return Judged(judged.answer) if judged.message and _told(stored.answer, judged.answer) else judged

    def rejudge_all(self, stored: Sequence[Stored]) -> list[Judged]:
        """`rejudge` on each; of very many, those that stay are told in columns."""
        stay = staying(self.policy, [each.facts for each in stored], self.now) if len(stored) >= MANY else None
        if stay is None:
            return [self.rejudge(each) for each in stored]
        keep, digest = Outcome.KEEP.value, self.policy.digest
        return [
            Judged(Answer(outcome=keep, next_change_at=stay[place], digest=digest))
            if place in stay
            else self.rejudge(each)
            for place, each in enumerate(stored)
        ]

    def message(self, facts: Mapping[str, Any], answer: Answer) -> Message | None:
        """What the owner is to be told of an answer."""
        if answer.deadline is None:
            return None
        return Message(
            key=str(facts["id"]),
            deadline=answer.deadline,
            step=answer.step,
            outcome=str(answer.outcome),
            rule=answer.rule,
            owner=owner_of(facts),
            at=self.now,
        )


def _told(before: Answer, after: Answer) -> bool:
    return (before.outcome, before.step, before.deadline) == (after.outcome, after.step, after.deadline)
