"""
The compiler of deadlines to columns: the same rules as expressions on the caller's own frame.

A row has two deadlines, the earliest and the latest that its facts allow: the same where all is known. Time alone takes
a row from keep to remind to reclaim, so the answer stands where the two agree. Each step below makes columns that the
next may use; null is never: a deadline that does not come, a hold that is not there.
"""

# mypy: disable-error-code="no-any-return"
# narwhals is imported late, so what it makes is Any here; the annotations say Expr for the reader.

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property, reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from crmcore.calendars import OPEN_ENDED, BoundSpan
from crmcore.calendars.pieces import add_pieces, sub_pieces
from crmcore.decisions.codes import Outcome
from crmcore.decisions.frames import ANSWER, OWN, check, check_free, narwhal, narwhals
from crmcore.decisions.limits import Hold, Limit
from crmcore.decisions.moves import Move, Words, chain, in_sql, with_columns
from crmcore.decisions.reach import apart, far

if TYPE_CHECKING:
    from narwhals.stable.v2 import Expr

    from crmcore.decisions.deadlines import Deadlines

__all__ = ["frame"]

OPEN: Final = "open"
WHICH: Final = ("early", "late")
MICROSECOND: Final = timedelta(microseconds=1)
Step = dict[str, Any]
"""Columns by name: each an Expr, or a Move."""


def frame(deadlines: Deadlines, df: Any, now: datetime, prefix: str = "", until: datetime | None = None) -> Any:
    """`df` with the four columns of the answer; the same kind of frame, lazy if it was. Another book holds `until`."""
    given = narwhal(df)
    eager_polars = given.implementation.is_polars() and isinstance(given, narwhals().DataFrame)
    table = given.lazy() if eager_polars else given
    compiler = Compiler(deadlines, table, now, until)
    names = {name: f"{prefix}{name}" for name in ANSWER}
    check_free(tuple(names.values()), compiler.schema)
    for step in compiler.steps():
        table = with_columns(table, {f"{OWN}{name}": column for name, column in step.items()})
    table = with_columns(table, {names[name]: column for name, column in compiler.answer().items()})
    table = table.select(*compiler.schema, *names.values())
    return (table.collect() if eager_polars else table).to_native()


def own(name: str) -> Expr:
    """A column made in an earlier step."""
    return narwhals().col(f"{OWN}{name}")


