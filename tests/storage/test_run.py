"""The run: one prospect from its first reminder to its next owner, rows that hold up no others, runs that meet."""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import text

from crmcore.calendars import BusinessCalendar
from crmcore.decisions import UNKNOWN
from crmcore.errors import InvalidFact, NaiveDatetime
from crmcore.ownership import Answer, Granted, ReclaimPolicy, RunLimits, Stored
from crmcore.ownership.ports import OwnershipStore
from crmcore.ownership.stored import Change
from crmcore.storage import MemoryStore, reindex, run
from crmcore.storage.sql import SqlStore
from storage.stories import (
    FREE,
    POLICY,
    START,
    AlwaysBetween,
    Between,
    day,
    everything,
    filled,
    held,
    numbered,
    owners,
    pool,
    ran,
    record,
    rows,
    service,
    told,
)

IDLE_20 = ReclaimPolicy(idle="20d", zone="UTC")


# --- the story of one prospect ---


@pytest.mark.rule("OWN-1", "OWN-12")
def test_a_prospect_goes_from_reminders_to_the_pool_to_another(store: OwnershipStore) -> None:
    """Reminded seven days and one day before its 30th, taken on it, claimed by another, whose days count anew."""
    desk = filled(store, [record("a")])
    done = []
    for number in range(70):
        report = ran(store, day(number))
        if number == 33:
            assert isinstance(desk.claim("a", "bob", now=day(number)), Granted)
        if report.messages:
            done.append((number, dict(report.judged), report.reclaimed))
    assert done == [
        (23, {"remind": 1}, 0),
        (29, {"remind": 1}, 0),
        (30, {"reclaim": 1}, 1),
        (56, {"remind": 1}, 0),
        (62, {"remind": 1}, 0),
        (63, {"reclaim": 1}, 1),
    ]
    assert told(store) == [("a", step, day(n)) for n in (30, 63) for step in (1, 2, 0)]
    told_of = [(event.kind, event.owner_before, event.owner_after, event.at) for event in desk.history("a")]
    assert told_of == [
        ("imported", None, "ann", START),
        ("reclaimed", "ann", None, day(30)),
        ("claimed", None, "bob", day(33)),
        ("reclaimed", "bob", None, day(63)),
    ]
    assert held(store, "ann", "bob") == [0, 0]


def test_a_reclaim_is_written_with_all_that_it_was(store: OwnershipStore) -> None:
    """The prospect remembers its assignment and who had it; history and message say the rule and the deadline."""
    desk = filled(store, [record("a", owner=7, grade="A")])
    ran(store, day(31))
    stored = desk.find("a")
    assert stored.facts == {"id": "a", "status": "open", "assigned_at": START, "former_owner": 7, "grade": "A"}
    assert (stored.version, stored.answer.outcome, stored.answer.next_change_at) == (2, "keep", None)
    event = desk.history("a")[-1]
    assert (event.kind, event.version, event.at, event.owner_before) == ("reclaimed", 2, day(31), "7")
    assert (event.rule, event.deadline, event.digest) == ("OWN-1", day(30), POLICY.digest)
    with store.begin() as transaction:
        (message,) = transaction.outbox.pending(9)
    assert (message.key, message.owner, message.outcome, message.rule) == ("a", "7", "reclaim", "OWN-1")
    assert (message.step, message.deadline, message.at) == (0, day(30), day(31))


def test_a_late_run_skips_the_reminders(store: OwnershipStore) -> None:
    """Nobody is reminded of what is gone."""
    filled(store, [record("a")])
    assert ran(store, day(45)).messages == 1
    assert told(store) == [("a", 0, day(30))]


def test_each_message_is_told_once(store: OwnershipStore) -> None:
    """However often the run comes, and whatever changes that moves no deadline; an acknowledged one too."""
    desk = filled(store, [record("a")])
    for _ in range(3):
        ran(store, day(24))
        desk.update("a", now=day(24), value=1)
    reindex(store, ReclaimPolicy(idle="30d", remind_before=["7d", "2d"], zone="UTC"), now=day(25), limits=FREE)
    ran(store, day(25))
    assert told(store) == [("a", 1, day(30))]
    with store.begin() as transaction:
        transaction.outbox.acknowledge(transaction.outbox.pending(9))
    ran(store, day(26), IDLE_20, activation_grace="30d")
    ran(store, day(27))
    assert told(store) == []


