"""What reclaim and cap read of a prospect, and the terms they use."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

import attrs

__all__ = ["PAST_FACTS", "PROTECTIONS", "OwnedProspect", "Prospect", "Status"]


class Status(StrEnum):
    """Where a prospect stands; compares equal to its text. Only `open` ones are owned, capped and reclaimed (OWN-9)."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"
    INVALID = "invalid"


PROTECTIONS: Final = ("contract", "quote", "order", "receivable", "complaint", "dispute", "transfer")
"""The protections of OWN-18 by their usual names; a book may list others. Each is read as the fact ``<name>_until``."""

PAST_FACTS: Final = ("assigned_at", "last_contact_at")
"""Facts of events that have happened; one in the future is judged by `future_tolerance`."""


class OwnedProspect(Protocol):
    """
    The facts of a prospect that every reclaim policy reads; others as its `reads` say.

    Any object with these attributes will do. `assigned_at` is when the present owner got it, `last_contact_at` the last
    contact by that owner (None: none since), both aware instants; `frozen_until` is exclusive (OWN-3).
    """

    @property
    def status(self) -> str:
        """One of `Status`."""

    @property
    def owner(self) -> str | int | None:
        """The rep's id; None: in the pool, or not assigned yet."""

    @property
    def assigned_at(self) -> datetime | None:
        """When the present owner got it; None is judged as NEEDS_DATA where it matters."""

    @property
    def frozen_until(self) -> datetime | None:
        """Exclusive end of the freeze (OWN-3); None: not frozen."""


@attrs.frozen(kw_only=True)
class Prospect:
    """A prospect as a plain record, for scripts and tests; a CRM hands in its own objects instead."""

    id: str | int
    owner: str | int | None = None
    status: str = Status.OPEN
    grade: str | None = None
    assigned_at: datetime | None = None
    last_contact_at: datetime | None = None
    contact_unknown: bool = False
    frozen_until: datetime | None = None
    contract_until: datetime | None = None
    quote_until: datetime | None = None
    order_until: datetime | None = None
    receivable_until: datetime | None = None
    complaint_until: datetime | None = None
    dispute_until: datetime | None = None
    transfer_until: datetime | None = None
    appointment_at: datetime | None = None
