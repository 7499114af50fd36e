"""
Products suggested to a customer from what it and others bought, and what it likes (ANA-15); each with its reason.

>>> from crmcore.analysis.suggestions import suggest
>>> bought = [("ann", "ink"), ("ann", "paper"), ("bob", "ink"), ("bob", "paper"), ("cid", "ink"), ("dee", "tea")]
>>> lines = [{"customer": customer, "product": product} for customer, product in bought]
>>> for suggestion in suggest(lines, "cid"):
...     print(suggestion.product, suggestion.text())
paper 2 of the 3 customers who bought ink bought it too: 66.7%, 1.33 times as many as of all
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final

import attrs

from crmcore.analysis.ratios import fractions
from crmcore.analysis.records import number, said
from crmcore.decisions.facts import FactReader
from crmcore.decisions.frozen import FrozenMap
from crmcore.errors import InvalidFact, InvalidPolicy
from crmcore.sales.figures import Number, sums
from crmcore.sales.names import by_text
from crmcore.sales.values import optional

__all__ = ["Because", "PurchaseHistory", "Suggestion", "SuggestionReason", "suggest"]


class Because(StrEnum):
    """Why a product is suggested."""

    BOUGHT_TOGETHER = "bought_together"
    LIKED = "liked"


@attrs.frozen(kw_only=True)
class SuggestionReason:
    """
    Bought together: `both` of the `buyers` of `bought` bought the product; out of `customers`, `others` of it.

    Liked: the product is of the `category` that the customer likes, and has `others` buyers.
    """

    code: Because
    bought: Hashable = None
    category: Hashable = None
    both: int = 0
    buyers: int = 0
    others: int = 0
    customers: int = 0

    @property
    def support(self) -> Fraction | None:
        """Of all customers, who bought both."""
        return Fraction(self.both, self.customers) if self.both else None

    @property
    def confidence(self) -> Fraction | None:
        """Of those who bought the one, who bought the other."""
        return Fraction(self.both, self.buyers) if self.both else None

    @property
    def lift(self) -> Fraction | None:
        """The confidence against the product's share of all customers: above 1, more than chance."""
        return Fraction(self.both * self.customers, self.buyers * self.others) if self.both else None

    def text(self, lang: str = "en") -> str:
        """The reason in words, ``en`` or ``zh``."""
        if lang not in WORDS:
            raise InvalidPolicy("lang", lang, f"one of {', '.join(WORDS)}")
        confidence, lift = number(self.confidence) or 0.0, number(self.lift) or 0.0
        facts = {"bought": self.bought, "category": self.category, "both": self.both, "buyers": self.buyers}
        return WORDS[lang][self.code].format(**facts, confidence=confidence, lift=lift)

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "code": self.code.value,
            "bought": said(self.bought),
            "category": said(self.category),
            "both": self.both,
            "buyers": self.buyers,
            "others": self.others,
            "customers": self.customers,
            "support": number(self.support),
            "confidence": number(self.confidence),
            "lift": number(self.lift),
        }


WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "join": "; ",
        "bought_together": "{both} of the {buyers} customers who bought {bought} bought it too: "
        "{confidence:.1%}, {lift:.2f} times as many as of all",
        "liked": "of the category {category}, which the customer likes",
    },
    "zh": {
        "join": ";",
        "bought_together": "买过{bought}的{buyers}位客户中有{both}位也买过:{confidence:.1%},为全体客户的{lift:.2f}倍",
        "liked": "属于客户喜欢的类别{category}",
    },
}


@attrs.frozen
class Suggestion:
    """A product, and why; there is always a reason."""

    product: Hashable
    reasons: tuple[SuggestionReason, ...]

    def text(self, lang: str = "en") -> str:
        """The reasons in words, ``en`` or ``zh``."""
        return WORDS.get(lang, WORDS["en"])["join"].join(reason.text(lang) for reason in self.reasons)

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        return {"product": said(self.product), "reasons": [reason.record() for reason in self.reasons]}


@attrs.frozen
class PurchaseHistory:
    """Who bought what, read once for many customers."""

    baskets: Mapping[Hashable, frozenset[Hashable]]
    """By customer; who bought nothing counts as none."""
    buyers: Mapping[Hashable, frozenset[Hashable]]
    """By product."""

    @classmethod
    def of(cls, lines: Iterable[object]) -> PurchaseHistory:
        """
        From lines with customer, product and maybe amount: what came back in full, net 0 or less, was not bought.

        Raises `MissingFact`, `InvalidFact`, `CurrencyMismatch`.
        """
        read = FactReader(("customer", "product"), {}, "add it to each line")
        net = sums(((read(line), _amount(line)) for line in lines), "amount")
        baskets, buyers = defaultdict[Hashable, set[Hashable]](set), defaultdict[Hashable, set[Hashable]](set)
        for (customer, product), amount in net.items():
            if amount > 0:
                baskets[customer].add(product)
                buyers[product].add(customer)
        return cls(_frozen(baskets), _frozen(buyers))


