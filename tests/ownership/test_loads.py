"""The cap over frames: what each owner holds, and which prospects go back first (OWN-4, OWN-9, OWN-10)."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmcore.errors import InvalidFrame, MissingExtra
from crmcore.ownership import CapPolicy, ReclaimPolicy, work_list
from crmcore.ownership.loads import _Held
from crmcore.testing.frames import facts_frame, rows_on_borders

pytest.importorskip("narwhals")
pa: Any = pytest.importorskip("pyarrow")
pl: Any = pytest.importorskip("polars")

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
KINDS = ("polars", "polars-lazy", "pandas", "pandas-pyarrow", "duckdb")
LOAD = ["owner", "open", "cap", "over_by", "after_reclaim", "over_after_reclaim"]
RECLAIM = ReclaimPolicy(idle={"A": "5d", "default": "30d"}, no_deal="90d", remind_before=["2d"])
Row = dict[str, Any]
Order = Callable[[Row], Any]


# --- frames ---


def frame_of(rows: Iterable[Row], kind: str = "polars", *, whole: bool = False) -> Any:
    """The rows as a frame; `whole`: owners are whole numbers."""
    types = {
        "id": pa.int64(),
        "owner": pa.int32() if whole else pa.string(),
        "status": pa.string(),
        "assigned_at": pa.timestamp("us", "UTC"),
        "last_contact_at": pa.timestamp("us", "UTC"),
        "value": pa.int64(),
        "outcome": pa.string(),
    }
    table = pa.Table.from_pylist(list(rows), pa.schema(list(types.items())))
    return table if kind == "pyarrow" else MAKE[kind](table)


def numpy(table: Any) -> Any:
    """With NumPy's types; owners that are whole numbers need one that knows null, and rows may share a label."""
    pytest.importorskip("pandas")
    made = table.to_pandas()
    made.index = [0] * len(made)
    return made.astype({"owner": "Int64"}) if pa.types.is_integer(table.schema.field("owner").type) else made


def duckdb(table: Any) -> Any:
    session = pytest.importorskip("duckdb").connect()
    session.execute("SET TimeZone = 'America/St_Johns'")
    return session.from_arrow(table)


MAKE: dict[str, Callable[[Any], Any]] = {
    "polars": pl.from_arrow,
    "polars-lazy": lambda table: pl.from_arrow(table).lazy(),
    "pandas": numpy,
    "pandas-pyarrow": lambda table: table.to_pandas(types_mapper=pytest.importorskip("pandas").ArrowDtype),
    "duckdb": duckdb,
}


def rows_of(frame: Any) -> list[Row]:
    """The rows of any frame; of what pandas has for none, None."""
    import narwhals.stable.v2 as nw

    table = nw.from_native(frame).lazy().collect().to_arrow()
    return [{name: None if value != value else value for name, value in row.items()} for row in table.to_pylist()]  # noqa: PLR0124 - NaN is not itself


# --- what a loop over the rows says ---


def held_by_owner(rows: Iterable[Row]) -> dict[Any, list[Row]]:
    held: dict[Any, list[Row]] = {}
    for row in rows:
        if row["status"] == "open" and row["owner"] is not None:
            held.setdefault(row["owner"], []).append(row)
    return held


def staying(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.get("outcome") != "reclaim"]


def loop_loads(cap: CapPolicy, rows: list[Row]) -> list[tuple[Any, ...]]:
    said = []
    for owner, held in sorted(held_by_owner(rows).items(), key=lambda item: str(item[0])):
        stay = len(staying(held))
        over, over_then = cap.over_by(owner, len(held)), cap.over_by(owner, stay)
        said.append((owner, len(held), cap.cap(owner), over, stay, over_then))
    return said


def loop_frame(cap: CapPolicy, rows: list[Row], order: Order) -> dict[Any, tuple[int, int]]:
    said = {row["id"]: (0, 0) for row in rows}
    for owner, held in held_by_owner(rows).items():
        stay = sorted(staying(held), key=lambda row: (order(row), str(row["id"])))
        places = {row["id"]: place for place, row in enumerate(stay[: cap.over_by(owner, len(stay)) or 0], 1)}
        said |= {row["id"]: (len(held), places.get(row["id"], 0)) for row in held}
    return said


