"""Classes settled against history: hysteresis, newcomers, overrides, and what is kept (VAL-2, VAL-7)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.errors import InvalidFact, InvalidPolicy
from crmcore.sales import Period, Periods
from crmcore.value.classes import AbcPolicy, Classes
from crmcore.value.stability import ClassHistory, Override, Settled, StabilityPolicy, Why

EVERY = tuple(Periods("quarter").between(date(2026, 1, 1), date(2029, 12, 31)))
QUARTERS = EVERY[1::2]
"""With a free quarter before each."""
KEYS = [f"u{number}" for number in range(1, 9)]
# Near the cuts, at them, and far from all: sums of these often come to 75 or 95 in a hundred.
WORTH = st.sampled_from([-5, 0, 1, 2, 5, 19, 20, 21, 25, 50, 75, 100, 1000])
SOLD = st.lists(st.dictionaries(st.sampled_from(KEYS), WORTH), min_size=1, max_size=6)
STRADDLES = st.sampled_from(["upper", "lower", "nearest"])
Policy = Callable[..., StabilityPolicy]
Sold = Sequence[dict[str, Any]]


def settle(
    policy: StabilityPolicy, sold: Sold, *overrides: Override, history: ClassHistory | None = None
) -> ClassHistory:
    """One quarter after the other, each as of its end."""
    history = history or ClassHistory()
    for period, values in zip(QUARTERS[len(history.settlements) :], sold, strict=False):
        classes = policy.abc.classify(values)
        history = policy.settle(history, classes, period=period, as_of=period.end, overrides=overrides)
    return history


def labels(history: ClassHistory, key: str) -> str:
    """A customer's classes in a row."""
    return " ".join(settled.class_ for _, settled in history.of(key))


def labelled(history: ClassHistory) -> list[dict[Any, str]]:
    return list(history.by_period().values())


# --- laws: each takes the policy, so that a broken one can be tried ---


def without_stability_settled_is_computed(policy: Policy) -> None:
    @given(SOLD, STRADDLES)
    def law(sold: Sold, straddle: Any) -> None:
        abc = AbcPolicy(straddle=straddle)
        plain = policy(abc=abc, margin=0, demote_after=1, newcomer_grace=0)
        computed = [{row.key: row.class_ for row in abc.classify(values).rows} for values in sold]
        assert labelled(settle(plain, sold)) == computed

    law()


def who_is_computed_alike_stays(policy: Policy) -> None:
    @given(SOLD, STRADDLES, st.integers(1, 3), st.sampled_from(["0", "0.02", "0.3"]), st.integers(0, 2))
    def law(sold: Sold, straddle: Any, demote_after: int, margin: str, grace: int) -> None:
        abc = AbcPolicy(straddle=straddle)
        history = settle(policy(abc=abc, demote_after=demote_after, margin=margin, newcomer_grace=grace), sold)
        for key in KEYS:
            found = [settled for _, settled in history.of(key)]
            if len({settled.computed for settled in found}) == 1:
                assert {settled.class_ for settled in found} == {found[0].computed}

    law()


def nothing_flaps_within_the_margin(policy: Policy) -> None:
    @given(st.lists(st.sampled_from([9, 10, 11]), min_size=2, max_size=8), STRADDLES)
    def law(wobbling: list[int], straddle: Any) -> None:
        # u2 and u3 lie between 74 and 76 in a hundred, in this order or in that; the cut is at 75.
        rest = {f"r{number}": 8 for number in range(30)}
        sold = [{"u1": 740, "u2": value, "u3": 20 - value, **rest} for value in wobbling]
        history = settle(policy(abc=AbcPolicy(straddle=straddle), demote_after=1), sold)
        assert all(len({settled.class_ for _, settled in history.of(key)}) == 1 for key in sold[0])

    law()