def test_what_the_outbox_has_already_stays_as_it_is(store: OwnershipStore) -> None:
    """A reminder told, then a longer policy for a day, then the first one again: put twice, told once."""
    filled(store, [record("a")])
    longer = ReclaimPolicy(idle="60d", zone="UTC")
    counts = [ran(store, day(24 + n), policy).messages for n, policy in enumerate((POLICY, longer, POLICY))]
    assert (counts, len(told(store))) == ([1, 0, 1], 1)


def test_a_contact_between_two_runs_is_known_to_the_second(store: OwnershipStore) -> None:
    desk = filled(store, [record("a")])
    ran(store, day(24))
    desk.update("a", now=day(25), last_contact_at=day(25))
    assert ran(store, day(31)).reclaimed == 0
    assert ran(store, day(55)).reclaimed == 1
    assert told(store) == [("a", 1, day(30)), ("a", 0, day(55))]


def test_a_run_touches_what_is_due_and_nothing_else(store: OwnershipStore) -> None:
    filled(store, [record("a"), record("b", last_contact_at=day(0.5)), record("w", status="won")])
    ran(store, day(1))
    before = rows(store)
    report = ran(store, day(23))
    assert report.judged == {"remind": 1}
    after = rows(store)
    assert {key for key in after if after[key] != before[key]} == {"a"}
    assert ran(store, day(23)).judged == {}


def test_a_report_is_data(store: OwnershipStore) -> None:
    filled(store, [record("a"), record("b", owner=None), record("c", status="odd")])
    report = ran(store, day(30), activation_grace="1d")
    assert report.record(UTC) == {
        "as_of": "2026-04-01T00:00:00+00:00",
        "policy": POLICY.ref.record(),
        "dry_run": False,
        "judged": {"reclaim": 1},
        "reclaimed": 0,
        "messages": 0,
        "in_grace": 1,
        "over_daily": 0,
        "waiting": 1,
        "left": {},
        "conflicts": 0,
        "parked": 0,
        "faults": [],
    }
    again = ran(store, day(30), IDLE_20)
    (fault,) = again.record(UTC)["faults"]
    assert (fault["id"], again.parked, again.judged) == ("c", 1, {"keep": 1, "reclaim": 1})
    assert "expected one of open, won, lost, invalid" in fault["problem"]


def test_a_run_needs_an_offset() -> None:
    for work in (run, reindex):
        with pytest.raises(NaiveDatetime):
            work(MemoryStore(), POLICY, now=START.replace(tzinfo=None))


@pytest.mark.parametrize("batch", [0, -1, "500"])
@pytest.mark.parametrize("work", [run, partial(run, dry_run=True), reindex], ids=["run", "dry run", "reindex"])
def test_a_batch_has_prospects(store: OwnershipStore, work: Any, batch: Any) -> None:
    """A batch of none would do nothing and report that there was nothing to do."""
    with pytest.raises(InvalidFact, match=f"batch is {batch!r}; expected a whole number, 1 or more"):
        work(store, POLICY, now=START, batch=batch)
    with store.begin() as transaction:
        assert transaction.notes.activations() == []


# --- what cannot be judged ---


def test_bad_rows_hold_up_no_others(store: OwnershipStore) -> None:
    """They are counted once, with the first twenty faults, and left alone."""
    filled(store, [*numbered(25, status="odd"), record("good")])
    report = ran(store, day(30), IDLE_20, batch=3)
    assert (report.parked, len(report.faults), report.reclaimed) == (25, 20, 1)
    assert ran(store, day(31), IDLE_20).parked == 0
    with store.begin() as transaction:
        assert transaction.due.count(day(99), IDLE_20.digest) == 0


@pytest.mark.parametrize("how", ["facts", "policy"])
def test_a_parked_row_comes_back_when_facts_or_policy_change(store: OwnershipStore, how: str) -> None:
    """What the former policy could not judge: working days on a calendar that has none."""
    never = BusinessCalendar(zone="UTC", week={}, name="never")
    policy = ReclaimPolicy(idle="5wd", calendar=never, zone="UTC") if how == "policy" else POLICY
    desk = filled(store, [record("a", status="open" if how == "policy" else "odd")], policy)
    assert ran(store, day(1), policy).reclaimed == 0
    if how == "facts":
        desk.update("a", now=day(2), status="open")
    assert ran(store, day(30)).reclaimed == 1
    assert rows(store)["a"].answer.parked is None


