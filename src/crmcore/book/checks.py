"""Checks across policies: what each is right to say alone, and wrong to say together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from crmcore.calendars import Span
from crmcore.decisions.codes import FindingCode
from crmcore.decisions.decision import Finding
from crmcore.ownership.policy import ReclaimPolicy

__all__ = ["RHYTHM", "rhythm_findings"]

RHYTHM: Final[Mapping[str, Span]] = {"A": Span("7d"), "B": Span("14d"), "C": Span("1mo")}
"""The longest gap between contacts by intent grade (CAD-2)."""


def rhythm_findings(policy: ReclaimPolicy) -> Iterator[Finding]:
    """OWN-16: an idle limit shorter than the rhythm of its grade takes customers from reps who keep the plan."""
    for grade, gap in RHYTHM.items():
        key, limit = _limit(policy, grade)
        if limit is not None and limit.nominal < gap.nominal:
            yield Finding(
                code=FindingCode.LIMIT_BELOW_RHYTHM,
                rule="OWN-16",
                key=f"ownership.reclaim.{key}",
                problem=f"{limit} is shorter than the rhythm of grade {grade}, {gap}",
                remedy=f"lengthen {key} to {gap} or more, or give grade {grade} a limit of its own",
            )


def _limit(policy: ReclaimPolicy, grade: str) -> tuple[str, Span | None]:
    if isinstance(policy.idle, Mapping):
        key = grade if grade in policy.idle else "default"
        return f"idle.{key}", policy.idle.get(key)
    return "idle", policy.idle
