"""What is kept of a prospect: its facts, the answer they had, and what becomes of it as one change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import attrs

from crmcore.decisions.codes import Outcome
from crmcore.decisions.decision import Decision
from crmcore.decisions.facts import UNKNOWN
from crmcore.ownership.values import Status

__all__ = [
    "Activation",
    "Answer",
    "Change",
    "Event",
    "EventKind",
    "Message",
    "Stored",
    "counted_owner",
    "counter_of",
    "owner_of",
    "said",
    "worth",
]


@attrs.frozen(kw_only=True)
class Answer:
    """
    What a policy said, as it is kept.

    `next_change_at` is when to look again. Of a RECLAIM that was not applied yet, that is from when it may be applied;
    `deadline` is kept of reminders and reclaims. `parked` is why the prospect could not be judged: it is not looked at
    again before its facts or the policy change.
    """

    outcome: str | None = None
    step: int = 0
    rule: str | None = None
    deadline: datetime | None = None
    next_change_at: datetime | None = None
    digest: str | None = None
    parked: str | None = None


@attrs.frozen(kw_only=True)
class Stored:
    """
    A prospect as it is kept.

    `facts` under the library's names, `id` among them; what is not there is none. `version` counts the changes of the
    facts: 1 when new.
    """

    facts: Mapping[str, Any]
    version: int
    answer: Answer
    key: str = attrs.field(init=False, eq=False, repr=False)
    """The id as text, by which prospects are found: 7 and "7" are one."""

    @key.default
    def _key(self) -> str:
        return str(self.facts["id"])


class EventKind(StrEnum):
    """Why an owner changed; compares equal to its text."""

    REGISTERED = "registered"
    IMPORTED = "imported"
    ASSIGNED = "assigned"
    CLAIMED = "claimed"
    RELEASED = "released"
    RECLAIMED = "reclaimed"


@attrs.frozen(kw_only=True)
class Event:
    """
    One line of the ownership history, never changed: the owner before and after `version` of the prospect.

    `request` is the key of the command, `by` who asked for it.
    """

    key: str
    version: int
    at: datetime
    kind: str
    owner_before: str | None
    owner_after: str | None
    rule: str | None = None
    deadline: datetime | None = None
    digest: str | None = None
    request: str | None = None
    by: str | None = None


@attrs.frozen(kw_only=True)
class Message:
    """
    What the host is to be told, once for each (key, deadline, step): a reminder, or with step 0 a reclaim applied.

    `owner` is whom it concerns; of a reclaim, who lost the prospect.
    """

    key: str
    deadline: datetime
    step: int
    outcome: str
    rule: str | None
    owner: str | None
    at: datetime


@attrs.frozen(kw_only=True)
class Change:
    """What becomes of a prospect, with what is written beside it; `before` is what it must still be (None: new)."""

    before: Stored | None
    after: Stored
    event: Event | None = None
    message: Message | None = None

    @property
    def answers(self) -> bool:
        """Whether only the answer is another: the facts are the very same."""
        before, after = self.before, self.after
        return before is not None and after.facts is before.facts and after.version == before.version


@attrs.frozen(kw_only=True)
class Activation:
    """From when on a policy was in force in a store; `parameters` are its canonical ones."""

    at: datetime
    digest: str
    parameters: Mapping[str, Any]


WORTHLESS: Final = float("-inf")
CLOSED: Final = frozenset((Status.WON.value, Status.LOST.value, Status.INVALID.value))


def owner_of(facts: Mapping[str, Any]) -> str | None:
    """The owner's id as text; None: there is none, or it is not known."""
    owner = facts.get("owner")
    return None if owner is None or owner is UNKNOWN else str(owner)


def counted_owner(facts: Mapping[str, Any]) -> str | None:
    """Whose cap a prospect counts against, as text; None: nobody's (OWN-9)."""
    return None if facts.get("status") in CLOSED else owner_of(facts)


def counter_of(owner: str | int) -> str:
    """The name of the counter of an owner's open prospects."""
    return f"held/{owner}"


def worth(facts: Mapping[str, Any]) -> float:
    """The value that decides which of two reclaims with one deadline goes first; least of all what is no number."""
    value = facts.get("value")
    number = value if isinstance(value, (int, float, Decimal)) else getattr(value, "amount", None)
    if number is None or isinstance(value, bool):
        return WORTHLESS
    try:
        found = float(number)
    except (OverflowError, ValueError):  # beyond every float, or a NaN that signals
        found = -WORTHLESS if isinstance(value, int) and value > 0 else WORTHLESS
    return found if found == found else WORTHLESS  # noqa: PLR0124 - NaN is not itself


def said(decision: Decision) -> Answer:
    """The answer of a decision, as it is kept."""
    told = decision.outcome in (Outcome.REMIND, Outcome.RECLAIM)
    return Answer(
        outcome=decision.outcome.value,
        step=decision.step,
        rule=decision.rule,
        deadline=decision.deadline if told else None,
        next_change_at=decision.next_change_at,
        digest=decision.policy.digest,
    )
