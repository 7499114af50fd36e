"""What sales are made of: channels, customers against expectations, products against plans."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.analysis.composition import (
    CHANNELS,
    Composition,
    Part,
    composition,
    customer_shares,
    product_mix,
)
from crmcore.analysis.values import Undefined
from crmcore.errors import CurrencyMismatch, InvalidFact, InvalidPolicy, NaiveDatetime
from crmcore.money import Money
from crmcore.sales import Periods


def bought(customer: Any, day: Any, amount: Any) -> dict[str, Any]:
    return {"customer": customer, "at": day, "amount": amount}


JANUARY, FEBRUARY, APRIL = date(2026, 1, 5), date(2026, 2, 5), date(2026, 4, 5)

# --- channels ---


@pytest.mark.rule("ANA-1")
def test_sales_by_channel() -> None:
    """S1's channels or any other code; what is unknown is a part of its own, the last."""
    lines = [
        {"channel": channel, "amount": amount}
        for channel, amount in (("agent", 20), (None, 50), ("dealer", 25), ("web", "5"), ("agent", 20), ("dealer", 0))
    ]
    found = composition(lines)
    assert [(part.key, part.amount) for part in found.parts] == [("agent", 40), ("dealer", 25), ("web", 5), (None, 50)]
    assert [part.share for part in found.parts] == [Fraction(1, 3), Fraction(5, 24), Fraction(1, 24), Fraction(5, 12)]
    assert (found.by, found.total, found.undefined) == ("channel", 120, None)
    assert json.loads(json.dumps(found.record()))["parts"][-1] == {"key": None, "amount": "50", "share": 5 / 12}
    assert {"dealer", "retailer", "agent", "industrial", "consumer"} == set(CHANNELS)
    assert all({"en", "zh"} == set(names) for names in CHANNELS.values())


def test_by_any_fact() -> None:
    lines = [{"rep": 7, "net": 1}, {"rep": "x", "net": 3}]
    assert [part.key for part in composition(lines, "rep", amount="net").parts] == ["x", 7]


@pytest.mark.parametrize("amounts", [(), (5, -5), (-3,)])
def test_of_nothing_there_are_no_shares(amounts: Sequence[int]) -> None:
    """Net sales of 0 or less are no whole; the amounts stand."""
    found = composition([{"channel": f"c{place}", "amount": amount} for place, amount in enumerate(amounts)])
    assert found.undefined is Undefined.NO_TOTAL
    assert all(part.share is None for part in found.parts)
    assert len(found.parts) == len(amounts)
    assert found.record()["undefined"] == "no_total"


def test_one_currency() -> None:
    with pytest.raises(CurrencyMismatch):
        composition([{"channel": "a", "amount": Money(1, "CNY")}, {"channel": "b", "amount": Money(1, "USD")}])


LINES = st.lists(
    st.fixed_dictionaries(
        {
            "channel": st.none() | st.sampled_from(["agent", "dealer", "web"]),
            "amount": st.integers(-500, 5_000).map(lambda units: Decimal(units).scaleb(-2)),
        }
    ),
    max_size=10,
)
Compose = Callable[..., Composition]


def parts_are_the_whole(compose: Compose, lines: Sequence[Any]) -> None:
    found = compose(lines)
    assert sum(part.amount for part in found.parts) == found.total == sum(line["amount"] for line in lines)
    assert found.total <= 0 or sum(part.share or 0 for part in found.parts) == 1


def order_does_not_matter(compose: Compose, lines: Sequence[Any]) -> None:
    assert compose(lines) == compose(lines[::-1])


LAWS = {law.__name__: law for law in (parts_are_the_whole, order_does_not_matter)}


@pytest.mark.rule("ANA-1")
@pytest.mark.parametrize("law", LAWS)
@given(lines=LINES)
def test_laws(law: str, lines: Sequence[Any]) -> None:
    LAWS[law](composition, lines)


def _without_unknown(lines: Sequence[Any]) -> Composition:
    return composition([line for line in lines if line["channel"] is not None])


def _as_they_come(lines: Sequence[Any]) -> Composition:
    found = composition(lines)
    first = [line["channel"] for line in lines]
    return Composition(
        found.by, tuple(sorted(found.parts, key=lambda part: first.index(part.key))), found.total, found.undefined
    )


def _last_line_wins(lines: Sequence[Any]) -> Composition:
    found = composition(lines)
    last = {line["channel"]: line["amount"] for line in lines}
    parts = tuple(Part(part.key, last[part.key], part.share) for part in found.parts)
    return Composition(found.by, parts, found.total, found.undefined)


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        ("parts_are_the_whole", _without_unknown),
        ("parts_are_the_whole", _last_line_wins),
        ("order_does_not_matter", _as_they_come),
        ("order_does_not_matter", _last_line_wins),
    ],
)
def test_laws_bite(law: str, broken: Compose) -> None:
    lines = [
        {"channel": channel, "amount": Decimal(amount)}
        for channel, amount in (("web", 1), ("agent", 5), (None, 2), ("web", 3))
    ]
    with pytest.raises(AssertionError):
        LAWS[law](broken, lines)


# --- customers ---


