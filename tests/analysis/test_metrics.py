"""Metrics of periods: who came, who was lost, what they bought."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from crmcore.analysis.metrics import Metrics, PeriodMetrics, metrics
from crmcore.analysis.values import Undefined
from crmcore.calendars import Span
from crmcore.errors import InvalidFact, InvalidPolicy, InvalidSpan, MissingFact, SpanNeeds
from crmcore.sales import Periods, Sale
from crmcore.testing import measuring

MONTHS = Periods("month")


def sold(customer: object, at: date | datetime, amount: Any = 10, order: object = None) -> Sale:
    return Sale(customer=customer, at=at, amount=amount, order=order)


def counts(row: PeriodMetrics) -> tuple[int, ...]:
    return row.start, row.new, row.returned, row.lost, row.end


@pytest.mark.rule("ANA-9")
@pytest.mark.rule("ANA-14")
def test_churn_of_the_worked_example() -> None:
    """1, 2, 3 buy, then 1, 3, 4: one of three is lost, one is new, growth is 0 (research §6.5, example 12)."""
    lines = [sold(who, date(2026, 1, 15)) for who in (1, 2, 3)] + [sold(who, date(2026, 2, 15)) for who in (1, 3, 4)]
    january, february = metrics(lines, lost_after="1mo").periods
    assert counts(january) == (0, 3, 0, 0, 3)
    assert counts(february) == (3, 1, 0, 1, 3)
    found = [getattr(february, name).value for name in ("churn", "retention", "growth", "frequency")]
    assert found == [Fraction(1, 3), Fraction(2, 3), 0, 1]
    assert february.reactivation.undefined is Undefined.NO_CUSTOMERS
    assert str(january.churn) == "undefined (no_customers)"


def test_lost_and_returned() -> None:
    """Silent for 40 days in a period: lost in it; who buys again later has returned."""
    lines = [sold("u", date(2026, 1, 10)), sold("u", date(2026, 4, 2)), sold("v", date(2026, 5, 1))]
    rows = metrics(lines, lost_after="40d").periods
    assert [counts(row) for row in rows] == [
        (0, 1, 0, 0, 1),
        (1, 0, 0, 1, 0),
        (0, 0, 0, 0, 0),
        (0, 0, 1, 0, 1),
        (1, 1, 0, 1, 1),
    ]
    assert rows[3].reactivation.value == 1
    assert [row.dormant for row in rows] == [0, 0, 1, 1, 0]
    assert [row.customers for row in rows] == [1, 1, 0, 1, 2]
    assert [row.orders_per_customer for row in rows] == [1, 0, None, 1, Fraction(1, 2)]


def test_who_comes_and_goes_within_a_period_is_no_churn() -> None:
    """New on the 2nd and lost on the 12th: lost, but not of those at the start."""
    row = metrics([sold("u", date(2026, 3, 2))], lost_after="10d").periods[0]
    assert (*counts(row), row.lost_of_start) == (0, 1, 0, 1, 0, 0)


def test_lost_and_back_within_a_period_is_neither() -> None:
    """The state is looked at on the periods' borders."""
    lines = [sold("u", date(2026, 1, 31)), sold("u", date(2026, 2, 25))]
    assert counts(metrics(lines, lost_after="10d").periods[1]) == (1, 0, 0, 0, 1)


@pytest.mark.rule("ANA-14")
@pytest.mark.parametrize(("days", "active"), [(27, 0), (28, 0), (29, 1)])
def test_at_the_deadline_it_is_due(days: int, active: int) -> None:
    """Bought on 1 February, the limit over on 1 March: lost in February; a day more, and active on 1 March."""
    rows = metrics([sold("u", date(2026, 2, 1))], lost_after=f"{days}d", last=date(2026, 3, 1)).periods
    assert (rows[0].end, rows[1].start, rows[0].lost) == (active, active, 1 - active)


def test_days_are_days_of_the_zone() -> None:
    """The last hour of March in UTC is April in Shanghai."""
    lines = [sold("u", datetime(2026, 3, 31, 23, tzinfo=UTC))]
    assert str(metrics(lines, periods=Periods("month", "Asia/Shanghai")).periods[0].period) == "2026-04"
    assert str(metrics(lines).periods[0].period) == "2026-03"


