"""The commands: each reads its arguments, calls the library, renders."""

from __future__ import annotations

import json
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from crmcore.book import PolicyBook
from crmcore.cli.render import print_day, write_json, write_lists
from crmcore.cli.session import BAD_INPUT, FINDINGS, Given, common, refusing, said_now
from crmcore.cli.words import WORDS
from crmcore.ownership import command as ownership

__all__ = ["crmcore"]

FAIL_ON: Final = ("reclaim", "needs_data", "findings")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="crmcore")
def crmcore() -> None:
    """CRM policies on an export: which prospects go back to the pool, which soon will, and why."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name that the terminal cannot show is no reason to stop
            stream.reconfigure(errors="backslashreplace")


def _export(command: Any) -> Any:
    """The options of every command that reads prospects."""
    options = (
        click.option(
            "--deals", required=True, metavar="FILE", help="CSV, TSV, JSON Lines or Parquet; - is standard input."
        ),
        click.option("--map", "map_path", required=True, metavar="FILE", help="What its columns mean (TOML)."),
        click.option("--policies", metavar="BOOK", help="A policy book (TOML); default: the standard book."),
        click.option("--as-of", metavar="INSTANT", help="A date or instant in the map's zone; default: now."),
        click.option("--skip-bad", is_flag=True, help="Leave faulty rows out and count them, instead of exit 2."),
        click.option("--fail-on", type=click.Choice(FAIL_ON), multiple=True, help="Exit 1 if there are any."),
    )
    for option in reversed(options):
        command = option(command)
    return common(command)


@crmcore.command()
@_export
@click.option("--csv", "folder", metavar="DIR", help="Also write one list per owner into this folder.")
def day(
    folder: str | None, as_of: str | None, lang: str, *, as_json: bool, fail_on: tuple[str, ...], **files: Any
) -> None:
    """The day's work list: reclaims, reminders, what changes today, owners and their caps."""
    with refusing():
        given = Given(**files)
        now = said_now(as_of, given.columns)
        with given.export() as (applied, export):
            work = ownership.day(applied, given.book.ownership.cap, export, now=now, lang=lang)
        written = None if folder is None else _written(work, lang, folder)
        if as_json:
            write_json(work.sections(), sys.stdout)
        else:
            print_day(work, lang, sys.stdout)
            if written is not None:
                click.echo(WORDS[lang]["written"].format(count=written, folder=folder))
        counts = {**work.counts, "findings": len(given.book.check())}
    _fail(fail_on, counts)


def _written(work: Any, lang: str, folder: str) -> int:
    if not folder.strip():
        _refuse("--csv: names no folder; give one, or drop --csv")
    try:
        return write_lists(work, lang, Path(folder))
    except OSError as error:
        _refuse(f"--csv {folder}: cannot be written: {error.strerror}; give a folder that can be")


@crmcore.command()
@click.argument("key", metavar="ID")
@_export
def explain(key: str, as_of: str | None, lang: str, *, as_json: bool, fail_on: tuple[str, ...], **files: Any) -> None:
    """One decision with its reasons, and when it changes."""
    with refusing():
        given = Given(**files)
        now = said_now(as_of, given.columns)
        with given.export() as (applied, export):
            decision = ownership.explain(applied, export, key, now=now)
        if decision is None:
            line = export.records.skipped_ids.get(key)
            known = {"id": key, "path": files["deals"], "line": line}
            _refuse(WORDS[lang]["not_found" if line is None else "left_out"].format(**known))
        if as_json:
            write_json({"id": key, **decision.record(zone=given.columns.zone)}.items(), sys.stdout)
        else:
            click.echo(f"{key}: {decision.explain(lang, zone=given.columns.zone)}")
            for note in applied.texts(lang):
                click.echo(WORDS[lang]["note"].format(note=note))
        counts = {decision.outcome.value: 1, "findings": len(given.book.check())}
    _fail(fail_on, counts)


def _refuse(text: str) -> NoReturn:
    click.echo(text, err=True)
    sys.exit(BAD_INPUT)


def _fail(fail_on: tuple[str, ...], counts: Any) -> None:
    if any(counts.get(name) for name in fail_on):
        sys.exit(FINDINGS)


# --- books ---


@crmcore.group()
def policy() -> None:
    """Policy books: show, check, schema, pin."""


def _book(path: str | None) -> PolicyBook:
    return PolicyBook.standard() if path is None else PolicyBook.load(path)


@policy.command()
@click.argument("book", required=False)
@common
def show(book: str | None, lang: str, *, as_json: bool) -> None:  # noqa: ARG001 - every command has --lang
    """The book as it was understood, with its digests; the standard book by default."""
    with refusing():
        found = _book(book)
        if as_json:
            write_json(_shown(found).items(), sys.stdout)
            return
        click.echo(f"# digest {found.digest}\n# ownership.reclaim {found.ownership.reclaim.digest}")
        click.echo(found.to_toml(), nl=False)


def _shown(book: PolicyBook) -> dict[str, Any]:
    data = json.loads(json.dumps(book.data(), default=str))
    policies = {"ownership.reclaim": book.ownership.reclaim.digest, "ownership.cap": book.ownership.cap.digest}
    return {"name": book.name, "version": book.version, "digest": book.digest, "policies": policies, "book": data}


@policy.command()
@click.argument("book", required=False)
@common
def check(book: str | None, lang: str, *, as_json: bool) -> None:
    """Findings: what is legal, yet hardly meant; exit 1 if there are any, 2 if the book cannot be read."""
    with refusing():
        findings = _book(book).check()
        if as_json:
            write_json({"findings": [finding.record() for finding in findings]}.items(), sys.stdout)
        else:
            click.echo("\n".join(map(str, findings)) or WORDS[lang]["no_findings"])
    sys.exit(FINDINGS if findings else 0)


@policy.command()
@common
def schema(lang: str, *, as_json: bool) -> None:  # noqa: ARG001 - it is JSON in any language
    """The JSON Schema of a book, for editors and form builders."""
    click.echo(json.dumps(PolicyBook.schema(), indent=2, ensure_ascii=False))


@policy.command()
@click.argument("book")
@common
def pin(book: str, lang: str, *, as_json: bool) -> None:  # noqa: ARG001 - a book is a book in any language
    """The book with imported holidays written out as dates, so that its digest never moves."""
    with refusing():
        found = _book(book)
        if as_json:
            write_json(json.loads(json.dumps(found.data(pin=True), default=str)).items(), sys.stdout)
        else:
            click.echo(found.to_toml(pin=True), nl=False)
