"""Strategies for policies, for records that lie on the borders of a policy, and for books."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final
from zoneinfo import ZoneInfo

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from crmcore.book import PolicyBook
from crmcore.calendars import OPEN_ENDED, BoundSpan, BusinessCalendar, Span
from crmcore.decisions import UNKNOWN
from crmcore.ownership import CapPolicy, ReclaimPolicy
from crmcore.ownership.settings import Ownership
from crmcore.testing import times
from crmcore.testing.times import calendars, index, instants, pick, spans

__all__ = [
    "books",
    "cap_policies",
    "changed_policies",
    "longer_policies",
    "moments",
    "policies_and_prospects",
    "prospects",
    "reclaim_policies",
]

GRADES: Final = ("A", "B", "C")
PLAIN_UNITS: Final = ("min", "h", "d", "w", "mo")
WORKING_UNITS: Final = ("wd", "wh", "wmin")
LEAD_UNITS: Final = ("h", "d", "w", "wd")
CODES: Final[Mapping[str, tuple[Any, ...]]] = {
    "status": (*["open"] * 22, "won", "lost", "invalid"),
    "owner": (*["u1"] * 18, 7, None),
}
FLAGS: Final = (*[False] * 3, None, ABSENT := object(), True)
PROTECTED_BY: Final = ((), (), ("contract",), ("visit", "quote"))
HOUR: Final = timedelta(hours=1)
BESIDE: Final = timedelta(minutes=10)  # on either side of a fold: the wall clock of the later one is the earlier
PAST: Final = ("assigned_at", "last_contact_at")


# --- policies ---


@st.composite
def reclaim_policies(
    draw: DrawFn,
    *,
    zones: SearchStrategy[str | None] | None = None,
    calendars: SearchStrategy[BusinessCalendar | None] | None = None,
    units: Iterable[str] = (*PLAIN_UNITS, *WORKING_UNITS),
) -> ReclaimPolicy:
    """Reclaim policies: every parameter there or not, in every unit; working time only where there is a calendar."""
    if calendars is None:
        calendars = st.none() if draw(index(3)) else times.calendars()
    calendar = draw(calendars)
    known = tuple(unit for unit in units if calendar is not None or unit not in WORKING_UNITS)
    span = spans(units=known)

    def maybe() -> Span | None:
        return draw(span) if draw(index(2)) else None

    return ReclaimPolicy(
        idle=_idle(draw, span),
        no_deal=maybe(),
        min_hold=maybe() if draw(index(2)) else None,
        remind_before=_leads(draw, tuple(unit for unit in known if unit in LEAD_UNITS)),
        min_remaining=maybe(),
        protected_by=pick(draw, PROTECTED_BY),
        appointment=maybe(),
        future_tolerance=draw(spans(units=known, at_least=0)) if not draw(index(3)) else Span("24h"),
        zone=pick(draw, times.ZONES) if zones is None else draw(zones),
        calendar=calendar,
    )


def _idle(draw: DrawFn, span: SearchStrategy[Span]) -> Any:
    style = draw(index(5))
    if style < 2:  # noqa: PLR2004 - two in five by grade, one not judged
        keys = [key for key in (*GRADES, "default") if draw(index(2))] or ["B"]
        return {key: draw(span) for key in keys}
    return draw(span) if style < 4 else None  # noqa: PLR2004 - as above


def _leads(draw: DrawFn, units: tuple[str, ...]) -> list[Span]:
    """Most of them short, so that most are shorter than most limits."""
    if not units:
        return []
    short, any_length = spans(units=units, at_most=5), spans(units=units)
    return list(dict.fromkeys(draw(short if draw(index(4)) else any_length) for _ in range(draw(index(4)))))


def _span(count: int, unit: str) -> Span:
    return Span(f"{count}{unit}")


@st.composite
def longer_policies(draw: DrawFn, policy: ReclaimPolicy) -> ReclaimPolicy:
    """The policy with longer limits, or with fewer of them; all else alike."""
    more = st.integers(0, 40)
    idle: Any = policy.idle
    if isinstance(idle, Mapping):
        idle = {grade: _span(span.count + draw(more), span.unit) for grade, span in idle.items()}
    elif idle is not None:
        idle = draw(st.just(_span(idle.count + draw(more), idle.unit)) | st.none())
    no_deal = policy.no_deal
    if no_deal is not None:
        no_deal = draw(st.just(_span(no_deal.count + draw(more), no_deal.unit)) | st.none())
    return attrs.evolve(policy, idle=idle, no_deal=no_deal)


@st.composite
def cap_policies(
    draw: DrawFn, *, owners: SearchStrategy[Any] | None = None, caps: SearchStrategy[int] | None = None
) -> CapPolicy:
    """Caps: none, one for everybody, others by owner; zero too."""
    numbers = st.integers(0, 12) if caps is None else caps
    each = st.dictionaries(st.sampled_from(("u1", "u2", 7)) if owners is None else owners, numbers, max_size=3)
    return CapPolicy(default=draw(st.none() | numbers), per_owner=draw(each))


# --- records ---


class Borders:
    """Where the answers of a policy change, seen from `now`."""

    def __init__(self, policy: Any, now: datetime) -> None:
        self.now = now
        where, calendar = getattr(policy, "zone", None) or "UTC", getattr(policy, "calendar", None)
        found = [(key, span.on(where, calendar, key)) for key, span in getattr(policy, "spans", tuple)()]
        self.limits = _of(found, "idle", "no_deal")
        self.within = next(iter(_of(found, "appointment")), None)
        self._hold, self._leads = _of(found, "min_hold"), _of(found, "remind_before")
        self._remaining, self._tolerance = _of(found, "min_remaining"), _of(found, "future_tolerance")
        cuts = [span.cutoff(now) for span in self.limits]
        turns = times.transitions(str(where))
        self._turns = [turn for turn in turns if any(abs(turn - cut) < HOUR for cut in cuts)]
        self._horizons = (now, *(lead.add(now) for lead in self._leads))

    def past(self) -> Iterator[datetime]:
        """Of events: just due, held or reminded of now; as far ahead as still counts; days ahead."""
        yield self.now
        for span in (*self.limits, *self._hold):
            yield from [*[span.cutoff(self.now)] * 3, *map(span.cutoff, self._horizons)]
        for turn in self._turns:
            yield from (turn - BESIDE, turn + BESIDE) * 4
        for span in self._tolerance:
            yield from (span.add(self.now), span.add(span.add(self.now)))

    def until(self) -> Iterator[datetime]:
        """Of ends: over now, or at a reminder's horizon, with what remains after them; without an end."""
        yield OPEN_ENDED
        yield from self._horizons
        for span in self._remaining:
            yield from map(span.cutoff, self._horizons)

    def moments(self, facts: Iterable[datetime]) -> Iterator[datetime]:
        """The instants `now` at which facts at those instants are on a border."""
        for at in facts:
            yield from (span.add(at) for span in (*self.limits, *self._hold, *self._remaining))


