"""The commands that read sales or products from a file: abc, rfm, metrics, ratios, migration."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar, get_args

import attrs
import click

from crmcore.analysis import command as analysis
from crmcore.cli import analysis_render as render
from crmcore.cli.analysis_words import WORDS
from crmcore.cli.render import write_json
from crmcore.cli.session import common, read_book, refusing, said_now, watching
from crmcore.errors import Fault, InvalidFile, InvalidPolicy, InvalidSpan, SpanNeeds
from crmcore.files import FactSpec, Progress, Records
from crmcore.sales.periods import PeriodKind, Periods
from crmcore.sales.records import AMOUNT, CUSTOMER, DATE, ORDER, QUANTITY, SALES, SEGMENT, Layout, SaleFile
from crmcore.value import command as value
from crmcore.value.classes import AbcPolicy
from crmcore.value.presets import PRESETS

__all__ = ["ANALYSES"]

C = TypeVar("C", bound=Callable[..., Any])
Options = Callable[[C], C]

PLACES: Final = 6
TOP: Final = 20
KINDS: Final = get_args(PeriodKind)
BASES: Final = ("retail", "cost", "mixed")
SHAPE: Final = ("encoding", "delimiter", "zone")
IN_MAP: Final = ("[time]", "[file]", "[values]")
"""A remedy with one of these tables is to be written into a map."""


# --- options ---


def _option(*names: str, **how: Any) -> Any:
    return click.option(*names, **how)


def _column(role: FactSpec, what: str) -> Any:
    return click.option(role.option, role.name, metavar="COLUMN", help=f"The column with {what}.")


KEY: Final = _column(CUSTOMER, "the customer, or whatever is counted; default: customer")
ON: Final = _column(DATE, "the date of the sale; default: date")
VALUE: Final = _column(AMOUNT, "the net amount, returns negative; default: amount")
ORDERED: Final = _column(ORDER, "the order that a line belongs to; else each line is one")
TIMES: Final = _column(QUANTITY, "what the amount is multiplied with, where it is a price")
PART: Final = _column(SEGMENT, "the segment, for metrics of each")
BOOK: Final = _option("--policies", metavar="BOOK", help="A policy book (TOML); default: the standard book.")
MAP: Final = _option("--map", "map_path", metavar="FILE", help="What the file means (TOML), columns too.")
CUTS: Final = _option("--cuts", metavar="75,95", help="Cumulative percentages, or a preset: s1, s4.")
STRADDLE: Final = _option("--straddle", metavar="upper|lower|nearest", help="Where those go who cross a cut.")
TIES: Final = _option("--ties", metavar="together|stable", help="Equal values as one block, or one by one by key.")
LABELS: Final = _option("--labels", metavar="A,B,C", help="Names of the classes, one more than cuts.")
AS_OF: Final = _option("--as-of", metavar="INSTANT", help="A date or instant in the zone; default: now.")
PLOT: Final = _option("--plot", metavar="FILE", help="Also draw it: .svg, .png or .html (extra: report).")
PERIOD: Final = _option(
    "--period", "kind", metavar="|".join(KINDS), default="month", show_default=True, help="How long a period is."
)
READ: Final = (
    MAP,
    _option("--encoding", metavar="NAME", help="Of the file; default: the map's, else utf-8."),
    _option("--delimiter", metavar="CHARACTER", help="Of the file; default: the map's, else a comma."),
    _option("--zone", metavar="ZONE", help="Whose days and clocks; default: the map's, else UTC."),
    _option("--skip-bad", is_flag=True, help="Leave faulty lines out and count them, instead of exit 2."),
)
SHOWN: Final = (
    _option(
        "--places", type=click.IntRange(0, PLACES), default=2, show_default=True, help="Decimal places of amounts."
    ),
    _option("--top", type=click.IntRange(0), default=TOP, show_default=True, help="How many rows tables show."),
)


def _with(*options: Any) -> Callable[[C], C]:
    """A command on a FILE with these options and those that all have."""

    def decorate(command: C) -> C:
        for option in reversed((*options, *READ, *SHOWN)):
            command = option(command)
        return common(click.argument("file")(command))

    return decorate


# --- what all do ---


@contextmanager
def _refusing(map_path: str | None) -> Iterator[None]:
    """As `refusing`; parameters of policies are called what they are called here, and a map is named where none is."""
    with refusing():
        try:
            yield
        except InvalidPolicy as error:
            error.key = f"--{error.key.replace('_', '-')}"
            raise
        except SpanNeeds as error:
            fault = Fault("argument", error.span, f"needs a {error.needs}", "write it in d, w, mo or h")
            raise InvalidFile("--lost-after", (fault,)) from None
        except InvalidSpan as error:
            fault = Fault("argument", error.text, f"is no span: {error.hint}")
            raise InvalidFile("--lost-after", (fault,)) from None
        except InvalidFile as error:
            if map_path is None:
                error.faults = tuple(map(_with_map, error.faults))
            raise


def _with_map(fault: Fault) -> Fault:
    if not any(table in fault.remedy for table in IN_MAP):
        return fault
    told = (f"or say --{name}" for name in SHAPE if f"write {name} = " in fault.remedy)
    return attrs.evolve(fault, remedy="; ".join((fault.remedy, *told, "a map is a file that --map names")))


def _layout(roles: Iterable[FactSpec], given: dict[str, Any], known: Iterable[FactSpec] = SALES) -> Layout:
    named = {role.name: given.get(role.name) for role in known}
    shape = {name: given[name] for name in SHAPE}
    return Layout.of(roles, named, known=known, map_path=given["map_path"], **shape)


@contextmanager
def _progress(file: str) -> Iterator[Progress | None]:
    from rich.progress import DownloadColumn  # here, so that a missing `rich` is told by its name

    with watching(DownloadColumn()) as watch:
        yield watch(os.path.basename(file))  # noqa: PTH119 - "-" is no path


@contextmanager
def _sales(file: str, layout: Layout, *, skip_bad: bool) -> Iterator[SaleFile]:
    with _progress(file) as progress:
        yield SaleFile(file, layout, skip_bad=skip_bad, progress=progress)


def _show(report: Any, shown: dict[str, Any], show: Callable[[tuple[str, ...], render.Page], None]) -> None:
    """A report as JSON, or as tables."""
    lang = shown["lang"]
    notes = render.note_texts(report.notes(), lang)
    if shown["as_json"]:
        write_json(report.sections(notes), sys.stdout)
        return
    with render.Page.on(sys.stdout, lang, shown["places"], shown["top"]) as page:
        show(notes, page)


class _Plot:
    """The plot that an option asks for: refused before the work if it cannot be, drawn before anything is printed."""

    def __init__(self, path: str | None, lang: str) -> None:
        self._path, self._lang = path, lang
        if path is not None:
            from crmcore.report import check_plot

            check_plot(path)

    def draw(self, what: Any) -> None:
        """Draws it, if asked, and if there is anything to draw."""
        if what is None:
            self._path = None
        if self._path is not None:
            from crmcore.report import draw

            draw(what, self._path, lang=self._lang)

    def say(self, *, as_json: bool) -> None:
        """Says where it is."""
        if self._path is not None and not as_json:
            click.echo(WORDS[self._lang]["plotted"].format(path=self._path))


# --- abc, migration ---


def _abc_policy(given: dict[str, Any]) -> AbcPolicy:
    base = read_book(given["policies"]).value.abc
    said: dict[str, Any] = {}
    if (cuts := given["cuts"]) is not None:
        named = cuts in PRESETS or cuts[:1].isalpha() or not cuts.strip()
        said = {"cuts": cuts if named else _listed(cuts), "labels": None}
    if given["straddle"] is not None:
        said["straddle"] = given["straddle"]
    if given["ties"] is not None:
        said["ties"] = given["ties"]
    if given["labels"] is not None:
        said["labels"] = _listed(given["labels"])
    if said:  # it is the book's no more
        said |= {"name": "", "version": "unversioned"}
    return attrs.evolve(base, **said)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


@click.command("abc")
@_with(KEY, VALUE, TIMES, CUTS, STRADDLE, TIES, LABELS, BOOK, PLOT)
def abc(file: str, plot: str | None, **given: Any) -> None:
    """Classes of customers by their part in all sales; FILE: CSV, TSV, JSON Lines, Parquet, or - for standard input."""
    with _refusing(given["map_path"]):
        drawing, policy = _Plot(plot, given["lang"]), _abc_policy(given)
        with _sales(file, _layout((CUSTOMER, AMOUNT, QUANTITY), given), skip_bad=given["skip_bad"]) as sales:
            report = value.classed(sales, policy, places=given["places"])
        drawing.draw(report.classes)
        _show(report, given, lambda notes, page: render.print_classes(report, policy, notes, page))
        drawing.say(as_json=given["as_json"])


@click.command("migration")
@_with(KEY, ON, VALUE, TIMES, PERIOD, CUTS, STRADDLE, TIES, LABELS, BOOK, PLOT)
def migration(file: str, kind: str, plot: str | None, **given: Any) -> None:
    """Who moved between ABC classes from period to period, and from the first to the last."""
    with _refusing(given["map_path"]):
        drawing, policy = _Plot(plot, given["lang"]), _abc_policy(given)
        layout = _layout((CUSTOMER, DATE, AMOUNT, QUANTITY), given)
        periods = Periods(kind, layout.map.zone)
        with _sales(file, layout, skip_bad=given["skip_bad"]) as sales:
            report = value.migrated(sales, policy, periods)
        drawing.draw(report.whole or next(iter(report.steps), None))
        _show(report, given, lambda notes, page: render.print_migrations(report, periods.kind, notes, page))
        drawing.say(as_json=given["as_json"])


# --- rfm ---


@click.command("rfm")
@_with(KEY, ON, VALUE, ORDERED, TIMES, AS_OF, BOOK, PLOT)
def rfm(file: str, as_of: str | None, policies: str | None, plot: str | None, **given: Any) -> None:
    """How recently, how often and for how much customers bought: scores 1 to 5 and segments."""
    with _refusing(given["map_path"]):
        drawing = _Plot(plot, given["lang"])
        policy = read_book(policies).value.rfm
        layout = _layout((CUSTOMER, DATE, AMOUNT, ORDER, QUANTITY), given)
        zone = layout.map.zone
        now = said_now(as_of, zone, layout.map.formats).astimezone(zone)
        with _sales(file, layout, skip_bad=given["skip_bad"]) as sales:
            report = value.scored(sales, policy, as_of=now)
        drawing.draw(report.scores)
        _show(report, given, lambda notes, page: render.print_scores(report, zone, notes, page))
        drawing.say(as_json=given["as_json"])


# --- metrics ---


@click.command("metrics")
@_with(
    KEY,
    ON,
    VALUE,
    ORDERED,
    TIMES,
    PERIOD,
    _option("--lost-after", metavar="SPAN", default="180d", show_default=True, help="Silent so long: lost."),
    PART,
    PLOT,
)
def metrics(file: str, kind: str, lost_after: str, plot: str | None, **given: Any) -> None:
    """Customers won and lost, orders and sales, period by period."""
    with _refusing(given["map_path"]):
        drawing = _Plot(plot, given["lang"])
        layout = _layout((CUSTOMER, DATE, AMOUNT, ORDER, QUANTITY, SEGMENT), given)
        periods = Periods(kind, layout.map.zone)
        with _sales(file, layout, skip_bad=given["skip_bad"]) as sales:
            report = analysis.measured(sales, periods, lost_after=lost_after)
        drawing.draw(report.metrics)
        _show(report, given, lambda notes, page: render.print_metrics(report, notes, page))
        drawing.say(as_json=given["as_json"])


# --- ratios ---


def _product_columns(command: C) -> C:
    for role in reversed(analysis.PRODUCTS):
        command = _column(role, f"the {role.name}; default: {role.name}")(command)
    return command


@click.command("ratios")
@_with(
    _product_columns,
    _option("--period", "label", metavar="TEXT", help="The period of the whole file, where no column says it."),
    _option("--basis", metavar="|".join(BASES), default="retail", show_default=True, help="The prices of the stock."),
    PLOT,
)
def ratios(file: str, label: str | None, basis: str, plot: str | None, **given: Any) -> None:
    """Margin, turnover, cross and contribution ratio of products, and which to push, keep, watch or drop."""
    with _refusing(given["map_path"]):
        drawing = _Plot(plot, given["lang"])
        if label is not None and given["period"] is not None:
            raise click.UsageError("--period and --period-column both say the period; drop one of them")
        roles = [role for role in analysis.PRODUCTS if label is None or role.name != "period"]
        layout = _layout(roles, given, known=analysis.PRODUCTS)
        with _progress(file) as progress:
            records = Records(file, layout.map, layout.roles, skip_bad=given["skip_bad"], progress=progress)
            report = analysis.assorted(records, period=label, basis=basis)
        drawing.draw(last := report.tables[-1])
        _show(report, given, lambda notes, page: render.print_ratios(report, notes, page))
        drawing.say(as_json=given["as_json"])
        if plot is not None and len(report.tables) > 1 and not given["as_json"]:
            click.echo(WORDS[given["lang"]]["ratios.plotted"].format(period=last.period))


ANALYSES: Final = (abc, rfm, metrics, ratios, migration)
"""In the order in which the help lists them."""
