"""The grace after a policy takes effect: a law over random policies and their changes, and the issue's numbers."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crmcore.calendars import BusinessCalendar
from crmcore.decisions.codes import Outcome
from crmcore.ownership import CapPolicy, OwnershipService, ReclaimPolicy, RunLimits
from crmcore.ownership.ports import OwnershipStore
from crmcore.ownership.rollout import Grace, restored
from crmcore.ownership.stored import Activation
from crmcore.storage import MemoryStore, reindex, run
from crmcore.storage.sql import SqlStore
from crmcore.testing import longer_policies, policies_and_prospects, reclaim_policies
from ownership.stories import WEEK
from storage.stories import FREE, START, day, filled, numbered, owners, pool, ran, record, rows, service

LIMITS = attrs.evolve(FREE, activation_grace="14d")
LONG, SHORT = ReclaimPolicy(idle="60d", zone="UTC"), ReclaimPolicy(idle="30d", zone="UTC")

# Policies on one prospect who is due early under some and late under others, changed every few days.
IDLES = st.integers(5, 60).map(lambda days: ReclaimPolicy(idle=f"{days}d", zone="UTC"))
CHANGES = st.lists(st.tuples(st.integers(0, 12), IDLES), min_size=1, max_size=5)


def facts_of(object_: Any) -> dict[str, Any]:
    """The facts of a generated record, as a store keeps them."""
    return {name: value for name, value in vars(object_).items() if value is not None}


def in_force(changes: Sequence[tuple[datetime, ReclaimPolicy]], now: datetime, grace: timedelta) -> Iterator[Any]:
    """The policies of which any instant lay in the last `grace` before `now`; None for the time before the first."""
    ends = [*(start for start, _ in changes[1:]), None]
    if changes[0][0] + grace > now:
        yield None
    for (_, policy), end in zip(changes, ends, strict=True):
        if end is None or end + grace > now:
            yield policy


def changed(changes: Sequence[tuple[int, ReclaimPolicy]]) -> list[tuple[datetime, ReclaimPolicy]]:
    """The same with instants: each so many days after the one before; one that changes nothing is none."""
    at, found = START, []
    for days, policy in changes:
        at += timedelta(days=days)
        if not found or found[-1][1] != policy:
            found.append((at, policy))
    return found


# --- the law, on the run itself ---


def nobody_is_reclaimed_within_the_grace(changes: Sequence[tuple[int, ReclaimPolicy]], ages: Sequence[int]) -> None:
    """
    Day by day with the policy in force that day: who is taken was to be taken by every policy of the last 14 days.

    And who is to be taken by all of them is taken: the grace holds back nothing else.
    """
    store, told = MemoryStore(), changed(changes)
    records = [record(number, assigned_at=day(-age)) for number, age in enumerate(ages)]
    service(store).put(records, now=START)
    known = {str(each["id"]): each for each in records}
    for number in range(1 + sum(days for days, _ in changes) + 20):
        now = day(number)
        so_far = [(at, policy) for at, policy in told if at <= now]
        if not so_far:
            continue
        before = pool(store)
        run(store, so_far[-1][1], now=now, limits=LIMITS)
        asked = list(in_force(so_far, now, timedelta(days=14)))
        due = {
            key
            for key, facts in known.items()
            if key not in before and all(each and _outcome(each, facts, now) is Outcome.RECLAIM for each in asked)
        }
        assert pool(store) - before == due, (number, asked)


def _outcome(policy: ReclaimPolicy, facts: Mapping[str, Any], now: datetime) -> Outcome:
    full = {**dict.fromkeys(policy.reads), **facts}
    return policy.decide(full, now=now).outcome


@given(CHANGES, st.lists(st.integers(0, 70), min_size=1, max_size=6))
@example([(0, LONG), (12, SHORT), (12, LONG), (1, SHORT)], [20, 40, 70])
@settings(max_examples=25)
def test_nobody_is_reclaimed_within_the_grace_whom_one_policy_would_leave(
    changes: list[tuple[int, ReclaimPolicy]], ages: list[int]
) -> None:
    nobody_is_reclaimed_within_the_grace(changes, ages)


# --- the law, on what a grace says of any policy ---


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.data_too_large])
def test_a_grace_ends_when_no_policy_of_its_time_would_leave_the_prospect(data: st.DataObject) -> None:
    """Random policies in every unit and calendar: free now exactly if all of the last 14 days reclaim now."""
    policy, prospect, now = data.draw(policies_and_prospects(future=False))
    if _outcome(policy, facts_of(prospect), now) is not Outcome.RECLAIM:
        return
    other = reclaim_policies(calendars=st.just(policy.calendar))
    others = data.draw(st.lists(st.just(policy) | other | longer_policies(policy), max_size=3))
    steps = data.draw(st.lists(st.integers(1, 12), min_size=len(others) + 1, max_size=len(others) + 1))
    back = [sum(steps[number:]) for number in range(len(steps))]
    told = [(now - timedelta(days=days), each) for days, each in zip(back, [*others, policy], strict=True)]
    activations = [Activation(at=at, digest=each.digest, parameters=each.canonical()) for at, each in told]
    spans = RunLimits(activation_grace=f"{14 * 24}h")
    grace = Grace.of(policy, spans, activations, now)
    facts = {**dict.fromkeys(each for one in (*others, policy) for each in one.reads), **facts_of(prospect)}
    decision = policy.decide(facts, now=now)
    asked = in_force(told, now, timedelta(days=14))
    leaves = [each for each in asked if each is None or _outcome(each, facts, now) is not Outcome.RECLAIM]
    assert (grace.free_from(facts, decision) <= now) == (not leaves)


@given(st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.data_too_large])
def test_a_longer_limit_delays_nothing(data: st.DataObject) -> None:
    """What the longer policy reclaims the shorter one did too: with it in force for 14 days, it goes at once."""
    policy, prospect, now = data.draw(policies_and_prospects(unknown=False, future=False))
    longer = data.draw(longer_policies(policy))
    told = [(now - timedelta(days=30), policy), (now, longer)]
    activations = [Activation(at=at, digest=each.digest, parameters=each.canonical()) for at, each in told]
    grace = Grace.of(longer, RunLimits(activation_grace="336h"), activations, now)
    facts = {**dict.fromkeys((*policy.reads, *longer.reads)), **facts_of(prospect)}
    decision = longer.decide(facts, now=now)
    if decision.outcome is Outcome.RECLAIM:
        assert grace.free_from(facts, decision) <= now


# --- what is kept of a policy is the policy ---


@given(reclaim_policies())
@settings(max_examples=150)
def test_a_policy_comes_back_from_its_canonical_form(policy: ReclaimPolicy) -> None:
    """Through JSON, as a database keeps it."""
    again = restored(json.loads(json.dumps(policy.canonical())), policy.digest)
    assert again is not None
    assert (again.digest, again.canonical()) == (policy.digest, policy.canonical())


@given(policies_and_prospects())
@settings(max_examples=60)
def test_a_policy_that_came_back_decides_as_before(case: tuple[ReclaimPolicy, Any, datetime]) -> None:
    policy, prospect, now = case
    again = restored(policy.canonical(), policy.digest)
    assert again is not None
    one, other = policy.decide(prospect, now=now), again.decide(prospect, now=now)
    assert (one.outcome, one.step, one.deadline) == (other.outcome, other.step, other.deadline)


UNREADABLE: list[Any] = [
    {},
    {"idle": "many days"},
    {"idle": "60d", "zone": "Mars/North"},
    {"idle": "60d", "of a later release": 1},
    {"remind_before": 5},
    {"idle": "59d"},
    {"calendar": {"week": 5}},
    {"calendar": "office"},
]


@pytest.mark.parametrize("parameters", UNREADABLE, ids=str)
def test_a_policy_that_cannot_be_read_any_more_would_have_left_everybody(parameters: Any) -> None:
    """So the grace is the longer one, not none."""
    digest = f"of {parameters}"
    assert restored(parameters, digest) is None
    store = MemoryStore()
    filled(store, [record("a")])
    with store.begin() as transaction:
        transaction.notes.activate(Activation(at=day(-90), digest=digest, parameters=parameters))
    report = run(store, SHORT, now=day(70), limits=LIMITS)
    assert (report.in_grace, pool(store)) == (1, set())
    assert rows(store)["a"].answer.next_change_at == day(84)
    assert run(store, SHORT, now=day(84), limits=LIMITS).reclaimed == 1


# --- stories ---


def test_a_table_adopted_for_the_first_time_loses_nobody_for_14_days(store: OwnershipStore) -> None:
    """Everybody is long due; `reindex` is the first to name the policy, so the days count from it."""
    filled(store, numbered(5, assigned_at=day(-300)), SHORT)
    reindex(store, SHORT, now=day(0))
    for number in range(14):
        report = run(store, SHORT, now=day(number))
        assert report.reclaimed == 0
    assert run(store, SHORT, now=day(14)).reclaimed == 5


def test_a_grace_begins_with_the_run_and_not_with_the_first_prospect(store: OwnershipStore) -> None:
    run(store, SHORT, now=day(0))
    service(store, SHORT).put([record("a", assigned_at=day(-300))], now=day(20))
    assert run(store, SHORT, now=day(20)).reclaimed == 1


def test_a_shorter_limit_spares_until_the_longer_one_is_over(store: OwnershipStore) -> None:
    """Who is due under both is taken; who is due under the old one within the grace goes on that day; others after."""
    ages = {"both": 70, "soon": 55, "later": 35}
    filled(store, [record(key, assigned_at=day(-age)) for key, age in ages.items()], LONG)
    with store.begin() as transaction:
        at = day(-100)
        transaction.notes.activate(Activation(at=at, digest=LONG.digest, parameters=LONG.canonical()))
    taken: dict[str, int] = {}
    for number in range(16):
        run(store, SHORT, now=day(number), limits=LIMITS)
        taken |= dict.fromkeys(pool(store) - taken.keys(), number)
    assert taken == {"both": 0, "soon": 5, "later": 14}


def test_a_policy_of_one_day_has_its_say_too(store: OwnershipStore) -> None:
    """Long, short, long, short: the long one of a day counts its own 14 days anew."""
    filled(store, [record("a", assigned_at=day(-40))], LONG)
    for number, policy in ((0, LONG), (20, SHORT), (33, LONG), (34, SHORT)):
        run(store, policy, now=day(number - 40), limits=LIMITS)
    desk = service(store, SHORT)
    desk.update("a", now=day(-6), value=1)
    assert run(store, SHORT, now=day(0), limits=LIMITS).reclaimed == 0
    assert run(store, SHORT, now=day(8), limits=LIMITS).reclaimed == 1


def test_a_write_keeps_to_the_grace_too(store: OwnershipStore) -> None:
    """The commands are given the run's limits: what they find due is not free before."""
    run(store, SHORT, now=day(0))
    desk = OwnershipService(store, SHORT, CapPolicy(), LIMITS)
    desk.put([record("a", assigned_at=day(-300))], now=day(3))
    assert desk.find("a").answer.next_change_at == day(14)
    desk.update("a", now=day(5), value=1)
    assert desk.find("a").answer.next_change_at == day(14)


