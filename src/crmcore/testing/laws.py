"""
Laws: what holds of every policy, each as a plain function that raises AssertionError where it does not.

A law takes a policy (yours too: a subclass, or a wrapper with the same face), a record and instants, and shows them
when it is broken. `crmcore.testing.check_reclaim_policy` runs them all; the strategies beside them find the cases that
hurt.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from crmcore.book import PolicyBook
from crmcore.calendars import OPEN_ENDED, BoundSpan, to_utc
from crmcore.decisions import UNKNOWN, Decision, Outcome
from crmcore.ownership import CapPolicy
from crmcore.testing import records
from crmcore.testing.records import answer, but, decide, expect

__all__ = [
    "answer_is_constant_until_next_change",
    "at_equals_decide",
    "book_round_trips",
    "cap_is_monotone",
    "closed_or_unowned_is_kept",
    "deadline_is_when_it_is_due",
    "decision_is_deterministic",
    "decision_round_trips",
    "equal_digests_equal_answers",
    "equal_policies_equal_digest",
    "longer_limit_never_reclaims_more",
    "protected_is_never_reclaimed",
    "reading_keeps_digest",
    "reminder_is_reclaim_seen_earlier",
    "span_is_monotone_and_adjoint",
    "unknown_is_answered_only_when_certain",
    "unread_facts_change_nothing",
]

MICROSECOND: Final = timedelta(microseconds=1)
LONG: Final = timedelta(days=15_000)
FAR: Final = (timedelta(hours=1), timedelta(days=1), timedelta(days=40), timedelta(days=400), LONG)
KEPT: Final = (Outcome.KEEP, 0)
PICKLED: Final = "a pickled copy"


# --- time ---


def answer_is_constant_until_next_change(
    policy: Any, facts: object, now: datetime, probes: Iterable[datetime] = ()
) -> None:
    """
    The answer and `next_change_at` stand from `as_of` until before `next_change_at`; there the answer is another one.

    ``None``: they stand for ever. At the instant of an assignment or contact that lies ahead (or from which it is near
    enough to count) the answer need not differ; no answer reaches beyond that instant. `probes` are looked at besides
    the borders.
    """
    decision = decide(policy, facts, now)
    end, bounds = decision.next_change_at, records.bounds(policy, facts, now)
    seen = {"now": now, "answer": (decision.outcome, decision.step), "next_change_at": end}
    expect(decision.as_of == now, "as_of is not the instant asked for", policy, facts, **seen, as_of=decision.as_of)
    expect(end is None or end > now, "next_change_at is not after as_of", policy, facts, **seen)
    if bounds and records.judged(policy, facts):
        sooner = end is not None and end <= min(bounds)
        expect(sooner, "next_change_at passes over a fact that lies ahead", policy, facts, **seen, ahead=min(bounds))
    for at in _until(to_utc(now), end, probes):
        later = decide(policy, facts, at)
        same = (later.outcome, later.step, later.next_change_at) == (decision.outcome, decision.step, end)
        expect(same, "the answer changes before next_change_at", policy, facts, **seen, at=at, there=later)
    if end is not None and end not in bounds:
        there = answer(policy, facts, end)
        expect(there != seen["answer"], "the answer does not change at next_change_at", policy, facts, **seen)


def _until(now: datetime, end: datetime | None, probes: Iterable[datetime]) -> Iterator[datetime]:
    """Instants from `now` on and before `end`, the last one among them."""
    if end is None:
        yield from (now + far for far in FAR)
        yield from (at for at in probes if at > now)
        return
    yield end - MICROSECOND
    yield now + (end - now) / 2
    for at in probes:
        yield at if now <= at < end else now + (at - now) % (end - now)


def reminder_is_reclaim_seen_earlier(policy: Any, facts: object, now: datetime) -> None:
    """
    REMIND with step k at `now` where, and only where, RECLAIM is the answer at add(now, lead) for exactly k leads.

    Of policies whose leads are all shorter than all limits, and records without a fact that is still too far ahead to
    count; a policy or record of another kind passes.
    """
    leads = [records.on(policy, lead) for lead in getattr(policy, "remind_before", ())]
    limits = [span.nominal for _, span in policy.limits()] if hasattr(policy, "limits") else []
    fits = all(lead.span.nominal < limit for lead in leads for limit in limits)
    found = answer(policy, facts, now)
    if not fits or found[0] is Outcome.NEEDS_DATA or records.ignored(policy, facts, now):
        return
    begun = [str(lead.span) for lead in leads if answer(policy, facts, lead.add(now))[0] is Outcome.RECLAIM]
    due = found[0] is Outcome.RECLAIM
    expected = (Outcome.RECLAIM, 0) if due else (Outcome.REMIND, len(begun)) if begun else KEPT
    right = found == expected and (not due or len(begun) == len(leads))
    what = "a reminder is not what the same rules say at the end of its lead"
    expect(right, what, policy, facts, now=now, answer=found, expected=expected, reclaim_after=begun)


def deadline_is_when_it_is_due(policy: Any, facts: object, now: datetime) -> None:
    """RECLAIM from the deadline on and never before; no deadline, no reclaim. Of past facts that settle it."""
    due, decision = policy.deadline(facts), decide(policy, facts, now)
    if records.ahead(policy, facts, now) or (due is None and not records.is_known(policy, facts)):
        return
    seen = {"now": now, "deadline": due, "outcome": decision.outcome, "decision.deadline": decision.deadline}
    reclaim = decision.outcome is Outcome.RECLAIM
    expect(reclaim == (due is not None and due <= now), "the deadline is not when it is due", policy, facts, **seen)
    expect(decision.deadline == due, "the decision has another deadline", policy, facts, **seen)
    if due is not None and due < OPEN_ENDED:
        at = answer(policy, facts, due)[0] is Outcome.RECLAIM
        before = answer(policy, facts, max(due - MICROSECOND, _latest(policy, facts)))[0] is Outcome.RECLAIM
        early = due > _latest(policy, facts)
        expect(at or not early, "at the deadline it is not due", policy, facts, **seen)
        expect(not (before and early), "it is due before the deadline", policy, facts, **seen)


def _latest(policy: Any, facts: object) -> datetime:
    """The latest past event: from there on every event counts."""
    found = records.values(policy, facts)
    events = [to_utc(at) for fact in records.PAST if isinstance(at := found.get(fact), datetime)]
    return max(events, default=to_utc(datetime.min.replace(tzinfo=OPEN_ENDED.tzinfo)))


# --- facts ---


def at_equals_decide(policy: Any, facts: object, now: datetime) -> None:
    """`at(now)` gives the outcome that `decide` gives, on objects and mappings, under the host's names too."""
    expected, found = decide(policy, facts, now), records.values(policy, facts)
    own = {fact: f"host_{fact}" for fact in policy.reads}
    hosted = policy.reading(**own)
    as_mapping = {records.names(policy).get(fact, fact): value for fact, value in found.items()}
    for what, judge, source in (
        ("the same object", policy, facts),
        ("a plain object", policy, records.record(policy, found)),
        ("a dict", policy, as_mapping),
        ("another mapping", policy, MappingProxyType(as_mapping)),
        ("an object on other names", hosted, records.record(hosted, found)),
        ("a dict on other names", hosted, {own[fact]: value for fact, value in found.items()}),
    ):
        decision, evaluate = decide(judge, source, now), judge.at(now)
        expect(decision == expected, f"{what}: another decision", policy, facts, now=now, one=expected, other=decision)
        outcome = _evaluate(evaluate, source)
        text = f"{what}: at(now) does not say what decide says"
        expect(outcome is expected.outcome, text, policy, facts, now=now, at=outcome, decide=expected.outcome)