def an_override_holds_to_its_last_day(policy: Policy) -> None:
    @given(st.integers(-3, 3), st.sampled_from("ABCZN"))
    def law(days: int, label: str) -> None:
        period = QUARTERS[0]
        override = Override(key="u1", class_=label, until=period.end + timedelta(days))
        (found,) = settle(policy(), [{"u1": 70, "u2": 30}], override).settlements
        held = found.classes["u1"]
        if days >= 0:
            assert (held.class_, held.why, held.override, found.expired) == (label, Why.OVERRIDE, override, ())
        else:
            assert (held.class_, held.why, held.override, found.expired) == ("A", Why.COMPUTED, None, (override,))

    law()


def an_override_leaves_no_trace(policy: Policy) -> None:
    @given(SOLD, st.sampled_from(KEYS), st.sampled_from("ABCZN"), st.integers(0, 5), st.integers(0, 2))
    def law(sold: Sold, key: str, label: str, last: int, grace: int) -> None:
        stable, override = policy(newcomer_grace=grace), Override(key=key, class_=label, until=QUARTERS[last].end)
        with_it, without = settle(stable, sold, override), settle(stable, sold)
        assert labelled(with_it)[last + 1 :] == labelled(without)[last + 1 :]

    law()


def equal_customers_are_settled_alike(policy: Policy) -> None:
    @given(SOLD, WORTH)
    def law(sold: Sold, worth: int) -> None:
        twins = [{**values, "u1": worth, "u9": worth} for values in sold]
        history = settle(policy(), twins)
        assert labels(history, "u1") == labels(history, "u9")

    law()


def names_and_order_do_not_matter(policy: Policy) -> None:
    @given(SOLD, st.permutations(KEYS))
    def law(sold: Sold, others: list[str]) -> None:
        name = dict(zip(KEYS, others, strict=True))
        renamed = [{name[key]: value for key, value in reversed(values.items())} for values in sold]
        found = labelled(settle(policy(), renamed))
        assert found == [{name[key]: label for key, label in one.items()} for one in labelled(settle(policy(), sold))]

    law()


def settling_again_changes_nothing(policy: Policy) -> None:
    @given(SOLD, st.integers(1, 3))
    def law(sold: Sold, demote_after: int) -> None:
        stable = policy(demote_after=demote_after)
        history, period = settle(stable, sold), QUARTERS[len(sold) - 1]
        again = stable.settle(history, stable.abc.classify(sold[-1]), period=period, as_of=period.end)
        assert again == history

    law()


def what_is_kept_goes_on_alike(policy: Policy, read: Callable[[Any], ClassHistory] = ClassHistory.of_record) -> None:
    @given(SOLD, SOLD, st.dates(date(2026, 1, 1), date(2030, 1, 1)))
    def law(sold: Sold, later: Sold, until: date) -> None:
        override = Override(key="u1", class_="C", until=until, reason="dispute", by="ann")
        history = settle(policy(), sold, override)
        kept = read(json.loads(json.dumps(history.record())))
        assert kept.record() == history.record()
        assert (
            settle(policy(), later, override, history=kept).record()
            == settle(policy(), later, override, history=history).record()
        )

    law()


LAWS = [
    without_stability_settled_is_computed,
    who_is_computed_alike_stays,
    nothing_flaps_within_the_margin,
    an_override_holds_to_its_last_day,
    an_override_leaves_no_trace,
    equal_customers_are_settled_alike,
    names_and_order_do_not_matter,
    settling_again_changes_nothing,
    what_is_kept_goes_on_alike,
]


@pytest.mark.rule("VAL-7")
@pytest.mark.parametrize("law", LAWS)
def test_law(law: Callable[[Policy], None]) -> None:
    """What the name of the law says."""
    law(StabilityPolicy)


# --- each law bites ---


@attrs.frozen(kw_only=True, slots=False)
class OneTooMany(StabilityPolicy):
    """Waits for a period more than it says."""

    def _earned(self, computed: str, place: Fraction | None, before: Settled | None) -> Settled:
        return StabilityPolicy._earned(attrs.evolve(self, demote_after=self.demote_after + 1), computed, place, before)


