"""The table, on the terminal and in docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from benchmarks.ratios import Row

__all__ = ["PAGE", "page", "table"]

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
HEADS: Final = ("what", "ratio", "min-max", "target", "")

TEXT: Final = """\
# Benchmarks

What crmcore costs beside code written by hand for the one case. Every figure is a ratio, ours over theirs: both sides
run in one process, in turn (ours, theirs, theirs, ours …), after their answers have been compared; each pair gives a
ratio, and the table has the median with the least and the greatest. What counts is processor time; the garbage
collector is off for both sides, as the command itself has it. `make bench` runs it; to write this page:

```
python -m benchmarks --write
```

What stands on the other side:

- *at*: a function for this one policy: cutoffs computed before the loop, the same facts read, interned outcomes.
- *decide*: code for this one policy that builds the same `Decision` and keeps what it read for the reasons; working
  time by a bare prefix sum.
- *calendar*: a bare prefix sum over the windows of five years, aware datetimes in and out.
- *day*: a loop over `csv.reader` that makes an aware UTC datetime of every date cell and keeps nothing. Ours is the
  whole job, printed to /dev/null. Memory is the most that the command's own process held.
- *columns*: lazy Polars and SQL for these two policies, every working day from a table; the loops are those of *at* and
  *decide* over the same rows as objects. Memory is as in *day*. Spark runs outside of this process: wall clock.
- *store*: a loop through the driver alone, in the batches and transactions of the run, with answers that it is given:
  it reads the due rows and updates their outcome and next instant, or it writes every row, event and message that the
  run writes (but no counters). Of those due 45 % stay, 45 % are reminded of, 10 % go to the pool; they are put back
  after each turn. Memory is as in *day*. PostgreSQL works outside of this process: wall clock.
- *value*: ABC classes of a million customers in lazy Polars and in SQL, ties together, the same rows in the same order.
- *scores*: RFM scores of the same by ranks that ties share, with the segment, in lazy Polars and in SQL.
- *import*: the two libraries that crmcore needs, in a fresh interpreter whose own start is not counted.

The portfolio is made up from a seed: 70 % far from due, 10 % to be reminded of, 10 % due, 4 % closed, 2 % without an
owner, 4 % protected. The policy has an idle limit by grade with a default, a limit without a deal, a minimum hold, the
freeze, two protections and two reminders. Lines without a target say where the time goes. Measured on {machine}.

{tables}
"""


def machine(when: str | None) -> str:
    """Processors, Python, and the day if it is said."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{os.cpu_count()} processors, {python}, {platform.system()}{f', {when}' if when else ''}"


def table(rows: Iterable[Row]) -> str:
    """Rows as aligned text."""
    cells = [HEADS, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def page(rows: Iterable[Row], when: str | None) -> str:
    """The page of the docs."""
    topics: dict[str, list[Row]] = {}
    for row in rows:
        topics.setdefault(row.topic, []).append(row)
    tables = "\n\n".join(f"## {topic}\n\n{_markdown(found)}" for topic, found in topics.items())
    return TEXT.format(machine=machine(when), tables=tables)


def _markdown(rows: Iterable[Row]) -> str:
    lines = [HEADS, ("---", "---:", "---", "---:", "---"), *(row.cells() for row in rows)]
    return (
        "\n".join(f"| {' | '.join(line)} |" for line in lines).replace("<=", "≤").replace(">=", "≥").replace("  ", " ")
    )
