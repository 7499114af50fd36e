"""A policy that judges everything, and records that are hard on it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from crmcore.calendars import OPEN_ENDED, BusinessCalendar
from crmcore.decisions import UNKNOWN
from crmcore.ownership import ReclaimPolicy
from ownership.stories import TICK, WEEK, at, prospect

EVERYTHING = ReclaimPolicy(
    name="north",
    version="3",
    idle="30d",
    no_deal="90d",
    min_hold="7d",
    remind_before=["7d", "1d"],
    min_remaining="3d",
    protected_by=["contract"],
    appointment="14d",
    zone="Asia/Shanghai",
)
OFFICE = BusinessCalendar(zone="Asia/Shanghai", week=WEEK, known_through=date(2026, 1, 9))
POLICIES = (
    EVERYTHING,
    ReclaimPolicy(idle="30d", zone="UTC"),
    ReclaimPolicy(no_deal="30d", remind_before=["24h"], zone="UTC"),
    ReclaimPolicy(idle={"A": "10d", "B": "30d"}, remind_before=["2d", "36h"], zone="Europe/Berlin"),
    ReclaimPolicy(idle={"A": "1mo", "default": "2mo"}, no_deal="3mo", min_hold="1w", zone="America/New_York"),
    ReclaimPolicy(idle="10wd", no_deal="30wd", remind_before=["1wd"], zone="UTC", calendar=OFFICE),
    ReclaimPolicy(idle="5d", no_deal="60d", remind_before=["10d"], zone="UTC"),  # the lead is not used for idle
    ReclaimPolicy(idle="1h", min_hold="90d", min_remaining="48h", protected_by=["contract", "quote"], zone="UTC"),
    ReclaimPolicy(zone="UTC"),
)

JAN, FEB = at("2026-01-01"), at("2026-02-01 09:30")
RECORDS: tuple[dict[str, Any], ...] = (
    {},
    {"last_contact_at": FEB},
    {"last_contact_at": JAN},
    {"last_contact_at": JAN - TICK},
    {"grade": "A"},
    {"grade": "C"},
    {"grade": UNKNOWN},
    {"owner": None},
    {"owner": 0},
    {"owner": UNKNOWN},
    {"status": "won"},
    {"status": UNKNOWN, "last_contact_at": FEB},
    {"assigned_at": None},
    {"assigned_at": None, "last_contact_at": FEB},
    {"assigned_at": UNKNOWN, "last_contact_at": FEB},
    {"last_contact_at": UNKNOWN},
    {"contact_unknown": True},
    {"contact_unknown": True, "last_contact_at": FEB},
    {"frozen_until": at("2026-06-01")},
    {"frozen_until": OPEN_ENDED},
    {"frozen_until": UNKNOWN},
    {"contract_until": at("2026-01-31") - timedelta(hours=72)},
    {"contract_until": at("2026-03-03"), "frozen_until": at("2026-02-01")},
    {"contract_until": OPEN_ENDED, "frozen_until": UNKNOWN},
    {"appointment_at": at("2026-02-05")},
    {"appointment_at": at("2026-02-14")},
    {"appointment_at": at("2026-02-14") + TICK},
    {"appointment_at": UNKNOWN},
    {"appointment_at": at("2026-05-05"), "frozen_until": at("2026-05-01")},
    {"last_contact_at": at("2026-02-10 12:00")},
    {"last_contact_at": at("2026-08-01")},
    {"assigned_at": at("2026-02-10 12:00"), "last_contact_at": at("2026-02-11")},
    {"assigned_at": at("2026-08-01")},
    {"assigned_at": at("9999-12-30")},
    {"assigned_at": at("0001-01-02")},
    {"assigned_at": JAN.astimezone(at("2026-01-01", "Asia/Shanghai").tzinfo)},
)
MOMENTS = tuple(
    at(day)
    for day in (
        "2025-12-31",
        "2026-01-01",
        "2026-01-08",
        "2026-01-24",
        "2026-01-31",
        "2026-02-10",
        "2026-03-03 09:30",
        "2026-03-31",
        "2026-04-01",
        "2026-06-04",
        "2026-12-31",
    )
)


def records() -> list[Any]:
    """The records as objects."""
    return [prospect(**facts) for facts in RECORDS]
