"""
How a policy is let loose on prospects: with a grace after each change, and ceilings on what a run may take.

`decide` knows nothing of it: it says reclaim, and the run waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

import attrs

from crmcore.calendars import OPEN_ENDED, BusinessCalendar, Span
from crmcore.decisions.codes import Outcome
from crmcore.decisions.decision import Decision
from crmcore.errors import CrmcoreError, InvalidPolicy, InvalidSpan
from crmcore.ownership.policy import ReclaimPolicy
from crmcore.ownership.stored import Activation

__all__ = ["Grace", "RunLimits", "restored"]

UNLIMITED: Final = "unlimited"
NOTHING: Final[tuple[Any, ...]] = (None, [], {}, False)
"""What a canonical calendar says of what it does not have."""
Said = tuple[Mapping[str, Any], str]
"""The parameters and the digest of a policy."""


def _ceiling(value: int | str | None, key: str) -> int | None:
    if value is None or value == UNLIMITED:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidPolicy(key, value, f'a whole number, 0 or more, or "{UNLIMITED}"')
    return value


def _per_run(value: int | str | None) -> int | None:
    return _ceiling(value, "max_per_run")


def _per_owner(value: int | str | None) -> int | None:
    return _ceiling(value, "max_per_owner_per_day")


def _grace(value: str | Span) -> Span:
    try:
        return Span(value)
    except InvalidSpan as error:
        raise InvalidPolicy("activation_grace", value, f"a span; {error.hint}") from None


@attrs.frozen(kw_only=True)
class RunLimits:
    """
    What a run may take from owners.

    `activation_grace`: for so long after a policy takes effect in a store, nobody is reclaimed whom the policies before
    it would have left; "0d": none. `max_per_run`, `max_per_owner_per_day` (a calendar day in the policy's zone): at
    most so many reclaims, oldest deadline first, then the greatest value; ``None`` or "unlimited": no ceiling. Raises
    `InvalidPolicy`.
    """

    activation_grace: Span = attrs.field(default=Span("14d"), converter=_grace)
    max_per_run: int | None = attrs.field(default=200, converter=_per_run)
    max_per_owner_per_day: int | None = attrs.field(default=20, converter=_per_owner)


_RESTORED: Final[dict[str, ReclaimPolicy]] = {}


def restored(parameters: Mapping[str, Any], digest: str) -> ReclaimPolicy | None:
    """The policy with these canonical parameters; None where this release makes another one of them."""
    if digest not in _RESTORED and (policy := _restored(parameters, digest)) is not None:
        _RESTORED[digest] = policy
    return _RESTORED.get(digest)


def _restored(parameters: Mapping[str, Any], digest: str) -> ReclaimPolicy | None:
    try:
        policy = ReclaimPolicy(**_arguments(parameters))
    except (CrmcoreError, AttributeError, TypeError, ValueError):
        return None
    return policy if policy.digest == digest else None


def _arguments(parameters: Mapping[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {key: value for key, value in parameters.items() if value is not None}
    idle = {key.partition(".")[2]: given.pop(key) for key in list(given) if key.startswith("idle.")}
    calendar = {key: value for key, value in (given.pop("calendar", None) or {}).items() if value not in NOTHING}
    if idle:
        given["idle"] = idle
    return {**given, "calendar": BusinessCalendar.from_table(calendar, name="stored") if calendar else None}


@attrs.frozen
class Grace:
    """
    Which earlier policies still have a say at an instant, each with the instant from which it has none.

    ``None`` stands for no policy, or one that cannot be read any more: both would have left everybody.
    """

    earlier: tuple[tuple[ReclaimPolicy | None, datetime], ...] = ()

    @classmethod
    def of(cls, policy: ReclaimPolicy, limits: RunLimits, activations: Iterable[Activation], now: datetime) -> Grace:
        """The grace of `policy` at `now`, after these activations; one that is not among them takes effect now."""
        grace = limits.activation_grace.on(zone=policy.zone or "UTC", calendar=policy.calendar, key="activation_grace")
        known = list(activations)
        if not known or known[-1].digest != policy.digest:
            known.append(Activation(at=now, digest=policy.digest, parameters={}))
        found = ((said, grace.add(at)) for said, at in _ended(known))
        return cls(tuple((restored(*said) if said else None, until) for said, until in found if until > now))

    def free_from(self, facts: object, decision: Decision) -> datetime:
        """From when on a RECLAIM on these facts may be applied; not after `decision.as_of`: it may be now."""
        return max(self._objections(facts, decision.as_of), default=decision.as_of)

    def _objections(self, facts: object, now: datetime) -> Iterator[datetime]:
        for policy, until in self.earlier:
            earlier = _decided(policy, facts, now)
            if earlier is None or earlier.outcome is not Outcome.RECLAIM:
                due = None if earlier is None else earlier.deadline
                yield min(until, due or OPEN_ENDED)


def _decided(policy: ReclaimPolicy | None, facts: object, now: datetime) -> Decision | None:
    try:
        return None if policy is None else policy.decide(facts, now=now)
    except CrmcoreError:
        return None


def _ended(activations: list[Activation]) -> Iterator[tuple[Said | None, datetime]]:
    """Each policy but the last, with the instant at which the next took its place."""
    yield None, activations[0].at
    for earlier, later in pairwise(activations):
        yield (earlier.parameters, earlier.digest), later.at
