"""However many want the same prospects at once: no cap is exceeded, and no prospect has two owners."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
if sys.platform == "win32":
    pytest.skip("the crowd is forked", allow_module_level=True)

from crmcore.ownership.ports import OwnershipStore
from crmcore.storage import MemoryStore
from crmcore.storage.sql import SqlStore
from storage.crowd import gathered, settled

if TYPE_CHECKING:
    from server import Server


def _crowded(store: OwnershipStore, operations: int) -> None:
    done = gathered(store, "test", operations)
    assert done.busy == 0
    assert {kind for _, _, kind, _ in done.granted} == {"registered", "claimed", "assigned", "released"}
    settled(store, done)


def test_a_crowd_in_memory() -> None:
    """16 threads."""
    _crowded(MemoryStore(), 60)


def test_a_crowd_on_sqlite(tmp_path: Path) -> None:
    """16 threads and 8 processes."""
    store = SqlStore(f"sqlite:///{tmp_path}/crm.db").create()
    _crowded(store, 10)
    store.close()


def test_a_crowd_on_postgresql(postgres: Server) -> None:
    """16 threads and 8 processes."""
    store = SqlStore(postgres.new()).create()
    _crowded(store, 14)
    store.close()
