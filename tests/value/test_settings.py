"""The [value.*] tables of a book: in, out, faults all at once, findings, digests."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import jsonschema
import pytest

from crmcore.book import PolicyBook, Timeline
from crmcore.errors import InvalidFile, InvalidPolicy
from crmcore.ownership import ReclaimPolicy
from crmcore.value.accounts import KeyAccountPolicy
from crmcore.value.classes import AbcPolicy
from crmcore.value.policy import ValuePolicy
from crmcore.value.scores import RfmPolicy
from crmcore.value.scoring import Cuts, Quantiles
from crmcore.value.segments import Segment, SegmentMap
from crmcore.value.settings import Value
from crmcore.value.stability import StabilityPolicy
from crmcore.value.values import TierRow

HEAD = 'schema = 1\nzone = "Asia/Shanghai"\n'
FULL = f"""{HEAD}
[value.abc]
cuts = [50, "66.6", 90.5]
straddle = "nearest"
nonpositive = "lowest"
labels = ["甲", "乙", "丙", "丁"]
[value.tier]
window = "6mo"
high = [{{ orders = 6, amount = "50000.00 CNY" }}, {{ referrals = 5, rule = "MINE-1" }}]
mid = {{ amount = "10000 CNY" }}
referrals = 2
[value.rfm]
frequency = "active_days"
monetary = "mean"
cuts = {{ recency = [30, 90], frequency = [2, "none"], monetary = ["100.50", 1000] }}
min_customers = 7
[value.key_accounts]
top = 12.5
by = "class_a"
department_from = 5
[value.stability]
demote_after = 3
margin = 0.05
newcomer_grace = 0
newcomer_floor = "乙"
"""
ACCEPTED = {
    "full": FULL,
    "nothing": HEAD,
    "a preset": f'{HEAD}[value.abc]\ncuts = "s4"',
    "bins": f"{HEAD}[value.rfm]\nbins = 3",
    "one way up": f"{HEAD}[value.tier]\nreferrals = 3",
    "as usual": f'{HEAD}[value.abc]\ncuts = "s1"\n[value.stability]\nmargin = "0.02"',
}
SCHEMA = PolicyBook.schema()


def faults(text: str) -> list[tuple[str, Any, str]]:
    with pytest.raises(InvalidFile) as caught:
        PolicyBook.loads(HEAD + text)
    return [(fault.place, fault.value, f"{fault.problem}; {fault.remedy}") for fault in caught.value.faults]


def fits(text: str) -> bool:
    return bool(jsonschema.Draft202012Validator(SCHEMA).is_valid(tomllib.loads(text)))


# --- in ---


def test_attributes_follow_the_tables() -> None:
    value = PolicyBook.loads(FULL).value
    label: dict[str, Any] = {"name": "book", "version": "unversioned"}
    abc = AbcPolicy(
        cuts=(50, "66.6", "90.5"), straddle="nearest", nonpositive="lowest", labels=["甲", "乙", "丙", "丁"], **label
    )
    rows = [
        TierRow("high", orders=6, amount="50000.00 CNY"),
        TierRow("high", referrals=5, rule="MINE-1"),
        TierRow("mid", amount="10000 CNY"),
    ]
    cuts = Cuts(recency=(30, 90), frequency=(2, None), monetary=("100.50", 1000))  # type: ignore[arg-type]
    rfm = RfmPolicy(frequency="active_days", monetary="mean", scoring=cuts, min_customers=7, **label)
    assert value.abc == abc
    assert value.tier == ValuePolicy(window="6mo", rows=rows, referrals=2, zone="Asia/Shanghai", **label)
    assert value.rfm == rfm
    assert value.key_accounts == KeyAccountPolicy(
        top=Decimal("12.5"), by="class_a", department_from=5, abc=abc, **label
    )
    stable = {"demote_after": 3, "margin": Decimal("0.05"), "newcomer_grace": 0, "newcomer_floor": "乙"}
    assert value.stability == StabilityPolicy(abc=abc, **stable, **label)  # type: ignore[arg-type]


@pytest.mark.rule("VAL-8")
def test_the_standard_book_takes_the_scale_of_s1_throughout() -> None:
    value = PolicyBook.standard().value
    assert [policy.cuts for policy in (value.abc, value.key_accounts.abc, value.stability.abc)] == ["s1"] * 3


@pytest.mark.rule("VAL-8")
def test_one_report_never_mixes_two_scales() -> None:
    s4 = AbcPolicy(cuts="s4")
    assert Value(abc=s4).stability.abc == Value(abc=s4).key_accounts.abc == s4
    for mixed in ({"key_accounts": KeyAccountPolicy()}, {"stability": StabilityPolicy()}):
        with pytest.raises(InvalidPolicy, match="the scale of abc, s4"):
            Value(abc=s4, **mixed)  # type: ignore[arg-type]


@pytest.mark.rule("VAL-1")
def test_the_tiers_of_the_standard_book_are_ours() -> None:
    tier = PolicyBook.standard(zone="Asia/Shanghai").value.tier
    assert tier.rows == (TierRow("high", orders=12, amount=50_000), TierRow("mid", orders=4, amount=10_000))
    assert (str(tier.window), tier.referrals, tier.zone) == ("12mo", 3, "Asia/Shanghai")
    assert (
        tier.decide({"orders": 4, "amount": 10_000, "referrals": 3}, now=datetime(2026, 1, 1, tzinfo=UTC)).outcome
        == "high"
    )


# --- out ---


@pytest.mark.parametrize("name", ACCEPTED)
def test_written_and_read_again_it_is_an_equal_book(name: str) -> None:
    book = PolicyBook.loads(ACCEPTED[name])
    again = PolicyBook.loads(book.to_toml())
    assert (again, again.digest, again.value.digest) == (book, book.digest, book.value.digest)
    assert fits(ACCEPTED[name])
    assert fits(book.to_toml())


def test_a_book_that_says_nothing_about_value_writes_nothing_of_it() -> None:
    assert "value" not in PolicyBook.loads(HEAD).data()
    assert "value" not in PolicyBook().data()
    assert list(PolicyBook.loads(ACCEPTED["one way up"]).data()["value"]) == [
        "abc",
        "tier",
        "rfm",
        "key_accounts",
        "stability",
    ]


def test_a_map_of_segments_that_no_book_can_write_is_refused() -> None:
    """Rather than left out: the book read again would be another."""
    rfm = RfmPolicy(segments=SegmentMap([Segment("all")]))
    with pytest.raises(InvalidPolicy, match="a map that a book can write"):
        PolicyBook(value=Value(rfm=rfm)).data()


def test_a_book_made_in_python_keeps_its_zone() -> None:
    book = PolicyBook(value=Value(tier=ValuePolicy(referrals=1, zone="Asia/Shanghai")))
    assert PolicyBook.loads(book.to_toml()).value.digest == book.value.digest
    assert PolicyBook.loads(book.to_toml()).zone == "Asia/Shanghai"


# --- digests ---


def test_what_a_book_does_not_say_is_in_no_digest() -> None:
    """A book of an earlier release keeps its digest, whatever its zone: this one has nothing but ownership in it."""
    for head in ("schema = 1\n", HEAD):
        book = PolicyBook.loads(f'{head}[ownership.reclaim]\nidle = "30d"')
        assert book.value.canonical() == {}
    assert PolicyBook.loads("schema = 1").digest == "134796f38676b72321fd9892be6d2e5d4f52c27b1cc49b30961b91b9b72b565a"
    assert PolicyBook.loads(ACCEPTED["as usual"]).digest == PolicyBook.loads(HEAD).digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("90.5", "91"),
        ("6mo", "7mo"),
        ("10000 CNY", "9999 CNY"),
        ("[30, 90]", "[30, 91]"),
        ("12.5", "13"),
        ("0.05", "0.06"),
    ],
)
def test_every_policy_is_in_the_digest(old: str, new: str) -> None:
    book, other = PolicyBook.loads(FULL), PolicyBook.loads(FULL.replace(old, new))
    assert (other.digest == book.digest, other.value.digest == book.value.digest) == (False, False)


def test_the_next_book_bounds_the_tier() -> None:
    later = FULL.replace("schema = 1", 'schema = 1\neffective = 2026-05-01\nname = "next"')
    book = Timeline([PolicyBook.loads(FULL), PolicyBook.loads(later)]).at(datetime(2026, 4, 1, tzinfo=UTC))
    facts = {"orders": 1, "amount": None, "referrals": 0}
    decision = book.value.tier.decide(facts, now=datetime(2026, 4, 1, tzinfo=UTC))
    assert decision.next_change_at == datetime(2026, 4, 30, 16, tzinfo=UTC)
    assert book.digest == PolicyBook.loads(FULL).digest


# --- faults ---

FAULTY: dict[str, tuple[str, Any, str]] = {
    '[value.abc]\ncuts = "s5"': ("value.abc.cuts", "s5", "is not one of s1, s4"),
    "[value.abc]\ncuts = []": ("value.abc.cuts", [], "is not"),
    '[value.abc]\nstraddle = "uper"': ("value.abc.straddle", "uper", "did you mean 'upper'?"),
    '[value.abc]\nstradle = "upper"': ("value.abc.stradle", "upper", "did you mean 'straddle'?"),
    "[value.tiers]\nreferrals = 1": ("value.tiers", {"referrals": 1}, "did you mean 'tier'?"),
    '[value.tier]\nwindow = "1y"': ("value.tier.window", "1y", "is not a span"),
    '[value.tier]\nwindow = "20wd"': ("value.tier.window", "20wd", "in min, h, d, w or mo"),
    "[value.tier]\nhigh = 12": ("value.tier.high", 12, "is a number, not a table"),
    "[value.tier]\nhigh = {}": ("value.tier.high", {}, "a row with a minimum"),
    "[value.tier]\nmid = [{ orders = 0 }]": ("value.tier.mid[0].orders", 0, "is not a whole number, 1 or more"),
    "[value.tier]\nmid = { orders = 1, amount = 10.5 }": ("value.tier.mid.amount", 10.5, "text such as '50000.00'"),
    '[value.tier]\nmid = { orders = 1, amount = "0.00" }': ("value.tier.mid.amount", "0.00", "more than 0"),
    "[value.tier]\nmid = { orders = 1, order = 2 }": ("value.tier.mid.order", 2, "is no key of [value.tier.mid]"),
    '[value.rfm]\nfrequency = "order"': ("value.rfm.frequency", "order", "did you mean 'orders'?"),
    "[value.rfm]\nbins = 1": ("value.rfm.bins", 1, "from 2 to 20"),
    '[value.rfm.cuts]\nrecency = "30d"\nfrequency = [1]\nmonetary = [1]': ("value.rfm.cuts.recency", "30d", "a list"),
    '[value.key_accounts]\nby = "shares"': ("value.key_accounts.by", "shares", "did you mean 'share'?"),
    "[value.key_accounts]\ndepartment_from = 0": ("value.key_accounts.department_from", 0, "1 or more"),
    "[value.stability]\nnewcomer_grace = -1": ("value.stability.newcomer_grace", -1, "0 or more"),
}
BEYOND_A_SCHEMA: dict[str, tuple[str, Any, str]] = {
    "[value.abc]\ncuts = [75, 70]": ("value.abc.cuts", [75, 70], "is not"),
    '[value.abc]\nlabels = ["A", "B"]': ("value.abc.labels", ["A", "B"], "is not 3 labels"),
    "[value.rfm]\nbins = 5\ncuts = { recency = [1], frequency = [1], monetary = [1] }": (
        "value.rfm.bins",
        5,
        "stands beside cuts; keep one of them",
    ),
    "[value.rfm.cuts]\nrecency = [1, 2]\nfrequency = [1]\nmonetary = [1]": (
        "value.rfm.cuts",
        [2, 1, 1],
        "as many cuts",
    ),
    "[value.rfm.cuts]\nrecency = [1]\nfrequency = [1]": ("value.rfm.cuts", (), "1 to 19 cuts"),
    '[value.stability]\nnewcomer_floor = "D"': ("value.stability.newcomer_floor", "D", "one of A, B, C"),
    '[value.tier]\nhigh = { amount = "9 CNY" }\nmid = { amount = "5 USD" }': (
        "value.tier",
        None,
        "write all amounts in one currency",
    ),
}


@pytest.mark.parametrize("text", [*FAULTY, *BEYOND_A_SCHEMA])
def test_a_faulty_table_is_refused_with_place_value_and_remedy(text: str) -> None:
    ((place, value, problem),) = faults(text)
    expected = {**FAULTY, **BEYOND_A_SCHEMA}[text]
    assert (place, value) == expected[:2]
    assert expected[2] in problem


@pytest.mark.parametrize("text", FAULTY)
def test_the_schema_rejects_a_faulty_table(text: str) -> None:
    assert not fits(HEAD + text)


def test_all_faults_are_told_at_once() -> None:
    text = """
    [value.abc]
    cuts = [75, 70]
    straddel = "x"
    nonpositive = "owm"
    labels = ["A"]
    [value.tier]
    window = "5wd"
    high = { orders = 0, amount = "x", referrals = 1 }
    mid = [{ orders = -1 }, { amount = 0 }]
    [value.rfm]
    monetary = "all"
    cuts = { recency = 1, frequency = 2, monetary = ["x"] }
    [value.key_accounts]
    top = "x"
    department_from = 0
    [value.stability]
    margin = -0.1
    newcomer_floor = "Q"
    """
    assert {place for place, *_ in faults(text)} == {
        "value.abc.cuts",
        "value.abc.straddel",
        "value.abc.nonpositive",
        "value.tier.window",
        "value.tier.high.orders",
        "value.tier.high.amount",
        "value.tier.mid[0].orders",
        "value.tier.mid[1].amount",
        "value.rfm.monetary",
        "value.rfm.cuts.recency",
        "value.rfm.cuts.frequency",
        "value.key_accounts.top",
        "value.key_accounts.department_from",
        "value.stability.margin",
        "value.stability.newcomer_floor",
    }


# --- findings ---


def test_findings_carry_the_key_path_of_the_book() -> None:
    text = 'schema = 1\n[ownership.reclaim]\nidle = "90d"\n[value.tier]\nhigh = { orders = 4 }\nmid = { orders = 5 }'
    found = [(each.code, each.key) for each in PolicyBook.loads(text).check()]
    assert found == [("zone_not_said", "zone"), ("dead_row", "value.tier.mid"), ("zone_not_said", "zone")]


def test_a_window_without_rows_judges_nothing() -> None:
    text = f'{HEAD}[ownership.reclaim]\nidle = "90d"\n[value.tier]\nwindow = "6mo"'
    assert [(each.code, each.key) for each in PolicyBook.loads(text).check()] == [("nothing_judged", "value.tier.high")]


def test_a_book_that_says_nothing_about_value_has_no_findings_of_it() -> None:
    book = PolicyBook.loads('schema = 1\n[ownership.reclaim]\nidle = "720h"')
    assert book.value.check() == ()
    assert attrs.evolve(book.ownership.reclaim, name="", version="unversioned") == ReclaimPolicy(idle="720h")


def test_the_usual_bins_are_five() -> None:
    assert PolicyBook.loads(HEAD).value.rfm.scoring == Quantiles(5)
