"""How the lines of what was sold are read and ordered here: one fact of each, the largest first."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from decimal import Decimal
from typing import Any

from crmcore.decisions.facts import FactReader
from crmcore.sales.names import by_text

__all__ = ["largest", "one_fact"]


def one_fact(name: str) -> Callable[[object], Any]:
    """Reads this fact of a line, an object or a mapping; raises `MissingFact`."""
    read = FactReader((name,), {}, "add it to each line")
    return lambda line: read(line)[0]


def largest(key: Hashable, amount: Decimal) -> tuple[Decimal, str, str]:
    """Sorts the largest amount first, equal ones by their names."""
    return (-amount, *by_text(key))