def _evaluate(evaluate: Any, facts: object) -> object:
    try:
        return evaluate(facts)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no outcome, and the law says so
        return repr(error)


def unread_facts_change_nothing(policy: Any, facts: object, now: datetime, other: object) -> None:
    """A record of nothing but the facts in `reads` gives the same decision, and so does one full of others."""
    expected, found = decide(policy, facts, now), records.values(policy, facts)
    noise = dict(other) if isinstance(other, Mapping) else vars(other)
    bare = records.record(policy, found)
    hosts = {records.names(policy).get(fact, fact): value for fact, value in found.items()}
    absent = {records.names(policy).get("contact_unknown", "contact_unknown")}
    full = {**{key: value for key, value in noise.items() if key not in absent}, **hosts}
    for what, source in (("without the facts that are not in reads", bare), ("with others", full)):
        decision = decide(policy, source, now)
        expect(decision == expected, f"another decision {what}", policy, facts, now=now, one=expected, other=decision)
        same = decision.reasons == expected.reasons
        expect(same, f"other reasons {what}", policy, facts, now=now, one=expected.reasons, other=decision.reasons)


def protected_is_never_reclaimed(policy: Any, facts: object, now: datetime) -> None:
    """Not RECLAIM while a freeze, a protection, what remains after it, or the minimum hold lasts; open-ended: KEEP."""
    remaining, hold = records.bound(policy, "min_remaining"), records.bound(policy, "min_hold")
    last = now if remaining is None else remaining.cutoff(now)
    holds: list[tuple[str, datetime]] = []
    for fact in (fact for fact in policy.reads if fact.endswith("_until")):
        holds += [(fact, now + MICROSECOND), (fact, last + MICROSECOND)]
        endless = but(policy, facts, **{fact: OPEN_ENDED})
        seen = answer(policy, endless, now)
        expect(seen == KEPT, f"open-ended {fact}, and not kept", policy, endless, now=now, answer=seen)
    if hold is not None:
        holds.append(("assigned_at", hold.cutoff(now) + MICROSECOND))
    for fact, at in holds:
        held = but(policy, facts, **{fact: at})
        reclaim = answer(policy, held, now)[0] is Outcome.RECLAIM
        expect(not reclaim, f"{fact} holds it back, and it is reclaimed", policy, held, now=now)


