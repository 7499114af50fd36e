"""
The door for data frames: narwhals, found late; what the caller's frame must have, and what it is told where it has not.

No dataframe library is imported here or anywhere in the library: the caller's frame brings its own.
"""

# mypy: disable-error-code="no-any-return"
# narwhals is imported late, so what it makes is Any here.

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from crmcore.errors import InvalidFrame, MissingExtra

if TYPE_CHECKING:
    from crmcore.decisions.deadlines import Deadlines

__all__ = [
    "ANSWER",
    "OWN",
    "check",
    "check_free",
    "narwhal",
    "narwhals",
    "need",
    "need_code",
    "need_flag",
    "need_instant",
    "twice",
]

ANSWER: Final = ("outcome", "step", "rule", "next_change_at")
"""The columns that a policy adds to a frame."""
OWN: Final = "__crmcore_"
"""How our own columns begin while the answer is made; none of them comes back."""


def narwhals() -> Any:
    """The library that speaks to frames; raises `MissingExtra` where it is not installed."""
    try:
        import narwhals.stable.v2 as nw
    except ImportError:
        raise MissingExtra("narwhals", "frames", "a data frame") from None
    return nw


def narwhal(df: Any) -> Any:
    """The frame as narwhals sees it; raises `InvalidFrame` for what is none, or has a name twice."""
    nw = narwhals()
    from narwhals.exceptions import DuplicateError

    try:
        frame = nw.from_native(df)
    except TypeError:
        remedy = "give a frame of Polars, pandas, PyArrow, DuckDB or PySpark; for records there is policy.at(now)"
        raise InvalidFrame("df", type(df).__name__, "a data frame", remedy) from None
    except DuplicateError:
        raise twice(getattr(df, "column_names", None) or df.columns) from None
    if isinstance(frame, nw.LazyFrame) and not frame.implementation.is_polars():
        folded = [name.casefold() for name in frame.columns]
        if len(set(folded)) < len(folded):  # a database takes the first, a schema has the type of the last
            raise twice(folded)
    return frame


def twice(names: Iterable[object]) -> InvalidFrame:
    """What refuses a frame in which a name stands twice, as after a join."""
    repeated = (str(name) for name, count in Counter(names).items() if count > 1)
    return InvalidFrame("columns", ", ".join(repeated), "there once", "rename or drop the others of that name")


def check_free(wanted: Sequence[str], there: Iterable[object]) -> None:
    """Refuses a frame that has one of the columns to be made; some databases do not tell capitals from small."""
    folded = {str(name).casefold(): str(name) for name in there}  # pandas takes numbers for names
    if taken := [folded[name.casefold()] for name in wanted if name.casefold() in folded]:
        raise InvalidFrame("columns", ", ".join(taken), "free for the answer", "drop them, or give prefix='…'")
    if taken := [name for name in (*folded.values(), *wanted) if name.startswith(OWN)]:
        raise InvalidFrame("columns", ", ".join(taken), "free for our own use", "rename them")


def check(deadlines: Deadlines, schema: Mapping[str, Any]) -> None:
    """Refuses a frame that lacks a column or has one of another type, and a policy that columns cannot say."""
    rules = deadlines.rules
    codes = (rules.gate, *(limit.by for limit in rules.limits if limit.by))
    for fact, host in zip(deadlines.read.facts, deadlines.read.hosts, strict=True):
        need(schema, host, fact, f"add it (null says there was none), or name yours: policy.reading({fact}='…')")
        if host == "*" or (host.startswith("^") and host.endswith("$")):
            raise InvalidFrame(f"column {host!r}", "the name", "one that means itself alone", "rename the column")
        if fact in codes:
            need_code(host, schema[host])
        elif fact != rules.owner:
            need_instant(host, schema[host])
    if deadlines.flag_host in schema:
        need_flag(deadlines.flag_host, schema[deadlines.flag_host])
    for limit in rules.limits:
        for lead in rules.leads if limit.default is None else ():
            if len({rules.begins(lead, span) for span in limit.spans.values()}) > 1:
                expected = f"shorter than every limit by {limit.by}, as columns need it where there is no default"
                remedy = "add a default, shorten the lead, or decide row by row: policy.decide"
                raise InvalidFrame("remind_before", str(lead.span), expected, remedy)


def need(schema: Mapping[str, Any], host: str, fact: str, remedy: str) -> None:
    """Refuses a frame without the column `host`."""
    if host not in schema:
        near = get_close_matches(host, schema, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InvalidFrame(f"column {host!r}", f"missing, and read as {fact}", "", f"{hint}{remedy}")


def need_code(host: str, dtype: Any) -> None:
    """Refuses a column of codes that is not text."""
    nw = narwhals()
    if dtype not in (nw.String, nw.Categorical) and not isinstance(dtype, nw.Enum):
        raise InvalidFrame(f"column {host!r}", dtype, "a code, as text", "cast it to text: the policy's codes are")


def need_flag(host: str, dtype: Any) -> None:
    """Refuses a flag that is not Boolean."""
    if dtype != narwhals().Boolean:
        raise InvalidFrame(f"column {host!r}", dtype, "Boolean", "cast it, or leave it out")


def need_instant(host: str, dtype: Any) -> None:
    """Refuses a column of instants that is none, or that has no zone."""
    if not isinstance(dtype, narwhals().Datetime):
        remedy = "cast it to a datetime in UTC, a column of nulls too"
        raise InvalidFrame(f"column {host!r}", dtype, "an instant with a time zone", remedy)
    if dtype.time_zone is None:
        remedy = "give it its zone first: .dt.replace_time_zone('Asia/Shanghai'), in pandas .dt.tz_localize"
        raise InvalidFrame(f"column {host!r}", f"{dtype}, without a zone", "an instant with a time zone", remedy)
