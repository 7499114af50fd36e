"""Topic `day`: `crmcore day` on a CSV of a million rows, against a bare loop that reads and parses the same rows."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from datetime import UTC, datetime
from functools import partial
from json import JSONEncoder
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.portfolio import NOW, ZONE, prospects
from benchmarks.ratios import Row, compared
from crmcore.book import PolicyBook
from crmcore.cli.commands import crmcore
from crmcore.files import Map, Records
from crmcore.ownership.command import facts
from crmcore.ownership.worklist import WorkList, work_list

__all__ = ["day"]

DATES = ("assigned_at", "last_contact_at", "frozen_until", "contract_until", "quote_until")
HEADER = ("id", "customer", "owner", "status", "grade", *DATES)
TARGET, GIGABYTE = 3.0, 1.0
LARGE, SMALL = 1_000_000, 50_000
MAP = """\
schema = 1
[time]
zone = "{zone}"
[columns]
id = "id"
customer = "customer"
owner = "owner"
status = "status"
grade = "grade"
assigned_at = "assigned_at"
last_contact_at = "last_contact_at"
frozen_until = "frozen_until"
contract_until = "contract_until"
quote_until = "quote_until"
[codes.status]
Open = "open"
Won = "won"
Lost = "lost"
Invalid = "invalid"
"""
BOOK = """\
schema = 1
name = "bench"
zone = "{zone}"
[ownership.reclaim]
idle = {{ A = "15d", B = "30d", C = "60d", default = "60d" }}
no_deal = "90d"
min_hold = "7d"
remind_before = ["7d", "1d"]
protected_by = ["contract", "quote"]
[ownership.cap]
default = 100
"""
MAIN = "from crmcore.cli import main; main()"


def day(*, quick: bool) -> Iterator[Row]:
    """Memory first, while this process is small; then the time, in it, with the collector off as the command has it."""
    for zone in (ZONE, "UTC"):
        with TemporaryDirectory() as folder:
            files = _Files(Path(folder), zone, SMALL if quick else LARGE)
            yield from _targets(files, with_json=zone == ZONE, pairs=7 if quick else 2, warm=quick)
    with TemporaryDirectory() as folder:
        yield from _parts(_Files(Path(folder), ZONE, SMALL))


def _targets(files: _Files, *, with_json: bool, pairs: int, warm: bool) -> Iterator[Row]:
    size = f"{files.rows:,} rows, {files.zone.key}"
    forms: list[tuple[str, Callable[[], object], list[str]]] = [("text", files.text, [])]
    if with_json:
        forms.append(("--json", files.json, ["--json"]))
        for form, _, options in forms:
            yield Row("day", f"memory, {form}, {size}", (files.memory(options),), GIGABYTE, " GB")
    for form, ours, _ in forms:
        ratios = compared(ours, files.bare, pairs=pairs, collecting=False, warm=warm)
        yield Row("day", f"crmcore day, {form}, {size}", ratios, TARGET)


def _parts(files: _Files) -> Iterator[Row]:
    size = f"{files.rows:,} rows, {files.zone.key}"
    for part, ours in (("reading", files.read), ("reading and deciding", files.work)):
        yield Row("day", f"of it, {part}, {size}", compared(ours, files.bare, pairs=7, collecting=False))
    ratios = compared(files.json, partial(files.bare_and, list(files.document())), pairs=7, collecting=False)
    yield Row("day", f"--json, beside a loop that encodes the same document too, {size}", ratios)


class _Files:
    """A data file, a map and a book, and the jobs on them."""

    def __init__(self, folder: Path, zone: str, rows: int) -> None:
        self.zone = ZoneInfo(zone)
        self.deals, self.map, self.book = folder / "deals.csv", folder / "map.toml", folder / "book.toml"
        self.map.write_text(MAP.format(zone=zone), encoding="utf-8")
        self.book.write_text(BOOK.format(zone=zone), encoding="utf-8")
        self.rows = rows
        with self.deals.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(HEADER)
            writer.writerows(self._cells(rows))

    def _cells(self, rows: int) -> Iterator[list[str]]:
        for found in prospects(rows):
            texts = [f"P{found.id:07}", found.customer, found.owner or "", found.status.title(), found.grade or ""]
            yield texts + [self._stamp(getattr(found, name)) for name in DATES]

    def _stamp(self, at: datetime | None) -> str:
        return "" if at is None else f"{at.astimezone(self.zone):%Y-%m-%d %H:%M}"

    # The bare loop.

    def bare(self) -> int:
        """Reads every row, and every date cell that is not empty into an aware datetime in UTC; keeps nothing."""
        count, zone, read = 0, self.zone, datetime.fromisoformat
        with self.deals.open(encoding="utf-8", newline="") as lines:
            reader = csv.reader(lines)
            next(reader)
            if zone.key == "UTC":
                for row in reader:
                    for cell in row[5:]:
                        if cell:
                            read(cell).replace(tzinfo=UTC)
                    count += 1
                return count
            for row in reader:
                for cell in row[5:]:
                    if cell:
                        read(cell).replace(tzinfo=zone).astimezone(UTC)
                count += 1
        return count

    def bare_and(self, rows: list[dict[str, Any]]) -> None:
        """The bare loop, and then the rows of a document encoded that is there already."""
        self.bare()
        encode = JSONEncoder(ensure_ascii=False, allow_nan=False).encode
        with Path(os.devnull).open("w", encoding="utf-8") as out:
            out.writelines(map(encode, rows))

    # Ours.

    def read(self) -> int:
        """The records alone."""
        count = sum(1 for _ in self._records(PolicyBook.load(self.book)))
        assert count == self.rows
        return count

    def work(self) -> WorkList:
        """The work list, not printed."""
        book = PolicyBook.load(self.book)
        policy, cap = book.ownership.reclaim, book.ownership.cap
        work = work_list(self._records(book), policy=policy, cap=cap, now=NOW, zone=self.zone)
        assert work.counts["prospects"] == self.rows
        return work

    def _records(self, book: PolicyBook) -> Records:
        known = facts(book.ownership.reclaim)
        return Records(self.deals, Map.load(self.map, known), known)

    def json(self) -> None:
        """``crmcore day --json > /dev/null``."""
        self._command("--json")

    def text(self) -> None:
        """``crmcore day > /dev/null``."""
        self._command()

    def _command(self, *options: str) -> None:
        with Path(os.devnull).open("w", encoding="utf-8") as out, redirect_stdout(out):
            crmcore.main(args=[*self._arguments, *options], standalone_mode=False)

    def document(self) -> Iterator[dict[str, Any]]:
        """The rows of the two long lists as ``--json`` has them."""
        work = self.work()
        return (item.record(work.zone) for item in (*work.reclaim, *work.remind))

    @property
    def _arguments(self) -> list[str]:
        files = ["--deals", str(self.deals), "--map", str(self.map), "--policies", str(self.book)]
        return ["day", *files, "--as-of", NOW.isoformat(), "--lang", "en"]

    def memory(self, options: list[str]) -> float:
        """The most gigabytes that the command itself held, by the kernel's account of its process."""
        arguments = [sys.executable, "-c", MAIN, *self._arguments, *options]
        nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
        process = os.posix_spawn(sys.executable, arguments, os.environ, file_actions=nowhere)
        _, status, usage = os.wait4(process, 0)
        assert status == 0
        return usage.ru_maxrss * 1024 / 1e9
