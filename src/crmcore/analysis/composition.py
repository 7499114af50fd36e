"""
What sales are made of: channels (ANA-1), customers (ANA-2), products (ANA-3); shares are exact.

>>> from crmcore.analysis.composition import composition
>>> lines = [{"channel": "dealer", "amount": 60}, {"channel": "agent", "amount": 20}, {"channel": None, "amount": 20}]
>>> for part in composition(lines).parts:
...     print(part.key, part.amount, part.share)
dealer 60 3/5
agent 20 1/5
None 20 1/5
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final

import attrs

from crmcore.analysis.lines import largest
from crmcore.analysis.ratios import Stock, fractions
from crmcore.analysis.records import amount as shown
from crmcore.analysis.records import number, said
from crmcore.analysis.values import Undefined
from crmcore.decisions.facts import FactReader
from crmcore.errors import InvalidFact, InvalidPolicy
from crmcore.sales.figures import Number, exact, exact_sum, share, sums
from crmcore.sales.periods import Period, Periods
from crmcore.sales.values import moment

__all__ = [
    "CHANNELS",
    "Composition",
    "CustomerShare",
    "CustomerShares",
    "MixRow",
    "Part",
    "ProductMix",
    "composition",
    "customer_shares",
    "product_mix",
]

CHANNELS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "dealer": {"en": "Dealer", "zh": "经销商"},
        "retailer": {"en": "Retailer", "zh": "零售商"},
        "agent": {"en": "Agent", "zh": "代理商"},
        "industrial": {"en": "End customer, industrial", "zh": "终端客户(工业客户)"},
        "consumer": {"en": "End customer, consumer", "zh": "终端客户(消费者)"},
    }
)
"""S1's channels and their names; any other code is one, too."""
MONTHS: Final = Periods()


# --- parts of a whole ---


@attrs.frozen
class Part:
    """One part; the key ``None`` is what is unknown. `share` is ``None`` where the total is 0 or less."""

    key: Hashable
    amount: Decimal
    share: Fraction | None

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        return {"key": said(self.key), "amount": shown(self.amount), "share": number(self.share)}


@attrs.frozen
class Composition:
    """Parts by amount, the largest first, the unknown last; `undefined` says why there are no shares."""

    by: str
    parts: tuple[Part, ...]
    total: Decimal
    undefined: Undefined | None

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "by": self.by,
            "total": shown(self.total),
            "undefined": self.undefined and self.undefined.value,
            "parts": [part.record() for part in self.parts],
        }


def composition(lines: Iterable[object], by: str = "channel", *, amount: str = "amount") -> Composition:
    """
    The amounts of `lines`, objects or mappings, by one of their facts (ANA-1): a channel, a region, a rep.

    Raises `MissingFact`, `InvalidFact`, `CurrencyMismatch`.
    """
    read = FactReader((by, "amount"), {"amount": amount}, "add it to each line")
    totals: dict[Hashable, Decimal] = sums((read(line) for line in lines), "amount")
    total = exact_sum(totals.values())
    parts = (Part(key, value, share_of(value, total)) for key, value in totals.items())
    ordered = tuple(sorted(parts, key=lambda part: (part.key is None, *largest(part.key, part.amount))))
    return Composition(by, ordered, total, None if total > 0 else Undefined.NO_TOTAL)


def share_of(part: Decimal, total: Decimal) -> Fraction | None:
    """The share of a total above 0."""
    return share(part, total) if total > 0 else None


# --- customers ---


@attrs.frozen(kw_only=True)
class CustomerShare:
    """
    One customer in one period: its share of all sales, against what is expected of it (ANA-2).

    `wallet` is what the customer buys from everybody, `wallet_share` ours of it; above 1 the wallet is out of date.
    """

    period: Period
    customer: Hashable
    amount: Decimal
    share: Fraction | None
    expected: Fraction | None
    wallet: Decimal | None
    wallet_share: Fraction | None

    @property
    def difference(self) -> Fraction | None:
        """The share less the expected one, in parts of all sales."""
        return None if self.share is None or self.expected is None else self.share - self.expected

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "period": str(self.period),
            "customer": said(self.customer),
            "amount": shown(self.amount),
            "share": number(self.share),
            "expected": number(self.expected),
            "difference": number(self.difference),
            "wallet": shown(self.wallet),
            "wallet_share": number(self.wallet_share),
        }


@attrs.frozen
class CustomerShares:
    """Rows by period, in each the largest customer first."""

    rows: tuple[CustomerShare, ...]

    def latest(self) -> tuple[CustomerShare, ...]:
        """The rows of the last period."""
        return tuple(row for row in self.rows if row.period == self.rows[-1].period)

    def room(self, below: Stock) -> tuple[CustomerShare, ...]:
        """
        Who has room to grow (ANA-3): in the last period less than `below` of the wallet, the most room first.

        Whose wallet is unknown is not among them, see `unknown`. Raises `InvalidPolicy`.
        """
        limit = part(below, "below")
        rows = [row for row in self.latest() if row.wallet_share is not None and row.wallet_share < limit]
        room = {id(row): (row.wallet or Decimal(0)) - row.amount for row in rows}
        return tuple(sorted(rows, key=lambda row: largest(row.customer, room[id(row)])))

    def unknown(self) -> tuple[CustomerShare, ...]:
        """Whose wallet is not known in the last period: whether there is room cannot be said."""
        return tuple(row for row in self.latest() if row.wallet_share is None)

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        return {"rows": [row.record() for row in self.rows]}


