"""The jobs of `crmcore abc`, `rfm` and `migration`: from the lines of a file to a report, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

import attrs

from crmcore.decisions.decision import PolicyRef
from crmcore.sales.column_sums import column_sums
from crmcore.sales.figures import sums
from crmcore.sales.periods import Period, Periods
from crmcore.sales.records import SaleFile
from crmcore.value.classes import AbcPolicy, Classes
from crmcore.value.migration import Migration, class_periods, migration, migrations
from crmcore.value.scores import RfmPolicy, RfmScores

__all__ = ["ClassReport", "MigrationReport", "Noted", "ScoreReport", "classed", "migrated", "scored"]

Noted: TypeAlias = tuple[str, dict[str, Any]]
"""A note: its code, and what its words need."""
Sections: TypeAlias = Iterator[tuple[str, Any]]
"""A JSON document, key by key; what is long is an iterator of rows."""

SHOWN: Final = 5
TWO: Final = 2


def _ref(ref: PolicyRef) -> dict[str, str]:
    return {"name": ref.name, "version": ref.version, "digest": ref.digest}


def _skipped(skipped: int) -> Iterator[Noted]:
    if skipped:
        yield "skipped", {"count": skipped}


# --- abc ---


@attrs.frozen
class ClassReport:
    """The classes of the customers of a file, and how many of its lines were left out."""

    classes: Classes
    skipped: int

    def notes(self) -> Iterator[Noted]:
        """What is to be said beside the figures."""
        found = self.classes
        if found.degenerate:
            yield f"abc.{found.degenerate}", {}
        elif len(found.rows) > TWO and 2 * found.rows[0].value == found.total:
            yield "abc.total_row", {"key": found.rows[0].key}
        yield from _skipped(self.skipped)

    def sections(self, notes: Sequence[str]) -> Sections:
        """As JSON, the rows last."""
        found = self.classes
        head = super(Classes, found).record()
        yield "total", head.pop("total")
        yield "classes", head.pop("classes")
        yield from head.items()
        yield "policy", _ref(found.policy)
        yield "skipped", self.skipped
        yield "notes", list(notes)
        yield "rows", (row.record() for row in found.rows)


def classed(file: SaleFile, policy: AbcPolicy, *, places: int = 2) -> ClassReport:
    """
    The classes of the customers of a file, its lines summed first.

    A Parquet file of numbers with at most so many decimal `places` is summed in columns, whatever its size. Raises
    `InvalidFile`.
    """
    values = column_sums(file, places)
    return ClassReport(policy.classify(sums(file.amounts()) if values is None else values), file.skipped)


# --- rfm ---


@attrs.frozen
class ScoreReport:
    """The scores of the customers of a file."""

    scores: RfmScores
    policy: RfmPolicy
    skipped: int

    def notes(self) -> Iterator[Noted]:
        """What is to be said beside the figures."""
        if self.scores.ignored:
            yield "rfm.after", {"count": self.scores.ignored}
        if unscored := self.scores.unscored:
            more = " …" if len(unscored) > SHOWN else ""
            yield "rfm.unscored", {"count": len(unscored), "ids": ", ".join(map(str, unscored[:SHOWN])) + more}
        if self.scores.insufficient:
            yield "rfm.insufficient", {"n": self.scores.n, "needed": self.policy.needed}
        yield from _skipped(self.skipped)

    def sections(self, notes: Sequence[str]) -> Sections:
        """As JSON, the rows last."""
        found = self.scores
        yield "as_of", found.as_of.isoformat()
        yield "n", found.n
        yield "cells", dict(found.cells)
        yield "segments", dict(found.segments)
        yield "cuts", found.cuts.canonical()
        yield "insufficient", found.insufficient
        yield "unscored", list(found.unscored)
        yield "ignored", found.ignored
        yield "policy", _ref(self.policy.ref)
        yield "skipped", self.skipped
        yield "notes", list(notes)
        yield "rows", (row.record() for row in found.rows)


def scored(file: SaleFile, policy: RfmPolicy, *, as_of: datetime) -> ScoreReport:
    """The scores of the customers of a file at `as_of`, whose zone tells days; raises `InvalidFile`."""
    return ScoreReport(policy.score(file.sales(), as_of=as_of), policy, file.skipped)


# --- migration ---


@attrs.frozen
class MigrationReport:
    """Who moved from class to class, from each period to the next and from the first to the last."""

    classes: dict[Period, Classes]
    policy: AbcPolicy
    skipped: int

    @property
    def steps(self) -> tuple[Migration, ...]:
        """From each period to the next."""
        return migrations(self.classes)

    @property
    def whole(self) -> Migration | None:
        """From the first period to the last, where others lie between them."""
        if len(periods := tuple(self.classes)) <= TWO:
            return None
        first, last = periods[0], periods[-1]
        return migration(self.classes[first], self.classes[last], from_=first, to=last)

    def notes(self) -> Iterator[Noted]:
        """What is to be said beside the figures."""
        if not self.classes:
            yield "migration.none", {}
        if len(self.classes) == 1:
            yield "migration.one", {"period": str(next(iter(self.classes)))}
        if empty := [str(period) for period, found in self.classes.items() if not found.rows]:
            yield "migration.empty", {"count": len(empty), "periods": ", ".join(empty[:SHOWN])}
        yield from _skipped(self.skipped)

    def sections(self, notes: Sequence[str]) -> Sections:
        """As JSON."""
        whole = self.whole
        yield "periods", [_period(period, found) for period, found in self.classes.items()]
        yield "first_to_last", None if whole is None else whole.record()
        yield "policy", _ref(self.policy.ref)
        yield "skipped", self.skipped
        yield "notes", list(notes)
        yield "migrations", (step.record() for step in self.steps)


def _period(period: Period, found: Classes) -> dict[str, Any]:
    return {
        "period": str(period),
        "total": format(found.total, "f"),
        "customers": {label: share.customers for label, share in found.classes.items()},
        "degenerate": found.degenerate,
    }


def migrated(file: SaleFile, policy: AbcPolicy, periods: Periods) -> MigrationReport:
    """The classes of each period of a file, and who moved; raises `InvalidFile`."""
    return MigrationReport(class_periods(file.sales(), periods, policy), policy, file.skipped)
