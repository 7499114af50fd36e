"""`crmcore day`: the day's work list."""

from __future__ import annotations

import csv
import errno
import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.desk import AS_OF, BOOK, DEALS, MAP, Desk
from crmcore.cli import clock, render
from crmcore.cli.commands import crmcore
from crmcore.ownership import ReclaimPolicy

HEADER = DEALS.splitlines()[0]


def test_the_document_is_as_the_issue_says(desk: Desk) -> None:
    """Every key in its place, instants in the map's zone."""
    document = desk.document()
    policy = ReclaimPolicy(idle="30d", no_deal="90d", remind_before=["7d", "1d"], zone="Asia/Shanghai")
    assert list(document) == [
        "as_of",
        "policy",
        "counts",
        "reclaim",
        "remind",
        "due_today",
        "needs_data",
        "owners",
        "notes",
    ]
    assert document["as_of"] == "2026-02-11T00:00:00+08:00"
    assert document["policy"] == {"name": "desk", "version": "7", "digest": policy.digest}
    assert document["counts"] == {
        "prospects": 8,
        "closed": 1,
        "pool": 1,
        "open": 6,
        "keep": 2,
        "remind": 2,
        "reclaim": 1,
        "needs_data": 1,
        "skipped": 0,
    }
    (first,) = document["reclaim"]
    assert {key: first[key] for key in ("id", "owner", "customer", "rule", "deadline")} == {
        "id": "d1",
        "owner": "Ann",
        "customer": "Acme",
        "rule": "OWN-1",
        "deadline": "2026-02-09T00:00:00+08:00",
    }
    assert list(first) == ["id", "owner", "customer", "rule", "deadline", "reasons"]
    assert first["reasons"][0] == {
        "rule": "OWN-1",
        "code": "idle",
        "holds": True,
        "fact": "last_contact_at",
        "observed": "2026-01-10T00:00:00+08:00",
        "limit": "30d",
        "due": "2026-02-09T00:00:00+08:00",
        "margin_seconds": 172800.0,
    }
    assert [(each["id"], each["step"], each["rule"]) for each in document["remind"]] == [
        ("d8", 2, "OWN-1"),
        ("d3", 1, "OWN-1"),
    ]
    assert list(document["remind"][0]) == ["id", "owner", "customer", "rule", "deadline", "reasons", "step"]
    assert document["due_today"] == [{"id": "d8", "at": "2026-02-11T09:00:00+08:00", "outcome": "reclaim"}]
    assert document["needs_data"] == [{"missing": ["last_contact_at"], "count": 1, "ids": ["d5"]}]
    assert document["owners"] == [
        {"owner": "Ann", "open": 3, "cap": 2, "over_by": 1, "after_reclaim": 2},
        {"owner": "Bob", "open": 3, "cap": 3, "over_by": 0, "after_reclaim": 3},
    ]
    assert document["notes"] == []


def test_the_sums_hold(desk: Desk) -> None:
    counts = desk.document()["counts"]
    assert counts["prospects"] == counts["closed"] + counts["pool"] + counts["open"]
    assert counts["open"] == counts["keep"] + counts["remind"] + counts["reclaim"] + counts["needs_data"]


def test_without_a_cap_the_cap_is_null(desk: Desk) -> None:
    desk.book = desk.write("book.toml", BOOK.partition("[ownership.cap]")[0])
    assert {(load["cap"], load["over_by"]) for load in desk.document()["owners"]} == {(None, None)}


def test_people_see_tables(desk: Desk) -> None:
    text = desk.on_files("day").stdout
    assert text.startswith("Work list as of 2026-02-11 00:00 (Asia/Shanghai)\npolicy desk 7, digest ")
    for part in (
        "8 prospects: 1 closed, 1 in the pool, 6 open",
        "2 stay, 2 reminded, 1 to reclaim, 1 cannot be told",
        "1 of 2 owners over the cap",
        "Back to the pool (1)",
        "idle since 2026-01-10 00:00",
        "Soon due (2)",
        "Look again before midnight (1)",
        "Cannot be told: facts are missing",
        "Owners (2)",
    ):
        assert part in text


