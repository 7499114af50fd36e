"""The tables that ownership brings to a book, ``[ownership.reclaim]``, ``cap`` and ``run``: read and written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import attrs

from crmcore.calendars import BusinessCalendar
from crmcore.calendars import zone as zone_of
from crmcore.decisions.codes import FindingCode
from crmcore.decisions.decision import Finding
from crmcore.decisions.digest import digest
from crmcore.errors import InvalidPolicy, SpanNeeds
from crmcore.files.toml import Section, did_you_mean
from crmcore.ownership.cap import CapPolicy
from crmcore.ownership.policy import ReclaimPolicy
from crmcore.ownership.rollout import RunLimits
from crmcore.ownership.values import PROTECTIONS

__all__ = ["NAME", "SCHEMA", "Ownership", "calendars", "read", "write", "zone"]

P = TypeVar("P")
NAME: Final = "ownership"
RECLAIM_KEYS: Final = (
    "idle",
    "no_deal",
    "min_hold",
    "remind_before",
    "min_remaining",
    "protected_by",
    "appointment",
    "future_tolerance",
)
CAP_KEYS: Final = ("default", "per_owner")
RUN_KEYS: Final = ("activation_grace", "max_per_run", "max_per_owner_per_day")
UNLIMITED: Final = "unlimited"

SPAN: Final = {"type": "string", "pattern": "^0*[1-9][0-9]*(min|h|d|w|mo|wd|wh|wmin)$"}
LEAD: Final = {"type": "string", "pattern": "^0*[1-9][0-9]*(h|d|w|wd)$"}
TOLERANCE: Final = {"type": "string", "pattern": "^[0-9]+(min|h|d|w|mo|wd|wh|wmin)$"}
CEILING: Final = {"oneOf": [{"type": "integer", "minimum": 0}, {"const": UNLIMITED}]}
SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "reclaim": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "idle": {
                    "description": "OWN-1: longest time without a contact; one span, or by grade with a default",
                    "oneOf": [SPAN, {"type": "object", "minProperties": 1, "additionalProperties": SPAN}],
                },
                "no_deal": {"description": "OWN-2: longest time from assignment to signing", **SPAN},
                "min_hold": {"description": "OWN-19: nothing is reclaimed so soon after a change of owner", **SPAN},
                "remind_before": {"type": "array", "items": LEAD, "uniqueItems": True},
                "min_remaining": {"description": "OWN-19: time left after a protection ends", **SPAN},
                "protected_by": {
                    "description": "OWN-18: each is read as the fact <name>_until",
                    "type": "array",
                    "items": {
                        "type": "string",
                        "pattern": "^(?!frozen$)(?!.*_until$)[a-z][a-z0-9_]*$",
                        "examples": list(PROTECTIONS),
                    },
                    "uniqueItems": True,
                },
                "appointment": {"description": "OWN-18: an appointment so soon after the deadline moves it", **SPAN},
                "future_tolerance": {"description": "how far ahead a contact may lie and still count", **TOLERANCE},
                "calendar": {"description": "for wd, wh, wmin; default: the book's only one", "type": "string"},
            },
        },
        "cap": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "default": {"description": "OWN-4: most open prospects of an owner", "type": "integer", "minimum": 0},
                "per_owner": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}},
            },
        },
        "run": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "activation_grace": {
                    "description": "nobody is reclaimed by a new limit so soon after it takes effect; default: 14d",
                    **TOLERANCE,
                },
                "max_per_run": {"description": "most reclaims of a run; default: 200", **CEILING},
                "max_per_owner_per_day": {"description": "most an owner loses in a day; default: 20", **CEILING},
            },
        },
    },
}


@attrs.frozen(kw_only=True)
class Ownership:
    """
    The ownership policies of a book.

    `run` says how they are let loose on a store; it decides nothing, so it is in no digest.
    """

    reclaim: ReclaimPolicy = attrs.field(factory=ReclaimPolicy)
    cap: CapPolicy = attrs.field(factory=CapPolicy)
    run: RunLimits = attrs.field(factory=RunLimits)
    calendar_said: bool = attrs.field(default=True, eq=False, repr=False)

    def check(self) -> tuple[Finding, ...]:
        """The findings of every policy, keys as they stand in a book."""
        found = [*self.reclaim.check(), *self._check_calendar()]
        if self.run.activation_grace.needs == "calendar":
            found = [finding for finding in found if finding.code != FindingCode.CALENDAR_UNUSED]
        keys = ("zone" if finding.key == "zone" else f"ownership.reclaim.{finding.key}" for finding in found)
        return tuple(attrs.evolve(finding, key=key) for finding, key in zip(found, keys, strict=True))

    def _check_calendar(self) -> Iterator[Finding]:
        calendar = self.reclaim.calendar
        if calendar is not None and not self.calendar_said:
            yield Finding(
                code=FindingCode.CALENDAR_NOT_SAID,
                rule=None,
                key="calendar",
                problem=f"a span counts working time, but no calendar is named; the only one is used: {calendar}",
                remedy=f'set calendar = "{calendar.name}"',
            )

    def until(self, end: datetime) -> Ownership:
        """The same policies, none of which promises anything beyond `end`."""
        return attrs.evolve(self, reclaim=attrs.evolve(self.reclaim, until=end))

    def canonical(self) -> dict[str, Any]:
        """The resolved parameters of every policy."""
        return {"reclaim": self.reclaim.canonical(), "cap": self.cap.canonical()}

    @property
    def digest(self) -> str:
        """SHA-256 of the resolved parameters of every policy."""
        return digest(NAME, self.canonical())


def read(
    section: Section, *, name: str, version: str, zone: str | None, calendars: Mapping[str, BusinessCalendar]
) -> Ownership:
    """The policies that a book's ``[ownership]`` describes; what is wrong is noted in the section as faults."""
    label: dict[str, Any] = {"name": name, "version": version}
    reclaim, cap, run = section.table("reclaim"), section.table("cap"), section.table("run")
    context: dict[str, Any] = {"zone": zone, "calendar": _calendar(reclaim, calendars)}
    said = "calendar" in reclaim
    lacking = f'set calendar = "{next(iter(calendars))}"' if calendars else "add [calendars.office] with a week"
    made = _make(reclaim, RECLAIM_KEYS, lambda **values: ReclaimPolicy(**label, **values, **context), lacking)
    caps = _make(cap, CAP_KEYS, lambda **values: CapPolicy(**label, **values), lacking)
    lacking += " under [ownership.reclaim]" if calendars else ""
    limits = _make(run, RUN_KEYS, lambda **values: _limits(context, **values), lacking) or RunLimits()
    spans = [limits.activation_grace, *(span for _, span in made.spans())] if made else []
    if made is not None and not said and all(span.needs != "calendar" for span in spans):
        made = attrs.evolve(made, calendar=None)
    return Ownership(reclaim=made or ReclaimPolicy(), cap=caps or CapPolicy(), run=limits, calendar_said=said)


