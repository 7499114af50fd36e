"""RFM of real sales, held against pandas (average ranks) and SQL, each on its own way."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crmcore.sales import Sale
from crmcore.value.scores import RfmScores, rfm, rfm_frame

pd: Any = pytest.importorskip("pandas")
duckdb: Any = pytest.importorskip("duckdb")
pl: Any = pytest.importorskip("polars")

SQL = """
with bought as (
    select customer, max("at") filter (units >= 0) as seen, sum(units)::bigint as units,
        count(distinct case when units >= 0 then bill end) as times
    from lines group by customer having count(*) filter (units >= 0) > 0
), measured as (
    select customer, units, times, (epoch(timestamp '{as_of}') - epoch(seen::timestamp))::bigint // 86400 as days
    from bought
), ranked as (
    select *, count(*) over () as n,
        rank() over (order by days desc) + count(*) over (order by days desc) - 1 as r,
        rank() over (order by times) + count(*) over (order by times) - 1 as f,
        rank() over (order by units) + count(*) over (order by units) - 1 as m
    from measured
)
select customer, (r * 5) // (2 * n) + 1, (f * 5) // (2 * n) + 1, (m * 5) // (2 * n) + 1, days, times, units
from ranked
"""


def cdnow(data: Path) -> Iterator[Sale]:
    with (data / "cdnow" / "transactions.csv").open(encoding="utf-8", newline="") as file:
        for at, row in enumerate(csv.DictReader(file)):
            day = date.fromisoformat(row["date"])
            yield Sale(customer=row["customer_id"], at=day, amount=row["amount"], order=f"{at}")


def northwind(data: Path) -> Iterator[Sale]:
    with (data / "northwind" / "orders.csv").open(encoding="utf-8", newline="") as file:
        orders = {row["OrderID"]: row for row in csv.DictReader(file)}
    with (data / "northwind" / "order_details.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            amount = Decimal(row["UnitPrice"]) * Decimal(row["Quantity"]) * (1 - Decimal(row["Discount"]))
            order = orders[row["OrderID"]]
            day = date.fromisoformat(order["OrderDate"])
            yield Sale(customer=order["CustomerID"], at=day, amount=round(amount, 2), order=row["OrderID"])


def online_retail(data: Path) -> Iterator[Sale]:
    with gzip.open(data / "online_retail" / "lines_2010_2011.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            at = datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=UTC)
            amount = round(Decimal(row["UnitPrice"]) * Decimal(row["Quantity"]), 2)
            yield Sale(customer=row["CustomerID"], at=at, amount=amount, order=row["InvoiceNo"])


def by_pandas(lines: Any, as_of: Any) -> dict[str, tuple[Any, ...]]:
    """Scores from `rank(method="average")`."""
    bought = lines[lines.units >= 0].groupby("customer").agg(seen=("at", "max"), times=("bill", "nunique"))
    bought["units"] = lines.groupby("customer").units.sum()
    bought["days"] = (pd.Timestamp(as_of) - bought.seen).dt.days
    for score, values in (("r", -bought.days), ("f", bought.times), ("m", bought.units)):
        bought[score] = (2 * values.rank(method="average") - 1).astype(int) * 5 // (2 * len(bought)) + 1
    columns = ["r", "f", "m", "days", "times", "units"]
    return {key: tuple(map(int, row)) for key, row in zip(bought.index, bought[columns].to_numpy(), strict=True)}


def by_sql(lines: Any, as_of: Any) -> dict[str, tuple[Any, ...]]:
    """Scores from ranks and counts of peers."""
    session = duckdb.connect()
    session.register("given", lines)
    session.execute("create table lines as from given")
    rows = session.sql(SQL.format(as_of=as_of)).fetchall()
    return {key: tuple(map(int, found)) for key, *found in rows}


def told(said: RfmScores) -> dict[Any, tuple[Any, ...]]:
    return {
        row.key: (row.r, row.f, row.m, row.recency_days, row.frequency, int(row.monetary * 100)) for row in said.rows
    }


@pytest.mark.rule("VAL-1")
@pytest.mark.parametrize(
    ("sales_of", "as_of", "least"),
    [
        (cdnow, date(1998, 6, 30), 2300),
        (northwind, date(1998, 5, 31), 80),
        (online_retail, datetime(2011, 12, 10, tzinfo=UTC), 800),
    ],
    ids=["cdnow", "northwind", "online_retail"],
)
def test_scores_of_real_sales_agree_with_pandas_and_sql(
    shared_data: Path, sales_of: Callable[[Path], Iterator[Sale]], as_of: date, least: int
) -> None:
    sales = list(sales_of(shared_data))
    said = rfm(sales, as_of=as_of)
    naive = as_of.replace(tzinfo=None) if isinstance(as_of, datetime) else as_of
    lines = pd.DataFrame(
        {
            "customer": [sale.customer for sale in sales],
            "at": pd.to_datetime(
                [sale.at.replace(tzinfo=None) if isinstance(sale.at, datetime) else sale.at for sale in sales]
            ),
            "units": [int(sale.amount * 100) for sale in sales],
            "bill": [sale.order for sale in sales],
        }
    )
    assert said.n > least
    assert told(said) == by_pandas(lines, naive)
    assert told(said) == by_sql(lines, naive)
    frame = pl.DataFrame(
        {
            "who": [sale.customer for sale in sales],
            "when": [sale.at for sale in sales],
            "much": [float(sale.amount) for sale in sales],
            "which": [sale.order for sale in sales],
        }
    )
    columns = rfm_frame(frame, key="who", at="when", value="much", order="which", as_of=as_of)
    assert {row["who"]: row["segment"] for row in columns.rows(named=True)} == {
        row.key: row.segment for row in said.rows
    }
    found = {row[0]: (*row[1:6], round(row[6] * 100)) for row in columns.rows()}
    assert found == told(said)


def test_ties_of_cdnow_are_whole(shared_data: Path) -> None:
    """Half of the customers bought once: they share one score, and no other has it."""
    rows = rfm(cdnow(shared_data), as_of=date(1998, 6, 30)).rows
    once = [row for row in rows if row.frequency == 1]
    assert len(once) > len(rows) * 0.4
    (score,) = {row.f for row in once}
    assert all(row.f > score for row in rows if row.frequency > 1)
