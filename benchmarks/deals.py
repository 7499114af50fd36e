"""Deals as columns, made up from a seed, and two policies on them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.portfolio import ZONE, office
from crmcore import OPEN_ENDED
from crmcore.ownership import ReclaimPolicy

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = ["NOW", "Deal", "by_calendar_days", "by_working_days", "records", "table"]

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
STATUSES = ("open", "won", "lost", "invalid", "paused")
STATUS_SHARES = (0.75, 0.119, 0.12, 0.01, 0.001)
GRADES = ("A", "B", "C", None)
RARE = 0.001
"""The share of each thing that is not plain: no start known, a fact ahead by hours or by days, a freeze without end."""


def by_calendar_days() -> ReclaimPolicy:
    """Days by grade, and two reminders."""
    idle = {"A": "15d", "B": "30d", "default": "60d"}
    return ReclaimPolicy(idle=idle, no_deal="90d", remind_before=["7d", "1d"], zone=ZONE)


def by_working_days() -> ReclaimPolicy:
    """Working days, with China's holidays and make-up days; a minimum hold and two reminders."""
    return ReclaimPolicy(
        idle="20wd",
        no_deal="90d",
        min_hold="10d",
        min_remaining="5d",
        remind_before=["3wd", "1d"],
        zone=ZONE,
        calendar=office(),
    )


@attrs.define
class Deal:
    """A row as a record of the host: slotted, instants in UTC."""

    id: int
    status: str
    owner: str | None
    grade: str | None
    assigned_at: datetime | None
    last_contact_at: datetime | None
    frozen_until: datetime | None


def table(count: int, seed: int = 1) -> pa.Table:
    """
    So many rows: three in four open, a third of these never called, a tenth frozen at some time.

    Both policies give every answer; each thing that is not plain is in one row of a thousand.
    """
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(seed)
    assigned = _ago(random, 0, 120, count)
    contact = np.maximum(assigned, _ago(random, 0, 60, count))
    frozen = _ago(random, -60, 60, count)
    for column in (assigned, contact):
        for nearest, farthest in ((-1, 0), (-9, -1)):
            ahead = random.random(count) < RARE / 2
            column[ahead] = _ago(random, nearest, farthest, int(ahead.sum()))
    frozen[random.random(count) < RARE * 10] = np.datetime64(OPEN_ENDED.replace(tzinfo=None), "us")
    owners = [None, *(f"u{number:03}" for number in range(49))]
    return pa.table({
        "id": pa.array(np.arange(count)),
        "status": pa.array(STATUSES).take(pa.array(random.choice(len(STATUSES), count, p=STATUS_SHARES))),
        "owner": pa.array(owners).take(pa.array(random.integers(0, len(owners), count))),
        "grade": pa.array(GRADES).take(pa.array(random.integers(0, len(GRADES), count))),
        "assigned_at": _instants(assigned, random.random(count) < RARE),
        "last_contact_at": _instants(contact, random.random(count) < 1 / 3),
        "frozen_until": _instants(frozen, random.random(count) < 0.9),
    })  # fmt: skip


def _ago(random: np.random.Generator, least: float, most: float, count: int) -> Any:
    """Instants so many days before now."""
    import numpy as np

    day = DAY // timedelta(microseconds=1)
    ago = random.integers(int(least * day), int(most * day), count)
    return np.datetime64(NOW.replace(tzinfo=None), "us") - ago.astype("timedelta64[us]")


def _instants(values: Any, missing: Any) -> pa.Array:
    import pyarrow as pa

    return pa.array(values, pa.timestamp("us"), mask=missing).cast(pa.timestamp("us", "UTC"))


def records(rows: pa.Table) -> Iterator[Deal]:
    """The same rows as objects."""
    import pyarrow as pa

    for name in ("assigned_at", "last_contact_at", "frozen_until"):
        naive = rows[name].cast(pa.timestamp("us"))
        rows = rows.set_column(rows.schema.get_field_index(name), name, naive)
    for row in rows.to_pylist():
        yield Deal(**{name: v.replace(tzinfo=UTC) if isinstance(v, datetime) else v for name, v in row.items()})
