"""The reasons of a deadline decision: every judged rule, held or not, with the values that were read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import attrs

from crmcore.calendars import OPEN_ENDED, BoundSpan
from crmcore.decisions.decision import Reason
from crmcore.decisions.facts import UNKNOWN
from crmcore.decisions.limits import Hold, Limit

if TYPE_CHECKING:
    from crmcore.decisions.deadlines import Deadlines

__all__ = ["Judged"]


@attrs.frozen
class Judged:
    """What a deadline decision keeps, to give its reasons when asked."""

    deadlines: Deadlines
    values: Mapping[str, Any] | tuple[Any, ...]

    def reasons(self, as_of: datetime) -> tuple[Reason, ...]:
        """Every judged rule, held or not, in catalogue order."""
        values = self.deadlines.door(self.values) if isinstance(self.values, tuple) else self.values
        return deadline_reasons(self.deadlines, self.deadlines.seen(values, as_of).values, as_of)


def deadline_reasons(deadlines: Deadlines, values: Mapping[str, Any], as_of: datetime) -> tuple[Reason, ...]:
    """The reasons in catalogue order; of a record that is not judged, the one condition that says why not."""
    rules = deadlines.rules
    status, owner = values[rules.gate], values[rules.owner]
    if status is not UNKNOWN and status in rules.closed:
        rule, code = rules.gate_reason
        return (Reason(rule=rule, code=code, holds=True, fact=rules.gate, observed=str(status)),)
    if owner is None:
        rule, code = rules.owner_reason
        return (Reason(rule=rule, code=code, holds=True, fact=rules.owner),)
    reasons = [_limit(deadlines, limit, values, as_of) for limit in rules.limits]
    reasons += _holds(deadlines, values, as_of)
    reasons += _appointment(deadlines, values, as_of)
    return tuple(sorted(reasons, key=lambda reason: _catalogue(reason.rule)))


@cache
def _catalogue(rule: str) -> tuple[str, int]:
    family, number = rule.split("-")
    return family, int(number)


def _limit(deadlines: Deadlines, limit: Limit, values: Mapping[str, Any], as_of: datetime) -> Reason:
    clock, *others = clocks = deadlines.clocks(limit, values)
    if any((other.due <= as_of) != (clock.due <= as_of) for other in others):
        fact = limit.by if limit.by and len({id(other.span) for other in clocks}) > 1 else clocks[-1].fact
        return Reason(rule=limit.rule, code=limit.code, holds=None, fact=fact)
    return Reason(
        rule=limit.rule,
        code=limit.code,
        holds=clock.due <= as_of,
        fact=clock.fact,
        observed=clock.start,
        limit=clock.span.span,
        due=clock.due,
        margin=as_of - clock.due,
        known_through=_known_through(clock.span, clock.due),
    )


def _holds(deadlines: Deadlines, values: Mapping[str, Any], as_of: datetime) -> Iterator[Reason]:
    for hold, end in deadlines.holds(values):
        value, endless = values[hold.fact], end == OPEN_ENDED
        if value is None:
            yield _not_held(hold)
            continue
        yield Reason(
            rule=hold.rule,
            code=hold.code,
            holds=None if end is None else end > as_of,
            fact=hold.fact,
            observed=None if value is UNKNOWN else value,
            limit=hold.span.span if hold.span else None,
            due=None if endless else end,
            margin=None if end is None or endless else as_of - end,
            known_through=_known_through(hold.span, end),
        )


@lru_cache(maxsize=256)
def _not_held(hold: Hold) -> Reason:
    """The reason of a hold without a fact: of most, and always the same."""
    limit = hold.span.span if hold.span else None
    return Reason(rule=hold.rule, code=hold.code, holds=False, fact=hold.fact, limit=limit)


def _appointment(deadlines: Deadlines, values: Mapping[str, Any], as_of: datetime) -> Iterator[Reason]:
    rule = deadlines.rules.appointment
    if rule is None:
        return
    value = values[rule.fact]
    known = value is not None and value is not UNKNOWN
    moved = {case.deadline == value for case in deadlines.cases(values)} if known else {False}
    held = None if value is UNKNOWN or len(moved) > 1 else moved.pop() and as_of < value
    yield Reason(
        rule=rule.rule,
        code=rule.code,
        holds=held,
        fact=rule.fact,
        observed=value if known else None,
        limit=rule.within.span,
        due=value if held else None,
        margin=as_of - value if held else None,
    )


def _known_through(span: BoundSpan | None, at: datetime | None) -> Any:
    return span.known_through if span and at and at < OPEN_ENDED and span.provisional(at) else None
