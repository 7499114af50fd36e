"""Another policy: everything is judged anew, in columns where they are, and nobody is reclaimed by that."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmcore.calendars import BusinessCalendar
from crmcore.decisions import UNKNOWN
from crmcore.ownership import ReclaimPolicy, RunLimits, Stored, in_columns
from crmcore.ownership.judge import Judge
from crmcore.ownership.ports import OwnershipStore
from crmcore.ownership.rollout import Grace
from crmcore.ownership.stored import Answer
from crmcore.storage import MemoryStore, reindex, run
from crmcore.testing import prospects, reclaim_policies
from ownership.stories import WEEK
from storage.stories import (
    FREE,
    POLICY,
    START,
    Between,
    day,
    everything,
    filled,
    numbered,
    pool,
    ran,
    record,
    rows,
    told,
)

OFFICE = BusinessCalendar(zone="UTC", week=WEEK, name="office")
WORKING = ReclaimPolicy(idle="10wd", remind_before=["1wd"], zone="UTC", calendar=OFFICE)
IDLE_20 = ReclaimPolicy(idle="20d", remind_before=["7d"], zone="UTC")


def test_what_has_another_policys_answer_is_judged_anew(store: OwnershipStore) -> None:
    """Of each: its answer, its digest, when to look again; and a second time there is nothing to do."""
    filled(store, [record("a"), record("b", last_contact_at=day(10)), record("w", status="won")])
    report = reindex(store, IDLE_20, now=day(15), limits=FREE)
    assert (report.judged, report.policy, report.dry_run) == ({"keep": 2, "remind": 1}, IDLE_20.ref, False)
    answers = {key: (row.answer.outcome, row.answer.next_change_at, row.version) for key, row in rows(store).items()}
    assert answers == {"a": ("remind", day(20), 1), "b": ("keep", day(23), 1), "w": ("keep", None, 1)}
    assert {row.answer.digest for row in rows(store).values()} == {IDLE_20.digest}
    assert told(store) == [("a", 1, day(20))]
    before = everything(store)
    assert reindex(store, IDLE_20, now=day(15), limits=FREE).judged == {}
    assert everything(store) == before


def test_a_reindex_reclaims_nobody(store: OwnershipStore) -> None:
    """It says who is to be, and the run takes them."""
    filled(store, numbered(5), IDLE_20)
    report = reindex(store, POLICY, now=day(40), limits=FREE)
    assert (report.judged, report.reclaimed, report.in_grace, pool(store)) == ({"reclaim": 5}, 0, 0, set())
    assert ran(store, day(40)).reclaimed == 5


def test_a_reindex_counts_all_that_wait(store: OwnershipStore) -> None:
    """Those that an earlier one has judged too, as the report of a run does."""
    filled(store, numbered(4, assigned_at=day(-400)), IDLE_20)
    limits = RunLimits(activation_grace="14d")
    first, again = (reindex(store, POLICY, now=day(at), limits=limits) for at in (0, 1))
    assert (first.in_grace, first.waiting) == (4, 4)
    assert (again.in_grace, again.waiting, again.left) == (0, 4, {})


def test_what_is_due_under_the_same_policy_is_left_to_the_run(store: OwnershipStore) -> None:
    filled(store, [record("a")])
    before = everything(store)
    assert reindex(store, POLICY, now=day(25), limits=FREE).judged == {}
    assert everything(store)[:3] == before[:3]
    assert ran(store, day(25)).judged == {"remind": 1}


def test_the_first_reindex_of_an_adopted_table_begins_the_grace(store: OwnershipStore) -> None:
    filled(store, numbered(4, assigned_at=day(-400)), IDLE_20)
    report = reindex(store, POLICY, now=day(0))
    assert (report.judged, report.in_grace) == ({"reclaim": 4}, 4)
    assert {row.answer.next_change_at for row in rows(store).values()} == {day(14)}
    with store.begin() as transaction:
        (activation,) = transaction.notes.activations()
    assert (activation.at, activation.digest) == (day(0), POLICY.digest)
    assert dict(activation.parameters) == POLICY.canonical()


def test_a_holiday_announced_moves_what_it_touches(store: OwnershipStore) -> None:
    """The calendar is part of the digest: the deadline of who works through that week comes a week later."""
    filled(store, [record("a"), record("b", assigned_at=day(-10))], WORKING)
    run(store, WORKING, now=day(0), limits=FREE)
    before = rows(store)
    holidays = BusinessCalendar(zone="UTC", week=WEEK, name="office", closed=["2026-03-09/2026-03-13"])
    told_late = ReclaimPolicy(idle="10wd", remind_before=["1wd"], zone="UTC", calendar=holidays)
    assert told_late.digest != WORKING.digest
    reindex(store, told_late, now=day(1), limits=FREE)
    after = rows(store)
    ends = before["a"].answer.next_change_at, after["a"].answer.next_change_at
    assert ends[0] is not None
    assert ends[1] == ends[0] + timedelta(days=7)
    assert after["b"].answer.deadline == before["b"].answer.deadline


@pytest.mark.parametrize("batch", [1, 2, 5000])
def test_batches_make_no_difference(store: OwnershipStore, batch: int) -> None:
    filled(store, [*numbered(7), *(record(f"odd{n}", status="odd") for n in range(2))])
    seen: list[tuple[int, int]] = []
    report = reindex(
        store, IDLE_20, now=day(15), limits=FREE, batch=batch, progress=lambda *numbers: seen.append(numbers)
    )
    assert (report.judged, report.parked, len(report.faults)) == ({"remind": 7}, 2, 2)
    assert seen[-1] == (9, 9)


def test_a_reindex_that_was_killed_goes_on(store: OwnershipStore) -> None:
    filled(store, numbered(7))

    def killed(done: int, of: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reindex(store, IDLE_20, now=day(15), limits=FREE, batch=2, progress=killed)
    assert reindex(store, IDLE_20, now=day(15), limits=FREE).judged == {"remind": 3}
    assert len(told(store)) == 7


def test_what_is_changed_while_it_is_judged_is_judged_again(store: OwnershipStore) -> None:
    filled(store, [record("a"), record("b")])
    between: Any = Between(store, {"a": {"last_contact_at": day(14)}})
    report = reindex(between, IDLE_20, now=day(15), limits=FREE)
    assert (report.conflicts, report.judged) == (1, {"keep": 1, "remind": 1})
    assert rows(store)["a"].answer.next_change_at == day(27)


# --- in columns ---


@st.composite
def batches(draw: st.DrawFn) -> tuple[ReclaimPolicy, datetime, list[Stored]]:
    """A policy and many stored prospects on its borders; in one batch of three with facts that are not known."""
    policy = draw(reclaim_policies())
    some = draw(st.lists(prospects(policy, START, unknown=not draw(st.integers(0, 2))), min_size=3, max_size=8))
    kept = [{name: value for name, value in vars(each).items() if value is not None} for each in some]
    return policy, START, [Stored(facts={**facts, "id": n}, version=1, answer=Answer()) for n, facts in enumerate(kept)]


@given(batches())
@settings(max_examples=20)
def test_columns_keep_what_objects_keep(batch: tuple[ReclaimPolicy, datetime, list[Stored]]) -> None:
    """Many times the same rows, so that they are told in columns: the answers are those of one by one."""
    policy, now, stored = batch
    judge = Judge(policy, Grace(), now)
    many = stored * (1 + 2000 // len(stored))
    alone = [judge.rejudge(each) for each in stored]
    for place, judged in enumerate(judge.rejudge_all(many)):
        answer, expected = judged.answer, alone[place % len(stored)].answer
        assert judged.message == alone[place % len(stored)].message
        assert (answer.outcome, answer.step, answer.rule) == (expected.outcome, expected.step, expected.rule)
        assert (answer.deadline, answer.digest, answer.parked) == (expected.deadline, expected.digest, expected.parked)
        found, change = answer.next_change_at, expected.next_change_at
        assert found == change or (found is not None and change is not None and now < found < change)


ODD: list[dict[str, Any]] = [
    {"last_contact_at": UNKNOWN},
    {"owner": Decimal(1)},
    {"status": 5},
    {"contact_unknown": "perhaps"},
    {"grade": True},
]


@pytest.mark.parametrize("odd", ODD, ids=lambda each: next(iter(each)))
def test_a_value_that_no_column_holds_leaves_its_batch_to_decide(store: OwnershipStore, odd: dict[str, Any]) -> None:
    graded = ReclaimPolicy(idle={"A": "10d", "default": "20d"}, zone="UTC")
    filled(store, [*numbered(2000), record("odd", **odd)])
    facts = [row.facts for row in rows(store).values()]
    assert in_columns.staying(graded, facts, day(1)) is None
    report = reindex(store, graded, now=day(1), limits=FREE)
    assert report.parked + sum(report.judged.values()) == 2001
    assert report.judged["keep"] >= 2000


def test_a_policy_that_columns_cannot_say_is_left_to_decide() -> None:
    """A lead that is used for some grades only."""
    policy = ReclaimPolicy(idle={"A": "10d", "B": "30d"}, remind_before=["20d"], zone="UTC")
    assert in_columns.staying(policy, [record("a", grade="B")], day(1)) is None


def test_what_stays_is_told_with_when_to_look_again() -> None:
    facts = [record(1, owner=7), record(2, last_contact_at=day(9)), record(3, status="won"), record(4, status="odd")]
    assert in_columns.staying(POLICY, facts, day(1)) == {0: day(23), 1: day(8), 2: None}
    assert in_columns.staying(POLICY, facts, day(25)) == {1: day(32), 2: None}


@pytest.mark.parametrize("missing", ["narwhals", "polars and pyarrow"])
def test_without_the_extra_it_is_done_one_by_one(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    real = in_columns.find_spec
    monkeypatch.setattr(in_columns, "find_spec", lambda name: None if name in missing else real(name))
    in_columns._backend.cache_clear()
    try:
        assert in_columns.staying(POLICY, [record("a")], day(1)) is None
        filled(store := MemoryStore(), numbered(2000), IDLE_20)
        assert reindex(store, POLICY, now=day(1), limits=FREE).judged == {"keep": 2000}
    finally:
        in_columns._backend.cache_clear()


def test_an_answer_without_a_deadline_is_told_to_nobody() -> None:
    assert Judge(POLICY, Grace(), START).message(record("a"), Answer(outcome="keep")) is None


def test_a_policy_on_the_hosts_names_is_the_same_policy(store: OwnershipStore) -> None:
    """Prospects are stored under the library's."""
    theirs = POLICY.reading(owner="owner_id", assigned_at="since")
    filled(store, [record("a")], theirs)
    assert reindex(store, POLICY, now=day(1), limits=FREE).judged == {}
    assert ran(store, day(31), theirs).reclaimed == 1
