"""What the command line prints: tables for people, one JSON document for programs, CSV lists for a sales office."""

from __future__ import annotations

import csv
import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import tzinfo
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crmcore.cli.words import WORDS
from crmcore.decisions.codes import ReasonCode
from crmcore.decisions.decision import Decision
from crmcore.decisions.render import clock_text, reason_text
from crmcore.errors import Fault, InvalidFile
from crmcore.ownership.command import Imported
from crmcore.ownership.worklist import Item, WorkList, shown

if TYPE_CHECKING:
    from crmcore.storage import RunReport

__all__ = ["print_day", "print_import", "print_run", "write_json", "write_lists"]

ROWS: Final = 20
WIDTH: Final = 132
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
LIMITS: Final = (ReasonCode.IDLE, ReasonCode.NO_DEAL)


def write_json(document: Iterable[tuple[str, Any]], out: TextIO) -> None:
    """One JSON document; lists that are iterators are written row by row, so that length costs no memory."""
    ascii_only = (out.encoding or "ascii").lower().replace("-", "") not in {"utf8", "utf16", "utf32", "gb18030"}

    text = json.JSONEncoder(ensure_ascii=ascii_only, allow_nan=False, check_circular=False).encode
    lead = "{"
    for key, value in document:
        out.write(f"{lead}\n  {text(key)}: ")
        if isinstance(value, Iterator):
            _write_rows(value, text, out)
        else:
            out.write(text(value))
        lead = ","
    out.write("\n}\n")


def _write_rows(rows: Iterator[Any], text: Any, out: TextIO) -> None:
    lead = "["
    for row in rows:
        out.write(f"{lead}\n    {text(row)}")
        lead = ","
    out.write("[]" if lead == "[" else "\n  ]")


@contextmanager
def console(out: TextIO) -> Iterator[Console]:
    """A console of the terminal's width; elsewhere wide enough for tables, without blanks at the ends of lines."""
    if out.isatty():
        yield Console(file=out, highlight=False)
        return
    page = TextIOWrapper(BytesIO(), encoding=out.encoding or "utf-8", errors="backslashreplace", write_through=True)
    yield Console(file=page, highlight=False, width=WIDTH)  # the encoding decides which lines tables are drawn with
    page.seek(0)
    out.writelines(f"{line.rstrip()}\n" for line in page)


# --- the day ---


def print_day(work: WorkList, lang: str, out: TextIO) -> None:
    """The work list as tables, the first rows of each."""
    with console(out) as screen:
        _print_day(work, lang, screen)


def _print_day(work: WorkList, lang: str, screen: Console) -> None:
    words = WORDS[lang]
    screen.print(words["title"].format(at=clock_text(work.as_of, work.zone), zone=work.zone), style="bold")
    policy = work.policy
    screen.print(Text(words["policy"].format(name=policy.name, version=policy.version, digest=policy.digest[:12])))
    screen.print(words["counts"].format(**work.counts))
    screen.print(words["outcomes"].format(**work.counts))
    capped = [load for load in work.owners if load.over_by is not None]
    if capped:
        over = sum(bool(load.over_by) for load in capped)
        screen.print(words["over"].format(over=over, owners=len(work.owners)))
    for name, heads, rows, total in _tables(work, lang):
        if total:
            screen.print(f"\n{words[name]} ({total})", style="bold")
            screen.print(_table(words, heads, rows, total))
    if not (work.reclaim or work.remind or work.due_today):
        screen.print(words["nothing"])
    _print_notes(work.notes, words, screen)


