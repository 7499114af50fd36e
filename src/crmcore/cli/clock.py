"""The one place that reads a clock."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["now"]


def now() -> datetime:
    """The present instant, in UTC."""
    return datetime.now(UTC)
