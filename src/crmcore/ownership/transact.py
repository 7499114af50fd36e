"""Trying a transaction again while the database gives up on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from crmcore.errors import StoreBusy
from crmcore.ownership.ports import OwnershipStore, Transaction

__all__ = ["transact"]

TRIES: Final = 10
T = TypeVar("T")


def transact(store: OwnershipStore, work: Callable[[Transaction], T]) -> T:
    """What `work` gives in a transaction; `work` is called again after `StoreBusy`, which is raised the tenth time."""
    for _ in range(TRIES - 1):
        try:
            with store.begin() as transaction:
                return work(transaction)
        except StoreBusy:
            continue
    with store.begin() as transaction:
        return work(transaction)
