"""
The other side: the rules of the portfolio as a good engineer writes them for one policy, by hand.

Same facts, same rules, same answers (the benchmark compares them before it times anything); every number that does not
depend on the record is computed beforehand, nothing is looked up that need not be.
"""

# ruff: noqa: C901, FURB136, PLR0911, PLR1730 - written for speed: one function, no call where a comparison does

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import attrs

from benchmarks.portfolio import Prospect
from crmcore.calendars import BusinessCalendar
from crmcore.decisions import Decision, Outcome
from crmcore.decisions.decision import PolicyRef

__all__ = ["WorkingDays", "WorkingTime", "decider_by_days", "decider_by_working_time", "outcome_at"]

KEEP, REMIND, RECLAIM, NEEDS_DATA = Outcome.KEEP, Outcome.REMIND, Outcome.RECLAIM, Outcome.NEEDS_DATA
CLOSED = frozenset(("won", "lost", "invalid"))
NEVER = datetime.max.replace(tzinfo=UTC)
LONG_AGO = datetime.min.replace(tzinfo=UTC)
DAY = timedelta(days=1)
IDLE = {"A": 15 * DAY, "B": 30 * DAY, "C": 60 * DAY}
OTHER = 60 * DAY
NO_DEAL = 90 * DAY
MIN_HOLD = 7 * DAY
WEEK_BEFORE, DAY_BEFORE = 7 * DAY, DAY
TOLERANCE = DAY


# --- outcomes in a loop ---


def outcome_at(now: datetime) -> Callable[[Prospect], Outcome]:
    """The outcome of a prospect at `now`; days in Shanghai are 24 hours, so plain subtraction serves."""
    soon = now + WEEK_BEFORE
    horizon = now + TOLERANCE
    cuts = {grade: (soon - limit, now - limit) for grade, limit in IDLE.items()}
    other = (soon - OTHER, now - OTHER)
    deal_soon, deal_due = soon - NO_DEAL, now - NO_DEAL
    held, held_soon = now - MIN_HOLD, soon - MIN_HOLD

    def ended(f: Prospect, at: datetime) -> bool:
        return not (
            ((until := f.frozen_until) is not None and until > at)
            or ((until := f.contract_until) is not None and until > at)
            or ((until := f.quote_until) is not None and until > at)
        )

    def judge(f: Prospect, start: datetime, deal: datetime, assigned: datetime | None) -> Outcome:
        idle_soon, idle_due = cuts.get(f.grade, other)  # type: ignore[arg-type]  # None is no grade
        if start > idle_soon and deal > deal_soon:
            return KEEP
        if (start <= idle_due or deal <= deal_due) and (assigned is None or assigned <= held) and ended(f, now):
            return RECLAIM
        return REMIND if (assigned is None or assigned <= held_soon) and ended(f, soon) else KEEP

    def unsure(f: Prospect) -> Outcome:
        """A contact that is not known, or facts in the future: near ones count, others do not count yet."""
        assigned: datetime | None = f.assigned_at
        if assigned is not None and assigned > horizon:
            assigned = None
        contact = f.last_contact_at
        if contact is not None and contact > horizon:
            contact = None
        known = [at for at in (assigned, None if f.contact_unknown else contact) if at is not None]
        starts = [max(known, default=LONG_AGO)]
        if f.contact_unknown or not known:
            starts.append(NEVER)
        deals = [LONG_AGO, NEVER] if assigned is None else [assigned]
        found = {judge(f, start, deal, assigned) for start, deal in product(starts, deals)}
        return found.pop() if len(found) == 1 else NEEDS_DATA

    def outcome(f: Prospect) -> Outcome:
        status = f.status
        if status != "open":
            if status in CLOSED:
                return KEEP
            raise ValueError(status)
        if f.owner is None:
            return KEEP
        try:
            start = assigned = f.assigned_at
            contact = f.last_contact_at
            if contact is not None and contact > start:
                start = contact
                if f.contact_unknown:
                    return unsure(f)
            if start > now:
                return unsure(f)
            idle_soon, idle_due = cuts.get(f.grade, other)  # type: ignore[arg-type]  # None is no grade
            if start > idle_soon and assigned > deal_soon:
                return KEEP
            if f.contact_unknown:
                return unsure(f)
            frozen, contract, quote = f.frozen_until, f.contract_until, f.quote_until
            if (
                (start <= idle_due or assigned <= deal_due)
                and assigned <= held
                and (frozen is None or frozen <= now)
                and (contract is None or contract <= now)
                and (quote is None or quote <= now)
            ):
                return RECLAIM
            if (
                assigned <= held_soon
                and (frozen is None or frozen <= soon)
                and (contract is None or contract <= soon)
                and (quote is None or quote <= soon)
            ):
                return REMIND
        except TypeError:  # no assignment
            return unsure(f)
        return KEEP

    return outcome


