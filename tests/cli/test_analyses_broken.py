"""What the analyses refuse: exit 2 with place, value and remedy, no traceback, nothing on stdout, no file."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.desk import Desk
from cli.sales_desk import LINES, PRODUCTS
from crmcore.analysis.values import Undefined
from crmcore.cli.analysis_words import WORDS
from crmcore.files.instants import Refusal
from crmcore.files.numbers import decimal
from crmcore.report import check_plot

HEAD = LINES.splitlines()[0]


class Wrong(NamedTuple):
    """A command with something wrong, and what stderr must hold: the place, the value, a part of the remedy."""

    name: str
    command: str
    content: str | bytes
    args: str
    place: str
    value: str
    remedy: str
    file: str = "lines.csv"


def lines(*rows: str) -> str:
    """The header and these rows."""
    return "\n".join([HEAD, *rows, ""])


GOOD = "ann,2026-01-01,1,,"

WRONG = (
    # the file
    Wrong("no such file", "abc", LINES, "{folder}/lins.csv", "lins.csv: file:", "No such", "'lines.csv'?"),
    Wrong("a folder", "rfm", LINES, "{folder}", "file:", "Is a directory", "a file that can be read"),
    Wrong("an empty file", "abc", "", "", "lines.csv: file:", "is empty", "export it again"),
    Wrong("a workbook", "abc", b"PK\x03\x04", "", "lines.xlsx: file:", "spreadsheet", "CSV UTF-8", "lines.xlsx"),
    Wrong("JSON", "metrics", "[{}]", "", "lines.json: file:", "is JSON", "rename to .jsonl", "lines.json"),
    Wrong("another encoding", "abc", lines("张,2026-01-01,1,,").encode("gbk"), "", "line 2, byte", "xd5", "gb18030"),
    Wrong("no Parquet", "abc", LINES, "", "lines.parquet: file:", "is not Parquet", "name it for", "lines.parquet"),
    Wrong("a row too short", "abc", lines(GOOD, "bob"), "", "line 3:", "has 1 cells", "quote the cells"),
    # columns
    Wrong(
        "a column that is not there",
        "abc",
        LINES,
        "--key custmer",
        "line 1, column custmer:",
        "customer, date, amount",
        "did you mean 'customer'?",
    ),
    Wrong(
        "a default that is not there",
        "abc",
        LINES.replace("amount", "net", 1),
        "",
        "line 1, column amount:",
        "customer, date, net",
        "name it with --value",
    ),
    Wrong("an order that is not there", "rfm", LINES, "--order no", "column no:", "is not in", "name it with --order"),
    Wrong("a column without a name", "abc", LINES, "--key  ", "--key:", "' '", "give the name of a column"),
    Wrong("a column twice", "abc", LINES.replace("date", "amount"), "", "column amount:", "2 times", "rename all but"),
    Wrong("a plan that is not there", "ratios", PRODUCTS, "--plan goal", "column goal:", "is not in", "with --plan"),
    # cells
    Wrong("words for a value", "abc", lines("ann,,n/a,,"), "", "line 2, column amount:", "'n/a'", "write a number, 0"),
    Wrong("thousands", "abc", lines('ann,,"1,234",,'), "", "line 2, column amount:", "'1,234'", "1234 or 1.234"),
    Wrong("a currency", "rfm", lines("ann,2026-01-01,¥5,,"), "", "line 2, column amount:", "'¥5'", "without currency"),
    Wrong("too large", "abc", lines("ann,,1e99,,"), "", "line 2, column amount:", "'1e99'", "at most 30 digits"),
    Wrong("no value", "abc", lines(GOOD, "bob,,,,"), "", "line 3, column amount:", "is empty", "fill it in"),
    Wrong("no customer", "abc", lines(",,1,,"), "", "line 2, column customer:", "is empty", "--skip-bad"),
    Wrong("no date", "metrics", lines("ann,,1,,"), "", "line 2, column date:", "is empty", "fill it in"),
    Wrong(
        "an impossible date",
        "rfm",
        lines("ann,2026-13-01,1,,"),
        "",
        "line 2, column date:",
        "'2026-13-01'",
        "write it as 2026-03-31",
    ),
    Wrong(
        "a date nobody explained",
        "migration",
        lines("ann,5/3/2026,1,,"),
        "",
        "line 2, column date:",
        "'5/3/2026'",
        '"%d/%m/%Y" or "%m/%d/%Y" to [time] formats',
    ),
    Wrong("no product", "ratios", PRODUCTS.replace("food", "", 1), "", "column product:", "is empty", "fill it in"),
    Wrong("no period", "ratios", PRODUCTS.replace(",2026-01,", ",,", 1), "", "column period:", "is empty", "fill it"),
    Wrong(
        "words for a cost", "ratios", PRODUCTS.replace("15500", "low"), "", "column cost:", "'low'", "write a number"
    ),
    Wrong(
        "a word for a date", "rfm", lines("ann,never,1,,"), "", "line 2, column date:", "'never'", "to [time] formats;"
    ),
    # arguments
    Wrong("cuts that fall", "abc", LINES, "--cuts 95,75", "--cuts:", "95", "each greater than the one before"),
    Wrong("cuts that are equal", "abc", LINES, "--cuts 75,75", "--cuts:", "75", "each greater"),
    Wrong("a cut at nothing", "abc", LINES, "--cuts 0", "--cuts:", "'0'", "above 0"),
    Wrong("a cut beyond all", "migration", LINES, "--cuts 150", "--cuts:", "'150'", "below 100"),
    Wrong("cuts in words", "abc", LINES, "--cuts abc", "--cuts:", "'abc'", "s1, s4"),
    Wrong("a straddle that is none", "abc", LINES, "--straddle x", "--straddle:", "'x'", "upper, lower, nearest"),
    Wrong("a label that is taken", "abc", LINES, "--labels A,Z,C", "--labels:", "'Z'", "is not free: Z is for"),
    Wrong("labels too few", "abc", LINES, "--labels A,B", "--labels:", "('A', 'B')", "3 labels"),
    Wrong("weeks", "metrics", LINES, "--period week", "--period:", "'week'", "month, quarter, year"),
    Wrong("no span", "metrics", LINES, "--lost-after soon", "--lost-after:", "'soon'", "is no span"),
    Wrong("a span of working days", "metrics", LINES, "--lost-after 5wd", "--lost-after", "5wd", "write it in d, w"),
    Wrong("no instant", "rfm", LINES, "--as-of tomorrow", "--as-of:", "'tomorrow'", "write it as 2026-03-31"),
    Wrong("no zone", "rfm", LINES, "--zone Asia/Shangai", "--zone:", "'Asia/Shangai'", "'Asia/Shanghai'?"),
    Wrong("no encoding", "abc", LINES, "--encoding utf-9", "--encoding:", "'utf-9'", "'utf-8'?"),
    Wrong("no delimiter", "abc", LINES, "--delimiter ;;", "--delimiter:", "';;'", 'write ","'),
    Wrong("no basis", "ratios", PRODUCTS, "--basis price", "--basis:", "'price'", "retail, cost, mixed"),
    Wrong("no plot", "abc", LINES, "--plot {folder}/x.pdf", "x.pdf:", "'.pdf'", "x.svg"),
    Wrong("no folder", "rfm", LINES, "--plot {folder}/no/x.svg", "x.svg:", "no'", "make it first"),
    Wrong("no book", "abc", LINES, "--policies {folder}/bok.toml", "bok.toml: file:", "No such", "'book.toml'?"),
    Wrong("no map", "abc", LINES, "--map {folder}/mp.toml", "mp.toml: file:", "No such", "'map.toml'?"),
    Wrong(
        "a map of prospects", "abc", LINES, "--map {folder}/map.toml", "columns.owner:", "is no fact", "customer, date"
    ),
)


def test_there_are_enough_and_no_two_alike() -> None:
    assert len(WRONG) >= 40
    assert len({wrong.name for wrong in WRONG}) == len(WRONG)


@pytest.mark.parametrize("how", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_what_is_wrong_is_refused(desk: Desk, wrong: Wrong, how: list[str]) -> None:
    path = desk.write(wrong.file, wrong.content)
    args = [part.format(folder=desk.folder) for part in wrong.args.split(" ", 1) if wrong.args]
    if args and not args[0].startswith("--"):
        path, args = args[0], []
    before = sorted(desk.folder.iterdir())
    result = desk.run(wrong.command, path, *args, *how)
    assert (result.exit_code, result.stdout) == (2, "")
    assert wrong.place in result.stderr
    assert wrong.value in result.stderr
    assert wrong.remedy in result.stderr
    assert sorted(desk.folder.iterdir()) == before


@pytest.mark.parametrize(
    "wrong", [each for each in WRONG if each.place.startswith("line ")], ids=lambda each: each.name
)
def test_a_plot_is_not_written_where_the_file_is_refused(desk: Desk, wrong: Wrong) -> None:
    plot = desk.folder / "plot.svg"
    result = desk.run(wrong.command, desk.write(wrong.file, wrong.content), *wrong.args.split(), "--plot", str(plot))
    assert (result.exit_code, result.stdout, plot.exists()) == (2, "", False)


def test_as_a_program_it_exits_with_2_and_no_traceback(desk: Desk) -> None:
    done = desk.real("abc", desk.write("lines.csv", lines("ann,,n/a,,")), "--json")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"Traceback" not in done.stderr


def test_the_first_twenty_faults_are_told(desk: Desk) -> None:
    """Many of one kind end in one line that counts the rest."""
    rows = [f"ann,2026-13-{n:02},x{n},," for n in range(1, 12)] + [f",5/5/20{n:02},1 {n},," for n in range(1, 31)]
    said = desk.run("rfm", desk.write("lines.csv", lines(*rows))).stderr
    assert 5 <= len(said.splitlines()) <= 21
    assert "more like these" in said


def test_a_remedy_in_a_map_says_how_a_map_is_given(desk: Desk) -> None:
    path = desk.write("lines.csv", lines("ann,5/13/2026,1,,"))
    desk.write("map.toml", "schema = 1\n")
    assert desk.run("rfm", path).stderr.endswith("to [time] formats; a map is a file that --map names\n")
    assert desk.run("rfm", path, "--map", str(desk.folder / "map.toml")).stderr.endswith("to [time] formats\n")


def test_one_column_may_be_key_and_value(desk: Desk) -> None:
    """How much of the sales is in lines of the same amount."""
    result = desk.run("abc", desk.write("lines.csv", LINES), "--key", "amount", "--json")
    assert (result.exit_code, result.stderr) == (0, "")


def test_faulty_lines_are_left_out_and_counted(desk: Desk) -> None:
    content = lines("ann,2026-01-01,5,,", "bob,2026-01-01,n/a,,", ",2026-01-01,1,,", "cid,never,1,,")
    result = desk.run("rfm", desk.write("lines.csv", content), "--skip-bad", "--as-of", "2026-02-01")
    assert result.exit_code == 0
    assert "lines left out because of faults (--skip-bad): 3" in result.stdout


# --- numbers ---


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12))
def test_a_plain_number_is_read_exactly(value: Decimal) -> None:
    assert decimal(str(value)) == decimal(f"{value:f}") == decimal(f"{value:e}") == value


@given(
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15).filter(lambda x: abs(x) > 1e-9)
)
def test_a_float_is_read_by_its_shortest_form(value: float) -> None:
    assert decimal(repr(value)) == Decimal(repr(value))


@pytest.mark.parametrize("text", ["+.5", "5.", "007", "1.2E+05", "-0", "1e-5"])
def test_these_are_numbers(text: str) -> None:
    assert decimal(text) == Decimal(text)
    assert str(decimal("-0.0")) == "0.0"


@given(st.integers(-(10**15), 10**15), st.integers(0, 3))
def test_commas_part_thousands_where_there_is_no_other_way(units: int, places: int) -> None:
    """Before a point, or more than one of them; a comma alone is refused."""
    number = Decimal(units).scaleb(-places)
    text = f"{number:,f}"
    read = decimal(text)
    assert isinstance(read, Refusal) if text.count(",") == 1 and places == 0 else read == number


@pytest.mark.parametrize(
    "text",
    [
        "1,234",
        "1,23.4",
        "1234,567.0",
        "1,234.",
        "1.234,50",
        "1 234",
        "1_000",
        "12%",
        "(5)",
        "$5",
        "5 EUR",
        "−5",
        "١٢",
        "１２",
        "0x10",
        "1e",
        "nan",
        "Infinity",
    ],
)
def test_these_are_no_plain_numbers(text: str) -> None:
    said = decimal(text)
    assert isinstance(said, Refusal)
    assert said.remedy


# --- words ---


def test_both_languages_say_the_same(desk: Desk) -> None:
    """Every word is there in both, with the same places to fill; every reason of a ratio without a value has words."""
    assert desk is not None
    english, chinese = WORDS["en"], WORDS["zh"]
    assert english.keys() == chinese.keys()
    holes = {key: {part.split("}")[0].split(":")[0] for part in text.split("{")[1:]} for key, text in english.items()}
    assert holes == {
        key: {part.split("}")[0].split(":")[0] for part in text.split("{")[1:]} for key, text in chinese.items()
    }
    assert {f"why.{why}" for why in Undefined} <= english.keys()


# --- plots ---


@pytest.mark.parametrize("suffix", ["svg", "png", "html"])
@pytest.mark.parametrize(
    ("command", "content"),
    [("abc", LINES), ("rfm", LINES), ("metrics", LINES), ("migration", LINES), ("ratios", PRODUCTS)],
)
def test_a_plot_is_written(desk: Desk, command: str, content: str, suffix: str) -> None:
    pytest.importorskip("matplotlib")
    plot = desk.folder / f"plot.{suffix}"
    result = desk.run(command, desk.write("lines.csv", content), "--plot", str(plot))
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"plot written to {plot}" in result.stdout.replace("\n", "")
    assert plot.stat().st_size > 1000
    again = desk.run(command, str(desk.folder / "lines.csv"), "--plot", str(plot), "--json")
    assert "plot written" not in again.stdout


def test_the_plot_of_ratios_is_of_the_last_period(desk: Desk) -> None:
    pytest.importorskip("matplotlib")
    plot = desk.folder / "plot.svg"
    result = desk.run("ratios", desk.write("lines.csv", PRODUCTS), "--plot", str(plot), "--lang", "zh")
    assert "2026-02" in plot.read_text()
    assert "2026-01" not in plot.read_text()
    assert "图为最后一期 2026-02" in result.stdout


def test_where_nobody_can_have_moved_there_is_no_plot(desk: Desk) -> None:
    pytest.importorskip("matplotlib")
    plot = desk.folder / "plot.svg"
    result = desk.run("migration", desk.write("lines.csv", LINES), "--period", "year", "--plot", str(plot))
    assert (result.exit_code, plot.exists()) == (0, False)
    assert "plot written" not in result.stdout


def test_without_the_extra_it_is_named_before_the_work(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crmcore.report.sheet.find_spec", lambda _: None)
    assert callable(check_plot)
    result = desk.run("abc", "no.csv", "--plot", str(desk.folder / "x.svg"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "crmcore[report]" in result.stderr


@pytest.mark.parametrize(
    ("content", "option"),
    [("客户,金额\n和平,3\n".encode("gb18030"), "--encoding"), (b"customer;amount\nann;3\n", "--delimiter")],
)
def test_without_a_map_the_option_is_named_too(desk: Desk, content: bytes, option: str) -> None:
    """Nobody has to write a map for one word."""
    result = desk.run("abc", desk.write("lines.csv", content))
    assert result.exit_code == 2
    assert f"or say {option};" in result.stderr
