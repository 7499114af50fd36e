"""The store in a database: what a URL may be, what the tables must be, whose transaction it is, and in which zone."""

from __future__ import annotations

import builtins
import importlib
import sqlite3
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine, event, text
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool

from crmcore.errors import InvalidInput, MissingExtra, NaiveDatetime, StoreBusy, StoreError
from crmcore.ownership import Granted, Stored
from crmcore.ownership.ports import OwnershipStore
from crmcore.ownership.sql import SqlTransaction
from crmcore.ownership.stored import Answer, Change
from crmcore.reservations.sql import COUNTERS, Instant, insert_into
from crmcore.storage import MemoryStore
from crmcore.storage.sql import JoinedStore, SqlStore
from storage.stories import (
    POLICY,
    START,
    day,
    everything,
    filled,
    held,
    numbered,
    pool,
    ran,
    record,
    rows,
    service,
    told,
)

SECRET = "s3cret"  # noqa: S105 - of a test


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'crm.db'}"


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    made = SqlStore(url).create()
    yield made
    made.close()


# --- URLs and drivers ---


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("crm.db", "crm.db: is no database URL; write sqlite:///crm.db or postgresql+psycopg://user@host/crm"),
        ("", ": is no database URL; write sqlite:///crm.db or postgresql+psycopg://user@host/crm"),
        (Path("crm.db"), "crm.db: is no database URL; write sqlite:///crm.db or postgresql+psycopg://user@host/crm"),
        ("sqlite://crm.db", "sqlite://crm.db: is no database URL; write sqlite:///crm.db"),
        (f"postgresql://me:a@{SECRET}@host/crm", "postgresql://***@host/crm: has a second @; write %40 for one"),
        (f"postgresql://me:a@b/{SECRET}@host/crm", "postgresql://***@host/crm: has a second @; write %40"),
        (f"postgresql://me:a/{SECRET}@host:port/crm", "postgresql://***@host:port/crm: is no database URL; write"),
        ("postgresql://host:port/crm", "is no database URL; write sqlite:///crm.db or postgresql+psycopg"),
        (f"nosuch://me:{SECRET}@host/crm", "nosuch://me:***@host/crm: is neither SQLite nor PostgreSQL; use sqlite"),
        (f"mysql+pymysql://me:{SECRET}@host/crm", "mysql+pymysql://me:***@host/crm: is neither SQLite nor PostgreSQL"),
        (f"sqlite+nosuch://me:{SECRET}@host/crm", "the driver nosuch cannot be used"),
        (f"postgresql+pg8000://me:{SECRET}@host/crm", "the driver pg8000 cannot be used (No module named 'pg8000'); "),
    ],
)
def test_a_url_that_cannot_be_used_is_said(url: Any, said: str) -> None:
    with pytest.raises(StoreError) as caught:
        SqlStore(url)
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_password_in_a_url_that_is_none_is_not_shown() -> None:
    """A port that is no number: SQLAlchemy cannot read it, and nobody sees it."""
    with pytest.raises(StoreError) as caught:
        SqlStore(f"postgresql://me:{SECRET}@host:port/crm")
    assert SECRET not in str(caught.value)


def test_another_kind_of_database_is_refused() -> None:
    """It may be installed and reachable: no promise is kept on it."""
    engine = create_engine("sqlite://")
    engine.dialect.name = "mysql"
    with pytest.raises(StoreError, match="is neither SQLite nor PostgreSQL; use one of the two"):
        SqlStore(engine)
    engine.dispose()
    with pytest.raises(InvalidInput, match="mysql is no database that crmcore keeps its promises on"):
        insert_into(COUNTERS, mysql.dialect())


def test_without_sqlalchemy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "sqlalchemy":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "crmcore.storage.sql")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"a store in a database needs SQLAlchemy; pip install 'crmcore\[sql\]'"):
        importlib.import_module("crmcore.storage.sql")