def test_a_grace_in_working_days_is_the_calendars(store: OwnershipStore) -> None:
    """From Monday 2 March, two working days."""
    office = BusinessCalendar(zone="UTC", week=WEEK, name="office")
    policy = ReclaimPolicy(idle="30d", zone="UTC", calendar=office)
    filled(store, [record("a", assigned_at=day(-90))], policy)
    report = ran(store, day(0), policy, activation_grace="2wd")
    assert report.in_grace == 1
    found = rows(store)["a"].answer.next_change_at
    assert found is not None
    assert day(1) < found <= day(3)
    assert ran(store, found, policy, activation_grace="2wd").reclaimed == 1


def test_no_grace_is_none(store: OwnershipStore) -> None:
    filled(store, [record("a", assigned_at=day(-90))], SHORT)
    assert ran(store, day(0), SHORT).reclaimed == 1
    assert owners(store) == {"a": None}


# --- the numbers ---


def shortened(store: OwnershipStore, count: int, owners_: int, days: int, limits: RunLimits) -> list[int]:
    """How many were reclaimed on each day after idle went from 60 to 30 days; ages spread over 58 days."""
    chance = random.Random(4)
    desk = OwnershipService(store, LONG, CapPolicy(), limits)
    run(store, LONG, now=day(-100), limits=limits)
    ages = (record(n, owner=f"u{n % owners_}", assigned_at=day(-chance.uniform(0, 45))) for n in range(count))
    desk.put(ages, now=day(0))
    taken = []
    for number in range(days):
        report = run(store, SHORT, now=day(number), limits=limits)
        taken.append(report.reclaimed)
        assert report.parked == report.conflicts == 0
        assert max(lost(store, day(number)).values(), default=0) <= (limits.max_per_owner_per_day or count)
    return taken


