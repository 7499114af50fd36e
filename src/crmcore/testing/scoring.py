"""
Laws of scores: what holds of every way to score customers by recency, frequency and money.

    from crmcore.testing.scoring import check_rfm_policy

    def test_our_policy() -> None:
        check_rfm_policy(our_policy)

A policy of yours may be a subclass of `RfmPolicy` or a wrapper with the same face: `score`, `scoring`, `segments`,
`monetary`. A law is a plain function that raises AssertionError, with what it found, where it does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Any, Final

import attrs
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from crmcore.sales import Sale
from crmcore.testing.checks import _run
from crmcore.testing.records import expect
from crmcore.value.scores import Scored
from crmcore.value.scoring import Quantiles

__all__ = [
    "better_is_never_scored_lower",
    "check_rfm_policy",
    "columns_equal_objects",
    "counts_add_up",
    "equal_values_equal_scores",
    "order_of_sales_changes_nothing",
    "sales_up_to",
    "scaling_changes_no_score",
    "scores_are_in_range",
    "segment_map_is_total",
]

Sales = Sequence[Sale]
DIMENSIONS: Final = (("recency_days", "r", -1), ("frequency", "f", 1), ("monetary", "m", 1))
"""The value, its score, and whether more of it is better."""
AMOUNTS: Final = tuple(map(Decimal, ("-20.00", "-0.01", "0", "0.01", "5", "5.00", "19.99", "20", "400.5", "100000")))


# --- the laws ---


def equal_values_equal_scores(policy: Any, sales: Sales, as_of: date | datetime) -> None:
    """Customers of equal recency, frequency or money have the same score for it."""
    rows = policy.score(sales, as_of=as_of).rows
    for value, score, _ in DIMENSIONS:
        for worth, group in groupby(sorted(rows, key=attrgetter(value)), attrgetter(value)):
            found = {getattr(row, score) for row in group}
            expect(len(found) == 1, f"equal {value}, several {score}", policy, sales, **{value: worth, score: found})


def better_is_never_scored_lower(policy: Any, sales: Sales, as_of: date | datetime) -> None:
    """Who bought more recently, more often or for more has no lower score for it."""
    rows = policy.score(sales, as_of=as_of).rows
    for value, score, sign in DIMENSIONS:
        for worse, better in pairwise(sorted(rows, key=lambda row: sign * getattr(row, value))):
            falls = getattr(better, score) < getattr(worse, score)
            expect(not falls, f"a better {value} has a lower {score}", policy, sales, worse=worse, better=better)


def order_of_sales_changes_nothing(
    policy: Any, sales: Sales, as_of: date | datetime, shuffled: Sales | None = None
) -> None:
    """The same sales in another order (`shuffled`; by default backwards) give the same answer."""
    said = policy.score(sales, as_of=as_of).record()
    other = policy.score(sales[::-1] if shuffled is None else shuffled, as_of=as_of).record()
    expect(said == other, "another order, another answer", policy, sales, said=said, other=other)


def scaling_changes_no_score(policy: Any, sales: Sales, as_of: date | datetime, factor: Decimal = Decimal(7)) -> None:
    """All amounts in another currency: the same scores. Of quantiles of totals; fixed cuts and rounded means differ."""
    if not isinstance(policy.scoring, Quantiles) or policy.monetary != "total":
        return
    scaled = [attrs.evolve(sale, amount=sale.amount * factor) for sale in sales]
    said, other = (_cells(policy.score(each, as_of=as_of).rows) for each in (sales, scaled))
    expect(said == other, f"amounts times {factor}, other scores", policy, sales, said=said, other=other)


def scores_are_in_range(policy: Any, sales: Sales, as_of: date | datetime) -> None:
    """Every score is from 1 to k, and the segment is the one of the map."""
    k = policy.scoring.k
    for row in policy.score(sales, as_of=as_of).rows:
        inside = all(1 <= score <= k for score in (row.r, row.f, row.m))
        expect(inside, f"a score is not from 1 to {k}", policy, sales, row=row)
        named = policy.segments.segment(row.r, row.f, row.m)
        expect(row.segment == named, "the segment is not the map's", policy, sales, row=row, expected=named)


def counts_add_up(policy: Any, sales: Sales, as_of: date | datetime) -> None:
    """Who bought has one row, in cells and segments each is counted once, and every segment is named."""
    said = policy.score(sales, as_of=as_of)
    counts = {"rows": len(said.rows), "cells": sum(said.cells.values()), "segments": sum(said.segments.values())}
    expect(set(counts.values()) == {said.n}, "the counts differ", policy, sales, n=said.n, **counts)
    expect(len({row.key for row in said.rows}) == said.n, "a customer has several rows", policy, sales, rows=said.rows)
    named = set(said.segments) == set(policy.segments.names)
    expect(named, "not the segments of the map", policy, sales, segments=said.segments)


def segment_map_is_total(segments: Any) -> None:
    """Every cell has a segment of the map, and every segment has a cell."""
    scores = range(1, segments.bins + 1)
    found = {segments.segment(r, f, m) for r in scores for f in scores for m in scores}
    unknown, empty = found - set(segments.names), set(segments.names) - found - {segments.otherwise}
    expect(not unknown and not empty, "not a total map", segments, None, unknown=unknown, empty=empty)


def columns_equal_objects(
    policy: Any, frame: Any, names: Mapping[str, str], sales: Sales, as_of: date | datetime, *, places: int = 2
) -> None:
    """
    `policy.frame` says of the lines in `frame` what `policy.score` says of the same lines as `sales`.

    `names`: the caller's columns for key, at, value and, if there is one, order. Needs the extra ``frames``.
    """
    from crmcore.decisions.frames import narwhals

    table = narwhals().from_native(policy.frame(frame, **names, as_of=as_of, places=places)).lazy().collect()
    rows = table.rows(named=True)
    found = {row[names["key"]]: tuple(row[name] for name in COLUMNS) for row in rows}
    expect(len(found) == len(rows), "a customer has several rows", policy, sales, rows=rows)
    said = {row.key: _shown(row) for row in policy.score(sales, as_of=as_of).rows}
    for key in found.keys() | said.keys():
        one, other = found.get(key), said.get(key)
        expect(one == other, "the columns differ from score", policy, sales, key=key, columns=one, score=other)


COLUMNS: Final = ("r", "f", "m", "recency_days", "frequency", "segment", "monetary")


def _shown(row: Scored) -> tuple[Any, ...]:
    return *(getattr(row, name) for name in COLUMNS[:-1]), float(row.monetary)


def _cells(rows: Sequence[Scored]) -> dict[Any, tuple[int, int, int]]:
    return {row.key: (row.r, row.f, row.m) for row in rows}


# --- all of them ---


def sales_up_to(
    *, as_of: date | datetime, keys: int = 9, lines: int = 30, days: int = 60
) -> SearchStrategy[list[Sale]]:
    """Lines of few customers, with ties, returns, shared orders, and some after `as_of`; dates where `as_of` is one."""
    if isinstance(as_of, datetime):
        minutes = st.integers(-days * 1440, 2 * 1440) | st.sampled_from((0, 1, -1440, -1439))
        moments: Any = minutes.map(lambda by: as_of.astimezone(UTC) + timedelta(minutes=by))
    else:
        moments = st.integers(-days, 2).map(lambda by: as_of + timedelta(days=by))
    line = st.builds(
        Sale,
        customer=st.integers(1, keys).map("c{}".format),
        at=moments,
        amount=st.sampled_from(AMOUNTS) | st.decimals(-50, 500, places=2),
        order=st.none() | st.integers(1, 6).map("o{}".format),
    )
    return st.lists(line, max_size=lines)


def check_rfm_policy(policy: Any, examples: int = 200, *, derandomize: bool = True) -> None:
    """
    Runs every law of objects on the policy: raises AssertionError with the smallest sales that break one.

    The same cases each time, unless `derandomize` is false. Columns: `columns_equal_objects` on frames of yours.
    """
    segment_map_is_total(policy.segments)
    moments: tuple[date | datetime, ...] = (date(2026, 3, 31), datetime(2026, 3, 31, 12, tzinfo=UTC))
    cases = {as_of: sales_up_to(as_of=as_of) for as_of in moments}

    @given(st.data())
    def every_law(data: st.DataObject) -> None:
        as_of = data.draw(st.sampled_from(moments), "as_of")
        sales = data.draw(cases[as_of], "sales")
        for law in LAWS:
            law(policy, sales, as_of)
        order_of_sales_changes_nothing(policy, sales, as_of, data.draw(st.permutations(sales), "shuffled"))

    _run(every_law, examples, derandomize=derandomize)


LAWS: Final = (
    counts_add_up,
    scores_are_in_range,
    equal_values_equal_scores,
    better_is_never_scored_lower,
    order_of_sales_changes_nothing,
    scaling_changes_no_score,
)
