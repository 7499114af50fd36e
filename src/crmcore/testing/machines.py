"""
A machine that drives a store and its model with the same random commands, and compares them after every step.

    def test_our_store() -> None:
        check_store(lambda: emptied(OurStore()))

The model is `MemoryStore`; what must hold of both stands in the invariants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

import attrs
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from crmcore.decisions import UNKNOWN, Outcome
from crmcore.errors import CrmcoreError
from crmcore.money import Money
from crmcore.ownership import CapPolicy, OwnershipService, ReclaimPolicy, RunLimits
from crmcore.ownership.ports import OwnershipStore
from crmcore.ownership.stored import Answer, EventKind, Message, Stored, counted_owner, counter_of, owner_of
from crmcore.storage import MemoryStore, RunReport, reindex, run

__all__ = ["StoreMachine", "check_store", "store_machine"]

Make = Callable[[], OwnershipStore]

START: Final = datetime(2026, 3, 27, 22, 30, tzinfo=UTC)  # the clocks change two days later
HOUR: Final = timedelta(hours=1)
ALL: Final = 10_000
POLICIES: Final = (
    ReclaimPolicy(idle="5d", remind_before=["2d", "6h"], zone="Europe/Berlin"),
    ReclaimPolicy(idle={"A": "2d", "B": "36h"}, no_deal="6d", remind_before=["1d"], zone="Europe/Berlin"),
    ReclaimPolicy(idle="3d", min_hold="1d", zone="Asia/Shanghai"),
)
CAP: Final = CapPolicy(default=2, per_owner={"ada": 1})
LIMITS: Final = (
    RunLimits(activation_grace="0d", max_per_run=None, max_per_owner_per_day=None),
    RunLimits(activation_grace="3d", max_per_run=2, max_per_owner_per_day=1),
    RunLimits(activation_grace="12h", max_per_run=1, max_per_owner_per_day=None),
    RunLimits(activation_grace="0d", max_per_run=None, max_per_owner_per_day=1),
)
KNOWN: Final = (1, "2", "客户", "b", "B")
NEW: Final = (6, "7")
OWNERS: Final = st.sampled_from(("ada", "bo", 7))
HOURS: Final = st.integers(-150, 30).map(lambda hours: timedelta(hours=hours, microseconds=hours % 3))
CHANGES: Final = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(("open", "won", "lost", "out to lunch")),
        "grade": st.sampled_from(("A", "B", "C")),
        "last_contact_at": HOURS | st.none() | st.just(UNKNOWN),
        "frozen_until": HOURS | st.none(),
        "value": st.sampled_from((None, 5, 2.5, Decimal("5.00"), Money("1.50", "CNY"), "much")),
    },
)
IDS: Final = st.sampled_from(KNOWN)
RECORDS: Final = st.lists(
    st.tuples(st.sampled_from((*KNOWN, *NEW)), OWNERS | st.none(), HOURS, CHANGES),
    min_size=1,
    max_size=5,
    unique_by=lambda record: str(record[0]),
)
KEYS: Final = st.none() | st.sampled_from(("k", "l"))


@attrs.frozen(kw_only=True)
class _Seen:
    """All that a store shows."""

    rows: Mapping[str, Stored]
    history: Mapping[str, Sequence[Any]]
    outbox: Sequence[Message]
    held: Mapping[str, int]
    activations: Sequence[Any]


def _seen(store: OwnershipStore, now: datetime) -> _Seen:
    with store.begin() as transaction:
        rows = {row.key: row for row in transaction.prospects.scan(None, ALL)}
        return _Seen(
            rows=rows,
            history={key: tuple(transaction.prospects.history(key)) for key in rows},
            outbox=tuple(transaction.outbox.pending(ALL)),
            held={owner: transaction.counters.held(counter_of(owner), now=now) for owner in ("ada", "bo", "7")},
            activations=tuple(transaction.notes.activations()),
        )


def _in_any_order(messages: Sequence[Message]) -> list[Message]:
    return sorted(messages, key=lambda message: (message.key, message.deadline, message.step))


def _outcome(work: Callable[[], Any]) -> Any:
    """What comes of a command; of an error, its kind and words."""
    try:
        found = work()
    except CrmcoreError as error:
        return type(error).__name__, str(error)
    return attrs.evolve(found, faults=tuple(sorted(found.faults))) if isinstance(found, RunReport) else found


def _expect(what: str, found: Any, expected: Any, **seen: Any) -> None:
    if found != expected:
        shown = "".join(f"\n  {name}: {value!r}" for name, value in seen.items())
        raise AssertionError(f"{what}\n  promised: {expected!r}\n  found:    {found!r}{shown}")


class StoreMachine(RuleBasedStateMachine):
    """
    The commands and what must hold after each; `store_machine` gives it a store.

    Time goes on from run to run. Commands go to the store and to the model; then both show the same, and:
    `held/<owner>` is the number of that owner's open prospects; nobody is given a prospect past the cap, though a put
    or a prospect opened again may do that; the history of a prospect has no gap and each version once; every answer is
    what the policy says, and stays so until `next_change_at`.
    """

    make: Make = staticmethod(MemoryStore)

    def __init__(self) -> None:
        super().__init__()
        self.stores = (type(self).make(), MemoryStore())
        self.now = START
        self.policy, self.limits = POLICIES[0], LIMITS[1]
        self.before = self.seen = _seen(self.stores[0], self.now)
        self.changed_at: dict[str, datetime] = {}

    @initialize(owners=st.lists(OWNERS | st.none(), min_size=len(KNOWN), max_size=len(KNOWN)), at=HOURS)
    def begin(self, owners: Sequence[str | int | None], at: timedelta) -> None:
        """Some prospects to begin with, assigned an hour apart."""
        given = [
            {"id": id, "status": "open", "owner": owner, "assigned_at": START + at + number * HOUR, "value": number}
            for number, (id, owner) in enumerate(zip(KNOWN, owners, strict=True))
        ]
        self._command(lambda service: service.put(given, now=self.now))

    # --- commands ---

    @rule(policy=st.sampled_from(range(len(POLICIES))), limits=st.sampled_from(range(len(LIMITS))))
    def another_policy(self, policy: int, limits: int) -> None:
        """From here on commands and runs go by another policy, within other limits."""
        self.policy, self.limits = POLICIES[policy], LIMITS[limits]

    @rule(records=RECORDS)
    def put(self, records: Sequence[tuple[str | int, str | int | None, timedelta, Mapping[str, Any]]]) -> None:
        """Records of another system."""
        given = [
            {"id": id, "status": "open", "owner": owner, "assigned_at": START + at, **self._dated(changes)}
            for id, owner, at, changes in records
        ]
        self._command(lambda service: service.put(given, now=self.now, by="import"))

    @rule(id=st.sampled_from((*NEW, KNOWN[0])), owner=OWNERS | st.none(), changes=CHANGES, key=KEYS)
    def register(self, id: str | int, owner: str | int | None, changes: Mapping[str, Any], key: str | None) -> None:
        """A new prospect, or one that is there."""
        facts = {"id": id, "owner": owner, **self._dated(changes)}
        self._capped(lambda service: service.register(facts, now=self.now, key=key))

    @rule(id=IDS, owner=OWNERS, version=st.none() | st.integers(1, 3), key=KEYS)
    def assign(self, id: str | int, owner: str | int, version: int | None, key: str | None) -> None:
        """A prospect for an owner."""
        self._capped(lambda service: service.assign(id, owner, now=self.now, version=version, key=key))

    @rule(id=IDS, owner=OWNERS, key=KEYS)
    def claim(self, id: str | int, owner: str | int, key: str | None) -> None:
        """A prospect out of the pool, or out of somebody's hands, which is refused."""
        self._capped(lambda service: service.claim(id, owner, now=self.now, key=key))

    @rule(id=IDS, owner=OWNERS | st.none(), key=KEYS)
    def release(self, id: str | int, owner: str | int | None, key: str | None) -> None:
        """A prospect into the pool."""
        self._capped(lambda service: service.release(id, now=self.now, owner=owner, key=key))

    @rule(id=IDS, changes=CHANGES)
    def update(self, id: str | int, changes: Mapping[str, Any]) -> None:
        """Other facts; a prospect that is opened again may take its owner past the cap."""
        self._command(lambda service: service.update(id, now=self.now, **self._dated(changes)))

    @rule(hours=st.integers(0, 60), microsecond=st.integers(0, 1), batch=st.integers(1, 3))
    def run(self, hours: int, microsecond: int, batch: int) -> None:
        """A run some time later, after a dry one, which says the same and changes nothing; then nothing is due."""
        self.now += timedelta(hours=hours, microseconds=microsecond)
        asked: dict[str, Any] = {"now": self.now, "limits": self.limits, "batch": batch}
        dry = self._on_both(lambda store: run(store, self.policy, dry_run=True, **asked))
        self._look()
        _expect("a dry run changes nothing", self.seen, self.before)
        done = self._on_both(lambda store: run(store, self.policy, **asked))
        _expect("a run does what its dry run says", done, attrs.evolve(dry, dry_run=False))
        self._nothing_is_due()

    @rule(batch=st.integers(1, 3))
    def reindex(self, batch: int) -> None:
        """What has another policy's answer is judged anew; no owner changes."""
        asked: dict[str, Any] = {"now": self.now, "limits": self.limits, "batch": batch}
        self._on_both(lambda store: reindex(store, self.policy, **asked))
        with self.stores[0].begin() as transaction:
            _expect("nothing is stale after a reindex", list(transaction.due.stale(self.policy.digest, ALL)), [])

    @precondition(lambda self: self.seen.outbox)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        """The host takes some messages."""
        taken = data.draw(st.lists(st.sampled_from(_in_any_order(self.seen.outbox)), min_size=1, max_size=3))
        for store in self.stores:
            with store.begin() as transaction:
                transaction.outbox.acknowledge(taken)

    # --- what holds after each ---

    @invariant()
    def all_holds(self) -> None:
        """What stands below, in this order."""
        self.both_show_the_same()
        self.held_is_what_is_owned()
        self.history_has_no_gap()
        self.answers_are_the_policys()

    def both_show_the_same(self) -> None:
        """The store shows what the model shows; messages that were pending stay in their order."""
        self._look()
        model = _seen(self.stores[1], self.now)
        for name in ("rows", "history", "held", "activations"):
            _expect(f"{name}: the store and the model", getattr(self.seen, name), getattr(model, name))
        _expect("outbox: the store and the model", *(_in_any_order(each.outbox) for each in (self.seen, model)))
        pending = set(self.seen.outbox)
        old = tuple(message for message in self.before.outbox if message in pending)
        _expect("messages pending stay first, in order", self.seen.outbox[: len(old)], old)

    def held_is_what_is_owned(self) -> None:
        """What an owner holds is the number of his open prospects."""
        owners = [counted_owner(row.facts) for row in self.seen.rows.values()]
        owned = {owner: owners.count(owner) for owner in self.seen.held}
        _expect("held/<owner> is the number of open prospects", self.seen.held, owned, rows=self.seen.rows)

    def history_has_no_gap(self) -> None:
        """Each version once, no prospect reclaimed twice for one; each event begins where the one before it ended."""
        for key, events in self.seen.history.items():
            before = self.before.history.get(key, ())
            _expect("history is appended to, never changed", events[: len(before)], before)
            versions = [event.version for event in events]
            _expect("each version has one event, in order", versions, sorted(set(versions)), key=key)
            for earlier, later in pairwise(events):
                _expect("an event begins where the last ended", later.owner_before, earlier.owner_after, events=events)
            taken = [event for event in events if event.kind == EventKind.RECLAIMED]
            _expect("who loses a prospect had it", [event for event in taken if event.owner_before is None], [])
            _expect("the owner is the last event's", owner_of(self.seen.rows[key].facts), events[-1].owner_after)

    def answers_are_the_policys(self) -> None:
        """A new answer is what the policy says now; one that is not to change yet, what it says still."""
        for key, row in self.seen.rows.items():
            old = self.before.rows.get(key)
            is_new = old is None or (old.answer, old.version) != (row.answer, row.version)
            if row.answer.digest == self.policy.digest and (is_new or self._stands(row.answer)):
                self._is_right(row)

    # --- how ---

    def _dated(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The instants of changes, from hours before or after now."""
        return {name: self.now + value if isinstance(value, timedelta) else value for name, value in changes.items()}

    def _on_both(self, work: Callable[[OwnershipStore], Any]) -> Any:
        found, model = (_outcome(lambda store=store: work(store)) for store in self.stores)  # type: ignore[misc]
        _expect("the store answers as the model", found, model)
        return found

    def _command(self, work: Callable[[OwnershipService], Any]) -> Any:
        return self._on_both(lambda store: work(OwnershipService(store, self.policy, CAP, self.limits)))

    def _capped(self, work: Callable[[OwnershipService], Any]) -> None:
        """A command after which no owner has more than before, unless it is within the cap."""
        before = self.seen.held
        self._command(work)
        for owner, held in _seen(self.stores[0], self.now).held.items():
            cap = CAP.cap(owner) or 0
            _expect(f"{owner} holds {held}, the cap is {cap}", held <= max(cap, before[owner]), True)

    def _look(self) -> None:
        self.before, self.seen = self.seen, _seen(self.stores[0], self.now)

    def _nothing_is_due(self) -> None:
        with self.stores[0].begin() as transaction:
            _expect("nothing is due after a run", transaction.due.count(self.now, self.policy.digest), 0)

    def _stands(self, answer: Answer) -> bool:
        change = answer.next_change_at
        return answer.parked is None and answer.outcome != Outcome.RECLAIM and (change is None or self.now < change)

    def _is_right(self, row: Stored) -> None:
        """The answer is that of the facts now."""
        answer = row.answer
        try:
            decision = self.policy.decide({**dict.fromkeys(self.policy.reads), **row.facts}, now=self.now)
        except CrmcoreError as error:
            _expect("what cannot be judged is parked", answer.parked, f"{type(error).__name__}: {error}", row=row)
            return
        said = decision.outcome, decision.step, decision.rule
        _expect("the answer is the policy's", (answer.outcome, answer.step, answer.rule), said, row=row, now=self.now)
        if answer.outcome != Outcome.RECLAIM:
            _expect("it changes when the policy says", answer.next_change_at, decision.next_change_at, row=row)
        else:
            may = answer.next_change_at
            _expect("a reclaim has its deadline", answer.deadline, decision.deadline, row=row)
            _expect("a reclaim has an instant from which it may be applied", may is not None, True, row=row)


def store_machine(make: Make) -> type[StoreMachine]:
    """The machine on the stores of `make`, which gives an empty one each time; `.TestCase` is a test of it."""
    return type("StoreMachine", (StoreMachine,), {"make": staticmethod(make)})


def check_store(make: Make, examples: int = 50, *, steps: int = 30, derandomize: bool = True) -> None:
    """
    Runs the machine: raises AssertionError with a short list of commands after which something does not hold.

    `make` is called for each example and gives an empty store. The same examples each time, unless `derandomize` is
    false.
    """
    run_state_machine_as_test(store_machine(make), settings=_settings(examples, steps, derandomize=derandomize))


def _settings(examples: int, steps: int, *, derandomize: bool) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=derandomize,
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
