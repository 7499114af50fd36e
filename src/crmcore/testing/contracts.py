"""
Contracts: what the ports of a store promise, held against an adapter of yours.

A promise is a plain function over `make`, which gives an empty store; it raises AssertionError where the store breaks
it. A contract makes the promises of one port into tests:

    class TestOurCounters(CountersContract):
        def make(self) -> OwnershipStore:
            return emptied(OurStore())

The contract of a port asks for that port and no other; but those of `Due` and `Outbox` write through `Prospects`, and
that of `Prospects` looks into the outbox. This file is long because every promise of `crmcore.ownership.ports` and
`crmcore.reservations.ports` has its function here, in the order of the ports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from threading import Event as Flag
from threading import Thread
from typing import Any, ClassVar, Final
from unittest import SkipTest

import attrs
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from crmcore.calendars import OPEN_ENDED
from crmcore.decisions import UNKNOWN, Outcome
from crmcore.errors import InvalidInput
from crmcore.money import Money
from crmcore.ownership.ports import OwnershipStore, Transaction
from crmcore.ownership.stored import Activation, Answer, Change, Event, EventKind, Message, Stored, owner_of, worth
from crmcore.reservations import Full, Reservation

__all__ = [
    "Contract",
    "CountersContract",
    "DueContract",
    "NotesContract",
    "OutboxContract",
    "ProspectsContract",
    "StoreContract",
    "acknowledged_is_pending_no_more",
    "acknowledged_is_remembered",
    "activations_are_in_order",
    "activations_come_back",
    "add_heeds_no_ceiling",
    "amounts_are_1_or_more",
    "answers_are_what_is_due",
    "answers_come_back",
    "ceiling_can_be_reached",
    "ceiling_counts_what_was_added",
    "ceiling_holds_among_threads",
    "ceiling_is_never_passed",
    "ceiling_refuses",
    "change_is_made",
    "commit_again_changes_nothing",
    "committed_counts_for_good",
    "committed_key_is_remembered",
    "done_lasts",
    "due_is_counted_once",
    "error_comes_through",
    "error_undoes_everything",
    "events_come_back",
    "existing_prospect_is_not_new",
    "expired_is_not_committed",
    "expired_is_not_released",
    "expired_key_is_new",
    "expiry_is_after_now",
    "expiry_is_exclusive",
    "facts_come_back",
    "history_is_in_order",
    "instants_are_utc",
    "judged_is_due_no_more",
    "kept_is_not_what_is_held",
    "key_of_another_counter_is_refused",
    "known_key_takes_nothing",
    "later_note_takes_the_place",
    "longest_due_comes_first",
    "message_stays_as_it_is",
    "messages_come_back",
    "messages_come_in_order",
    "missing_keys_are_left_out",
    "missing_prospect_is_not_changed",
    "no_changes_are_none",
    "nobody_is_handed_out_twice",
    "note_is_not_what_is_held",
    "notes_come_back",
    "older_version_is_refused",
    "other_changes_are_made",
    "other_message_is_another",
    "other_owner_is_refused",
    "own_work_is_seen",
    "partial_takes_what_fits",
    "reclaims_come_in_order",
    "refused_change_does_nothing",
    "release_forgets_the_key",
    "release_gives_back",
    "release_gives_back_what_was_committed",
    "reservation_says_what_is_held",
    "reserved_is_held",
    "same_digest_is_appended_once",
    "scan_finds_what_is_due",
    "scan_goes_by_key",
    "stale_have_another_digest",
    "unnamed_counter_holds_nothing",
    "unwritten_note_is_none",
    "waiting_are_counted_by_owner",
    "what_is_due_can_be_written",
]

Make = Callable[[], OwnershipStore]
Promise = Callable[..., None]

NOW: Final = datetime(2026, 3, 31, 12, tzinfo=UTC)
DAY: Final = timedelta(days=1)
MICROSECOND: Final = timedelta(microseconds=1)
LATER: Final = NOW + DAY
YEAR_1: Final = datetime(1, 1, 1, tzinfo=UTC)
MANY: Final = 1000
PATIENCE: Final = 0.2
"""Seconds for a second transaction to get on beside the first; a store that makes it wait keeps every promise too."""
NAMES: Final[set[str]] = set()
"""The promises of all contracts, which a store may have as gaps."""


class Contract:
    """
    The promises of a port as tests: subclass a contract, and give `make`.

    `make` is called for each case anew and gives an empty store. `gaps` are the promises that the store does not keep,
    by name with the reason: these are skipped. `examples` is how many cases a promise over generated data has.
    """

    promises: ClassVar[Mapping[Promise, tuple[st.SearchStrategy[Any], ...]]] = {}
    gaps: ClassVar[Mapping[str, str]] = {}
    examples: ClassVar[int] = 50

    def __init_subclass__(cls) -> None:
        for promise, cases in cls.__dict__.get("promises", {}).items():
            setattr(cls, f"test_{promise.__name__}", _test(promise, cases))
            NAMES.add(promise.__name__)
        if unknown := sorted(cls.gaps.keys() - NAMES):
            raise TypeError(f"gaps of {cls.__name__}: no contract has the promise {', '.join(unknown)}")

    def make(self) -> OwnershipStore:
        """An empty store."""
        raise NotImplementedError(f"{type(self).__name__} needs a method make that returns an empty store")


def _test(promise: Promise, cases: Sequence[st.SearchStrategy[Any]]) -> Callable[[Contract], None]:
    def test(self: Contract) -> None:
        if (gap := self.gaps.get(promise.__name__)) is not None:
            raise SkipTest(gap)
        if not cases:
            promise(self.make)
            return

        @_settings(self.examples)
        @given(st.tuples(*cases))
        def law(case: tuple[Any, ...]) -> None:
            promise(self.make, *case)

        law()

    test.__name__, test.__doc__ = f"test_{promise.__name__}", promise.__doc__
    return test


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        print_blob=False,
        deadline=None,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


def _agree(what: str, found: Any, expected: Any) -> None:
    """What was found is what was promised; a truth must be one, not something like it."""
    same = found is expected if isinstance(expected, bool) else found == expected
    if not same:
        raise AssertionError(f"{what}\n  promised: {expected!r}\n  found:    {found!r}")


@contextmanager
def _refused(what: str) -> Iterator[None]:
    try:
        yield
    except InvalidInput:
        return
    raise AssertionError(f"{what}\n  promised: InvalidInput is raised\n  found:    nothing is")


# --- the store ---


class _Stopped(Exception):
    """Ends a transaction."""


FIRST: Final = Stored(facts={"id": "1", "status": "open", "owner": "ada"}, version=1, answer=Answer())
TOLD: Final = Message(
    key="1", deadline=LATER, step=1, outcome="remind", rule="OWN-5", owner="ada", at=NOW + MICROSECOND
)


def _prospect(id: str | int, *, version: int = 1, answer: Answer = Answer(), **facts: Any) -> Stored:  # noqa: B008 - frozen
    return Stored(facts={"id": id, "status": "open", **facts}, version=version, answer=answer)


def _moved(before: Stored, owner: str, by: str = "boss") -> Change:
    """The change to another owner, with its event and a message."""
    version = before.version + 1
    after = Stored(facts={**before.facts, "owner": owner}, version=version, answer=before.answer)
    event = Event(
        key=before.key,
        version=version,
        at=NOW,
        kind=EventKind.ASSIGNED,
        owner_before=owner_of(before.facts),
        owner_after=owner,
        by=by,
    )
    return Change(before=before, after=after, event=event, message=attrs.evolve(TOLD, key=before.key, owner=owner))


def _write(store: OwnershipStore, *changes: Change) -> list[str]:
    with store.begin() as transaction:
        return list(transaction.prospects.write(changes))


def _put(store: OwnershipStore, *prospects: Stored) -> None:
    refused = _write(store, *(Change(before=None, after=each) for each in prospects)) if prospects else []
    _agree("new prospects in an empty store are written", refused, [])


def _read(store: OwnershipStore, *keys: str) -> list[Stored]:
    with store.begin() as transaction:
        return sorted(transaction.prospects.read(keys), key=lambda stored: stored.key)


def _history(store: OwnershipStore, key: str) -> list[Event]:
    with store.begin() as transaction:
        return list(transaction.prospects.history(key))


def _pending(store: OwnershipStore, limit: int = MANY) -> list[Message]:
    with store.begin() as transaction:
        return list(transaction.outbox.pending(limit))


def _held(store: OwnershipStore, counter: str = "seats", now: datetime = NOW) -> int:
    with store.begin() as transaction:
        return transaction.counters.held(counter, now=now)


def _everything(transaction: Transaction) -> dict[str, Any]:
    """All that the ports show."""
    return {
        "prospects": list(transaction.prospects.scan(None, MANY)),
        "history": [list(transaction.prospects.history(key)) for key in ("1", "2")],
        "outbox": list(transaction.outbox.pending(MANY)),
        "counters": [transaction.counters.held(counter, now=NOW) for counter in ("seats", "desks")],
        "activations": list(transaction.notes.activations()),
        "note": transaction.notes.get("import"),
    }


def _work(transaction: Transaction) -> None:
    """Something through every port, on what `_begun` left."""
    (first,) = transaction.prospects.read(["1"])
    transaction.outbox.acknowledge([TOLD])
    new = Change(before=None, after=_prospect(2))
    transaction.prospects.write([new, attrs.evolve(_moved(first, "bo"), message=attrs.evolve(TOLD, step=2))])
    transaction.counters.add("seats", 3)
    _reserve(transaction, "b", counter="desks")
    transaction.counters.commit("b", now=NOW)
    transaction.counters.release("a", now=NOW)
    transaction.notes.put("import", {"rows": 7})
    transaction.notes.activate(Activation(at=LATER, digest="new", parameters={}))


def _begun(make: Make) -> OwnershipStore:
    """A store with something in every port."""
    store = make()
    with store.begin() as transaction:
        event = Event(key="1", version=1, at=NOW, kind=EventKind.REGISTERED, owner_before=None, owner_after="ada")
        transaction.prospects.write([Change(before=None, after=FIRST, event=event, message=TOLD)])
        _reserve(transaction, "a", counter="desks")
        transaction.notes.activate(Activation(at=NOW, digest="old", parameters={}))
        transaction.notes.put("import", {"rows": 6})
    return store


def _done(transaction: Transaction) -> None:
    """What `_work` did is seen."""
    seen = _everything(transaction)
    _agree("the owner that was written", owner_of(seen["prospects"][0].facts), "bo")
    _agree("the history that was appended", [event.owner_after for event in seen["history"][0]], ["ada", "bo"])
    _agree("the messages that were put and taken off", [message.step for message in seen["outbox"]], [2])
    _agree("the counters that were changed", seen["counters"], [3, 1])
    _agree("the activations that were appended", [each.digest for each in seen["activations"]], ["old", "new"])
    _agree("the note that was put", seen["note"], {"rows": 7})


def done_lasts(make: Make) -> None:
    """What is done in a transaction is seen in the next one, through every port."""
    store = _begun(make)
    with store.begin() as transaction:
        _work(transaction)
    with store.begin() as transaction:
        _done(transaction)


def own_work_is_seen(make: Make) -> None:
    """A transaction sees what was done in it."""
    with _begun(make).begin() as transaction:
        _work(transaction)
        _done(transaction)


def error_undoes_everything(make: Make) -> None:
    """When the block raises, nothing lasts of what was done in it, through no port; all of it may be done again."""
    store = _begun(make)
    with store.begin() as transaction:
        before = _everything(transaction)
    for error in (_Stopped, KeyboardInterrupt):
        try:
            with store.begin() as transaction:
                _work(transaction)
                raise error  # noqa: TRY301 - what the transaction does with it is the question
        except error:
            pass
        with store.begin() as transaction:
            _agree(f"nothing lasts of a transaction that raised {error.__name__}", _everything(transaction), before)
    with store.begin() as transaction:
        _work(transaction)
        _done(transaction)


def error_comes_through(make: Make) -> None:
    """What the block raises comes out of it."""
    error = _Stopped("on purpose")
    found: BaseException | None = None
    try:
        with make().begin():
            raise error
    except _Stopped as caught:
        found = caught
    _agree("the error of the block comes through", found, error)


class StoreContract(Contract):
    """`OwnershipStore.begin`: all of a transaction, or nothing."""

    promises: ClassVar[Any] = dict.fromkeys(
        (done_lasts, own_work_is_seen, error_undoes_everything, error_comes_through), ()
    )


# --- counters ---


def _reserve(
    transaction: Transaction,
    key: str,
    amount: int = 1,
    *,
    counter: str = "seats",
    ceiling: int | None = None,
    now: datetime = NOW,
    expires_at: datetime | None = None,
    partial: bool = False,
) -> Reservation | Full:
    return transaction.counters.reserve(
        key, counter, amount, ceiling=ceiling, now=now, expires_at=expires_at or now + DAY, partial=partial
    )


def unnamed_counter_holds_nothing(make: Make) -> None:
    """A counter that nobody has named holds 0."""
    _agree("a counter that nobody has named", _held(make()), 0)


def reservation_says_what_is_held(make: Make) -> None:
    """A reservation has the key, the counter, the amount and the end that were asked for."""
    with make().begin() as transaction:
        found = _reserve(transaction, "a", 3, ceiling=3, expires_at=LATER + MICROSECOND)
    _agree("what was asked for", found, Reservation(key="a", counter="seats", amount=3, expires_at=LATER + MICROSECOND))


def reserved_is_held(make: Make) -> None:
    """What is reserved is held, of its own counter alone."""
    store = make()
    with store.begin() as transaction:
        _reserve(transaction, "a", 3)
        _reserve(transaction, "b", 2)
        _reserve(transaction, "c", 7, counter="desks")
    _agree("two reservations are held together", _held(store), 5)
    _agree("another counter holds its own", _held(store, "desks"), 7)


def ceiling_refuses(make: Make) -> None:
    """No more than the ceiling is held: what would pass it is refused, and the refusal says why."""
    store = make()
    with store.begin() as transaction:
        _reserve(transaction, "a", 3, ceiling=5)
        found = _reserve(transaction, "b", 3, ceiling=5)
    _agree("3 more than 3, under a ceiling of 5", found, Full(counter="seats", asked=3, held=3, ceiling=5))
    _agree("a refusal takes nothing", _held(store), 3)


def ceiling_can_be_reached(make: Make) -> None:
    """What fits exactly is granted; a ceiling of None is none."""
    with make().begin() as transaction:
        _reserve(transaction, "a", 3, ceiling=5)
        found = _reserve(transaction, "b", 2, ceiling=5)
        _agree("2 more than 3, under a ceiling of 5, are granted", isinstance(found, Reservation), True)
        found = _reserve(transaction, "c", 10**9, ceiling=None)
        _agree("any amount is granted without a ceiling", isinstance(found, Reservation), True)


def partial_takes_what_fits(make: Make) -> None:
    """With `partial`, what still fits is granted, and held; a refusal if that is nothing."""
    store = make()
    with store.begin() as transaction:
        _reserve(transaction, "a", 3, ceiling=5)
        found = _reserve(transaction, "b", 4, ceiling=5, partial=True)
        _agree("the amount that fits", getattr(found, "amount", found), 2)
        found = _reserve(transaction, "c", 4, ceiling=5, partial=True)
        _agree("nothing fits", found, Full(counter="seats", asked=4, held=5, ceiling=5))
    _agree("what fitted is held", _held(store), 5)


def known_key_takes_nothing(make: Make) -> None:
    """A key that is remembered gives its reservation once more, whatever is asked, and takes nothing."""
    store = make()
    with store.begin() as transaction:
        first = _reserve(transaction, "a", 3, ceiling=3)
    with store.begin() as transaction:
        again = _reserve(transaction, "a", 2, ceiling=3, expires_at=LATER + DAY)
    _agree("the reservation of the key", again, first)
    _agree("a key asked twice holds once", _held(store), 3)


def committed_key_is_remembered(make: Make) -> None:
    """A key is remembered after it was committed, until its reservation would have expired."""
    store = make()
    with store.begin() as transaction:
        _reserve(transaction, "a", 3, ceiling=3)
        transaction.counters.commit("a", now=NOW)
        again = _reserve(transaction, "a", 3, ceiling=3, now=LATER - MICROSECOND)
    _agree("the key of a committed reservation", getattr(again, "key", again), "a")
    _agree("a committed key asked twice holds once", _held(store), 3)


def key_of_another_counter_is_refused(make: Make) -> None:
    """A key that is remembered for another counter raises InvalidInput."""
    with make().begin() as transaction:
        _reserve(transaction, "a")
        with _refused("the key of another counter"):
            _reserve(transaction, "a", counter="desks")


def amounts_are_1_or_more(make: Make) -> None:
    """An amount below 1 raises InvalidInput."""
    for amount in (0, -1):
        with make().begin() as transaction, _refused(f"an amount of {amount}"):
            _reserve(transaction, "a", amount)


def expiry_is_after_now(make: Make) -> None:
    """An `expires_at` that is not after `now` raises InvalidInput."""
    for until in (NOW, NOW - MICROSECOND):
        with make().begin() as transaction, _refused(f"expires_at {until}, now {NOW}"):
            _reserve(transaction, "a", expires_at=until)


def expiry_is_exclusive(make: Make) -> None:
    """A reservation counts until before `expires_at`, to the microsecond; there its place is free."""
    store = make()
    with store.begin() as transaction:
        _reserve(transaction, "a", ceiling=1, expires_at=LATER + MICROSECOND)
    _agree("the microsecond before expires_at", _held(store, now=LATER), 1)
    _agree("at expires_at", _held(store, now=LATER + MICROSECOND), 0)
    with store.begin() as transaction:
        found = _reserve(transaction, "b", ceiling=1, now=LATER + MICROSECOND)
    _agree("the place of an expired reservation is free", isinstance(found, Reservation), True)


def expired_key_is_new(make: Make) -> None:
    """The key of an expired reservation is as good as new, for another counter too."""
    store = make()
    with store.begin() as transaction:
        _reserve(transaction, "a", 3, expires_at=LATER)
        _reserve(transaction, "b", 3, expires_at=LATER)
    with store.begin() as transaction:
        found = [
            _reserve(transaction, key, 2, counter=counter, now=LATER)
            for key, counter in (("a", "desks"), ("b", "seats"))
        ]
    _agree("what the keys hold now", [getattr(each, "amount", each) for each in found], [2, 2])
    _agree("what is held then", [_held(store, counter, LATER) for counter in ("seats", "desks")], [2, 2])


def committed_counts_for_good(make: Make) -> None:
    """What is committed counts at once and after `expires_at` too, and once."""
    store = make()
    with store.begin() as transaction:
        _reserve(transaction, "a", 3)
        done = transaction.counters.commit("a", now=NOW)
    _agree("a commit of what is held says so", done, True)
    _agree("what is committed, before and after expires_at", [_held(store), _held(store, now=LATER + DAY)], [3, 3])


def commit_again_changes_nothing(make: Make) -> None:
    """A second commit is true, and changes nothing."""
    store = make()
    with store.begin() as transaction:
        _reserve(transaction, "a", 3)
        done = [transaction.counters.commit("a", now=NOW) for _ in range(2)]
    _agree("a commit and the same again", done, [True, True])
    _agree("what was committed twice", [_held(store), _held(store, now=LATER)], [3, 3])


def expired_is_not_committed(make: Make) -> None:
    """A commit of what has expired, or of a key never heard of, is false and holds nothing."""
    store = make()
    with store.begin() as transaction:
        _reserve(transaction, "a", 3, expires_at=LATER)
        _agree("a commit at expires_at", transaction.counters.commit("a", now=LATER), False)
        _agree("a commit of an unknown key", transaction.counters.commit("b", now=NOW), False)
    _agree("what has expired is not held", _held(store, now=LATER), 0)


def release_gives_back(make: Make) -> None:
    """A release gives back what the key holds, and says so."""
    store = make()
    with store.begin() as transaction:
        _reserve(transaction, "a", 3)
        _reserve(transaction, "b", 2)
        _agree("a release of what is held", transaction.counters.release("a", now=NOW), True)
    _agree("what is left", _held(store), 2)


def release_gives_back_what_was_committed(make: Make) -> None:
    """A release gives back what the key has committed."""
    store = make()
    with store.begin() as transaction:
        _reserve(transaction, "a", 3)
        transaction.counters.commit("a", now=NOW)
        _agree("a release of what is committed", transaction.counters.release("a", now=NOW), True)
    _agree("what is left", [_held(store), _held(store, now=LATER)], [0, 0])


def release_forgets_the_key(make: Make) -> None:
    """After a release the key is as good as new; a second release is false."""
    store = make()
    with store.begin() as transaction:
        _reserve(transaction, "a", 3)
        transaction.counters.release("a", now=NOW)
        _agree("a second release", transaction.counters.release("a", now=NOW), False)
        _agree("a release of an unknown key", transaction.counters.release("b", now=NOW), False)
        found = _reserve(transaction, "a", 2)
    _agree("what the key holds now", getattr(found, "amount", found), 2)


def expired_is_not_released(make: Make) -> None:
    """At `expires_at` a key is forgotten: its release is false, and what it had committed stays."""
    store = make()
    with store.begin() as transaction:
        _reserve(transaction, "a", 3, expires_at=LATER)
        transaction.counters.commit("a", now=NOW)
        _agree("a release at expires_at", transaction.counters.release("a", now=LATER), False)
    _agree("what was committed stays", _held(store, now=LATER), 3)


def add_heeds_no_ceiling(make: Make) -> None:
    """`add` changes the total either way, whatever the ceilings, of its counter alone."""
    store = make()
    with store.begin() as transaction:
        _reserve(transaction, "a", 1, ceiling=1)
        transaction.counters.add("seats", 5)
        transaction.counters.add("desks", 2)
        transaction.counters.add("seats", -2)
    _agree("1 reserved, 5 added, 2 given back", _held(store), 4)
    _agree("the other counter", _held(store, "desks"), 2)


def ceiling_counts_what_was_added(make: Make) -> None:
    """What was added or committed counts towards a ceiling."""
    with make().begin() as transaction:
        transaction.counters.add("seats", 2)
        _reserve(transaction, "a", 1)
        transaction.counters.commit("a", now=NOW)
        found = _reserve(transaction, "b", 2, ceiling=4, now=LATER)
    _agree("2 more than 3, under a ceiling of 4", found, Full(counter="seats", asked=2, held=3, ceiling=4))


def ceiling_is_never_passed(make: Make, ceiling: int, steps: Sequence[tuple[str, int, int, int]]) -> None:
    """What is held never passes a ceiling that every asker names, whatever is committed, released and expires."""
    store, now = make(), NOW
    for verb, number, amount, hours in steps:
        now += timedelta(hours=hours)
        with store.begin() as transaction:
            key, counters = f"key {number}", transaction.counters
            if verb == "commit":
                counters.commit(key, now=now)
            elif verb == "release":
                counters.release(key, now=now)
            else:
                partial, until = verb == "partial", now + timedelta(hours=amount)
                _reserve(transaction, key, amount, ceiling=ceiling, now=now, expires_at=until, partial=partial)
            held = counters.held("seats", now=now)
        _agree(f"after {verb} of {key}, {held} of {ceiling} is within the ceiling", 0 <= held <= ceiling, True)


def ceiling_holds_among_threads(make: Make) -> None:
    """Of any number of askers at once, none sees another's half-done work: the ceiling holds, and is reached."""
    store = make()
    granted: list[str] = []

    def ask(name: str) -> None:
        for number in range(3):
            with store.begin() as transaction:
                found = _reserve(transaction, f"{name}{number}", ceiling=5)
                transaction.counters.commit(f"{name}{number}", now=NOW)
            granted.extend([name] * isinstance(found, Reservation))

    threads = [Thread(target=ask, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _agree("four threads asked for 12 places of 5; granted and held", (len(granted), _held(store)), (5, 5))


STEPS: Final = st.lists(
    st.tuples(
        st.sampled_from(("reserve", "reserve", "partial", "commit", "release")),
        st.integers(0, 3),
        st.integers(1, 4),
        st.integers(0, 2),
    ),
    min_size=8,
    max_size=16,
)


class CountersContract(Contract):
    """`Counters`: reserve, commit, release, add, held. Of the store's transactions only `counters` is asked for."""

    promises: ClassVar[Any] = {
        unnamed_counter_holds_nothing: (),
        reservation_says_what_is_held: (),
        reserved_is_held: (),
        ceiling_refuses: (),
        ceiling_can_be_reached: (),
        partial_takes_what_fits: (),
        known_key_takes_nothing: (),
        committed_key_is_remembered: (),
        key_of_another_counter_is_refused: (),
        amounts_are_1_or_more: (),
        expiry_is_after_now: (),
        expiry_is_exclusive: (),
        expired_key_is_new: (),
        committed_counts_for_good: (),
        commit_again_changes_nothing: (),
        expired_is_not_committed: (),
        release_gives_back: (),
        release_gives_back_what_was_committed: (),
        release_forgets_the_key: (),
        expired_is_not_released: (),
        add_heeds_no_ceiling: (),
        ceiling_counts_what_was_added: (),
        ceiling_is_never_passed: (st.integers(1, 5), STEPS),
        ceiling_holds_among_threads: (),
    }


# --- prospects ---


ZONES: Final = (UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-3, minutes=-30)))
TEXTS: Final = ("客户-42", "Zoë", "it's; -- %_", '{"unknown": true}', "2026-03-31T12:00:00+00:00", "\U0001f600", " ")
INSTANTS: Final = st.sampled_from((YEAR_1, OPEN_ENDED, NOW, NOW + MICROSECOND)) | st.builds(
    lambda at, zone: at.replace(tzinfo=zone), st.datetimes(NOW.replace(tzinfo=None, year=3)), st.sampled_from(ZONES)
).filter(lambda at: at < OPEN_ENDED - DAY)
TEXT: Final = st.sampled_from(TEXTS) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)
IDS: Final = st.integers(-3, 10**12) | TEXT.filter(bool)
DECIMALS: Final = st.decimals(allow_nan=False, allow_infinity=False, places=2) | st.just(Decimal("12.500"))
FLOATS: Final = st.floats(-1e15, 1e15).filter(bool)  # beyond, a database writes them as whole numbers; -0.0 too
WORTHS: Final = st.integers(-(10**12), 10**12) | DECIMALS | FLOATS | st.builds(Money, DECIMALS, st.just("CNY"))
HARD: Final = st.sampled_from((Decimal("12.500"), Money("12.50", "CNY"), 20.0, True, UNKNOWN))
KNOWN: Final = WORTHS | TEXT | st.booleans() | st.none()


