"""VAL-1: the tier of a customer, what it is made of, until when it stands; objects, loops and columns alike."""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.calendars import EARLIEST, OPEN_ENDED, Span
from crmcore.decisions import UNKNOWN, Decision, Outcome
from crmcore.errors import (
    CurrencyMismatch,
    InvalidCalendar,
    InvalidFact,
    InvalidPolicy,
    MissingFact,
    NaiveDatetime,
)
from crmcore.money import Money
from crmcore.sales import Sale
from crmcore.value.policy import ValuePolicy
from crmcore.value.values import TIERS, Activity, TierRow

NOW = datetime(2026, 3, 31, 4, tzinfo=UTC)
DAY = timedelta(days=1)
ROWS = (TierRow("high", orders=12, amount="50000"), TierRow("mid", orders=4, amount="10000"))
POLICY = ValuePolicy(rows=ROWS, referrals=3, zone="Asia/Shanghai")
CENT = Decimal("0.01")


def facts(orders: Any = 0, amount: Any = 0, referrals: Any = None, **more: Any) -> dict[str, Any]:
    return {"orders": orders, "amount": amount, "referrals": referrals, **more}


def tier(policy: ValuePolicy, **known: Any) -> str:
    return policy.decide(facts(**known), now=NOW).outcome.value


# --- strategies: small numbers, so that borders are met ---

COUNTS = st.integers(0, 6)
AMOUNTS = st.sampled_from(["1", "2.50", "10"]).map(Decimal)
WHENCE = st.sampled_from(["UTC", "Asia/Shanghai", "Europe/London", "America/St_Johns"])


@st.composite
def rows(draw: st.DrawFn) -> TierRow:
    """A row with a minimum or more."""
    said = draw(st.sets(st.sampled_from(["orders", "amount", "referrals"]), min_size=1))
    minima = {fact: draw(AMOUNTS if fact == "amount" else st.integers(1, 5)) for fact in sorted(said)}
    return TierRow(draw(st.sampled_from(["high", "mid"])), rule=draw(st.sampled_from(["VAL-1", "MINE-2"])), **minima)


@st.composite
def policies(draw: st.DrawFn, kind: type[ValuePolicy] = ValuePolicy) -> ValuePolicy:
    """Up to three rows, perhaps a lift, a window of any unit."""
    return kind(
        rows=draw(st.lists(rows(), max_size=3)),
        referrals=draw(st.none() | st.integers(1, 4)),
        window=draw(st.sampled_from(["12mo", "1mo", "30d", "2w", "36h", "90min"])),
        zone=draw(WHENCE),
    )


@st.composite
def known(draw: st.DrawFn, *, unknown: bool = False, none: bool = True) -> dict[str, Any]:
    """Facts at the borders of the minima: below, at, above."""
    absent = (st.none() if none else st.nothing()) | (st.just(UNKNOWN) if unknown else st.nothing())
    amounts = st.builds(lambda least, by: least + by * CENT, AMOUNTS | st.just(Decimal(0)), st.integers(-1, 1))
    return facts(draw(absent | COUNTS), draw(absent | amounts), draw(absent | COUNTS))


def broken(law: Callable[..., None], *subjects: Any) -> None:
    """The law catches each of these."""
    for subject in subjects:
        with pytest.raises(AssertionError):
            law(subject)


# --- the tier ---


def by_hand(policy: ValuePolicy, values: dict[str, Any]) -> int:
    """The tier as VAL-1 tells it, in other words than the policy's."""
    held = [0]
    for row in policy.rows:
        lacking = [
            (row.orders or 0) - (values["orders"] or 0) if row.orders else 0,
            row.amount - (values["amount"] or 0) if row.amount else 0,
            (row.referrals or 0) - (values["referrals"] or 0) if row.referrals else 0,
        ]
        if max(lacking) <= 0:
            held.append({"mid": 1, "high": 2}[row.tier])
    lift = policy.referrals is not None and (values["referrals"] or 0) >= policy.referrals
    return min(max(held) + lift, 2)


def law_of_the_table(kind: type[ValuePolicy]) -> None:
    @given(policies(kind), known())
    def law(policy: ValuePolicy, values: dict[str, Any]) -> None:
        assert policy.decide(values, now=NOW).outcome == ("low", "mid", "high")[by_hand(policy, values)]

    law()