@attrs.frozen(kw_only=True, slots=False)
class Generous(StabilityPolicy):
    """Always gives the best class of the band."""

    def _earned(self, computed: str, place: Fraction | None, before: Settled | None) -> Settled:
        best = before and attrs.evolve(before, earned="A", below=0)
        return super()._earned(computed, place, best)


@attrs.frozen(kw_only=True, slots=False)
class NoMargin(StabilityPolicy):
    """Knows no margin."""

    def _places(self, classes: Classes) -> dict[Decimal, Fraction]:
        return dict.fromkeys(super()._places(classes), Fraction(1, 4))


@attrs.frozen(kw_only=True, slots=False)
class ADayShort(StabilityPolicy):
    """Ends an override on its last day."""

    def _in_force(self, overrides: Any, as_of: date) -> Any:
        return super()._in_force(overrides, as_of + timedelta(1))


@attrs.frozen(kw_only=True, slots=False)
class Remembers(StabilityPolicy):
    """Takes an override for a class that was earned."""

    def _given(self, earned: Settled, *rest: Any) -> Settled:
        found = super()._given(earned, *rest)
        return attrs.evolve(found, earned=found.class_)


@attrs.frozen(kw_only=True, slots=False)
class ByName(StabilityPolicy):
    """Likes the first by name."""

    def settle(self, history: ClassHistory, classes: Classes, **rest: Any) -> ClassHistory:
        *others, last = super().settle(history, classes, **rest).settlements
        liked = {key: attrs.evolve(last.classes[key], class_="A") for key in sorted(last.classes)[:1]}
        return ClassHistory((*others, attrs.evolve(last, classes={**last.classes, **liked})))


@attrs.frozen(kw_only=True, slots=False)
class CountsTwice(StabilityPolicy):
    """Takes a period that is settled again for one more."""

    def settle(self, history: ClassHistory, classes: Classes, *, period: Period, **rest: Any) -> ClassHistory:
        *others, last = (*history.settlements, None)
        others, last = (others[:-1], others[-1]) if others else (others, last)
        if last is None or last.period != period:
            return super().settle(history, classes, period=period, **rest)
        before = attrs.evolve(last, period=EVERY[EVERY.index(period) - 1])
        found = super().settle(ClassHistory((*others, before)), classes, period=period, **rest)
        return ClassHistory((*others, found.settlements[-1]))


def forgetful(record: Any) -> ClassHistory:
    """Reads a record without the count of periods below."""
    for period in record["periods"]:
        for row in period["classes"]:
            row["below"] = 0
    return ClassHistory.of_record(record)


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        (without_stability_settled_is_computed, OneTooMany),
        (who_is_computed_alike_stays, Generous),
        (nothing_flaps_within_the_margin, NoMargin),
        (an_override_holds_to_its_last_day, ADayShort),
        (an_override_leaves_no_trace, Remembers),
        (equal_customers_are_settled_alike, ByName),
        (names_and_order_do_not_matter, ByName),
        (settling_again_changes_nothing, CountsTwice),
        (lambda policy: what_is_kept_goes_on_alike(policy, forgetful), StabilityPolicy),
    ],
)
@pytest.mark.usefixtures("one_fault")
def test_the_law_bites(law: Callable[[Policy], None], broken: Policy) -> None:
    """A policy that breaks the law is caught by it."""
    with pytest.raises(AssertionError):
        law(broken)


# --- stories ---


def test_a_customer_falls_when_it_is_below_for_the_second_time() -> None:
    """By default it is held once, and the answer counts and says how far past the cut it is."""
    history = settle(StabilityPolicy(), [{"u1": 70, "u2": 20, "u3": 10}] + [{"u1": 90, "u2": 1, "u3": 9}] * 2)
    assert labels(history, "u2") == "A A C"
    held, fallen = (settled for _, settled in history.of("u2")[1:])
    assert (held.why, held.computed, held.below, held.past) == (Why.HELD, "C", 1, Fraction(99, 100) - Fraction(3, 4))
    assert (fallen.why, fallen.below, fallen.past) == (Why.COMPUTED, 0, None)