HARD_FACTS: Final = {
    "id": "客户, one of the hard ones",
    "owner": 7,
    "status": UNKNOWN,
    "value": Money("12.50", "CNY"),
    "worth": Decimal("12.500"),
    "contact_unknown": True,
    "assigned_at": YEAR_1,
    "last_contact_at": NOW + MICROSECOND,
    "frozen_until": OPEN_ENDED,
    "grade": None,
}


def _facts() -> st.SearchStrategy[dict[str, Any]]:
    unknown = st.just(UNKNOWN)
    when = INSTANTS | unknown | st.none()
    optional = {
        "owner": IDS | unknown | st.none(),
        "status": st.sampled_from(("open", "won")) | unknown,
        "grade": TEXT | unknown,
        "contact_unknown": st.booleans(),
        "assigned_at": when,
        "last_contact_at": when,
        "frozen_until": when,
        "need_expected_by": when,
        "城市": KNOWN | unknown,
    }
    return st.fixed_dictionaries({"id": IDS, "value": HARD | WORTHS | st.none()}, optional=optional)


def _exact(value: Any) -> Any:
    """A fact in a form that shows its type; an instant in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return type(value).__name__, repr(value)


def _known(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _exact(value) for name, value in sorted(facts.items()) if value is not None}


def missing_keys_are_left_out(make: Make) -> None:
    """`read` gives the prospects that there are, once each, for any iterable of keys."""
    store = make()
    _put(store, _prospect(1), _prospect("b"), _prospect(3))
    with store.begin() as transaction:
        found = sorted(stored.key for stored in transaction.prospects.read(iter(["b", "nobody", "1"])))
        _agree("those with these keys that there are", found, ["1", "b"])
        _agree("no keys", list(transaction.prospects.read([])), [])


def facts_come_back(make: Make, facts: Mapping[str, Any]) -> None:
    """Facts come back with their values and types, to the microsecond and the last digit; none is not there."""
    store = make()
    _put(store, *(Stored(facts=each, version=1, answer=Answer()) for each in (facts, HARD_FACTS)))
    for each in (facts, HARD_FACTS):
        (found,) = _read(store, str(each["id"]))
        _agree("the facts that were written", _known(found.facts), _known(each))


def instants_are_utc(make: Make, at: datetime) -> None:
    """Instants come back in UTC, in whatever zone they were given."""
    store = make()
    _put(store, _prospect(1, assigned_at=at))
    (found,) = _read(store, "1")
    _agree(f"the distance from UTC of {at}, read again", found.facts["assigned_at"].utcoffset(), timedelta(0))


def answers_come_back(make: Make, answer: Answer, version: int) -> None:
    """The answer and the version come back as they were written."""
    store = make()
    _put(store, _prospect(1, version=version, answer=answer))
    (found,) = _read(store, "1")
    _agree("the answer that was written", found.answer, answer)
    _agree("the version that was written", found.version, version)


def change_is_made(make: Make) -> None:
    """A change whose `before` holds is made: the row, its event, its message; no key comes back."""
    store = make()
    _put(store, FIRST, _prospect("2"))
    change = _moved(FIRST, "bo")
    _agree("no change was refused", _write(store, change), [])
    _agree("the row", _read(store, "1"), [change.after])
    _agree("the other row", _read(store, "2"), [_prospect("2")])
    _agree("the history", [event.owner_after for event in _history(store, "1")], ["bo"])
    _agree("the outbox", _pending(store), [change.message])


def older_version_is_refused(make: Make) -> None:
    """A change made from another version than the stored one is refused: its key comes back."""
    store = make()
    _put(store, FIRST)
    _write(store, Change(before=FIRST, after=attrs.evolve(FIRST, version=2, facts={**FIRST.facts, "grade": "A"})))
    for version in (1, 3):
        seen = attrs.evolve(FIRST, version=version)
        _agree(f"a change of version {version}, where 2 is stored", _write(store, _moved(seen, "bo")), ["1"])


def other_owner_is_refused(make: Make) -> None:
    """A change made from another owner than the stored one is refused: its key comes back."""
    store = make()
    _put(store, FIRST)
    seen = attrs.evolve(FIRST, facts={**FIRST.facts, "owner": "bo"})
    _agree("a change from bo, where ada is stored", _write(store, _moved(seen, "cy")), ["1"])
    seen = attrs.evolve(FIRST, facts={"id": 1, "status": "open"})
    _agree("a change from nobody, where ada is stored", _write(store, _moved(seen, "cy")), ["1"])


def existing_prospect_is_not_new(make: Make) -> None:
    """A new prospect is refused where there is one with its key: 7 and "7" are one."""
    store = make()
    _put(store, _prospect(7))
    for id in (7, "7"):
        again = Change(before=None, after=_prospect(id, owner="bo"))
        _agree(f"a new prospect {id!r}, where 7 is stored", _write(store, again), ["7"])


def missing_prospect_is_not_changed(make: Make) -> None:
    """A change of a prospect that is not there is refused."""
    store = make()
    _agree("a change of what is not there", _write(store, _moved(FIRST, "bo")), ["1"])
    _agree("nothing is there now", _read(store, "1"), [])


def refused_change_does_nothing(make: Make) -> None:
    """Of a change that is refused nothing is done: no row, no event, no message."""
    store = make()
    _put(store, attrs.evolve(FIRST, version=2))
    for refused in (_moved(FIRST, "bo"), attrs.evolve(_moved(FIRST, "bo"), before=None)):
        _write(store, refused)
        _agree("the row of a refused change", _read(store, "1"), [attrs.evolve(FIRST, version=2)])
        _agree("the events of a refused change", _history(store, "1"), [])
        _agree("the messages of a refused change", _pending(store), [])


def other_changes_are_made(make: Make) -> None:
    """Beside a change that is refused the others of the same call are made."""
    store = make()
    _put(store, FIRST, _prospect(2), _prospect(3))
    stale, made = _moved(attrs.evolve(FIRST, version=9), "bo"), _moved(_prospect(3), "bo")
    refused = _write(store, _moved(_prospect(2), "bo"), stale, made, Change(before=None, after=_prospect(4)))
    _agree("the keys of the refused", refused, ["1"])
    _agree("the versions", [stored.version for stored in _read(store, "1", "2", "3", "4")], [1, 2, 2, 1])


def no_changes_are_none(make: Make) -> None:
    """No changes change nothing."""
    _agree("no changes", _write(make()), [])


def kept_is_not_what_is_held(make: Make) -> None:
    """What is kept changes by `write` alone, not with the facts that were given or read."""
    store = make()
    facts = {"id": 1, "owner": "ada"}
    _put(store, Stored(facts=facts, version=1, answer=Answer()))
    facts["owner"] = "bo"
    read: Any = _read(store, "1")[0].facts
    _agree("the facts that were given were changed", read["owner"], "ada")
    read["owner"] = "cy"
    _agree("the facts that were read were changed", _read(store, "1")[0].facts["owner"], "ada")


def history_is_in_order(make: Make) -> None:
    """The history of a prospect has its events, oldest first, and no other's."""
    store, row = make(), FIRST
    _put(store, row, _prospect(2, owner="ada"))
    for owner in ("bo", "cy", "ada"):
        change = _moved(row, owner)
        _write(store, change, *([_moved(_prospect(2, owner="ada"), "dee")] if owner == "cy" else []))
        row = change.after
    owners = [event.owner_after for event in _history(store, "1")]
    _agree("the owners, oldest first", owners, ["bo", "cy", "ada"])
    _agree("the owners of another", [event.owner_after for event in _history(store, "2")], ["dee"])
    _agree("the history of nobody", _history(store, "nobody"), [])


