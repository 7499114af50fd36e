"""What a file that cannot be used was probably meant to be: another delimiter, another encoding. Only ever advice."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Collection
from json import dumps
from typing import Final

__all__ = ["encodings", "excel_delimiter", "is_excel_line", "other_delimiter"]

_DELIMITERS: Final = ",;\t|"
_QUOTED: Final = re.compile(r'"[^"]*"?')
_EXCEL: Final = re.compile(r"\ufeff?sep=([^\w\s\"\0]|\t)?\s*", re.IGNORECASE)
_HEAD: Final = 1 << 16
_HEADER_SHOWN: Final = 60
_RUN: Final = re.compile(rb"[\x80-\xff]+")
_EDGE: Final = re.compile(rb"[,;|\t\r\n\"]")
_AROUND: Final = 24


def _first_lines(head: bytes, encoding: str) -> list[tuple[int, str]]:
    # The numbered lines that are not blank; none where the encoding is wrong: that is told first.
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head[:_HEAD]).removeprefix("\ufeff")
    except UnicodeError:
        return []
    lines = enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1)
    return [(number, line) for number, line in lines if line.strip(f" {_DELIMITERS}")]


def is_excel_line(line: str) -> bool:
    """Whether a line is ``sep=;``, which tells Excel the delimiter and is no header."""
    return _EXCEL.fullmatch(line) is not None


def excel_delimiter(head: bytes, encoding: str) -> str | None:
    """The delimiter that a first line ``sep=;`` tells."""
    lines = _first_lines(head, encoding)
    found = _EXCEL.fullmatch(lines[0][1]) if lines else None
    return found[1] if found else None


def other_delimiter(
    head: bytes, encoding: str, delimiter: str, mapped: Collection[str]
) -> tuple[int, str, tuple[str, str]] | None:
    """Line, text, problem and remedy of a header that holds no `mapped` name and another delimiter more often."""
    lines = [(number, line) for number, line in _first_lines(head, encoding) if not is_excel_line(line)]
    if not lines:
        return None
    number, line = lines[0]
    names = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
    if not {name.strip() for name in names}.isdisjoint(mapped):
        return None
    bare = _QUOTED.sub("", line)
    best = max(_DELIMITERS, key=bare.count)
    if bare.count(best) <= bare.count(delimiter):
        return None
    cells = bare.count(delimiter) + 1
    problem = f"is {cells} cell{'s' * (cells > 1)} split at {dumps(delimiter)}, {bare.count(best) + 1} at {dumps(best)}"
    shown = line if len(line) <= _HEADER_SHOWN else f"{line[:_HEADER_SHOWN]}…"
    return number, shown, (problem, f"write delimiter = {dumps(best)} under [file] of the map")


def encodings(content: bytes, start: int, encoding: str) -> str:
    """The encodings in which the bytes that are not `encoding` from `start` on may be, and how they read in each."""
    left = max([found.end() for found in _EDGE.finditer(content, 0, start)] + [start - _AROUND, 0])
    edge = _EDGE.search(content, start)
    sample = content[left : min(edge.start() if edge else len(content), start + _AROUND)]
    rest = content[left:]
    own = codecs.lookup(encoding).name
    if own != "utf-8" and _reads(rest, "utf-8"):
        return _said(["utf-8"], sample)
    # Single bytes speak for a European page, pairs for a Chinese one.
    runs = [len(run) for run in _RUN.findall(rest)]
    western = 2 * runs.count(1) > len(runs)
    likely = ["cp1252", "gb18030"] if western else ["gb18030", "cp1252"]
    candidates = [name for name in likely if codecs.lookup(name).name != own]
    return _said([name for name in candidates if _reads(rest, name)] or candidates, sample)


def _reads(content: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(content)
    except UnicodeError:
        return False
    return True


def _said(names: list[str], sample: bytes) -> str:
    read = [f'"{name}"' + (f" (reads {sample.decode(name, 'replace')!r})" if sample else "") for name in names]
    return f"write encoding = {' or '.join(read)} under [file] of the map, or save the file as CSV UTF-8"
