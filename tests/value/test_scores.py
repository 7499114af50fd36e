"""RFM as objects: tie-fair scores, fixed cuts, what a purchase is, and when it was."""

from __future__ import annotations

import json
import pickle
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from math import floor
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.errors import InvalidFact, InvalidPolicy, MissingFact, NaiveDatetime
from crmcore.sales import Sale
from crmcore.value.scores import RfmPolicy, rfm
from crmcore.value.scoring import Cuts, Quantiles
from crmcore.value.segments import Segment, SegmentMap

AS_OF = date(2026, 3, 31)
R_CUTS = Cuts(recency=(115, 181, 297, 482), frequency=(4, 5, 6, 8), monetary=(256, 382, 506, 666))


def sold(customer: Any, at: Any, amount: Any, order: Any = None) -> Sale:
    return Sale(customer=customer, at=at, amount=amount, order=order)


def bought(customer: Any, days: int, times: int, total: Any, as_of: date = AS_OF) -> list[Sale]:
    """Sales that measure so."""
    at = as_of - timedelta(days=days)
    return [sold(customer, at, "0.01")] * (times - 1) + [
        sold(customer, at, Decimal(total) - Decimal("0.01") * (times - 1))
    ]


# --- quantiles ---


@given(st.lists(st.integers(-3, 12)), st.integers(2, 12))
def test_a_score_is_that_of_the_middle_of_its_ties(values: list[int], k: int) -> None:
    """With the ranks a to b of n: floor((a + b - 1) / 2 / n · k) + 1."""
    ordered, n = sorted(values), len(values)
    cuts = Quantiles(k).cuts(values)
    assert len(cuts) == k - 1
    for value in values:
        a, b = bisect_left(ordered, value) + 1, bisect_right(ordered, value)
        expected = floor(Fraction(a + b - 1, 2 * n) * k) + 1
        assert 1 + sum(cut is not None and cut <= value for cut in cuts) == expected


@pytest.mark.rule("VAL-1")
def test_equal_customers_have_equal_scores() -> None:
    """Worked example 11: five customers with frequency 1 are not 0, 1, 2, 3, 4; all have the middle score."""
    said = rfm([sold(number, AS_OF, 10) for number in range(5)], as_of=AS_OF)
    assert [(row.r, row.f, row.m) for row in said.rows] == [(3, 3, 3)] * 5
    assert said.cells == {"333": 5}


