"""Parquet is read as JSON Lines with the same facts, through whichever engine is there."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crmcore.calendars import OPEN_ENDED
from crmcore.decisions.facts import UNKNOWN
from crmcore.errors import InvalidFile
from crmcore.files import Records
from files.conftest import FACTS, Files

ENGINES = ("polars", "duckdb", "pyarrow")
STAMP = datetime(2026, 3, 31, 14, 30)
GOOD = {"id": ["1", "2"], "owner": ["ada", None], "stage": ["open", "won"], "created": [STAMP, None]}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The only engine that is installed."""
    for name in ENGINES:
        if name != request.param:
            monkeypatch.setitem(sys.modules, name, None)
    return str(request.param)


def written(files: Files, columns: Any, name: str = "deals.parquet", **options: Any) -> Path:
    path = files.folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), path, **options)
    return path


def records(files: Files, columns: Any, mapped: str = "", name: str = "deals.parquet", **options: Any) -> Records:
    return Records(written(files, columns, name), files.map(mapped), FACTS, **options)


def values(files: Files, column: str, cells: Any, mapped: str = "") -> list[Any]:
    """The values of one column of a file in which all else is good."""
    ids = [str(number) for number in range(len(cells))]
    good = {"id": ids, "owner": ids, "stage": ["open"] * len(ids), "created": [STAMP] * len(ids)}
    fact = next(fact for fact, names in files.map().columns.items() if column in names)
    return [row[fact] for row in records(files, {**good, column: cells}, mapped)]


def refusals(files: Files, columns: Any, mapped: str = "", **options: Any) -> list[tuple[Any, ...]]:
    with pytest.raises(InvalidFile) as caught:
        list(records(files, columns, mapped, **options))
    return [(each.place, each.value, each.problem, each.remedy) for each in caught.value.faults]


