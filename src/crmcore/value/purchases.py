"""Sales up to a day or an instant, told by its clock, as RFM and the lifetime summary both read them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from crmcore.calendars import to_utc
from crmcore.errors import InvalidFact
from crmcore.sales.figures import rounded

__all__ = ["MEAN_PLACES", "Clock", "Moment", "mean"]

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
    return rounded(Fraction(total) / count, MEAN_PLACES)