@pytest.mark.parametrize("k", [2, 3, 4, 5, 10])
def test_one_customer_has_the_middle_score(k: int) -> None:
    (row,) = rfm([sold("u", AS_OF, 10)], as_of=AS_OF, scoring=Quantiles(k)).rows
    assert {row.r, row.f, row.m} == {k // 2 + 1}


def test_nobody_has_no_scores() -> None:
    said = rfm([], as_of=AS_OF)
    assert (said.n, said.rows, said.cells, sum(said.segments.values())) == (0, (), {}, 0)
    assert said.insufficient
    assert said.cuts.recency == (0, 0, 0, 0)


def test_the_cuts_found_score_the_same_customers_the_same() -> None:
    """And others by the same measure."""
    sales = [sale for days in range(9) for sale in bought(days, days * 3, days % 4 + 1, 10 * days + 1)]
    said = rfm(sales, as_of=AS_OF)
    assert rfm(sales, as_of=AS_OF, scoring=said.cuts).rows == said.rows
    (late,) = rfm(bought("new", 400, 1, 1), as_of=AS_OF, scoring=said.cuts).rows
    assert late.cell == "111"


@pytest.mark.parametrize("k", [0, 1, 21, 2.0, True])
def test_quantiles_that_are_none_are_refused(k: Any) -> None:
    with pytest.raises(InvalidPolicy, match="from 2 to 20"):
        Quantiles(k)


# --- fixed cuts ---


@pytest.mark.rule("VAL-1")
@pytest.mark.parametrize(
    ("measured", "cell", "segment"),
    [
        ((205, 6, 472), "343", "potential_loyalist"),
        ((140, 3, 340), "412", "new_customers"),
        ((194, 4, 405), "323", "loyal_customers"),
        ((98, 7, 596), "544", "potential_loyalist"),
        ((132, 5, 448), "433", "potential_loyalist"),
    ],
)
def test_fixed_cuts_are_those_of_the_r_package(measured: tuple[int, int, int], cell: str, segment: str) -> None:
    """Worked example 9."""
    (row,) = rfm(bought("u", *measured), as_of=AS_OF, scoring=R_CUTS).rows
    assert (row.cell, row.segment) == (cell, segment)
    assert (row.recency_days, row.frequency, row.monetary) == measured


def test_the_lower_bound_of_a_bin_is_inclusive() -> None:
    assert [R_CUTS.scores(days, 1, 0)[0] for days in (114, 115, 180, 181, 481, 482)] == [5, 4, 4, 3, 2, 1]
    assert [R_CUTS.scores(0, times, 0)[1] for times in (3, 4, 7, 8)] == [1, 2, 4, 5]
    assert [R_CUTS.scores(0, 1, Decimal(much))[2] for much in ("255.99", "256", "665.99", "666")] == [1, 2, 4, 5]


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"recency": (2, 1)}, "scoring.recency"),
        ({"recency": (None, 1)}, "scoring.recency"),
        ({"recency": (1, None)}, "scoring.recency"),
        ({"recency": (-1, 1)}, "scoring.recency"),
        ({"frequency": (1.5, 2)}, "scoring.frequency"),
        ({"frequency": (None, 2)}, "scoring.frequency"),
        ({"frequency": ()}, "scoring.frequency"),
        ({"frequency": range(20)}, "scoring.frequency"),
        ({"monetary": (1.5, 2)}, "scoring.monetary"),
        ({"monetary": ("2", "1")}, "scoring.monetary"),
        ({"monetary": (1,)}, "scoring"),
    ],
)
def test_cuts_that_are_none_are_refused(changed: Mapping[str, Any], key: str) -> None:
    with pytest.raises(InvalidPolicy) as raised:
        Cuts(**{"recency": (1, 2), "frequency": (1, 2), "monetary": (1, 2), **changed})
    assert raised.value.key == key


# --- what a purchase is ---


def test_returns_lower_the_money_and_make_nobody_recent_or_frequent() -> None:
    sales = [sold("u", date(2026, 3, 1), "30"), sold("u", date(2026, 3, 20), "-12.50")]
    (row,) = rfm(sales, as_of=AS_OF).rows
    assert (row.recency_days, row.frequency, row.monetary) == (30, 1, Decimal("17.50"))


def test_who_never_bought_is_not_scored_but_named() -> None:
    said = rfm([sold("u", AS_OF, 1), sold("v", AS_OF, -1), sold(7, AS_OF, -2)], as_of=AS_OF)
    assert ([row.key for row in said.rows], said.unscored) == (["u"], (7, "v"))


def test_a_gift_is_a_purchase() -> None:
    """The customer was there, though nothing was paid."""
    (row,) = rfm([sold("u", date(2026, 3, 1), "30"), sold("u", AS_OF, 0)], as_of=AS_OF).rows
    assert (row.recency_days, row.frequency, row.monetary) == (0, 2, Decimal(30))


def test_later_sales_are_ignored_and_counted() -> None:
    said = rfm([sold("u", AS_OF, 1), sold("u", date(2026, 4, 1), 9), sold("v", date(2026, 4, 1), 9)], as_of=AS_OF)
    assert (said.n, said.ignored, said.rows[0].monetary) == (1, 2, 1)


@pytest.mark.parametrize(("frequency", "expected"), [("orders", 4), ("active_days", 2), ("lines", 6)])
def test_frequency_counts_orders_days_or_lines(frequency: Any, expected: int) -> None:
    """Lines without an order are each an order of their own."""
    orders = ["o1", "o1", "o2", "o2", None, None, "returned"]
    sales = [sold("u", date(2026, 3, 1 + at % 2), 5, order) for at, order in enumerate(orders[:-1])]
    (row,) = rfm([*sales, sold("u", AS_OF, -1, "returned")], as_of=AS_OF, frequency=frequency).rows
    assert row.frequency == expected


