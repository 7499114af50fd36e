"""The stores of the tests: memory, and SQLite in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crmcore.ownership.ports import OwnershipStore
from crmcore.storage import MemoryStore
from crmcore.storage.sql import SqlStore


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OwnershipStore]:
    """An empty store."""
    if request.param == "memory":
        yield MemoryStore()
        return
    made = SqlStore(f"sqlite:///{tmp_path / 'crm.db'}").create()
    yield made
    made.close()
