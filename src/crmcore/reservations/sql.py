"""Counters in a database, through SQLAlchemy: one row per counter, locked while it is asked (extra `sql`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Connection, DateTime, MetaData, Table, Text, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from crmcore.calendars import to_utc
from crmcore.errors import InvalidInput
from crmcore.reservations.protocol import asked, granted, held
from crmcore.reservations.values import Full, Reservation

__all__ = ["METADATA", "Instant", "SqlCounters", "insert_into", "instants"]

METADATA: Final = MetaData()
"""The tables of counters and of whatever else the library keeps in a database; names begin with ``crmcore_``."""


class Instant(TypeDecorator[datetime]):
    """An aware instant, UTC in and out, to the microsecond; a database without zones holds the wall clock of UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        """To the database; raises `NaiveDatetime`."""
        return instants(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:  # noqa: ARG002
        """From the database."""
        return _from_text if dialect.name == "sqlite" else _in_utc


def instants(dialect: Dialect) -> Callable[[datetime | None], Any]:
    """How an instant is given to the driver."""
    return _as_text if dialect.name == "sqlite" else _in_utc


def _in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else to_utc(value)


def _as_text(value: datetime | None) -> str | None:
    return None if value is None else to_utc(value).isoformat(" ", "microseconds")[: -len("+00:00")]


def _from_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(f"{value}+00:00")


COUNTERS: Final = Table(
    "crmcore_counters",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("total", BigInteger, nullable=False, default=0),
)
RESERVATIONS: Final = Table(
    "crmcore_reservations",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("counter", Text, nullable=False, index=True),
    Column("amount", BigInteger, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("committed", Boolean, nullable=False),
)

INSERTS: Final[dict[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def insert_into(table: Table, dialect: Dialect) -> Any:
    """An insert that may say what to do where the row is there already; raises `InvalidInput` for other databases."""
    if dialect.name not in INSERTS:
        msg = f"{dialect.name} is no database that crmcore keeps its promises on; use PostgreSQL or SQLite"
        raise InvalidInput(msg)
    return INSERTS[dialect.name](table)


LOCKED: Final = select(COUNTERS.c.total).where(COUNTERS.c.name == bindparam("counter")).with_for_update()
BY_KEY: Final = select(RESERVATIONS).where(RESERVATIONS.c.key == bindparam("key"))
BY_COUNTER: Final = select(RESERVATIONS).where(RESERVATIONS.c.counter == bindparam("counter"))
ADD: Final = (
    COUNTERS.update()
    .where(COUNTERS.c.name == bindparam("counter"))
    .values(total=COUNTERS.c.total + bindparam("amount", type_=BigInteger))
)
COMMIT: Final = RESERVATIONS.update().where(RESERVATIONS.c.key == bindparam("asked")).values(committed=True)
FORGET: Final = RESERVATIONS.delete().where(RESERVATIONS.c.key == bindparam("asked"))


class SqlCounters:
    """
    `Counters` on a connection, within its transaction: what it does lasts when the caller commits.

    The row of a counter is locked from the first verb on it until then. Who uses several counters in one
    transaction takes them in the order of their names, or two such transactions may wait for each other.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._new = insert_into(COUNTERS, connection.dialect).on_conflict_do_nothing()
        self._kept = insert_into(RESERVATIONS, connection.dialect).on_conflict_do_nothing()

    def reserve(
        self,
        key: str,
        counter: str,
        amount: int = 1,
        *,
        ceiling: int | None,
        now: datetime,
        expires_at: datetime,
        partial: bool = False,
    ) -> Reservation | Full:
        """See `Counters.reserve`."""
        wish = asked(key, counter, amount, now, expires_at)
        total = self._locked(counter)
        known, others = self._known(key), list(self._of(counter))
        said = granted(wish, known, total, others, ceiling=ceiling, now=now, partial=partial)
        gone = [each.key for each in others if not each.alive(now)]
        if known is not None and not known.alive(now) and known.key not in gone:
            gone.append(known.key)
        if gone:
            self._connection.execute(FORGET, [{"asked": each} for each in gone])
        if isinstance(said, Reservation) and said is not known and not self._inserted(said):
            return granted(wish, self._known(key), total, others, ceiling=ceiling, now=now, partial=partial)
        return said

    def commit(self, key: str, *, now: datetime) -> bool:
        """See `Counters.commit`."""
        known = self._alive(key, now)
        if known is not None and not known.committed:
            self._connection.execute(COMMIT, {"asked": key})
            self.add(known.counter, known.amount)
        return known is not None

    def release(self, key: str, *, now: datetime) -> bool:
        """See `Counters.release`."""
        known = self._alive(key, now)
        if known is not None:
            self._connection.execute(FORGET, {"asked": key})
            if known.committed:
                self.add(known.counter, -known.amount)
        return known is not None

    def add(self, counter: str, amount: int) -> None:
        """See `Counters.add`."""
        if self._connection.execute(ADD, {"counter": counter, "amount": amount}).rowcount == 0:
            self._connection.execute(self._new, {"name": counter, "total": 0})
            self._connection.execute(ADD, {"counter": counter, "amount": amount})

    def held(self, counter: str, *, now: datetime) -> int:
        """See `Counters.held`."""
        total = self._connection.execute(LOCKED, {"counter": counter}).scalar()
        return held(total or 0, self._of(counter), now)

    def _inserted(self, reservation: Reservation) -> bool:
        """Keeps it; False: its key has been taken for another counter in the meantime."""
        done = self._connection.execute(self._kept, _row(reservation))
        return done.rowcount == 1

    def _locked(self, counter: str) -> int:
        """The total; nobody else changes the counter until this transaction ends."""
        total = self._connection.execute(LOCKED, {"counter": counter}).scalar()
        if total is None:
            self._connection.execute(self._new, {"name": counter, "total": 0})
            total = self._connection.execute(LOCKED, {"counter": counter}).scalar_one()
        return int(total)

    def _alive(self, key: str, now: datetime) -> Reservation | None:
        """The reservation under a key, its counter locked, where it is remembered."""
        known = self._known(key)
        if known is None:
            return None
        self._locked(known.counter)
        known = self._known(key)  # once more, for it may have changed while we waited
        return known if known is not None and known.alive(now) else None

    def _known(self, key: str) -> Reservation | None:
        row = self._connection.execute(BY_KEY, {"key": key}).mappings().first()
        return None if row is None else Reservation(**row)

    def _of(self, counter: str) -> Iterator[Reservation]:
        for row in self._connection.execute(BY_COUNTER, {"counter": counter}).mappings():
            yield Reservation(**row)


def _row(reservation: Reservation) -> dict[str, Any]:
    return {
        "key": reservation.key,
        "counter": reservation.counter,
        "amount": reservation.amount,
        "expires_at": reservation.expires_at,
        "committed": reservation.committed,
    }
