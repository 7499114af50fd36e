"""The kit's sales and frames of sales are what they say."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from crmcore.sales import Sale
from crmcore.sales.frames import VALUE, collected, lines
from crmcore.testing.selling import SALES_BACKENDS, amounts, days, sales, sales_frame


@given(amounts(places=1, least=Decimal("-0.2"), most=3))
def test_amounts_lie_between_the_two(amount: Decimal) -> None:
    """Both inclusive, with the places asked for."""
    assert Decimal("-0.2") <= amount <= 3
    assert amount.as_tuple().exponent == -1


@given(amounts(least=Decimal("0.5"), most=4, whole=True))
def test_whole_amounts(amount: Decimal) -> None:
    """No fraction, and two places all the same."""
    assert amount in {1, 2, 3, 4}


@given(days(between=(date(2026, 3, 5), date(2026, 3, 20))), days(between=(date(2026, 2, 5), date(2026, 3, 20))))
def test_days_lie_between_the_two(inside: date, over: date) -> None:
    """With the end of a month among them, or without."""
    assert date(2026, 3, 5) <= inside <= date(2026, 3, 20)
    assert date(2026, 2, 5) <= over <= date(2026, 3, 20)


def test_sales_have_what_is_asked_for() -> None:
    """Returns, ties, borders of months, lines of one order."""
    for strategy, wanted in (
        (sales(), lambda some: any(sale.amount < 0 for sale in some)),
        (sales(), lambda some: len({sale.amount for sale in some}) < len(some) > 2),
        (sales(), lambda some: len({(sale.customer, sale.order) for sale in some if sale.order}) < len(some)),
        (sales(dated=False), lambda some: any(sale.at.day == 1 and sale.at.hour == 0 for sale in some)),
    ):
        find(strategy, wanted, settings=settings(phases=[Phase.generate], derandomize=True))


@given(
    sales(
        customers=[1, 2],
        orders=None,
        returns=False,
        dated=False,
        between=(date(2026, 1, 1), date(2026, 1, 2)),
        zone="UTC",
        amounts=st.just(Decimal(3)),
        min_size=1,
        max_size=4,
    )
)
def test_sales_have_nothing_else(some: list[Sale]) -> None:
    """Each parameter bounds what is drawn."""
    assert {sale.customer for sale in some} <= {1, 2}
    assert {(sale.order, sale.amount) for sale in some} == {(None, 3)}
    assert all(datetime(2026, 1, 1, tzinfo=UTC) <= sale.at < datetime(2026, 1, 3, tzinfo=UTC) for sale in some)
    assert 1 <= len(some) <= 4


@pytest.mark.parametrize("backend", SALES_BACKENDS)
@pytest.mark.parametrize("decimals", [False, True])
@settings(max_examples=10)
@given(sales(customers=st.sampled_from([1, 2]), orders=st.just("o1")), st.booleans())
def test_frames_have_a_row_for_each_sale(backend: str, decimals: bool, some: list[Sale], dated: bool) -> None:
    """In their order, with their amounts; dates, or instants."""
    at = [sale.at if dated else datetime(2026, 1, 1, tzinfo=UTC) for sale in some]
    given_ = [Sale(customer=s.customer, at=t, amount=s.amount, order=s.order) for s, t in zip(some, at, strict=True)]
    frame = sales_frame(given_, backend, decimals=decimals, dated=dated, more={"more": ["x"] * len(some)})
    found = lines(frame, key="customer", value="amount", at="at", order="order")
    assert found.instants != dated
    assert "more" in found.schema
    units = collected(found.frame)[VALUE].to_list()
    assert [Decimal(int(unit)) / 100 for unit in units] == [sale.amount for sale in some]
