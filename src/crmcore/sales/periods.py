"""
Months, quarters and years as periods of a zone's calendar.

>>> from datetime import date
>>> from crmcore.sales import Periods
>>> [str(period) for period in Periods("quarter").between(date(2025, 11, 3), date(2026, 4, 1))]
['2025-Q4', '2026-Q1', '2026-Q2']
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, tzinfo
from typing import Final, Literal, TypeAlias, get_args

import attrs

from crmcore.calendars import to_utc
from crmcore.calendars import zone as zone_of
from crmcore.errors import InvalidFact, InvalidPolicy

__all__ = ["Period", "PeriodKind", "Periods"]

PeriodKind: TypeAlias = Literal["month", "quarter", "year"]
"""How long a period is."""
MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}


@attrs.frozen(order=True)
class Period:
    """One period, the days from `first` inclusive to `end` exclusive; as text ``2026-03``, ``2026-Q1``, ``2026``."""

    first: date
    end: date
    kind: str = attrs.field(order=False)

    def __str__(self) -> str:
        if self.kind == "month":
            return f"{self.first:%Y-%m}"
        year = f"{self.first:%Y}"
        return year if self.kind == "year" else f"{year}-Q{(self.first.month + 2) // 3}"


def _tz(value: str | tzinfo) -> tzinfo:
    return zone_of(value).tz


def _kind(value: str) -> PeriodKind:
    if value not in get_args(PeriodKind):
        raise InvalidPolicy("period", value, f"one of {', '.join(get_args(PeriodKind))}")
    return value  # type: ignore[return-value]  # just checked


@attrs.frozen
class Periods:
    """
    The months, quarters or years of a zone; which day an instant falls on depends on it, a date is itself.

    Raises `InvalidPolicy` for another `kind`, `InvalidCalendar` for no zone.
    """

    kind: PeriodKind = attrs.field(default="month", converter=_kind)
    zone: tzinfo = attrs.field(default=UTC, converter=_tz)

    def of(self, at: date | datetime) -> Period:
        """The period that a date or an aware instant falls into; raises `InvalidFact` for 9999-12-31, an end."""
        day = self.day(at)
        if day == date.max:  # a period ends before a day, and there is none after this
            raise InvalidFact("at", str(day), f"a day before {day}; a date that stands for none is left out")
        months = MONTHS[self.kind]
        return self._from(day.year, (day.month - 1) // months * months + 1)

    def after(self, period: Period) -> Period:
        """The next period; raises `OverflowError` for the last."""
        if period.end == date.max:
            raise OverflowError(f"no period after {period}")
        return self._from(period.end.year, period.end.month)

    def between(self, first: date | datetime, last: date | datetime) -> Iterator[Period]:
        """Every period from that of `first` to that of `last`, both inclusive, the empty ones too."""
        period, end = self.of(first), self.of(last)
        while period < end:
            yield period
            period = self.after(period)
        if period == end:
            yield period

    def day(self, at: date | datetime) -> date:
        """The day in the zone; raises `NaiveDatetime`."""
        return to_utc(at, "at").astimezone(self.zone).date() if isinstance(at, datetime) else at

    def starts_at(self, period: Period) -> datetime:
        """The first instant of a period, in the zone; its end is the first instant of the next."""
        return datetime.combine(period.first, time(), self.zone)

    def ends_at(self, period: Period) -> datetime:
        """The first instant after a period, in the zone."""
        return datetime.combine(period.end, time(), self.zone)

    def _from(self, year: int, month: int) -> Period:
        months = month - 1 + MONTHS[self.kind]
        years, rest = divmod(months, 12)
        end = date.max if year + years > date.max.year else date(year + years, rest + 1, 1)
        return Period(date(year, month, 1), end, self.kind)