def test_a_calendar_without_working_time_parks_what_needs_it(store: OwnershipStore) -> None:
    """By grade: the others are judged."""
    never = BusinessCalendar(zone="UTC", week={}, name="never")
    policy = ReclaimPolicy(idle={"A": "5wd", "default": "20d"}, remind_before=["1wd"], calendar=never, zone="UTC")
    filled(store, [record("a", grade="A"), record("b", grade="B")])
    report = ran(store, day(25), policy)
    assert report.parked + sum(report.judged.values()) == 2
    assert "a" not in pool(store)


def test_an_unknown_fact_is_judged_as_needing_data(store: OwnershipStore) -> None:
    """It is no fault, and comes back by itself when it is known."""
    desk = filled(store, [record("a", last_contact_at=UNKNOWN), record("b", assigned_at=None)])
    report = ran(store, day(40), IDLE_20)
    assert (report.parked, report.judged) == (0, {"needs_data": 2})
    desk.update("a", now=day(41), last_contact_at=day(1))
    assert ran(store, day(42), IDLE_20).reclaimed == 1


@pytest.mark.parametrize("value", ["yesterday", "2026-03-02T00:00:00", 5])
def test_a_fact_spoilt_by_hand_parks_its_row(tmp_path: Path, value: str | int) -> None:
    """The database says what no writer of ours would: no instant, one without an offset, a number."""
    store = SqlStore(f"sqlite:///{tmp_path / 'crm.db'}").create()
    try:
        filled(store, [record("a"), record("b")])
        with store.engine.begin() as connection:
            spoil = "UPDATE crmcore_prospects SET facts = json_set(facts, '$.assigned_at', :value) WHERE key = 'a'"
            connection.execute(text(spoil), {"value": value})
        report = ran(store, day(40))
        assert (report.parked, report.reclaimed) == (1, 1)
    finally:
        store.close()


def test_a_fact_of_the_wrong_kind_parks_its_row(store: OwnershipStore) -> None:
    """A list of statuses, say: each store keeps what it can, and the run goes on."""
    filled(store, [record("a", status=5), record("b", owner="bob")])
    report = ran(store, day(40), IDLE_20)
    assert (report.parked, report.reclaimed) == (1, 1)
    assert "status of 'a' is 5" in report.faults[0][1]


def test_a_reclaim_that_cannot_be_judged_any_more_is_parked(store: OwnershipStore) -> None:
    """It was found due by its answer; its facts went bad behind the library's back."""
    filled(store, [record("a")])
    ran(store, day(30), activation_grace="1d")
    with store.begin() as transaction:
        (row,) = transaction.prospects.read(["a"])
        spoilt = type(row)(facts={**row.facts, "status": "odd"}, version=row.version, answer=row.answer)
        transaction.prospects.write([Change(before=row, after=spoilt)])
    report = ran(store, day(32))
    assert (report.parked, report.reclaimed, owners(store)) == (1, 0, {"a": "ann"})


def test_a_reclaim_whose_answer_changes_before_its_grace_is_over_is_looked_at_then(store: OwnershipStore) -> None:
    """A contact that lies a day ahead counts from then on: the row is looked at on that day, not after the grace."""
    policy = ReclaimPolicy(no_deal="20d", idle="20d", zone="UTC", future_tolerance="0h", appointment="30d")
    facts = record("a", last_contact_at=day(26))
    decision = policy.decide({**dict.fromkeys(policy.reads), **facts}, now=day(25))
    assert (decision.outcome, decision.next_change_at) == ("reclaim", day(26))
    filled(store, [facts], policy)
    report = ran(store, day(25), policy, activation_grace="14d")
    assert (report.in_grace, rows(store)["a"].answer.next_change_at) == (1, day(26))
    report = ran(store, day(26), policy, activation_grace="14d")
    assert (report.judged, report.in_grace, report.reclaimed) == ({"reclaim": 1}, 1, 0)
    assert rows(store)["a"].answer.next_change_at == day(25 + 14)
    assert ran(store, day(39), policy, activation_grace="14d").reclaimed == 1


# --- conflicts ---


BATCHES = [1, 2, 500]


@pytest.mark.parametrize("batch", BATCHES)
def test_what_another_changes_meanwhile_is_judged_again(store: OwnershipStore, batch: int) -> None:
    """On a store that locks nothing: a contact comes between the reading and the taking, and the owner keeps it."""
    filled(store, [record("a"), record("b"), record("c")])
    ran(store, day(30), activation_grace="1d")
    between: Any = Between(store, {"a": {"last_contact_at": day(30)}})
    report = ran(between, day(32), batch=batch)
    assert report.conflicts == 1
    assert pool(store) == {"b", "c"}
    assert (report.reclaimed, held(store, "ann")) == (2, [1])
    assert ran(store, day(60)).reclaimed == 1


