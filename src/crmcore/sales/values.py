"""One sale, and how sales are read from the host's own records."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Protocol

import attrs

from crmcore.calendars import to_utc
from crmcore.decisions.facts import FactReader
from crmcore.errors import InvalidFact
from crmcore.money import Money
from crmcore.sales.figures import Number, OneCurrency, exact

__all__ = ["Sale", "SaleFacts", "as_sale", "moment", "optional", "read_sales"]


class SaleFacts(Protocol):
    """What is read of a line of sales: any object with these attributes; a `Sale` has them all."""

    @property
    def customer(self) -> Hashable:
        """Who bought."""

    @property
    def at(self) -> date | datetime:
        """When: a date, or an aware instant."""

    @property
    def amount(self) -> Number:
        """For how much, net; a return is negative."""

    @property
    def order(self) -> Hashable:
        """The order that the line belongs to; ``None``: an order of its own."""


def moment(value: object, id: object = None) -> date | datetime:
    """A date, or an instant in UTC; raises `NaiveDatetime`, and `InvalidFact` for anything else."""
    if isinstance(value, datetime):
        return to_utc(value, "at", id)
    if not isinstance(value, date):
        raise InvalidFact("at", value, "a date, or an aware datetime", id)
    return value


def _at(value: date | datetime) -> date | datetime:
    return moment(value)


def optional(row: object, name: str) -> Any:
    """A fact that a row, an object or a mapping, may lack: then ``None``."""
    return row.get(name) if isinstance(row, Mapping) else getattr(row, name, None)


def _amount(value: Decimal | int | str) -> Decimal:
    if isinstance(value, Money):
        raise InvalidFact("amount", value, "a plain amount; read_sales takes Money of one currency")
    return exact(value, "amount")


@attrs.frozen(kw_only=True)
class Sale:
    """
    One line of what was sold.

    `at` is a date or an aware instant (kept in UTC); `amount` is net, a return negative, a gift 0; `order` the order
    that the line belongs to, ``None``: an order of its own. Raises `InvalidFact` and `NaiveDatetime`.
    """

    customer: Hashable
    at: date | datetime = attrs.field(converter=_at)
    amount: Decimal = attrs.field(converter=_amount)
    order: Hashable = None

    @property
    def bought(self) -> bool:
        """Whether it is a purchase, though it may have cost nothing, and no return."""
        return self.amount >= 0


FACTS: Final = ("customer", "at", "amount")
READ: Final = FactReader(FACTS, {}, "add it, or name yours: read_sales(rows, customer='…', at='…', amount='…')")


def as_sale(row: object) -> Sale:
    """
    A row as a `Sale`: an object or mapping with customer, at, amount and, perhaps, order.

    Raises `MissingFact`, `InvalidFact`, `NaiveDatetime`.
    """
    if isinstance(row, Sale):
        return row
    customer, at, amount = READ(row)
    return Sale(customer=customer, at=at, amount=amount, order=optional(row, "order"))


def read_sales(
    rows: Iterable[object],
    *,
    customer: str = "customer",
    at: str = "at",
    amount: str = "amount",
    order: str | None = None,
) -> Iterator[Sale]:
    """
    The sales in records that call things by other names: objects with these attributes, or mappings with these keys.

    ``read_sales(rows, customer="CustomerID", at="InvoiceDate", amount="net")``. `Money` becomes its amount. Raises
    `MissingFact`, `InvalidFact`, `NaiveDatetime`, and `CurrencyMismatch` for amounts of two currencies.
    """
    facts = FACTS if order is None else (*FACTS, "order")
    names = {"customer": customer, "at": at, "amount": amount, "order": order or "order"}
    read, currency = FactReader(facts, names, READ.remedy), OneCurrency()
    for row in rows:
        given = dict(zip(facts, read(row), strict=True))
        currency.see(given["amount"])
        yield Sale(**given | {"amount": exact(given["amount"], "amount", given["customer"])})