@pytest.mark.parametrize("env", [{"LANG": "zh_CN.UTF-8"}, {"LANG": "en_US.UTF-8", "LC_ALL": "zh_TW"}])
def test_the_language_is_that_of_the_locale(desk: Desk, env: dict[str, str]) -> None:
    text = desk.on_files("day", **env).stdout
    assert text.startswith("工作清单，截至 2026-02-11 00:00（Asia/Shanghai）")
    assert "自2026-01-10 00:00起闲置" in text
    assert desk.on_files("day", "--lang", "en", **env).stdout.startswith("Work list")


@pytest.mark.parametrize("env", [{"LANG": ""}, {"LANG": "C"}, {"LANG": "zh_CN", "LC_ALL": "C"}, {"LANG": "de_DE"}])
def test_any_other_locale_is_spoken_to_in_english(desk: Desk, env: dict[str, str]) -> None:
    assert desk.on_files("day", **env).stdout.startswith("Work list")


def test_the_language_can_be_said(desk: Desk) -> None:
    assert "回收到公海 (1)" in desk.on_files("day", "--lang", "zh").stdout
    assert desk.on_files("day", "--lang", "fr").exit_code == 2


def test_nothing_to_do_is_said(desk: Desk) -> None:
    desk.deals = desk.write("deals.csv", f"{HEADER}\nd2,Ann,Bolt,Open,2026-01-01,2026-02-08,,,,,,\n")
    assert "nothing to do" in desk.on_files("day").stdout


def test_the_first_twenty_rows_are_shown(desk: Desk) -> None:
    rows = "".join(f"x{n},Ann,,Open,2026-01-01,2026-01-05,,,,,,\n" for n in range(25))
    desk.deals = desk.write("deals.csv", f"{HEADER}\n{rows}")
    text = desk.on_files("day").stdout
    assert "Back to the pool (25)" in text
    assert "… and 5 more; --json or --csv DIR has all" in text
    assert len(desk.document()["reclaim"]) == 25


def test_more_than_five_ids_of_a_cause_are_shortened(desk: Desk) -> None:
    rows = "".join(f"x{n},Ann,,Open,,,,,,,,\n" for n in range(7))
    desk.deals = desk.write("deals.csv", f"{HEADER}\n{rows}")
    assert "x0, x1, x2, x3, x4 …" in desk.on_files("day").stdout


# --- when ---


@pytest.mark.parametrize(
    ("said", "as_of"),
    [
        ("2026-02-11", "2026-02-11T00:00:00+08:00"),
        ("2026-02-11 08:30", "2026-02-11T08:30:00+08:00"),
        ("2026-02-11T08:30:15.5", "2026-02-11T08:30:15.500000+08:00"),
        ("2026-02-11T08:30Z", "2026-02-11T16:30:00+08:00"),
        ("2026-02-11T08:30-05:00", "2026-02-11T21:30:00+08:00"),
        ("20260211", "2026-02-11T00:00:00+08:00"),
    ],
)
def test_the_instant_may_be_said_in_many_forms(desk: Desk, said: str, as_of: str) -> None:
    """A bare date is its first instant in the map's zone."""
    assert desk.document(as_of=said)["as_of"] == as_of


def test_the_maps_formats_serve_the_instant_too(desk: Desk) -> None:
    desk.map = desk.write("map.toml", MAP.replace("[columns]", 'formats = ["%d.%m.%Y"]\n[columns]', 1))
    assert desk.document(as_of="11.02.2026")["as_of"] == "2026-02-11T00:00:00+08:00"


def test_the_instant_defaults_to_now(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 2, 10, 16, 0, 1, tzinfo=UTC))
    assert desk.document(as_of=None)["as_of"] == "2026-02-11T00:00:01+08:00"


def test_the_clock_is_aware() -> None:
    assert clock.now().tzinfo is UTC