class Beyond(ValuePolicy):
    """Takes a minimum for something to be passed."""

    def _tier(self, values: Any) -> Any:
        return super()._tier({fact: value - CENT for fact, value in values.items()})


class Unmoved(ValuePolicy):
    """Nobody is lifted."""

    def _tier(self, values: Any) -> Any:
        return attrs.evolve(self, referrals=None)._tier(values) if self.referrals else super()._tier(values)


@pytest.mark.rule("VAL-1")
def test_the_best_row_that_holds_decides_and_referrals_lift() -> None:
    law_of_the_table(ValuePolicy)


@pytest.mark.usefixtures("one_fault")
def test_the_law_of_the_table_bites() -> None:
    broken(law_of_the_table, Beyond, Unmoved)


@pytest.mark.rule("VAL-1")
@given(policies(), known(none=False), st.tuples(COUNTS, COUNTS, COUNTS))
def test_more_of_anything_is_never_a_lower_tier(policy: ValuePolicy, values: dict[str, Any], more: Any) -> None:
    above = {fact: value + by for (fact, value), by in zip(values.items(), more, strict=True)}
    lower, higher = (TIERS.index(policy.decide(each, now=NOW).outcome) for each in (values, above))
    assert lower <= higher


@given(policies(), known())
def test_the_reasons_tell_the_tier(policy: ValuePolicy, values: dict[str, Any]) -> None:
    """Whoever reads which conditions hold, in the order of the table, comes to the same answer."""
    decision = policy.decide(values, now=NOW)
    told = iter(decision.reasons)
    best = 0
    for row in policy.rows:
        conditions = [next(told) for _ in row.minima]
        assert {(reason.rule, reason.tier) for reason in conditions} == {(row.rule, row.tier)}  # type: ignore[attr-defined]
        if all(reason.holds for reason in conditions):
            best = max(best, TIERS.index(row.tier))
    lifts = [reason.holds for reason in told]
    assert len(lifts) == (policy.referrals is not None)
    assert decision.outcome == TIERS[min(best + sum(map(bool, lifts)), 2)]


@given(policies(), known())
def test_a_margin_is_what_is_over_the_minimum(policy: ValuePolicy, values: dict[str, Any]) -> None:
    for reason in policy.decide(values, now=NOW).reasons:
        assert reason.observed == (values[reason.fact] or 0)
        assert reason.observed - reason.margin == reason.limit  # type: ignore[operator]
        assert reason.holds is (reason.margin >= 0)  # type: ignore[operator]


# --- what is not known ---


def law_of_the_unknown(kind: type[ValuePolicy]) -> None:
    @given(policies(kind), known(unknown=True))
    def law(policy: ValuePolicy, values: dict[str, Any]) -> None:
        decision = policy.decide(values, now=NOW)
        tried = [
            dict(zip(values, guess, strict=True))
            for guess in product(*(range(12) if value is UNKNOWN else [value] for value in values.values()))
        ]
        tiers = set()
        alike: dict[Any, set[int]] = defaultdict(set)  # by a fact and the values of all others
        for guess in tried:
            tiers.add(found := by_hand(policy, guess))
            for fact in values:
                alike[fact, *(value for each, value in guess.items() if each != fact)].add(found)
        matter = {fact for (fact, *_), there in alike.items() if len(there) > 1}
        assert set(decision.missing) == matter
        assert (decision.outcome is Outcome.NEEDS_DATA) is (len(tiers) > 1)
        assert (decision.rule is None) is (len(tiers) > 1)
        open_questions = {reason.fact for reason in decision.reasons if reason.holds is None}
        assert open_questions == {fact for fact in policy.facts if values[fact] is UNKNOWN}

    law()


class Asking(ValuePolicy):
    """Wants to know everything."""

    def _missing(self, values: Any) -> tuple[str, ...]:
        return tuple(fact for fact, value in values.items() if value is UNKNOWN)


class Guessing(ValuePolicy):
    """Takes an unknown fact for nothing."""

    def _read(self, facts: object) -> dict[str, Any]:
        return {fact: 0 if value is UNKNOWN else value for fact, value in super()._read(facts).items()}


