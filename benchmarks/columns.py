"""Topic `columns`: `policy.frame` against the same columns by hand, in each engine; against loops; in little memory."""

from __future__ import annotations

import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Self

from benchmarks.deals import NOW, Deal, by_calendar_days, by_working_days, records, table
from benchmarks.peers import (
    DUCKDB,
    SPARK,
    Dialect,
    WorkingDayTable,
    polars_by_calendar_days,
    polars_by_working_days,
    sql_by_calendar_days,
    sql_by_working_days,
)
from benchmarks.ratios import Row, compared
from crmcore.ownership import ReclaimPolicy

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["columns", "stream"]

ROWS, LOOPED, STREAMED, GROUP = 1_000_000, 100_000, 20_000_000, 500_000
POLICIES: Final[dict[str, Callable[[], ReclaimPolicy]]] = {
    "calendar days": by_calendar_days,
    "working days": by_working_days,
}
ANSWER = ("outcome", "step", "rule", "next_change_at")
GIGABYTES = 2.0
STREAM = "import sys; from benchmarks.columns import stream; stream(*sys.argv[1:])"


def columns(*, quick: bool) -> Iterator[Row]:
    """The answers of both sides are compared on the very rows before anything is timed."""
    if lacking := _lacking("numpy", "pyarrow", "narwhals"):
        yield Row("columns", "columns", (), note=lacking)
        return
    rows = table(ROWS)
    for name, engine, needs, target in ENGINES:
        if lacking := _lacking(*needs):
            yield Row("columns", name, (), note=lacking)
        else:
            with engine(rows) as side:
                yield from side.rows(name, target, quick=quick)
    if not _lacking("polars"):
        yield from _loops(rows, pairs=3 if quick else 9)
    if not quick:
        yield from _streamed()


def _lacking(*needs: str) -> str:
    lacking = [name for name in needs if not (shutil.which(name) if name == "java" else find_spec(name))]
    return f"skipped: no {' and no '.join(lacking)}" if lacking else ""


# --- the engines ---


class _Side(ABC):
    """One engine with the rows in it; what is made is consumed the same way on both sides."""

    clock: Callable[[], float] | None = None  # None: processor time
    pairs = (5, 15)

    def __init__(self, rows: pa.Table) -> None:
        self.given = rows
        self.stack = ExitStack()
        self.names = ", ".join(rows.column_names)
        policy = by_working_days()
        assert policy.calendar is not None
        self.limit, self.lead = (WorkingDayTable(policy.calendar, NOW, count) for count in (20, 3))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stack.close()

    def rows(self, name: str, target: float, *, quick: bool) -> Iterator[Row]:
        """By policy the ratio; processor time where that can be had, and then the wall's clock for information."""
        for kind, make in POLICIES.items():
            ours, theirs = partial(self.ours, make()), partial(self.theirs, kind)
            _same(self.table(ours()), self.table(theirs()))
            what = f"{name}, {kind}, {ROWS:,} rows"
            ratios = partial(compared, partial(self.run, ours), partial(self.run, theirs), pairs=self.pairs[not quick])
            if self.clock:
                yield Row("columns", f"{what}, wall clock", ratios(clock=self.clock, warm=3), target)
                continue
            yield Row("columns", what, ratios(), target)
            if not quick:
                yield Row("columns", f"{what}, wall clock", ratios(clock=perf_counter))

    def run(self, make: Callable[[], Any]) -> object:
        return make()

    @abstractmethod
    def ours(self, policy: ReclaimPolicy) -> Any: ...

    @abstractmethod
    def theirs(self, kind: str) -> Any: ...

    @abstractmethod
    def table(self, made: Any) -> pa.Table: ...

    def sql(self, dialect: Dialect, kind: str) -> str:
        if kind == "calendar days":
            return sql_by_calendar_days(dialect, "deals", self.names, NOW)
        return sql_by_working_days(dialect, "deals", self.names, NOW, limit=self.limit, lead=self.lead)


class _Polars(_Side):
    """Lazy frames, collected."""

    def __init__(self, rows: pa.Table) -> None:
        import polars as pl

        super().__init__(rows)
        self.frame: Any = pl.from_arrow(rows, rechunk=True)

    def ours(self, policy: ReclaimPolicy) -> Any:
        return policy.frame(self.frame.lazy(), now=NOW).collect()

    def theirs(self, kind: str) -> Any:
        if kind == "calendar days":
            return polars_by_calendar_days(self.frame.lazy(), NOW).collect()
        return polars_by_working_days(self.frame.lazy(), NOW, limit=self.limit, lead=self.lead).collect()

    def table(self, made: Any) -> pa.Table:
        return made.to_arrow()