def events_come_back(make: Make, event: Event) -> None:
    """An event comes back as it was written."""
    store = make()
    _write(store, Change(before=None, after=_prospect(1), event=event))
    _agree("the event that was written", _history(store, "1"), [event])


def scan_goes_by_key(make: Make, ids: Sequence[str | int], limit: int) -> None:
    """`scan` goes through every prospect once, by key in the order of code points, `limit` at a time."""
    store, after = make(), None
    _put(store, *(_prospect(id) for id in ids))
    found: list[str] = []
    while True:
        with store.begin() as transaction:
            page = [stored.key for stored in transaction.prospects.scan(after, limit)]
        if not page:
            break
        _agree(f"at most {limit} of them", len(page) <= limit, True)
        _agree(f"all after {after!r}", after is None or min(page) > after, True)
        found += page
        after = page[-1]
    _agree("every key, in order", found, sorted(str(id) for id in ids))


def scan_finds_what_is_due(make: Make, rows: Sequence[Stored], limit: int) -> None:
    """With `due`, `scan` gives what has `next_change_at` <= now, or the answer of another digest, or none."""
    store = make()
    _put(store, *rows)
    expected = sorted(row.key for row in rows if _is_due(row) or row.answer.digest != OURS)
    with store.begin() as transaction:
        found = [row.key for row in transaction.prospects.scan(None, limit, due=(NOW, OURS))]
        rest = [row.key for row in transaction.prospects.scan(max(found, default=None), MANY, due=(NOW, OURS))]
    _agree(f"the first {limit} that are due", found, expected[:limit])
    _agree("the others that are due", rest, expected[limit:])


