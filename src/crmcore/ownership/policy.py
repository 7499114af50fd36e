"""Reclaim (OWN-1 to OWN-3, OWN-14, OWN-15, OWN-18, OWN-19) as a frozen value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import tzinfo
from itertools import chain
from typing import Any, ClassVar, Final

import attrs

from crmcore.calendars import BoundSpan, BusinessCalendar, Span, zone
from crmcore.decisions.codes import FindingCode, ReasonCode
from crmcore.decisions.decision import Finding
from crmcore.decisions.frozen import FrozenMap
from crmcore.decisions.limits import Appointment, DeadlineRules, Hold, Limit
from crmcore.decisions.policies import DeadlinePolicy
from crmcore.errors import InvalidPolicy, InvalidSpan
from crmcore.ownership.values import PAST_FACTS, Status

__all__ = ["ReclaimPolicy"]

Spans = Span | Mapping[str, Span] | None
DEFAULT: Final = "default"
PROTECTION: Final = re.compile(r"[a-z][a-z0-9_]*")
LEAD_UNITS: Final = ("h", "d", "w", "wd")
FACTS: Final = ("id", "status", "owner", "grade", *PAST_FACTS, "contact_unknown", "frozen_until", "appointment_at")


Text = str | Span
"""A span, as text or as a value."""


def _span(key: str, value: Text) -> Span:
    try:
        return Span(value)
    except InvalidSpan as error:
        raise InvalidPolicy(key, value, f"a span; {error.hint}") from None


def _positive(key: str, value: Text) -> Span:
    span = _span(key, value)
    if span.count == 0:
        raise InvalidPolicy(key, str(value), "longer than nothing; drop the key for none")
    return span


def _idle(value: Text | Mapping[str, Text] | None) -> Spans:
    if isinstance(value, Mapping):
        if not value:
            raise InvalidPolicy("idle", dict(value), "a table of grades with at least one entry")
        return FrozenMap({str(grade): _positive(f"idle.{grade}", span) for grade, span in value.items()})
    return None if value is None else _positive("idle", value)


def _no_deal(value: Text | None) -> Span | None:
    return None if value is None else _positive("no_deal", value)


def _min_hold(value: Text | None) -> Span | None:
    return None if value is None else _positive("min_hold", value)


def _min_remaining(value: Text | None) -> Span | None:
    return None if value is None else _positive("min_remaining", value)


def _appointment(value: Text | None) -> Span | None:
    return None if value is None else _positive("appointment", value)


def _future_tolerance(value: Text) -> Span:
    return _span("future_tolerance", value)


def _listed(value: Any, key: str, of: str) -> Iterable[Any]:
    if isinstance(value, str):
        raise InvalidPolicy(key, value, f"a list of {of}; write [{value!r}]")
    if not isinstance(value, Iterable):
        raise InvalidPolicy(key, value, f"a list of {of}")
    return value


def _remind_before(value: Iterable[Text]) -> tuple[Span, ...]:
    spans = _listed(value, "remind_before", "spans")
    leads = tuple(_positive(f"remind_before[{n}]", span) for n, span in enumerate(spans))
    for number, lead in enumerate(leads):
        if lead.unit not in LEAD_UNITS:
            raise InvalidPolicy(f"remind_before[{number}]", str(lead), f"in {', '.join(LEAD_UNITS)}")
        if lead in leads[:number]:
            raise InvalidPolicy(f"remind_before[{number}]", str(lead), "listed once")
    return leads


def _protected_by(value: Iterable[str]) -> tuple[str, ...]:
    names = tuple(_listed(value, "protected_by", "protections"))
    for number, name in enumerate(names):
        key = f"protected_by[{number}]"
        if not isinstance(name, str) or not PROTECTION.fullmatch(name):
            raise InvalidPolicy(key, name, "a lower-case name, read as the fact <name>_until")
        if name.endswith("_until"):
            raise InvalidPolicy(key, name, f"a protection; write {name.removesuffix('_until')!r}, read as {name}")
        if name == "frozen":
            raise InvalidPolicy(key, name, "needed: frozen_until always counts")
        if name in names[:number]:
            raise InvalidPolicy(key, name, "listed once")
    return names


def _is_zone(_: Any, __: attrs.Attribute[Any], value: str | tzinfo | None) -> None:
    if value is not None:
        zone(value)


@attrs.frozen(slots=False, kw_only=True)
class ReclaimPolicy(DeadlinePolicy):
    """
    When a prospect goes back to the pool.

    `idle` (OWN-1): longest time without a contact by the owner, one span or by grade with a ``default``; counts from
    the later of `assigned_at` and `last_contact_at` (OWN-14). `no_deal` (OWN-2): longest time from the assignment
    without signing. ``None``: not judged. At the deadline it *is* due.

    `min_hold` (OWN-19) after `assigned_at`; `frozen_until` (OWN-3) and ``<name>_until`` for each of `protected_by`
    (OWN-18) hold back both reclaims until then, exclusive, and `min_remaining` longer (OWN-19). An `appointment_at` at
    most `appointment` after the deadline moves the deadline to it. `remind_before`: leads of the reminders, in any
    order, in h d w wd; one that is not shorter than a limit is not used for it. `future_tolerance`: how far ahead a
    contact or assignment may lie and still count.

    `zone` is for d, w, mo (default UTC); `calendar` for wd, wh, wmin. Spans are text or `Span`. Raises `InvalidPolicy`,
    `SpanNeeds`.
    """

    kind: ClassVar[str] = "ownership.reclaim"

    idle: Spans = attrs.field(default=None, converter=_idle)
    no_deal: Span | None = attrs.field(default=None, converter=_no_deal)
    min_hold: Span | None = attrs.field(default=None, converter=_min_hold)
    remind_before: tuple[Span, ...] = attrs.field(default=(), converter=_remind_before)
    min_remaining: Span | None = attrs.field(default=None, converter=_min_remaining)
    protected_by: tuple[str, ...] = attrs.field(default=(), converter=_protected_by)
    appointment: Span | None = attrs.field(default=None, converter=_appointment)
    future_tolerance: Span = attrs.field(default=Span("24h"), converter=_future_tolerance)
    zone: str | tzinfo | None = attrs.field(default=None, validator=_is_zone)
    calendar: BusinessCalendar | None = None

    def __attrs_post_init__(self) -> None:
        self._rules()

    def spans(self) -> Iterator[tuple[str, Span]]:
        """Every span of the policy with the key it stands under."""
        for key in ("idle", "no_deal", "min_hold", "min_remaining", "appointment", "future_tolerance"):
            value = getattr(self, key)
            if isinstance(value, Mapping):
                yield from ((f"{key}.{grade}", span) for grade, span in value.items())
            elif value is not None:
                yield key, value
        yield from ((f"remind_before[{number}]", lead) for number, lead in enumerate(self.remind_before))

    def limits(self) -> Iterator[tuple[str, Span]]:
        """The limits with the key they stand under."""
        return (item for item in self.spans() if item[0].split(".")[0] in ("idle", "no_deal"))

    def check(self) -> tuple[Finding, ...]:
        """What is legal, yet hardly meant: reminders and holds past a limit, a zone not said, a calendar not used."""
        return tuple(chain(self._check_limits(), self._check_leads(), self._check_hold(), self._check_time()))

    def canonical(self) -> dict[str, Any]:
        """The resolved parameters as JSON-able data, the same however they were written."""
        spans: dict[str, Any] = {key: str(span) for key, span in self.spans() if not key.startswith("remind_before")}
        uses = {span.needs for _, span in self.spans()}
        spans["remind_before"] = sorted(str(lead) for lead in self.remind_before)
        spans["protected_by"] = sorted(self.protected_by)
        spans["zone"] = self._zone_name if "zone" in uses else None
        spans["calendar"] = self.calendar.canonical() if self.calendar and "calendar" in uses else None
        return spans

    @property
    def _zone(self) -> str | tzinfo:
        return self.zone or "UTC"

    @property
    def _zone_name(self) -> str:
        return zone(self._zone).key

    def _knows(self, fact: str) -> bool:
        return fact in FACTS or fact.endswith("_until")

    def _on(self, key: str, span: Span) -> BoundSpan:
        return span.on(zone=self._zone, calendar=self.calendar, key=key)

    def _optional(self, key: str) -> BoundSpan | None:
        span = getattr(self, key)
        return None if span is None else self._on(key, span)

    def _rules(self) -> DeadlineRules:
        appointment = self._optional("appointment")
        rule, code = "OWN-18", ReasonCode.APPOINTMENT
        moved = Appointment(rule=rule, code=code, fact="appointment_at", within=appointment) if appointment else None
        return DeadlineRules(
            gate="status",
            owner="owner",
            closed=(Status.WON, Status.LOST, Status.INVALID),
            past=PAST_FACTS,
            limits=tuple(self._limits()),
            holds=tuple(self._holds()),
            appointment=moved,
            leads=tuple(self._on(f"remind_before[{n}]", lead) for n, lead in enumerate(self.remind_before)),
            tolerance=self._on("future_tolerance", self.future_tolerance),
        )

    def _limits(self) -> Iterator[Limit]:
        if self.idle is not None:
            graded = isinstance(self.idle, Mapping)
            table: Mapping[str, Span] = self.idle if isinstance(self.idle, Mapping) else {DEFAULT: self.idle}
            spans: dict[str | None, BoundSpan] = {
                None if grade == DEFAULT else grade: self._on(f"idle.{grade}" if graded else "idle", span)
                for grade, span in table.items()
            }
            yield Limit(
                rule="OWN-1",
                code=ReasonCode.IDLE,
                starts=PAST_FACTS,
                spans=spans,
                by="grade" if graded else None,
                unknown_flag="contact_unknown",
            )
        if self.no_deal is not None:
            only: dict[str | None, BoundSpan] = {None: self._on("no_deal", self.no_deal)}
            yield Limit(rule="OWN-2", code=ReasonCode.NO_DEAL, starts=PAST_FACTS[:1], spans=only)

    def _holds(self) -> Iterator[Hold]:
        remaining = self._optional("min_remaining")
        yield Hold(rule="OWN-3", code=ReasonCode.FROZEN, fact="frozen_until", span=remaining)
        for name in self.protected_by:
            yield Hold(rule="OWN-18", code=ReasonCode.PROTECTED, fact=f"{name}_until", span=remaining)
        if (hold := self._optional("min_hold")) is not None:
            yield Hold(rule="OWN-19", code=ReasonCode.MIN_HOLD, fact=PAST_FACTS[0], span=hold)

    def _check_limits(self) -> Iterator[Finding]:
        if self.idle is None and self.no_deal is None:
            yield Finding(
                code=FindingCode.NOTHING_JUDGED,
                rule=None,
                key="idle",
                problem="neither idle nor no_deal is set, so nothing is ever reclaimed",
                remedy='set idle = "60d" or no_deal = "90d"',
            )

    def _check_leads(self) -> Iterator[Finding]:
        for number, lead in enumerate(self.remind_before):
            for key, limit in self.limits():
                if lead.nominal >= limit.nominal:
                    yield Finding(
                        code=FindingCode.LEAD_TOO_LONG,
                        rule="OWN-1" if key.startswith("idle") else "OWN-2",
                        key=f"remind_before[{number}]",
                        problem=f"{lead} is not shorter than {key} = {limit}, so it is not used for it",
                        remedy=f"make it shorter than {limit}, or lengthen {key}",
                    )

    def _check_hold(self) -> Iterator[Finding]:
        for key, limit in self.limits():
            if self.min_hold is not None and self.min_hold.nominal >= limit.nominal:
                yield Finding(
                    code=FindingCode.HOLD_PAST_LIMIT,
                    rule="OWN-19",
                    key="min_hold",
                    problem=f"{self.min_hold} is not shorter than {key} = {limit}, so that limit cannot act before it",
                    remedy=f"shorten min_hold below {limit}",
                )

    def _check_time(self) -> Iterator[Finding]:
        needs = {span.needs: key for key, span in reversed(list(self.spans()))}
        if "zone" in needs and self.zone is None:
            yield Finding(
                code=FindingCode.ZONE_NOT_SAID,
                rule=None,
                key="zone",
                problem=f"{needs['zone']} counts days, but no zone says whose; UTC is used",
                remedy='set zone = "Asia/Shanghai" or yours',
            )
        if self.calendar is not None and "calendar" not in needs:
            yield Finding(
                code=FindingCode.CALENDAR_UNUSED,
                rule=None,
                key="calendar",
                problem="a calendar is named, but no span counts working time (wd, wh, wmin)",
                remedy="drop the calendar, or write the limit in wd or wh",
            )
