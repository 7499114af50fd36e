"""
The run: touch what is due, lose nothing.

Three passes, each in batches of one transaction. What has another policy's answer is judged anew (`reindex`); then what
is due; then what is to be reclaimed goes to the pool, oldest deadline first, as far as grace and ceilings let it. Every
batch is whole or not at all, so a run can be killed anywhere and repeated, and any number of them can go at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

import attrs

from crmcore.calendars import OPEN_ENDED, to_utc
from crmcore.calendars import zone as zone_of
from crmcore.decisions.codes import Outcome
from crmcore.errors import InvalidFact
from crmcore.ownership.judge import Judge, Judged
from crmcore.ownership.policy import ReclaimPolicy
from crmcore.ownership.ports import OwnershipStore, Transaction
from crmcore.ownership.rollout import Grace, RunLimits
from crmcore.ownership.stored import Activation, Answer, Change, Event, EventKind, Stored, counter_of, owner_of
from crmcore.ownership.transact import transact
from crmcore.ownership.worklist import midnight_after
from crmcore.reservations import Counters
from crmcore.storage.ceilings import Ceilings, daily, of_run
from crmcore.storage.memory import MemoryStore
from crmcore.storage.report import RunReport, Tally

__all__ = ["Progress", "reindex", "run"]

Progress = Callable[[int, int], None]
"""Called after each batch with how many prospects are done, and of how many."""

BATCH: Final = 500
TRIES: Final = 10
STALE: Final = 5000
"""The batch of what has another policy's answer: so large that columns pay."""
T = TypeVar("T")