def test_a_period_above_breaks_the_succession() -> None:
    """Below, above, below: never twice in succession."""
    up, down = {"u1": 70, "u2": 20, "u3": 10}, {"u1": 90, "u2": 1, "u3": 9}
    assert labels(settle(StabilityPolicy(), [up, down, up, down, down]), "u2") == "A A A A C"


def test_a_period_without_a_class_neither_counts_nor_breaks() -> None:
    """Below, away, below: the second time."""
    up, down, away = {"u1": 70, "u2": 20, "u3": 10}, {"u1": 90, "u2": 1, "u3": 9}, {"u1": 90, "u3": 9}
    history = settle(StabilityPolicy(), [up, down, away, down])
    assert labels(history, "u2") == "A A C"
    assert [str(period) for period, _ in history.of("u2")] == [str(QUARTERS[n]) for n in (0, 1, 3)]


def test_a_customer_rises_at_once() -> None:
    """Past the margin nobody waits upwards."""
    assert (
        labels(settle(StabilityPolicy(), [{"u1": 90, "u2": 1, "u3": 9}, {"u1": 70, "u2": 20, "u3": 10}]), "u2") == "C A"
    )


def test_within_the_margin_the_class_is_kept_both_ways() -> None:
    """The cut is at 75; u2 begins at 74 or at 76 of 100, less than 2 away, and is what it was."""
    above, below = {"u1": 74, "u2": 16, "u3": 10}, {"u1": 76, "u2": 14, "u3": 10}
    stable = StabilityPolicy(demote_after=1)
    assert labels(settle(stable, [above, below, above]), "u2") == "A A A"
    fell = settle(stable, [below, above, below])
    assert labels(fell, "u2") == "B B B"
    assert fell.of("u2")[1][1].past == Fraction(1, 100)
    edge = {"u1": 77, "u2": 13, "u3": 10}
    assert labels(settle(stable, [above, edge]), "u2") == "A B", "at the margin itself it is past it"


def test_a_customer_moves_no_further_than_it_must() -> None:
    """From A to 96 of 100, less than 2 past the cut at 95: it falls to B."""
    history = settle(StabilityPolicy(demote_after=1), [{"u1": 50, "u2": 50}, {"u1": 96, "u2": 4}])
    (_, settled) = history.of("u2")[1]
    assert (settled.class_, settled.computed, settled.why, settled.past) == ("B", "C", Why.HELD, Fraction(1, 100))


def test_the_margin_is_measured_where_the_straddle_looks() -> None:
    """The same customer begins at 73, ends at 91, its middle is at 82; the cut is at 75, the margin 5."""
    sold = [{"u1": 95, "u2": 3, "u3": 2}, {"u1": 73, "u2": 18, "u3": 9}]
    found = {}
    for straddle in ("upper", "nearest", "lower"):
        stable = StabilityPolicy(abc=AbcPolicy(straddle=straddle, cuts=(75, 99)), margin="0.05")
        found[straddle] = settle(stable, sold).of("u2")[1][1]
    assert (found["upper"].class_, found["upper"].past) == ("B", Fraction(2, 100))
    assert {found[name].past for name in ("nearest", "lower")} == {None}


def test_without_anything_to_cut_there_is_no_band() -> None:
    """A lone customer is in A, whatever it was."""
    lone = StabilityPolicy(abc=AbcPolicy(straddle="lower"), margin="0.5")
    assert labels(settle(lone, [{"u1": 90, "u2": 10}, {"u2": 10}]), "u2") == "C A"


def test_a_class_that_is_no_more_is_forgotten() -> None:
    """After a policy of four classes, one of three begins anew for those in the fourth."""
    four, three = (AbcPolicy(cuts=cuts) for cuts in ((50, 75, 95), (75, 95)))
    sold = {"u1": 50, "u2": 30, "u3": 17, "u4": 3}
    history = settle(StabilityPolicy(abc=four), [sold])
    assert labels(settle(StabilityPolicy(abc=three), [sold, sold], history=history), "u4") == "D C C"


