"""
Lines that do not fit into memory are classed in one pass (VAL-2): in a process that may not have more than 1 GB.

In one query by DuckDB: a group-by of Polars holds lines whose keys come in turns, 1.5 GB of these, whoever asks for it.
The command line gives Polars the file in pieces.
"""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

GIGABYTE = 2**30
CUSTOMERS, GROUPS, GROUP = 200_000, 375, 200_000
"""75 million lines of two columns of 8 bytes, each customer once in a row group: 1.2 GB, read or on disk."""
RICH = CUSTOMERS // 10

WRITE = """
import sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
path, customers, groups, group = sys.argv[1], *map(int, sys.argv[2:])
schema = pa.schema({"customer": pa.int64(), "amount": pa.float64()})
with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
    for number in range(groups):
        keys = (np.arange(group) * 7 + number) % customers
        amounts = np.where(keys < customers // 10, 9.0, 1.0) + (0.25 if number % 2 else -0.25)
        writer.write_table(pa.table({"customer": keys, "amount": amounts}, schema))
"""

CLASS = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[2]), int(sys.argv[2])))
import duckdb
from crmcore.value.classes import AbcPolicy
path = sys.argv[1]
names = {"key": "customer", "value": "amount"}
policy = AbcPolicy(cuts=(50,))
duckdb.sql("SET memory_limit = '500MB'")
lines = duckdb.read_parquet(path)
rows = policy.frame(lines, **names).aggregate('"class", count(*)').fetchall()
print(json.dumps({"rows": sorted(rows), "summary": policy.summary(lines, **names).record()}))
"""


COMMAND = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[2]), int(sys.argv[2])))
sys.argv[1:] = ["abc", sys.argv[1], "--key", "customer", "--value", "amount", "--cuts", "50", "--json"]
from crmcore.cli import main
main()
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.rule("VAL-2"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA counts mapped memory on Linux"),
]

# A quarter more in 187 row groups, a quarter less in 188: a tenth of the customers has a little over half of all.
RICH_EACH, POOR_EACH = GROUPS * 900 - 25, GROUPS * 100 - 25
"""In cents."""
OF_RICH, OF_POOR = RICH * RICH_EACH, (CUSTOMERS - RICH) * POOR_EACH


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 1.2 GB."""
    path = tmp_path_factory.mktemp("large") / "lines.parquet"
    subprocess.run([sys.executable, "-c", WRITE, str(path), *map(str, (CUSTOMERS, GROUPS, GROUP))], check=True)
    assert path.stat().st_size > GIGABYTE
    return path


def within_a_gigabyte(script: str, path: Path) -> dict[str, Any]:
    """With RLIMIT_DATA at 1 GB; RLIMIT_AS would count address space that is only reserved."""
    arguments = [sys.executable, "-c", script, str(path), str(GIGABYTE)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_lines_beyond_the_memory_are_classed(lines: Path) -> None:
    """In columns, rows and summary."""
    said = within_a_gigabyte(CLASS, lines)
    assert said["rows"] == [["A", RICH], ["B", CUSTOMERS - RICH]]
    check(said["summary"])


def test_the_command_line_classes_them(lines: Path) -> None:
    """By the engine that comes first, Polars, in pieces."""
    said = within_a_gigabyte(COMMAND, lines)
    check(said)
    assert len(said["rows"]) == CUSTOMERS


def check(said: dict[str, Any]) -> None:
    """What is known by construction."""
    classes = {label: (share["customers"], Decimal(share["value"])) for label, share in said["classes"].items()}
    assert classes["A"] == (RICH, Decimal(OF_RICH) / 100)
    assert classes["B"] == (CUSTOMERS - RICH, Decimal(OF_POOR) / 100)
