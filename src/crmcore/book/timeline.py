"""Books in the order of their dates: which is in force, and until when its answers can be relied on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise

import attrs

from crmcore.book.book import PolicyBook
from crmcore.calendars import EARLIEST, to_utc, zone
from crmcore.calendars.instants import day_start, instant_at
from crmcore.errors import InvalidPolicy

__all__ = ["Timeline"]


def _ordered(books: Iterable[PolicyBook]) -> tuple[PolicyBook, ...]:
    ordered = tuple(sorted(books, key=start))
    if not ordered:
        raise InvalidPolicy("books", (), "at least one book")
    for earlier, later in pairwise(ordered):
        if start(earlier) == start(later):
            raise InvalidPolicy("books", later.name, f"of another date than {earlier.name!r}; both start on it")
    return ordered


def start(book: PolicyBook) -> datetime:
    """The first instant at which the book is in force: its effective date in its zone; without one, always."""
    if book.effective is None:
        return EARLIEST
    return instant_at(zone(book.zone or "UTC").instant(day_start(book.effective)))


@attrs.frozen
class Timeline:
    """
    Books with their effective dates; the latest that has begun is in force.

    Raises `InvalidPolicy` for no book, or for two of one date.
    """

    books: tuple[PolicyBook, ...] = attrs.field(converter=_ordered)

    def at(self, now: datetime) -> PolicyBook:
        """
        The book in force at `now`; no decision of it promises anything beyond the start of the next book.

        Raises `InvalidPolicy` before the first book.
        """
        now = to_utc(now, "now")
        begun = [book for book in self.books if start(book) <= now]
        if not begun:
            raise InvalidPolicy("now", now.isoformat(), f"an instant from {self.books[0].effective} on")
        later = [start(book) for book in self.books if start(book) > now]
        return begun[-1].until(later[0]) if later else begun[-1]
