"""
The day's work list: what goes back to the pool, what soon will, what cannot be told, and who is over the cap.

One pass over the prospects, in any order and of any number: plain ones that stay are counted and forgotten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

import attrs

from crmcore.calendars import OPEN_ENDED
from crmcore.calendars import zone as zone_of
from crmcore.calendars.instants import day_start, instant_at
from crmcore.decisions.codes import Outcome
from crmcore.decisions.decision import Decision, PolicyRef, instant_text
from crmcore.decisions.facts import UNKNOWN
from crmcore.decisions.frames import narwhals
from crmcore.ownership.cap import CapPolicy
from crmcore.ownership.policy import ReclaimPolicy
from crmcore.ownership.values import Status

__all__ = ["Item", "OwnerLoad", "WorkList", "work_list"]

MICROSECOND: Final = timedelta(microseconds=1)
CLOSED: Final = frozenset((Status.WON.value, Status.LOST.value, Status.INVALID.value))


@attrs.frozen
class Item:
    """A prospect on a list, with the facts that are shown and the decision that put it there."""

    facts: Mapping[str, Any]
    decision: Decision

    @property
    def id(self) -> Any:
        """The host's id."""
        return self.facts["id"]

    @property
    def order(self) -> tuple[datetime, str]:
        """Oldest deadline first, then by id."""
        return self.decision.deadline or self.decision.as_of, str(self.id)

    def record(self, zone: tzinfo) -> dict[str, Any]:
        """The item as JSON-able data, instants in `zone`."""
        decision = self.decision
        row: dict[str, Any] = {
            "id": self.id,
            "owner": shown(self.facts["owner"]),
            "customer": shown(self.facts.get("customer")),
            "rule": decision.rule,
            "deadline": decision.deadline and instant_text(decision.deadline, zone),
            "reasons": [reason.record(zone) for reason in decision.reasons],
        }
        return {**row, "step": decision.step} if decision.outcome is Outcome.REMIND else row


@attrs.frozen
class OwnerLoad:
    """What an owner holds: `over_by` is how many open prospects are over the cap; ``None`` without a cap."""

    owner: Any
    open: int
    cap: int | None
    over_by: int | None
    after_reclaim: int

    def record(self) -> dict[str, Any]:
        """The load as JSON-able data."""
        return {**attrs.asdict(self), "owner": shown(self.owner)}


def shown(value: Any) -> Any:
    """A fact as it is printed: unknown ones as a question mark."""
    return "?" if value is UNKNOWN else value


@attrs.frozen(kw_only=True)
class WorkList:
    """The lists of one day, each in a stable order; `document` is their JSON form."""

    as_of: datetime
    zone: tzinfo
    policy: PolicyRef
    counts: Mapping[str, int]
    reclaim: tuple[Item, ...]
    remind: tuple[Item, ...]
    due_today: tuple[tuple[Any, datetime, Outcome], ...]
    needs_data: Mapping[tuple[str, ...], tuple[Mapping[str, Any], ...]]
    owners: tuple[OwnerLoad, ...]
    notes: tuple[str, ...]

    def sections(self) -> Iterator[tuple[str, Any]]:
        """The keys of the document in order; the long lists as iterators, so that a million rows need no memory."""
        yield "as_of", instant_text(self.as_of, self.zone)
        yield "policy", self.policy.record()
        yield "counts", dict(self.counts)
        yield "reclaim", (item.record(self.zone) for item in self.reclaim)
        yield "remind", (item.record(self.zone) for item in self.remind)
        yield (
            "due_today",
            (
                {"id": key, "at": instant_text(at, self.zone), "outcome": outcome.value}
                for key, at, outcome in self.due_today
            ),
        )
        yield (
            "needs_data",
            (
                {"missing": list(missing), "count": len(rows), "ids": [facts["id"] for facts in rows]}
                for missing, rows in self.needs_data.items()
            ),
        )
        yield "owners", (load.record() for load in self.owners)
        yield "notes", list(self.notes)

    def document(self) -> dict[str, Any]:
        """The work list as one JSON-able document."""
        return {key: list(value) if isinstance(value, Iterator) else value for key, value in self.sections()}


def work_list(
    prospects: Iterable[Mapping[str, Any]],
    *,
    policy: ReclaimPolicy,
    cap: CapPolicy,
    now: datetime,
    zone: tzinfo,
    notes: Iterable[str] = (),
    skipped: int = 0,
) -> WorkList:
    """
    The work list of `prospects` at `now`.

    A prospect is a mapping with ``id`` and what the policy reads; ``customer``, ``manager``, ``value`` are shown where
    they are there. The day ends at the next midnight in `zone`. Raises what `ReclaimPolicy.decide` raises.
    """
    sweep = Sweep(policy, now, zone)
    sweep.take(prospects)
    return attrs.evolve(sweep.work_list(cap, notes), counts=sweep.counts(skipped))


def _largest(group: tuple[tuple[str, ...], list[Any]]) -> tuple[int, tuple[str, ...]]:
    return -len(group[1]), group[0]


def midnight_after(now: datetime, zone: tzinfo) -> datetime:
    """The first midnight in `zone` after `now`, in UTC; where the clock skips it, the end of the gap."""
    try:
        day = now.astimezone(zone).date() + timedelta(days=1)
    except OverflowError:
        return OPEN_ENDED
    return instant_at(zone_of(zone).instant(day_start(day)))


