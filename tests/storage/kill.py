"""
Runs that are killed: the base they run on, the workers, and what must hold of the database after every death.

A worker counts what it does with its database, together with the others, and dies by its own hand at one of these
events: before or after a statement, before or after a commit.
"""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import wait
from typing import Any, Final

import attrs
from sqlalchemy import Connection, NullPool, create_engine, event, text

from crmcore.ownership import OwnershipService, ReclaimPolicy, RunLimits
from crmcore.ownership.ports import OwnershipStore
from crmcore.storage import run
from crmcore.storage.sql import SqlStore
from storage.processes import PROCESSES

NOW: Final = datetime(2026, 3, 31, 20, tzinfo=UTC)  # in Shanghai it is April
DAY: Final = timedelta(days=1)
BEFORE: Final = NOW - 2 * DAY
POLICY: Final = ReclaimPolicy(idle={"A": "15d", "default": "60d"}, remind_before=["7d", "1d"], zone="Asia/Shanghai")
EARLIER: Final = ReclaimPolicy(idle="300d", zone="Asia/Shanghai")
FREE: Final = RunLimits(activation_grace="0d", max_per_run=1000, max_per_owner_per_day=100)
TIGHT: Final = RunLimits(activation_grace="0d", max_per_run=30, max_per_owner_per_day=7)
OWNERS: Final = ("u1", "u2", "u3", "u4", "u5", "王芳")
BATCH: Final = 8


# --- the base ---


def fill(store: OwnershipStore) -> None:
    """
    A base two days before the run: 48 wait to be reclaimed, the others become due or have an earlier policy's answer.

    Those that wait are more than `TIGHT` lets go, and their deadlines are the oldest: which go does not depend on who
    is first. Three cannot be judged.
    """
    draw = random.Random(4)
    ours = [*_prospects(draw, "waits", 48, (61, 90)), *_prospects(draw, "due", 40, (50, 61))]
    theirs = [*_prospects(draw, "stale", 40, (50, 61)), *_prospects(draw, "odd", 3, (1, 30), status="lent")]
    OwnershipService(store, POLICY, limits=FREE).put(ours, now=BEFORE)
    OwnershipService(store, EARLIER, limits=FREE).put(theirs, now=BEFORE)


def _prospects(
    draw: random.Random, name: str, count: int, ages: tuple[int, int], status: str = "open"
) -> Iterator[dict[str, Any]]:
    """So many with the same limit of 60 days, assigned so many days ago."""
    for number in range(count):
        yield {
            "id": f"{name}-{number}",
            "owner": draw.choice((*OWNERS, "u1", "u1", "u1")),  # one has more than he may lose in a day
            "status": status,
            "grade": "B",
            "assigned_at": BEFORE + timedelta(hours=12) - draw.uniform(*ages) * DAY,
            "value": draw.randint(1, 3),
        }


def state(store: OwnershipStore) -> dict[str, Any]:
    """All that a store keeps, but for the order in which things were written."""
    with store.begin() as transaction:
        rows = {row.key: row for row in transaction.prospects.scan(None, 10_000)}
        names = [f"{kind}/{owner}" for kind in ("held", "reclaimed") for owner in OWNERS]
        messages = transaction.outbox.pending(10_000)
        told = set(messages)
        assert len(told) == len(messages)
        return {
            "prospects": rows,
            "history": {key: tuple(transaction.prospects.history(key)) for key in rows},
            "outbox": told,
            "counters": {name: transaction.counters.held(name, now=NOW) for name in (*names, f"run/{NOW.isoformat()}")},
        }


# --- the workers ---


class Fuse:
    """Counts events of all workers; who makes event number `length` dies of it. 0: nobody does."""

    def __init__(self, length: int = 0) -> None:
        self.length = length
        self._count = PROCESSES.Value("q", 0)

    @property
    def count(self) -> int:
        """How many events there were."""
        return self._count.value

    def burn(self, *_: object) -> None:
        """One event more."""
        with self._count.get_lock():
            self._count.value += 1
            last = self._count.value == self.length
        if last:
            os.kill(os.getpid(), signal.SIGKILL)


def work(url: str, limits: RunLimits, fuse: Fuse, progress: Any, *, leaky: bool = False) -> None:
    """The run; every batch is told to the pipe `progress`. If `leaky`, what is updated lasts at once."""
    store = SqlStore(url)
    if leaky:
        event.listen(store.engine, "after_cursor_execute", _leak)
    for name in ("before_cursor_execute", "after_cursor_execute", "commit", "checkin"):
        event.listen(store.engine, name, fuse.burn)
    run(store, POLICY, now=NOW, limits=limits, batch=BATCH, progress=lambda done, _: progress.send(done))
    store.close()