def closed_or_unowned_is_kept(policy: Any, facts: object, now: datetime) -> None:
    """What is won, lost, invalid or without an owner is kept for good: no rule, no deadline, no next change."""
    changes: list[dict[str, Any]] = [{"status": status} for status in ("won", "lost", "invalid")]
    for change in (*changes, {"owner": None}):
        done = but(policy, facts, **change)
        decision = decide(policy, done, now)
        seen = (decision.outcome, decision.step, decision.rule, decision.next_change_at, policy.deadline(done))
        expect(seen == (*KEPT, None, None, None), f"{change} is not kept for good", policy, done, now=now, seen=seen)


def unknown_is_answered_only_when_certain(
    policy: Any, facts: object, now: datetime, values: Mapping[str, Iterable[Any]] | None = None
) -> None:
    """
    Any answer but NEEDS_DATA is the answer whatever the unknown facts are; NEEDS_DATA only if that is not the same.

    The facts that were not known are given their extremes, all of them at once, and the `values` by fact, one by one.
    """
    decision = decide(policy, facts, now)
    asks = decision.outcome is Outcome.NEEDS_DATA
    expect(not asks or bool(decision.missing), "data are needed, but which?", policy, facts, now=now)
    unknown = _unknown(policy, facts) | ({*decision.missing} & {*policy.reads} if asks else set())
    known = [_given(policy, facts, case) for case in _cases(policy, facts, now, unknown)]
    drawn = [{fact: value} for fact in unknown for value in (values or {}).get(fact, ())]
    found = {answer(policy, case, now): case for case in known}
    seen = {"now": now, "answer": (decision.outcome, decision.step), "found": [*found]}
    if not asks:
        found |= {answer(policy, case, now): case for case in (_given(policy, facts, each) for each in drawn)}
        only = not unknown or {*found} == {seen["answer"]}
        expect(only, "answered, but an unknown fact decides", policy, facts, **seen, cases=[*found.values()])
    else:
        expect(len(found) > 1, "asks for data that change nothing", policy, facts, **seen)
        asked = [case for case in found if case[0] is Outcome.NEEDS_DATA]
        expect(not asked, "asks again when all that was missing is known", policy, facts, **seen)


