"""Lines as columns: exact units, days by the clock of the zone, faults counted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmcore.errors import InvalidFrame, InvalidPolicy
from crmcore.sales.frames import AT, KEY, ORDER, VALUE, collected, days_since, lines

nw = pytest.importorskip("narwhals.stable.v2")
pl = pytest.importorskip("polars")
duckdb = pytest.importorskip("duckdb")

ZONES = ("UTC", "Asia/Shanghai", "Europe/London", "America/St_Johns")


def _duckdb(frame: Any) -> Any:
    session = duckdb.connect()
    session.execute("SET TimeZone = 'America/St_Johns'")
    return session.from_arrow(frame.to_arrow())


KINDS: dict[str, Callable[[Any], Any]] = {
    "polars": lambda frame: frame,
    "polars-lazy": lambda frame: frame.lazy(),
    "pandas": lambda frame: frame.to_pandas(),
    "pandas-pyarrow": lambda frame: frame.to_pandas(use_pyarrow_extension_array=True),
    "pyarrow": lambda frame: frame.to_arrow(),
    "duckdb": _duckdb,
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def made(kind: str, **columns: Any) -> Any:
    return KINDS[kind](pl.DataFrame(columns))


def values(frame: Any, name: str) -> list[Any]:
    return collected(frame)[name].to_list()  # type: ignore[no-any-return]


@every_kind
def test_a_float_becomes_minor_units_half_away_from_zero(kind: str) -> None:
    """A return is as much as the purchase it takes back."""
    given = lines(made(kind, who=["a"] * 4, net=[0.1, -12.345, 12.345, 0.125]), key="who", value="net")
    assert values(given.frame, VALUE) == [10, -1235, 1235, 13]
    assert given.unit == 100


@every_kind
def test_whole_numbers_stay_whole(kind: str) -> None:
    """They have no places, so nothing is scaled."""
    given = lines(made(kind, who=["a", "b"], net=[3, -4]), key="who", value="net")
    assert (given.unit, values(given.frame, VALUE), values(given.frame, KEY)) == (1, [3, -4], ["a", "b"])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "pandas"])
def test_decimals_become_minor_units(kind: str) -> None:
    """As many places as asked for."""
    given = lines(made(kind, who=["a", "b"], net=[Decimal("1.10"), Decimal("-2.25")]), key="who", value="net", places=3)
    assert values(given.frame, VALUE) == [1100, -2250]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "pandas"])
def test_decimals_are_rounded_as_decimals(kind: str) -> None:
    """1.005 is a little less as a float."""
    net = [Decimal(text) for text in ("1.005", "-1.005", "0.285", "0.284")]
    given = lines(made(kind, who=["a"] * 4, net=net), key="who", value="net")
    assert values(given.frame, VALUE) == [101, -101, 29, 28]


def test_python_decimals_in_pandas_are_refused() -> None:
    """They have no type that a column could be read by."""
    with pytest.raises(InvalidFrame, match="decimal column of Arrow"):
        lines(made("pandas", who=["a"], net=[Decimal("1.10")]), key="who", value="net")


@every_kind
def test_what_cannot_be_used_is_counted_and_refused(kind: str) -> None:
    """Nulls, what is not finite, what no unit can hold: with the column and what to do."""
    net = [1.0, None, float("inf"), 1e300]
    given = lines(made(kind, who=["a", "b", None, "d"], net=net), key="who", value="net")
    counted = collected(given.frame.select(**given.faults()))
    with pytest.raises(InvalidFrame, match="column 'who': null in 1 rows is not known in each; drop those rows"):
        given.refuse({name: counted[name].item() for name in counted.columns})
    named = lines(made(kind, who=["a", "b", "c", "d"], net=net), key="who", value="net")
    counted = collected(named.frame.select(**named.faults()))
    with pytest.raises(InvalidFrame, match="column 'net': null in 3 rows"):
        named.refuse({name: counted[name].item() for name in counted.columns})


@every_kind
def test_sales_without_faults_are_let_through(kind: str) -> None:
    """Dates are counted with the rest."""
    given = lines(made(kind, who=["a"], net=[1.0], day=[date(2026, 1, 1)]), key="who", value="net", at="day")
    counted = collected(given.frame.select(**given.faults()))
    found = {name: counted[name].item() for name in counted.columns}
    assert set(found.values()) == {0}
    given.refuse(found)
    assert len(found) == 3


def test_the_columns_asked_for_must_be_there_and_fit() -> None:
    """Each refusal names the column and the remedy."""
    frame = made("polars", who=["a"], net=["1.0"], day=["2026-01-01"])
    with pytest.raises(InvalidFrame, match="did you mean 'who'"):
        lines(frame, key="wo", value="net")
    with pytest.raises(InvalidFrame, match="column 'net': String is not a number"):
        lines(frame, key="who", value="net")
    with pytest.raises(InvalidFrame, match="column 'day': String is not a date or an instant"):
        lines(made("polars", who=["a"], net=[1], day=["2026-01-01"]), key="who", value="net", at="day")
    with pytest.raises(InvalidPolicy, match="places: 7 is not a whole number from 0 to 6"):
        lines(made("polars", who=["a"], net=[1.0]), key="who", value="net", places=7)


def test_the_callers_kind_comes_back() -> None:
    """Eager from eager, lazy from lazy."""
    for kind in KINDS:
        frame = made(kind, who=["a"], net=[1.0], no=[7])
        given = lines(frame, key="who", value="net", order="no")
        assert type(given.native(given.frame)) is type(frame)
        assert values(given.frame, ORDER) == [7]


@every_kind
@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=8)
@given(
    then=st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)), gap=st.timedeltas(timedelta(), timedelta(days=900))
)
def test_days_are_told_by_the_clock_of_the_zone(kind: str, zone: str, then: datetime, gap: timedelta) -> None:
    """So many whole days by the wall clock, though the clocks were put forward in between."""
    tz = ZoneInfo(zone)
    last = then.replace(tzinfo=UTC)
    now = (last + gap).astimezone(tz)
    given = lines(made(kind, who=["a"], net=[1.0], at=[last]), key="who", value="net", at="at")
    found = given.frame.select(days=days_since(given, nw.col(AT), now), before=nw.col(AT) <= given.literal(now))
    wall = now.replace(tzinfo=None) - last.astimezone(tz).replace(tzinfo=None)
    assert values(found, "days") == [wall // timedelta(days=1)]
    assert values(found, "before") == [True]


@every_kind
@pytest.mark.parametrize("now", [date(2020, 8, 1), datetime(2020, 8, 1, 5, tzinfo=ZoneInfo("Europe/London"))])
def test_dates_count_as_dates(kind: str, now: date) -> None:
    """A time stamp without a zone says its day, so that pandas, which has no dates, can say them."""
    day, stamp = [date(2020, 1, 1)], [datetime(2020, 1, 1, 7)]
    for column in (day, stamp):
        given = lines(made(kind, who=["a"], net=[1.0], at=column), key="who", value="net", at="at")
        found = given.frame.select(days=days_since(given, nw.col(AT), now), same=nw.col(AT) == given.literal(day[0]))
        assert (values(found, "days"), values(found, "same")) == ([213], [True])


def test_instants_need_an_instant_to_be_compared_with() -> None:
    """A date has no zone, so when it begins is not known."""
    frame = made("polars", who=["a"], net=[1.0], at=[datetime(2020, 1, 1, tzinfo=UTC)])
    with pytest.raises(InvalidFrame, match="give an instant with its zone"):
        lines(frame, key="who", value="net", at="at").literal(date(2020, 1, 1))


def test_spark_tells_no_days() -> None:
    """On a real one see tests/columns; the refusal needs only to know the kind."""
    given = lines(made("polars", who=["a"], net=[1.0], day=[date(2026, 1, 1)]), key="who", value="net", at="day")
    spark = attrs.evolve(given, frame=SimpleNamespace(implementation=nw.Implementation.PYSPARK))
    with pytest.raises(InvalidFrame, match="df: a frame of Spark is not one that can tell days"):
        days_since(spark, nw.col(AT), date(2026, 1, 2))


def test_pandas_keeps_dates_as_objects() -> None:
    """`.dt.date`, and a list of dates, give a column of objects; the index, which may repeat, is no matter."""
    days = [date(2020, 1, 3), None, date(2020, 1, 1)]
    frame = pd.DataFrame({"who": ["a", "b", "c"], "net": [1, 2, 3], "at": days}, index=[7, 7, 0])
    given = lines(frame, key="who", value="net", at="at")
    found = given.frame.select(same=nw.col(AT) == given.literal(date(2020, 1, 1)))
    assert values(found, "same") == [False, False, True]
    with pytest.raises(InvalidFrame, match="Object is not a date or an instant"):
        lines(frame.assign(at=[date(2020, 1, 1), "?", 3]), key="who", value="net", at="at")
