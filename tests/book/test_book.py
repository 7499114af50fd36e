"""The policy book: the standard one, TOML in and out, schema, pin, zones, faults, findings."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import attrs
import jsonschema
import pytest

from conftest import ROOT
from crmcore.book import PolicyBook
from crmcore.calendars import Span
from crmcore.errors import InvalidFile, MissingExtra
from crmcore.ownership import CapPolicy, ReclaimPolicy, RunLimits
from crmcore.ownership.settings import Ownership
from ownership.stories import WEEK, at, prospect

FULL = """
# a comment is not kept
schema = 1
name = "north-region"
version = "2026-01"
effective = 2026-01-01
zone = "Asia/Shanghai"
[ownership.reclaim]
idle = { A = "15d", B = "30d", "级 C" = "60d", default = "60d" }
no_deal = "90d"
min_hold = "5wd"
remind_before = ["7d", "1wd"]
min_remaining = "3d"
protected_by = ["contract", "quote"]
appointment = "14d"
future_tolerance = "12h"
calendar = "office"
[ownership.cap]
default = 100
per_owner = { "u17" = 120, "u.18" = 0 }
[ownership.run]
activation_grace = "10wd"
max_per_run = "unlimited"
max_per_owner_per_day = 5
[calendars.office]
week = { mon = ["09:00-12:00", "13:00-18:00"], tue = ["09:00-18:00"], sat = ["22:00-06:00"] }
holidays = "chinesecalendar"
make_up = ["09:00-18:00"]
closed = ["2026-12-24/2026-12-26"]
open = { 2026-10-10 = ["09:00-18:00"] }
known_through = 2026-12-31
whole_shifts = true
[[calendars.office.hours]]
from = 2026-05-01
week = { mon = ["08:30-17:30"] }
[calendars.warehouse]
zone = "Europe/Berlin"
week = { sun = ["18:00-24:00"] }
"""
ACCEPTED = {
    "full": FULL,
    "least": "schema = 1",
    "one span": 'schema = 1\n[ownership.reclaim]\nidle = "1mo"\nremind_before = []\nprotected_by = []',
    "hours": 'schema = 1\n[ownership.reclaim]\nidle = "720h"\nfuture_tolerance = "0h"',
    "only calendar": """
        schema = 1
        zone = "UTC"
        [ownership.reclaim]
        idle = "5wd"
        [calendars.c.week]
        mon = ["09:00-18:00"]
    """,
    "cap": "schema = 1\n[ownership.cap]\ndefault = 0",
    "no grace": 'schema = 1\n[ownership.run]\nactivation_grace = "0d"\nmax_per_run = 0',
    "usual limits": """
        schema = 1
        [ownership.run]
        activation_grace = "14d"
        max_per_run = 200
        max_per_owner_per_day = 20
    """,
    "grace in working days": """
        schema = 1
        zone = "UTC"
        [ownership.reclaim]
        idle = "30d"
        [ownership.run]
        activation_grace = "10wd"
        [calendars.c.week]
        mon = ["09:00-18:00"]
    """,
    "standard": "",
}
HEAD = "schema = 1\n"
OFFICE = '\n[calendars.office]\nweek = { mon = ["09:00-18:00"] }\n'


def loaded(name: str) -> PolicyBook:
    return PolicyBook.loads(ACCEPTED[name]) if ACCEPTED[name] else PolicyBook.standard()


def faults(text: str) -> list[tuple[str, Any, str, str]]:
    with pytest.raises(InvalidFile) as caught:
        PolicyBook.loads(text, path="book.toml")
    return [(fault.place, fault.value, fault.problem, fault.remedy) for fault in caught.value.faults]


# --- the standard book ---


def test_the_standard_book_says_what_the_design_says() -> None:
    book = PolicyBook.standard()
    reclaim = book.ownership.reclaim
    assert reclaim.idle == {"A": Span("15d"), "B": Span("30d"), "C": Span("60d"), "default": Span("60d")}
    assert (reclaim.no_deal, reclaim.min_hold, reclaim.appointment) == (None, Span("7d"), None)
    assert reclaim.remind_before == (Span("7d"), Span("1d"))
    assert (reclaim.protected_by, reclaim.min_remaining, reclaim.future_tolerance) == ((), None, Span("24h"))
    assert (book.ownership.cap.default, dict(book.ownership.cap.per_owner)) == (None, {})
    office = book.calendars["office"].canonical()
    assert office["week"] == WEEK
    assert book.ownership.run == RunLimits()
    assert (book.name, book.zone) == ("standard", None)


def test_the_standard_book_has_no_findings() -> None:
    assert PolicyBook.standard().check() == ()


def test_the_standard_book_takes_a_zone() -> None:
    book = PolicyBook.standard(zone="Asia/Shanghai")
    assert (book.ownership.reclaim.ref.zone, book.zone) == ("Asia/Shanghai", "Asia/Shanghai")
    assert book.digest != PolicyBook.standard().digest
    assert book.calendars["office"].zone.key == "Asia/Shanghai"


def test_the_digest_of_the_standard_book_is_pinned() -> None:
    """Whoever stored decisions of this release finds its policy again."""
    assert PolicyBook.standard().digest == "f20adebc89c50d83cf79fcb1182ac6b1be6e9db267ba182c94cfcea141e00783"


# --- in ---


def test_attributes_follow_the_tables() -> None:
    book = PolicyBook.loads(FULL)
    reclaim = book.ownership.reclaim
    assert (book.name, book.version, book.effective, book.zone) == (
        "north-region",
        "2026-01",
        date(2026, 1, 1),
        "Asia/Shanghai",
    )
    assert reclaim.idle == {"A": Span("15d"), "B": Span("30d"), "级 C": Span("60d"), "default": Span("60d")}
    assert (reclaim.name, reclaim.version, reclaim.zone) == ("north-region", "2026-01", "Asia/Shanghai")
    assert reclaim.calendar is book.calendars["office"]
    assert (reclaim.protected_by, reclaim.min_remaining) == (("contract", "quote"), Span("3d"))
    assert dict(book.ownership.cap.per_owner) == {"u17": 120, "u.18": 0}
    assert book.ownership.run == RunLimits(activation_grace="10wd", max_per_run=None, max_per_owner_per_day=5)
    assert (book.calendars["office"].zone.key, book.calendars["warehouse"].zone.key) == (
        "Asia/Shanghai",
        "Europe/Berlin",
    )


def test_a_book_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "policies.toml"
    path.write_text(FULL, encoding="utf-8")
    assert PolicyBook.load(path) == PolicyBook.load(str(path)) == PolicyBook.loads(FULL)


@pytest.mark.parametrize(
    ("head", "version"),
    [("", "unversioned"), ("effective = 2026-03-01", "2026-03-01"), ('effective = 2026-03-01\nversion = "x"', "x")],
)
def test_the_version_is_said_or_the_effective_date_or_nothing(head: str, version: str) -> None:
    book = PolicyBook.loads(f"schema = 1\n{head}")
    assert (book.version, book.ownership.reclaim.version) == (version, version)


def test_the_only_calendar_is_taken_where_working_time_is_counted() -> None:
    assert PolicyBook.loads(f'{HEAD}[ownership.reclaim]\nidle = "5wd"{OFFICE}').ownership.reclaim.calendar is not None
    assert PolicyBook.loads(f'{HEAD}[ownership.reclaim]\nidle = "5d"{OFFICE}').ownership.reclaim.calendar is None


def test_a_book_is_a_frozen_value() -> None:
    book, same = PolicyBook.loads(FULL), PolicyBook.loads(FULL)
    assert (book, hash(book), book.digest) == (same, hash(same), same.digest)
    again = pickle.loads(pickle.dumps(book))
    assert (again, again.digest, again.data()) == (book, book.digest, book.data())
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        book.name = "x"  # type: ignore[misc]
    with pytest.raises(TypeError):
        book.calendars["office"] = None  # type: ignore[index]


def test_name_and_date_are_not_in_the_digest_and_every_policy_is() -> None:
    book = PolicyBook.loads(FULL)
    assert PolicyBook.loads(FULL.replace("north-region", "south").replace("2026-01-01", "2027-01-01")) != book
    assert PolicyBook.loads(FULL.replace("north-region", "south")).digest == book.digest
    for old, new in (("90d", "91d"), ("u17", "u16"), ("2026-12-24/", "2026-12-23/"), ("default = 100", "default = 9")):
        assert PolicyBook.loads(FULL.replace(old, new)).digest != book.digest


@pytest.mark.parametrize(
    ("old", "new"), [('"10wd"', '"9d"'), ('"unlimited"', "7"), ("per_day = 5", 'per_day = "unlimited"')]
)
def test_what_a_run_may_take_is_in_no_digest(old: str, new: str) -> None:
    """It decides nothing: stored answers stay in force. Two books that differ in it are two all the same."""
    book, other = PolicyBook.loads(FULL), PolicyBook.loads(FULL.replace(old, new))
    assert (other.digest, other.ownership.digest) == (book.digest, book.ownership.digest)
    assert other != book


# --- out ---


@pytest.mark.parametrize("name", ACCEPTED)
@pytest.mark.parametrize("pin", [False, True])
def test_written_and_read_again_it_is_an_equal_book_with_the_same_digest(name: str, pin: bool) -> None:
    book = loaded(name)
    again = PolicyBook.loads(book.to_toml(pin=pin))
    assert (again, again.digest) == (book, book.digest)
    facts = prospect(contract_until=None, quote_until=None)
    assert again.ownership.reclaim.decide(facts, now=at("2026-06-01")) == book.ownership.reclaim.decide(
        facts, now=at("2026-06-01")
    )


def test_a_pinned_book_names_its_dates_and_no_importer() -> None:
    """What it says stays what it says, whatever the importer says next year."""
    book = PolicyBook.loads(FULL)
    table = tomllib.loads(book.to_toml(pin=True))["calendars"]["office"]
    assert {"holidays", "make_up"}.isdisjoint(table)
    assert "2026-10-01" in table["closed"]
    assert (table["known_through"], table["zone"]) == ("2026-12-31", "Asia/Shanghai")
    assert tomllib.loads(book.to_toml())["calendars"]["office"]["holidays"] == "chinesecalendar"


def test_usual_limits_of_a_run_are_not_written() -> None:
    usual, unusual = loaded("usual limits"), PolicyBook.loads(FULL)
    assert (usual, usual.data()) == (loaded("least"), loaded("least").data())
    assert unusual.data()["ownership"]["run"] == {
        "activation_grace": "10wd",
        "max_per_run": "unlimited",
        "max_per_owner_per_day": 5,
    }


def test_a_book_made_in_python_can_be_written() -> None:
    calendar = PolicyBook.loads(FULL).calendars["warehouse"]
    book = PolicyBook(ownership=Ownership(reclaim=ReclaimPolicy(idle="5wd", calendar=calendar)))
    assert PolicyBook.loads(book.to_toml()).digest == book.digest


def test_a_book_made_in_python_keeps_the_zones_of_its_policies() -> None:
    book = PolicyBook(ownership=Ownership(reclaim=ReclaimPolicy(idle="5d", zone="Asia/Shanghai")))
    assert PolicyBook.loads(book.to_toml()).digest == book.digest


def test_a_book_made_in_python_of_policies_in_its_zone() -> None:
    label: dict[str, Any] = {"name": "mine", "version": "1"}
    reclaim = ReclaimPolicy(idle="5d", zone="UTC", **label)
    ownership = Ownership(reclaim=reclaim, cap=CapPolicy(default=3, **label))
    book = PolicyBook(zone="UTC", ownership=ownership, **label)
    assert PolicyBook.loads(book.to_toml()) == book
    assert ownership.digest == PolicyBook.loads(book.to_toml()).ownership.digest


# --- zones ---


def test_in_zone_gives_a_zone_where_the_book_says_none() -> None:
    book = PolicyBook.loads(f'{HEAD}[ownership.reclaim]\nidle = "5d"\nno_deal = "9wd"{OFFICE}')
    there = book.in_zone("Asia/Shanghai")
    assert (there.ownership.reclaim.zone, there.calendars["office"].zone.key) == ("Asia/Shanghai", "Asia/Shanghai")
    assert there.zone == "Asia/Shanghai"
    assert PolicyBook.loads(there.to_toml()) == there
    assert there == PolicyBook.loads(book.to_toml(), zone="Asia/Shanghai")


def test_in_zone_leaves_a_zone_that_the_book_says() -> None:
    book = PolicyBook.loads(FULL)
    assert book.in_zone("UTC") is book


# --- schema ---

SCHEMA = PolicyBook.schema()


def in_json(value: Any) -> Any:
    """TOML data as JSON has it: dates are text."""
    if isinstance(value, dict):
        return {key: in_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [in_json(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value


def fits(text: str) -> bool:
    validator = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    return bool(validator.is_valid(in_json(tomllib.loads(text))))


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", ACCEPTED)
def test_the_schema_accepts_every_book_that_is_accepted(name: str) -> None:
    book = loaded(name)
    assert fits(ACCEPTED[name] or book.to_toml())
    assert fits(book.to_toml())
    assert fits(book.to_toml(pin=True))


FAULTY: dict[str, tuple[str, str, Any, str, str]] = {
    "no schema": ('name = "x"', "schema", None, "is missing", "add schema = 1"),
    "another schema": ("schema = 2", "schema", 2, "is not a schema", "write schema = 1"),
    "a table that is none": (
        f"{HEAD}[ownershp.cap]\ndefault = 1",
        "ownershp",
        {"cap": {"default": 1}},
        "is no key",
        "did",
    ),
    "a key that is none": (
        f'{HEAD}[ownership.reclaim]\nidel = "30d"',
        "ownership.reclaim.idel",
        "30d",
        "is no key of [ownership.reclaim]",
        "did you mean 'idle'?",
    ),
    "a limit without a unit": (
        f"{HEAD}[ownership.reclaim]\nidle = 30",
        "ownership.reclaim.idle",
        30,
        "is not a span; say a whole number and a unit",
        "",
    ),
    "a limit of a run that is none": (
        f"{HEAD}[ownership.run]\nmax_per_rnu = 7",
        "ownership.run.max_per_rnu",
        7,
        "is no key of [ownership.run]",
        "did you mean 'max_per_run'?",
    ),
    "a negative ceiling": (
        f"{HEAD}[ownership.run]\nmax_per_run = -1",
        "ownership.run.max_per_run",
        -1,
        'is not a whole number, 0 or more, or "unlimited"',
        "",
    ),
    "a ceiling in words": (
        f'{HEAD}[ownership.run]\nmax_per_owner_per_day = "none"',
        "ownership.run.max_per_owner_per_day",
        "none",
        'is not a whole number, 0 or more, or "unlimited"',
        "",
    ),
    "a grace without a unit": (
        f"{HEAD}[ownership.run]\nactivation_grace = 14",
        "ownership.run.activation_grace",
        14,
        "is not a span; say a whole number and a unit",
        "",
    ),
    "a bare m": (
        f'{HEAD}[ownership.reclaim]\nno_deal = "3m"',
        "ownership.reclaim.no_deal",
        "3m",
        "is not a span; say min or mo for m",
        "",
    ),
    "no grades": (
        f"{HEAD}[ownership.reclaim]\nidle = {{}}",
        "ownership.reclaim.idle",
        {},
        "is not a table of grades",
        "",
    ),
    "a lead in months": (
        f'{HEAD}[ownership.reclaim]\nremind_before = ["1mo"]',
        "ownership.reclaim.remind_before[0]",
        "1mo",
        "is not in h, d, w, wd",
        "",
    ),
    "a lead twice": (
        f'{HEAD}[ownership.reclaim]\nremind_before = ["1d", "1d"]',
        "ownership.reclaim.remind_before[1]",
        "1d",
        "is not listed once",
        "",
    ),
    "a protection in capitals": (
        f'{HEAD}[ownership.reclaim]\nprotected_by = ["Contract"]',
        "ownership.reclaim.protected_by[0]",
        "Contract",
        "is not a lower-case name",
        "",
    ),
    "a cap that is text": (
        f'{HEAD}[ownership.cap]\ndefault = "100"',
        "ownership.cap.default",
        "100",
        "is not a whole number",
        "",
    ),
    "a cap below zero": (
        f"{HEAD}[ownership.cap]\nper_owner = {{ u1 = -1 }}",
        "ownership.cap.per_owner.u1",
        -1,
        "is not a whole number, 0 or more",
        "",
    ),
    "a name that is none": (f"{HEAD}name = 7", "name", 7, "is a number, not text", 'write it in quotes: name = "…"'),
    "a window that is none": (
        f'{HEAD}[calendars.office.week]\nmon = ["9-17"]',
        "calendars.office.week.mon[0]",
        "9-17",
        "is not a window such as",
        "",
    ),
    "a weekday that is none": (
        f'{HEAD}[calendars.office.week]\nmonday = ["09:00-17:00"]',
        "calendars.office.week.monday",
        "monday",
        "is not a weekday",
        "",
    ),
    "hours without a date": (
        f'{HEAD}[[calendars.office.hours]]\nweek = {{ mon = ["09:00-17:00"] }}',
        "calendars.office.hours[0]",
        {"week": {"mon": ["09:00-17:00"]}},
        "is not a table such as {from",
        "",
    ),
}
BEYOND_A_SCHEMA: dict[str, tuple[str, str, Any, str, str]] = {
    "a limit of nothing": (
        f'{HEAD}[ownership.reclaim]\nidle = {{ A = "0d" }}',
        "ownership.reclaim.idle.A",
        "0d",
        "is not longer than nothing",
        "",
    ),
    "a zone that is none": (f'{HEAD}zone = "Asia/Shangai"', "zone", "Asia/Shangai", "is not a known time zone", ""),
    "working days without a calendar": (
        f'{HEAD}[ownership.reclaim]\nidle = "5wd"',
        "ownership.reclaim.idle",
        "5wd",
        "needs a calendar",
        "add [calendars.office] with a week, or write idle in d, w, mo, h or min",
    ),
    "working days with two calendars": (
        f'{HEAD}[ownership.reclaim]\nremind_before = ["1wd"]{OFFICE}[calendars.other.week]\nmon = ["09:00-18:00"]',
        "ownership.reclaim.remind_before[0]",
        "1wd",
        "needs a calendar",
        "",
    ),
    "a calendar that is not there": (
        f'{HEAD}[ownership.reclaim]\ncalendar = "ofice"{OFFICE}',
        "ownership.reclaim.calendar",
        "ofice",
        "is no calendar of this book",
        "did you mean 'office'?",
    ),
    "a grace in working days without a calendar": (
        f'{HEAD}[ownership.run]\nactivation_grace = "10wd"',
        "ownership.run.activation_grace",
        "10wd",
        "needs a calendar",
        "add [calendars.office] with a week, or write activation_grace in d, w, mo, h or min",
    ),
    "a grace in working days and two calendars": (
        f'{HEAD}[ownership.run]\nactivation_grace = "10wd"{OFFICE}{OFFICE.replace("office", "shop")}',
        "ownership.run.activation_grace",
        "10wd",
        "needs a calendar",
        'set calendar = "office" under [ownership.reclaim], or write activation_grace in d',
    ),
    "frozen is always read": (
        f'{HEAD}[ownership.reclaim]\nprotected_by = ["frozen"]',
        "ownership.reclaim.protected_by[0]",
        "frozen",
        "is not needed: frozen_until always counts",
        "",
    ),
    "an importer that is none": (
        f'{HEAD}[calendars.office]\nholidays = "china"\nweek = {{ mon = ["09:00-18:00"] }}',
        "calendars.office.holidays",
        "china",
        "is not an importer",
        "",
    ),
    "make-up without holidays": (
        f'{HEAD}[calendars.office]\nmake_up = ["09:00-18:00"]\nweek = {{ mon = ["09:00-18:00"] }}',
        "calendars.office.make_up",
        ["09:00-18:00"],
        "has no effect without holidays",
        "",
    ),
    "a date that is none": (
        f'{HEAD}[calendars.office]\nclosed = ["2026-02-30"]\nweek = {{ mon = ["09:00-18:00"] }}',
        "calendars.office.closed[0]",
        "2026-02-30",
        "is not",
        "",
    ),
}


@pytest.mark.parametrize("name", [*FAULTY, *BEYOND_A_SCHEMA])
def test_a_faulty_book_is_refused_with_place_value_and_remedy(name: str) -> None:
    text, place, value, problem, remedy = {**FAULTY, **BEYOND_A_SCHEMA}[name]
    (found,) = faults(text)
    assert found[:2] == (place, value)
    assert problem in found[2]
    assert remedy in found[3]


@pytest.mark.parametrize("name", FAULTY)
def test_the_schema_rejects_a_faulty_book(name: str) -> None:
    assert not fits(FAULTY[name][0])


def test_all_faults_are_told_at_once() -> None:
    text = """
    schema = 1
    nmae = "x"
    zone = "Mars"
    effective = "soon"
    [ownership.reclaim]
    idle = { A = "15", B = "30d", C = "1y" }
    no_deal = "0d"
    remind_before = ["1d", "x"]
    protected_by = "contract"
    calendar = "nobodys"
    [ownership.cap]
    default = -1
    per_owner = { a = "x" }
    [ownership.run]
    activation_grace = "soon"
    max_per_run = true
    [calendars.office]
    zone = "Europe/Belin"
    week = { mon = ["9"] }
    closed = "2026-01-01"
    """
    places = [place for place, *_ in faults(text)]
    assert places == sorted(set(places), key=places.index)
    assert set(places) == {
        "nmae",
        "zone",
        "effective",
        "ownership.reclaim.idle.A",
        "ownership.reclaim.no_deal",
        "ownership.reclaim.remind_before[1]",
        "ownership.reclaim.protected_by",
        "ownership.reclaim.calendar",
        "ownership.cap.default",
        "ownership.cap.per_owner.a",
        "ownership.run.activation_grace",
        "ownership.run.max_per_run",
        "calendars.office.zone",
        "calendars.office.week.mon[0]",
        "calendars.office.closed",
    }


def test_a_faulty_calendar_does_not_put_the_blame_on_the_policies_that_use_it() -> None:
    text = f'{HEAD}[ownership.reclaim]\nidle = "5wd"\n[calendars.office]\nweek = {{ mon = ["9"] }}'
    assert [place for place, *_ in faults(text)] == ["calendars.office.week.mon[0]"]


def test_faults_of_keys_that_only_clash_together_are_told() -> None:
    """Each key is sound alone; the importer's make-up days find no hours."""
    text = f'{HEAD}[calendars.office]\nholidays = "chinesecalendar"'
    ((place, _, problem, _),) = faults(text)
    assert (place, "at least one window" in problem) == ("calendars.office.make_up", True)


