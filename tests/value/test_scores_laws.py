"""The laws of scores hold of ours, and each is proven to bite: a policy that breaks it is caught."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Any

import attrs
import pytest
from hypothesis import Phase, given, settings

from crmcore.decisions.frozen import FrozenMap
from crmcore.sales import Sale
from crmcore.testing import scoring
from crmcore.testing.scoring import check_rfm_policy, columns_equal_objects, sales_up_to, segment_map_is_total
from crmcore.value.scores import RfmPolicy, RfmScores, Scored
from crmcore.value.scoring import Cuts, Quantiles
from crmcore.value.segments import SegmentMap

AS_OF = date(2026, 3, 31)
THREE = SegmentMap.default(3)
FIXED = Cuts(recency=(2, 9), frequency=(2, 3), monetary=("0.01", "100"))


@pytest.mark.parametrize(
    "policy",
    [
        RfmPolicy(),
        RfmPolicy(scoring=Quantiles(10), frequency="lines", monetary="mean"),
        RfmPolicy(scoring=Quantiles(3), frequency="active_days"),
        RfmPolicy(scoring=FIXED),
    ],
    ids=["default", "mean", "days", "fixed"],
)
def test_our_policies_keep_every_law(policy: RfmPolicy) -> None:
    check_rfm_policy(policy, 60)


# --- policies that break them ---


class Broken:
    """A policy with our face that changes what ours says."""

    def __init__(self, change: Callable[[RfmScores], RfmScores], policy: RfmPolicy | None = None) -> None:
        self.policy = policy or RfmPolicy(scoring=Quantiles(3))
        self.change = change

    def __getattr__(self, name: str) -> Any:
        return getattr(self.policy, name)

    def score(self, sales: Any, *, as_of: Any) -> RfmScores:
        return self.change(self.policy.score(sales, as_of=as_of))

    def frame(self, df: Any, **given_: Any) -> Any:
        return self.policy.frame(df, **given_)


def counted(said: RfmScores, rows: list[Scored], map_: SegmentMap = THREE) -> RfmScores:
    """The answer with these rows, and the counts of them."""
    rows = [
        attrs.evolve(row, segment=map_.segment(*(min(s, map_.bins) for s in (row.r, row.f, row.m)))) for row in rows
    ]
    cells, segments = ([getattr(row, name) for row in rows] for name in ("cell", "segment"))
    return attrs.evolve(
        said,
        rows=tuple(rows),
        cells=FrozenMap({cell: cells.count(cell) for cell in cells}),
        segments=FrozenMap({name: segments.count(name) for name in map_.names}),
    )


def ntile(said: RfmScores) -> RfmScores:
    """As NTILE does: ranks by value and then by key, cut into three."""
    ranked = sorted(said.rows, key=lambda row: (row.frequency, str(row.key)))
    return counted(said, [attrs.evolve(row, f=at * 3 // len(ranked) + 1) for at, row in enumerate(ranked)])


def collapsed(said: RfmScores) -> RfmScores:
    """As qcut with dropped duplicates does, and numbers what is left from above k."""
    groups = groupby(sorted(said.rows, key=lambda row: row.monetary), key=lambda row: row.monetary)
    return counted(said, [attrs.evolve(row, m=at + 2) for at, (_, group) in enumerate(groups) for row in group])


def reversed_recency(said: RfmScores) -> RfmScores:
    """Forgets that fewer days are better."""
    return counted(said, [attrs.evolve(row, r=4 - row.r) for row in said.rows])


def fixed_money(said: RfmScores) -> RfmScores:
    """Scores money by amounts that stand fixed, and says that they are quantiles."""
    return counted(said, [attrs.evolve(row, m=1 + (row.monetary > 5) + (row.monetary > 50)) for row in said.rows])


def forgets_one(said: RfmScores) -> RfmScores:
    """Counts all but the last row."""
    return attrs.evolve(said, cells=counted(said, list(said.rows[:-1])).cells)


def repeats_one(said: RfmScores) -> RfmScores:
    """The first customer twice."""
    return counted(said, [*said.rows[:1], *said.rows])


def names_what_it_has(said: RfmScores) -> RfmScores:
    """Leaves out segments without customers."""
    return attrs.evolve(said, segments=FrozenMap({name: n for name, n in said.segments.items() if n}))


def calls_all_lost(said: RfmScores) -> RfmScores:
    """Segments that are not of the map."""
    return attrs.evolve(said, rows=tuple(attrs.evolve(row, segment="lost") for row in said.rows))


BROKEN: Mapping[str, tuple[Callable[[RfmScores], RfmScores], ...]] = {
    "equal_values_equal_scores": (ntile,),
    "better_is_never_scored_lower": (reversed_recency,),
    "scores_are_in_range": (collapsed, calls_all_lost),
    "scaling_changes_no_score": (fixed_money,),
    "counts_add_up": (forgets_one, repeats_one, names_what_it_has),
}


@pytest.mark.parametrize(("law", "change"), [(law, change) for law, all_ in BROKEN.items() for change in all_])
def test_a_law_catches_the_policy_that_breaks_it(law: str, change: Callable[[RfmScores], RfmScores]) -> None:
    @settings(max_examples=200, database=None, derandomize=True, phases=[Phase.generate])
    @given(sales_up_to(as_of=AS_OF))
    def judged(sales: list[Sale]) -> None:
        getattr(scoring, law)(Broken(change), sales, AS_OF)

    with pytest.raises(AssertionError):
        judged()
    with pytest.raises(AssertionError):
        check_rfm_policy(Broken(change))


class LastWins(Broken):
    """The last line decides the segment, whatever it is: the order of the lines matters."""

    def __init__(self) -> None:
        super().__init__(lambda said: said)

    def score(self, sales: Any, *, as_of: Any) -> RfmScores:
        said = super().score(sales, as_of=as_of)
        return attrs.evolve(said, ignored=len(str(sales[-1].customer)) + hash(sales[-1].amount)) if sales else said


def test_the_order_of_sales_must_not_matter() -> None:
    with pytest.raises(AssertionError, match="another order, another answer"):
        check_rfm_policy(LastWins())


class Holed:
    """A map that says nothing of 111, and has a segment that no cell reaches."""

    def __init__(self, silent: bool) -> None:
        self.bins, self.otherwise, self.silent = 2, None, silent
        self.names = ("all",) if silent else ("all", "idle")

    def segment(self, *cell: int) -> str | None:
        return None if self.silent and cell == (1, 1, 1) else "all"


@pytest.mark.parametrize("silent", [True, False])
def test_a_map_must_be_total(silent: bool) -> None:
    with pytest.raises(AssertionError, match="not a total map"):
        segment_map_is_total(Holed(silent))


@pytest.mark.parametrize("twice", [True, False])
def test_columns_that_say_something_else_are_caught(twice: bool) -> None:
    """Another score in a row, and a customer in two rows."""
    pl: Any = pytest.importorskip("polars")

    class Other(RfmPolicy):
        def frame(self, df: Any, **given_: Any) -> Any:
            found = super().frame(df, **given_)
            return pl.concat([found, found]) if twice else found.with_columns(m=pl.col("m") + 1)

    sales = [Sale(customer="u", at=AS_OF, amount=Decimal("1.50"))]
    frame = pl.DataFrame({"who": ["u"], "when": [AS_OF], "much": [1.5]})
    names = {"key": "who", "at": "when", "value": "much"}
    columns_equal_objects(RfmPolicy(), frame, names, sales, AS_OF)
    with pytest.raises(AssertionError, match="several rows" if twice else "differ"):
        columns_equal_objects(Other(), frame, names, sales, AS_OF)
