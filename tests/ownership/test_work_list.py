"""The day's work list, from records in memory."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from crmcore.decisions import UNKNOWN
from crmcore.ownership import CapPolicy, WorkList, work_list
from ownership.stories import at, prospect, reclaim

UTC_ZONE = ZoneInfo("UTC")
NOW = at("2026-02-10")
POLICY = reclaim(idle="30d", no_deal="90d", remind_before=["7d", "1d"])


def row(key: Any, contact: str | None = None, **facts: Any) -> dict[str, Any]:
    known = attrs.asdict(prospect(id=key, last_contact_at=contact and at(contact)))
    return {**known, "customer": f"customer of {key}", **facts}


def listed(
    *rows: dict[str, Any], now: datetime = NOW, zone: str = "UTC", cap: CapPolicy | None = None, **options: Any
) -> WorkList:
    zoned: Any = ZoneInfo(zone)
    return work_list(rows, policy=options.pop("policy", POLICY), cap=cap or CapPolicy(), now=now, zone=zoned, **options)


DAY = (
    row("due"),
    row("due earlier", assigned_at=at("2025-12-25")),
    row("soon", "2026-01-14"),
    row("tomorrow", "2026-01-11T12:00"),
    row("stays", "2026-02-09", owner="bob"),
    row("lost track", contact_unknown=True, owner="bob"),
    row("lost this too", contact_unknown=True),
    row("no start", assigned_at=None),
    row("won", status="won"),
    row("lost", status="lost", owner=None),
    row("in the pool", owner=None),
)


def test_every_prospect_is_counted_once() -> None:
    """That is: prospects = closed + pool + open; open = keep + remind + reclaim + needs_data."""
    assert listed(*DAY).counts == {
        "prospects": 11,
        "closed": 2,
        "pool": 1,
        "open": 8,
        "keep": 1,
        "remind": 2,
        "reclaim": 2,
        "needs_data": 3,
        "skipped": 0,
    }


def test_the_lists_have_the_oldest_deadline_first() -> None:
    work = listed(*DAY)
    assert [item.id for item in work.reclaim] == ["due earlier", "due"]
    assert [(item.id, item.decision.step) for item in work.remind] == [("tomorrow", 2), ("soon", 1)]


def test_the_order_does_not_depend_on_the_order_of_the_records() -> None:
    """But for the ids of one cause, which come as the records do."""
    document, turned = listed(*DAY).document(), listed(*reversed(DAY)).document()
    assert turned.pop("needs_data")[0]["ids"] == list(reversed(document.pop("needs_data")[0]["ids"]))
    assert turned == document


def test_the_needs_data_are_grouped_by_cause_the_largest_first() -> None:
    groups = listed(*DAY).document()["needs_data"]
    assert groups == [
        {"missing": ["last_contact_at"], "count": 2, "ids": ["lost track", "lost this too"]},
        {"missing": ["assigned_at"], "count": 1, "ids": ["no start"]},
    ]


@pytest.mark.rule("OWN-4", "OWN-9")
def test_owners_are_held_against_their_caps() -> None:
    """All four outcomes count, won and lost ones do not; who holds the number is full, not over."""
    cap = CapPolicy(default=2, per_owner={"ann": 4})
    loads = [load.record() for load in listed(*DAY, cap=cap).owners]
    assert loads == [
        {"owner": "ann", "open": 6, "cap": 4, "over_by": 2, "after_reclaim": 4},
        {"owner": "bob", "open": 2, "cap": 2, "over_by": 0, "after_reclaim": 2},
    ]


def test_without_a_cap_nothing_is_over() -> None:
    assert {(load.cap, load.over_by) for load in listed(*DAY).owners} == {(None, None)}


def test_an_unknown_owner_is_open_but_nobodys_load() -> None:
    """It is listed as a question mark where it cannot be told."""
    work = listed(row("whose?", owner=UNKNOWN), row("hers"))
    assert (work.counts["open"], work.counts["needs_data"]) == (2, 1)
    assert [load.owner for load in work.owners] == ["ann"]


def test_what_changes_before_midnight_is_listed_with_the_outcome_then() -> None:
    rows = (
        row("due at noon", "2026-01-11T12:00"),
        row("reminded at one", "2026-01-18T01:00"),
        row("due tomorrow", "2026-01-12"),
        row("saved till six", "2026-02-10T18:00"),
    )
    document = listed(*rows).document()
    assert document["due_today"] == [
        {"id": "reminded at one", "at": "2026-02-10T01:00:00+00:00", "outcome": "remind"},
        {"id": "due at noon", "at": "2026-02-10T12:00:00+00:00", "outcome": "reclaim"},
        {"id": "saved till six", "at": "2026-02-10T18:00:00+00:00", "outcome": "keep"},
    ]


DELTAS = {
    "a minute before": timedelta(hours=48, minutes=1),
    "at midnight": timedelta(hours=48),
}


@pytest.mark.parametrize(
    ("zone", "now", "midnight"),
    [
        ("Europe/Berlin", "2026-03-29", "2026-03-29T22:00"),  # a day of 23 hours
        ("Europe/Berlin", "2026-10-25", "2026-10-25T23:00"),  # a day of 25
        ("America/Sao_Paulo", "2018-11-03", "2018-11-04T03:00"),  # the next has no midnight: its first instant
        ("Asia/Shanghai", "2026-02-10", "2026-02-10T16:00"),
    ],
)
def test_the_day_ends_at_the_next_local_midnight(zone: str, now: str, midnight: str) -> None:
    """What changes a minute before it is today's, what changes at it is not."""
    policy = reclaim(idle="48h")
    rows = [row(key, assigned_at=at(midnight) - delta) for key, delta in DELTAS.items()]
    document = listed(*rows, now=at(now, zone), zone=zone, policy=policy).document()
    assert [due["id"] for due in document["due_today"]] == ["a minute before"]


def test_the_document_has_the_keys_that_the_issue_names() -> None:
    document = listed(*DAY, zone="Asia/Shanghai", notes=["a note"], skipped=3).document()
    assert list(document) == [
        "as_of",
        "policy",
        "counts",
        "reclaim",
        "remind",
        "due_today",
        "needs_data",
        "owners",
        "notes",
    ]
    assert (document["as_of"], document["policy"]) == ("2026-02-10T08:00:00+08:00", POLICY.ref.record())
    assert (document["notes"], document["counts"]["skipped"]) == (["a note"], 3)
    first = document["reclaim"][0]
    assert list(first) == ["id", "owner", "customer", "rule", "deadline", "reasons"]
    assert (first["rule"], first["deadline"]) == ("OWN-1", "2026-01-24T08:00:00+08:00")
    assert list(document["remind"][0]) == [*first, "step"]


def test_a_policy_that_judges_nothing_keeps_all() -> None:
    assert listed(*DAY, policy=reclaim()).counts["keep"] == 8


def test_no_prospects_make_an_empty_list() -> None:
    work = listed()
    assert set(work.counts.values()) == {0}
    assert (work.document()["reclaim"], work.owners) == ([], ())


def test_the_last_day_of_time_has_a_work_list() -> None:
    assert listed(*DAY, now=at("9999-12-31")).counts["reclaim"] > 0


def test_missing_columns_of_what_is_shown_are_none() -> None:
    facts = row("due")
    del facts["customer"]
    assert listed(facts).document()["reclaim"][0]["customer"] is None
    assert listed(row("due", customer=UNKNOWN)).document()["reclaim"][0]["customer"] == "?"
