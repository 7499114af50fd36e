"""What a run may take: its own ceiling, and one for each owner and day, kept as reservations that expire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from crmcore.errors import StoreBusy
from crmcore.ownership.rollout import RunLimits
from crmcore.ownership.stored import Stored, owner_of
from crmcore.reservations import Counters, Full

__all__ = ["Ceilings", "daily", "of_run"]

UNLIMITED: Final = 1 << 31
REMEMBERED: Final = timedelta(days=1)


def of_run(now: datetime) -> str:
    """The counter of what the run at `now` has taken."""
    return f"run/{now.isoformat()}"


def daily(owner: str | None) -> str:
    """The counter of what an owner has lost today."""
    return f"reclaimed/{owner}"


class Ceilings:
    """
    The ceilings within one transaction.

    Counters are asked in one order (the run's, then the owners' by name), so that two runs do not wait for each other.
    """

    def __init__(self, counters: Counters, limits: RunLimits, *, now: datetime, midnight: datetime) -> None:
        self._counters, self._limits, self._now, self._midnight = counters, limits, now, midnight

    def left_of_run(self) -> int:
        """How many more this run may take."""
        return self._left(of_run(self._now), self._limits.max_per_run)

    def _left(self, counter: str, ceiling: int | None) -> int:
        if ceiling is None:
            return UNLIMITED
        self._counters.add(counter, 0)  # named, it is nobody else's until the transaction ends
        return max(ceiling - self._counters.held(counter, now=self._now), 0)

    def admit(self, rows: Sequence[Stored], most: int) -> tuple[list[Stored], list[Stored]]:
        """
        Of these, in order: which go, and which have to wait for the owner's next day.

        At most `most` go, and what comes after the last of them is neither.
        """
        owners = sorted({str(owner_of(row.facts)) for row in rows})
        left = {owner: self._left(daily(owner), self._limits.max_per_owner_per_day) for owner in owners}
        go: list[Stored] = []
        over: list[Stored] = []
        for row in rows:
            if len(go) == most:
                break
            owner = str(owner_of(row.facts))
            (go if left[owner] else over).append(row)
            left[owner] = max(left[owner] - 1, 0)
        return go, over

    def take(self, gone: Sequence[Stored]) -> None:
        """Counts what has gone."""
        self._take(of_run(self._now), self._limits.max_per_run, gone, self._now + REMEMBERED)
        by_owner: dict[str, list[Stored]] = {}
        for row in gone:
            by_owner.setdefault(str(owner_of(row.facts)), []).append(row)
        for owner in sorted(by_owner):
            self._take(daily(owner), self._limits.max_per_owner_per_day, by_owner[owner], self._midnight)

    def _take(self, counter: str, ceiling: int | None, gone: Sequence[Stored], until: datetime) -> None:
        if ceiling is None or not gone:
            return
        key = f"{counter}/{gone[0].key!r}/{gone[0].version}"  # one version of a prospect goes once
        said = self._counters.reserve(key, counter, len(gone), ceiling=ceiling, now=self._now, expires_at=until)
        if isinstance(said, Full):  # a store that lets others in between: all of this is undone and tried again
            raise StoreBusy(counter, f"{said.held} of {ceiling} were taken meanwhile", "try again")
