"""What the stories of ownership share: instants as text, a prospect, and how a policy answers at an instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from crmcore.ownership import Prospect, ReclaimPolicy

TICK = timedelta(microseconds=1)
WEEK = {day: ["09:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")}


def at(text: str, zone: str = "UTC", fold: int = 0) -> datetime:
    """The instant of a wall clock, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def prospect(**facts: Any) -> Prospect:
    """A prospect of Ann's, assigned on New Year's Day 2026."""
    return Prospect(**{"id": "p1", "owner": "ann", "assigned_at": at("2026-01-01"), **facts})


def reclaim(**parameters: Any) -> ReclaimPolicy:
    """A policy in UTC."""
    return ReclaimPolicy(**{"zone": "UTC", **parameters})


def answer(policy: ReclaimPolicy, facts: Any, now: datetime) -> tuple[str, int, str | None]:
    """Outcome, step and rule; `at` must say the same outcome."""
    decision = policy.decide(facts, now=now)
    assert policy.at(now)(facts) == decision.outcome
    return decision.outcome.value, decision.step, decision.rule


def outcome(policy: ReclaimPolicy, facts: Any, now: datetime) -> str:
    """The outcome alone."""
    return answer(policy, facts, now)[0]


def reason(policy: ReclaimPolicy, facts: Any, now: datetime, code: str) -> Any:
    """The reason with this code."""
    return next(found for found in policy.decide(facts, now=now).reasons if found.code == code)
