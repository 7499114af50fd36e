"""Topic `import`: the face against the two libraries that it needs, each in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from statistics import median

from benchmarks.ratios import Row

__all__ = ["imports"]

FLOOR = "import attrs, dateutil.relativedelta, dateutil.tz"
FACE = "import crmcore"
NAMES = "from crmcore import *"
TIMED = "from time import process_time_ns as t; a = t(); {}; print(t() - a)"
"""The interpreter's own start is over when the clock is read first, so it is not in the figure."""


def imports(*, quick: bool) -> Iterator[Row]:
    """Interleaved, and the median of the ratios; modules are compiled before."""
    rounds = 7 if quick else 31
    found: dict[str, list[float]] = {FACE: [], NAMES: []}
    for number in range(rounds + 1):
        floor = _nanoseconds(FLOOR)
        for text, ratios in found.items():
            ratio = _nanoseconds(text) / floor
            if number:
                ratios.append(ratio)
    yield Row("import", FACE, tuple(found[FACE]), 1.5)
    yield Row("import", f"{NAMES} (what a first use costs)", tuple(found[NAMES]))
    assert median(found[FACE]) <= median(found[NAMES])


def _nanoseconds(text: str) -> int:
    done = subprocess.run([sys.executable, "-c", TIMED.format(text)], check=True, capture_output=True, text=True)
    return int(done.stdout)