def test_the_mean_is_by_frequency_net_and_rounded_to_four_places() -> None:
    sales = [
        *(sold("u", AS_OF, amount) for amount in (10, 10, -10)),
        *(sold("v", AS_OF, amount) for amount in (1, 1, -3)),
    ]
    sales += [sold("w", AS_OF, 1)] * 2 + [sold("w", AS_OF, "0.0001"), sold("w", AS_OF, "-1.0001")]
    rows = rfm(sales, as_of=AS_OF, monetary="mean").rows
    assert [row.monetary for row in rows] == [Decimal("5.0000"), Decimal("-0.5000"), Decimal("0.3333")]


def test_a_mean_that_is_hardly_below_zero_is_zero() -> None:
    """And says so without a sign."""
    sales = [sold("u", AS_OF, 1), sold("u", AS_OF, "-1.00001")]
    (row,) = rfm(sales, as_of=AS_OF, monetary="mean").rows
    assert row.record()["monetary"] == "0.0000"


# --- time ---


@pytest.mark.parametrize(
    ("at", "days"),
    [
        (datetime(2026, 3, 29, 13, tzinfo=UTC), 0),
        (datetime(2026, 3, 28, 11, tzinfo=UTC), 2),  # 12:00 by the clock of Berlin, put forward that night
        (datetime(2026, 3, 28, 11, 1, tzinfo=UTC), 1),
        (date(2026, 3, 28), 2),
    ],
)
def test_days_are_told_by_the_wall_clock_of_as_of(at: Any, days: int) -> None:
    (row,) = rfm([sold("u", at, 1)], as_of=datetime(2026, 3, 30, 12, tzinfo=ZoneInfo("Europe/Berlin"))).rows
    assert row.recency_days == days


def test_a_date_is_its_first_instant_in_the_zone_of_as_of() -> None:
    as_of = datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=8)))
    said = rfm([sold("u", date(2026, 3, 1), 1), sold("v", as_of + timedelta(microseconds=1), 1)], as_of=as_of)
    assert ([(row.key, row.recency_days) for row in said.rows], said.ignored) == ([("u", 0)], 1)


def test_active_days_are_days_of_the_zone() -> None:
    late = datetime(2026, 3, 1, 15, 30, tzinfo=UTC)  # 23:30 in Shanghai
    sales = [sold("u", late, 1), sold("u", late + timedelta(hours=1), 1)]
    as_of = datetime(2026, 3, 5, tzinfo=UTC)
    for zone, days in (("Asia/Shanghai", 2), ("UTC", 1)):
        (row,) = rfm(sales, as_of=as_of.astimezone(ZoneInfo(zone)), frequency="active_days").rows
        assert row.frequency == days


def test_an_instant_needs_an_as_of_with_a_zone() -> None:
    with pytest.raises(InvalidFact, match="give as_of as an instant"):
        rfm([sold("u", datetime(2026, 3, 1, tzinfo=UTC), 1)], as_of=AS_OF)
    with pytest.raises(NaiveDatetime, match="as_of"):
        rfm([], as_of=datetime(2026, 3, 1))


# --- the host's records ---


def test_any_records_will_do() -> None:
    """Objects and mappings, with or without an order."""
    facts = {"customer": "u", "at": AS_OF, "amount": "5"}
    rows = [facts, SimpleNamespace(**facts), {**facts, "order": 1}, SimpleNamespace(**facts, order=1), Sale(**facts)]
    (row,) = rfm(rows, as_of=AS_OF).rows
    assert (row.frequency, row.monetary) == (4, 25)
    with pytest.raises(MissingFact):
        rfm([{"customer": "u"}], as_of=AS_OF)


