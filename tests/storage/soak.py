"""
`make soak`: a crowd wants the same prospects on one store after the other, 60 seconds each, and everything must hold.

An argument is another number of seconds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from crmcore.ownership.ports import OwnershipStore
from crmcore.storage import MemoryStore
from crmcore.storage.sql import SqlStore
from server import Lacking, serving
from storage.crowd import Done, gathered, settled

ROUND = 50
"""Operations of each member between two looks at the clock."""


def soaked(name: str, store: OwnershipStore, seconds: float) -> None:
    """Rounds on one store until the time is over; says what was done. AssertionError if anything does not hold."""
    done, begun, rounds = Done(), monotonic(), 0
    while (took := monotonic() - begun) < seconds:
        rounds += 1
        done.add(gathered(store, f"{name}{rounds}", ROUND))
        settled(store, done)
    granted = done.granted.total()
    speed = f"{took:.0f} s, {done.commands} commands, {done.commands / took:.0f} a second"
    print(f"{name}: {speed}; {granted} granted, {done.refused} refused, {done.busy} gave up; all holds", flush=True)  # noqa: T201 - a script


@contextmanager
def sql(url: str) -> Iterator[SqlStore]:
    """A new store in a database."""
    store = SqlStore(url).create()
    yield store
    store.close()


def main(seconds: float) -> None:
    """All three stores."""
    soaked("memory", MemoryStore(), seconds)
    with TemporaryDirectory() as folder, sql(f"sqlite:///{Path(folder) / 'crm.db'}") as store:
        soaked("SQLite", store, seconds)
    try:
        with serving() as server, sql(server.new()) as store:
            soaked("PostgreSQL", store, seconds)
    except Lacking as lacking:
        print(f"PostgreSQL: left out, {lacking}")  # noqa: T201 - as above


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60)
