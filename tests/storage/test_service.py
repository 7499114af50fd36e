"""The commands on one prospect: one owner, a cap that holds, nothing half-done, and a reason for every refusal."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import attrs
import pytest

from crmcore.decisions import UNKNOWN, Reason
from crmcore.decisions.render import reason_text
from crmcore.errors import InvalidFact, NaiveDatetime, StoreBusy, UnknownProspect
from crmcore.ownership import CapPolicy, Granted, OwnershipService, Prospect, Put, Refused
from crmcore.ownership.ports import OwnershipStore
from crmcore.storage import MemoryStore
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
    owners,
    ran,
    record,
    rows,
    service,
)


def reason(answer: Any) -> Reason:
    """The one reason of a refusal."""
    assert isinstance(answer, Refused)
    (found,) = answer.reasons
    return found


def kinds(desk: OwnershipService, id: str | int) -> list[str]:
    """What the history of a prospect says."""
    return [event.kind for event in desk.history(id)]


# --- register ---


@pytest.mark.rule("OWN-4", "OWN-10")
def test_a_prospect_of_a_full_owner_is_registered_without_one(store: OwnershipStore) -> None:
    """The second finds the cap of one reached: it is in the pool, and the answer says why."""
    desk = service(store, ann=1)
    first, second = (desk.register({"id": id, "owner": "ann"}, now=START) for id in ("a", "b"))
    assert isinstance(first, Granted)
    assert isinstance(second, Granted)
    assert first.unassigned == ()
    (why,) = second.unassigned
    assert (why.rule, why.code, why.observed, why.limit) == ("OWN-4", "cap", 1, 1)
    assert owners(store) == {"a": "ann", "b": None}
    assert "assigned_at" not in second.prospect.facts
    assert held(store, "ann") == [1]


def test_a_registration_is_an_open_prospect_assigned_now(store: OwnershipStore) -> None:
    desk = service(store)
    desk.register({"id": 7, "owner": "ann"}, now=day(1), key="k", by="me")
    stored = desk.find("7")
    assert stored.facts == {"id": 7, "owner": "ann", "status": "open", "assigned_at": day(1)}
    assert (stored.version, stored.answer.outcome, stored.answer.digest) == (1, "keep", POLICY.digest)
    (event,) = desk.history(7)
    assert (event.kind, event.owner_before, event.owner_after) == ("registered", None, "ann")
    assert (event.version, event.at, event.request, event.by) == (1, day(1), "k", "me")


def test_the_assignment_that_a_registration_says_is_kept(store: OwnershipStore) -> None:
    service(store).register(record("a"), now=day(5))
    assert rows(store)["a"].facts["assigned_at"] == START


@pytest.mark.parametrize("owner", [None, UNKNOWN])
def test_a_registration_without_a_known_owner_counts_for_nobody(store: OwnershipStore, owner: Any) -> None:
    desk = service(store, default=0)
    answer = desk.register({"id": "a", "owner": owner}, now=START)
    assert isinstance(answer, Granted)
    assert answer.unassigned == ()
    assert desk.history("a")[0].owner_after is None


@pytest.mark.rule("OWN-9")
def test_a_closed_prospect_is_registered_whatever_the_cap(store: OwnershipStore) -> None:
    desk = service(store, default=0)
    desk.register({"id": "a", "owner": "ann", "status": "won"}, now=START)
    assert (owners(store), held(store, "ann")) == ({"a": "ann"}, [0])


def test_one_id_is_registered_once(store: OwnershipStore) -> None:
    """7 and "7" are one."""
    desk = service(store)
    desk.register({"id": 7, "owner": "ann"}, now=START)
    why = reason(desk.register({"id": "7", "owner": "bob"}, now=START))
    assert (why.rule, why.code, why.observed) == ("OWN-12", "exists", "7")
    assert held(store, "ann", "bob") == [1, 0]


def test_a_registration_needs_an_id(store: OwnershipStore) -> None:
    with pytest.raises(InvalidFact, match="id is None"):
        service(store).register({"owner": "ann"}, now=START)


# --- claim, assign, release ---


@pytest.mark.rule("OWN-12")
def test_a_prospect_has_one_owner_who_claims_first(store: OwnershipStore) -> None:
    """Claimed only out of the pool: the second is refused, and told who has it."""
    desk = filled(store, [record("a", owner=None)])
    assert isinstance(desk.claim("a", "ann", now=day(1)), Granted)
    why = reason(desk.claim("a", "bob", now=day(1)))
    assert (why.rule, why.code, why.fact, why.observed) == ("OWN-12", "owned", "owner", "ann")
    assert (owners(store), held(store, "ann", "bob")) == ({"a": "ann"}, [1, 0])
    assert kinds(desk, "a") == ["imported", "claimed"]


@pytest.mark.rule("OWN-14")
def test_a_new_owner_starts_both_clocks(store: OwnershipStore) -> None:
    """The contacts of the owner before count no more."""
    desk = filled(store, [record("a", last_contact_at=day(3), contact_unknown=True)])
    answer = desk.assign("a", "bob", now=day(9))
    assert isinstance(answer, Granted)
    facts = desk.find("a").facts
    assert facts == {"id": "a", "status": "open", "owner": "bob", "former_owner": "ann", "assigned_at": day(9)}
    assert held(store, "ann", "bob") == [0, 1]
    assert desk.find("a").answer.next_change_at == day(9 + 23)


@pytest.mark.parametrize("owner", [None, "", " ", UNKNOWN], ids=repr)
def test_a_prospect_is_given_to_somebody(store: OwnershipStore, owner: Any) -> None:
    """No owner is no owner: to give to nobody would count for one whose name is None."""
    desk = filled(store, [record("a"), record("b", owner=None)])
    before = everything(store)
    for give, id in ((desk.assign, "a"), (desk.claim, "b")):
        with pytest.raises(InvalidFact, match=f"owner of '{id}' is {owner!r}; expected an owner's id; release gives"):
            give(id, owner, now=day(1))
    assert everything(store) == before


@pytest.mark.rule("OWN-4")
def test_a_full_owner_is_given_nothing(store: OwnershipStore) -> None:
    desk = filled(store, [record("a"), record("b", owner="bob"), record("c", owner=None)])
    full = OwnershipService(store, POLICY, CapPolicy(per_owner={"bob": 1}), FREE)
    before = everything(store)
    for answer in (full.assign("a", "bob", now=day(1)), full.claim("c", "bob", now=day(1))):
        why = reason(answer)
        assert (why.rule, why.code, why.observed, why.limit) == ("OWN-4", "cap", 1, 1)
    assert everything(store) == before
    assert isinstance(desk.assign("a", "bob", now=day(1)), Granted)


@pytest.mark.rule("OWN-14")
def test_who_has_it_is_assigned_it_anew_though_full(store: OwnershipStore) -> None:
    """It takes no further place; both clocks start anew."""
    filled(store, [record("a")])
    desk = service(store, ann=1)
    answer = desk.assign("a", "ann", now=day(9))
    assert isinstance(answer, Granted)
    assert (answer.prospect.facts["assigned_at"], held(store, "ann")) == (day(9), [1])
    assert kinds(desk, "a") == ["imported", "assigned"]


def test_what_was_changed_since_it_was_seen_is_not_assigned(store: OwnershipStore) -> None:
    desk = filled(store, [record("a")])
    desk.update("a", now=day(1), last_contact_at=day(1))
    why = reason(desk.assign("a", "bob", now=day(1), version=1))
    assert (why.code, why.fact, why.observed) == ("changed", "version", 2)
    assert isinstance(desk.assign("a", "bob", now=day(1), version=2), Granted)


@pytest.mark.rule("OWN-9")
def test_a_closed_prospect_is_given_to_nobody(store: OwnershipStore) -> None:
    desk = filled(store, [record("a", owner=None, status="lost")])
    for answer in (desk.assign("a", "bob", now=day(1)), desk.claim("a", "bob", now=day(1))):
        why = reason(answer)
        assert (why.rule, why.code, why.observed) == ("OWN-9", "not_open", "lost")


def test_an_owner_gives_back_what_is_his(store: OwnershipStore) -> None:
    desk = filled(store, [record("a")])
    assert reason(desk.release("a", owner="bob", now=day(1))).code == "owned"
    answer = desk.release("a", owner="ann", now=day(1), by="ann")
    assert isinstance(answer, Granted)
    assert answer.prospect.facts == {"id": "a", "status": "open", "assigned_at": START, "former_owner": "ann"}
    assert answer.prospect.answer.next_change_at is None
    assert held(store, "ann") == [0]
    assert (kinds(desk, "a"), desk.history("a")[1].by) == (["imported", "released"], "ann")
    why = reason(desk.release("a", now=day(1)))
    assert (why.code, why.rule) == ("no_owner", "OWN-12")


def test_anybody_may_release_where_no_owner_is_named(store: OwnershipStore) -> None:
    desk = filled(store, [record("a", owner=7)])
    assert isinstance(desk.release("a", now=day(1)), Granted)
    assert desk.find("a").facts["former_owner"] == 7


def test_a_repeated_command_is_granted_and_does_nothing(store: OwnershipStore) -> None:
    """By its key, on that prospect: what came between does not matter."""
    desk = service(store)
    commands: list[Any] = [
        lambda: desk.register({"id": "a", "owner": "ann"}, now=day(1), key="r"),
        lambda: desk.release("a", now=day(2), key="x"),
        lambda: desk.claim("a", "bob", now=day(3), key="c"),
        lambda: desk.assign("a", "ann", now=day(4), key="s"),
    ]
    for command in commands:
        assert not command().repeated
    before = everything(store)
    for command in commands:
        answer = command()
        assert isinstance(answer, Granted)
        assert (answer.repeated, answer.prospect) == (True, desk.find("a"))
    assert everything(store) == before
    assert reason(desk.claim("a", "eve", now=day(5), key="another")).code == "owned"


# --- update ---


def test_a_contact_moves_the_deadline_at_once(store: OwnershipStore) -> None:
    desk = filled(store, [record("a")])
    stored = desk.update("a", now=day(9), last_contact_at=day(9)).prospect
    assert (stored.version, stored.answer.next_change_at) == (2, day(9 + 23))
    assert kinds(desk, "a") == ["imported"]


def test_an_update_that_says_nothing_new_writes_nothing(store: OwnershipStore) -> None:
    desk = filled(store, [record("a", grade="A")])
    before = everything(store)
    assert desk.update("a", now=day(9), grade="A", frozen_until=None).prospect.version == 1
    assert everything(store) == before
    assert "grade" not in desk.update("a", now=day(9), grade=None).prospect.facts


@pytest.mark.rule("OWN-9")
def test_a_prospect_counts_while_it_is_open(store: OwnershipStore) -> None:
    desk = filled(store, [record("a")])
    desk.update("a", now=day(1), status="won")
    assert held(store, "ann") == [0]
    desk.release("a", now=day(1))
    assert held(store, "ann") == [0]
    desk.update("a", now=day(2), status="open")
    assert held(store, "ann") == [0]


def test_a_prospect_that_is_opened_again_counts_again(store: OwnershipStore) -> None:
    desk = filled(store, [record("a", status="lost")])
    desk.update("a", now=day(1), status="open")
    assert held(store, "ann") == [1]


@pytest.mark.parametrize("facts", [{"owner": "bob"}, {"id": "b"}])
def test_an_update_changes_neither_owner_nor_id(store: OwnershipStore, facts: dict[str, Any]) -> None:
    desk = filled(store, [record("a")])
    before = everything(store)
    with pytest.raises((InvalidFact, TypeError)):
        desk.update("a", now=day(1), **facts)
    assert everything(store) == before


def test_a_reminder_that_an_update_brings_about_is_told(store: OwnershipStore) -> None:
    desk = filled(store, [record("a")])
    desk.update("a", now=day(24), grade="A")
    with store.begin() as transaction:
        (message,) = transaction.outbox.pending(9)
    assert (message.step, message.deadline, message.owner, message.at) == (1, day(30), "ann", day(24))


# --- put ---


def test_a_record_is_merged_into_what_is_stored(store: OwnershipStore) -> None:
    """Facts that it does not have stay; None takes one away."""
    desk = filled(store, [record("a", grade="A", value=5)])
    assert desk.put([{"id": "a", "value": None, "last_contact_at": day(2)}], now=day(3)) == Put(
        new=0, changed=1, same=0, outdated=0
    )
    assert desk.find("a").facts == record("a", grade="A", last_contact_at=day(2))


def test_a_record_that_says_nothing_new_writes_nothing(store: OwnershipStore) -> None:
    desk = filled(store, [record("a", grade="A")])
    before = everything(store)
    assert desk.put([record("a"), {"id": "a"}], now=day(30)) == Put(new=0, changed=0, same=1, outdated=0)
    assert everything(store) == before


def test_the_history_tells_of_new_owners_only(store: OwnershipStore) -> None:
    desk = filled(store, [record("a")])
    desk.put([record("a", grade="B")], now=day(1))
    desk.put([record("a", owner="bob")], now=day(2), by="crm")
    desk.put([record("a", owner=None)], now=day(3))
    told = [(event.kind, event.owner_before, event.owner_after, event.by) for event in desk.history("a")]
    assert told == [
        ("imported", None, "ann", None),
        ("imported", "ann", "bob", "crm"),
        ("imported", "bob", None, None),
    ]


@pytest.mark.rule("OWN-9")
def test_the_counters_follow_what_is_put(store: OwnershipStore) -> None:
    """Whatever the caps; closed ones do not count."""
    desk = OwnershipService(store, POLICY, CapPolicy(default=1), FREE)
    desk.put([record(1), record(2), record(3, owner="bob"), record(4, status="won"), record(5, owner=None)], now=START)
    assert held(store, "ann", "bob") == [2, 1]
    desk.put([record(1, owner="bob"), record(2, status="won"), record(4, status="open")], now=day(1))
    assert held(store, "ann", "bob") == [1, 2]


def test_what_was_taken_stays_in_the_pool_when_the_export_is_put_again(store: OwnershipStore) -> None:
    """With the same assignment the record is an old one; with a later one it is news."""
    desk = filled(store, [record("a")])
    desk.release("a", now=day(1))
    before = everything(store)
    assert desk.put([record("a")], now=day(2)) == Put(new=0, changed=0, same=1, outdated=1)
    assert everything(store) == before
    assert desk.put([record("a", grade="A")], now=day(2)) == Put(new=0, changed=1, same=0, outdated=1)
    assert owners(store) == {"a": None}
    desk.put([record("a", assigned_at=day(2))], now=day(3))
    assert (owners(store), held(store, "ann")) == ({"a": "ann"}, [1])


def test_a_record_without_an_assignment_says_nothing_new_of_the_owner(store: OwnershipStore) -> None:
    """What it does not have stays as it is stored, so it is the same assignment."""
    desk = filled(store, [record("a")])
    desk.release("a", now=day(1))
    assert desk.put([{"id": "a", "owner": "ann"}], now=day(2)).outdated == 1
    assert owners(store) == {"a": None}


def test_two_records_of_one_prospect_are_put_one_over_the_other(store: OwnershipStore) -> None:
    service(store).put([record("a"), {"id": "a", "grade": "A"}], now=START)
    assert rows(store)["a"].facts == record("a", grade="A")


def test_an_old_export_does_not_undo_a_claim(store: OwnershipStore) -> None:
    """It was written before; the claim, its clock and its contacts stay, and other facts are taken over."""
    desk = filled(store, [record("a")])
    desk.release("a", now=day(1))
    desk.claim("a", "bob", now=day(2))
    desk.update("a", now=day(3), last_contact_at=day(3))
    assert desk.put([record("a", grade="A")], now=day(4)).outdated == 1
    facts = desk.find("a").facts
    assert (facts["owner"], facts["assigned_at"], facts["last_contact_at"]) == ("bob", day(2), day(3))
    assert facts["grade"] == "A"
    assert desk.put([record("a", assigned_at=day(5))], now=day(5)).outdated == 0
    assert (owners(store), held(store, "ann", "bob")) == ({"a": "ann"}, [1, 0])


def test_another_owner_takes_it_out_of_the_pool(store: OwnershipStore) -> None:
    desk = filled(store, [record("a")])
    desk.release("a", now=day(1))
    assert desk.put([record("a", owner="bob")], now=day(2)).outdated == 0
    assert owners(store) == {"a": "bob"}


def test_many_records_are_put_in_several_transactions(store: OwnershipStore) -> None:
    desk = service(store)
    assert desk.put((record(n) for n in range(2001)), now=START).new == 2001
    assert held(store, "ann") == [2001]
    assert desk.put([], now=START) == Put(new=0, changed=0, same=0, outdated=0)


def test_a_prospect_comes_as_its_facts_by_name(store: OwnershipStore) -> None:
    """Not as an object of the host's; and `put` takes several."""
    desk, no_facts, one = service(store), Prospect(id="a"), record("a")
    for give in (lambda: desk.register(no_facts, now=START), lambda: desk.put(one, now=START)):  # type: ignore[arg-type]
        with pytest.raises(InvalidFact, match=r"a prospect is .*; expected its facts by name, such as"):
            give()


