"""Facts are any object with the named attributes, or any mapping with the named keys; they are read, never copied."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable, Mapping
from enum import Enum
from operator import attrgetter, itemgetter
from typing import Any, Final, Literal

from crmcore.errors import MissingFact

__all__ = ["UNKNOWN", "FactReader", "Unknown"]


class Unknown(Enum):
    """The type of `UNKNOWN`; an enum, so that it pickles, compares by identity and narrows."""

    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final[Literal[Unknown.UNKNOWN]] = Unknown.UNKNOWN
"""We do not know (a fact's value); ``None`` says there was none."""


OF_MAPPINGS: Final = frozenset(dir(UserDict))
"""Names that every mapping has as attributes too; a fact called so is read by key first."""


class FactReader:
    """
    Reads `facts`, in order, from objects and mappings that call them by the host's `names`.

    `remedy`: what `MissingFact` advises where it is no policy that reads.
    """

    __slots__ = ("_by_attribute", "_by_key", "_doubtful", "facts", "hosts", "remedy")

    def __init__(self, facts: tuple[str, ...], names: Mapping[str, str], remedy: str = "") -> None:
        self.facts, self.remedy = facts, remedy
        self.hosts = tuple(names.get(fact, fact) for fact in facts)
        self._doubtful = not OF_MAPPINGS.isdisjoint(self.hosts)
        self._by_attribute = _tuples(attrgetter(*self.hosts), self.hosts)
        self._by_key = _tuples(itemgetter(*self.hosts), self.hosts)

    def __call__(self, source: object) -> tuple[Any, ...]:
        """The values in the order of `facts`; raises `MissingFact` for the first that the source lacks."""
        by_key = type(source) is dict or (self._doubtful and isinstance(source, Mapping))
        try:
            return self._by_key(source) if by_key else self._by_attribute(source)
        except (AttributeError, KeyError):
            if isinstance(source, Mapping):
                return tuple(self._one(source, fact, host) for fact, host in zip(self.facts, self.hosts, strict=True))
            raise self._missing(source) from None

    def _one(self, source: Mapping[str, Any], fact: str, host: str) -> object:
        try:
            return source[host]
        except KeyError:
            raise MissingFact(fact, host, "the mapping", self.remedy) from None

    def _missing(self, source: object) -> Exception:
        for fact, host in zip(self.facts, self.hosts, strict=True):
            try:
                attrgetter(host)(source)
            except AttributeError as error:
                # A property that fails inside itself is the host's error, not a missing fact.
                own = error.name in host.split(".") and not hasattr(type(source), host)
                return MissingFact(fact, host, type(source).__name__, self.remedy) if own else error
        msg = f"{type(source).__name__} lost an attribute while it was read"
        return AttributeError(msg)


def _tuples(read: Callable[[Any], Any], names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """A getter that makes tuples; of one name alone it gives the value."""
    return read if len(names) > 1 else lambda source: (read(source),)


def optional_flag(source: object, host: str) -> bool:
    """A flag that may be absent: absent and ``None`` are false."""
    if isinstance(source, Mapping):
        return bool(source.get(host))
    for name in host.split("."):
        source = getattr(source, name, None)
    return bool(source)
