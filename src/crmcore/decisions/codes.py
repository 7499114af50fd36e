"""The codes that hosts switch on: public, lower case, frozen, the same in objects, frames and JSON."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["FindingCode", "Outcome", "ReasonCode"]


class Outcome(StrEnum):
    """What a decision says; compares equal to its text."""

    KEEP = "keep"
    REMIND = "remind"
    RECLAIM = "reclaim"
    NEEDS_DATA = "needs_data"
    ASSIGN = "assign"
    UNASSIGNED = "unassigned"
    HIGH = "high"
    MID = "mid"
    LOW = "low"


class ReasonCode(StrEnum):
    """Which condition a `Reason` is about; compares equal to its text."""

    IDLE = "idle"
    NO_DEAL = "no_deal"
    FROZEN = "frozen"
    PROTECTED = "protected"
    APPOINTMENT = "appointment"
    MIN_HOLD = "min_hold"
    NOT_OPEN = "not_open"
    NO_OWNER = "no_owner"
    CAP = "cap"
    OWNED = "owned"
    EXISTS = "exists"
    CHANGED = "changed"
    ORDERS = "orders"
    AMOUNT = "amount"
    REFERRALS = "referrals"
    LIFTED = "lifted"


class FindingCode(StrEnum):
    """What a static check found; compares equal to its text."""

    NOTHING_JUDGED = "nothing_judged"
    LEAD_TOO_LONG = "lead_too_long"
    HOLD_PAST_LIMIT = "hold_past_limit"
    LIMIT_BELOW_RHYTHM = "limit_below_rhythm"
    ZONE_NOT_SAID = "zone_not_said"
    CALENDAR_NOT_SAID = "calendar_not_said"
    CALENDAR_UNUSED = "calendar_unused"
    DEAD_ROW = "dead_row"
