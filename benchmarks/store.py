"""Topic `store`: the run beside a bare loop through the driver, over ten times as many, in how much memory; reindex."""

# ruff: noqa: S608 - every word of the statements is ours

from __future__ import annotations

import gc
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, Final

import attrs

from benchmarks.deals import NOW, by_calendar_days, by_working_days
from benchmarks.ratios import Row, timed
from crmcore.ownership import CapPolicy, OwnershipService, ReclaimPolicy, RunLimits
from crmcore.storage import RunReport, reindex, run

if TYPE_CHECKING:
    from crmcore.storage.sql import SqlStore

__all__ = ["peak", "store"]

SMALL, LARGE, STALE, DUE, BATCH = 100_000, 1_000_000, 200_000, 10_000, 500
POLICY: Final = by_calendar_days()
LIMITS: Final = RunLimits(activation_grace="0d", max_per_run=None, max_per_owner_per_day=None)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
BEFORE: Final = NOW - DAY
MIXED: Final = {"keep": 0.45, "remind": 0.45, "reclaim": 0.1}
RECLAIMS: Final = {"reclaim": 1.0}
SEED = 1000
"""Prospects that are not due are made from so many by the library, and copied by the database."""

STATUS: Final = Path("/proc/self/status")
HOME: Final = Path(__file__).resolve().parent.parent
PEAK = "import sys; from benchmarks.store import peak; peak(*sys.argv[1:])"