# --- decisions ---


@attrs.frozen
class Evidence:
    """What was read, for the reasons if they are asked for."""

    values: tuple[Any, ...]

    def reasons(self, as_of: datetime) -> tuple[Any, ...]:
        raise NotImplementedError


def decider_by_days(ref: PolicyRef) -> Callable[[Prospect, datetime], Decision]:
    """The whole decision, days in Shanghai."""

    def decide(f: Prospect, now: datetime) -> Decision:
        status, owner = f.status, f.owner
        assigned, contact, grade = f.assigned_at, f.last_contact_at, f.grade
        frozen, contract, quote = f.frozen_until, f.contract_until, f.quote_until
        evidence = Evidence((status, owner, assigned, contact, grade, frozen, contract, quote))
        if status != "open" or owner is None:
            if status != "open" and status not in CLOSED:
                raise ValueError(status)
            return Decision(KEEP, 0, None, now, None, None, (), False, ref, evidence)
        start = assigned
        if contact is not None and contact > start:
            start = contact
        if f.contact_unknown or start > now:
            raise NotImplementedError
        idle = start + IDLE.get(grade, OTHER)  # type: ignore[arg-type]  # None is no grade
        deal = assigned + NO_DEAL
        due = deal if deal < idle else idle
        if frozen is not None and frozen > due:
            due = frozen
        if contract is not None and contract > due:
            due = contract
        if quote is not None and quote > due:
            due = quote
        held = assigned + MIN_HOLD
        if held > due:
            due = held
        if due >= NEVER:
            raise NotImplementedError
        if due <= now:
            rule = "OWN-1" if idle <= now else "OWN-2"
            return Decision(RECLAIM, 0, rule, now, None, due, (), False, ref, evidence)
        first = due - WEEK_BEFORE
        if now < first:
            return Decision(KEEP, 0, None, now, first, due, (), False, ref, evidence)
        second = due - DAY_BEFORE
        if now < second:
            rule = "OWN-1" if idle <= now + WEEK_BEFORE else "OWN-2"
            return Decision(REMIND, 1, rule, now, second, due, (), False, ref, evidence)
        rule = "OWN-1" if idle <= now + DAY_BEFORE else "OWN-2"
        return Decision(REMIND, 2, rule, now, due, due, (), False, ref, evidence)

    return decide


# --- working time ---

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY_US = 24 * HOUR


