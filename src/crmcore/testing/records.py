"""How the laws read a host's records and build others like them; how a law says what it found."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, Final

from crmcore.calendars import BoundSpan, Span, to_utc
from crmcore.decisions import UNKNOWN, Decision, Outcome

__all__ = [
    "answer",
    "bound",
    "but",
    "decide",
    "expect",
    "ignored",
    "is_known",
    "judged",
    "record",
    "values",
]

PAST: Final = ("assigned_at", "last_contact_at")
TOLERANCE: Final = Span("24h")


def names(policy: Any) -> Mapping[str, str]:
    """The host's names of facts."""
    found: Mapping[str, str] = getattr(policy, "names", {})
    return found


def values(policy: Any, facts: object) -> dict[str, Any]:
    """The facts that the policy reads, by its own names; a flag that is absent is absent here too."""
    found = {}
    for fact in policy.reads:
        host = names(policy).get(fact, fact)
        try:
            found[fact] = facts[host] if isinstance(facts, Mapping) else attrgetter(host)(facts)
        except (AttributeError, KeyError):
            if fact != "contact_unknown":
                raise
    return found


def record(policy: Any, values: Mapping[str, Any]) -> Any:
    """A record with these facts under the host's names: an object, or a mapping where a name is no attribute."""
    named = {names(policy).get(fact, fact): value for fact, value in values.items()}
    return SimpleNamespace(**named) if all(name.isidentifier() for name in named) else named


def but(policy: Any, facts: object, **changes: Any) -> Any:
    """A record like `facts` but for the facts given; those that the policy does not read are left out."""
    return record(policy, {**values(policy, facts), **{k: v for k, v in changes.items() if k in policy.reads}})


def expect(holds: bool, what: str, policy: object, facts: object, **seen: object) -> None:  # noqa: FBT001 - an assertion
    """Raises an AssertionError that shows the policy, the facts and what was seen, unless the law holds."""
    if not holds:
        shown = {"policy": policy, "facts": facts, **seen}
        raise AssertionError("\n".join([what, *(f"  {name}: {_shown(value)}" for name, value in shown.items())]))


def _shown(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def decide(policy: Any, facts: object, now: datetime) -> Decision:
    """The decision; an error is a law broken, for legal facts have an answer."""
    try:
        decision: Decision = policy.decide(facts, now=now)
    except Exception as error:
        msg = f"decide raised {type(error).__name__}: {error}"
        message = "\n".join([msg, f"  policy: {policy}", f"  facts: {facts}", f"  now: {now.isoformat()}"])
        raise AssertionError(message) from error
    return decision


def answer(policy: Any, facts: object, now: datetime) -> tuple[Outcome, int]:
    """Outcome and step at `now`."""
    decision = decide(policy, facts, now)
    return decision.outcome, decision.step


def bound(policy: Any, key: str) -> BoundSpan | None:
    """The span under `key` of the policy, on its zone and calendar."""
    span = getattr(policy, key, TOLERANCE if key == "future_tolerance" else None)
    return None if span is None else on(policy, span)


def on(policy: Any, span: Span) -> BoundSpan:
    """The span on the policy's zone and calendar."""
    return span.on(getattr(policy, "zone", None) or "UTC", getattr(policy, "calendar", None))


def ahead(policy: Any, facts: object, now: datetime) -> dict[str, datetime]:
    """Facts of past events that lie after `now`."""
    found = values(policy, facts)
    if found.get("contact_unknown"):
        found["last_contact_at"] = UNKNOWN
    return {fact: at for fact in PAST if isinstance(at := found.get(fact), datetime) and at > now}


def ignored(policy: Any, facts: object, now: datetime) -> dict[str, datetime]:
    """Facts that lie so far ahead that they do not count at `now`, with the instants from which they do."""
    tolerance = bound(policy, "future_tolerance")
    assert tolerance is not None  # narrows: there always is one
    horizon = tolerance.add(now)
    return {fact: tolerance.sub(at) for fact, at in ahead(policy, facts, now).items() if at > horizon}


def bounds(policy: Any, facts: object, now: datetime) -> set[datetime]:
    """
    The instants at which the answer is looked at anew, whether it changes or not (DESIGN 2.2).

    In UTC: a local time that there was twice equals no instant of another zone (PEP 495).
    """
    return {to_utc(at) for at in {**ahead(policy, facts, now), **ignored(policy, facts, now)}.values()}


def judged(policy: Any, facts: object) -> bool:
    """Whether the record is open and owned, as far as is known."""
    found = values(policy, facts)
    return found["status"] in ("open", UNKNOWN) and found["owner"] is not None


def is_known(policy: Any, facts: object) -> bool:
    """Whether every fact is known, the assignment and the limit of the grade among them."""
    found, idle = values(policy, facts), getattr(policy, "idle", None)
    listed = not isinstance(idle, Mapping) or "default" in idle or found.get("grade") in idle
    certain = UNKNOWN not in found.values() and not found.get("contact_unknown")
    return certain and listed and found.get("assigned_at", UNKNOWN) is not None
