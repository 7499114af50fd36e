"""What a type checker sees of the public face; checked by mypy (strict), never run."""

from decimal import Decimal
from fractions import Fraction
from typing import assert_type

import crmcore
from crmcore import Money
from crmcore.rules import Rule


def money(price: Money) -> None:
    assert_type(Money("12.50", "CNY"), Money)
    assert_type(Money(12, "CNY").amount, Decimal)
    assert_type(price + price, Money)
    assert_type(price * 3, Money)
    assert_type(Fraction(1, 2) * price, Money)
    assert_type(sum([price], Money.zero("CNY")), Money)
    assert_type(price < price, bool)  # noqa: PLR0124 (its type is the test)
    Money(12.5, "CNY")  # type: ignore[arg-type]
    price * 0.5  # type: ignore[operator]
    price + 1  # type: ignore[operator]


def modules() -> None:
    assert_type(crmcore.__version__, str)
    assert_type(crmcore.rules.rule("OWN-1"), Rule)
    assert_type(crmcore.money.Money("1", "CNY"), Money)
    crmcore.nonsense()  # type: ignore[attr-defined]
