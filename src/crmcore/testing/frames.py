"""
The law *columns = objects*: `policy.frame` says of every row what `decide` says of it.

    from crmcore.testing.frames import check_frame, columns_equal_objects

    def test_our_policy_on_our_frames() -> None:
        check_frame(our_policy, "duckdb")                               # random rows on the borders of the policy
        columns_equal_objects(our_policy, our_frame, now=an_instant)    # a frame of ours, of any kind

A module of its own, for it needs the extra ``frames`` and the libraries of the frames that it is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from crmcore.decisions import UNKNOWN
from crmcore.decisions.frames import ANSWER, narwhals
from crmcore.decisions.reach import FAR, NEAR
from crmcore.errors import InvalidFact, InvalidFrame
from crmcore.testing.checks import _run
from crmcore.testing.policies import moments, prospects
from crmcore.testing.records import expect

__all__ = ["BACKENDS", "check_frame", "columns_equal_objects", "facts_frame", "fitting", "rows_on_borders"]

TEXT: Final = ("status", "owner", "grade")
FLAG: Final = "contact_unknown"
PREFIX: Final = "answer_"
MONTH: Final = timedelta(days=31)
Columns = Mapping[str, Sequence[Any]]


# --- the law ---


def columns_equal_objects(policy: Any, frame: Any, now: datetime) -> None:
    """
    `policy.frame` adds to every row of `frame` what `decide` says of it, and changes nothing else.

    `frame` is of any kind that the policy takes. A row whose status is none of ours has no outcome. A `next_change_at`
    of years ahead (with spans in wh or wmin, months) may be too early, never too late.
    """
    answers = _rows(policy.frame(frame, now=now, prefix=PREFIX))
    seen = {"now": now, "given": len(before := _rows(frame)), "found": len(answers)}
    names = list(before[0]) if before else []
    expect(_counted(before, names) == _counted(answers, names), "the rows are not those given", policy, frame, **seen)
    for row in answers:
        facts = {name: value for name, value in row.items() if not str(name).startswith(PREFIX)}
        found = tuple(row[f"{PREFIX}{name}"] for name in ANSWER)
        decided = _decided(policy, facts, now)
        same = found[:3] == decided[:3] and _timely(policy, now, found[3], decided[3])
        expect(same, "the columns differ from decide", policy, facts, now=now, columns=found, decide=decided)


def _host(policy: Any) -> Callable[[str], str]:
    names = getattr(policy, "names", {})
    return lambda fact: str(names.get(fact, fact))


def _rows(frame: Any) -> list[dict[str, Any]]:
    """The rows of any frame, in UTC, with plain values; what is lazy is collected."""
    nw = narwhals()
    table = nw.from_native(frame).lazy().collect()
    # In a zone east of UTC the last instant is in no year.
    zoned = [name for name, kind in table.schema.items() if isinstance(kind, nw.Datetime) and kind.time_zone]
    table = table.with_columns(*(nw.col(name).dt.convert_time_zone("UTC") for name in zoned))
    return [{name: _plain(value) for name, value in row.items()} for row in table.rows(named=True)]


def _plain(value: Any) -> Any:
    """The value as Python has it: pandas has its ways to say none, and instants of its own."""
    if value is None or value != value:  # noqa: PLR0124 - so NaN and NaT tell themselves
        return None
    if isinstance(value, datetime):
        return getattr(value, "to_pydatetime", lambda: value)().astimezone(UTC)
    return value


def _counted(rows: Iterable[Mapping[Any, Any]], names: Sequence[Any]) -> Counter[str]:
    return Counter(repr([row[name] for name in names]) for row in rows)  # as text, for a cell may be a list


def _decided(policy: Any, facts: Mapping[str, Any], now: datetime) -> tuple[Any, ...]:
    try:
        decision = policy.decide(facts, now=now)
    except InvalidFact:
        return None, 0, None, None
    return decision.outcome.value, decision.step, decision.rule, decision.next_change_at


def _timely(policy: Any, now: datetime, found: datetime | None, decided: datetime | None) -> bool:
    """The same, or both beyond what columns know to the microsecond."""
    if found is None or decided is None or found >= decided:
        return found == decided
    working = any(span.unit in ("wh", "wmin") for _, span in policy.spans())
    return found > now + (NEAR if working else FAR) - MONTH  # the last pieces are cut short


# --- frames to hold it against ---


def fitting(policy: Any) -> bool:
    """Whether columns can say the policy; they refuse a lead for some of the limits in a table without a default."""
    try:
        policy.frame(facts_frame(policy, [], "pyarrow"), now=datetime(2026, 1, 1, tzinfo=UTC))
    except InvalidFrame:
        return False
    return True


@st.composite
def rows_on_borders(draw: DrawFn, policy: Any, now: datetime, *, size: int = 30) -> list[dict[str, Any]]:
    """
    Rows, by the host's names, on the borders that the policy has at `now`; some start or contact is not known.

    `size` is how many at least; each fact is drawn from a pool, so many rows cost little.
    """
    drawn = draw(st.lists(prospects(policy, now, unknown=False, zoned=False), min_size=min(size, 24), max_size=24))
    numbers = _numbers(draw(st.integers(0, 2**32 - 1)))
    pool = [_row(policy, vars(record)) for record in drawn]
    rows = [
        *pool,
        *({host: pool[next(numbers) % len(pool)][host] for host in pool[0]} for _ in range(size - len(pool))),
    ]
    for row in rows:
        if FLAG in policy.reads and next(numbers) % 8 == 0:
            row[_host(policy)(FLAG)] = True
    return rows


def _numbers(seed: int) -> Iterator[int]:
    """Numbers without a pattern, the same for the same seed."""
    while True:
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64  # Knuth's MMIX
        yield seed >> 33


def _row(policy: Any, facts: Mapping[str, Any]) -> dict[str, Any]:
    host = _host(policy)
    return {host(fact): facts.get(host(fact)) for fact in policy.reads}


def _cell(kind: str, value: Any) -> Any:
    if value is None or value is UNKNOWN:
        return None
    return str(value) if kind == "text" else value


def facts_frame(policy: Any, rows: Iterable[Mapping[str, Any]], backend: str = "polars") -> Any:
    """
    A frame of one of the `BACKENDS` with the columns that the policy reads, under the host's names.

    PySpark makes one of PyArrow's: ``spark.createDataFrame(facts_frame(policy, rows, "pyarrow"))``.
    """
    given, host = list(rows), _host(policy)
    kinds = {host(fact): FLAG if fact == FLAG else "text" if fact in TEXT else "instant" for fact in policy.reads}
    columns = {name: [_cell(kind, row.get(name)) for row in given] for name, kind in kinds.items()}
    return BACKENDS[backend](columns, kinds)


def _polars(columns: Columns, kinds: Mapping[str, str]) -> Any:
    import polars as pl

    types = {"instant": pl.Datetime("us", "UTC"), FLAG: pl.Boolean(), "text": pl.String()}
    return pl.DataFrame(columns, schema={name: types[kind] for name, kind in kinds.items()})


def _pyarrow(columns: Columns, kinds: Mapping[str, str]) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped]

    types = {"instant": pa.timestamp("us", "UTC"), FLAG: pa.bool_(), "text": pa.string()}
    return pa.table({name: pa.array(columns[name], types[kind]) for name, kind in kinds.items()})


def _pandas(columns: Columns, kinds: Mapping[str, str]) -> Any:
    import pandas as pd  # type: ignore[import-untyped]

    types = {"instant": "datetime64[us, UTC]", FLAG: "bool", "text": "object"}
    filled = {name: [bool(v) if kinds[name] == FLAG else v for v in values] for name, values in columns.items()}
    return pd.DataFrame({name: pd.Series(filled[name], dtype=types[kind]) for name, kind in kinds.items()})


def _pandas_pyarrow(columns: Columns, kinds: Mapping[str, str]) -> Any:
    import pandas as pd

    return _pyarrow(columns, kinds).to_pandas(types_mapper=pd.ArrowDtype)


def _duckdb(columns: Columns, kinds: Mapping[str, str]) -> Any:
    """In a session whose zone is none of the policy's: it must not matter."""
    import duckdb

    session = duckdb.connect()
    session.execute("SET TimeZone = 'America/St_Johns'")
    return session.from_arrow(_pyarrow(columns, kinds))


BACKENDS: Final[Mapping[str, Callable[[Columns, Mapping[str, str]], Any]]] = MappingProxyType(
    {
        "polars": _polars,
        "polars-lazy": lambda columns, kinds: _polars(columns, kinds).lazy(),
        "pandas": _pandas,
        "pandas-pyarrow": _pandas_pyarrow,
        "pyarrow": _pyarrow,
        "duckdb": _duckdb,
    }
)


def check_frame(
    policy: Any, backend: str = "polars", examples: int = 20, *, size: int = 100, derandomize: bool = True
) -> None:
    """Runs the law on `examples` frames of `size` rows; raises AssertionError with a row that breaks it."""
    from hypothesis import given

    @given(st.data())
    def law(data: st.DataObject) -> None:
        now = data.draw(moments(policy), "now")
        rows = data.draw(rows_on_borders(policy, now, size=size), "rows")
        columns_equal_objects(policy, facts_frame(policy, rows, backend), now)

    _run(law, examples, derandomize=derandomize)
