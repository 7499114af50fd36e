"""A dry run says what the run would say, and changes nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from crmcore.ownership import ReclaimPolicy, RunLimits
from crmcore.ownership.ports import OwnershipStore
from crmcore.storage import MemoryStore, run
from crmcore.storage.sql import SqlStore
from storage.stories import START, day, everything, filled, numbered, record, service

POLICIES = (
    ReclaimPolicy(idle="30d", remind_before=["7d", "1d"], zone="UTC"),
    ReclaimPolicy(idle={"A": "12d", "default": "40d"}, remind_before=["3d"], min_hold="15d", zone="Europe/Berlin"),
    ReclaimPolicy(no_deal="25d", zone="Asia/Shanghai"),
)
POLICY = st.sampled_from(POLICIES)
FACTS = st.fixed_dictionaries(
    {
        "owner": st.sampled_from(("ann", "bob", 7, None)),
        "status": st.sampled_from(("open", "open", "open", "won")),
        "assigned_at": st.integers(-60, 0).map(day),
    },
    optional={
        "grade": st.sampled_from("AB"),
        "value": st.integers(0, 3),
        "last_contact_at": st.integers(-60, 5).map(day),
        "frozen_until": st.integers(-5, 30).map(day),
    },
)
LIMITS = st.builds(
    RunLimits,
    activation_grace=st.sampled_from(("0d", "0d", "3d", "14d")),
    max_per_run=st.none() | st.integers(0, 6),
    max_per_owner_per_day=st.none() | st.integers(0, 3),
)
RUNS = st.lists(
    st.tuples(st.sampled_from((0, 0, 0.25, 1, 7, 15)), POLICY, LIMITS, st.integers(1, 7)), min_size=1, max_size=5
)


def a_dry_run_says_what_the_run_says(make: Any, facts: list[Any], runs: list[Any]) -> None:
    """Before every run of a sequence, with new prospects, whatever policy and limits; it changes nothing."""
    store: OwnershipStore = make()
    now = START
    for number, (days, policy, limits, batch) in enumerate(runs):
        now += timedelta(days=days)
        service(store, POLICIES[0]).put(({"id": f"{number}p{n}", **each} for n, each in enumerate(facts)), now=now)
        before = everything(store, now)
        dry = run(store, policy, now=now, limits=limits, batch=batch, dry_run=True)
        assert everything(store, now) == before
        assert dry.dry_run
        assert attrs.evolve(dry, dry_run=False) == run(store, policy, now=now, limits=limits, batch=batch)


@given(st.lists(FACTS, max_size=12), RUNS)
@settings(max_examples=60)
def test_a_dry_run_says_what_the_run_says(facts: list[Any], runs: list[Any]) -> None:
    a_dry_run_says_what_the_run_says(MemoryStore, facts, runs)


@given(st.lists(FACTS, max_size=8), RUNS)
@settings(max_examples=15)
def test_a_dry_run_on_sqlite_says_what_the_run_says(facts: list[Any], runs: list[Any]) -> None:
    store = SqlStore(create_engine("sqlite://"))
    try:
        a_dry_run_says_what_the_run_says(store.create, facts, runs)
    finally:
        store.close()


@pytest.mark.parametrize("ids", [("a", "b"), ("b", "a")])
def test_a_dry_run_names_the_same_faults(ids: tuple[str, ...]) -> None:
    store = MemoryStore()
    filled(store, [record(id, status="odd") for id in ids], POLICIES[1])
    options: Any = {"now": day(1), "limits": RunLimits()}
    assert run(store, POLICIES[0], dry_run=True, **options).faults == run(store, POLICIES[0], **options).faults


def test_a_dry_run_of_a_killed_run_says_what_is_left_of_it(store: OwnershipStore) -> None:
    """With the same `now` it knows what that run has taken, and what the owners have lost today."""
    filled(store, numbered(9), POLICIES[0])
    limits = RunLimits(activation_grace="0d", max_per_run=5, max_per_owner_per_day=7)

    def killed(done: int, of: int) -> None:
        raise KeyboardInterrupt

    run(store, POLICIES[0], now=day(29), limits=limits)
    with pytest.raises(KeyboardInterrupt):
        run(store, POLICIES[0], now=day(31), limits=limits, batch=3, progress=killed)
    dry = run(store, POLICIES[0], now=day(31), limits=limits, dry_run=True)
    assert attrs.evolve(dry, dry_run=False) == run(store, POLICIES[0], now=day(31), limits=limits)
    later = run(store, POLICIES[0], now=day(31.5), limits=limits, dry_run=True)
    assert (later.reclaimed, later.over_daily) == (2, 2)


def test_a_dry_run_leaves_every_table_as_it_was(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path / 'crm.db'}").create()
    try:
        filled(store, numbered(3), POLICIES[0])
        before = dump(store)
        run(store, POLICIES[0], now=day(31), limits=RunLimits(activation_grace="0d"), dry_run=True)
        assert dump(store) == before
    finally:
        store.close()


def dump(store: SqlStore) -> dict[str, list[Any]]:
    """Every row of every table."""
    names = ("prospects", "history", "outbox", "activations", "notes", "counters", "reservations")
    with store.engine.connect() as connection:
        return {name: list(connection.execute(text(f"SELECT * FROM crmcore_{name}"))) for name in names}  # noqa: S608


def test_a_dry_run_adopts_no_policy(store: OwnershipStore) -> None:
    """The days of grace do not begin with it."""
    filled(store, numbered(1, assigned_at=day(-90)), POLICIES[0])
    run(store, POLICIES[0], now=day(0), dry_run=True)
    with store.begin() as transaction:
        assert transaction.notes.activations() == []
    assert run(store, POLICIES[0], now=day(14), dry_run=True).in_grace == 1