@pytest.mark.usefixtures("engine")
class TestEveryEngine:
    def test_the_rows_of_a_file(self, files: Files) -> None:
        at = STAMP.replace(tzinfo=UTC)
        first, second = records(files, GOOD)
        assert (first["id"], first["owner"], first["status"], first["assigned_at"]) == ("1", "ada", "open", at)
        assert (second["id"], second["owner"], second["status"], second["assigned_at"]) == ("2", None, "won", None)

    def test_no_rows(self, files: Files) -> None:
        assert list(records(files, {name: pa.array([], pa.string()) for name in GOOD})) == []

    @pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
    def test_stamps_without_a_zone_are_wall_clocks_of_the_map(self, files: Files, unit: str) -> None:
        cells = pa.array([STAMP, None], pa.timestamp(unit))
        found = values(files, "last", cells, '[time]\nzone = "Asia/Shanghai"')
        assert found == [datetime(2026, 3, 31, 6, 30, tzinfo=UTC), None]

    @pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
    def test_stamps_with_a_zone_are_instants(self, files: Files, unit: str) -> None:
        at = datetime(2026, 3, 31, 6, 30, tzinfo=UTC)
        cells = pa.array([at, None], pa.timestamp(unit, "America/New_York"))
        assert values(files, "last", cells, '[time]\nzone = "Asia/Shanghai"') == [at, None]

    def test_a_zone_may_be_an_offset(self, files: Files) -> None:
        at = datetime(2026, 3, 31, 6, 30, tzinfo=UTC)
        assert values(files, "last", pa.array([at], pa.timestamp("us", "+08:00"))) == [at]

    def test_two_facts_may_stand_in_one_column(self, files: Files) -> None:
        named = '[columns]\nid = "id"\nowner = "id"\nstatus = "stage"\nassigned_at = "created"'
        found = Records(written(files, GOOD), files.map(columns=named), FACTS)
        assert [(row["id"], row["owner"]) for row in found] == [("1", "1"), ("2", "2")]

    @pytest.mark.parametrize("zone", [None, "UTC"])
    def test_nanoseconds_are_cut_off(self, files: Files, zone: str | None) -> None:
        cells = pa.array([-1, 1_999, 123_456_789, -1_500], pa.timestamp("ns", zone))
        since = [at - datetime(1970, 1, 1, tzinfo=UTC) for at in values(files, "last", cells)]
        assert since == [timedelta(microseconds=number) for number in (-1, 1, 123_456, -2)]

    def test_a_gap_and_a_fold_of_the_clock(self, files: Files) -> None:
        """The gap's end, and the first pass of what passes twice."""
        walls = [datetime(2026, 3, 29, 2, 30), datetime(2026, 10, 25, 2, 30)]
        found = values(files, "last", walls, '[time]\nzone = "Europe/Berlin"')
        assert found == [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)]

    def test_dates(self, files: Files) -> None:
        found = values(files, "last", [date(2026, 3, 31), None], '[time]\nzone = "Asia/Shanghai"')
        assert found == [datetime(2026, 3, 30, 16, tzinfo=UTC), None]

    def test_dates_and_stamps_as_text(self, files: Files) -> None:
        cells = ["2026-03-31", "31.3.2026", "2026-03-31T02:00+02:00", ""]
        found = values(files, "last", cells, '[time]\nformats = ["%d.%m.%Y"]')
        assert found == [datetime(2026, 3, 31, tzinfo=UTC)] * 3 + [None]

    def test_a_date_that_says_none(self, files: Files) -> None:
        """The text of a stamp is what [values] is held against."""
        cells = [datetime(1900, 1, 1), STAMP]
        found = values(files, "last", cells, '[values]\nmissing = ["1900-01-01 00:00:00"]')
        assert found == [None, STAMP.replace(tzinfo=UTC)]

    def test_protections(self, files: Files) -> None:
        assert values(files, "contract", [True, False, None]) == [OPEN_ENDED, None, None]
        assert values(files, "contract", ["true", "?"], '[values]\nunknown = ["?"]') == [OPEN_ENDED, UNKNOWN]

    def test_flags(self, files: Files) -> None:
        assert values(files, "lost_track", [True, False, None]) == [True, False, None]
        assert values(files, "lost_track", [1, 0, None]) == [True, False, None]

    @pytest.mark.parametrize(
        ("cells", "expected"),
        [
            (pa.array([7, 2**64 - 1], pa.uint64()), ["7", "18446744073709551615"]),
            (pa.array([7, -7], pa.int8()), ["7", "-7"]),
            (pa.array([Decimal("7.10"), Decimal(-7)], pa.decimal128(22, 2)), ["7.10", "-7.00"]),
            (pa.array([7.0, 1e16], pa.float64()), ["7.0", "1e+16"]),
            (pa.array([" a", "ä"], pa.large_string()), ["a", "ä"]),
            (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        ],
        ids=str,
    )
    def test_ids_of_any_type_are_text(self, files: Files, cells: Any, expected: list[str]) -> None:
        assert values(files, "id", cells) == expected

    def test_a_column_of_nulls(self, files: Files) -> None:
        assert values(files, "last", pa.nulls(2)) == [None, None]

    def test_amounts(self, files: Files) -> None:
        assert values(files, "value", [1.5, None, 7.0]) == [Decimal("1.5"), None, Decimal("7.0")]

    @pytest.mark.parametrize(
        "cells", [[[1], [2]], [{"a": 1}, {"a": 2}], [b"1", b"2"], [time(1), time(2)], [[Decimal("1.5")], None]], ids=str
    )
    def test_what_is_no_cell_is_refused(self, files: Files, cells: Any) -> None:
        ((place, value, problem, remedy),) = refusals(files, {**GOOD, "id": cells})
        assert (place, value) == ("line 1, column id", None)
        assert problem.startswith("is of the type ")
        assert remedy == "give text, a number, a date, a time stamp, true, false or null"

    def test_what_is_no_cell_may_stand_in_other_columns(self, files: Files) -> None:
        assert len(list(records(files, {**GOOD, "tags": [["x"], []]}))) == 2

    def test_faults_name_the_row_as_a_line(self, files: Files) -> None:
        """The first row is line 2, as if the file were CSV."""
        found = refusals(files, {**GOOD, "id": ["1", "1"], "stage": ["opn", None]})
        assert [(place, value, problem) for place, value, problem, _ in found] == [
            ("line 2, column stage", "opn", "is no status that the map knows"),
            ("line 3, column stage", None, "is missing: no status"),
            ("line 3, column id", "1", "is the id of line 2 too"),
        ]

    def test_instants_outside_of_time(self, files: Files) -> None:
        cells = pa.array([253_402_300_800_000_000, None], pa.timestamp("us"))
        ((place, value, problem, _),) = refusals(files, {**GOOD, "created": cells})
        assert (place, value) == ("line 2, column created", "10000-01-01 00:00:00")
        assert problem == "is no date that the map knows"

    def test_faulty_rows_are_skipped(self, files: Files) -> None:
        found = records(files, {**GOOD, "stage": ["opn", "won"]}, skip_bad=True)
        assert ([row["id"] for row in found], found.read, found.skipped, found.skipped_ids) == (["2"], 2, 1, {"1": 2})

    def test_many_rows_come_in_order(self, files: Files) -> None:
        ids = [str(number) for number in range(20_000)]
        told: list[Any] = []
        columns = {"id": ids, "owner": ids, "stage": ["open"] * 20_000, "created": [STAMP] * 20_000}
        path = written(files, columns, row_group_size=3_000)
        found = Records(path, files.map(), FACTS, progress=lambda *each: told.append(each))
        assert [(row["id"], row["owner"]) for row in found] == list(zip(ids, ids, strict=True))
        size = path.stat().st_size
        assert told[-1] == (size, size)
        assert len(told) > 1

    def test_names_that_are_patterns(self, files: Files) -> None:
        """Neither the path nor the folders on it nor the columns are taken for more than names."""
        named = '[columns]\nid = "*"\nowner = "^o.*$"\nstatus = "a.b"\nassigned_at = "X"'
        columns = {"*": ["1"], "x": [{"y": [{"z": 1}]}], "^o.*$": ["ada"], "a.b": ["open"], "X": [STAMP]}
        path = written(files, columns, "id=7/[d]*.parquet")
        written(files, GOOD, "id=7/d.parquet")
        (row,) = Records(path, files.map(columns=named), FACTS)
        assert [row[fact] for fact in ("id", "owner", "status")] == ["1", "ada", "open"]
        assert row["assigned_at"] == STAMP.replace(tzinfo=UTC)

    def test_it_is_known_by_its_first_bytes(self, files: Files) -> None:
        assert len(list(records(files, GOOD, name="deals.export"))) == 2

    def test_keys_for_text_say_nothing(self, files: Files) -> None:
        assert len(list(records(files, GOOD, '[file]\nencoding = "gb18030"\ndelimiter = ";"'))) == 2

    def test_a_file_that_was_cut_off(self, files: Files) -> None:
        path = written(files, GOOD)
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(InvalidFile, match=r"cannot be read as Parquet: .*; the file is damaged or was cut off"):
            list(Records(path, files.map(), FACTS))

    def test_a_file_with_a_hole(self, files: Files) -> None:
        """What is found only while reading ends the reading, `skip_bad` or not."""
        rows = 50_000
        columns = {name: [str(n) for n in range(rows)] for name in GOOD}
        path = written(files, {**columns, "stage": ["open"] * rows}, compression="zstd")
        content = bytearray(path.read_bytes())
        content[100:5_000] = b"\xff" * 4_900
        path.write_bytes(content)
        with pytest.raises(InvalidFile, match="cannot be read as Parquet: "):
            list(Records(path, files.map(), FACTS, skip_bad=True))


@pytest.fixture
def none_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENGINES:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("none_installed")
def test_without_an_engine_one_is_named(files: Files) -> None:
    assert refusals(files, GOOD) == [
        (
            "file",
            None,
            "is Parquet, and nothing that reads it is installed",
            "pip install polars (or duckdb, or pyarrow), or save it as CSV",
        )
    ]


def test_a_polars_that_cannot_stream_is_passed_over(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(pl.LazyFrame, "collect_batches")
    assert len(list(records(files, GOOD))) == 2


def test_an_empty_file(files: Files) -> None:
    assert files.fault(b"", "deals.parquet")[2] == "is empty"


def test_text_that_calls_itself_parquet(files: Files) -> None:
    assert files.fault("id,owner\n1,u\n", "deals.parquet")[2] == "is not Parquet, whatever its name says"


def test_a_file_that_is_not_there(files: Files) -> None:
    written(files, GOOD)
    with pytest.raises(InvalidFile, match=r"No such file or directory; did you mean 'deals.parquet'\?"):
        list(Records(files.folder / "deal.parquet", files.map(), FACTS))


def test_a_file_that_nobody_may_read(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first bytes are not seen, and what opens it says why."""

    def denied(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    path = files.write("id", "deals.csv")
    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(InvalidFile, match="cannot be read: Permission denied"):
        list(Records(path, files.map(), FACTS))
