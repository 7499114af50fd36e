"""A map says what the user's file means: which column is which fact, in which zone, which codes."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from os import PathLike
from typing import Final, Literal, Self, get_args
from zoneinfo import ZoneInfo, available_timezones

import attrs

from crmcore.files.toml import Reader, Section, did_you_mean

__all__ = ["STATUS_CODES", "FactKind", "FactSpec", "Map"]

FactKind = Literal["id", "text", "instant", "code", "flag", "protection", "money", "decimal"]
"""What the cells of a fact are: see `FactSpec`."""

STATUS_CODES: Final = ("open", "won", "lost", "invalid")
"""Ours for the fact `status`."""

_NO_MAP: Final = "it belongs to --policies"
_UTC: Final = ZoneInfo("UTC")
_ENCODINGS: Final = ("utf-8", "gb18030", "gbk", "gb2312", "big5", "utf-16", "cp1252", "latin-1", "shift_jis", "euc-kr")
_SAMPLES: Final = (datetime(2021, 11, 23, 13, 47, tzinfo=UTC), datetime(1999, 2, 5, 13, 47, tzinfo=UTC))
_MEANINGLESS: Final = re.compile(r"(?<!%)(?:%%)*(%[Zcx]|%X)")


@attrs.frozen
class FactSpec:
    """
    A fact that a file may have.

    `kind` is ``id`` (text, never empty, never twice), ``text``, ``instant``, ``protection`` (an instant, ``true``
    for no end, ``false`` for none), ``flag``, ``money`` (shown only), ``decimal`` (an exact number) or ``code``
    (through ``[codes.<name>]``; where `codes` is not empty, the result must be one of them). A `required` fact needs a
    column, one that is `filled` a value in every row. `option` is what names the column on a command line.
    """

    name: str
    kind: FactKind = attrs.field(default="text", validator=attrs.validators.in_(get_args(FactKind)))
    required: bool = False
    codes: tuple[str, ...] = ()
    filled: bool = False
    option: str = ""


@attrs.frozen(kw_only=True)
class Map:
    """The meaning of a file; `Map.load` reads and checks one."""

    path: str = "map"
    encoding: str = "utf-8"
    delimiter: str | None = None
    """``None``: a tab for ``.tsv``, else a comma."""
    zone: ZoneInfo = _UTC
    formats: tuple[str, ...] = ()
    missing: tuple[str, ...] = ("",)
    unknown: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]]
    """Fact → column names, the first that the file has is read."""
    codes: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)
    """Fact → the user's code → ours; ``*`` is the rest."""

    @classmethod
    def load(cls, path: str | PathLike[str], facts: Iterable[FactSpec], text: str | None = None) -> Self:
        """
        The map in a TOML file (or in `text`, with `path` as its name).

        Raises InvalidFile with all faults at once.
        """
        reader = Reader(path, text)
        reader.expect("columns", other="ownership", problem="is a policy book, not a map", remedy=_NO_MAP)
        reader.schema()
        specs = {spec.name: spec for spec in facts}
        file, time, values = reader.table("file"), reader.table("time"), reader.table("values")
        loaded = cls(
            path=reader.path,
            encoding=_encoding(file),
            delimiter=_delimiter(file),
            zone=_zone(time),
            formats=_formats(time),
            missing=_trimmed(values.texts("missing", ("",))),
            unknown=_trimmed(values.texts("unknown")),
            columns=_columns(reader, specs),
            codes=_codes(reader, specs),
        )
        _check_values(values, loaded)
        reader.done()
        return loaded


def _encoding(section: Section) -> str:
    name = section.text("encoding", "utf-8") or ""
    try:
        codecs.getincrementaldecoder(name)
        "a".encode(name).decode(name)
    except (LookupError, ValueError):
        remedy = did_you_mean(name, _ENCODINGS) or f"one of {', '.join(_ENCODINGS)}"
        section.fault("encoding", "is no text encoding", remedy)
        return "utf-8"
    return name