def test_an_unknown_fact_is_missing_where_some_value_of_it_makes_a_difference() -> None:
    law_of_the_unknown(ValuePolicy)


@pytest.mark.usefixtures("one_fault")
def test_the_law_of_the_unknown_bites() -> None:
    broken(law_of_the_unknown, Asking, Guessing)


def test_an_unknown_amount_matters_only_where_the_orders_leave_it_open() -> None:
    assert [tier(POLICY, orders=n, amount=UNKNOWN) for n in (3, 4)] == ["low", "needs_data"]
    decision = POLICY.decide(facts(orders=5, amount=UNKNOWN, referrals=UNKNOWN), now=NOW)
    assert (decision.missing, decision.next_change_at) == (("amount", "referrals"), None)
    assert decision.explain() == (
        "Needs data, as of 2026-03-31 12:00\n"
        "  not known, or too far in the future: amount, referrals\n"
        "  - VAL-1 orders in 12 months: 5, high value from 12\n"
        "  ? VAL-1 not known: amount\n"
        "  + VAL-1 orders in 12 months: 5, mid value from 4\n"
        "  ? VAL-1 not known: amount\n"
        "  ? VAL-1 not known: referrals\n"
        "  time alone changes nothing"
    )


# --- stories ---


@pytest.mark.rule("VAL-1")
def test_a_customer_who_buys_often_and_much_is_of_high_value() -> None:
    assert [tier(POLICY, orders=n, amount="50000.00") for n in (12, 11)] == ["high", "mid"]
    assert [tier(POLICY, orders=12, amount=amount) for amount in ("49999.99", "9999.99")] == ["mid", "low"]


@pytest.mark.rule("VAL-1")
def test_whoever_brings_customers_is_lifted_by_one_tier() -> None:
    """S0: 还可能会为我们带来新的客户资源."""
    said = [tier(POLICY, orders=n, amount=60_000, referrals=3) for n in (0, 4, 12)]
    assert said == ["mid", "high", "high"]
    assert tier(POLICY, orders=4, amount=60_000, referrals=2) == "mid"


@pytest.mark.rule("VAL-1")
def test_the_decision_in_chinese() -> None:
    changes = NOW + 9 * DAY
    decision = POLICY.decide(facts(orders=6, amount=Decimal("2.1E+4"), referrals=3, changes_at=changes), now=NOW)
    assert decision.explain("zh") == (
        "高价值（VAL-1），截至2026-03-31 12:00\n"
        "  - VAL-1 12个月内订单6笔，满12笔为高价值\n"
        "  - VAL-1 12个月内金额21000，满50000为高价值\n"
        "  + VAL-1 12个月内订单6笔，满4笔为中价值\n"
        "  + VAL-1 12个月内金额21000，满10000为中价值\n"
        "  + VAL-1 转介绍3位，满3位升一级\n"
        "  若无其他变化，结论至少维持到2026-04-09 12:00"
    )


def test_a_row_may_ask_for_referrals_and_have_a_rule_of_its_own() -> None:
    policy = ValuePolicy(rows=[TierRow("mid", referrals=2, rule="MINE-1"), *ROWS])
    decision = policy.decide(facts(referrals=2), now=NOW)
    assert (decision.outcome, decision.rule, policy.rows[0].tier) == ("mid", "MINE-1", "high")
    assert "+ MINE-1 referrals: 2, mid value from 2" in decision.explain()
    assert "转介绍2位，满2位为中价值" in decision.explain("zh")


def test_a_reason_as_a_record() -> None:
    policy = ValuePolicy(rows=[TierRow("high", amount=Decimal("5E+4"), orders=2)])
    orders, amount = policy.decide(facts(orders=1, amount=Decimal("6E+4")), now=NOW).record()["reasons"]
    assert orders == {
        "rule": "VAL-1",
        "code": "orders",
        "holds": False,
        "fact": "orders",
        "observed": 1,
        "limit": 2,
        "due": None,
        "margin_seconds": -1,
        "tier": "high",
    }
    assert (amount["observed"], amount["limit"], amount["margin_seconds"]) == ("60000", "50000", "10000")