@pytest.mark.parametrize("facts", [{"owner": "ann"}, {"id": None}])
def test_a_record_needs_an_id(store: OwnershipStore, facts: dict[str, Any]) -> None:
    with pytest.raises(InvalidFact, match="id"):
        service(store).put([record("a"), facts], now=START)
    assert rows(store) == {}


def test_a_record_that_cannot_be_judged_is_kept_and_parked(store: OwnershipStore) -> None:
    """A bad row holds up no import; mended, it is judged again."""
    desk = filled(store, [record("a", status="odd"), record("b")])
    assert "status of 'a' is 'odd'" in str(desk.find("a").answer.parked)
    assert desk.find("a").answer.next_change_at is None
    assert desk.update("a", now=day(1), status="open").prospect.answer.parked is None


def test_what_cannot_be_kept_is_refused_whole(store: OwnershipStore) -> None:
    with pytest.raises(NaiveDatetime):
        service(store).put([record("a"), record("b", last_contact_at=START.replace(tzinfo=None))], now=START)
    assert (rows(store), held(store, "ann")) == ({}, [0])


# --- what they share ---


WORDS = {
    "exists": ("registered already: a", "已登记：a"),
    "owned": ("owned by ann", "已归ann所有"),
    "changed": ("changed meanwhile: version is 1", "其间已有变动：version为1"),
    "not_open": ("not open any more: status is won", "已非潜在客户：status为won"),
    "no_owner": ("no owner: in the pool or not assigned yet", "无负责人：在公海或尚未分配"),
    "cap": ("0 open prospects, cap 0", "持有0个潜在客户，上限0"),
}


