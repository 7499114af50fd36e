"""``python -m benchmarks [TOPIC …] [--quick] [--write [--date DAY]]``: the table; exit 1 where a target is missed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import Final

from benchmarks.calendars import calendar
from benchmarks.columns import columns
from benchmarks.day import day
from benchmarks.decisions import at, decide
from benchmarks.imports import imports
from benchmarks.ratios import Row
from benchmarks.report import PAGE, machine, page, table
from benchmarks.scores import scores
from benchmarks.store import store
from benchmarks.value import value

TOPICS: Final[dict[str, Callable[..., Iterator[Row]]]] = {
    "import": imports,
    "at": at,
    "decide": decide,
    "calendar": calendar,
    "day": day,
    "columns": columns,
    "store": store,
    "value": value,
    "scores": scores,
}


def main() -> int:
    """Runs the topics that are named, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"some of: {', '.join(TOPICS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="fewer repeats, and 50,000 rows instead of a million")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    parser.add_argument("--date", help="the day of the measurement, for the page")
    said = parser.parse_args()
    for name in said.topics:
        if name not in TOPICS:
            parser.error(f"{name} is no topic: {', '.join(TOPICS)}")
    if said.write and (said.quick or said.topics):
        parser.error("--write needs a full run: leave out the topics and --quick")
    print(machine(said.date))
    rows = [row for name in TOPICS if not said.topics or name in said.topics for row in _shown(name, quick=said.quick)]
    if said.write:
        PAGE.write_text(page(rows, said.date), encoding="utf-8")
    missed = [row for row in rows if row.verdict == "MISSED"]
    print(f"\n{len(missed)} missed of {sum(row.target is not None for row in rows)} targets")
    return 1 if missed else 0


def _shown(name: str, *, quick: bool) -> list[Row]:
    print(f"\n{name} …", file=sys.stderr, flush=True)
    rows = list(TOPICS[name](quick=quick))
    print(f"\n{name}\n{table(rows)}", flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(main())
