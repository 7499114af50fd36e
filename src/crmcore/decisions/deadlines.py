"""
Deadlines: one instant, seen by decision, reminder, display and work list alike.

`DeadlineRules` is data: limits that count from the latest of their starts, holds before whose end nothing falls due,
leads of the reminders. `Deadlines` reads a record against it:

    deadline = max(earliest limit, latest hold); an appointment shortly after it moves the deadline to the appointment

Every fact only ever moves the deadline one way, so an unknown fact leaves a few *cases* (it was long ago; it is yet to
come; each grade), and the answer stands where all cases give the same, else it is NEEDS_DATA.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from itertools import product, starmap
from typing import Any, Final

import attrs

from crmcore.calendars import EARLIEST, OPEN_ENDED, BoundSpan, to_utc
from crmcore.decisions.codes import Outcome
from crmcore.decisions.decision import Decision, PolicyRef
from crmcore.decisions.facts import UNKNOWN, FactReader, optional_flag
from crmcore.decisions.limits import DeadlineRules, Hold, Limit
from crmcore.decisions.reasons import Judged
from crmcore.errors import InvalidFact

__all__ = ["Case", "Clock", "Deadlines"]

NEVER: Final = OPEN_ENDED
OPEN: Final = "open"


@attrs.frozen
class Clock:
    """One limit in one case: since when it runs, and when it is due."""

    limit: Limit
    fact: str
    start: datetime
    span: BoundSpan
    due: datetime


@attrs.frozen
class Case:
    """One way the facts may be: the deadline, when each reminder begins, and the clocks behind them."""

    deadline: datetime
    begins: tuple[datetime, ...]
    clocks: tuple[Clock, ...]

    def answer(self, now: datetime) -> tuple[Outcome, int]:
        """The answer of this case at `now`."""
        if self.deadline <= now:
            return Outcome.RECLAIM, 0
        step = sum(begin <= now for begin in self.begins)
        return (Outcome.REMIND, step) if step else KEPT

    def changes(self, now: datetime) -> Iterator[datetime]:
        """The instants after `now` at which the answer of this case may change."""
        return (at for at in (*self.begins, self.deadline) if now < at < NEVER)


KEPT: Final = (Outcome.KEEP, 0)
OPEN_QUESTION: Final = (Outcome.NEEDS_DATA, 0)
UNTOUCHED: Final = Case(NEVER, (), ())


@attrs.frozen
class Seen:
    """A record as seen at an instant: values at the door, what is unknown, what lies in the future."""

    values: Mapping[str, Any]
    ignored: tuple[str, ...]
    bound: datetime | None


class Deadlines:
    """`DeadlineRules` at work on records; holds no state but what is computed from the rules."""

    def __init__(self, rules: DeadlineRules, ref: Callable[[], PolicyRef], names: Mapping[str, str]) -> None:
        self.rules = rules
        self._ref = ref
        self.read = FactReader(rules.facts, names)
        self._flag = rules.flag
        self.flag_host = names.get(self._flag[0], self._flag[0]) if self._flag else ""
        self._id_host = names.get("id", "id")

    @cached_property
    def ref(self) -> PolicyRef:
        """The reference that every decision carries; the digest is computed once, when first needed."""
        return self._ref()

    # --- reading ---

    def values(self, facts: object) -> dict[str, Any]:
        """The facts by their names, instants in UTC; raises `MissingFact`, `NaiveDatetime`, `InvalidFact`."""
        values = self.door(self.read(facts), self._id(facts))
        if self._flag and optional_flag(facts, self.flag_host):
            values[self._flag[1]] = UNKNOWN
        return values

    def door(self, read: Iterable[Any], record_id: object = None) -> dict[str, Any]:
        """Values as `read`, by their names, instants in UTC."""
        values = dict(zip(self.read.facts, read, strict=True))
        for fact in self._instants:
            value = values[fact]
            if value is not None and value is not UNKNOWN:
                values[fact] = to_utc(value, fact, record_id)
        self._check_gate(values[self.rules.gate], record_id)
        for fact in self._codes:
            if not isinstance(values[fact], Hashable):
                raise InvalidFact(fact, values[fact], "a code, as text", record_id)
        return values

    @cached_property
    def _codes(self) -> tuple[str, ...]:
        return tuple(limit.by for limit in self.rules.limits if limit.by)

    @cached_property
    def _instants(self) -> tuple[str, ...]:
        others = {self.rules.gate, self.rules.owner, *self._codes}
        return tuple(fact for fact in self.rules.facts if fact not in others)

    @cached_property
    def dated(self) -> tuple[bool, ...]:
        """Of each fact that is read, whether it is an instant."""
        return tuple(fact in self._instants for fact in self.rules.facts)

    def _id(self, facts: object) -> object:
        return facts.get(self._id_host) if isinstance(facts, Mapping) else getattr(facts, self._id_host, None)

    def _check_gate(self, status: object, record_id: object) -> None:
        if status == OPEN or status is UNKNOWN or status in self.rules.closed:
            return
        expected = f"one of {', '.join((OPEN, *self.rules.closed))}; map your codes to these"
        raise InvalidFact(self.rules.gate, status, expected, record_id)

    def seen(self, values: Mapping[str, Any], now: datetime) -> Seen:
        """The values as they count at `now`: a past event too far in the future is ignored until it is near."""
        late = {fact: at for fact in self.rules.past if isinstance(at := values.get(fact), datetime) and at > now}
        if not late:
            return Seen(values, (), None)
        horizon = self.rules.tolerance.add(now)
        ignored = tuple(fact for fact, at in late.items() if at > horizon)
        bounds = [self.rules.tolerance.sub(at) if at > horizon else at for at in late.values()]
        return Seen({**values, **dict.fromkeys(ignored)}, ignored, min(bounds))

    # --- the cases ---

    def cases(self, values: Mapping[str, Any]) -> tuple[Case, ...]:
        """Every way the facts may be, at its extremes; one case where all are known."""
        rules = self.rules
        status, owner = values[rules.gate], values[rules.owner]
        if owner is None or (status is not UNKNOWN and status != OPEN):
            return (UNTOUCHED,)
        clocks = product(*(self.clocks(limit, values) for limit in rules.limits))
        cases = tuple(starmap(self._case, product(clocks, self._floors(values), self._appointments(values))))
        return (*cases, UNTOUCHED) if status is UNKNOWN or owner is UNKNOWN else cases

    def clocks(self, limit: Limit, values: Mapping[str, Any]) -> tuple[Clock, ...]:
        """One clock, or several where its start or its span is not known."""
        fact, start, unknown = limit.starts[0], None, None
        for name in limit.starts:
            at = values[name]
            if at is UNKNOWN:
                unknown = unknown or name
            elif at is not None and (start is None or at > start):
                fact, start = name, at
        spans = self._spans(limit, values)
        if start is None:
            early = tuple([Clock(limit, fact, EARLIEST, span, EARLIEST) for span in spans])
        else:
            early = tuple([Clock(limit, fact, start, span, span.add(start)) for span in spans])
            if unknown is None:
                return early
        return (*early, Clock(limit, unknown or limit.starts[0], NEVER, spans[0], NEVER))

    @staticmethod
    def _spans(limit: Limit, values: Mapping[str, Any]) -> tuple[BoundSpan, ...]:
        code = None if limit.by is None else values[limit.by]
        span = None if code is UNKNOWN else limit.spans.get(code, limit.default)
        if span is not None:
            return (span,)
        return tuple(limit.spans.values())

    def _floors(self, values: Mapping[str, Any]) -> tuple[datetime, ...]:
        """The latest end of a hold; beside it NEVER where one is not known."""
        found = [(hold, value) for hold in self.rules.holds if (value := values[hold.fact]) is not None]
        floor = max((hold.end(value) for hold, value in found if value is not UNKNOWN), default=EARLIEST)
        return (floor, NEVER) if any(value is UNKNOWN for _, value in found) else (floor,)

    def _appointments(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        value = values[self.rules.appointment.fact] if self.rules.appointment else None
        return (None, UNKNOWN) if value is UNKNOWN else (value,)

    def _case(self, clocks: tuple[Clock, ...], floor: datetime, appointment: Any) -> Case:
        def settle(dues: Iterable[datetime]) -> datetime:
            deadline = max(min(dues, default=NEVER), floor)
            return deadline if appointment is None else self._move(deadline, appointment)

        deadline = settle(clock.due for clock in clocks)
        begins = []
        for lead in self.rules.leads:
            own = settle(clock.due for clock in clocks if self.rules.begins(lead, clock.span))
            begins.append(NEVER if own == NEVER else lead.sub(own))
        return Case(deadline, tuple(begins), clocks)

    def _move(self, deadline: datetime, at: Any) -> datetime:
        rule = self.rules.appointment
        if rule is None or deadline == NEVER:
            return deadline
        return rule.within.add(deadline) if at is UNKNOWN else rule.move(deadline, at)

    # --- the answer ---

    def decide(self, facts: object, now: datetime) -> Decision:
        """The decision on a record at `now`."""
        return self.judge(self.values(facts), to_utc(now, "now"))

    def judge(self, values: Mapping[str, Any], now: datetime) -> Decision:
        """The decision on values that came through `values`."""
        seen = self.seen(values, now)
        cases = self.cases(seen.values)
        if cases[0] is UNTOUCHED:
            return Decision(*KEPT, None, now, None, None, (), False, self.ref, Judged(self, values))
        outcome, step = answer = agreed(cases, now)
        missing = (*seen.ignored, *self._missing(seen.values, cases)) if answer == OPEN_QUESTION else seen.ignored
        certain = max(case.deadline for case in cases)
        return Decision(
            outcome,
            step,
            self._rule(cases, answer, now),
            now,
            next_change(cases, answer, now, seen.bound),
            None if certain == NEVER else certain,
            tuple(dict.fromkeys(missing)),
            self._provisional(cases, seen.values),
            self.ref,
            Judged(self, values),
        )

    def deadline(self, facts: object) -> datetime | None:
        """The deadline of the facts as they stand, future ones included; None: there is none, or it is not known."""
        deadlines = {case.deadline for case in self.cases(self.values(facts))}
        deadline = deadlines.pop()
        return None if deadlines or deadline == NEVER else deadline

    def _missing(self, values: Mapping[str, Any], cases: tuple[Case, ...]) -> tuple[str, ...]:
        """The facts that would have to be known: unknown ones, starts that are none, a code that is not listed."""
        unknown = [fact for fact in self.rules.facts if values[fact] is UNKNOWN]
        for limit in self.rules.limits:
            if all(values[fact] is None for fact in limit.starts):
                unknown.append(limit.starts[0])
            if limit.by and len({id(c.span) for case in cases for c in case.clocks if c.limit is limit}) > 1:
                unknown.append(limit.by)
        return tuple(unknown)

    def _rule(self, cases: tuple[Case, ...], answer: tuple[Outcome, int], now: datetime) -> str | None:
        """The first rule in catalogue order that holds in every case, now or at the soonest reminder begun."""
        if answer in (KEPT, OPEN_QUESTION):
            return None
        held = [self._held(case, answer[0], now) for case in cases]
        return next((rule for rule in held[0] if all(rule in other for other in held)), held[-1][0])

    def _held(self, case: Case, outcome: Outcome, now: datetime) -> list[str]:
        if outcome is Outcome.RECLAIM:
            return [clock.limit.rule for clock in case.clocks if clock.due <= now]
        begun = [lead for lead, begin in zip(self.rules.leads, case.begins, strict=True) if begin <= now]
        lead = min(begun, key=lambda lead: lead.add(now))
        until = lead.add(now)
        return [c.limit.rule for c in case.clocks if c.due <= until and self.rules.begins(lead, c.span)]

    def _provisional(self, cases: tuple[Case, ...], values: Mapping[str, Any]) -> bool:
        if not self.uses_calendar:
            return False
        dated = [(clock.span, clock.due) for case in cases for clock in case.clocks]
        moving = [self.rules.appointment.within] if self.rules.appointment else []
        dated += [(span, case.deadline) for case in cases for span in (*self.rules.leads, *moving)]
        dated += [(hold.span, end) for hold, end in self.holds(values) if hold.span and end is not None]
        return any(span.provisional(at) for span, at in dated if at < NEVER)

    @cached_property
    def uses_calendar(self) -> bool:
        """Whether any span of the rules depends on a calendar."""
        spans = [span for limit in self.rules.limits for span in limit.spans.values()]
        spans += [hold.span for hold in self.rules.holds if hold.span]
        spans += [self.rules.appointment.within] if self.rules.appointment else []
        return any(span.span.needs == "calendar" for span in (*spans, *self.rules.leads))

    @cached_property
    def known_until(self) -> datetime:
        """The first instant that is provisional; OPEN_ENDED without a calendar, or a limit to it."""
        spans = [span for limit in self.rules.limits for span in limit.spans.values()]
        spans += [*self.rules.leads, *(hold.span for hold in self.rules.holds if hold.span)]
        spans += [self.rules.appointment.within] if self.rules.appointment else []
        return min((span.known_until for span in spans), default=NEVER)

    def holds(self, values: Mapping[str, Any]) -> Iterator[tuple[Hold, datetime | None]]:
        """Each hold with its end; None where the fact is none or not known."""
        for hold in self.rules.holds:
            value = values[hold.fact]
            yield hold, None if value is None or value is UNKNOWN else hold.end(value)


def agreed(cases: tuple[Case, ...], now: datetime) -> tuple[Outcome, int]:
    """The answer that all cases give at `now`, else NEEDS_DATA."""
    first = cases[0].answer(now)
    return first if all(case.answer(now) == first for case in cases[1:]) else OPEN_QUESTION


def next_change(
    cases: tuple[Case, ...], answer: tuple[Outcome, int], now: datetime, bound: datetime | None
) -> datetime | None:
    """The first instant after `now` at which the cases no longer agree on `answer`, or `bound` if that is sooner."""
    instants = sorted({at for case in cases for at in case.changes(now)})
    change = next((at for at in instants if agreed(cases, at) != answer), None)
    return min(filter(None, (change, bound)), default=None)