@pytest.mark.parametrize("code", WORDS)
def test_a_refusal_speaks_english_and_chinese(store: OwnershipStore, code: str) -> None:
    desk = OwnershipService(store, POLICY, CapPolicy(per_owner={"eve": 0}), FREE)
    desk.put([record("a"), record("p", owner=None), record("w", status="won")], now=START)
    answers: dict[str, Any] = {
        "exists": lambda: desk.register({"id": "a"}, now=START),
        "owned": lambda: desk.claim("a", "bob", now=START),
        "changed": lambda: desk.assign("a", "bob", now=START, version=9),
        "not_open": lambda: desk.assign("w", "bob", now=START),
        "no_owner": lambda: desk.release("p", now=START),
        "cap": lambda: desk.claim("p", "eve", now=START),
    }
    why = reason(answers[code]())
    assert why.code == code
    assert (reason_text(why), reason_text(why, "zh")) == WORDS[code]


def test_an_id_that_is_not_there_is_said(store: OwnershipStore) -> None:
    desk = service(store)
    commands: list[Any] = [
        lambda: desk.find("x"),
        lambda: desk.assign("x", "ann", now=START),
        lambda: desk.claim("x", "ann", now=START),
        lambda: desk.release("x", now=START),
        lambda: desk.update("x", now=START, grade="A"),
    ]
    for command in commands:
        with pytest.raises(UnknownProspect, match="'x'"):
            command()
    assert desk.history("x") == ()