@pytest.mark.parametrize("batch", BATCHES)
def test_what_is_changed_while_it_is_judged_is_judged_again(store: OwnershipStore, batch: int) -> None:
    """Of another policy: the new facts are those that count, and the others are done whatever the batch."""
    filled(store, [record("a"), record("b"), record("c")])
    between: Any = Between(store, {"a": {"status": "won"}})
    report = ran(between, day(21), IDLE_20, batch=batch)
    assert (report.conflicts, pool(store)) == (1, {"b", "c"})
    assert rows(store)["a"].answer.digest == IDLE_20.digest


def test_what_is_always_in_the_way_is_left_for_the_next_run(store: OwnershipStore) -> None:
    filled(store, [record("a")])
    always: Any = AlwaysBetween(store, {"a": {"grade": "B"}})
    report = ran(always, day(21), IDLE_20)
    assert (report.conflicts, report.judged, pool(store)) == (10, {}, set())
    assert ran(store, day(21), IDLE_20).reclaimed == 1


def test_a_reclaim_that_waits_and_is_changed_meanwhile_is_judged_again(store: OwnershipStore) -> None:
    """It was looked at before its grace was over, as in the story above, when another gave it a contact."""
    policy = ReclaimPolicy(no_deal="20d", idle="20d", zone="UTC", future_tolerance="0h")
    filled(store, [record("a", last_contact_at=day(26)), record("b", last_contact_at=day(26))], policy)
    assert ran(store, day(25), policy, activation_grace="14d").in_grace == 2
    between: Any = Between(store, {"a": {"status": "lost"}})
    report = ran(between, day(26), policy, activation_grace="14d")
    assert (report.conflicts, report.in_grace, report.judged) == (1, 1, {"keep": 1, "reclaim": 1})


# --- several runs ---


def test_two_runs_that_interleave_do_what_one_does(store: OwnershipStore) -> None:
    """The second begins after each batch of the first, with the same `now`: together they are one run."""
    filled(store, numbered(40))
    met = []

    def meanwhile(done: int, of: int) -> None:
        if not met:
            met.append(done)
            second.append(ran(store, day(31), max_per_run=25, batch=3))

    second: list[Any] = []
    first = ran(store, day(31), max_per_run=25, batch=4, progress=meanwhile)
    assert met
    assert first.reclaimed + second[0].reclaimed == 25
    assert (len(pool(store)), first.left) == (25, {"ann": 15})
    assert Counter(key for key, _, _ in told(store)).most_common(1)[0][1] == 1
    assert held(store, "ann") == [15]


@pytest.mark.parametrize("at", range(7))
def test_a_run_killed_anywhere_and_repeated_takes_what_one_takes(store: OwnershipStore, at: int) -> None:
    """With the same `now` it goes on with what is left of the run's ceiling; with a later one it begins anew."""
    filled(store, [*numbered(7), *(record(f"odd{number}", status="odd") for number in range(3))])

    def killed(done: int, of: int) -> None:
        calls.append(done)
        if len(calls) == at + 1:
            raise KeyboardInterrupt

    calls: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        ran(store, day(31), IDLE_20, max_per_run=5, batch=2, progress=killed)
    report = ran(store, day(31), IDLE_20, max_per_run=5, batch=2)
    assert (len(pool(store)), report.left) == (5, {"ann": 2})
    assert len(told(store)) == 5
    assert held(store, "ann") == [10 - 5]
    assert ran(store, day(31), IDLE_20, max_per_run=5).reclaimed == 0
    assert ran(store, day(31.5), IDLE_20, max_per_run=5).reclaimed == 2


def test_the_oldest_go_first_then_the_dearest_then_by_id(store: OwnershipStore) -> None:
    """One a run; what has no value is worth least, ids compare as text."""
    filled(
        store,
        [
            record("10", value=5),
            record("9", value=5),
            record("z"),
            record("y", value="much"),
            record("d", value=7.5),
            record("o", assigned_at=day(-1)),
        ],
    )
    taken = []
    for number in range(6):
        before = pool(store)
        assert ran(store, day(31 + number), max_per_run=1).reclaimed == 1
        taken += sorted(pool(store) - before)
    assert taken == ["o", "d", "10", "9", "y", "z"]


