"""CSV and JSON Lines as batches of columns, each record with the line on which it starts."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate, islice
from typing import Any, Final, Protocol

import attrs

from crmcore.files.cells import Cell
from crmcore.files.guesses import is_excel_line
from crmcore.files.sources import Ledger, Saying, Source, line_ends

__all__ = ["Batch", "Delimited", "JsonLines", "Table"]

_ROWS: Final = 256  # few enough to stay in the processor's cache: with 4096 reading takes twice as long
_HEADED: Final = 4096
_UNQUOTED: Final = "quote the cells that hold a delimiter or a line end"
_ENDLESS: Final = "close the quote that opens on this line; a quote inside a cell is written twice"
_ONE_OBJECT: Final = "write one JSON object per line"
_HALF: Final = re.compile("[\ud800-\udfff]")
_LATE: Final[Saying] = (
    f"is a key that none of the first {_HEADED} lines has",
    "write the key in the first line too, with null where there is none",
)


@attrs.frozen
class Batch:
    """Some records: the wanted columns, and per record the line on which it starts."""

    columns: Sequence[Sequence[Cell]]
    lines: Sequence[int]
    torn: int = 0
    """How many more records stood here that cannot be taken apart; their faults are in the ledger."""
    plain: int = 0
    """How many more were counted in columns."""


class Table(Protocol):
    """A file that has been opened, its header read."""

    header: tuple[str, ...]
    line: int
    """The line of the header."""

    def batches(self, wanted: Sequence[int], late: Collection[str]) -> Iterator[Batch]:
        """The records, only the `wanted` columns (places in the header); `late` names must not turn up any more."""
        ...


class Delimited:
    """CSV or TSV."""

    def __init__(self, source: Source, delimiter: str, ledger: Ledger) -> None:
        self._source = source
        self._ledger = ledger
        # A blank after a delimiter is never part of a cell: cells are compared without the blanks around them.
        self._reader = csv.reader(source.text, delimiter=delimiter, strict=True, skipinitialspace=True)
        self._more = True
        self.header: tuple[str, ...] = ()
        self.line = 1
        while self._more and not self.header:
            rows, self.line, _ = self._take(1)
            if rows and any(map(str.strip, rows[0])) and not is_excel_line(delimiter.join(rows[0])):
                self.header = tuple(name.strip().removeprefix("\ufeff") for name in rows[0])
        ledger.fatal = ledger.count > 0

    def batches(self, wanted: Sequence[int], late: Collection[str]) -> Iterator[Batch]:  # noqa: ARG002
        """The records, only the `wanted` columns."""
        while self._more:
            rows, first, torn = self._take(_ROWS)
            lines: Sequence[int] = range(first, first + len(rows))
            if self._reader.line_num - first + 1 != len(rows):
                lines = list(accumulate((1 + line_ends(row) for row in rows), initial=first))[: len(rows)]
            columns = self._columns(rows)
            # A row of delimiters only has nothing in the first wanted column, which mostly is the id.
            if columns is None or (wanted and "" in columns[wanted[0]]):
                rows, lines, uneven = self._sifted(rows, lines)
                columns, torn = list(zip(*rows, strict=True)), torn + uneven
            yield Batch([columns[index] if columns else () for index in wanted], lines, torn)

    def _take(self, count: int) -> tuple[list[list[str]], int, int]:
        first, rows, torn = self._reader.line_num + 1, [], 0
        try:
            for row in islice(self._reader, count):
                rows.append(row)  # noqa: PERF402  # what was read before an error counts
            self._more = len(rows) == count
        except csv.Error as error:
            torn = 1
            self._malformed(first + sum(1 + line_ends(row) for row in rows), str(error))
        except UnicodeDecodeError as error:
            self._more = False
            self._source.undecodable(error, self._reader.line_num)
        return rows, first, torn

    def _malformed(self, line: int, message: str) -> None:
        self._more = "expected after" in message
        if self._more:
            said = (f"has a quote inside a quoted cell ({message})", "write a quote inside a cell twice")
        elif "field limit" in message:
            said = (f"has a cell of more than {csv.field_size_limit()} characters", _ENDLESS)
        else:
            said = ("has a quote that is never closed", _ENDLESS)
        # What follows an open quote has been swallowed: it would be lost in silence if that were no error.
        self._ledger.fatal = self._ledger.fatal or not self._more
        self._ledger.add(line, "", None, said)

    def _columns(self, rows: list[list[str]]) -> list[tuple[str, ...]] | None:
        if self._source.suspect:
            return None
        try:
            columns = list(zip(*rows, strict=True))
        except ValueError:
            return None
        return columns if len(columns) == len(self.header) else None

    def _sifted(self, rows: list[list[str]], lines: Sequence[int]) -> tuple[list[list[str]], list[int], int]:
        # A line with nothing but delimiters in it is no record.
        records = [(row, line) for row, line in zip(rows, lines, strict=True) if any(map(str.strip, row))]
        whole = [(row, line) for row, line in records if self._whole(row, line)]
        return [row for row, _ in whole], [line for _, line in whole], len(records) - len(whole)

    def _whole(self, row: list[str], line: int) -> bool:
        if len(row) != len(self.header):
            fewer = "fewer" if len(row) < len(self.header) else "more"
            problem = f"has {len(row)} cells, {fewer} than the {len(self.header)} of the header"
            self._ledger.add(line, "", None, (problem, _UNQUOTED))
            return False
        if not self._source.suspect:
            return True
        before = self._ledger.count
        for name, cell in zip(self.header, row, strict=True):
            if said := self._source.unreadable(cell):
                self._ledger.add(line, f"column {name}", cell, said)
        return self._ledger.count == before


class JsonLines:
    """
    One JSON object per line.

    The keys of the first batch are the header. A key that turns up later, where a fact would have been read
    from it, is a fault: the rows before would have been read without it.
    """

    def __init__(self, source: Source, ledger: Ledger) -> None:
        self._source = source
        self._ledger = ledger
        self._lines = enumerate(source.text, 1)
        self._line = 0
        self._more = True
        # Numbers stay as they are written: an id is text, and 1.10 is not 1.1.
        self._decode = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str).decode
        self._first = self._take(_HEADED)
        self.header: tuple[str, ...] = tuple(dict.fromkeys(key for row, _ in self._first[0] for key in row))
        self.line = 1

    def batches(self, wanted: Sequence[int], late: Collection[str]) -> Iterator[Batch]:
        """The records, only the `wanted` keys; null where a record lacks one."""
        names = [self.header[index] for index in wanted]
        late = frozenset(late)
        yield self._batch(*self._first, names, late)
        self._first = ([], 0)
        while self._more:
            yield self._batch(*self._take(_ROWS), names, late)

    def _take(self, count: int) -> tuple[list[tuple[dict[str, Any], int]], int]:
        taken: list[tuple[dict[str, Any] | None, int]] = []
        start = self._line
        try:
            for line, text in islice(self._lines, count):
                self._line = line
                if text.strip("\ufeff \t\r\n"):
                    taken.append((self._object(text.removeprefix("\ufeff"), line), line))
            self._more = self._line - start == count
        except UnicodeDecodeError as error:
            self._more = False
            self._source.undecodable(error, self._line)
        rows = [(row, line) for row, line in taken if row is not None]
        return rows, len(taken) - len(rows)

    def _object(self, text: str, line: int) -> dict[str, Any] | None:
        said = self._source.unreadable(text) if self._source.suspect else None
        if said is None:
            try:
                row = self._decode(text)
            except json.JSONDecodeError as error:
                said = (f"is not JSON: {error.msg} at character {error.pos + 1}", _ONE_OBJECT)
            except RecursionError:
                said = ("is nested too deeply", _ONE_OBJECT)
            else:
                if isinstance(row, dict):
                    return row
                said = ("is not a JSON object", _ONE_OBJECT)
        self._ledger.add(line, "", text[:80].rstrip("\r\n"), said)
        return None

    def _batch(
        self, rows: list[tuple[dict[str, Any], int]], torn: int, names: list[str], late: frozenset[str]
    ) -> Batch:
        sound = [(row, line) for row, line in rows if self._sound(row, line, names, late)]
        columns = [[_text(row.get(name)) for row, _ in sound] for name in names]
        return Batch(columns, [line for _, line in sound], torn + len(rows) - len(sound))

    def _sound(self, row: dict[str, Any], line: int, names: list[str], late: frozenset[str]) -> bool:
        before = self._ledger.count
        for name in names:
            value = row.get(name)
            if isinstance(value, dict | list):
                said = ("is nested", "give text, a number, true, false or null")
                self._ledger.add(line, f"column {name}", value, said)
            elif isinstance(value, str) and _HALF.search(value):
                said = ("has half a surrogate pair", "write the whole character")
                self._ledger.add(line, f"column {name}", value, said)
        for name in late.intersection(row):
            if row[name] is not None:
                self._ledger.add(line, f"column {name}", row[name], _LATE)
        return self._ledger.count == before


def _text(value: str | bool | None) -> Cell:  # noqa: FBT001  # a cell
    return ("true" if value else "false") if isinstance(value, bool) else value