def test_a_day_of_23_hours_ends_at_its_midnight(desk: Desk) -> None:
    """On 29 March 2026 Berlin has 23 hours: 22:30 UTC is tomorrow already."""
    book = 'schema = 1\n[ownership.reclaim]\nidle = "24h"\n'
    rows = "a,Ann,,Open,2026-03-28T21:30Z,,,,,,,\nb,Ann,,Open,2026-03-28T22:00Z,,,,,,,\n"
    desk.deals, desk.book = desk.write("deals.csv", f"{HEADER}\n{rows}"), desk.write("book.toml", book)
    desk.map = desk.write("map.toml", MAP.replace("Asia/Shanghai", "Europe/Berlin"))
    assert desk.document(as_of="2026-03-29")["due_today"] == [
        {"id": "a", "at": "2026-03-29T23:30:00+02:00", "outcome": "reclaim"}
    ]


def test_the_last_day_of_time(desk: Desk) -> None:
    assert desk.document(as_of="9999-12-31")["counts"]["reclaim"] == 6


# --- from where ---


def test_standard_input_is_a_dash(desk: Desk) -> None:
    assert desk.document(deals="-", stdin=DEALS) == desk.document()


def test_json_lines_are_read_too(desk: Desk) -> None:
    rows = [dict(zip(HEADER.split(","), line.split(","), strict=True)) for line in DEALS.splitlines()[1:]]
    text = "".join(json.dumps({key: value or None for key, value in row.items()}) + "\n" for row in rows)
    assert desk.document(deals=desk.write("deals.jsonl", text)) == desk.document()
    assert desk.document(deals="-", stdin=text) == desk.document()


def test_a_file_with_nothing_but_a_header_is_an_empty_day(desk: Desk) -> None:
    desk.deals = desk.write("deals.csv", f"{HEADER}\n")
    document = desk.document()
    assert set(document["counts"].values()) == {0}
    assert [document[key] for key in ("reclaim", "remind", "due_today", "needs_data", "owners")] == [[]] * 5
    assert "nothing to do" in desk.on_files("day").stdout


def test_the_standard_book_is_the_default(desk: Desk) -> None:
    files = ["--deals", desk.deals, "--map", desk.map, "--as-of", AS_OF]
    result = desk.run("day", "--json", *files)
    document = json.loads(result.stdout)
    assert (result.exit_code, document["policy"]["name"]) == (0, "standard")
    assert document["notes"] == ["the book says no zone: days are counted in the map's, Asia/Shanghai"]


# --- notes ---


def test_what_was_not_judged_is_said(desk: Desk) -> None:
    """And why: no column for it."""
    book = """
    schema = 1
    [ownership.reclaim]
    idle = { A = "15d", default = "30d" }
    no_deal = "40d"
    protected_by = ["contract", "quote"]
    appointment = "7d"
    """
    desk.book = desk.write("book.toml", book)
    mapped = MAP.replace('grade = "grade"\n', "").replace(
        "[codes.status]", 'contract_until = "contract"\n[codes.status]'
    )
    desk.map = desk.write("map.toml", mapped)
    assert desk.document()["notes"] == [
        "no column for grade: every prospect has the default idle limit",
        "no column for quote_until: counted as no such protection",
        "no column for appointment_at: no appointment moves a deadline",
        "the book says no zone: days are counted in the map's, Asia/Shanghai",
    ]
    desk.book = desk.write("book.toml", book.replace(', default = "30d"', ""))
    assert desk.document()["notes"][0] == "no column for grade and no default in idle: every limit has to agree"
    assert "说明：没有 quote_until 列：按无此保护处理" in desk.on_files("day", "--lang", "zh").stdout