ANSWERS: Final = st.builds(
    Answer,
    outcome=st.sampled_from([outcome.value for outcome in Outcome]) | st.none(),
    step=st.integers(0, 9),
    rule=st.none() | st.just("OWN-1"),
    deadline=st.none() | INSTANTS.map(lambda at: at.astimezone(UTC)),
    next_change_at=st.none() | INSTANTS.map(lambda at: at.astimezone(UTC)),
    digest=st.none() | TEXT,
    parked=st.none() | TEXT,
)
EVENTS: Final = st.builds(
    Event,
    key=st.just("1"),
    version=st.just(1),
    at=INSTANTS.map(lambda at: at.astimezone(UTC)),
    kind=st.sampled_from(EventKind),
    owner_before=st.none() | TEXT,
    owner_after=st.none() | TEXT,
    rule=st.none() | st.just("OWN-1"),
    deadline=st.none() | INSTANTS.map(lambda at: at.astimezone(UTC)),
    digest=st.none() | TEXT,
    request=st.none() | TEXT,
    by=st.none() | TEXT,
)
SCANNED: Final = st.permutations(("B", "a", "é", "客", "\uffff", "\U0001f600", 9, 10, "1 ")) | st.lists(
    IDS, max_size=9, unique_by=str
)
LIMITS: Final = st.integers(1, 5)

