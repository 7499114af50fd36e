"""A clock that stands still until it is told to move."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from crmcore.calendars import BusinessCalendar, Span, Zone, to_utc
from crmcore.errors import InvalidInput

__all__ = ["ManualClock"]


class ManualClock:
    """
    The present, as a test says it: `now` stands still until `advance` or `set`.

    Time does not run backwards unless `set` is told that it may. `zone` and `calendar` are for spans that need them.
    """

    def __init__(
        self,
        now: datetime,
        *,
        zone: str | tzinfo | Zone | None = None,
        calendar: BusinessCalendar | None = None,
    ) -> None:
        self._now = to_utc(now, "now")
        self._zone = zone
        self._calendar = calendar

    def __repr__(self) -> str:
        return f"ManualClock({self._now.isoformat()})"

    def __call__(self) -> datetime:
        """`now`, for code that takes a function."""
        return self._now

    @property
    def now(self) -> datetime:
        """The present instant, in UTC."""
        return self._now

    def advance(self, by: str | Span | timedelta) -> datetime:
        """Moves on by a span or a timedelta and gives the new `now`; never backwards."""
        at = self._now + by if isinstance(by, timedelta) else Span(by).on(self._zone, self._calendar).add(self._now)
        return self.set(at)

    def set(self, at: datetime, *, backwards: bool = False) -> datetime:
        """Moves to an aware instant and gives the new `now`; to an earlier one only if `backwards` says so."""
        at = to_utc(at, "at")
        if at < self._now and not backwards:
            msg = f"the clock stands at {self._now.isoformat()}; {at.isoformat()} is earlier; say backwards=True"
            raise InvalidInput(msg)
        self._now = at
        return at