def _of(spans: Iterable[tuple[str, BoundSpan]], *keys: str) -> tuple[BoundSpan, ...]:
    return tuple(span for key, span in spans if key.partition(".")[0].partition("[")[0] in keys)


def moments(policy: Any, *, zone: str = "") -> SearchStrategy[datetime]:
    """
    Instants to decide at: borders of days and zones, and instants at which what began on such a border is due.

    `policy` is a `ReclaimPolicy` or anything with its `spans`, `zone` and `calendar`.
    """
    named = zone or str(getattr(policy, "zone", None) or "UTC")
    turns = times.transitions(named)
    return instants(near=(*turns, *Borders(policy, times.EARLY).moments(turns)), zone=named)


@st.composite
def prospects(
    draw: DrawFn, policy: Any, now: datetime, *, unknown: bool = True, future: bool = True, zoned: bool = True
) -> Any:
    """
    Records (objects) for the policy, most facts one microsecond around a border that they have at `now`.

    `unknown`: some facts are not known. `future`: some contacts and assignments lie ahead. `zoned`: some instants are
    in other zones than UTC. `policy` is a `ReclaimPolicy` or anything with its `reads`, `spans`, `zone` and `calendar`,
    under its own names of facts where it has `names`.
    """
    facts = _Facts(draw, policy, now, unknown=unknown, future=future)
    values = {fact: facts.value(fact) for fact in policy.reads}
    if "appointment_at" in values:
        values["appointment_at"] = facts.appointment(values)
    if zoned:
        values = _in_zones(draw, values, facts.zone)
    return SimpleNamespace(id=draw(index(100)), **facts.named({k: v for k, v in values.items() if v is not ABSENT}))


