"""
Facts as JSON, and back: what a database keeps of a prospect.

Text, numbers, truths and ``None`` are themselves. A fact whose name ends in ``_at`` or ``_until``, and
`need_expected_by`, is an instant, written as ISO 8601 in UTC, so that a database can read it too. An unknown fact is
``{"unknown": true}``, an amount ``{"decimal": "12.50"}`` or, with a currency, ``{"money": ["12.50", "CNY"]}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any, Final

from crmcore.calendars import to_utc
from crmcore.decisions.facts import UNKNOWN
from crmcore.errors import InvalidFact
from crmcore.money import Money

__all__ = ["Unread", "packed", "unpacked"]

INSTANTS: Final = ("_at", "_until", "need_expected_by")
NUMBERS: Final = (bool, int, float)


class Unread(str):
    """What others have written as an instant, and is none: it cannot be judged, and is kept as it stands."""

    __slots__ = ()


def packed(facts: Mapping[str, Any]) -> dict[str, Any]:
    """JSON-able facts; those that are ``None`` are left out. Raises `InvalidFact` and `NaiveDatetime`."""
    return dict(_packed(facts))


def _packed(facts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if value is None:
            continue
        if isinstance(value, datetime):
            if not name.endswith(INSTANTS):
                raise InvalidFact(name, value, "under a name that ends in _at or _until", facts.get("id"))
            yield name, to_utc(value, name, facts.get("id")).isoformat()
        elif value is UNKNOWN:
            yield name, {"unknown": True}
        elif isinstance(value, Unread):
            yield name, str(value)
        elif name.endswith(INSTANTS):
            raise InvalidFact(name, value, "an aware datetime, None or UNKNOWN", facts.get("id"))
        else:
            yield name, _plain(name, value, facts)


def _plain(name: str, value: Any, facts: Mapping[str, Any]) -> Any:
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, Money):
        return {"money": [str(value.amount), value.currency]}
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return _text(name, value, facts)
    if not isinstance(value, NUMBERS) or (isinstance(value, float) and not isfinite(value)):
        raise InvalidFact(name, value, "text, a number, a truth, an amount, an instant or None", facts.get("id"))
    return value


def _text(name: str, value: str, facts: Mapping[str, Any]) -> str:
    if not value.isascii() and not value.isprintable():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidFact(name, value, "text without halves of characters", facts.get("id")) from None
    if "\0" in value:
        raise InvalidFact(name, value, "text without NUL", facts.get("id"))
    return str(value)


def unpacked(data: Mapping[str, Any]) -> dict[str, Any]:
    """The facts again; what others have written there as an instant, and is no aware one, is `Unread`."""
    facts = dict(data)
    for name, value in data.items():
        if value.__class__ is str:
            if name.endswith(INSTANTS):
                facts[name] = _instant(value)
        elif value.__class__ is dict:
            facts[name] = _rich(value)
    return facts


def _instant(text: str) -> datetime | Unread:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return Unread(text)
    return instant if instant.tzinfo is not None else Unread(text)


def _rich(value: Mapping[str, Any]) -> Any:
    if "decimal" in value:
        return Decimal(value["decimal"])
    return Money(*value["money"]) if "money" in value else UNKNOWN
