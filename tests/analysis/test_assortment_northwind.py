"""
Northwind: ratios, composition, history and suggestions against pandas and SQL that know nothing of ours.

Readings, for Northwind says neither cost nor two counts of stock: goods cost 70 % of the list price; the opening stock
is what is in stock, the closing stock that and what is on order, both at list prices (retail) or at cost.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import isclose, isnan
from pathlib import Path
from typing import Any, Final

import pytest

from crmcore.analysis.assortment_table import assortment_by, assortment_table
from crmcore.analysis.composition import composition, product_mix
from crmcore.analysis.history import history_by, sales_history
from crmcore.analysis.ratio_columns import assortment_frame
from crmcore.analysis.suggestions import Because, PurchaseHistory, suggest

duckdb = pytest.importorskip("duckdb")
pd = pytest.importorskip("pandas")
pytest.importorskip("narwhals")

COST: Final = Decimal("0.7")
SQL: Final = """
    create table line as
    select o.CustomerID customer, o.EmployeeID owner, o.ShipCountry region, year(o.OrderDate) as "year",
        quarter(o.OrderDate) as "quarter", p.ProductName product, c.CategoryName category, d.Quantity quantity,
        d.UnitPrice * d.Quantity * (1 - d.Discount) amount, p.UnitPrice * d.Quantity * 0.7 cost
    from read_csv('{0}/order_details.csv', types={{'UnitPrice': 'decimal(9,4)', 'Discount': 'decimal(9,4)'}}) d
    join read_csv('{0}/orders.csv') o using (OrderID)
    join read_csv('{0}/products.csv', types={{'UnitPrice': 'decimal(9,4)'}}) p using (ProductID)
    join read_csv('{0}/categories.csv') c using (CategoryID);
    create table stock as
    select ProductName product, CategoryName category, UnitPrice * UnitsInStock opening,
        UnitPrice * (UnitsInStock + UnitsOnOrder) closing
    from read_csv('{0}/products.csv', types={{'UnitPrice': 'decimal(9,4)'}}) join read_csv('{0}/categories.csv')
        using (CategoryID);
"""


@pytest.fixture(scope="module")
def northwind(shared_data: Path) -> Path:
    return shared_data / "northwind"


@pytest.fixture(scope="module")
def database(northwind: Path) -> Any:
    connection = duckdb.connect()
    connection.execute(SQL.format(northwind))
    return connection


@cache
def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def sold(folder: Path) -> list[dict[str, Any]]:
    """Every line of every order, exact."""
    orders = {row["OrderID"]: row for row in table(folder, "orders")}
    goods, names = products(folder), {row["CategoryID"]: row["CategoryName"] for row in table(folder, "categories")}
    return [
        {
            "customer": order["CustomerID"],
            "owner": order["EmployeeID"],
            "region": order["ShipCountry"],
            "at": date.fromisoformat(order["OrderDate"]),
            "product": goods[line["ProductID"]]["ProductName"],
            "category": names[goods[line["ProductID"]]["CategoryID"]],
            "quantity": line["Quantity"],
            "amount": Decimal(line["UnitPrice"]) * int(line["Quantity"]) * (1 - Decimal(line["Discount"])),
            "cost": Decimal(goods[line["ProductID"]]["UnitPrice"]) * int(line["Quantity"]) * COST,
        }
        for line in table(folder, "order_details")
        for order in [orders[line["OrderID"]]]
    ]


@cache
def products(folder: Path) -> Mapping[str, dict[str, str]]:
    return {row["ProductID"]: row for row in table(folder, "products")}


def shelves(folder: Path, key: str, factor: Decimal = Decimal(1)) -> list[dict[str, Any]]:
    """Sales by `key` and the stock, as lines of an assortment; stock by product, of which a category's adds up."""
    names = {row["CategoryID"]: row["CategoryName"] for row in table(folder, "categories")}
    lines = [
        {
            key: line[key],
            "product": line[key],
            "sales": line["amount"],
            "cost": line["cost"],
            "opening": 0,
            "closing": 0,
        }
        for line in sold(folder)
    ]
    for row in products(folder).values():
        name = row["ProductName"] if key == "product" else names[row["CategoryID"]]
        price, here, coming = Decimal(row["UnitPrice"]) * factor, int(row["UnitsInStock"]), int(row["UnitsOnOrder"])
        lines.append(
            {"product": name, "sales": 0, "cost": 0, "opening": price * here, "closing": price * (here + coming)}
        )
    return lines