def _unknown(policy: Any, facts: object) -> set[str]:
    found = records.values(policy, facts)
    flagged = {"last_contact_at"} if found.get("contact_unknown") else set()
    return {fact for fact, value in found.items() if value is UNKNOWN} | flagged


def _given(policy: Any, facts: object, values: Mapping[str, Any]) -> Any:
    flag = {"contact_unknown": False} if "last_contact_at" in values else {}
    return but(policy, facts, **flag, **values)


def _cases(policy: Any, facts: object, now: datetime, unknown: set[str]) -> Iterator[dict[str, Any]]:
    """The unknown facts at their extremes: all so that it is due soonest, all so that it is due latest."""
    idle = getattr(policy, "idle", None)
    table = idle if isinstance(idle, Mapping) else {}
    grades = [*table, *([None] if "default" in table else [])]
    for grade in grades if "grade" in unknown else [None]:
        own = {"grade": grade} if "grade" in unknown else {}
        for late in (False, True):
            case = {**{fact: _extreme(fact, now, late=late) for fact in unknown}, **own}
            yield case
            if late and "appointment_at" in unknown:
                yield {**case, "appointment_at": _latest_appointment(policy, _given(policy, facts, case))}


def _extreme(fact: str, now: datetime, *, late: bool) -> Any:
    if fact in records.PAST:
        return now if late else now - LONG
    if fact == "status":
        return "won" if late else "open"
    if fact == "owner":
        return None if late else "somebody"
    return OPEN_ENDED if late and fact.endswith("_until") else None


def _latest_appointment(policy: Any, facts: Any) -> datetime | None:
    within, due = records.bound(policy, "appointment"), policy.deadline(but(policy, facts, appointment_at=None))
    return within.add(due) if within and due else None


def longer_limit_never_reclaims_more(policy: Any, longer: Any, facts: object, now: datetime) -> None:
    """What `longer`, with longer or fewer limits, reclaims, the policy reclaims too; no deadline is sooner."""
    both = {**records.values(longer, facts), **records.values(policy, facts)}
    facts = records.record(policy, both)
    strict, lax = answer(policy, facts, now), answer(longer, facts, now)
    more = lax[0] is Outcome.RECLAIM and strict[0] is not Outcome.RECLAIM
    expect(not more, "a longer limit reclaims more", policy, facts, longer=longer, now=now, answers=(strict, lax))
    soon, later = policy.deadline(facts), longer.deadline(facts)
    right = soon is None or later is None or soon <= later
    expect(right, "a longer limit falls due sooner", policy, facts, longer=longer, deadlines=(soon, later))


# --- values ---


def decision_is_deterministic(policy: Any, facts: object, now: datetime) -> None:
    """Deciding twice gives one decision with one set of reasons, and leaves the record as it was."""
    before = records.values(policy, facts)
    first, second = decide(policy, facts, now), decide(policy, facts, now)
    same = first == second and first.reasons == second.reasons and hash(first) == hash(second)
    expect(same, "deciding again gives another decision", policy, facts, now=now, first=first, second=second)
    after = records.values(policy, facts)
    expect(after == before, "deciding changes the record", policy, facts, now=now, before=before)


def decision_round_trips(decision: Decision) -> None:
    """A decision pickles with its reasons, goes to JSON and back, explains itself, and has no truth value."""
    reasons = decision.reasons
    copy: Decision = pickle.loads(pickle.dumps(decision))  # noqa: S301 - our own bytes
    expect(copy == decision and copy.reasons == reasons, PICKLED + " is not equal", decision.policy, reasons, copy=copy)
    plain = decision.record()
    expect(json.loads(json.dumps(plain)) == plain, "record() is not plain JSON", decision.policy, plain)
    expect(copy.record() == plain, PICKLED + " has another record", decision.policy, plain, copy=copy.record())
    for lang in ("en", "zh"):
        said = decision.explain(lang)
        expect(bool(said) and said == copy.explain(lang), "explains itself otherwise", decision.policy, said, lang=lang)
    try:
        bool(decision)
    except TypeError:
        return
    expect(False, "a decision has a truth value", decision.policy, reasons)


