"""
What the daily run keeps is what the policy says that day, of objects and in columns; whom it takes, a plain loop takes.

Day by day over a year, on a public export replayed as it happened, and on generated prospects under several policies.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import attrs
import polars as pl
import pytest

from crmcore.calendars import BusinessCalendar
from crmcore.decisions.codes import Outcome
from crmcore.ownership import Granted, ReclaimPolicy
from crmcore.ownership.ports import OwnershipStore
from crmcore.storage import MemoryStore
from crmcore.storage.sql import SqlStore
from ownership.stories import WEEK
from storage.stories import START, held, ran, rows, service

UTC: Final = START.tzinfo
CHICAGO: Final = ZoneInfo("America/Chicago")
PIPELINE: Final = ReclaimPolicy(no_deal="60d", remind_before=["7d", "1d"], zone=CHICAGO.key)
CHINA: Final = BusinessCalendar(zone="Asia/Shanghai", week=WEEK, closed=["2026-10-01/2026-10-08"], name="china")
POLICIES: Final = {
    "days": ReclaimPolicy(idle="30d", no_deal="90d", remind_before=["7d", "24h"], min_hold="10d", zone="Europe/Berlin"),
    "grades": ReclaimPolicy(
        idle={"A": "12d", "B": "1mo", "default": "45d"},
        remind_before=["3d"],
        protected_by=["contract"],
        min_remaining="4d",
        appointment="10d",
        zone="America/New_York",
    ),
    "working": ReclaimPolicy(idle="15wd", no_deal="200wh", remind_before=["2wd"], zone="Asia/Shanghai", calendar=CHINA),
}
CLOCKS: Final = {
    "owner": pl.String,
    "status": pl.String,
    "grade": pl.String,
    "contact_unknown": pl.Boolean,
}


@attrs.define
class World:
    """The same days twice: in a store under its run, and as plain records that a loop sweeps."""

    store: OwnershipStore
    policy: ReclaimPolicy
    records: dict[str, dict[str, Any]] = attrs.field(factory=dict)

    def put(self, now: datetime, *records: dict[str, Any]) -> None:
        """New prospects."""
        service(self.store, self.policy).put(records, now=now)
        self.records |= {str(each["id"]): dict(each) for each in records}

    def update(self, key: str, now: datetime, **facts: Any) -> None:
        """New facts of one."""
        service(self.store, self.policy).update(key, now=now, **facts)
        self.records[key] |= facts

    def claim(self, key: str, owner: str, now: datetime) -> None:
        """One out of the pool."""
        assert isinstance(service(self.store, self.policy).claim(key, owner, now=now), Granted)
        self.records[key] |= {"owner": owner, "assigned_at": now, "last_contact_at": None, "contact_unknown": None}

    def sweep(self, now: datetime) -> set[str]:
        """Every record judged, those to be reclaimed without an owner from here on."""
        judge, none = self.policy.at(now), dict.fromkeys(self.policy.reads)
        taken = {key for key, facts in self.records.items() if judge({**none, **facts}) is Outcome.RECLAIM}
        for key in taken:
            self.records[key] |= {"former_owner": self.records[key]["owner"], "owner": None}
        return taken

    def decided(self, facts: dict[str, Any], now: datetime) -> tuple[Outcome, int]:
        """What an object with these facts is told."""
        decision = self.policy.decide({**dict.fromkeys(self.policy.reads), **facts}, now=now)
        return decision.outcome, decision.step

    def columns(self, now: datetime) -> dict[str, tuple[str, int]]:
        """What columns say of the records."""
        names = [name for name in self.policy.reads if name != "id"]
        data = {name: [facts.get(name) for facts in self.records.values()] for name in names}
        schema = {name: CLOCKS.get(name, pl.Datetime("us", "UTC")) for name in names}
        said = self.policy.frame(pl.DataFrame(data, schema=schema), now=now)
        return dict(zip(self.records, zip(said["outcome"], said["step"], strict=True), strict=True))

    def day(self, now: datetime, *, check: bool = True) -> int:
        """A run and a sweep that take the same; then the stored answers are what objects and columns say."""
        report = ran(self.store, now, self.policy)
        assert (report.parked, report.conflicts, report.left, report.over_daily) == (0, 0, {}, 0)
        swept = self.sweep(now)
        with self.store.begin() as transaction:
            taken = transaction.prospects.read(sorted(swept))
        assert [row.facts.get("owner") for row in taken] == [None] * report.reclaimed
        if check:
            self.check(now)
        return len(swept)

    def check(self, now: datetime) -> None:
        """Every stored answer, and every owner."""
        kept = rows(self.store)
        answers = {key: (row.answer.outcome, row.answer.step) for key, row in kept.items()}
        assert answers == self.columns(now)
        judged = {key: facts for key, facts in self.records.items() if facts["status"] == "open" and facts["owner"]}
        assert {key: answers[key] for key in judged} == {key: self.decided(judged[key], now) for key in judged}
        owned = {key: facts["owner"] for key, facts in self.records.items()}
        assert {key: row.facts.get("owner") for key, row in kept.items()} == owned


# --- a public export, as it happened ---


@pytest.fixture(scope="module")
def deals(shared_data: Path) -> list[dict[str, str]]:
    with (shared_data / "crm_pipeline" / "sales_pipeline.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def local(text: str, hour: int = 0) -> datetime:
    """An hour of a date in Chicago."""
    return datetime.fromisoformat(text).replace(hour=hour, tzinfo=CHICAGO).astimezone(UTC)


def replayed(deals: list[dict[str, str]], world: World, days: list[date], *, every: int) -> int:
    """Each deal comes on its first date and ends on its last; how many were taken on these days."""
    first = days[0].isoformat()
    engaged: dict[str, list[dict[str, str]]] = {}
    closed: dict[str, list[dict[str, str]]] = {}
    for deal in deals:
        engaged.setdefault(max(deal["engage_date"], first), []).append(deal)
        if deal["close_date"]:
            closed.setdefault(max(deal["close_date"], first), []).append(deal)
    taken = 0
    for number, today in enumerate(days):
        now = local(today.isoformat())
        if new := [_record(deal) for deal in engaged.get(today.isoformat(), [])]:
            world.put(now, *new)
        for deal in closed.get(today.isoformat(), []):
            world.update(deal["opportunity_id"], now, status=deal["deal_stage"].lower())
        taken += world.day(now, check=number % every == 0)
    return taken


def _record(deal: dict[str, str]) -> dict[str, Any]:
    at = local(deal["engage_date"]) if deal["engage_date"] else None
    value = int(float(deal["close_value"])) if deal["close_value"] else None
    return {
        "id": deal["opportunity_id"],
        "owner": deal["sales_agent"],
        "status": "open",
        "assigned_at": at,
        "value": value,
    }


def year_from(first: date, days: int = 365) -> list[date]:
    return [first + timedelta(days=number) for number in range(days)]


@pytest.mark.rule("OWN-2", "OWN-9")
def test_a_year_of_a_real_pipeline_is_run_as_it_is_swept(deals: list[dict[str, str]]) -> None:
    """Whom the run takes is compared every day, the answers of all every week."""
    world = World(MemoryStore(), PIPELINE)
    taken = replayed(deals, world, year_from(date(2017, 1, 1)), every=7)
    assert taken > 500
    assert len(world.records) == len(deals)


def test_a_season_of_a_real_pipeline_is_run_in_sqlite_as_it_is_swept(
    deals: list[dict[str, str]], tmp_path: Path
) -> None:
    store = SqlStore(f"sqlite:///{tmp_path / 'crm.db'}").create()
    try:
        assert replayed(deals, World(store, PIPELINE), year_from(date(2017, 3, 1), 70), every=14) > 100
    finally:
        store.close()


@pytest.mark.slow
def test_every_day_of_a_real_pipeline_is_run_in_sqlite_as_it_is_swept(
    deals: list[dict[str, str]], tmp_path: Path
) -> None:
    store = SqlStore(f"sqlite:///{tmp_path / 'crm.db'}").create()
    try:
        assert replayed(deals, World(store, PIPELINE), year_from(date(2017, 1, 1)), every=1) > 500
    finally:
        store.close()


# --- generated prospects ---


def lived(world: World, days: int, *, seed: int, size: int = 60) -> int:
    """A year of contacts, freezes, contracts, appointments, signings and claims, at odd hours and on midnights."""
    chance, taken = random.Random(seed), 0
    zone = ZoneInfo(str(world.policy.zone))
    world.put(START, *(_born(f"p{number:03}", START, chance) for number in range(size)))
    for number in range(days):
        today = datetime.combine(date(2026, 3, 2) + timedelta(days=number), datetime.min.time(), zone)
        now = (today + timedelta(hours=chance.choice((0, 0, 9, 17.5)))).astimezone(UTC)
        for key, event in _events(world, chance):
            _happens(world, key, event, now, chance)
        if chance.random() < 0.1:
            world.put(now, _born(f"n{number:03}", now, chance))
        taken += world.day(now)
    return taken


def _born(key: str, now: datetime, chance: random.Random) -> dict[str, Any]:
    owner = chance.choice(("ann", "bob", "eve"))
    assigned = now - timedelta(days=chance.randrange(20))
    return {"id": key, "owner": owner, "status": "open", "grade": chance.choice("ABCD"), "assigned_at": assigned}


def _events(world: World, chance: random.Random) -> Iterator[tuple[str, str]]:
    kinds = ("contact", "contact", "contact", "freeze", "contract", "appointment", "unknown", "won", "open")
    for key in sorted(world.records):
        if chance.random() < 0.03:
            yield key, "claim" if world.records[key].get("owner") is None else chance.choice(kinds)


def _happens(world: World, key: str, event: str, now: datetime, chance: random.Random) -> None:
    later = now + timedelta(days=chance.randrange(-2, 20), hours=chance.randrange(24))
    if event == "claim":
        if world.records[key]["status"] == "open":
            world.claim(key, chance.choice(("ann", "bob")), now)
        return
    facts: dict[str, Any] = {
        "contact": {"last_contact_at": now, "contact_unknown": None},
        "freeze": {"frozen_until": chance.choice((later, None))},
        "contract": {"contract_until": chance.choice((later, None))},
        "appointment": {"appointment_at": chance.choice((later, None))},
        "unknown": {"contact_unknown": True},
        "won": {"status": "won"},
        "open": {"status": "open"},
    }[event]
    world.update(key, now, **facts)


@pytest.mark.rule("OWN-1", "OWN-2", "OWN-3", "OWN-18", "OWN-19")
@pytest.mark.parametrize("name", POLICIES)
def test_a_year_of_generated_prospects_is_run_as_it_is_swept(name: str) -> None:
    """Every day, all answers; the counters are what a count says."""
    world = World(MemoryStore(), POLICIES[name])
    assert lived(world, 365, seed=len(name)) > 50
    for owner in ("ann", "bob", "eve"):
        count = sum(each["owner"] == owner and each["status"] == "open" for each in world.records.values())
        assert held(world.store, owner) == [count]


def test_a_season_of_generated_prospects_is_run_in_sqlite_as_it_is_swept(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path / 'crm.db'}").create()
    try:
        assert lived(World(store, POLICIES["grades"]), 60, seed=9) > 10
    finally:
        store.close()
