"""The commands of ownership within one transaction: what is asked is checked against what is stored, then written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from crmcore.decisions.codes import ReasonCode
from crmcore.decisions.decision import Reason
from crmcore.errors import InvalidFact, StoreBusy, UnknownProspect
from crmcore.ownership.cap import CapPolicy
from crmcore.ownership.judge import Judge
from crmcore.ownership.ports import Transaction
from crmcore.ownership.stored import Answer, Change, Event, EventKind, Stored, counted_owner, counter_of, owner_of
from crmcore.ownership.values import Status
from crmcore.reservations import Full

__all__ = ["Desk", "Granted", "Put", "Refused", "find"]

BRIEFLY: Final = timedelta(minutes=1)
OF_THE_OWNER: Final = ("owner", "assigned_at", "last_contact_at", "contact_unknown")
RULES: Final = {
    ReasonCode.NOT_OPEN: "OWN-9",
    ReasonCode.NO_OWNER: "OWN-12",
    ReasonCode.OWNED: "OWN-12",
    ReasonCode.EXISTS: "OWN-12",
    ReasonCode.CHANGED: "OWN-12",
}
"""The rule behind each refusal that is not the cap's."""


@attrs.frozen(kw_only=True)
class Granted:
    """
    It was done; `prospect` is as it is now.

    `repeated`: it had been done before under the same key. `unassigned`: of a registration, the reasons for which it
    got no owner (OWN-4).
    """

    prospect: Stored
    repeated: bool = False
    unassigned: tuple[Reason, ...] = ()


@attrs.frozen(kw_only=True)
class Refused:
    """Nothing was done; `prospect` is as it stands."""

    reasons: tuple[Reason, ...]
    prospect: Stored


@attrs.frozen(kw_only=True)
class Put:
    """How many prospects were new, changed, as they were; and how many have left the owner whom a record names."""

    new: int
    changed: int
    same: int
    outdated: int


def find(transaction: Transaction, id: str | int) -> Stored:
    """The prospect as it is kept; raises `UnknownProspect`."""
    found = transaction.prospects.read([str(id)])
    if not found:
        raise UnknownProspect(id)
    return found[0]


