"""
A column of instants through the pieces of a span.

Few pieces are comparisons with literals. Many are a table: their borders lie on an even grid, so the place in it is a
division, and each kind of frame has its own way to look a number up there.
"""

# mypy: disable-error-code="no-any-return"
# narwhals is imported late, so what it makes is Any here; the annotations say Expr for the reader.

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs

from crmcore.calendars.instants import LAST, micros
from crmcore.calendars.pieces import Piece, grid
from crmcore.decisions.frames import narwhals

if TYPE_CHECKING:
    from narwhals.stable.v2 import Expr

__all__ = ["Move", "Words", "chain", "choose", "in_sql", "with_columns"]

FEW: Final = 8
"""So many pieces are compared as fast as looked up."""
LONGEST: Final = 200_000
"""Cells of the longest table; on a finer grid the pieces are compared one by one."""
LONGEST_LIST: Final = 2_000
"""The same for DuckDB, which copies the list for every block of rows."""

LONG: Final = 50
"""A chain of more arms is too deep for those who build it."""

NO_NUMBER: Final = LAST + 1
"""Stands for none in a table; no instant is so late."""


@attrs.frozen
class Move:
    """The instants of a column through `pieces`: the first holds for all before it, the last for all beyond."""

    column: str
    pieces: tuple[Piece, ...]

    def table(self, longest: int = LONGEST) -> Table | None:
        """The pieces on their grid; None for few, and where the grid is too fine."""
        borders = grid(self.pieces) if len(self.pieces) > FEW else None
        if borders is None:
            return None
        origin, step = borders
        last = (micros(self.pieces[-2].upto) - origin) // step + 1
        return Table(origin, step, tuple(_cells(self.pieces, origin, step))) if last < longest else None


@attrs.frozen
class Words:
    """A column of numbers in words; -1 is none. As numbers first, words cost a tenth."""

    column: str
    words: tuple[str, ...]


@attrs.frozen
class Table:
    """
    Cell 0 is all up to `origin`, cell n the `step` up to origin + n·step, the last all beyond; in microseconds.

    In each cell instants move by a shift, or all become one value.
    """

    origin: int
    step: int
    cells: tuple[Piece, ...]

    @property
    def base(self) -> int:
        """Taken from an instant before the step divides it into the number of its cell."""
        return self.origin + 1 - self.step

    @property
    def top(self) -> int:
        """The most that is divided; the least is 0."""
        return (len(self.cells) - 1) * self.step

    @property
    def shifts(self) -> list[int | None]:
        """The shift of each cell, None where there is a value."""
        return [cell.shift if cell.value is None else None for cell in self.cells]

    @property
    def values(self) -> list[int | None]:
        """The value of each cell, None where there is a shift."""
        return [None if cell.value is None else micros(cell.value) for cell in self.cells]


def _cells(pieces: Sequence[Piece], origin: int, step: int) -> Iterator[Piece]:
    yield pieces[0]
    at = origin
    for piece in pieces[1:-1]:
        upto = micros(piece.upto)
        yield from (piece for _ in range(at, upto, step))
        at = upto
    yield pieces[-1]


def in_sql(frame: Any) -> bool:
    """Whether the frame is a query of a database: a timestamp there has no zone or unit of its own."""
    return isinstance(frame, narwhals().LazyFrame) and not frame.implementation.is_polars()


def with_columns(frame: Any, columns: Mapping[str, Any]) -> Any:
    """The frame with these columns: expressions, moves and words; the latter two may use those of earlier calls."""
    kind, sql = _kind(frame), in_sql(frame)
    plain: dict[str, Any] = {}
    looked: dict[str, tuple[str, Any]] = {}
    for name, column in columns.items():
        if isinstance(column, Move) and (pieces := column.table(kind.longest) or (column if kind.few else None)):
            looked[name] = (column.column, pieces)
        elif isinstance(column, Move):
            plain[name] = _compared(column, sql=sql)
        elif isinstance(column, Words) and kind.words:
            looked[name] = (column.column, column)
        elif isinstance(column, Words):
            plain[name] = _said(column)
        else:
            plain[name] = column
    frame = frame.with_columns(**plain) if plain else frame
    return kind.look_up(frame, looked) if looked else frame


