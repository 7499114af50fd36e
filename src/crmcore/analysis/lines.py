"""How the lines of what was sold are read here: facts that may be absent, days, and one order of names."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from crmcore.calendars import to_utc
from crmcore.decisions.facts import FactReader
from crmcore.errors import InvalidFact

__all__ = ["largest", "moment", "one_fact", "optional", "order"]


def one_fact(name: str) -> Callable[[object], Any]:
    """Reads this fact of a line, an object or a mapping; raises `MissingFact`."""
    read = FactReader((name,), {})
    return lambda line: read(line)[0]


def optional(line: Any, name: str) -> Any:
    """A fact that a line may lack: then ``None``."""
    return line.get(name) if isinstance(line, Mapping) else getattr(line, name, None)


def moment(at: object) -> date | datetime:
    """A date, or an aware instant; raises `NaiveDatetime` and `InvalidFact`."""
    if isinstance(at, datetime):
        return to_utc(at, "at")
    if not isinstance(at, date):
        raise InvalidFact("at", at, "a date, or an aware datetime")
    return at


def order(key: Hashable) -> tuple[str, str]:
    """Sorts names as text, whatever they are."""
    return str(key), type(key).__name__


def largest(key: Hashable, amount: Decimal) -> tuple[Decimal, str, str]:
    """Sorts the largest amount first, equal ones by their names."""
    return (-amount, *order(key))
