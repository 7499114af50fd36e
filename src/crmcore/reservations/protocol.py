"""What reserving, committing and releasing mean; every implementation asks here, and keeps what it is told."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from crmcore.calendars import to_utc
from crmcore.errors import InvalidInput
from crmcore.reservations.values import Full, Reservation

__all__ = ["asked", "granted", "held"]


def asked(key: str, counter: str, amount: int, now: datetime, expires_at: datetime) -> Reservation:
    """What is asked for, as a reservation; raises `InvalidInput`."""
    if isinstance(amount, bool) or not isinstance(amount, int) or amount < 1:
        msg = f"amount: {amount!r} is not a whole number, 1 or more; use add to give back"
        raise InvalidInput(msg)
    if to_utc(expires_at, "expires_at") <= to_utc(now, "now"):
        msg = f"expires_at: {expires_at} is not after now, {now}; give a later instant"
        raise InvalidInput(msg)
    return Reservation(key=key, counter=counter, amount=amount, expires_at=to_utc(expires_at))


def granted(
    wish: Reservation,
    known: Reservation | None,
    total: int,
    others: Iterable[Reservation],
    *,
    ceiling: int | None,
    now: datetime,
    partial: bool,
) -> Reservation | Full:
    """The answer to a wish: the reservation `known` under its key, what is granted, or a refusal."""
    if known is not None and known.alive(now):
        if known.counter != wish.counter:
            msg = f"key {wish.key!r} holds a part of {known.counter!r}, not of {wish.counter!r}; use a key only once"
            raise InvalidInput(msg)
        return known
    taken = held(total, others, now)
    if ceiling is None or taken + wish.amount <= ceiling:
        return wish
    if partial and taken < ceiling:
        return Reservation(key=wish.key, counter=wish.counter, amount=ceiling - taken, expires_at=wish.expires_at)
    return Full(counter=wish.counter, asked=wish.amount, held=taken, ceiling=ceiling)


def held(total: int, reservations: Iterable[Reservation], now: datetime) -> int:
    """The total and what is reserved at `now`."""
    return total + sum(each.amount for each in reservations if each.counts(now))
