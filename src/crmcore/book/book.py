"""
The policy book: what a team decides by, as one frozen value with a name, a version and a digest.

Attributes follow the tables of the file: ``book.ownership.reclaim`` is ``[ownership.reclaim]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import cached_property
from importlib.resources import files
from os import PathLike
from typing import Any, Final, Self

import attrs

from crmcore.book import calendars as calendar_tables
from crmcore.book.checks import rhythm_findings
from crmcore.book.concepts import CONCEPTS
from crmcore.book.schema import book_schema
from crmcore.calendars import BusinessCalendar
from crmcore.calendars import zone as zone_of
from crmcore.decisions.codes import FindingCode
from crmcore.decisions.decision import Finding
from crmcore.decisions.digest import digest
from crmcore.decisions.frozen import FrozenMap
from crmcore.errors import InvalidCalendar, MissingExtra
from crmcore.files.toml import Reader
from crmcore.ownership.settings import Ownership
from crmcore.value.settings import Value

__all__ = ["PolicyBook"]

STANDARD: Final = "standard"


class Calendars(FrozenMap[str, BusinessCalendar]):
    """The calendars of a book by name; ``book.calendars.office`` is ``book.calendars["office"]``."""

    __slots__ = ()

    def __getattr__(self, name: str) -> BusinessCalendar:
        if name.startswith("_"):  # while it is unpickled it has no items yet
            raise AttributeError(name)
        if name not in self:
            msg = f"this book has no calendar {name!r}; it has: {', '.join(self) or 'none'}"
            raise AttributeError(msg, name=name, obj=self)
        return self[name]


@attrs.frozen(kw_only=True, slots=False)
class PolicyBook:
    """
    A set of policies with a date.

    `zone` is for spans in d, w, mo; ``None``: the map's zone, else UTC. `version` defaults to the effective date, else
    "unversioned". Two books are equal when every policy and calendar is, however the file wrote them.
    """

    name: str = "book"
    effective: date | None = None
    version: str = attrs.field()
    zone: str | None = None
    ownership: Ownership = attrs.field(factory=Ownership)
    value: Value = attrs.field()
    calendars: Calendars = attrs.field(default=Calendars({}), converter=Calendars)
    _declared: Mapping[str, Any] = attrs.field(factory=dict, eq=False, repr=False)

    @version.default
    def _version(self) -> str:
        return self.effective.isoformat() if self.effective else "unversioned"

    @value.default
    def _value(self) -> Value:
        return Value.named(self.name, self.version, self.zone)

    @classmethod
    def standard(cls, *, zone: str | None = None) -> Self:
        """The book that the library ships; its limits are ours, the sources give none (docs/limits.md)."""
        text = files("crmcore.book").joinpath("standard.toml").read_text(encoding="utf-8")
        return cls.loads(text, path="the standard book", zone=zone)

    @classmethod
    def load(cls, path: str | PathLike[str], *, zone: str | None = None) -> Self:
        """
        The book in a TOML file; `zone` is used where the file says none.

        Raises `InvalidFile` with every fault: key path, value, problem and remedy.
        """
        return cls._read(Reader(path), zone)

    @classmethod
    def loads(cls, text: str, *, path: str = "book", zone: str | None = None) -> Self:
        """The book in a TOML text; `path` names it in errors."""
        return cls._read(Reader(path, text), zone)

    @classmethod
    def _read(cls, reader: Reader, default_zone: str | None) -> Self:
        belongs = {"problem": "is a map, not a policy book", "remedy": "it belongs to --map"}
        reader.expect("ownership", other="columns", **belongs)
        reader.schema()
        zone = _zone(reader) or default_zone
        head: dict[str, Any] = {"name": reader.text("name", "book"), "zone": zone}
        head["effective"] = reader.date("effective")
        if (version := reader.text("version")) is not None:
            head["version"] = version
        label = cls(**head)
        section = reader.table("calendars")
        calendars = calendar_tables.read(section, zone or "UTC")
        context = {"name": label.name, "version": label.version, "zone": zone, "calendars": calendars}
        concepts = {c.NAME: c.read(reader.table(c.NAME), **context) for c in CONCEPTS}
        reader.done()
        declared = {name: reader.any("calendars")[name] for name in section.names()}
        return cls(**head, calendars=calendars, declared=declared, **concepts)

    def in_zone(self, zone: str) -> Self:
        """The book with `zone` where it says none itself; the same book otherwise."""
        if self.zone is not None:
            return self
        return self._read(Reader(self.name, data=self.data()), zone)

    def until(self, end: datetime) -> Self:
        """The same book, as long as it is in force: no `next_change_at` lies beyond `end`. Same digest."""
        return attrs.evolve(self, **{c.NAME: getattr(self, c.NAME).until(end) for c in CONCEPTS})

    def data(self, *, pin: bool = False) -> dict[str, Any]:
        """The book as TOML data; `pin` writes imported holidays out as dates."""
        parts = [(concept, getattr(self, concept.NAME)) for concept in CONCEPTS]
        said = next((zone for concept, part in parts if (zone := concept.zone(part))), None)
        head = {"schema": 1, "name": self.name, "version": self.version, "effective": self.effective}
        tables = {concept.NAME: _filled(concept.write(part)) for concept, part in parts}
        used = {name: calendar for concept, part in parts for name, calendar in concept.calendars(part).items()}
        used |= self.calendars
        calendars = {name: self._table(name, calendar, pin=pin) for name, calendar in used.items()}
        found = {**head, "zone": self.zone or said, **tables, "calendars": calendars}
        return {key: value for key, value in found.items() if value not in (None, {})}

    def _table(self, name: str, calendar: BusinessCalendar, *, pin: bool) -> dict[str, Any]:
        return dict(self._declared[name]) if name in self._declared and not pin else calendar_tables.pinned(calendar)

    def to_toml(self, *, pin: bool = False) -> str:
        """The book as TOML; loading it gives an equal book with the same digest. Comments are not kept."""
        try:
            import tomli_w
        except ImportError:
            raise MissingExtra("tomli-w", "cli", "writing TOML") from None
        return tomli_w.dumps(self.data(pin=pin))

    @cached_property
    def digest(self) -> str:
        """
        SHA-256 of all resolved policies, calendar dates included; name, version and date are left out.

        So is a concept that the book says nothing about: one that a later release brings changes no digest.
        """
        resolved = {concept.NAME: getattr(self, concept.NAME).canonical() for concept in CONCEPTS}
        return digest("book", _filled(resolved))

    def check(self) -> tuple[Finding, ...]:
        """
        What is legal, yet hardly meant, within policies and across them (OWN-16).

        The standard book leaves its zone to the map on purpose, so that is no finding there.
        """
        parts = [getattr(self, concept.NAME) for concept in CONCEPTS]
        found = list({(each.code, each.key, each.problem): each for part in parts for each in part.check()}.values())
        if self._only_value:
            found = [finding for finding in found if not finding.key.startswith("ownership.")]
        found += rhythm_findings(self.ownership.reclaim)
        if all(finding.code != FindingCode.ZONE_NOT_SAID for finding in found):
            found += self._check_calendars()
        if self.name == STANDARD and self == self.standard():
            return tuple(finding for finding in found if finding.code != FindingCode.ZONE_NOT_SAID)
        return tuple(found)

    @property
    def _only_value(self) -> bool:
        """Whether the book tells what customers are worth, and means to judge no prospect."""
        return self.ownership.canonical() == Ownership().canonical() and not self.value.usual

    def _check_calendars(self) -> Iterator[Finding]:
        used = {name for concept in CONCEPTS for name in concept.calendars(getattr(self, concept.NAME))}
        for name, table in self._declared.items():
            if self.zone is None and name in used and "zone" not in table:
                yield Finding(
                    code=FindingCode.ZONE_NOT_SAID,
                    rule=None,
                    key=f"calendars.{name}.zone",
                    problem="working hours are read, but no zone says whose; UTC is used",
                    remedy='set zone = "Asia/Shanghai" or yours',
                )

    @staticmethod
    def schema() -> dict[str, Any]:
        """The JSON Schema of a book file, for editors and form builders."""
        return book_schema()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "digest"}


def _zone(reader: Reader) -> str | None:
    zone = reader.text("zone")
    try:
        return zone if zone is None else zone_of(zone).key
    except InvalidCalendar as error:
        reader.fault("zone", f"is not {error.expected}")
        return None


def _filled(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value}