def _leak(connection: Connection, _: Any, statement: str, *__: object) -> None:
    if statement.startswith("UPDATE crmcore_prospects"):
        connection.connection.commit()


@attrs.frozen(kw_only=True)
class Death:
    """How workers die: one by its own hand at an event, or all from outside at a batch; with `all`, all with it."""

    event: int = 0
    batch: int = 0
    all: bool = False


def workers_die(url: str, limits: RunLimits, workers: int, death: Death, *, leaky: bool = False) -> list[int | None]:
    """Lets so many workers run at once until all have ended, one way or the other; their exit codes."""
    fuse = Fuse(death.event)
    ear, mouth = PROCESSES.Pipe(duplex=False)
    crew = [
        PROCESSES.Process(target=work, args=(url, limits, fuse, mouth), kwargs={"leaky": leaky}) for _ in range(workers)
    ]
    for each in crew:
        each.start()
    mouth.close()
    for _ in range(death.batch):
        ear.recv()
    while death.event and death.all and (living := _living(crew)):
        wait([each.sentinel for each in living])
    if death.all:
        for each in crew:
            each.kill()
    for each in crew:
        each.join()
    ear.close()
    _ghosts_are_gone(url)
    return [each.exitcode for each in crew]


def _living(crew: Sequence[Any]) -> list[Any]:
    """Those at work, while nobody has died."""
    died = any(each.exitcode for each in crew)
    return [each for each in crew if each.exitcode is None and not died]


def _ghosts_are_gone(url: str) -> None:
    """Waits until PostgreSQL has noticed who died: till then it keeps their locks."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            while connection.execute(text(OTHERS)).scalar_one():
                pass


OTHERS: Final = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


# --- what must hold ---


def whole(url: str, limits: RunLimits) -> None:
    """What the tables say fits together: asserts it, in plain SQL."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:

        def rows(query: str) -> list[Any]:
            return list(connection.execute(text(query)).all())

        prospects = {row.key: row for row in rows("SELECT key, facts, version, owner, outcome FROM crmcore_prospects")}
        history = rows("SELECT * FROM crmcore_history ORDER BY seq")
        outbox = rows("SELECT key, deadline, step, outcome, owner FROM crmcore_outbox")
        totals = dict(map(tuple, rows("SELECT name, total FROM crmcore_counters")))
        reserved = Counter[str]()
        for row in rows("SELECT counter, amount, committed FROM crmcore_reservations"):
            assert not row.committed
            reserved[row.counter] += row.amount
    gone = [row for row in history if row.kind == "reclaimed"]
    _history_is_whole(prospects, history)
    _every_loss_is_told(prospects, gone, outbox)
    _counters_are_right(prospects, gone, totals, reserved)
    assert reserved[f"run/{NOW.isoformat()}"] <= (limits.max_per_run or 0)
    assert all(reserved[f"reclaimed/{owner}"] <= (limits.max_per_owner_per_day or 0) for owner in OWNERS)


def _history_is_whole(prospects: dict[str, Any], history: list[Any]) -> None:
    """Every version has one event, and each begins where the one before it ended."""
    owner, version = dict.fromkeys(prospects), dict.fromkeys(prospects, 0)
    for row in history:
        assert (row.version, row.owner_before) == (version[row.key] + 1, owner[row.key])
        assert row.owner_before != row.owner_after
        owner[row.key], version[row.key] = row.owner_after, row.version
    assert owner == {key: row.owner for key, row in prospects.items()}
    assert version == {key: row.version for key, row in prospects.items()}


def _every_loss_is_told(prospects: dict[str, Any], gone: list[Any], outbox: list[Any]) -> None:
    """Who lost a prospect is on its record, and is told so once; nobody is told of what did not happen."""
    for row in gone:
        facts = prospects[row.key].facts
        assert (facts if isinstance(facts, dict) else json.loads(facts))["former_owner"] == row.owner_before
    losses = Counter((row.key, row.deadline, row.owner_before) for row in gone)
    assert losses == Counter((row.key, row.deadline, row.owner) for row in outbox if row.step == 0)
    assert {row.key for row in prospects.values() if row.outcome == "remind"} <= {row.key for row in outbox if row.step}
    assert set(Counter((row.key, row.deadline, row.step) for row in outbox).values()) == {1}


def _counters_are_right(
    prospects: dict[str, Any], gone: list[Any], totals: dict[str, int], reserved: Counter[str]
) -> None:
    """What is counted is what there is."""
    held = Counter(row.owner for row in prospects.values())
    lost = Counter(row.owner_before for row in gone)
    for owner in OWNERS:
        assert totals[f"held/{owner}"] == held[owner]
        assert reserved[f"reclaimed/{owner}"] == lost[owner]
    assert reserved[f"run/{NOW.isoformat()}"] == len(gone)