class Sweep:
    """One pass over the prospects, counting those that stay and keeping the others."""

    def __init__(self, policy: ReclaimPolicy, now: datetime, zone: tzinfo) -> None:
        self.policy, self.now, self.zone = policy, now, zone
        self.midnight = midnight_after(now, zone)
        self.stays = policy.sweep(now, until=self.midnight - MICROSECOND)
        self.outcomes: Counter[str] = Counter()
        self.held: Counter[Any] = Counter()
        self.reclaimed: Counter[Any] = Counter()
        self.closed = self.pool = 0
        self.reclaim: list[Item] = []
        self.remind: list[Item] = []
        self.due_today: list[tuple[Any, datetime, Outcome]] = []
        self.needs_data: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}

    def take(self, prospects: Iterable[Mapping[str, Any]]) -> None:
        """Counts the prospects and lists each where it belongs; the hot loop of the day, so names are local."""
        held, stays, keep, closed, pool, kept = self.held, self.stays, Outcome.KEEP, 0, 0, 0
        for prospect in prospects:
            owner = prospect["owner"]
            if prospect["status"] in CLOSED:
                closed += 1
            elif owner is None:
                pool += 1
            else:
                held[owner] += 1
                if stays(prospect) is keep:
                    kept += 1
                else:
                    self._list(prospect, owner, self.policy.decide(prospect, now=self.now))
        self.closed, self.pool, self.outcomes[keep] = self.closed + closed, self.pool + pool, self.outcomes[keep] + kept

    @property
    def facts(self) -> tuple[str, ...]:
        """What `count` needs as columns."""
        return tuple(dict.fromkeys(("owner", "status", *self.policy.reads)))

    def count(self, frame: Any) -> Any:
        """
        Counts those of a data frame that stay as they are until midnight, and says which they are.

        The frame has the columns `facts`, as `frame` of the policy takes them; a column of truths comes back.
        """
        nw = narwhals()
        change, owner, closed = nw.col("next_change_at"), nw.col("owner"), nw.col("status").is_in(CLOSED)
        stays = (nw.col("outcome") == Outcome.KEEP.value) & (change.is_null() | (change >= nw.lit(self.midnight)))
        judged = nw.from_native(self.policy.frame(frame, now=self.now), eager_only=True)
        judged = judged.select("owner", closed=closed, stays=stays.fill_null(value=False))
        staying = judged.filter(nw.col("stays"))
        others = staying.filter(~nw.col("closed"))
        held = dict(others.filter(~owner.is_null()).group_by("owner").agg(nw.len()).iter_rows())
        kept = sum(held.values())
        self.held.update(held)
        self.outcomes[Outcome.KEEP] += kept
        self.pool += len(others) - kept
        self.closed += len(staying) - len(others)
        return judged["stays"].to_native()

    def work_list(self, cap: CapPolicy, notes: Iterable[str] = ()) -> WorkList:
        """The lists of what was taken, sorted."""
        return WorkList(
            as_of=self.now,
            zone=self.zone,
            policy=self.policy.ref,
            counts=self.counts(0),
            reclaim=tuple(sorted(self.reclaim, key=lambda item: item.order)),
            remind=tuple(sorted(self.remind, key=lambda item: item.order)),
            due_today=tuple(sorted(self.due_today, key=lambda due: (due[1], str(due[0])))),
            needs_data={missing: tuple(rows) for missing, rows in sorted(self.needs_data.items(), key=_largest)},
            owners=tuple(self.owners(cap)),
            notes=tuple(notes),
        )

    def _list(self, prospect: Mapping[str, Any], owner: Any, decision: Decision) -> None:
        outcome = decision.outcome
        self.outcomes[outcome] += 1
        if outcome is Outcome.RECLAIM:
            self.reclaimed[owner] += 1
            self.reclaim.append(Item(prospect, decision))
        elif outcome is Outcome.REMIND:
            self.remind.append(Item(prospect, decision))
        elif outcome is Outcome.NEEDS_DATA:
            self.needs_data.setdefault(decision.missing, []).append(prospect)
        change = decision.next_change_at
        if change is not None and change < self.midnight:
            then = self.policy.decide(prospect, now=change).outcome
            self.due_today.append((prospect["id"], change, then))

    def counts(self, skipped: int) -> dict[str, int]:
        """The counts of the document: prospects = closed + pool + open, open = the four outcomes."""
        outcomes = {outcome.value: self.outcomes[outcome] for outcome in tuple(Outcome)[:4]}
        held = sum(outcomes.values())
        total = {"prospects": self.closed + self.pool + held, "closed": self.closed, "pool": self.pool, "open": held}
        return {**total, **outcomes, "skipped": skipped}

    def owners(self, cap: CapPolicy) -> Iterator[OwnerLoad]:
        """What each owner holds, by owner."""
        for owner in sorted((owner for owner in self.held if owner is not UNKNOWN), key=str):
            held = self.held[owner]
            yield OwnerLoad(owner, held, cap.cap(owner), cap.over_by(owner, held), held - self.reclaimed[owner])
