"""Records of a CSV, TSV, JSON Lines or Parquet file through a `Map`: fact → value, all faults at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, compress
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from crmcore.errors import Fault
from crmcore.files.cells import Cell, Column, column
from crmcore.files.columns import Plain, sieve_of
from crmcore.files.guesses import excel_delimiter, other_delimiter
from crmcore.files.maps import FactSpec, Map
from crmcore.files.parquet import Parquet, is_parquet
from crmcore.files.sources import JSON_ARRAY, Ledger, Source, opened
from crmcore.files.tables import Batch, Delimited, JsonLines, Table
from crmcore.files.toml import did_you_mean

__all__ = ["Progress", "Record", "Records"]

Record: TypeAlias = dict[str, Any]
"""Fact → value: text, an aware UTC instant, a code, a flag, an amount, ``None`` or ``UNKNOWN``."""

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes read so far and the size of the file (``None``: not known)."""

_JSON_LINES: Final = frozenset({".jsonl", ".ndjson"})
_OBJECT: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{")
_ARRAY: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*[{\]]")
_SHOWN: Final = 40
_SKIPPED_KEPT: Final = 1000
_LONG: Final = 200


@attrs.frozen
class _Plan:
    """What is read from a file: per fact with a column its reader, and the function that makes the records."""

    specs: tuple[FactSpec, ...]
    names: tuple[str, ...]
    places: tuple[int, ...]
    readers: tuple[Column, ...]
    ids: tuple[int, ...]
    """Which of them are ids."""
    make: Callable[[Sequence[Sequence[object]]], list[Record]]


class Records:
    """
    The records of a file, as an iterable of dicts with every fact of `specs`; what has no column is ``None``.

    All faults are collected and raised as one InvalidFile *after* the last row: nothing may be written before
    the iteration has ended. With `skip_bad`, rows with faults are left out and counted (of rows with one id, the
    first is kept); what cannot be read at all (no header, an open quote) is still raised. ``-`` is standard input.
    A second iteration reads the file again.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        map: Map,  # noqa: A002  # the domain's word
        specs: Iterable[FactSpec],
        *,
        skip_bad: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self.path = fspath(path)
        self.map = map
        self.specs = tuple(specs)
        self._skip_bad = skip_bad
        self._progress = progress
        self.plain: Plain | None = None
        """
        What may be counted in columns, to be set before the first row is read: a Parquet file of many rows then
        gives only the others. Their faults, lines and counts are the same.
        """
        self._start()

    def _start(self) -> None:
        self.read = 0
        """How many records were read, the skipped ones among them."""
        self.skipped = 0
        """How many of them have faults."""
        self.skipped_ids: dict[str, int] = {}
        """Id → line of the rows left out whose id can be read; of very many, the first thousand."""
        self.columns_used: dict[str, str] = {}
        """Fact → the column it is read from; known once `batches` has returned."""
        self.absent: dict[str, tuple[str, ...]] = {}
        """Fact → the columns that the map names and the file lacks, where it has none of them."""
        self._ledger = Ledger(self.path)
        self._seen: dict[str, dict[object, int]] = {}

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults so far, by line; of many alike the first, of very many the first thousand."""
        return self._ledger.faults

    @property
    def fault_count(self) -> int:
        """How many faults there were so far."""
        return self._ledger.count

    @property
    def unmapped(self) -> tuple[str, ...]:
        """The facts without a column, in the order of `specs`; known once `batches` has returned."""
        return tuple(spec.name for spec in self.specs if spec.name not in self.columns_used)

    def __iter__(self) -> Iterator[Record]:
        return chain.from_iterable(self.batches())

    def batches(self) -> Iterator[list[Record]]:
        """
        The records in lists of up to some thousand, which is faster than one by one.

        The header has been read and checked when this returns.
        """
        batches = self._batches()
        next(batches)
        return batches

    def _batches(self) -> Iterator[list[Record]]:
        self._start()
        with self._opened() as (table, source):
            plan = self._plan(table, source)
            yield []
            for batch in self._sifted(table, plan) or table.batches(plan.places, self._late()):
                yield self._records(plan, batch)
                if self._progress:
                    self._progress(source.read, source.total)
        if self._ledger.count and (self._ledger.fatal or not self._skip_bad):
            raise self._ledger.error()

    def _sifted(self, table: Table, plan: _Plan) -> Iterator[Batch] | None:
        if self.plain is None or not isinstance(table, Parquet):
            return None
        used = {spec.name: place for spec, place in zip(plan.specs, plan.places, strict=True)}
        sieve = sieve_of(table, self.map, {spec: used.get(spec.name) for spec in self.specs}, self.plain)
        return None if sieve is None else table.sifted(plan.places, sieve)

    @contextmanager
    def _opened(self) -> Iterator[tuple[Table, Source | Parquet]]:
        if is_parquet(self.path):
            parquet = Parquet(self.path, self._ledger)
            yield parquet, parquet
            return
        with opened(self.path, self.map.encoding, self._ledger, lenient=self._skip_bad) as source:
            yield self._table(source), source

    def _table(self, source: Source) -> Table:
        suffix = Path(self.path).suffix.casefold()
        lines = suffix in _JSON_LINES
        if (lines or self.path == "-") and _ARRAY.match(source.head):
            self._ledger.add(0, "", None, JSON_ARRAY)
            raise self._ledger.error()
        if lines or (self.path == "-" and _OBJECT.match(source.head)):
            table: Table = JsonLines(source, self._ledger)
        else:
            table = Delimited(source, self._delimiter(source, suffix), self._ledger)
        if not table.header and not self._ledger.count:
            self._ledger.add(1, "", None, ("has no header", "name the columns in the first line"))
        if not table.header or self._ledger.fatal:
            raise self._ledger.error()
        return table

    def _delimiter(self, source: Source, suffix: str) -> str:
        told = self.map.delimiter or excel_delimiter(source.head, self.map.encoding)
        delimiter = told or ("\t" if suffix == ".tsv" else ",")
        mapped = set(chain.from_iterable(self.map.columns.values()))
        if (found := other_delimiter(source.head, self.map.encoding, delimiter, mapped)) is not None:
            line, header, said = found
            self._ledger.add(line, "", header, said)
            raise self._ledger.error()
        return delimiter

    def _plan(self, table: Table, source: Source | Parquet) -> _Plan:
        before = self._ledger.count
        self._check_header(table, source)
        for spec in self.specs:
            self._choose(spec, table)
        if not self.columns_used:
            self._ledger.add(table.line, "", None, ("has no column that the map names", _has(table.header)))
        if self._ledger.count > before:
            raise self._ledger.error()
        used = [spec for spec in self.specs if spec.name in self.columns_used]
        names = tuple(self.columns_used[spec.name] for spec in used)
        return _Plan(
            specs=tuple(used),
            names=names,
            places=tuple(map(table.header.index, names)),
            readers=tuple(column(spec, self.map) for spec in used),
            ids=tuple(index for index, spec in enumerate(used) if spec.kind == "id"),
            make=_maker(tuple(spec.name for spec in used), self.unmapped),
        )

    def _check_header(self, table: Table, source: Source | Parquet) -> None:
        mapped = set(chain.from_iterable(self.map.columns.values()))
        for name, times in Counter(table.header).items():
            if said := source.unreadable(name):
                self._ledger.add(table.line, "", name, said)
            elif times > 1 and name in mapped:
                said = (f"stands {times} times in the header", "rename all but one of them")
                self._ledger.add(table.line, f"column {name}", None, said)

    def _choose(self, spec: FactSpec, table: Table) -> None:
        named = self.map.columns.get(spec.name, ())
        chosen = next((name for name in named if name in table.header), None)
        if chosen is not None:
            self.columns_used[spec.name] = chosen
        elif spec.required:
            taken = set(chain.from_iterable(self.map.columns.values()))
            free = [name for name in table.header if name not in taken]
            near = next(filter(None, (did_you_mean(name, free) for name in named)), "")
            how = f"name it with {spec.option}" if spec.option else f"say which of them is {spec.name} under [columns]"
            remedy = f"{near} {_has(table.header)}; {how}"
            said = ("is not in the file", remedy.strip())
            self._ledger.add(table.line, f"column {' or '.join(named) or spec.name}", None, said)
        elif named:
            self.absent[spec.name] = named

    def _late(self) -> set[str]:
        # Names that a fact would have been read from, had they been in the header.
        late: set[str] = set()
        for spec in self.specs:
            for name in self.map.columns.get(spec.name, ()):
                if name == self.columns_used.get(spec.name):
                    break
                late.add(name)
        return late

    def _records(self, plan: _Plan, batch: Batch) -> list[Record]:
        columns = [reader.values(cells) for reader, cells in zip(plan.readers, batch.columns, strict=True)]
        bad: set[int] = set()
        for place, reader in enumerate(plan.readers):
            if reader.refused():
                bad.update(self._refuse(reader, plan.names[place], batch.columns[place], batch.lines))
        for place in plan.ids:
            ids = columns[place]
            self._skip_ids(bad, ids, batch.lines)
            if bad and self._skip_bad:  # a row that is left out takes no id
                ids = [None if index in bad else value for index, value in enumerate(ids)]
            bad.update(self._repeated(plan.names[place], ids, batch.lines))
        self.read += len(batch.lines) + batch.torn + batch.plain
        self.skipped += len(bad) + batch.torn
        if self._ledger.count and not self._skip_bad:
            return []
        if bad:
            good = [index not in bad for index in range(len(batch.lines))]
            columns = [list(compress(values, good)) for values in columns]
        return plan.make(columns)

    def _refuse(self, reader: Column, name: str, cells: Sequence[Cell], lines: Sequence[int]) -> Iterator[int]:
        for index, cell in enumerate(cells):
            if (said := reader.refusal(cell)) is not None:
                problem, remedy, once = said
                self._ledger.add(lines[index], f"column {name}", _short(cell), (problem, remedy), once=once)
                yield index

    def _skip_ids(self, bad: set[int], ids: Sequence[object], lines: Sequence[int]) -> None:
        for index in sorted(bad):
            if isinstance(value := ids[index], str) and len(self.skipped_ids) < _SKIPPED_KEPT:
                self.skipped_ids.setdefault(value, lines[index])

    def _repeated(self, name: str, ids: Sequence[object], lines: Sequence[int]) -> Iterator[int]:
        seen = self._seen.setdefault(name, {})
        fresh = dict(zip(ids, lines, strict=True))
        if len(fresh) == len(ids) and seen.keys().isdisjoint(fresh):
            seen.update(fresh)
            return
        for index, (value, line) in enumerate(zip(ids, lines, strict=True)):
            if isinstance(value, str) and (first := seen.setdefault(value, line)) != line:
                said = (f"is the id of line {first} too", "keep one of the two rows")
                self._ledger.add(line, f"column {name}", _short(value), said)
                yield index


def _has(header: Sequence[str]) -> str:
    more = f" and {len(header) - _SHOWN} more" if len(header) > _SHOWN else ""
    return f"the file has: {', '.join(header[:_SHOWN])}{more}"


def _short(cell: Cell) -> Cell:
    return cell if cell is None or len(cell) <= _LONG else f"{cell[:_LONG]}…"


def _maker(facts: Sequence[str], others: Sequence[str]) -> Callable[[Sequence[Sequence[object]]], list[Record]]:
    # Generated, because it is called for every row: half the cost of dict(zip(…)). Only names written by repr go in.
    cells = "".join(f"v{index}, " for index in range(len(facts)))
    pairs = [f"{fact!r}: v{index}" for index, fact in enumerate(facts)] + [f"{fact!r}: None" for fact in others]
    maker: Callable[[Sequence[Sequence[object]]], list[Record]] = eval(  # noqa: S307
        f"lambda columns: [{{{', '.join(pairs)}}} for ({cells}) in zip(*columns)]", {"__builtins__": {"zip": zip}}
    )
    return maker