def near(one: Any, other: Any) -> bool:
    if one is None or other is None or isnan(other):
        return one is None and (other is None or isnan(other))
    return isclose(float(one), float(other), rel_tol=1e-9, abs_tol=1e-12)


# --- the assortment ---


@pytest.mark.rule("ANA-4", "ANA-5", "ANA-6", "ANA-7")
@pytest.mark.parametrize("key", ["product", "category"])
def test_ratios_of_northwind_against_sql(northwind: Path, database: Any, key: str) -> None:
    """Sales, margin, turnover, cross and contribution ratio, degree and ranks."""
    wanted = database.execute(f"""
        with s as (select {key} k, sum(amount) s, sum(cost) c from line group by 1),
        i as (select {key} k, sum(opening + closing) / 2 i from stock group by 1),
        r as (select k, s, c, i, (s - c) / s m, s / nullif(i, 0) t, s / sum(s) over () w,
            sum(s) over () total from s join i using (k))
        select k, s, w, m, t, m * t x, m * t * w b, m * t * w / sum(m * t * w) over () d, m * w p,
            (s - c) / sum(s - c) over () g, sum(s) over (order by s desc) / total, rank() over (order by m desc)
        from r order by s desc, k""").fetchall()  # noqa: S608
    found = assortment_table(shelves(northwind, key), period="1996-07..1998-05")
    assert [row.product for row in found.rows] == [row[0] for row in wanted]
    for row, (_, sales, *figures, cumulative, rank) in zip(found.rows, wanted, strict=True):
        assert row.sales == Decimal(str(sales))
        ratios = (
            row.sales_share, row.margin_rate, row.turnover, row.cross_ratio, row.contribution_ratio,
            row.contribution_degree, row.margin_product, row.gross_profit_share,
        )  # fmt: skip
        assert all(near(ratio.value, figure) for ratio, figure in zip(ratios, figures, strict=True))
        assert near(row.cumulative_share, cumulative)
        assert row.margin_rank == rank
    assert round(found.totals.sales, 2) == Decimal("1265793.04")


@pytest.mark.rule("ANA-6")
@pytest.mark.parametrize("basis", ["retail", "cost", "mixed"])
def test_northwind_in_columns_and_in_pandas(northwind: Path, basis: str) -> None:
    """The columns and hand-written pandas agree; GMROI where the stock is at cost."""
    frame = pd.DataFrame(shelves(northwind, "product", COST if basis != "retail" else Decimal(1)))
    names = ["sales", "cost", "opening", "closing"]
    frame[names] = frame[names].astype(float)
    mine = assortment_frame(frame, basis=basis, places=4).set_index("product")
    sums = frame.groupby("product")[names].sum()
    stock, profit = (sums.opening + sums.closing) / 2, sums.sales - sums.cost
    stock = stock.where(stock > 0)
    turns = (sums.cost if basis == "cost" else sums.sales) / stock
    wanted = pd.DataFrame(
        {
            "margin_rate": profit / sums.sales,
            "turnover": turns,
            "cross_ratio": profit / sums.sales * turns,
            "contribution_ratio": profit / sums.sales * turns * sums.sales / sums.sales.sum(),
            "gmroi": profit / stock if basis != "retail" else float("nan"),
        }
    )
    for name in wanted:
        pairs = zip(mine[name], wanted[name].reindex(mine.index), strict=True)
        assert all(near(None if isnan(one) else one, other) for one, other in pairs), name
    assert set(mine.turnover_undefined.dropna()) == {"no_stock"}


