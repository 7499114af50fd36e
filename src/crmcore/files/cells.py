"""From the cells of a column to the values of a fact, a batch at a time; a distinct text is judged once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from json import dumps
from typing import Final, TypeAlias, cast

import attrs

from crmcore.calendars import OPEN_ENDED
from crmcore.decisions.facts import UNKNOWN
from crmcore.files.instants import BLANK, Refusal, bulk_parser, instant_parser
from crmcore.files.maps import FactSpec, Map
from crmcore.files.numbers import decimal
from crmcore.files.toml import did_you_mean

__all__ = ["Cell", "Column", "column"]

Cell: TypeAlias = str | None
"""A cell's text; ``None`` is the null of JSON Lines."""

_KEPT: Final = 2048
_NO_DATE: Final = "write true (no end) or false (none), or "
_TRUTH: Final = {"true": True, "false": False}
_FLAGS: Final = {**_TRUTH, "1": True, "0": False}


@attrs.frozen
class Column:
    """Reads the cells of one fact."""

    values: Callable[[Sequence[Cell]], list[object]]
    """One value per cell; what stands for a refused cell is anything."""
    refusal: Callable[[Cell], Refusal | None]
    """Why a cell is refused, if it is."""
    refused: Callable[[], bool]
    """Whether `values` refused a cell since the last time this was asked."""


class _Parsed(dict[Cell, object]):
    """Cell → value, filled as cells turn up, emptied when it grows too large; refused cells are never kept."""

    def __init__(self, parse: Callable[[str], object], special: Mapping[Cell, object]) -> None:
        self._special = dict(special)
        self._known = {cell: value for cell, value in special.items() if value.__class__ is not Refusal}
        super().__init__(self._known)
        self._parse = parse
        self._refused = False
        self._misses = 0

    def __missing__(self, cell: Cell) -> object:
        self._misses += 1
        text = cell.strip() if cell else ""
        value = self._special[text] if text in self._special else self._parse(text)
        if value.__class__ is Refusal:
            self._refused = True
            return None
        if len(self) >= _KEPT:
            self.clear()
            self.update(self._known)
        self[cell] = value
        return value

    def values_of(self, cells: Sequence[Cell]) -> list[object]:
        return list(map(self.__getitem__, cells))

    def refusal(self, cell: Cell) -> Refusal | None:
        text = cell if cell in self._special else cell.strip() if cell else ""
        value = self._special[text] if text in self._special else self._parse(text or "")
        return value if isinstance(value, Refusal) else None

    def refused(self) -> bool:
        refused, self._refused = self._refused, False
        return refused


class _Instants(_Parsed):
    """As `_Parsed`; once most cells of a batch were new, whole batches are tried without the look-up."""

    def __init__(
        self,
        parse: Callable[[str], object],
        special: Mapping[Cell, object],
        bulk: Callable[[Sequence[str]], list[datetime]],
        instead: str,
    ) -> None:
        super().__init__(parse, special)
        self._instead = instead
        self._bulk = bulk
        self._mixed = True
        # A date may stand for "none": then each cell has to be looked at.
        self._dated = any(isinstance(parse(text), datetime) for text in special if text)

    def values_of(self, cells: Sequence[Cell]) -> list[object]:
        if not self._mixed:
            try:
                return self._in_bulk(cast("Sequence[str]", cells))
            except (TypeError, ValueError):
                pass  # some cell has an offset of its own, or is no ISO stamp
        self._misses = 0
        values = super().values_of(cells)
        self._mixed = self._dated or self._misses * 2 < len(cells)
        return values

    def _in_bulk(self, cells: Sequence[str]) -> list[object]:
        if "" not in cells or isinstance(self._special.get(""), Refusal):
            return cast("list[object]", self._bulk(cells))
        blank, stamps = self._known[""], iter(self._bulk([cell for cell in cells if cell != ""]))
        return [blank if cell == "" else next(stamps) for cell in cells]

    def refusal(self, cell: Cell) -> Refusal | None:
        said = super().refusal(cell)
        if said is None or said is BLANK or any(map(str.isdigit, cell or "")):
            return said
        if isinstance(self._special.get(""), Refusal):  # nothing may be unknown
            return said
        # Words: they say that nobody knows, or that there is none.
        return said._replace(remedy=f"{self._instead}{said.remedy}, or list it under [values] unknown")