# --- what is due ---

OURS: Final = "our digest"
SOON: Final = (NOW - DAY, NOW - MICROSECOND, NOW, NOW + MICROSECOND)
VALUES: Final = (None, 3, 20, 20.0, Decimal("3.5"), Money("7.00", "CNY"), "much", True, UNKNOWN)


def _judged() -> st.SearchStrategy[list[Stored]]:
    """Prospects on the borders of what is due at `NOW`."""
    answer = st.builds(
        Answer,
        outcome=st.sampled_from(("keep", "remind", "reclaim")),
        deadline=st.sampled_from(SOON),
        next_change_at=st.sampled_from((*SOON, None)),
        digest=st.sampled_from((OURS, "an older digest", "z", None)),
    )
    ids, owner = st.sampled_from((1, 2, 3, 9, 10, 11, 20, 100)), st.sampled_from(("ada", 7, None, UNKNOWN))
    row = st.builds(_prospect, ids, answer=answer, owner=owner, value=st.sampled_from(VALUES))
    return st.lists(row, max_size=8, unique_by=lambda row: row.key)


TIED: Final = st.permutations(
    [
        _prospect(id, answer=Answer(outcome="reclaim", deadline=deadline, next_change_at=NOW), value=value)
        for id, value, deadline in (
            *((10, 20, NOW), (9, Decimal(20), NOW), ("b", None, NOW), ("B", "much", NOW), (3, 3, NOW)),
            *((100, 30, NOW + MICROSECOND), ("早", None, NOW - DAY)),
        )
    ]
)


