"""A store as the arguments name it; SQLAlchemy is imported when one is opened, and not before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click
from rich.progress import MofNCompleteColumn

from crmcore.cli.session import Given, read_book, watching
from crmcore.errors import StoreError
from crmcore.ownership.command import Applied, Kept, Source, applied, imports

if TYPE_CHECKING:
    from crmcore.storage.sql import SqlStore

__all__ = ["GivenStore", "at_store", "given"]


@contextmanager
def at_store(url: str, *, create: bool = False) -> Iterator[SqlStore]:
    """The store at a URL, its tables made or at least there; closed when the block ends."""
    if "://" not in url:
        raise _no_url(url)
    from crmcore.storage.sql import SqlStore

    store = SqlStore(url)
    try:
        if store.engine.dialect.name == "sqlite":
            _check_file(store.name, store.engine.url.database, create=create)
        yield store.create() if create else store.check()
    finally:
        store.close()


def _no_url(text: str) -> StoreError:
    if "@" in text or "=" in text:  # of a server, perhaps with its password, which is not to be shown
        return StoreError("--store", "is no database URL", "write postgresql+psycopg://user@host/crm")
    path = text.strip().removeprefix("sqlite:") or "crm.db"
    return StoreError(repr(text), "is no database URL", f"for a SQLite file write sqlite:///{path}")


def _check_file(name: str, path: str | None, *, create: bool) -> None:
    if path in {None, "", ":memory:"}:
        raise StoreError(name, "is forgotten when the command ends", "name a file: sqlite:///crm.db")
    named = str(path)
    if not create and not named.startswith("file:") and not Path(named).exists():  # SQLite would make an empty one
        raise StoreError(name, "there is no such file", "make it: crmcore import FILE --map FILE --store URL")


class GivenStore:
    """A book and a store as the arguments name them, and what the store has noted of its imports."""

    def __init__(self, store: SqlStore, policies: str | None) -> None:
        book = read_book(policies)
        self.store, self.origin = store, imports(store)
        self.said_zone = book.zone is not None
        self.book = book.in_zone(self.origin.zone.key) if self.origin.zone else book
        self.name, self.formats = store.name, self.origin.formats
        self.zone = self.origin.zone or ZoneInfo(book.zone or "UTC")

    @property
    def applied(self) -> Applied:
        """The policy as it can be judged on what the store knows."""
        return applied(self.book.ownership.reclaim, self.origin, said_zone=self.said_zone)

    @contextmanager
    def source(self, now: datetime) -> Iterator[tuple[Applied, Source]]:
        """The policy as it can be judged, and the prospects of the store."""
        done = self.applied
        with watching(MofNCompleteColumn()) as watch:
            yield done, Kept(self.store, self.origin, done.policy, now, progress=watch(self.name))


@contextmanager
def given(
    deals: str | None, map_path: str | None, store: str | None, policies: str | None, *, skip_bad: bool
) -> Iterator[Given | GivenStore]:
    """What the arguments name: a file with its map, or a store."""
    if store is None and deals is not None and map_path is not None:
        yield Given(deals, map_path, policies, skip_bad=skip_bad)
    elif store is not None and deals is None and map_path is None and not skip_bad:
        with at_store(store) as opened:
            yield GivenStore(opened, policies)
    else:
        raise click.UsageError(_two_ways(deals, map_path, store))


def _two_ways(deals: str | None, map_path: str | None, store: str | None) -> str:
    """Why these arguments are neither of the two ways to name prospects."""
    named = {"--deals": deals, "--map": map_path}
    if store is None:
        missing = " and ".join(name for name, value in named.items() if value is None)
        return f"{missing} not given; give --deals FILE and --map FILE, or --store URL"
    extra = " and ".join(name for name, value in named.items() if value is not None) or "--skip-bad"
    return f"--store cannot be given together with {extra}; drop it, or drop --store"