def test_a_password_is_in_no_name(url: str) -> None:
    store = SqlStore(url)
    assert store.name == url
    store.close()
    hidden = SqlStore(f"postgresql+psycopg://me:{SECRET}@localhost:1/crm")
    assert hidden.name == "postgresql+psycopg://me:***@localhost:1/crm"
    with pytest.raises(StoreError) as caught:
        hidden.check()
    assert SECRET not in str(caught.value)
    assert caught.value.store == hidden.name
    hidden.close()
    option = SqlStore(f"postgresql+psycopg://me@localhost:1/crm?password={SECRET}&sslpassword={SECRET}")
    assert option.name == "postgresql+psycopg://me@localhost:1/crm?password=hidden&sslpassword=hidden"
    option.close()


# --- tables ---


def test_a_database_without_tables_is_said(url: str) -> None:
    store = SqlStore(url)
    with pytest.raises(StoreError, match="has no tables of crmcore; make them: SqlStore"):
        store.check()
    store.close()


def test_tables_are_made_in_no_file_of_another_kind(tmp_path: Path) -> None:
    """The driver says so, before SQLAlchemy has a word."""
    (tmp_path / "map.toml").write_text("schema = 1\n" * 100)
    store = SqlStore(f"sqlite:///{tmp_path / 'map.toml'}")
    with pytest.raises(StoreError, match="file is not a database; see that"):
        store.create()
    store.close()


def test_a_store_without_its_tables_says_so_in_a_run(url: str) -> None:
    store = SqlStore(url)
    with pytest.raises(StoreError, match=r"no such table: crmcore_(activations|notes); make them: SqlStore\(url\)"):
        ran(store, day(1))
    store.close()


def test_tables_of_a_newer_release_are_left_alone(store: SqlStore) -> None:
    with store.begin() as transaction:
        transaction.notes.put("schema", 99)
    for look in (store.check, store.create):
        with pytest.raises(StoreError, match="has tables of schema 99, not 1; upgrade crmcore"):
            look()
    with store.begin() as transaction:
        assert transaction.notes.get("schema") == 99


def test_to_create_twice_is_harmless(store: SqlStore) -> None:
    filled(store, numbered(3))
    before = everything(store)
    assert store.create() is store
    assert store.check() is store
    assert everything(store) == before


def made_at_once(url: str) -> list[SqlStore]:
    """The stores that four workers have made of one empty database, all at the same time."""
    ready = Barrier(4)

    def make(_: int) -> SqlStore:
        store = SqlStore(url)
        ready.wait()
        return store.create()

    with ThreadPoolExecutor(4) as workers:
        return list(workers.map(make, range(4)))


def test_workers_that_start_together_all_find_tables(tmp_path: Path) -> None:
    for number in range(5):
        for store in made_at_once(f"sqlite:///{tmp_path / f'{number}.db'}"):
            store.close()


@pytest.mark.parametrize("times", [1, 9, 10])
def test_tables_are_made_although_another_is_writing(url: str, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """SQLite does not wait with this statement; whoever makes the tables does, nine times."""
    said: list[str] = []

    class Driver:
        def __init__(self, connection: Any) -> None:
            self.__dict__["own"] = connection.connection.dbapi_connection

        def execute(self, statement: str) -> Any:
            said.append(statement)
            if len(said) <= times:
                raise sqlite3.OperationalError("database is locked")
            return self.own.execute(statement)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.own, name)

        def __setattr__(self, name: str, value: Any) -> None:
            setattr(self.own, name, value)

    monkeypatch.setattr("crmcore.storage.sql._driver", Driver)
    store = SqlStore(url)
    if times < 10:
        assert store.create().check() is store
    else:
        with pytest.raises(StoreBusy, match="database is locked; try again"):
            store.create()
    assert set(said) == {"PRAGMA journal_mode=WAL"}
    store.close()


@pytest.mark.slow
def test_workers_that_start_together_on_postgresql_all_find_tables(postgres: Any) -> None:
    for _ in range(5):
        for store in made_at_once(postgres.new()):
            store.close()


