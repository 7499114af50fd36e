"""
The rows of a large Parquet file that need not be read one by one, because columns can tell that they are plain.

A row is counted in columns only where each of its cells is certain to mean there what the reader of rows makes of it;
every other one, a faulty one above all, goes on as a row. A cell is certain in one of three ways: text as it stands;
a time stamp on a day on which the zone's clocks do not change; and of few distinct values each as the reader of rows
reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeAlias

import attrs

from crmcore.decisions.facts import UNKNOWN
from crmcore.errors import InvalidFrame, MissingExtra
from crmcore.files.cells import column
from crmcore.files.instants import plain_day
from crmcore.files.maps import FactSpec, Map
from crmcore.files.parquet import Parquet, Polars, Unsupported

__all__ = ["Plain", "sieve_of"]

Sieve: TypeAlias = Callable[[Any], Any]
"""From a frame of raw columns to which of its rows were counted."""
Read: TypeAlias = tuple[Any, Any]
"""The values of a fact and which of them are certain, as two columns."""

COLUMNS_FROM: Final = 100_000
"""From how many rows on columns are tried: below it, making the expressions takes longer than reading the rows."""
DISTINCT: Final = 20_000
"""How many distinct cells of a frame are read one by one at most."""
BLANKS: Final = "".join(filter(str.isspace, map(chr, range(0x3001))))
"""What `str.strip` takes away; Polars has another idea of it."""
EARLIEST: Final = datetime(1, 1, 3)  # noqa: DTZ001  # a wall clock
LATEST: Final = datetime(9999, 12, 28)  # noqa: DTZ001  # a wall clock


@attrs.frozen
class Plain:
    """What may be counted in columns."""

    facts: Collection[str]
    """The facts that `count` is given, as columns."""
    count: Callable[[Any], Any]
    """Counts the plain rows of a data frame and says which they are, as a column of truths."""


def sieve_of(parquet: Parquet, map: Map, places: Mapping[FactSpec, int | None], plain: Plain) -> Sieve | None:  # noqa: A002
    """What counts the plain rows of a file; None where it has few rows or columns cannot be trusted with it."""
    engine = parquet.engine
    specs = {spec.name: spec for spec in places}
    if engine.rows < COLUMNS_FROM or not isinstance(engine, Polars) or not specs.keys() >= set(plain.facts):
        return None
    used = [(spec, place) for spec, place in places.items() if place is not None]
    sieve = _Sieve(engine, map, [(spec, engine.types[place]) for spec, place in used], plain, specs)
    ids = [place for spec, place in used if spec.kind == "id"]
    return sieve if sieve.works() and all(sieve.once(place) for place in ids) else None


class _Sieve:
    def __init__(
        self,
        engine: Polars,
        map: Map,  # noqa: A002
        columns: Sequence[tuple[FactSpec, Any]],
        plain: Plain,
        specs: Mapping[str, FactSpec],
    ) -> None:
        self._engine, self._pl, self._map, self._plain = engine, engine.pl, map, plain
        self._columns, self._specs = columns, specs
        self._days: dict[date, timedelta | None] = {}
        self._nothing = {"", *map.missing} - set(map.unknown)
        self._dated = any(letter.isdigit() for text in (*map.missing, *map.unknown) for letter in text)

    def works(self) -> bool:
        """Whether the policy can be said in columns, and no column has values that are no cells."""
        try:
            for _, kind in self._columns:
                self._engine.text(self._pl.nth(0), kind)
            self._plain.count(self._facts({}, 0))
        except (InvalidFrame, MissingExtra, Unsupported):
            return False
        return True

    def once(self, place: int) -> bool:
        """Whether no id stands there twice, as far as hashes tell."""
        if not self._is_text(self._engine.types[place]):
            return False
        keys = self._stripped(self._pl.nth(place)).drop_nulls().hash()
        distinct, count = self._engine.select([keys.n_unique(), keys.len()]).collect().row(0)
        return bool(distinct == count)

    def __call__(self, frame: Any) -> Any:
        """Which rows were counted."""
        pl = self._pl
        read = {}
        certain = pl.repeat(value=True, n=len(frame), eager=True)
        for number, (spec, kind) in enumerate(self._columns):
            if self._matters(spec):
                read[spec.name], sure = self._read(frame.get_column(str(number)), spec, kind)
                certain &= sure
        rows = certain.arg_true()
        return certain.scatter(rows, self._plain.count(self._facts(read, len(frame))[rows]))

    def _matters(self, spec: FactSpec) -> bool:
        # Text and amounts have no faults.
        return spec.name in self._plain.facts or spec.kind not in {"text", "money"}

    def _facts(self, read: Mapping[str, Any], rows: int) -> Any:
        pl = self._pl
        none = {
            name: pl.repeat(None, rows, dtype=self._type(self._specs[name]), eager=True) for name in self._plain.facts
        }
        return pl.DataFrame({name: read.get(name, none[name]) for name in self._plain.facts})

    def _type(self, spec: FactSpec) -> Any:
        pl = self._pl
        if spec.kind in {"instant", "protection"}:
            return pl.Datetime("us", "UTC")
        return pl.Boolean if spec.kind == "flag" else pl.String

    # --- the three ways ---

    def _read(self, cells: Any, spec: FactSpec, kind: Any) -> Read:
        if spec.kind in {"id", "text"} and self._is_text(kind):
            return self._texts(cells, spec)
        if self._type(spec) == self._pl.Datetime and kind == self._pl.Datetime and not self._dated:
            return self._stamps(cells, kind)
        return self._distinct(cells, spec, kind)

    def _is_text(self, kind: Any) -> bool:
        pl = self._pl
        return kind.is_integer() or kind in (pl.String, pl.Categorical, pl.Enum)

    def _stripped(self, column: Any) -> Any:
        return column.cast(self._pl.String).str.strip_chars(BLANKS)

    def _texts(self, cells: Any, spec: FactSpec) -> Read:
        texts = self._stripped(cells)
        nothing = texts.is_in(list(self._nothing)).fill_null(value=True)
        told = ~texts.is_in(list(self._map.unknown)).fill_null(value=False)
        return texts.set(nothing, None), (told & ~nothing if spec.kind == "id" else told)

    def _stamps(self, cells: Any, kind: Any) -> Read:
        if kind.time_zone:
            cells = cells.dt.convert_time_zone("UTC")
        walls = cells.dt.replace_time_zone(None)
        if kind.time_unit != "ns":  # they do not reach that far
            walls = walls.set(~walls.is_between(EARLIEST, LATEST), None)
        walls = walls.dt.cast_time_unit("us")
        instants = walls if kind.time_zone else walls + self._shifts(walls.dt.date())
        return instants.dt.replace_time_zone("UTC"), cells.is_null() | instants.is_not_null()

    def _shifts(self, days: Any) -> Any:
        pl = self._pl
        distinct = days.unique().drop_nulls()
        shifts = pl.Series([self._shift(day) for day in distinct], dtype=pl.Duration("us"))
        return days.replace_strict(distinct, shifts, default=None, return_dtype=pl.Duration("us"))

    def _shift(self, day: date) -> timedelta | None:
        if day not in self._days:
            found = plain_day(day, self._map.zone)
            self._days[day] = None if found is None else found[1].replace(tzinfo=None) - found[0]
        return self._days[day]

    def _distinct(self, cells: Any, spec: FactSpec, kind: Any) -> Read:
        distinct = cells.unique()
        if len(distinct) > DISTINCT:
            nothing = self._pl.repeat(None, len(cells), dtype=self._type(spec), eager=True)
            return nothing, nothing.is_not_null()
        judged = self._pl.DataFrame({"cell": distinct, **self._judged(distinct, spec, kind)})
        each = self._pl.DataFrame({"cell": cells})
        each = each.join(judged, on="cell", how="left", nulls_equal=True, maintain_order="left")
        return each.get_column("value"), each.get_column("sure")

    def _judged(self, cells: Any, spec: FactSpec, kind: Any) -> dict[str, Any]:
        how, finish = self._engine.text(self._pl.first(), kind)
        texts = finish(cells.to_frame().select(how).to_series().to_list())
        reader = column(spec, self._map)
        read = zip(reader.values(texts), texts, strict=True)
        values = [UNKNOWN if reader.refusal(text) is not None else value for value, text in read]
        known = [None if value is UNKNOWN else value for value in values]
        return {
            "value": self._pl.Series(known, dtype=self._type(spec)),
            "sure": [value is not UNKNOWN for value in values],
        }
