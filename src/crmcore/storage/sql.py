"""A store in a database, through SQLAlchemy 2: a SQLite file, or PostgreSQL (extra `sql`; no driver comes with it)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Self

from crmcore.errors import MissingExtra, StoreBusy, StoreError

try:
    from sqlalchemy import URL, Connection, Engine, create_engine, inspect
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, TimeoutError  # noqa: A004 - its own
except ImportError:
    raise MissingExtra("SQLAlchemy", "sql", "a store in a database") from None

from crmcore.ownership.ports import Transaction
from crmcore.ownership.sql import SqlTransaction
from crmcore.ownership.tables import NOTES
from crmcore.reservations.sql import METADATA

__all__ = ["JoinedStore", "SqlStore"]

SCHEMA: Final = 1
URLS: Final = {"sqlite": "sqlite:///crm.db", "postgresql": "postgresql+psycopg://user@host/crm"}
REMEDIES: Final = {
    "sqlite": "see that it is a SQLite file, or a new one, and that it and its folder can be written",
    "postgresql": "see that the server can be reached, and that user, password and database are right",
}
MAKE: Final = "make them: SqlStore(url).create(), or crmcore import"
NO_TABLE: Final = "42P01"
"""PostgreSQL's word for a table that is not there."""
BUSY: Final = frozenset({"40001", "40P01", "55P03"})
"""PostgreSQL's words for: could not serialize, deadlock, a lock not to be had."""
LOCKED: Final = "database is locked"
"""SQLite's words for the same."""
TRIES: Final = 10
PATIENCE: Final = 60
"""Seconds that a writer of SQLite waits for the one before it, and a thread for a connection."""
MAKING: Final = 0x63726D
"""The advisory lock of PostgreSQL that is held while tables are made."""