def test_the_hosts_tables_are_left_alone(url: str) -> None:
    engine = create_engine(url)
    metadata = MetaData()
    Table("lead", metadata, Column("id", Integer, primary_key=True))
    metadata.create_all(engine)
    SqlStore(engine).create()
    with engine.connect() as connection:
        names = set(connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars())
    ours = {name for name in names if name.startswith("crmcore_")}
    assert len(ours) == 7
    assert names - ours <= {"lead", "sqlite_sequence"}
    engine.dispose()


# --- transactions ---


def locked(url: str) -> sqlite3.Connection:
    """Somebody who is writing."""
    writer = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    return writer


def test_a_database_that_another_has_locked_is_busy(store: SqlStore, url: str) -> None:
    """What was to be done is not done, and can be done later."""
    filled(store, [record("a")])
    impatient = SqlStore(create_engine(url, connect_args={"timeout": 0}))
    writer = locked(url)
    with pytest.raises(StoreBusy, match="database is locked; try again"):
        service(impatient).update("a", now=day(1), grade="A")
    writer.execute("ROLLBACK")
    writer.close()
    assert service(impatient).update("a", now=day(1), grade="A").prospect.version == 2
    impatient.close()


def test_a_pool_without_a_free_connection_is_busy(store: SqlStore, url: str) -> None:
    narrow = SqlStore(create_engine(url, poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0))
    with narrow.engine.connect(), pytest.raises(StoreBusy, match="no connection was free"):
        service(narrow).find("a")
    narrow.close()


def test_a_reader_does_not_wait_for_a_writer(store: SqlStore, url: str) -> None:
    """Of one file: what another has not committed is not there yet."""
    filled(store, [record("a")])
    writer = locked(url)
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM crmcore_prospects")).scalar() == 1
    writer.close()


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "42P01", None])
def test_what_postgresql_says_is_busy_or_broken(store: SqlStore, state: str | None) -> None:
    """A deadlock can be tried again; a missing table cannot."""

    class Said(Exception):
        sqlstate = state

    with pytest.raises(StoreError, match="first line") as caught, store.begin():
        raise OperationalError("SELECT 1", {}, Said("first line\nsecond line"))
    assert isinstance(caught.value, StoreBusy) == (state in {"40001", "40P01", "55P03"})
    assert "second line" not in str(caught.value)
    assert isinstance(caught.value.__cause__, DBAPIError)