def test_an_instant_needs_an_offset(store: OwnershipStore) -> None:
    with pytest.raises(NaiveDatetime):
        service(store).register({"id": "a"}, now=START.replace(tzinfo=None))


@pytest.mark.parametrize("verb", ["register", "assign", "claim", "release", "update", "put"])
def test_nothing_is_half_done_when_something_raises(store: OwnershipStore, verb: str) -> None:
    """The last thing that a command does fails: the prospect, its history and the counters are as they were."""
    desk = filled(store, [record("a"), record("p", owner=None)])
    before = everything(store)
    broken: Any = OwnershipService(_Fails(store), POLICY, CapPolicy(default=9), FREE)  # type: ignore[arg-type]
    commands: dict[str, Any] = {
        "register": lambda: broken.register({"id": "n", "owner": "ann"}, now=day(1)),
        "assign": lambda: broken.assign("a", "bob", now=day(1)),
        "claim": lambda: broken.claim("p", "bob", now=day(1)),
        "release": lambda: broken.release("a", now=day(1)),
        "update": lambda: broken.update("a", now=day(1), status="won"),
        "put": lambda: broken.put([record("n"), record("a", owner="bob")], now=day(1)),
    }
    with pytest.raises(RuntimeError, match="out of order"):
        commands[verb]()
    assert everything(store) == before
    assert held(store, "ann", "bob") == [1, 0]
    assert desk.find("a").version == 1