def store(*, quick: bool) -> Iterator[Row]:
    """What the bare loop leaves is compared with what the run leaves, before either is timed."""
    if find_spec("sqlalchemy") is None:
        yield Row("store", "store", (), note="skipped: no sqlalchemy")
        return
    scale = 10 if quick else 1
    sizes, due, pairs = (SMALL // scale, LARGE // scale), DUE // scale, 5 if quick else 9
    with TemporaryDirectory() as folder:
        small, large = (_base(f"sqlite:///{folder}/{size}.db", size, due) for size in sizes)
        yield from _beside_loop("SQLite", small, pairs, target=4)
        yield from _beside_larger("SQLite", small, large, pairs, target=2.2)
        yield from _memory(small, large)
        reclaims = _base(f"sqlite:///{folder}/reclaims.db", sizes[0], due, RECLAIMS)
        yield from _beside_loop("SQLite, reclaims alone", reclaims, pairs)
        yield from _reindexed(_base(f"sqlite:///{folder}/stale.db", STALE // scale, due), 1 if quick else 3)
    yield from _on_postgres(sizes, due, pairs)


# --- what is stored ---


@attrs.frozen
class Base:
    """
    A store with prospects, of which some are due at NOW.

    The rows that a run touches are kept beside in `saved`, and put back from there by the database.
    """

    store: SqlStore
    size: int
    due: int

    @property
    def is_lite(self) -> bool:
        return self.store.engine.dialect.name == "sqlite"

    def run(self) -> RunReport:
        return run(self.store, POLICY, now=NOW, limits=LIMITS, batch=BATCH)

    def restore(self) -> None:
        """As it was before the run; its counters alone go on counting."""
        with self.store.engine.begin() as connection:
            same = ", ".join(f"{name} = saved.{name}" for name in COLUMNS[1:])
            ours = "crmcore_prospects"
            connection.exec_driver_sql(f"UPDATE {ours} SET {same} FROM saved WHERE {ours}.key = saved.key")
            for table in ("history", "outbox"):
                old = f"SELECT {table} FROM marks"
                connection.exec_driver_sql(f"DELETE FROM crmcore_{table} WHERE seq > ({old})")

    def left(self) -> dict[str, list[Any]]:
        """The rows that a run touches or writes, as the driver gives them."""
        with self.store.engine.begin() as connection:
            names = ", ".join(COLUMNS).replace("facts", "CAST(facts AS text)")
            return {
                table: [tuple(row) for row in connection.exec_driver_sql(query)]
                for table, query in (
                    ("prospects", f"SELECT {names} FROM crmcore_prospects WHERE key IN (SELECT key FROM saved)"),
                    ("history", f"SELECT {EVENT} FROM crmcore_history WHERE seq > (SELECT history FROM marks)"),
                    ("outbox", f"SELECT {MESSAGE} FROM crmcore_outbox WHERE seq > (SELECT outbox FROM marks)"),
                )
            }


COLUMNS: Final = (
    "key", "facts", "version", "owner", "worth",
    "outcome", "step", "rule", "deadline", "next_change_at", "digest", "parked",
)  # fmt: skip
ANSWER: Final = COLUMNS[5:]
EVENT = "key, version, at, kind, owner_before, owner_after, rule, deadline, digest"
MESSAGE = "key, deadline, step, outcome, rule, owner, at, acknowledged"


def _base(url: str, size: int, due: int, mix: Mapping[str, float] = MIXED) -> Base:
    """The due ones and a few others are put by the library, a day before; the database makes many of the few."""
    from crmcore.storage.sql import SqlStore

    made = Base(SqlStore(url).create(), size, due)
    reindex(made.store, POLICY, now=BEFORE, limits=LIMITS)
    service = OwnershipService(made.store, POLICY, CapPolicy(default=size), LIMITS)
    service.put((_facts(kind, number) for kind in mix for number in range(round(due * mix[kind]))), now=BEFORE)
    service.put((_facts("far", number) for number in range(SEED)), now=BEFORE)
    with made.store.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE saved AS SELECT * FROM crmcore_prospects WHERE substr(key, 1, 3) <> 'far'"
        )
        connection.exec_driver_sql("CREATE UNIQUE INDEX saved_key ON saved (key)")
        last = ", ".join(
            f"(SELECT coalesce(max(seq), 0) FROM crmcore_{name}) AS {name}" for name in ("history", "outbox")
        )
        connection.exec_driver_sql(f"CREATE TABLE marks AS SELECT {last}")
        connection.exec_driver_sql(_copies((size - due) // SEED - 1, lite=made.is_lite))
        (count,) = connection.exec_driver_sql("SELECT count(*) FROM crmcore_prospects").one()
    assert count == size
    with made.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)" if made.is_lite else "VACUUM ANALYZE")
    return made


def _facts(kind: str, number: int) -> dict[str, Any]:
    """Of a prospect that gets an answer of this kind at NOW, and another or none a day before."""
    last = {
        "keep": NOW - number * SECOND,  # an appointment, entered before it took place
        "remind": NOW - 53 * DAY - number * SECOND,
        "reclaim": NOW - 60 * DAY - number * SECOND,
        "far": NOW - DAY - number / SEED * 40 * DAY,
    }
    return {
        "id": f"{kind}{number}",
        "name": f"Company {number}",
        "owner": f"u{number % 50:03}",
        "status": "open",
        "grade": "C",
        "value": number % 1000,
        "assigned_at": NOW - 65 * DAY,
        "last_contact_at": last[kind],
    }


def _copies(times: int, *, lite: bool) -> str:
    """The statement that makes so many copies, under keys of their own, of each that is not due."""
    key = "key || '/' || n"
    if lite:
        numbers = (
            f"(WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < {times}) SELECT n FROM up)"
        )
        facts = f"json_set(facts, '$.id', {key})"
    else:
        numbers = f"(SELECT generate_series(1, {times}) AS n)"
        facts = f"jsonb_set(facts, '{{id}}', to_jsonb({key}))"
    chosen = ", ".join({"key": key, "facts": facts}.get(name, name) for name in COLUMNS)
    few = "(SELECT * FROM crmcore_prospects WHERE substr(key, 1, 3) = 'far')"
    return (
        f"INSERT INTO crmcore_prospects ({', '.join(COLUMNS)}) SELECT {chosen} FROM {few} AS few, {numbers} AS numbers"
    )


# --- the bare loop ---


@attrs.frozen
class Loop:
    """
    Reads what is due and writes answers that it was given, through the driver, in the transactions of the run.

    With `whole` it writes every row that the run writes, its history and messages too (not its counters).
    """

    base: Base
    answers: Mapping[str, tuple[Any, ...]]
    events: Mapping[str, tuple[Any, ...]]
    messages: Mapping[str, tuple[Any, ...]]
    whole: bool = False

    @classmethod
    def of(cls, base: Base, left: Mapping[str, list[Any]]) -> Loop:
        """From what a run has left."""
        return cls(base, *({row[0]: row for row in left[table]} for table in ("prospects", "history", "outbox")))

    def __call__(self) -> None:
        mark = "?" if self.base.is_lite else "%s"
        now = f"{NOW:%Y-%m-%d %H:%M:%S.%f}" if self.base.is_lite else NOW
        read = f"{READ} ORDER BY next_change_at LIMIT {mark}{'' if self.base.is_lite else ' FOR UPDATE SKIP LOCKED'}"
        with closing(_connected(self.base)) as connection:
            cursor = connection.cursor()
            while True:
                cursor.execute("BEGIN IMMEDIATE" if self.base.is_lite else "BEGIN")
                rows = cursor.execute(read.replace("?", mark), (now, BATCH)).fetchall()
                if rows:
                    self._write(cursor, [row[0] for row in rows], mark)
                cursor.execute("COMMIT")
                if not rows:
                    return

    def _write(self, cursor: Any, keys: list[str], mark: str) -> None:
        if not self.whole:
            short = "UPDATE crmcore_prospects SET outcome = ?, next_change_at = ? WHERE key = ?"
            cursor.executemany(short.replace("?", mark), [(*self._short(key), key) for key in keys])
            return
        gone, stay = ([key for key in keys if (key in self.events) is taken] for taken in (True, False))
        for some, names in ((stay, ANSWER), (gone, ("facts", "version", "owner", *ANSWER))):
            places = [COLUMNS.index(name) for name in names]
            update = (
                f"UPDATE crmcore_prospects SET {', '.join(f'{name} = {mark}' for name in names)} WHERE key = {mark}"
            )
            if some:
                cursor.executemany(update, [(*(self.answers[key][place] for place in places), key) for key in some])
        for table, columns, made in (("history", EVENT, self.events), ("outbox", MESSAGE, self.messages)):
            new = [made[key] for key in keys if key in made]
            insert = f"INSERT INTO crmcore_{table} ({columns}) VALUES ({', '.join([mark] * len(columns.split()))})"
            if new:
                cursor.executemany(insert, new)

    def _short(self, key: str) -> tuple[Any, Any]:
        row = self.answers[key]
        return row[COLUMNS.index("outcome")], row[COLUMNS.index("next_change_at")]


READ: Final = f"SELECT {', '.join(COLUMNS)} FROM crmcore_prospects WHERE next_change_at <= ? AND outcome <> 'reclaim'"


def _connected(base: Base) -> Any:
    """A connection of the driver's own, on which every statement stands alone until BEGIN."""
    url = base.store.engine.url
    if base.is_lite:
        return sqlite3.connect(str(url.database), isolation_level=None)
    import psycopg

    return psycopg.connect(host=str(url.query["host"]), user=url.username, dbname=url.database, autocommit=True)


# --- the rows ---


def _beside_loop(name: str, base: Base, pairs: int, target: float | None = None) -> Iterator[Row]:
    """The target is that of a loop that only reads and updates; beside it one that writes all that the run writes."""
    base.run()
    left = base.left()
    base.restore()
    for whole, does in ((False, "updates them"), (True, "writes the same")):
        loop = attrs.evolve(Loop.of(base, left), whole=whole)
        loop()
        _same(left, base.left(), whole=whole)
        base.restore()
        what = f"{name}, {base.due:,} due of {base.size:,}, over a loop that {does}"
        pair = partial(_timed, base, base.run), partial(_timed, base, loop)
        yield from _rows(what, *pair, pairs, None if whole else target)


def _beside_larger(name: str, small: Base, large: Base, pairs: int, target: float | None = None) -> Iterator[Row]:
    assert _counted(small) == _counted(large)
    what = f"{name}, {large.due:,} due of {large.size:,}, over as many of {small.size:,}"
    pair = (partial(_timed, base, base.run) for base in (large, small))
    yield from _rows(what, *pair, pairs, target)


Seconds = tuple[float, float]
"""Of the processor, and of the clock on the wall."""


def _timed(base: Base, work: Callable[[], object]) -> Seconds:
    """What was done is undone after the time is taken."""
    gc.collect()
    gc.disable()
    try:
        start = process_time(), perf_counter()
        work()
        return process_time() - start[0], perf_counter() - start[1]
    finally:
        gc.enable()
        base.restore()


def _rows(
    what: str, ours: Callable[[], Seconds], theirs: Callable[[], Seconds], pairs: int, target: float | None
) -> Iterator[Row]:
    """One ratio a pair, of which the first goes to waste; which of the two goes first alternates."""
    found: list[Seconds] = []
    for pair in range(pairs + 1):
        first, second = (ours, theirs) if pair % 2 else (theirs, ours)
        one, other = first(), second()
        own, their = (one, other) if pair % 2 else (other, one)
        found.append((own[0] / their[0], own[1] / their[1]))
    processor, wall = zip(*found[1:], strict=True)
    yield Row("store", what, processor, target)
    yield Row("store", f"{what}, wall clock", wall)


def _same(run: dict[str, list[Any]], loop: dict[str, list[Any]], *, whole: bool) -> None:
    places = range(len(COLUMNS)) if whole else [COLUMNS.index(name) for name in ("key", "outcome", "next_change_at")]
    told = [
        sorted([tuple(row[place] for place in places) for row in left["prospects"]], key=str) for left in (run, loop)
    ]
    assert told[0] == told[1]
    for table in ("history", "outbox") if whole else ():
        assert run[table]
        assert sorted(run[table], key=str) == sorted(loop[table], key=str), table


def _counted(base: Base) -> dict[str, Any]:
    """The report of a run, which is undone."""
    report = base.run()
    base.restore()
    assert report.reclaimed == round(base.due * MIXED["reclaim"])
    assert report.judged == {kind: round(base.due * share) for kind, share in MIXED.items()}
    return report.record(UTC)


def _memory(small: Base, large: Base) -> Iterator[Row]:
    what = f"memory of the process, SQLite, {large.size:,} stored over {small.size:,}"
    if not STATUS.exists():
        yield Row("store", what, (), note=f"skipped: no {STATUS}")
        return
    held = {base.size: _peak(base) for base in (small, large)}
    yield Row("store", what, (held[large.size] / held[small.size],), 1.2)
    yield Row("store", f"memory of the process, SQLite, {large.size:,} stored", (held[large.size],), unit=" MB")


def _peak(base: Base) -> float:
    arguments = [sys.executable, "-c", PEAK, str(base.store.engine.url), str(base.size), str(base.due)]
    done = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True, cwd=HOME)
    base.restore()
    return float(done.stdout)


def peak(url: str, size: str, due: str) -> None:
    """A run, in the process that is to be measured; prints the most megabytes that it held."""
    from crmcore.storage.sql import SqlStore

    report = Base(SqlStore(url), int(size), int(due)).run()
    assert sum(report.judged.values()) == int(due)
    # Not `ru_maxrss`: that begins with what the parent held when it started this process.
    (line,) = (line.split()[1] for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    print(int(line) * 1024 / 1e6)


def _reindexed(base: Base, times: int) -> Iterator[Row]:
    """Two policies take turns, so that every answer is another's each time."""
    turns = (by_working_days(), POLICY) * times
    seconds = [timed(partial(_reindex, base, policy), collecting=True, clock=perf_counter) for policy in turns]
    rates = [base.size / 1000 / each for each in seconds]
    yield Row("store", f"reindex, SQLite, {base.size:,} stale, wall clock", tuple(rates), unit="k rows/s")


def _reindex(base: Base, policy: ReclaimPolicy) -> None:
    report = reindex(base.store, policy, now=BEFORE, limits=LIMITS)
    assert sum(report.judged.values()) == base.size


@contextmanager
def _server() -> Iterator[Any]:
    """A scratch server of PostgreSQL; where there is none, the word why."""
    if lacking := [name for name in ("pwd", "psycopg") if find_spec(name) is None]:
        yield f"skipped: no {' and no '.join(lacking)}"
        return
    from tests.server import Lacking, serving

    try:
        with serving() as server:
            yield server
    except Lacking as lacking:
        yield f"skipped: {lacking}"


def _on_postgres(sizes: tuple[int, int], due: int, pairs: int) -> Iterator[Row]:
    """For information: the server works in other processes, and does not wait for its disk."""
    with _server() as server:
        if isinstance(server, str):
            yield Row("store", "PostgreSQL", (), note=server)
            return
        small, large = (_base(server.new(), size, due) for size in sizes)
        for row in (*_beside_loop("PostgreSQL", small, pairs), *_beside_larger("PostgreSQL", small, large, pairs)):
            if "wall clock" in row.what:
                yield row
        for base in (small, large):
            base.store.close()
