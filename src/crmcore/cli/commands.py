"""The commands: each reads its arguments, calls the library, renders."""

from __future__ import annotations

import json
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from crmcore.book import PolicyBook
from crmcore.cli.analyses import ANALYSES
from crmcore.cli.render import print_day, print_import, print_run, write_json, write_lists
from crmcore.cli.session import BAD_INPUT, FINDINGS, Given, common, read_book, refusing, said_now, watching
from crmcore.cli.stores import GivenStore, at_store, given
from crmcore.cli.words import WORDS
from crmcore.ownership import command as ownership

__all__ = ["crmcore"]

FAIL_ON: Final = ("reclaim", "needs_data", "findings")
RUN_FAIL_ON: Final = (*FAIL_ON, "parked", "left")
FILES: Final = "CSV, TSV, JSON Lines or Parquet; - is standard input."
STORE: Final = "A store, as the URL of its database: sqlite:///crm.db, postgresql+psycopg://user@host/crm."


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="crmcore")
def crmcore() -> None:
    """
    CRM policies on an export or a store.

    Which prospects go back to the pool, which soon will, and why; what customers and products are worth, and whether it
    is getting better.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name that the terminal cannot show is no reason to stop
            stream.reconfigure(errors="backslashreplace")


for _analysis in ANALYSES:
    crmcore.add_command(_analysis)

BOOK = click.option("--policies", metavar="BOOK", help="A policy book (TOML); default: the standard book.")
AS_OF = click.option("--as-of", metavar="INSTANT", help="A date or instant in the map's zone; default: now.")
SKIP_BAD = click.option("--skip-bad", is_flag=True, help="Leave faulty rows out and count them, instead of exit 2.")


def _fail_on(names: tuple[str, ...]) -> Any:
    return click.option("--fail-on", type=click.Choice(names), multiple=True, help="Exit 1 if there are any.")


def _with(command: Any, *options: Any) -> Any:
    for option in reversed(options):
        command = option(command)
    return common(command)


def _judging(command: Any) -> Any:
    """The options of the commands that judge prospects and change nothing."""
    deals = click.option("--deals", metavar="FILE", help=FILES)
    columns = click.option("--map", "map_path", metavar="FILE", help="What its columns mean (TOML).")
    store = click.option("--store", metavar="URL", help=f"Instead of --deals and --map. {STORE}")
    return _with(command, deals, columns, store, BOOK, AS_OF, SKIP_BAD, _fail_on(FAIL_ON))


def _on_store(command: Any) -> Any:
    """The options of the commands that work on a store."""
    store = click.option("--store", required=True, metavar="URL", help=STORE)
    return _with(command, store, BOOK, AS_OF, _fail_on(RUN_FAIL_ON))


@crmcore.command()
@_judging
@click.option("--csv", "folder", metavar="DIR", help="Also write one list per owner into this folder.")
def day(
    folder: str | None, as_of: str | None, lang: str, *, as_json: bool, fail_on: tuple[str, ...], **files: Any
) -> None:
    """The day's work list: reclaims, reminders, what changes today, owners and their caps."""
    with refusing(), given(**files) as found:
        now, cap = said_now(as_of, found.zone, found.formats), found.book.ownership.cap
        with found.source(now) as (applied, source):
            work = ownership.day(applied, cap, source, now=now, lang=lang, zone=found.zone)
        written = None if folder is None else _written(work, lang, folder)
        if as_json:
            write_json(work.sections(), sys.stdout)
        else:
            print_day(work, lang, sys.stdout)
            if written is not None:
                click.echo(WORDS[lang]["written"].format(count=written, folder=folder))
        counts = {**work.counts, "findings": len(found.book.check())}
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
@_judging
def explain(key: str, as_of: str | None, lang: str, *, as_json: bool, fail_on: tuple[str, ...], **files: Any) -> None:
    """One decision with its reasons, and when it changes."""
    with refusing(), given(**files) as found:
        now, zone = said_now(as_of, found.zone, found.formats), found.zone
        with found.source(now) as (applied, source):
            decision = ownership.explain(applied, source, key, now=now)
        if decision is None:
            line = source.records.skipped_ids.get(key) if isinstance(source, ownership.Export) else None
            known = {"id": key, "path": found.name, "line": line}
            _refuse(WORDS[lang]["not_found" if line is None else "left_out"].format(**known))
        if as_json:
            write_json({"id": key, **decision.record(zone=zone)}.items(), sys.stdout)
        else:
            click.echo(f"{key}: {decision.explain(lang, zone=zone)}")
            for note in applied.texts(lang):
                click.echo(WORDS[lang]["note"].format(note=note))
        counts = {decision.outcome.value: 1, "findings": len(found.book.check())}
    _fail(fail_on, counts)