@attrs.define
class _Fails:
    """A store whose counters count and then fail."""

    store: Any

    @contextmanager
    def begin(self) -> Any:
        with self.store.begin() as transaction:
            yield _Broken(transaction)


@attrs.define
class _Broken:
    transaction: Any

    @property
    def counters(self) -> Any:
        return _Counters(self.transaction.counters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transaction, name)


@attrs.define
class _Counters:
    inner: Any

    def add(self, counter: str, amount: int) -> None:
        self.inner.add(counter, amount)
        msg = "out of order"
        raise RuntimeError(msg)

    def commit(self, key: str, *, now: Any) -> bool:
        self.inner.commit(key, now=now)
        msg = "out of order"
        raise RuntimeError(msg)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def test_a_command_that_another_writer_came_before_is_tried_again(store: OwnershipStore) -> None:
    """On a store that locks nothing: it is done on the facts as they are then."""
    filled(store, [record("a")])
    between: Any = Between(store, {"a": {"grade": "B"}})
    answer = service(between).update("a", now=day(1), value=5)
    assert answer.prospect.facts == record("a", value=5)  # what the other did was undone with the first try


def test_a_command_that_is_always_late_is_busy(store: OwnershipStore) -> None:
    filled(store, [record("a")])
    before = everything(store)
    with pytest.raises(StoreBusy, match="a changed meanwhile; try again"):
        service(AlwaysBetween(store, {"a": {"grade": "B"}})).update("a", now=day(1), value=5)  # type: ignore[arg-type]
    assert everything(store) == before


