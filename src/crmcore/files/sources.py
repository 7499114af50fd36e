"""
Opening a data file: bytes counted, text decoded, what is no text refused with what to do.

`Source` hands out physical lines; `Ledger` keeps the faults of a file.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

import attrs

from crmcore.errors import FAULTS_SHOWN, Fault, InvalidFile
from crmcore.files.guesses import encodings
from crmcore.files.toml import cannot_read

__all__ = ["JSON_ARRAY", "MARK", "Ledger", "Saying", "Source", "line_ends", "opened"]

MARK: Final = "\udcff"
"""Stands for bytes that could not be decoded, where these are skipped; no text has it."""

Saying: TypeAlias = tuple[str, str]
"""A problem and its remedy."""

_KEPT: Final = 1000
_ALIKE: Final = 4
_CHUNK: Final = 1 << 17
_UTF8_BOM: Final = codecs.BOM_UTF8
_UTF16_BOMS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_AS_CSV: Final = "save it as CSV UTF-8 and give that file"
_PARQUET: Final = ("is Parquet, which cannot be read from a stream", "give the path of the file")
_WORKBOOK: Final = ("is a spreadsheet, not text", _AS_CSV)
_JSON: Final = ("is JSON, not JSON Lines", "rename to .jsonl and write one object per line")
JSON_ARRAY: Final = ("is one JSON list, not JSON Lines", "write one object per line, without the list around them")
_NUL: Final = ("has a NUL byte", 'the file is damaged, or UTF-16: write encoding = "utf-16" under [file] of the map')
_BY_SUFFIX: Final = {
    ".xlsx": _WORKBOOK,
    ".xlsm": _WORKBOOK,
    ".xlsb": _WORKBOOK,
    ".xls": _WORKBOOK,
    ".ods": _WORKBOOK,
    ".et": _WORKBOOK,
    ".json": _JSON,
}
_BY_HEAD: Final = (
    (b"PK\x03\x04", ("is a spreadsheet or a zip archive, not text", _AS_CSV)),
    (b"\xd0\xcf\x11\xe0", _WORKBOOK),
    (b"PAR1", _PARQUET),
    (b"\x1f\x8b", ("is compressed", "decompress it first")),
)


class _Marker:
    """The decoding errors that were passed over, in any source: more than before means that cells must be looked at."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, error: UnicodeError) -> tuple[str, int]:
        self.count += 1
        return MARK, error.end if isinstance(error, UnicodeDecodeError) else 0


_MARKER: Final = _Marker()
codecs.register_error("crmcore-mark", _MARKER)


@attrs.define
class _Alike:
    """Faults of one column with one remedy: the first few, the rest counted."""

    detail: str
    once: bool
    count: int = 0
    last: int = 0
    kept: list[tuple[int, Fault]] = attrs.field(factory=list)

    def told(self) -> list[tuple[int, Fault, int]]:
        """Line, fault, and how many faults it stands for."""
        if self.once and self.count > 1:
            (line, fault), more = self.kept[0], self.count - 1
            problem = f"{fault.problem} (and {more} more row{'s' * (more > 1)})"
            return [(line, attrs.evolve(fault, problem=problem), self.count)]
        if self.count <= _ALIKE:
            return [(line, fault, 1) for line, fault in self.kept]
        *first, (line, _) = self.kept
        place = ", ".join(filter(None, (f"lines {line} to {self.last}", self.detail)))
        rest = self.count - len(first)
        told = [(at, fault, 1) for at, fault in first]
        return [*told, (line, Fault(place, None, f"{rest} more like these"), rest)]