# --- compared ---


def choose(column: Expr, uptos: Sequence[Any], leaves: Sequence[Any]) -> Expr:
    """
    The leaf of the first of `uptos`, ascending, that the column does not pass; the last leaf beyond them all.

    Null passes them all. The comparisons are a balanced tree: a long chain is too deep for those who build it.
    """
    if not uptos:
        return leaves[0]
    nw, middle = narwhals(), len(uptos) // 2
    low = choose(column, uptos[:middle], leaves[: middle + 1])
    high = choose(column, uptos[middle + 1 :], leaves[middle + 1 :])
    return nw.when(column <= nw.lit(uptos[middle])).then(low).otherwise(high)


def chain(arms: Sequence[tuple[Expr, Expr]], rest: Any = None) -> Expr:
    """The value of the first arm whose condition holds, else `rest`. Past so many arms a null value is `rest`, too."""
    nw = narwhals()
    if len(arms) > LONG:
        return nw.coalesce(chain(arms[:LONG]), chain(arms[LONG:], rest))
    for condition, value in reversed(arms):
        arm = nw.when(condition).then(value)
        rest = arm if rest is None else arm.otherwise(rest)
    return rest


def _compared(at: Move, *, sql: bool) -> Expr:
    nw = narwhals()
    column = nw.col(at.column)
    leaves = [_shifted(column, p.shift, sql=sql) if p.value is None else nw.lit(p.value) for p in at.pieces]
    chosen = choose(column, [piece.upto for piece in at.pieces[:-1]], leaves)
    return chosen if at.pieces[-1].value is None else nw.when(~column.is_null()).then(chosen)


def _shifted(column: Expr, shift: int, *, sql: bool) -> Expr:
    """Moved by microseconds: a database would take a timedelta for days of its session."""
    return column.dt.offset_by(f"{shift}us") if sql else column + narwhals().lit(timedelta(microseconds=shift))


def _said(at: Words) -> Expr:
    nw = narwhals()
    if not at.words:
        return nw.lit(None, dtype=nw.String)
    number, words = nw.col(at.column), [nw.lit(word) for word in at.words]
    return nw.when(number >= 0).then(choose(number, range(len(words) - 1), words))


# --- looked up ---


def _polars(frame: Any, looked: Mapping[str, tuple[str, Any]]) -> Any:
    nw = narwhals()
    pl = nw.get_native_namespace(frame)

    def found(column: str, table: Any) -> Any:
        if isinstance(table, Words):
            return pl.lit(pl.Series([None, *table.words], dtype=pl.String)).gather(pl.col(column) + 1)
        at = pl.col(column).cast(pl.Int64)
        cell = (at - table.base).clip(0, table.top) // table.step
        shifts, values = (pl.lit(pl.Series(each, dtype=pl.Int64)) for each in (table.shifts, table.values))
        return pl.coalesce(at + shifts.gather(cell), values.gather(cell)).cast(pl.Datetime("us", "UTC"))

    return nw.from_native(frame.to_native().with_columns(**{name: found(*at) for name, at in looked.items()}))


def _eager(frame: Any, tables: Mapping[str, tuple[str, Any]]) -> Any:
    nw = narwhals()

    def found(cell: Expr, numbers: Sequence[int | None]) -> Expr:
        filled = [NO_NUMBER if number is None else number for number in numbers]  # pandas has no null among its numbers
        return cell.replace_strict(range(len(filled)), filled, default=None, return_dtype=nw.Int64)

    def moved(column: str, table: Table) -> Expr:
        at = nw.col(column).dt.timestamp("us")
        cell = (at - table.base).clip(0, table.top) // table.step
        shift, value = found(cell, table.shifts), found(cell, table.values)
        return nw.when(value == NO_NUMBER).then(at + shift).otherwise(value).cast(nw.Datetime("us", "UTC"))

    return frame.with_columns(**{name: moved(*at) for name, at in tables.items()})