def test_a_clock_put_back_over_midnight() -> None:
    """In St. John's 2009-11-01 00:01 was 2009-10-31 23:01 once more: what was sold then is not lost sight of."""
    zone = ZoneInfo("America/St_Johns")
    second = datetime(2009, 10, 31, 23, 30, fold=1, tzinfo=zone)
    found = metrics([sold("u", second)], periods=Periods("month", zone))
    assert sum(row.new for row in found.periods) == 1
    measuring.identity_holds(found)


def test_limits_by_customer() -> None:
    """Each by its own limit, the others by the default."""
    lines = [sold(who, date(2026, 1, 1)) for who in ("a", "b", "c")]
    found = metrics(lines, lost_after={"a": "10d", "b": "60d", "default": "40d"}, last=date(2026, 3, 31))
    assert [row.lost for row in found.periods] == [1, 1, 1]
    assert found.lost_after == ("10d", "40d", "60d")
    assert found.record()["lost_after"] == ["10d", "40d", "60d"]
    with pytest.raises(InvalidPolicy, match="lost_after"):
        metrics(lines, lost_after={"a": "10d"})


def test_first_and_last() -> None:
    """What lies before says who was a customer; what lies after is not looked at."""
    lines = [
        sold("u", date(2026, 1, 5)),
        sold("v", date(2026, 1, 5)),
        sold("v", date(2026, 3, 5)),
        sold("w", date(2026, 4, 1)),
    ]
    found = metrics(lines, lost_after="50d", first=date(2026, 3, 9), last=datetime(2026, 3, 1, tzinfo=UTC))
    assert [(str(row.period), counts(row), row.dormant) for row in found.periods] == [("2026-03", (0, 0, 1, 0, 1), 2)]
    assert metrics(lines, first=date(2026, 5, 1)).periods == ()
    assert len(metrics([], first=date(2026, 1, 1), last=date(2026, 3, 1)).periods) == 3
    with pytest.raises(InvalidPolicy, match="last"):
        metrics(lines, first=date(2026, 5, 1), last=date(2026, 4, 1))


def test_nothing_sold() -> None:
    """No sales, no periods."""
    assert metrics([]).record() == {"period_kind": "month", "lost_after": "180d", "periods": [], "segments": {}}


def test_a_gift_is_a_purchase() -> None:
    """The customer was there, though nothing was paid."""
    row = metrics([sold("y", date(2026, 1, 20), 0)]).periods[0]
    assert (row.new, row.buyers, row.orders, row.sales, row.average_order.value) == (1, 1, 1, 0, 0)


def test_returns_reduce_sales_and_make_no_customer() -> None:
    """Only a purchase makes a customer active, or is an order."""
    lines = [
        sold("u", date(2026, 1, 1), "10.50", "o1"),
        sold("u", date(2026, 1, 1), "4.50", "o1"),
        sold("u", date(2026, 1, 9), 5),
        sold("u", date(2026, 1, 9), 5),
        sold("v", date(2026, 1, 9), 20, "o1"),
        sold("v", date(2026, 1, 20), "-8.25", "o2"),
        sold("x", date(2026, 1, 20), "-1"),
    ]
    row = metrics(lines).periods[0]
    assert (row.new, row.buyers, row.orders, row.repeat_buyers) == (2, 2, 4, 1)
    assert row.sales == Decimal("35.75")
    assert row.average_order.value == Fraction(3575, 400)
    assert row.average_order.amount
    assert (row.frequency.value, row.repeat_rate) == (2, Fraction(1, 2))
    record = row.record()
    assert json.loads(json.dumps(record)) == record
    assert (record["sales"], record["average_order"], record["frequency"]) == ("35.75", "8.94", 2.0)
    assert record["churn"] is None


def test_a_period_without_orders() -> None:
    """A return alone: sales below 0, no average order."""
    row = metrics([sold("u", date(2026, 1, 1), -5)]).periods[0]
    assert (row.sales, row.average_order.undefined, row.repeat_rate) == (-5, Undefined.NO_ORDERS, None)
    assert row.record()["average_order"] is None


