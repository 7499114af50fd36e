"""
The laws of metrics and of decompositions, for whoever counts customers in another way: in SQL, say, or from a store.

    from crmcore.testing.measuring import check_metrics

    def test_our_metrics() -> None:
        check_metrics(our_metrics)      # our_metrics(sales, periods=Periods, lost_after=Span)

What is measured has `periods`, one after the other, each with the attributes of `crmcore.analysis.PeriodMetrics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final, Protocol

import attrs
from hypothesis import given
from hypothesis import strategies as st

from crmcore.analysis.metrics import metrics
from crmcore.calendars import Span
from crmcore.sales import Periods, Sale, share
from crmcore.testing.checks import _run
from crmcore.testing.records import expect
from crmcore.testing.selling import sales
from crmcore.testing.times import spans, zones

__all__ = [
    "Measure",
    "check_metrics",
    "every_buyer_is_new_once",
    "identity_holds",
    "longer_limit_loses_no_more",
    "metrics_agree",
    "order_of_sales_changes_nothing",
    "parts_add_up",
    "periods_are_chained",
    "rates_follow_from_counts",
    "scaling_changes_no_count",
]

COUNTS: Final = (
    "start",
    "new",
    "returned",
    "lost",
    "lost_of_start",
    "end",
    "dormant",
    "buyers",
    "orders",
    "repeat_buyers",
)
RATES: Final = ("growth", "churn", "retention", "reactivation", "frequency")


class Measure(Protocol):
    """What is on trial: metrics of sales."""

    def __call__(self, sales: Sequence[Sale], /, *, periods: Periods, lost_after: Span) -> Any:
        """The metrics of every period from the first sale to the last."""


# --- laws of what was measured ---


def identity_holds(found: Any) -> None:
    """The end is start + new + returned - lost, and no count is below 0."""
    for row in found.periods:
        end = row.start + row.new + row.returned - row.lost
        expect(row.end == end, "the end is not start + new + returned - lost", found, row)
        expect(all(getattr(row, name) >= 0 for name in COUNTS), "a count is below 0", found, row)
        expect(row.lost_of_start <= min(row.lost, row.start), "more lost of the start than that", found, row)


def periods_are_chained(found: Any) -> None:
    """A period starts with those with whom the one before it ended, the day after it ended."""
    for before, after in pairwise(found.periods):
        expect(after.start == before.end, "the start is not the end before", found, after)
        expect(after.period.first == before.period.end, "periods are missing", found, after)


def rates_follow_from_counts(found: Any) -> None:
    """Growth is (new + returned - lost) / start, and so on; without customers a ratio is undefined, and says so."""
    for row in found.periods:
        wanted = {
            "growth": share(row.new + row.returned - row.lost, row.start),
            "churn": share(row.lost_of_start, row.start),
            "retention": share(row.end - row.new - row.returned + row.lost - row.lost_of_start, row.start),
            "reactivation": share(row.returned, row.dormant),
            "frequency": share(row.orders, row.buyers),
        }
        for name, value in wanted.items():
            ratio = getattr(row, name)
            expect(ratio.value == value, f"{name} does not follow from the counts", found, row, expected=value)
            expect((ratio.undefined is None) == (value is not None), f"{name} does not say why", found, row)


# --- laws of how it is measured ---


def metrics_agree(measure: Measure, given: Sequence[Sale], rule: Periods, limit: Span) -> None:
    """Every count and sum is that of `crmcore.analysis.metrics`."""
    wanted = metrics(given, periods=rule, lost_after=limit)
    found = measure(given, periods=rule, lost_after=limit)
    expect(_figures(found) == _figures(wanted), "other than crmcore says", wanted, given, found=found, limit=limit)


def every_buyer_is_new_once(measure: Measure, given: Sequence[Sale], rule: Periods, limit: Span) -> None:
    """The new of all periods are those who ever bought."""
    found = measure(given, periods=rule, lost_after=limit)
    buyers = len({sale.customer for sale in given if sale.bought})
    new = sum(row.new for row in found.periods)
    expect(new == buyers, "the new are not those who ever bought", found, given, new=new, buyers=buyers)


def order_of_sales_changes_nothing(
    measure: Measure, given: Sequence[Sale], other: Sequence[Sale], rule: Periods, limit: Span
) -> None:
    """`other` has the same sales in another order."""
    found, again = (_figures(measure(some, periods=rule, lost_after=limit)) for some in (given, other))
    expect(found == again, "another order of the sales, other metrics", found, given, again=again)


def scaling_changes_no_count(
    measure: Measure, given: Sequence[Sale], factor: Decimal, rule: Periods, limit: Span
) -> None:
    """Amounts times a factor above 0: every count is as before, sales are times the factor."""
    scaled = [attrs.evolve(sale, amount=sale.amount * factor) for sale in given]
    found, again = (_figures(measure(some, periods=rule, lost_after=limit)) for some in (given, scaled))
    wanted = [(*counts, sold * factor) for *counts, sold in found]
    expect(again == wanted, "amounts in another unit, other counts", found, given, again=again, factor=factor)


def longer_limit_loses_no_more(
    measure: Measure, given: Sequence[Sale], rule: Periods, limit: Span, longer: Span
) -> None:
    """At each instant between periods as many are active as with a shorter limit, or more."""
    short, long = (measure(given, periods=rule, lost_after=span).periods for span in (limit, longer))
    holds = all(
        a.start <= b.start and a.end <= b.end and a.dormant >= b.dormant for a, b in zip(short, long, strict=True)
    )
    expect(holds, "a longer limit, and more are lost", limit, given, longer=longer, short=short, long=long)


def _figures(found: Any) -> list[tuple[Any, ...]]:
    return [(row.period, *(getattr(row, name) for name in COUNTS), row.sales) for row in found.periods]


def parts_add_up(change: Any) -> None:
    """The parts of a `Change` or a `MixChange` add up to the difference, exactly."""
    if hasattr(change, "parts"):
        found = sum(change.parts.values(), Fraction(0))
    else:
        found = change.within + change.mix + change.new + change.gone
    expect(found == (change.difference or 0), "the parts do not add up", change, None, found=found)


# --- all of them ---


def check_metrics(measure: Measure, examples: int = 100, *, dated: bool = True, derandomize: bool = True) -> None:
    """
    Runs every law on `measure` with generated sales, by `dated` days or at instants; raises AssertionError.

    The same cases each time, unless `derandomize` is false.
    """

    @given(st.data())
    def every_law(data: st.DataObject) -> None:
        rule = Periods(data.draw(st.sampled_from(("month", "quarter", "year"))), data.draw(zones()))
        limit, more = data.draw(spans(units=("d",), at_most=120)), data.draw(st.integers(0, 120))
        given = data.draw(sales(dated=dated, min_size=1))
        found = measure(given, periods=rule, lost_after=limit)
        for law in (identity_holds, periods_are_chained, rates_follow_from_counts):
            law(found)
        every_buyer_is_new_once(measure, given, rule, limit)
        order_of_sales_changes_nothing(measure, given, data.draw(st.permutations(given)), rule, limit)
        scaling_changes_no_count(measure, given, data.draw(st.sampled_from((Decimal(3), Decimal(100)))), rule, limit)
        longer_limit_loses_no_more(measure, given, rule, limit, Span(f"{limit.count + more}d"))
        metrics_agree(measure, given, rule, limit)

    _run(every_law, examples, derandomize=derandomize)