def test_without_a_column_for_the_last_contact_idle_is_not_judged(desk: Desk) -> None:
    """no-deal alone decides, and the output says so."""
    desk.map = desk.write("map.toml", MAP.replace('last_contact_at = "last"\n', ""))
    document = desk.document(as_of="2026-04-01")
    assert document["notes"] == ["idle (OWN-1) is not judged: the map names no column for last_contact_at"]
    assert {reclaimed["rule"] for reclaimed in document["reclaim"]} == {"OWN-2"}


def test_with_nothing_left_to_judge_the_day_says_so(desk: Desk) -> None:
    desk.map = desk.write("map.toml", MAP.replace('last_contact_at = "last"\n', ""))
    desk.book = desk.write("book.toml", BOOK.replace('no_deal = "90d"\n', ""))
    document = desk.document()
    assert document["notes"][-1] == "neither idle nor no_deal is judged: nothing is reclaimed"
    assert document["counts"]["keep"] == document["counts"]["open"] == 6


def test_a_column_that_the_file_lacks_is_named(desk: Desk) -> None:
    desk.map = desk.write("map.toml", MAP.replace('frozen_until = "frozen"', 'frozen_until = ["ice", "lock"]'))
    assert desk.document()["notes"] == ["frozen_until: the file has none of the columns ice, lock"]


def test_a_missing_contact_column_does_not_put_the_blame_on_the_map(desk: Desk) -> None:
    desk.map = desk.write("map.toml", MAP.replace('last_contact_at = "last"', 'last_contact_at = ["lst", "contacted"]'))
    note = "idle (OWN-1) is not judged: the file has none of the columns lst, contacted for last_contact_at"
    assert desk.document()["notes"] == [note]


# --- one list per owner ---


def lists(folder: Path) -> dict[str, list[list[str]]]:
    """The rows of each file in the folder, the byte order mark checked."""
    found = {}
    for path in sorted(folder.iterdir()):
        assert path.read_bytes().startswith(b"\xef\xbb\xbf")
        found[path.name] = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    return found


def test_a_sales_office_gets_a_list_per_owner(desk: Desk) -> None:
    """CSV with a byte order mark, so that a spreadsheet reads Chinese."""
    folder = desk.folder / "lists" / "today"
    result = desk.on_files("day", "--csv", str(folder))
    assert (result.stdout.splitlines()[-1], result.stderr) == (f"2 lists written to {folder}", "")
    found = lists(folder)
    heads = ["list", "no.", "id", "customer", "value", "manager", "deadline", "rule", "why"]
    assert {name: rows[0] for name, rows in found.items()} == {"Ann.csv": heads, "Bob.csv": heads}
    assert [row[:8] for name in found for row in found[name][1:]] == [
        ["Back to the pool", "", "d1", "Acme", "1200", "Max", "2026-02-09 00:00", "OWN-1"],
        ["Soon due", "1", "d3", "Core", "", "Max", "2026-02-14 00:00", "OWN-1"],
        ["Soon due", "2", "d8", "Hill", "", "Max", "2026-02-11 09:00", "OWN-1"],
        ["Cannot be told: facts are missing", "", "d5", "Eden", "", "Max", "", ""],
    ]
    why = [row[8] for name in found for row in found[name][1:]]
    assert why[0].startswith("idle since 2026-01-10 00:00")
    assert why[3] == "last_contact_at"


def test_the_lists_speak_chinese_and_json_goes_along(desk: Desk) -> None:
    folder = desk.folder / "lists"
    result = desk.on_files("day", "--json", "--lang", "zh", "--csv", str(folder))
    assert json.loads(result.stdout)["counts"]["open"] == 6
    assert lists(folder)["Ann.csv"][0] == ["清单", "次", "编号", "客户", "金额", "经理", "到期", "规则", "原因"]


def test_a_second_run_takes_the_place_of_the_first(desk: Desk) -> None:
    folder = desk.folder / "lists"
    desk.on_files("day", "--csv", str(folder))
    first = lists(folder)
    desk.on_files("day", "--csv", str(folder), as_of="2026-02-14")
    assert lists(folder).keys() == first.keys()
    assert lists(folder) != first


