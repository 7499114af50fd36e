"""Records: what the cells of a file become."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from crmcore.calendars import OPEN_ENDED
from crmcore.decisions import UNKNOWN
from crmcore.files import FactSpec, Map, Records
from crmcore.files.instants import instant_parser

HEADER = "id,owner,stage,engaged,created,last,grade,value,contract,lost_track\n"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def instant(files: Any, cell: str, time: str = 'zone = "Asia/Shanghai"') -> Any:
    """What `assigned_at` becomes."""
    (row,) = files.read(f'id,owner,stage,created\n1,u,open,"{cell}"\n', mapped=f"[time]\n{time}")
    return row["assigned_at"]


def test_every_fact_becomes_its_kind(files: Any) -> None:
    text = HEADER + "7, Anna ,won,2026-01-02,,2026-01-03T10:00Z,A,10.50,true,TRUE\n"
    assert files.read(text) == [
        {
            "id": "7",
            "owner": "Anna",
            "status": "won",
            "assigned_at": utc("2026-01-02"),
            "last_contact_at": utc("2026-01-03T10:00"),
            "grade": "A",
            "value": Decimal("10.50"),
            "contract_until": OPEN_ENDED,
            "contact_unknown": True,
        }
    ]


def test_missing_and_unknown_cells(files: Any) -> None:
    values = '[values]\nmissing = ["", "NA"]\nunknown = ["?"]'
    rows = files.read(HEADER + "1,NA,open,NA,,?,,NA,,\n2,,open,?,,NA,NA,,NA,?\n3,?,?,,,,?,?,?,0\n", mapped=values)
    assert [list(row.values())[1:] for row in rows] == [
        [None, "open", None, UNKNOWN, None, None, None, None],
        [None, "open", UNKNOWN, None, None, None, None, UNKNOWN],
        [UNKNOWN, UNKNOWN, None, None, UNKNOWN, UNKNOWN, UNKNOWN, False],
    ]


def test_protections_flags_and_amounts(files: Any) -> None:
    rows = files.read(HEADER + "1,u,open,,,,,n/a,FALSE,1\n2,u,open,,,,,1e3,2026-05-01,false\n")
    assert [(row["value"], row["contract_until"], row["contact_unknown"]) for row in rows] == [
        ("n/a", None, True),
        (Decimal("1e3"), utc("2026-05-01"), False),
    ]


def test_a_fact_without_a_column_is_none_and_is_named(files: Any) -> None:
    records = files.records("id,owner,stage,created\n1,u,open,2026-01-01\n")
    assert [row["grade"] for row in records] == [None]
    assert records.columns_used == {"id": "id", "owner": "owner", "status": "stage", "assigned_at": "created"}
    assert records.unmapped == ("last_contact_at", "grade", "value", "contract_until", "contact_unknown")
    assert records.absent["grade"] == ("grade",)


def test_the_header_is_known_before_the_first_row(files: Any) -> None:
    records = files.records("id,owner,stage,created\n1,u,open,2026-01-01\n")
    batches = records.batches()
    assert records.columns_used["assigned_at"] == "created"
    assert (records.read, [len(batch) for batch in batches], records.read) == (0, [1], 1)


def test_a_fact_that_the_map_does_not_name_is_not_absent(files: Any) -> None:
    specs = (FactSpec("id", "id"), FactSpec("manager"))
    records = Records(files.write("id\n1\n"), Map(columns={"id": ("id",)}), specs)
    assert (list(records), records.absent) == ([{"id": "1", "manager": None}], {})


def test_a_second_iteration_reads_again(files: Any) -> None:
    records = files.records("id,owner,stage,created\n1,u,open,2026-01-01\n")
    assert list(records) == list(records)
    assert (records.read, records.skipped, records.fault_count, records.faults) == (1, 0, 0, ())


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2026-03-31", "2026-03-30T16:00"),
        ("2026-03-31 09:30", "2026-03-31T01:30"),
        ("2026-03-31T09:30:15.25", "2026-03-31T01:30:15.250"),
        ("20260331T0930", "2026-03-31T01:30"),
        ("2026-W14-2", "2026-03-30T16:00"),
        ("2026-03-31T09:30Z", "2026-03-31T09:30"),
        ("2026-03-31T09:30+02:00", "2026-03-31T07:30"),
        (" 2026-03-31\u3000", "2026-03-30T16:00"),
    ],
)
def test_iso_stamps_are_read_in_the_maps_zone(files: Any, cell: str, expected: str) -> None:
    assert instant(files, cell) == utc(expected)
    assert instant(files, cell).tzinfo is UTC


@pytest.mark.parametrize(
    ("cell", "zone", "expected"),
    [
        ("2026-03-29 02:30", "Europe/Berlin", "2026-03-29T01:00"),  # in the gap: its end
        ("2026-03-29 01:59", "Europe/Berlin", "2026-03-29T00:59"),
        ("2026-03-29 03:00", "Europe/Berlin", "2026-03-29T01:00"),
        ("2026-10-25 02:30", "Europe/Berlin", "2026-10-25T00:30"),  # twice: the first pass
        ("2026-10-25 03:00", "Europe/Berlin", "2026-10-25T02:00"),
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00"),  # no midnight: the day begins at 01:00
        ("2018-11-04 12:00", "America/Sao_Paulo", "2018-11-04T14:00"),
        ("2011-12-30", "Pacific/Apia", "2011-12-30T10:00"),  # no such day: its end
        ("9999-12-31", "America/New_York", "9999-12-31T05:00"),
        ("0001-01-01", "UTC", "0001-01-01T00:00"),
    ],
)
def test_gaps_and_folds(files: Any, cell: str, zone: str, expected: str) -> None:
    assert instant(files, cell, f'zone = "{zone}"') == utc(expected)
    form = "%Y-%m-%d at %H:%M" if " " in cell else "on %Y-%m-%d"
    written = cell.replace(" ", " at ") if " " in cell else f"on {cell}"
    assert instant(files, written, f'zone = "{zone}"\nformats = ["{form}"]') == utc(expected)


@pytest.mark.parametrize(
    ("cell", "expected"), [("9999-12-31 23:59", OPEN_ENDED), ("9999-12-31T23:59-05:00", OPEN_ENDED)]
)
def test_what_lies_beyond_the_end_of_time_is_open_ended(files: Any, cell: str, expected: datetime) -> None:
    assert instant(files, cell, 'zone = "America/New_York"') == expected


def test_formats_are_tried_in_order_after_iso(files: Any) -> None:
    time = 'zone = "Asia/Shanghai"\nformats = ["%d/%m/%Y", "%m/%d/%Y", "%Y%m%d %z", "%Y年%m月%d日 %H:%M"]'
    assert instant(files, "03/04/2026", time) == utc("2026-04-02T16:00")
    assert instant(files, "03/25/2026", time) == utc("2026-03-24T16:00")
    assert instant(files, "20260325 +0100", time) == utc("2026-03-24T23:00")
    assert instant(files, "2026年3月5日 8:00", time) == utc("2026-03-05T00:00")


def test_more_distinct_cells_than_are_kept(files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crmcore.files.cells._KEPT", 3)
    monkeypatch.setattr("crmcore.files.instants._DAYS_KEPT", 2)
    monkeypatch.setattr("crmcore.files.tables._ROWS", 20)
    days = [f"20{year}-01-01" for year in range(10, 40)] * 2
    text = "id,owner,stage,created\n" + "".join(f"{n},u,open,{day}\n" for n, day in enumerate(days))
    assert [row["assigned_at"] for row in files.read(text)] == [utc(day) for day in days]


@pytest.mark.parametrize(
    "odd", ["", "2026-03-31T09:30Z", "2026-03-29 02:30", "2026-10-25", "20260331T0930", "31.3.2026", "1900-01-01"]
)
@pytest.mark.parametrize("missing", ["NA", "1900-01-01"])
def test_many_distinct_stamps_are_read_as_few(files: Any, odd: str, missing: str) -> None:
    mapped = (
        '[time]\nzone = "Europe/Berlin"\nformats = ["%d.%m.%Y"]\n'
        f'[values]\nmissing = ["", "{missing}"]\n[columns]\nid = "id"\nassigned_at = "created"\n'
    )
    specs = (FactSpec("id", "id"), FactSpec("assigned_at", "instant"))
    the_map = Map.load("m", specs, "schema = 1\n" + mapped)
    cells = [
        f"2026-{month:02}-{day:02} 1{month % 10}:{day:02}:07" for month in range(1, 13) for day in range(1, 29)
    ] * 3
    cells = [cell.replace(":07", f":{n // 100:02}") for n, cell in enumerate(cells)]
    cells[600] = odd

    path = files.write("id,created\n" + "".join(f"{n},{cell}\n" for n, cell in enumerate(cells)))
    one = instant_parser(the_map.zone, the_map.formats)
    assert [row["assigned_at"] for row in Records(path, the_map, specs)] == [
        None if cell in {"", missing} else one(cell) for cell in cells
    ]


def test_codes_are_mapped_and_case_sensitive(files: Any) -> None:
    codes = '[codes.status]\nEngaging = "open"\n"" = "invalid"\n"*" = "lost"\n[codes.grade]\nx = "A"\n"*" = "C"'
    text = HEADER + "".join(f"{n},u,{cell},,,,{cell},,,\n" for n, cell in enumerate(["Engaging", "engaging", "", "x"]))
    rows = files.read(text, mapped=codes)
    assert [row["status"] for row in rows] == ["open", "lost", "invalid", "lost"]
    assert [row["grade"] for row in rows] == ["C", "C", None, "A"]


def test_a_chinese_export_in_gb18030(files: Any) -> None:
    text = '商机编号,负责人,阶段,分配日期,金额\r\n商-1,张三,跟进中,2017/3/5,"1,200"\r\n商-2,,已赢单,2017/11/15,8\r\n'
    chinese = Map.load(
        "map.toml",
        (
            specs := (
                FactSpec("id", "id", required=True),
                FactSpec("owner", required=True),
                FactSpec("status", "code", required=True, codes=("open", "won")),
                FactSpec("assigned_at", "instant", required=True),
                FactSpec("value", "money"),
            )
        ),
        'schema = 1\n[file]\nencoding = "gb18030"\n[time]\nzone = "Asia/Shanghai"\nformats = ["%Y/%m/%d"]\n'
        '[columns]\nid = "商机编号"\nowner = "负责人"\nstatus = "阶段"\nassigned_at = "分配日期"\nvalue = "金额"\n'
        '[codes.status]\n"跟进中" = "open"\n"已赢单" = "won"\n',
    )
    assert list(Records(files.write(text, encoding="gb18030"), chinese, specs)) == [
        {"id": "商-1", "owner": "张三", "status": "open", "assigned_at": utc("2017-03-04T16:00"), "value": "1,200"},
        {"id": "商-2", "owner": None, "status": "won", "assigned_at": utc("2017-11-14T16:00"), "value": Decimal(8)},
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-8-sig", "utf-8"), ("utf-8", "UTF8"), ("utf-16", "utf-16"), ("utf-8-sig", "utf-8-sig")]
)
def test_byte_order_marks_and_line_ends(files: Any, end: str, encoding: str, said: str) -> None:
    text = f'id,owner,stage,created{end}1,Jörg,open,2026-01-01{end}{end}2,"a{end}b",open,{end}3,,huh,{end}'
    (fault,) = files.faults(text.encode(encoding), mapped=f'[file]\nencoding = "{said}"')
    assert (fault.place, fault.value) == ("line 6, column stage", "huh")
    rows = files.read(text.encode(encoding), mapped=f'[file]\nencoding = "{said}"', skip_bad=True)
    assert [row["owner"] for row in rows] == ["Jörg", f"a{end}b"]


def test_a_blank_after_the_delimiter_is_no_part_of_a_cell(files: Any) -> None:
    assert files.read('id, "owner", stage, created\n1, "a,b", open, 2026-01-01\n')[0]["owner"] == "a,b"


def test_tsv_and_other_delimiters(files: Any) -> None:
    text = "id\towner\tstage\tcreated\n1\ta,b\topen\t2026-01-01\n"
    assert files.read(text, "deals.tsv")[0]["owner"] == "a,b"
    assert files.read(text.replace("\t", ";"), mapped='[file]\ndelimiter = ";"')[0]["owner"] == "a,b"


def test_a_header_alone_is_no_fault(files: Any) -> None:
    assert files.read("\n,,\nid,owner,stage,created\n") == []


def test_lines_with_nothing_in_them_are_no_records(files: Any) -> None:
    records = files.records("id,owner,stage,created\n1,u,open,\n , ,,\n\n2,u,open,\n,,,,,,,\n")
    assert [row["id"] for row in records] == ["1", "2"]
    assert records.read == 2


@pytest.mark.parametrize("tail", [",,,\n", ", ,  ,\n,,,\n"])
def test_rows_of_delimiters_only_are_no_records(files: Any, tail: str) -> None:
    records = files.records("id,owner,stage,created\n1,u,open,\n,,,\n2,u,open,\n" + tail)
    assert ([row["id"] for row in records], records.read) == (["1", "2"], 2)


@pytest.mark.parametrize("first", ["sep=;\n", "\ufeffSEP=;\r\n", '"sep=;"\n'])
def test_the_line_that_tells_excel_the_delimiter_is_no_header(files: Any, first: str) -> None:
    text = first + "id;owner;stage;created\n1;a,b;open;\n"
    assert files.read(text, mapped='[file]\ndelimiter = ";"')[0]["owner"] == "a,b"
    if '"' not in first:
        assert files.read(text)[0]["owner"] == "a,b"
        assert files.fault(text + "2;u;huh;\n")[0] == "line 4, column stage"


def test_the_ids_of_skipped_rows_are_kept_with_their_lines(files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "id,owner,stage,created\n1,u,open,\n2,u,huh,\n,u,open,\n1,u,open,\n2,u,huh,\n3,u,huh,\n"
    records = files.records(text, skip_bad=True)
    assert ([row["id"] for row in records], records.skipped) == (["1"], 5)
    assert records.skipped_ids == {"2": 3, "3": 7}
    monkeypatch.setattr("crmcore.files.records._SKIPPED_KEPT", 1)
    list(records)
    assert records.skipped_ids == {"2": 3}


def test_bad_rows_can_be_skipped_and_are_counted(files: Any) -> None:
    text = 'id,owner,stage,created\n1,u,open,\n2,u,huh,soon\n1,v,open,\n3,u,open\n"4"x,u,open,\n5,u,open,\n'
    records = files.records(text, skip_bad=True)
    assert [(row["id"], row["owner"]) for row in records] == [("1", "u"), ("5", "u")]
    assert (records.read, records.skipped, records.fault_count) == (6, 4, 5)
    assert [fault.place for fault in records.faults] == [
        "line 3, column stage",
        "line 3, column created",
        "line 4, column id",
        "line 5",
        "line 6",
    ]


def test_undecodable_rows_can_be_skipped(files: Any) -> None:
    text = "id,owner,stage,created\n1,u,open,\n2,张,open,\n3,u,open,\n"
    records = files.records(text.encode("gb18030"), skip_bad=True)
    assert [row["id"] for row in records] == ["1", "3"]
    (fault,) = records.faults
    assert (fault.place, fault.problem) == ("line 3, column owner", "is not utf-8")


def test_progress_is_told(files: Any) -> None:
    said: list[tuple[int, int | None]] = []
    text = "id,owner,stage,created\n" + "".join(f"{n},u,open,2026-01-01\n" for n in range(20_000))
    files.read(text, progress=lambda done, total: said.append((done, total)))
    assert said == sorted(said)
    assert said[-1] == (len(text), len(text))


@pytest.mark.parametrize(
    "content", ["id,owner,stage,created\n1,u,open,\n", '{"id": 1, "owner": "u", "stage": "open", "created": null}\n']
)
def test_standard_input_is_a_dash(files: Any, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(content.encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    said: list[tuple[int, int | None]] = []
    records = Records("-", files.map(), files.records("").specs, progress=lambda *told: said.append(told))
    assert [row["owner"] for row in records] == ["u"]
    assert said[-1] == (len(content), None)
    assert not stdin.buffer.closed


def test_json_lines(files: Any) -> None:
    text = (
        '\ufeff{"id": 12345678901234567890, "owner": " Ann ", "stage": "open", "created": "2026-01-01", "x": [1]}\n'
        "\n"
        '{"id": "b", "owner": null, "stage": "won", "created": 20260102, "value": 1.10, "lost_track": true}\r\n'
        '{"id": "c", "owner": "", "stage": "won", "value": NaN, "contract": false, "lost_track": false}\n'
    )
    records = files.records(text, "deals.jsonl")
    rows = list(records)
    assert [(row["id"], row["owner"], row["assigned_at"]) for row in rows] == [
        ("12345678901234567890", "Ann", utc("2026-01-01")),
        ("b", None, utc("2026-01-02")),
        ("c", None, None),
    ]
    assert [str(row["value"]) for row in rows] == ["None", "1.10", "NaN"]
    assert [row["contact_unknown"] for row in rows] == [None, True, False]
    assert records.unmapped == ("last_contact_at", "grade")


def test_a_null_status_of_json_lines_may_have_a_code(files: Any) -> None:
    text = '{"id": "1", "owner": "u", "stage": null, "created": null, "grade": null}\n'
    row = files.read(text, "deals.ndjson", '[codes.status]\n"" = "open"')[0]
    assert (row["status"], row["grade"]) == ("open", None)


def test_json_lines_in_many_batches(files: Any) -> None:
    text = "".join(f'{{"id": {n}, "owner": "u", "stage": "open", "created": null}}\n' for n in range(10_000))
    rows = files.read(text + "\n" * 5000, "deals.jsonl")
    assert [row["id"] for row in rows] == [str(n) for n in range(10_000)]


def test_a_late_null_of_json_lines_is_no_fault(files: Any) -> None:
    line = '{"id": "%s", "owner": "u", "stage": "open", "created": null%s}\n'
    text = "".join(line % (n, "") for n in range(5000)) + line % ("last", ', "last": null')
    assert len(files.read(text, "deals.jsonl")) == 5001
