"""The port of counters with a ceiling."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from crmcore.reservations.values import Full, Reservation

__all__ = ["Counters"]


class Counters(Protocol):
    """
    Counters, each with a total and the reservations that hold a part of it.

    Every verb is atomic: of any number of askers at once, none sees another's half-done work, and what is held never
    passes a ceiling that every asker names. A counter that nobody has named holds 0. Instants are aware.
    """

    def reserve(
        self,
        key: str,
        counter: str,
        amount: int = 1,
        *,
        ceiling: int | None,
        now: datetime,
        expires_at: datetime,
        partial: bool = False,
    ) -> Reservation | Full:
        """
        Holds `amount` of the counter until `expires_at`, exclusive, if no more than `ceiling` is held then.

        A ceiling of ``None`` is none. With `partial`, what still fits, if that is 1 or more. A `key` that is remembered
        gives its reservation once more and takes nothing. Raises `InvalidInput` for an amount below 1, an
        `expires_at` not after `now`, and a key that is remembered for another counter.
        """

    def commit(self, key: str, *, now: datetime) -> bool:
        """Makes what the key holds count for good; again changes nothing. False: nothing is held, or it has expired."""

    def release(self, key: str, *, now: datetime) -> bool:
        """Gives back what the key holds or has committed, and forgets the key. False: it is not remembered."""

    def add(self, counter: str, amount: int) -> None:
        """Changes the total by `amount`, whatever the ceilings; negative gives back."""

    def held(self, counter: str, *, now: datetime) -> int:
        """
        What is held at `now`: the total and every reservation neither committed nor expired.

        Asked within a transaction of a store, it stays so until that ends, unless nobody has named the counter yet.
        """
