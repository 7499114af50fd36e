"""Where the time between the start of a span and its end went: what was skipped, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

import attrs

from crmcore.calendars.instants import DAY, LAST, day_of, instant_at, micros, to_utc
from crmcore.calendars.spans import Span
from crmcore.calendars.zones import Zone

if TYPE_CHECKING:
    from crmcore.calendars.business import BusinessCalendar

__all__ = ["Explanation", "Skipped", "explain"]

Code = Literal["outside_hours", "closed_day", "closure", "dst_gap"]
Language = Literal["en", "zh"]

WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "outside_hours": "outside hours",
        "closed_day": "free day of the week",
        "closure": "closed",
        "dst_gap": "clocks put forward",
        "due": "{start} + {span} = {due} ({zone})",
        "known": "dates are known through {day}; later ones follow the week (provisional)",
        "days": "Mon Tue Wed Thu Fri Sat Sun",
    },
    "zh": {
        "outside_hours": "非工作时间",
        "closed_day": "每周休息日",
        "closure": "休息",
        "dst_gap": "时钟拨快",
        "due": "{start} + {span} = {due}（{zone}）",
        "known": "日期公布至 {day}；其后按每周工时推算（暂定）",
        "days": "周一 周二 周三 周四 周五 周六 周日",
    },
}


@attrs.frozen
class Skipped:
    """Time [start, end) that did not count; a gap of the clock has no length."""

    start: datetime
    end: datetime
    code: Code
    label: str = ""


@attrs.frozen(kw_only=True)
class Explanation:
    """A span from start to due, with all that was skipped on the way, in order."""

    start: datetime
    due: datetime
    span: Span
    skipped: tuple[Skipped, ...]
    zone: Zone
    provisional: bool
    known_through: date | None

    def text(self, language: Language = "en") -> str:
        """The explanation in words, local times, a line for each thing skipped."""
        words = WORDS[language]
        head = words["due"].format(
            start=self._say(self.start, words), span=self.span, due=self._say(self.due, words), zone=self.zone
        )
        lines = [
            f"  {self._say(each.start, words)} – {self._say(each.end, words)}: {words[each.code]}"
            + (f" ({each.label})" if each.label else "")
            for each in self.skipped
        ]
        known = [f"  {words['known'].format(day=self.known_through)}"] if self.provisional else []
        return "\n".join([head, *lines, *known])

    def _say(self, t: datetime, words: dict[str, str]) -> str:
        local = self.zone.local(t)
        clock = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
        return f"{words['days'].split()[local.weekday()]} {local:%Y-%m-%d} {clock}"


def explain(calendar: BusinessCalendar, t: datetime, span: Span) -> Explanation:
    """`span` from `t` on a calendar."""
    start, due = to_utc(t), calendar.add(t, span)
    found: Iterable[Skipped] = ()
    if span.needs == "calendar" and micros(due) < LAST:
        pieces = _free_days if span.unit == "wd" else _not_worked
        found = pieces(calendar, micros(start), micros(due))
    return Explanation(
        start=start,
        due=due,
        span=span,
        skipped=tuple(_merged(found)),
        zone=calendar.zone,
        provisional=span.needs == "calendar" and calendar.provisional(due),
        known_through=calendar.known_through,
    )


def _not_worked(calendar: BusinessCalendar, start: int, end: int) -> list[Skipped]:
    """The time in [start, end) that is not open, and the gaps of the clock in it."""
    found = list(_gaps(calendar, start, end))
    before = start
    for a, b in [*calendar.working_time.intervals(start, end), (end, end)]:
        found.extend(_by_day(calendar, before, a))
        before = b
    return sorted(found, key=lambda each: (each.start, each.end))


def _by_day(calendar: BusinessCalendar, start: int, end: int) -> Iterator[Skipped]:
    """[start, end) cut where the local date changes."""
    for a, b, offset in calendar.zone.stretches(start, end) if start < end else ():
        for midnight in range((a + offset) // DAY * DAY, b + offset, DAY):
            day = max(a, midnight - offset), min(b, midnight + DAY - offset)
            yield _skipped(calendar, *day, day_of(midnight))


def _free_days(calendar: BusinessCalendar, start: int, end: int) -> Iterator[Skipped]:
    """The days in [start, end) that are no working days."""
    zone = calendar.zone
    first, last = zone.wall(start) // DAY, zone.wall(end) // DAY
    for number in range(first, last + 1):
        day = day_of(number * DAY)
        a, b = max(start, zone.instant(number * DAY)), min(end, zone.instant((number + 1) * DAY))
        if a < b and not calendar.working_day(day):
            yield _skipped(calendar, a, b, day)


def _skipped(calendar: BusinessCalendar, start: int, end: int, day: date) -> Skipped:
    code: Code = "outside_hours"
    if not calendar.working_day(day):
        code = "closure" if day in calendar.closed else "closed_day"
    label = calendar.labels.get(day, "") if code == "closure" else ""
    return Skipped(instant_at(start), instant_at(end), code, label)


def _gaps(calendar: BusinessCalendar, start: int, end: int) -> Iterator[Skipped]:
    """Where the clock jumps over working time."""
    for (_, at, before), (_, _, after) in pairwise(calendar.zone.stretches(start, end)):
        walls = calendar.open_walls(at - 2 * DAY, at + 2 * DAY)
        if any(opens < at + after and closes > at + before for opens, closes in walls):
            yield Skipped(instant_at(at), instant_at(at), "dst_gap")


def _merged(found: Iterable[Skipped]) -> list[Skipped]:
    """Neighbours of one code and label as one."""
    merged: list[Skipped] = []
    for each in found:
        last = merged[-1] if merged else None
        if last and (last.end, last.code, last.label) == (each.start, each.code, each.label):
            merged[-1] = attrs.evolve(last, end=each.end)
        else:
            merged.append(each)
    return merged
