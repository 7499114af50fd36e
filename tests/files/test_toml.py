"""Strict TOML: typed getters, key paths, all faults at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from crmcore.errors import InvalidFile
from crmcore.files import Reader, Section, did_you_mean, key_path, read_toml


def only(text: str, ask: Callable[[Reader], object], value: object = None) -> tuple[Any, ...]:
    """The one fault after asking, and what the getter gave instead."""
    reader = Reader("book.toml", text)
    assert ask(reader) == value
    with pytest.raises(InvalidFile) as caught:
        reader.done()
    (fault,) = caught.value.faults
    return fault.place, fault.value, fault.problem, fault.remedy


GOOD = """
schema = 1
name = "north"
day = 2026-01-01
size = 3
on = true
leads = ["7d", "1d"]
[ownership.cap]
per_owner = { "u.17" = "a" }
[[hours]]
from = 2026-05-01
[[hours]]
from = 2026-06-01
"""


def test_getters_give_what_the_document_says() -> None:
    reader = Reader("book.toml", GOOD)
    reader.schema()
    cap = reader.table("ownership").table("cap")
    assert cap.present
    assert cap.place("x y") == 'ownership.cap."x y"'
    assert "name" in reader
    assert "nothing" not in reader
    assert reader.names()[:2] == ("schema", "name")
    assert (reader.text("name"), reader.integer("size"), reader.boolean("on")) == ("north", 3, True)
    assert (reader.date("day"), reader.texts("leads")) == (date(2026, 1, 1), ("7d", "1d"))
    assert cap.mapping("per_owner") == {"u.17": "a"}
    hours = reader.tables("hours")
    assert [section.date("from") for section in hours] == [date(2026, 5, 1), date(2026, 6, 1)]
    assert hours[1].place("from") == "hours[1].from"
    reader.done()
    assert reader.faults == ()


def test_getters_give_the_default_where_the_key_is_absent() -> None:
    reader = Reader("book.toml", "")
    assert (reader.text("a"), reader.text("a", "b")) == (None, "b")
    assert (reader.integer("a", 4), reader.boolean("a", default=True), reader.date("a")) == (4, True, None)
    assert (reader.texts("a", ("x",)), reader.any("a", 5), reader.tables("a")) == (("x",), 5, ())
    assert not reader.table("a").present
    assert reader.mapping("a") == {}
    reader.done()


@pytest.mark.parametrize(
    ("text", "ask", "fault"),
    [
        ("k = 1", lambda r: r.text("k"), ("k", 1, "is a number, not text", 'write it in quotes: k = "…"')),
        (
            "k = true",
            lambda r: r.integer("k"),
            ("k", True, "is true or false, not a whole number", "write k = 100, without quotes"),
        ),
        (
            "k = 1.5",
            lambda r: r.integer("k"),
            ("k", 1.5, "is a number, not a whole number", "write k = 100, without quotes"),
        ),
        (
            'k = "2026-13-01"',
            lambda r: r.date("k"),
            ("k", "2026-13-01", "is text, not a date", "write k = 2026-01-31, without quotes or a time"),
        ),
        (
            "k = 10:00:00",
            lambda r: r.text("k"),
            ("k", None, "is a date or time, not text", 'write it in quotes: k = "…"'),
        ),
    ],
)
def test_a_wrong_kind_is_a_fault_with_its_remedy(text: str, ask: Callable[[Reader], object], fault: Any) -> None:
    found = only(text, ask)
    assert (found[0], found[2], found[3]) == (fault[0], fault[2], fault[3])
    assert fault[1] is None or found[1] == fault[1]


def test_a_datetime_is_no_date() -> None:
    assert only("k = 2026-01-01T00:00:00", lambda r: r.date("k"))[2] == "is a date or time, not a date"


def test_text_is_no_truth() -> None:
    found = only('k = "yes"', lambda r: r.boolean("k"), value=False)
    assert found == ("k", "yes", "is text, not true or false", "write k = true or k = false, without quotes")


def test_text_is_no_list() -> None:
    assert only('k = "a"', lambda r: r.texts("k"), ()) == (
        "k",
        "a",
        "is text, not a list of texts",
        'write k = ["…", "…"]',
    )


def test_a_list_of_numbers_is_no_list_of_texts() -> None:
    found = only("k = [1]", lambda r: r.texts("k"), ())
    assert found == ("k", [1], "has an entry that is no text: 1", "write every entry in quotes")


def test_a_list_of_texts_is_no_list_of_tables() -> None:
    assert only('k = ["a"]', lambda r: r.tables("k"), ()) == (
        "k",
        ["a"],
        "has an entry that is no table",
        "write [[k]]",
    )


def test_text_is_no_table() -> None:
    def ask(reader: Reader) -> object:
        return reader.table("a").table("k").present

    assert only('[a]\nk = "b"', ask, value=False) == ("a.k", "b", "is text, not a table", "write [a.k]")


def test_a_mapping_leaves_out_what_is_no_text() -> None:
    found = only('[a]\nb = 1\nc = "d"', lambda r: r.mapping("a"), {"c": "d"})
    assert found[0] == "a.b"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", ("schema", None, "is missing", "add schema = 1")),
        ("schema = 2", ("schema", 2, "is not a schema that this version reads (1)", "write schema = 1")),
        ("schema = true", ("schema", True, "is not a schema that this version reads (1)", "write schema = 1")),
    ],
)
def test_the_schema_is_checked(text: str, fault: tuple[Any, ...]) -> None:
    assert only(text, lambda reader: reader.schema()) == fault


def test_unknown_keys_are_faults_at_every_depth() -> None:
    reader = Reader("book.toml", "nmae = 1\n[a]\nzzz = 2\n[a.b]\nq = 1")
    reader.text("name")
    section = reader.table("a")
    section.text("first")
    section.table("b")
    reader.finish()
    assert [(fault.place, fault.remedy) for fault in reader.faults] == [
        ("nmae", "did you mean 'name'?"),
        ("a.zzz", "keys here: first, b"),
        ("a.b.q", "this table has no keys; remove it"),
    ]
    assert reader.faults[1].problem == "is no key of [a]"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a = 1\nb = = 2", ("line 2, column 5", "b = = 2", "is not TOML: Invalid value", "")),
        (
            "zone = Asia",
            ("line 1, column 8", "zone = Asia", "is not TOML: Invalid value", 'write text in quotes: zone = "Asia"'),
        ),
        (
            "进行中 = 'open'",
            (
                "line 1, column 1",
                "进行中 = 'open'",
                "is not TOML: Invalid statement",
                "write the key in quotes: \"进行中\" = 'open'",
            ),
        ),
        ("a = 1\na = 2", ("line 2, column 6", "a = 2", "is not TOML: Cannot overwrite a value", "write each key once")),
        ('a = "b\n', ("line 1, column 7", 'a = "b', "is not TOML: Illegal character '\\n'", "")),
        ("a = [1", ("line 1", "a = [1", "is not TOML: Unclosed array", "the file ends too early: close what is open")),
    ],
)
def test_a_syntax_error_names_its_line(text: str, fault: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidFile) as caught:
        read_toml("map.toml", text)
    (found,) = caught.value.faults
    assert (found.value, found.problem.split(" (")[0], found.remedy) == fault[1:]
    assert found.place.split(",")[0] == fault[0].split(",")[0]


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(InvalidFile, match="is nested too deeply"):
        read_toml("map.toml", "a = " + "[" * 100_000)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a = 1\nb = '中'".encode("gb18030"), r"line 2, byte 11: b'\\xd6' is not UTF-8; save the file as UTF-8"),
        ("a = 1".encode("utf-16"), r"line 1, byte 0: b'\\xff' is UTF-16; save the file as UTF-8"),
    ],
)
def test_another_encoding_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "map.toml"
    path.write_bytes(content)
    with pytest.raises(InvalidFile, match=message):
        read_toml(path)


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="file: cannot be read: Is a directory; give the path of a file"):
        read_toml(tmp_path)
    with pytest.raises(InvalidFile, match="cannot be read: embedded null byte"):
        read_toml("a\0b")
    with pytest.raises(InvalidFile, match="No such file or directory; give the path"):
        read_toml(tmp_path / "no" / "map.toml")


def test_a_fault_below_a_table_has_the_whole_path() -> None:
    reader = Reader("book.toml", "")
    reader.fault_below("a[0]", 1, "is wrong")
    reader.table("week").fault_below("mon[0]", "9-8", "is wrong", "turn it round")
    assert [str(fault) for fault in reader.faults] == ["a[0]: 1 is wrong", "week.mon[0]: '9-8' is wrong; turn it round"]


def test_values_are_printed_as_toml_writes_them() -> None:
    text = 'a = 2025-01-01\nb = { x = 1, "y.z" = ["p", true, 2025-01-01T10:00:00] }\nc = true\nd = 10:00:00\n'
    reader = Reader("book.toml", text + f"e = {{}}\nf = [{', '.join('1' * 40)}]\ng = 'it'\n")
    for key in reader.names():
        reader.fault(key, "is wrong")
    assert [str(fault) for fault in reader.faults] == [
        "a: 2025-01-01 is wrong",
        'b: { x = 1, "y.z" = ["p", true, 2025-01-01T10:00:00] } is wrong',
        "c: true is wrong",
        "d: 10:00:00 is wrong",
        "e: {} is wrong",
        f"f: [{', '.join('1' * 20)},… is wrong",
        "g: 'it' is wrong",
    ]
    assert reader.faults[0].value == date(2025, 1, 1)


def test_a_file_of_another_kind_is_refused_with_one_fault() -> None:
    said = {"problem": "is a map, not a policy book", "remedy": "it belongs to --map"}
    for text in ("", "[ownership]", "[ownership]\n[columns]"):
        Reader("x.toml", text).expect("ownership", other="columns", **said)
    with pytest.raises(InvalidFile, match=r"^x\.toml: file: is a map, not a policy book; it belongs to --map$"):
        Reader("x.toml", "[columns]").expect("ownership", other="columns", **said)


def test_a_date_may_stand_in_quotes() -> None:
    assert Reader("book.toml", 'k = "2026-01-02"').date("k") == date(2026, 1, 2)


def test_key_paths_are_written_as_toml_writes_them() -> None:
    assert key_path("a", "b-1", "c[0]", "d.e", 'f"', "中") == 'a.b-1.c[0]."d.e"."f\\""."中"'


def test_the_nearest_name() -> None:
    assert did_you_mean("Last Activity", ["id", "last_activity"]) == "did you mean 'last_activity'?"
    assert did_you_mean("xyz", ["id"]) == ""


def test_a_section_is_a_plain_value() -> None:
    section = Section({"a": 1}, ("x",), [], present=True)
    assert section.keys == ("x",)