def test_segments_by_attribute_of_the_lines() -> None:
    """Each segment by its own lines: who buys in two is a customer of both."""
    lines: list[object] = [
        {"customer": "u", "at": date(2026, 1, 1), "amount": 5, "channel": "shop", "order": "o1"},
        {"customer": "u", "at": date(2026, 1, 2), "amount": 5, "channel": "web"},
        SimpleNamespace(customer="v", at=date(2026, 2, 2), amount=5, channel=None),
    ]
    found = metrics(lines, segment="channel")
    assert list(found.segments) == ["shop", "web", None]
    assert [row.new for row in found.segments["shop"]] == [1, 0]
    assert [row.new for row in found.segments[None]] == [0, 1]
    assert [row.new for row in found.periods] == [1, 1]
    assert set(found.record()["segments"]) == {"shop", "web", "unknown"}
    with pytest.raises(MissingFact, match="region"):
        metrics(lines, segment="region")


def test_segments_of_customers_sum_to_the_whole() -> None:
    """A mapping customer → segment parts the customers: every count is the sum of theirs."""
    lines = [sold(who, date(2026, month, 1 + who)) for who in range(9) for month in range(1, 9, 1 + who)]
    found = metrics(lines, lost_after="45d", segment={who: "AB"[who % 2] for who in range(8)})
    assert list(found.segments) == ["A", "B", None]
    for place, row in enumerate(found.periods):
        parts = [rows[place] for rows in found.segments.values()]
        for name in (*measuring.COUNTS, "sales"):
            assert getattr(row, name) == sum(getattr(part, name) for part in parts)


def test_what_does_not_add_up_is_refused() -> None:
    """The identity and the chain are enforced where the values are made."""
    found = metrics([sold("u", date(2026, 1, 1)), sold("u", date(2026, 2, 1))])
    with pytest.raises(InvalidFact, match="start \\+ new"):
        attrs.evolve(found.periods[0], end=7)
    apart = attrs.evolve(found.periods[1], start=0, end=0)
    with pytest.raises(InvalidFact, match="the end before"):
        Metrics(period_kind="month", lost_after=("1d",), periods=(found.periods[0], apart))


@pytest.mark.parametrize(
    ("given", "error"), [("soon", InvalidSpan), ("3wd", SpanNeeds), ({"default": "x"}, InvalidSpan)]
)
def test_a_limit_that_is_none(given: Any, error: type[Exception]) -> None:
    """What is no limit is refused."""
    with pytest.raises(error):
        metrics([sold("u", date(2026, 1, 1))], lost_after=given)


@pytest.mark.parametrize("dated", [True, False])
def test_metrics_obey_the_laws(dated: bool) -> None:
    """The kit holds them against all its laws."""
    measuring.check_metrics(metrics, 150, dated=dated)


# --- the kit bites ---

LINES = [
    sold("u", date(2026, 1, 5), 20),
    sold("v", date(2026, 1, 6), 30),
    sold("u", date(2026, 2, 5), 40),
    sold("v", date(2026, 5, 5), 50),
    sold("v", date(2026, 5, 6), -5),
]
LIMIT = Span("45d")
NAMES = ("period", *measuring.COUNTS, *measuring.RATES, "sales")


def rows_of(sales: Any = LINES, rule: Periods = MONTHS, limit: Any = LIMIT) -> list[SimpleNamespace]:
    rows = metrics(sales, periods=rule, lost_after=limit).periods
    return [SimpleNamespace(**{name: getattr(row, name) for name in NAMES}) for row in rows]


def broken(change: Any) -> measuring.Measure:
    """Metrics with a fault: `change` is told the rows, the sales and the limit."""

    def measure(sales: Any, /, *, periods: Periods, lost_after: Any) -> Any:
        rows = rows_of(sales, periods, lost_after)
        change(rows, sales, lost_after)
        return SimpleNamespace(periods=rows)

    return measure