def beginning(url: str) -> Engine:
    """An engine that begins by itself, as SQLAlchemy's recipe for SQLite has it."""
    engine = create_engine(url)
    event.listen(engine, "connect", lambda driver, _: setattr(driver, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def test_a_host_whose_engine_begins_by_itself_shares_it(store: SqlStore, url: str) -> None:
    other = SqlStore(beginning(url))
    filled(other, numbered(3))
    assert ran(other, day(30)).reclaimed == 3
    assert len(pool(store)) == 3
    other.close()


@pytest.mark.parametrize("asked", [False, True])
def test_what_is_joined_on_such_an_engine_is_the_hosts(store: SqlStore, url: str, asked: bool) -> None:
    """Whether the host has asked something before or not."""
    engine = beginning(url)
    try:
        with engine.connect() as connection:
            if asked:
                connection.execute(text("SELECT 1"))
            service(JoinedStore(connection)).register({"id": "b"}, now=day(1))
            connection.rollback()
        assert rows(store) == {}
    finally:
        engine.dispose()


def test_tables_are_made_on_an_engine_that_begins_by_itself(url: str) -> None:
    store = SqlStore(beginning(url))
    try:
        store.create()
    finally:
        store.close()


def test_two_engines_on_one_file_are_one_store(store: SqlStore, url: str) -> None:
    other = SqlStore(url).check()
    filled(store, [record("a", owner=None), *numbered(5)])
    assert isinstance(service(other, default=9).claim("a", "bob", now=day(1)), Granted)
    assert everything(store) == everything(other)
    assert ran(other, day(30), max_per_run=3).reclaimed == 3
    assert ran(store, day(30), max_per_run=5).reclaimed == 2
    assert held(store, "ann", "bob") == [0, 1]
    other.close()


def test_the_driver_is_left_as_it_was(store: SqlStore) -> None:
    """Whoever takes the connection out of the pool next finds it beginning transactions as before."""
    for id in ("a", "b"):
        service(store).register(record(id), now=START)
        with store.engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            assert driver.isolation_level == ""


def test_a_transaction_that_raises_has_done_nothing(store: SqlStore) -> None:
    filled(store, [record("a")])
    before = everything(store)
    with pytest.raises(KeyboardInterrupt):
        stopped(store)
    assert everything(store) == before


def stopped(store: OwnershipStore) -> None:
    """Writes, counts, and is killed."""
    with store.begin() as transaction:
        (row,) = transaction.prospects.read(["a"])
        after = Stored(facts={**row.facts, "owner": "bob"}, version=2, answer=Answer())
        assert transaction.prospects.write([Change(before=row, after=after)]) == ()
        transaction.counters.add("held/bob", 1)
        raise KeyboardInterrupt


def test_a_transaction_within_one_in_memory_is_refused() -> None:
    store = MemoryStore()
    with store.begin(), pytest.raises(StoreError, match="a transaction is open in this thread; end it"), store.begin():
        pass
    with store.begin() as transaction:
        assert transaction.prospects.scan(None, 1) == []


# --- joined ---


def test_what_is_joined_lasts_with_the_hosts_commit(store: SqlStore) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE lead (id INTEGER)")
        connection.exec_driver_sql("INSERT INTO lead VALUES (1)")
        filled(JoinedStore(connection), [record("a")])
    assert set(rows(store)) == {"a"}


def test_what_is_joined_is_undone_with_the_host(store: SqlStore) -> None:
    """The host has written before: all of it is one transaction."""
    filled(store, [record("a")])
    before = everything(store)
    with store.engine.connect() as connection:
        connection.execute(text("UPDATE crmcore_prospects SET worth = 1"))
        desk = service(JoinedStore(connection))
        desk.register({"id": "b", "owner": "ann"}, now=day(2))
        ran(JoinedStore(connection), day(31))
        assert pool(JoinedStore(connection)) == {"a"}
        connection.rollback()
    assert everything(store) == before


def test_what_is_joined_is_undone_with_a_host_that_wrote_nothing_before(store: SqlStore) -> None:
    with store.engine.connect() as connection:
        filled(JoinedStore(connection), [record("a")])
        connection.rollback()
    assert rows(store) == {}


def test_a_part_of_the_hosts_transaction_that_raises_is_undone_alone(store: SqlStore) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE lead (id INTEGER)")
        connection.exec_driver_sql("INSERT INTO lead VALUES (1)")
        joined = JoinedStore(connection)
        filled(joined, [record("a")])
        with pytest.raises(KeyboardInterrupt):
            stopped(joined)
    assert (set(rows(store)), held(store, "ann")) == ({"a"}, [1])
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM lead")).scalar() == 1


# --- instants ---


@pytest.mark.parametrize("offset", [0, 8, -5.5])
def test_an_instant_is_kept_in_utc_to_the_microsecond(store: SqlStore, offset: float) -> None:
    """Whatever the zone it is given in; the columns hold the wall clock of UTC."""
    at = datetime(2026, 3, 2, 7, 30, 0, 123456, tzinfo=timezone(timedelta(hours=offset)))
    desk = filled(store, [record("a", assigned_at=at)])
    stored = desk.find("a")
    assert stored.facts["assigned_at"] == at
    assert stored.facts["assigned_at"].tzinfo is UTC
    deadline = POLICY.deadline({**dict.fromkeys(POLICY.reads), **record("a", assigned_at=at)})
    ran(store, at + timedelta(days=24))
    ours = desk.find("a").answer
    assert (ours.deadline, ours.step) == (deadline, 1)
    assert ours.deadline is not None
    assert ours.deadline.tzinfo is UTC
    with store.engine.connect() as connection:
        kept = connection.execute(text("SELECT deadline FROM crmcore_prospects")).scalar_one()
    assert kept == f"{at.astimezone(UTC) + timedelta(days=30):%Y-%m-%d %H:%M:%S.%f}"


def test_a_database_with_zones_gives_instants_in_any_and_takes_them_in_utc() -> None:
    """PostgreSQL answers in the zone of the session; SQLite knows none."""
    kept, at = Instant(), datetime(2026, 3, 2, 8, tzinfo=timezone(timedelta(hours=8)))
    server, file = postgresql.dialect(), sqlite.dialect()
    for dialect in (server, file):
        given, found = kept.bind_processor(dialect), kept.result_processor(dialect, None)
        assert (given(None), found(None), found(given(at))) == (None, None, START)
        assert found(given(at)).tzinfo is UTC
        with pytest.raises(NaiveDatetime):
            given(datetime(2026, 3, 2))
    assert kept.result_processor(server, None)(at).tzinfo is UTC
    assert kept.bind_processor(file)(at) == "2026-03-02 00:00:00.000000"


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Shanghai", "UTC"])
def test_postgresql_keeps_instants_whatever_the_zone_of_the_session(postgres: Any, zone: str) -> None:
    """In a store of ours and within a host's transaction; this hour comes twice in New York."""
    engine = create_engine(postgres.new(), connect_args={"options": f"-c timezone={zone}"})
    try:
        at = datetime(2026, 11, 1, 6, 30, 0, 123456, tzinfo=UTC)
        store = SqlStore(engine).create()
        filled(store, [record("a", assigned_at=at - timedelta(days=30))])
        ran(store, at - timedelta(days=7))
        ours = rows(store)
        with engine.connect() as connection:
            joined = JoinedStore(connection)
            assert rows(joined) == ours
            assert ran(joined, at).reclaimed == 1
            assert service(joined).history("a")[-1].deadline == at
            assert told(joined) == [("a", 1, at), ("a", 0, at)]
            connection.rollback()
        answer = service(store).find("a").answer
        assert (answer.outcome, answer.step, answer.deadline) == ("remind", 1, at)
        assert answer.deadline is not None
        assert answer.deadline.tzinfo is UTC
    finally:
        engine.dispose()


# --- small verbs ---


def test_what_asks_for_nothing_asks_no_database(store: SqlStore) -> None:
    asked: list[str] = []
    with store.engine.begin() as connection:
        transaction = SqlTransaction(connection)
        event.listen(connection, "before_cursor_execute", lambda *args: asked.append(args[2]))
        assert transaction.prospects.write([]) == ()
        transaction.outbox.acknowledge([])
    assert asked == []


@pytest.mark.parametrize("wrong", ["garbage", "2026-01-05"])
@pytest.mark.parametrize("fact", ["assigned_at", "registered_at"])
def test_what_others_wrote_as_an_instant_holds_nobody_up(store: SqlStore, fact: str, wrong: str) -> None:
    """Judged, it parks its row; not judged, it is taken to the pool with it. A dry run says the same."""
    desk = filled(store, numbered(3))
    with store.engine.begin() as connection:
        wrote = text(
            "UPDATE crmcore_prospects SET facts = json_set(facts, :fact, :text), digest = NULL WHERE key = 'p001'"
        )
        connection.execute(wrote, {"fact": f"$.{fact}", "text": wrong})
    for dry_run in (True, False):
        report = ran(store, day(31), dry_run=dry_run)
        assert (report.reclaimed, report.parked) == ((2, 1) if fact == "assigned_at" else (3, 0))
    assert desk.put([{"id": "p001", "grade": "B"}], now=day(32)).changed == 1
    assert rows(store)["p001"].facts[fact] == wrong
