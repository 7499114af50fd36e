"""A policy is a frozen value: what it may be, what it equals, its digest, what its check finds."""

from __future__ import annotations

import copy
import hashlib
import pickle
from datetime import timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from crmcore.calendars import BusinessCalendar, Span
from crmcore.decisions import FindingCode
from crmcore.errors import InvalidCalendar, InvalidPolicy, SpanNeeds
from crmcore.ownership import ReclaimPolicy
from ownership.stories import WEEK, at, prospect, reclaim

OFFICE = BusinessCalendar(zone="UTC", week=WEEK, name="office")
FULL: dict[str, Any] = {
    "idle": {"A": "15d", "B": "30d", "default": "60d"},
    "no_deal": "90d",
    "min_hold": "7d",
    "remind_before": ["7d", "1d"],
    "min_remaining": "3d",
    "protected_by": ["contract", "quote"],
    "appointment": "5wd",
    "future_tolerance": "12h",
    "zone": "Asia/Shanghai",
    "calendar": OFFICE,
}
POLICY = ReclaimPolicy(**FULL)
CHANGED: dict[str, Any] = {
    "idle": {"A": "15d", "B": "31d", "default": "60d"},
    "no_deal": "91d",
    "min_hold": "168h",
    "remind_before": ["7d"],
    "min_remaining": None,
    "protected_by": ["contract"],
    "appointment": "6wd",
    "future_tolerance": "24h",
    "zone": "Asia/Urumqi",
    "calendar": BusinessCalendar(zone="UTC", week=WEEK, closed=["2026-05-01"]),
}


def test_a_policy_does_not_change() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        POLICY.no_deal = Span("1d")  # type: ignore[misc]
    with pytest.raises(TypeError):
        POLICY.idle["A"] = Span("1d")  # type: ignore[index]


def test_a_table_handed_in_may_change_later_without_changing_the_policy() -> None:
    table, leads = {"A": "15d"}, ["1d"]
    policy = ReclaimPolicy(idle=table, remind_before=leads)
    table["A"], leads[0] = "99d", "9d"
    assert (policy.idle, policy.remind_before) == ({"A": Span("15d")}, (Span("1d"),))


def test_equal_parameters_make_equal_policies() -> None:
    same = ReclaimPolicy(**{**FULL, "idle": dict(reversed(FULL["idle"].items())), "no_deal": Span("90d")})
    assert (same, hash(same), same.digest) == (POLICY, hash(POLICY), POLICY.digest)
    assert same != ReclaimPolicy(**{**FULL, "no_deal": "91d"})
    assert len({POLICY, same}) == 1


@pytest.mark.parametrize("again", [lambda p: pickle.loads(pickle.dumps(p)), copy.copy, copy.deepcopy])
def test_a_copied_policy_is_the_same_and_decides(again: Any) -> None:
    """Before its first decision and after it."""
    for policy in (ReclaimPolicy(**FULL), POLICY.reading(owner="rep")):
        fresh = again(policy)
        decision = policy.decide({**attrs.asdict(prospect()), "rep": "ann"}, now=at("2026-06-01"))
        used = again(policy)
        for other in (fresh, used):
            assert (other, other.digest, other.names) == (policy, policy.digest, policy.names)
            assert other.decide({**attrs.asdict(prospect()), "rep": "ann"}, now=at("2026-06-01")) == decision


def test_the_digest_is_pinned() -> None:
    """Same policy, same digest, years later: a change here is a new canonical form, with a new number."""
    assert POLICY.digest == "a268b597bb880765d40e5c706ade3e5a9ea26bad44bf4c6171f69f079dfaba01"
    assert reclaim(idle="30d", no_deal="90d").digest == (
        "2bcbe3933498f04c7903f60a5b8aac1e2c4e6ac53b67c36585e013f8dc4386a0"
    )