# --- findings ---


@pytest.mark.rule("OWN-16")
@pytest.mark.parametrize(
    ("idle", "keys"),
    [
        ('{ A = "7d", B = "14d", C = "1mo" }', []),
        ('{ A = "6d", B = "13d", C = "29d" }', ["idle.A", "idle.B", "idle.C"]),
        ('{ A = "7d", default = "13d" }', ["idle.default", "idle.default"]),
        ('"10d"', ["idle", "idle"]),
        ('{ A = "7d" }', []),
    ],
)
def test_an_idle_limit_below_its_grades_rhythm_is_a_finding(idle: str, keys: list[str]) -> None:
    """It takes customers from reps who keep the plan."""
    book = PolicyBook.loads(f'{HEAD}zone = "UTC"\n[ownership.reclaim]\nidle = {idle}')
    found = [finding for finding in book.check() if finding.code == "limit_below_rhythm"]
    assert [finding.key for finding in found] == [f"ownership.reclaim.{key}" for key in keys]
    assert {finding.rule for finding in found} <= {"OWN-16"}


@pytest.mark.rule("OWN-16")
def test_no_idle_limit_has_no_rhythm_to_fit() -> None:
    assert PolicyBook.loads(f'{HEAD}zone = "UTC"\n[ownership.reclaim]\nno_deal = "5d"').check() == ()