def test_who_comes_later_is_a_newcomer() -> None:
    """For one period it is marked; who was there at the start is not."""
    history = settle(StabilityPolicy(), [{"u1": 9}, {"u1": 9, "u2": 1}, {"u1": 9, "u2": 1}])
    assert [(settled.why.value, settled.age) for _, settled in history.of("u2")] == [("newcomer", 1), ("computed", 2)]
    assert {settled.why for _, settled in history.of("u1")} == {Why.COMPUTED}


def test_a_newcomer_is_in_no_class_below_the_floor() -> None:
    """And in a better one where it has earned it; age counts every period since its first."""
    stable = StabilityPolicy(newcomer_grace=3, newcomer_floor="B")
    start, late = {"u1": 90, "u4": 9}, {"u1": 90, "u2": 1, "u3": 80, "u4": 9}
    history = settle(stable, [start, late, start, late, late])
    assert labels(history, "u2") == "B B C"
    assert labels(history, "u3") == "A A A"
    assert [settled.age for _, settled in history.of("u2")] == [1, 3, 4]
    assert [settled.why.value for _, settled in history.of("u2")] == ["newcomer", "newcomer", "computed"]


def test_an_override_for_nobody_is_reported() -> None:
    """It is in `unknown` while it is in force, and in `expired` after."""
    override = Override(key="u7", class_="A", until=QUARTERS[0].end, by="ann", reason="strategic")
    first, second = settle(StabilityPolicy(), [{"u1": 1}, {"u1": 1}], override).settlements
    assert (first.unknown, first.expired, second.unknown, second.expired) == ((override,), (), (), (override,))


def test_settling_again_later_ends_an_override() -> None:
    """The last period can be settled anew each day."""
    stable, period = StabilityPolicy(), QUARTERS[0]
    override, classes = Override(key="u1", class_="B", until=period.end), stable.abc.classify({"u1": 1})
    found = ClassHistory()
    for days, label in ((0, "B"), (1, "A"), (2, "A")):
        as_of = period.end + timedelta(days)
        found = stable.settle(found, classes, period=period, as_of=as_of, overrides=[override])
        assert [settled.class_ for _, settled in found.of("u1")] == [label]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("B", "C"), "override of 'u1' is 'C'; expected the only one in force"),
        (("X",), "class of 'u1' is 'X'; expected one of A, B, C, Z, N"),
    ],
)
def test_overrides_that_make_no_sense_are_refused(overrides: Sequence[str], message: str) -> None:
    """Two in force for one customer, and a class that is none."""
    with pytest.raises(InvalidFact) as error:
        settle(
            StabilityPolicy(),
            [{"u1": 1}],
            *(Override(key="u1", class_=label, until=EVERY[-1].end) for label in overrides),
        )
    assert str(error.value) == message


def test_where_the_lowest_class_has_all_there_is_no_class_for_zero() -> None:
    """An override to Z is refused where Z is no class."""
    stable = StabilityPolicy(abc=AbcPolicy(nonpositive="lowest"))
    with pytest.raises(InvalidFact, match=r"expected one of A, B, C$"):
        settle(stable, [{"u1": 0}], Override(key="u1", class_="Z", until=EVERY[-1].end))


def test_history_goes_forward() -> None:
    """An earlier period and one that overlaps the last are refused."""
    history, stable = settle(StabilityPolicy(), [{"u1": 1}, {"u1": 1}]), StabilityPolicy()
    year = Periods("year").of(QUARTERS[1].first)
    for period in (QUARTERS[0], year):
        with pytest.raises(InvalidFact, match=f"expected a period after {QUARTERS[1]}: history goes forward"):
            stable.settle(history, stable.abc.classify({}), period=period, as_of=period.end)