def test_a_lift_as_a_record_leads_to_no_tier_of_its_own() -> None:
    (lift,) = ValuePolicy(referrals=2).decide({"referrals": 2}, now=NOW).record()["reasons"]
    assert (lift["code"], lift["tier"], lift["margin_seconds"]) == ("lifted", None, 0)


def test_amounts_with_a_currency() -> None:
    policy = ValuePolicy(rows=[TierRow("high", amount="50000.00 CNY"), TierRow("mid", amount=Money(10, "CNY"))])
    decision = policy.decide(facts(amount=Money("49999.99", "CNY")), now=NOW)
    assert (decision.outcome, tier(policy, amount=None)) == ("mid", "low")
    assert "amount in 12 months: 49999.99 CNY, high value from 50000.00 CNY" in decision.explain()
    assert decision.record()["reasons"][0]["margin_seconds"] == "-0.01 CNY"
    nothing = policy.decide(facts(amount=None), now=NOW)
    assert nothing.reasons[0].observed == Money(0, "CNY")
    for amount in (Decimal(5), Money(5, "EUR")):
        with pytest.raises(CurrencyMismatch):
            tier(policy, amount=amount)
    with pytest.raises(CurrencyMismatch):
        tier(POLICY, orders=9, amount=Money(5, "CNY"))
    with pytest.raises(CurrencyMismatch):
        ValuePolicy(rows=[TierRow("high", amount="5 CNY"), TierRow("mid", amount="5")])


def test_no_rows_is_low_for_everybody_and_reads_nothing() -> None:
    decision = ValuePolicy().decide(object(), now=NOW)
    assert (decision.outcome, decision.reasons, decision.next_change_at) == ("low", (), None)
    assert ValuePolicy().reads == ("changes_at",)


# --- facts ---


@given(policies(), known(unknown=True), st.none() | st.just(NOW + DAY))
def test_loops_mappings_objects_and_the_hosts_names_say_the_same(
    policy: ValuePolicy, values: dict[str, Any], changes: datetime | None
) -> None:
    given_facts = {**values, "changes_at": changes}
    expected = policy.decide(given_facts, now=NOW)
    theirs = policy.reading(orders="n", amount="net.total", referrals="brought", changes_at="net.until")
    net = SimpleNamespace(total=values["amount"], until=changes)
    record = SimpleNamespace(n=values["orders"], net=net, brought=values["referrals"])
    assert theirs.decide(record, now=NOW) == expected == policy.decide(SimpleNamespace(**given_facts), now=NOW)
    assert policy.at(NOW)(given_facts) == theirs.at(NOW)(record) == expected.outcome
    assert theirs.digest == policy.digest


def test_reads_names_what_the_rows_ask_for() -> None:
    assert POLICY.reads == ("orders", "amount", "referrals", "changes_at")
    assert ValuePolicy(rows=[TierRow("mid", amount=5)]).reads == ("amount", "changes_at")


def test_a_fact_that_is_lacking_is_named() -> None:
    with pytest.raises(MissingFact, match="referrals"):
        POLICY.decide({"orders": 1, "amount": 1}, now=NOW)
    with pytest.raises(InvalidPolicy, match="did you mean 'orders'"):
        POLICY.reading(order="n")
    with pytest.raises(InvalidPolicy, match="orders, amount, referrals, changes_at"):
        POLICY.reading(xyz="n")


@pytest.mark.parametrize(
    ("fact", "value"),
    [("orders", -1), ("orders", True), ("orders", 1.0), ("referrals", "3"), ("amount", 1.5), ("amount", "much")],
)
def test_a_fact_that_cannot_be_judged_is_refused(fact: str, value: Any) -> None:
    with pytest.raises(InvalidFact) as caught:
        tier(POLICY, **{fact: value})
    assert caught.value.fact == fact


def test_counts_out_of_date_are_refused() -> None:
    """Else they would stand for ever: nothing tells when to count again."""
    for policy in (POLICY, POLICY.reading(changes_at="until")):
        stale = {policy.host("changes_at"): NOW}
        for judge in (policy.at(NOW), lambda each, p=policy: p.decide(each, now=NOW)):
            with pytest.raises(InvalidFact, match="count again"):
                judge(facts(**stale))
    with pytest.raises(NaiveDatetime):
        tier(POLICY, changes_at=datetime(2026, 4, 1))
    with pytest.raises(NaiveDatetime):
        POLICY.decide(facts(), now=datetime(2026, 4, 1))