def test_a_usual_protection_that_the_book_does_not_list_is_noted(desk: Desk) -> None:
    """Its column is there, and nobody reads it."""
    desk.map = desk.write("map.toml", MAP.replace("[codes.status]", 'contract_until = "contract"\n[codes.status]'))
    assert desk.document()["notes"] == ["contract_until is not read: the book does not list it in protected_by"]


def test_a_list_of_yesterday_does_not_pass_for_one_of_today(desk: Desk) -> None:
    """Who has nothing to do today has an empty list, whatever the language of the one before; other files stay."""
    folder = desk.folder / "lists"
    desk.on_files("day", "--lang", "zh", "--csv", str(folder))
    (folder / "my own.csv").write_bytes(b"a,b\n")
    (folder / "notes.txt").write_bytes(b"x")
    desk.on_files("day", "--csv", str(folder), as_of="2026-01-16")
    assert (folder / "my own.csv").read_bytes() == b"a,b\n"
    (folder / "my own.csv").unlink()
    (folder / "notes.txt").unlink()
    assert {name: len(rows) for name, rows in lists(folder).items()} == {"Ann.csv": 1, "Bob.csv": 1}


def test_a_file_that_is_no_list_is_not_overwritten(desk: Desk) -> None:
    folder = desk.folder / "lists"
    folder.mkdir()
    (folder / "Ann.csv").write_bytes(b"my own,notes\n")
    result = desk.on_files("day", "--csv", str(folder))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Ann.csv: is no list of ours, and would be overwritten; move it away" in result.stderr
    assert [path.name for path in folder.iterdir()] == ["Ann.csv"]
    assert (folder / "Ann.csv").read_bytes() == b"my own,notes\n"


def test_a_folder_without_a_name_is_refused(desk: Desk) -> None:
    """An unset variable of a shell script."""
    result = desk.on_files("day", "--csv", " ")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "--csv: names no folder; give one, or drop --csv\n"


def test_an_owner_of_the_cap_whom_nobody_knows_is_noted(desk: Desk) -> None:
    desk.book = desk.write("book.toml", BOOK.replace("{ Ann = 2 }", "{ Niemand = 3 }"))
    assert "no open prospect has the owner Niemand, whom the cap names" in desk.document()["notes"]


def test_a_folder_in_the_place_of_a_list_is_left_alone(desk: Desk) -> None:
    folder = desk.folder / "lists"
    (folder / "Ann.csv").mkdir(parents=True)
    result = desk.on_files("day", "--csv", str(folder))
    assert (result.exit_code, (folder / "Ann.csv").is_dir(), list(folder.iterdir())) == (2, True, [folder / "Ann.csv"])


@pytest.mark.parametrize(
    ("owners", "files"),
    [
        (("a/b", r"c:\d", "*?"), {"a_b.csv", "c_d.csv", "_.csv"}),
        (("Ann", "ANN", "ann"), {"ANN.csv", "Ann (2).csv", "ann (3).csv"}),
        ((" .. ", "x" * 200), {"_.csv", "x" * 80 + ".csv"}),
        (("张三", "李 四"), {"张三.csv", "李 四.csv"}),
    ],
)
def test_an_owners_name_makes_a_file_name(desk: Desk, owners: tuple[str, ...], files: set[str]) -> None:
    """Without what file systems refuse; none twice, whatever the case."""
    rows = "".join(f'{n},"{owner}",,Open,2026-01-01,,,,,,,\n' for n, owner in enumerate(owners))
    desk.deals = desk.write("deals.csv", f"{HEADER}\n{rows}")
    folder = desk.folder / "lists"
    desk.on_files("day", "--csv", str(folder))
    assert set(lists(folder)) == files


