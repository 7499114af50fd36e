"""
Parquet through the first engine that is installed: Polars, DuckDB or PyArrow.

The one module that imports them, late and by name: the engine is the reader of a user's file here, not a part of the
library. Whichever it is, a cell becomes the same text that JSON Lines or CSV would have for it, so that one reader
judges all files: an instant with a zone as `2026-03-31 14:30:00+00:00` in UTC, one without as `2026-03-31 14:30:00`
(nanoseconds are cut off), a number as Python writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias, TypeVar, cast

from crmcore.files.cells import Cell
from crmcore.files.sources import Ledger, Saying
from crmcore.files.tables import Batch
from crmcore.files.toml import cannot_read

__all__ = ["Parquet", "Polars", "is_parquet"]

T = TypeVar("T")
Finish: TypeAlias = Callable[[Sequence[Any]], Sequence[Cell]]
"""From what the engine gives for the cells of a column to their texts."""

MAGIC: Final = b"PAR1"
BEGINNINGS: Final = (MAGIC, b"PARE")
"""The second of a file that is encrypted."""
ROWS: Final = 4096
"""How many rows are asked for at once: some megabytes of text."""
FRAME: Final = 1 << 18
"""The same for frames: some tens of megabytes, and an expression costs nothing against them."""
PIECE: Final = 1 << 20
"""The same for a few columns: a row group of most writers, so that none is read twice."""
DIGITS: Final = 6
TEXTS: Final = ("INTEGER", "UINTEGER", "VARCHAR", "ENUM", "JSON", "BOOLEAN", "DATE", '"NULL"')
"""Types of DuckDB that it writes as text as we would."""
FILE: Final = "read_parquet(?, hive_partitioning = false)"
NO_ENGINE: Final = (
    "is Parquet, and nothing that reads it is installed",
    "pip install polars (or duckdb, or pyarrow), or save it as CSV",
)
EMPTY: Final = ("is empty", "export it again: even without rows it has a header")
NOT_PARQUET: Final = ("is not Parquet, whatever its name says", "name it for what it is: .csv, .tsv or .jsonl")
NOT_WHOLE: Final = "the file is damaged or was cut off: export it again"
PLAIN: Final = "give text, a number, a date, a time stamp, true, false or null"


def is_parquet(path: str) -> bool:
    """Whether a file says that it is Parquet, by its suffix or its first bytes; a stream cannot be asked."""
    file = Path(path)
    if path == "-" or file.suffix.casefold() == ".parquet":
        return path != "-"
    try:
        return file.is_file() and _head(file) == MAGIC
    except (OSError, ValueError):
        return False


def _head(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(len(MAGIC))


class Unsupported(Exception):
    """A column whose values are no cells; the argument says what they are."""


class Engine(Protocol):
    """What reads a file once `open` has returned."""

    errors: tuple[type[BaseException], ...]
    """What it raises for a file that it cannot read."""
    header: tuple[str, ...]
    rows: int

    def open(self, path: str) -> None:
        """Reads the header."""
        ...

    def column(self, place: int) -> tuple[Any, Finish]:
        """How the engine is asked for a column, and what finishes its cells; raises `Unsupported`."""
        ...

    def read(self, asked: Sequence[Any]) -> Iterator[Sequence[Sequence[Any]]]:
        """Some rows of the columns at a time, in the order of the file."""
        ...

    def pieces(self, places: Sequence[int]) -> Iterator[Any]:
        """The columns as they are in the file, in frames named by their number; nothing where it has no frames."""
        ...


class Parquet:
    """A Parquet file: its rows stand on the lines on which a CSV would have them, so the first is on line 2."""

    def __init__(self, path: str, ledger: Ledger) -> None:
        self._ledger = ledger
        self._path = path
        self._done = 0
        self.line = 1
        self.total = self._size()
        self.engine = self._open()
        self.header = self.engine.header

    @property
    def read(self) -> int:
        """How many bytes were taken from the file so far, as far as rows tell."""
        return self.total * self._done // max(self.engine.rows, 1)

    def unreadable(self, text: str) -> Saying | None:  # noqa: ARG002
        """Nothing: the engine has decoded it."""
        return None

    def batches(self, wanted: Sequence[int], late: Collection[str]) -> Iterator[Batch]:  # noqa: ARG002
        """The records, only the `wanted` columns."""
        asked = self._columns(wanted)
        if len(asked) < len(wanted):
            self._ledger.fatal = True
            return
        for cells in self._read(self.engine.read([how for how, _ in asked])):
            first, self._done = self._done + 2, self._done + len(cells[0])
            yield Batch(_finished(cells, asked), range(first, self._done + 2))

    def sifted(self, wanted: Sequence[int], sieve: Callable[[Any], Any]) -> Iterator[Batch]:
        """The records that `sieve` leaves: given a frame of Polars, it says of each row whether it was counted."""
        engine = cast("Polars", self.engine)
        types = [engine.types[place] for place in wanted]
        asked = [engine.text(engine.pl.col(str(number)), kind) for number, kind in enumerate(types)]
        for frame in self._read(engine.frames([engine.pl.nth(place) for place in wanted], FRAME)):
            first, self._done = self._done + 2, self._done + len(frame)
            rest = frame.with_row_index("line", first).filter(~sieve(frame))
            cells = [rest.get_column("line"), *rest.select(how for how, _ in asked)]
            lines, *columns = [column.to_list() for column in cells]
            yield from _as_read(Batch(_finished(columns, asked), lines, plain=len(frame) - len(lines)))

    def pieces(self, names: Sequence[str]) -> Iterator[Any]:
        """
        The columns of these names in frames that each fit into memory: of Polars, or one of DuckDB, which is lazy.

        They are named ``"0"``, ``"1"``. Where neither is installed there are none.
        """
        return self.engine.pieces([self.header.index(name) for name in names])

    def _size(self) -> int:
        file = Path(self._path)
        try:
            head, size = _head(file), file.stat().st_size
        except (OSError, ValueError) as error:
            raise cannot_read(self._path, error) from None
        if not head:
            raise self._refusing(EMPTY)
        self._begins = head in BEGINNINGS
        return size

    def _refusing(self, said: Saying) -> Exception:
        self._ledger.fatal = True
        self._ledger.add(0, "", None, said)
        return self._ledger.error()

    def _open(self) -> Engine:
        for make in (Polars, _DuckDB, _PyArrow):
            try:
                engine = make()
            except (ImportError, AttributeError):  # not installed, or too old
                continue
            try:
                engine.open(self._path)
            except engine.errors as error:
                raise self._refusing(_damaged(error) if self._begins else NOT_PARQUET) from None
            return engine
        raise self._refusing(NO_ENGINE)

    def _columns(self, wanted: Sequence[int]) -> list[tuple[Any, Finish]]:
        asked = []
        for place in wanted:
            try:
                asked.append(self.engine.column(place))
            except Unsupported as error:
                said = (f"is of the type {error}, which is no cell", PLAIN)
                self._ledger.add(1, f"column {self.header[place]}", None, said)
        return asked

    def _read(self, frames: Iterator[T]) -> Iterator[T]:
        try:
            yield from frames
        except self.engine.errors as error:
            self._ledger.fatal = True
            self._ledger.add(0, "", None, _damaged(error))


def _as_read(batch: Batch) -> Iterator[Batch]:
    # In the pieces in which rows are read, so that faults are found in the same order.
    pieces = [(line - 2) // ROWS for line in batch.lines]
    ends = [place for place, (before, here) in enumerate(pairwise(pieces), 1) if before != here]
    for start, end in pairwise([0, *ends, len(pieces)]):
        columns = [column[start:end] for column in batch.columns]
        yield Batch(columns, batch.lines[start:end], plain=0 if start else batch.plain)


def _finished(cells: Sequence[Sequence[Any]], asked: Sequence[tuple[Any, Finish]]) -> list[Sequence[Cell]]:
    return [finish(column) for (_, finish), column in zip(asked, cells, strict=True)]


def _damaged(error: BaseException) -> Saying:
    return f"cannot be read as Parquet: {next(iter(str(error).splitlines()), '')}", NOT_WHOLE


# --- texts ---


def _as_given(cells: Sequence[Any]) -> Sequence[Cell]:
    return cells


def _numbers(cells: Sequence[Any]) -> Sequence[Cell]:
    return [None if cell is None else str(cell) for cell in cells]


def _walls(cells: Sequence[Any]) -> Sequence[Cell]:
    return [cell if cell is None or "." not in cell else _trimmed(cell) for cell in cells]


def _instants(cells: Sequence[Any]) -> Sequence[Cell]:
    return [None if cell is None else f"{cell}+00:00" for cell in _walls(cells)]


def _trimmed(stamp: str) -> str:
    whole, _, fraction = stamp.partition(".")
    kept = fraction[:DIGITS]
    return f"{whole}.{kept:0<{DIGITS}}" if kept.strip("0") else whole


# --- engines ---


class Polars:
    """Polars: it also hands out whole frames, for what is counted in columns."""

    def __init__(self) -> None:
        self.pl: Any = import_module("polars")
        self.pl.LazyFrame.collect_batches  # noqa: B018  # without it a file would have to fit into memory
        problems = self.pl.exceptions
        self.errors: tuple[type[BaseException], ...] = (problems.PolarsError, problems.PanicException, OSError)

    def open(self, path: str) -> None:
        """Reads the header."""
        self._frame = self.pl.scan_parquet(path, glob=False, hive_partitioning=False)
        schema = self._frame.collect_schema()
        self.header: tuple[str, ...] = tuple(schema.names())
        self.types: tuple[Any, ...] = tuple(schema.dtypes())
        self.rows: int = self._frame.select(self.pl.len()).collect().item()

    def column(self, place: int) -> tuple[Any, Finish]:
        """A column as text."""
        return self.text(self.pl.nth(place), self.types[place])

    def text(self, column: Any, kind: Any) -> tuple[Any, Finish]:
        """An expression of a type as text."""
        pl = self.pl
        if kind.is_float() or kind.is_decimal():
            return column, _numbers
        if kind == pl.Date:
            return column.dt.strftime("%Y-%m-%d").str.strip_prefix("+"), _as_given
        if kind == pl.Datetime:
            wall = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if kind.time_zone else column
            text = wall.dt.strftime("%Y-%m-%d %H:%M:%S%.f").str.strip_prefix("+")
            return text, (_instants if kind.time_zone else _walls)
        if kind.is_integer() or kind in (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Null):
            return column.cast(pl.String), _as_given
        raise Unsupported(kind)

    def read(self, asked: Sequence[Any]) -> Iterator[Sequence[Sequence[Any]]]:
        """Some rows of the columns at a time; two facts may stand in one column."""
        for frame in self.frames(asked, ROWS):
            yield [column.to_list() for column in frame]

    def pieces(self, places: Sequence[int]) -> Iterator[Any]:
        """The columns as they are in the file, some rows at a time; what reads in batches reads far ahead of us."""
        columns = self.select([self.pl.nth(place) for place in places])
        return (columns.slice(start, PIECE).collect() for start in range(0, self.rows, PIECE))

    def select(self, asked: Sequence[Any]) -> Any:
        """The columns as a lazy frame, named by their number."""
        return self._frame.select(column.alias(str(number)) for number, column in enumerate(asked))

    def frames(self, asked: Sequence[Any], rows: int) -> Iterator[Any]:
        """The columns, so many rows at a time, named by their number."""
        return iter(self.select(asked).collect_batches(chunk_size=rows))


class _DuckDB:
    def __init__(self) -> None:
        duckdb: Any = import_module("duckdb")
        self._connection = duckdb.connect()
        self._connection.execute("SET enable_progress_bar = false")  # it would stand on standard output
        self.errors: tuple[type[BaseException], ...] = (duckdb.Error, OSError)

    def open(self, path: str) -> None:
        # A path is a pattern here, and the folders on it may be taken for columns.
        self._path = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)
        described = self._query("DESCRIBE SELECT * FROM {}").fetchall()
        nodes = self._connection.execute("SELECT name, num_children FROM parquet_schema(?)", [self._path]).fetchall()
        self.header = tuple(_top(nodes[1:]))
        self._types = tuple(row[1] for row in described)
        self.rows: int = self._query("SELECT count(*) FROM {}").fetchone()[0]

    def _query(self, text: str) -> Any:
        return self._connection.execute(text.format(FILE), [self._path])

    def column(self, place: int) -> tuple[Any, Finish]:
        column, kind = f"c{place}", self._types[place]
        kind = kind if kind.endswith("]") else kind.partition("(")[0]  # DECIMAL(9,2), but no list of them
        if kind in ("FLOAT", "DOUBLE", "DECIMAL"):
            return column, _numbers
        if kind in ("TIMESTAMP", "TIMESTAMP_NS"):
            return f"{column}::VARCHAR", _walls
        if kind == "TIMESTAMP WITH TIME ZONE":
            return f"make_timestamp(epoch_us({column}))::VARCHAR", _instants
        if kind == "TIMESTAMPTZ_NS":
            return f"make_timestamp_ns(epoch_ns({column}))::VARCHAR", _instants
        if kind.endswith("INT") or kind in TEXTS:
            return f"{column}::VARCHAR", _as_given
        raise Unsupported(kind)

    def pieces(self, places: Sequence[int]) -> Iterator[Any]:
        asked = [f'c{place} AS "{number}"' for number, place in enumerate(places)]
        yield self._connection.cursor().sql(self._select(asked).format(FILE), params=[self._path])

    def _select(self, asked: Sequence[str]) -> str:
        # By place: DuckDB does not tell names apart that differ in case only.
        names = ", ".join(f"c{place}" for place in range(len(self.header)))
        return f"SELECT {', '.join(asked)} FROM {{}} AS file({names})"  # noqa: S608  # no names of others

    def read(self, asked: Sequence[Any]) -> Iterator[Sequence[Sequence[Any]]]:
        found = self._query(self._select(asked))
        while rows := found.fetchmany(ROWS):
            yield list(zip(*rows, strict=True))


def _top(nodes: Sequence[tuple[str, int | None]]) -> Iterator[str]:
    # What DESCRIBE says is not what the file says, where two names differ in case only.
    below = 0
    for name, children in nodes:
        if not below:
            yield name
        below += (children or 0) - bool(below)


class _PyArrow:
    def __init__(self) -> None:
        self._pa: Any = import_module("pyarrow")
        self._parquet: Any = import_module("pyarrow.parquet")
        self.errors: tuple[type[BaseException], ...] = (self._pa.ArrowException, OSError, ValueError)

    def open(self, path: str) -> None:
        self._file = self._parquet.ParquetFile(path)
        self._schema = self._file.schema_arrow
        self.header: tuple[str, ...] = tuple(self._schema.names)
        self.rows: int = self._file.metadata.num_rows

    def column(self, place: int) -> tuple[Any, Finish]:
        kind, types = self._schema.types[place], self._pa.types
        kind = kind.value_type if types.is_dictionary(kind) else kind
        if types.is_floating(kind) or types.is_decimal(kind):
            return (place, kind), _numbers
        if types.is_timestamp(kind):
            return (place, self._pa.timestamp(kind.unit)), (_instants if kind.tz else _walls)
        texts = (types.is_string, types.is_large_string, types.is_string_view, types.is_integer)
        if any(fits(kind) for fits in (*texts, types.is_boolean, types.is_date, types.is_null)):
            return (place, kind), _as_given
        raise Unsupported(kind)

    def pieces(self, places: Sequence[int]) -> Iterator[Any]:  # noqa: ARG002
        return iter(())

    def read(self, asked: Sequence[Any]) -> Iterator[Sequence[Sequence[Any]]]:
        names = [self.header[place] for place, _ in asked]
        for batch in self._file.iter_batches(ROWS, columns=names):
            yield [self._texts(batch.column(name), kind) for name, (_, kind) in zip(names, asked, strict=True)]

    def _texts(self, cells: Any, kind: Any) -> Sequence[Any]:
        types = self._pa.types
        cells = cells.cast(kind)
        number = types.is_floating(kind) or types.is_decimal(kind)
        return (cells if number else cells.cast(self._pa.string())).to_pylist()  # type: ignore[no-any-return]