def longest_idle(row: Row) -> tuple[bool, datetime]:
    known = [at for at in (row["assigned_at"], row["last_contact_at"]) if at is not None]
    return not known, max(known, default=NOW)


def least_value(row: Row) -> tuple[bool, int, tuple[bool, datetime]]:
    at, value = row["last_contact_at"], row["value"]
    return value is None, value or 0, (at is None, at or NOW)


ORDERS: list[tuple[Any, Order]] = [
    (None, longest_idle),
    (("value", "last_contact_at"), least_value),
    ("value", lambda row: least_value(row)[:2]),
    ((), lambda _: 0),
]


def said_by(frame: Any) -> dict[Any, tuple[int, int]]:
    return {row["id"]: (row["held"], row["give_back"]) for row in rows_of(frame)}


# --- what is drawn: few owners, few values, so that many are over and many tie ---

INSTANTS = st.sampled_from([None, NOW, NOW - DAY, NOW - 40 * DAY])
TEXTS = (None, "", "a", "7", "B")
WHOLE = (None, 0, 7, 70)


@st.composite
def tables(draw: st.DrawFn, owners: tuple[Any, ...], size: int = 40) -> list[Row]:
    ids = draw(st.lists(st.integers(0, 200), unique=True, max_size=size))
    return [
        {
            "id": each,
            "owner": draw(st.sampled_from(owners)),
            "status": draw(st.sampled_from(["open", "open", "open", "won", "Open", None])),
            "assigned_at": draw(INSTANTS),
            "last_contact_at": draw(INSTANTS),
            "value": draw(st.sampled_from([None, 0, 9])),
            "outcome": draw(st.sampled_from(["keep", "remind", "reclaim", None])),
        }
        for each in ids
    ]


NUMBERS = st.integers(0, 4)
CAPS = st.builds(
    CapPolicy,
    default=st.none() | NUMBERS,
    per_owner=st.dictionaries(st.sampled_from(["a", "7", 7, 70, "07", "nobody"]), NUMBERS),
)


# --- equal to the loop ---


@pytest.mark.rule("OWN-4", "OWN-9", "OWN-10")
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("kind", [*KINDS, "pyarrow"])
@settings(max_examples=12)
@given(data=st.data())
def test_loads_say_what_a_loop_says(kind: str, whole: bool, data: st.DataObject) -> None:
    rows, cap = data.draw(tables(WHOLE if whole else TEXTS)), data.draw(CAPS)
    found = rows_of(cap.loads(frame_of(rows, kind, whole=whole)))
    assert [tuple(row.values()) for row in found] == loop_loads(cap, rows)


@pytest.mark.rule("OWN-4", "OWN-9", "OWN-10")
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12)
@given(data=st.data())
def test_the_frame_says_what_a_loop_says(kind: str, whole: bool, data: st.DataObject) -> None:
    rows, cap = data.draw(tables(WHOLE if whole else TEXTS)), data.draw(CAPS)
    order_by, order = data.draw(st.sampled_from(ORDERS))
    found = cap.frame(frame_of(rows, kind, whole=whole), order_by=order_by)
    assert said_by(found) == loop_frame(cap, rows, order)


@pytest.mark.rule("OWN-4", "OWN-10")
@pytest.mark.parametrize("kind", [*KINDS, "pyarrow"])
@settings(max_examples=2)
@given(data=st.data())
def test_loads_say_what_the_work_list_says(kind: str, data: st.DataObject) -> None:
    cap = CapPolicy(default=data.draw(NUMBERS), per_owner={"u1": 1})
    rows = [{"id": n, **row} for n, row in enumerate(data.draw(rows_on_borders(RECLAIM, NOW)))]
    pytest.importorskip(kind.partition("-")[0])
    owners = work_list(rows, policy=RECLAIM, cap=cap, now=NOW, zone=UTC).owners
    found = rows_of(cap.loads(RECLAIM.frame(facts_frame(RECLAIM, rows, kind), now=NOW, prefix="x_"), prefix="x_"))
    assert [tuple(row[name] for name in LOAD[:5]) for row in found] == [
        (str(load.owner), load.open, load.cap, load.over_by, load.after_reclaim) for load in owners
    ]


