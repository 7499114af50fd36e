"""What a run may take: a ceiling of its own, and one for each owner and calendar day; what is left is told exactly."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from crmcore.errors import InvalidPolicy, StoreBusy
from crmcore.ownership import ReclaimPolicy, RunLimits
from crmcore.ownership.ports import OwnershipStore
from crmcore.reservations import MemoryCounters
from crmcore.storage import MemoryStore
from crmcore.storage.ceilings import Ceilings
from crmcore.storage.sql import SqlStore
from storage.stories import START, day, filled, numbered, pool, ran, record, rows, service, told

NAMES: Final = ("ann", "bob")
BERLIN: Final = ZoneInfo("Europe/Berlin")
LORD_HOWE: Final = "Australia/Lord_Howe"
IDLE_10 = ReclaimPolicy(idle="10d", zone="UTC")

OWNERS = st.sampled_from(("ann", "bob", 7))
CEILINGS = st.sampled_from((None, 0, 1, 2, 3, 5, "unlimited"))
RECORDS = st.lists(st.tuples(OWNERS, st.integers(0, 30), st.none() | st.integers(0, 3)), max_size=25)


def stored(records: list[tuple[Any, int, Any]], policy: ReclaimPolicy = IDLE_10) -> MemoryStore:
    """These owners' prospects, so many days old, of these values."""
    store = MemoryStore()
    filled(
        store,
        [
            record(f"{number:02}", owner=owner, assigned_at=day(-age), value=value)
            for number, (owner, age, value) in enumerate(records)
        ],
        policy,
    )
    return store


def most(ceiling: Any) -> float:
    """The ceiling as a number."""
    return float("inf") if ceiling in {None, "unlimited"} else ceiling


# --- laws ---


def a_run_keeps_its_ceilings_and_says_what_is_left(
    records: list[tuple[Any, int, Any]], per_run: Any, per_owner: Any, batch: int
) -> None:
    """Who goes is the oldest, then the dearest, then by id, as far as both ceilings let it; the sum is what was due."""
    store = stored(records)
    report = ran(store, day(0), IDLE_10, max_per_run=per_run, max_per_owner_per_day=per_owner, batch=batch)
    due = sorted(
        (-age, 1 if value is None else -value, f"{number:02}", str(owner))
        for number, (owner, age, value) in enumerate(records)
        if age >= 10
    )
    go: list[str] = []
    over, lost = 0, Counter[str]()
    for _, _, key, owner in due:
        if len(go) >= most(per_run):
            break
        if lost[owner] >= most(per_owner):
            over += 1
            continue
        go.append(key)
        lost[owner] += 1
    assert [key for key, _, _ in told(store)] == go
    assert (report.reclaimed, report.over_daily) == (len(go), over)
    assert sum(report.left.values()) + report.over_daily + report.reclaimed + report.in_grace == len(due)
    waits = Counter(owner for _, _, key, owner in due if key not in go)
    assert sum(report.left.values()) == 0 or report.reclaimed == per_run
    assert all(report.left[owner] <= waits[owner] for owner in report.left)


@given(RECORDS, CEILINGS, CEILINGS, st.integers(1, 8))
@settings(max_examples=120)
def test_a_run_keeps_its_ceilings_and_says_what_is_left(
    records: list[tuple[Any, int, Any]], per_run: Any, per_owner: Any, batch: int
) -> None:
    a_run_keeps_its_ceilings_and_says_what_is_left(records, per_run, per_owner, batch)


# Runs around the two days of the year that are no 24 hours, in a zone where they are 23.5 and 24.5 too.
TURNS = ((BERLIN.key, datetime(2026, 3, 28)), (BERLIN.key, datetime(2026, 10, 24)), (LORD_HOWE, datetime(2026, 4, 4)))


