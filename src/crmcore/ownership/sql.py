"""
The ports of ownership on a database, through SQLAlchemy (extra `sql`).

Every adapter works on a connection, within its transaction. PostgreSQL locks the rows that it reads, and leaves out of
what is due those that others have locked; SQLite has one writer, so the transaction must have begun as IMMEDIATE.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from json import dumps
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Integer,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    false,
    func,
    or_,
    select,
)

from crmcore.ownership.records import packed
from crmcore.ownership.stored import Activation, Answer, Change, Event, Message, Stored, owner_of, worth
from crmcore.ownership.tables import ACTIVATIONS, HISTORY, NOTES, ORDER, OURS, OUTBOX, PROSPECTS, RECLAIM
from crmcore.reservations.sql import Instant, SqlCounters, insert_into, instants

__all__ = ["SqlTransaction"]

ANSWER: Final = (OURS.outcome, OURS.step, OURS.rule, OURS.deadline, OURS.next_change_at, OURS.digest)
ROW: Final = select(OURS.facts, OURS.version, *ANSWER, OURS.parked)
NOW, LIMIT, DIGEST = bindparam("now", type_=Instant), bindparam("limit", type_=Integer), bindparam("digest", type_=Text)

IS_DUE: Final = and_(OURS.next_change_at <= NOW, OURS.outcome != RECLAIM)
IS_STALE: Final = or_(OURS.digest < DIGEST, OURS.digest > DIGEST, OURS.digest.is_(None))
WAITS: Final = and_(OURS.next_change_at <= NOW, OURS.outcome == RECLAIM)


def _locked(query: Select[Any]) -> Select[Any]:
    return query.limit(LIMIT).with_for_update(skip_locked=True)


READ: Final = ROW.where(OURS.key.in_(bindparam("keys", expanding=True))).order_by(OURS.key).with_for_update()
DUE: Final = _locked(ROW.where(IS_DUE).order_by(OURS.next_change_at))
RECLAIMS: Final = _locked(ROW.where(WAITS).order_by(*ORDER))
STALE: Final = _locked(ROW.where(IS_STALE))
WAITING: Final = select(OURS.owner, func.count()).where(WAITS).group_by(OURS.owner)
COUNT: Final = select(  # one by one, for no index answers both
    *(
        select(func.count()).select_from(PROSPECTS).where(which).scalar_subquery()
        for which in (IS_STALE, and_(IS_DUE, ~IS_STALE))
    )
)
SCAN: Final = ROW.order_by(OURS.key).limit(LIMIT)
AFTER: Final = OURS.key > bindparam("after")
DUE_OR_STALE: Final = or_(OURS.next_change_at <= NOW, IS_STALE)


class _Many:
    """
    A statement for many rows, given to the driver as it is; `?` stands for each value.

    What SQLAlchemy does besides with each row of parameters takes longer than the database does.
    """

    def __init__(self, text: str) -> None:
        self._texts = {"sqlite": text, "postgresql": text.replace("?", "%s")}

    def __call__(self, connection: Connection, rows: list[tuple[Any, ...]]) -> None:
        """Executes it for each row, if there are any."""
        if rows:
            connection.exec_driver_sql(self._texts[connection.dialect.name], rows)


def _changing(*columns: str) -> _Many:
    return _Many(f"UPDATE {PROSPECTS.name} SET {', '.join(f'{name} = ?' for name in columns)} WHERE key = ?")  # noqa: S608 - names of ours


def _adding(table: Table, then: str = "") -> _Many:
    names = [f'"{column.name}"' for column in table.c if column.name != "seq"]
    return _Many(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}){then}")  # noqa: S608 - as above


SAID: Final = ("outcome", "step", "rule", "deadline", "next_change_at", "parked")
CHANGE_ANSWER: Final = _changing(*SAID)
CHANGE_POLICY: Final = _changing("digest", *SAID)
CHANGE: Final = _changing("facts", "version", "owner", "worth", "digest", *SAID)
APPEND: Final = _adding(HISTORY)
TELL: Final = _adding(OUTBOX, " ON CONFLICT DO NOTHING")


def _row(stored: Stored) -> dict[str, Any]:
    return {
        "facts": dumps(packed(stored.facts)),
        "version": stored.version,
        "owner": owner_of(stored.facts),
        "worth": worth(stored.facts),
        **_fields(stored.answer),
    }


def _stored(row: Any) -> Stored:
    facts, version, outcome, step, rule, deadline, change, digest, parked = row
    answer = Answer(
        outcome=outcome,
        step=step,
        rule=rule,
        deadline=deadline,
        next_change_at=change,
        digest=digest,
        parked=parked,
    )
    return Stored(facts=facts, version=version, answer=answer)


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in type(value).__slots__ if name != "__weakref__"}


class _OnConnection:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _all(self, query: Any, **values: Any) -> list[Any]:
        return list(self._connection.execute(query, values).all())

    def _named(self, query: Any, **values: Any) -> list[Any]:
        """The rows as mappings."""
        return list(self._connection.execute(query, values).mappings())


class SqlProspects(_OnConnection):
    """`Prospects` on a connection; remembers which rows its transaction has locked."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.locked: dict[str, Stored] = {}

    def read(self, keys: Iterable[str]) -> Sequence[Stored]:
        """See `Prospects.read`."""
        return self.lock(self._all(READ, keys=list(keys)))

    def lock(self, rows: Iterable[Any]) -> list[Stored]:
        """The prospects of rows that the database has locked."""
        found = [_stored(row) for row in rows]
        self.locked.update((stored.key, stored) for stored in found)
        return found

    def write(self, changes: Sequence[Change]) -> Sequence[str]:
        """See `Prospects.write`."""
        if not changes:
            return ()
        new = {change.after.key for change in changes if change.before is None}
        self.read({change.after.key for change in changes} - new - self.locked.keys())
        lost = {*self._lost(changes), *self._insert([change for change in changes if change.before is None])}
        kept = [change for change in changes if change.after.key not in lost]
        self._update(kept)
        self._append([change.event for change in kept if change.event is not None])
        self._tell([change.message for change in kept if change.message is not None])
        return tuple(change.after.key for change in changes if change.after.key in lost)

    def _lost(self, changes: Iterable[Change]) -> Iterator[str]:
        for change in changes:
            if (before := change.before) is not None:
                now = self.locked.get(before.key)
                if now is None or now.version != before.version or now.facts.get("owner") != before.facts.get("owner"):
                    yield before.key

    def _insert(self, changes: Sequence[Change]) -> set[str]:
        """Inserts the new ones; the keys of those that are there already."""
        if not changes:
            return set()
        rows = {
            change.after.key: {"key": change.after.key, **_row(change.after)} for change in sorted(changes, key=_key)
        }
        statement = _new(PROSPECTS, self._connection).returning(OURS.key)
        made = set(self._connection.execute(statement, list(rows.values())).scalars())
        self.locked.update((change.after.key, change.after) for change in changes if change.after.key in made)
        return rows.keys() - made

    def _update(self, changes: Iterable[Change]) -> None:
        """Of what was there; where only the answer has changed, that alone is written."""
        instant = instants(self._connection.dialect)
        answers, anew, whole = [], [], []
        for change in changes:
            if (before := change.before) is None:
                continue
            after = change.after
            said, facts, key = after.answer, after.facts, after.key
            when = instant(said.deadline), instant(said.next_change_at)
            row = (said.outcome, said.step, said.rule, *when, said.parked, key)
            if change.answers:
                if said.digest == before.answer.digest:  # left alone, its index has no work
                    answers.append(row)
                else:
                    anew.append((said.digest, *row))
            else:
                first = dumps(packed(facts)), after.version, owner_of(facts), worth(facts), said.digest
                whole.append((*first, *row))
            self.locked[key] = after
        CHANGE_ANSWER(self._connection, answers)
        CHANGE_POLICY(self._connection, anew)
        CHANGE(self._connection, whole)

    def _append(self, events: Iterable[Event]) -> None:
        instant = instants(self._connection.dialect)
        rows: list[tuple[Any, ...]] = []
        for each in events:
            owners = each.owner_before, each.owner_after, each.rule
            rest = instant(each.deadline), each.digest, each.request, each.by
            rows.append((each.key, each.version, instant(each.at), str(each.kind), *owners, *rest))
        APPEND(self._connection, rows)

    def _tell(self, messages: Iterable[Message]) -> None:
        instant = instants(self._connection.dialect)
        rows: list[tuple[Any, ...]] = []
        for each in messages:
            what = each.step, each.outcome, each.rule, each.owner
            rows.append((each.key, instant(each.deadline), *what, instant(each.at), False))
        TELL(self._connection, rows)

    def scan(self, after: str | None, limit: int, *, due: tuple[datetime, str] | None = None) -> Sequence[Stored]:
        """See `Prospects.scan`."""
        query, values = SCAN, dict[str, Any](limit=limit)
        if after is not None:
            query, values = query.where(AFTER), {**values, "after": after}
        if due is not None:
            query, values = query.where(DUE_OR_STALE), {**values, "now": due[0], "digest": due[1]}
        return [_stored(row) for row in self._all(query, **values)]

    def history(self, key: str) -> Sequence[Event]:
        """See `Prospects.history`."""
        columns = [column for column in HISTORY.c if column.name != "seq"]
        rows = self._named(select(*columns).where(HISTORY.c.key == key).order_by(HISTORY.c.seq))
        return [Event(**row) for row in rows]


