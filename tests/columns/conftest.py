"""One Spark session for all tests that ask for it: two executors, and neither of them has Python."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

NOWHERE: Final = "/nowhere/python3"
OPTIONS: Final = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "FATAL",
    "spark.sql.session.timeZone": "America/St_Johns",  # none of the policies': it must not matter
    "spark.sql.shuffle.partitions": "4",
    # As in Spark's own tests: else the optimizer judges the few rows of a local frame, and the executors none.
    "spark.sql.optimizer.excludedRules": "org.apache.spark.sql.catalyst.optimizer.ConvertToLocalRelation",
}


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session on a cluster of two processes; skipped where Spark cannot run."""
    if lacking := _lacking():
        pytest.skip(lacking)
    import pyspark
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    for part in ("bin", "jars"):
        (folder / part).symlink_to(Path(pyspark.__file__).parent / part)
    options = OPTIONS | {"spark.sql.warehouse.dir": f"{folder}/tables", "spark.local.dir": f"{folder}/blocks"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", NOWHERE)  # what the driver tells the executors to run
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("SPARK_HOME", str(folder))  # where the executors write their logs
        session = SparkSession.builder.master("local-cluster[2,1,1024]").config(map=options).getOrCreate()
    yield session
    session.stop()


def _lacking() -> str:
    """What must be installed for these tests."""
    if find_spec("pyspark") is None:
        return "no pyspark: pip install 'pyspark>=4.0'"
    java = shutil.which("java")
    if java is None:
        return "no java: install Java 17, e.g. apt install openjdk-17-jre-headless"
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = said.partition('"')[2].partition(".")[0]
    return "" if version.isdigit() and int(version) >= 17 else f"java is not Java 17 or newer: {said}"
