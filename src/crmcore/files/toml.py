"""
Strict TOML: typed getters that note every fault with its key path, so that a file is refused once and completely.

`Section` is a table being read; `Reader` is the whole document. The map uses them here and the policy book above.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime, time
from difflib import get_close_matches
from json import dumps
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final

import attrs

from crmcore.errors import Fault, InvalidFile

__all__ = ["Reader", "Section", "TomlFault", "cannot_read", "did_you_mean", "key_path", "read_toml"]

_WIDEST: Final = 60

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+(\[\d+\])?")
_AT: Final = re.compile(r" \((at line (\d+), column (\d+)|at end of document)\)$")
_BOM_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_KINDS: Final = {
    dict: "a table",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean 'owner'?``, or nothing where no known word is near."""
    spellings: dict[str, str] = {}
    for name in known:
        spellings.setdefault(_plain(name), name)
    near = get_close_matches(_plain(word), spellings, n=1, cutoff=0.6)
    return f"did you mean {spellings[near[0]]!r}?" if near else ""


def _plain(word: str) -> str:
    return re.sub(r"[\s_-]+", "", word).casefold()


def key_path(*keys: str) -> str:
    """The keys joined as TOML writes them: ``ownership.cap.per_owner."u.17"``."""
    return ".".join(key if _BARE.fullmatch(key) else dumps(key, ensure_ascii=False) for key in keys)


def cannot_read(path: str, error: OSError | ValueError) -> InvalidFile:
    """A missing path, a folder or a refused permission, as the error that a user reads."""
    reason = getattr(error, "strerror", None) or str(error)
    remedy = "give the path of a file that can be read"
    if isinstance(error, FileNotFoundError):
        remedy = _sibling(Path(path)) or remedy
    return InvalidFile(path, (Fault("file", None, f"cannot be read: {reason}", remedy),))


def _sibling(path: Path) -> str:
    try:
        return did_you_mean(path.name, (entry.name for entry in path.parent.iterdir()))
    except OSError:
        return ""


def read_toml(path: str | PathLike[str], text: str | None = None) -> dict[str, Any]:
    """
    The document as TOML reads it; `text`, where given, is read instead of the file.

    Raises InvalidFile where there is no such file, it is not UTF-8 (a byte order mark is accepted), or not TOML.
    """
    name = fspath(path)
    source = _read_text(name) if text is None else text
    try:
        return tomllib.loads(source.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise InvalidFile(name, (_syntax_fault(str(error), source),)) from None
    except RecursionError:
        raise InvalidFile(name, (Fault("file", None, "is nested too deeply", "flatten it"),)) from None


def _read_text(name: str) -> str:
    try:
        content = Path(name).read_bytes()
    except (OSError, ValueError) as error:
        raise cannot_read(name, error) from None
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        shown = content[error.start : error.end]
        kind = "is UTF-16" if content.startswith(_BOM_UTF16) else "is not UTF-8"
        fault = Fault(f"line {line}, byte {error.start}", shown, kind, "save the file as UTF-8")
        raise InvalidFile(name, (fault,)) from None


def _syntax_fault(message: str, source: str) -> Fault:
    at = _AT.search(message)
    problem = f"is not TOML: {message[: at.start()] if at else message}"
    lines = source.splitlines() or [""]
    if at is None or at[2] is None:
        remedy = "write each key once" if "overwrite" in problem else "the file ends too early: close what is open"
        return Fault(f"line {len(lines)}", lines[-1].strip(), problem, remedy)
    number = int(at[2])
    line = lines[number - 1].strip() if number <= len(lines) else ""
    return Fault(f"line {number}, column {at[3]}", line, problem, _syntax_remedy(line))


def _syntax_remedy(line: str) -> str:
    key, equals, value = (part.strip() for part in line.partition("="))
    if equals and not _BARE.fullmatch(key) and not key.startswith(('"', "'")):
        return f"write the key in quotes: {dumps(key, ensure_ascii=False)} = {value}"
    return f'write text in quotes: {key} = "{value}"' if equals and value[:1].isalpha() else ""


@attrs.frozen
class TomlFault(Fault):
    """A fault of a value in a TOML document, which it prints as TOML writes it."""

    def __str__(self) -> str:
        if not isinstance(self.value, dict | list | date | time | bool):
            return super().__str__()
        return str(Fault(self.place, None, f"{_written(self.value)} {self.problem}", self.remedy))


def _written(value: object) -> str:
    text = _inline(value)
    return text if len(text) <= _WIDEST else f"{text[:_WIDEST]}…"


def _inline(value: object) -> str:
    if isinstance(value, dict):
        pairs = [f"{key_path(key)} = {_inline(entry)}" for key, entry in value.items()]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, date | time):
        return value.isoformat()
    return dumps(value, ensure_ascii=False)