@pytest.mark.rule("ANA-8")
def test_northwind_by_rep(northwind: Path, database: Any) -> None:
    """One table for each rep; the reps' sales are SQL's."""
    lines = [{**line, "sales": line["amount"], "opening": None, "closing": None} for line in sold(northwind)]
    found = assortment_by(lines, "owner")
    wanted = database.execute("select owner, sum(amount), sum(cost) from line group by 1 order by 2 desc").fetchall()
    totals = [(name, part.totals.sales, part.totals.cost) for name, part in found.segments.items()]
    assert totals == [(str(name), Decimal(str(sales)), Decimal(str(cost))) for name, sales, cost in wanted]
    assert {row.advice for part in found.segments.values() for row in part.rows} <= {"unknown", "drop"}


# --- composition and history ---


@pytest.mark.rule("ANA-1", "ANA-3")
def test_northwind_composition(northwind: Path, database: Any) -> None:
    found = composition(sold(northwind), "region")
    wanted = database.execute(
        "select region, sum(amount), sum(amount) / sum(sum(amount)) over () from line group by 1 order by 2 desc"
    ).fetchall()
    assert [(part.key, part.amount) for part in found.parts] == [(k, Decimal(str(s))) for k, s, _ in wanted]
    assert all(near(part.share, share) for part, (_, _, share) in zip(found.parts, wanted, strict=True))
    mix = product_mix(sold(northwind))
    assert [row.product for row in mix.rows[:2]] == ["Côte de Blaye", "Thüringer Rostbratwurst"]


@pytest.mark.rule("ANA-11")
def test_northwind_history_against_pandas(northwind: Path, database: Any) -> None:
    """Region × season × product: sales, price per unit and change on the year before."""
    frame = database.execute("select region, quarter, product, year, amount, quantity from line").df()
    frame["amount"] = frame.amount.astype(float)
    sums = frame.groupby(["region", "quarter", "product", "year"])[["amount", "quantity"]].sum()
    history = sales_history(sold(northwind), ("region", "season", "product"))
    cells = [row for row in history.rows if row.price is not None]
    assert len(cells) == len(sums)
    for row in cells:
        region, season, name = row.key
        key = (region, int(str(season)[1]), name)
        amount, quantity = sums.loc[(*key, row.year)]
        assert near(row.amount, amount)
        assert near(row.price, amount / quantity)
        before = (*key, row.year - 1)
        assert near(row.change, amount / sums.loc[before].amount - 1 if before in sums.index else None)
    reps = history_by(sold(northwind), by=("product",))
    assert len(reps) == 9
    assert sum(part.totals[0].amount for part in reps.values()) == history.totals[0].amount


@pytest.mark.rule("ANA-15")
def test_northwind_suggestions_against_sql(northwind: Path, database: Any) -> None:
    """Support, confidence and lift of what is suggested are those of a self-join."""
    pairs = database.execute("""
        with b as (select distinct customer, product from line), n as (select product, count(*) n from b group by 1)
        select x.product, y.product, count(*), a.n, c.n, (select count(distinct customer) from b)
        from b x join b y using (customer) join n a on a.product = x.product join n c on c.product = y.product
        where x.product <> y.product group by all""").fetchall()
    counts = {(one, other): tuple(rest) for one, other, *rest in pairs}
    history = PurchaseHistory.of(sold(northwind))
    for customer in ("ALFKI", "BOLID", "FRANK"):
        own = history.baskets[customer]
        found = suggest(history, customer, minimum_both=5, minimum_lift=1)
        assert found
        for each in found:
            (reason,) = each.reasons
            assert reason.code is Because.BOUGHT_TOGETHER
            assert (reason.both, reason.buyers, reason.others, reason.customers) == counts[reason.bought, each.product]
            best = max(
                Fraction(both, buyers)
                for (one, other), (both, buyers, others, all_of_them) in counts.items()
                if one in own and other == each.product and both >= 5 and both * all_of_them >= buyers * others
            )
            assert reason.confidence == best