def _amount(line: object) -> Number:
    amount: Number | None = optional(line, "amount")
    return 1 if amount is None else amount


def _frozen(sets: Mapping[Hashable, set[Hashable]]) -> FrozenMap[Hashable, frozenset[Hashable]]:
    return FrozenMap({key: frozenset(members) for key, members in sets.items()})


def suggest(
    purchases: PurchaseHistory | Iterable[object],
    customer: Hashable,
    *,
    categories: Mapping[Any, Hashable] = MappingProxyType({}),
    liked: Iterable[Hashable] = (),
    excluded: Iterable[Hashable] = (),
    minimum_both: int = 2,
    minimum_confidence: Fraction | Decimal | int | str = 0,
    minimum_lift: Fraction | Decimal | int | str = 1,
    limit: int | None = None,
) -> tuple[Suggestion, ...]:
    """
    What to offer a customer that it has not bought: what buyers of its products bought, and what it likes (ANA-15).

    `categories` by product; `liked` are categories, `excluded` categories or products, and win. Of what was bought
    together the strongest reason is given: highest confidence, then most customers, then lift, then name. The minima
    are inclusive.

    First come products with both reasons, then those bought together, then those liked; among equals in the order just
    said, then by buyers, then by name. Raises `InvalidPolicy`, and as `PurchaseHistory.of`.
    """
    if limit is not None:
        _count(limit, "limit")
    history = purchases if isinstance(purchases, PurchaseHistory) else PurchaseHistory.of(purchases)
    own, never = history.baskets.get(customer, frozenset()), frozenset(excluded)
    search = _Search(
        history=history,
        own=own,
        categories=categories,
        liked=frozenset(liked),
        both=_count(minimum_both, "minimum_both"),
        confidence=_least(minimum_confidence, "minimum_confidence"),
        lift=_least(minimum_lift, "minimum_lift"),
    )
    offered = {*history.buyers, *categories} - own - never
    allowed = (product for product in offered if product not in categories or categories[product] not in never)
    found = (Suggestion(product, tuple(search.reasons(product))) for product in allowed)
    return tuple(sorted((each for each in found if each.reasons), key=_rank)[:limit])


def _count(value: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidPolicy(name, value, "a whole number, 1 or more")
    return value


def _least(value: Fraction | Decimal | int | str, name: str) -> Fraction:
    try:
        (found,) = fractions(least=value)
    except InvalidFact:
        found = None
    if found is None or found < 0:
        raise InvalidPolicy(name, value, "an exact number, 0 or more: '0.25', never a float")
    return found


@attrs.frozen(kw_only=True)
class _Search:
    """What is known of a customer, and what counts as a reason."""

    history: PurchaseHistory
    own: frozenset[Hashable]
    categories: Mapping[Any, Hashable]
    liked: frozenset[Hashable]
    both: int
    confidence: Fraction
    lift: Fraction

    def reasons(self, product: Hashable) -> Iterator[SuggestionReason]:
        """The strongest of what was bought together, and whether its category is liked."""
        others = self.history.buyers.get(product, frozenset())
        yield from sorted(self._together(others), key=_strength)[:1]
        category = self.categories.get(product)
        if category is not None and category in self.liked:
            customers = len(self.history.baskets)
            yield SuggestionReason(code=Because.LIKED, category=category, others=len(others), customers=customers)

    def _together(self, others: frozenset[Hashable]) -> Iterator[SuggestionReason]:
        for bought in self.own:
            buyers = self.history.buyers[bought]
            reason = SuggestionReason(
                code=Because.BOUGHT_TOGETHER,
                bought=bought,
                both=len(buyers & others),
                buyers=len(buyers),
                others=len(others),
                customers=len(self.history.baskets),
            )
            if self._enough(reason):
                yield reason

    def _enough(self, reason: SuggestionReason) -> bool:
        confidence, lift = reason.confidence or 0, reason.lift or 0
        return reason.both >= self.both and confidence >= self.confidence and lift >= self.lift


def _strength(reason: SuggestionReason) -> tuple[Any, ...]:
    """Sorts the strongest first."""
    return -(reason.confidence or 0), -reason.both, -(reason.lift or 0), by_text(reason.bought)


def _rank(suggestion: Suggestion) -> tuple[Any, ...]:
    first = suggestion.reasons[0]
    group = 0 if len(suggestion.reasons) > 1 else 1 if first.code is Because.BOUGHT_TOGETHER else 2
    return group, *_strength(first)[:3], -first.others, by_text(suggestion.product)
