"""`crmcore day` on Parquet: the same document as of the same facts in text, as rows and as columns."""

from __future__ import annotations

import csv
import io
import json
import random
import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.desk import BOOK, MAP, Desk
from crmcore.files import columns, parquet
from crmcore.ownership.worklist import Sweep

AS_OF = datetime(2026, 3, 31, 9, 30)
"""Two days after the clocks of Berlin changed, and five before those of Santiago do, at midnight."""
MAPPED = MAP.replace(
    "[columns]", '[values]\nunknown = ["?"]\n[columns]\ncontract_until = "contract"\nclosed_at = "closed"'
)
GRADED = """\
schema = 1
zone = "Europe/Berlin"
[calendars.office]
zone = "Asia/Shanghai"
[calendars.office.week]
mon = ["09:00-18:00"]
tue = ["09:00-18:00"]
wed = ["09:00-18:00"]
thu = ["09:00-18:00"]
fri = ["09:00-12:00", "13:00-16:30"]
[ownership.reclaim]
idle = { A = "5wd", B = "1mo", default = "40d" }
no_deal = "120d"
min_hold = "3d"
min_remaining = "2d"
appointment = "5d"
protected_by = ["contract"]
remind_before = ["2d", "6h"]
calendar = "office"
"""
BOOKS = (BOOK, GRADED, GRADED.replace(', default = "40d"', ""))
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/Santiago")
ENGINES = ("polars", "duckdb", "pyarrow")


class Facts:
    """The columns of a file, drawn from a seed."""

    def __init__(self, seed: int, rows: int = 300, *, faulty: bool) -> None:
        self.random = random.Random(seed)
        self.rows, self.faulty = rows, faulty
        self.columns: dict[str, pa.Array] = {
            "id": self.ids(),
            "owner": self.texts("Ann", "Bob", " Cy ", "\x1cDi", None, "", "?"),
            "customer": self.texts("Acme", "Bolt", None),
            "stage": self.codes(),
            "assigned": self.instants(200, "2026-01-05", None),
            "last": self.instants(60, "2026-03-02T10:00+02:00", "?", "", None),
            "grade": self.texts("A", "B", "C", None).dictionary_encode(),
            "frozen": self.protections(),
            "contract": self.protections(),
            "lost_track": self.flags(),
            "amount": pa.array([self.random.choice((1.5, 20.0, None)) for _ in range(rows)]),
            "closed": self.instants(300, "2026-01-05", "?", None),
        }

    def texts(self, *choices: str | None) -> pa.Array:
        return pa.array([self.random.choice(choices) for _ in range(self.rows)], pa.string())

    def spoilt(self, cells: list[Any], *wrong: Any) -> list[Any]:
        """Now and then a cell with a fault."""
        if self.faulty:
            for _ in range(self.random.randrange(4)):
                cells[self.random.randrange(self.rows)] = self.random.choice(wrong)
        return cells

    def ids(self) -> pa.Array:
        numbers = self.random.sample(range(10 * self.rows), self.rows)
        if self.random.random() < 0.3:
            return pa.array(self.spoilt(list(numbers), numbers[0], None), pa.int64())
        texts = [f" d{number}" if number % 7 == 0 else f"d{number}" for number in numbers]
        return pa.array(self.spoilt(texts, *self.random.choice((("",), ("?", None), (texts[0].strip(),)))), pa.string())

    def codes(self) -> pa.Array:
        codes = [self.random.choice(("Open", "Open", "Open", "Won", " Lost")) for _ in range(self.rows)]
        return pa.array(self.spoilt(codes, "open", "", None), pa.string())

    def instant(self, days: int) -> datetime:
        """An instant of the last so many days, often one at a border; seldom one ahead."""
        random = self.random
        at = AS_OF - timedelta(days=random.randint(-2, days))
        return at + random.choice((timedelta(0), timedelta(microseconds=random.randrange(86_400_000_000))))

    def instants(self, days: int, *texts: str | None) -> pa.Array:
        kind = self.random.choice(("us", "ms", "ns", "zoned", "date", "text"))
        stamps: list[Any] = [
            self.random.choice((self.instant(days), self.instant(days), None)) for _ in range(self.rows)
        ]
        if kind == "date":
            return pa.array([stamp and stamp.date() for stamp in stamps], pa.date32())
        if kind == "text":
            cells = [self.random.choice((str(stamp), *texts)) if stamp else None for stamp in stamps]
            return pa.array(self.spoilt(cells, "soon", "31.12.2025"), pa.string())
        if kind == "zoned":
            return pa.array([stamp and stamp.replace(tzinfo=UTC) for stamp in stamps], pa.timestamp("us", "Asia/Tokyo"))
        if kind == "us":
            stamps = self.spoilt(stamps, datetime(1, 1, 1), datetime(9999, 12, 31, 20), datetime(1900, 1, 1))
        return pa.array(
            [stamp and stamp.replace(microsecond=0) for stamp in stamps] if kind == "ms" else stamps,
            pa.timestamp("us" if kind == "us" else kind),
        )

    def protections(self) -> pa.Array:
        kind = self.random.choice(("true", "instants", "text"))
        if kind == "true":
            return pa.array([self.random.choice((True, False, None)) for _ in range(self.rows)])
        if kind == "instants":
            return self.instants(30, "true", "?")
        texts = [self.random.choice(("true", "False", "2026-04-02", "", "?")) for _ in range(self.rows)]
        return pa.array(self.spoilt(texts, "yes"), pa.string())

    def flags(self) -> pa.Array:
        choices: Any = self.random.choice(((True, False, None), (1, 0, 0), ("1", "false", "?", None)))
        return pa.array([self.random.choice(choices) for _ in range(self.rows)])

    def rows_of_text(self) -> list[dict[str, Any]]:
        """What JSON Lines would have."""
        return [
            {name: str(cell) if isinstance(cell, date) else cell for name, cell in row.items()}
            for row in pa.table(self.columns).to_pylist()
        ]


