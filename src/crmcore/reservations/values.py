"""What a counter with a ceiling answers."""

from __future__ import annotations

from datetime import datetime

import attrs

__all__ = ["Full", "Reservation"]


@attrs.frozen(kw_only=True)
class Reservation:
    """
    A part of a counter, held under a key of the asker's.

    Until it is committed it counts up to `expires_at`, exclusive. Committed, it counts for good, and `expires_at` is
    until when its key is remembered.
    """

    key: str
    counter: str
    amount: int
    expires_at: datetime
    committed: bool = False

    def counts(self, now: datetime) -> bool:
        """Whether it holds its amount of the counter at `now` without being part of the total."""
        return not self.committed and self.alive(now)

    def alive(self, now: datetime) -> bool:
        """Whether its key is remembered at `now`."""
        return now < self.expires_at


@attrs.frozen(kw_only=True)
class Full:
    """A refusal: so much is `held`, and `asked` more would pass the `ceiling`."""

    counter: str
    asked: int
    held: int
    ceiling: int
