"""The law *columns = objects* on Spark, whose executors have no Python; what is lazy stays so."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from crmcore import OPEN_ENDED
from crmcore.calendars import BusinessCalendar
from crmcore.errors import InvalidFrame
from crmcore.ownership import ReclaimPolicy
from crmcore.testing import calendars, moments, reclaim_policies
from crmcore.testing.frames import columns_equal_objects, facts_frame, fitting, rows_on_borders
from sources import ROOT

pytest.importorskip("narwhals")
pytest.importorskip("pyarrow")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OFFICE = BusinessCalendar(
    zone="Asia/Shanghai", week={day: ["09:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
)
POLICY = ReclaimPolicy(
    idle={"A": "20wd", "default": "1mo"},
    no_deal="90d",
    min_hold="10d",
    min_remaining="5d",
    remind_before=["3wd", "1d"],
    zone="Europe/Berlin",
    calendar=OFFICE,
)
ROWS = [
    {"status": "open", "owner": "u1", "grade": grade, "assigned_at": NOW - ago * DAY, "frozen_until": frozen}
    for grade in ("A", None)
    for ago in (-2, 1, 27, 29, 40, 64_000, 739_000)  # one in local mean time, one in the first years that there are
    for frozen in (None, NOW + DAY, OPEN_ENDED)
]


def frame_of(spark: Any, policy: ReclaimPolicy, rows: list[dict[str, Any]]) -> Any:
    return spark.createDataFrame(facts_frame(policy, rows, "pyarrow"))


@pytest.mark.parametrize("units", [("min", "h", "d", "w", "mo"), ("wd", "wh", "wmin", "d")], ids=["plain", "working"])
@settings(max_examples=5, phases=[Phase.reuse, Phase.generate])  # a row that differs is shown as it is
@given(data=st.data())
def test_columns_say_what_decide_says(spark: Any, units: tuple[str, ...], data: st.DataObject) -> None:
    policy = data.draw(reclaim_policies(calendars=calendars(), units=units).filter(fitting), "policy")
    now = data.draw(moments(policy), "now")
    rows = data.draw(rows_on_borders(policy, now, size=2_000), "rows")
    columns_equal_objects(policy, frame_of(spark, policy, rows), now)


def test_executors_without_python_say_what_decide_says(spark: Any) -> None:
    """A function in Python fails where `policy.frame` does not, for nothing in its plan is Python."""
    from pyspark.sql.functions import udf

    frame = frame_of(spark, POLICY, ROWS)
    by_python = frame.select(udf(str.upper)("status"))
    assert "EvalPython" in plan(by_python)
    with pytest.raises(Exception, match='Cannot run program "/nowhere/python3"'):
        by_python.collect()
    assert "Python" not in plan(POLICY.frame(frame, now=NOW))
    columns_equal_objects(POLICY, frame, NOW)


def plan(frame: Any) -> str:
    return str(frame._jdf.queryExecution().toString())


def test_nothing_runs_before_it_is_asked_for(spark: Any) -> None:
    given = frame_of(spark, POLICY, ROWS)
    context = spark.sparkContext
    context.setJobGroup("lazy", "all that policy.frame starts")
    found = POLICY.frame(given, now=NOW)
    started = context.statusTracker().getJobIdsForGroup
    assert (type(found), list(started("lazy"))) == (type(given), [])
    assert found.count() == len(ROWS)
    assert list(started("lazy"))


@pytest.mark.parametrize(("zone", "strict"), [("Asia/Shanghai", "true"), ("Africa/Monrovia", "false")])
def test_the_session_does_not_matter(spark: Any, zone: str, strict: str) -> None:
    """Neither its zone nor its ANSI mode, nor which type of its own it takes a plain TIMESTAMP for."""
    other = spark.newSession()
    for option, value in (("session.timeZone", zone), ("ansi.enabled", strict), ("timestampType", "TIMESTAMP_NTZ")):
        other.conf.set(f"spark.sql.{option}", value)
    columns_equal_objects(POLICY, frame_of(other, POLICY, ROWS), NOW)


def test_the_page(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The scripts of docs/how-to/spark.md print what stands below them."""
    page = (ROOT / "docs" / "how-to" / "spark.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', page, re.DOTALL))
    (tmp_path / "judge.py").write_text(blocks["judge.py"], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import_module("judge")
    assert capsys.readouterr().out.strip() == blocks["judged.txt"].strip()
    exec(blocks["explain.py"], {})
    assert capsys.readouterr().out.strip() == blocks["explained.txt"].strip()


def test_an_instant_without_a_zone_is_refused(spark: Any) -> None:
    naive = frame_of(spark, POLICY, ROWS).selectExpr("* EXCEPT (assigned_at)", "TIMESTAMP_NTZ '2026-03-01' assigned_at")
    with pytest.raises(InvalidFrame, match="without a zone"):
        POLICY.frame(naive, now=NOW)