@attrs.define
class Ledger:
    """The faults of one file, all counted; of those alike only the first kept, of all others the first thousand."""

    path: str
    count: int = 0
    fatal: bool = False
    """Nothing after the last fault could be read."""
    _alike: dict[object, _Alike] = attrs.field(factory=dict, init=False)
    _kept: int = attrs.field(default=0, init=False)

    def add(self, line: int, detail: str, value: object, said: Saying, *, once: bool = False) -> None:
        """
        Notes a fault of a line (0: of the file), with a detail of the place such as ``column created``.

        `once`: all faults of this value are told as one.
        """
        self.count += 1
        key = (detail, said[1], value if once else None)
        alike = self._alike.get(key)
        if alike is None:
            if self._kept >= _KEPT:
                return
            alike = self._alike[key] = _Alike(detail, once)
        alike.count += 1
        alike.last = line
        if len(alike.kept) < (1 if once else _ALIKE):
            self._kept += 1
            place = ", ".join(filter(None, (f"line {line}" if line else "file", detail)))
            alike.kept.append((line, Fault(place, value, *said)))

    def _told(self) -> list[tuple[int, Fault, int]]:
        told = [each for alike in self._alike.values() for each in alike.told()]
        return sorted(told, key=itemgetter(0))

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Those kept, by line; many of one kind end in one that counts the rest."""
        return tuple(fault for _, fault, _ in self._told())

    def error(self) -> InvalidFile:
        """All of it as one error."""
        told = self._told()
        # What is printed stands for this many; each fault behind it counts as one.
        printed = sum(count for *_, count in told[:FAULTS_SHOWN])
        not_kept = self.count - printed - len(told[FAULTS_SHOWN:])
        return InvalidFile(self.path, tuple(fault for _, fault, _ in told), not_kept)


class _Counted(io.BufferedIOBase):
    """A binary stream that counts what was read and notices NUL bytes."""

    def __init__(self, stream: BinaryIO) -> None:
        self.head = self._rest = stream.read(_CHUNK)
        self.count = 0
        self.nul = False
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read1(self, _size: int = -1, /) -> bytes:
        chunk, self._rest = self._rest or self._stream.read(_CHUNK), b""
        self.count += len(chunk)
        self.nul = self.nul or b"\0" in chunk
        return chunk


class Source:
    """A file's text, line by line, with the places of what is wrong with it."""

    def __init__(self, stream: BinaryIO, total: int | None, encoding: str, ledger: Ledger, *, lenient: bool) -> None:
        codec = codecs.lookup(encoding).name
        self.encoding = encoding
        self.total = total
        """The size in bytes, where it is known."""
        self._ledger = ledger
        self._marked = _MARKER.count
        self._bytes = _Counted(stream)
        self._wide = codec.startswith(("utf-16", "utf-32"))
        self._check(codec)
        self.text = io.TextIOWrapper(
            self._bytes,  # type: ignore[type-var]  # it has read1, which is all that the wrapper calls
            encoding="utf-8-sig" if codec == "utf-8" else encoding,
            errors="crmcore-mark" if lenient else "strict",
            newline="",
        )
        """The lines, their ends as they are in the file."""

    @property
    def read(self) -> int:
        """How many bytes were taken from the file so far."""
        return self._bytes.count

    @property
    def head(self) -> bytes:
        """The file's first bytes."""
        return self._bytes.head

    @property
    def suspect(self) -> bool:
        """Whether a cell may hold a NUL or a `MARK`."""
        return self._wide or self._bytes.nul or _MARKER.count != self._marked

    def _check(self, codec: str) -> None:
        problem = next((said for magic, said in _BY_HEAD if self.head.startswith(magic)), None)
        if problem is None and not self.head.strip():
            problem = ("is empty", "export it again: even without rows it has a header")
        elif problem is None and self.head.startswith(_UTF8_BOM) and not codec.startswith("utf"):
            problem = (f"is UTF-8, not {self.encoding}", 'write encoding = "utf-8" under [file] of the map')
        elif problem is None and self.head.startswith(_UTF16_BOMS) and not self._wide:
            problem = (f"is UTF-16, not {self.encoding}", 'write encoding = "utf-16" under [file] of the map')
        if problem:
            self._ledger.add(0, "", None, problem)
            raise self._ledger.error()

    def undecodable(self, error: UnicodeDecodeError, lines: int) -> None:
        """Notes bytes that are not in the encoding, found after `lines` whole lines; nothing after them is read."""
        before = error.object[: error.start].decode(self.encoding, "replace")
        line = lines + 1 + sum(1 for text in io.StringIO(before, newline="") if text.endswith(("\n", "\r")))
        offset = self.read - len(error.object) + error.start
        shown = error.object[error.start : error.end]
        self._ledger.fatal = True
        said = (f"is not {self.encoding}", encodings(error.object, error.start, self.encoding))
        self._ledger.add(line, f"byte {offset}", shown, said)

    def unreadable(self, text: str) -> Saying | None:
        """What is wrong with a text of a suspect source, if anything is."""
        if MARK in text:
            return f"is not {self.encoding}", self._other_encoding
        return _NUL if "\0" in text else None

    @cached_property
    def _other_encoding(self) -> str:
        # Where bad bytes are passed over, the first of them are looked up in the head of the file.
        try:
            codecs.getincrementaldecoder(self.encoding)().decode(self.head)
        except UnicodeDecodeError as error:
            return encodings(self.head, error.start, self.encoding)
        return encodings(b"", 0, self.encoding)


@contextmanager
def opened(path: str, encoding: str, ledger: Ledger, *, lenient: bool) -> Iterator[Source]:
    """The source of a path; ``-`` is standard input, which stays open."""
    if (said := _BY_SUFFIX.get(Path(path).suffix.casefold())) is not None:
        ledger.add(0, "", None, said)
        raise ledger.error()
    if path == "-":
        yield Source(sys.stdin.buffer, None, encoding, ledger, lenient=lenient)
        return
    try:
        stream = Path(path).open("rb")  # noqa: SIM115  # closed below; only the opening is judged here
    except (OSError, ValueError) as error:
        raise cannot_read(path, error) from None
    with stream:
        size = os.fstat(stream.fileno()).st_size
        yield Source(stream, size, encoding, ledger, lenient=lenient)


def line_ends(texts: Iterable[str]) -> int:
    """How many line ends stand inside the cells of a record."""
    joined = ",".join(texts)
    ends = joined.count("\n")
    return ends if "\r" not in joined else ends + joined.count("\r") - joined.count("\r\n")
