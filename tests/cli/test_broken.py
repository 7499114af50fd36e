"""Whatever is broken is refused with place, value and remedy; nothing is half-written."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.broken import BROKEN, Broken
from cli.desk import AS_OF, Desk


def arguments(desk: Desk, broken: Broken) -> list[str]:
    """The desk's files, with the broken one in its place."""
    deals = desk.deals
    if broken.file == "deals":
        deals = desk.write(f"deals{broken.suffix or '.csv'}", broken.content)
    elif broken.file != "args":
        desk.write(f"{broken.file}.toml", broken.content)
    files = ["--deals", deals, "--map", desk.map, "--policies", desk.book, "--as-of", AS_OF]
    extra = str(broken.content).format(folder=desk.folder).split(" ", 1) if broken.file == "args" else []
    return [*files, *extra]


def test_there_are_enough_and_no_two_alike() -> None:
    assert len(BROKEN) >= 25
    assert len({broken.name for broken in BROKEN}) == len({broken.content for broken in BROKEN}) == len(BROKEN)


@pytest.mark.parametrize("command", [["day"], ["day", "--json"], ["explain", "d1"]], ids=" ".join)
@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_what_is_broken_is_refused(desk: Desk, tmp_path: Path, broken: Broken, command: list[str]) -> None:
    """Exit 2, place, value and remedy on stderr, no traceback, nothing on stdout, no file."""
    folder = tmp_path / "lists"
    lists = ["--csv", str(folder)] if command[0] == "day" else []
    result = desk.run(*command, *arguments(desk, broken), *lists)
    assert (result.exit_code, result.stdout) == (2, "")
    assert broken.place in result.stderr
    assert broken.value in result.stderr
    assert broken.remedy in result.stderr
    assert "Traceback" not in result.stderr
    assert not folder.exists()


@pytest.mark.parametrize("broken", [each for each in BROKEN if each.file == "book" and "json" not in each.suffix])
@pytest.mark.parametrize("command", ["show", "check", "pin"])
def test_a_broken_book_is_refused_by_every_command_on_books(desk: Desk, broken: Broken, command: str) -> None:
    path = desk.write("book.toml", broken.content)
    result = desk.run("policy", command, path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert broken.place in result.stderr
    assert broken.value in result.stderr
    assert broken.remedy in result.stderr


def test_as_a_program_it_exits_with_2_and_no_traceback(desk: Desk) -> None:
    for broken in (BROKEN[0], BROKEN[20]):
        done = Desk(desk.folder).real("day", *arguments(desk, broken))
        assert (done.returncode, done.stdout) == (2, b"")
        assert broken.place.encode() in done.stderr
        assert b"Traceback" not in done.stderr


def test_the_first_twenty_faults_are_told(desk: Desk) -> None:
    lines = "".join(f"x{n},Ann,,Open{n},,,,,,,,\n" for n in range(30))
    desk.deals = desk.write("deals.csv", f"{BROKEN[20].content!s}".splitlines()[0] + "\n" + lines)
    said = desk.on_files("day").stderr.splitlines()
    assert (len(said), said[-1]) == (21, f"{desk.deals}: and 10 more")