def _refuse(text: str) -> NoReturn:
    click.echo(text, err=True)
    sys.exit(BAD_INPUT)


def _fail(fail_on: tuple[str, ...], counts: Any) -> None:
    if any(counts.get(name) for name in fail_on):
        sys.exit(FINDINGS)


# --- stores ---


@crmcore.command("import")
@click.argument("file")
@click.option("--map", "map_path", required=True, metavar="FILE", help="What its columns mean (TOML).")
@click.option("--store", required=True, metavar="URL", help=STORE)
@BOOK
@AS_OF
@SKIP_BAD
@common
def import_(file: str, store: str, as_of: str | None, lang: str, *, as_json: bool, **given: Any) -> None:
    """Puts the prospects of FILE into a store: CSV, TSV, JSON Lines or Parquet; - is standard input."""
    with refusing():
        found = Given(file, **given)
        now, policies = said_now(as_of, found.zone, found.formats), found.book.ownership
        how: dict[str, Any] = {"now": now, "said_zone": found.said_zone, "lang": lang}
        with watching() as watch, ownership.Spool(found.export(watch)) as spool, at_store(store, create=True) as opened:
            done = ownership.put(opened, spool, policies, **how, progress=watch(opened.name))
        if as_json:
            write_json(done.record().items(), sys.stdout)
        else:
            print_import(done, lang, sys.stdout)


@crmcore.command()
@_on_store
@click.option("--dry-run", is_flag=True, help="Change nothing, and report what would be done.")
def run(store: str, policies: str | None, *, dry_run: bool, **options: Any) -> None:
    """Judges what is due in a store, and takes to the pool what is to be reclaimed."""
    from crmcore.storage import run

    with refusing(), at_store(store) as opened:
        _run(GivenStore(opened, policies), run, options, dry_run=dry_run)


@crmcore.command()
@_on_store
def reindex(store: str, policies: str | None, **options: Any) -> None:
    """Judges anew what has the answer of another policy; nothing is reclaimed."""
    from crmcore.storage import reindex

    with refusing(), at_store(store) as opened:
        _run(GivenStore(opened, policies), reindex, options)


def _run(given: GivenStore, work: Any, options: Any, **how: Any) -> None:
    """A run or a reindex, and its report."""
    lang, applied = options["lang"], given.applied
    now, limits = said_now(options["as_of"], given.zone, given.formats), given.book.ownership.run
    with watching() as watch:
        report = work(given.store, applied.policy, now=now, limits=limits, progress=watch(given.name), **how)
    grace = ownership.grace_notes(given.store, applied.policy, limits, now=now, zone=given.zone, lang=lang)
    notes = [*applied.texts(lang), *grace]
    if options["as_json"]:
        write_json({**report.record(given.zone), "notes": notes}.items(), sys.stdout)
    else:
        print_run(report, given.zone, notes, lang, sys.stdout)
    counts = {**report.judged, "reclaim": report.reclaimed, "parked": report.parked, "left": len(report.left)}
    _fail(options["fail_on"], {**counts, "findings": len(given.book.check())})


# --- books ---


@crmcore.group()
def policy() -> None:
    """Policy books: show, check, schema, pin."""


@policy.command()
@click.argument("book", required=False)
@common
def show(book: str | None, lang: str, *, as_json: bool) -> None:  # noqa: ARG001 - every command has --lang
    """The book as it was understood, with its digests; the standard book by default."""
    with refusing():
        found = read_book(book)
        if as_json:
            write_json(_shown(found).items(), sys.stdout)
            return
        click.echo(f"# digest {found.digest}\n# ownership.reclaim {found.ownership.reclaim.digest}")
        click.echo(found.to_toml(), nl=False)


def _shown(book: PolicyBook) -> dict[str, Any]:
    data = json.loads(json.dumps(book.data(), default=str))
    policies = {"ownership.reclaim": book.ownership.reclaim.digest, "ownership.cap": book.ownership.cap.digest}
    policies |= {f"value.{name}": policy.digest for name, policy in book.value.policies().items()}
    return {"name": book.name, "version": book.version, "digest": book.digest, "policies": policies, "book": data}


@policy.command()
@click.argument("book", required=False)
@common
def check(book: str | None, lang: str, *, as_json: bool) -> None:
    """Findings: what is legal, yet hardly meant; exit 1 if there are any, 2 if the book cannot be read."""
    with refusing():
        findings = read_book(book).check()
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
        found = read_book(book)
        if as_json:
            write_json(json.loads(json.dumps(found.data(pin=True), default=str)).items(), sys.stdout)
        else:
            click.echo(found.to_toml(pin=True), nl=False)
