"""A portfolio as a sales organisation has one, made up from a seed, and the policies that judge it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import attrs

from crmcore.calendars import BusinessCalendar
from crmcore.ownership import ReclaimPolicy

__all__ = ["NOW", "ZONE", "Prospect", "by_days", "by_working_time", "office", "prospects", "rare"]

ZONE = "Asia/Shanghai"
NOW = datetime(2026, 3, 30, 16, tzinfo=UTC)
"""Midnight in Shanghai."""
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
IDLE = {"A": 15, "B": 30, "C": 60}
OTHER = 60
NO_DEAL = 90
KINDS = {"keep": 70, "remind": 10, "reclaim": 10, "closed": 4, "pool": 2, "protected": 4}


@attrs.define
class Prospect:
    """A record of the host: slotted, instants in UTC."""

    id: int
    customer: str
    owner: str | None
    status: str
    grade: str | None
    assigned_at: datetime
    last_contact_at: datetime | None
    frozen_until: datetime | None = None
    contract_until: datetime | None = None
    quote_until: datetime | None = None
    contact_unknown: bool = False


def prospects(count: int, seed: int = 7) -> Iterator[Prospect]:
    """
    So many prospects: 70 % far from due, 10 % to be reminded of, 10 % due, the rest closed, unowned or protected.

    One in seven has no grade, one in four no contact since the assignment; some of those far from due were protected.
    """
    random = Random(seed)
    kinds, weights = list(KINDS), list(KINDS.values())
    for number, kind in enumerate(random.choices(kinds, weights, k=count)):
        made = _prospect(random, number, kind)
        if kind == "closed":
            made.status = random.choice(("won", "lost", "invalid"))
        elif kind == "pool":
            made.owner = None
        elif kind == "protected":
            fact = random.choice(("frozen_until", "contract_until", "quote_until"))
            setattr(made, fact, _ago(random, -90, -10))
        elif random.random() < 0.1:
            setattr(made, random.choice(("frozen_until", "contract_until")), _ago(random, 60, 160))
        yield made


def _prospect(random: Random, number: int, kind: str) -> Prospect:
    grade = random.choice(("A", "B", "B", "C", "C", "C", None))
    limit = IDLE.get(grade or "", OTHER)
    if kind in {"reclaim", "protected"}:
        contact = _ago(random, limit + 0.1, limit + 25)
        by_deal = random.random() < 0.25
        assigned = _ago(random, NO_DEAL, NO_DEAL + 60) if by_deal else contact - random.uniform(0, 10) * DAY
        contact = _ago(random, 1, limit - 8) if by_deal else contact
    elif kind == "remind":
        contact = _ago(random, limit - 6.9, limit - 0.1)
        assigned = contact - random.uniform(0, max(70 - limit, 1)) * DAY
    else:
        contact = _ago(random, 0.1, limit - 8)
        assigned = contact - random.uniform(0, 70 - limit) * DAY
    assigned -= timedelta(seconds=assigned.second, microseconds=assigned.microsecond)
    silent = random.random() < 0.25
    owner = f"u{random.randrange(400):03}"
    return Prospect(number, f"Customer {number:07}", owner, "open", grade, contact if silent else assigned,
                    None if silent else contact)  # fmt: skip


def _ago(random: Random, least: float, most: float) -> datetime:
    """So many days before now, to the minute."""
    return NOW - random.randrange(int(least * 1440), int(most * 1440) + 1) * MINUTE


def rare(found: list[Prospect], share: float, seed: int = 11) -> list[Prospect]:
    """The same with a `share` of contacts that are not known, and as many that lie in the future."""
    random = Random(seed)
    changed = []
    for prospect in found:
        chance = random.random()
        if chance < share:
            changed.append(attrs.evolve(prospect, contact_unknown=True))
        elif chance < 2 * share:
            changed.append(attrs.evolve(prospect, last_contact_at=_ago(random, -3, -0.01)))
        else:
            changed.append(prospect)
    return changed


def office(zone: str = ZONE) -> BusinessCalendar:
    """Monday to Friday 9-12 and 13-18, with China's holidays and make-up days."""
    hours = ["09:00-12:00", "13:00-18:00"]
    week = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), hours)
    return BusinessCalendar.from_table({"zone": zone, "week": week, "holidays": "chinesecalendar"}, name="office")


def by_days() -> ReclaimPolicy:
    """Limits and leads in days."""
    idle = {grade: f"{days}d" for grade, days in IDLE.items()}
    return ReclaimPolicy(
        idle={**idle, "default": f"{OTHER}d"},
        no_deal=f"{NO_DEAL}d",
        min_hold="7d",
        remind_before=["7d", "1d"],
        protected_by=["contract", "quote"],
        zone=ZONE,
    )


def by_working_time() -> ReclaimPolicy:
    """Limits and leads in working days and hours."""
    return ReclaimPolicy(
        idle={"A": "10wd", "B": "15wd", "C": "40wd", "default": "40wd"},
        no_deal="480wh",
        min_hold="5wd",
        remind_before=["5wd", "1wd"],
        protected_by=["contract", "quote"],
        zone=ZONE,
        calendar=office(),
    )