@pytest.mark.slow
def test_spark_says_what_a_loop_says() -> None:
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17 on the driver")
    chance, cap = Random(4), CapPolicy(default=150, per_owner={"7": 90, "B": 300})
    rows = [
        {
            "id": n,
            "owner": chance.choice(TEXTS),
            "status": chance.choice(["open", "open", "won", None]),
            "assigned_at": chance.choice([None, NOW, NOW - 40 * DAY]),
            "last_contact_at": chance.choice([None, NOW, NOW - DAY]),
            "value": chance.choice([None, 0, 9]),
            "outcome": chance.choice(["keep", "reclaim", None]),
        }
        for n in range(2_000)
    ]
    builder = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.session.timeZone", "America/St_Johns").getOrCreate()
    session.conf.set("spark.sql.shuffle.partitions", "2")
    given = session.createDataFrame(frame_of(rows, "pyarrow"))
    assert sorted(tuple(row.values()) for row in rows_of(cap.loads(given))) == sorted(loop_loads(cap, rows))
    for order_by, order in ORDERS:
        assert said_by(cap.frame(given, order_by=order_by)) == loop_frame(cap, rows, order)


# --- by name ---


def deal(key: int, owner: str | None = "a", idle: int | None = 0, **facts: Any) -> Row:
    start = None if idle is None else NOW - idle * DAY
    return {"id": key, "owner": owner, "status": "open", "assigned_at": start, **facts}


DEALS = [
    deal(30, idle=5),
    deal(4, idle=5),
    deal(2, idle=None),
    deal(5, idle=9, last_contact_at=NOW),
    deal(6, idle=7, outcome="reclaim"),
    deal(7, idle=8, status="won"),
    deal(8, owner=None, idle=9),
    deal(9, owner=None, idle=9),
    deal(10, owner="", idle=1),
    deal(11, owner="", idle=2),
]


@pytest.mark.rule("OWN-4", "OWN-9")
@pytest.mark.parametrize("kind", KINDS)
def test_the_longest_idle_goes_first_ties_by_id_and_the_unknown_last(kind: str) -> None:
    """What is reclaimed leaves anyway; what is closed or has no owner is not counted, beside an owner named ""."""
    found = said_by(CapPolicy(default=1).frame(frame_of(DEALS, kind)))
    first_to_last = sorted((place, key) for key, (_, place) in found.items() if place and key != 11)
    assert first_to_last == [(1, 30), (2, 4), (3, 5)]
    assert {key: found[key] for key in (2, 6, 7, 8, 10, 11)} == {
        2: (5, 0),
        6: (5, 0),
        7: (0, 0),
        8: (0, 0),
        10: (2, 0),
        11: (2, 1),
    }


@pytest.mark.rule("OWN-10")
def test_who_holds_the_number_is_not_over() -> None:
    frame = frame_of([deal(1), deal(2)])
    assert [set(said_by(CapPolicy(default=cap).frame(frame)).values()) for cap in (2, 1)] == [
        {(2, 0)},
        {(2, 0), (2, 1)},
    ]


def break_ties_by_nothing(self: _Held, order_by: Any, key: str) -> Any:
    return {name: column for name, column in ORDER(self, order_by, key).items() if name != "id"}


def put_null_first(self: _Held, order_by: Any, key: str) -> Any:
    return {name: column for name, column in ORDER(self, order_by, key).items() if "null" not in name}


def count_what_has_no_owner(self: _Held) -> Any:
    return self._says(self.status, "open")


def count_what_is_closed(self: _Held) -> Any:
    return ~self.nw.col(self.owner).is_null()


def reclaim_nothing(self: _Held) -> Any:
    return self.nw.lit(value=False)


ORDER = _Held.order
BROKEN = [
    ("order", break_ties_by_nothing),
    ("order", put_null_first),
    ("open", property(count_what_has_no_owner)),
    ("open", property(count_what_is_closed)),
    ("reclaimed", property(reclaim_nothing)),
]


