"""The kinds of frames, and what each does better in its own words than in narwhals'."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import ge, le
from typing import Any, Final

import attrs

from crmcore.calendars.instants import FIRST, LAST
from crmcore.decisions.frames import OWN, narwhal, narwhals
from crmcore.decisions.moves import Cells, Instants, Micros, Move, Part, Words, literal

__all__ = ["Kind", "Sheet"]

LONGEST: Final = 200_000
"""Cells of the longest table; on a finer grid the pieces are compared one by one."""
LONGEST_LIST: Final = 2_000
"""The same for DuckDB, which copies the list for every block of rows."""


@attrs.frozen
class Kind:
    """A kind of frame: whether instants are whole microseconds in it, and the parts that it makes in its own words."""

    sql: bool = False
    whole: bool = False
    longest: int = 0
    parts: tuple[type[Part], ...] = ()
    made: Callable[[Any, Any, Mapping[str, Any]], Any] = lambda _, frame, __: frame


class Sheet:
    """The caller's frame while columns are made: Polars as itself, lazy, all others as narwhals sees them."""

    def __init__(self, df: Any, kind: Kind | None = None) -> None:
        nw, given = narwhals(), narwhal(df)
        self.schema: Mapping[str, Any] = given.collect_schema()
        self.kind = kind or kind_of(given)
        self.eager_polars = self.kind is POLARS and isinstance(given, nw.DataFrame)
        self.nw: Any = nw.get_native_namespace(given) if self.kind is POLARS else nw
        self._frame: Any = given.to_native().lazy() if self.kind is POLARS else given
        self._made: dict[str, None] = {}

    def make(self, columns: Mapping[str, Any]) -> None:
        """Adds columns, each an expression or a part; a part may use those of earlier calls only."""
        kind, plain, parts = self.kind, {}, {}
        self._made |= dict.fromkeys(columns)
        for name, given in columns.items():
            column = (given.table(kind.longest) or given) if isinstance(given, Move) else given
            if isinstance(column, kind.parts):
                parts[name] = column
            else:
                whole = kind.whole
                plain[name] = column.expression(self.nw, whole=whole) if isinstance(column, Part) else column
        if plain:
            self._frame = self._frame.with_columns(**plain)
        if parts:
            self._frame = kind.made(self.nw, self._frame, parts)

    def native(self) -> Any:
        """The caller's kind of frame, without our own columns."""
        frame = self._frame.drop([name for name in self._made if name.startswith(OWN)])
        if self.kind is POLARS:
            return frame.collect() if self.eager_polars else frame
        return frame.to_native()

    # --- its words ---

    def own(self, name: str) -> Any:
        """A column made in an earlier step."""
        return self.nw.col(f"{OWN}{name}")

    def instant(self, at: datetime) -> Any:
        """An instant as those of the columns are."""
        return literal(self.nw, at, whole=self.kind.whole)

    def earlier(self, *instants: Any) -> Any:
        """The earliest; null is never."""
        return self._outermost("min_horizontal", le, instants)

    def later(self, *instants: Any) -> Any:
        """The latest; null is no such instant."""
        return self._outermost("max_horizontal", ge, instants)

    def _outermost(self, word: str, before: Callable[[Any, Any], Any], instants: Sequence[Any]) -> Any:
        """A database has a word for it; elsewhere comparing takes a quarter of the time."""
        nw = self.nw
        if self.kind.sql and len(instants) > 1:
            return getattr(nw, word)(*instants)
        return reduce(lambda a, b: nw.when(before(a, b)).then(a).otherwise(nw.coalesce(b, a)), instants)


def kind_of(frame: Any) -> Kind:
    """The kind of a frame of narwhals."""
    kind = frame.implementation
    if kind.is_polars():
        return POLARS
    if kind.is_duckdb():
        return DUCKDB
    if kind.is_pyspark():  # pragma: no cover - needs Java: tests/columns/test_spark.py
        return SPARK
    return OTHER_SQL if isinstance(frame, narwhals().LazyFrame) else EAGER


