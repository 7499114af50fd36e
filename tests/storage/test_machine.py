"""The machine drives every store, with memory as the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from crmcore.reservations.sql import METADATA
from crmcore.storage import MemoryStore
from crmcore.storage.sql import SqlStore
from crmcore.testing import check_store
from crmcore.testing.machines import store_machine


def emptied(store: SqlStore) -> SqlStore:
    """The store without a row, but for the one that says how it is made."""
    with store.engine.begin() as connection:
        for table in METADATA.sorted_tables:
            every = table.delete()
            connection.execute(every.where(table.c.name != "schema") if table.name == "crmcore_notes" else every)
    return store


@pytest.mark.rule("OWN-4", "OWN-10", "OWN-12")
def test_memory() -> None:
    """No owner is given a prospect past the cap, no prospect has two owners, none is reclaimed twice."""
    check_store(MemoryStore, 60)


@pytest.mark.rule("OWN-4", "OWN-10", "OWN-12")
def test_sqlite(tmp_path: Path) -> None:
    """So it is on SQLite, which shows what memory shows after every step."""
    store = SqlStore(f"sqlite:///{tmp_path / 'crm.db'}").create()
    check_store(lambda: emptied(store), 15)
    store.close()


@pytest.mark.rule("OWN-4", "OWN-10", "OWN-12")
def test_postgresql(postgres: Any) -> None:
    """So it is on PostgreSQL."""
    store = SqlStore(postgres.new()).create()
    check_store(lambda: emptied(store), 10)
    store.close()


def test_test_case() -> None:
    """The machine is a test case too, for those who set it up themselves."""
    case = store_machine(MemoryStore).TestCase
    case.settings = settings(max_examples=1, stateful_step_count=5, database=None)
    result = case("runTest").run()
    assert result is not None
    assert result.wasSuccessful()