def _is_due(row: Stored) -> bool:
    return row.answer.next_change_at is not None and row.answer.next_change_at <= NOW


def _is_answer(row: Stored) -> bool:
    return _is_due(row) and row.answer.outcome != Outcome.RECLAIM


def _is_reclaim(row: Stored) -> bool:
    return _is_due(row) and row.answer.outcome == Outcome.RECLAIM


def _first(row: Stored) -> tuple[Any, ...]:
    """By deadline, then the greatest worth, those without one last, then by key."""
    return row.answer.deadline, -worth(row.facts), row.key


def _keys(rows: Iterable[Stored]) -> list[str]:
    return sorted(row.key for row in rows)


def answers_are_what_is_due(make: Make, rows: Sequence[Stored]) -> None:
    """`answers` are those with `next_change_at` <= now that are not to be reclaimed."""
    store = make()
    _put(store, *rows)
    with store.begin() as transaction:
        found = _keys(transaction.due.answers(NOW, MANY))
    _agree("the keys of the answers due", found, _keys(filter(_is_answer, rows)))


def longest_due_comes_first(make: Make, rows: Sequence[Stored], limit: int) -> None:
    """Up to `limit` `answers` come, the longest due first."""
    store = make()
    _put(store, *rows)
    due = sorted(str(row.answer.next_change_at) for row in rows if _is_answer(row))
    with store.begin() as transaction:
        found = [str(row.answer.next_change_at) for row in transaction.due.answers(NOW, limit)]
    _agree(f"since when the first {limit} are due", found, due[:limit])