def test_findings_carry_the_key_path_of_the_book() -> None:
    text = f'{HEAD}[ownership.reclaim]\nno_deal = "5d"\nremind_before = ["9d"]\nmin_hold = "6d"\ncalendar = "office"'
    found = [(finding.code.value, finding.key) for finding in PolicyBook.loads(text + OFFICE).check()]
    assert found == [
        ("lead_too_long", "ownership.reclaim.remind_before[0]"),
        ("hold_past_limit", "ownership.reclaim.min_hold"),
        ("zone_not_said", "zone"),
        ("calendar_unused", "ownership.reclaim.calendar"),
    ]


def test_a_calendar_that_nobody_named_is_a_finding() -> None:
    """The only one is used; the second one added would change what is meant."""
    text = f'{HEAD}zone = "UTC"\n[ownership.reclaim]\nno_deal = "5wd"\n'
    (found,) = PolicyBook.loads(text + OFFICE).check()
    assert (found.code, found.key, found.remedy) == (
        "calendar_not_said",
        "ownership.reclaim.calendar",
        'set calendar = "office"',
    )
    assert PolicyBook.loads(f'{text}calendar = "office"{OFFICE}').check() == ()


def test_a_calendar_that_only_the_grace_counts_by_is_used() -> None:
    """It is no finding that no limit counts working time."""
    text = f'{HEAD}zone = "UTC"\n[ownership.reclaim]\nno_deal = "90d"\n'
    run = f'[ownership.run]\nactivation_grace = "10wd"{OFFICE}'
    book = PolicyBook.loads(f'{text}calendar = "office"\n{run}')
    assert (book.check(), book.ownership.reclaim.calendar) == ((), book.calendars["office"])
    assert book.ownership.reclaim.digest == PolicyBook.loads(text).ownership.reclaim.digest
    (found,) = PolicyBook.loads(text + run).check()
    assert found.code == "calendar_not_said"


