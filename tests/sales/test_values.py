"""A sale is whole at birth, and read from the host's own records."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from crmcore import Money
from crmcore.errors import CurrencyMismatch, InvalidFact, MissingFact, NaiveDatetime
from crmcore.sales import Sale, read_sales


def test_a_sale_keeps_instants_in_utc_and_amounts_exact() -> None:
    """A date stays a date."""
    sale = Sale(customer="c1", at=datetime(2026, 3, 1, 8, tzinfo=ZoneInfo("Asia/Shanghai")), amount="12.50", order=7)
    assert sale.at == datetime(2026, 3, 1, 0, tzinfo=UTC)
    assert sale.at.tzinfo is UTC  # type: ignore[union-attr]
    assert sale.amount == Decimal("12.50")
    assert Sale(customer="c1", at=date(2026, 3, 1), amount=3).at == date(2026, 3, 1)


def test_a_naive_instant_is_refused() -> None:
    """Which day it falls on is not known."""
    with pytest.raises(NaiveDatetime, match="at is 2026-03-01"):
        Sale(customer="c1", at=datetime(2026, 3, 1), amount=1)


@pytest.mark.parametrize(
    ("at", "amount"),
    [("2026-03-01", 1), (None, 1), (date(2026, 3, 1), 1.5), (date(2026, 3, 1), Money(1, "CNY"))],
)
def test_what_is_no_date_and_no_amount_is_refused(at: object, amount: object) -> None:
    """Text is for files; floats are not exact."""
    with pytest.raises(InvalidFact, match=r"at is|amount is"):
        Sale(customer="c1", at=at, amount=amount)  # type: ignore[arg-type]


ROWS = [
    {"CustomerID": "c1", "InvoiceDate": date(2026, 3, 1), "net": "1.50", "InvoiceNo": 7},
    SimpleNamespace(CustomerID="c2", InvoiceDate=date(2026, 3, 2), net=-2, InvoiceNo=8),
]


def test_sales_are_read_under_the_names_of_the_host() -> None:
    """From mappings and objects alike; without `order` each line is an order of its own."""
    names = {"customer": "CustomerID", "at": "InvoiceDate", "amount": "net"}
    first, second = read_sales(ROWS, **names, order="InvoiceNo")
    assert first == Sale(customer="c1", at=date(2026, 3, 1), amount="1.50", order=7)
    assert (second.amount, second.order) == (Decimal(-2), 8)
    assert [sale.order for sale in read_sales(ROWS, **names)] == [None, None]


def test_money_is_read_as_its_amount_in_one_currency() -> None:
    """Two currencies in one report are refused, whoever the customers are."""
    rows = [{"customer": name, "at": date(2026, 3, 1), "amount": Money(1, "CNY")} for name in "ab"]
    assert [sale.amount for sale in read_sales(rows)] == [1, 1]
    with pytest.raises(CurrencyMismatch):
        list(read_sales([*rows, {**rows[0], "amount": 1}]))


def test_a_name_that_is_not_there_is_told() -> None:
    """With the fact it was to be."""
    with pytest.raises(MissingFact, match="'customer'"):
        list(read_sales(ROWS))


def test_what_a_sale_lacks_is_named_by_what_reads_it() -> None:
    """No policy reads sales, so `policy.reading` would be no help."""
    with pytest.raises(MissingFact, match=r"has no 'who', which is read as 'customer'; add it, or .*: read_sales"):
        list(read_sales([{"at": date(2026, 1, 1), "amount": 1}], customer="who"))
