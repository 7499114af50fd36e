"""
Which of many stored prospects stay as they are, told in columns where a data frame library is installed.

Most of what a new policy looks at stays; only the others are decided one by one. A batch with a value that a column
cannot hold (an unknown fact, a code that is no text) is left to `decide` as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from typing import Any, Final

from crmcore.decisions.codes import Outcome
from crmcore.decisions.frames import narwhals
from crmcore.errors import InvalidFrame
from crmcore.ownership.policy import ReclaimPolicy

__all__ = ["staying"]

BACKENDS: Final = ("polars", "pyarrow")
"""What a frame is made of, the first that is installed; slower ones gain nothing over `decide`."""
NONE: Final = type(None)
FLAG: Final = "contact_unknown"


@cache
def _backend() -> str | None:
    """The library to make frames with; None: there is none."""
    if find_spec("narwhals") is None:
        return None
    return next((name for name in BACKENDS if find_spec(name) is not None), None)


def staying(
    policy: ReclaimPolicy, facts: Sequence[Mapping[str, Any]], now: datetime
) -> Mapping[int, datetime | None] | None:
    """
    The places of the facts whose answer at `now` is KEEP, each with the instant at which to look again.

    That instant is `next_change_at`, or years ahead sometimes earlier. ``None``: columns cannot tell.
    """
    backend = _backend()
    if backend is None or (columns := _columns(policy, facts)) is None:
        return None
    nw = narwhals()
    kinds = {"text": nw.String, "instant": nw.Datetime("us", "UTC"), "flag": nw.Boolean}
    schema = {name: kinds[_kind(name)] for name in columns}
    try:
        frame = policy.frame(nw.from_dict(columns, schema, backend=backend).to_native(), now=now, prefix="to_keep_")
    except InvalidFrame:
        return None
    said = nw.from_native(frame, eager_only=True)
    pairs = enumerate(zip(said["to_keep_outcome"].to_list(), said["to_keep_next_change_at"].to_list(), strict=True))
    return {place: change for place, (outcome, change) in pairs if outcome == Outcome.KEEP}


def _kind(fact: str) -> str:
    if fact == FLAG:
        return "flag"
    return "instant" if fact.endswith(("_at", "_until")) else "text"


def _columns(policy: ReclaimPolicy, facts: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]] | None:
    """The facts that the policy reads, as lists; None where one has a value of another type."""
    of_kind = {"text": {str, NONE}, "instant": {datetime, NONE}, "flag": {bool, NONE}}
    columns = {}
    for fact in policy.reads:
        values = [each.get(fact) for each in facts]
        if fact == "owner":  # only whether there is one counts
            values = [str(value) if type(value) is int else value for value in values]
        if not set(map(type, values)) <= of_kind[_kind(fact)]:
            return None
        columns[fact] = values
    return columns