def customer_shares(
    lines: Iterable[object],
    *,
    period: Periods = MONTHS,
    expected: Mapping[Any, Stock] = MappingProxyType({}),
    wallet: Mapping[Any, Number] = MappingProxyType({}),
) -> CustomerShares:
    """
    Each customer's sales per month, quarter or year, and its share of all (ANA-2).

    `lines` have customer, at, amount. `expected` is a share by customer; who has one is there in every period, with 0
    where nothing was bought. `wallet` is what a customer buys of anybody, by customer or by ``(customer, "2026-03")``.

    Raises `MissingFact`, `InvalidFact`, `InvalidPolicy`, `CurrencyMismatch`.
    """
    read = FactReader(("customer", "at", "amount"), {}, "add it to each line")
    facts = [(customer, period.of(moment(at)), amount) for customer, at, amount in map(read, lines)]
    shares = {customer: part(value, f"expected[{customer!r}]") for customer, value in expected.items()}
    sold: dict[Period, dict[Hashable, Decimal]] = defaultdict(lambda: dict.fromkeys(shares, Decimal(0)))
    for (when, customer), amount in sums((((when, who), amount) for who, when, amount in facts), "amount").items():
        sold[when][customer] = amount
    first, last = min(sold, default=None), max(sold, default=None)
    periods = period.between(first.first, last.first) if first and last else ()
    rows = (row for each in periods for row in _period_rows(each, sold[each], shares, wallet))
    return CustomerShares(tuple(rows))


def _period_rows(
    period: Period, found: Mapping[Any, Decimal], expected: Mapping[Any, Fraction], wallet: Mapping[Any, Number]
) -> Iterable[CustomerShare]:
    total = exact_sum(found.values())
    for customer in sorted(found, key=lambda who: largest(who, found[who])):
        sold, said_of = found[customer], wallet.get((customer, str(period)), wallet.get(customer))
        holds = None if said_of is None else exact(said_of, "wallet", customer)
        yield CustomerShare(
            period=period,
            customer=customer,
            amount=sold,
            share=share_of(sold, total),
            expected=expected.get(customer),
            wallet=holds,
            wallet_share=None if holds is None else share_of(sold, holds),
        )


def part(value: Stock, key: str) -> Fraction:
    """A part of a whole, from 0 to 1; raises `InvalidPolicy`."""
    try:
        (found,) = fractions(part=value)
    except InvalidFact:
        found = None
    if found is None or not 0 <= found <= 1:
        raise InvalidPolicy(key, value, "a part from 0 to 1, exact: '0.25' or Fraction(1, 4), never a float")
    return found


# --- products ---


@attrs.frozen(kw_only=True)
class MixRow:
    """One product: its share, that of all up to it, and whether its plan was met (``None``: there is none)."""

    product: Hashable
    amount: Decimal
    share: Fraction | None
    cumulative_share: Fraction | None
    plan: Decimal | None
    plan_met: Fraction | None

    @property
    def met(self) -> bool | None:
        """Whether the plan was met; ``None`` without one."""
        return None if self.plan_met is None else self.plan_met >= 1

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "product": said(self.product),
            "amount": shown(self.amount),
            "share": number(self.share),
            "cumulative_share": number(self.cumulative_share),
            "plan": shown(self.plan),
            "plan_met": number(self.plan_met),
            "met": self.met,
        }


@attrs.frozen
class ProductMix:
    """Products by sales, the largest first."""

    rows: tuple[MixRow, ...]
    total: Decimal
    undefined: Undefined | None

    def missed(self) -> tuple[MixRow, ...]:
        """The products whose plan was not met."""
        return tuple(row for row in self.rows if row.met is False)

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "total": shown(self.total),
            "undefined": self.undefined and self.undefined.value,
            "rows": [row.record() for row in self.rows],
        }


def product_mix(lines: Iterable[object], *, plan: Mapping[Any, Number] = MappingProxyType({})) -> ProductMix:
    """
    Products by sales, with shares and cumulative shares, against `plan` by product (ANA-3).

    `lines` have product and amount; what is planned and was not sold is there, with 0. A plan of 0 or less is none.
    Raises `MissingFact`, `InvalidFact`, `CurrencyMismatch`.
    """
    read = FactReader(("product", "amount"), {}, "add it to each line")
    found: dict[Hashable, Decimal] = sums((read(line) for line in lines), "amount")
    planned = {product: exact(value, "plan", product) for product, value in plan.items()}
    sold = dict.fromkeys(planned, Decimal(0)) | found
    total, running, rows = exact_sum(sold.values()), Fraction(), []
    for product in sorted(sold, key=lambda each: largest(each, sold[each])):
        running += Fraction(sold[product])
        wanted = planned.get(product)
        rows.append(
            MixRow(
                product=product,
                amount=sold[product],
                share=share_of(sold[product], total),
                cumulative_share=running / Fraction(total) if total > 0 else None,
                plan=wanted,
                plan_met=None if wanted is None else share_of(sold[product], wanted),
            )
        )
    return ProductMix(tuple(rows), total, None if total > 0 else Undefined.NO_TOTAL)