def _tables(work: WorkList, lang: str) -> Iterator[tuple[str, tuple[str, ...], Iterable[Sequence[Any]], int]]:
    def listed(items: tuple[Item, ...]) -> Iterator[Sequence[Any]]:
        return ([item.id, *_who(item), _deadline(item, work), why(item.decision, lang, work)] for item in items[:ROWS])

    heads = ("id", "owner", "customer", "deadline", "why")
    yield "reclaim", heads, listed(work.reclaim), len(work.reclaim)
    steps = ([item.decision.step, *row] for item, row in zip(work.remind, listed(work.remind), strict=False))
    yield "remind", ("step", *heads), steps, len(work.remind)
    then = WORDS_OF_OUTCOME[lang]
    due = ([key, clock_text(at, work.zone), then[outcome]] for key, at, outcome in work.due_today[:ROWS])
    yield "due_today", ("id", "at", "outcome"), due, len(work.due_today)
    groups = ([", ".join(facts), len(items), _ids(items)] for facts, items in list(work.needs_data.items())[:ROWS])
    yield "needs_data", ("missing", "count", "ids"), groups, len(work.needs_data)
    loads = ([shown(o.owner), o.open, o.cap, o.over_by, o.after_reclaim] for o in _fullest(work)[:ROWS])
    yield "owners", ("owner", "open", "cap", "over_by", "after_reclaim"), loads, len(work.owners)


def _fullest(work: WorkList) -> list[Any]:
    return sorted(work.owners, key=lambda load: (-(load.over_by or 0), -load.open))


WORDS_OF_OUTCOME: Final = {
    "en": {"keep": "keep", "remind": "remind", "reclaim": "reclaim", "needs_data": "needs data"},
    "zh": {"keep": "保留", "remind": "提醒", "reclaim": "回收", "needs_data": "缺少数据"},
}


def _who(item: Item) -> tuple[Any, Any]:
    return shown(item.facts["owner"]), shown(item.facts.get("customer"))


def _deadline(item: Item, work: WorkList) -> str:
    return clock_text(item.decision.deadline, work.zone) if item.decision.deadline else ""


def why(decision: Decision, lang: str, work: WorkList) -> str:
    """The condition behind the decision's rule, in words."""
    limit = next((r for r in decision.reasons if r.rule == decision.rule and r.code in LIMITS), None)
    held = (r for r in decision.reasons if r.code not in LIMITS and r.due == decision.deadline)
    later = next(held, None) if limit is None or limit.due != decision.deadline else None
    return WORDS[lang]["join"].join(
        reason_text(reason, lang, work.zone, brief=True) for reason in (limit, later) if reason
    )


def _ids(items: Sequence[Any]) -> str:
    ids = ", ".join(str(item["id"]) for item in items[:5])
    return f"{ids} …" if len(items) > 5 else ids  # noqa: PLR2004 - as many as are shown


