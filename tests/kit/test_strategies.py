"""The strategies give legal values, and reach what is hard."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmcore import testing
from crmcore.calendars import OPEN_ENDED, BusinessCalendar, Span, to_utc
from crmcore.decisions import UNKNOWN, Outcome
from crmcore.ownership import Prospect, ReclaimPolicy

MICROSECOND = timedelta(microseconds=1)
POLICY = ReclaimPolicy(
    idle={"A": "5d", "B": "5wd", "default": "2mo"},
    no_deal="90d",
    min_hold="24h",
    remind_before=["1d", "2wd"],
    min_remaining="3d",
    protected_by=["contract", "visit"],
    appointment="14d",
    zone="Europe/Berlin",
    calendar=BusinessCalendar(zone="Europe/Berlin", week={"mon": ["09:00-18:00"], "thu": ["22:00-06:00"]}),
)
NOW = datetime(2026, 4, 2, 9, 30, tzinfo=UTC)
steady = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))


def drawn(strategy: Any, count: Any) -> Any:
    """So many values of the strategy, the same each time."""
    found = []

    @settings(steady, max_examples=count)
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found


RECORDS = drawn(testing.prospects(POLICY, NOW), 1200)


def test_every_outcome_occurs() -> None:
    """Of one policy's records none of the answers is rare, and each reminder is reached."""
    answers = [POLICY.decide(facts, now=NOW) for facts in RECORDS]
    counts = Counter(decision.outcome for decision in answers)
    assert set(counts) == {Outcome.KEEP, Outcome.REMIND, Outcome.RECLAIM, Outcome.NEEDS_DATA}
    assert min(counts.values()) >= len(RECORDS) // 50
    assert {decision.step for decision in answers} == {0, 1, 2}


@pytest.mark.parametrize("early", [timedelta(), MICROSECOND, -MICROSECOND])
def test_borders_are_hit(early: Any) -> None:
    """Records fall due exactly now, a microsecond ago, in a microsecond: often enough to be met in a short run."""
    hits = sum(POLICY.deadline(facts) == NOW + early for facts in RECORDS)
    assert hits >= 4


@pytest.mark.parametrize("fact", ["frozen_until", "contract_until", "visit_until", "appointment_at", "last_contact_at"])
def test_every_kind_of_value(fact: Any) -> None:
    """None, unknown, past, future; in UTC and in another zone."""
    values = [getattr(facts, fact) for facts in RECORDS]
    instants = [value for value in values if isinstance(value, datetime)]
    assert None in values
    assert UNKNOWN in values
    assert {value > NOW for value in instants} == {True, False}
    assert {value.tzinfo is UTC for value in instants} == {True, False}
    assert (OPEN_ENDED in instants) == fact.endswith("_until")


def test_codes_flags_and_grades() -> None:
    """Closed ones and unowned ones, grades in and out of the table, a flag that is there, or not, or set."""
    assert {facts.status for facts in RECORDS} == {"open", "won", "lost", "invalid", UNKNOWN}
    assert {facts.owner for facts in RECORDS} == {"u1", 7, None, UNKNOWN}
    assert {facts.grade for facts in RECORDS} == {"A", "B", "default", "Z", None, UNKNOWN}
    assert {getattr(facts, "contact_unknown", "absent") for facts in RECORDS} == {True, False, None, "absent"}


def test_slightly_and_far_in_the_future() -> None:
    """Contacts within the tolerance and beyond it."""
    ahead = [at - NOW for facts in RECORDS if isinstance(at := facts.last_contact_at, datetime) and at > NOW]
    assert any(gap <= timedelta(hours=24) for gap in ahead)
    assert any(gap > timedelta(hours=24) for gap in ahead)


def test_what_can_be_left_out() -> None:
    """Known, past, UTC: what a test about something else asks for."""
    strategy = testing.prospects(POLICY, NOW, unknown=False, future=False, zoned=False)
    for facts in drawn(strategy, 150):
        values = vars(facts).values()
        assert UNKNOWN not in values
        assert not getattr(facts, "contact_unknown", False)
        assert all(value.tzinfo is UTC for value in values if isinstance(value, datetime))
        assert all(at is None or at <= NOW for at in (facts.assigned_at, facts.last_contact_at))


def test_the_hosts_names() -> None:
    """A policy that reads a host's names gets records with them."""
    policy = POLICY.reading(owner="owner_id", visit_until="visit_end")
    for facts in drawn(testing.prospects(policy, NOW), 20):
        assert {"owner_id", "visit_end"} <= set(vars(facts))
        policy.decide(facts, now=NOW)


def test_anything_with_the_same_face() -> None:
    """A policy that names none of its spans still gets records: borders are `now` then."""

    class Bare:
        reads = ("status", "owner", "grade", "assigned_at", "appointment_at", "frozen_until")

        @staticmethod
        def deadline(_: Any) -> None:
            return None

    assert drawn(testing.prospects(Bare(), NOW), 20)
    assert drawn(testing.moments(Bare()), 20)


def test_instants_reach_transitions() -> None:
    """Gaps and folds of the zone, to the microsecond, and local midnights and month ends."""
    berlin = ZoneInfo("Europe/Berlin")
    found = {at.astimezone(berlin) for at in drawn(testing.instants(zone="Europe/Berlin"), 400)}
    fold = datetime(2025, 10, 26, 1, tzinfo=UTC)
    assert {fold - MICROSECOND, fold, fold + MICROSECOND} & {to_utc(at) for at in found}
    assert any((at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0) for at in found)
    assert any(at.day == 1 and at.hour == 0 for at in found)
    assert any((at + MICROSECOND).day != at.day for at in found)


