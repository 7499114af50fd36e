"""Broken maps, books and files, all different: what is said of each. Data and nothing else."""

from __future__ import annotations

from typing import NamedTuple

from cli.desk import BOOK, DEALS, MAP

HEADER = DEALS.splitlines()[0]


class Broken(NamedTuple):
    """One broken file of the desk, and what stderr must hold: the place, the value, a part of the remedy."""

    name: str
    file: str
    """``map``, ``book``, ``deals``, or ``args``."""
    content: str | bytes
    place: str
    value: str
    remedy: str
    suffix: str = ""
    """The suffix of the data file, where it is not .csv."""


def mapped(old: str, new: str) -> str:
    """The map with a piece replaced."""
    assert old in MAP
    return MAP.replace(old, new, 1)


def booked(old: str, new: str) -> str:
    """The book with a piece replaced."""
    assert old in BOOK
    return BOOK.replace(old, new, 1)


def rows(*lines: str) -> str:
    """The header and these rows."""
    return "\n".join([HEADER, *lines, ""])


BROKEN = (
    # maps
    Broken(
        "a Chinese column without quotes",
        "map",
        mapped('owner = "owner"', '负责人 = "owner"'),
        "map.toml: line 6",
        '负责人 = "owner"',
        'write the key in quotes: "负责人"',
    ),
    Broken(
        "a key that is none",
        "map",
        mapped("[time]", '[file]\nencodng = "gb18030"\n[time]'),
        "file.encodng:",
        "'gb18030'",
        "did you mean 'encoding'?",
    ),
    Broken(
        "a zone that is none",
        "map",
        mapped("Asia/Shanghai", "Asia/Shangai"),
        "time.zone:",
        "'Asia/Shangai'",
        "did you mean 'Asia/Shanghai'?",
    ),
    Broken(
        "no column for the owner",
        "map",
        mapped('owner = "owner"\n', ""),
        "columns.owner:",
        "is missing",
        'owner = "…" under [columns]',
    ),
    Broken(
        "a fact that is none",
        "map",
        mapped("customer = ", "custumer = "),
        "columns.custumer:",
        "'customer'",
        "did you mean 'customer'?",
    ),
    Broken(
        "a protection of the house that the book does not list",
        "map",
        mapped("frozen_until", "patent_until"),
        "columns.patent_until:",
        "'frozen'",
        'list "patent" under protected_by in the book',
    ),
    Broken(
        "a code that is none of ours",
        "map",
        mapped('Won = "won"', 'Won = "取得"'),
        "codes.status.Won:",
        "'取得'",
        "one of open, won, lost, invalid",
    ),
    Broken(
        "a date format without a year",
        "map",
        mapped("[columns]", 'formats = ["%d.%m."]\n[columns]'),
        "time.formats:",
        "'%d.%m.'",
        "%Y, %m and %d",
    ),
    Broken(
        "an encoding that is none",
        "map",
        mapped("[time]", '[file]\nencoding = "gb-18-thousand"\n[time]'),
        "file.encoding:",
        "'gb-18-thousand'",
        "gb18030",
    ),
    Broken(
        "two delimiters",
        "map",
        mapped("[time]", '[file]\ndelimiter = ";;"\n[time]'),
        "file.delimiter:",
        "';;'",
        r'write "," or ";" or "\t" or "|"',
    ),
    Broken(
        "a cell that is both missing and unknown",
        "map",
        mapped("[columns]", '[values]\nmissing = ["-"]\nunknown = ["-"]\n[columns]'),
        "values.unknown:",
        "'-'",
        "keep it in one of the two",
    ),
    # books
    Broken("minutes or months", "book", booked('"30d"', '"30m"'), "ownership.reclaim.idle:", "'30m'", "say min or mo"),
    Broken("a table that is none", "book", f"{BOOK}[ownership.runs]\n", "ownership.runs:", "{}", "did you mean 'run'?"),
    Broken(
        "working days without a calendar",
        "book",
        booked('"90d"', '"60wd"'),
        "ownership.reclaim.no_deal:",
        "'60wd'",
        "add [calendars.office]",
    ),
    Broken(
        "a cap in words",
        "book",
        booked("default = 3", 'default = "three"'),
        "ownership.cap.default:",
        "'three'",
        "a whole number, 0 or more",
    ),
    Broken(
        "a lead in months",
        "book",
        booked('"1d"]', '"1mo"]'),
        "ownership.reclaim.remind_before[1]:",
        "'1mo'",
        "in h, d, w, wd",
    ),
    Broken(
        "hours that are none",
        "book",
        f'{BOOK}[calendars.office.week]\nmon = ["9:00-18:00"]\n',
        "calendars.office.week.mon[0]:",
        "'9:00-18:00'",
        '"09:00-18:00"',
    ),
    Broken("another schema", "book", booked("schema = 1", "schema = 3"), "schema:", "3", "write schema = 1"),
    Broken(
        "a book that is not UTF-8",
        "book",
        booked('"desk"', '"北区"').encode("gb18030"),
        "book.toml: line 2, byte",
        "b'\\xb1'",
        "save the file as UTF-8",
    ),
    Broken(
        "a date with a time",
        "book",
        booked('zone = "', 'effective = 2026-01-01T00:00:00\nzone = "'),
        "effective:",
        "2026",
        "2026-01-31",
    ),
    # data
    Broken(
        "a code that the map does not know",
        "deals",
        rows("d1,Ann,,Open,,,,,,,,", "d2,Ann,,Opne,,,,,,,,"),
        "line 3, column stage:",
        "'Opne'",
        "did you mean 'Open'?",
    ),
    Broken(
        "a date nobody explained, after a cell of two lines",
        "deals",
        rows('d1,Ann,"Acme\nLtd",Open,2026-01-01,,,,,,,', "d2,Ann,,Open,5/3/2026,,,,,,,"),
        "line 4, column assigned:",
        "'5/3/2026'",
        '"%d/%m/%Y" or "%m/%d/%Y" to [time] formats',
    ),
    Broken(
        "an id twice",
        "deals",
        rows("d1,Ann,,Open,,,,,,,,", "d2,Ann,,Open,,,,,,,,", "d1,Bob,,Open,,,,,,,,"),
        "line 4, column id:",
        "'d1'",
        "keep one of the two rows",
    ),
    Broken(
        "a row without an id",
        "deals",
        rows(",Ann,,Open,2026-01-01,,,,,,,"),
        "line 2, column id:",
        "''",
        "every row needs an id",
    ),
    Broken(
        "another encoding",
        "deals",
        rows("d1,张三,,Open,,,,,,,,").encode("gb18030"),
        "line 2, byte",
        "b'\\xd5'",
        'encoding = "gb18030"',
    ),
    Broken("a workbook", "deals", b"PK\x03\x04rest", "deals.xlsx: file:", "spreadsheet", "CSV UTF-8", ".xlsx"),
    Broken(
        "a column that is not there",
        "deals",
        DEALS.replace("stage", "state", 1),
        "line 1, column stage:",
        "id, owner, customer, state",
        "did you mean 'state'?",
    ),
    Broken(
        "a row that is too short",
        "deals",
        rows("d1,Ann,,Open,,,,,,,,", "d2,Ann,,Open"),
        "line 3:",
        "has 4 cells",
        "quote the cells",
    ),
    Broken(
        "a quote that stays open",
        "deals",
        rows("d1,Ann,,Open,,,,,,,,", 'd2,"Ann,,Open,,,,,,,,'),
        "line 3:",
        "a quote that is never closed",
        "close the quote",
    ),
    Broken("an empty file", "deals", b"", "deals.csv: file:", "is empty", "export it again"),
    Broken(
        "a line that is no object",
        "deals",
        '{"id": "1", "owner": "u", "stage": "Open", "assigned": null}\n[1, 2]\n',
        "line 2:",
        "'[1, 2]'",
        "write one JSON object per line",
        ".jsonl",
    ),
    Broken(
        "text that calls itself Parquet",
        "deals",
        HEADER,
        "deals.parquet: file:",
        "is not Parquet",
        "name it for what it is",
        ".parquet",
    ),
    Broken(
        "a column twice",
        "deals",
        DEALS.replace("boss", "owner", 1),
        "line 1, column owner:",
        "2 times in the header",
        "rename all but one",
    ),
    Broken(
        "a flag that is neither",
        "deals",
        rows("d1,Ann,,Open,2026-01-01,,,,,maybe,,"),
        "line 2, column lost_track:",
        "'maybe'",
        "write true or false",
    ),
    # arguments
    Broken("an instant that is none", "args", "--as-of tomorrow", "--as-of:", "'tomorrow'", "write it as 2026-03-31"),
    Broken(
        "a file that is not there", "args", "--deals {folder}/dals.csv", "dals.csv: file:", "No such", "'deals.csv'?"
    ),
    Broken(
        "a book that is a folder", "args", "--policies {folder}", "file:", "Is a directory", "a file that can be read"
    ),
)
