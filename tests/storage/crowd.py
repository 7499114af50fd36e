"""A crowd of threads and processes that want the same few prospects for the same few owners, and what must hold."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs
from sqlalchemy import text

from crmcore.errors import StoreBusy, UnknownProspect
from crmcore.ownership import CapPolicy, OwnershipService, ReclaimPolicy
from crmcore.ownership.ports import OwnershipStore
from crmcore.ownership.service import Granted, Refused
from crmcore.ownership.stored import Event, Stored
from crmcore.storage.sql import SqlStore
from storage.processes import PROCESSES

START: Final = datetime(2026, 3, 31, 12, tzinfo=UTC)
CAPS: Final = CapPolicy(default=0, per_owner={f"u{number}": number for number in range(1, 6)})
OWNERS: Final = sorted(CAPS.per_owner)
WANTED: Final = [f"p{number}" for number in range(24)]
POLICY: Final = ReclaimPolicy(idle="30d", remind_before=["7d"], zone="Asia/Shanghai")
INSIDE, OUTSIDE = 16, 8
"""How many are threads, and how many processes."""


@attrs.define
class Done:
    """What came of some operations: what was granted, as (key, version, kind, owner), and how often it was not."""

    granted: Counter[tuple[str, int, str, str | None]] = attrs.field(factory=Counter)
    commands: int = 0
    refused: int = 0
    busy: int = 0

    def add(self, other: Done) -> None:
        """Takes in what another has done."""
        self.granted += other.granted
        self.commands += other.commands
        self.refused += other.refused
        self.busy += other.busy


class Member:
    """One of the crowd; of one name, it always wants the same."""

    def __init__(self, store: OwnershipStore, name: str) -> None:
        self._service, self._name = OwnershipService(store, POLICY, CAPS), name
        self._draw, self._done = random.Random(name), Done()
        self._acts = (*[self._take] * 3, *[self._release] * 3, self._touch, self._close)

    def act(self, operations: int) -> Done:
        """So many operations, and a look round after every tenth."""
        for number in range(operations):
            now = START + timedelta(seconds=number)
            if number % 10 == 0:
                balanced(self._service.store)
            try:
                self._draw.choice(self._acts)(now)
            except UnknownProspect:
                self._register(self._draw.choice(WANTED), now)
            except StoreBusy:
                self._done.busy += 1
        return self._done

    def _take(self, now: datetime) -> None:
        """A claim or an assignment."""
        key, owner = self._draw.choice(WANTED), self._draw.choice(OWNERS)
        kind = self._draw.choice(("claimed", "claimed", "claimed", "assigned"))
        command = self._service.claim if kind == "claimed" else self._service.assign
        self._twice(kind, lambda request: command(key, owner, now=now, key=request))

    def _release(self, now: datetime) -> None:
        key, owner = self._draw.choice(WANTED), self._draw.choice((*[None] * 5, *OWNERS))
        self._twice("released", lambda request: self._service.release(key, now=now, owner=owner, key=request))

    def _touch(self, now: datetime) -> None:
        self._done.commands += 1
        self._service.update(self._draw.choice(WANTED), now=now, last_contact_at=now)

    def _close(self, now: datetime) -> None:
        """A prospect that nobody else wants, which is won at once: its place is free again."""
        key = f"{self._name}/{now:%H%M%S}"
        self._register(key, now)
        self._done.commands += 1
        self._service.update(key, now=now, status="won")

    def _register(self, key: str, now: datetime) -> None:
        facts = {"id": key, "owner": self._draw.choice(OWNERS)}
        self._twice("registered", lambda request: self._service.register(facts, now=now, key=request))

    def _twice(self, kind: str, command: Callable[[str], Granted | Refused]) -> None:
        """A command under a key of its own, or one that others use as well; what was granted is asked for once more."""
        request = self._draw.choice((f"{self._name}/{self._draw.random()}", f"ours/{self._draw.randrange(50)}"))
        self._done.commands += 1
        said = command(request)
        if isinstance(said, Refused):
            self._done.refused += 1
            return
        if not said.repeated:
            prospect = said.prospect
            self._done.granted[prospect.key, prospect.version, kind, prospect.facts.get("owner")] += 1
        self._done.commands += 1
        again = command(request)
        assert isinstance(again, Granted)
        assert again.repeated


def gathered(store: OwnershipStore, name: str, operations: int) -> Done:
    """What 16 threads on `store` and, where it is a database, 8 processes have done."""
    done = Done()
    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(INSIDE))
        crowd = [threads.submit(Member(store, f"{name}/thread{n}").act, operations) for n in range(INSIDE)]
        if isinstance(store, SqlStore):
            others = stack.enter_context(ProcessPoolExecutor(OUTSIDE, mp_context=PROCESSES))
            url = store.engine.url.render_as_string(hide_password=False)
            crowd += [others.submit(act, url, f"{name}/process{n}", operations) for n in range(OUTSIDE)]
        for each in crowd:
            done.add(each.result())
    return done


def act(url: str, name: str, operations: int) -> Done:
    """A member in a process of its own."""
    store = SqlStore(url)
    try:
        return Member(store, name).act(operations)
    finally:
        store.close()


# --- what must hold ---


def balanced(store: OwnershipStore) -> None:
    """At this moment nobody is over his cap, and what is counted is what there is."""
    look = _look_in_database if isinstance(store, SqlStore) else _look_in_memory
    for owner, counted, held in look(store):
        assert counted == held <= CAPS.per_owner[owner], (owner, counted, held)


def _look_in_memory(store: OwnershipStore) -> Iterator[tuple[str, int, int]]:
    with store.begin() as transaction:
        rows = transaction.prospects.scan(None, 1_000_000)
        counted = {owner: transaction.counters.held(f"held/{owner}", now=START) for owner in OWNERS}
    held = Counter(row.facts.get("owner") for row in rows if row.facts["status"] == "open")
    return ((owner, counted[owner], held[owner]) for owner in OWNERS)


def _look_in_database(store: SqlStore) -> Iterator[tuple[str, int, int]]:
    """One statement: one view of everything."""
    look = LOOK.format(status=STATUS[store.engine.dialect.name])
    with store.engine.connect() as connection:
        rows = connection.execute(text(look)).all()
    return ((row.name.partition("/")[2], row.counted, row.held) for row in rows)


STATUS: Final = {"sqlite": "json_extract(facts, '$.status')", "postgresql": "facts ->> 'status'"}
LOOK: Final = """
    SELECT name, total + (
        SELECT coalesce(sum(amount), 0) FROM crmcore_reservations WHERE counter = name AND NOT committed
    ) AS counted, (
        SELECT count(*) FROM crmcore_prospects WHERE 'held/' || owner = name AND {status} = 'open'
    ) AS held
    FROM crmcore_counters
