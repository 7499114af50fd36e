"""RFM and the lifetime summary as columns: the same answers as objects, on every kind of frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import cycle
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmcore.errors import InvalidFrame, InvalidPolicy, NaiveDatetime
from crmcore.sales import Sale
from crmcore.testing.scoring import columns_equal_objects, sales_up_to
from crmcore.value.lifetime import clv_frame, clv_summary
from crmcore.value.scores import RfmPolicy, rfm, rfm_frame
from crmcore.value.scoring import Cuts, Quantiles
from crmcore.value.segments import Segment, SegmentMap

pytest.importorskip("narwhals")
pa: Any = pytest.importorskip("pyarrow")
pl: Any = pytest.importorskip("polars")

KINDS = ("polars", "polars-lazy", "pandas", "pandas-pyarrow", "pyarrow", "duckdb")
DAY = date(2026, 3, 31)
NOON = datetime(2026, 3, 30, 12, tzinfo=ZoneInfo("Europe/Berlin"))
NIGHT = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)
NAMES = {"key": "who", "at": "when", "value": "much", "order": "which"}
FIXED = Cuts(recency=(2, 9, 30), frequency=(2, 3, None), monetary=("0.01", "19.995", "100"))


def duckdb(table: Any) -> Any:
    session = pytest.importorskip("duckdb").connect()
    session.execute("SET TimeZone = 'Asia/Kolkata'")
    return session.from_arrow(table)


MAKE: dict[str, Callable[[Any], Any]] = {
    "polars": pl.from_arrow,
    "polars-lazy": lambda table: pl.from_arrow(table).lazy(),
    "pandas": lambda table: pytest.importorskip("pandas") and table.to_pandas(date_as_object=False),
    "pandas-pyarrow": lambda table: table.to_pandas(types_mapper=pytest.importorskip("pandas").ArrowDtype),
    "pyarrow": lambda table: table,
    "duckdb": duckdb,
}


def table_of(sales: Sequence[Sale], *, instants: bool, value: Any = None) -> Any:
    """The lines as a table of Arrow, amounts as floats unless `value` says another type."""
    value = value or pa.float64()
    money = [sale.amount if pa.types.is_decimal(value) else float(sale.amount) for sale in sales]
    return pa.table(
        {
            "who": pa.array([sale.customer for sale in sales], pa.string()),
            "when": pa.array([sale.at for sale in sales], pa.timestamp("us", "UTC") if instants else pa.date32()),
            "much": pa.array(money, value),
            "which": pa.array([sale.order for sale in sales], pa.string()),
        }
    )


def rows_of(frame: Any) -> list[dict[str, Any]]:
    """The rows of any frame; of what pandas has for none, None."""
    import narwhals.stable.v2 as nw

    table = nw.from_native(frame).lazy().collect().to_arrow()
    return [{name: None if value != value else value for name, value in row.items()} for row in table.to_pylist()]  # noqa: PLR0124 - NaN is not itself


def examples(kind: str, as_of: date | datetime) -> int:
    """A database takes a second to read the zone's changes of the clock."""
    return 10 if kind != "duckdb" else 3 if isinstance(as_of, datetime) else 6


POLICIES = st.builds(
    RfmPolicy,
    frequency=st.sampled_from(["orders", "active_days", "lines"]),
    monetary=st.sampled_from(["total", "mean"]),
    scoring=st.sampled_from([FIXED]) | st.integers(2, 7).map(Quantiles),
)


@pytest.mark.rule("VAL-1")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("as_of", [DAY, NOON, NIGHT], ids=["day", "noon", "night"])
def test_columns_are_what_objects_are(kind: str, as_of: date | datetime) -> None:
    """Days, the clock put forward, and the second of two equal hours."""

    @settings(max_examples=examples(kind, as_of))
    @given(sales_up_to(as_of=as_of), POLICIES)
    def law(sales: list[Sale], policy: RfmPolicy) -> None:
        frame = MAKE[kind](table_of(sales, instants=isinstance(as_of, datetime)))
        columns_equal_objects(policy, frame, NAMES, sales, as_of)

    law()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("as_of", [DAY, NOON], ids=["day", "noon"])
