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
from datetime import datetime
from functools import cached_property, reduce
from itertools import groupby, pairwise
from operator import add, itemgetter, or_
from typing import TYPE_CHECKING, Any, Final

from crmcore.calendars import OPEN_ENDED, BoundSpan
from crmcore.calendars.instants import micros
from crmcore.calendars.pieces import add_pieces, sub_pieces
from crmcore.decisions.codes import Outcome
from crmcore.decisions.frames import ANSWER, OWN, check, check_free
from crmcore.decisions.kinds import Sheet
from crmcore.decisions.limits import Hold, Limit
from crmcore.decisions.moves import Instants, Micros, Move, Words, chain, choose
from crmcore.decisions.reach import apart, far, just_before, over

if TYPE_CHECKING:
    from narwhals.stable.v2 import Expr

    from crmcore.decisions.deadlines import Deadlines

__all__ = ["frame", "judge"]

OPEN: Final = "open"
WHICH: Final = ("early", "late")
Step = dict[str, Any]
"""Columns by name, each an expression or a part."""


def frame(deadlines: Deadlines, df: Any, now: datetime, prefix: str = "", until: datetime | None = None) -> Any:
    """`df` with the four columns of the answer; the same kind of frame, lazy if it was. Another book holds `until`."""
    sheet = Sheet(df)
    judge(deadlines, sheet, now, prefix, until)
    return sheet.native()


def judge(deadlines: Deadlines, sheet: Sheet, now: datetime, prefix: str, until: datetime | None) -> None:
    """Makes the four columns."""
    compiler = Compiler(deadlines, sheet, now, until)
    names = {name: f"{prefix}{name}" for name in ANSWER}
    check_free(tuple(names.values()), sheet.schema)
    for step in compiler.steps():
        sheet.make({f"{OWN}{name}": column for name, column in step.items()})
    sheet.make({name: compiler.own(answer) for answer, name in names.items()})


