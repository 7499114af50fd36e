"""What a deadline policy judges, as data: limits, holds, an appointment, the leads of its reminders."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from crmcore.calendars import OPEN_ENDED, BoundSpan
from crmcore.decisions.codes import ReasonCode

__all__ = ["Appointment", "DeadlineRules", "Hold", "Limit"]


@attrs.frozen(kw_only=True)
class Limit:
    """Due at the span after the latest of `starts`; the span may differ by the fact `by`. A limit due is a rule met."""

    rule: str
    code: ReasonCode
    starts: tuple[str, ...]
    spans: Mapping[str | None, BoundSpan]
    by: str | None = None
    unknown_flag: str | None = None

    @property
    def default(self) -> BoundSpan | None:
        """The span for a value of `by` that is none or not listed; without it such a value is unknown."""
        return self.spans.get(None)


@attrs.frozen(kw_only=True)
class Hold:
    """Nothing falls due before `fact` and the span after it; OPEN_ENDED: never."""

    rule: str
    code: ReasonCode
    fact: str
    span: BoundSpan | None = None

    def end(self, value: datetime) -> datetime:
        """Until when the hold lasts, exclusive."""
        return value if self.span is None or value == OPEN_ENDED else self.span.add(value)


@attrs.frozen(kw_only=True)
class Appointment:
    """An instant at most `within` after the deadline moves the deadline to it."""

    rule: str
    code: ReasonCode
    fact: str
    within: BoundSpan

    def move(self, deadline: datetime, at: datetime) -> datetime:
        """The deadline, moved to the appointment where it lies shortly after."""
        return at if deadline < at <= self.within.add(deadline) else deadline


@attrs.frozen(kw_only=True)
class DeadlineRules:
    """What a deadline policy judges, as data, in catalogue order."""

    gate: str
    owner: str
    closed: tuple[str, ...]
    past: tuple[str, ...]
    limits: tuple[Limit, ...]
    holds: tuple[Hold, ...]
    appointment: Appointment | None
    leads: tuple[BoundSpan, ...]
    tolerance: BoundSpan
    gate_reason: tuple[str, ReasonCode] = ("OWN-9", ReasonCode.NOT_OPEN)
    owner_reason: tuple[str, ReasonCode] = ("OWN-1", ReasonCode.NO_OWNER)

    @property
    def facts(self) -> tuple[str, ...]:
        """The facts that are read, each once; a flag that may be absent is not among them."""
        named = [self.gate, self.owner]
        for limit in self.limits:
            named += [*limit.starts, *([limit.by] if limit.by else [])]
        named += [hold.fact for hold in self.holds]
        named += [self.appointment.fact] if self.appointment else []
        return tuple(dict.fromkeys(named))

    @property
    def flag(self) -> tuple[str, str] | None:
        """The flag that may be absent, and the fact that it makes unknown."""
        return next(((limit.unknown_flag, limit.starts[-1]) for limit in self.limits if limit.unknown_flag), None)

    def begins(self, lead: BoundSpan, span: BoundSpan) -> bool:
        """Whether the lead is used for the limit: only a shorter one is."""
        return lead.span.nominal < span.span.nominal

    @property
    def uniform(self) -> bool:
        """Whether every lead is shorter than every limit, so that one reminder time serves all."""
        spans = [span for limit in self.limits for span in limit.spans.values()]
        return all(self.begins(lead, span) for lead in self.leads for span in spans)