# --- Polars ---


def _polars(pl: Any, frame: Any, parts: Mapping[str, Any]) -> Any:
    def made(part: Cells | Words) -> Any:
        at = pl.col(part.column)
        if isinstance(part, Words):
            return pl.lit(pl.Series([None, *part.words], dtype=pl.String)).gather(at + 1)
        cell = (at - part.base).clip(0, part.top) // part.step
        shift, value = (pl.lit(pl.Series(each, dtype=pl.Int64)).gather(cell) for each in (part.shifts, part.values))
        return pl.coalesce(at + shift, value)

    return frame.with_columns(**{name: made(part) for name, part in parts.items()})


# --- DuckDB ---


def _duckdb(nw: Any, frame: Any, parts: Mapping[str, Any]) -> Any:
    columns = ", ".join(f"{_in_duckdb(part)} AS {_quoted(name)}" for name, part in parts.items())
    return nw.from_native(frame.to_native().project(f"*, {columns}"))


def _in_duckdb(part: Micros | Instants | Cells) -> str:
    at = _quoted(part.column)
    if isinstance(part, Micros):
        ends = f"CASE {at} WHEN 'infinity'::TIMESTAMPTZ THEN {LAST} WHEN '-infinity'::TIMESTAMPTZ THEN {FIRST} END"
        return f"coalesce(epoch_us({at}), {ends})"
    if isinstance(part, Instants):
        return f"make_timestamptz({at})"
    cell = f"least(greatest({at} - ({part.base}), 0), {part.top}) // {part.step} + 1"
    shift, value = (f"list_extract({_list(each)}, {cell})" for each in (part.shifts, part.values))
    return f"coalesce({at} + {shift}, {value})"


def _quoted(name: str, mark: str = '"') -> str:
    return f"{mark}{name.replace(mark, mark * 2)}{mark}"


def _list(values: Sequence[int | None]) -> str:
    return f"[{', '.join('NULL' if value is None else str(value) for value in values)}]::BIGINT[]"


# --- PySpark ---


def _spark(
    nw: Any, frame: Any, parts: Mapping[str, Any]
) -> Any:  # pragma: no cover - needs Java: tests/columns/test_spark.py
    columns = [f"{_in_spark(part)} AS {_quoted(name, '`')}" for name, part in parts.items()]
    return nw.from_native(frame.to_native().selectExpr("*", *columns))


def _in_spark(part: Micros | Instants | Cells) -> str:  # pragma: no cover - as _spark
    at = _quoted(part.column, "`")
    if isinstance(part, Micros):
        return f"unix_micros({at})"
    if isinstance(part, Instants):
        return f"timestamp_micros({at})"
    cell = f"CAST(least(greatest({at} - ({part.base}L), 0L), {part.top}L) DIV {part.step}L + 1 AS INT)"
    shift, value = (f"element_at({_array(each)}, {cell})" for each in (part.shifts, part.values))
    return f"coalesce({at} + {shift}, {value})"


def _array(values: Sequence[int | None]) -> str:  # pragma: no cover - as _spark
    """As JSON, which Spark reads once; it takes seconds over an `array(…)` of thousands."""
    return f"from_json('{json.dumps(values)}', 'ARRAY<BIGINT>')"


POLARS: Final = Kind(whole=True, longest=LONGEST, parts=(Cells, Words), made=_polars)
DUCKDB: Final = Kind(sql=True, whole=True, longest=LONGEST_LIST, parts=(Cells, Micros, Instants), made=_duckdb)
SPARK: Final = Kind(sql=True, whole=True, longest=LONGEST, parts=(Cells, Micros, Instants), made=_spark)
EAGER: Final = Kind(longest=LONGEST)
OTHER_SQL: Final = Kind(sql=True)
