"""The tables of ownership, as SQLAlchemy knows them (extra `sql`)."""

from __future__ import annotations

from collections.abc import Callable
from json import JSONDecoder
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    false,
    literal_column,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from crmcore.ownership.records import unpacked
from crmcore.reservations.sql import METADATA, Instant

__all__ = ["ACTIVATIONS", "HISTORY", "NOTES", "ORDER", "OURS", "OUTBOX", "PROSPECTS", "RECLAIM"]

Json: Final = JSON().with_variant(JSONB(), "postgresql")


class Facts(TypeDecorator[dict[str, Any]]):
    """Facts, as JSON in the database."""

    impl = Json
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:  # noqa: ARG002
        """To the database: as the text that `packed` facts make, for what is raised here would be wrapped."""
        return str

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], dict[str, Any]]:  # noqa: ARG002
        """From the database, which may have read the JSON already."""
        decode = JSONDecoder().raw_decode
        return lambda data: unpacked(decode(data)[0] if data.__class__ is str else data)


Key: Final = Text().with_variant(Text(collation="C"), "postgresql")  # in the order of Python, whatever the locale
Serial: Final = BigInteger().with_variant(Integer, "sqlite")
RECLAIM: Final[ColumnElement[str]] = literal_column(
    "'reclaim'"
)  # not a parameter: a partial index is used where its words are found

PROSPECTS: Final = Table(
    "crmcore_prospects",
    METADATA,
    Column("key", Key, primary_key=True),
    Column("facts", Facts, nullable=False),
    Column("version", Integer, nullable=False),
    Column("owner", Text),
    Column("worth", Float, nullable=False),
    Column("outcome", Text),
    Column("step", Integer, nullable=False),
    Column("rule", Text),
    Column("deadline", Instant),
    Column("next_change_at", Instant),
    Column("digest", Text, index=True),
    Column("parked", Text),
)
OURS: Final = PROSPECTS.c


def _partial(name: str, *columns: ColumnElement[Any], where: ColumnElement[bool]) -> None:
    Index(name, *columns, sqlite_where=where, postgresql_where=where)


ORDER: Final = OURS.deadline, OURS.worth.desc(), OURS.key
_partial("crmcore_prospects_due", OURS.next_change_at, where=OURS.outcome != RECLAIM)
_partial("crmcore_prospects_reclaims", *ORDER, OURS.next_change_at, where=OURS.outcome == RECLAIM)

HISTORY: Final = Table(
    "crmcore_history",
    METADATA,
    Column("seq", Serial, primary_key=True),
    Column("key", Key, nullable=False),
    Column("version", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("kind", Text, nullable=False),
    Column("owner_before", Text),
    Column("owner_after", Text),
    Column("rule", Text),
    Column("deadline", Instant),
    Column("digest", Text),
    Column("request", Text),
    Column("by", Text),
    UniqueConstraint("key", "version"),
)
OUTBOX: Final = Table(
    "crmcore_outbox",
    METADATA,
    Column("seq", Serial, primary_key=True),
    Column("key", Key, nullable=False),
    Column("deadline", Instant, nullable=False),
    Column("step", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("rule", Text),
    Column("owner", Text),
    Column("at", Instant, nullable=False),
    Column("acknowledged", Boolean, nullable=False, default=False),
    UniqueConstraint("key", "deadline", "step"),
)
_partial("crmcore_outbox_pending", OUTBOX.c.seq, where=OUTBOX.c.acknowledged == false())
ACTIVATIONS: Final = Table(
    "crmcore_activations",
    METADATA,
    Column("seq", Serial, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("digest", Text, nullable=False),
    Column("parameters", Json, nullable=False),
)
NOTES: Final = Table(
    "crmcore_notes", METADATA, Column("name", Text, primary_key=True), Column("value", Json, nullable=False)
)