class Section:
    """
    One table of a TOML document, read key by key.

    A getter that finds the wrong kind of value notes a `Fault` with the key path and returns its default;
    `finish` notes every key that nobody asked for, here and in all tables taken from here.
    """

    def __init__(self, table: Mapping[str, Any], keys: tuple[str, ...], faults: list[Fault], *, present: bool) -> None:
        self.keys = keys
        """The keys that lead here."""
        self.present = present
        """Whether the document has this table at all."""
        self._table = table
        self._faults = faults
        self._asked: dict[str, None] = {}
        self._children: list[Section] = []

    def __contains__(self, key: str) -> bool:
        return key in self._table

    def place(self, key: str) -> str:
        """The full path of a key of this table."""
        return key_path(*self.keys, key)

    def fault(self, key: str, problem: str, remedy: str = "") -> None:
        """Notes a fault of a key's value."""
        self._faults.append(TomlFault(self.place(key), self._table.get(key), problem, remedy))

    def fault_below(self, path: str, value: object, problem: str, remedy: str = "") -> None:
        """Notes a fault of a value somewhere below this table, at a `path` such as ``week.mon[0]``."""
        place = ".".join(filter(None, (key_path(*self.keys), path)))
        self._faults.append(TomlFault(place, value, problem, remedy))

    def any(self, key: str, default: Any = None) -> Any:
        """The value as TOML read it."""
        self._asked[key] = None
        return self._table.get(key, default)

    def _typed(self, key: str, kind: type[Any] | tuple[type[Any], ...], expected: str, remedy: str) -> Any:
        value = self.any(key)
        if value is None or (isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool)):
            return value
        self.fault(key, f"is {_kind(value)}, not {expected}", remedy)
        return None

    def text(self, key: str, default: str | None = None) -> str | None:
        """Text, or `default` where the key is absent or faulty."""
        value = self._typed(key, str, "text", f'write it in quotes: {key} = "…"')
        return default if value is None else str(value)

    def boolean(self, key: str, *, default: bool = False) -> bool:
        """``true`` or ``false``."""
        value = self._typed(key, bool, "true or false", f"write {key} = true or {key} = false, without quotes")
        return default if value is None else bool(value)

    def integer(self, key: str, default: int | None = None) -> int | None:
        """A whole number."""
        value = self._typed(key, int, "a whole number", f"write {key} = 100, without quotes")
        return default if value is None else int(value)

    def date(self, key: str, default: date | None = None) -> date | None:
        """A date without a time of day."""
        value = self.any(key)
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        if isinstance(value, str) and _DATE.fullmatch(value):
            with suppress(ValueError):
                return date.fromisoformat(value)
        if value is not None:
            self.fault(key, f"is {_kind(value)}, not a date", f"write {key} = 2026-01-31, without quotes or a time")
        return default

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of texts."""
        value = self._typed(key, list, "a list of texts", f'write {key} = ["…", "…"]')
        if value is None:
            return default
        if wrong := [entry for entry in value if not isinstance(entry, str)]:
            self.fault(key, f"has an entry that is no text: {_written(wrong[0])}", "write every entry in quotes")
            return default
        return tuple(value)

    def mapping(self, key: str) -> dict[str, str]:
        """A table whose values are all texts, under keys of the user's own; empty where absent."""
        section = self.table(key)
        pairs = {name: section.text(name) for name in section.names()}
        return {name: value for name, value in pairs.items() if value is not None}

    def table(self, key: str) -> Section:
        """A table below this one; an empty one where it is absent."""
        value = self._typed(key, dict, "a table", f"write [{self.place(key)}]")
        return self._child(value or {}, (*self.keys, key), present=value is not None)

    def tables(self, key: str) -> tuple[Section, ...]:
        """A list of tables, ``[[…]]``; their paths are numbered from 0."""
        value = self._typed(key, list, "a list of tables", f"write [[{self.place(key)}]]")
        if not all(isinstance(entry, dict) for entry in value or ()):
            self.fault(key, "has an entry that is no table", f"write [[{self.place(key)}]]")
            return ()
        numbered = enumerate(value or ())
        return tuple(self._child(entry, (*self.keys, f"{key}[{number}]"), present=True) for number, entry in numbered)

    def names(self) -> tuple[str, ...]:
        """The keys that the document has here, in its order."""
        return tuple(self._table)

    def _child(self, table: Mapping[str, Any], keys: tuple[str, ...], *, present: bool) -> Section:
        child = Section(table, keys, self._faults, present=present)
        self._children.append(child)
        return child

    def finish(self) -> None:
        """Notes each key that no getter asked for, with the nearest one that was."""
        for key in [name for name in self._table if name not in self._asked]:
            known = [name for name in self._asked if name not in self._table] or list(self._asked)
            remedy = did_you_mean(key, known) or _listed(self._asked)
            self.fault(key, "is no key of " + (f"[{key_path(*self.keys)}]" if self.keys else "this file"), remedy)
        for child in self._children:
            child.finish()


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a date or time")


def _listed(asked: Iterable[str]) -> str:
    return f"keys here: {', '.join(asked)}" if asked else "this table has no keys; remove it"


class Reader(Section):
    """A whole document: the root table and the faults of all its sections; `data` is read instead of the file."""

    def __init__(
        self, path: str | PathLike[str], text: str | None = None, data: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(read_toml(path, text) if data is None else data, (), [], present=True)
        self.path = fspath(path)
        """The file's name, as errors print it."""

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What was found so far."""
        return tuple(self._faults)

    def expect(self, key: str, *, other: str, problem: str, remedy: str) -> None:
        """Raises InvalidFile with this one fault where the document lacks `key` and has `other`."""
        if other in self and key not in self:
            raise InvalidFile(self.path, (Fault("file", None, problem, remedy),))

    def schema(self, number: int = 1) -> None:
        """Checks ``schema = 1``."""
        value = self.any("schema")
        if value is None:
            self.fault("schema", "is missing", f"add schema = {number}")
        elif type(value) is not int or value != number:
            self.fault("schema", f"is not a schema that this version reads ({number})", f"write schema = {number}")

    def raise_if_any(self) -> None:
        """Raises InvalidFile with every fault noted so far."""
        if self._faults:
            raise InvalidFile(self.path, self.faults)

    def done(self) -> None:
        """`finish`, then `raise_if_any`."""
        self.finish()
        self.raise_if_any()