@given(st.permutations(["b", "a", 10, 9, None, (1,), date(2026, 1, 1)]))
def test_keys_of_any_type_have_an_order(keys: list[Any]) -> None:
    said = rfm([sold(key, AS_OF, 1) for key in keys], as_of=AS_OF)
    assert [row.key for row in said.rows] == [None, date(2026, 1, 1), 9, 10, "a", "b", (1,)]
    assert [row.key for row in rfm([sold(n, AS_OF, 1) for n in (10, 9)], as_of=AS_OF).rows] == [9, 10]


# --- what comes back ---


def test_the_record_is_json() -> None:
    sales = [sold("u", date(2026, 3, 1), "5.50"), sold("v", AS_OF, "1E+1"), sold("w", AS_OF, -1)]
    record = rfm(sales, as_of=AS_OF, scoring=Quantiles(3)).record()
    assert json.loads(json.dumps(record, ensure_ascii=False)) == record
    assert record["rows"][0] == {
        "key": "u", "r": 1, "f": 2, "m": 1, "recency_days": 30, "frequency": 1, "monetary": "5.50",
        "segment": SegmentMap.default(3).segment(1, 2, 1),
    }  # fmt: skip
    assert {**record, "rows": None, "segments": None} == {
        "as_of": "2026-03-31", "n": 2, "cells": {"121": 1, "323": 1}, "segments": None, "rows": None,
        "cuts": {"recency": [1, 1], "frequency": [1, None], "monetary": ["10", "10"]},
        "insufficient": True, "unscored": ["w"], "ignored": 0,
    }  # fmt: skip
    assert set(record["segments"]) == set(SegmentMap.default(3).names)


def test_fewer_customers_than_scores_are_called_insufficient() -> None:
    four, five = ([sold(number, AS_OF, number + 1) for number in range(count)] for count in (4, 5))
    assert [rfm(each, as_of=AS_OF).insufficient for each in (four, five)] == [True, False]
    assert not rfm(four, as_of=AS_OF, scoring=R_CUTS).insufficient
    assert RfmPolicy(min_customers=6).score(five, as_of=AS_OF).insufficient
    assert not RfmPolicy(min_customers=0).score([], as_of=AS_OF).insufficient


# --- the policy ---


def test_a_policy_is_a_value() -> None:
    policy = RfmPolicy(name="ours", version="2", scoring=Quantiles(3))
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert hash(policy) == hash(RfmPolicy(name="ours", version="2", scoring=Quantiles(3)))
    assert (policy.ref.name, policy.ref.version, policy.ref.digest) == ("ours", "2", policy.digest)
    assert RfmPolicy().ref.name == "value.rfm"
    assert json.loads(json.dumps(RfmPolicy(scoring=R_CUTS).canonical()))["scoring"]["monetary"][0] == "256"


def test_the_digest_is_of_what_decides() -> None:
    whole = SegmentMap([Segment("all")])
    others = [
        RfmPolicy(frequency="lines"),
        RfmPolicy(monetary="mean"),
        RfmPolicy(scoring=Quantiles(4)),
        RfmPolicy(scoring=R_CUTS),
        RfmPolicy(segments=whole),
        RfmPolicy(min_customers=3),
    ]
    assert len({policy.digest for policy in (*others, RfmPolicy())}) == 7
    assert RfmPolicy(name="a").digest == RfmPolicy(version="b").digest == RfmPolicy().digest
    assert rfm([sold("u", AS_OF, 1)], as_of=AS_OF, segments=whole).segments == {"all": 1}


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"frequency": "visits"}, "frequency"),
        ({"monetary": "median"}, "monetary"),
        ({"scoring": 5}, "scoring"),
        ({"segments": SegmentMap.default(4)}, "segments"),
        ({"segments": "default"}, "segments"),
        ({"min_customers": -1}, "min_customers"),
        ({"min_customers": 1.5}, "min_customers"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(changed: Mapping[str, Any], key: str) -> None:
    with pytest.raises(InvalidPolicy) as raised:
        RfmPolicy(**changed)
    assert raised.value.key == key
    with pytest.raises(InvalidPolicy):
        rfm([], as_of=AS_OF, **changed) if key != "min_customers" else RfmPolicy(**changed)
