"""The laws of the run are on trial too: each catches a run that breaks what it promises."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import attrs
import pytest
from hypothesis import Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from crmcore.ownership import ReclaimPolicy, rollout
from crmcore.ownership.judge import Judge
from crmcore.ownership.rollout import Grace
from crmcore.ownership.stored import Stored
from crmcore.ownership.transact import transact
from crmcore.reservations import Full, MemoryCounters, Reservation
from crmcore.reservations import memory as counters_in_memory
from crmcore.storage import MemoryStore, ceilings
from crmcore.storage import memory as store_in_memory
from reservations.test_counters import STEPS, counters_keep_what_they_promise
from storage.stories import START
from storage.test_ceilings import (
    CEILINGS,
    RECORDS,
    TURNS,
    a_run_keeps_its_ceilings_and_says_what_is_left,
    no_owner_loses_more_on_a_calendar_day,
)
from storage.test_dry_run import FACTS, RUNS, a_dry_run_says_what_the_run_says
from storage.test_equality import POLICIES, World, lived
from storage.test_grace import CHANGES, nobody_is_reclaimed_within_the_grace

run_module = import_module("crmcore.storage.runs")
Patch = Callable[[pytest.MonkeyPatch], None]
AGES = st.lists(st.integers(0, 70), min_size=1, max_size=6)
HOURS = st.lists(st.integers(0, 96), min_size=1, max_size=8, unique=True)


def caught(law: Callable[..., None], *strategies: st.SearchStrategy[Any]) -> bool:
    """Whether some example breaks the law."""

    def breaks(example: tuple[Any, ...]) -> bool:
        try:
            law(*example)
        except AssertionError:
            return True
        return False

    try:
        find(
            st.tuples(*strategies),
            breaks,
            settings=settings(max_examples=300, phases=[Phase.generate], database=None, derandomize=True),
        )
    except NoSuchExample:
        return False
    return True


# --- the grace ---


def forgets_all_but_the_last(patch: pytest.MonkeyPatch) -> None:
    real = Grace.of.__func__  # type: ignore[attr-defined]
    patch.setattr(Grace, "of", classmethod(lambda cls, *said: cls(real(cls, *said).earlier[-1:])))


def asks_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Grace, "free_from", lambda _self, _facts, decision: decision.as_of)


def waits_though_all_reclaim(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        Grace,
        "free_from",
        lambda self, _facts, decision: max((until for _, until in self.earlier), default=decision.as_of),
    )


def forgets_the_time_before_the_first(patch: pytest.MonkeyPatch) -> None:
    real = rollout._ended
    patch.setattr(rollout, "_ended", lambda activations: (each for each in real(activations) if each[0] is not None))


def counts_from_the_beginning_of_the_earlier(patch: pytest.MonkeyPatch) -> None:
    real = rollout._ended

    def ended(activations: Any) -> Any:
        starts = [activations[0].at, *(each.at for each in activations)]
        return [(said, start) for (said, _), start in zip(real(activations), starts, strict=False)]

    patch.setattr(rollout, "_ended", ended)


@pytest.mark.parametrize(
    "broken",
    [
        forgets_all_but_the_last,
        asks_nobody,
        waits_though_all_reclaim,
        forgets_the_time_before_the_first,
        counts_from_the_beginning_of_the_earlier,
    ],
)
def test_a_broken_grace_is_caught(broken: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    assert caught(nobody_is_reclaimed_within_the_grace, CHANGES, AGES)


# --- the ceilings ---


def by_value_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(store_in_memory, "_order", lambda row: (-(row.facts.get("value") or 0), row.key))


def by_deadline_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(store_in_memory, "_order", lambda row: (row.answer.deadline, row.key))


def forgets_the_owners(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ceilings.Ceilings, "admit", lambda _self, rows, most: (list(rows[:most]), []))
    patch.setattr(ceilings.Ceilings, "take", lambda _self, _gone: None)


def one_too_many(patch: pytest.MonkeyPatch) -> None:
    real = ceilings.Ceilings.left_of_run
    patch.setattr(ceilings.Ceilings, "left_of_run", lambda self: real(self) + 1)
    patch.setattr(ceilings.Ceilings, "take", lambda _self, _gone: None)


@pytest.mark.parametrize("broken", [by_value_alone, by_deadline_alone, forgets_the_owners, one_too_many])
def test_broken_ceilings_are_caught(broken: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    monkeypatch.setattr(run_module._Job, "reclaim", once_or_more)
    assert caught(a_run_keeps_its_ceilings_and_says_what_is_left, RECORDS, CEILINGS, CEILINGS, st.integers(1, 8))


def once_or_more(job: Any) -> None:
    """The pass of reclaims, ended after a while even where nothing is counted."""
    for _ in range(60):
        tally = transact(job.store, job._reclaimed)
        job.tally.take(tally)
        if not tally.settled:
            return


def a_day_of_24_hours(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(run_module, "midnight_after", lambda now, _zone: now + timedelta(hours=24))


def a_day_of_utc(patch: pytest.MonkeyPatch) -> None:
    real = run_module.midnight_after
    patch.setattr(run_module, "midnight_after", lambda now, _zone: real(now, START.tzinfo))


def each_run_anew(patch: pytest.MonkeyPatch) -> None:
    def left(self: Any, counter: str, ceiling: int | None) -> int:
        return ceilings.UNLIMITED if ceiling is None else ceiling

    patch.setattr(ceilings.Ceilings, "_left", left)
    patch.setattr(ceilings.Ceilings, "take", lambda _self, _gone: None)


@pytest.mark.parametrize("broken", [a_day_of_24_hours, a_day_of_utc, each_run_anew])
def test_a_ceiling_that_mistakes_the_day_is_caught(broken: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    monkeypatch.setattr(run_module._Job, "reclaim", once_or_more)
    law = lambda turn, hours, per_owner: no_owner_loses_more_on_a_calendar_day(*turn, hours, per_owner)  # noqa: E731
    assert caught(law, st.sampled_from(TURNS), HOURS, st.integers(0, 4))


# --- the dry run ---


def adopts_the_policy(patch: pytest.MonkeyPatch) -> None:
    real = run_module._begun
    patch.setattr(run_module, "_begun", lambda *said, **more: real(*said, **{**more, "dry_run": False}))


def knows_no_counters(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(run_module, "daily", lambda _owner: "nobody")


def writes_its_messages(patch: pytest.MonkeyPatch) -> None:
    real = run_module._rehearsed

    def rehearsed(job: Any) -> Any:
        report = real(job)
        job.rejudge_due()
        return report

    patch.setattr(run_module, "_rehearsed", rehearsed)


@pytest.mark.parametrize("broken", [adopts_the_policy, knows_no_counters, writes_its_messages])
def test_a_broken_dry_run_is_caught(broken: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    law = lambda facts, runs: a_dry_run_says_what_the_run_says(MemoryStore, facts, runs)  # noqa: E731
    assert caught(law, st.lists(FACTS, max_size=12), RUNS)


# --- the equality ---


def looks_a_second_late(patch: pytest.MonkeyPatch) -> None:
    real = Judge.rejudge

    def rejudge(self: Judge, stored: Stored) -> Any:
        judged = real(self, stored)
        at = judged.answer.next_change_at
        late = None if at is None else at + timedelta(seconds=1)
        return attrs.evolve(judged, answer=attrs.evolve(judged.answer, next_change_at=late))

    patch.setattr(Judge, "rejudge", rejudge)


def forgets_the_step(patch: pytest.MonkeyPatch) -> None:
    real = Judge.rejudge

    def rejudge(self: Judge, stored: Stored) -> Any:
        judged = real(self, stored)
        return attrs.evolve(judged, answer=attrs.evolve(judged.answer, step=min(judged.answer.step, 1)))

    patch.setattr(Judge, "rejudge", rejudge)


@pytest.mark.parametrize("broken", [looks_a_second_late, forgets_the_step])
def test_a_run_that_is_not_the_policys_is_caught(broken: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    with pytest.raises(AssertionError):
        lived(World(MemoryStore(), POLICIES["days"]), 120, seed=4)


def test_a_policy_that_is_not_the_runs_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain loop has a day more."""
    world = World(MemoryStore(), ReclaimPolicy(idle="20d", remind_before=["2d"], zone="UTC"))
    sweep = World.sweep

    def patient(self: World, now: datetime) -> set[str]:
        return sweep(self, now - timedelta(days=1))

    monkeypatch.setattr(World, "sweep", patient)
    with pytest.raises(AssertionError):
        lived(world, 60, seed=1)