def test_classes_of_another_policy_are_refused() -> None:
    """The margin is measured at the cuts of `abc`; other classes have others."""
    with pytest.raises(InvalidPolicy, match="abc"):
        StabilityPolicy().settle(ClassHistory(), AbcPolicy(cuts="s4").classify({}), period=EVERY[0], as_of=EVERY[0].end)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("demote_after", 0),
        ("demote_after", True),
        ("newcomer_grace", -1),
        ("newcomer_grace", "1"),
        ("margin", 0.02),
        ("margin", 1),
        ("margin", "-0.01"),
        ("newcomer_floor", "Z"),
    ],
)
def test_parameters_that_make_no_policy_are_refused(name: str, value: object) -> None:
    """And the message names them."""
    with pytest.raises(InvalidPolicy) as error:
        StabilityPolicy(**{name: value})
    assert error.value.key == name


def test_days_are_dates() -> None:
    """An instant is none: in which zone would its day end?"""
    with pytest.raises(InvalidFact, match="expected a date"):
        Override(key="u1", class_="A", until=datetime(2026, 1, 1, tzinfo=UTC))


def test_a_record_says_everything() -> None:
    """JSON-able, with text for dates and a float for the share."""
    override = Override(key="u1", class_="B", until=QUARTERS[0].end, reason="strategic", by="ann")
    record = settle(StabilityPolicy(), [{"u1": 1}], override).record()
    assert record == {
        "schema": 1,
        "periods": [
            {
                "period": {"first": "2026-04-01", "end": "2026-07-01", "kind": "quarter"},
                "as_of": "2026-07-01",
                "classes": [
                    {
                        "key": "u1",
                        "class": "B",
                        "why": "override",
                        "computed": "A",
                        "earned": "A",
                        "below": 0,
                        "past": None,
                        "age": None,
                        "override": override.record(),
                    }
                ],
                "expired": [],
                "unknown": [],
            }
        ],
    }


@pytest.mark.parametrize(
    "record", [{}, {"schema": 2, "periods": []}, {"schema": 1, "periods": [{}]}, [], {"schema": 1, "periods": 7}]
)
def test_what_is_no_record_is_refused(record: Any) -> None:
    """Another schema, and anything that `record` did not make."""
    with pytest.raises(InvalidFact):
        ClassHistory.of_record(record)


@pytest.mark.parametrize(("name", "value"), [("as_of", "soon"), ("why", "chance"), ("past", "much")])
def test_a_record_that_was_changed_is_refused(name: str, value: str) -> None:
    """A day that is none, a reason that is none, and a share that is none."""
    record = settle(StabilityPolicy(), [{"u1": 1}]).record()
    (period,) = record["periods"]
    changed = period if name in period else period["classes"][0]
    changed[name] = value
    with pytest.raises(InvalidFact, match="what ClassHistory"):
        ClassHistory.of_record(record)


def test_a_record_that_goes_back_is_refused() -> None:
    """As a history that does is."""
    record = settle(StabilityPolicy(), [{"u1": 1}, {"u1": 1}]).record()
    record["periods"].reverse()
    with pytest.raises(InvalidFact, match="history goes forward"):
        ClassHistory.of_record(record)


def test_a_key_that_json_would_change_is_refused() -> None:
    """A pair would come back as a list."""
    with pytest.raises(InvalidFact, match="a str or an int"):
        settle(StabilityPolicy(), [{("u", 1): 1}]).record()


def test_the_digest_tells_policies_apart() -> None:
    """Name and version are beside it; each parameter is in it."""
    same = StabilityPolicy(name="ours", version="2", margin=Decimal("0.02"))
    others = [StabilityPolicy(demote_after=3), StabilityPolicy(margin="0.03"), StabilityPolicy(newcomer_floor="B")]
    assert (same.ref.name, same.ref.version, same.digest) == ("ours", "2", StabilityPolicy().digest)
    assert StabilityPolicy().ref.name == "value.stability"
    assert len({policy.digest for policy in [same, *others, StabilityPolicy(abc=AbcPolicy(cuts="s4"))]}) == 5


def test_a_band_is_one_of_values() -> None:
    """With ties by key two of equal value may be on both sides of a cut, and no band tells them apart."""
    with pytest.raises(InvalidPolicy, match=r"abc\.ties: 'stable' is not together"):
        StabilityPolicy(abc=AbcPolicy(ties="stable"))
