"""Files that cannot be used: each refused with place, value and remedy."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from crmcore.errors import InvalidFile
from crmcore.files import FactSpec, Map, Records

HEADER = "id,owner,stage,created\n"
GOOD = "1,u,open,2026-01-01\n"
BLANK = 'add "" to [values] missing or to [values] unknown'
ISO = "write it as 2026-03-31, 2026-03-31 14:30 or 2026-03-31T14:30:00+08:00"
OURS = '"open", "won", "lost" or "invalid"'
SAVE = " under [file] of the map, or save the file as CSV UTF-8"
OWN = "every row needs an id of its own"


def test_an_empty_id(files: Any) -> None:
    assert files.fault(HEADER + GOOD + " ,u,open,\n") == ("line 3, column id", "", "is empty", OWN)


def test_an_id_that_is_called_missing(files: Any) -> None:
    assert files.fault(HEADER + "NA,u,open,\n", mapped='[values]\nmissing = ["NA", ""]') == (
        ("line 2, column id", "NA", "is no id", OWN)
    )


def test_a_null_id_of_json_lines(files: Any) -> None:
    text = '{"id": null, "owner": "u", "stage": "open", "created": null}\n'
    assert files.fault(text, "deals.jsonl") == ("line 1, column id", None, "is empty", OWN)


def test_a_duplicate_id_names_both_lines(files: Any) -> None:
    assert files.fault(HEADER + GOOD + "2,u,open,\n 1,v,won,\n") == (
        ("line 4, column id", "1", "is the id of line 2 too", "keep one of the two rows")
    )


def test_a_duplicate_id_in_a_later_batch(files: Any) -> None:
    text = HEADER + "".join(f"{n},u,open,\n" for n in range(1000)) + "7,u,open,\n"
    assert files.fault(text)[:3] == ("line 1002, column id", "7", "is the id of line 9 too")


def test_several_empty_ids_are_not_duplicates(files: Any) -> None:
    assert [fault.problem for fault in files.faults(HEADER + ",u,open,\n,v,open,\n")] == ["is empty", "is empty"]


def test_a_required_column_that_the_file_lacks(files: Any) -> None:
    assert files.fault("id,Owner,stage,created\n" + GOOD) == (
        "line 1, column owner",
        None,
        "is not in the file",
        "did you mean 'Owner'? the file has: id, Owner, stage, created; say which of them is owner under [columns]",
    )


def test_a_required_column_with_several_names(files: Any) -> None:
    columns = ",".join(f"c{n}" for n in range(50))
    place, _, _, remedy = files.fault(f"id,owner,stage,{columns}\n")
    assert place == "line 1, column engaged or created"
    assert "c36 and 13 more; say" in remedy


def test_a_required_fact_that_the_map_does_not_name(files: Any) -> None:
    with pytest.raises(InvalidFile, match="line 1, column owner: is not in the file; the file has: id;"):
        list(
            Records(
                files.write("id\n1\n"), Map(columns={"id": ("id",)}), (FactSpec("id"), FactSpec("owner", required=True))
            )
        )


def test_a_file_with_no_column_of_the_map(files: Any) -> None:
    with pytest.raises(InvalidFile, match="line 1: has no column that the map names; the file has: a, b"):
        list(Records(files.write("a,b\n1,2\n"), Map(columns={"id": ("id",)}), (FactSpec("id"),)))


def test_a_mapped_column_twice_in_the_header(files: Any) -> None:
    assert files.fault("id,owner,owner,stage,created,x,x\n") == (
        ("line 1, column owner", None, "stands 2 times in the header", "rename all but one of them")
    )


def test_an_unknown_code(files: Any) -> None:
    assert files.fault(HEADER + "1,u,Engaging,\n") == (
        "line 2, column stage",
        "Engaging",
        "is no status that the map knows",
        f'add "Engaging" = {OURS} to [codes.status]',
    )


def test_an_unknown_code_near_a_known_one(files: Any) -> None:
    assert files.fault(HEADER + "1,u,engaging,\n", mapped='[codes.status]\nEngaging = "open"')[3] == (
        f"did you mean 'Engaging'? add \"engaging\" = {OURS} to [codes.status]"
    )


def test_an_unknown_grade(files: Any) -> None:
    assert files.fault("id,owner,stage,created,grade\n1,u,open,,D\n", mapped='[codes.grade]\nx = "A"') == (
        ("line 2, column grade", "D", "is no grade that the map knows", 'add "D" = "…" to [codes.grade]')
    )


@pytest.mark.parametrize("cell", ["", "NA"])
def test_a_missing_status_is_not_the_rest(files: Any, cell: str) -> None:
    given = '[values]\nmissing = ["", "NA"]\n[codes.status]\n"*" = "lost"'
    remedy = f'fill it in, or add "{cell}" = {OURS} to [codes.status]'
    assert files.fault(HEADER + f"1,u,{cell},\n", mapped=given) == (
        ("line 2, column stage", cell, "is missing: no status", remedy)
    )


@pytest.mark.parametrize(
    ("cell", "remedy"),
    [
        ("2017/3/5", 'add "%Y/%m/%d" to [time] formats'),
        ("03/04/2017", 'add "%d/%m/%Y" or "%m/%d/%Y" to [time] formats'),
        ("03/04/2017 1:05 PM", 'add "%d/%m/%Y %I:%M %p" or "%m/%d/%Y %I:%M %p" to [time] formats'),
        ("2026-1-5", 'add "%Y-%m-%d" to [time] formats'),
        ('"Jan 5, 2026"', 'add "%b %d, %Y" to [time] formats'),
        ("05.01.26", 'add "%d.%m.%y" to [time] formats'),
        ("2017年3月5日 08:00:01", 'add "%Y年%m月%d日 %H:%M:%S" to [time] formats'),
        ("k.A.", f"{ISO}, or add its form to [time] formats, or list it under [values] unknown"),
        ("10th May 2026", f"{ISO}, or add its form to [time] formats"),
        ("43101", f"format the column as a date before the export, or {ISO}"),
        ("2026-02-30", None),
        ("2026-01-01+08:00", None),
        ("2026-01-01T10:00:00+99:00", None),
        ("20260101-100000", None),
    ],
)
def test_a_bad_date(files: Any, cell: str, remedy: str | None) -> None:
    place, value, problem, said = files.fault(HEADER + f"1,u,open,{cell}\n")
    assert (place, value, problem) == ("line 2, column created", cell.strip('"'), "is no date that the map knows")
    assert said == remedy or (remedy is None and said.startswith("write it as 2026-03-31"))


def test_blank_cells_that_the_map_does_not_call_missing(files: Any) -> None:
    text = "id,owner,stage,created,grade,value,contract,lost_track\n1,,open,,,,,\n"
    found = files.faults(text, mapped='[values]\nmissing = ["NA"]')
    assert [(fault.place, fault.value, fault.remedy) for fault in found if "grade" not in fault.place] == [
        ("line 2, column created", "", BLANK),
        ("line 2, column contract", "", BLANK),
        ("line 2, column lost_track", "", BLANK),
    ]
    assert found[1].problem == "is missing: no grade"


def test_a_bad_protection_and_a_bad_flag(files: Any) -> None:
    found = files.faults("id,owner,stage,created,contract,lost_track\n1,u,open,,forever,maybe\n")
    assert [(fault.place, fault.value, fault.problem) for fault in found] == [
        ("line 2, column contract", "forever", "is no date that the map knows"),
        ("line 2, column lost_track", "maybe", "is neither true nor false"),
    ]
    assert found[0].remedy.startswith("write true (no end) or false (none), or write it as 2026-03-31")
    assert found[1].remedy == "write true or false"


def test_a_long_cell_is_cut(files: Any) -> None:
    assert files.fault(HEADER + f"1,u,{'x' * 300},\n")[1] == "x" * 200 + "…"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("2,u,open", "has 3 cells, fewer than the 4 of the header"),
        ("2,u,open,,", "has 5 cells, more than the 4 of the header"),
    ],
)
def test_rows_of_another_width(files: Any, row: str, problem: str) -> None:
    assert files.fault(HEADER + GOOD + row + "\n3,u,open,\n") == (
        ("line 3", None, problem, "quote the cells that hold a delimiter or a line end")
    )


def test_all_rows_of_another_width(files: Any) -> None:
    assert len(files.faults(HEADER + "2,u,open\n3,u,open\n")) == 2


def test_the_line_is_where_the_record_starts(files: Any) -> None:
    text = HEADER + '1,"a\nb\r\nc\rd",open,\n\n2,"e\nf",huh,\n3,"g\nh",hah,soon\n'
    assert [fault.place for fault in files.faults(text)] == [
        "line 7, column stage",
        "line 9, column stage",
        "line 9, column created",
    ]


def test_another_encoding_names_byte_and_line(files: Any) -> None:
    text = HEADER + GOOD + "2,张,open,\n"
    assert files.fault(text.encode("gb18030")) == (
        "line 3, byte 45",
        b"\xd5",
        "is not utf-8",
        "write encoding = \"gb18030\" (reads '张') or \"cp1252\" (reads 'ÕÅ')" + SAVE,
    )


@pytest.mark.parametrize("skip_bad", [False, True])
def test_a_western_encoding_is_shown_with_how_it_reads(files: Any, skip_bad: bool) -> None:
    content = (HEADER + GOOD + "2,Jörg Müller,open,\n").encode("cp1252")
    records = files.records(content, skip_bad=skip_bad)
    with suppress(InvalidFile):
        list(records)
    (fault,) = records.faults
    assert fault.remedy == (
        "write encoding = \"cp1252\" (reads 'Jörg Müller') or \"gb18030\" (reads 'J鰎g M黮ler')" + SAVE
    )


def test_an_encoding_that_cannot_be_is_not_proposed(files: Any) -> None:
    content = (HEADER + "1,Müll,open,\n2,caf").encode("cp1252") + b"\xe9,open,\n"
    assert files.fault(content)[3] == "write encoding = \"cp1252\" (reads 'Müll')" + SAVE


def test_bytes_of_no_encoding(files: Any) -> None:
    remedy = files.fault((HEADER + "1,").encode() + b"\x81\xff,open,\n")[3]
    assert remedy.startswith('write encoding = "gb18030" (reads ')
    assert '"cp1252" (reads ' in remedy


def test_a_western_file_read_as_chinese(files: Any) -> None:
    content = (HEADER + "1,").encode() + b"caf\xe9,open,\n"
    assert files.fault(content, mapped='[file]\nencoding = "gb18030"')[3] == (
        "write encoding = \"cp1252\" (reads 'café')" + SAVE
    )


def test_another_encoding_behind_the_head_of_a_file(files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crmcore.files.sources._CHUNK", 40)
    records = files.records((HEADER + GOOD + "2,张,open,\n").encode("gb18030"), skip_bad=True)
    list(records)
    assert records.faults[0].remedy == 'write encoding = "gb18030" or "cp1252"' + SAVE


@pytest.mark.parametrize("size", [1, 3, 40, 50])
def test_another_encoding_far_into_the_file(files: Any, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crmcore.files.sources._CHUNK", size)
    good = HEADER + '1,"é\n",open,\n' + "".join(f"a{n},u,open,\n" for n in range(600))
    content = good.encode() + b"x,\xe9,open,\n"
    place, value, *_ = files.fault(content)
    assert place == f"line 604, byte {content.index(0xE9, 40)}"
    assert value == b"\xe9"


def test_a_file_that_ends_inside_a_character(files: Any) -> None:
    content = (HEADER + "1,中").encode()[:-1]
    assert files.fault(content)[:2] == ("line 2, byte 25", b"\xe4\xb8")


def test_another_encoding_than_gb18030(files: Any) -> None:
    content = (HEADER + "1,中,open,\n").encode()
    place, _, problem, remedy = files.fault(content, mapped='[file]\nencoding = "gb18030"')
    assert (place, problem) == (f"line 2, byte {content.index(b',open') - 1}", "is not gb18030")
    assert remedy.startswith('write encoding = "utf-8"')


def test_another_encoding_of_json_lines(files: Any) -> None:
    content = b'{"id": "1", "owner": "u", "stage": "open", "created": null}\n{"id": "\xd5"}\n'
    assert files.fault(content, "deals.jsonl")[:3] == (f"line 2, byte {content.index(0xD5)}", b"\xd5", "is not utf-8")


def test_a_header_in_another_encoding_is_fatal_even_when_bad_rows_are_skipped(files: Any) -> None:
    content = "编号,owner,stage,created\n".encode("gb18030")
    assert files.faults(content)[0].problem == "is not utf-8"
    assert files.faults(content, skip_bad=True)[0].problem == "is not utf-8"


def test_utf16_is_told_by_its_mark(files: Any) -> None:
    assert files.fault(HEADER.encode("utf-16")) == (
        ("file", None, "is UTF-16, not utf-8", 'write encoding = "utf-16" under [file] of the map')
    )


def test_utf8_is_told_by_its_mark(files: Any) -> None:
    assert files.fault(HEADER.encode("utf-8-sig"), mapped='[file]\nencoding = "gb18030"') == (
        ("file", None, "is UTF-8, not gb18030", 'write encoding = "utf-8" under [file] of the map')
    )


@pytest.mark.parametrize("content", ["", "\n\n", "   "])
@pytest.mark.parametrize("name", ["deals.csv", "deals.jsonl"])
def test_an_empty_file(files: Any, content: str, name: str) -> None:
    assert files.fault(content, name) == (
        "file",
        None,
        "is empty",
        "export it again: even without rows it has a header",
    )


def test_a_file_of_delimiters(files: Any) -> None:
    assert files.fault(",,,\n,,,\n") == ("line 1", None, "has no header", "name the columns in the first line")


def test_a_nul_byte(files: Any) -> None:
    remedy = 'the file is damaged, or UTF-16: write encoding = "utf-16" under [file] of the map'
    assert files.fault(HEADER + GOOD + "2,a\0b,open,\n") == ("line 3, column owner", "a\0b", "has a NUL byte", remedy)


def test_a_nul_byte_in_the_header(files: Any) -> None:
    assert files.faults("id\0,owner,stage,created\n")[0].problem == "has a NUL byte"


def test_a_nul_byte_in_json_lines(files: Any) -> None:
    text = '{"id": "1", "owner": "u", "stage": "open", "created": null}\n{"id": "\0"}\n'
    assert files.fault(text, "deals.jsonl")[:3] == ("line 2", '{"id": "\0"}', "has a NUL byte")


@pytest.mark.parametrize("skip_bad", [False, True])
def test_an_unclosed_quote_is_fatal(files: Any, skip_bad: bool) -> None:
    text = HEADER + GOOD + '2,"u,open,\n' + "".join(f"{n},u,open,\n" for n in range(3, 600))
    assert files.fault(text, skip_bad=skip_bad) == (
        "line 3",
        None,
        "has a quote that is never closed",
        "close the quote that opens on this line; a quote inside a cell is written twice",
    )


def test_an_unclosed_quote_in_the_header(files: Any) -> None:
    assert files.fault('id,"owner\n')[:3] == ("line 1", None, "has a quote that is never closed")


def test_a_stray_quote_in_the_header(files: Any) -> None:
    assert files.fault('id,"own"er\n' + GOOD, skip_bad=True)[0] == "line 1"


def test_a_stray_quote(files: Any) -> None:
    place, _, problem, remedy = files.fault(HEADER + '1,"u"v,open,\n2,u,open,\n')
    assert (place, remedy) == ("line 2", "write a quote inside a cell twice")
    assert problem.startswith("has a quote inside a quoted cell")


def test_a_cell_without_end(files: Any) -> None:
    place, _, problem, _ = files.fault(HEADER + f'1,"{"x" * 140_000}",open,\n', skip_bad=True)
    assert (place, problem) == ("line 2", "has a cell of more than 131072 characters")


@pytest.mark.parametrize(
    ("name", "content", "problem", "remedy"),
    [
        ("deals.XLSX", b"PK", "is a spreadsheet, not text", "save it as CSV UTF-8 and give that file"),
        ("deals.xls", b"", "is a spreadsheet, not text", "save it as CSV UTF-8 and give that file"),
        (
            "deals.csv",
            b"PK\x03\x04",
            "is a spreadsheet or a zip archive, not text",
            "save it as CSV UTF-8 and give that file",
        ),
        ("deals.csv", b"\xd0\xcf\x11\xe0", "is a spreadsheet, not text", "save it as CSV UTF-8 and give that file"),
        ("deals.json", b"[]", "is JSON, not JSON Lines", "rename to .jsonl and write one object per line"),
        (
            "deals.jsonl",
            b'[\n{"id": 1},\n{"id": 2}\n]',
            "is one JSON list, not JSON Lines",
            "write one object per line, without the list around them",
        ),
        ("deals.csv.gz", b"\x1f\x8b", "is compressed", "decompress it first"),
    ],
)
def test_files_that_are_no_text(files: Any, name: str, content: bytes, problem: str, remedy: str) -> None:
    assert files.fault(content, name) == ("file", None, problem, remedy)


def test_a_path_that_is_not_there(files: Any) -> None:
    files.write(HEADER)
    with pytest.raises(InvalidFile, match=r"cannot be read: No such file or directory; did you mean 'deals.csv'\?"):
        list(Records(files.folder / "deal.csv", files.map(), ()))


def test_a_folder(files: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="cannot be read: Is a directory; give the path of a file that can be read"):
        list(Records(tmp_path, files.map(), ()))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"id": ', "is not JSON: Expecting value at character 9"),
        ("[1]", "is not a JSON object"),
        ("[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_line_that_is_no_object(files: Any, line: str, problem: str) -> None:
    text = '{"id": "1", "owner": "u", "stage": "open", "created": null}\n' + line + "\n"
    place, value, said, remedy = files.fault(text, "deals.jsonl")
    assert (place, value, remedy) == ("line 2", line[:80], "write one JSON object per line")
    assert said.startswith(problem)


def test_no_line_is_an_object(files: Any) -> None:
    assert files.fault("id,owner\n", "deals.jsonl")[0] == "line 1"


def test_objects_without_keys(files: Any) -> None:
    assert files.fault("{}\n", "deals.jsonl")[2] == "has no header"


def test_a_nested_cell(files: Any) -> None:
    text = '{"id": "1", "owner": {"name": "u"}, "stage": "open", "created": null}\n'
    assert files.fault(text, "deals.jsonl") == (
        ("line 1, column owner", {"name": "u"}, "is nested", "give text, a number, true, false or null")
    )


def test_half_a_character_of_json_lines(files: Any) -> None:
    text = '{"id": "1", "owner": "\\ud800", "stage": "open", "created": null}\n'
    assert files.fault(text, "deals.jsonl") == (
        ("line 1, column owner", "\ud800", "has half a surrogate pair", "write the whole character")
    )


def test_a_key_that_turns_up_late(files: Any) -> None:
    line = '{"id": "%s", "owner": "u", "stage": "open", "created": null%s}\n'
    text = "".join(line % (n, "") for n in range(5000)) + line % ("last", ', "last": "2026-01-01"')
    assert files.fault(text, "deals.jsonl") == (
        "line 5001, column last",
        "2026-01-01",
        "is a key that none of the first 4096 lines has",
        "write the key in the first line too, with null where there is none",
    )


def test_very_many_faults_are_counted_and_a_thousand_kept(files: Any) -> None:
    records = files.records(HEADER + "".join(f"{n},u,huh{n},\n" for n in range(1500)))
    with pytest.raises(InvalidFile) as caught:
        list(records)
    assert (records.fault_count, records.skipped, len(caught.value.faults)) == (1500, 1500, 1000)
    assert caught.value.not_kept == 500
    assert str(caught.value).splitlines()[-1].endswith("and 1480 more")


def test_a_code_is_told_once(files: Any) -> None:
    rows = "".join(f"{n},u,{'huh' if n % 2 else 'hah'},\n" for n in range(5))
    records = files.records(HEADER + rows)
    with pytest.raises(InvalidFile) as caught:
        list(records)
    assert (records.fault_count, caught.value.not_kept) == (5, 0)
    assert str(caught.value).replace(records.path, "f") == (
        "f: line 2, column stage: 'hah' is no status that the map knows (and 2 more rows);"
        f' add "hah" = {OURS} to [codes.status]\n'
        "f: line 3, column stage: 'huh' is no status that the map knows (and 1 more row);"
        f' add "huh" = {OURS} to [codes.status]'
    )


def test_faults_alike_do_not_hide_others(files: Any) -> None:
    rows = "".join(f"{n},u,open,{'5.1.2026' if n % 2 else '3/25/2026'}\n" for n in range(40))
    records = files.records(HEADER + rows + "1,u,open,\n,u,open,\n")
    with pytest.raises(InvalidFile) as caught:
        list(records)
    assert (records.fault_count, caught.value.not_kept) == (42, 0)
    told = [line.removeprefix(f"{records.path}: ").split(" is ")[0] for line in str(caught.value).splitlines()]
    assert told == [
        "line 2, column created: '3/25/2026'",
        "line 3, column created: '5.1.2026'",
        "line 4, column created: '3/25/2026'",
        "line 5, column created: '5.1.2026'",
        "line 6, column created: '3/25/2026'",
        "line 7, column created: '5.1.2026'",
        "lines 8 to 40, column created: 17 more like these",
        "lines 9 to 41, column created: 17 more like these",
        "line 42, column id: '1'",
        "line 43, column id: ''",
    ]


def test_four_faults_alike_are_told_one_by_one(files: Any) -> None:
    assert len(files.faults(HEADER + "a,u,open,soon\nb,u,open,soon\nc,u,open,soon\nd,u,open,soon\n")) == 4


def test_what_is_printed_and_the_rest_make_all_of_them(files: Any) -> None:
    many = "".join(f"x{n},u,open,soon\n" for n in range(50))
    with pytest.raises(InvalidFile) as caught:
        files.read(HEADER + "".join(f"{n},u,huh{n},\n" for n in range(18)) + many)
    assert str(caught.value).splitlines()[-1].endswith("and 48 more")


@pytest.mark.parametrize(
    ("text", "name", "mapped", "said"),
    [
        ("id;owner;stage", "a.csv", "", ("line 1", 'is 1 cell split at ",", 3 at ";"', '";"')),
        ("\n;;\nid;owner;stage", "a.csv", "", ("line 3", 'is 1 cell split at ",", 3 at ";"', '";"')),
        ('"id";"owner, of";"stage"', "a.csv", "", ("line 1", 'is 1 cell split at ",", 3 at ";"', '";"')),
        ("id;owner, of;stage", "a.csv", "", ("line 1", 'is 2 cells split at ",", 3 at ";"', '";"')),
        ("id\towner", "a.csv", "", ("line 1", 'is 1 cell split at ",", 2 at "\\t"', '"\\t"')),
        ("id,owner", "a.tsv", "", ("line 1", 'is 1 cell split at "\\t", 2 at ","', '","')),
        ("sep=;\nid;owner", "a.csv", 'delimiter = ","', ("line 2", 'is 1 cell split at ",", 2 at ";"', '";"')),
    ],
)
def test_another_delimiter(files: Any, text: str, name: str, mapped: str, said: tuple[str, str, str]) -> None:
    place, problem, delimiter = said
    remedy = f"write delimiter = {delimiter} under [file] of the map"
    assert files.fault(f"{text}\n1;u;open\n2;u;open\n", name, f"[file]\n{mapped}") == (
        (place, text.splitlines()[-1], problem, remedy)
    )


def test_a_long_header_of_another_delimiter_is_cut(files: Any) -> None:
    assert files.fault(";".join(["column"] * 50))[1] == ";".join(["column"] * 50)[:60] + "…"


def test_a_name_of_the_map_may_hold_another_delimiter(files: Any) -> None:
    specs = (FactSpec("id", "id"),)
    assert list(Records(files.write("a|b\n1\n"), Map(columns={"id": ("a|b",)}), specs)) == [{"id": "1"}]


def test_nothing_comes_after_the_first_batch_with_a_fault(files: Any) -> None:
    text = HEADER + "".join(f"{n},u,{'huh' if n == 300 else 'open'},\n" for n in range(2000))
    taken: list[str] = []
    rows = map(taken.append, (row["id"] for row in files.records(text)))
    with pytest.raises(InvalidFile):
        list(rows)
    assert 0 < len(taken) < 300
