"""
The two functions generated from `DeadlineRules`, for loops and for single decisions.

`Deadlines` is the readable model and the reference; what is generated here answers the plain records (all facts known,
none in the future, no appointment ahead) without a loop or a lookup, and hands every other record to the model. The
laws in `crmcore.testing` hold both against each other. Code is generated from validated values alone, never from text
that a user wrote: names of facts pass through `repr`, everything else is bound by name.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import compress
from keyword import iskeyword
from typing import Any, Final

from crmcore.calendars import OPEN_ENDED, to_utc
from crmcore.decisions.codes import Outcome
from crmcore.decisions.deadlines import OPEN, Deadlines
from crmcore.decisions.decision import Decision
from crmcore.decisions.facts import OF_MAPPINGS, UNKNOWN, optional_flag
from crmcore.decisions.limits import Limit
from crmcore.decisions.reasons import Judged
from crmcore.errors import InvalidInput

__all__ = ["decider", "evaluator", "sweeper"]

ATTRIBUTE: Final = "f.{}"
KEY: Final = "f[{!r}]"


class Source:
    """Lines of one function, its indentation and the values bound to its names."""

    def __init__(self, name: str, arguments: str, deadlines: Deadlines) -> None:
        self.name = name
        self.lines = [f"def {name}({arguments}):", "  try:"]
        self.bound: dict[str, Any] = {"UNKNOWN": UNKNOWN, "OPEN": OPEN, "InvalidInput": InvalidInput}
        self.bound |= {"UTC": UTC, "utc": to_utc, "flag": partial(optional_flag, host=deadlines.flag_host)}

    def add(self, *lines: str) -> None:
        self.lines += [f"    {line}" for line in lines]

    def bind(self, name: str, value: object) -> str:
        self.bound[name] = value
        return name

    def compile(self, fallback: str) -> Callable[..., Any]:
        self.lines += ["  except (TypeError, AttributeError, KeyError, InvalidInput):", f"    return {fallback}"]
        text = "\n".join(self.lines)
        filename = f"<crmcore generated {self.name}>"
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        exec(compile(text, filename, "exec"), self.bound)  # noqa: S102 - our own text, from validated values
        function: Callable[..., Any] = self.bound[self.name]
        return function


class Reading:
    """How the generated text reads a fact: as an attribute or as a key, under the host's name."""

    def __init__(self, deadlines: Deadlines, template: str) -> None:
        self.hosts = dict(zip(deadlines.rules.facts, deadlines.read.hosts, strict=True))
        self.template = template
        self.flag_host = deadlines.flag_host

    def __call__(self, fact: str) -> str:
        return self.template.format(self.hosts[fact])

    @property
    def flag(self) -> str:
        if self.template == KEY:
            return f"f.get({self.flag_host!r})"
        return f"getattr(f, {self.flag_host!r}, None)" if "." not in self.flag_host else "flag(f)"


def usable(hosts: tuple[str, ...], template: str) -> bool:
    """Whether the host's names can stand in generated text, and mean on a mapping what they mean on an object."""
    parts = [part for host in hosts for part in host.split(".")]
    named = all(part.isidentifier() and not iskeyword(part) for part in parts)
    return template == KEY or (named and OF_MAPPINGS.isdisjoint(hosts))


# --- outcome only, at one instant ---


def evaluator(deadlines: Deadlines, now: datetime) -> Callable[[object], Outcome]:
    """`at(now)`: every cutoff computed once; objects and mappings alike."""

    def hard(facts: object) -> Outcome:
        return deadlines.decide(facts, now).outcome

    return _evaluator(deadlines, now, deadlines.rules.tolerance.add(now), hard)


def sweeper(deadlines: Deadlines, now: datetime, until: datetime) -> Callable[[object], Outcome | None]:
    """
    The outcome at `until` of records that lie wholly before `now`; None for every other.

    Time alone takes such a record from keep to remind to reclaim, never back: KEEP here is KEEP from `now` to `until`.
    """
    return _evaluator(deadlines, until, now, lambda _: None)


