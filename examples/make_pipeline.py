"""
Makes examples/pipeline.csv: the pipeline of Wintergreen Lanterns, a company that does not exist.

Every name is made up, from a fixed seed: `python examples/make_pipeline.py` writes the same bytes each time.
"""

from __future__ import annotations

import csv
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

AS_OF: Final = date(2026, 3, 31)
SEED: Final = 42
ROWS: Final = 200
HEADER: Final = (
    "opportunity_id,account,sales_agent,manager,stage,grade,created,engage_date,last_activity,next_meeting,"
    "contract_end,frozen_until,amount,close_date"
).split(",")
MANAGERS: Final = {
    "Ada Quillfeather": "Ivo Thistledown",
    "Bo Marshlight": "Ivo Thistledown",
    "Cleo Tinwhistle": "Ivo Thistledown",
    "Dov Emberly": "Ivo Thistledown",
    "Effie Lanternwick": "Juno Applecart",
    "Fenn Oddsocks": "Juno Applecart",
    "Gil Pepperpot": "Juno Applecart",
    "Hui Sparrowgrass": "Juno Applecart",  # new: a cap of her own in policies.toml
}
WEIGHTS: Final = (20, 16, 13, 12, 12, 11, 9, 9)
FIRST: Final = (
    "Copper Velvet Quiet Crooked Amber Paper Thunder Marble Hollow Silver Drowsy Plaid Salty Turnip Lunar".split()
)
SECOND: Final = "Kite Anvil Comet Teapot Badger Umbrella Orchard Bicycle Pickle Lighthouse Walrus Button Harp".split()
LAST: Final = ("Works", "Trading", "Hotels", "& Daughters", "Railway", "Theatre", "Bakeries", "Cooperative")
STAGES: Final = ("Prospecting", "Engaging", "Proposal", "Won", "Lost", "Invalid")
STAGE_WEIGHTS: Final = (22, 30, 14, 18, 12, 4)
CLOSED: Final = ("Won", "Lost", "Invalid")
USUAL_DAYS: Final = {"A": 15, "B": 30, "C": 60}
"""How long a prospect of this grade may lie idle, so that some lie too long and most do not."""


def main(path: Path) -> None:
    """Writes the file: UTF-8, lines that end with a newline alone on every system."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HEADER, lineterminator="\n")
        writer.writeheader()
        writer.writerows(pipeline())


def pipeline() -> list[dict[str, str]]:
    """The rows, in the order in which the prospects were registered."""
    rng = Random(SEED)
    rows = [prospect(rng, name) for name in names(rng)]
    special(rows)
    rows.sort(key=lambda row: (row["created"], row["account"]))
    return [{"opportunity_id": f"WL-{1001 + number}", **row} for number, row in enumerate(rows)]


def names(rng: Random) -> list[str]:
    """As many accounts as there are rows; a few have two prospects."""
    every = [f"{first} {second} {last}" for first in FIRST for second in SECOND for last in LAST]
    found = rng.sample(every, ROWS - 12)
    return found + rng.sample(found, 12)


def prospect(rng: Random, account: str) -> dict[str, str]:
    """One ordinary prospect."""
    stage = rng.choices(STAGES, STAGE_WEIGHTS)[0]
    grade = rng.choices(("A", "B", "C", ""), (25, 40, 30, 5))[0]
    agent = rng.choices(list(MANAGERS), WEIGHTS)[0]
    age = int(rng.triangular(3, 97, 40)) if stage not in CLOSED else rng.randint(30, 300)
    created = AS_OF - timedelta(days=age)
    engaged = created + timedelta(days=rng.randint(0, min(9, age - 1)))
    row = dict.fromkeys(HEADER[1:], "") | {
        "account": account,
        "sales_agent": agent,
        "manager": MANAGERS[agent],
        "stage": stage,
        "grade": grade,
        "created": created.isoformat(),
        "engage_date": engaged.isoformat(),
        "amount": f"{rng.randint(8, 400) * 250}.00",
    }
    if stage in CLOSED:
        row["close_date"] = rng.choice(days(engaged, AS_OF)).isoformat()
        row["last_activity"] = stamp(rng, date.fromisoformat(row["close_date"]))
    else:
        silent = int(rng.triangular(0, 1.25 * USUAL_DAYS.get(grade, 60), 0.2 * USUAL_DAYS.get(grade, 60)))
        last = AS_OF - timedelta(days=silent + 1)
        row["last_activity"] = stamp(rng, last) if last >= engaged else ""
        if rng.random() < 0.15:  # noqa: PLR2004 - about one in seven has a meeting ahead
            row["next_meeting"] = stamp(rng, AS_OF + timedelta(days=rng.randint(1, 20)))
    return row


def days(first: date, last: date) -> list[date]:
    """The dates from `first` up to `last`, without it."""
    return [first + timedelta(days=number) for number in range((last - first).days)]


def stamp(rng: Random, day: date) -> str:
    """A time of day in working hours, as this CRM writes it."""
    at = datetime(day.year, day.month, day.day, rng.randint(9, 17), rng.choice((0, 5, 10, 20, 30, 40, 45, 55)))  # noqa: DTZ001 - the export has no zone
    return at.strftime("%Y-%m-%d %H:%M")


def special(rows: list[dict[str, str]]) -> None:
    """What every real export has: no owner, unknown contacts, missing dates, freezes, contracts."""
    held = [row for row in rows if row["stage"] not in CLOSED]
    for row in held[::12]:
        row |= {"sales_agent": "", "manager": "", "last_activity": "", "next_meeting": ""}
    owned = [row for row in held if row["sales_agent"]]
    silent = [row for row in owned if row["grade"] == "A" and row["engage_date"] < "2026-03-01"]
    for row in silent[:3]:
        row["last_activity"] = "?"
    for row in silent[3:5]:
        row |= {"engage_date": "?", "last_activity": ""}
    for row, until in zip(silent[5:8], ("2026-04-10", "2026-04-30", "2026-03-27"), strict=True):
        row |= {"last_activity": "2026-03-05 11:20", "frozen_until": until, "next_meeting": ""}
    for row, until in zip(silent[8:11], ("true", "2026-06-30", "2026-03-30"), strict=True):
        row |= {"last_activity": "2026-03-02 16:45", "contract_end": until, "next_meeting": ""}
    for row, meeting in zip(silent[11:13], ("2026-04-08 10:00", "2026-05-20 15:00"), strict=True):
        row |= {"last_activity": "2026-03-10 14:30", "next_meeting": meeting}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("pipeline.csv"))