class _Facts:
    """Draws the facts of one record."""

    def __init__(self, draw: DrawFn, policy: Any, now: datetime, *, unknown: bool, future: bool) -> None:
        self.draw, self.policy, self.now = draw, policy, now
        self.zone = str(getattr(policy, "zone", None) or "UTC")
        self.unknown, self.future = unknown, future
        self.borders = Borders(policy, now)
        self.past, self.until = tuple(self.borders.past()), tuple(self.borders.until())
        # One record in four has facts that are not known; many unknown facts say less than one.
        self.doubtful = unknown and not draw(index(4))

    def named(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The facts under the host's names."""
        names = getattr(self.policy, "names", {})
        return {names.get(fact, fact): value for fact, value in values.items()}

    def value(self, fact: str) -> Any:
        """The value of one fact; an appointment depends on the others."""
        if fact == "contact_unknown":
            return pick(self.draw, FLAGS if self.doubtful else FLAGS[:-1])
        if self.doubtful and not self.draw(index(6)):
            return UNKNOWN
        if fact in CODES:
            return pick(self.draw, CODES[fact])
        if fact == "grade":
            return pick(self.draw, (*_grades(self.policy), *_grades(self.policy), "Z", None))
        if fact in PAST:
            return self._event()
        return None if fact == "appointment_at" else self._end()

    def _event(self) -> datetime | None:
        style = self.draw(index(12))
        if not style:
            return None
        at = self.draw(instants(near=self.past, zone=self.zone))
        if style < 4:  # noqa: PLR2004 - some long ago, most around a border, some ahead
            return min(at, *self.past)
        return at if self.future and style > 8 else min(at, self.now)  # noqa: PLR2004 - as above

    def _end(self) -> datetime | None:
        if self.draw(index(4)):
            return None
        return self.draw(instants(near=self.until, zone=self.zone))

    def appointment(self, values: Mapping[str, Any]) -> Any:
        """Around now, around the deadline that the other facts make, and around what still moves that deadline."""
        if not self.draw(index(3)):
            return None
        if self.doubtful and not self.draw(index(4)):
            return UNKNOWN
        near, within = [self.now], self.borders.within
        due = self.policy.deadline(self.named({**values, "appointment_at": None}))
        if due is not None:
            near += [due, within.add(due)] if within else [due]
        return self.draw(instants(near=near, zone=self.zone))


def _grades(policy: Any) -> tuple[str, ...]:
    idle = getattr(policy, "idle", None)
    return tuple(idle) if isinstance(idle, Mapping) else GRADES


def _in_zones(draw: DrawFn, values: dict[str, Any], own: str) -> dict[str, Any]:
    """In UTC for the most part; else all in one zone, or each in its own."""
    style = pick(draw, ("utc", "utc", "one", "each"))
    if style == "utc":
        return values
    names = (own, own, *times.ZONES)
    one = pick(draw, names)
    return {
        fact: _moved(value, pick(draw, names) if style == "each" else one) if isinstance(value, datetime) else value
        for fact, value in values.items()
    }


def _moved(at: datetime, zone: str) -> datetime:
    try:
        return at.astimezone(ZoneInfo(zone))
    except OverflowError:
        return at


@st.composite
def policies_and_prospects(
    draw: DrawFn,
    *,
    policies: SearchStrategy[ReclaimPolicy] | None = None,
    unknown: bool = True,
    future: bool = True,
    zoned: bool = True,
) -> tuple[ReclaimPolicy, Any, datetime]:
    """A policy, a record on its borders, and the instant at which it is on them."""
    policy = draw(reclaim_policies() if policies is None else policies)
    now = draw(moments(policy))
    return policy, draw(prospects(policy, now, unknown=unknown, future=future, zoned=zoned)), now


@st.composite
def changed_policies(draw: DrawFn, policy: ReclaimPolicy) -> ReclaimPolicy:
    """The policy with one parameter changed: a span, a list, the zone, the calendar, or its name."""
    given = st.just(policy.calendar) if policy.calendar is None else calendars()
    other = draw(reclaim_policies(calendars=given))
    key = pick(draw, [field.name for field in attrs.fields(ReclaimPolicy) if field.name != "names"])
    return attrs.evolve(policy, **{key: getattr(other, key)})


# --- books ---


@st.composite
def books(draw: DrawFn) -> PolicyBook:
    """Policy books: with and without a zone, a date, a version; none, one or two calendars."""
    names = draw(st.lists(st.sampled_from(("office", "night shift", "上海")), max_size=2, unique=True))
    found = {name: draw(calendars(names=st.just(name))) for name in names}
    zone = draw(st.none() | times.zones())
    used = st.sampled_from(tuple(found.values())) if found else st.none()
    reclaim = draw(reclaim_policies(zones=st.just(zone), calendars=st.none() | used))
    effective = draw(st.none() | st.dates(date(2020, 1, 1), date(2030, 12, 31)))
    head: dict[str, Any] = {"name": draw(st.sampled_from(("north", "book", '华北 "一"'))), "effective": effective}
    if draw(st.booleans()):
        head["version"] = draw(st.sampled_from(("2026-01", "v2")))
    book = PolicyBook(**head, zone=zone, calendars=found)
    cap = draw(cap_policies(owners=st.sampled_from(("u1", "u 2", "王"))))
    reclaim = attrs.evolve(reclaim, name=book.name, version=book.version)
    cap = attrs.evolve(cap, name=book.name, version=book.version)
    return attrs.evolve(book, ownership=Ownership(reclaim=reclaim, cap=cap))
