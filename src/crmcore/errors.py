"""
Every error of the library, in one tree.

    CrmcoreError
    ├── InvalidInput (ValueError)      what was given cannot be used; says what to give instead
    │   ├── NaiveDatetime              an instant without an offset
    │   ├── MissingFact                a record lacks a fact that the policy reads
    │   ├── InvalidFact                a fact of a record has a value that cannot be judged
    │   ├── InvalidSpan                text that is no span
    │   ├── SpanNeeds                  a span without the zone or calendar its unit needs
    │   ├── InvalidCalendar            hours or dates that make no calendar
    │   ├── InvalidMoney               an amount or currency that is none
    │   ├── InvalidPolicy              parameters that make no policy
    │   ├── InvalidFrame               a data frame whose columns cannot be used, or a policy that columns cannot say
    │   ├── UnknownProspect (LookupError)  no prospect of a store has that id
    │   └── InvalidFile                a file that cannot be used: all faults at once
    ├── StoreError                     a store cannot be used, or not now
    │   └── StoreBusy                  another transaction was in the way; try again
    ├── NoWorkingTime (ArithmeticError) a calendar has no working time where some is needed
    ├── CurrencyMismatch (ArithmeticError)  two currencies in one sum
    └── MissingExtra (ImportError)     an optional dependency is not installed

Each keeps its facts as fields, pickles, and prints what, where, what was expected and what to do.
"""

from __future__ import annotations

from typing import Final

import attrs

__all__ = [
    "CrmcoreError",
    "CurrencyMismatch",
    "Fault",
    "InvalidCalendar",
    "InvalidFact",
    "InvalidFile",
    "InvalidFrame",
    "InvalidInput",
    "InvalidMoney",
    "InvalidPolicy",
    "InvalidSpan",
    "MissingExtra",
    "MissingFact",
    "NaiveDatetime",
    "NoWorkingTime",
    "SpanNeeds",
    "StoreBusy",
    "StoreError",
    "UnknownProspect",
]

FAULTS_SHOWN: Final = 20


class CrmcoreError(Exception):
    """The root: catch this to catch everything the library raises on purpose."""


class InvalidInput(CrmcoreError, ValueError):
    """What was given cannot be used."""


@attrs.define
class NaiveDatetime(InvalidInput):
    """An instant without an offset, refused at the door."""

    name: str
    value: object
    id: object = None

    def __str__(self) -> str:
        where = self.name if self.id is None else f"{self.name} of {self.id!r}"
        return f"{where} is {self.value!s}, without an offset; give an aware datetime, e.g. .replace(tzinfo=zone)"


@attrs.define
class MissingFact(InvalidInput):
    """A record lacks a fact that the policy reads; `remedy`: what to do about a fact that no policy reads."""

    fact: str
    name: str
    kind: str
    remedy: str = ""

    def __str__(self) -> str:
        if self.remedy:
            return f"{self.kind} has no {self.name!r}, which is read as {self.fact!r}; {self.remedy}"
        return (
            f"{self.kind} has no {self.name!r}, which the policy reads as {self.fact!r}; add it"
            f" (None says there was none), or name yours: policy.reading({self.fact}='…')"
        )


@attrs.define
class InvalidFact(InvalidInput):
    """A fact of a record has a value that cannot be judged."""

    fact: str
    value: object
    expected: str
    id: object = None

    def __str__(self) -> str:
        where = self.fact if self.id is None else f"{self.fact} of {self.id!r}"
        return f"{where} is {self.value!r}; expected {self.expected}"


@attrs.define
class InvalidSpan(InvalidInput):
    """Text that is no span."""

    text: object
    hint: str

    def __str__(self) -> str:
        return f"{self.text!r} is no span: {self.hint}"


@attrs.define
class SpanNeeds(InvalidInput):
    """A span without the zone or calendar that its unit needs; `key` names the parameter it stands in."""

    span: str
    needs: str
    key: str = ""

    def __str__(self) -> str:
        where = f"{self.key} = {self.span!r}" if self.key else repr(self.span)
        instead = "d, w or mo" if self.needs == "calendar" else "h or min"
        return f"{where} needs a {self.needs}; give {self.needs}=…, or write it in {instead}"


@attrs.define
class InvalidCalendar(InvalidInput):
    """Hours or dates that make no calendar; `key` is the place, such as ``week.mon[0]``."""

    key: str
    value: object
    expected: str

    def __str__(self) -> str:
        return f"{self.key}: {self.value!r} is not {self.expected}"


@attrs.define
class InvalidMoney(InvalidInput):
    """An amount or currency that is none."""

    value: object
    expected: str

    def __str__(self) -> str:
        return f"{self.value!r} is not {self.expected}"


@attrs.define
class InvalidFrame(InvalidInput):
    """A data frame that cannot be used, or a policy that columns cannot say."""

    place: str
    found: object
    expected: str
    remedy: str

    def __str__(self) -> str:
        instead = f" is not {self.expected}" if self.expected else ""
        return f"{self.place}: {self.found}{instead}; {self.remedy}"


@attrs.define
class InvalidPolicy(InvalidInput):
    """Parameters that make no policy; `key` is the parameter."""

    key: str
    value: object
    expected: str

    def __str__(self) -> str:
        return f"{self.key}: {self.value!r} is not {self.expected}"


@attrs.frozen
class Fault:
    """One thing wrong in a file: the place, what stands there, what to do."""

    place: str
    value: object
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        shown = "" if self.value is None else f" {self.value!r}"
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.place}:{shown} {self.problem}{remedy}"


@attrs.define
class InvalidFile(InvalidInput):
    """A file that cannot be used: every fault found, the first twenty printed."""

    path: str
    faults: tuple[Fault, ...]
    not_kept: int = 0
    """How many more there were than `faults` holds."""

    def __str__(self) -> str:
        lines = [f"{self.path}: {fault}" for fault in self.faults[:FAULTS_SHOWN]]
        if (rest := len(self.faults) + self.not_kept - len(lines)) > 0:
            lines.append(f"{self.path}: and {rest} more")
        return "\n".join(lines)


@attrs.define
class UnknownProspect(InvalidInput, LookupError):
    """No prospect of a store has that id."""

    id: object

    def __str__(self) -> str:
        return f"there is no prospect {self.id!r} in the store; register it first"


@attrs.define
class StoreError(CrmcoreError):
    """A store cannot be used; `store` names it, without passwords."""

    store: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.store}: {self.problem}; {self.remedy}"


@attrs.define
class StoreBusy(StoreError):
    """Another transaction was in the way, so nothing of this one was done: it may be tried again."""


@attrs.define
class NoWorkingTime(CrmcoreError, ArithmeticError):
    """A calendar has no working time where some is needed."""

    calendar: str
    since: object

    def __str__(self) -> str:
        return f"calendar {self.calendar!r} has no working time after {self.since}; give it hours"


@attrs.define
class CurrencyMismatch(CrmcoreError, ArithmeticError):
    """Two currencies in one sum."""

    left: str
    right: str

    def __str__(self) -> str:
        return f"cannot combine {self.left} and {self.right}; convert one first"


@attrs.define
class MissingExtra(CrmcoreError, ImportError):
    """An optional dependency is not installed."""

    package: str
    extra: str
    what_for: str

    def __str__(self) -> str:
        return f"{self.what_for} needs {self.package}; pip install 'crmcore[{self.extra}]'"
