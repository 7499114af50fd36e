"""Frames by name: what comes back, what counts at the edges, what is refused."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from crmcore import OPEN_ENDED
from crmcore.calendars import EARLIEST, BusinessCalendar
from crmcore.decisions import UNKNOWN
from crmcore.errors import InvalidFrame, MissingExtra, NoWorkingTime
from crmcore.ownership import ReclaimPolicy
from crmcore.testing.frames import columns_equal_objects, facts_frame

pytest.importorskip("narwhals")
pl: Any = pytest.importorskip("polars")

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ANSWER = ["outcome", "step", "rule", "next_change_at"]
OFFICE = BusinessCalendar(zone="UTC", week={day: ["09:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")})
POLICY = ReclaimPolicy(idle="30d", no_deal="90d", remind_before=["7d", "1d"], zone="Europe/Berlin")


def deal(**facts: Any) -> dict[str, Any]:
    return {"status": "open", "owner": "u1", "assigned_at": NOW - DAY, **facts}


def answers(policy: ReclaimPolicy, *rows: dict[str, Any], now: datetime = NOW) -> list[tuple[Any, ...]]:
    """What the columns say, which is what decide says."""
    frame = facts_frame(policy, rows)
    columns_equal_objects(policy, frame, now)
    found: list[tuple[Any, ...]] = policy.frame(frame, now=now).select(ANSWER).rows()
    return found


def test_no_start_and_an_unknown_contact_need_data() -> None:
    old = NOW - 40 * DAY
    found = answers(POLICY, deal(assigned_at=None), deal(assigned_at=old, contact_unknown=True), deal())
    assert [row[0] for row in found] == ["needs_data", "needs_data", "keep"]


def test_a_contact_ahead_bounds_the_answer() -> None:
    (near, far) = answers(POLICY, deal(last_contact_at=NOW + DAY / 2), deal(last_contact_at=NOW + 9 * DAY))
    assert (near[3], far[3]) == (NOW + DAY / 2, NOW + 8 * DAY)


def test_a_grade_that_is_not_listed_is_judged_by_all_limits() -> None:
    policy = ReclaimPolicy(idle={"A": "5d", "B": "30d"})
    found = answers(policy, *(deal(grade=grade, assigned_at=NOW - 9 * DAY) for grade in ("A", "B", "Z", None)))
    assert [row[0] for row in found] == ["reclaim", "keep", "needs_data", "needs_data"]


def test_an_appointment_moves_the_deadline() -> None:
    policy = ReclaimPolicy(idle="30d", appointment="14d", zone="Europe/Berlin")
    old = deal(assigned_at=NOW - 31 * DAY)
    near, far = ({**old, "appointment_at": NOW + by * DAY} for by in (3, 20))
    assert [row[0] for row in answers(policy, near, far)] == ["keep", "reclaim"]


def test_no_end_and_what_must_remain_after_one() -> None:
    policy = ReclaimPolicy(idle="5d", remind_before=["1d"], min_remaining="2wd", calendar=OFFICE, min_hold="1mo")
    old = deal(assigned_at=NOW - 50 * DAY)
    ends = (OPEN_ENDED, NOW - DAY, NOW - 9 * DAY, NOW + 3000 * DAY)
    found = answers(policy, *({**old, "frozen_until": end} for end in ends))
    assert [(row[0], row[3] is None) for row in found[:3]] == [("keep", True), ("remind", False), ("reclaim", True)]


@pytest.mark.parametrize(("unit", "ahead"), [("1d", 4_000), ("3wd", 1_500), ("8wh", 900)])
def test_far_ahead_the_next_change_is_early_never_late(unit: str, ahead: int) -> None:
    """The limit that the docs name; whoever decides again then is told the next one, and ends at the true one."""
    policy = ReclaimPolicy(idle="30d", remind_before=["1d"], min_remaining=unit, zone="Europe/Berlin", calendar=OFFICE)
    row = deal(frozen_until=NOW + ahead * DAY)
    expected, now, seen = policy.decide(facts(policy, row), now=NOW).next_change_at, NOW, []
    while expected is not None and now < expected:
        ((outcome, *_, now),) = policy.frame(facts_frame(policy, [row]), now=now).select(ANSWER).rows()
        assert (outcome, now <= expected) == ("keep", True)
        seen.append(now)
    assert len(seen) > 1


def facts(policy: ReclaimPolicy, row: dict[str, Any]) -> dict[str, Any]:
    return {**dict.fromkeys(policy.reads), **row}


def test_another_book_bounds_the_next_change() -> None:
    policy = attrs.evolve(POLICY, until=NOW + DAY)
    ((*_, change), (*_, closed)) = answers(policy, deal(), deal(status="won"))
    assert (change, closed) == (NOW + DAY, None)


def test_nothing_is_judged_and_a_code_that_is_none_of_ours() -> None:
    assert answers(ReclaimPolicy(), deal(), deal(status="Open"), deal(owner=None)) == [
        ("keep", 0, None, None),
        (None, 0, None, None),
        ("keep", 0, None, None),
    ]


def test_unknown_becomes_null_and_no_rows_stay_no_rows() -> None:
    assert facts_frame(POLICY, [deal(last_contact_at=UNKNOWN)])["last_contact_at"].to_list() == [None]
    assert answers(POLICY) == []


def test_lazy_stays_lazy_and_nothing_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = facts_frame(POLICY, [deal()], "polars-lazy")
    with monkeypatch.context() as patch:
        patch.setattr(pl.LazyFrame, "collect", lambda *_, **__: pytest.fail("collected"))
        found = POLICY.frame(lazy, now=NOW)
    assert isinstance(found, pl.LazyFrame)
    assert found.collect().columns == [*lazy.collect_schema(), *ANSWER]


@pytest.mark.parametrize("backend", ["polars", "pandas", "pandas-pyarrow", "pyarrow", "duckdb"])
def test_the_same_kind_comes_back(backend: str) -> None:
    pytest.importorskip(backend.partition("-")[0])
    given = facts_frame(POLICY, [deal()], backend)
    assert type(POLICY.frame(given, now=NOW)) is type(given)


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai"])
def test_zones_and_units_of_the_columns(zone: str, unit: str) -> None:
    policy = ReclaimPolicy(idle="30d", remind_before=["7d"], zone="Europe/Berlin")
    frame = facts_frame(policy, [deal(), deal(assigned_at=NOW - 30 * DAY), deal(frozen_until=NOW + DAY)])
    instants = pl.col(pl.Datetime).dt.convert_time_zone(zone).dt.cast_time_unit(unit)
    columns_equal_objects(policy, frame.with_columns(instants), NOW)


def test_categorical_codes() -> None:
    policy = ReclaimPolicy(idle={"A": "5d", "default": "30d"})
    frame = facts_frame(policy, [deal(grade="A"), deal(grade="Z")])
    codes = {"grade": pl.col("grade").cast(pl.Categorical), "status": pl.col("status").cast(pl.Enum(["open", "won"]))}
    columns_equal_objects(policy, frame.with_columns(**codes), NOW)


def test_pandas_with_its_own_idea_of_none() -> None:
    pandas: Any = pytest.importorskip("pandas")
    rows = [deal(owner=None), deal(grade=None, contact_unknown=True), deal(contact_unknown=False), deal(status=None)]
    policy = ReclaimPolicy(idle={"A": "5d", "B": "30d"}, remind_before=["1d"])
    frame = facts_frame(policy, rows, "pandas").convert_dtypes()
    frame["contact_unknown"] = frame["contact_unknown"].mask([True, False, False, True])
    frame["owner"] = frame["owner"].eq("u1").astype("Int64").mask([True, False, False, False])
    frame["note"] = pandas.Series([pandas.NA, None, float("nan"), "old"], dtype=object)
    columns_equal_objects(policy, frame, NOW)
    assert policy.frame(frame, now=NOW)["outcome"].isna().tolist() == [False, False, False, True]


def test_names_of_ones_own_and_a_prefix() -> None:
    policy = POLICY.reading(owner="rep", contact_unknown="?")
    found = policy.frame(facts_frame(policy, [{**deal(), "rep": "u1"}]), now=NOW, prefix="crm_")
    assert found.columns[-4:] == [f"crm_{name}" for name in ANSWER]
    assert found["crm_outcome"].to_list() == ["keep"]


GIVEN = facts_frame(ReclaimPolicy(idle={"A": "30d"}, remind_before=["1d"]), [deal()])
REFUSED = [
    (GIVEN.drop("owner"), "column 'owner': missing"),
    (GIVEN.rename({"owner": "owners"}), "did you mean 'owners'"),
    (GIVEN.with_columns(assigned_at=pl.lit("2026")), "column 'assigned_at': String"),
    (GIVEN.with_columns(pl.col("assigned_at").dt.replace_time_zone(None)), "without a zone"),
    (GIVEN.with_columns(grade=pl.lit(1)), "column 'grade': Int"),
    (GIVEN.with_columns(contact_unknown=pl.lit(1)), "column 'contact_unknown': Int"),
    (GIVEN.with_columns(Outcome=pl.lit(1)), "columns: Outcome"),
    (GIVEN.with_columns(__crmcore_x=pl.lit(1)), "columns: __crmcore_x"),
    ([deal()], "df: list is not a data frame"),
]


@pytest.mark.parametrize(("frame", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_a_frame_that_does_not_fit_is_refused(frame: Any, says: str) -> None:
    with pytest.raises(InvalidFrame) as caught:
        ReclaimPolicy(idle={"A": "30d"}, remind_before=["1d"]).frame(frame, now=NOW)
    assert says in str(caught.value)


def test_a_lead_that_is_longer_than_a_limit_is_not_used_for_it() -> None:
    policy = ReclaimPolicy(idle={"A": "5d", "default": "30d"}, no_deal="6d", remind_before=["7d", "1d"])
    found = answers(policy, *(deal(grade=grade, assigned_at=NOW - by * DAY) for grade in "AB" for by in (1, 4.5, 5.5)))
    assert [row[:3] for row in found] == [
        ("keep", 0, None),
        ("remind", 1, "OWN-1"),
        ("reclaim", 0, "OWN-1"),
        ("keep", 0, None),
        ("keep", 0, None),
        ("remind", 1, "OWN-2"),
    ]


def test_without_a_default_such_a_lead_is_refused() -> None:
    policy = ReclaimPolicy(idle={"A": "5d", "B": "30d"}, remind_before=["7d"])
    with pytest.raises(InvalidFrame, match="add a default"):
        policy.frame(GIVEN, now=NOW)


def test_more_grades_than_one_chain_holds() -> None:
    policy = ReclaimPolicy(idle={**{f"{n}": f"{n}d" for n in range(1, 121)}, "default": "30d"}, remind_before=["1h"])
    rows = [deal(grade=f"{n}", assigned_at=NOW - n * DAY - DAY / 2 * (n % 2)) for n in range(122)]
    assert {row[0] for row in answers(policy, *rows)} == {"keep", "reclaim"}


def test_working_days_that_end_are_known_as_far_as_they_go() -> None:
    days = [(NOW + n * DAY).date() for n in range(-60, 90)]
    policy = ReclaimPolicy(
        idle="10d",
        remind_before=["1wd"],
        min_remaining="1wd",
        calendar=BusinessCalendar(zone="UTC", week={}, open=dict.fromkeys(days, ("09:00-18:00",))),
    )
    found = answers(policy, *(deal(assigned_at=NOW - by * DAY, frozen_until=None) for by in (1, 8, 9.5, 11)))
    assert [row[0] for row in found] == ["keep", "keep", "remind", "reclaim"]
    for less in (attrs.evolve(policy, idle="10wd"), attrs.evolve(policy, remind_before=["7d"])):
        with pytest.raises(NoWorkingTime):
            less.frame(GIVEN, now=NOW + 85 * DAY)


def test_working_days_that_begin_later() -> None:
    days = [(NOW + n * DAY).date() for n in range(-3, 60)]
    calendar = BusinessCalendar(zone="UTC", week={}, open=dict.fromkeys(days, ("09:00-18:00",)))
    found = answers(ReclaimPolicy(idle="5wd", calendar=calendar), deal(assigned_at=NOW - 2 * DAY))
    assert [row[0] for row in found] == ["keep"]


def test_where_every_day_is_a_working_day() -> None:
    always = BusinessCalendar(
        zone="UTC", week=dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), ("00:00-24:00",))
    )
    policy = ReclaimPolicy(idle="10wd", remind_before=["2wd"], min_remaining="1wd", calendar=always)
    answers(policy, *(deal(assigned_at=NOW - by * DAY, frozen_until=NOW) for by in range(12)))


def test_reminders_of_two_kinds_come_as_the_calendar_says() -> None:
    """Two working days before a Tuesday is before three days; before a Thursday it is after."""
    policy = ReclaimPolicy(idle="30d", remind_before=["2wd", "3d"], calendar=OFFICE)
    dues = [NOW + by * DAY for by in range(1, 12)]
    assert {row[1] for row in answers(policy, *(deal(assigned_at=due - 30 * DAY) for due in dues))} == {0, 1, 2}


def test_a_name_that_means_more_than_itself_is_refused() -> None:
    for name in ("*", "^owner.*$"):
        with pytest.raises(InvalidFrame, match="means itself alone"):
            POLICY.reading(owner=name).frame(facts_frame(POLICY, [deal()]).rename({"owner": name}), now=NOW)
    with pytest.raises(InvalidFrame, match="for our own use"):
        POLICY.frame(facts_frame(POLICY, [deal()]), now=NOW, prefix="__crmcore_")


def test_the_last_days_of_time_are_no_end_where_the_hold_leads_out_of_it() -> None:
    policy = ReclaimPolicy(idle="30d", min_remaining="1w", remind_before=["1d"], zone="Europe/Berlin")
    found = answers(policy, deal(frozen_until=OPEN_ENDED - DAY), deal(frozen_until=OPEN_ENDED))
    assert [row[3] for row in found] == [None, None]


def test_the_first_instant_is_an_instant() -> None:
    """.NET and Go say none with it; it is long ago all the same."""
    long_ago, ahead = EARLIEST, NOW + 900 * DAY
    found = answers(POLICY, deal(assigned_at=long_ago), deal(assigned_at=long_ago, last_contact_at=ahead))
    assert [row[0] for row in found] == ["reclaim", "reclaim"]


def test_months_of_working_hours_are_made_in_no_time() -> None:
    """Long limits do not make long tables of hours."""
    policy = ReclaimPolicy(idle="240mo", min_remaining="8wh", remind_before=["3wd"], calendar=OFFICE)
    ends = [NOW + 30 * DAY, NOW - DAY]
    answers(policy, *(deal(assigned_at=NOW - 7_300 * DAY, frozen_until=end) for end in ends))


def test_without_narwhals_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "narwhals.stable.v2", None)
    with pytest.raises(MissingExtra, match=r"crmcore\[frames\]"):
        POLICY.frame(GIVEN, now=NOW)


def test_a_name_that_stands_twice_is_refused() -> None:
    """DuckDB would take the first of them, whatever the type of the last."""
    duckdb, pyarrow = pytest.importorskip("duckdb"), pytest.importorskip("pyarrow")
    given = facts_frame(POLICY, [deal()], "pyarrow")
    twice = pyarrow.Table.from_arrays([*given.columns, given["status"]], names=[*given.column_names, "status"])
    capitals = "SELECT *, TIMESTAMP '2026-01-01' AS Assigned_At FROM given"
    for frame in (twice, twice.to_pandas(), duckdb.sql("SELECT *, 'won' AS status FROM given"), duckdb.sql(capitals)):
        with pytest.raises(InvalidFrame, match=r"columns: (status|assigned_at) is not there once"):
            POLICY.frame(frame, now=NOW)
