"""The jobs of `crmcore metrics` and `ratios`: from the lines of a file to a report, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, TypeAlias

import attrs

from crmcore.analysis.assortment import TOTAL_RATIOS, Assortment, AssortmentRow
from crmcore.analysis.assortment_table import assortment_table
from crmcore.analysis.metrics import Metrics, metrics
from crmcore.analysis.values import Undefined
from crmcore.files import FactSpec, Record, Records
from crmcore.sales.periods import Period, Periods
from crmcore.sales.records import SaleFile, known

__all__ = ["PRODUCTS", "MetricsReport", "Noted", "RatioReport", "assorted", "measured"]

Noted: TypeAlias = tuple[str, dict[str, Any]]
"""A note: its code, and what its words need."""
Sections: TypeAlias = Iterator[tuple[str, Any]]
"""A JSON document, key by key."""

SHOWN: Final = 5
TENTH: Final = 10
PERIOD: Final = FactSpec("period", filled=True, option="--period-column")
PRODUCTS: Final = (
    FactSpec("product", required=True, filled=True, option="--product"),
    FactSpec("sales", "decimal", required=True, filled=True, option="--sales"),
    *(FactSpec(name, "decimal", required=True, option=f"--{name}") for name in ("cost", "opening", "closing")),
    FactSpec("plan", "decimal", option="--plan"),
    PERIOD,
)
"""The roles of columns in a file of products; a cost, a stock or a plan that is missing is not known."""


# --- metrics ---


@attrs.frozen
class MetricsReport:
    """The metrics of the periods of a file."""

    metrics: Metrics
    skipped: int
    last: date | None = None
    """The day of the last sale."""

    def notes(self) -> Iterator[Noted]:
        """What is to be said beside the figures: which have no value, and why."""
        rows = self.metrics.periods
        if not rows:
            yield "metrics.empty", {}
        if rows and self.last is not None and _unfinished(rows[-1].period, self.last):
            yield "metrics.unfinished", {"period": str(rows[-1].period), "last": str(self.last)}
        yield from _undefined(rows, "period", ("growth", "churn", "average_order", "frequency"))
        if self.skipped:
            yield "skipped", {"count": self.skipped}

    def sections(self, notes: Sequence[str]) -> Sections:
        """As JSON."""
        record = self.metrics.record()
        yield "periods", record.pop("periods")
        yield from record.items()
        yield "skipped", self.skipped
        yield "notes", list(notes)


def _unfinished(period: Period, last: date) -> bool:
    """Whether more than a tenth of a period lies after the last sale: the file hardly goes to its end."""
    return (period.end - last).days - 1 > (period.end - period.first).days / TENTH


def _undefined(rows: Sequence[Any], place: str, names: Sequence[str]) -> Iterator[Noted]:
    """Of these ratios those without a value: together what is missing in the same rows for one reason."""
    missing: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for name in names:
            if why := getattr(row, name).undefined:
                missing.setdefault((why, name), []).append(str(getattr(row, place)))
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (why, name), places in missing.items():
        alike.setdefault((why, tuple(places)), []).append(name)
    for (why, where), measures in alike.items():
        said = ", ".join(where[:SHOWN]) + (" …" if len(where) > SHOWN else "")
        yield "undefined", {"measures": measures, "why": why, "count": len(where), "places": said}


def measured(file: SaleFile, periods: Periods, *, lost_after: str) -> MetricsReport:
    """The metrics of each period of a file, by segment too where the file has one; raises `InvalidFile`."""
    segment = "segment" if file.layout.has("segment") else None
    days: list[date | datetime] = []

    def lines() -> Iterator[Record]:
        for line in map(_line, file):
            if not days or line["at"] > days[0]:
                days[:] = [line["at"]]
            yield line

    found = metrics(lines(), periods=periods, lost_after=lost_after, segment=segment)
    return MetricsReport(found, file.skipped, periods.day(days[0]) if days else None)


def _line(line: Record) -> Record:
    return {name: known(value) for name, value in line.items()} | {"at": line["date"]}


# --- ratios ---


@attrs.frozen
class RatioReport:
    """One table for each period of a file."""

    tables: tuple[Assortment, ...]
    skipped: int

    def notes(self) -> Iterator[Noted]:
        """What is to be said beside the figures: which have no value, and why."""
        if not any(table.rows for table in self.tables):
            yield "ratios.empty", {}
        found: list[Noted] = []
        for table in self.tables:
            names = [name for name in TOTAL_RATIOS if any(_asked(row, name) for row in table.rows)]
            found += (note for note in _undefined(table.rows, "product", names) if note not in found)
        yield from found
        if self.skipped:
            yield "skipped", {"count": self.skipped}

    def sections(self, notes: Sequence[str]) -> Sections:
        """As JSON, the tables last."""
        yield "skipped", self.skipped
        yield "notes", list(notes)
        yield "periods", (table.record() for table in self.tables)


def _asked(row: AssortmentRow, name: str) -> bool:
    """Whether a ratio is one that could be expected of the file: it has plans, or stock at cost."""
    return getattr(row, name).undefined not in {Undefined.NO_PLAN, Undefined.STOCK_AT_RETAIL}


def assorted(records: Records, *, period: str | None, basis: str) -> RatioReport:
    """The table of each period of a file, in the order in which the periods appear; raises `InvalidFile`."""
    lines: dict[str | None, list[Mapping[str, Any]]] = {}
    for record in records:
        lines.setdefault(record.get("period") or period, []).append(_known(record))
    found = (assortment_table(part, period=name, basis=basis) for name, part in (lines or {period: []}).items())
    return RatioReport(tuple(found), records.skipped)


def _known(record: Record) -> Record:
    return {name: known(value) for name, value in record.items()}