def no_owner_loses_more_on_a_calendar_day(zone: str, first: datetime, hours: list[int], per_owner: int) -> None:
    """Runs at any hours of some days: each owner loses on each date of the zone what he may, no more and no less."""
    start = first.replace(tzinfo=ZoneInfo(zone)).astimezone(START.tzinfo)
    policy = ReclaimPolicy(idle="10d", zone=zone)
    desk = service(store := MemoryStore(), policy)
    lost: Counter[tuple[str, Any]] = Counter()
    for number, hour in enumerate(sorted(hours)):
        now = start + timedelta(hours=hour)
        new = (f"{number}{each}" for each in range(per_owner + 1))  # more than may go, found due for the first time
        desk.put([record(owner + id, owner=owner, assigned_at=day(-90)) for id in new for owner in NAMES], now=now)
        before = pool(store)
        ran(store, now, policy, max_per_owner_per_day=per_owner)
        lost.update((key[:3], now.astimezone(ZoneInfo(zone)).date()) for key in pool(store) - before)
    dates = {(start + timedelta(hours=hour)).astimezone(ZoneInfo(zone)).date() for hour in hours}
    assert lost == {(owner, date): per_owner for owner in NAMES for date in dates if per_owner}


@given(st.sampled_from(TURNS), st.lists(st.integers(0, 96), min_size=1, max_size=8, unique=True), st.integers(0, 4))
@settings(max_examples=30)
def test_no_owner_loses_more_on_a_calendar_day(turn: tuple[str, datetime], hours: list[int], per_owner: int) -> None:
    no_owner_loses_more_on_a_calendar_day(*turn, hours, per_owner)


# --- stories ---


@pytest.mark.parametrize(
    ("zone", "instant", "hours"),
    [
        (BERLIN.key, datetime(2026, 3, 29), 23),
        (BERLIN.key, datetime(2026, 10, 25), 25),
        (BERLIN.key, datetime(2026, 6, 1), 24),
        ("UTC", datetime(2026, 3, 29), 24),
    ],
)
def test_the_owners_next_day_begins_at_midnight_of_the_policys_zone(
    store: OwnershipStore, zone: str, instant: datetime, hours: int
) -> None:
    """What is over waits until then, to the microsecond."""
    start = instant.replace(tzinfo=ZoneInfo(zone)).astimezone(START.tzinfo)
    policy = ReclaimPolicy(idle="10d", zone=zone)
    filled(store, numbered(3, assigned_at=day(-90)), policy)
    assert ran(store, start, policy, max_per_owner_per_day=1).over_daily == 2
    waits = {row.answer.next_change_at for row in rows(store).values() if row.facts.get("owner")}
    assert waits == {start + timedelta(hours=hours)}
    tick = timedelta(microseconds=1)
    assert ran(store, start + timedelta(hours=hours) - tick, policy, max_per_owner_per_day=1).reclaimed == 0
    assert ran(store, start + timedelta(hours=hours), policy, max_per_owner_per_day=1).reclaimed == 1


def test_one_owners_many_do_not_hold_up_the_others(store: OwnershipStore) -> None:
    """Ann's are older, but she may lose one a day; the run's three places go to the others."""
    ann = [record(f"a{n}", assigned_at=day(-90)) for n in range(10)]
    bob = [record(f"b{n}", owner=f"bob{n}", assigned_at=day(-50 + n)) for n in range(4)]
    filled(store, [*ann, *bob], IDLE_10)
    report = ran(store, day(0), IDLE_10, max_per_run=3, max_per_owner_per_day=1, batch=2)
    assert pool(store) == {"a0", "b0", "b1"}
    assert (report.over_daily, report.left) == (9, {"bob2": 1, "bob3": 1})


def test_the_ceiling_of_the_day_is_shared_by_its_runs(store: OwnershipStore) -> None:
    filled(store, numbered(9, assigned_at=day(-90)), IDLE_10)
    taken = [ran(store, day(hour / 24), IDLE_10, max_per_owner_per_day=4, max_per_run=3).reclaimed for hour in range(5)]
    assert taken == [3, 1, 0, 0, 0]
    assert ran(store, day(1), IDLE_10, max_per_owner_per_day=4).reclaimed == 4


