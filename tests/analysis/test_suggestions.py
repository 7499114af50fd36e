"""Suggestions: what buyers of the same bought, what is liked; counts are exact, and nothing comes without a reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.analysis.suggestions import Because, PurchaseHistory, Suggestion, suggest
from crmcore.errors import InvalidPolicy


def lines_of(baskets: dict[str, str]) -> list[dict[str, Any]]:
    """Customers with their products, a letter each."""
    return [{"customer": who, "product": product} for who, products in baskets.items() for product in products]


BOUGHT = lines_of({"ann": "ip", "bob": "ipt", "cid": "i", "dee": "t", "eve": "ipt", "fay": "p"})


@pytest.mark.rule("ANA-15")
def test_bought_together() -> None:
    """Support, confidence and lift are exact."""
    paper, tea = suggest(BOUGHT, "cid")
    (reason,) = paper.reasons
    assert (paper.product, reason.code, reason.bought) == ("p", Because.BOUGHT_TOGETHER, "i")
    assert (reason.both, reason.buyers, reason.others, reason.customers) == (3, 4, 4, 6)
    assert (reason.support, reason.confidence, reason.lift) == (Fraction(1, 2), Fraction(3, 4), Fraction(9, 8))
    assert (tea.product, tea.reasons[0].confidence, tea.reasons[0].lift) == ("t", Fraction(1, 2), 1)
    assert suggest(BOUGHT, "bob") == ()


@pytest.mark.rule("ANA-15")
def test_what_is_liked_comes_first_and_what_is_excluded_never() -> None:
    """Both reasons before one; exclusion wins."""
    categories = {"t": "drinks", "c": "drinks", "p": "office", "i": "office"}
    found = suggest(BOUGHT, "cid", categories=categories, liked=["drinks"])
    assert [(each.product, [reason.code for reason in each.reasons]) for each in found] == [
        ("t", [Because.BOUGHT_TOGETHER, Because.LIKED]),
        ("p", [Because.BOUGHT_TOGETHER]),
        ("c", [Because.LIKED]),
    ]
    found = suggest(BOUGHT, "cid", categories=categories, liked=["drinks"], excluded=["t", "office"])
    assert [each.product for each in found] == ["c"]
    assert [each.product for each in suggest(BOUGHT, "cid", excluded=["p"])] == ["t"]


@pytest.mark.rule("ANA-15")
def test_a_new_customer_is_offered_what_it_likes() -> None:
    """The most bought first, then by name."""
    categories = dict.fromkeys("tipx", "all") | {"w": None}
    found = suggest(BOUGHT, "nobody", categories=categories, liked=["all", None])
    assert [each.product for each in found] == ["i", "p", "t", "x"]
    assert [each.product for each in suggest(BOUGHT, "nobody", categories=categories, liked=["all"], limit=2)] == [
        "i",
        "p",
    ]
    assert suggest(BOUGHT, "nobody") == ()


@pytest.mark.parametrize(
    ("minima", "left"),
    [
        ({}, "pt"),
        ({"minimum_both": 3}, "p"),
        ({"minimum_both": 4}, ""),
        ({"minimum_confidence": "0.75"}, "p"),
        ({"minimum_confidence": Fraction(3, 4) + Fraction(1, 10**9)}, ""),
        ({"minimum_lift": Fraction(9, 8)}, "p"),
        ({"minimum_lift": 0, "minimum_both": 1}, "pt"),
    ],
)
def test_minima_are_inclusive(minima: dict[str, Any], left: str) -> None:
    assert "".join(each.product for each in suggest(BOUGHT, "cid", **minima)) == left


@pytest.mark.parametrize(
    "wrong",
    [
        {"minimum_both": 0},
        {"minimum_both": True},
        {"minimum_both": 1.5},
        {"limit": 0},
        {"minimum_confidence": 0.5},
        {"minimum_lift": -1},
    ],
)
def test_minima_that_are_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidPolicy, match=next(iter(wrong))):
        suggest(BOUGHT, "cid", **wrong)


def test_what_came_back_was_not_bought() -> None:
    """By the net amount; a line without one is a purchase."""
    lines = [
        {"customer": "ann", "product": "i", "amount": 5},
        {"customer": "ann", "product": "i", "amount": -5},
        {"customer": "ann", "product": "t", "amount": None},
    ]
    history = PurchaseHistory.of(lines)
    assert history.baskets == {"ann": frozenset("t")}
    assert suggest(history, "ann") == ()


@pytest.mark.rule("ANA-15")
def test_the_reason_in_words() -> None:
    found = suggest(BOUGHT, "cid", categories={"t": "drinks"}, liked=["drinks"])
    said = "2 of the 4 customers who bought i bought it too: 50.0%, 1.00 times as many as of all"
    assert found[0].text() == f"{said}; of the category drinks, which the customer likes"
    assert found[0].text("zh") == "买过i的4位客户中有2位也买过:50.0%,为全体客户的1.00倍;属于客户喜欢的类别drinks"
    with pytest.raises(InvalidPolicy, match="one of en, zh"):
        found[0].text("fr")


def test_the_record_is_json() -> None:
    found = suggest(BOUGHT, "cid", categories={"x": 3}, liked=[3])
    record = [json.loads(json.dumps(each.record())) for each in found]
    assert record[0]["reasons"][0] == {
        "code": "bought_together", "bought": "i", "category": None, "both": 3, "buyers": 4, "others": 4,
        "customers": 6, "support": 0.5, "confidence": 0.75, "lift": 1.125,
    }  # fmt: skip
    assert record[-1]["reasons"][0]["support"] is None
    assert record[-1]["reasons"][0]["category"] == 3


# --- laws, and variants that they catch ---

BASKETS = st.dictionaries(
    st.sampled_from(["ann", "bob", "cid", "dee", "eve"]), st.text("abcdef", max_size=6), max_size=5
)
CATEGORIES = {"a": "x", "b": "x", "c": "y", "d": "y"}
Suggest = Callable[..., tuple[Suggestion, ...]]


def nothing_bought_or_excluded_and_always_a_reason(offer: Suggest, lines: Sequence[Any]) -> None:
    for who in ("ann", "bob"):
        own = {line["product"] for line in lines if line["customer"] == who}
        for each in offer(lines, who, categories=CATEGORIES, liked=["x"], excluded=["y", "e"], minimum_both=1):
            assert each.product not in own | set("cde")
            assert each.reasons


def counts_are_those_of_the_baskets(offer: Suggest, lines: Sequence[Any]) -> None:
    baskets: dict[str, set[str]] = {}
    for line in lines:
        baskets.setdefault(line["customer"], set()).add(line["product"])
    for each in offer(lines, "ann", minimum_both=1, minimum_lift=0):
        reason = each.reasons[0]
        having = [basket for basket in baskets.values() if reason.bought in basket]
        both = [basket for basket in having if each.product in basket]
        assert reason.support == Fraction(len(both), len(baskets))
        assert reason.confidence == Fraction(len(both), len(having))
        everywhere = Fraction(sum(each.product in basket for basket in baskets.values()), len(baskets))
        assert reason.lift == Fraction(len(both), len(having)) / everywhere


def order_does_not_matter(offer: Suggest, lines: Sequence[Any]) -> None:
    assert offer(lines, "ann", minimum_both=1) == offer(lines[::-1], "ann", minimum_both=1)


def the_strongest_first(offer: Suggest, lines: Sequence[Any]) -> None:
    found = [each.reasons[0] for each in offer(lines, "ann", minimum_both=1, minimum_lift=0)]
    ranked = [(reason.confidence or 0, reason.both) for reason in found]
    assert ranked == sorted(ranked, reverse=True)


LAWS = {law.__name__: law for law in (
    nothing_bought_or_excluded_and_always_a_reason,
    counts_are_those_of_the_baskets,
    order_does_not_matter,
    the_strongest_first,
)}  # fmt: skip


@pytest.mark.rule("ANA-15")
@pytest.mark.parametrize("law", LAWS)
@given(BASKETS)
def test_laws(law: str, baskets: dict[str, str]) -> None:
    LAWS[law](suggest, lines_of(baskets))


def _liked_beats_excluded(lines: Sequence[Any], who: str, **asked: Any) -> tuple[Suggestion, ...]:
    return suggest(lines, who, **{**asked, "excluded": ()})


def _of_nobody(lines: Sequence[Any], who: str, **asked: Any) -> tuple[Suggestion, ...]:
    return suggest([line for line in lines if line["customer"] != who] + lines_of({who: "ab"[:1]}), who, **asked)


def _as_they_come(lines: Sequence[Any], who: str, **asked: Any) -> tuple[Suggestion, ...]:
    first = [line["product"] for line in lines]
    return tuple(sorted(suggest(lines, who, **asked), key=lambda each: first.index(each.product)))


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        ("nothing_bought_or_excluded_and_always_a_reason", _liked_beats_excluded),
        ("nothing_bought_or_excluded_and_always_a_reason", _of_nobody),
        ("counts_are_those_of_the_baskets", _of_nobody),
        ("order_does_not_matter", _as_they_come),
        ("the_strongest_first", _as_they_come),
    ],
)
def test_laws_bite(law: str, broken: Suggest) -> None:
    lines = lines_of({"bob": "fcb", "ann": "fa", "cid": "ab", "dee": "abf", "eve": "g"})
    LAWS[law](suggest, lines)
    with pytest.raises(AssertionError):
        LAWS[law](broken, lines)
