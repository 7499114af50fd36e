"""
The ports of a store of prospects: few verbs each, and what they promise.

A store gives transactions; a transaction has the five ports, and all that is done through it lasts together or not at
all. `crmcore.testing.contracts` holds an adapter to every promise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from crmcore.ownership.stored import Activation, Change, Event, Message, Stored
from crmcore.reservations import Counters

__all__ = ["Due", "Notes", "Outbox", "OwnershipStore", "Prospects", "Transaction"]


class Prospects(Protocol):
    """The prospects and their history."""

    def read(self, keys: Iterable[str]) -> Sequence[Stored]:
        """
        Those with these keys that there are, in any order.

        No other transaction changes them before this one ends, where the database can promise that.
        """

    def write(self, changes: Sequence[Change]) -> Sequence[str]:
        """
        Makes each change whose `before` still holds; the keys of the others come back, and of these nothing is done.

        It holds if the stored version and owner are those of `before`; with ``None``, if there is no such prospect. A
        change is the row, its event appended to the history, and its message put into the outbox, where one with
        the same (key, deadline, step) stays as it is.
        """

    def scan(self, after: str | None, limit: int, *, due: tuple[datetime, str] | None = None) -> Sequence[Stored]:
        """
        Up to `limit` prospects whose keys are greater than `after`, by key, not locked; an empty answer is the end.

        With `due` (now, digest): only those with `next_change_at` <= now, or with the answer of another digest.
        """

    def history(self, key: str) -> Sequence[Event]:
        """Every event of a prospect, oldest first."""


class Due(Protocol):
    """What is due: up to `limit` prospects, locked until the transaction ends, less those that another has locked."""

    def answers(self, now: datetime, limit: int) -> Sequence[Stored]:
        """Those with `next_change_at` <= `now` whose answer is not RECLAIM, the longest due first."""

    def reclaims(self, now: datetime, limit: int) -> Sequence[Stored]:
        """Those with `next_change_at` <= `now` whose answer is RECLAIM, by deadline, then greatest worth, then key."""

    def stale(self, digest: str, limit: int) -> Sequence[Stored]:
        """Those with the answer of another digest, or none, in any order."""

    def waiting(self, now: datetime) -> Mapping[str | None, int]:
        """How many `reclaims` there are at `now`, by owner as text; locked ones too, and nothing is locked."""

    def count(self, now: datetime, digest: str) -> int:
        """How many `answers` and `stale` there are; nothing is locked."""


class Outbox(Protocol):
    """Messages that the host has not taken yet."""

    def pending(self, limit: int) -> Sequence[Message]:
        """The oldest messages that were not acknowledged, up to `limit`, in the order in which they were put."""

    def acknowledge(self, messages: Iterable[Message]) -> None:
        """Takes them off: they are remembered, never pending again."""


class Notes(Protocol):
    """What a store knows of itself: which policies were in force, and what the imports said."""

    def activate(self, activation: Activation) -> None:
        """Appends it, unless the last one has the same digest."""

    def activations(self) -> Sequence[Activation]:
        """All, in the order in which they were appended."""

    def get(self, name: str) -> Any:
        """A JSON-able value by name; None where there is none."""

    def put(self, name: str, value: Any) -> None:
        """Keeps a JSON-able value."""


class Transaction(Protocol):
    """The ports within one transaction."""

    @property
    def prospects(self) -> Prospects:
        """The prospects and their history."""

    @property
    def due(self) -> Due:
        """What is due."""

    @property
    def outbox(self) -> Outbox:
        """What the host is to be told."""

    @property
    def counters(self) -> Counters:
        """What owners hold, and what a run may still do."""

    @property
    def notes(self) -> Notes:
        """What the store knows of itself."""


class OwnershipStore(Protocol):
    """A store of prospects."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """
        A transaction: it lasts when the block ends, and nothing of it does when the block raises.

        Raises `StoreBusy` when the database gives up on it: it may be tried again.
        """