def reclaims_come_in_order(make: Make, rows: Sequence[Stored], limit: int) -> None:
    """Up to `limit` RECLAIMs with `next_change_at` <= now come, by deadline, then greatest worth, then key."""
    store = make()
    _put(store, *rows)
    with store.begin() as transaction:
        found = [row.key for row in transaction.due.reclaims(NOW, limit)]
    expected = [row.key for row in sorted(filter(_is_reclaim, rows), key=_first)]
    _agree(f"the first {limit} reclaims, in order", found, expected[:limit])


def stale_have_another_digest(make: Make, rows: Sequence[Stored], limit: int) -> None:
    """`stale` gives up to `limit` of those with the answer of another digest, or none."""
    store = make()
    _put(store, *rows)
    expected = _keys(row for row in rows if row.answer.digest != OURS)
    with store.begin() as transaction:
        found = transaction.due.stale(OURS, limit)
        _agree(f"at most {limit}", len(found), min(limit, len(expected)))
        _agree("each has another digest", set(_keys(found)) <= set(expected), True)
        _agree("all of them", _keys(transaction.due.stale(OURS, MANY)), expected)


def waiting_are_counted_by_owner(make: Make, rows: Sequence[Stored]) -> None:
    """`waiting` counts the reclaims by owner as text."""
    store = make()
    _put(store, *rows)
    with store.begin() as transaction:
        found = dict(transaction.due.waiting(NOW))
    _agree("the reclaims by owner", found, dict(Counter(owner_of(row.facts) for row in filter(_is_reclaim, rows))))


def due_is_counted_once(make: Make, rows: Sequence[Stored]) -> None:
    """`count` says how many answers and stale there are, each prospect once."""
    store = make()
    _put(store, *rows)
    expected = sum(_is_answer(row) or row.answer.digest != OURS for row in rows)
    with store.begin() as transaction:
        _agree("how many are due or stale", transaction.due.count(NOW, OURS), expected)


def judged_is_due_no_more(make: Make) -> None:
    """What is written is due by its new answer, and no more by its old one."""
    store = make()
    was = Answer(outcome="keep", next_change_at=NOW - DAY, digest="old")
    due, gone = (_prospect(id, answer=was) for id in (1, 2))
    _put(store, due, gone)
    again = Answer(outcome="reclaim", deadline=NOW, next_change_at=NOW, digest=OURS)
    later = Answer(outcome="keep", next_change_at=LATER, digest=OURS)
    _write(
        store,
        *(Change(before=row, after=attrs.evolve(row, answer=said)) for row, said in ((due, again), (gone, later))),
    )
    with store.begin() as transaction:
        ports = transaction.due
        found = [_keys(each) for each in (ports.answers(NOW, 9), ports.reclaims(NOW, 9), ports.stale(OURS, 9))]
        _agree("answers, reclaims and stale", found, [[], ["1"], []])
        _agree("answers a day later", _keys(ports.answers(LATER, 9)), ["2"])


def what_is_due_can_be_written(make: Make) -> None:
    """What `answers`, `reclaims` and `stale` gave can be changed in the same transaction."""
    store = make()
    for number, (outcome, digest) in enumerate((("keep", OURS), ("reclaim", OURS), ("keep", "old"))):
        said = Answer(outcome=outcome, deadline=NOW, next_change_at=NOW, digest=digest)
        _put(store, _prospect(number, answer=said))
    for number, verb in enumerate(("answers", "reclaims", "stale")):
        with store.begin() as transaction:
            rows = transaction.due.stale(OURS, 9) if verb == "stale" else getattr(transaction.due, verb)(NOW, 9)
            _agree(f"{verb} gives prospect {number}", str(number) in _keys(rows), True)
            row = next(row for row in rows if row.key == str(number))
            said = Answer(outcome="keep", digest=OURS)
            refused = transaction.prospects.write([Change(before=row, after=attrs.evolve(row, answer=said))])
            _agree(f"what {verb} gave is written", list(refused), [])


def nobody_is_handed_out_twice(make: Make) -> None:
    """Of two workers at once, none gets what the other has in hand: he gets others, or waits."""
    store, ready = make(), Flag()
    _put(store, *(_prospect(id, answer=Answer(outcome="keep", next_change_at=NOW, digest=OURS)) for id in range(4)))
    taken: list[list[str]] = []

    def work() -> None:
        with store.begin() as transaction:
            taken.append(_settled(transaction))
        ready.set()

    other = Thread(target=work)
    with store.begin() as transaction:
        mine = _settled(transaction)
        other.start()
        ready.wait(PATIENCE)
    other.join()
    _agree("two workers took two each, and together all", sorted(mine + taken[0]), ["0", "1", "2", "3"])


def _settled(transaction: Transaction) -> list[str]:
    """Takes two that are due, and settles them."""
    rows = transaction.due.answers(NOW, 2)
    done = Answer(outcome="keep", digest=OURS)
    transaction.prospects.write([Change(before=row, after=attrs.evolve(row, answer=done)) for row in rows])
    return _keys(rows)


class DueContract(Contract):
    """`Due`: answers, reclaims, stale, waiting, count; filled through `Prospects.write`."""

    promises: ClassVar[Any] = {
        answers_are_what_is_due: (_judged(),),
        longest_due_comes_first: (_judged(), LIMITS),
        reclaims_come_in_order: (TIED | _judged(), st.integers(1, 9)),
        stale_have_another_digest: (_judged(), LIMITS),
        waiting_are_counted_by_owner: (_judged(),),
        due_is_counted_once: (_judged(),),
        judged_is_due_no_more: (),
        what_is_due_can_be_written: (),
        nobody_is_handed_out_twice: (),
    }


class ProspectsContract(Contract):
    """`Prospects`: read, write, scan, history; what `write` puts into the outbox is looked for there."""

    promises: ClassVar[Any] = {
        missing_keys_are_left_out: (),
        facts_come_back: (_facts(),),
        instants_are_utc: (INSTANTS,),
        answers_come_back: (ANSWERS, st.integers(1, 2**31 - 1)),
        change_is_made: (),
        older_version_is_refused: (),
        other_owner_is_refused: (),
        existing_prospect_is_not_new: (),
        missing_prospect_is_not_changed: (),
        refused_change_does_nothing: (),
        other_changes_are_made: (),
        no_changes_are_none: (),
        kept_is_not_what_is_held: (),
        history_is_in_order: (),
        events_come_back: (EVENTS,),
        scan_goes_by_key: (SCANNED, LIMITS),
        scan_finds_what_is_due: (_judged(), LIMITS),
    }


# --- outbox ---


def _tell(store: OwnershipStore, *messages: Message) -> None:
    """Puts messages into the outbox, each with a new prospect of its own."""
    with store.begin() as transaction:
        rows = transaction.prospects.scan(None, MANY)
        changes = [
            Change(before=None, after=_prospect(f"{len(rows)}.{number}"), message=message)
            for number, message in enumerate(messages)
        ]
        _agree("new prospects are written", list(transaction.prospects.write(changes)), [])


