"""
Makes examples/sales.csv and examples/products.csv: two years of sales of Wintergreen Lanterns, which does not exist.

`python examples/make_sales.py` writes the same bytes each time: sales.csv, the lines of the invoices of 120 customers,
and products.csv, one row per product and quarter with sales, cost, stock and plan.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Final

SEED: Final = 42
FIRST_DAY: Final = date(2024, 4, 1)
LAST_DAY: Final = date(2026, 3, 31)
PRODUCTS: Final = {  # list price and cost in cents, how often it is bought, days of stock
    "Storm lantern": (4900, 2700, 20, 35),
    "Paper lantern": (900, 420, 24, 20),
    "Table lantern": (6900, 3600, 14, 50),
    "Garden torch": (2900, 1900, 14, 60),
    "Ship's lantern": (18900, 9800, 4, 120),
    "Lamp oil, 5 l": (2400, 2050, 22, 12),
    "Wick, 10 m": (600, 180, 18, 90),
    "Glass chimney": (1500, 1380, 10, 160),
    "Brass polish": (800, 560, 5, 240),
    "Candle snuffer": (1200, 1290, 2, 400),
}
CHANNELS: Final = {"dealer": 25, "retailer": 45, "agent": 10, "end_customer": 40}
REGIONS: Final = ("north", "east", "south", "west")
OWNERS: Final = ("Ada Quillfeather", "Bo Marshlight", "Cleo Tinwhistle", "Effie Lanternwick")
ADJECTIVES: Final = "Copper Velvet Quiet Crooked Amber Paper Thunder Marble Hollow Silver Drowsy Plaid".split()
NOUNS: Final = "Kite Anvil Comet Teapot Badger Umbrella Orchard Bicycle Pickle Harp".split()
HIGH_SEASON: Final = (10, 11, 12)
SALES: Final = "invoice,date,customer,channel,region,owner,product,quantity,unit_price,amount".split(",")
STOCK: Final = "period,product,sales,cost,opening,closing,plan".split(",")


def main(folder: Path) -> None:
    """Writes both files: UTF-8, lines that end with a newline alone on every system."""
    sold = lines(Random(SEED))
    write(folder / "sales.csv", SALES, sold)
    write(folder / "products.csv", STOCK, stock(sold))


def write(path: Path, header: list[str], rows: Iterable[Mapping[str, object]]) -> None:
    """One file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def lines(rng: Random) -> list[dict[str, object]]:
    """The lines of all invoices by date: a few customers buy a lot, some stopped, some have just begun."""
    orders = []
    names = [f"{adjective} {noun}" for adjective in ADJECTIVES for noun in NOUNS]
    for rank, name in enumerate(rng.sample(names, len(names))):
        size = 60 / (rank + 2) + 0.4
        begun, ended = life(rng)
        who = {
            "customer": name,
            "channel": rng.choices(list(CHANNELS), list(CHANNELS.values()))[0],
            "region": rng.choice(REGIONS),
            "owner": OWNERS[rank % len(OWNERS)],
        }
        day = begun
        while day <= ended:
            if day.month in HIGH_SEASON or rng.random() < 0.7:  # noqa: PLR2004 - quieter outside the season
                orders.append((day, who, size))
            day += timedelta(days=max(4, int(rng.gauss(16 + rank / 1.6, 6))))
    orders.sort(key=lambda order: (order[0], order[1]["customer"]))
    return [line for number, order in enumerate(orders) for line in invoice(rng, 24001 + number, *order)]


def life(rng: Random) -> tuple[date, date]:
    """From when until when a customer buys."""
    begun = FIRST_DAY + timedelta(days=rng.choice((rng.randint(0, 60), rng.randint(0, 60), rng.randint(60, 700))))
    ended = begun + timedelta(days=rng.randint(90, 500)) if rng.random() < 0.3 else LAST_DAY  # noqa: PLR2004
    return begun, min(ended, LAST_DAY)


def invoice(rng: Random, number: int, day: date, who: Mapping[str, str], size: float) -> Iterable[dict[str, object]]:
    """One to four lines; now and then one comes back."""
    weights = [each[2] for each in PRODUCTS.values()]
    for product in dict.fromkeys(rng.choices(list(PRODUCTS), weights, k=rng.randint(1, 4))):
        price = PRODUCTS[product][0] * rng.choice((100, 100, 100, 95, 90)) // 100
        quantity = max(1, round(rng.expovariate(1 / (1 + 4 * size))))
        if rng.random() < 0.02:  # noqa: PLR2004 - a return
            quantity = -max(1, quantity // 4)
        head = {"invoice": number, "date": day.isoformat(), **who, "product": product, "quantity": quantity}
        yield {**head, "unit_price": money(price), "amount": money(price * quantity)}


def stock(sold: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    """Sales, cost, stock at list prices and plan of each product and quarter of the last year."""
    totals: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for line in sold:
        day = str(line["date"])
        quarter = f"{day[:4]}-Q{(int(day[5:7]) + 2) // 3}"
        units = int(str(line["quantity"]))
        total = totals[quarter, str(line["product"])]
        total[0] += round(float(str(line["amount"])) * 100)
        total[1] += units * PRODUCTS[str(line["product"])][1]
    quarters = sorted({quarter for quarter, _ in totals})[-4:]
    return [row(quarter, product, *totals[quarter, product]) for quarter in quarters for product in PRODUCTS]


def row(quarter: str, product: str, sales: int, cost: int) -> dict[str, object]:
    """One product in one quarter; one of them is made to order and has no stock."""
    days = 0 if product == "Ship's lantern" else PRODUCTS[product][3]
    opening = sales * days // 90
    closing = opening * 9 // 10
    plan = max(sales, 0) * (112 if product in ("Garden torch", "Brass polish") else 96) // 100
    figures = {"sales": sales, "cost": cost, "opening": opening, "closing": closing, "plan": plan}
    return {"period": quarter, "product": product, **{name: money(cents) for name, cents in figures.items()}}


def money(cents: int) -> str:
    """Cents as an amount."""
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
