"""Topics `at` and `decide`: policies against the same rules written by hand."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from benchmarks.hand import decider_by_days, decider_by_working_time, outcome_at
from benchmarks.portfolio import NOW, Prospect, by_days, by_working_time, prospects, rare
from benchmarks.ratios import Row, compared
from crmcore.decisions import Decision
from crmcore.ownership import ReclaimPolicy

__all__ = ["at", "decide"]


def at(*, quick: bool) -> Iterator[Row]:
    """`policy.at(now)` in a loop; what of the portfolio is not plain goes to the model, so a share of it is shown."""
    usual = list(prospects(5_000 if quick else 20_000))
    policy = by_days()
    ours, theirs = policy.at(NOW), outcome_at(NOW)
    for what, found, target in (
        ("at(now), the usual mix", usual, 1.3),
        (
            "at(now), far from due only",
            [f for f in usual if theirs(f) == "keep" and f.owner and f.status == "open"],
            None,
        ),
        ("at(now), 0.1 % contacts unknown and 0.1 % in the future", rare(usual, 0.001), None),
        ("at(now), 1 % contacts unknown and 1 % in the future", rare(usual, 0.01), None),
    ):
        assert list(map(ours, found)) == list(map(theirs, found))
        yield Row("at", what, compared(_mapped(ours, found), _mapped(theirs, found), pairs=15 if quick else 41), target)


def _mapped(function: Callable[[Prospect], Any], found: list[Prospect]) -> Callable[[], object]:
    return lambda: deque(map(function, found), 0)


def decide(*, quick: bool) -> Iterator[Row]:
    """`policy.decide(facts, now=…)`, the whole decision, reasons not asked for."""
    found = list(prospects(2_000 if quick else 8_000))
    days, working = by_days(), by_working_time()
    assert working.calendar is not None
    by_hand = decider_by_working_time(working.calendar, working.ref)
    for what, policy, hand, target in (
        ("decide, days", days, decider_by_days(days.ref), 3.0),
        ("decide, working days and hours", working, by_hand, 5.0),
    ):
        pairs = 11 if quick else 31
        _same(policy, hand, found)
        yield Row("decide", what, compared(_decided(policy, found), _by_hand(hand, found), pairs=pairs), target)
        for outcome, some in _by_outcome(policy, found):
            row = compared(_decided(policy, some), _by_hand(hand, some), pairs=pairs)
            yield Row("decide", f"{what}: {outcome} only", row)


def _same(policy: ReclaimPolicy, hand: Callable[[Prospect, datetime], Decision], found: list[Prospect]) -> None:
    for prospect in found:
        own, other = policy.decide(prospect, now=NOW), hand(prospect, NOW)
        assert own == other, f"{prospect}\n{own}\n{other}"


def _by_outcome(policy: ReclaimPolicy, found: list[Prospect]) -> Iterator[tuple[str, list[Prospect]]]:
    named: dict[str, list[Prospect]] = {}
    for prospect in found:
        untouched = prospect.status != "open" or prospect.owner is None
        outcome = "closed or unowned" if untouched else policy.decide(prospect, now=NOW).outcome.value
        named.setdefault(outcome, []).append(prospect)
    yield from sorted(named.items())


def _decided(policy: ReclaimPolicy, found: list[Prospect]) -> Callable[[], object]:
    decide = policy.decide

    def work() -> None:
        for prospect in found:
            decide(prospect, now=NOW)

    return work


def _by_hand(hand: Callable[[Prospect, datetime], Decision], found: list[Prospect]) -> Callable[[], object]:
    def work() -> None:
        for prospect in found:
            hand(prospect, NOW)

    return work


def mix(count: int = 20_000) -> Counter[str]:
    """How the portfolio comes out, by policy: for the report."""
    found = list(prospects(count))
    return Counter(
        f"{p} {o}"
        for p, policy in (("days", by_days()), ("working", by_working_time()))
        for o in map(policy.at(NOW), found)
    )
