"""Facts as JSON, and back: nothing is lost, and what cannot be kept is refused with its name."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.decisions import UNKNOWN
from crmcore.errors import InvalidFact, NaiveDatetime
from crmcore.money import Money
from crmcore.ownership import Status
from crmcore.ownership.records import packed, unpacked
from crmcore.ownership.stored import worth
from crmcore.testing import instants
from storage.stories import START


class Grade(StrEnum):
    A = "a"


LEAST = float("-inf")
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
INSTANT_NAMES = st.sampled_from(("assigned_at", "frozen_until", "need_expected_by"))
PLAIN_NAMES = st.sampled_from(("id", "owner", "status", "grade", "value", "note", "at", "until"))
PLAIN = st.one_of(
    TEXTS,
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.builds(Money, st.decimals(-1000, 1000, places=2), st.sampled_from(("CNY", "EUR"))),
    st.just(UNKNOWN),
    st.none(),
)
FACTS = st.builds(
    lambda plain, dated: {**plain, **dated},
    st.dictionaries(PLAIN_NAMES, PLAIN),
    st.dictionaries(INSTANT_NAMES, instants() | st.none() | st.just(UNKNOWN)),
)


@given(FACTS)
def test_facts_come_back_as_they_were(facts: dict[str, Any]) -> None:
    """Through JSON, types and all; None is what is not there."""
    again = unpacked(json.loads(json.dumps(packed(facts), allow_nan=False)))
    kept = {name: value for name, value in facts.items() if value is not None}
    assert again == kept
    assert {name: type(value) for name, value in again.items()} == {name: type(value) for name, value in kept.items()}


@given(st.timezones(), st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)))
def test_an_instant_of_any_zone_is_kept_in_utc(zone: Any, clock: datetime) -> None:
    at = clock.replace(tzinfo=zone)
    (again,) = unpacked(packed({"assigned_at": at})).values()
    assert again == at.astimezone(UTC)
    assert again.tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (START, "2026-03-02T00:00:00+00:00"),
        (START + timedelta(microseconds=1), "2026-03-02T00:00:00.000001+00:00"),
        (datetime(2026, 3, 2, 8, tzinfo=timezone(timedelta(hours=8))), "2026-03-02T00:00:00+00:00"),
        (UNKNOWN, {"unknown": True}),
    ],
)
def test_an_instant_is_written_so_that_a_database_reads_it(value: Any, text: Any) -> None:
    assert packed({"assigned_at": value}) == {"assigned_at": text}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("12.50"), {"decimal": "12.50"}),
        (Money(Decimal("12.50"), "CNY"), {"money": ["12.50", "CNY"]}),
        (UNKNOWN, {"unknown": True}),
        (Status.OPEN, "open"),
        (Grade.A, "a"),
        ("客户", "客户"),
        (True, True),
        (0, 0),
    ],
)
def test_a_value_is_written_plainly(value: Any, written: Any) -> None:
    (found,) = packed({"value": value}).values()
    assert found == written
    assert type(found) is type(written)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("assigned_at", "2026-03-02", "an aware datetime, None or UNKNOWN"),
        ("assigned_at", date(2026, 3, 2), "an aware datetime, None or UNKNOWN"),
        ("frozen_until", True, "an aware datetime, None or UNKNOWN"),
        ("since", START, "under a name that ends in _at or _until"),
        ("value", [1], "text, a number, a truth, an amount, an instant or None"),
        ("value", b"x", "text, a number, a truth, an amount, an instant or None"),
        ("value", float("nan"), "text, a number, a truth, an amount, an instant or None"),
        ("value", float("inf"), "text, a number, a truth, an amount, an instant or None"),
        ("note", "a\0b", "text without NUL"),
        ("note", "\ud800", "text without halves of characters"),
    ],
)
def test_what_no_database_keeps_is_refused(name: str, value: Any, expected: str) -> None:
    with pytest.raises(InvalidFact) as caught:
        packed({"id": 7, name: value})
    assert (caught.value.fact, caught.value.expected, caught.value.id) == (name, expected, 7)


def test_an_instant_without_an_offset_is_refused() -> None:
    with pytest.raises(NaiveDatetime, match="assigned_at of 7"):
        packed({"id": 7, "assigned_at": datetime(2026, 3, 2)})


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5.0),
        (1.5, 1.5),
        (Decimal("2.5"), 2.5),
        (Money(Decimal(3), "CNY"), 3.0),
        (None, LEAST),
        (True, LEAST),
        ("12", LEAST),
        (UNKNOWN, LEAST),
        (Decimal("NaN"), LEAST),
    ],
)
def test_what_is_no_number_is_worth_least(value: Any, number: float) -> None:
    assert worth({"value": value}) == number


@pytest.mark.parametrize("value", [10**400, Decimal("sNaN")])
def test_a_value_that_is_no_float_is_kept_or_refused_and_stops_nothing(value: Any) -> None:
    try:
        packed({"id": 7, "value": value})
    except InvalidFact:
        return
    assert worth({"value": value}) in {LEAST, -LEAST}
