"""Every store that comes with the library keeps every promise of the ports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from sqlalchemy import Connection, Engine, create_engine, event

from crmcore.ownership.ports import OwnershipStore
from crmcore.reservations import MemoryCounters
from crmcore.reservations.sql import METADATA
from crmcore.storage import MemoryStore
from crmcore.storage.sql import JoinedStore, SqlStore
from crmcore.testing import (
    CountersContract,
    DueContract,
    NotesContract,
    OutboxContract,
    ProspectsContract,
    StoreContract,
)


def emptied(store: SqlStore) -> SqlStore:
    """The store without a row, but for those that say how it is made."""
    with store.engine.begin() as connection:
        for table in METADATA.sorted_tables:
            connection.execute(
                table.delete().where(table.c.name != "schema") if "notes" in table.name else table.delete()
            )
    return store


class InMemory:
    examples = 100

    def make(self) -> OwnershipStore:
        return MemoryStore()


class InFile:
    """SQLite, in a file that is emptied for each case."""

    examples = 25
    store: SqlStore

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def database(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        cls.store = SqlStore(f"sqlite:///{tmp_path_factory.mktemp('contract') / 'crm.db'}").create()
        yield
        cls.store.close()

    def make(self) -> OwnershipStore:
        return emptied(self.store)


class OnServer(InFile):
    """PostgreSQL, in a database that is emptied for each case."""

    examples = 15

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def database(cls, postgres: Any) -> Iterator[None]:
        cls.store = SqlStore(postgres.new()).create()
        yield
        cls.store.close()


class Joined:
    """A host's transaction on SQLite, which is undone after each case."""

    examples = 10
    gaps: ClassVar[dict[str, str]] = {
        "ceiling_holds_among_threads": "one connection is one thread's",
        "nobody_is_handed_out_twice": "one connection is one worker's",
    }
    connection: Connection

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def host(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('host') / 'crm.db'}")
        event.listen(engine, "connect", lambda database, _: setattr(database, "isolation_level", None))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        yield from cls.connected(engine)

    @classmethod
    def connected(cls, engine: Engine) -> Iterator[None]:
        METADATA.create_all(engine)
        with engine.connect() as cls.connection:
            yield
        engine.dispose()

    def make(self) -> OwnershipStore:
        self.connection.rollback()
        self.connection.begin()
        return JoinedStore(self.connection)


class JoinedOnServer(Joined):
    """A host's transaction on PostgreSQL, with the zone of the host's session."""

    gaps: ClassVar[dict[str, str]] = Joined.gaps | dict.fromkeys(
        ("answers_come_back", "events_come_back", "messages_come_back", "activations_come_back"),
        "psycopg does not read OPEN_ENDED in a session whose zone is east of UTC",
    )

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def host(cls, postgres: Any) -> Iterator[None]:
        yield from cls.connected(create_engine(postgres.new()))


class TestCountersAlone(CountersContract):
    """Counters in memory, without a store."""

    def make(self) -> Any:
        counters = MemoryCounters()

        @contextmanager
        def begin() -> Iterator[SimpleNamespace]:
            yield SimpleNamespace(counters=counters)

        return SimpleNamespace(begin=begin)


class TestStoreInMemory(InMemory, StoreContract):
    pass


class TestStoreInFile(InFile, StoreContract):
    pass


class TestStoreOnServer(OnServer, StoreContract):
    pass


class TestStoreJoined(Joined, StoreContract):
    pass


class TestStoreJoinedOnServer(JoinedOnServer, StoreContract):
    pass


class TestCountersInMemory(InMemory, CountersContract):
    pass


class TestCountersInFile(InFile, CountersContract):
    pass


class TestCountersOnServer(OnServer, CountersContract):
    pass


class TestCountersJoined(Joined, CountersContract):
    pass


class TestCountersJoinedOnServer(JoinedOnServer, CountersContract):
    pass


class TestProspectsInMemory(InMemory, ProspectsContract):
    pass


class TestProspectsInFile(InFile, ProspectsContract):
    pass


class TestProspectsOnServer(OnServer, ProspectsContract):
    pass


class TestProspectsJoined(Joined, ProspectsContract):
    pass


class TestProspectsJoinedOnServer(JoinedOnServer, ProspectsContract):
    pass


class TestDueInMemory(InMemory, DueContract):
    pass


class TestDueInFile(InFile, DueContract):
    pass


class TestDueOnServer(OnServer, DueContract):
    pass


class TestDueJoined(Joined, DueContract):
    pass


class TestDueJoinedOnServer(JoinedOnServer, DueContract):
    pass


class TestOutboxInMemory(InMemory, OutboxContract):
    pass


class TestOutboxInFile(InFile, OutboxContract):
    pass


class TestOutboxOnServer(OnServer, OutboxContract):
    pass


class TestOutboxJoined(Joined, OutboxContract):
    pass


class TestOutboxJoinedOnServer(JoinedOnServer, OutboxContract):
    pass


class TestNotesInMemory(InMemory, NotesContract):
    pass


class TestNotesInFile(InFile, NotesContract):
    pass


class TestNotesOnServer(OnServer, NotesContract):
    pass


class TestNotesJoined(Joined, NotesContract):
    pass


class TestNotesJoinedOnServer(JoinedOnServer, NotesContract):
    pass