def run(
    store: OwnershipStore,
    policy: ReclaimPolicy,
    *,
    now: datetime,
    limits: RunLimits = RunLimits(),  # noqa: B008 - a frozen value
    batch: int | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> RunReport:
    """
    Judges what is due at `now` and takes to the pool what is to be reclaimed.

    A run is known by its `now`: workers that are given the same one share `max_per_run`, and a run repeated after it
    was killed goes on with what is left of it. `batch`: prospects per transaction; by default 500, and 5,000 where
    another policy's answers are judged anew. `dry_run` changes nothing and gives the same report. Raises `StoreError`,
    and `StoreBusy` when the database gives up on a batch again and again.
    """
    job = _begun(store, policy, limits, to_utc(now, "now"), batch=batch, progress=progress, dry_run=dry_run)
    if dry_run:
        return _rehearsed(job)
    job.rejudge_stale()
    job.rejudge_due()
    job.reclaim()
    job.count_rest()
    return job.tally.report(job.now, policy.ref, dry_run=False)


def reindex(
    store: OwnershipStore,
    policy: ReclaimPolicy,
    *,
    now: datetime,
    limits: RunLimits = RunLimits(),  # noqa: B008 - as above
    batch: int | None = None,
    progress: Progress | None = None,
) -> RunReport:
    """
    Judges anew what has the answer of another policy; nothing is reclaimed.

    From its first run or reindex on, a policy is in force in the store. Raises as `run`.
    """
    job = _begun(store, policy, limits, to_utc(now, "now"), batch=batch, progress=progress)
    job.rejudge_stale()
    job.count_waiting()
    return job.tally.report(job.now, policy.ref, dry_run=False)


def _begun(
    store: OwnershipStore,
    policy: ReclaimPolicy,
    limits: RunLimits,
    now: datetime,
    *,
    batch: int | None,
    progress: Progress | None,
    dry_run: bool = False,
) -> _Job:
    """A job on a store, where from here on the policy is in force, unless it is a dry run."""
    if batch is not None and (not isinstance(batch, int) or batch < 1):
        raise InvalidFact("batch", batch, "a whole number, 1 or more")

    def begin(transaction: Transaction) -> tuple[Grace, int]:
        if not dry_run:
            activation = Activation(at=now, digest=policy.digest, parameters=policy.canonical())
            transaction.notes.activate(activation)
        grace = Grace.of(policy, limits, transaction.notes.activations(), now)
        return grace, transaction.due.count(now, policy.digest) if progress else 0

    grace, total = transact(store, begin)
    job = _Job(store, Judge(policy, grace, now), limits, batch)
    job.total, job.progress = total, progress
    return job


class _Job:
    """One run while it goes on."""

    def __init__(self, store: OwnershipStore, judge: Judge, limits: RunLimits, batch: int | None) -> None:
        self.store, self.judge, self.limits = store, judge, limits
        self.batch, self.stale = batch or BATCH, batch or STALE
        self.policy, self.now = judge.policy, judge.now
        self.midnight = midnight_after(self.now, zone_of(self.policy.zone or "UTC").tz)
        self.tally = Tally()
        self.total, self.done = 0, 0
        self.progress: Progress | None = None

    def rejudge_stale(self) -> None:
        """What has another policy's answer, or none."""
        self._all(lambda transaction: transaction.due.stale(self.policy.digest, self.stale))

    def rejudge_due(self) -> None:
        """What is due, but for reclaims."""
        self._all(lambda transaction: transaction.due.answers(self.now, self.batch))

    def _all(self, due: Callable[[Transaction], Sequence[Stored]]) -> None:
        self._repeat(lambda transaction: self._rejudged(transaction, due(transaction)))

    def _repeat(self, work: Callable[[Transaction], Tally]) -> None:
        """Batch after batch, until there is nothing to do, or others are in the way again and again."""
        in_the_way = 0
        while in_the_way < TRIES:
            tally = transact(self.store, work)
            if not tally.settled and not tally.conflicts:
                return
            in_the_way = 0 if tally.settled else in_the_way + 1
            self.tally.take(tally)
            self.done += tally.settled
            if self.progress is not None:
                self.progress(self.done, max(self.total, self.done))

    def _rejudged(self, transaction: Transaction, rows: Sequence[Stored]) -> Tally:
        tally = Tally()
        pairs = list(zip(rows, self.judge.rejudge_all(rows), strict=True))
        lost = set(transaction.prospects.write([_answered(row, judged) for row, judged in pairs]))
        tally.conflicts = len(lost)
        for row, judged in pairs:
            if row.key not in lost:
                tally.count(row, judged, self.now)
        return tally

    # --- reclaims ---

    def reclaim(self) -> None:
        """What is to be reclaimed, oldest deadline first."""
        if transact(self.store, lambda transaction: transaction.due.waiting(self.now)):
            self._repeat(self._reclaimed)

    def count_rest(self) -> None:
        """What is due and was not reached, and what waits for a later instant."""
        left = self.count_waiting()
        self.tally.left = {str(owner): count for owner, count in sorted(left.items(), key=str)}

    def count_waiting(self) -> Counter[str | None]:
        """What waits for a later instant; gives what does not, by owner."""
        left, rest = transact(self.store, self._rest)
        self.tally.waiting += rest - left.total()
        return left

    def _rest(self, transaction: Transaction) -> tuple[Counter[str | None], int]:
        left = Counter(transaction.due.waiting(self.now))
        return left, sum(transaction.due.waiting(OPEN_ENDED).values())

    def _reclaimed(self, transaction: Transaction) -> Tally:
        ceilings = Ceilings(transaction.counters, self.limits, now=self.now, midnight=self.midnight)
        left = ceilings.left_of_run()
        rows = transaction.due.reclaims(self.now, self.batch) if left else ()
        judged = {row.key: self.judge.rejudge(row) for row in rows}
        ready = [row for row in rows if self._is_ready(judged[row.key].answer)]
        go, over = ceilings.admit(ready, left)
        waits = [row for row in rows if not self._is_ready(judged[row.key].answer)]
        changes = [self._taken(row, judged[row.key]) for row in go]
        changes += [_answered(row, self._until_midnight(judged[row.key])) for row in over]
        changes += [_answered(row, judged[row.key]) for row in waits]
        lost = set(transaction.prospects.write(changes))
        gone = [row for row in go if row.key not in lost]
        ceilings.take(gone)
        self._give_back(transaction.counters, gone)
        tally = Tally()
        tally.conflicts, tally.reclaimed = len(lost), len(gone)
        tally.messages = tally.settled = len(gone)
        tally.over_daily = sum(row.key not in lost for row in over)
        for row in waits:
            if row.key not in lost:
                tally.count(row, judged[row.key], self.now)
        tally.settled += tally.over_daily
        return tally

    def _is_ready(self, answer: Answer) -> bool:
        at = answer.next_change_at
        return answer.outcome == Outcome.RECLAIM and at is not None and at <= self.now

    def _until_midnight(self, judged: Judged) -> Judged:
        return attrs.evolve(judged, answer=attrs.evolve(judged.answer, next_change_at=self.midnight))

    def _taken(self, row: Stored, judged: Judged) -> Change:
        """The prospect in the pool; its assignment stays on record, and who had it."""
        owner, answer = row.facts["owner"], judged.answer
        facts = {**row.facts, "owner": None, "former_owner": owner}
        event = Event(
            key=row.key,
            version=row.version + 1,
            at=self.now,
            kind=EventKind.RECLAIMED,
            owner_before=owner_of(row.facts),
            owner_after=None,
            rule=answer.rule,
            deadline=answer.deadline,
            digest=answer.digest,
        )
        after = Stored(facts=facts, version=row.version + 1, answer=self.judge.judge(facts).answer)
        return Change(before=row, after=after, event=event, message=self.judge.message(row.facts, answer))

    @staticmethod
    def _give_back(counters: Counters, gone: Iterable[Stored]) -> None:
        for owner, count in sorted(Counter(str(owner_of(row.facts)) for row in gone).items()):
            counters.add(counter_of(owner), -count)


def _answered(row: Stored, judged: Judged) -> Change:
    after = Stored(facts=row.facts, version=row.version, answer=judged.answer)
    return Change(before=row, after=after, message=judged.message)


# --- the dry run ---


def _rehearsed(job: _Job) -> RunReport:
    """The same passes on copies in memory: page by page of what is due, then of all that waits to be reclaimed."""
    stage = _Job(MemoryStore(), job.judge, job.limits, job.batch)
    for page in _pages(job):
        part = _Job(_memory(page), job.judge, job.limits, job.batch)
        part.rejudge_stale()
        part.rejudge_due()
        stage.tally.take(part.tally)
        part.count_rest()
        stage.tally.waiting += part.tally.waiting - sum(row.answer.outcome == Outcome.RECLAIM for row in page)
        with part.store.begin() as here, stage.store.begin() as there:
            ready = here.due.reclaims(job.now, len(page))
            there.prospects.write([Change(before=None, after=row) for row in ready])
        job.done += len(page)
        if job.progress is not None:
            job.progress(job.done, max(job.total, job.done))
    with job.store.begin() as transaction, stage.store.begin() as there:
        stage.tally.waiting += sum(transaction.due.waiting(OPEN_ENDED).values())
        names = [of_run(job.now), *(daily(owner) for owner in there.due.waiting(job.now))]
        for name in names:
            there.counters.add(name, transaction.counters.held(name, now=job.now))
    stage.reclaim()
    stage.count_rest()
    return stage.tally.report(job.now, job.policy.ref, dry_run=True)


def _pages(job: _Job) -> Iterator[Sequence[Stored]]:
    due, after = (job.now, job.policy.digest), None
    while page := transact(job.store, partial(_page, after=after, limit=job.batch, due=due)):
        yield page
        after = page[-1].key


def _page(transaction: Transaction, after: str | None, limit: int, due: tuple[datetime, str]) -> Sequence[Stored]:
    return transaction.prospects.scan(after, limit, due=due)


def _memory(rows: Iterable[Stored]) -> MemoryStore:
    store = MemoryStore()
    with store.begin() as transaction:
        transaction.prospects.write([Change(before=None, after=row) for row in rows])
    return store