def lost(store: OwnershipStore, now: datetime) -> dict[str, int]:
    """How many each owner has lost on the day of `now`, by the counters."""
    with store.begin() as transaction:
        names = [f"u{number}" for number in range(50)]
        return {name: transaction.counters.held(f"reclaimed/{name}", now=now) for name in names}


def test_shortening_takes_nobody_for_14_days_and_then_only_what_the_ceilings_let() -> None:
    """3,000 prospects, 60 to 30 days, day by day over 30 days."""
    limits = RunLimits(activation_grace="14d", max_per_run=200, max_per_owner_per_day=20)
    taken = shortened(MemoryStore(), 3000, 7, 30, limits)
    assert taken[:14] == [0] * 14
    assert set(taken[14:]) == {7 * 20}


@pytest.mark.slow
def test_shortening_on_100_000_prospects_takes_nobody_for_14_days(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path / 'crm.db'}").create()
    try:
        limits = RunLimits(activation_grace="14d", max_per_run=200, max_per_owner_per_day=20)
        taken = shortened(store, 100_000, 50, 30, limits)
        assert taken[:14] == [0] * 14
        assert set(taken[14:]) == {200}
    finally:
        store.close()


def test_an_earlier_policy_that_cannot_judge_these_facts_would_have_left_them() -> None:
    """It read a protection that is no instant; the policy now does not read it."""
    strict = ReclaimPolicy(idle="20d", protected_by=["contract"], zone="UTC")
    facts = {**dict.fromkeys(strict.reads), **record("a"), "contract_until": "someday"}
    decision = ReclaimPolicy(idle="30d", zone="UTC").decide(facts, now=day(30))
    grace = Grace(((strict, day(40)),))
    assert grace.free_from(facts, decision) == day(40)