class Compiler:
    """Expressions for one policy, one frame and one instant."""

    def __init__(self, deadlines: Deadlines, table: Any, now: datetime, until: datetime | None) -> None:
        self.now, self.other_book, self.rules = now, until, deadlines.rules
        self.schema, self.sql = table.collect_schema(), in_sql(table)
        self.horizontal = self.sql or table.implementation.is_polars()
        self.hosts = dict(zip(deadlines.read.facts, deadlines.read.hosts, strict=True))
        self.flag = deadlines.flag_host if deadlines.flag_host in self.schema else None
        self.leads = sorted(self.rules.leads, key=lambda lead: lead.span.nominal, reverse=True)
        self.horizon = self.rules.tolerance.add(now)
        moved = self.rules.appointment
        self.back = moved.within.sub(now) - MICROSECOND if moved else now  # what is over by then stays over
        check(deadlines, self.schema)

    @cached_property
    def views(self) -> dict[str, BoundSpan | None]:
        """The deadline, and beside it one for each lead that is not used for every limit."""
        limits = [span for limit in self.rules.limits for span in limit.spans.values()]
        odd = [lead for lead in self.leads if not all(self.rules.begins(lead, span) for span in limits)]
        return {"": None, **{f"_{lead.span}": lead for lead in odd}}

    def view(self, lead: BoundSpan) -> str:
        """The deadline that a lead is counted from."""
        return f"_{lead.span}" if f"_{lead.span}" in self.views else ""

    def used(self, view: str, limit: Limit) -> list[bool]:
        """Of each span of the limit, whether it makes this deadline."""
        lead = self.views[view]
        return [lead is None or self.rules.begins(lead, span) for span in limit.spans.values()]

    # --- parts ---

    def earlier(self, *instants: Expr) -> Expr:
        """The earliest; null is never."""
        nw = narwhals()
        if self.horizontal and len(instants) > 1:
            return nw.min_horizontal(*instants)
        return reduce(lambda a, b: nw.when(a <= b).then(a).otherwise(nw.coalesce(b, a)), instants)

    def later(self, *instants: Expr) -> Expr:
        """The latest; null is no such instant."""
        nw = narwhals()
        if self.horizontal and len(instants) > 1:
            return nw.max_horizontal(*instants)
        return reduce(lambda a, b: nw.when(a >= b).then(a).otherwise(nw.coalesce(b, a)), instants)

    def never(self) -> Expr:
        """An instant that does not come, in every row."""
        at = own(f"at_{self.rules.holds[0].fact}")
        return narwhals().when(at.is_null()).then(at)  # null, with the type that the column has here

    def text(self, fact: str) -> Expr:
        """A column of codes."""
        nw, host = narwhals(), self.hosts[fact]
        return nw.col(host) if self.schema[host] == nw.String else nw.col(host).cast(nw.String)

    def unknown(self) -> Expr:
        """Whether the flagged fact is said to be unknown."""
        return narwhals().col(self.flag).fill_null(value=False)

    # --- the steps ---

    def steps(self) -> Iterator[Step]:
        """The columns of each step, by their names."""
        yield self.facts()
        yield self.seen()
        yield self.starts()
        yield self.spans()
        yield self.dues()
        yield self.bases()
        yield self.deadlines()
        yield self.numbers()
        yield self.next_ones()
        yield self.begins()
        yield from self.in_order()
        yield self.agreed()
        yield self.rules_met()

    def facts(self) -> Step:
        """Every instant in UTC to the microsecond (a database has no other); none where it is said to be unknown."""
        rules = self.rules
        dated = {*rules.past, *(hold.fact for hold in rules.holds)} | (
            {rules.appointment.fact} if rules.appointment else set()
        )
        found = {fact: self._instant(host) for fact, host in self.hosts.items() if fact in dated}
        if self.flag and rules.flag and rules.flag[1] in found:
            found[rules.flag[1]] = narwhals().when(~self.unknown()).then(found[rules.flag[1]])
        return {f"at_{fact}": at for fact, at in found.items()}

    def _instant(self, host: str) -> Expr:
        nw, dtype = narwhals(), self.schema[host]
        column = nw.col(host)
        if self.sql:
            return column
        column = column if dtype.time_zone == "UTC" else column.dt.convert_time_zone("UTC")
        return column if dtype.time_unit == "us" else column.cast(nw.Datetime("us", "UTC"))

    @property
    def past(self) -> tuple[str, ...]:
        """The facts of the past that the policy reads."""
        return tuple(fact for fact in self.rules.past if fact in self.hosts)

    def seen(self) -> Step:
        """Who is judged at all; past facts that are near enough to count, and when those ahead will be."""
        nw, rules = narwhals(), self.rules
        status, nobody = self.text(rules.gate), nw.col(self.hosts[rules.owner]).is_null()
        opened = (status == OPEN).fill_null(value=False)
        made: Step = {"judged": opened & ~nobody}
        made["kept"] = (opened & nobody) | status.is_in(rules.closed).fill_null(value=False)
        for fact in self.past:
            at = own(f"at_{fact}")
            made[f"near_{fact}"] = nw.when(at <= nw.lit(self.horizon)).then(at)
            made[f"ahead_{fact}"] = self._before(f"at_{fact}", rules.tolerance, self.now)
        return made

    def starts(self) -> Step:
        """From when each limit counts; when a past fact that lies ahead begins to count, or to count otherwise."""
        nw, bounds = narwhals(), []
        for fact in self.past:
            at = own(f"at_{fact}")
            soon = nw.when(at > nw.lit(self.now)).then(at)
            bounds.append(nw.when(at > nw.lit(self.horizon)).then(own(f"ahead_{fact}")).otherwise(soon))
        made = {"bound": self.earlier(*bounds)} if bounds else {}
        for n, limit in enumerate(self.rules.limits):
            made[f"start{n}"] = self.later(*(own(f"near_{fact}") for fact in limit.starts))
        return made

    def spans(self) -> Step:
        """Each start by each of its spans, the end of each hold, and from when an appointment moves a deadline."""
        made: Step = {}
        for n, limit in enumerate(self.rules.limits):
            for k, span in enumerate(limit.spans.values()):
                first = span.cutoff(self.back) - MICROSECOND
                made[f"due{n}_{k}"] = Move(f"{OWN}start{n}", add_pieces(span, first, self.horizon))
        for k, hold in enumerate(self.rules.holds):
            if hold.span:
                made[f"end{k}"] = self._after(self._held(hold), hold.span)
        if rule := self.rules.appointment:
            made["moves_from"] = self._before(f"at_{rule.fact}", rule.within, self.back, OPEN_ENDED)
        return made

    def _held(self, hold: Hold) -> str:
        return f"near_{hold.fact}" if hold.fact in self.past else f"at_{hold.fact}"

    def _after(self, column: str, span: BoundSpan) -> Move:
        """The span added, however far ahead; what is over by `back` is known only to be over."""
        first = span.cutoff(self.back) - MICROSECOND
        return Move(
            f"{OWN}{column}", far(add_pieces, span, first, max(lead.add(self.now) for lead in (*self.leads, span)))
        )

    def _before(self, column: str, span: BoundSpan, after: datetime, beyond: datetime | None = None) -> Move:
        """The span taken away; what comes out at `after` or before is known only to do so."""
        first = span.add(after)
        return Move(f"{OWN}{column}", far(sub_pieces, span, first - MICROSECOND, first, beyond))

    def dues(self) -> Step:
        """When each limit is due, at the earliest and at the latest that a row leaves open; the ends of the holds."""
        made: Step = {}
        for view in self.views:
            for n, limit in enumerate(self.rules.limits):
                made[f"due_early{n}{view}"], late = self._by_code(n, limit, self.used(view, limit))
                flagged = self.flag and limit.unknown_flag
                made[f"due_late{n}{view}"] = narwhals().when(~self.unknown()).then(late) if flagged else late
        return {**made, **{f"end{k}": self._end(k, hold) for k, hold in enumerate(self.rules.holds)}}

    def _by_code(self, n: int, limit: Limit, used: Sequence[bool]) -> tuple[Expr, Expr]:
        """The start by the span of its code; of a code that is not listed by the shortest and by the longest."""
        late = {code: own(f"due{n}_{k}") if used[k] else self.never() for k, code in enumerate(limit.spans)}
        early = {code: self._at_once(due) if used[k] else due for k, (code, due) in enumerate(late.items())}
        if None in limit.spans:
            ends = early[None], late[None]
        else:
            ends = self.earlier(*early.values()), self.later(*late.values())
        return self._chosen(limit, early, ends[0]), self._chosen(limit, late, ends[1])

    def _chosen(self, limit: Limit, dues: Mapping[str | None, Expr], rest: Expr) -> Expr:
        if limit.by is None:
            return rest
        code = self.text(limit.by)
        return chain([(code == name, due) for name, due in dues.items() if name is not None], rest)

    def _at_once(self, due: Expr) -> Expr:
        """A limit that counts from nobody knows when may be due by now."""
        return narwhals().coalesce(due, narwhals().lit(self.back))

    def _end(self, k: int, hold: Hold) -> Expr:
        at = own(self._held(hold))
        if hold.span is None:
            return at
        return narwhals().when(at >= narwhals().lit(OPEN_ENDED)).then(at).otherwise(own(f"end{k}"))

    def bases(self) -> Step:
        """The earliest limit of each deadline; the latest hold."""
        made: Step = {"floor": self.later(*(own(f"end{k}") for k, _ in enumerate(self.rules.holds)))}
        for view in self.views:
            for which in WHICH:
                dues = [own(f"due_{which}{n}{view}") for n, _ in enumerate(self.rules.limits)]
                made[f"base_{which}{view}"] = self.earlier(*dues) if dues else self.never()
        return made

    def deadlines(self) -> Step:
        """Held back by the latest hold, for good if it has no end; moved to an appointment shortly after."""
        nw, floor, made = narwhals(), own("floor"), {}
        ending = nw.when(floor < nw.lit(OPEN_ENDED)).then(floor)
        for name in (f"{which}{view}" for which in WHICH for view in self.views):
            base = own(f"base_{name}")
            made[name] = self._moved(nw.when(floor > base).then(ending).otherwise(base))
        return made

    def _moved(self, deadline: Expr) -> Expr:
        rule, nw = self.rules.appointment, narwhals()
        if rule is None:
            return deadline
        at = own(f"at_{rule.fact}")
        shortly = (at > nw.lit(self.now)) & (deadline < at) & (deadline >= own("moves_from"))
        return nw.when(shortly).then(at).otherwise(deadline)

    def numbers(self) -> Step:
        """The answer of each deadline as a number: 0 is keep, then how many reminders have begun, then reclaim."""
        nw, made = narwhals(), {}
        for which in WHICH:
            begun = [own(f"{which}{self.view(lead)}") <= nw.lit(lead.add(self.now)) for lead in self.leads]
            reminders = reduce(lambda a, b: a + b, (self.number_of(each) for each in begun), nw.lit(0))
            passed = own(which) <= nw.lit(self.now)
            made[f"number_{which}"] = nw.when(passed).then(nw.lit(len(self.leads) + 1)).otherwise(reminders)
        return made

    def number_of(self, condition: Expr) -> Expr:
        """1 where the condition holds, else 0."""
        return narwhals().when(condition).then(narwhals().lit(1)).otherwise(narwhals().lit(0))

    def next_ones(self) -> Step:
        """The deadline that tells the next change: the early one goes on first, else the late one catches up."""
        agree = own("number_early") == own("number_late")
        return {
            f"next{view}": narwhals().when(agree).then(own(f"early{view}")).otherwise(own(f"late{view}"))
            for view in self.views
        }

    def begins(self) -> Step:
        """When each reminder begins."""
        return {
            f"{which}{k}": self._before(f"{which}{self.view(lead)}", lead, self.now)
            for which in ("early", "next")
            for k, lead in enumerate(self.leads)
            if k > 0 or which == "next" or not self.ordered
        }

    @property
    def ordered(self) -> bool:
        """Whether the reminders begin in the same order in every row."""
        return len(self.views) == 1 and all(apart(a, b) for a, b in pairwise(self.leads))

    def in_order(self) -> Iterator[Step]:
        """The reminders of each row in the order in which they begin there: 3d or 2wd first, the weekend says."""
        if self.ordered:
            return
        both = ("early", "next")
        yield {name: self.earlier(own(name), own(which)) for which in both for name in self.names(which)[:-1]}
        for turn, _ in enumerate(self.leads):
            made: Step = {}
            for k in range(turn % 2, len(self.leads) - 1, 2):
                for which in both:
                    pair = own(f"{which}{k}"), own(f"{which}{k + 1}")
                    made |= {f"{which}{k}": self.earlier(*pair), f"{which}{k + 1}": self.later(*pair)}
            yield made

    def names(self, which: str) -> list[str]:
        """The columns of the reminders, in order, and of the deadline."""
        return [*(f"{which}{k}" for k, _ in enumerate(self.leads)), which]

    def agreed(self) -> Step:
        """The number where the two agree, then needs data; -1 is no answer. When it changes."""
        nw, judged, early = narwhals(), own("judged"), own("number_early")
        open_question, none = nw.lit(len(self.leads) + 2), nw.lit(-1)
        agreed = nw.when(early == own("number_late")).then(early).otherwise(open_question)
        bounds = [*([own("bound")] if self.past else []), *([nw.lit(self.other_book)] if self.other_book else [])]
        return {
            "number": chain([(judged, agreed), (own("kept"), nw.lit(0))], none),
            "change": self.earlier(self._change(), *bounds),
        }

    def _change(self) -> Expr:
        """The first of the instants to come; one of the late deadline only if the early one has not gone on by then."""
        now = narwhals().lit(self.now)
        *coming, last = [own(name) for name in self.names("next")]
        goes_on = [own(name) for name in self.names("early")[1:]]
        begin = [((at > now) & (on > at), at) for at, on in zip(coming, goes_on, strict=True)]
        return chain([*begin, (last > now, last)])

    # --- the answer ---

    def rules_met(self) -> Step:
        """The number of the first limit that surely is due: now, or at the soonest reminder begun; -1 is none."""
        nw, number, limits = narwhals(), own("number"), range(len(self.rules.limits))

        def due(at: datetime, view: str) -> Expr:
            return chain(
                [(own(f"due_late{n}{view}") <= nw.lit(at), narwhals().lit(n)) for n in limits], narwhals().lit(-1)
            )

        count = len(self.leads)
        reminded = (number > 0) & (number <= count)
        arms = [(number == count + 1, due(self.now, ""))]
        for lead in sorted(self.rules.leads, key=lambda lead: lead.add(self.now)):
            at, view = lead.add(self.now), self.view(lead)
            arms.append((reminded & (own(f"late{view}") <= nw.lit(at)), due(at, view)))
        return {"met": chain(arms, narwhals().lit(-1))}

    def answer(self) -> Step:
        """The four columns."""
        nw, number, count = narwhals(), own("number"), len(self.leads)
        words = (Outcome.KEEP, *(Outcome.REMIND for _ in self.leads), Outcome.RECLAIM, Outcome.NEEDS_DATA)
        reminded = (number > 0) & (number <= count)
        return {
            "outcome": Words(f"{OWN}number", tuple(word.value for word in words)),
            "step": nw.when(reminded).then(number).otherwise(nw.lit(0)).cast(nw.Int64),
            "rule": Words(f"{OWN}met", tuple(limit.rule for limit in self.rules.limits)),
            "next_change_at": nw.when(own("judged")).then(own("change")),
        }