# --- extras ---


@pytest.mark.parametrize(
    ("package", "text", "said"),
    [
        ("chinese_calendar", '"chinesecalendar"', "chinesecalendar"),
        ("holidays", '"holidays:CN"', "holidays"),
    ],
)
def test_an_importer_that_is_not_installed_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, package: str, text: str, said: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    ((place, value, problem, remedy),) = faults(f"{HEAD}{OFFICE}holidays = {text}")
    assert (place, value, problem) == ("calendars.office.holidays", text.strip('"'), "cannot be imported")
    assert remedy.endswith(f"needs {said}; pip install 'crmcore[calendars]'")


def test_writing_without_tomli_w_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tomli_w", None)
    with pytest.raises(MissingExtra, match=r"^writing TOML needs tomli-w; pip install 'crmcore\[cli\]'$"):
        PolicyBook.standard().to_toml()


def test_loading_and_deciding_needs_no_extra() -> None:
    """In a fresh interpreter where nothing but attrs and dateutil can be imported."""
    code = """
import sys
for name in ("click", "rich", "tomli_w", "holidays", "chinese_calendar", "hypothesis", "pytest"):
    sys.modules[name] = None
from datetime import UTC, datetime
from crmcore import PolicyBook
from crmcore.ownership import Prospect
book = PolicyBook.loads(sys.stdin.read())
facts = Prospect(id=1, owner=2, assigned_at=datetime(2026, 1, 1, tzinfo=UTC))
print(book.ownership.reclaim.decide(facts, now=datetime(2026, 6, 1, tzinfo=UTC)).outcome, book.check())
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=ACCEPTED["only calendar"],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip().split()[0], done.stderr) == ("reclaim", "")


# --- what a newcomer would try ---


def test_calendars_follow_the_tables_too() -> None:
    """``book.calendars.office`` is ``[calendars.office]``."""
    book = PolicyBook.standard()
    assert book.calendars.office is book.calendars["office"]
    with pytest.raises(AttributeError, match="no calendar 'offise'; it has: office"):
        _ = book.calendars.offise
    assert pickle.loads(pickle.dumps(book)).calendars.office == book.calendars.office


def test_a_date_may_be_written_as_text() -> None:
    assert PolicyBook.loads('schema = 1\neffective = "2026-01-01"').version == "2026-01-01"


def test_a_protection_is_named_without_its_until() -> None:
    text = 'schema = 1\n[ownership.reclaim]\nno_deal = "9d"\nprotected_by = ["contract_until"]'
    with pytest.raises(InvalidFile, match="write 'contract', read as contract_until"):
        PolicyBook.loads(text)


def test_a_calendar_without_hours_is_refused() -> None:
    text = 'schema = 1\n[ownership.reclaim]\nidle = "30wd"\n[calendars.a]\nweek = {}'
    with pytest.raises(InvalidFile, match=r"calendars\.a\.week: \{\} has no working time"):
        PolicyBook.loads(text)


def test_a_calendar_that_says_no_zone_is_found() -> None:
    """Working time alone needs a zone as well."""
    limit = 'schema = 1\n[ownership.reclaim]\nidle = "30wd"\ncalendar = "a"\n'
    text = f'{limit}[calendars.a]\nweek = {{ mon = ["09:00-18:00"] }}'
    found = [(finding.code, finding.key) for finding in PolicyBook.loads(text).check()]
    assert found == [("zone_not_said", "calendars.a.zone")]


def test_a_book_that_is_only_called_standard_is_checked() -> None:
    text = 'schema = 1\nname = "standard"\n[ownership.reclaim]\nno_deal = "90d"'
    assert [finding.key for finding in PolicyBook.loads(text).check()] == ["zone"]
    assert PolicyBook.loads(PolicyBook.standard().to_toml()).check() == ()


@pytest.mark.parametrize("said", ["[value.tier]\nhigh = { orders = 3 }", '[value.abc]\ncuts = "s4"'])
def test_a_book_for_values_need_not_judge_prospects(said: str) -> None:
    """It has no findings about policies that it does not mean to have."""
    book = PolicyBook.loads(f'schema = 1\nzone = "UTC"\n{said}\n')
    assert book.check() == ()


def test_a_book_that_says_nothing_judges_nothing() -> None:
    """An empty book is a finding."""
    assert [finding.code for finding in PolicyBook.loads("schema = 1").check()] == ["nothing_judged"]
