"""Sales up to a day or an instant, told by its clock, as RFM and the lifetime summary both read them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, NamedTuple

from crmcore.calendars import to_utc
from crmcore.errors import InvalidFact
from crmcore.sales import exact

__all__ = ["MEAN_PLACES", "Clock", "Moment", "mean", "natural"]

MEAN_PLACES: Final = 4
"""A mean is rounded to so many decimal places, half away from zero."""


class Moment(NamedTuple):
    """When something was: as an instant, and by the wall clock."""

    at: datetime
    wall: datetime


class Clock:
    """The wall clock of the zone of `as_of`, a date or an aware instant; raises `NaiveDatetime`."""

    def __init__(self, as_of: date | datetime) -> None:
        self.as_of = as_of
        self.zone = as_of.tzinfo if isinstance(as_of, datetime) else None
        self.now = self.moment(to_utc(as_of, "as_of") if isinstance(as_of, datetime) else as_of)

    def moment(self, at: date | datetime) -> Moment:
        """A date is its first instant; raises `InvalidFact` for an instant where `as_of` is a date."""
        if not isinstance(at, datetime):
            midnight = datetime.combine(at, time())
            return Moment(midnight.replace(tzinfo=self.zone or UTC).astimezone(UTC), midnight)
        if self.zone is None:
            raise InvalidFact("at", at, f"a date, as as_of={self.as_of} is; or give as_of as an instant with its zone")
        return Moment(at, at.astimezone(self.zone).replace(tzinfo=None))


def mean(total: Decimal, count: int) -> Decimal:
    """``total / count`` to `MEAN_PLACES`."""
    scaled = abs(Fraction(total)) * 10**MEAN_PLACES / count
    return exact(f"{'-' * (total < 0)}{int(scaled + Fraction(1, 2))}E-{MEAN_PLACES}")


def natural(keys: Iterable[Hashable]) -> tuple[Hashable, ...]:
    """The keys in their own order; of several types, by type and as text."""
    found: tuple[Any, ...] = tuple(keys)
    try:
        return tuple(sorted(found))
    except TypeError:
        return tuple(sorted(found, key=lambda key: (type(key).__name__, str(key))))