# --- progress ---


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("batch", [3, 500])
def test_progress_goes_up_to_its_end(store: OwnershipStore, batch: int, dry_run: bool) -> None:
    """Never more done than there is, never less than before; at the end all is done."""
    filled(store, [*numbered(10), record("due"), record("w", status="won")])
    seen: list[tuple[int, int]] = []
    ran(
        store,
        day(25),
        IDLE_20,
        batch=batch,
        dry_run=dry_run,
        max_per_run=4,
        progress=lambda done, of: seen.append((done, of)),
    )
    assert seen == sorted(seen)
    assert all(done <= of for done, of in seen)
    done, of = seen[-1]
    assert done == of >= 12


def test_progress_without_work_is_of_nothing(store: OwnershipStore) -> None:
    seen: list[tuple[int, int]] = []
    ran(store, day(1), progress=lambda done, of: seen.append((done, of)))
    assert set(seen) <= {(0, 0)}


# --- what a run costs the store ---


def test_an_empty_store_is_run(store: OwnershipStore) -> None:
    report = run(store, POLICY, now=START)
    assert (report.judged, report.left, report.faults) == ({}, {}, ())
    assert run(store, POLICY, now=START, limits=RunLimits(max_per_run=0)) == report


def test_a_message_is_acknowledged_once(store: OwnershipStore) -> None:
    filled(store, numbered(3))
    ran(store, day(30))
    with store.begin() as transaction:
        first, *_ = transaction.outbox.pending(9)
        for _ in range(2):
            transaction.outbox.acknowledge([first])
        assert [message.key for message in transaction.outbox.pending(9)] == ["p001", "p002"]


def test_a_store_keeps_notes(store: OwnershipStore) -> None:
    """What is put is JSON, and a copy; there is none at first."""
    value = {"rows": [1, None, "客户"]}
    with store.begin() as transaction:
        assert transaction.notes.get("import") is None
        transaction.notes.put("import", {"rows": []})
        transaction.notes.put("import", value)
        value["rows"] = []
        assert transaction.notes.get("import") == {"rows": [1, None, "客户"]}


def test_what_is_lost_is_not_written(store: OwnershipStore) -> None:
    """Changed meanwhile, gone, or there already: its key comes back; the others are written."""
    filled(store, [record("a"), record("b")])
    seen = rows(store)
    service(store).update("a", now=day(1), grade="A")
    ghost = Stored(facts=record("ghost"), version=1, answer=Answer())
    changes = [
        Change(before=seen["a"], after=seen["a"]),
        Change(before=ghost, after=ghost),
        Change(before=None, after=Stored(facts=record("new"), version=1, answer=Answer())),
        Change(before=seen["b"], after=Stored(facts=record("b", grade="Z"), version=2, answer=Answer())),
    ]
    with store.begin() as transaction:
        assert sorted(transaction.prospects.write(changes)) == ["a", "ghost"]
        assert transaction.prospects.write([Change(before=None, after=seen["b"])]) == ("b",)
    assert rows(store)["b"].facts["grade"] == "Z"
    assert set(rows(store)) == {"a", "b", "new"}


def test_a_run_that_is_repeated_changes_nothing(store: OwnershipStore) -> None:
    filled(store, numbered(5))
    ran(store, day(30))
    before = everything(store, day(30))
    report = ran(store, day(30))
    assert (report.judged, report.reclaimed, report.messages) == ({}, 0, 0)
    assert everything(store, day(30)) == before


def test_the_commands_go_on_between_the_batches(store: OwnershipStore) -> None:
    """A claim of what a batch has taken, while the run goes on."""
    desk = filled(store, numbered(6))
    claimed: list[str] = []

    def meanwhile(done: int, of: int) -> None:
        if free := sorted(pool(store) - set(claimed)):
            assert isinstance(service(store).claim(free[0], "bob", now=day(31)), Granted)
            claimed.append(free[0])

    assert ran(store, day(31), batch=2, progress=meanwhile).reclaimed == 6
    assert claimed
    assert held(store, "ann", "bob") == [0, len(claimed)]
    assert {desk.find(key).facts["owner"] for key in claimed} == {"bob"}


def test_a_policy_whose_book_is_over_does_not_run_for_ever(store: OwnershipStore) -> None:
    """A worker that has held it for too long: what it judges is looked at once, not again and again."""
    policy = attrs.evolve(POLICY, until=day(5))
    filled(store, [record("a")], policy)

    def once(done: int, of: int) -> None:
        assert done == 1

    assert ran(store, day(6), policy, progress=once).judged == {"keep": 1}
    assert rows(store)["a"].answer.next_change_at == day(23)