class WorkingTime:
    """A bare prefix sum over the windows of some years: aware datetimes in and out, no year checked."""

    def __init__(self, calendar: BusinessCalendar, first: int = 2024, last: int = 2028) -> None:
        self.opens: list[int] = []
        self.closes: list[int] = []
        self.shifts: list[int] = []  # each opening less the working time before it
        self.after: list[int] = []  # the working time by each close
        total = 0
        day = date(first, 1, 1)
        while day.year <= last:
            midnight = datetime(day.year, day.month, day.day, tzinfo=calendar.zone.tz)
            for window in calendar.windows(day):
                begin, end = (midnight + timedelta(minutes=m) for m in (window.start, window.end))
                opens, closes = ((at.astimezone(UTC) - EPOCH) // timedelta(microseconds=1) for at in (begin, end))
                self.opens.append(opens)
                self.closes.append(closes)
                self.shifts.append(opens - total)
                total += closes - opens
                self.after.append(total)
            day += DAY

    def add(self, t: datetime, amount: int) -> datetime:
        """The earliest instant with `amount` microseconds of working time done."""
        gap = t - EPOCH
        x = (gap.days * 86_400 + gap.seconds) * SECOND + gap.microseconds
        i = bisect_right(self.opens, x) - 1
        target = (x - self.shifts[i] if x < self.closes[i] else self.after[i]) + amount
        return EPOCH + timedelta(0, 0, target + self.shifts[bisect_left(self.after, target, i)])

    def between(self, a: datetime, b: datetime) -> timedelta:
        """The working time from `a` to `b`."""
        return timedelta(0, 0, self.worked(b) - self.worked(a))

    def worked(self, t: datetime) -> int:
        """The working time before `t`."""
        gap = t - EPOCH
        x = (gap.days * 86_400 + gap.seconds) * SECOND + gap.microseconds
        i = bisect_right(self.opens, x) - 1
        return x - self.shifts[i] if x < self.closes[i] else self.after[i]


class WorkingDays:
    """Working days of some years by number, for a zone that never moves its clocks."""

    def __init__(self, calendar: BusinessCalendar, offset: timedelta, first: int = 2024, last: int = 2028) -> None:
        self.zero = EPOCH - offset  # the local midnight of 1970-01-01
        numbers = range(date(first, 1, 1).toordinal(), date(last + 1, 1, 1).toordinal())
        self.days = [n - EPOCH.toordinal() for n in numbers if calendar.working_day(date.fromordinal(n))]

    def add(self, t: datetime, count: int) -> datetime:
        """The same clock time `count` working days on; a free day counts as the start of the next working day."""
        gap = t - self.zero
        day = gap.days
        i = bisect_left(self.days, day)
        if self.days[i] == day:
            return t + timedelta(self.days[i + count] - day)
        return self.zero + timedelta(self.days[i + count])

    def sub(self, t: datetime, count: int) -> datetime:
        """The least instant from which `count` working days on is `t` or later."""
        gap = t - self.zero
        day = gap.days
        i = bisect_left(self.days, day)
        if self.days[i] == day:
            target = self.days[i - count]
            moved = t + timedelta(target - day)
            # At midnight the free days before it count as this same start.
            if gap.seconds or gap.microseconds:
                return moved
            return self.zero + timedelta(self.days[i - count - 1] + 1)
        return self.zero + timedelta(self.days[i - count - 1] + 1)


IDLE_WD = {"A": 10, "B": 15, "C": 40}
OTHER_WD = 40
NO_DEAL_WH = 480 * HOUR
MIN_HOLD_WD = 5
WEEK_WD, DAY_WD = 5, 1


def decider_by_working_time(calendar: BusinessCalendar, ref: PolicyRef) -> Callable[[Prospect, datetime], Decision]:
    """The whole decision, working days and hours of `calendar` in Shanghai."""
    days, time = WorkingDays(calendar, timedelta(hours=8)), WorkingTime(calendar)
    known = calendar.known_until or NEVER

    def decide(f: Prospect, now: datetime) -> Decision:
        status, owner = f.status, f.owner
        assigned, contact, grade = f.assigned_at, f.last_contact_at, f.grade
        frozen, contract, quote = f.frozen_until, f.contract_until, f.quote_until
        evidence = Evidence((status, owner, assigned, contact, grade, frozen, contract, quote))
        if status != "open" or owner is None:
            if status != "open" and status not in CLOSED:
                raise ValueError(status)
            return Decision(KEEP, 0, None, now, None, None, (), False, ref, evidence)
        start = assigned
        if contact is not None and contact > start:
            start = contact
        if f.contact_unknown or start > now:
            raise NotImplementedError
        idle = days.add(start, IDLE_WD.get(grade, OTHER_WD))  # type: ignore[arg-type]  # None is no grade
        deal = time.add(assigned, NO_DEAL_WH)
        due = deal if deal < idle else idle
        if frozen is not None and frozen > due:
            due = frozen
        if contract is not None and contract > due:
            due = contract
        if quote is not None and quote > due:
            due = quote
        held = days.add(assigned, MIN_HOLD_WD)
        if held > due:
            due = held
        if due >= NEVER:
            raise NotImplementedError
        late = idle >= known or deal >= known or due >= known
        if due <= now:
            rule = "OWN-1" if idle <= now else "OWN-2"
            return Decision(RECLAIM, 0, rule, now, None, due, (), late, ref, evidence)
        first = days.sub(due, WEEK_WD)
        if now < first:
            return Decision(KEEP, 0, None, now, first, due, (), late, ref, evidence)
        second = days.sub(due, DAY_WD)
        if now < second:
            rule = "OWN-1" if idle <= days.add(now, WEEK_WD) else "OWN-2"
            return Decision(REMIND, 1, rule, now, second, due, (), late, ref, evidence)
        rule = "OWN-1" if idle <= days.add(now, DAY_WD) else "OWN-2"
        return Decision(REMIND, 2, rule, now, due, due, (), late, ref, evidence)

    return decide