"""


def settled(store: OwnershipStore, done: Done) -> None:
    """The history is what was granted: each version once, one owner at a time, no request twice, no cap exceeded."""
    balanced(store)
    with store.begin() as transaction:
        rows = {row.key: row for row in transaction.prospects.scan(None, 1_000_000)}
        histories = {key: transaction.prospects.history(key) for key in rows}
    events = [event for history in histories.values() for event in history]
    assert Counter((event.key, event.version, event.kind, event.owner_after) for event in events) == done.granted
    assert set(done.granted.values()) == {1}
    assert set(Counter((event.key, event.request) for event in events).values()) == {1}
    for key, history in histories.items():
        _one_owner_at_a_time(history, rows[key])
    if isinstance(store, SqlStore):
        _replayed(store)


def _one_owner_at_a_time(history: Iterable[Event], now: Stored) -> None:
    owner, version = None, 0
    for event in history:
        assert (event.owner_before, event.version > version) == (owner, True)
        assert event.kind != "claimed" or owner is None
        owner, version = event.owner_after, event.version
    assert (owner, version <= now.version) == (now.facts.get("owner"), True)


def _replayed(store: SqlStore) -> None:
    """Event by event as they were written, an owner's gains while his counter was locked."""
    held: Counter[str | None] = Counter()
    with store.engine.connect() as connection:
        rows = connection.execute(text("SELECT key, owner_before, owner_after FROM crmcore_history ORDER BY seq")).all()
    for row in rows:
        if row.key in WANTED:  # the others are won, which is no event
            held.subtract([row.owner_before])
            held.update([row.owner_after])
            assert all(held[owner] <= cap for owner, cap in CAPS.per_owner.items()), row
