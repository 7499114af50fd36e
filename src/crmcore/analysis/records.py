"""How figures are written as JSON: amounts as text, ratios as floats, what is undefined as ``None`` with its reason."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from decimal import Decimal
from fractions import Fraction

from crmcore.analysis.values import Ratio
from crmcore.sales.figures import nearest

__all__ = ["amount", "number", "said", "undefined"]


def said(key: Hashable) -> str | int | None:
    """A name: text, a whole number, or ``None``."""
    return key if key is None or type(key) is int else str(key)


def amount(value: Decimal | None) -> str | None:
    """An amount, with all its digits."""
    return None if value is None else format(value, "f")


def number(value: Ratio | Fraction | None) -> float | None:
    """The float nearest to a ratio."""
    return nearest(value.value if isinstance(value, Ratio) else value)


def undefined(figures: object, names: Iterable[str]) -> dict[str, str]:
    """Which of these ratios have no value, and why."""
    reasons = ((name, getattr(figures, name).undefined) for name in names)
    return {name: reason.value for name, reason in reasons if reason}
