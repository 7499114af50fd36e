"""Columns = objects: random policies, every kind of frame, facts on the borders; and compilers that are broken."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from crmcore.calendars import BusinessCalendar
from crmcore.decisions import columns, moves, reach
from crmcore.ownership import ReclaimPolicy
from crmcore.testing import moments, reclaim_policies
from crmcore.testing.frames import BACKENDS, check_frame, columns_equal_objects, facts_frame, fitting, rows_on_borders

pytest.importorskip("narwhals")

OFFICE = BusinessCalendar(
    zone="Europe/Berlin", week=dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), ("09:00-18:00",))
)
SOUND = ReclaimPolicy(idle={"A": "5d", "B": "10d"}, no_deal="1mo", remind_before=["2d", "3h"], zone="Europe/Berlin")
HELD = ReclaimPolicy(idle="9wd", min_hold="3d", min_remaining="1wd", remind_before=["2wd", "1d"], calendar=OFFICE)
MIXED = ReclaimPolicy(idle={"A": "5d", "default": "20d"}, remind_before=["7d", "3d", "2wd"], calendar=OFFICE)


def kinds(*, size: int, units: tuple[str, ...] | None, backend: str, data: st.DataObject) -> None:
    """One policy, one frame of one kind."""
    pytest.importorskip(backend.partition("-")[0])
    policies = reclaim_policies(units=units) if units else reclaim_policies()
    policy = data.draw(policies.filter(fitting), "policy")
    now = data.draw(moments(policy), "now")
    rows = data.draw(rows_on_borders(policy, now, size=size), "rows")
    columns_equal_objects(policy, facts_frame(policy, rows, backend), now)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=8)
@given(data=st.data())
def test_columns_say_what_decide_says(backend: str, data: st.DataObject) -> None:
    kinds(size=40, units=None, backend=backend, data=data)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=200)
@given(data=st.data())
def test_columns_say_what_decide_says_of_thousands(backend: str, data: st.DataObject) -> None:
    kinds(size=2_000, units=None, backend=backend, data=data)


def test_the_whole_pipeline(shared_data: Path) -> None:
    with (shared_data / "crm_pipeline" / "sales_pipeline.csv").open(encoding="utf-8-sig") as file:
        deals = list(csv.DictReader(file))
    policy = ReclaimPolicy(no_deal="90d", remind_before=["7d", "1d"], min_hold="1mo", zone="America/Chicago")
    codes = {"Won": "won", "Lost": "lost"}
    rows = [
        {
            "status": codes.get(deal["deal_stage"], "open"),
            "owner": deal["sales_agent"] or None,
            "assigned_at": day(deal["engage_date"], "America/Chicago"),
        }
        for deal in deals
    ]
    assert rows
    for backend in BACKENDS:
        for now in (datetime(2017, 10, 31, tzinfo=UTC), datetime(2017, 12, 31, tzinfo=UTC)):
            columns_equal_objects(policy, facts_frame(policy, rows, backend), now)


def day(text: str, zone: str) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) if text else None


# --- the kit, and compilers that it catches ---


@pytest.mark.parametrize("policy", [SOUND, HELD, MIXED], ids=["sound", "held", "mixed"])
def test_a_policy_of_ones_own(policy: ReclaimPolicy) -> None:
    check_frame(policy, "polars", examples=3)


def off_by_one(at: moves.Move, longest: int, table: Any = moves.Move.table) -> Any:
    found = table(at, longest)
    return found and attrs.evolve(found, origin=found.origin + 1)


def late_shift(nw: Any, at: Any, shift: int, *, whole: bool, shifted: Any = moves._shifted) -> Any:
    return shifted(nw, at, shift + 1, whole=whole)


def the_last(compiler: columns.Compiler) -> Any:
    return compiler.own("next")


BROKEN: list[tuple[Any, str, Any, ReclaimPolicy]] = [
    (moves, "_shifted", late_shift, SOUND),
    (moves.Move, "table", off_by_one, HELD),
    (columns.Compiler, "_change", the_last, SOUND),
    (columns.Compiler, "in_order", lambda _: iter(()), MIXED),
    (columns.Compiler, "views", property(lambda _: {"": None}), MIXED),
    (columns.Compiler, "_at_once", lambda _, due: due, SOUND),
    (columns.Compiler, "_moved", lambda _, due: due, attrs.evolve(HELD, appointment="3d")),
    (columns.Compiler, "known", lambda _: {}, SOUND),
    (columns.Compiler, "unknown", lambda compiler: compiler.nw.lit(value=False), SOUND),
    (columns, "apart", lambda *_: True, ReclaimPolicy(idle="20d", remind_before=["3d", "2wd"], calendar=OFFICE)),
]


@pytest.mark.parametrize(("where", "name", "broken", "policy"), BROKEN, ids=[name for _, name, *_ in BROKEN])
def test_a_broken_compiler_is_caught(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, broken: Callable[..., Any], policy: ReclaimPolicy
) -> None:
    monkeypatch.setattr(where, name, broken)

    @settings(max_examples=40, phases=[Phase.generate], derandomize=True, database=None)  # to shrink would take long
    @given(data=st.data())
    def law(data: st.DataObject) -> None:
        now = data.draw(moments(policy))
        columns_equal_objects(policy, facts_frame(policy, data.draw(rows_on_borders(policy, now, size=200))), now)

    with pytest.raises(AssertionError, match="the columns differ from decide"):
        law()


def test_a_change_that_is_too_early_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too early is right only of what lies far ahead."""
    now = datetime(2026, 3, 27, tzinfo=UTC)  # the clocks change on the 29th
    rows = [{"status": "open", "owner": "u1", "grade": "A", "assigned_at": now - timedelta(days=1)}]
    for name in ("FAR", "DECADES"):
        monkeypatch.setattr(reach, name, timedelta(hours=1))
    with pytest.raises(AssertionError, match="the columns differ from decide"):
        columns_equal_objects(SOUND, facts_frame(SOUND, rows), now)


class Loses:
    """A policy whose frames lose rows."""

    names: dict[str, str] = {}  # noqa: RUF012 - a stub
    reads = SOUND.reads

    def frame(self, df: Any, *, now: datetime, prefix: str = "") -> Any:
        return SOUND.frame(df, now=now, prefix=prefix).head(1)


def test_a_row_that_is_lost_is_caught() -> None:
    rows = [{"status": "open", "owner": "u1"}] * 2
    with pytest.raises(AssertionError, match="not those given"):
        columns_equal_objects(Loses(), facts_frame(SOUND, rows), datetime(2026, 3, 1, tzinfo=UTC))