def test_the_canonical_form_is_what_the_digest_is_made_of() -> None:
    """Anyone can compute it: canonical JSON of form, kind and data, hashed."""
    policy = ReclaimPolicy(idle={"A": "15d"}, remind_before=["1d"], zone="UTC", protected_by=["quote", "order"])
    text = (
        '{"data":{"calendar":null,"future_tolerance":"24h","idle.A":"15d","protected_by":["order","quote"],'
        '"remind_before":["1d"],"zone":"UTC"},"form":1,"kind":"ownership.reclaim"}'
    )
    assert policy.digest == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        POLICY.reading(owner="owner_id", contact_unknown="lost"),
        attrs.evolve(POLICY, name="north", version="7"),
        attrs.evolve(POLICY, remind_before=["1d", "7d"]),
        attrs.evolve(POLICY, protected_by=["quote", "contract"]),
        attrs.evolve(POLICY, no_deal="090d"),
        attrs.evolve(POLICY, zone=ZoneInfo("Asia/Shanghai")),
        attrs.evolve(POLICY, calendar=attrs.evolve(OFFICE, name="other")),
    ],
    ids=["reading", "name", "leads", "protections", "spelling", "zone", "calendar"],
)
def test_what_changes_no_answer_does_not_change_the_digest(other: ReclaimPolicy) -> None:
    assert other.digest == POLICY.digest


@pytest.mark.parametrize("key", list(CHANGED))
def test_each_parameter_is_in_the_digest(key: str) -> None:
    """A date of the calendar too."""
    assert ReclaimPolicy(**{**FULL, key: CHANGED[key]}).digest != POLICY.digest


def test_what_no_span_uses_is_not_in_the_digest() -> None:
    """Neither the zone of a policy in hours nor the calendar of one in days."""
    hours: dict[str, Any] = {"idle": "720h"}
    assert ReclaimPolicy(**hours, zone="Asia/Shanghai").digest == ReclaimPolicy(**hours, zone="UTC").digest
    assert ReclaimPolicy(**hours, calendar=OFFICE).digest == ReclaimPolicy(**hours).digest
    assert ReclaimPolicy(idle="30d").digest == ReclaimPolicy(idle="30d", zone="UTC").digest


def test_a_policy_shows_its_parameters() -> None:
    assert "idle={'A': Span('15d')}" in repr(ReclaimPolicy(idle={"A": "15d"}))


def test_the_reference_names_the_policy() -> None:
    assert POLICY.ref.record() == {"name": "ownership.reclaim", "version": "unversioned", "digest": POLICY.digest}
    assert attrs.evolve(POLICY, name="north", version="7").ref.name == "north"
    assert POLICY.ref.zone == "Asia/Shanghai"


def test_a_fixed_offset_will_do_for_a_zone() -> None:
    policy = ReclaimPolicy(idle="1d", zone=timezone(timedelta(hours=8)))
    assert policy.deadline(prospect()) == at("2026-01-02")
    assert "as of 2026-01-01 00:00\n" in policy.decide(prospect(), now=at("2026-01-01")).explain()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"idle": "30m"}, "idle: '30m' is not a span; say min or mo for m: 30min 24h 7d 2w 3mo 5wd 8wh 30wmin"),
        ({"idle": 30}, "idle: 30 is not a span; say a whole number and a unit, without sign or blanks: 30min"),
        ({"idle": "0d"}, "idle: '0d' is not longer than nothing; drop the key for none"),
        ({"idle": {}}, "idle: {} is not a table of grades with at least one entry"),
        ({"idle": {"A": "-1d"}}, "idle.A: '-1d' is not a span"),
        ({"no_deal": "1.9d"}, "no_deal: '1.9d' is not a span"),
        ({"no_deal": "0h"}, "no_deal: '0h' is not longer than nothing"),
        ({"min_hold": True}, "min_hold: True is not a span"),
        ({"min_remaining": "0d"}, "min_remaining: '0d' is not longer than nothing"),
        ({"appointment": "soon"}, "appointment: 'soon' is not a span"),
        ({"future_tolerance": ""}, "future_tolerance: '' is not a span"),
        ({"remind_before": "7d"}, "remind_before: '7d' is not a list of spans; write ['7d']"),
        ({"remind_before": 7}, "remind_before: 7 is not a list of spans"),
        ({"remind_before": ["7d", "0d"]}, "remind_before[1]: '0d' is not longer than nothing"),
        ({"remind_before": ["7d", "07d"]}, "remind_before[1]: '7d' is not listed once"),
        ({"protected_by": "contract"}, "protected_by: 'contract' is not a list of protections; write ['contract']"),
        ({"protected_by": ["Contract"]}, "protected_by[0]: 'Contract' is not a lower-case name, read as the fact"),
        ({"protected_by": ["a b"]}, "protected_by[0]: 'a b' is not a lower-case name"),
        ({"protected_by": [7]}, "protected_by[0]: 7 is not a lower-case name"),
        ({"protected_by": ["frozen"]}, "protected_by[0]: 'frozen' is not needed: frozen_until always counts"),
        ({"protected_by": ["quote", "quote"]}, "protected_by[1]: 'quote' is not listed once"),
    ],
)
def test_parameters_that_make_no_policy_are_refused(parameters: dict[str, Any], said: str) -> None:
    """With the key, the value and what was expected."""
    with pytest.raises(InvalidPolicy) as caught:
        ReclaimPolicy(**parameters)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"idle": "5wd"}, "idle = '5wd' needs a calendar; give calendar=…, or write it in d, w or mo"),
        ({"idle": {"A": "5wd"}}, "idle.A = '5wd' needs a calendar"),
        ({"no_deal": "8wh"}, "no_deal = '8wh' needs a calendar"),
        ({"idle": "30d", "remind_before": ["1d", "2wd"]}, "remind_before[1] = '2wd' needs a calendar"),
        ({"min_remaining": "1wd"}, "min_remaining = '1wd' needs a calendar"),
    ],
)
def test_working_time_without_a_calendar_is_refused_by_its_key(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(SpanNeeds) as caught:
        ReclaimPolicy(**parameters)
    assert str(caught.value).startswith(said)


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidCalendar, match="Asia/Shanghi"):
        ReclaimPolicy(idle="30d", zone="Asia/Shanghi")