def _delimiter(section: Section) -> str | None:
    delimiter = section.text("delimiter")
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '" \r\n\0'):
        section.fault("delimiter", "is not one character that separates cells", r'write "," or ";" or "\t" or "|"')
        return None
    return delimiter


def _zone(section: Section) -> ZoneInfo:
    name = section.text("zone", "UTC") or ""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        remedy = did_you_mean(name, available_timezones()) or 'write a name such as "Asia/Shanghai"'
        section.fault("zone", "is no time zone", remedy)
        return _UTC


def _formats(section: Section) -> tuple[str, ...]:
    formats = section.texts("formats")
    for form in formats:
        if wrong := _format_problem(form):
            section.fault("formats", f"{form!r} {wrong[0]}", wrong[1])
    return formats


def _format_problem(form: str) -> tuple[str, str] | None:
    if found := _MEANINGLESS.search(form):
        return f"has {found[1]}, which depends on the machine", "write it out: %Y-%m-%d %H:%M:%S %z"
    try:
        read = [datetime.strptime(sample.strftime(form), form) for sample in _SAMPLES]  # noqa: DTZ007
    except (ValueError, re.error, UnicodeError):
        return "is no date format", 'use strptime directives: "%Y/%m/%d %H:%M"'
    if [stamp.date() for stamp in read] != [sample.date() for sample in _SAMPLES]:
        return "does not say year, month and day", "a form needs all three: %Y, %m and %d"
    if any(stamp.hour not in {0, 13} for stamp in read):
        return "has %I without %p", "use %H, or add %p"
    return None


def _columns(reader: Reader, specs: Mapping[str, FactSpec]) -> dict[str, tuple[str, ...]]:
    section = reader.table("columns")
    columns = {fact: _column(section, fact) for fact in section.names()}
    for fact in [name for name in columns if name not in specs]:
        section.fault(fact, "is no fact of this file", _fact_remedy(fact, specs))
    for spec in specs.values():
        if spec.required and spec.name not in columns:
            section.fault(spec.name, "is missing", f'say which column it is: {spec.name} = "…" under [columns]')
    return {fact: names for fact, names in columns.items() if fact in specs}


def _fact_remedy(fact: str, specs: Mapping[str, FactSpec]) -> str:
    remedy = did_you_mean(fact, specs) or f"facts: {', '.join(specs)}"
    protection = fact.removesuffix("_until")
    if protection != fact:
        return f'{remedy}; or list "{protection}" under protected_by in the book'
    return remedy


def _column(section: Section, fact: str) -> tuple[str, ...]:
    value = section.any(fact)
    names = _trimmed(section.texts(fact, ("…",)) if isinstance(value, list) else (section.text(fact, "…") or "",))
    if not names or "" in names:
        section.fault(fact, "names no column", f'write {fact} = "column", or a list of columns')
    return names


def _codes(reader: Reader, specs: Mapping[str, FactSpec]) -> dict[str, dict[str, str]]:
    section = reader.table("codes")
    coded = [spec.name for spec in specs.values() if spec.kind == "code"]
    for fact in section.names():
        if fact not in coded:
            section.any(fact)
            section.fault(fact, "has no codes", did_you_mean(fact, coded) or f"facts with codes: {', '.join(coded)}")
    return {fact: _code_table(section.table(fact), specs[fact]) for fact in section.names() if fact in coded}


def _code_table(section: Section, spec: FactSpec) -> dict[str, str]:
    codes: dict[str, str] = {}
    for theirs in section.names():
        ours = section.text(theirs)
        if ours is not None and spec.codes and ours not in spec.codes:
            remedy = did_you_mean(ours, spec.codes) or f"one of {', '.join(spec.codes)}"
            section.fault(theirs, f"is no {spec.name} of ours", remedy)
        codes[theirs.strip()] = ours or ""
    return codes


def _check_values(section: Section, loaded: Map) -> None:
    if both := [text for text in loaded.unknown if text in loaded.missing and "missing" in section]:
        section.fault("unknown", f"lists {both[0]!r}, which [values] missing lists too", "keep it in one of the two")


def _trimmed(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(text.strip() for text in texts)