def _evaluator(deadlines: Deadlines, now: datetime, ahead: datetime, hard: Callable[..., Any]) -> Callable[..., Any]:
    """Records with a start after `ahead` are hard cases."""
    if not deadlines.rules.limits:
        return hard
    bound = {"NOW": now, "AHEAD": ahead, "hard": hard}
    by_key = _evaluate(deadlines, now, KEY, bound)
    return _evaluate(deadlines, now, ATTRIBUTE, {**bound, "by_key": by_key})


def _evaluate(deadlines: Deadlines, now: datetime, template: str, bound: dict[str, Any]) -> Callable[..., Any]:
    if not usable(deadlines.read.hosts, template):
        hard: Callable[..., Any] = bound["hard"]
        return hard
    rules, read = deadlines.rules, Reading(deadlines, template)
    source = Source("evaluate", "f", deadlines)
    source.bound |= {outcome.name: outcome for outcome in Outcome} | bound
    _gate(source, deadlines, read, "hard(f)", ("KEEP", "KEEP"))
    soon = max((lead.add(now) for lead in rules.leads), default=now)
    _past(source, deadlines, read)
    for number, limit in enumerate(rules.limits):
        _cuts(source, number, limit, (soon, now))
        if limit.by:
            source.add(f"soon{number}, due{number} = CUTS{number}.get({read(limit.by)}, DEFAULT{number})")
    numbered = sorted(enumerate(rules.limits), key=lambda each: len(each[1].starts))
    early = " and ".join(_after(limit, _cut(n, limit, "soon"), read.flag) for n, limit in numbered)
    due = " or ".join(f"not {_after(limit, _cut(n, limit, 'due'))}" for n, limit in numbered)
    source.add(f"if {early}: return KEEP")
    _doubts(source, deadlines, read, "NOW", "hard(f)")
    source.add(f"if ({due}){_ended(source, deadlines, read, now, 'NOW_')}: return RECLAIM")
    if rules.leads:
        if deadlines.rules.uniform:
            source.add(f"if True{_ended(source, deadlines, read, soon, 'SOON_')}: return REMIND")
        else:
            source.add("return hard(f)")
    source.add("return KEEP")
    return source.compile("hard(f)")


def _gate(source: Source, deadlines: Deadlines, read: Reading, hard: str, keep: tuple[str, str]) -> None:
    """Keys go their own way; what is not open, or has no owner, is kept."""
    rules = deadlines.rules
    source.bind("CLOSED", frozenset(rules.closed))
    if read.template == ATTRIBUTE:
        source.add(f"if type(f) is dict: return {hard.replace('hard', 'by_key')}")
    source.add(f"gate = {read(rules.gate)}", "if gate != OPEN:")
    source.add(f"  return {keep[0]} if gate in CLOSED else {hard}")
    source.add(f"owner = {read(rules.owner)}", f"if owner is None: return {keep[1]}")


def _past(source: Source, deadlines: Deadlines, read: Reading) -> None:
    """The starts of all limits, read once; one that lies ahead is a hard case."""
    optional = {fact for limit in deadlines.rules.limits for fact in limit.starts[1:]}
    for fact in dict.fromkeys(fact for limit in deadlines.rules.limits for fact in limit.starts):
        known = f"v_{fact} is not None and " if fact in optional else ""
        source.add(f"v_{fact} = {read(fact)}", f"if {known}v_{fact} > AHEAD: return hard(f)")


def _after(limit: Limit, cut: str, flag: str = "") -> str:
    """
    Whether the latest start lies after `cut`, each start compared by itself; with `flag`, whether it surely does.

    A cutoff is in UTC, so no two instants of one zone are compared, which Python does by their wall clocks.
    """
    first, *others = limit.starts
    surely = f" and not {flag}" if flag and limit.unknown_flag else ""
    more = (f" or v_{fact} is not None and v_{fact} > {cut}{surely}" for fact in others)
    return f"(v_{first} > {cut}{''.join(more)})"