def test_a_cell_is_never_a_formula(desk: Desk) -> None:
    rows = 'a,Ann,=HYPERLINK("x"),Open,2026-01-01,,,,,,-5,\nb,Ann,@x,Open,2026-01-01,,,,,,+7 a,\n'.replace(
        '=HYPERLINK("x")', '"=HYPERLINK(""x"")"'
    )
    desk.deals = desk.write("deals.csv", f"{HEADER}\n{rows}")
    desk.on_files("day", "--csv", str(desk.folder / "lists"))
    found = lists(desk.folder / "lists")["Ann.csv"]
    assert [row[3:5] for row in found[1:]] == [['\'=HYPERLINK("x")', "-5"], ["'@x", "'+7 a"]]


def test_an_unknown_owner_has_a_list_too(desk: Desk) -> None:
    desk.map = desk.write("map.toml", MAP.replace("[columns]", '[values]\nunknown = ["?"]\n[columns]'))
    desk.deals = desk.write("deals.csv", f"{HEADER}\na,?,,Open,2026-01-01,,,,,,,\n")
    desk.on_files("day", "--csv", str(desk.folder / "lists"))
    assert lists(desk.folder / "lists")["_.csv"][1][-1] == "owner"
    assert desk.document()["needs_data"] == [{"missing": ["owner"], "count": 1, "ids": ["a"]}]


def test_a_folder_that_is_a_file_is_refused(desk: Desk) -> None:
    result = desk.on_files("day", "--csv", desk.book)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"--csv {desk.book}: cannot be written: File exists")


def test_a_full_disk_leaves_the_folder_as_it_was(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """No list is half-written, and no list of today stands beside one of yesterday."""
    folder = desk.folder / "lists"
    desk.on_files("day", "--csv", str(folder))
    before = lists(folder)
    written: list[str] = []
    write = render._write_list

    def refusing(path: Path, heads: Any, rows: Any) -> None:
        if written:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path.name)
        write(path, heads, rows)

    monkeypatch.setattr(render, "_write_list", refusing)
    result = desk.on_files("day", "--csv", str(folder), as_of="2026-02-14")
    assert (result.exit_code, result.stdout, written) == (2, "", ["Ann.csv"])
    assert "cannot be written: No space left on device" in result.stderr
    assert lists(folder) == before


# --- bad rows, and what to fail on ---

BAD = f"{DEALS}d9,Bob,,Opne,2026-01-01,,,,,,,\nd1,Bob,,Open,2026-01-01,,,,,,,\nd10,Bob,,Open,soon,,,,,,,\n"


