"""What the stories of the store share: instants by day, records, limits without brakes, and all that a store keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs

from crmcore.ownership import CapPolicy, OwnershipService, ReclaimPolicy, RunLimits, Stored
from crmcore.ownership.ports import OwnershipStore, Transaction
from crmcore.ownership.stored import Change
from crmcore.storage import RunReport, run

START: Final = datetime(2026, 3, 2, tzinfo=UTC)
POLICY: Final = ReclaimPolicy(idle="30d", remind_before=["7d", "1d"], zone="UTC")
FREE: Final = RunLimits(activation_grace="0d", max_per_run=None, max_per_owner_per_day=None)


def day(number: float) -> datetime:
    """So many days after the start."""
    return START + timedelta(days=number)


def record(id: str | int, **facts: Any) -> dict[str, Any]:
    """A prospect of Ann's, assigned at the start."""
    return {"id": id, "owner": "ann", "status": "open", "assigned_at": START, **facts}


def service(store: OwnershipStore, policy: ReclaimPolicy = POLICY, **caps: Any) -> OwnershipService:
    """The commands, without a grace; `caps` by owner, or ``default``."""
    default = caps.pop("default", None)
    return OwnershipService(store, policy, CapPolicy(default=default, per_owner=caps), FREE)


def filled(
    store: OwnershipStore, records: Iterable[Mapping[str, Any]], policy: ReclaimPolicy = POLICY
) -> OwnershipService:
    """The commands on a store that has these records since the start."""
    desk = service(store, policy)
    desk.put(records, now=START)
    return desk


def ran(store: OwnershipStore, now: datetime, policy: ReclaimPolicy = POLICY, **changed: Any) -> RunReport:
    """The report of a run, without grace and ceilings but for those `changed`."""
    options = {key: changed.pop(key) for key in ("dry_run", "batch", "progress") if key in changed}
    return run(store, policy, now=now, limits=attrs.evolve(FREE, **changed), **options)


def rows(store: OwnershipStore) -> dict[str, Stored]:
    """Every prospect by key."""
    with store.begin() as transaction:
        return {row.key: row for row in transaction.prospects.scan(None, 1_000_000)}


def owners(store: OwnershipStore) -> dict[str, Any]:
    """Who has what."""
    return {key: row.facts.get("owner") for key, row in rows(store).items()}


def pool(store: OwnershipStore) -> set[str]:
    """The keys of those without an owner."""
    return {key for key, owner in owners(store).items() if owner is None}


def told(store: OwnershipStore) -> list[tuple[str, int, datetime]]:
    """The messages of the outbox: key, step, deadline."""
    with store.begin() as transaction:
        return [(each.key, each.step, each.deadline) for each in transaction.outbox.pending(1_000_000)]


def held(store: OwnershipStore, *names: str, now: datetime = START) -> list[int]:
    """What the counters of these owners' open prospects say."""
    with store.begin() as transaction:
        return [transaction.counters.held(f"held/{name}", now=now) for name in names]


def everything(store: OwnershipStore, now: datetime = START) -> Any:
    """All that a store keeps, to compare."""
    with store.begin() as transaction:
        found = transaction.prospects.scan(None, 1_000_000)
        counters = sorted({f"{kind}/{row.facts.get('owner')}" for row in found for kind in ("held", "reclaimed")})
        return (
            list(found),
            [transaction.prospects.history(row.key) for row in found],
            list(transaction.outbox.pending(1_000_000)),
            [transaction.counters.held(name, now=now) for name in (*counters, f"run/{now.isoformat()}")],
            list(transaction.notes.activations()),
        )


@attrs.define
class Between:
    """A store where another writer changes a prospect between the reading and the first `write` of each key."""

    store: Any
    change: Any
    done: set[str] = attrs.field(factory=set)

    @contextmanager
    def begin(self) -> Any:
        """A transaction whose prospects are written by two."""
        with self.store.begin() as transaction:
            yield _Two(transaction, _Prospects(transaction.prospects, self))


class AlwaysBetween(Between):
    """The same before every `write`."""

    @property
    def done(self) -> set[str]:
        """Forgotten at once."""
        return set()

    @done.setter
    def done(self, value: set[str]) -> None:
        pass


@attrs.define
class _Prospects:
    inner: Any
    between: Between

    def write(self, changes: Any) -> Any:
        first = [c for c in changes if c.before is not None and c.before.key in self.between.change]
        for change in first:
            key = change.before.key
            if key not in self.between.done:
                self.between.done.add(key)
                stored = change.before
                facts = {**stored.facts, **self.between.change[key]}
                other = attrs.evolve(stored, facts=facts, version=stored.version + 1)
                assert not self.inner.write([Change(before=stored, after=other)])
        return self.inner.write(changes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@attrs.define
class _Two:
    transaction: Transaction
    prospects: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transaction, name)


def numbered(records: int, **facts: Any) -> list[dict[str, Any]]:
    """So many records p000, p001, …"""
    return [record(f"p{number:03}", **facts) for number in range(records)]
