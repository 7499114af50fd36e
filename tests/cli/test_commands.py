"""`explain`, `policy …` and the entry point."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest

from cli.desk import AS_OF, BOOK, DEALS, MAP, Desk
from crmcore.book import PolicyBook
from crmcore.cli import main

CALENDAR = """
[calendars.office]
week = { mon = ["09:00-18:00"] }
holidays = "chinesecalendar"
"""


# --- explain ---


def test_explain_is_the_record_with_its_id(desk: Desk) -> None:
    result = desk.on_files("explain", "d8", "--json")
    document = json.loads(result.stdout)
    assert list(document) == [
        "id",
        "schema",
        "as_of",
        "outcome",
        "step",
        "rule",
        "reasons",
        "missing",
        "provisional",
        "next_change_at",
        "policy",
    ]
    assert (result.exit_code, result.stderr) == (0, "")
    assert {key: document[key] for key in ("id", "as_of", "outcome", "step", "rule", "next_change_at")} == {
        "id": "d8",
        "as_of": "2026-02-11T00:00:00+08:00",
        "outcome": "remind",
        "step": 2,
        "rule": "OWN-1",
        "next_change_at": "2026-02-11T09:00:00+08:00",
    }
    assert document["reasons"][0]["due"] == "2026-02-11T09:00:00+08:00"


def test_explain_agrees_with_the_day(desk: Desk) -> None:
    """Same policy, same reasons."""
    day = desk.document()
    for listed in (*day["reclaim"], *day["remind"]):
        explained = json.loads(desk.on_files("explain", listed["id"], "--json").stdout)
        assert explained["reasons"] == listed["reasons"]
        assert (explained["rule"], explained["policy"]) == (listed["rule"], day["policy"])


def test_explain_in_words(desk: Desk) -> None:
    lines = desk.on_files("explain", "d1").stdout.splitlines()
    assert lines[0] == "d1: Reclaim (OWN-1), as of 2026-02-11 00:00"
    assert lines[2] == (
        "  + OWN-1 idle since 2026-01-10 00:00 (last_contact_at), limit 30 days: due 2026-02-09 00:00, 2 days ago"
    )
    assert desk.on_files("explain", "d1", "--lang", "zh").stdout.startswith("d1: 回收")


def test_explain_speaks_in_the_maps_zone(desk: Desk) -> None:
    desk.map = desk.write("map.toml", MAP.replace("Asia/Shanghai", "UTC"))
    assert "as of 2026-02-11 00:00" in desk.on_files("explain", "d1").stdout


def test_explain_notes_what_was_not_judged(desk: Desk) -> None:
    desk.book = desk.write("book.toml", BOOK.replace('zone = "Asia/Shanghai"\n', ""))
    result = desk.on_files("explain", "d1")
    note = "Note: the book says no zone: days are counted in the map's, Asia/Shanghai"
    assert (result.stdout.splitlines()[-1], result.stderr) == (note, "")


@pytest.mark.parametrize("args", [[], ["--json"]])
def test_an_id_that_is_not_there_is_refused(desk: Desk, args: list[str]) -> None:
    result = desk.on_files("explain", "d99", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"no prospect d99 in {desk.deals}\n"


@pytest.mark.parametrize(
    ("key", "fail_on", "code"),
    [("d1", "reclaim", 1), ("d2", "reclaim", 0), ("d5", "needs_data", 1), ("d5", "reclaim", 0), ("d1", "findings", 0)],
)
def test_explain_can_fail_too(desk: Desk, key: str, fail_on: str, code: int) -> None:
    assert desk.on_files("explain", key, "--fail-on", fail_on).exit_code == code


def test_explain_reads_standard_input(desk: Desk) -> None:
    text = Path(desk.deals).read_text(encoding="utf-8")
    assert desk.on_files("explain", "d1", deals="-", stdin=text).stdout.startswith("d1: Reclaim")


# --- policy show, check, schema, pin ---


def test_show_prints_the_book_as_it_was_understood(desk: Desk) -> None:
    """With its digests, as a book that can be read again."""
    text = desk.run("policy", "show", desk.book).stdout
    book = PolicyBook.load(desk.book)
    assert text.splitlines()[:2] == [
        f"# digest {book.digest}",
        f"# ownership.reclaim {book.ownership.reclaim.digest}",
    ]
    assert PolicyBook.loads(text) == book


def test_show_is_the_standard_book_by_default(desk: Desk) -> None:
    assert PolicyBook.loads(desk.run("policy", "show").stdout) == PolicyBook.standard()


def test_show_as_json(desk: Desk) -> None:
    desk.book = desk.write("book.toml", BOOK.replace("schema = 1", "schema = 1\neffective = 2026-01-01") + CALENDAR)
    document = json.loads(desk.run("policy", "show", desk.book, "--json").stdout)
    book = PolicyBook.load(desk.book)
    assert list(document) == ["name", "version", "digest", "policies", "book"]
    assert (document["name"], document["version"], document["digest"]) == ("desk", "7", book.digest)
    assert document["policies"] == {
        "ownership.reclaim": book.ownership.reclaim.digest,
        "ownership.cap": book.ownership.cap.digest,
        **{f"value.{name}": policy.digest for name, policy in book.value.policies().items()},
    }
    assert document["book"]["effective"] == "2026-01-01"
    assert document["book"]["ownership"]["cap"] == {"default": 3, "per_owner": {"Ann": 2}}


def test_check_of_a_sound_book(desk: Desk) -> None:
    result = desk.run("policy", "check", desk.book)
    assert (result.exit_code, result.stdout) == (0, "no findings\n")
    assert desk.run("policy", "check", "--lang", "zh").stdout == "没有发现问题\n"
    assert json.loads(desk.run("policy", "check", "--json").stdout) == {"findings": []}


@pytest.mark.rule("OWN-16")
def test_check_finds_and_fails(desk: Desk) -> None:
    desk.book = desk.write("book.toml", BOOK.replace('"30d"', '"13d"'))
    result = desk.run("policy", "check", desk.book)
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.startswith("ownership.reclaim.idle: 13d is shorter than the rhythm of grade B, 14d (OWN-16); ")
    found = json.loads(desk.run("policy", "check", desk.book, "--json").stdout)["findings"]
    assert [(each["code"], each["rule"], each["key"]) for each in found] == [
        ("limit_below_rhythm", "OWN-16", "ownership.reclaim.idle")
    ] * 2


@pytest.mark.parametrize("args", [[], ["--json"], ["--lang", "zh"]])
def test_schema_prints_the_schema(desk: Desk, args: list[str]) -> None:
    result = desk.run("policy", "schema", *args)
    assert json.loads(result.stdout) == PolicyBook.schema()
    jsonschema.validate(tomllib.loads(BOOK), json.loads(result.stdout))


def test_pin_writes_the_dates_out(desk: Desk) -> None:
    """The pinned book has the digest of the book, and needs no importer."""
    path = desk.write("book.toml", BOOK.replace('"90d"', '"60wd"') + CALENDAR)
    text = desk.run("policy", "pin", path).stdout
    assert "holidays" not in text
    assert PolicyBook.loads(text).digest == PolicyBook.load(path).digest
    data = json.loads(desk.run("policy", "pin", path, "--json").stdout)
    assert data["calendars"] == tomllib.loads(text)["calendars"]


def test_pin_needs_a_book(desk: Desk) -> None:
    assert desk.run("policy", "pin").exit_code == 2


# --- the entry point ---


def test_main_runs_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["crmcore", "policy", "check", "--lang", "en"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert (caught.value.code, capsys.readouterr().out) == (0, "no findings\n")


@pytest.mark.parametrize("package", ["click", "rich"])
def test_without_its_extra_the_command_line_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], package: str
) -> None:
    for name in list(sys.modules):
        if name.startswith(("crmcore.cli.", f"{package}.")) and name != "crmcore.cli.entry":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SystemExit) as caught:
        main()
    said = f"crmcore: the command line needs {package}; pip install 'crmcore[cli]'\n"
    assert (caught.value.code, capsys.readouterr().err) == (2, said)


def test_any_other_import_error_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "crmcore.cli.commands", None)
    with pytest.raises(ImportError, match=r"crmcore\.cli\.commands"):
        main()


def test_the_program_has_help_and_a_version(desk: Desk) -> None:
    done = desk.real("--help")
    assert done.returncode == 0
    assert {b"day", b"explain", b"policy"} <= set(done.stdout.split())
    version = desk.real("--version")
    assert (version.returncode, version.stdout.startswith(b"crmcore")) == (0, True) or b"version" in version.stdout


def test_the_program_reads_a_pipe(desk: Desk) -> None:
    files = ["--map", desk.map, "--policies", desk.book, "--as-of", AS_OF]
    done = desk.real("day", "--json", "--deals", "-", *files, stdin=Path(desk.deals).read_bytes())
    assert (done.returncode, json.loads(done.stdout)) == (0, desk.document())


@pytest.mark.parametrize("args", [[], ["-m", "crmcore"]])
def test_output_that_cannot_be_written_ends_with_2(args: list[str]) -> None:
    """A full disk is no traceback."""
    command = args or ["-c", "from crmcore.cli import main; main()"]
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, *command, "policy", "schema"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_an_output_error_says_what_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("crmcore.cli.commands.crmcore", full)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert capsys.readouterr().err == "crmcore: the output cannot be written: No space left on device\n"


def test_the_module_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """``python -m crmcore``."""
    monkeypatch.delitem(sys.modules, "crmcore.__main__", raising=False)
    monkeypatch.setattr(sys, "argv", ["crmcore", "--version"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("crmcore", run_name="__main__")
    assert caught.value.code == 0


def test_a_prospect_that_was_skipped_is_said_to_be(desk: Desk) -> None:
    """It is in the file, and its row is faulty."""
    desk.deals = desk.write("deals.csv", DEALS.replace("2026-01-10", "31/31/2026", 1))
    result = desk.on_files("explain", "d1", "--skip-bad")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "d1 in " in result.stderr
    assert "line 2, was skipped because of faults; leave --skip-bad out" in result.stderr


def test_a_map_in_the_place_of_a_book_is_told(desk: Desk) -> None:
    desk.book = desk.write("book.toml", MAP)
    result = desk.on_files("day")
    assert (result.exit_code, "is a map, not a policy book; it belongs to --map" in result.stderr) == (2, True)
