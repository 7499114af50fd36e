"""`crmcore abc`: classes of customers by cumulative sales, from a file of lines."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.desk import Desk
from cli.sales_desk import LINES, document, page
from crmcore.sales import column_sums as columns
from crmcore.sales.column_sums import column_sums
from crmcore.sales.figures import sums
from crmcore.sales.records import AMOUNT, CUSTOMER, Layout, SaleFile

polars = pytest.importorskip("polars")

FE = "customer,amount\n" + "".join(
    f"p{place},{value}\n" for place, value in enumerate((2400, 600, 300, 220, 130, 50, 40, 40, 25, 20))
)


@pytest.mark.rule("VAL-2")
def test_the_document_is_as_the_issue_says(desk: Desk) -> None:
    """Lines are summed per key first, returns are negative lines, cumulative is a share."""
    found = document(desk, "abc", LINES)
    assert list(found) == ["total", "classes", "net", "degenerate", "gini", "policy", "skipped", "notes", "rows"]
    assert found["total"] == "1580.00"
    assert list(found["classes"]) == ["A", "B", "C", "Z", "N"]
    first = found["classes"]["A"]
    assert {"customers", "value", "share_value", "share_customers"} <= set(first)
    assert (first["customers"], first["value"]) == (3, "1430.50")
    assert found["rows"][0] == {"key": "ann", "value": "780.50", "cumulative": 780.5 / 1580, "class": "A"}
    assert [(row["key"], row["class"], row["cumulative"]) for row in found["rows"][-2:]] == [
        ("eve", "Z", None),
        ("fay", "N", None),
    ]


@pytest.mark.rule("VAL-9")
@pytest.mark.parametrize(("straddle", "first"), [("upper", 2), ("lower", 1)])
def test_the_published_example_under_both_conventions(desk: Desk, straddle: str, first: int) -> None:
    """FE exam (research §6.5, example 6): 2400 600 300 … of 3825, cuts 75/90."""
    found = document(desk, "abc", FE, "--cuts", "75,90", "--straddle", straddle)
    assert (found["total"], found["classes"]["A"]["customers"]) == ("3825", first)


@pytest.mark.rule("VAL-8")
def test_the_presets_are_called_by_name(desk: Desk) -> None:
    """Cuts may be a preset, one report has one."""
    s4 = document(desk, "abc", FE, "--cuts", "s4")
    assert s4["classes"]["A"]["expected_customers"] == 0.1
    assert document(desk, "abc", FE)["classes"]["A"]["expected_customers"] is None


def test_classes_are_as_many_and_called_as_one_says(desk: Desk) -> None:
    found = document(desk, "abc", FE, "--cuts", "50, 75, 90", "--labels", "gold, silver, bronze, lead")
    assert list(found["classes"]) == ["gold", "silver", "bronze", "lead", "Z", "N"]


def test_columns_have_any_name_and_a_price_times_its_quantity_is_an_amount(desk: Desk) -> None:
    content = "who;qty;price\nu1;3;0.10\nu1;-1;0.10\nu2;1E+1;1.5\n"
    args = ("--key", "who", "--value", "price", "--quantity", "qty", "--delimiter", ";")
    rows = document(desk, "abc", content, *args)["rows"]
    assert [(row["key"], Decimal(row["value"])) for row in rows] == [("u2", Decimal(15)), ("u1", Decimal("0.2"))]


def test_a_map_says_columns_and_what_is_missing(desk: Desk) -> None:
    """Its [file], [time] and [values] hold too; an option goes before it."""
    desk.write(
        "map.toml",
        'schema = 1\n[file]\ndelimiter = ";"\nencoding = "gb18030"\n[values]\nmissing = ["NA"]\n[columns]\n'
        'customer = "客户"\namount = ["net", "gross"]\ndate = "day"\norder = "no"\n',
    )
    content = "客户;gross;brutto\n张三;5;7\nNA;1;1\n".encode("gb18030")
    map_path = str(desk.folder / "map.toml")
    found = document(desk, "abc", content, "--map", map_path, "--skip-bad")
    assert ([row["key"] for row in found["rows"]], found["total"], found["skipped"]) == (["张三"], "5", 1)
    assert found["notes"][-1] == "lines left out because of faults (--skip-bad): 1"
    assert document(desk, "abc", content, "--map", map_path, "--skip-bad", "--value", "brutto")["total"] == "7"


def test_standard_input_is_a_file(desk: Desk) -> None:
    result = desk.run("abc", "-", "--json", stdin=LINES)
    assert json.loads(result.stdout)["total"] == "1580.00"


def test_lines_of_json_are_a_file(desk: Desk) -> None:
    content = '{"customer": "u1", "amount": 1.10}\n{"customer": 2, "amount": "2"}\n'
    assert document(desk, "abc", content, suffix=".jsonl")["total"] == "3.10"


def test_a_file_of_a_header_has_no_classes(desk: Desk) -> None:
    found = document(desk, "abc", "customer,amount\n")
    assert (found["total"], found["degenerate"], found["rows"]) == ("0", "empty", [])
    assert "no customer has a positive value" in page(desk, "abc", "customer,amount\n")


def test_people_see_the_classes_and_the_first_customers(desk: Desk) -> None:
    text = page(desk, "abc", LINES, "--top", "2", "--policies", desk.book)
    assert text.startswith("ABC analysis of 7 customers, total 1,580.00\npolicy desk 7, digest ")
    for part in (
        "cuts 75 / 95 %; who crosses a cut: upper class",
        "74.7 %",
        "Z: zero",
        "N: below zero",
        "Gini 0.",
        "… and 5 more",
    ):
        assert part in text
    assert "dan" not in text


def test_the_words_are_chinese_where_asked(desk: Desk) -> None:
    text = page(desk, "abc", LINES, "--lang", "zh", "--places", "0")
    assert text.startswith("ABC 分析：客户 7，总额 1,580\n")
    assert "N：为负" in text


def test_classes_are_those_of_a_book_until_an_option_says_otherwise(desk: Desk) -> None:
    book = desk.write("book.toml", 'schema = 1\nname = "ours"\n[value.abc]\ncuts = [50, 80]\nstraddle = "lower"\n')
    said = page(desk, "abc", LINES, "--policies", book).splitlines()[1:3]
    assert (said[0][:19], said[1]) == ("policy ours unversi", "cuts 50 / 80 %; who crosses a cut: lower class")
    said = page(desk, "abc", LINES, "--policies", book, "--cuts", "s1").splitlines()[1:3]
    assert (said[0][:16], said[1]) == ("policy value.abc", "cuts 75 / 95 %; who crosses a cut: lower class")


# --- columns ---

KEYS = st.sampled_from(["u1", "u2", " u2 ", "u3", "ü", "7"])
CENTS = st.integers(-(10**7), 10**7)
FLOATS = st.one_of(CENTS.map(lambda cents: cents / 100), st.sampled_from([0.0, -0.0, 0.1, 1e-05, 0.125, 1e22, 2.5e13]))
DECIMALS = st.decimals(-1000, 1000, places=2)
TABLES = st.one_of(
    st.lists(st.tuples(KEYS, CENTS.map(lambda cents: cents / 100)), min_size=1),
    st.lists(st.tuples(KEYS, FLOATS), min_size=1),
    st.lists(st.tuples(KEYS, CENTS), min_size=1),
    st.lists(st.tuples(KEYS, DECIMALS), min_size=1),
    st.lists(st.tuples(st.integers(1, 4), CENTS), min_size=1),
)


def parquet(folder: Path, lines: list[tuple[Any, Any]]) -> str:
    """A Parquet file of these lines."""
    path = folder / "lines.parquet"
    polars.DataFrame(lines, schema=["customer", "amount"], orient="row").write_parquet(path)
    return str(path)


def opened(path: str) -> SaleFile:
    """A file of sales, by the names of the roles."""
    return SaleFile(path, Layout.of((CUSTOMER, AMOUNT), {}))


@given(TABLES, st.sampled_from([0, 1, 2, 6]), st.sampled_from(["polars", "duckdb"]))
def test_sums_in_columns_are_those_of_the_lines(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[Any, Any]], places: int, engine: str
) -> None:
    """To the last digit as it is written, or columns say that they cannot tell."""
    path = parquet(tmp_path_factory.mktemp("columns"), lines)
    with pytest.MonkeyPatch.context() as patch:
        if engine == "duckdb":
            pytest.importorskip("duckdb")
            patch.setattr("crmcore.files.parquet.Polars.__init__", _missing)
        found = column_sums(opened(path), places)
    said = sums(opened(path).amounts())
    assert found is None or {key: str(value) for key, value in found.items()} == {k: str(v) for k, v in said.items()}


def _missing(_: object) -> None:
    raise ImportError


@given(
    st.lists(st.tuples(KEYS, CENTS.map(lambda cents: cents / 100)), min_size=1),
    st.sampled_from(["polars", "duckdb"]),
    st.sampled_from([1, 2, 1000]),
)
def test_prices_in_cents_are_summed_in_columns(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, float]], engine: str, rows: int
) -> None:
    """Not left to the lines, by either engine, however many rows are read at once."""
    path = parquet(tmp_path_factory.mktemp("columns"), lines)
    said = sums(opened(path).amounts())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crmcore.files.parquet.FRAME", rows)
        patch.setattr(columns, "SOME", 1)
        if engine == "duckdb":
            pytest.importorskip("duckdb")
            patch.setattr("crmcore.files.parquet.Polars.__init__", _missing)
        assert column_sums(opened(path)) == said


def test_columns_give_the_same_document_to_the_byte(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet(desk.folder, [(f"c{n % 97}", (n * n % 9973 - 500) / 100) for n in range(5000)])
    in_columns = desk.run("abc", path, "--json").stdout
    monkeypatch.setattr("crmcore.value.command.column_sums", lambda *_: None)
    assert desk.run("abc", path, "--json").stdout == in_columns


@pytest.mark.parametrize(
    "lines",
    [
        [("u1", 0.125)],
        [("u1", float("nan"))],
        [("u1", 1e17)],
        [("u1", None), ("u2", 1.0)],
        [(None, 1.0), ("u1", 1.0)],
        [(" ", 1.0)],
        [("u1", "1.00")],
        [(1.5, 1.0)],
        [("u1", 2**50)] * 5000,
        [("u1", Decimal("0.1234567"))],
    ],
)
def test_what_columns_would_round_or_not_refuse_is_left_to_lines(tmp_path: Path, lines: list[tuple[Any, Any]]) -> None:
    assert column_sums(opened(parquet(tmp_path, lines))) is None


def test_without_an_engine_of_columns_lines_are_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyArrow reads the file, and nothing sums it."""
    pytest.importorskip("pyarrow")
    path = parquet(desk.folder, [("u1", 1.5), ("u1", 2.0)])
    monkeypatch.setattr("crmcore.files.parquet.Polars.__init__", _missing)
    monkeypatch.setattr("crmcore.files.parquet._DuckDB.__init__", _missing)
    assert column_sums(opened(path)) is None
    assert json.loads(desk.run("abc", path, "--json").stdout)["total"] == "3.5"


