"""What was written is read back, whatever the quoting, line ends and encoding, and lines are counted right."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Literal

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmcore.errors import InvalidFile
from crmcore.files import FactSpec, Map, Records

SPECS = (FactSpec("id", "id"), FactSpec("a"), FactSpec("b"), FactSpec("at", "instant"))
MAP = {"id": ("id",), "a": ("a",), "b": ("b",), "at": ("at",)}
TEXT = st.text(st.sampled_from("ab \"',;\n\r\t\\中é\u2028\x85\x0b"), max_size=8)
ROWS = st.lists(st.tuples(TEXT, TEXT), max_size=12)
DAY = "2026-01-01"
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"])


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("round") / "deals.csv"


def text_of(cell: str) -> str | None:
    return cell.strip() or None


@attrs.frozen
class Written:
    """A way to write some rows."""

    rows: list[tuple[str, str]]
    encoding: str
    end: str
    delimiter: str
    quoting: Literal[0, 1]

    def texts(self) -> list[str]:
        """The header and each row as written; the one that is broken has no date."""
        # Before Python 3.13 the writer leaves a line end that is not its own unquoted.
        quoting = self.quoting if self.end == "\r\n" else csv.QUOTE_ALL
        rows = [["id", "a", "b", "at"], *([f"n{number}", a, b, DAY] for number, (a, b) in enumerate(self.rows))]
        return [self.text(row, quoting) for row in rows]

    def text(self, row: list[str], quoting: Literal[0, 1]) -> str:
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=self.delimiter, lineterminator=self.end, quoting=quoting).writerow(row)
        return out.getvalue()


WRITTEN = st.builds(
    Written,
    rows=st.lists(st.tuples(TEXT, TEXT), max_size=12),
    encoding=ENCODINGS,
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    delimiter=st.sampled_from(",;\t"),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)


@settings(deadline=None)
@given(written=WRITTEN, broken=st.integers(0, 12), rows_at_once=st.integers(1, 5))
def test_csv(path: Path, written: Written, broken: int, rows_at_once: int) -> None:
    texts = written.texts()
    starts = [sum(1 for _ in io.StringIO("".join(texts[:place]), newline="")) + 1 for place in range(len(texts))]
    texts[broken + 1 : broken + 2] = [text.replace(DAY, "soon") for text in texts[broken + 1 : broken + 2]]
    path.write_bytes("".join(texts).encode(written.encoding))
    the_map = Map(columns=MAP, encoding=written.encoding, delimiter=written.delimiter)
    whole = [(f"n{n}", text_of(a), text_of(b)) for n, (a, b) in enumerate(written.rows) if n != broken]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crmcore.files.tables._ROWS", rows_at_once)
        assert [(row["id"], row["a"], row["b"]) for row in Records(path, the_map, SPECS, skip_bad=True)] == whole
        if broken < len(written.rows):
            with pytest.raises(InvalidFile) as caught:
                list(Records(path, the_map, SPECS))
            assert [fault.place for fault in caught.value.faults] == [f"line {starts[broken + 1]}, column at"]


@settings(deadline=None)
@given(rows=ROWS, encoding=ENCODINGS, blank=st.integers(0, 2), rows_at_once=st.integers(1, 5))
def test_json_lines(path: Path, rows: list[tuple[str, str]], encoding: str, blank: int, rows_at_once: int) -> None:
    path = path.with_suffix(".jsonl")
    rows = [("", ""), *rows]
    texts = [
        json.dumps({"id": n, "a": a, "b": b, "at": "soon" if n % 3 == 2 else None}, ensure_ascii=blank == 1)
        for n, (a, b) in enumerate(rows)
    ]
    path.write_bytes("".join(text + "\n" * (1 + blank) for text in texts).encode(encoding))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crmcore.files.tables._ROWS", rows_at_once)
        patch.setattr("crmcore.files.tables._HEADED", rows_at_once)
        records = Records(path, Map(columns=MAP, encoding=encoding), SPECS, skip_bad=True)
        read = [(row["a"], row["b"]) for row in records]
    assert read == [(text_of(a), text_of(b)) for n, (a, b) in enumerate(rows) if n % 3 != 2]
    places = [f"line {n * (1 + blank) + 1}, column at" for n in range(2, len(rows), 3)]
    assert [fault.place for fault in records.faults] == places
