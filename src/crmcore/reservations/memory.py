"""Counters in memory, safe among threads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from threading import RLock
from typing import Any, TypeVar

import attrs

from crmcore.reservations.protocol import asked, granted, held
from crmcore.reservations.values import Full, Reservation

__all__ = ["MemoryCounters", "Undoable"]

K = TypeVar("K")
V = TypeVar("V")
MISSING: Any = object()


class Undoable(dict[K, V]):
    """A dict that can go back to where it was at `begin`; changed only by `put` and `drop`."""

    def __init__(self) -> None:
        super().__init__()
        self._before: list[tuple[K, V]] | None = None

    def begin(self) -> None:
        """From here on, until `keep` or `undo`, it remembers what it was."""
        self._before = []

    def keep(self) -> None:
        """What was changed stays."""
        self._before = None

    @property
    def changed(self) -> bool:
        """Whether there is anything to undo."""
        return bool(self._before)

    def undo(self) -> None:
        """Goes back."""
        for key, value in reversed(self._before or []):
            if value is MISSING:
                del self[key]
            else:
                self[key] = value
        self._before = None

    def put(self, key: K, value: V) -> None:
        """Sets the value of a key."""
        if self._before is not None:
            self._before.append((key, self.get(key, MISSING)))
        self[key] = value

    def drop(self, key: K) -> None:
        """Takes a key out."""
        value = self.pop(key)
        if self._before is not None:
            self._before.append((key, value))


class MemoryCounters:
    """
    `Counters` in this process, lost with it.

    Give the `lock` of a store to be part of its transactions; `tables` are what such a transaction undoes.
    """

    def __init__(self, lock: RLock | None = None) -> None:
        self._lock = lock or RLock()
        self._totals: Undoable[str, int] = Undoable()
        self._by_key: Undoable[str, Reservation] = Undoable()
        self._keys: Undoable[str, frozenset[str]] = Undoable()
        self.tables = (self._totals, self._by_key, self._keys)

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
        """See `Counters.reserve`."""
        wish = asked(key, counter, amount, now, expires_at)
        with self._lock:
            self._forget(counter, now)
            known, total = self._by_key.get(key), self._totals.get(counter, 0)
            said = granted(wish, known, total, self._of(counter), ceiling=ceiling, now=now, partial=partial)
            if isinstance(said, Reservation) and said is not known:
                self._put(said)
            return said

    def commit(self, key: str, *, now: datetime) -> bool:
        """See `Counters.commit`."""
        with self._lock:
            known = self._by_key.get(key)
            if known is None or not known.alive(now):
                return False
            if not known.committed:
                self._by_key.put(key, attrs.evolve(known, committed=True))
                self.add(known.counter, known.amount)
            return True

    def release(self, key: str, *, now: datetime) -> bool:
        """See `Counters.release`."""
        with self._lock:
            known = self._by_key.get(key)
            if known is None or not known.alive(now):
                return False
            if known.committed:
                self.add(known.counter, -known.amount)
            self._drop(known)
            return True

    def add(self, counter: str, amount: int) -> None:
        """See `Counters.add`."""
        with self._lock:
            self._totals.put(counter, self._totals.get(counter, 0) + amount)

    def held(self, counter: str, *, now: datetime) -> int:
        """See `Counters.held`."""
        with self._lock:
            return held(self._totals.get(counter, 0), self._of(counter), now)

    def _of(self, counter: str) -> Iterator[Reservation]:
        return (self._by_key[key] for key in self._keys.get(counter, ()))

    def _put(self, reservation: Reservation) -> None:
        if (old := self._by_key.get(reservation.key)) is not None:  # of another counter, long expired
            self._drop(old)
        self._by_key.put(reservation.key, reservation)
        self._keys.put(reservation.counter, self._keys.get(reservation.counter, frozenset()) | {reservation.key})

    def _drop(self, reservation: Reservation) -> None:
        self._by_key.drop(reservation.key)
        self._keys.put(reservation.counter, self._keys[reservation.counter] - {reservation.key})

    def _forget(self, counter: str, now: datetime) -> None:
        for each in [each for each in self._of(counter) if not each.alive(now)]:
            self._drop(each)
