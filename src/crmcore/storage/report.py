"""What a run did, and what it left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any, Final

import attrs

from crmcore.decisions.codes import Outcome
from crmcore.decisions.decision import PolicyRef, instant_text
from crmcore.ownership.judge import Judged
from crmcore.ownership.stored import Stored

__all__ = ["RunReport", "Tally"]

SHOWN: Final = 20


@attrs.frozen(kw_only=True)
class RunReport:
    """
    What a run did at `as_of`; of a dry run, what it would have done.

    `judged`: prospects looked at because they were due or had another policy's answer, by their new answer; `parked`
    among them could not be judged, and `faults` are the first twenty by id, with their reason. `reclaimed` went to the
    pool. `messages` were put into the outbox; one that is there already stays as it is. Of the reclaims looked at,
    `in_grace` wait for the activation grace to end and `over_daily` for the owner's next day; `waiting` are all that
    wait for one of the two, those of earlier runs too. `left` are due and were not reached because of `max_per_run`,
    by owner. `conflicts` were changed by someone else meanwhile and judged again.
    """

    as_of: datetime
    policy: PolicyRef
    dry_run: bool
    judged: Mapping[str, int]
    reclaimed: int
    messages: int
    in_grace: int
    over_daily: int
    waiting: int
    left: Mapping[str, int]
    conflicts: int
    parked: int
    faults: tuple[tuple[str, str], ...]

    def record(self, zone: tzinfo) -> dict[str, Any]:
        """The report as JSON-able data, instants in `zone`."""
        return {
            "as_of": instant_text(self.as_of, zone),
            "policy": self.policy.record(),
            "dry_run": self.dry_run,
            "judged": dict(self.judged),
            "reclaimed": self.reclaimed,
            "messages": self.messages,
            "in_grace": self.in_grace,
            "over_daily": self.over_daily,
            "waiting": self.waiting,
            "left": dict(self.left),
            "conflicts": self.conflicts,
            "parked": self.parked,
            "faults": [{"id": key, "problem": problem} for key, problem in self.faults],
        }


class Tally:
    """The counts of a run while it goes on."""

    def __init__(self) -> None:
        self.judged: Counter[str] = Counter()
        self.reclaimed = self.messages = self.in_grace = self.over_daily = self.conflicts = self.parked = 0
        self.waiting = 0
        self.settled = 0
        """How many prospects a batch has done with."""
        self.faults: list[tuple[str, str]] = []
        self.left: Mapping[str, int] = {}

    def count(self, row: Stored, judged: Judged, now: datetime) -> None:
        """Counts a prospect that was judged."""
        answer = judged.answer
        self.settled += 1
        self.messages += judged.message is not None
        if answer.parked is not None:
            self.parked += 1
            self._fault((row.key, answer.parked))
        else:
            self.judged[str(answer.outcome)] += 1
            at = answer.next_change_at
            self.in_grace += answer.outcome == Outcome.RECLAIM and at is not None and at > now

    def take(self, other: Tally) -> None:
        """Adds what another has counted."""
        self.judged.update(other.judged)
        for name in ("reclaimed", "messages", "in_grace", "over_daily", "conflicts", "parked"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for fault in other.faults:
            self._fault(fault)

    def _fault(self, fault: tuple[str, str]) -> None:
        """Keeps the first by id, in whatever order they come."""
        self.faults = sorted({*self.faults, fault})[:SHOWN]

    def report(self, now: datetime, policy: PolicyRef, *, dry_run: bool) -> RunReport:
        """The report of what was counted."""
        return RunReport(
            as_of=now,
            policy=policy,
            dry_run=dry_run,
            judged=dict(sorted(self.judged.items())),
            reclaimed=self.reclaimed,
            messages=self.messages,
            in_grace=self.in_grace,
            over_daily=self.over_daily,
            waiting=self.waiting,
            left=dict(self.left),
            conflicts=self.conflicts,
            parked=self.parked,
            faults=tuple(self.faults),
        )
