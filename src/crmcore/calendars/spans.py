"""
Spans: "7d" and the like, and what they do to instants once the zone or calendar they need is known.

`Span("7d")` is a value; `Span("7d").on("Asia/Shanghai")` is a `BoundSpan`, a map `add` that never decreases, with
`cutoff(now)`, the greatest t with add(t) <= now, and `sub(t)`, the least s with add(s) >= t.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final, Literal, cast

import attrs

from crmcore.calendars import bound, zones
from crmcore.calendars.instants import DAY, HOUR, MINUTE
from crmcore.errors import InvalidSpan, SpanNeeds

if TYPE_CHECKING:
    from crmcore.calendars.business import BusinessCalendar

__all__ = ["Span"]

Unit = Literal["min", "h", "d", "w", "mo", "wd", "wh", "wmin"]

FORM: Final = re.compile(r"([0-9]{1,9})(min|h|d|w|mo|wd|wh|wmin)", re.ASCII)
LOOSE: Final = re.compile(r"\s*([0-9]{1,9})\s*([a-z]+)\s*", re.ASCII | re.IGNORECASE)
EXAMPLES: Final = "30min 24h 7d 2w 3mo 5wd 8wh 30wmin"
MICROS: Final[dict[str, int]] = {
    "min": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY, "mo": 30 * DAY, "wd": 7 * DAY // 5, "wh": HOUR, "wmin": MINUTE,
}  # fmt: skip
MEANT: Final[dict[str, str]] = {
    "m": "min or mo", "minute": "min", "minutes": "min", "mins": "min", "hour": "h", "hours": "h", "hr": "h",
    "hrs": "h", "day": "d", "days": "d", "week": "w", "weeks": "w", "month": "mo", "months": "mo", "mon": "mo",
    "bd": "wd", "bh": "wh", "y": "mo, 12 to a year", "year": "mo, 12 to a year", "years": "mo, 12 to a year",
}  # fmt: skip
"""Units that others write, and ours."""


def _parts(text: str) -> tuple[int, Unit] | None:
    match = FORM.fullmatch(text)
    return (int(match[1]), cast("Unit", match[2])) if match else None


def _text(value: str | Span) -> str:
    """The one way to write the span."""
    if isinstance(value, Span):
        return value.text
    parts = _parts(value) if isinstance(value, str) else None
    if parts is None:
        raise InvalidSpan(value, _hint(value))
    if parts[0] * MICROS[parts[1]] > timedelta.max // timedelta(microseconds=1):
        raise InvalidSpan(value, "it is too long")
    return f"{parts[0]}{parts[1]}"


def _hint(value: object) -> str:
    if isinstance(value, timedelta):
        return f'say the unit that is meant, for elapsed time in text such as "24h": {EXAMPLES}'
    match = LOOSE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return f"say a whole number and a unit, without sign or blanks: {EXAMPLES}"
    count, unit = match[1], match[2].lower()
    if unit in MEANT:
        return f"say {MEANT[unit]} for {match[2]}: {EXAMPLES}"
    if unit in MICROS:
        return f'say "{count}{unit}"'
    return f"{match[2]} is no unit: {EXAMPLES}"


@attrs.frozen(cache_hash=True, repr=False)
class Span:
    """
    A length of time as it is written: a whole number and a unit of ``min h d w mo wd wh wmin``.

    Equal when number and unit are: 24h is elapsed time, 1d the same wall clock on the next day.
    """

    text: str = attrs.field(converter=_text)
    count: int = attrs.field(init=False, eq=False)
    unit: Unit = attrs.field(init=False, eq=False)

    def __attrs_post_init__(self) -> None:
        count, unit = cast("tuple[int, Unit]", _parts(self.text))
        object.__setattr__(self, "count", count)
        object.__setattr__(self, "unit", unit)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Span({self.text!r})"

    @property
    def nominal(self) -> timedelta:
        """The length by which spans of different units are compared: d 24 h, w 7 d, mo 30 d, wd 7/5 d."""
        return timedelta(microseconds=self.count * MICROS[self.unit])

    @property
    def needs(self) -> Literal["zone", "calendar"] | None:
        """What `on` must be given; the unit decides."""
        if self.unit in {"wd", "wh", "wmin"}:
            return "calendar"
        return None if self.unit in {"h", "min"} else "zone"

    def add(
        self, t: datetime, zone: str | tzinfo | zones.Zone | None = None, calendar: BusinessCalendar | None = None
    ) -> datetime:
        """See `BoundSpan.add`; `zone` or `calendar` as `on` takes them, none for ``h min``."""
        return self.on(zone, calendar).add(t)

    def sub(
        self, t: datetime, zone: str | tzinfo | zones.Zone | None = None, calendar: BusinessCalendar | None = None
    ) -> datetime:
        """See `BoundSpan.sub`."""
        return self.on(zone, calendar).sub(t)

    def cutoff(
        self, now: datetime, zone: str | tzinfo | zones.Zone | None = None, calendar: BusinessCalendar | None = None
    ) -> datetime:
        """See `BoundSpan.cutoff`."""
        return self.on(zone, calendar).cutoff(now)

    def on(
        self,
        zone: str | tzinfo | zones.Zone | None = None,
        calendar: BusinessCalendar | None = None,
        key: str = "",
    ) -> bound.BoundSpan:
        """The span as a map of instants; ``d w mo`` take the calendar's zone if given no other; errors name `key`."""
        amount = self.count * MICROS[self.unit]
        if self.needs is None:
            return bound.Elapsed(self, amount)
        if self.needs == "calendar":
            if calendar is None:
                raise SpanNeeds(self.text, "calendar", key)
            if self.unit == "wd":
                return bound.WorkingDays(self, calendar)
            return bound.WorkingTime(self, amount, calendar)
        if zone is None:
            if calendar is None:
                raise SpanNeeds(self.text, "zone", key)
            zone = calendar.zone
        where = zones.zone(zone)
        return bound.Months(self, where) if self.unit == "mo" else bound.Days(self, amount, where)