def _limits(context: Mapping[str, Any], **values: Any) -> RunLimits:
    """The limits of a run; raises `SpanNeeds` for a grace that the policy's calendar cannot say."""
    made = RunLimits(**values)
    made.activation_grace.on(zone=context["zone"] or "UTC", calendar=context["calendar"], key="activation_grace")
    return made


def _calendar(section: Section, calendars: Mapping[str, BusinessCalendar]) -> BusinessCalendar | None:
    name = section.text("calendar")
    if name is None:
        return next(iter(calendars.values())) if len(calendars) == 1 else None
    if name not in calendars:
        remedy = did_you_mean(name, calendars) or f"add [calendars.{name}], or name one of: {', '.join(calendars)}"
        section.fault("calendar", "is no calendar of this book", remedy)
    return calendars.get(name)


def _make(section: Section, keys: tuple[str, ...], make: Callable[..., P], lacking: str) -> P | None:
    """The policy of the values given; each key is tried alone first, so that every fault is found at once."""
    values = {key: section.any(key) for key in keys}
    values = {key: value for key, value in values.items() if value is not None}
    sound = {key: value for key, value in values.items() if _sound(section, key, value, make, lacking)}
    return make(**values) if len(sound) == len(values) else None


def _sound(section: Section, key: str, value: object, make: Callable[..., object], lacking: str) -> bool:
    try:
        make(**{key: value})
    except InvalidPolicy as error:
        section.fault_below(error.key, error.value, f"is not {error.expected}")
    except SpanNeeds as error:
        remedy = f"{lacking}, or write {error.key} in d, w, mo, h or min"
        section.fault_below(error.key, error.span, f"needs a {error.needs}", remedy)
    else:
        return True
    return False


def _name(calendar: BusinessCalendar) -> str:
    return calendar.name or "office"


def calendars(ownership: Ownership) -> dict[str, BusinessCalendar]:
    """The calendars that the policies use, by the names that `write` gives them."""
    used = ownership.reclaim.calendar
    return {} if used is None else {_name(used): used}


def zone(ownership: Ownership) -> str | None:
    """The zone that the policies say."""
    said = ownership.reclaim.zone
    return None if said is None else zone_of(said).key


def write(ownership: Ownership) -> dict[str, Any]:
    """The tables as a book writes them; reading them again gives equal policies."""
    reclaim, cap = ownership.reclaim, ownership.cap
    table = {key: _plain(getattr(reclaim, key)) for key in RECLAIM_KEYS}
    if reclaim.calendar is not None and ownership.calendar_said:
        table["calendar"] = _name(reclaim.calendar)
    caps = {"default": cap.default, "per_owner": {str(owner): number for owner, number in cap.per_owner.items()}}
    return {"reclaim": _said(table), "cap": _said(caps), "run": dict(_unusual(ownership.run))}


def _unusual(limits: RunLimits) -> Iterator[tuple[str, Any]]:
    """The limits that are not the usual ones."""
    usual = RunLimits()
    for key in RUN_KEYS:
        value = getattr(limits, key)
        if value != getattr(usual, key):
            yield key, str(value) if key == "activation_grace" else UNLIMITED if value is None else value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: str(span) for key, span in value.items()}
    if isinstance(value, tuple):
        return [str(entry) for entry in value]
    return None if value is None else str(value)


def _said(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None and value not in ({}, [])}
