"""A folder with an export, a map and a book, and the command line run in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from conftest import ROOT
from crmcore.cli.commands import crmcore

DEALS = """\
id,owner,customer,stage,assigned,last,grade,frozen,contract,lost_track,amount,boss
d1,Ann,Acme,Open,2026-01-01,2026-01-10,,,,,1200,Max
d2,Ann,Bolt,Open,2026-01-01,2026-02-08,,,,,,Max
d3,Ann,Core,Open,2026-01-01,2026-01-15,,,,,,Max
d4,Bob,Dune,Open,2026-01-01,2026-01-10,,2026-06-01,,,,Max
d5,Bob,Eden,Open,2026-01-01,,,,,true,,Max
d6,,Fern,Open,,,,,,,,
d7,Bob,Gulf,Won,2025-01-01,,,,,,,
d8,Bob,Hill,Open,2026-01-01,2026-01-12 09:00,,,,,,Max
"""
MAP = """\
schema = 1
[time]
zone = "Asia/Shanghai"
[columns]
id = "id"
owner = "owner"
customer = "customer"
status = "stage"
assigned_at = "assigned"
last_contact_at = "last"
grade = "grade"
frozen_until = "frozen"
contact_unknown = "lost_track"
value = "amount"
manager = "boss"
[codes.status]
Open = "open"
Won = "won"
Lost = "lost"
"""
BOOK = """\
schema = 1
name = "desk"
version = "7"
zone = "Asia/Shanghai"
[ownership.reclaim]
idle = "30d"
no_deal = "90d"
remind_before = ["7d", "1d"]
[ownership.cap]
default = 3
per_owner = { Ann = 2 }
"""
AS_OF = "2026-02-11"
ENGLISH: dict[str, str | None] = {"LC_ALL": None, "LC_MESSAGES": None, "LANG": "en_US.UTF-8"}


class Desk:
    """Writes files and runs the command on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.deals = self.write("deals.csv", DEALS)
        self.map = self.write("map.toml", MAP)
        self.book = self.write("book.toml", BOOK)

    def write(self, name: str, content: str | bytes, encoding: str = "utf-8") -> str:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return str(path)

    def run(self, *args: str, stdin: str | bytes | None = None, **env: str | None) -> Result:
        """The command in this process; anything but an exit is raised."""
        result = CliRunner(env={**ENGLISH, **env}).invoke(crmcore, list(args), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def on_files(self, *args: str, as_of: str | None = AS_OF, deals: str | None = None, **options: Any) -> Result:
        """`day` or `explain ID` on the files of this folder."""
        files = ["--deals", deals or self.deals, "--map", self.map, "--policies", self.book]
        dated = [] if as_of is None else ["--as-of", as_of]
        return self.run(*args, *files, *dated, **options)

    def document(self, *args: str, **options: Any) -> dict[str, Any]:
        """What `day --json` prints."""
        result = self.on_files("day", "--json", *args, **options)
        assert (result.exit_code, result.stderr) == (0, "")
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def real(self, *args: str, stdin: bytes = b"", **env: str) -> subprocess.CompletedProcess[bytes]:
        """The command in a process of its own."""
        command = [sys.executable, "-c", "from crmcore.cli import main; main()", *args]
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "SYSTEMROOT", "HOME"}}
        known = {**kept, "PYTHONPATH": str(ROOT / "src"), **env}
        return subprocess.run(command, input=stdin, env=known, cwd=self.folder, capture_output=True, check=False)