# --- parameters ---


@pytest.mark.parametrize(
    ("key", "made"),
    [
        ("tier", lambda: TierRow("low", orders=1)),
        ("orders", lambda: TierRow("high", orders=0)),
        ("orders", lambda: TierRow("high", orders=True)),
        ("referrals", lambda: TierRow("high", referrals=-1)),
        ("amount", lambda: TierRow("high", amount="0.00")),
        ("amount", lambda: TierRow("high", amount=Money(-1, "CNY"))),
        ("amount", lambda: TierRow("high", amount="1e5")),
        ("amount", lambda: TierRow("high", amount="5 cny")),
        ("amount", lambda: TierRow("high", amount=2.5)),  # type: ignore[arg-type]
        ("amount", lambda: TierRow("high", amount=f"{'9' * 101} CNY")),
        ("rule", lambda: TierRow("high", orders=1, rule="")),
        ("rule", lambda: TierRow("high", orders=1, rule=7)),  # type: ignore[arg-type]
        ("high", lambda: TierRow("high")),
        ("rows[1]", lambda: ValuePolicy(rows=[ROWS[0], {"orders": 1}])),  # type: ignore[list-item]
        ("referrals", lambda: ValuePolicy(referrals=0)),
        ("window", lambda: ValuePolicy(window="0d")),
        ("window", lambda: ValuePolicy(window="5wd")),
        ("window", lambda: ValuePolicy(window="1y")),
    ],
)
def test_parameters_that_make_no_policy(key: str, made: Callable[[], object]) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        made()
    assert caught.value.key == key


def test_a_zone_that_is_none() -> None:
    with pytest.raises(InvalidCalendar):
        ValuePolicy(zone="Mars")


def test_a_policy_is_a_frozen_value() -> None:
    same = ValuePolicy(
        rows=reversed(ROWS), referrals=3, zone="Asia/Shanghai", window=Span("12mo"), name="x", version="7"
    )
    assert (same.rows, same.digest, same.ref.name, same.ref.version) == (POLICY.rows, POLICY.digest, "x", "7")
    again = pickle.loads(pickle.dumps(POLICY))
    assert (again, hash(again), again.ref) == (POLICY, hash(POLICY), POLICY.ref)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        POLICY.referrals = 1  # type: ignore[misc]


def test_the_digest_is_pinned_and_knows_how_an_amount_is_meant_not_written() -> None:
    """Whoever stored decisions of this release finds the policy again."""
    written = ValuePolicy(
        rows=[TierRow("high", orders=12, amount="50000.00"), ROWS[1]], referrals=3, zone="Asia/Shanghai"
    )
    assert written.digest == POLICY.digest == "0e177bf2dc8b29098dae9d9adc40fd286293473812a0cb73a41b1e12621c1c40"
    for other in ({"referrals": 2}, {"window": "6mo"}, {"rows": ROWS[:1]}, {"zone": "UTC"}):
        assert attrs.evolve(POLICY, **other).digest != POLICY.digest  # type: ignore[arg-type]
    assert attrs.evolve(POLICY, rows=[TierRow("high", orders=12, amount="50000 CNY")]).digest != POLICY.digest


def test_what_is_hardly_meant_is_found() -> None:
    rows_ = [TierRow("high", orders=4), TierRow("high", orders=4, amount=5), TierRow("mid", orders=5)]
    found = [(each.code, each.key) for each in ValuePolicy(rows=rows_).check()]
    assert found == [("dead_row", "high"), ("dead_row", "mid"), ("zone_not_said", "zone")]
    assert [each.code for each in ValuePolicy(window="720h").check()] == ["nothing_judged"]
    assert POLICY.check() == ()
    text = str(ValuePolicy(rows=rows_[::2], zone="UTC").check()[0])
    assert text == (
        "mid: wherever orders = 5 holds, high (orders = 4) does and comes first, so it never decides (VAL-1); lower a"
        " minimum of mid, or raise one of high"
    )


