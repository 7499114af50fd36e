"""Classes, scores, metrics, ratios and migrations as tables for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, TextIO

import attrs
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crmcore.analysis.assortment import Assortment
from crmcore.analysis.command import MetricsReport, RatioReport
from crmcore.analysis.metrics import PeriodMetrics
from crmcore.analysis.values import Ratio
from crmcore.calendars import Span
from crmcore.cli.analysis_words import WORDS
from crmcore.cli.render import console
from crmcore.decisions.render import clock_text, span_text
from crmcore.sales.figures import rounded
from crmcore.value.classes import AbcPolicy, Classes
from crmcore.value.command import ClassReport, MigrationReport, ScoreReport
from crmcore.value.cuts import NEGATIVE, ZERO
from crmcore.value.migration import GONE, NEW, Migration

__all__ = ["Page", "note_texts", "print_classes", "print_metrics", "print_migrations", "print_ratios", "print_scores"]

TEXTS: Final = ("class", "key", "segment", "period", "product", "advice", "from", "corner")
"""The columns whose cells stand on the left."""
OUTSIDE: Final = (ZERO, NEGATIVE)
WRAPPED: Final = ("advice", "key", "product", "segment")
GAP: Final = 3
"""Between two columns."""
LEAST: Final = 43
"""What a column of words needs, if it has so many."""


def note_texts(notes: Iterable[tuple[str, dict[str, Any]]], lang: str) -> tuple[str, ...]:
    """Notes in words."""
    words = WORDS[lang]
    return tuple(words[code].format(**_worded(said, lang)) for code, said in notes)


def _worded(said: dict[str, Any], lang: str) -> dict[str, Any]:
    """What the words need, codes in words."""
    words = WORDS[lang]
    if "measures" in said:
        measures = words["join"].join(words[name] for name in said["measures"])
        return {**said, "measures": measures, "why": words[f"why.{said['why']}"]}
    return said


@attrs.frozen
class Page:
    """Where tables go: the language, decimal places of amounts, and how many rows of a long table are shown."""

    screen: Console
    lang: str
    places: int
    top: int

    @classmethod
    @contextmanager
    def on(cls, out: TextIO, lang: str, places: int, top: int) -> Iterator[Page]:
        """A page that ends up on `out`."""
        with console(out) as screen:
            yield cls(screen, lang, places, top)

    def say(self, code: str, *, style: str = "", lead: str = "", **values: Any) -> None:
        """One line of words."""
        self.screen.print(Text(lead + WORDS[self.lang][code].format(**values), style=style))

    def head(self, code: str, **values: Any) -> None:
        """The head of a table."""
        self.say(code, style="bold", lead="\n", **values)

    def table(
        self, heads: Sequence[str], rows: Iterable[Sequence[Any]], *, total: int = 0, names: Sequence[str] = ()
    ) -> None:
        """
        A table, its columns headed by the words of `heads`; `total`: of how many rows.

        Those of the `names` stand as they are: a class may be called as a word is.
        """
        words = WORDS[self.lang]
        cells = [tuple(words["none"] if cell is None else str(cell) for cell in row) for row in rows]
        titles = [head if head in names else words.get(head, head) for head in heads]
        for number, places in enumerate(self._fitting(heads, [titles, *cells])):
            if number:
                self.screen.print()
            table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
            for place in places:
                justify: Any = "left" if heads[place] in TEXTS else "right"
                table.add_column(titles[place], overflow="fold", justify=justify, no_wrap=heads[place] not in WRAPPED)
            for row in cells:
                if not number or any(row[place] for place in places[1:]):
                    table.add_row(*(Text(_printable(row[place])) for place in places))
            self.screen.print(table)
        if total > self.top:
            self.say("more", count=total - self.top, total=total)

    def _fitting(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[int]]:
        """The places of the columns of as many tables as fit side by side; each begins with the first column."""
        widths = [max(map(cell_len, column)) + GAP for column in zip(*rows, strict=True)]
        widths = [min(width, LEAST) if head in WRAPPED else width for head, width in zip(heads, widths, strict=True)]
        tables, left = [[0]], self.screen.width - widths[0]
        for place, width in enumerate(widths[1:], 1):
            if width > left and tables[-1] != [0]:
                tables.append([0])
                left = self.screen.width - widths[0]
            tables[-1].append(place)
            left -= width
        return tables

    def notes(self, notes: Iterable[str]) -> None:
        """The notes, at the end."""
        for note in notes:
            self.say("note", note=note)

    # --- figures ---

    def amount(self, value: Decimal | Fraction | None) -> str | None:
        """An amount, rounded half away from zero, with commas between the thousands."""
        if value is None:
            return None
        return f"{rounded(value, self.places):,f}"

    def percent(self, value: Fraction | Ratio | None) -> str | None:
        """A share as a percentage."""
        value = value.value if isinstance(value, Ratio) else value
        return None if value is None else WORDS[self.lang]["percent"].format(value=float(value * 100))

    def number(self, value: Fraction | Ratio | None) -> str | None:
        """A figure to two places."""
        value = value.value if isinstance(value, Ratio) else value
        return None if value is None else f"{float(value):,.2f}"

    def kind(self, kind: str) -> str:
        """A kind of period."""
        return WORDS[self.lang][kind]


def _printable(text: str) -> str:
    """What would move the cursor, or colour the screen, as blanks: names come from a file."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _count(value: int) -> str:
    return f"{value:,}"


