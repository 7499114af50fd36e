"""What every command shares: language, instants, books, maps and stores from arguments, errors to exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

import click
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from crmcore.book import PolicyBook
from crmcore.cli import clock
from crmcore.errors import CrmcoreError, Fault, InvalidFile
from crmcore.files import Map, Records
from crmcore.files.instants import Refusal, instant_parser
from crmcore.ownership.command import Applied, Export, Source, applied, facts

__all__ = ["BAD_INPUT", "FINDINGS", "Given", "Watch", "common", "read_book", "refusing", "said_now", "watching"]

FINDINGS: Final = 1
BAD_INPUT: Final = 2
C = TypeVar("C", bound=Callable[..., Any])
Watch: TypeAlias = Callable[[str], Callable[[int, int | None], None] | None]
"""Gives a progress hook under a title; ``None`` where nobody watches."""


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


def read_book(path: str | None) -> PolicyBook:
    """The book in a file; the standard one where none is named."""
    return PolicyBook.standard() if path is None else PolicyBook.load(path)


class Given:
    """A book, a map and a data file as the arguments name them, checked against each other."""

    def __init__(self, deals: str, map_path: str, policies: str | None, *, skip_bad: bool) -> None:
        book = read_book(policies)
        self._facts = facts(book.ownership.reclaim)
        self.columns = Map.load(map_path, self._facts)
        self.said_zone = book.zone is not None
        self.book = book.in_zone(self.columns.zone.key)
        self.name, self._skip_bad = deals, skip_bad
        self.zone, self.formats = self.columns.zone, self.columns.formats

    def export(self, watch: Watch) -> Export:
        """The file, its header read."""
        progress = watch(os.path.basename(self.name))  # noqa: PTH119 - "-" is no path
        records = Records(self.name, self.columns, self._facts, skip_bad=self._skip_bad, progress=progress)
        return Export(self.columns, records)

    @contextmanager
    def source(self, now: datetime) -> Iterator[tuple[Applied, Source]]:  # noqa: ARG002 - a store's answers depend on it
        """The policy as it can be judged on the file, and its prospects; a bar on stderr where that is a terminal."""
        with watching(DownloadColumn()) as watch:
            export = self.export(watch)
            yield applied(self.book.ownership.reclaim, export.origin, said_zone=self.said_zone), export


@contextmanager
def watching(*amount: ProgressColumn) -> Iterator[Watch]:
    """Progress, drawn on stderr where that is a terminal; `amount` says how much is done, by default as a share."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        *(amount or [TaskProgressColumn()]),
        TimeRemainingColumn(),
    )
    from rich.console import Console

    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def watch(title: str) -> Callable[[int, int | None], None]:
            task = bar.add_task(title, total=None)
            return lambda done, total: bar.update(task, completed=done, total=total)

        yield watch


def said_now(text: str | None, zone: ZoneInfo, formats: tuple[str, ...] = ()) -> datetime:
    """``--as-of`` as a map reads instants, a bare date as its first instant; the present where it is not given."""
    if text is None:
        return clock.now()
    at = instant_parser(zone, formats)(text)
    if isinstance(at, Refusal):
        remedy = at.remedy if text.strip() else "give a date such as 2026-03-31, or drop --as-of for now"
        raise InvalidFile("--as-of", (Fault("argument", text, at.problem, remedy),))
    return at