def run(desk: Desk, deals: str, *args: str) -> tuple[int, str, str]:
    result = desk.on_files("day", "--json", *args, deals=deals, as_of=str(AS_OF))
    return result.exit_code, result.stdout, result.stderr


def prepared(desk: Desk, seed: int, *, faulty: bool = False) -> Facts:
    desk.write("map.toml", MAPPED.replace("Asia/Shanghai", ZONES[seed // 3 % len(ZONES)]))
    desk.write("book.toml", BOOKS[seed % len(BOOKS)])
    facts = Facts(seed, faulty=faulty)
    pq.write_table(pa.table(facts.columns), desk.folder / "deals.parquet")
    return facts


def only(monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    for name in ENGINES:
        if name != engine:
            monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(6))
def test_the_same_facts_make_the_same_document(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, seed: int, engine: str
) -> None:
    """CSV, JSON Lines and Parquet, through every engine, to the byte."""
    facts = prepared(desk, seed)
    rows = facts.rows_of_text()
    text = io.StringIO()
    writer = csv.DictWriter(text, list(facts.columns))
    writer.writeheader()
    writer.writerows(
        {key: str(cell).lower() if isinstance(cell, bool) else cell for key, cell in row.items()} for row in rows
    )
    only(monkeypatch, engine)
    of_text = run(desk, desk.write("deals.csv", text.getvalue()))
    of_json = run(desk, desk.write("deals.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows)))
    of_parquet = run(desk, str(desk.folder / "deals.parquet"))
    assert of_parquet[0] == 0
    assert of_parquet == of_json == of_text


@pytest.mark.parametrize("skip", [(), ("--skip-bad",)], ids=["all", "skipping"])
@pytest.mark.parametrize("faulty", [False, True], ids=["good", "faulty"])
@pytest.mark.parametrize("seed", range(10))
def test_columns_and_rows_say_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, seed: int, faulty: bool, skip: tuple[str, ...]
) -> None:
    """The same bytes, faults and exit code, whichever way a large file is read."""
    prepared(desk, seed + 100, faulty=faulty)
    deals = str(desk.folder / "deals.parquet")
    monkeypatch.setattr(parquet, "ROWS", 25)
    rows = run(desk, deals, *skip)
    assert rows[0] == 0 or (faulty and not skip)
    monkeypatch.setattr(columns, "COLUMNS_FROM", 0)
    monkeypatch.setattr(parquet, "FRAME", 100)
    assert run(desk, deals, *skip) == rows


def counted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many rows `day` counts in columns."""
    seen: list[int] = []
    count = Sweep.count

    def watched(self: Sweep, frame: Any) -> Any:
        found = count(self, frame)
        seen.append(found.sum())
        return found

    monkeypatch.setattr(Sweep, "count", watched)
    monkeypatch.setattr(columns, "COLUMNS_FROM", 0)
    assert run(desk, str(desk.folder / "deals.parquet"))[0] == 0
    return sum(seen)


def plain(desk: Desk, **others: Any) -> None:
    """A file of a hundred rows that stay, and some columns in another form."""
    ids = [f"d{number}" for number in range(100)]
    good = {
        "id": ids,
        "owner": ["Ann"] * 100,
        "stage": ["Open"] * 100,
        "assigned": [AS_OF] * 100,
        "last": [AS_OF] * 100,
    }
    pq.write_table(pa.table({**good, **others}), desk.folder / "deals.parquet")


def test_plain_rows_are_counted_in_columns(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    plain(desk)
    assert counted(desk, monkeypatch) == 100


STAMPS = [AS_OF - timedelta(seconds=number) for number in range(100)]


@pytest.mark.parametrize(
    ("others", "count"),
    [
        ({"last": list(map(str, STAMPS))}, 0),
        ({"last": [*map(str, STAMPS[:9]), *[str(AS_OF)] * 91]}, 100),
        ({"last": STAMPS}, 100),
        ({"last": [datetime(9999, 12, 30), *STAMPS[1:]]}, 99),
        ({"id": [f"{number}.5" for number in range(99)] + ["0.5 "]}, None),
        ({"id": [number + 0.5 for number in range(100)]}, 0),
        ({"owner": ["Ann", "", None, "?"] * 25}, 100),
        ({"stage": ["Won", "Open"] * 50}, 100),
    ],
    ids=["texts", "few texts", "stamps", "the end of time", "a second id", "numbers", "owners", "closed"],
)
def test_what_is_counted_in_columns(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, others: dict[str, Any], count: int | None
) -> None:
    """Only where each cell is certain."""
    plain(desk, **others)
    monkeypatch.setattr(columns, "DISTINCT", 50)
    if count is None:
        monkeypatch.setattr(columns, "COLUMNS_FROM", 0)
        code, _, said = run(desk, str(desk.folder / "deals.parquet"))
        assert (code, "is the id of line 2 too" in said) == (2, True)
    else:
        assert counted(desk, monkeypatch) == count


def test_without_narwhals_rows_are_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    plain(desk)
    monkeypatch.setitem(sys.modules, "narwhals.stable.v2", None)
    assert counted(desk, monkeypatch) == 0


@pytest.mark.parametrize("engine", ["duckdb", "pyarrow"])
def test_without_polars_rows_are_read(desk: Desk, monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    plain(desk)
    only(monkeypatch, engine)
    assert counted(desk, monkeypatch) == 0


def test_dates_that_say_none_are_read_one_by_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.write("map.toml", MAPPED.replace("[values]", '[values]\nmissing = ["", "1900-01-01 00:00:00"]'))
    plain(desk, last=[datetime(1900, 1, 1), *[AS_OF] * 99])
    assert counted(desk, monkeypatch) == 100


def test_a_column_that_is_no_cell_is_refused_as_rows_are(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    plain(desk, customer=[["x"]] * 100)
    rows = run(desk, str(desk.folder / "deals.parquet"))
    monkeypatch.setattr(columns, "COLUMNS_FROM", 0)
    assert run(desk, str(desk.folder / "deals.parquet")) == rows
    assert (rows[0], "line 1, column customer: is of the type" in rows[2]) == (2, True)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_decision_is_explained_from_parquet(desk: Desk, monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    plain(desk)
    only(monkeypatch, engine)
    result = desk.on_files("explain", "d7", deals=str(desk.folder / "deals.parquet"), as_of=str(AS_OF))
    assert (result.exit_code, result.stdout.startswith("d7: ")) == (0, True)


def test_a_stream_of_parquet_is_refused(desk: Desk) -> None:
    result = desk.on_files("day", deals="-", stdin=b"PAR1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is Parquet, which cannot be read from a stream; give the path of the file" in result.stderr


def test_nothing_but_the_document_is_printed(desk: Desk) -> None:
    """DuckDB draws a bar on standard output where a query takes long."""
    engine = parquet._DuckDB()
    assert engine._connection.execute("SELECT current_setting('enable_progress_bar')").fetchone() == (False,)