def test_instants_near() -> None:
    """Given instants come with the microsecond before and after."""
    found = drawn(testing.instants(near=[NOW, OPEN_ENDED]), 200)
    assert {NOW - MICROSECOND, NOW, NOW + MICROSECOND, OPEN_ENDED} <= set(found)


def test_instants_in_a_range() -> None:
    """`earliest` and `latest` hold, but for the borders given."""
    low, high = NOW, NOW + timedelta(days=90)
    assert all(
        low - timedelta(days=2) <= at <= high + timedelta(days=2)
        for at in drawn(testing.instants(zone="Asia/Shanghai", earliest=low, latest=high), 100)
    )


def test_nudged() -> None:
    """An instant and its neighbours."""
    found = drawn(testing.nudged(st.just(NOW)), 60)
    assert set(found) == {NOW - MICROSECOND, NOW, NOW + MICROSECOND}


def test_spans() -> None:
    """In the units asked for, in the range asked for."""
    found = drawn(testing.spans(units=["wd", "h"], at_least=0, at_most=3), 100)
    assert {span.unit for span in found} == {"wd", "h"}
    assert {span.count for span in found} == {0, 1, 2, 3}
    assert {span.unit for span in drawn(testing.spans(), 200)} == set("min h d w mo wd wh wmin".split())


def test_calendars() -> None:
    """Legal ones: split, overnight, closed and opened dates, changing hours, known and unknown ends."""
    found = drawn(testing.calendars(), 300)
    weeks = [windows for calendar in found for windows in calendar.week]
    assert any(len(windows) > 1 for windows in weeks)
    assert any(window.end > 24 * 60 for windows in weeks for window in windows)
    for name in ("closed", "open", "hours", "known_through", "whole_shifts"):
        assert {bool(getattr(calendar, name)) for calendar in found} == {True, False}
    assert all(calendar.add(NOW, "3wd") > NOW for calendar in found[:50])
    assert {calendar.zone.key for calendar in found} == set(drawn(testing.zones(), 100))
    assert drawn(testing.calendars(zones=st.just("UTC"), names=st.just("hq")), 1)[0].name == "hq"


def test_reclaim_policies() -> None:
    """Each parameter is there and is not; every unit occurs; a policy without a calendar needs none."""
    found = drawn(testing.reclaim_policies(), 400)
    for name in ("idle", "no_deal", "min_hold", "remind_before", "min_remaining", "protected_by", "appointment"):
        assert {bool(getattr(policy, name)) for policy in found} == {True, False}, name
    assert {span.unit for policy in found for _, span in policy.spans()} == set("min h d w mo wd wh wmin".split())
    graded = [policy.idle for policy in found if policy.idle and not isinstance(policy.idle, Span)]
    assert {"default" in idle for idle in graded} == {True, False}
    assert {policy.future_tolerance == Span("24h") for policy in found} == {True, False}


def test_reclaim_policies_narrowed() -> None:
    """To some units, zones, calendars."""
    policies = testing.reclaim_policies(units=["min", "mo"], zones=st.none(), calendars=st.none())
    for policy in drawn(policies, 60):
        assert {span.unit for key, span in policy.spans() if span != Span("24h")} <= {"min", "mo"}
        assert (policy.zone, policy.calendar, policy.remind_before) == (None, None, ())
    assert drawn(testing.policies_and_prospects(policies=st.just(POLICY)), 1)[0][0] is POLICY


def test_longer_and_changed_policies() -> None:
    """Longer ones are never shorter; changed ones differ in one parameter at most."""
    for longer in drawn(testing.longer_policies(POLICY), 60):
        assert longer.idle is None or all(longer.idle[key].count >= POLICY.idle[key].count for key in POLICY.idle)
        assert longer.no_deal is None or longer.no_deal.count >= POLICY.no_deal.count
    found = drawn(testing.changed_policies(POLICY), 100)
    assert {policy == POLICY for policy in found} <= {True, False}
    assert len({policy.digest for policy in found}) > 10
    assert drawn(testing.longer_policies(ReclaimPolicy(idle="5d")), 30)
    assert drawn(testing.longer_policies(ReclaimPolicy()), 1) == [ReclaimPolicy()]


def test_cap_policies_and_books() -> None:
    """No cap, a cap of nothing, one by owner; books with no calendar, one and two."""
    caps = drawn(testing.cap_policies(), 200)
    assert {cap.default for cap in caps} >= {None, 0, 1}
    assert {bool(cap.per_owner) for cap in caps} == {True, False}
    assert drawn(testing.cap_policies(caps=st.just(3)), 10)
    books = drawn(testing.books(), 60)
    assert {len(book.calendars) for book in books} == {0, 1, 2}
    assert {book.zone is None for book in books} == {True, False}


def test_facts_in_a_fold() -> None:
    """Both passes of an hour that comes twice meet in one record, so that wall clocks are not mistaken for instants."""
    policy = ReclaimPolicy(idle="1h", zone="Europe/Berlin")
    now = datetime(2025, 10, 26, 2, tzinfo=UTC)
    pairs = [(facts.assigned_at, facts.last_contact_at) for facts in drawn(testing.prospects(policy, now), 600)]
    both = [(a, b) for a, b in pairs if isinstance(a, datetime) and isinstance(b, datetime)]
    assert any((a < b) != (to_utc(a) < to_utc(b)) for a, b in both)


def test_prospects_are_objects() -> None:
    """Like the plain record of the library, a record is an object with the named attributes."""
    assert set(ReclaimPolicy(idle="5d").reads) < {field for field in dir(Prospect(id=1)) if field[0] != "_"}
    assert all(hasattr(facts, "visit_until") for facts in RECORDS)