def _starts(source: Source, deadlines: Deadlines, read: Reading, now: str, hard: str) -> None:
    """The latest start of each limit as s0, s1 …; a start in the future, or a contact not known, is a hard case."""
    known: set[str] = set()
    for number, limit in enumerate(deadlines.rules.limits):
        first, *others = limit.starts
        for fact in limit.starts:
            if fact not in known:
                source.add(f"v_{fact} = {read(fact)}")
                known.add(fact)
        source.add(f"s{number} = v_{first}")
        for fact in others:
            # Of two clocks in one zone Python compares the wall clocks, which is wrong in a fold: one goes to UTC.
            source.add(f"if v_{fact} is not None:")
            source.add(f"  if v_{fact}.tzinfo is not UTC: v_{fact} = utc(v_{fact})")
            source.add(f"  if v_{fact} > s{number}:", f"    s{number} = v_{fact}")
            source.add(f"    if {read.flag}: return {hard}")
        source.add(f"if s{number} > {now}: return {hard}")


def _cuts(source: Source, number: int, limit: Limit, at: tuple[datetime, datetime]) -> None:
    cuts: dict[Any, Any] = {code: tuple(map(span.cutoff, at)) for code, span in limit.spans.items()}
    if limit.by is None:
        source.bound |= {f"SOON{number}": cuts[None][0], f"DUE{number}": cuts[None][1]}
        return
    default = cuts.pop(None, None)
    source.bound |= {f"CUTS{number}": {**cuts, UNKNOWN: None}, f"DEFAULT{number}": default}


def _cut(number: int, limit: Limit, when: str) -> str:
    return f"{when if limit.by else when.upper()}{number}"


def _doubts(source: Source, deadlines: Deadlines, read: Reading, now: str, hard: str) -> None:
    rules = deadlines.rules
    doubts = ["owner is UNKNOWN"]
    if deadlines.flag_host:
        doubts.append(read.flag)
    source.add(f"if {' or '.join(doubts)}: return {hard}")
    if rules.appointment:
        source.add(
            f"v_{rules.appointment.fact} = {read(rules.appointment.fact)}",
            f"if v_{rules.appointment.fact} is not None and v_{rules.appointment.fact} > {now}: return {hard}",
        )


def _ended(source: Source, deadlines: Deadlines, read: Reading, at: datetime, prefix: str) -> str:
    """The condition that every hold has ended at `at`."""
    text, starts = "", {fact for limit in deadlines.rules.limits for fact in limit.starts}
    for number, hold in enumerate(deadlines.rules.holds):
        name = source.bind(f"{prefix}HOLD{number}", at if hold.span is None else hold.span.cutoff(at))
        if hold.fact in starts:
            text += f" and v_{hold.fact} <= {name}"
        else:
            text += f" and ((h := {read(hold.fact)}) is None or h <= {name})"
    return text


# --- the whole decision ---


def decider(deadlines: Deadlines) -> Callable[[object, datetime], Decision]:
    """`decide(facts, now)` with `now` in UTC; plain records without a loop, all others by the model."""
    if not deadlines.rules.limits or not deadlines.rules.uniform:
        return deadlines.decide
    by_key = _decide(deadlines, KEY, deadlines.decide)
    return _decide(deadlines, ATTRIBUTE, by_key)


