"""The ``[calendars.<name>]`` tables of a book: read into calendars, written back as they were or pinned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from crmcore.calendars import BusinessCalendar
from crmcore.errors import InvalidCalendar, MissingExtra
from crmcore.files.toml import Section

__all__ = ["SCHEMA", "pinned", "read"]

WINDOWS: Final = {"type": "array", "items": {"type": "string", "pattern": "^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$"}}
WEEK: Final = {
    "type": "object",
    "additionalProperties": False,
    "properties": dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), WINDOWS),
}
DATE: Final = {"type": "string", "format": "date"}
SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "zone": {"type": "string"},
            "week": WEEK,
            "holidays": {"description": "chinesecalendar, holidays:CN, holidays:DE-BY …", "type": "string"},
            "make_up": {"description": "hours of an importer's make-up workdays", **WINDOWS},
            "closed": {"description": "dates, or first/last inclusive", "type": "array", "items": {"type": "string"}},
            "open": {"type": "object", "additionalProperties": WINDOWS},
            "known_through": DATE,
            "whole_shifts": {"type": "boolean"},
            "hours": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["from", "week"],
                    "properties": {"from": DATE, "week": WEEK},
                },
            },
        },
    },
}
SOME_WEEK: Final = {"mon": ["09:00-18:00"]}
SOME: Final = BusinessCalendar(zone="UTC", week=SOME_WEEK)
KEYS: Final = ("zone", "week", "holidays", "make_up", "closed", "open", "known_through", "whole_shifts", "hours")


def read(section: Section, zone: str) -> dict[str, BusinessCalendar]:
    """The calendars of ``[calendars]``, in `zone` where they say none; faults are noted in the section."""
    return {name: _calendar(section.table(name), name, zone) for name in section.names()}


def _calendar(section: Section, name: str, zone: str) -> BusinessCalendar:
    """
    The calendar; each key is tried alone first, so that every fault is found at once.

    Of a faulty one, some calendar: the book is refused, and the policies that use it are not blamed as well.
    """
    table = {key: value for key in KEYS if (value := section.any(key)) is not None}
    if "make_up" in table and "holidays" not in table:
        section.fault("make_up", "has no effect without holidays", 'add holidays = "chinesecalendar", or drop it')
    if not any(table.get(key) for key in ("week", "open", "hours")) and "holidays" not in table:
        section.fault("week", "has no working time", 'write week = { mon = ["09:00-18:00"] }')
        return SOME
    alone = [{"zone": zone, "week": SOME_WEEK, **_with(key, table)} for key in table if key != "make_up"]
    made = [_made(section, name, one) for one in alone]
    if all(made):
        return _made(section, name, {"zone": zone, "week": {}, **table}) or SOME
    return SOME


def _with(key: str, table: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("holidays", "make_up") if key == "holidays" else (key,)
    return {key: table[key] for key in keys if key in table}


def _made(section: Section, name: str, table: Mapping[str, Any]) -> BusinessCalendar | None:
    try:
        return BusinessCalendar.from_table(table, name=name)
    except InvalidCalendar as error:
        section.fault_below(error.key, error.value, f"is not {error.expected}")
    except MissingExtra as error:
        section.fault("holidays", "cannot be imported", str(error))
    return None


def pinned(calendar: BusinessCalendar) -> dict[str, Any]:
    """The calendar as a table of dates, no importer: what it says stays what it says."""
    return {key: value for key, value in calendar.canonical().items() if value not in (None, [], {}, False)}