class SqlStore:
    """
    An `OwnershipStore` in a database, at a SQLAlchemy URL or on an engine.

    ``SqlStore("sqlite:///crm.db")``, ``SqlStore("postgresql+psycopg://user@host/crm")``; on PostgreSQL an engine must
    be left at READ COMMITTED. `create` makes the tables, whose names begin with ``crmcore_``. Any number of processes
    and threads may share a database. Raises `StoreError` for a URL or driver that cannot be used.
    """

    def __init__(self, url: str | Engine) -> None:
        self.engine = url if isinstance(url, Engine) else _engine(url)
        self.name = _shown(self.engine.url)
        if self.engine.dialect.name not in URLS:
            raise StoreError(self.name, "is neither SQLite nor PostgreSQL", "use one of the two")

    def create(self) -> Self:
        """Makes the tables that are not there yet; raises `StoreError` for those of a newer release."""
        with self._told():
            if self.engine.dialect.name == "sqlite":
                self._write_ahead()
            with self.engine.connect() as connection, _begun(connection):
                if connection.dialect.name == "postgresql":  # SQLite has one writer; here two would make the same table
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MAKING})")
                METADATA.create_all(connection)
                notes = SqlTransaction(connection).notes
                if notes.get("schema") is None:
                    notes.put("schema", SCHEMA)
        self.check()
        return self

    def _write_ahead(self) -> None:
        """Readers and the writer of SQLite let each other be; said to the driver, for it must be in no transaction."""
        said = "PRAGMA journal_mode=WAL"
        with self.engine.connect() as connection:
            tried = 0
            while True:
                tried += 1
                try:
                    _driver(connection).execute(said)
                except self.engine.dialect.loaded_dbapi.Error as error:
                    if LOCKED not in str(error) or tried == TRIES:
                        raise DBAPIError(said, {}, error) from error
                else:
                    return
                with _begun(connection):
                    pass  # it has waited for whoever is writing, as the PRAGMA does not

    def check(self) -> Self:
        """Raises `StoreError` unless the tables are there, as this release knows them."""
        with self._told():
            if not inspect(self.engine).has_table(NOTES.name):
                raise StoreError(self.name, "has no tables of crmcore", MAKE)
            with self.begin() as transaction:
                found = transaction.notes.get("schema")
        if found != SCHEMA:
            raise StoreError(self.name, f"has tables of schema {found}, not {SCHEMA}", "upgrade crmcore")
        return self

    def close(self) -> None:
        """Closes the connections to the database."""
        self.engine.dispose()

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """See `OwnershipStore.begin`."""
        with self._told(), self._transaction() as transaction:
            yield transaction

    @contextmanager
    def _transaction(self) -> Iterator[Transaction]:
        with self.engine.connect() as connection, _begun(connection):
            yield SqlTransaction(connection)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the database says, as an error of ours."""
        try:
            yield
        except DBAPIError as error:
            raise self._error(error) from error
        except TimeoutError as error:
            raise StoreBusy(self.name, "no connection was free", "try again, or give an engine with more") from error

    def _error(self, error: DBAPIError) -> StoreError:
        said, state = str(error.orig).partition("\n")[0], getattr(error.orig, "sqlstate", None)
        if state in BUSY or LOCKED in said:
            return StoreBusy(self.name, said, "try again")
        if state == NO_TABLE or said.startswith("no such table"):
            return StoreError(self.name, said, MAKE)
        return StoreError(self.name, said, REMEDIES[self.engine.dialect.name])


class JoinedStore:
    """
    An `OwnershipStore` within the host's own transaction: what is done lasts when the host commits the connection.

    ``JoinedStore(session.connection())``. What the database raises comes as SQLAlchemy's own error: repeat the whole
    transaction. On SQLite, where a transaction that has only read cannot always write, ask the store before anything
    else, or let the host's transactions begin as IMMEDIATE.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """A part of the host's transaction; if the block raises, that part is undone."""
        if self._connection.dialect.name == "sqlite":
            self._connection.exec_driver_sql("SELECT 1")  # an engine that begins by itself does so now
            if not _driver(self._connection).in_transaction:
                self._connection.exec_driver_sql("BEGIN IMMEDIATE")  # else the savepoint would be all there is
        with self._connection.begin_nested():
            yield SqlTransaction(self._connection)


def _engine(url: str) -> Engine:
    hidden = re.sub(r"//.*@", "//***@", str(url))
    try:
        made = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError(hidden, "is no database URL", f"write {' or '.join(URLS.values())}") from None
    name, shown = made.get_backend_name(), _shown(made)
    if made.password is not None and url.partition("?")[0].count("@") > 1:
        raise StoreError(hidden, "has a second @", "write %40 for one in a password")
    if name not in URLS:
        raise StoreError(shown, "is neither SQLite nor PostgreSQL", f"use {' or '.join(URLS.values())}")
    try:
        return create_engine(made, **({"pool_timeout": PATIENCE} if name == "postgresql" else _of_file(made.database)))
    except (ImportError, NoSuchModuleError) as error:
        driver = made.drivername.partition("+")[2] or made.get_driver_name()
        remedy = f"install it, or use {URLS[name]}"
        raise StoreError(shown, f"the driver {driver} cannot be used ({error})", remedy) from None
    except ArgumentError:
        raise StoreError(shown, "is no database URL", f"write {URLS[name]}") from None


def _shown(url: URL) -> str:
    """The URL without its passwords, those among its options too."""
    options = {name: "hidden" for name in url.query if "password" in name}
    return url.update_query_dict(options).render_as_string(hide_password=True)


def _of_file(path: str | None) -> dict[str, Any]:
    patient: dict[str, Any] = {"connect_args": {"timeout": PATIENCE}}
    in_memory = path is None or path in {"", ":memory:"}
    return patient if in_memory else {**patient, "pool_timeout": PATIENCE, "max_overflow": -1}


def _driver(connection: Connection) -> Any:
    """The driver's own connection."""
    return connection.connection.dbapi_connection


@contextmanager
def _begun(connection: Connection) -> Iterator[None]:
    """A transaction with the instants of UTC, and on SQLite with the right to write from its beginning."""
    if connection.dialect.name == "postgresql":
        with connection.begin():
            connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
            yield
        return
    database = _driver(connection)
    level = database.isolation_level
    database.isolation_level = None  # else the driver begins by itself, and only when something is written
    try:
        with connection.begin():
            if database.in_transaction:  # the engine begins by itself, as SQLAlchemy's recipe has it
                connection.exec_driver_sql("ROLLBACK")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield
    finally:
        database.isolation_level = level