@pytest.mark.rule("ANA-2")
def test_each_customers_share_against_the_expected() -> None:
    """Per month, with the months in which nothing was bought, and who was expected there."""
    lines = [
        bought("ann", JANUARY, 60),
        bought("bob", JANUARY, 20),
        bought("ann", JANUARY, 20),
        bought("bob", APRIL, 5),
    ]
    found = customer_shares(lines, expected={"ann": "0.75", "cid": "0.1"})
    assert [(str(row.period), row.customer, row.amount) for row in found.rows] == [
        ("2026-01", "ann", 80),
        ("2026-01", "bob", 20),
        ("2026-01", "cid", 0),
        ("2026-02", "ann", 0),
        ("2026-02", "cid", 0),
        ("2026-03", "ann", 0),
        ("2026-03", "cid", 0),
        ("2026-04", "bob", 5),
        ("2026-04", "ann", 0),
        ("2026-04", "cid", 0),
    ]
    first, second, third, fourth = found.rows[:4]
    assert (first.share, first.difference) == (Fraction(4, 5), Fraction(1, 20))
    assert (second.expected, second.difference) == (None, None)
    assert third.difference == Fraction(-1, 10)
    assert (fourth.share, fourth.difference) == (None, None)
    assert customer_shares([]).rows == ()


@pytest.mark.rule("ANA-2", "ANA-3")
def test_share_of_wallet_and_room() -> None:
    """Beside ours stands what the customer buys of anybody; room is counted in money, the unknown is said."""
    lines = [bought(who, JANUARY, 50) for who in ("ann", "bob", "cid", "dee", "eve")] + [bought("ann", FEBRUARY, 1)]
    wallet = {"ann": 100, "bob": 200, "cid": 100, "dee": 0, ("cid", "2026-01"): 60}
    year = customer_shares(lines, period=Periods("year"), wallet=wallet)
    assert {row.customer: row.wallet_share for row in year.rows} == {
        "ann": Fraction(51, 100), "bob": Fraction(1, 4), "cid": Fraction(1, 2), "dee": None, "eve": None,
    }  # fmt: skip
    assert [row.customer for row in year.room("0.6")] == ["bob", "cid", "ann"]
    assert [row.customer for row in year.unknown()] == ["dee", "eve"]
    months = customer_shares(lines, wallet=wallet)
    assert next(row for row in months.rows if row.customer == "cid").wallet == 60
    assert [row.customer for row in months.latest()] == ["ann"]
    assert months.room(Fraction(1, 100)) == ()
    record = json.loads(json.dumps(year.record()))["rows"][0]
    assert record == {
        "period": "2026", "customer": "ann", "amount": "51", "share": 51 / 251, "expected": None, "difference": None,
        "wallet": "100", "wallet_share": 0.51,
    }  # fmt: skip


@pytest.mark.rule("ANA-2")
def test_the_month_is_that_of_the_zone() -> None:
    late = datetime(2026, 1, 31, 20, tzinfo=UTC)
    (row,) = customer_shares([bought("ann", late, 1)], period=Periods("month", "Asia/Shanghai")).rows
    assert str(row.period) == "2026-02"


def test_what_is_refused_of_customers() -> None:
    with pytest.raises(NaiveDatetime):
        customer_shares([bought("ann", datetime(2026, 1, 1), 1)])
    with pytest.raises(InvalidFact, match="a date, or an aware datetime"):
        customer_shares([bought("ann", "2026-01-01", 1)])
    for share in ("1.1", "-0.1", 0.5):
        with pytest.raises(InvalidPolicy, match="a part from 0 to 1"):
            customer_shares([bought("ann", JANUARY, 1)], expected={"ann": share})
    with pytest.raises(InvalidFact, match="never a float"):
        customer_shares([bought("ann", JANUARY, 1)], wallet={"ann": 1.5})


@given(
    st.lists(
        st.builds(
            bought,
            st.sampled_from("abc"),
            st.integers(0, 200).map(lambda days: JANUARY + timedelta(days)),
            st.integers(1, 900).map(Decimal),
        ),
        max_size=9,
    )
)
def test_shares_of_a_period_sum_to_one(lines: list[dict[str, Any]]) -> None:
    """In each period that has sales; and a year is the sum of its months."""
    months, year = customer_shares(lines), customer_shares(lines, period=Periods("year"))
    for period in {row.period for row in months.rows}:
        assert sum(row.share or 0 for row in months.rows if row.period == period) == 1
    for row in year.rows:
        assert row.amount == sum(each.amount for each in months.rows if each.customer == row.customer)


# --- products ---


@pytest.mark.rule("ANA-3")
def test_products_by_sales_against_plan() -> None:
    """Shares add up in the order of sales; what was planned and not sold is there."""
    lines = [{"product": name, "amount": amount} for name, amount in (("tea", 20), ("ink", 50), ("tea", 10))]
    found = product_mix(lines, plan={"tea": 31, "ink": 50, "pen": 5, "cap": 0})
    assert [(row.product, row.amount, row.met) for row in found.rows] == [
        ("ink", 50, True), ("tea", 30, False), ("cap", 0, None), ("pen", 0, False),
    ]  # fmt: skip
    assert [row.cumulative_share for row in found.rows] == [Fraction(5, 8), 1, 1, 1]
    assert found.rows[1].plan_met == Fraction(30, 31)
    assert [row.product for row in found.missed()] == ["tea", "pen"]
    assert json.loads(json.dumps(found.record()))["rows"][0]["met"] is True
    assert product_mix([]).undefined is Undefined.NO_TOTAL
    (row,) = product_mix([{"product": "tea", "amount": -1}]).rows
    assert (row.share, row.cumulative_share, row.plan, row.met) == (None, None, None, None)