class _DuckDB(_Side):
    """A table of a database in memory; the answer as an Arrow table."""

    def __init__(self, rows: pa.Table) -> None:
        import duckdb

        super().__init__(rows)
        self.session = self.stack.enter_context(duckdb.connect())
        self.session.register("given", rows)
        self.session.execute("CREATE TABLE deals AS FROM given")

    def ours(self, policy: ReclaimPolicy) -> Any:
        return policy.frame(self.session.table("deals"), now=NOW).to_arrow_table()

    def theirs(self, kind: str) -> Any:
        return self.session.sql(self.sql(DUCKDB, kind)).to_arrow_table()

    def table(self, made: Any) -> pa.Table:
        return made


class _Spark(_Side):
    """A cached frame of a local session, written nowhere; the work is done in another process."""

    clock = staticmethod(perf_counter)
    pairs = (3, 9)

    def __enter__(self) -> Self:
        import pyarrow.parquet as pq

        folder = self.stack.enter_context(TemporaryDirectory())
        session = self.stack.enter_context(_spark())
        pq.write_table(self.given, f"{folder}/deals.parquet")
        self.frame = session.read.parquet(f"{folder}/deals.parquet").cache()
        assert self.frame.count() == self.given.num_rows
        self.frame.createOrReplaceTempView("deals")
        self.session = session
        return self

    def ours(self, policy: ReclaimPolicy) -> Any:
        return policy.frame(self.frame, now=NOW)

    def theirs(self, kind: str) -> Any:
        return self.session.sql(self.sql(SPARK, kind))

    def run(self, make: Callable[[], Any]) -> object:
        return make().write.format("noop").mode("overwrite").save()

    def table(self, made: Any) -> pa.Table:
        return made.toArrow().sort_by("id")


@contextmanager
def _spark() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    options = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "FATAL",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC",
    }
    session = SparkSession.builder.master("local[*]").config(map=options).getOrCreate()
    try:
        yield session
    finally:
        session.stop()


ENGINES: Final[tuple[tuple[str, type[_Side], tuple[str, ...], float], ...]] = (
    ("Polars", _Polars, ("polars",), 1.3),
    ("DuckDB", _DuckDB, ("duckdb",), 1.7),
    ("PySpark", _Spark, ("pyspark", "java"), 1.3),
)


# --- the same answers ---


def _same(ours: pa.Table, theirs: pa.Table) -> None:
    """The same table, and in it all that the benchmark is to be about; else an error that shows a row."""
    assert ours.column_names == theirs.column_names, f"{ours.column_names} {theirs.column_names}"
    if not ours.equals(theirs.cast(ours.schema)):
        for own, other in zip(ours.to_batches(10_000), theirs.cast(ours.schema).to_batches(10_000), strict=True):
            for mine, yours in zip(own.to_pylist(), other.to_pylist(), strict=True):
                differ = {name: (mine[name], yours[name]) for name in mine if mine[name] != yours[name]}
                assert not differ, f"ours, theirs: {differ} in the row {mine}"
        raise AssertionError("not the same table")
    _telling(ours)


def _telling(answers: pa.Table) -> None:
    """Every outcome, both reminders, both rules; facts ahead, by hours and by days; no start; no end of a freeze."""
    import pyarrow.compute as pc

    found = {
        tuple(row.values()) for row in answers.select(ANSWER[:3]).group_by(list(ANSWER[:3])).aggregate([]).to_pylist()
    }
    rules = ("OWN-1", "OWN-2")
    told = {("remind", step, rule) for step in (1, 2) for rule in rules} | {("reclaim", 0, rule) for rule in rules}
    assert found == told | {(plain, 0, None) for plain in ("keep", "needs_data", None)}, found
    for fact in ("assigned_at", "last_contact_at"):
        ahead = [(at - NOW).days for at in answers.filter(pc.field(fact) > NOW)[fact].to_pylist()]
        assert min(ahead) == 0 < max(ahead), fact
    assert answers["assigned_at"].null_count
    assert pc.max(pc.year(answers["frozen_until"])).as_py() == 9999