@pytest.mark.parametrize(("part", "broken"), BROKEN)
def test_a_broken_part_is_caught(part: str, broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop tells each of them from the true one."""
    cap, rows = CapPolicy(default=1), sorted(DEALS, key=lambda row: row["id"])  # ties in another order than as text
    assert said_by(cap.frame(frame_of(rows))) == loop_frame(cap, rows_of(frame_of(rows)), longest_idle)
    monkeypatch.setattr(_Held, part, broken)
    assert said_by(cap.frame(frame_of(rows))) != loop_frame(cap, rows_of(frame_of(rows)), longest_idle)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_kind_comes_back(kind: str) -> None:
    given, cap = frame_of(DEALS, kind), CapPolicy(default=1)
    assert (type(cap.frame(given)), type(cap.loads(given))) == (type(given), type(given))


@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_are_whole(kind: str) -> None:
    import narwhals.stable.v2 as nw

    cap = CapPolicy(default=1)
    framed, loads = (
        nw.from_native(found).collect_schema()
        for found in (cap.frame(frame_of(DEALS, kind)), cap.loads(frame_of(DEALS, kind)))
    )
    assert [framed[name] for name in ("held", "give_back")] + [loads[name] for name in LOAD[1:]] == [nw.Int64] * 7


@pytest.mark.parametrize("kind", ["polars", "pandas", "pandas-pyarrow"])
def test_eager_rows_stay_where_they_are(kind: str) -> None:
    given = frame_of(DEALS, kind)
    found = CapPolicy(default=1).frame(given, order_by="assigned_at")
    assert list(found.columns) == [*given.columns, "held", "give_back"]
    assert list(found["id"]) == [row["id"] for row in DEALS]
    if kind == "pandas":
        assert list(found.index) == list(given.index)


def test_lazy_stays_lazy_and_nothing_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    lazy, cap = frame_of(DEALS, "polars-lazy"), CapPolicy(default=1)
    with monkeypatch.context() as patch:
        patch.setattr(pl.LazyFrame, "collect", lambda *_, **__: pytest.fail("collected"))
        found = cap.frame(lazy), cap.loads(lazy)
    assert [type(each) for each in found] == [pl.LazyFrame] * 2
    assert found[1].collect().columns == LOAD


def test_owners_keep_their_type_and_codes_may_be_categories() -> None:
    categories = pl.Enum(["a", "", "z"]), pl.Categorical()
    for owner in categories:
        status = pl.col("status").cast(pl.Categorical)
        found = CapPolicy(per_owner={"a": 1}).loads(frame_of(DEALS).with_columns(status, pl.col("owner").cast(owner)))
        assert found.schema["owner"] == owner
        assert found.select("owner", "cap").rows() == [("", None), ("a", 1)]
    pandas = frame_of(DEALS, "pandas").astype({"owner": "category"})
    assert CapPolicy(default=1).loads(pandas)["owner"].dtype == pandas["owner"].dtype


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_number_goes_with_null(kind: str) -> None:
    scores = pa.array([float("nan"), None, -1.0, 2.5, None, float("nan")])
    given = MAKE[kind](frame_of([deal(key) for key in range(6)], "pyarrow").append_column("score", scores))
    found = said_by(CapPolicy(default=0).frame(given, order_by="score"))
    assert sorted(found, key=lambda key: found[key][1]) == [2, 3, 0, 1, 4, 5]


def test_categories_go_by_their_text_and_an_enum_by_its_own_order() -> None:
    frame, cap = frame_of([deal(1), deal(2), deal(3)]), CapPolicy(default=1)
    grades = pl.Series("grade", ["B", "C", "A"])
    first = {
        dtype: said_by(cap.frame(frame.with_columns(grades.cast(dtype)), order_by="grade"))
        for dtype in (pl.String(), pl.Categorical(), pl.Enum(["C", "B", "A"]))
    }
    assert [[place for _, place in said.values()] for said in first.values()] == [[2, 0, 1], [2, 0, 1], [2, 1, 0]]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_zones_and_units_of_the_columns(unit: str) -> None:
    rows = [deal(1, idle=3), deal(2, idle=5, last_contact_at=NOW - DAY), deal(3, idle=2)]
    zoned = pl.col("assigned_at").dt.convert_time_zone("Asia/Shanghai").dt.cast_time_unit(unit)
    assert said_by(CapPolicy(default=1).frame(frame_of(rows).with_columns(zoned))) == {1: (3, 1), 2: (3, 0), 3: (3, 2)}


def test_names_of_ones_own_and_a_prefix() -> None:
    names = {"id": "key", "owner": "rep", "status": "stage"}
    given = frame_of(DEALS).rename({**names, "outcome": "x_outcome"})
    cap = CapPolicy(default=1)
    found = cap.frame(given, prefix="x_", id="key", owner="rep", status="stage")
    assert found.columns[-2:] == ["x_held", "x_give_back"]
    plain = found.rename({"key": "id", "x_held": "held", "x_give_back": "give_back"})
    assert said_by(plain) == said_by(cap.frame(frame_of(DEALS)))
    assert cap.loads(given, prefix="x_", owner="rep", status="stage").equals(cap.loads(frame_of(DEALS)))


def test_without_an_outcome_nothing_leaves() -> None:
    found = CapPolicy(default=1).loads(frame_of(DEALS).drop("outcome"))
    assert found.filter(owner="a").rows() == [("a", 5, 1, 4, 5, 4)]


@pytest.mark.parametrize("kind", [*KINDS, "pyarrow"])
def test_no_rows_stay_no_rows(kind: str) -> None:
    assert rows_of(CapPolicy(default=1).loads(frame_of([], kind))) == []


GIVEN = frame_of(DEALS)
REFUSED: list[tuple[Any, Row, str]] = [
    (GIVEN.rename({"owner": "owners"}), {}, "did you mean 'owners'"),
    (GIVEN.drop("status"), {}, "column 'status': missing"),
    (GIVEN.drop("id"), {}, "column 'id': missing"),
    (GIVEN.drop("assigned_at"), {}, "order_by"),
    (GIVEN, {"order_by": "valeu"}, "did you mean 'value'"),
    (GIVEN, {"prefix": "x_"}, "column 'x_outcome': missing"),
    (GIVEN.with_columns(owner=pl.lit(7.0)), {}, "column 'owner': Float64"),
    (GIVEN.with_columns(id=pl.lit(7.0)), {}, "column 'id': Float64"),
    (GIVEN.with_columns(status=pl.lit(1)), {}, "column 'status': Int32"),
    (GIVEN.with_columns(outcome=pl.lit(1)), {}, "column 'outcome': Int32"),
    (GIVEN.with_columns(assigned_at=pl.lit("2026")), {}, "column 'assigned_at': String"),
    (GIVEN.with_columns(value=pl.lit([1])), {"order_by": "value"}, "column 'value': List"),
    (GIVEN.with_columns(Held=pl.lit(1)), {}, "columns: Held"),
    (GIVEN.with_columns(give_back=pl.lit(1)), {}, "columns: give_back"),
    (GIVEN.with_columns(__crmcore_x=pl.lit(1)), {}, "columns: __crmcore_x"),
    (DEALS, {}, "df: list is not a data frame"),
    (frame_of(DEALS, "pyarrow"), {}, "pyarrow is not able to count within each owner"),
]


@pytest.mark.parametrize(("frame", "options", "says"), REFUSED, ids=[says for *_, says in REFUSED])
def test_a_frame_that_does_not_fit_is_refused(frame: Any, options: Row, says: str) -> None:
    with pytest.raises(InvalidFrame) as caught:
        CapPolicy(default=1).frame(frame, **options)
    assert says in str(caught.value)


def test_the_hint_for_pyarrow_works() -> None:
    pytest.importorskip("duckdb")
    import narwhals.stable.v2 as nw

    given = nw.from_native(frame_of(DEALS, "pyarrow")).lazy("duckdb").to_native()
    assert said_by(CapPolicy(default=1).frame(given)) == said_by(CapPolicy(default=1).frame(GIVEN))


def test_without_narwhals_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "narwhals.stable.v2", None)
    with pytest.raises(MissingExtra, match=r"crmcore\[frames\]"):
        CapPolicy().loads(GIVEN)
