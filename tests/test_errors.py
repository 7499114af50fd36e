"""Errors keep their facts as fields, pickle, and say what, where, and what to do."""

from __future__ import annotations

import pickle
from datetime import datetime

import attrs
import pytest

from crmcore import errors
from crmcore.errors import CrmcoreError, Fault, InvalidFile, InvalidInput

EXAMPLES: dict[CrmcoreError, str] = {
    errors.NaiveDatetime("now", datetime(2026, 1, 1)): (
        "now is 2026-01-01 00:00:00, without an offset; give an aware datetime, e.g. .replace(tzinfo=zone)"
    ),
    errors.NaiveDatetime("assigned_at", datetime(2026, 1, 1), 7): (
        "assigned_at of 7 is 2026-01-01 00:00:00, without an offset; give an aware datetime, e.g. .replace(tzinfo=zone)"
    ),
    errors.MissingFact("owner", "owner_id", "Lead"): (
        "Lead has no 'owner_id', which the policy reads as 'owner'; add it (None says there was none),"
        " or name yours: policy.reading(owner='…')"
    ),
    errors.InvalidFact("status", "x", "one of open, won"): "status is 'x'; expected one of open, won",
    errors.InvalidFact("status", "x", "one of open, won", "p1"): "status of 'p1' is 'x'; expected one of open, won",
    errors.InvalidSpan("30m", "say min or mo"): "'30m' is no span: say min or mo",
    errors.SpanNeeds("5wd", "calendar"): "'5wd' needs a calendar; give calendar=…, or write it in d, w or mo",
    errors.SpanNeeds("5wd", "calendar", "idle"): (
        "idle = '5wd' needs a calendar; give calendar=…, or write it in d, w or mo"
    ),
    errors.InvalidCalendar("week.mon[0]", "9-17", "a window"): "week.mon[0]: '9-17' is not a window",
    errors.InvalidMoney(1.5, "a Decimal"): "1.5 is not a Decimal",
    errors.InvalidFrame("column 'x'", "missing", "", "add it"): "column 'x': missing; add it",
    errors.InvalidFrame("df", "list", "a data frame", "give one"): "df: list is not a data frame; give one",
    errors.InvalidPolicy("idle", "x", "a span"): "idle: 'x' is not a span",
    errors.UnknownProspect(7): "there is no prospect 7 in the store; register it first",
    errors.StoreError("sqlite:///crm.db", "has no tables of crmcore", "make them"): (
        "sqlite:///crm.db: has no tables of crmcore; make them"
    ),
    errors.StoreBusy("sqlite:///crm.db", "database is locked", "try again"): (
        "sqlite:///crm.db: database is locked; try again"
    ),
    errors.InvalidFile("book.toml", (Fault("zone", "Mars", "is no zone", "write UTC"),)): (
        "book.toml: zone: 'Mars' is no zone; write UTC"
    ),
    errors.NoWorkingTime("office", "2026-01-01"): (
        "calendar 'office' has no working time after 2026-01-01; give it hours"
    ),
    errors.CurrencyMismatch("CNY", "EUR"): "cannot combine CNY and EUR; convert one first",
    errors.MissingExtra("holidays", "calendars", "this"): "this needs holidays; pip install 'crmcore[calendars]'",
}


@pytest.mark.parametrize(("error", "text"), EXAMPLES.items(), ids=lambda each: type(each).__name__)
def test_an_error_says_what_where_and_what_to_do(error: CrmcoreError, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda each: type(each).__name__)
def test_an_error_keeps_its_facts_through_a_pickle(error: CrmcoreError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert attrs.asdict(again) == attrs.asdict(error)
    assert str(again) == str(error)


def test_every_error_of_the_tree_has_an_example() -> None:
    assert {type(error).__name__ for error in EXAMPLES} == set(errors.__all__) - {
        "CrmcoreError",
        "InvalidInput",
        "Fault",
    }


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda each: type(each).__name__)
def test_the_tree_is_as_the_docstring_draws_it(error: CrmcoreError) -> None:
    """Everything is a CrmcoreError, below what it is drawn below, and the builtin that a host would catch."""
    lines = (errors.__doc__ or "").splitlines()
    place = next(n for n, line in enumerate(lines) if f"── {type(error).__name__} " in line)
    depth = lines[place].index("── ")
    above = next(line for line in reversed(lines[:place]) if len(line) - len(line.lstrip(" │├└─")) < depth + 3)
    parent = type(error).__mro__[1]
    assert above.lstrip(" │├└─").split()[0] == parent.__name__
    assert isinstance(error, InvalidInput) == isinstance(error, ValueError)
    for builtin in (ArithmeticError, ImportError, LookupError):
        assert isinstance(error, builtin) == (f"({builtin.__name__})" in lines[place])


def test_the_first_twenty_faults_are_printed() -> None:
    faults = tuple(Fault(f"line {n}", None, "is bad") for n in range(1, 24))
    lines = str(InvalidFile("a.csv", faults)).splitlines()
    assert (len(lines), lines[0], lines[-1]) == (21, "a.csv: line 1: is bad", "a.csv: and 3 more")
    assert len(str(InvalidFile("a.csv", faults[:20])).splitlines()) == 20


def test_an_error_can_be_raised_and_traced() -> None:
    """It is no frozen object: a traceback and a cause can be set on it."""
    with pytest.raises(InvalidFile) as caught:
        raise InvalidFile("a.csv", ()) from ValueError("cause")
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(CrmcoreError):
        raise caught.value