def test_a_store_that_is_busy_is_asked_ten_times() -> None:
    asked = []

    class Busy(MemoryStore):
        def begin(self) -> Any:
            asked.append(1)
            if len(asked) < 10:
                raise StoreBusy("it", "is busy", "try again")
            return super().begin()

    service(Busy()).register({"id": "a"}, now=START)
    assert len(asked) == 10


@pytest.mark.rule("OWN-4", "OWN-9")
def test_a_prospect_opened_again_needs_a_place(store: OwnershipStore) -> None:
    """Won, it left its place to another; opened again it would be one too many."""
    desk = service(store, ann=1)
    desk.register({"id": "a", "owner": "ann", "status": "won"}, now=START)
    desk.register({"id": "b", "owner": "ann"}, now=START)
    assert reason(desk.update("a", now=day(1), status="open")).code == "cap"
    assert held(store, "ann") == [1]
    desk.release("b", now=day(2))
    assert isinstance(desk.update("a", now=day(3), status="open"), Granted)
    assert held(store, "ann", now=day(9)) == [1]


def test_slashes_in_ids_make_no_two_places_one(store: OwnershipStore) -> None:
    """Of a, b/c; of a/b, c; under ceilings and caps."""
    desk = service(store, default=1)
    for key, owner in (("b/c", "a"), ("c", "a/b")):
        assert isinstance(desk.register(record(key, owner=owner), now=START), Granted)
    assert ran(store, day(30), max_per_owner_per_day=1).reclaimed == 2