# --- abc ---


def print_classes(report: ClassReport, policy: AbcPolicy, notes: Iterable[str], page: Page) -> None:
    """The classes, and the customers with the greatest values."""
    found = report.classes
    page.say("abc", style="bold", customers=_count(len(found.rows)), total=page.amount(found.total))
    _policy(found, page)
    _cuts("abc.cuts", policy, page)
    heads = ("class", "customers", "value", "share_value", "expected_value", "share_customers", "expected_customers")
    page.screen.print()
    page.table(heads, _class_rows(found, page))
    if found.gini is not None:
        page.say("abc.gini", gini=page.number(found.gini))
    if shown := found.rows[: page.top]:
        page.head("abc.rows")
        rows = (
            (number, row.key, page.amount(row.value), page.percent(row.cumulative), row.class_)
            for number, row in enumerate(shown, 1)
        )
        page.table(("rank", "key", "value", "cumulative", "class"), rows, total=len(found.rows))
    page.notes(notes)


def _class_rows(found: Classes, page: Page) -> Iterator[Sequence[Any]]:
    words = WORDS[page.lang]
    for label, share in found.classes.items():
        outside = label in OUTSIDE
        if outside and not share.customers:
            continue
        yield (
            words[f"class.{label}"] if outside else label,
            _count(share.customers),
            page.amount(share.value),
            page.percent(share.share_value),
            page.percent(share.expected_value),
            page.percent(share.share_customers),
            page.percent(share.expected_customers),
        )


def _policy(found: Classes, page: Page) -> None:
    ref = found.policy
    page.say("policy", name=ref.name, version=ref.version, digest=ref.digest[:12])


def _cuts(code: str, policy: AbcPolicy, page: Page, *, style: str = "", **values: Any) -> None:
    cuts = " / ".join(format(cut, "f") for cut in policy.percentages)
    straddle = WORDS[page.lang][f"straddle.{policy.straddle}"]
    page.say(code, style=style, cuts=cuts, straddle=straddle, **values)


# --- rfm ---


def print_scores(report: ScoreReport, zone: tzinfo, notes: Iterable[str], page: Page) -> None:
    """The segments, the grid of recency and frequency, and the first customers."""
    found, ref = report.scores, report.policy.ref
    at = clock_text(found.as_of, zone)  # type: ignore[arg-type]  # the command gives an instant
    page.say("rfm", style="bold", at=at, zone=zone, n=_count(found.n))
    page.say("policy", name=ref.name, version=ref.version, digest=ref.digest[:12])
    if found.n:
        segments = sorted(found.segments.items(), key=lambda each: -each[1])
        titles = report.policy.segments.title
        rows = ((titles(name, page.lang), _count(n), page.percent(Fraction(n, found.n))) for name, n in segments if n)
        page.head("rfm.segments")
        page.table(("segment", "customers", "share"), rows)
        page.head("rfm.grid")
        scores = range(1, report.policy.scoring.k + 1)
        page.table(("corner", *map(str, scores)), _grid(report, scores))
        page.head("rfm.rows")
        _score_rows(report, page)
    page.notes(notes)


def _grid(report: ScoreReport, scores: range) -> Iterator[Sequence[Any]]:
    counts: dict[tuple[int, int], int] = {}
    for row in report.scores.rows:
        counts[row.r, row.f] = counts.get((row.r, row.f), 0) + 1
    for r in reversed(scores):
        yield r, *(_count(counts[r, f]) if (r, f) in counts else "·" for f in scores)


def _score_rows(report: ScoreReport, page: Page) -> None:
    rows, title = report.scores.rows, report.policy.segments.title
    shown = rows[: page.top]
    cells = (
        (
            row.key,
            row.r,
            row.f,
            row.m,
            row.recency_days,
            row.frequency,
            page.amount(row.monetary),
            title(row.segment, page.lang),
        )
        for row in shown
    )
    heads = ("key", "r", "f", "m", "recency_days", "frequency", "monetary", "segment")
    page.table(heads, cells, total=len(rows))


