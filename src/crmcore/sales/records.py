"""
Sales from a data file: which column is which role, as options or a map say, and the lines that stand in the file.

Faulty lines are refused together, with line, column, value and what to do; `skip_bad` leaves them out and counts them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Context, Decimal, Inexact
from typing import Any, Final

import attrs

from crmcore.decisions.facts import UNKNOWN
from crmcore.errors import Fault, InvalidFile
from crmcore.files import FactSpec, Map, Progress, Record, Records
from crmcore.sales.values import Sale

__all__ = [
    "AMOUNT",
    "CUSTOMER",
    "DATE",
    "OPTIONAL",
    "ORDER",
    "QUANTITY",
    "SALES",
    "SEGMENT",
    "Layout",
    "SaleFile",
    "known",
]

CUSTOMER: Final = FactSpec("customer", required=True, filled=True, option="--key")
DATE: Final = FactSpec("date", "instant", required=True, filled=True, option="--date")
AMOUNT: Final = FactSpec("amount", "decimal", required=True, filled=True, option="--value")
ORDER: Final = FactSpec("order", required=True, option="--order")
QUANTITY: Final = FactSpec("quantity", "decimal", required=True, filled=True, option="--quantity")
SEGMENT: Final = FactSpec("segment", required=True, option="--segment")
SALES: Final = (CUSTOMER, DATE, AMOUNT, ORDER, QUANTITY, SEGMENT)
"""The roles of columns in a file of sales; what has no column of its own name is named by an option or a map."""
OPTIONAL: Final = frozenset({"order", "quantity", "segment"})
"""Read only where they are named; then the file must have them."""

PRODUCT: Final = Context(prec=150, traps=[Inexact])
"""Enough for any two numbers of a file."""


@attrs.frozen
class Layout:
    """What the columns of a file mean: the map, and the roles that are read through it."""

    map: Map
    roles: tuple[FactSpec, ...]

    @classmethod
    def of(
        cls,
        roles: Iterable[FactSpec],
        named: Mapping[str, str | None],
        *,
        known: Iterable[FactSpec] = SALES,
        map_path: str | None = None,
        **how: str | None,
    ) -> Layout:
        """
        The layout of `roles`, each in the column that `named` says, else the map at `map_path`, else that of its name.

        `how` may have ``encoding``, ``delimiter`` and ``zone``, which go before the map's. `known` are the roles that a
        map may name. Raises `InvalidFile`.
        """
        known = tuple(known)
        free = [attrs.evolve(spec, required=False) for spec in known]
        found = Map.load(map_path, free) if map_path is not None else Map(columns={})
        found = attrs.evolve(found, **{key: _said(key, text) for key, text in how.items() if text is not None})
        said = {spec.name: (_column(spec, name),) for spec in known if (name := named.get(spec.name)) is not None}
        columns = {**found.columns, **said}
        read = [spec for spec in roles if spec.name in columns or spec.name not in OPTIONAL]
        names = {spec.name: columns.get(spec.name, (spec.name,)) for spec in read}
        # What somebody named must be there.
        needed = (attrs.evolve(spec, required=True) if spec.name in columns else spec for spec in read)
        return cls(attrs.evolve(found, columns=names), tuple(needed))

    def has(self, role: str) -> bool:
        """Whether a role is read."""
        return any(spec.name == role for spec in self.roles)

    def column(self, role: str) -> str | None:
        """The one column that a role is in; ``None`` where it is not read, or is the first present of several."""
        names = self.map.columns.get(role, ())
        return names[0] if len(names) == 1 else None


TABLES: Final = {"encoding": "file", "delimiter": "file", "zone": "time"}


def _said(key: str, text: str) -> Any:
    """The value of an option, judged as in a map."""
    document = f"schema = 1\n[{TABLES[key]}]\n{key} = {json.dumps(text)}\n"
    return getattr(Map.load(f"--{key}", (), document), key)


def _column(spec: FactSpec, name: str) -> str:
    if not name.strip():
        fault = Fault("argument", name, "names no column", "give the name of a column, or drop it")
        raise InvalidFile(spec.option, (fault,))
    return name.strip()


class SaleFile:
    """The lines of a file through a layout; a second iteration reads the file again."""

    def __init__(self, path: str, layout: Layout, *, skip_bad: bool = False, progress: Progress | None = None) -> None:
        self.layout, self.skip_bad = layout, skip_bad
        self.records = Records(path, layout.map, layout.roles, skip_bad=skip_bad, progress=progress)

    @property
    def path(self) -> str:
        """The path as it was given."""
        return self.records.path

    @property
    def skipped(self) -> int:
        """How many lines were left out so far."""
        return self.records.skipped

    def __iter__(self) -> Iterator[Record]:
        """The lines as role → value, `amount` times `quantity` where there is one."""
        return map(_priced, self.records) if self.layout.has("quantity") else iter(self.records)

    def amounts(self) -> Iterator[tuple[str, Decimal]]:
        """Customer and amount of each line."""
        return ((line["customer"], line["amount"]) for line in self)

    def sales(self) -> Iterator[Sale]:
        """Each line as a sale."""
        return (
            Sale(customer=line["customer"], at=line["date"], amount=line["amount"], order=known(line.get("order")))
            for line in self
        )


def known(value: Any) -> Any:
    """``None`` for what a file says is not known: an order of its own, no segment."""
    return None if value is UNKNOWN else value


def _priced(line: Record) -> Record:
    line["amount"] = PRODUCT.multiply(line["amount"], line["quantity"])
    return line
