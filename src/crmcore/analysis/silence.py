"""
Lost (ANA-14): silent for as long as the limit that is given as data, for all customers or one by one.

Active at an instant is who bought before it, and whose last purchase before it plus the limit lies after it; at the
deadline it is due. A customer's purchases are cut into `Stretch`es, which both roads of the metrics count.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import date, datetime, time
from enum import IntEnum
from itertools import pairwise
from typing import Final, NamedTuple, Self, TypeAlias

import attrs

from crmcore.calendars import BoundSpan, Span, to_utc
from crmcore.errors import InvalidPolicy
from crmcore.sales import Period, Periods

__all__ = ["LOST_AFTER", "Came", "LostAfter", "Silence", "Stretch", "Timeline", "first_instant", "texts"]

LOST_AFTER: Final = "180d"
"""The limit where none is given: research §6.4."""
LostAfter: TypeAlias = str | Span | Mapping[Hashable, str | Span]
"""One limit for all, or customer → limit; the key ``default`` is for customers without one of their own."""
DEFAULT: Final = "default"


class Came(IntEnum):
    """How a customer who buys in a period stood at its start."""

    NEW = 0
    RETURNED = 1
    STAYED = 2


class Stretch(NamedTuple):
    """
    A customer from its purchases in one period to those in the next in which it buys.

    `bought`: the period, -1 for all time before the first. Active at the starts of the periods after it, up to `until`
    exclusive. `lost`: before it bought again, so in the period ``until - 1``.
    """

    bought: int
    came: Came
    until: int
    lost: bool


@attrs.frozen
class Timeline:
    """Periods one after the other, and the instants in UTC at which they start, with the end of the last."""

    periods: tuple[Period, ...]
    bounds: tuple[datetime, ...]

    @classmethod
    def of(
        cls,
        rule: Periods,
        earliest: date | datetime | None,
        latest: date | datetime | None,
        first: date | datetime | None = None,
        last: date | datetime | None = None,
    ) -> Self:
        """From `first` or the `earliest` sale to `last` or the `latest`; empty where there is neither."""
        if first is not None and last is not None and rule.of(last) < rule.of(first):
            raise InvalidPolicy("last", str(last), f"no earlier than first = {first}")
        start, end = first or earliest, last or latest
        if start is None or end is None:
            return cls((), ())
        periods = list(rule.between(start, end))
        while periods and last is None and first_instant(end, rule) >= to_utc(rule.ends_at(periods[-1])):
            periods.append(rule.after(periods[-1]))  # a clock put back over midnight shows the day before once more
        bounds = [to_utc(rule.starts_at(period)) for period in periods]
        return cls(tuple(periods), (*bounds, *(to_utc(rule.ends_at(period)) for period in periods[-1:])))

    def index(self, at: datetime) -> int:
        """The place of the period that an instant falls into: -1 before the first, `len` after the last."""
        return bisect_right(self.bounds, at) - bool(self.bounds)

    def __len__(self) -> int:
        return len(self.periods)


def first_instant(at: date | datetime, rule: Periods) -> datetime:
    """The instant, in UTC; of a day its first in the zone of the periods."""
    return to_utc(at if isinstance(at, datetime) else datetime.combine(at, time(), rule.zone))


@attrs.frozen
class Silence:
    """The limits, on the zone of the periods; raises `InvalidSpan`, `SpanNeeds`, `InvalidPolicy`."""

    limits: Mapping[Hashable, BoundSpan]

    @classmethod
    def of(cls, lost_after: LostAfter, rule: Periods) -> Self:
        """One limit, or one for each of some customers."""
        given = lost_after if isinstance(lost_after, Mapping) else {DEFAULT: lost_after}
        return cls({key: Span(span).on(rule.zone, key="lost_after") for key, span in given.items()})

    def limit(self, customer: Hashable) -> BoundSpan:
        """The customer's limit."""
        limits = self.limits
        found = limits.get(customer) or limits.get(DEFAULT)
        if found is None:
            raise InvalidPolicy("lost_after", customer, f"one of the customers listed, or a {DEFAULT!r} beside them")
        return found

    def texts(self, customers: Iterable[Hashable]) -> tuple[str, ...]:
        """The limits that these customers have, the shortest first."""
        if set(self.limits) == {DEFAULT}:
            return (str(self.limits[DEFAULT].span),)
        return texts({self.limit(customer).span for customer in customers})

    def stretches(self, customer: Hashable, purchases: Mapping[int, datetime], timeline: Timeline) -> Iterator[Stretch]:
        """The customer's stretches; `purchases`: the last in each period."""
        limit, came, end = self.limit(customer), Came.NEW, len(timeline)
        for bought, following in pairwise((*sorted(purchases), end)):
            due = limit.add(purchases[bought])
            gone = max(bisect_left(timeline.bounds, due), bought + 1)
            lost = gone <= following
            yield Stretch(bought, came, min(gone, following + 1), lost)
            came = Came.RETURNED if lost else Came.STAYED


def texts(spans: Iterable[Span]) -> tuple[str, ...]:
    """Limits as text, the shortest first."""
    return tuple(str(span) for span in sorted(spans, key=lambda span: (span.nominal, span.text)))