@given(policies(), known())
def test_a_dead_row_changes_no_answer(policy: ValuePolicy, values: dict[str, Any]) -> None:
    live = [row for n, row in enumerate(policy.rows) if not any(row.implies(before) for before in policy.rows[:n])]
    kept = attrs.evolve(policy, rows=live)
    assert len(policy.rows) - len(live) == sum(each.code == "dead_row" for each in policy.check())
    assert kept.decide(facts(**values), now=NOW).outcome == policy.decide(values, now=NOW).outcome


# --- the window ---

SALES = st.lists(
    st.builds(
        lambda who, back, amount, order: Sale(
            customer=who, at=back if isinstance(back, date) else NOW - back, amount=amount, order=order
        ),
        st.sampled_from("abc"),
        st.timedeltas(-2 * DAY, 400 * DAY) | st.dates(date(2025, 3, 25), date(2026, 4, 2)),
        st.integers(-300, 900).map(lambda cents: cents * CENT),
        st.none() | st.sampled_from(["o1", "o2"]),
    ),
    max_size=12,
)


def first_instant(policy: ValuePolicy, at: date | datetime) -> datetime:
    if isinstance(at, datetime):
        return at
    return datetime(at.year, at.month, at.day, tzinfo=policy.place.tz).astimezone(UTC)


def counted(policy: ValuePolicy, sales: Iterable[Sale], now: datetime) -> dict[Any, Activity]:
    """The window told line by line, by when each has left."""
    found: dict[Any, Activity] = {}
    sold = list(sales)
    for who in dict.fromkeys(sale.customer for sale in sold):
        there = [(policy.bound.add(first_instant(policy, sale.at)), sale, n) for n, sale in enumerate(sold)]
        mine = [each for each in there if each[1].customer == who]
        inside = [each for each in mine if each[0] > now and first_instant(policy, each[1].at) <= now]
        orders = {sale.order or n for _, sale, n in inside if sale.amount >= 0}
        amount = sum((sale.amount for _, sale, _ in inside), Decimal(0))
        leaves = min((leaving for leaving, _, _ in inside), default=None)
        found[who] = Activity(orders=len(orders), amount=amount, changes_at=leaves)
    return found


def law_of_the_window(kind: type[ValuePolicy]) -> None:
    @given(policies(kind), SALES)
    def law(policy: ValuePolicy, sales: list[Sale]) -> None:
        assert policy.activity(sales, now=NOW) == counted(policy, sales, NOW)

    law()


class Closed(ValuePolicy):
    """The window has its first instant, too."""

    def activity(self, sales: Any, *, now: datetime, referrals: Any = None) -> Any:
        return super().activity(sales, now=now - timedelta(microseconds=1), referrals=referrals)


@pytest.mark.rule("VAL-1")
def test_what_was_sold_in_the_window_counts_and_nothing_else() -> None:
    law_of_the_window(ValuePolicy)


def law_of_the_next_change(kind: type[ValuePolicy]) -> None:
    @given(policies(kind), SALES, st.data())
    def law(policy: ValuePolicy, sales: list[Sale], data: st.DataObject) -> None:
        sold = [sale for sale in sales if first_instant(policy, sale.at) <= NOW]
        for who, done in policy.activity(sold, now=NOW, referrals={"a": 3}).items():
            decision = policy.decide(done, now=NOW)
            end = decision.next_change_at
            assert end is None or end > NOW
            last = NOW + 4000 * DAY if end is None else end - timedelta(microseconds=1)
            later = data.draw(st.datetimes(NOW.replace(tzinfo=None), last.replace(tzinfo=None)), "later")
            for moment in (later.replace(tzinfo=UTC), last):
                again = policy.activity(sold, now=moment, referrals={"a": 3})[who]
                assert policy.decide(again, now=moment).outcome == decision.outcome
                same = attrs.evolve(again, changes_at=None) == attrs.evolve(done, changes_at=None)
                assert same or not policy.facts

    law()


class Late(ValuePolicy):
    """Says that things leave a moment after they do."""

    def activity(self, sales: Any, *, now: datetime, referrals: Any = None) -> Any:
        found = super().activity(sales, now=now, referrals=referrals)
        by = timedelta(microseconds=1)
        return {
            who: attrs.evolve(done, changes_at=done.changes_at and done.changes_at + by) for who, done in found.items()
        }


