"""Decisions in words: plain text for a log, Markdown for a notebook; English and Chinese."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from crmcore.calendars import OPEN_ENDED, Span
from crmcore.decisions.codes import Outcome, ReasonCode
from crmcore.decisions.decision import Decision, PolicyRef, Reason
from crmcore.decisions.words import LANGUAGES, UNITS, WORDS
from crmcore.errors import InvalidInput

__all__ = ["clock_text", "duration_text", "markdown", "reason_text", "span_text", "text"]

DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)
MINUTE: Final = timedelta(minutes=1)
TAILS: Final = {
    ReasonCode.IDLE: "due",
    ReasonCode.NO_DEAL: "due",
    ReasonCode.FROZEN: "remaining",
    ReasonCode.PROTECTED: "remaining",
}
SILENT: Final = (ReasonCode.FROZEN, ReasonCode.PROTECTED, ReasonCode.MIN_HOLD, ReasonCode.APPOINTMENT)
"""Conditions that are worth a line only while they hold, are not known, or set the deadline."""


def text(decision: Decision, lang: str = "en", zone: tzinfo | None = None) -> str:
    """The decision in words, a line for each thing to know."""
    return "\n".join(_lines(decision, lang, zone or zone_of(decision.policy)))


def zone_of(ref: PolicyRef) -> tzinfo:
    """The zone of the policy, for clock times in words; UTC where its name says no more than an offset."""
    try:
        return ZoneInfo(ref.zone)
    except (ValueError, KeyError):
        return UTC


def _lines(decision: Decision, lang: str, zone: tzinfo) -> Iterator[str]:
    words = _words(lang)
    step = words["step"].format(step=decision.step) if decision.step else None
    said = words["comma"].join(filter(None, (step, decision.rule)))
    yield words["head"].format(
        outcome=words[decision.outcome.value],
        said=words["said"].format(said=said) if said else "",
        at=clock_text(decision.as_of, zone),
    )
    if decision.missing:
        key = "missing" if decision.outcome is Outcome.NEEDS_DATA else "ignored"
        yield "  " + words[key].format(facts=", ".join(decision.missing))
    if decision.deadline is not None:
        margin = duration_text(decision.as_of - decision.deadline, lang)
        key = "latest" if decision.outcome is Outcome.NEEDS_DATA else "deadline"
        yield "  " + words[key].format(at=clock_text(decision.deadline, zone), margin=margin)
    for reason in decision.reasons:
        if reason.code not in SILENT or reason.holds is not False or reason.due == decision.deadline is not None:
            yield f"  {_mark(reason)} {reason.rule} {reason_text(reason, lang, zone)}"
    if decision.provisional:
        days = [reason.known_through for reason in decision.reasons if reason.known_through]
        yield "  " + words["provisional" if days else "provisional_unknown"].format(day=min(days, default=""))
    if decision.next_change_at is None:
        yield "  " + words["no_change"]
    else:
        yield "  " + words["next_change"].format(at=clock_text(decision.next_change_at, zone))


def _words(lang: str) -> dict[str, str]:
    if lang not in LANGUAGES:
        msg = f"lang is {lang!r}; expected one of {', '.join(LANGUAGES)}"
        raise InvalidInput(msg)
    return dict(WORDS[lang])


def _mark(reason: Reason) -> str:
    return {True: "+", False: "-", None: "?"}[reason.holds]


def reason_text(reason: Reason, lang: str = "en", zone: tzinfo = UTC, *, brief: bool = False) -> str:
    """One condition in words, with the values it was judged by; `brief` leaves out the fact and when it is due."""
    words = _words(lang)
    if reason.holds is None:
        return words["unknown"].format(fact=reason.fact)
    code = "cap_none" if reason.code is ReasonCode.CAP and reason.limit is None else reason.code.value
    said = {
        "fact": reason.fact,
        "which": "" if brief else words["which"].format(fact=reason.fact),
        "observed": _value_text(reason.observed, zone, words),
        "limit": _limit_text(reason, lang, zone, words) if not brief else reason.limit,
        "due": _value_text(reason.due, zone, words),
        "margin": duration_text(reason.margin, lang) if isinstance(reason.margin, timedelta) else reason.margin,
        **_of_tier(reason, lang, words),
    }
    tail = "" if brief or reason.limit is None or reason.due is None else TAILS.get(reason.code, "")
    return (words[code] + words.get(tail, "")).format(**said)


def _limit_text(reason: Reason, lang: str, zone: tzinfo, words: dict[str, str]) -> str:
    return span_text(reason.limit, lang) if isinstance(reason.limit, Span) else _value_text(reason.limit, zone, words)


def _of_tier(reason: Reason, lang: str, words: dict[str, str]) -> dict[str, str]:
    """The tier that a condition leads to, and the window that it counts in; only reasons of tiers have them."""
    tier, window = getattr(reason, "tier", None), getattr(reason, "window", None)
    within = "" if window is None else words["within"].format(span=span_text(window, lang))
    return {"tier": words[tier].lower() if tier else "", "within": within}


def _value_text(value: object, zone: tzinfo, words: dict[str, str]) -> str:
    if isinstance(value, datetime):
        return words["open_ended"] if value == OPEN_ENDED else clock_text(value, zone)
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def clock_text(at: datetime, zone: tzinfo = UTC) -> str:
    """Date and wall clock in `zone`, to the minute; seconds only where there are any."""
    try:
        local = at.astimezone(zone)
    except OverflowError:
        local = at
    return local.strftime("%Y-%m-%d %H:%M:%S" if local.second or local.microsecond else "%Y-%m-%d %H:%M")


def span_text(span: Span, lang: str = "en") -> str:
    """The span in words: ``5wd`` is 5 working days."""
    one, many = UNITS[lang][span.unit]
    return f"{span.count}{one if span.count == 1 else many}"


def duration_text(margin: timedelta, lang: str = "en") -> str:
    """How long ago (not negative) or ahead, in the largest unit that fits: whole days, hours or minutes."""
    size = abs(margin)
    if size < MINUTE:
        return WORDS[lang]["now"]
    unit, step = ("d", DAY) if size >= DAY else ("h", HOUR) if size >= HOUR else ("min", MINUTE)
    span = span_text(Span(f"{size // step}{unit}"), lang)
    return WORDS[lang]["ago" if margin >= timedelta() else "ahead"].format(span=span)


def markdown(decision: Decision, lang: str = "en", zone: tzinfo | None = None) -> str:
    """The decision as Markdown: the answer, then a table of every condition."""
    words, zone = _words(lang), zone or zone_of(decision.policy)
    first, *rest = _lines(decision, lang, zone)
    held = {True: words["yes"], False: words["no"], None: words["open"]}
    heads = f"| {words['rule']} | {words['reason']} | {words['holds']} |"
    rows = [f"| {r.rule} | {_cell(r, lang, zone)} | {held[r.holds]} |" for r in decision.reasons]
    notes = [line.strip() for line in rest if line[2] not in "+-?"]
    return "\n".join([f"**{first}**", "", heads, "|---|---|---|", *rows, "", words["join"].join(notes)])


def _cell(reason: Reason, lang: str, zone: tzinfo) -> str:
    if reason.observed is None and reason.code in SILENT and reason.holds is False:
        return f"{reason.fact}: –"
    return reason_text(reason, lang, zone)