def _key(change: Change) -> str:
    return change.after.key


def _new(table: Table, connection: Connection) -> Any:
    """An insert that leaves what is there."""
    return insert_into(table, connection.dialect).on_conflict_do_nothing()


class SqlDue(_OnConnection):
    """`Due` on a connection."""

    def __init__(self, connection: Connection, prospects: SqlProspects) -> None:
        super().__init__(connection)
        self._prospects = prospects

    def answers(self, now: datetime, limit: int) -> Sequence[Stored]:
        """See `Due.answers`."""
        return self._prospects.lock(self._all(DUE, now=now, limit=limit))

    def reclaims(self, now: datetime, limit: int) -> Sequence[Stored]:
        """See `Due.reclaims`."""
        return self._prospects.lock(self._all(RECLAIMS, now=now, limit=limit))

    def stale(self, digest: str, limit: int) -> Sequence[Stored]:
        """See `Due.stale`."""
        return self._prospects.lock(self._all(STALE, digest=digest, limit=limit))

    def waiting(self, now: datetime) -> Mapping[str | None, int]:
        """See `Due.waiting`."""
        return dict(self._all(WAITING, now=now))

    def count(self, now: datetime, digest: str) -> int:
        """See `Due.count`."""
        return sum(self._connection.execute(COUNT, {"now": now, "digest": digest}).one())