def _duckdb(frame: Any, tables: Mapping[str, tuple[str, Any]]) -> Any:
    def moved(column: str, table: Table) -> str:
        at = f"epoch_us({column})"
        cell = f"least(greatest({at} - ({table.base}), 0), {table.top}) // {table.step} + 1"
        shift, value = (f"list_extract({_list(each)}, {cell})" for each in (table.shifts, table.values))
        return f"make_timestamptz(coalesce({at} + {shift}, {value}))"

    columns = ", ".join(f"{moved(*at)} AS {name}" for name, at in tables.items())
    return narwhals().from_native(frame.to_native().project(f"*, {columns}"))


def _list(values: Sequence[int | None]) -> str:
    return f"[{', '.join('NULL' if value is None else str(value) for value in values)}]::BIGINT[]"


def _spark(
    frame: Any, moves: Mapping[str, tuple[str, Any]]
) -> Any:  # pragma: no cover - needs Java: tests/columns/test_spark.py
    """Few pieces too: what narwhals writes for a shift looks up the session's zone in every row."""

    def moved(column: str, pieces: Table | Move) -> str:
        at = f"unix_micros({column})"
        return (
            f"timestamp_micros({_from_table(at, pieces) if isinstance(pieces, Table) else _by_case(at, pieces.pieces)})"
        )

    columns = [f"{moved(*at)} AS {name}" for name, at in moves.items()]
    return narwhals().from_native(frame.to_native().selectExpr("*", *columns))


def _from_table(at: str, table: Table) -> str:  # pragma: no cover - as _spark
    cell = f"CAST(least(greatest({at} - ({table.base}L), 0L), {table.top}L) DIV {table.step}L + 1 AS INT)"
    shift, value = (f"element_at({_array(each)}, {cell})" for each in (table.shifts, table.values))
    return f"coalesce({at} + {shift}, {value})"


def _array(values: Sequence[int | None]) -> str:  # pragma: no cover - as _spark
    """As JSON, which Spark reads once; it takes seconds over an `array(…)` of thousands."""
    return f"from_json('{json.dumps(values)}', 'ARRAY<BIGINT>')"


def _by_case(at: str, pieces: Sequence[Piece]) -> str:  # pragma: no cover - as _spark
    """A balanced tree, as `choose` makes it."""

    def case(pieces: Sequence[Piece]) -> str:
        if len(pieces) == 1:
            return f"{at} + ({pieces[0].shift}L)" if pieces[0].value is None else f"{micros(pieces[0].value)}L"
        middle = len(pieces) // 2
        low, high = case(pieces[:middle]), case(pieces[middle:])
        return f"CASE WHEN {at} <= {micros(pieces[middle - 1].upto)}L THEN {low} ELSE {high} END"

    return f"CASE WHEN {at} IS NOT NULL THEN {case(pieces)} END"


@attrs.frozen
class Kind:
    """How a kind of frame looks things up: the longest table it takes, and whether words and few pieces, too."""

    look_up: Callable[[Any, Mapping[str, tuple[str, Any]]], Any]
    longest: int = LONGEST
    words: bool = False
    few: bool = False


def _kind(frame: Any) -> Kind:
    kind = frame.implementation
    if kind.is_polars():
        return Kind(_polars, words=True)
    if kind.is_duckdb():
        return Kind(_duckdb, LONGEST_LIST)
    if kind.is_pyspark():  # pragma: no cover - as _spark
        return Kind(_spark, few=True)
    return Kind(_eager, 0 if in_sql(frame) else LONGEST)