def test_lifetimes_as_columns_are_those_of_objects(kind: str, as_of: date | datetime) -> None:
    @settings(max_examples=examples(kind, as_of))
    @given(sales_up_to(as_of=as_of), st.sampled_from("DW"))
    def law(sales: list[Sale], period: Any) -> None:
        frame = MAKE[kind](table_of(sales, instants=isinstance(as_of, datetime)))
        names = {name: column for name, column in NAMES.items() if name != "order"}
        found = {row["who"]: row for row in rows_of(clv_frame(frame, **names, as_of=as_of, period=period))}
        said = clv_summary(sales, as_of=as_of, period=period)
        assert found == {
            one.key: {
                "who": one.key,
                "frequency": one.frequency,
                "age_at_last": one.age_at_last,
                "age": one.age,
                "monetary": None if one.monetary is None else float(one.monetary),
            }
            for one in said
        }

    law()


# --- the frame that comes back ---

SALES = [
    Sale(customer=name, at=DAY - timedelta(days=days), amount=amount, order=order)
    for name, days, amount, order in zip(
        "abcabdaef", range(9), cycle(("5.25", "44.8", "-1.00", "9.99")), "xxyyzzxyy", strict=False
    )
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_kind_comes_back(kind: str) -> None:
    given_ = MAKE[kind](table_of(SALES, instants=False))
    said = rfm_frame(given_, **NAMES, as_of=DAY, prefix="p_")
    assert type(said) is type(given_)
    names = ["who", *(f"p_{name}" for name in ("r", "f", "m", "recency_days", "frequency", "monetary", "segment"))]
    assert list(rows_of(said)[0]) == names
    lived = clv_frame(given_, key="who", at="when", value="much", as_of=DAY, prefix="p_")
    assert type(lived) is type(given_)
    if kind.startswith("pandas"):
        assert list(said.index) == list(range(len(said)))
        assert list(lived.index) == list(range(len(lived)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("places", [0, 2, 5, 6])
@pytest.mark.parametrize("monetary", ["total", "mean"])
def test_places_are_the_callers(kind: str, places: int, monetary: Any) -> None:
    """A mean has four places, whether amounts have fewer or more."""
    policy = RfmPolicy(monetary=monetary, scoring=Quantiles(3))
    amounts = [sale.amount.quantize(Decimal(1).scaleb(-places)) + Decimal(7).scaleb(-places) for sale in SALES]
    sales = [Sale(customer=s.customer, at=s.at, amount=a, order=s.order) for s, a in zip(SALES, amounts, strict=True)]
    columns_equal_objects(policy, MAKE[kind](table_of(sales, instants=False)), NAMES, sales, DAY, places=places)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [pa.decimal128(12, 2), pa.int32(), pa.int64()], ids=str)
def test_amounts_may_be_decimals_or_integers(kind: str, value: Any) -> None:
    """Integers come back as integers. NumPy has no decimals."""
    if kind == "pandas" and pa.types.is_decimal(value):
        pytest.skip("objects, which are refused")
    whole = pa.types.is_integer(value)
    sales = [
        Sale(customer=s.customer, at=s.at, amount=round(s.amount) if whole else s.amount, order=s.order) for s in SALES
    ]
    table = table_of(sales, instants=False, value=None if whole else value)
    table = table.set_column(2, "much", table["much"].cast(value))
    frame = MAKE[kind](table)
    columns_equal_objects(RfmPolicy(scoring=Quantiles(4)), frame, NAMES, sales, DAY)
    found = rows_of(rfm_frame(frame, **NAMES, as_of=DAY))
    assert {type(row["monetary"]) for row in found} == {int if whole else float}


@pytest.mark.parametrize("kind", KINDS)
def test_amounts_are_the_nearest_floats(kind: str) -> None:
    """4480 hundredths are 44.8, which division by a number in Polars is not."""
    sales = [Sale(customer=f"c{cents}", at=DAY, amount=Decimal(cents).scaleb(-2)) for cents in range(1, 300)]
    found = rfm_frame(MAKE[kind](table_of(sales, instants=False)), **NAMES, as_of=DAY)
    assert sorted(row["monetary"] for row in rows_of(found)) == [cents / 100 for cents in range(1, 300)]


@pytest.mark.parametrize("kind", KINDS)
def test_maps_of_ones_own_hold_in_columns(kind: str) -> None:
    few = SegmentMap([Segment("best", r=5, f=(4, 5)), Segment("rich", m=(4, 5))], otherwise="rest")
    one = SegmentMap([Segment("all")])
    frame = MAKE[kind](table_of(SALES, instants=False))
    for segments in (few, one):
        columns_equal_objects(RfmPolicy(segments=segments), frame, NAMES, SALES, DAY)


def test_without_an_order_each_line_is_one() -> None:
    frame = MAKE["polars"](table_of(SALES, instants=False))
    names = {name: column for name, column in NAMES.items() if name != "order"}
    sales = [Sale(customer=sale.customer, at=sale.at, amount=sale.amount) for sale in SALES]
    columns_equal_objects(RfmPolicy(), frame, names, sales, DAY)


def test_a_day_column_is_read_by_the_day_of_as_of() -> None:
    """In the zone of `as_of`, as objects do."""
    frame = MAKE["polars"](table_of(SALES, instants=False))
    columns_equal_objects(
        RfmPolicy(), frame, NAMES, SALES, datetime(2026, 3, 28, 23, 59, tzinfo=ZoneInfo("Asia/Tokyo"))
    )


# --- what is refused ---


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("column", ["who", "when", "much"])
def test_what_is_not_known_is_refused(kind: str, column: str) -> None:
    table = table_of(SALES, instants=False)
    values = [None, *table[column].to_pylist()[1:]]
    table = table.set_column(table.column_names.index(column), column, pa.array(values, table[column].type))
    with pytest.raises(InvalidFrame, match=f"column '{column}': null in 1 rows"):
        rfm_frame(MAKE[kind](table), **NAMES, as_of=DAY)


def test_faults_of_the_frame_are_told() -> None:
    days, instants = (MAKE["polars"](table_of(sales, instants=bool(at))) for at, sales in enumerate((SALES, [])))
    with pytest.raises(InvalidFrame, match="free for the answer"):
        rfm_frame(days.rename({"who": "segment"}), **{**NAMES, "key": "segment"}, as_of=DAY)
    with pytest.raises(InvalidFrame, match="missing"):
        rfm_frame(days, **{**NAMES, "key": "nobody"}, as_of=DAY)
    with pytest.raises(InvalidFrame, match="give an instant with its zone"):
        rfm_frame(instants, **NAMES, as_of=DAY)
    with pytest.raises(NaiveDatetime):
        rfm_frame(days, **NAMES, as_of=datetime(2026, 3, 1))
    with pytest.raises(InvalidPolicy, match="period"):
        clv_frame(days, key="who", at="when", value="much", as_of=DAY, period="M")  # type: ignore[arg-type]


def test_a_function_is_the_policy_of_its_parameters() -> None:
    frame = MAKE["polars"](table_of(SALES, instants=False))
    given_ = {"frequency": "lines", "monetary": "mean", "scoring": FIXED, "segments": SegmentMap.default(4)}
    found = rfm_frame(frame, **NAMES, as_of=DAY, **given_)  # type: ignore[arg-type]
    assert found.sort("who").equals(RfmPolicy(**given_).frame(frame, **NAMES, as_of=DAY).sort("who"))  # type: ignore[arg-type]
    assert rfm(SALES, as_of=DAY, **given_) == RfmPolicy(**given_).score(SALES, as_of=DAY)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_sold_is_an_empty_frame(kind: str) -> None:
    frame = MAKE[kind](table_of([], instants=True))
    assert rows_of(rfm_frame(frame, **NAMES, as_of=NOON.astimezone(UTC))) == []
    assert rows_of(clv_frame(frame, key="who", at="when", value="much", as_of=NOON)) == []