class Desk:
    """The commands within one transaction; prospects are read before counters, and counters by name."""

    def __init__(self, transaction: Transaction, judge: Judge, cap: CapPolicy) -> None:
        self._transaction, self._judge, self._cap, self._now = transaction, judge, cap, judge.now

    def register(self, facts: Mapping[str, Any], key: str | None, by: str | None) -> Granted | Refused:
        """See `OwnershipService.register`."""
        _id(facts)
        wish = {"status": Status.OPEN.value, **facts}
        if there := self._transaction.prospects.read([str(wish["id"])]):
            return self._repeated(there[0], key) or _refused(there[0], ReasonCode.EXISTS, "id", there[0].key)
        unassigned: tuple[Reason, ...] = ()
        if (owner := counted_owner(wish)) is not None:
            wish["assigned_at"] = wish.get("assigned_at") or self._now
            if unassigned := self._reserve(owner, _place(owner, wish["id"], 1)):
                wish |= {"owner": None, "assigned_at": None}
        stored = self._write(None, wish, EventKind.REGISTERED, key, by)
        if owner is not None and not unassigned:
            self._transaction.counters.commit(_place(owner, wish["id"], 1), now=self._now)
        return Granted(prospect=stored, unassigned=unassigned)

    def give(
        self, id: str | int, owner: str | int, kind: EventKind, *, version: int | None, key: str | None, by: str | None
    ) -> Granted | Refused:
        """See `OwnershipService.assign` and `claim`."""
        if not (owner_of({"owner": owner}) or "").strip():
            raise InvalidFact("owner", owner, "an owner's id; release gives a prospect back to the pool", id)
        before = find(self._transaction, id)
        if (done := self._repeated(before, key)) is not None:
            return done
        if (refused := _cannot_be_given(before, kind, version)) is not None:
            return refused
        holder, reservation = owner_of(before.facts), _place(owner, before.key, before.version + 1)
        moves = holder != str(owner)  # whoever has it already needs no further place
        for name in sorted(str(each) for each in (holder, owner) if each is not None):
            self._transaction.counters.add(counter_of(name), 0)  # ours until the transaction ends
        if moves and (full := self._reserve(str(owner), reservation)):
            return Refused(reasons=full, prospect=before)
        facts = {
            **before.facts,
            "owner": owner,
            "former_owner": before.facts.get("owner", before.facts.get("former_owner")),
            "assigned_at": self._now,
            "last_contact_at": None,
            "contact_unknown": None,
        }
        stored = self._write(before, facts, kind, key, by)
        if moves:
            self._transaction.counters.commit(reservation, now=self._now)
            self._add({holder: -1})
        return Granted(prospect=stored)

    def release(self, id: str | int, owner: str | int | None, key: str | None, by: str | None) -> Granted | Refused:
        """See `OwnershipService.release`."""
        before = find(self._transaction, id)
        if (done := self._repeated(before, key)) is not None:
            return done
        holder = owner_of(before.facts)
        if holder is None:
            return _refused(before, ReasonCode.NO_OWNER, "owner", None)
        if owner is not None and str(owner) != holder:
            return _refused(before, ReasonCode.OWNED, "owner", holder)
        facts = {**before.facts, "owner": None, "former_owner": before.facts["owner"]}
        stored = self._write(before, facts, EventKind.RELEASED, key, by)
        self._count(before.facts, facts)
        return Granted(prospect=stored)

    def update(self, id: str | int, facts: Mapping[str, Any]) -> Granted | Refused:
        """See `OwnershipService.update`."""
        before = find(self._transaction, id)
        after = {**before.facts, **facts}
        if _known(after) == before.facts:
            return Granted(prospect=before)
        owner, place = counted_owner(after), ""
        if owner is not None and counted_owner(before.facts) is None:  # reopened: it takes a place again
            place = _place(owner, before.key, before.version + 1)
            if full := self._reserve(owner, place):
                return Refused(reasons=full, prospect=before)
        stored = self._write(before, after)
        if place:
            self._transaction.counters.commit(place, now=self._now)
        else:
            self._count(before.facts, after)
        return Granted(prospect=stored)

    def put(self, records: Iterable[Mapping[str, Any]], by: str | None) -> Counter[str]:
        """See `OwnershipService.put`."""
        given: dict[str, Mapping[str, Any]] = {}
        for record in records:  # of two with one id, what the later does not have is the earlier's
            key = str(_id(record))
            given[key] = {**given.get(key, {}), **record}
        known = {stored.key: stored for stored in self._transaction.prospects.read(sorted(given))}
        done: Counter[str] = Counter()
        held: Counter[str | None] = Counter()
        changes = []
        for key, record in given.items():
            before = known.get(key)
            facts = _merged(before, record, done)
            if before is not None and facts == before.facts:
                done["same"] += 1
                continue
            done["new" if before is None else "changed"] += 1
            moved = before is None or owner_of(before.facts) != owner_of(facts)
            kind = EventKind.IMPORTED if moved else None
            changes.append(self._change(before, facts, kind, None, by, park=True))
            held.subtract([None if before is None else counted_owner(before.facts)])
            held.update([counted_owner(facts)])
        self._apply(changes)
        self._add(held)
        return done

    # --- what they share ---

    def _repeated(self, stored: Stored, key: str | None) -> Granted | None:
        if key is None or all(event.request != key for event in self._transaction.prospects.history(stored.key)):
            return None
        return Granted(prospect=stored, repeated=True)

    def _reserve(self, owner: str, key: str) -> tuple[Reason, ...]:
        """Holds a place under the owner's cap; the reasons why there is none."""
        ceiling, until = self._cap.cap(owner), self._now + BRIEFLY
        counter = counter_of(owner)
        said = self._transaction.counters.reserve(key, counter, ceiling=ceiling, now=self._now, expires_at=until)
        if not isinstance(said, Full):
            return ()
        return self._cap.decide({"owner": owner, "held": said.held}, now=self._now).reasons

    def _write(
        self,
        before: Stored | None,
        facts: Mapping[str, Any],
        kind: EventKind | None = None,
        key: str | None = None,
        by: str | None = None,
    ) -> Stored:
        change = self._change(before, facts, kind, key, by, park=False)
        self._apply([change])
        return change.after

    def _change(
        self,
        before: Stored | None,
        facts: Mapping[str, Any],
        kind: EventKind | None,
        key: str | None,
        by: str | None,
        *,
        park: bool,
    ) -> Change:
        """
        The change to these facts, judged; with an event of this kind.

        What cannot be judged is parked with `park`, else an error.
        """
        version = 1 if before is None else before.version + 1
        known = _known(facts)
        wish = Stored(facts=known, version=version, answer=Answer() if before is None else before.answer)
        judged = self._judge.rejudge(wish) if park else self._judge.judge(known)
        after = attrs.evolve(wish, answer=judged.answer)
        event = None
        if kind is not None:
            event = Event(
                key=after.key,
                version=version,
                at=self._now,
                kind=kind,
                owner_before=None if before is None else owner_of(before.facts),
                owner_after=owner_of(known),
                request=key,
                by=by,
            )
        return Change(before=before, after=after, event=event, message=judged.message)

    def _apply(self, changes: list[Change]) -> None:
        if lost := self._transaction.prospects.write(changes):
            raise StoreBusy("the store", f"{', '.join(sorted(lost)[:5])} changed meanwhile", "try again")

    def _count(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        held = Counter([counted_owner(after)])
        held.subtract([counted_owner(before)])
        self._add(held)

    def _add(self, held: Mapping[str | None, int]) -> None:
        for owner in sorted(owner for owner, count in held.items() if owner is not None and count):
            self._transaction.counters.add(counter_of(owner), held[owner])


def _id(facts: object) -> str | int:
    if not isinstance(facts, Mapping):
        raise InvalidFact("a prospect", facts, 'its facts by name, such as {"id": "WL-7", "owner": "Ada"}')
    found: str | int | None = facts.get("id")
    if found is None:
        raise InvalidFact("id", None, "the prospect's id")
    return found


def _place(owner: str | int, id: str | int, version: int) -> str:
    """The key of the place that a prospect takes with an owner; no two are alike, whatever slashes ids have."""
    return f"{counter_of(owner)}/{str(id)!r}/{version}"


def _known(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that are not none, which are those that are kept."""
    return {name: value for name, value in facts.items() if value is not None}


def _merged(before: Stored | None, record: Mapping[str, Any], done: Counter[str]) -> dict[str, Any]:
    """What is stored, and over it what the record says; of the owner only what is new."""
    if before is None:
        return _known(record)
    facts = {**before.facts, **record}
    if _has_left(before.facts, owner_of(record), facts.get("assigned_at")):
        facts |= {name: before.facts.get(name) for name in OF_THE_OWNER}
        done["outdated"] += 1
    return _known(facts)


def _has_left(stored: Mapping[str, Any], owner: str | None, assigned_at: Any) -> bool:
    """Whether a prospect has gone from this owner since it was assigned to him then."""
    if owner is None or owner == owner_of(stored) or owner != owner_of({"owner": stored.get("former_owner")}):
        return False
    known = stored.get("assigned_at")
    later = isinstance(assigned_at, datetime) and isinstance(known, datetime) and assigned_at > known
    return not later and (assigned_at is None) == (known is None)


def _cannot_be_given(before: Stored, kind: EventKind, version: int | None) -> Refused | None:
    status, holder = before.facts.get("status"), owner_of(before.facts)
    if status != Status.OPEN:
        return _refused(before, ReasonCode.NOT_OPEN, "status", status)
    if version is not None and version != before.version:
        return _refused(before, ReasonCode.CHANGED, "version", before.version)
    if kind is EventKind.CLAIMED and holder is not None:
        return _refused(before, ReasonCode.OWNED, "owner", holder)
    return None


def _refused(prospect: Stored, code: ReasonCode, fact: str, observed: Any) -> Refused:
    reason = Reason(rule=RULES[code], code=code, holds=True, fact=fact, observed=observed)
    return Refused(reasons=(reason,), prospect=prospect)