def _table(words: Any, heads: Sequence[str], rows: Iterable[Sequence[Any]], total: int) -> Table:
    caption = words["more"].format(count=total - ROWS) if total > ROWS else None
    table = Table(caption=caption, caption_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in heads:
        justify: Any = "right" if head in NUMBERS else "left"
        table.add_column(words[head], overflow="fold", justify=justify, no_wrap=head in WHOLE)
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    return table


WHOLE: Final = ("id", "deadline", "at", "outcome")
NUMBERS: Final = ("step", "count", "open", "cap", "over_by", "after_reclaim")


# --- stores ---


def print_import(done: Imported, lang: str, out: TextIO) -> None:
    """What became of the prospects of a file."""
    words, put = WORDS[lang], done.put
    with console(out) as screen:
        screen.print(words["imported"].format(new=put.new, changed=put.changed, same=put.same))
        if put.outdated:
            screen.print(words["outdated"].format(count=put.outdated))
        _print_notes(done.notes, words, screen)


def print_run(report: RunReport, zone: tzinfo, notes: Iterable[str], lang: str, out: TextIO) -> None:
    """A report: what was judged and done, what waits and why, who has how many left, what is parked."""
    words, policy = WORDS[lang], report.policy
    title = words["rehearsed" if report.dry_run else "ran"]
    with console(out) as screen:
        screen.print(title.format(at=clock_text(report.as_of, zone), zone=zone), style="bold")
        screen.print(Text(words["policy"].format(name=policy.name, version=policy.version, digest=policy.digest[:12])))
        screen.print(_table(words, ("what", "count"), _run_rows(report, lang), 0))
        left = sorted(report.left.items(), key=lambda item: (-item[1], item[0]))
        for name, heads, rows, total, more in (
            ("left", ("owner", "count"), left, len(left), "more_in_json"),
            ("parked", ("id", "why"), report.faults, report.parked, "more_parked"),
        ):
            if total:
                screen.print(f"\n{words[name]} ({total})", style="bold")
                screen.print(_table(words, heads, rows[:ROWS], 0))
            if total > ROWS:
                screen.print(words[more].format(count=total - ROWS))
        _print_notes(notes, words, screen)


def _run_rows(report: RunReport, lang: str) -> Iterator[tuple[str, int]]:
    """What a report counts, in words; what did not happen only where it would be missed."""
    words = WORDS[lang]
    said = words["join"].join(f"{WORDS_OF_OUTCOME[lang][outcome]} {count}" for outcome, count in report.judged.items())
    yield (words["judged"].format(outcomes=said) if said else words["judged_none"]), sum(report.judged.values())
    for name in ("reclaimed", "messages"):
        yield words[name], getattr(report, name)
    for name in ("in_grace", "over_daily", "waiting", "conflicts"):
        if count := getattr(report, name):
            yield words[name], count
    if report.left:
        yield words["left_over"], sum(report.left.values())
    if report.parked:
        yield words["parked_now"], report.parked


def _print_notes(notes: Iterable[str], words: Any, screen: Console) -> None:
    for note in notes:
        screen.print(Text(words["note"].format(note=note)))


# --- one list per owner ---

HEADS: Final = ("list", "step", "id", "customer", "value", "manager", "deadline", "rule", "why")


def write_lists(work: WorkList, lang: str, folder: Path) -> int:
    """
    One CSV file per owner of open prospects in `folder`, UTF-8 with a byte order mark for Excel; how many were written.

    Who has nothing to do has an empty list, so that none of an earlier run passes for today's. Every file is complete
    before the first takes its place. Raises `InvalidFile` for a file in the way that is no list.
    """
    rows: dict[str, list[list[Any]]] = {str(load.owner): [] for load in work.owners}
    for owner, row in _list_rows(work, lang):
        rows.setdefault(str(owner), []).append(row)
    folder.mkdir(parents=True, exist_ok=True)
    names = _file_names(rows)
    in_the_way = [folder / name for name in names.values() if (folder / name).exists() and not _is_list(folder / name)]
    if in_the_way:
        problem, remedy = "is no list of ours, and would be overwritten", "move it away, or give another folder"
        raise InvalidFile("--csv", tuple(Fault(str(path), None, problem, remedy) for path in in_the_way))
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for owner, lines in rows.items():
            _write_list(Path(scratch) / names[owner], [WORDS[lang][head] for head in HEADS], lines)
        for name in names.values():
            (Path(scratch) / name).replace(folder / name)
    return len(rows)


def _is_list(path: Path) -> bool:
    """Whether the file is a list of ours, by its first line."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        first = file.readline().decode("utf-8-sig", errors="replace").rstrip()
    return first in {",".join(words[head] for head in HEADS) for words in WORDS.values()}


def _list_rows(work: WorkList, lang: str) -> Iterator[tuple[Any, list[Any]]]:
    for name, items in (("reclaim", work.reclaim), ("remind", work.remind)):
        for item in items:
            facts, decision = item.facts, item.decision
            due = [_deadline(item, work), decision.rule, why(decision, lang, work)]
            yield shown(facts["owner"]), [WORDS[lang][name], decision.step or "", *_shown(facts), *due]
    for missing, group in work.needs_data.items():
        for facts in group:
            row = [WORDS[lang]["needs_data"], "", *_shown(facts), "", "", ", ".join(missing)]
            yield shown(facts["owner"]), row


def _shown(facts: Any) -> list[Any]:
    return [shown(facts.get(key)) for key in ("id", "customer", "value", "manager")]


def _write_list(path: Path, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(heads)
        writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: Any) -> Any:
    """A cell that a spreadsheet takes for text, not for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _file_names(owners: Iterable[str]) -> dict[str, str]:
    """A file name per owner, without what file systems refuse, none twice whatever the case."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for owner in owners:
        stem = re.sub(r'[\x00-\x1f<>:"/\\|?*]+', "_", owner).strip(" .")[:80] or "_"
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem} ({number})"
        taken.add(name.casefold())
        names[owner] = f"{name}.csv"
    return names