def test_bad_rows_are_all_told_and_nothing_is_written(desk: Desk) -> None:
    desk.deals = desk.write("deals.csv", BAD)
    result = desk.on_files("day", "--csv", str(desk.folder / "lists"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert not (desk.folder / "lists").exists()
    assert [line.removeprefix(f"{desk.deals}: ").partition(":")[0] for line in result.stderr.splitlines()] == [
        "line 10, column stage",
        "line 11, column id",
        "line 12, column assigned",
    ]


def test_bad_rows_can_be_skipped_and_are_counted(desk: Desk) -> None:
    plain = desk.document()
    desk.deals = desk.write("deals.csv", BAD)
    skipped = desk.document("--skip-bad")
    assert skipped["counts"] == {**plain["counts"], "skipped": 3}
    assert skipped["notes"] == ["3 rows were skipped because of faults"]
    assert [each["id"] for each in skipped["reclaim"]] == ["d1"]


@pytest.mark.parametrize(
    ("fail_on", "code"),
    [
        ([], 0),
        (["reclaim"], 1),
        (["needs_data"], 1),
        (["findings"], 0),
        (["findings", "reclaim"], 1),
    ],
)
def test_exit_1_where_asked_for(desk: Desk, fail_on: list[str], code: int) -> None:
    """The answer is printed all the same."""
    said = [part for name in fail_on for part in ("--fail-on", name)]
    result = desk.on_files("day", "--json", *said)
    assert (result.exit_code, json.loads(result.stdout)["counts"]["reclaim"]) == (code, 1)


def test_exit_0_where_there_is_none(desk: Desk) -> None:
    said = ["--fail-on", "reclaim", "--fail-on", "needs_data", "--fail-on", "findings"]
    assert desk.on_files("day", *said, as_of="2026-01-12").exit_code == 0


def test_a_finding_of_the_book_can_fail_the_day(desk: Desk) -> None:
    desk.book = desk.write("book.toml", BOOK.replace('"30d"', '"5d"'))
    assert desk.on_files("day", "--fail-on", "findings").exit_code == 1
    assert desk.on_files("day").exit_code == 0


@pytest.mark.parametrize("args", [["day"], ["day", "--nonsense"], ["nonsense"], ["explain"]])
def test_wrong_arguments_are_exit_2(desk: Desk, args: list[str]) -> None:
    result = desk.run(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage:" in result.stderr


# --- the terminal ---


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_bar_is_drawn_where_somebody_watches(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    args = ["day", "--deals", desk.deals, "--map", desk.map, "--policies", desk.book, "--as-of", AS_OF]
    crmcore.main([*args, "--lang", "en"], standalone_mode=False)
    assert "Work list as of" in out.getvalue()
    assert "deals.csv" in err.getvalue()


def test_nothing_is_drawn_into_a_file(desk: Desk) -> None:
    done = desk.real("day", "--deals", desk.deals, "--map", desk.map, "--policies", desk.book, "--as-of", AS_OF)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\x1b" not in done.stdout


def real(desk: Desk, *args: str, encoding: str) -> tuple[int, str, str]:
    files = ["--deals", desk.deals, "--map", desk.map, "--policies", desk.book, "--as-of", AS_OF]
    done = desk.real(*args, *files, PYTHONIOENCODING=encoding)
    return done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "gbk"])
def test_json_goes_through_any_encoding(desk: Desk, encoding: str) -> None:
    """Escaped where the stream cannot say it."""
    desk.deals = desk.write("deals.csv", DEALS.replace("Ann", "Jörg 张"))
    code, out, _ = real(desk, "day", "--json", encoding=encoding)
    assert (code, json.loads(out)["owners"]) == (0, desk.document()["owners"])


def test_json_is_readable_where_the_stream_can_say_it(desk: Desk) -> None:
    desk.deals = desk.write("deals.csv", DEALS.replace("Ann", "Jörg 张"))
    assert "Jörg 张" in real(desk, "day", "--json", encoding="utf-8")[1]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "gbk"])
def test_tables_go_through_any_encoding(desk: Desk, encoding: str) -> None:
    desk.deals = desk.write("deals.csv", DEALS.replace("Ann", "Jörg 张"))
    code, out, err = real(desk, "day", encoding=encoding)
    assert (code, err, "Work list" in out) == (0, "", True)


HALF = '{"id": "1", "owner": "\\ud83d", "stage": "Open", "assigned": "2026-01-01", "last": null}\n'


@pytest.mark.parametrize("args", [["--json"], [], ["--csv", "lists"]])
def test_half_a_surrogate_pair_is_refused_or_printed(desk: Desk, args: list[str]) -> None:
    """JSON Lines can hold one; no traceback, nothing half-written."""
    folder = desk.folder / "lists"
    result = desk.on_files(
        "day", *(str(folder) if arg == "lists" else arg for arg in args), deals=desk.write("d.jsonl", HALF)
    )
    assert result.exit_code in {0, 2}
    assert bool(result.stdout) == (result.exit_code == 0)
    assert folder.exists() == (args[0:1] == ["--csv"] and result.exit_code == 0)


def test_a_row_that_is_skipped_takes_no_id_from_a_good_one(desk: Desk) -> None:
    """The faulty row stands first, the good one with the same id still counts."""
    rows = "d1,Ann,,Open,31/31/2026,,,,,,,\nd1,Ann,,Open,2026-01-01,,,,,,,\n"
    desk.deals = desk.write("deals.csv", f"{HEADER}\n{rows}")
    counts = desk.document("--skip-bad")["counts"]
    assert (counts["prospects"], counts["skipped"]) == (1, 1)
