"""
CRM policies as frozen values: decisions that a team can trust, explain, schedule, sweep and test.

The face: the names below and the packages beside them. Each is imported when it is first asked for (PEP 562), so that
``import crmcore`` costs next to nothing.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crmcore import analysis as analysis
    from crmcore import book as book
    from crmcore import calendars as calendars
    from crmcore import decisions as decisions
    from crmcore import errors as errors
    from crmcore import files as files
    from crmcore import money as money
    from crmcore import ownership as ownership
    from crmcore import reservations as reservations
    from crmcore import rules as rules
    from crmcore import sales as sales
    from crmcore import storage as storage
    from crmcore import testing as testing
    from crmcore import value as value
    from crmcore.book import PolicyBook
    from crmcore.calendars import OPEN_ENDED, BusinessCalendar, Span
    from crmcore.decisions import Decision, Reason
    from crmcore.money import Money

    __version__: str

else:  # a type checker that saw this would take every name for granted

    def __getattr__(name: str) -> object:
        if name in _HOMES:
            value: object = getattr(_import_module(f"{__name__}.{_HOMES[name]}"), name)
        elif name in _MODULES:
            value = _import_module(f"{__name__}.{name}")
        elif name == "__version__":
            value = _import_module("importlib.metadata").version(__name__)
        else:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg, name=name, obj=_import_module(__name__))
        globals()[name] = value
        return value


__all__ = ["OPEN_ENDED", "BusinessCalendar", "Decision", "Money", "PolicyBook", "Reason", "Span"]

_HOMES = {
    "OPEN_ENDED": "calendars",
    "BusinessCalendar": "calendars",
    "Decision": "decisions",
    "Money": "money",
    "PolicyBook": "book",
    "Reason": "decisions",
    "Span": "calendars",
}
_MODULES = frozenset(
    "analysis book calendars decisions errors files money ownership reservations rules sales storage testing"
    " value".split()
)


def __dir__() -> list[str]:
    hidden = {name for name in globals() if name.startswith("_")}
    return sorted({*__all__, *_MODULES, "__version__"} | hidden)
