"""
Growth potential and price sensitivity: signals beside a tier or a class, which they never change (VAL-11).

>>> from crmcore.value.classes import abc
>>> from crmcore.value.signals import Signals, candidates
>>> classes = abc({"u1": 700, "u2": 150, "u3": 100, "u4": 50})
>>> found = candidates(classes, {"u4": Signals(potential=True), "u3": Signals(price_sensitive=True)})
>>> [(row.key, row.class_, row.next_class, str(row.distance), row.potential) for row in found]
[('u3', 'B', 'A', '50', None), ('u4', 'C', 'B', '50', True)]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from crmcore.errors import InvalidFact
from crmcore.sales.figures import exact_sum
from crmcore.value.classes import Classes

__all__ = ["Candidate", "Signals", "candidates"]


def _known(_: object, attribute: Any, value: object) -> None:
    if value is not None and not isinstance(value, bool):
        raise InvalidFact(attribute.name, value, "True, False, or None where it is not known")


@attrs.frozen(kw_only=True)
class Signals:
    """What else is known of a customer; ``None``: not known. Raises `InvalidFact`."""

    potential: bool | None = attrs.field(default=None, validator=_known)
    price_sensitive: bool | None = attrs.field(default=None, validator=_known)


UNKNOWN: Final = Signals()


@attrs.frozen(kw_only=True)
class Candidate:
    """
    A customer that may rise, and why: `distance` is what it lacks to `least`, the least value of `next_class`.

    `potential` is known or, ``None``, not known.
    """

    key: Any
    class_: str
    next_class: str
    value: Decimal
    least: Decimal
    distance: Decimal
    potential: bool | None
    price_sensitive: bool | None

    def record(self) -> dict[str, Any]:
        """As JSON-able data."""
        amounts = {name: format(getattr(self, name), "f") for name in ("value", "least", "distance")}
        return {
            "key": self.key if isinstance(self.key, str | int) else str(self.key),
            "class": self.class_,
            "next_class": self.next_class,
            **amounts,
            "potential": self.potential,
            "price_sensitive": self.price_sensitive,
        }


def candidates(classes: Classes, signals: Mapping[Any, Signals] | None = None) -> tuple[Candidate, ...]:
    """
    Who may rise to the next class up, the nearest first; in any class but the best (VAL-11).

    Who is known to have no potential is left out; who is in no `signals` is unknown. The next class is the nearest
    above that has a customer. At the same distance the one of greater value comes first, then as in `classes`.
    """
    known = signals or {}
    found = (candidate for candidate in _steps(classes, known) if candidate.potential is not False)
    return tuple(sorted(found, key=lambda candidate: candidate.distance))


def _steps(classes: Classes, signals: Mapping[Any, Signals]) -> Iterator[Candidate]:
    """Every customer that has a class above it, the greatest value first."""
    above = at = None  # the last row of the class above, and of the class that is being read
    for row in classes.rows:
        if at is not None and at.class_ != row.class_:
            above = at
        at = row
        if above is None:
            continue
        signal = signals.get(row.key, UNKNOWN)
        yield Candidate(
            key=row.key,
            class_=row.class_,
            next_class=above.class_,
            value=row.value,
            least=above.value,
            distance=exact_sum((above.value, -row.value)),
            potential=signal.potential,
            price_sensitive=signal.price_sensitive,
        )