class SqlOutbox(_OnConnection):
    """`Outbox` on a connection."""

    def pending(self, limit: int) -> Sequence[Message]:
        """See `Outbox.pending`."""
        columns = [column for column in OUTBOX.c if column.name not in {"seq", "acknowledged"}]
        query = select(*columns).where(OUTBOX.c.acknowledged == false()).order_by(OUTBOX.c.seq).limit(limit)
        return [Message(**row) for row in self._named(query)]

    def acknowledge(self, messages: Iterable[Message]) -> None:
        """See `Outbox.acknowledge`."""
        ours = OUTBOX.c
        same = and_(
            ours.key == bindparam("asked"),
            ours.deadline == bindparam("due", type_=Instant),
            ours.step == bindparam("number"),
        )
        rows = [{"asked": each.key, "due": each.deadline, "number": each.step} for each in messages]
        if rows:
            self._connection.execute(OUTBOX.update().where(same).values(acknowledged=True), rows)


class SqlNotes(_OnConnection):
    """`Notes` on a connection."""

    def activate(self, activation: Activation) -> None:
        """See `Notes.activate`."""
        self._connection.execute(select(NOTES).where(NOTES.c.name == "schema").with_for_update())  # one at a time
        last = self._all(select(ACTIVATIONS.c.digest).order_by(ACTIVATIONS.c.seq.desc()).limit(1))
        if not last or last[0].digest != activation.digest:
            self._connection.execute(ACTIVATIONS.insert(), [_fields(activation)])

    def activations(self) -> Sequence[Activation]:
        """See `Notes.activations`."""
        ours = ACTIVATIONS.c
        rows = self._named(select(ours.at, ours.digest, ours.parameters).order_by(ours.seq))
        return [Activation(**row) for row in rows]

    def get(self, name: str) -> Any:
        """See `Notes.get`."""
        return self._connection.execute(select(NOTES.c.value).where(NOTES.c.name == name)).scalar()

    def put(self, name: str, value: Any) -> None:
        """See `Notes.put`."""
        insert = insert_into(NOTES, self._connection.dialect)
        changed = insert.on_conflict_do_update(index_elements=["name"], set_={"value": insert.excluded.value})
        self._connection.execute(changed, {"name": name, "value": value})


class SqlTransaction:
    """The ports on one connection: a `Transaction` that lasts when the caller commits."""

    def __init__(self, connection: Connection) -> None:
        self.prospects = SqlProspects(connection)
        self.due = SqlDue(connection, self.prospects)
        self.outbox = SqlOutbox(connection)
        self.counters = SqlCounters(connection)
        self.notes = SqlNotes(connection)