def messages_come_in_order(make: Make) -> None:
    """`pending` gives up to `limit` messages, in the order in which they were put."""
    store = make()
    told = [attrs.evolve(TOLD, key=key, at=NOW - number * DAY) for number, key in enumerate("cabed")]
    _tell(store, *told[:3])
    _tell(store, *told[3:])
    _agree("an outbox of five", _pending(store), told)
    _agree("the first two", _pending(store, 2), told[:2])


def messages_come_back(make: Make, message: Message) -> None:
    """A message comes back as it was put."""
    store = make()
    _tell(store, message)
    _agree("the message that was put", _pending(store), [message])


def message_stays_as_it_is(make: Make) -> None:
    """A message with the key, deadline and step of an earlier one is not put: that one stays as it is."""
    store = make()
    _tell(store, TOLD)
    _tell(store, attrs.evolve(TOLD, owner="bo", at=LATER))
    _agree("the message that was put first", _pending(store), [TOLD])


def other_message_is_another(make: Make) -> None:
    """Messages with another key, deadline or step are put beside each other."""
    store = make()
    told = [
        TOLD,
        attrs.evolve(TOLD, step=0),
        attrs.evolve(TOLD, deadline=LATER + MICROSECOND),
        attrs.evolve(TOLD, key="2"),
    ]
    for message in told:
        _tell(store, message)
    _agree("four messages", _pending(store), told)


def acknowledged_is_pending_no_more(make: Make) -> None:
    """What is acknowledged is taken off, and nothing else; again, or of what was never put, it changes nothing."""
    store = make()
    told = [attrs.evolve(TOLD, step=step) for step in range(4)]
    _tell(store, *told)
    unknown = attrs.evolve(TOLD, key="nobody")
    for taken, left in ((told[1:2], [told[0], *told[2:]]), (told[:3], told[3:]), ([unknown], told[3:]), ([], told[3:])):
        with store.begin() as transaction:
            transaction.outbox.acknowledge(iter(taken))
        _agree(f"what is left of four without {taken}", _pending(store), left)


def acknowledged_is_remembered(make: Make) -> None:
    """A message that was acknowledged is not pending again when it is put once more."""
    store = make()
    _tell(store, TOLD)
    with store.begin() as transaction:
        transaction.outbox.acknowledge([TOLD])
    _tell(store, attrs.evolve(TOLD, owner="bo"))
    _agree("an acknowledged message that was put once more", _pending(store), [])


MESSAGES: Final = st.builds(
    Message,
    key=TEXT.filter(bool),
    deadline=INSTANTS.map(lambda at: at.astimezone(UTC)),
    step=st.integers(0, 9),
    outcome=st.sampled_from(("remind", "reclaim")),
    rule=st.none() | st.just("OWN-5"),
    owner=st.none() | TEXT,
    at=INSTANTS.map(lambda at: at.astimezone(UTC)),
)


class OutboxContract(Contract):
    """`Outbox`: pending, acknowledge; filled through `Prospects.write`."""

    promises: ClassVar[Any] = {
        messages_come_in_order: (),
        messages_come_back: (MESSAGES,),
        message_stays_as_it_is: (),
        other_message_is_another: (),
        acknowledged_is_pending_no_more: (),
        acknowledged_is_remembered: (),
    }


# --- notes ---


def _activated(store: OwnershipStore, *activations: Activation) -> list[Activation]:
    for activation in activations:
        with store.begin() as transaction:
            transaction.notes.activate(activation)
    with store.begin() as transaction:
        return list(transaction.notes.activations())


def activations_are_in_order(make: Make) -> None:
    """Activations come back in the order in which they were appended, whatever their instants."""
    activations = [
        Activation(at=NOW - number * DAY, digest=digest, parameters={}) for number, digest in enumerate("bac")
    ]
    store = make()
    _agree("none at first", _activated(store), [])
    _agree("three activations", _activated(store, *activations), activations)


def same_digest_is_appended_once(make: Make) -> None:
    """An activation with the digest of the last one is not appended, the first stays; a return to an older one is."""
    a, again, b, back = (
        Activation(at=NOW + number * DAY, digest=digest, parameters={}) for number, digest in enumerate("aaba")
    )
    _agree("a, a, b, a", _activated(make(), a, again, b, back), [a, b, back])


def activations_come_back(make: Make, at: datetime, parameters: Mapping[str, Any]) -> None:
    """An activation comes back as it was appended."""
    activation = Activation(at=at.astimezone(UTC), digest="客", parameters={"idle": "60d", **parameters})
    _agree("the activation", _activated(make(), activation), [activation])


def unwritten_note_is_none(make: Make) -> None:
    """There is None under a name that nothing was put under."""
    with make().begin() as transaction:
        transaction.notes.put("a", 1)
        _agree("a note that was never put", transaction.notes.get("b"), None)


def notes_come_back(make: Make, value: Any) -> None:
    """A JSON-able value comes back as it was put."""
    store = make()
    for name, each in (("a", 2.5), ("b", {"客户": [1, None, True]}), ("c", value)):
        with store.begin() as transaction:
            transaction.notes.put(name, each)
        with store.begin() as transaction:
            _agree("the value that was put", transaction.notes.get(name), each)


def later_note_takes_the_place(make: Make) -> None:
    """A value takes the place of the one before it under its name, and of no other."""
    store = make()
    for name, value in (("a", [1]), ("b", [2]), ("a", [3])):
        with store.begin() as transaction:
            transaction.notes.put(name, value)
    with store.begin() as transaction:
        _agree("a and b", [transaction.notes.get("a"), transaction.notes.get("b")], [[3], [2]])


def note_is_not_what_is_held(make: Make) -> None:
    """A note changes by `put` alone, not with the value that was given or got."""
    store, value = make(), {"rows": [1]}
    with store.begin() as transaction:
        transaction.notes.put("a", value)
    value["rows"].append(2)
    with store.begin() as transaction:
        got = transaction.notes.get("a")
        _agree("the value that was given was changed", got, {"rows": [1]})
        got["rows"].append(3)
        _agree("the value that was got was changed", transaction.notes.get("a"), {"rows": [1]})


JSON: Final = st.recursive(
    st.booleans() | st.integers(-(10**12), 10**12) | FLOATS | TEXT,
    lambda each: st.lists(each | st.none(), max_size=3) | st.dictionaries(TEXT, each | st.none(), max_size=3),
    max_leaves=5,
)


class NotesContract(Contract):
    """`Notes`: activate, activations, get, put. Of the store's transactions only `notes` is asked for."""

    promises: ClassVar[Any] = {
        activations_are_in_order: (),
        same_digest_is_appended_once: (),
        activations_come_back: (INSTANTS, st.dictionaries(TEXT, JSON | st.none(), max_size=3)),
        unwritten_note_is_none: (),
        notes_come_back: (JSON,),
        later_note_takes_the_place: (),
        note_is_not_what_is_held: (),
    }
