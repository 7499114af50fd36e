"""What every deadline policy can do: decide, evaluate in loops, tell its deadline, read the host's names."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property
from typing import Any, ClassVar, Final, Self, TypeVar

import attrs

from crmcore.calendars import to_utc
from crmcore.decisions.codes import Outcome, ReasonCode
from crmcore.decisions.deadlines import Deadlines
from crmcore.decisions.decision import Decision, PolicyRef
from crmcore.decisions.digest import digest
from crmcore.decisions.frozen import FrozenMap
from crmcore.decisions.generated import decider, evaluator, sweeper
from crmcore.decisions.limits import DeadlineRules
from crmcore.errors import InvalidPolicy

__all__ = ["DeadlinePolicy"]

Frame = TypeVar("Frame")
"""A kind of data frame."""
NO_NAMES: Final = FrozenMap[str, str]({})


def _names(names: Mapping[str, str]) -> Mapping[str, str]:
    return FrozenMap(names)


def _bounded(decision: Decision, until: datetime) -> Decision:
    """The decision where another book is in force from `until` on: what is not judged stays so under any book."""
    change = decision.next_change_at
    settled = decision.reasons[0].code in (ReasonCode.NOT_OPEN, ReasonCode.NO_OWNER)
    if settled or (change is not None and change <= until):
        return decision
    return attrs.evolve(decision, next_change_at=until)


@attrs.frozen(slots=False, kw_only=True)
class DeadlinePolicy:
    """
    A frozen value that decides by a deadline.

    Equal parameters make equal policies; the digest leaves out `name`, `version`, `until` (from when another book is
    in force) and the host's names.
    """

    kind: ClassVar[str]

    name: str = ""
    version: str = "unversioned"
    until: datetime | None = attrs.field(default=None, repr=False)
    names: Mapping[str, str] = attrs.field(default=NO_NAMES, converter=_names, repr=False)

    def decide(self, facts: object, *, now: datetime) -> Decision:
        """
        The decision on one record at `now`, an aware instant.

        `facts` is any object with the attributes in `reads`, or a mapping with those keys. Raises `MissingFact`,
        `NaiveDatetime` or `InvalidFact`, naming the fact and what to do.
        """
        at = to_utc(now, "now")
        decision, until = self._decide(facts, at), self._bound(at)
        return decision if until is None else _bounded(decision, until)

    def at(self, now: datetime) -> Callable[[object], Outcome]:
        """
        A function from a record to its outcome at `now`, for loops: every cutoff is computed once.

        It reads a fact only where the answer depends on it, so a missing protection may go unnoticed on a record that
        is far from due.
        """
        return evaluator(self._deadlines, to_utc(now, "now"))

    def sweep(self, now: datetime, until: datetime) -> Callable[[object], Outcome | None]:
        """
        A function from a record to its outcome at `until`, for sweeps that then `decide` what does not stay.

        KEEP says that `decide` is KEEP all the time from `now` to `until`, both inclusive. ``None``: not a plain
        record (something unknown, or ahead of `now`).
        """
        return sweeper(self._deadlines, to_utc(now, "now"), to_utc(until, "until"))

    def frame(self, df: Frame, *, now: datetime, prefix: str = "") -> Frame:
        """
        The caller's data frame with four more columns: outcome, step, rule, next_change_at (extra `frames`).

        Polars, pandas, PyArrow, DuckDB, PySpark: the same kind comes back, and what is lazy stays lazy. The columns are
        what `decide` says of each row. Facts are columns under the host's names; a code that is none of ours gives a
        null outcome. Raises `InvalidFrame` for a column that is missing, of another type or there already, and
        `MissingExtra`.
        """
        from crmcore.decisions.columns import frame

        at = to_utc(now, "now")
        judged: Frame = frame(self._deadlines, df, at, prefix, self._bound(at))
        return judged

    def sql(
        self,
        table: str,
        *,
        now: datetime,
        keys: str | Iterable[str] = "id",
        flag: bool = False,
        dialect: str = "postgres",
        prefix: str = "",
    ) -> str:
        """
        One SELECT, as text: `keys`, outcome, step, rule, next_change_at of every row of `table` (extra `queries`).

        What PostgreSQL, the only `dialect`, answers is what `decide` says of each row; `now` stands in the text.
        `table` is a name or ``schema.name``; its columns are the facts under the host's names, with `flag`
        `contact_unknown` too: instants as ``timestamptz``, for the text cannot see that a ``timestamp`` has no zone,
        codes as text. Raises `InvalidFrame` and `MissingExtra`.
        """
        from crmcore.decisions.sql import sql

        at = to_utc(now, "now")
        until = self._bound(at)
        return sql(self._deadlines, table, at, keys=keys, flag=flag, dialect=dialect, prefix=prefix, until=until)

    def _bound(self, now: datetime) -> datetime | None:
        """`until` while it is to come: past it, to look again at once would be to look for ever."""
        return None if self.until is None or self.until <= now else self.until

    def deadline(self, facts: object) -> datetime | None:
        """
        The instant from which the record is due, in UTC; ``None``: there is none, or it is not known.

        The facts count as they stand: `future_tolerance` is not applied.
        """
        return self._deadlines.deadline(facts)

    @property
    def reads(self) -> tuple[str, ...]:
        """The facts that a record must have; only `contact_unknown` may be absent."""
        flag = self._deadlines.rules.flag
        return (*self._deadlines.rules.facts, *([flag[0]] if flag else []))

    def reading(self, **names: str) -> Self:
        """
        The same policy, with the same digest, on records that call the facts by other names.

        ``policy.reading(owner="owner_id", last_contact_at="last_activity")``. Raises `InvalidPolicy` for a fact that
        this kind of policy does not know.
        """
        for fact in names:
            if not self._knows(fact):
                near = get_close_matches(fact, self.reads, 1)
                hint = f"; did you mean {near[0]!r}?" if near else f" ({', '.join(self.reads)})"
                raise InvalidPolicy(f"reading({fact}=…)", fact, f"a fact of this policy{hint}")
        return attrs.evolve(self, names={**self.names, **names})

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the resolved parameters, calendar dates included, in a numbered canonical form."""
        return digest(self.kind, self.canonical())

    @property
    def ref(self) -> PolicyRef:
        """Name, version and digest, as every decision carries them."""
        return PolicyRef(self.name or self.kind, self.version, self.digest, self._zone_name)

    @cached_property
    def _deadlines(self) -> Deadlines:
        return Deadlines(self._rules(), lambda: self.ref, self.names)

    @cached_property
    def _decide(self) -> Callable[[object, datetime], Decision]:
        return decider(self._deadlines)

    def __getstate__(self) -> dict[str, Any]:
        fields = {field.name for field in attrs.fields(type(self))}
        return {name: value for name, value in self.__dict__.items() if name in fields}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @property
    @abstractmethod
    def _zone_name(self) -> str: ...

    @abstractmethod
    def canonical(self) -> dict[str, Any]:
        """The resolved parameters as JSON-able data, the same however they were written."""

    @abstractmethod
    def _rules(self) -> DeadlineRules: ...

    @abstractmethod
    def _knows(self, fact: str) -> bool: ...
