"""The default store: everything in this process, safe among threads, lost when the process ends."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from heapq import heapify, heappop, heappush, nsmallest
from itertools import islice
from json import dumps, loads
from threading import RLock
from typing import Any

import attrs

from crmcore.calendars import OPEN_ENDED
from crmcore.decisions.codes import Outcome
from crmcore.errors import StoreError
from crmcore.ownership.ports import Transaction
from crmcore.ownership.records import packed, unpacked
from crmcore.ownership.stored import Activation, Change, Event, Message, Stored, owner_of, worth
from crmcore.reservations.memory import MemoryCounters, Undoable

__all__ = ["MemoryStore"]


class _Index:
    """The prospects by what is asked of them: when they are due, and whose answer they have."""

    def __init__(self, rows: Mapping[str, Stored]) -> None:
        self._rows = rows
        self.rebuild()

    def rebuild(self) -> None:
        """Looks at every prospect."""
        self._heap = [(at, row.key) for row in self._rows.values() if (at := row.answer.next_change_at) is not None]
        heapify(self._heap)
        self._by_digest: defaultdict[str | None, dict[str, None]] = defaultdict(dict)
        self.reclaims: dict[str, None] = {}
        for row in self._rows.values():
            self._add(row)

    def changed(self, before: Stored | None, after: Stored) -> None:
        """Takes note of a change."""
        if before is not None:
            self._by_digest[before.answer.digest].pop(before.key, None)
            self.reclaims.pop(before.key, None)
        self._add(after)
        if after.answer.next_change_at is not None:
            heappush(self._heap, (after.answer.next_change_at, after.key))

    def _add(self, row: Stored) -> None:
        self._by_digest[row.answer.digest][row.key] = None
        if row.answer.outcome == Outcome.RECLAIM:
            self.reclaims[row.key] = None

    def due(self, now: datetime, limit: int) -> list[str]:
        """The keys of answers due, the longest due first; what an entry said before a change is dropped on the way."""
        found: dict[str, datetime] = {}
        while self._heap and len(found) < limit and self._heap[0][0] <= now:
            at, key = heappop(self._heap)
            row = self._rows.get(key)
            if row is not None and row.answer.next_change_at == at and key not in self.reclaims:
                found[key] = at
        for key, at in found.items():
            heappush(self._heap, (at, key))
        return list(found)

    def stale(self, digest: str) -> Iterator[str]:
        """The keys of answers of other digests."""
        return (key for said, keys in self._by_digest.items() if said != digest for key in keys)


class _Data:
    """All that a store in memory keeps."""

    def __init__(self, lock: RLock) -> None:
        self.rows: Undoable[str, Stored] = Undoable()
        self.events: Undoable[str, tuple[Event, ...]] = Undoable()
        self.told: Undoable[tuple[str, datetime, int], Message] = Undoable()
        self.pending: Undoable[tuple[str, datetime, int], None] = Undoable()
        self.notes: Undoable[str, Any] = Undoable()
        self.counters = MemoryCounters(lock)
        self.index = _Index(self.rows)
        self.activations: Undoable[int, Activation] = Undoable()
        tables = (self.rows, self.events, self.told, self.pending, self.notes, self.activations)
        self.tables = (*tables, *self.counters.tables)

    def undo(self) -> None:
        """Goes back to where the transaction began."""
        changed = self.rows.changed
        for table in self.tables:
            table.undo()
        if changed:
            self.index.rebuild()


def _copy(stored: Stored) -> Stored:
    """The same with facts of its own, so that nobody changes what is kept by changing what he holds."""
    return attrs.evolve(stored, facts=dict(stored.facts))


class _Prospects:
    """`Prospects` in memory."""

    def __init__(self, data: _Data) -> None:
        self._data = data

    def read(self, keys: Iterable[str]) -> Sequence[Stored]:
        """See `Prospects.read`."""
        rows = self._data.rows
        return [_copy(rows[key]) for key in keys if key in rows]

    def write(self, changes: Sequence[Change]) -> Sequence[str]:
        """See `Prospects.write`."""
        kept = [change.after.facts if change.answers else unpacked(packed(change.after.facts)) for change in changes]
        pairs = zip(changes, kept, strict=True)  # all of them first: what no database could keep is refused here too
        return tuple(change.after.key for change, facts in pairs if not self._written(change, facts))

    def _written(self, change: Change, facts: Mapping[str, Any]) -> bool:
        data, key = self._data, change.after.key
        now, before = data.rows.get(key), change.before
        if (now is None) != (before is None):
            return False
        if now is not None and before is not None:
            same_owner = now.facts.get("owner") == before.facts.get("owner")
            if now.version != before.version or not same_owner:
                return False
        after = attrs.evolve(change.after, facts=dict(facts))
        data.rows.put(key, after)
        data.index.changed(now, after)
        if (event := change.event) is not None:
            data.events.put(key, (*data.events.get(key, ()), event))
        if (message := change.message) is not None:
            self._tell(message)
        return True

    def _tell(self, message: Message) -> None:
        key = message.key, message.deadline, message.step
        if key not in self._data.told:
            self._data.told.put(key, message)
            self._data.pending.put(key, None)

    def scan(self, after: str | None, limit: int, *, due: tuple[datetime, str] | None = None) -> Sequence[Stored]:
        """See `Prospects.scan`."""
        keys = (key for key, row in self._data.rows.items() if (after is None or key > after) and _wanted(row, due))
        return self.read(nsmallest(limit, keys))

    def history(self, key: str) -> Sequence[Event]:
        """See `Prospects.history`."""
        return self._data.events.get(key, ())


def _wanted(row: Stored, due: tuple[datetime, str] | None) -> bool:
    if due is None:
        return True
    now, digest = due
    change = row.answer.next_change_at
    return row.answer.digest != digest or (change is not None and change <= now)


class _Due:
    """`Due` in memory."""

    def __init__(self, data: _Data, prospects: _Prospects) -> None:
        self._data, self._prospects = data, prospects

    def answers(self, now: datetime, limit: int) -> Sequence[Stored]:
        """See `Due.answers`."""
        return self._prospects.read(self._data.index.due(now, limit))

    def reclaims(self, now: datetime, limit: int) -> Sequence[Stored]:
        """See `Due.reclaims`."""
        return self._prospects.read(row.key for row in nsmallest(limit, self._waiting(now), key=_order))

    def stale(self, digest: str, limit: int) -> Sequence[Stored]:
        """See `Due.stale`."""
        return self._prospects.read(list(islice(self._data.index.stale(digest), limit)))

    def waiting(self, now: datetime) -> Mapping[str | None, int]:
        """See `Due.waiting`."""
        return Counter(owner_of(row.facts) for row in self._waiting(now))

    def count(self, now: datetime, digest: str) -> int:
        """See `Due.count`."""
        found = {row.key for row in self._data.rows.values() if _wanted(row, (now, digest))}
        return len(found) - sum(row.answer.digest == digest for row in self._waiting(now))

    def _waiting(self, now: datetime) -> Iterator[Stored]:
        for key in self._data.index.reclaims:
            row = self._data.rows[key]
            if row.answer.next_change_at is not None and row.answer.next_change_at <= now:
                yield row


def _order(row: Stored) -> tuple[datetime, float, str]:
    return row.answer.deadline or OPEN_ENDED, -worth(row.facts), row.key


class _Outbox:
    """`Outbox` in memory."""

    def __init__(self, data: _Data) -> None:
        self._data = data

    def pending(self, limit: int) -> Sequence[Message]:
        """See `Outbox.pending`."""
        return [self._data.told[key] for key in islice(self._data.pending, limit)]

    def acknowledge(self, messages: Iterable[Message]) -> None:
        """See `Outbox.acknowledge`."""
        for message in messages:
            key = message.key, message.deadline, message.step
            if key in self._data.pending:
                self._data.pending.drop(key)


class _Notes:
    """`Notes` in memory."""

    def __init__(self, data: _Data) -> None:
        self._data = data

    def activate(self, activation: Activation) -> None:
        """See `Notes.activate`."""
        known = self._data.activations
        if not known or known[len(known) - 1].digest != activation.digest:
            known.put(len(known), activation)

    def activations(self) -> Sequence[Activation]:
        """See `Notes.activations`."""
        return list(self._data.activations.values())

    def get(self, name: str) -> Any:
        """See `Notes.get`."""
        return loads(self._data.notes.get(name, "null"))

    def put(self, name: str, value: Any) -> None:
        """See `Notes.put`."""
        self._data.notes.put(name, dumps(value))


class _Transaction:
    """The ports on one set of data."""

    def __init__(self, data: _Data) -> None:
        self.prospects = _Prospects(data)
        self.due = _Due(data, self.prospects)
        self.outbox = _Outbox(data)
        self.counters = data.counters
        self.notes = _Notes(data)


class MemoryStore:
    """
    An `OwnershipStore` in memory: one transaction at a time, threads wait for each other.

    Raises `StoreError` for a transaction within a transaction.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._data = _Data(self._lock)
        self._open = False

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """See `OwnershipStore.begin`."""
        with self._lock:
            if self._open:
                raise StoreError("MemoryStore", "a transaction is open in this thread", "end it before the next begins")
            self._open = True
            try:
                yield from self._transaction()
            finally:
                self._open = False

    def _transaction(self) -> Iterator[Transaction]:
        for table in self._data.tables:
            table.begin()
        try:
            yield _Transaction(self._data)
        except BaseException:
            self._data.undo()
            raise
        for table in self._data.tables:
            table.keep()