# --- check ---


def findings(**parameters: Any) -> list[tuple[str, str | None, str]]:
    return [(found.code.value, found.rule, found.key) for found in ReclaimPolicy(**parameters).check()]


def test_a_sound_policy_has_no_findings() -> None:
    assert findings(**FULL) == []


def test_a_policy_that_judges_nothing_is_a_finding() -> None:
    assert findings() == [("nothing_judged", None, "idle")]


def test_a_lead_that_is_not_shorter_than_a_limit_is_a_finding_for_each() -> None:
    """Compared by nominal length: seven working days are 9.8 days."""
    limits = {"idle": {"A": "7d", "B": "8d"}, "no_deal": "10d", "zone": "UTC", "calendar": OFFICE}
    assert findings(**limits, remind_before=["1wd", "7d"]) == [("lead_too_long", "OWN-1", "remind_before[1]")]
    assert findings(**limits, remind_before=["7wd"]) == [("lead_too_long", "OWN-1", "remind_before[0]")] * 2
    assert findings(**limits, remind_before=["8wd"])[-1] == ("lead_too_long", "OWN-2", "remind_before[0]")
    (found,) = ReclaimPolicy(**limits, remind_before=["7d", "1wd"]).check()
    assert str(found) == (
        "remind_before[0]: 7d is not shorter than idle.A = 7d, so it is not used for it (OWN-1);"
        " make it shorter than 7d, or lengthen idle.A"
    )


@pytest.mark.rule("OWN-19")
def test_a_hold_past_a_limit_is_a_finding() -> None:
    assert findings(idle="6d", no_deal="30d", min_hold="7d", zone="UTC") == [("hold_past_limit", "OWN-19", "min_hold")]


def test_a_zone_that_nobody_said_is_a_finding_where_days_are_counted() -> None:
    assert findings(idle="30d") == [("zone_not_said", None, "zone")]
    assert findings(idle="720h") == []
    (found,) = ReclaimPolicy(idle="720h", min_hold="7d").check()
    assert found.problem == "min_hold counts days, but no zone says whose; UTC is used"


def test_a_calendar_beside_hours_is_a_finding() -> None:
    assert findings(idle="720h", calendar=OFFICE) == [("calendar_unused", None, "calendar")]


def test_a_finding_is_data() -> None:
    (found,) = ReclaimPolicy(idle="720h", calendar=OFFICE).check()
    assert found.code is FindingCode.CALENDAR_UNUSED
    assert found.record() == {
        "code": "calendar_unused",
        "rule": None,
        "key": "calendar",
        "problem": "a calendar is named, but no span counts working time (wd, wh, wmin)",
        "remedy": "drop the calendar, or write the limit in wd or wh",
    }
