"""Maps: what they say, and what is refused with place, value and remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crmcore.errors import Fault, InvalidFile
from crmcore.files import FactSpec, Map
from crmcore.files.instants import _OFTEN

MapFault = Callable[..., tuple[Any, ...]]
FULL = """
schema = 1
[file]
encoding = "gb18030"
delimiter = ";"
[time]
zone = "Asia/Shanghai"
formats = ["%Y/%m/%d %H:%M", "%d %b %Y", "%Y-%j", "%G-W%V-%u", "%m/%d/%Y %I:%M %p", "%Y%%%m%%%d %z"]
[values]
missing = ["", " NA "]
unknown = ["?"]
[columns]
id = " opportunity_id "
assigned_at = ["engage_date", "created"]
[codes.status]
"进行中" = "open"
"*" = "lost"
"""
SPECS = (FactSpec("id", "id"), FactSpec("assigned_at", "instant"), FactSpec("status", "code", codes=("open", "lost")))


def test_a_map_says_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_bytes(b"\xef\xbb\xbf" + FULL.encode())
    loaded = Map.load(path, SPECS)
    assert loaded == Map(
        path=str(path),
        encoding="gb18030",
        delimiter=";",
        zone=ZoneInfo("Asia/Shanghai"),
        formats=("%Y/%m/%d %H:%M", "%d %b %Y", "%Y-%j", "%G-W%V-%u", "%m/%d/%Y %I:%M %p", "%Y%%%m%%%d %z"),
        missing=("", "NA"),
        unknown=("?",),
        columns={"id": ("opportunity_id",), "assigned_at": ("engage_date", "created")},
        codes={"status": {"进行中": "open", "*": "lost"}},
    )


def test_a_map_has_defaults() -> None:
    loaded = Map.load("m", (FactSpec("id"),), 'schema = 1\n[columns]\nid = "id"')
    assert loaded == Map(path="m", columns={"id": ("id",)})
    assert (loaded.encoding, loaded.delimiter, loaded.zone.key, loaded.missing) == ("utf-8", None, "UTC", ("",))


def test_a_fact_has_one_of_the_kinds() -> None:
    with pytest.raises(ValueError, match="kind"):
        FactSpec("id", "number")  # type: ignore[arg-type]


def test_a_blank_may_be_unknown_where_missing_is_not_given() -> None:
    loaded = Map.load("m", (FactSpec("id"),), 'schema = 1\n[values]\nunknown = [""]\n[columns]\nid = "id"')
    assert loaded.unknown == ("",)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            '[file]\nencoding = "utf8mb4"',
            ("file.encoding", "utf8mb4", "is no text encoding", "did you mean 'utf-8'?"),
        ),
        (
            '[file]\nencoding = "rot13"',
            ("file.encoding", "rot13", "is no text encoding", None),
        ),
        (
            '[file]\nencoding = "undefined"',
            ("file.encoding", "undefined", "is no text encoding", None),
        ),
        (
            '[file]\ndelimiter = "||"',
            ("file.delimiter", "||", "is not one character that separates cells", r'write "," or ";" or "\t" or "|"'),
        ),
        (
            '[time]\nzone = "Asia/Shangai"',
            ("time.zone", "Asia/Shangai", "is no time zone", "did you mean 'Asia/Shanghai'?"),
        ),
        (
            '[time]\nzone = "/q/zzzzzz"',
            ("time.zone", "/q/zzzzzz", "is no time zone", 'write a name such as "Asia/Shanghai"'),
        ),
        (
            '[time]\nzone = "Asia"',
            ("time.zone", "Asia", "is no time zone", None),
        ),
        (
            '[time]\nformats = ["%H:%M"]',
            (
                "time.formats",
                ["%H:%M"],
                "'%H:%M' does not say year, month and day",
                "a form needs all three: %Y, %m and %d",
            ),
        ),
        (
            '[time]\nformats = ["%Y-%m-%Q"]',
            (
                "time.formats",
                ["%Y-%m-%Q"],
                "'%Y-%m-%Q' is no date format",
                'use strptime directives: "%Y/%m/%d %H:%M"',
            ),
        ),
        (
            '[time]\nformats = ["%Y %Y %m %d"]',
            ("time.formats", ["%Y %Y %m %d"], "'%Y %Y %m %d' is no date format", None),
        ),
        (
            '[time]\nformats = ["%Y-%m-%d %I:%M"]',
            ("time.formats", ["%Y-%m-%d %I:%M"], "'%Y-%m-%d %I:%M' has %I without %p", "use %H, or add %p"),
        ),
        (
            '[time]\nformats = ["%x"]',
            (
                "time.formats",
                ["%x"],
                "'%x' has %x, which depends on the machine",
                "write it out: %Y-%m-%d %H:%M:%S %z",
            ),
        ),
        (
            '[values]\nmissing = ["?", ""]\nunknown = ["?"]',
            ("values.unknown", ["?"], "lists '?', which [values] missing lists too", "keep it in one of the two"),
        ),
        (
            '[codes.status]\nEngaging = "opened"',
            ("codes.status.Engaging", "opened", "is no status of ours", "did you mean 'open'?"),
        ),
        (
            '[codes.status]\n"进行中" = "zzz"',
            ('codes.status."进行中"', "zzz", "is no status of ours", "one of open, won, lost, invalid"),
        ),
        (
            "[codes.status]\nEngaging = 1",
            ("codes.status.Engaging", 1, "is a number, not text", 'write it in quotes: Engaging = "…"'),
        ),
        (
            '[codes.owner]\na = "b"',
            ("codes.owner", {"a": "b"}, "has no codes", "facts with codes: status, grade"),
        ),
        (
            "[codes]\nstatus = 3",
            ("codes.status", 3, "is a number, not a table", "write [codes.status]"),
        ),
        (
            '[files]\nencoding = "utf-8"',
            ("files", {"encoding": "utf-8"}, "is no key of this file", "did you mean 'file'?"),
        ),
        (
            '[time]\nzona = "UTC"',
            ("time.zona", "UTC", "is no key of [time]", "did you mean 'zone'?"),
        ),
    ],
)
def test_a_broken_map_is_refused(map_fault: MapFault, text: str, fault: tuple[Any, ...]) -> None:
    found = map_fault(text)
    assert found[:3] == fault[:3]
    assert found[3]
    assert fault[3] is None or found[3] == fault[3]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (
            'last_contact = "last"',
            ("columns.last_contact", "last", "is no fact of this file", "did you mean 'last_contact_at'?"),
        ),
        (
            'quote_until = "q"',
            (
                "columns.quote_until",
                "q",
                "is no fact of this file",
                "did you mean 'contract_until'?; or list \"quote\" under protected_by in the book",
            ),
        ),
        ('qqqqqq = "q"', ("columns.qqqqqq", "q", "is no fact of this file", None)),
        ("grade = []", ("columns.grade", [], "names no column", 'write grade = "column", or a list of columns')),
        ('grade = " "', ("columns.grade", " ", "names no column", 'write grade = "column", or a list of columns')),
        ("grade = 5", ("columns.grade", 5, "is a number, not text", 'write it in quotes: grade = "…"')),
        (
            'grade = ["a", 1]',
            ("columns.grade", ["a", 1], "has an entry that is no text: 1", "write every entry in quotes"),
        ),
    ],
)
def test_a_broken_column_is_refused(map_fault: MapFault, line: str, fault: tuple[Any, ...]) -> None:
    columns = '[columns]\nid = "id"\nowner = "owner"\nstatus = "stage"\nassigned_at = "created"\n'
    found = map_fault("", columns + line)
    assert found[:3] == fault[:3]
    assert found[3]
    assert fault[3] is None or found[3] == fault[3]


def test_all_faults_come_at_once(map_faults: Callable[[str], tuple[Fault, ...]]) -> None:
    found = map_faults('[file]\nencoding = "klingon"\n[time]\nzone = 7\n[columns]\nid = "id"\nowner = "o"')
    assert [fault.place for fault in found] == [
        "schema",
        "file.encoding",
        "time.zone",
        "columns.status",
        "columns.assigned_at",
    ]
    assert found[3].remedy == 'say which column it is: status = "…" under [columns]'


def test_a_map_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text("schema = 1")
    with pytest.raises(
        InvalidFile, match=r"file: cannot be read: No such file or directory; did you mean 'map.toml'\?"
    ):
        Map.load(tmp_path / "mapp.toml", SPECS)


def test_a_policy_book_is_no_map(map_fault: MapFault) -> None:
    assert map_fault("[ownership.cap]\ndefault = 3", columns="") == (
        ("file", None, "is a policy book, not a map", "it belongs to --policies")
    )


def test_every_form_that_is_proposed_is_accepted() -> None:
    forms = ", ".join(f'"{form}"' for form in _OFTEN)
    assert Map.load("m", (), f"schema = 1\n[time]\nformats = [{forms}]").formats == _OFTEN