def test_a_file_that_breaks_half_way_is_left_to_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which then say what is wrong with it."""

    def broken(*_: object) -> None:
        raise polars.exceptions.ComputeError("half")

    monkeypatch.setattr(columns, "_summed", broken)
    assert column_sums(opened(parquet(tmp_path, [("u1", 1.0)]))) is None


def test_a_column_that_is_not_there_is_left_to_lines(tmp_path: Path) -> None:
    file = SaleFile(parquet(tmp_path, [("u1", 1.0)]), Layout.of((CUSTOMER, AMOUNT), {"customer": "who"}))
    assert column_sums(file) is None


def test_sums_beyond_whole_numbers_of_64_bits_are_left_to_lines(tmp_path: Path) -> None:
    lines = [("u1", 2.0**43)] * 6000
    assert column_sums(opened(parquet(tmp_path, lines))) is None
    assert sums(opened(parquet(tmp_path, lines)).amounts()) == {"u1": Decimal(2**43 * 6000)}


def test_the_engine_is_asked_for_columns_by_name(tmp_path: Path) -> None:
    """A file may have a customer twice under names that differ in case only."""
    path = tmp_path / "lines.parquet"
    polars.DataFrame({"Customer": ["x"], "customer": ["u1"], "amount": [1.0]}).write_parquet(path)
    assert column_sums(opened(str(path))) == {"u1": Decimal(1)}


# --- real data ---


@pytest.mark.rule("VAL-2")
def test_prices_times_quantities_agree_with_plain_sums(desk: Desk, shared_data: Path) -> None:
    """Online Retail: the classes by a second computation, exact."""
    content = gzip.decompress((shared_data / "online_retail/lines_2010_2011.csv.gz").read_bytes())
    args = ("--key", "CustomerID", "--value", "UnitPrice", "--quantity", "Quantity")
    found = document(desk, "abc", content, *args)
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for line in csv.DictReader(io.StringIO(content.decode())):
        totals[line["CustomerID"]] += Decimal(line["UnitPrice"]) * Decimal(line["Quantity"])
    base, running = sum(totals.values()), Decimal(0)
    first = set()
    for key, total in sorted(totals.items(), key=lambda each: -each[1]):
        if running < base * 75 / 100:
            first.add(key)
        running += total
    assert Decimal(found["total"]) == base
    assert {row["key"] for row in found["rows"] if row["class"] == "A"} == first


@pytest.mark.rule("VAL-7")
def test_lines_may_be_in_any_order(desk: Desk, shared_data: Path) -> None:
    """CDNOW backwards gives the same document, to the byte."""
    content = (shared_data / "cdnow/transactions.csv").read_text()
    head, *lines = content.splitlines()
    backwards = "\n".join([head, *reversed(lines), ""])
    args = ("--key", "customer_id", "--value", "amount")
    assert document(desk, "abc", backwards, *args) == document(desk, "abc", content, *args)


def test_a_row_with_the_total_is_asked_about(desk: Desk) -> None:
    """A customer who has as much as all others together may be the last line of a spreadsheet."""
    lines = "customer,amount\na,10\nb,20.5\n合计,30.5\n"
    assert "合计 has as much as all others together: is it a row with the total?" in page(desk, "abc", lines)
    assert "合计 的金额等于其他所有客户之和：是否为合计行？" in page(desk, "abc", lines, "--lang", "zh")
    assert not document(desk, "abc", "customer,amount\na,10\nb,10\n")["notes"][1:]


def test_ties_may_go_by_key(desk: Desk) -> None:
    """With --ties stable those of equal value are judged one by one."""
    lines = "customer,amount\na,60\n" + "".join(f"{key},10\n" for key in "edcb")
    classes = {ties: document(desk, "abc", lines, "--ties", ties)["rows"] for ties in ("together", "stable")}
    assert {row["class"] for row in classes["together"]} == {"A"}
    assert "".join(row["class"] for row in classes["stable"]) == "AAABB"