# --- metrics ---


def print_metrics(report: MetricsReport, notes: Iterable[str], page: Page) -> None:
    """One row per period, of all customers and segment by segment."""
    found = report.metrics
    lost_after = ", ".join(span_text(Span(text), page.lang) for text in found.lost_after)
    page.say("metrics", style="bold", kind=page.kind(found.period_kind), lost_after=lost_after)
    if found.periods:
        _periods(found.periods, page)
    for segment, rows in found.segments.items():
        page.head("metrics.no_segment" if segment is None else "metrics.segment", segment=segment)
        _periods(rows, page)
    page.notes(notes)


COUNTS: Final = ("start", "new", "returned", "lost", "end")


def _periods(rows: Sequence[PeriodMetrics], page: Page) -> None:
    cells = (
        (
            row.period,
            *(_count(getattr(row, name)) for name in COUNTS),
            page.percent(row.growth),
            page.percent(row.churn),
            _count(row.orders),
            page.amount(row.sales),
            page.amount(row.average_order.value),
            page.number(row.frequency),
        )
        for row in rows
    )
    page.table(("period", *COUNTS, "growth", "churn", "orders", "sales", "average_order", "frequency"), cells)


# --- ratios ---


def print_ratios(report: RatioReport, notes: Iterable[str], page: Page) -> None:
    """One table per period: what a product earns and turns, and what to do about it."""
    for number, table in enumerate(report.tables):
        period = "" if table.period is None else WORDS[page.lang]["ratios.period"].format(period=table.period)
        basis = WORDS[page.lang][f"basis.{table.basis}"]
        said = {"products": _count(len(table.rows)), "sales": page.amount(table.totals.sales), "basis": basis}
        page.say("ratios", style="bold", lead="\n" if number else "", period=period, **said)
        if table.rows:
            _products(table, page)
    page.notes(notes)


RATIOS: Final[tuple[tuple[str, str], ...]] = (
    ("margin_rate", "percent"),
    ("turnover", "number"),
    ("cross_ratio", "number"),
    ("contribution_ratio", "number"),
    ("gmroi", "number"),
    ("plan_met", "percent"),
)
"""With how they are shown."""


def _products(table: Assortment, page: Page) -> None:
    shown = table.rows[: page.top]
    # What no row has is no column.
    columns = [(name, how) for name, how in RATIOS if any(getattr(row, name).value is not None for row in table.rows)]

    def ratios(row: Any) -> Iterator[str | None]:
        for name, how in columns:
            show: Callable[[Ratio], str | None] = getattr(page, how)
            yield show(getattr(row, name))

    rows = [
        (row.product, page.amount(row.sales), page.percent(row.sales_share), *ratios(row), row.text(page.lang))
        for row in shown
    ]
    totals = table.totals
    rows.append((WORDS[page.lang]["all"], page.amount(totals.sales), "", *ratios(totals), ""))
    heads = ("product", "sales", "sales_share", *(name for name, _ in columns), "advice")
    page.table(heads, rows, total=len(table.rows))


# --- migration ---


def print_migrations(report: MigrationReport, kind: str, notes: Iterable[str], page: Page) -> None:
    """A matrix from each period to the next, and from the first to the last."""
    _cuts("migration", report.policy, page, style="bold", kind=page.kind(kind))
    for step in report.steps:
        _matrix(step, "", page)
    if (whole := report.whole) is not None:
        _matrix(whole, WORDS[page.lang]["migration.whole"], page)
    page.notes(notes)


def _matrix(step: Migration, lead: str, page: Page) -> None:
    counts = {name: _count(getattr(step, name)) for name in ("up", "down", "stayed", "new", "gone")}
    page.say("migration.step", style="bold", lead=f"\n{lead}", from_=step.from_, to=step.to, **counts)
    words = WORDS[page.lang]
    labels = [label for label in step.labels if label not in OUTSIDE or step.row_sum(label) or step.column_sum(label)]
    columns = (*labels, GONE)
    rows: list[Sequence[Any]] = [
        (
            words["new"] if row == NEW else row,
            *(_count(step.count(row, column)) for column in columns),
            _count(step.row_sum(row)),
        )
        for row in (*labels, NEW)
    ]
    sums = [step.column_sum(column) for column in columns]
    rows.append((words["sum"], *map(_count, sums), _count(sum(sums))))
    page.table(("from", *labels, "gone", "sum"), rows, names=labels)