class Compiler:
    """Expressions for one policy, one frame and one instant."""

    def __init__(self, deadlines: Deadlines, sheet: Sheet, now: datetime, until: datetime | None) -> None:
        self.now, self.other_book, self.rules = now, until, deadlines.rules
        self.nw, self.schema, self.kind = sheet.nw, sheet.schema, sheet.kind
        self.own, self.instant, self.earlier, self.later = sheet.own, sheet.instant, sheet.earlier, sheet.later
        self.hosts = dict(zip(deadlines.read.facts, deadlines.read.hosts, strict=True))
        self.flag = deadlines.flag_host if deadlines.flag_host in self.schema else None
        self.leads = sorted(self.rules.leads, key=lambda lead: lead.span.nominal, reverse=True)
        self.horizon = self.rules.tolerance.add(now)
        moved = self.rules.appointment
        self.back = just_before(moved.within.sub(now)) if moved else now  # what is over by then stays over
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

    def never(self) -> Expr:
        """An instant that does not come, in every row."""
        at = self.own(f"at_{self.rules.holds[0].fact}")
        return self.nw.when(at.is_null()).then(at)  # null, with the type that the column has here

    def text(self, fact: str) -> Expr:
        """A column of codes."""
        host = self.hosts[fact]
        return self.nw.col(host) if self.schema[host] == self.nw.String else self.nw.col(host).cast(self.nw.String)

    def unknown(self) -> Expr:
        """Whether the flagged fact is said to be unknown."""
        return self.nw.col(self.flag).fill_null(value=False)

    # --- the steps ---

    def steps(self) -> Iterator[Step]:
        """The columns of each step, by their names."""
        yield self.facts()
        yield self.known()
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
        yield self.answer()

    def facts(self) -> Step:
        """Every instant in UTC to the microsecond."""
        rules = self.rules
        moved = [rules.appointment.fact] if rules.appointment else []
        dated = {*rules.past, *(hold.fact for hold in rules.holds), *moved}
        return {f"at_{fact}": self._dated(host) for fact, host in self.hosts.items() if fact in dated}

    def _dated(self, host: str) -> Any:
        dtype = self.schema[host]
        column = self.nw.col(host)
        if self.kind.whole:
            return Micros(host)
        if self.kind.sql:
            return column
        column = column if dtype.time_zone == "UTC" else column.dt.convert_time_zone("UTC")
        return column if dtype.time_unit == "us" else column.dt.timestamp("us").cast(self.nw.Datetime("us", "UTC"))

    def known(self) -> Step:
        """No instant where it is said to be unknown."""
        if not self.flag or not self.rules.flag or self.rules.flag[1] not in self.past:
            return {}
        name = f"at_{self.rules.flag[1]}"
        return {name: self.nw.when(~self.unknown()).then(self.own(name))}

    @property
    def past(self) -> tuple[str, ...]:
        """The facts of the past that the policy reads."""
        return tuple(fact for fact in self.rules.past if fact in self.hosts)

    def seen(self) -> Step:
        """Who is judged at all; past facts that are near enough to count, and when those ahead will be."""
        rules = self.rules
        status, nobody = self.text(rules.gate), self.nw.col(self.hosts[rules.owner]).is_null()
        made: Step = {"judged": (status == OPEN) & ~nobody}
        ours = (status == code for code in (OPEN, *rules.closed))  # is_in takes four times as long
        made["coded"] = reduce(or_, ours)
        for fact in self.past:
            at = self.own(f"at_{fact}")
            made[f"near_{fact}"] = self.nw.when(at <= self.instant(self.horizon)).then(at)
            made[f"ahead_{fact}"] = self._before(f"at_{fact}", rules.tolerance, self.now)
        return made

    def starts(self) -> Step:
        """From when each limit counts; when a past fact that lies ahead begins to count, or to count otherwise."""
        bounds = []
        for fact in self.past:
            at = self.own(f"at_{fact}")
            soon = self.nw.when(at > self.instant(self.now)).then(at)
            bounds.append(self.nw.when(at > self.instant(self.horizon)).then(self.own(f"ahead_{fact}")).otherwise(soon))
        made = {"bound": self.earlier(*bounds)} if bounds else {}
        for n, limit in enumerate(self.rules.limits):
            made[f"start{n}"] = self.later(*(self.own(f"near_{fact}") for fact in limit.starts))
        return made

    def spans(self) -> Step:
        """Each start by each of its spans, the end of each hold, and from when an appointment moves a deadline."""
        made: Step = {}
        for n, limit in enumerate(self.rules.limits):
            for k, span in enumerate(limit.spans.values()):
                made[f"due{n}_{k}"] = Move(f"{OWN}start{n}", add_pieces(span, over(span, self.back), self.horizon))
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
        base = max(lead.add(self.now) for lead in (*self.leads, span))
        return Move(f"{OWN}{column}", far(add_pieces, span, over(span, self.back), base, latest=self.latest))

    def _before(self, column: str, span: BoundSpan, after: datetime, beyond: datetime | None = None) -> Move:
        """The span taken away; what comes out at `after` or before is known only to do so."""
        first = just_before(span.add(after))
        return Move(
            f"{OWN}{column}", far(sub_pieces, span, first, span.add(self.now), latest=self.latest, beyond=beyond)
        )

    @cached_property
    def latest(self) -> datetime:
        """When the last limit is due of those that may have begun."""
        spans = (span for limit in self.rules.limits for span in limit.spans.values())
        return max((span.add(self.horizon) for span in spans), default=self.now)

    def dues(self) -> Step:
        """When each limit is due, at the earliest and at the latest that a row leaves open; the ends of the holds."""
        made: Step = {}
        for view in self.views:
            for n, limit in enumerate(self.rules.limits):
                made[f"due_early{n}{view}"], late = self._by_code(n, limit, self.used(view, limit))
                flagged = self.flag and limit.unknown_flag
                made[f"due_late{n}{view}"] = self.nw.when(~self.unknown()).then(late) if flagged else late
        return {**made, **{f"end{k}": self._end(k, hold) for k, hold in enumerate(self.rules.holds)}}

    def _by_code(self, n: int, limit: Limit, used: Sequence[bool]) -> tuple[Expr, Expr]:
        """The start by the span of its code; of a code that is not listed by the shortest and by the longest."""
        late = {code: self.own(f"due{n}_{k}") if used[k] else self.never() for k, code in enumerate(limit.spans)}
        if all(used):  # no start, no due
            ends = (late[None],) * 2 if None in late else (self.earlier(*late.values()), self.later(*late.values()))
            return self._at_once(self._chosen(limit, late, ends[0])), self._chosen(limit, late, ends[1])
        early = {code: self._at_once(due) if used[k] else due for k, (code, due) in enumerate(late.items())}
        rest = early.get(None, self.never()), late.get(None, self.never())
        return self._chosen(limit, early, rest[0]), self._chosen(limit, late, rest[1])

    def _chosen(self, limit: Limit, dues: Mapping[str | None, Expr], rest: Expr) -> Expr:
        if limit.by is None:
            return rest
        code = self.text(limit.by)
        return chain(self.nw, [(code == name, due) for name, due in dues.items() if name is not None], rest)

    def _at_once(self, due: Expr) -> Expr:
        """A limit that counts from nobody knows when may be due by now."""
        return self.nw.coalesce(due, self.instant(self.back))

    def _end(self, k: int, hold: Hold) -> Expr:
        at = self.own(self._held(hold))
        if hold.span is None:
            return at
        endless = hold.span.sub(OPEN_ENDED)  # from here on the span leads out of time
        return self.nw.when(at >= self.instant(endless)).then(self.instant(OPEN_ENDED)).otherwise(self.own(f"end{k}"))

    def bases(self) -> Step:
        """The earliest limit of each deadline; the latest hold."""
        made: Step = {"floor": self.later(*(self.own(f"end{k}") for k, _ in enumerate(self.rules.holds)))}
        for view in self.views:
            for which in WHICH:
                dues = [self.own(f"due_{which}{n}{view}") for n, _ in enumerate(self.rules.limits)]
                made[f"base_{which}{view}"] = self.earlier(*dues) if dues else self.never()
        return made

    def deadlines(self) -> Step:
        """Held back by the latest hold, for good if it has no end; moved to an appointment shortly after."""
        floor, made = self.own("floor"), {}
        ending = self.nw.when(floor < self.instant(OPEN_ENDED)).then(floor)
        for name in (f"{which}{view}" for which in WHICH for view in self.views):
            base = self.own(f"base_{name}")
            made[name] = self._moved(self.nw.when(floor > base).then(ending).otherwise(base))
        return made

    def _moved(self, deadline: Expr) -> Expr:
        rule = self.rules.appointment
        if rule is None:
            return deadline
        at = self.own(f"at_{rule.fact}")
        shortly = (at > self.instant(self.now)) & (deadline < at) & (deadline >= self.own("moves_from"))
        return self.nw.when(shortly).then(at).otherwise(deadline)

    def numbers(self) -> Step:
        """The answer of each deadline as a number: 0 is keep, then how many reminders have begun, then reclaim."""
        made: Step = {}
        if len(self.views) == 1:
            ends = sorted([self.now, *(lead.add(self.now) for lead in self.leads)])
            uptos = [micros(at) if self.kind.whole else at for at in ends]
            leaves = [self.nw.lit(n) for n in range(len(ends), -1, -1)]
            return {f"number_{which}": choose(self.nw, self.own(which), uptos, leaves) for which in WHICH}
        for which in WHICH:
            begun = (self.own(f"{which}{self.view(lead)}") <= self.instant(lead.add(self.now)) for lead in self.leads)
            ones = (self.nw.when(each).then(self.nw.lit(1)).otherwise(self.nw.lit(0)) for each in begun)
            passed = self.own(which) <= self.instant(self.now)
            reclaim = self.nw.lit(len(self.leads) + 1)
            made[f"number_{which}"] = self.nw.when(passed).then(reclaim).otherwise(reduce(add, ones))
        return made

    def next_ones(self) -> Step:
        """The deadline that tells the next change: the early one goes on first, else the late one catches up."""
        agree = self.own("number_early") == self.own("number_late")
        return {
            f"next{view}": self.nw.when(agree).then(self.own(f"early{view}")).otherwise(self.own(f"late{view}"))
            for view in self.views
        }

    def begins(self) -> Step:
        """When each reminder begins; where all rows have one order, nobody asks for the first of the early deadline."""
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
        """The reminders of each row sorted, neighbour by neighbour: of 3d and 2wd the weekend says which is first."""
        if self.ordered:
            return
        both = ("early", "next")
        yield {name: self.earlier(self.own(name), self.own(which)) for which in both for name in self.names(which)[:-1]}
        for turn, _ in enumerate(self.leads):
            made: Step = {}
            for k in range(turn % 2, len(self.leads) - 1, 2):
                for which in both:
                    pair = self.own(f"{which}{k}"), self.own(f"{which}{k + 1}")
                    made |= {f"{which}{k}": self.earlier(*pair), f"{which}{k + 1}": self.later(*pair)}
            yield made

    def names(self, which: str) -> list[str]:
        """The columns of the reminders, in order, and of the deadline."""
        return [*(f"{which}{k}" for k, _ in enumerate(self.leads)), which]

    def agreed(self) -> Step:
        """The number where the two agree, then needs data; -1 is no answer. When it changes."""
        judged, early = self.own("judged"), self.own("number_early")
        open_question, none = self.nw.lit(len(self.leads) + 2), self.nw.lit(-1)
        agreed = self.nw.when(early == self.own("number_late")).then(early).otherwise(open_question)
        bounds = [
            *([self.own("bound")] if self.past else []),
            *([self.instant(self.other_book)] if self.other_book else []),
        ]
        return {
            "number": chain(self.nw, [(judged, agreed), (self.own("coded"), self.nw.lit(0))], none),
            "change": self.earlier(self._change(), *bounds),
        }

    def _change(self) -> Expr:
        """The first of the instants to come; one of the late deadline only if the early one has not gone on by then."""
        now = self.instant(self.now)
        *coming, last = [self.own(name) for name in self.names("next")]
        goes_on = [self.own(name) for name in self.names("early")[1:]]
        begin = [((at > now) & (on > at), at) for at, on in zip(coming, goes_on, strict=True)]
        return chain(self.nw, [*begin, (last > now, last)])

    # --- the answer ---

    def rules_met(self) -> Step:
        """The number of the first limit that surely is due: now, or at the soonest reminder begun; -1 is none."""
        groups = [(view, list(group)) for view, group in groupby(self._moments(), key=itemgetter(0))]
        met = self.nw.lit(-1)
        for view, group in reversed(groups):
            at = chain(self.nw, [(condition, self.instant(moment)) for _, condition, moment in group])
            due, either = self._first_due(at, view), reduce(or_, (condition for _, condition, _ in group))
            met = due if len(groups) == 1 else self.nw.when(either).then(due).otherwise(met)
        return {"met": met, "next_change": self.nw.when(self.own("judged")).then(self.own("change"))}

    def _moments(self) -> Iterator[tuple[str, Expr, datetime]]:
        """For each answer the deadline that gives it, and until when its limits are due; the soonest reminder first."""
        number, count = self.own("number"), len(self.leads)
        yield "", number == count + 1, self.now
        reminded = (number > 0) & (number <= count)
        for nth, lead in enumerate(sorted(self.rules.leads, key=lambda lead: lead.add(self.now))):
            view, at = self.view(lead), lead.add(self.now)
            if len(self.views) == 1:
                yield view, number == count - nth, at
            else:
                yield view, reminded & (self.own(f"late{view}") <= self.instant(at)), at

    def _first_due(self, at: Expr, view: str) -> Expr:
        limits = range(len(self.rules.limits))
        return chain(self.nw, [(self.own(f"due_late{n}{view}") <= at, self.nw.lit(n)) for n in limits], self.nw.lit(-1))

    def answer(self) -> Step:
        """The four columns."""
        number, count = self.own("number"), len(self.leads)
        words = (Outcome.KEEP, *(Outcome.REMIND for _ in self.leads), Outcome.RECLAIM, Outcome.NEEDS_DATA)
        reminded = (number > 0) & (number <= count)
        return {
            "outcome": Words(f"{OWN}number", tuple(word.value for word in words)),
            "step": self.nw.when(reminded).then(number).otherwise(self.nw.lit(0)).cast(self.nw.Int64),
            "rule": Words(f"{OWN}met", tuple(limit.rule for limit in self.rules.limits)),
            "next_change_at": Instants(f"{OWN}next_change"),
        }