def reading_keeps_digest(policy: Any) -> None:
    """The host's names are no part of the digest."""
    renamed = policy.reading(**{fact: f"host_{fact}" for fact in policy.reads})
    expect(renamed.digest == policy.digest, "reading changes the digest", policy, renamed)
    expect(renamed.reads == policy.reads, "reading changes what is read", policy, renamed)


def equal_policies_equal_digest(policy: Any, other: Any) -> None:
    """Equal policies have one digest and one hash; a pickled copy is equal."""
    copy = pickle.loads(pickle.dumps(policy))  # noqa: S301 - our own bytes
    expect(copy == policy and copy.digest == policy.digest, PICKLED + " is not equal", policy, None, copy=copy)
    if policy == other:
        same = policy.digest == other.digest and hash(policy) == hash(other)
        expect(same, "equal policies, but not one digest and one hash", policy, None, other=other)


def equal_digests_equal_answers(policy: Any, other: Any, facts: object, now: datetime) -> None:
    """Two policies with one digest give one answer: what the digest leaves out decides nothing."""
    if policy.digest == other.digest:
        one, two = (
            (d.outcome, d.step, d.rule, d.next_change_at, d.deadline)
            for d in (decide(policy, facts, now), decide(other, facts, now))
        )
        expect(one == two, "one digest, two answers", policy, facts, other=other, now=now, one=one, two=two)


def book_round_trips(book: PolicyBook) -> None:
    """A book written to TOML and read again is equal, with the same digest; so are a pinned and a pickled one."""
    text = book.to_toml()
    again = type(book).loads(text)
    expect(again == book and again.digest == book.digest, "the book read again is another", book, text, again=again)
    pinned = type(book).loads(book.to_toml(pin=True))
    expect(pinned == book and pinned.digest == book.digest, "the pinned book is another", book, pinned)
    copy = pickle.loads(pickle.dumps(book))  # noqa: S301 - our own bytes
    expect(copy == book and copy.digest == book.digest, PICKLED + " is not equal", book, copy)


def span_is_monotone_and_adjoint(bound: BoundSpan, t: datetime, u: datetime) -> None:
    """`add` never decreases; t <= cutoff(u) where add(t) <= u, and t >= sub(u) where add(t) >= u, and nowhere else."""
    early, late = sorted((t, u))
    seen = {"t": t, "u": u, "add(t)": bound.add(t), "cutoff(u)": bound.cutoff(u), "sub(u)": bound.sub(u)}
    expect(bound.add(early) <= bound.add(late), "add decreases", bound, None, **seen)
    expect((t <= bound.cutoff(u)) == (bound.add(t) <= u), "cutoff is not the greatest t", bound, None, **seen)
    expect((t >= bound.sub(u)) == (bound.add(t) >= u), "sub is not the least t", bound, None, **seen)


def cap_is_monotone(policy: CapPolicy, owner: str | int, held: int, now: datetime) -> None:
    """Full from the cap on (OWN-10) and ever after; `over_by` counts from there; `decide` says the same."""
    cap, full = policy.cap(owner), policy.full(owner, held)
    seen = {"owner": owner, "held": held, "cap": cap, "full": full, "over_by": policy.over_by(owner, held)}
    expect(full == (cap is not None and held >= cap), "full is not held >= cap", policy, None, **seen)
    expect(policy.full(owner, held + 1) or not full, "full, and not with one more", policy, None, **seen)
    over = None if cap is None else max(held - cap, 0)
    expect(policy.over_by(owner, held) == over, "over_by is not held - cap", policy, None, **seen)
    decision = policy.decide({"owner": owner, "held": held}, now=now)
    right = decision.outcome is (Outcome.UNASSIGNED if full else Outcome.ASSIGN) and decision.next_change_at is None
    expect(right, "decide says otherwise", policy, None, **seen, decision=decision)