class Endless(ValuePolicy):
    """Says that the answer stands for ever."""

    def decide(self, facts: object, *, now: datetime) -> Decision:
        return attrs.evolve(super().decide(facts, now=now), next_change_at=None)


@pytest.mark.rule("VAL-1")
def test_until_the_next_change_the_tier_stands() -> None:
    """Decided again on what is in the window then, as long as nothing new arrives."""
    law_of_the_next_change(ValuePolicy)


@pytest.mark.usefixtures("one_fault")
def test_the_laws_of_the_window_bite() -> None:
    broken(law_of_the_window, Closed, Late)
    broken(law_of_the_next_change, Late, Endless)


def test_a_window_of_months_ends_at_the_same_hour_of_the_zone() -> None:
    """Sold on 31 March 2025 at noon in Shanghai, it counts until 31 March 2026 at noon, exclusive."""
    sold = [Sale(customer=7, at=datetime(2025, 3, 31, 4, tzinfo=UTC), amount="5")]
    before = POLICY.activity(sold, now=NOW - timedelta(microseconds=1), referrals={7: 2})
    assert before == {7: Activity(orders=1, amount=Decimal(5), referrals=2, changes_at=NOW)}
    assert POLICY.activity(sold, now=NOW) == {7: Activity(orders=0, amount=Decimal(0))}


def test_a_date_is_its_first_instant_in_the_zone_even_where_the_window_counts_hours() -> None:
    policy = ValuePolicy(window="24h", zone="Asia/Shanghai")
    (done,) = policy.activity([Sale(customer=1, at=date(2026, 3, 31), amount=5)], now=NOW).values()
    assert done.changes_at == datetime(2026, 3, 31, 16, tzinfo=UTC)


def test_lines_of_one_order_are_one_order_and_returns_are_none() -> None:
    lines = [("o1", "5"), ("o1", "7"), (None, "1"), (None, "0"), ("o2", "-2")]
    sold = [{"customer": "u", "at": NOW, "amount": amount, "order": order} for order, amount in lines]
    assert POLICY.activity(sold, now=NOW)["u"] == Activity(
        orders=3, amount=Decimal(11), changes_at=POLICY.bound.add(NOW)
    )


def test_money_stays_money() -> None:
    sold = [{"customer": who, "at": at, "amount": Money(5, "CNY")} for who, at in (("a", NOW), ("b", NOW + DAY))]
    found = POLICY.activity(sold, now=NOW)
    assert [done.amount for done in found.values()] == [Money(5, "CNY"), Money(0, "CNY")]
    with pytest.raises(CurrencyMismatch):
        POLICY.activity([*sold, {"customer": "a", "at": EARLIEST, "amount": Money(5, "EUR")}], now=NOW)


def test_a_window_without_an_end_is_left_by_nothing() -> None:
    policy = ValuePolicy(rows=ROWS, window="99000mo", zone="UTC")
    (done,) = policy.activity([Sale(customer=1, at=NOW, amount=5)], now=NOW).values()
    assert (policy.bound.add(NOW), done.changes_at) == (OPEN_ENDED, None)


def test_sales_that_cannot_be_counted_are_refused() -> None:
    for wrong in ({"at": "2026-01-01"}, {"amount": 1.5}, {"at": datetime(2026, 1, 1)}):
        with pytest.raises((InvalidFact, NaiveDatetime)) as caught:
            POLICY.activity([{"customer": "u7", "at": NOW, "amount": 1, **wrong}], now=NOW)
        assert "u7" in str(caught.value)


def test_another_book_bounds_the_answer() -> None:
    """Its instant, or what leaves before; a policy past it is not bounded by it any more."""
    bound = attrs.evolve(POLICY, until=NOW + DAY)
    changes = [
        bound.decide(facts(changes_at=at), now=NOW).next_change_at for at in (None, NOW + DAY / 2, NOW + 2 * DAY)
    ]
    assert changes == [NOW + DAY, NOW + DAY / 2, NOW + DAY]
    assert bound.decide(facts(), now=NOW + DAY).next_change_at is None
    assert bound.digest == POLICY.digest
