"""
Prospects are registered, assigned, claimed and given back one by one; two at once never both succeed.

What is asked is checked against what is stored, within one transaction: the prospect is open, the cap has room
(OWN-4), nobody else owns it (OWN-12). The answer is `Granted`, or `Refused` with every reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

import attrs

from crmcore.calendars import to_utc
from crmcore.errors import InvalidFact
from crmcore.ownership.cap import CapPolicy
from crmcore.ownership.desk import Desk, Granted, Put, Refused, find
from crmcore.ownership.judge import Judge
from crmcore.ownership.policy import ReclaimPolicy
from crmcore.ownership.ports import OwnershipStore, Transaction
from crmcore.ownership.rollout import Grace, RunLimits
from crmcore.ownership.stored import Event, EventKind, Stored
from crmcore.ownership.transact import transact

__all__ = ["OwnershipService"]

BATCH: Final = 1000
T = TypeVar("T")


class OwnershipService:
    """
    The commands on the prospects of a store, by a reclaim policy and a cap.

    `limits` say from when a RECLAIM that a write brings about may be applied; give the run's. Instants are aware. A
    `key` makes a command idempotent: repeated on the same prospect, it is granted and does nothing. It goes into the
    history, as `by` does, who asked. Every command raises `StoreError`, and `UnknownProspect` for an id not there.
    """

    def __init__(
        self,
        store: OwnershipStore,
        policy: ReclaimPolicy,
        cap: CapPolicy = CapPolicy(),  # noqa: B008 - a frozen value
        limits: RunLimits = RunLimits(),  # noqa: B008 - as above
    ) -> None:
        policy = attrs.evolve(policy, names={})  # facts are stored under the library's names
        self.store, self.policy, self.cap, self.limits = store, policy, cap, limits

    # --- reading ---

    def find(self, id: str | int) -> Stored:
        """The prospect as it is kept."""
        return transact(self.store, lambda transaction: find(transaction, id))

    def history(self, id: str | int) -> tuple[Event, ...]:
        """Every change of owner, oldest first."""
        return transact(self.store, lambda transaction: tuple(transaction.prospects.history(str(id))))

    # --- commands ---

    def register(
        self, facts: Mapping[str, Any], *, now: datetime, key: str | None = None, by: str | None = None
    ) -> Granted | Refused:
        """
        A new prospect, with the owner that its facts say if that one's cap has room, else without (OWN-4).

        `assigned_at` of an owner that is not said is `now`. Refused if there is a prospect with that id already.
        """
        return self._done(now, lambda desk: desk.register(facts, key, by))

    def assign(
        self,
        id: str | int,
        owner: str | int,
        *,
        now: datetime,
        version: int | None = None,
        key: str | None = None,
        by: str | None = None,
    ) -> Granted | Refused:
        """
        Gives an open prospect to `owner`, whoever had it; both clocks start anew.

        Refused if the owner is full, or if the stored version is not the `version` that was seen.
        """
        return self._done(now, lambda desk: desk.give(id, owner, EventKind.ASSIGNED, version=version, key=key, by=by))

    def claim(
        self, id: str | int, owner: str | int, *, now: datetime, key: str | None = None, by: str | None = None
    ) -> Granted | Refused:
        """Takes an open prospect out of the pool; refused if somebody has it, or if the owner is full."""
        return self._done(now, lambda desk: desk.give(id, owner, EventKind.CLAIMED, version=None, key=key, by=by))

    def release(
        self,
        id: str | int,
        *,
        now: datetime,
        owner: str | int | None = None,
        key: str | None = None,
        by: str | None = None,
    ) -> Granted | Refused:
        """Gives a prospect back to the pool; refused if it is there, or if another than `owner` has it."""
        return self._done(now, lambda desk: desk.release(id, owner, key, by))

    def update(self, id: str | int, *, now: datetime, **facts: Any) -> Granted | Refused:
        """
        Changes facts: a contact, a freeze, a status. Not the owner: that is `assign` and `release`.

        Refused if a prospect is opened again whose owner is full by now.
        """
        for fact in ("id", "owner"):
            if fact in facts:
                raise InvalidFact(
                    fact, facts[fact], "nothing here: assign, claim and release change owners, ids stay", id
                )
        return self._done(now, lambda desk: desk.update(id, facts))

    def put(self, records: Iterable[Mapping[str, Any]], *, now: datetime, by: str | None = None) -> Put:
        """
        Takes over what another system says of its prospects, owners and all, whatever the caps.

        Facts that a record does not have stay as they are stored. A record that names the owner whom the prospect has
        left, and no later `assigned_at`, is old news: the owner stays as stored. In batches of one transaction each.
        """
        total: Counter[str] = Counter()
        rows = iter(records)
        while batch := list(islice(rows, BATCH)):
            total.update(self._done(now, lambda desk: desk.put(batch, by)))
        return Put(**{field.name: total[field.name] for field in attrs.fields(Put)})

    def _done(self, now: datetime, work: Callable[[Desk], T]) -> T:
        at = to_utc(now, "now")

        def done(transaction: Transaction) -> T:
            grace = Grace.of(self.policy, self.limits, transaction.notes.activations(), at)
            return work(Desk(transaction, Judge(self.policy, grace, at), self.cap))

        return transact(self.store, done)