# --- loops ---


def _loops(rows: pa.Table, *, pairs: int) -> Iterator[Row]:
    """How many times as long a loop takes; it is timed over the first rows, made objects before."""
    import polars as pl
    import pyarrow.compute as pc

    known = rows.filter(pc.field("status") != "paused")  # a status that is none of ours is an error to `decide`
    frame: Any = pl.from_arrow(known, rechunk=True)
    some = list(records(known.slice(0, LOOPED)))
    scale = frame.height / LOOPED
    for kind, make in POLICIES.items():
        policy = make()
        ours = partial(policy.frame, frame, now=NOW)
        _same_loop(policy, some, ours().head(LOOPED))
        loops: tuple[tuple[str, float, Callable[[], object]], ...] = (
            ("decide", 30, partial(_decided, policy, some)),
            ("at(now)", 3, partial(_mapped, policy.at(NOW), some)),
        )
        for what, least, loop in loops:
            ratios = tuple(scale * ratio for ratio in compared(loop, ours, pairs=pairs, clock=perf_counter))
            yield Row("columns", f"a loop of {what} over Polars, {kind}, wall clock", ratios, least, least=True)


def _same_loop(policy: ReclaimPolicy, some: list[Deal], answers: Any) -> None:
    for deal, own in zip(some, answers.select(ANSWER).rows(), strict=True):
        said = policy.decide(deal, now=NOW)
        other = (said.outcome.value, said.step, said.rule, said.next_change_at)
        assert own == other, f"\n{deal}\nframe   {own}\ndecide  {other}"
    assert list(map(policy.at(NOW), some)) == answers["outcome"].to_list()


def _decided(policy: ReclaimPolicy, some: list[Deal]) -> None:
    decide = policy.decide
    for deal in some:
        decide(deal, now=NOW)


def _mapped(outcome: Callable[[Deal], object], some: list[Deal]) -> None:
    deque(map(outcome, some), 0)


# --- memory ---


STATUS: Final = Path("/proc/self/status")
HOME: Final = Path(__file__).resolve().parent.parent


def _streamed() -> Iterator[Row]:
    """From one Parquet file to another in a process of its own."""
    with TemporaryDirectory() as folder:
        source, target = Path(folder, "deals.parquet"), Path(folder, "decided.parquet")
        _write(source)
        for kind in POLICIES:
            for engine, name in (("polars", "Polars"), ("duckdb", "DuckDB with memory_limit 1GB")):
                what = f"memory, {name}, {kind}, {STREAMED:,} rows of Parquet into Parquet"
                if lacking := _lacking(engine) or ("" if STATUS.exists() else f"skipped: no {STATUS}"):
                    yield Row("columns", what, (), note=lacking)
                else:
                    yield Row("columns", what, (_memory(engine, kind, source, target),), GIGABYTES, " GB")


def _memory(engine: str, kind: str, source: Path, target: Path) -> float:
    arguments = [sys.executable, "-c", STREAM, engine, kind, str(source), str(target)]
    done = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True, cwd=HOME)
    _whole(target)
    return float(done.stdout)


def _write(path: Path) -> None:
    """In row groups, each made from a seed of its own."""
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, table(0).schema) as out:
        for seed in range(STREAMED // GROUP):
            out.write_table(table(GROUP, seed))


def _whole(path: Path) -> None:
    import pyarrow.parquet as pq

    about = pq.read_metadata(path)
    assert about.num_rows == STREAMED
    assert about.schema.names[-4:] == list(ANSWER)
    path.unlink()


def stream(engine: str, kind: str, source: str, target: str) -> None:
    """Decides a file, in the process that is to be measured, and prints the most gigabytes that it held."""
    policy = POLICIES[kind]()
    if engine == "polars":
        import polars as pl

        policy.frame(pl.scan_parquet(source), now=NOW).sink_parquet(target)
    else:
        import duckdb

        # Left to itself it keeps up to four fifths of the machine; copying the file without any rule takes 1.6 GB.
        session = duckdb.connect(config={"memory_limit": "1GB"})
        session.execute("SET enable_progress_bar = false")
        policy.frame(session.read_parquet(source), now=NOW).write_parquet(target)
    # Not `ru_maxrss`: that begins with what the parent held when it started this process.
    (peak,) = (line.split()[1] for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    print(int(peak) * 1024 / 1e9)
