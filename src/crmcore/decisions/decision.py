"""A decision is a value that says everything: the answer, its rule, its reasons, and until when it holds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final, NoReturn, Protocol

import attrs

from crmcore.calendars import Span
from crmcore.decisions.codes import FindingCode, Outcome, ReasonCode
from crmcore.money import Money

__all__ = ["Decision", "Finding", "PolicyRef", "Reason"]

SCHEMA: Final = 1


@attrs.frozen
class PolicyRef:
    """Which policy decided: same facts and same `digest` give the same answer."""

    name: str
    version: str
    digest: str
    zone: str = attrs.field(default="UTC", eq=False)

    def record(self) -> dict[str, str]:
        """The reference as JSON-able data."""
        return {"name": self.name, "version": self.version, "digest": self.digest}


@attrs.frozen(kw_only=True)
class Reason:
    """
    One judged condition, held or not.

    `holds` is ``None`` where an unknown fact leaves it open. Age rules: `observed` is the fact's instant, `limit` the
    span, `due` the instant from which the condition is met (a protection: until which it holds), `margin` = as_of -
    due, so not negative once it is due. Counts: `observed`, `limit` and `margin` are ints; amounts: Decimal or `Money`.
    """

    rule: str
    code: ReasonCode
    holds: bool | None
    fact: str
    observed: datetime | int | Decimal | Money | str | None = None
    limit: Span | int | Decimal | Money | None = None
    due: datetime | None = None
    margin: timedelta | int | Decimal | Money | None = None
    known_through: date | None = None

    def record(self, zone: tzinfo = UTC) -> dict[str, Any]:
        """The reason as JSON-able data, instants in `zone`."""
        return {
            "rule": self.rule,
            "code": self.code.value,
            "holds": self.holds,
            "fact": self.fact,
            "observed": _plain(self.observed, zone),
            "limit": _plain(self.limit, zone),
            "due": _plain(self.due, zone),
            "margin_seconds": _plain(self.margin, zone),
        }


def _plain(value: object, zone: tzinfo) -> object:
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return format(value, "f")
    return instant_text(value, zone) if isinstance(value, datetime) else str(value)


def instant_text(value: datetime, zone: tzinfo) -> str:
    """ISO 8601 in `zone`; an instant within a day of the ends of the calendar stays in UTC."""
    try:
        return value.astimezone(zone).isoformat()
    except OverflowError:
        return value.isoformat()


class Evidence(Protocol):
    """What a policy keeps to give its reasons when asked."""

    def reasons(self, as_of: datetime) -> tuple[Reason, ...]:
        """Every judged rule, in catalogue order."""


@attrs.frozen
class Given:
    """Reasons already built: what a decision carries once it has been asked, or unpickled."""

    built: tuple[Reason, ...]

    def reasons(self, as_of: datetime) -> tuple[Reason, ...]:  # noqa: ARG002 - the port's signature
        """The reasons as they were built."""
        return self.built


@attrs.frozen(slots=False)
class Decision:
    """
    The answer of a policy, as a value.

    The *answer* is (`outcome`, `step`); `step` numbers the reminder and is 0 otherwise. `rule` is the first rule in
    catalogue order that holds (for a reminder: that will hold at its deadline). `next_change_at`, strictly after
    `as_of`, is the first instant at which the same facts give another answer; ``None``: time alone changes nothing.
    `deadline` is the instant from which the facts, as seen at `as_of`, are due whatever is unknown; ``None``: there is
    none. `missing` names facts that were needed and unknown, or ignored because they lie too far in the future.
    `provisional` says that a date beyond the calendar's `known_through` had a part in it. Instants are UTC.

    A decision has no truth value: compare `outcome`.
    """

    outcome: Outcome
    step: int
    rule: str | None
    as_of: datetime
    next_change_at: datetime | None
    deadline: datetime | None
    missing: tuple[str, ...]
    provisional: bool
    policy: PolicyRef
    _evidence: Evidence = attrs.field(eq=False, repr=False)

    def __bool__(self) -> NoReturn:
        msg = "a Decision has no truth value; compare .outcome"
        raise TypeError(msg)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_evidence": Given(self.reasons)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Every judged rule, held or not, in catalogue order; built when asked, from the values read at `as_of`."""
        return self._evidence.reasons(self.as_of)

    def explain(self, lang: str = "en", *, zone: tzinfo | None = None) -> str:
        """The decision in words, ``en`` English or ``zh`` Chinese; clock times in `zone` (default: the policy's)."""
        from crmcore.decisions.render import text

        return text(self, lang, zone)

    def _repr_markdown_(self) -> str:
        from crmcore.decisions.render import markdown

        return markdown(self)

    def record(self, *, zone: tzinfo = UTC) -> dict[str, Any]:
        """The decision as JSON-able data for an audit log, instants in `zone`."""
        return {
            "schema": SCHEMA,
            "as_of": instant_text(self.as_of, zone),
            "outcome": self.outcome.value,
            "step": self.step,
            "rule": self.rule,
            "reasons": [reason.record(zone) for reason in self.reasons],
            "missing": list(self.missing),
            "provisional": self.provisional,
            "next_change_at": None if self.next_change_at is None else instant_text(self.next_change_at, zone),
            "policy": self.policy.record(),
        }


@attrs.frozen(kw_only=True)
class Finding:
    """One thing a static check found: `key` is where, `problem` what, `remedy` what to do."""

    code: FindingCode
    rule: str | None
    key: str
    problem: str
    remedy: str

    def record(self) -> dict[str, str | None]:
        """The finding as JSON-able data."""
        return {**attrs.asdict(self), "code": self.code.value}

    def __str__(self) -> str:
        rule = f" ({self.rule})" if self.rule else ""
        return f"{self.key}: {self.problem}{rule}; {self.remedy}"
