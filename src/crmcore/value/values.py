"""What value tiers are made of: rows of minima, what a customer did in the window, the reasons that come of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any, Final, Protocol

import attrs

from crmcore.calendars import Span
from crmcore.decisions.codes import Outcome, ReasonCode
from crmcore.decisions.decision import Reason
from crmcore.decisions.facts import UNKNOWN, Unknown
from crmcore.errors import CrmcoreError, CurrencyMismatch, InvalidFact, InvalidPolicy
from crmcore.money import Money
from crmcore.sales.figures import Number, exact

__all__ = [
    "CHANGES",
    "FACTS",
    "RULE",
    "STALE",
    "TIERS",
    "Activity",
    "TierFacts",
    "TierReason",
    "TierRow",
    "amount_text",
    "condition",
    "count",
    "minimum",
    "optional",
    "plain_amount",
    "reached",
    "same_currency",
    "settled",
]

TIERS: Final = (Outcome.LOW, Outcome.MID, Outcome.HIGH)
"""The tiers, from the lowest to the highest."""
FACTS: Final = ("orders", "amount", "referrals")
"""The facts that a row may ask a minimum of."""
CHANGES: Final = "changes_at"
"""The fact of when they are out of date; it may be absent."""
RULE: Final = "VAL-1"
STALE: Final = "after now: some of what was counted has left the window; count again"
WRITTEN: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?: ([A-Z]{3}))?", re.ASCII)

AMOUNT: Final = "an amount: a Decimal, an int, Money, or text such as '50000.00' or '50000.00 CNY'"


class TierFacts(Protocol):
    """
    What a tier is decided by; any object with these attributes, or a mapping with these keys.

    ``None`` is none: no order, nothing bought, nobody brought; `UNKNOWN` says that we do not know. `changes_at`, the
    instant at which what was counted first leaves the window, may be absent.
    """

    @property
    def orders(self) -> int | Unknown | None:
        """How many orders in the window."""

    @property
    def amount(self) -> Number | Unknown | None:
        """For how much, returns taken off."""

    @property
    def referrals(self) -> int | Unknown | None:
        """How many customers it has brought."""


@attrs.frozen(kw_only=True)
class Activity:
    """
    What a customer bought in the window: distinct orders, and their amount less what was returned in it.

    `changes_at` is the first instant at which some of it has left the window; ``None``: never.
    """

    orders: int
    amount: Decimal | Money
    referrals: int | None = None
    changes_at: datetime | None = None


def plain_amount(amount: Decimal | Money) -> Decimal:
    """The number of it."""
    return amount.amount if isinstance(amount, Money) else amount


def amount_text(amount: Decimal | Money) -> str:
    """The one way to write an amount: without needless zeros, ``50000 CNY`` with its currency."""
    text = format(plain_amount(amount), "f")
    short = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{short} {amount.currency}" if isinstance(amount, Money) else short


def count(fact: str, value: Any) -> Any:
    """A count that a record has: a whole number or `UNKNOWN`; ``None`` is 0. Raises `InvalidFact`."""
    if value is None:
        return 0
    if value is not UNKNOWN and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise InvalidFact(fact, value, "a whole number, 0 or more; None for none, UNKNOWN where it is not known")
    return value


def optional(source: object, host: str) -> Any:
    """A fact that may be absent."""
    if isinstance(source, Mapping):
        return source.get(host)
    for name in host.split("."):
        source = getattr(source, name, None)
    return source


def same_currency(one: Number, other: Number) -> None:
    """Sees to it that two amounts have one currency; a plain zero has any."""
    currencies = [each.currency if isinstance(each, Money) else "a plain number" for each in (one, other)]
    if currencies[0] != currencies[1]:
        raise CurrencyMismatch(*currencies)


def settled(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values where what is unknown makes no difference: nothing stands for it."""
    return {fact: 0 if value is UNKNOWN else value for fact, value in values.items()}


# --- rows ---


def _tier(value: str) -> Outcome:
    if value not in TIERS[1:]:
        raise InvalidPolicy("tier", value, "high or mid; low is what no row holds for")
    return Outcome(value)