def _decide(deadlines: Deadlines, template: str, by_key: Callable[..., Any]) -> Callable[..., Any]:
    if not usable(deadlines.read.hosts, template):
        return deadlines.decide
    rules, read = deadlines.rules, Reading(deadlines, template)
    source = Source("decide", "f, now", deadlines)
    source.bound |= {outcome.name: outcome for outcome in Outcome}
    source.bound |= {"hard": deadlines.decide, "by_key": by_key, "Decision": Decision, "Judged": Judged}
    source.bound |= {"NEVER": OPEN_ENDED, "deadlines": deadlines, "REF": deadlines.ref}
    source.bind("AWARE", partial(_aware, deadlines))
    closed = "Decision(KEEP, 0, None, now, None, None, (), False, REF, Judged(deadlines, AWARE(f)))"
    _gate(source, deadlines, read, "hard(f, now)", (closed, closed))
    _starts(source, deadlines, read, "now", "hard(f, now)")
    for number, limit in enumerate(rules.limits):
        _due(source, number, limit, read)
    _hold_ends(source, deadlines, read)
    _doubts(source, deadlines, read, "due", "hard(f, now)")
    if deadlines.uses_calendar:
        dues = "".join(f" or d{n} >= KNOWN" for n in range(len(rules.limits)))
        source.bind("KNOWN", deadlines.known_until)
        source.add(f"if due >= KNOWN{dues}: return hard(f, now)")
    _answer(source, deadlines)
    read_values = ", ".join("gate" if fact == rules.gate else f"v_{fact}" for fact in rules.facts)
    source.add(f"v_{rules.owner} = owner")
    source.add(
        f"return Decision(outcome, step, rule, now, change, due, (), False, REF, Judged(deadlines, ({read_values},)))"
    )
    return source.compile("hard(f, now)")


def _aware(deadlines: Deadlines, facts: object) -> tuple[Any, ...]:
    """The values as read, of a record that is not judged; TypeError or AttributeError where the door refuses one."""
    values = deadlines.read(facts)
    for value in compress(values, deadlines.dated):
        if value is not None and value.tzinfo is None:
            raise TypeError
    return values


def _due(source: Source, number: int, limit: Limit, read: Reading) -> None:
    adds: dict[Any, Any] = {code: span.add for code, span in limit.spans.items()}
    if limit.by is None:
        source.bind(f"ADD{number}", adds[None])
        source.add(f"d{number} = ADD{number}(s{number})")
    else:
        default = adds.pop(None, None)
        source.bound |= {f"ADDS{number}": {**adds, UNKNOWN: None}, f"ADD{number}": default}
        source.add(f"v_{limit.by} = {read(limit.by)}")
        source.add(f"d{number} = ADDS{number}.get(v_{limit.by}, ADD{number})(s{number})")
    source.add(f"due = d{number}" if number == 0 else f"if d{number} < due: due = d{number}")


def _hold_ends(source: Source, deadlines: Deadlines, read: Reading) -> None:
    starts = {fact for limit in deadlines.rules.limits for fact in limit.starts}
    for number, hold in enumerate(deadlines.rules.holds):
        end = source.bind(f"END{number}", to_utc if hold.span is None else hold.span.add)
        if hold.fact not in starts:
            source.add(f"v_{hold.fact} = {read(hold.fact)}")
        source.add(
            f"if v_{hold.fact} is not None:",
            f"  h = {end}(v_{hold.fact})",
            "  if h > due: due = h",
        )
    source.add("if due >= NEVER: return hard(f, now)")


def _answer(source: Source, deadlines: Deadlines) -> None:
    rules = deadlines.rules

    def first(until: str) -> str:
        text = repr(rules.limits[-1].rule)
        for number, limit in reversed(list(enumerate(rules.limits[:-1]))):
            text = f"{limit.rule!r} if d{number} <= {until} else {text}"
        return text

    source.add("step = 0", "if due <= now:", f"  outcome = RECLAIM; change = None; rule = {first('now')}")
    source.add("else:", "  outcome = KEEP; change = due; rule = None")
    for number, lead in enumerate(rules.leads):
        source.bound |= {f"SUB{number}": lead.sub, f"LEAD{number}": lead.add}
        source.add(
            f"  b{number} = SUB{number}(due)",
            f"  if b{number} <= now: step += 1",
            f"  elif b{number} < change: change = b{number}",
        )
    if rules.leads:
        source.add("  if step:", "    until = NEVER")
        for number in range(len(rules.leads)):
            source.add(f"    if b{number} <= now and (e := LEAD{number}(now)) < until: until = e")
        source.add(f"    outcome = REMIND; rule = {first('until')}")
