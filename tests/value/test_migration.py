"""Who moved from class to class: the matrix, from objects and from columns (VAL-2, VAL-7)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmcore.errors import InvalidFact, InvalidFrame, InvalidPolicy
from crmcore.sales import Periods, Sale
from crmcore.value.classes import AbcPolicy, abc
from crmcore.value.migration import (
    GONE,
    NEW,
    Cell,
    Migration,
    class_periods,
    migration,
    migration_frame,
    migrations,
)
from crmcore.value.stability import ClassHistory, StabilityPolicy

pytestmark = pytest.mark.rule("VAL-2")
BACKENDS = ("polars", "polars_lazy", "pandas", "pandas_arrow", "pyarrow", "duckdb")
CLASSED = st.dictionaries(st.integers(1, 9), st.sampled_from("ABCZN"))
WORTH = st.sampled_from([-5, 0, 1, 2, 5, 20, 25, 50, 75, 100])
VALUES = st.dictionaries(st.sampled_from("abcdefgh"), WORTH)
Moved = Callable[..., Migration]


# --- laws: each takes the function, so that a broken one can be tried ---


def rows_are_those_before_and_columns_those_after(made: Moved) -> None:
    @given(CLASSED, CLASSED)
    def law(before: dict[int, str], after: dict[int, str]) -> None:
        found = made(before, after)
        for label in found.labels:
            assert found.row_sum(label) == list(before.values()).count(label)
            assert found.column_sum(label) == list(after.values()).count(label)
        assert found.new == len(after.keys() - before.keys())
        assert found.gone == len(before.keys() - after.keys())
        assert found.up + found.down + found.stayed == len(before.keys() & after.keys())

    law()


def each_is_where_it_went(made: Moved) -> None:
    @given(CLASSED, CLASSED)
    def law(before: dict[int, str], after: dict[int, str]) -> None:
        found = made(before, after)
        for (row, column), cell in found.cells.items():
            expected = {key for key in before | after if (before.get(key, NEW), after.get(key, GONE)) == (row, column)}
            assert cell.keys == tuple(sorted(expected))
            assert cell.customers == len(expected)

    law()


def shares_of_a_row_are_one_whole(made: Moved) -> None:
    @given(CLASSED, CLASSED)
    def law(before: dict[int, str], after: dict[int, str]) -> None:
        found = made(before, after)
        for row in found.rows:
            shares = [found.share(row, column) for column in found.columns]
            whole = sum(part or 0 for part in shares), None in shares
            assert whole == ((1, False) if found.row_sum(row) else (0, True))

    law()


def values_add_up(made: Moved) -> None:
    @given(VALUES, VALUES)
    def law(before: dict[str, int], after: dict[str, int]) -> None:
        found = made(abc(before), abc(after))
        cells = found.cells.values()
        assert sum(cell.before or 0 for cell in cells) == sum(before.values())
        assert sum(cell.after or 0 for cell in cells) == sum(after.values())
        assert sum(cell.moved or 0 for cell in cells) == sum(after.values()) - sum(before.values())

    law()


def back_is_the_matrix_turned_over(made: Moved) -> None:
    @given(CLASSED, CLASSED)
    def law(before: dict[int, str], after: dict[int, str]) -> None:
        there, back = made(before, after), made(after, before)
        assert (there.up, there.new) == (back.down, back.gone)
        for row in there.labels:
            assert [there.count(row, column) for column in there.labels] == [
                back.count(column, row) for column in there.labels
            ]

    law()


LAWS = [
    rows_are_those_before_and_columns_those_after,
    each_is_where_it_went,
    shares_of_a_row_are_one_whole,
    values_add_up,
    back_is_the_matrix_turned_over,
]


@pytest.mark.parametrize("law", LAWS)
def test_law(law: Callable[[Moved], None]) -> None:
    """What the name of the law says."""
    law(migration)


# --- each law bites ---


def _without_new(before: Any, after: Any) -> Migration:
    return migration(before, {key: label for key, label in after.items() if key in before}, labels="ABCZN")


def _one_step(before: Any, after: Any) -> Migration:
    """Who falls from A falls to B."""
    return migration(before, {key: "B" if before.get(key) == "A" != label else label for key, label in after.items()})


@attrs.frozen(kw_only=True)
class _OfAll(Migration):
    def share(self, row: str, column: str) -> Fraction | None:
        return Fraction(self.count(row, column), sum(map(self.row_sum, self.rows)) or 1)


def _of_all(before: Any, after: Any) -> Migration:
    return _OfAll(from_="", to="", labels=(found := migration(before, after)).labels, cells=found.cells)


def _only_gains(before: Any, after: Any) -> Migration:
    found = migration(before, after)
    cells = {
        place: attrs.evolve(cell, after=max(cell.after or Decimal(0), Decimal(0)))
        for place, cell in found.cells.items()
    }
    return attrs.evolve(found, cells=cells)


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        (rows_are_those_before_and_columns_those_after, _without_new),
        (each_is_where_it_went, _one_step),
        (shares_of_a_row_are_one_whole, _of_all),
        (values_add_up, _only_gains),
        (back_is_the_matrix_turned_over, _without_new),
    ],
)
@pytest.mark.usefixtures("one_fault")
def test_the_law_bites(law: Callable[[Moved], None], broken: Moved) -> None:
    """A function that breaks the law is caught by it."""
    with pytest.raises(AssertionError):
        law(broken)


# --- stories ---


def test_the_matrix_has_the_best_class_first() -> None:
    """Rows and columns in the order of the classes, zero and negative values after them, then new and gone."""
    found = migration(abc({"u1": 90, "u2": 9, "u3": -1}), abc({"u1": 9, "u2": 90, "u4": 0}))
    assert found.table() == (
        ("", "A", "B", "C", "Z", "N", "gone"),
        ("A", 0, 1, 0, 0, 0, 0),
        ("B", 1, 0, 0, 0, 0, 0),
        ("C", 0, 0, 0, 0, 0, 0),
        ("Z", 0, 0, 0, 0, 0, 0),
        ("N", 0, 0, 0, 0, 0, 1),
        ("new", 0, 0, 0, 1, 0, 0),
    )
    assert (found.up, found.down, found.stayed, found.new, found.gone) == (1, 1, 0, 1, 1)


def test_value_that_moved() -> None:
    """Of who is new nothing before, of who is gone nothing after."""
    found = migration(abc({"u1": 90, "u2": "9.5"}), abc({"u1": 80, "u3": 7}))
    assert found.cells["A", "A"] == Cell(customers=1, before=Decimal(90), after=Decimal(80), keys=("u1",))
    assert found.cells["B", GONE].moved == Decimal("-9.5")
    assert found.cells[NEW, "B"].moved == Decimal(7)
    assert found.cells["C", "C"] == Cell(customers=0, before=Decimal(0), after=Decimal(0), keys=())


def test_classes_alone_have_no_values() -> None:
    """Nor has one side with them."""
    found = migration({"u1": "A"}, abc({"u1": 80}))
    assert {(cell.before, cell.after, cell.moved) for cell in found.cells.values()} == {(None, None, None)}


def test_classes_of_ones_own_are_in_the_order_given() -> None:
    """Else in that of the alphabet; a class that is not among them is refused."""
    gold, silver = {"u1": "gold"}, {"u1": "silver"}
    assert migration(silver, gold, labels=("silver", "gold")).down == 1
    assert migration(silver, gold).up == 1
    assert migration({"u1": "Z", "u2": "N", "u3": "top"}, {}).labels == ("top", "Z", "N")
    with pytest.raises(InvalidFact) as error:
        migration(silver, gold, labels=["gold"])
    assert str(error.value) == "class of 'u1' is 'silver'; expected one of gold"


@pytest.mark.parametrize("label", [NEW, GONE])
def test_a_class_is_not_called_new_or_gone(label: str) -> None:
    """It could not be told from having none."""
    with pytest.raises(InvalidPolicy, match="a class: new and gone are those without one"):
        migration({"u1": label}, {})


def test_keys_of_all_kinds_have_an_order() -> None:
    """The same whatever order they come in; ints in theirs, and what has none by its text."""
    keys = [10, 9, "u2", "u1", 1j, 0j, None]
    found = {migration(dict.fromkeys(order, "A"), {}).cells["A", GONE].keys for order in (keys, keys[::-1])}
    assert found == {(None, 0j, 1j, 9, 10, "u1", "u2")}
    assert migration({10: "A", 9: "A"}, {}).cells["A", GONE].keys == (9, 10)


def test_a_history_is_followed_from_period_to_period() -> None:
    """By the settled classes: u2 is held for a period, then falls."""
    stable, history = StabilityPolicy(), ClassHistory()
    quarters = Periods("quarter").between(date(2026, 1, 1), date(2026, 9, 30))
    for period, worth in zip(quarters, (25, 1, 1), strict=True):
        classes = stable.abc.classify({"u1": 90, "u2": worth, "u3": 9})
        history = stable.settle(history, classes, period=period, as_of=period.end)
    held, fell = migrations(history)
    assert (held.from_, held.to, held.down) == ("2026-Q1", "2026-Q2", 0)
    assert (fell.from_, fell.to, fell.down, fell.cells["A", "C"].keys) == ("2026-Q2", "2026-Q3", 1, ("u2",))


def test_pairs_name_the_periods_as_they_are_called() -> None:
    """And one period moves nobody."""
    (found,) = migrations([("spring", {"u1": "A"}), ("summer", {"u1": "B"})], labels="AB", keys=False)
    assert (found.from_, found.to, found.cells["A", "B"]) == ("spring", "summer", Cell(customers=1))
    assert migrations([("spring", {"u1": "A"})]) == ()


def test_a_period_without_sales_has_empty_classes() -> None:
    """So all are gone, and come back as new."""
    sales = [{"customer": "u1", "at": date(2026, month, 1), "amount": 5} for month in (1, 3)]
    found = class_periods(sales, Periods("month"), AbcPolicy())
    assert {str(period): classes.degenerate for period, classes in found.items()} == {
        "2026-01": "single",
        "2026-02": "empty",
        "2026-03": "single",
    }
    assert [(moved.gone, moved.new) for moved in migrations(found)] == [(1, 0), (0, 1)]
    assert class_periods([], Periods("month"), AbcPolicy()) == {}


def test_the_zone_says_which_period_an_instant_is_in() -> None:
    """17:00 UTC on the last of March is April in Shanghai."""
    sales = [Sale(customer="u1", at=datetime(2026, 3, 31, 17, tzinfo=UTC), amount=1)]
    for zone, period in (("UTC", "2026-03"), ("Asia/Shanghai", "2026-04")):
        assert [str(one) for one in class_periods(sales, Periods("month", zone), AbcPolicy())] == [period]


def test_a_record_is_json() -> None:
    """Counts, shares, values where they are known, keys where they are wanted."""
    found = migration(abc({"u1": 90}), abc({"u1": "80.5"}), from_="2026-Q1", to="2026-Q2")
    record = json.loads(json.dumps(found.record(keys=True)))
    zeros = dict.fromkeys(("B", "C", "Z", "N", "gone"), 0)
    assert record["cells"]["A"] == {"A": 1, **zeros}
    assert list(record["cells"]) == ["A", "B", "C", "Z", "N", "new"]
    assert list(record["cells"]["new"]) == ["A", "B", "C", "Z", "N"]
    assert (record["shares"]["A"]["A"], record["shares"]["B"]["A"]) == (1.0, None)
    assert record["values"]["A"]["A"] == {"before": "90", "after": "80.5", "moved": "-9.5"}
    assert record["keys"]["A"]["A"] == ["u1"]
    assert {name: record[name] for name in ("from", "to", "up", "down", "stayed", "new", "gone")} == {
        "from": "2026-Q1",
        "to": "2026-Q2",
        "up": 0,
        "down": 0,
        "stayed": 1,
        "new": 0,
        "gone": 0,
    }
    assert {"values", "keys"}.isdisjoint(migration({"u1": "A"}, {}).record())


# --- columns ---


def frame(backend: str, rows: Sequence[Mapping[str, Any]], *, instants: bool) -> Any:
    pl = pytest.importorskip("polars")
    schema = {"buyer": pl.String, "net": pl.Float64, "day": pl.Datetime("us", "UTC") if instants else pl.Date}
    made = pl.DataFrame([dict(row) for row in rows], schema=schema)
    if backend == "polars":
        return made
    if backend == "polars_lazy":
        return made.lazy()
    if backend == "pandas":
        return made.to_pandas()
    if backend == "pandas_arrow":
        return made.to_pandas(use_pyarrow_extension_array=True)
    if backend == "pyarrow":
        return made.to_arrow()
    return pytest.importorskip("duckdb").from_arrow(made.to_arrow())


DAYS = st.dates(date(2025, 11, 1), date(2026, 9, 30))
# About midnight of Shanghai, the border of its days.
INSTANTS = st.builds(
    lambda day, minutes: datetime(day.year, day.month, day.day, 16, tzinfo=UTC) + timedelta(minutes=minutes),
    DAYS,
    st.integers(-2, 2),
)
CENTS = st.sampled_from([-500, -1, 0, 1, 10, 29, 500, 2000, 2500, 7500, 10000])


@pytest.mark.parametrize("instants", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=12)
@given(data=st.data())
def test_columns_are_counted_as_objects_are(backend: str, instants: bool, data: st.DataObject) -> None:
    """The same matrices from a data frame of any kind as from sales, without the keys."""
    sold = st.tuples(st.sampled_from("abcdef"), INSTANTS if instants else DAYS, CENTS)
    rows = data.draw(st.lists(sold, max_size=25))
    policy = AbcPolicy(
        straddle=data.draw(st.sampled_from(["upper", "lower", "nearest"])),
        nonpositive=data.draw(st.sampled_from(["own", "lowest"])),
    )
    periods = Periods(data.draw(st.sampled_from(["month", "quarter", "year"])), "Asia/Shanghai")
    df = frame(backend, [{"buyer": key, "net": cents / 100, "day": at} for key, at, cents in rows], instants=instants)
    found = migration_frame(df, key="buyer", value="net", at="day", periods=periods, policy=policy)
    sales = [{"customer": key, "at": at, "amount": Decimal(cents) / 100} for key, at, cents in rows]
    assert found == migrations(class_periods(sales, periods, policy), keys=False)


@pytest.mark.parametrize("backend", BACKENDS)
def test_many_periods_are_no_trouble(backend: str) -> None:
    """Thirty years of months in one pass."""
    rows = [{"buyer": "u", "net": 1.0, "day": date(year, 1, 1)} for year in (1997, 2026)]
    df = frame(backend, rows, instants=False)
    found = migration_frame(df, key="buyer", value="net", at="day", periods=Periods(), policy=AbcPolicy())
    assert (len(found), found[0].gone, found[-1].new) == (29 * 12, 1, 1)


def test_columns_keep_ties_together() -> None:
    """The refusal names what has both rules."""
    with pytest.raises(InvalidPolicy, match="class_periods has stable ties too"):
        migration_frame(None, key="buyer", value="net", at="day", periods=Periods(), policy=AbcPolicy(ties="stable"))


@pytest.mark.parametrize("backend", BACKENDS)
def test_lines_without_a_buyer_are_refused(backend: str) -> None:
    """And the message counts them."""
    df = frame(backend, [{"buyer": None, "net": 1.0, "day": date(2026, 1, 1)}], instants=False)
    with pytest.raises(InvalidFrame, match="null in 1 rows"):
        migration_frame(df, key="buyer", value="net", at="day", periods=Periods(), policy=AbcPolicy())


# --- real sales ---


def retail(data: Path) -> Any:
    """Lines of Online Retail: customer, instant as written, whole pence."""
    pd = pytest.importorskip("pandas")
    lines = pd.read_csv(data / "online_retail" / "lines_2010_2011.csv.gz", dtype={"CustomerID": str})
    pence = (lines.Quantity * (lines.UnitPrice * 100).round()).astype("int64")
    return pd.DataFrame({"buyer": lines.CustomerID, "net": pence, "day": pd.to_datetime(lines.InvoiceDate)})


def northwind(data: Path) -> Any:
    """Lines of Northwind: customer, day, ten-thousandths of a dollar: prices have cents, discounts hundredths."""
    pd = pytest.importorskip("pandas")
    folder = data / "northwind"
    lines = pd.read_csv(folder / "order_details.csv").merge(pd.read_csv(folder / "orders.csv"), on="OrderID")
    cents, kept = (lines.UnitPrice * 100).round(), 100 - (lines.Discount * 100).round()
    net = (cents * lines.Quantity * kept).astype("int64")
    return pd.DataFrame({"buyer": lines.CustomerID, "net": net, "day": pd.to_datetime(lines.OrderDate)})


@pytest.mark.parametrize("source", [retail, northwind])
def test_real_quarters_agree_with_pandas(source: Callable[[Path], Any], shared_data: Path) -> None:
    """Classes by cumulated sums of pandas, the matrix by its crosstab: the same from objects and from columns."""
    pd = pytest.importorskip("pandas")
    lines, policy, periods = source(shared_data), AbcPolicy(), Periods("quarter")
    sums = lines.groupby([lines.day.dt.to_period("Q"), "buyer"]).net.sum().reset_index(name="net")
    sums = sums[sums.net > 0].sort_values(["day", "net"], ascending=[True, False])
    running, base = sums.groupby("day").net.cumsum(), sums.groupby("day").net.transform("sum")
    starts = (running - sums.net).groupby([sums.day, sums.net]).transform("min") * 100
    sums["label"] = (starts >= 75 * base).map({True: "B", False: "A"}).mask(starts >= 95 * base, "C")
    sales = [{"customer": b, "at": d.date(), "amount": n} for b, n, d in lines.itertuples(index=False)]
    found = migrations(class_periods(sales, periods, policy))
    by_quarter = [group.set_index("buyer").label for _, group in sums.groupby("day")]
    assert len(found) == len(by_quarter) - 1 >= 4
    for moved, before, after in zip(found, by_quarter, by_quarter[1:], strict=False):
        both = pd.DataFrame({"before": before, "after": after}).fillna({"before": NEW, "after": GONE})
        table = pd.crosstab(both.before, both.after)
        for row, column in moved.cells:
            inside = {row, column}.isdisjoint("ZN")
            assert moved.count(row, column) == (table.get(column, {}).get(row, 0) if inside else 0)
    columns = migration_frame(lines, key="buyer", value="net", at="day", periods=periods, policy=policy)
    assert columns == migrations(class_periods(sales, periods, policy), keys=False)