# --- counters ---


class _Forgetful(MemoryCounters):
    """Takes a key for new each time."""

    def reserve(self, key: str, *said: Any, **more: Any) -> Reservation | Full:
        if key in self._by_key:
            self._drop(self._by_key[key])
        return super().reserve(key, *said, **more)


class _Greedy(MemoryCounters):
    """Lets one more in."""

    def reserve(self, *said: Any, ceiling: int | None, **more: Any) -> Reservation | Full:
        return super().reserve(*said, ceiling=None if ceiling is None else ceiling + 1, **more)


class _Twice(MemoryCounters):
    """Counts a commit each time."""

    def commit(self, key: str, *, now: datetime) -> bool:
        known = self._by_key.get(key)
        again = known is not None and known.committed and known.alive(now)
        if again and known is not None:
            self.add(known.counter, known.amount)
        return super().commit(key, now=now)


class _Keeps(MemoryCounters):
    """Gives nothing back of what was committed."""

    def release(self, key: str, *, now: datetime) -> bool:
        known = self._by_key.get(key)
        done = super().release(key, now=now)
        if done and known is not None and known.committed:
            self.add(known.counter, known.amount)
        return done


@pytest.mark.parametrize("broken", [_Forgetful, _Greedy, _Twice, _Keeps])
def test_broken_counters_are_caught(broken: type[MemoryCounters]) -> None:
    assert caught(lambda steps: counters_keep_what_they_promise(broken(), steps), STEPS)


def test_counters_that_never_expire_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """`held` of the counters, not of the reservations."""
    monkeypatch.setattr(
        counters_in_memory, "held", lambda total, each, _now: total + sum(r.amount for r in each if not r.committed)
    )
    assert caught(lambda steps: counters_keep_what_they_promise(MemoryCounters(), steps), STEPS)
