"""What every command shares: language, instants, books and maps from arguments, errors to exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, TypeVar

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from crmcore.book import PolicyBook
from crmcore.cli import clock
from crmcore.errors import CrmcoreError, Fault, InvalidFile
from crmcore.files import Map, Records
from crmcore.files.instants import Refusal, instant_parser
from crmcore.ownership.command import Applied, Export, applied, facts

__all__ = ["BAD_INPUT", "FINDINGS", "Given", "common", "opened", "refusing", "said_now"]

FINDINGS: Final = 1
BAD_INPUT: Final = 2
C = TypeVar("C", bound=Callable[..., Any])


def default_lang(environ: Mapping[str, str] = os.environ) -> str:
    """``zh`` where the locale is Chinese, else ``en``; the first of LC_ALL, LC_MESSAGES, LANG that is set."""
    said = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return "zh" if said.lower().startswith("zh") else "en"


def common(command: C) -> C:
    """``--json`` and ``--lang``, as every command has them."""
    command = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)
    langs = click.Choice(["en", "zh"])
    return click.option("--lang", type=langs, default=default_lang, show_default="from LANG", help="Language.")(command)


@contextmanager
def refusing() -> Iterator[None]:
    """Turns every error of the library into its text on stderr and exit 2; there is no traceback to read."""
    try:
        yield
    except CrmcoreError as error:
        click.echo(str(error), err=True)
        sys.exit(BAD_INPUT)


class Given:
    """A book, a map and a data file as the arguments name them, checked against each other."""

    def __init__(self, deals: str, map_path: str, policies: str | None, *, skip_bad: bool) -> None:
        book = PolicyBook.standard() if policies is None else PolicyBook.load(policies)
        self._facts = facts(book.ownership.reclaim)
        self.columns = Map.load(map_path, self._facts)
        self.said_zone = book.zone is not None
        self.book = book.in_zone(self.columns.zone.key)
        self._deals, self._skip_bad = deals, skip_bad

    @contextmanager
    def export(self) -> Iterator[tuple[Applied, Export]]:
        """The policy as it can be judged on the file, and its prospects; a bar on stderr where that is a terminal."""
        with opened(self._deals) as progress:
            records = Records(self._deals, self.columns, self._facts, skip_bad=self._skip_bad, progress=progress)
            export = Export(self.columns, records)
            yield applied(self.book.ownership.reclaim, export, said_zone=self.said_zone), export


@contextmanager
def opened(path: str) -> Iterator[Callable[[int, int | None], None] | None]:
    """A progress hook for reading `path`, drawn on stderr; None where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    from rich.console import Console

    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(os.path.basename(path), total=None)  # noqa: PTH119 - "-" is no path
        yield lambda read, total: bar.update(task, completed=read, total=total)


def said_now(text: str | None, columns: Map) -> datetime:
    """``--as-of`` as the map reads instants, a bare date as its first instant; the present where it is not given."""
    if text is None:
        return clock.now()
    at = instant_parser(columns.zone, columns.formats)(text)
    if isinstance(at, Refusal):
        remedy = at.remedy if text.strip() else "give a date such as 2026-03-31, or drop --as-of for now"
        raise InvalidFile("--as-of", (Fault("argument", text, at.problem, remedy),))
    return at
