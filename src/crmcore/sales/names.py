"""
The order of names, where nothing else says who comes first: one, whatever order they came in.

>>> from crmcore.sales.names import in_order
>>> in_order(["u1", 10, 9])
(9, 10, 'u1')
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

__all__ = ["by_text", "in_order"]

T = TypeVar("T")


def _itself(name: T) -> T:
    return name


def in_order(items: Iterable[T], name: Callable[[T], Any] = _itself) -> tuple[T, ...]:
    """By `name`: kind by kind, ints before text, each in its own order; what has none goes by its text."""
    kinds = defaultdict[str, list[T]](list)
    for item in items:
        kinds[type(name(item)).__name__].append(item)
    return tuple(item for kind in sorted(kinds) for item in _of_a_kind(kinds[kind], name))


def _of_a_kind(items: list[T], name: Callable[[T], Any]) -> list[T]:
    try:
        return sorted(items, key=name)
    except TypeError:
        return sorted(items, key=lambda item: repr(name(item)))


def by_text(name: Hashable) -> tuple[str, str]:
    """Sorts names as they read, whatever they are."""
    return str(name), type(name).__name__