def minimum(value: Any, key: str) -> int | None:
    """A whole number from 1 on, or none said."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise InvalidPolicy(key, value, "a whole number, 1 or more; drop the key for none")


def _orders(value: int | None) -> int | None:
    return minimum(value, "orders")


def _referrals(value: int | None) -> int | None:
    return minimum(value, "referrals")


def _amount(value: Number | None) -> Decimal | Money | None:
    if value is None:
        return None
    found = value if isinstance(value, Money) else _read(value)
    if plain_amount(found) <= 0:
        raise InvalidPolicy("amount", str(value), "more than 0; drop the key for none")
    return found


def _read(value: Decimal | int | str) -> Decimal | Money:
    number: Any = value
    currency = None
    if isinstance(value, str):
        written = WRITTEN.fullmatch(value)
        number, currency = written.groups() if written else (None, None)
    try:
        return Money(number, currency) if currency else exact(number)
    except CrmcoreError:
        raise InvalidPolicy("amount", value, AMOUNT) from None


def _rule(value: str) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidPolicy("rule", value, "the ID of a rule, such as 'VAL-1'")
    return value


@attrs.frozen
class TierRow:
    """
    One way into a tier: the row holds when every minimum that it says is reached, each inclusive (VAL-1).

    `amount` is a Decimal, an int, `Money`, or text such as ``"50000.00"`` or ``"50000.00 CNY"``. Raises
    `InvalidPolicy`, also for a row without a minimum: it would hold for everybody.
    """

    tier: Outcome = attrs.field(converter=_tier)
    orders: int | None = attrs.field(default=None, converter=_orders, kw_only=True)
    amount: Decimal | Money | None = attrs.field(default=None, converter=_amount, kw_only=True)
    referrals: int | None = attrs.field(default=None, converter=_referrals, kw_only=True)
    rule: str = attrs.field(default=RULE, converter=_rule, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not self.minima:
            raise InvalidPolicy(self.tier.value, {}, f"a row with a minimum: {', '.join(FACTS)}")

    def __str__(self) -> str:
        return ", ".join(f"{fact} = {_said(least)}" for fact, least in self.minima.items())

    @property
    def minima(self) -> Mapping[str, Any]:
        """Each minimum that it says, by its fact."""
        said = {fact: getattr(self, fact) for fact in FACTS}
        return {fact: value for fact, value in said.items() if value is not None}

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether every minimum is reached by the known values of the facts."""
        return all(reached(values[fact], least) for fact, least in self.minima.items())

    def implies(self, other: TierRow) -> bool:
        """Whether `other` holds wherever this row does."""
        mine = self.minima
        return all(fact in mine and reached(mine[fact], least) for fact, least in other.minima.items())

    def canonical(self) -> dict[str, Any]:
        """As JSON-able data, the same however it was written."""
        minima = {fact: _said(value) for fact, value in self.minima.items()}
        return {"tier": self.tier.value, **minima, "rule": self.rule}


def reached(value: Any, least: Any) -> bool:
    """Whether a value of the same currency is at least so much."""
    value, least = (plain_amount(each) if isinstance(each, Money) else each for each in (value, least))
    return bool(value >= least)


def _said(value: int | Decimal | Money) -> int | str:
    return value if isinstance(value, int) else amount_text(value)


@attrs.frozen(kw_only=True)
class TierReason(Reason):
    """
    One condition of a row: `observed` against `limit`, `margin` what is over it, below zero what is lacking.

    `tier` is what the row leads to; ``None``: one tier up. `window` is the span that was counted in; ``None``: ever.
    """

    tier: Outcome | None = None
    window: Span | None = attrs.field(default=None, repr=False)

    def record(self, zone: tzinfo = UTC) -> dict[str, Any]:
        """The reason as JSON-able data, with its `tier`."""
        return {**super().record(zone), "tier": self.tier.value if self.tier else None}


def condition(
    fact: str,
    value: Any,
    least: Any,
    *,
    code: ReasonCode | None = None,
    rule: str = RULE,
    tier: Outcome | None = None,
    window: Span | None = None,
) -> TierReason:
    """A minimum against the value of its fact, which may be `UNKNOWN`; nothing is nothing in any currency."""
    about: dict[str, Any] = {"rule": rule, "code": code or ReasonCode(fact), "fact": fact, "limit": least}
    if value is UNKNOWN:
        return TierReason(**about, holds=None, tier=tier, window=window)
    observed = Money.zero(least.currency) if isinstance(least, Money) and not isinstance(value, Money) else value
    holds, margin = reached(observed, least), observed - least
    return TierReason(**about, holds=holds, observed=observed, margin=margin, tier=tier, window=window)