class _Texts:
    """Text as it stands, without the blanks around it: mostly distinct, so nothing is kept."""

    def __init__(self, special: Mapping[Cell, object], refuse: Callable[[str], Refusal] | None = None) -> None:
        self._special = {"": None, **special}
        self._refuse = refuse
        self._refused = False

    def values_of(self, cells: Sequence[Cell]) -> list[object]:
        texts = stripped(cells)
        if self._special.keys().isdisjoint(texts):
            return cast("list[object]", texts)
        self._refused = self._refuse is not None
        return list(map(self._special.get, texts, texts))

    def refusal(self, cell: Cell) -> Refusal | None:
        text = None if cell is None else cell.strip()
        return self._refuse(text or "") if self._refuse and text in self._special else None

    def refused(self) -> bool:
        refused, self._refused = self._refused, False
        return refused


def stripped(cells: Sequence[Cell]) -> list[Cell]:
    """The cells without the blanks around them."""
    if None in cells:
        return [None if cell is None else cell.strip() for cell in cells]
    return list(map(str.strip, cast("Sequence[str]", cells)))


def column(spec: FactSpec, map: Map) -> Column:  # noqa: A002  # the domain's word
    """The reader of a fact's cells."""
    special: dict[Cell, object] = {None: None, **dict.fromkeys(map.missing), **dict.fromkeys(map.unknown, UNKNOWN)}
    if spec.filled:
        special = {text: _is_missing(text or "") for text in ("", *special)}
    if spec.kind == "id":
        return _column(_Texts(special, _no_id))
    if spec.kind == "text":
        return _column(_Texts(special, _is_missing if spec.filled else None))
    return _column(_parsed(spec, map, special))


def _is_missing(text: str) -> Refusal:
    return Refusal("says nothing" if text else "is empty", "fill it in, or leave such rows out: --skip-bad")


def _column(reader: _Parsed | _Texts) -> Column:
    return Column(reader.values_of, reader.refusal, reader.refused)


def _parsed(spec: FactSpec, map: Map, special: dict[Cell, object]) -> _Parsed:  # noqa: A002
    if spec.kind == "code":
        return _code_reader(spec, map.codes.get(spec.name), special)
    if spec.kind == "money":
        return _Parsed(_amount, {"": None, **special})
    if spec.kind == "decimal":
        return _Parsed(decimal, special)
    if spec.kind == "flag":
        return _Parsed(_flag, special)
    instant = instant_parser(map.zone, map.formats)
    if spec.kind == "protection":
        return _Instants(_protection(instant), special, bulk_parser(map.zone), _NO_DATE)
    return _Instants(instant, special, bulk_parser(map.zone), "")


def _no_id(text: str) -> Refusal:
    return Refusal("is no id" if text else "is empty", "every row needs an id of its own")


def _amount(text: str) -> Decimal | str:
    # Shown, never decided on: what is no number is shown as it stands.
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def _flag(text: str) -> bool | Refusal:
    value = _FLAGS.get(text.casefold())
    if value is not None:
        return value
    return Refusal("is neither true nor false", "write true or false") if text else BLANK


def _protection(instant: Callable[[str], datetime | Refusal]) -> Callable[[str], datetime | Refusal | None]:
    def protection(text: str) -> datetime | Refusal | None:
        value = instant(text)
        if value.__class__ is not Refusal:
            return value
        truth = _TRUTH.get(text.casefold())
        if truth is not None:
            return OPEN_ENDED if truth else None
        return value

    return protection


def _code_reader(spec: FactSpec, table: Mapping[str, str] | None, special: dict[Cell, object]) -> _Parsed:
    # The user's own word for a blank or "NA" goes before [values]; "*" comes last and is no word for nothing.
    codes = {code: code for code in spec.codes} if table is None else dict(table)
    rest = codes.pop("*", None)
    free = table is None and not spec.codes
    missing = {text for text, value in special.items() if value is None} | {"", None}
    known = {text: value for text, value in special.items() if value is not None or not spec.codes}
    known.update((theirs, ours) for theirs, ours in codes.items())

    def parse(text: str) -> object:
        if text in missing:
            return Refusal(f"is missing: no {spec.name}", f"fill it in, or {_code_remedy(text, spec)}", once=True)
        if free:
            return text
        if rest is not None:
            return rest
        near = did_you_mean(text, codes)
        remedy = f"{near} {_code_remedy(text, spec)}".strip()
        return Refusal(f"is no {spec.name} that the map knows", remedy, once=True)

    return _Parsed(parse, known)


def _code_remedy(text: str, spec: FactSpec) -> str:
    *most, last = [f'"{code}"' for code in spec.codes] or ['"…"']
    ours = f"{', '.join(most)} or {last}" if most else last
    return f"add {dumps(text, ensure_ascii=False)} = {ours} to [codes.{spec.name}]"