def test_a_ceiling_of_nothing_takes_nothing(store: OwnershipStore) -> None:
    """Of the run: all is left; of the owner: all is over."""
    filled(store, numbered(3, assigned_at=day(-90)), IDLE_10)
    report = ran(store, day(0), IDLE_10, max_per_run=0)
    assert (report.reclaimed, report.over_daily, report.left) == (0, 0, {"ann": 3})
    report = ran(store, day(0), IDLE_10, max_per_owner_per_day=0)
    assert (report.reclaimed, report.over_daily, report.left) == (0, 3, {})
    assert pool(store) == set()


def test_left_names_owners_as_text(store: OwnershipStore) -> None:
    filled(store, [record("a", owner=7), record("b", owner="bob")], IDLE_10)
    assert ran(store, day(20), IDLE_10, max_per_run=0).left == {"7": 1, "bob": 1}


def test_unlimited_is_no_ceiling() -> None:
    limits = RunLimits(max_per_run="unlimited", max_per_owner_per_day="unlimited")
    assert (limits.max_per_run, limits.max_per_owner_per_day) == (None, None)
    assert limits == RunLimits(max_per_run=None, max_per_owner_per_day=None)


@pytest.mark.parametrize("value", [-1, True, "many", 1.5])
@pytest.mark.parametrize("key", ["max_per_run", "max_per_owner_per_day"])
def test_a_ceiling_is_a_number_or_unlimited(key: str, value: Any) -> None:
    with pytest.raises(InvalidPolicy, match=f'{key}: .* is not a whole number, 0 or more, or "unlimited"'):
        RunLimits(**{key: value})


def test_a_grace_is_a_span() -> None:
    with pytest.raises(InvalidPolicy, match="activation_grace: 'soon' is not a span"):
        RunLimits(activation_grace="soon")


def test_a_ceiling_reached_meanwhile_undoes_the_batch() -> None:
    """On a store that lets others in between asking and taking: busy, so that the batch is tried again."""
    counters, midnight = MemoryCounters(), day(1)
    ceilings = Ceilings(counters, RunLimits(max_per_run=1), now=day(0), midnight=midnight)
    filled(store := MemoryStore(), [record("a")])
    (row,) = rows(store).values()
    assert ceilings.admit([row], 1) == ([row], [])
    counters.reserve("another", f"run/{day(0).isoformat()}", ceiling=1, now=day(0), expires_at=midnight)
    with pytest.raises(StoreBusy, match="1 of 1 were taken meanwhile; try again"):
        ceilings.take([row])


def test_limits_have_defaults() -> None:
    assert RunLimits() == RunLimits(activation_grace="14d", max_per_run=200, max_per_owner_per_day=20)


def test_an_owner_over_the_daily_ceiling_does_not_shrink_the_batches(store: OwnershipStore) -> None:
    """One place of the run is left, and before its prospect stand fifty of one who may lose no more: one batch."""
    filled(store, [*numbered(50), record("z", owner="bob", assigned_at=day(1))])
    batches: list[int] = []

    def note(done: int, of: int) -> None:
        batches.append(of - done)

    report = ran(store, day(40), max_per_run=2, max_per_owner_per_day=1, progress=note)
    assert (report.reclaimed, report.over_daily, pool(store)) == (2, 49, {"p000", "z"})
    assert len(batches) == 2  # one that judges, one that takes


def test_a_run_with_nothing_to_reclaim_leaves_no_counter(tmp_path: Path) -> None:
    """A store that is asked every five minutes does not grow by it."""
    store = SqlStore(f"sqlite:///{tmp_path / 'crm.db'}").create()
    filled(store, numbered(3))
    ran(store, day(1), max_per_run=5)
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM crmcore_counters")).scalars().all() == ["held/ann"]
    store.close()
