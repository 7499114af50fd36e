"""
Lines that do not fit into memory are classed in one pass (VAL-2): in a process that may not have more than 1 GB.

By DuckDB: a group-by of Polars holds lines whose keys come in turns, 1.5 GB of these, whoever asks for it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.slow
@pytest.mark.rule("VAL-2")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA counts mapped memory on Linux")
def test_lines_beyond_the_memory_are_classed(tmp_path: Path) -> None:
    """A file of 1.2 GB, with RLIMIT_DATA at 1 GB (RLIMIT_AS would count address space that DuckDB only reserves)."""
    path = tmp_path / "lines.parquet"
    subprocess.run([sys.executable, "-c", WRITE, str(path), *map(str, (CUSTOMERS, GROUPS, GROUP))], check=True)
    assert path.stat().st_size > GIGABYTE
    # A quarter more in 187 row groups, a quarter less in 188: a tenth of the customers has a little over half of all.
    rich, poor = GROUPS * 900 - 25, GROUPS * 100 - 25
    of_rich, of_poor = RICH * rich, (CUSTOMERS - RICH) * poor
    arguments = [sys.executable, "-c", CLASS, str(path), str(GIGABYTE)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    path.unlink()
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout)
    classes = {label: (share["customers"], share["value"]) for label, share in said["summary"]["classes"].items()}
    assert classes["A"] == (RICH, f"{of_rich / 100:.2f}")
    assert classes["B"] == (CUSTOMERS - RICH, f"{of_poor / 100:.2f}")
    assert said["rows"] == [["A", RICH], ["B", CUSTOMERS - RICH]]