@pytest.mark.parametrize(
    ("law", "place", "changes", "says"),
    [
        (measuring.identity_holds, 1, {"end": 7}, "the end is not"),
        (measuring.identity_holds, 1, {"dormant": -1}, "below 0"),
        (measuring.identity_holds, 1, {"lost_of_start": 2}, "more lost of the start"),
        (measuring.periods_are_chained, 1, {"start": 7}, "is not the end before"),
        (measuring.periods_are_chained, 1, {"period": Periods().of(date(2026, 3, 1))}, "periods are missing"),
        (measuring.rates_follow_from_counts, 1, {"returned": 1}, "growth does not follow"),
        (measuring.rates_follow_from_counts, 2, {"lost_of_start": 0}, "churn does not follow"),
        (measuring.rates_follow_from_counts, 4, {"dormant": 1}, "reactivation does not follow"),
        (measuring.rates_follow_from_counts, 0, {"orders": 1}, "frequency does not follow"),
        (measuring.rates_follow_from_counts, 0, {"churn": SimpleNamespace(value=None, undefined=None)}, "say why"),
    ],
)
def test_what_does_not_hold_is_caught(law: Any, place: int, changes: Any, says: str) -> None:
    """For each law of what was measured, one figure that breaks it."""
    rows = rows_of()
    law(SimpleNamespace(periods=rows))
    vars(rows[place]).update(changes)
    with pytest.raises(AssertionError, match=says):
        law(SimpleNamespace(periods=rows))


def newly(rows: Any, *_: Any) -> None:
    rows[4].new, rows[4].returned = 1, 1


def by_order(rows: Any, sales: Any, _limit: Any) -> None:
    rows[0].orders += sales[0].customer == "v"


def by_size(rows: Any, sales: Any, _limit: Any) -> None:
    rows[0].repeat_buyers += sum(sale.amount for sale in sales) > 1_000


def upside_down(rows: Any, sales: Any, limit: Any) -> None:
    rows[:] = rows_of(sales, MONTHS, f"{100 - limit.count}d")


@pytest.mark.parametrize(
    ("law", "change", "more", "says"),
    [
        (measuring.every_buyer_is_new_once, newly, (), "not those who ever bought"),
        (measuring.metrics_agree, newly, (), "other than crmcore says"),
        (measuring.order_of_sales_changes_nothing, by_order, (LINES[::-1],), "another order of the sales"),
        (measuring.scaling_changes_no_count, by_size, (Decimal(100),), "other counts"),
    ],
)
def test_who_measures_otherwise_is_caught(law: Any, change: Any, more: Any, says: str) -> None:
    """For each law of how it is measured, metrics that break it."""
    law(metrics, LINES, *more, MONTHS, LIMIT)
    with pytest.raises(AssertionError, match=says):
        law(broken(change), LINES, *more, MONTHS, LIMIT)


def test_a_longer_limit_that_loses_more_is_caught() -> None:
    """Metrics for which a longer limit is a shorter one."""
    measuring.longer_limit_loses_no_more(metrics, LINES, MONTHS, LIMIT, Span("90d"))
    with pytest.raises(AssertionError, match="more are lost"):
        measuring.longer_limit_loses_no_more(broken(upside_down), LINES, MONTHS, LIMIT, Span("90d"))


def test_the_kit_finds_what_is_rare() -> None:
    """A fault in periods with returned customers only."""

    def change(rows: Any, *_: Any) -> None:
        for row in rows:
            row.orders += row.returned > 0
            row.frequency = SimpleNamespace(
                value=Fraction(row.orders, row.buyers) if row.buyers else None, undefined=row.frequency.undefined
            )

    with pytest.raises(AssertionError, match="other than crmcore says"):
        measuring.check_metrics(broken(change))


def test_a_segment_is_a_name_or_a_mapping() -> None:
    """A function is neither; what to give instead is said."""
    with pytest.raises(InvalidPolicy, match=r"^segment: .* is not the name of a fact, or a mapping"):
        metrics([], segment=lambda sale: sale.customer)  # type: ignore[arg-type]  # wrong on purpose


def test_a_segment_called_unknown_is_not_that_of_the_unknown() -> None:
    """Neither is lost in the record."""
    lines = [sold("a", date(2026, 1, 5), 1), sold("b", date(2026, 1, 5), 2)]
    found = metrics(lines, segment={"a": "unknown"}).record()["segments"]
    assert {name: rows[0]["sales"] for name, rows in found.items()} == {"unknown": "1", "unknown?": "2"}
