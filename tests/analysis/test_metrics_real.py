"""Metrics of real sales agree with pandas and with SQL, each written here from the definitions and nothing else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest

from crmcore.analysis.metric_columns import metrics_frame
from crmcore.analysis.metrics import Metrics, metrics
from crmcore.calendars import Span
from crmcore.sales import Periods, Sale

FIGURES = (
    "start", "new", "returned", "lost", "end", "lost_of_start", "dormant", "buyers", "orders", "repeat_buyers", "sales",
)  # fmt: skip
CASES = [
    ("online_retail", "month", 60),
    ("online_retail", "quarter", 90),
    ("cdnow", "month", 90),
    ("northwind", "quarter", 60),
    ("northwind", "month", 45),
]


def read(name: str, data: Path) -> pd.DataFrame:
    """Customer, at, cents and order of each line."""
    if name == "cdnow":
        found = pd.read_csv(data / "cdnow" / "transactions.csv", dtype={"customer_id": str}, parse_dates=["date"])
        found = found.rename(columns={"customer_id": "customer", "date": "at"})
        return found.assign(cents=(found.amount * 100).round().astype("int64"), order=None)
    if name == "northwind":
        orders = pd.read_csv(data / "northwind" / "orders.csv", parse_dates=["OrderDate"])
        found = pd.read_csv(data / "northwind" / "order_details.csv").merge(orders, on="OrderID")
        amount = found.UnitPrice * found.Quantity * (1 - found.Discount)
        found = found.rename(columns={"CustomerID": "customer", "OrderDate": "at"})
        return found.assign(cents=(amount * 100).round().astype("int64"), order=found.OrderID.astype(str))
    types = {"InvoiceNo": str, "CustomerID": str}
    found = pd.read_csv(data / "online_retail" / "lines_2010_2011.csv.gz", dtype=types, parse_dates=["InvoiceDate"])
    found = found.rename(columns={"CustomerID": "customer", "InvoiceDate": "at", "InvoiceNo": "order"})
    return found.assign(cents=(found.Quantity * found.UnitPrice * 100).round().astype("int64"))


def by_pandas(lines: pd.DataFrame, kind: str, days: int) -> list[tuple[Any, ...]]:
    """Sets of customers, period by period."""
    frequency, limit = {"month": "M", "quarter": "Q"}[kind], timedelta(days=days)
    bought = lines[lines.cents >= 0]

    def active(at: Any) -> set[str]:
        last = bought[bought["at"] < at].groupby("customer")["at"].max()
        return set(last[last + limit > at].index)

    rows = []
    for period in pd.period_range(lines["at"].min(), lines["at"].max(), freq=frequency):
        start, end = period.start_time, (period + 1).start_time
        here = bought[(bought["at"] >= start) & (bought["at"] < end)]
        before = set(bought[bought["at"] < start].customer)
        were, are, buyers = active(start), active(end), set(here.customer)
        new, returned = buyers - before, (buyers & before) - were
        orders = here.assign(order=here.order.fillna(here.index.to_series().astype(str)))
        orders = orders.groupby("customer").order.nunique()
        sold = lines[(lines["at"] >= start) & (lines["at"] < end)].cents.sum()
        lost = (were | new | returned) - are
        counts = map(len, (were, new, returned, lost, are, were - are, before - were, buyers))
        rows.append((str(start.date()), *counts, int(orders.sum()), int((orders > 1).sum()), int(sold)))
    return rows


SQL = """
with ends as (select date_trunc('{kind}', min(moment)) as first, max(moment) as last from lines),
starts as (select unnest(generate_series(first, last, to_months({months}))) as low from ends),
periods as (select low, low + to_months({months}) as high from starts),
bought as (select * from lines where cents >= 0),
people as (
    select low, high, customer,
        min(moment) filter (moment < low) is not null as known,
        coalesce(max(moment) filter (moment < low) + interval '{days} days' > low, false) as was_active,
        coalesce(max(moment) filter (moment < high) + interval '{days} days' > high, false) as is_active,
        count(*) filter (moment >= low and moment < high) > 0 as buys,
        count(distinct coalesce(invoice, id)) filter (moment >= low and moment < high) as orders
    from periods, bought group by low, high, customer)
select strftime(low, '%Y-%m-%d'), count(*) filter (was_active), count(*) filter (buys and not known),
    count(*) filter (buys and known and not was_active), count(*) filter ((was_active or buys) and not is_active),
    count(*) filter (is_active), count(*) filter (was_active and not is_active),
    count(*) filter (known and not was_active), count(*) filter (buys), sum(orders)::bigint,
    count(*) filter (orders > 1),
    (select coalesce(sum(cents), 0)::bigint from lines where moment >= low and moment < high)
from people group by low, high order by low
"""


def by_sql(lines: pd.DataFrame, kind: str, days: int) -> list[tuple[Any, ...]]:
    """One statement."""
    with duckdb.connect() as session:
        named = lines.assign(id=lines.index.astype(str)).rename(columns={"at": "moment", "order": "invoice"})
        session.register("lines", named[["customer", "moment", "cents", "invoice", "id"]])
        months = {"month": 1, "quarter": 3}[kind]
        return session.execute(SQL.format(kind=kind, months=months, days=days)).fetchall()


def figures(found: Metrics) -> list[tuple[Any, ...]]:
    return [
        (str(row.period.first), *(getattr(row, name) * (100 if name == "sales" else 1) for name in FIGURES))
        for row in found.periods
    ]


@pytest.mark.rule("ANA-9")
@pytest.mark.rule("ANA-14")
@pytest.mark.parametrize(("name", "kind", "days"), CASES)
def test_real_sales(name: str, kind: Any, days: int, shared_data: Path) -> None:
    """Objects, columns, pandas and SQL say the same."""
    lines = read(name, shared_data)
    sold = [
        Sale(
            customer=row.customer,
            at=row.at.tz_localize("UTC").to_pydatetime(),
            amount=f"{row.cents}e-2",
            order=row.order,
        )
        for row in lines.itertuples()
    ]
    found = metrics(sold, periods=Periods(kind), lost_after=f"{days}d")
    wanted = by_pandas(lines, kind, days)
    assert figures(found) == wanted
    assert by_sql(lines, kind, days) == wanted
    table = pl.DataFrame(
        {
            "customer": [sale.customer for sale in sold],
            "at": [sale.at for sale in sold],
            "amount": [float(sale.amount) for sale in sold],
            "order": pl.Series([sale.order for sale in sold], dtype=pl.String),
        }
    )
    columns = metrics_frame(
        table, key="customer", at="at", value="amount", order="order", limit=Span(f"{days}d"), periods=Periods(kind)
    )
    assert columns == found
    assert len(wanted) > 4
    assert all(sum(row[place] for row in wanted) for place in range(1, 12))
