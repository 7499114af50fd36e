"""The cap (OWN-4, OWN-10) as a frozen value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, Final, TypeVar

import attrs

from crmcore.calendars import to_utc
from crmcore.decisions.codes import Outcome, ReasonCode
from crmcore.decisions.decision import Decision, Given, PolicyRef, Reason
from crmcore.decisions.digest import digest
from crmcore.decisions.facts import FactReader
from crmcore.decisions.frozen import FrozenMap
from crmcore.errors import InvalidFact, InvalidPolicy

__all__ = ["CapPolicy"]

Frame = TypeVar("Frame")
"""A kind of data frame."""
CAP_FACTS: Final = FactReader(("owner", "held"), {})


def _caps(value: Mapping[Any, int]) -> Mapping[Any, int]:
    if not isinstance(value, Mapping):
        raise InvalidPolicy("per_owner", value, "a table of owners, each with a number")
    return FrozenMap({owner: _cap(number, f"per_owner.{owner}") for owner, number in value.items()})


def _cap(value: int | None, key: str = "default") -> Any:
    if value is None and key == "default":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidPolicy(key, value, "a whole number, 0 or more")
    return value


@attrs.frozen(kw_only=True, slots=False)
class CapPolicy:
    """
    How many open prospects an owner may hold (OWN-4); who holds the number is full (OWN-10).

    `default` for everybody, ``None``: no cap; `per_owner` by the owner's id, smaller for a newcomer say. Won, lost and
    invalid prospects do not count (OWN-9). Raises `InvalidPolicy`.
    """

    kind: ClassVar[str] = "ownership.cap"

    name: str = ""
    version: str = "unversioned"
    default: int | None = attrs.field(default=None, converter=_cap)
    per_owner: Mapping[Any, int] = attrs.field(default=FrozenMap({}), converter=_caps)

    def cap(self, owner: str | int) -> int | None:
        """The most open prospects that `owner` may hold; ``None``: no cap. Ids compare as text, too (7 is "7")."""
        found = self.per_owner.get(owner)
        if found is None:
            found = self._by_text.get(str(owner))
        return self.default if found is None else found

    @cached_property
    def _by_text(self) -> dict[str, int]:
        return {str(owner): cap for owner, cap in self.per_owner.items()}

    def full(self, owner: str | int, held: int) -> bool:
        """Whether an owner of `held` open prospects gets no further one: held >= cap."""
        cap = self.cap(owner)
        return cap is not None and held >= cap

    def over_by(self, owner: str | int, held: int) -> int | None:
        """How many open prospects are over the cap, 0 or more; ``None``: no cap."""
        cap = self.cap(owner)
        return None if cap is None else max(held - cap, 0)

    def decide(self, facts: Any, *, now: datetime) -> Decision:
        """
        ASSIGN or UNASSIGNED for one more prospect: `facts` has `owner` and `held`, the open prospects held now.

        Time changes nothing, so `next_change_at` is ``None``. Raises `MissingFact`, and `InvalidFact` for a
        count that is none.
        """
        owner, held = CAP_FACTS(facts)
        if isinstance(held, bool) or not isinstance(held, int) or held < 0:
            raise InvalidFact("held", held, "a whole number, 0 or more", owner)
        cap, full = self.cap(owner), self.full(owner, held)
        margin = None if cap is None else held - cap
        reason = Reason(
            rule="OWN-4", code=ReasonCode.CAP, holds=full, fact="held", observed=held, limit=cap, margin=margin
        )
        outcome = Outcome.UNASSIGNED if full else Outcome.ASSIGN
        rule = "OWN-4" if full else None
        return Decision(outcome, 0, rule, to_utc(now, "now"), None, None, (), False, self.ref, Given((reason,)))

    def loads(self, df: Frame, *, prefix: str = "", owner: str = "owner", status: str = "status") -> Frame:
        """
        What each owner of open prospects holds: owner, open, cap, over_by, after_reclaim, over_after_reclaim.

        The same kind of frame comes back (extra `frames`), sorted by owner as text, and what is lazy stays lazy. If
        ``{prefix}outcome`` of `policy.frame` is there, what it reclaims leaves; with a `prefix` it must be there. Where
        an owner has no cap there is null; pandas makes floats of such a column. Raises `InvalidFrame`, `MissingExtra`.
        """
        from crmcore.ownership.loads import loads

        held: Frame = loads(df, self.default, self.per_owner, prefix=prefix, owner=owner, status=status)
        return held

    def frame(
        self,
        df: Frame,
        *,
        order_by: str | Sequence[str] | None = None,
        prefix: str = "",
        owner: str = "owner",
        status: str = "status",
        id: str = "id",
    ) -> Frame:
        """
        The caller's data frame with two more columns: held, give_back (extra `frames`).

        `held`: the open prospects of this row's owner; 0 in a row that is not open or has no owner. `give_back`: 0
        stays, 1 is the first that its owner gives back, and so on until the cap is kept. What ``{prefix}outcome`` of
        `policy.frame` reclaims leaves anyway and is not given back; with a `prefix` that column must be there.

        `order_by`: columns, ascending, from what to give back first to what to keep longest; null and NaN last. By
        default the longest idle goes first: the later of assigned_at and last_contact_at (OWN-14). Ties go by id, as
        text; rows of one owner with the same id are in no fixed order among themselves.

        Polars, pandas, DuckDB, PySpark: the same kind comes back, and what is lazy stays lazy. Raises `InvalidFrame`,
        also for PyArrow and Dask, and `MissingExtra`.
        """
        from crmcore.ownership.loads import frame

        names = {"prefix": prefix, "owner": owner, "status": status, "key": id}
        ordered: Frame = frame(df, self.default, self.per_owner, order_by=order_by, **names)
        return ordered

    def canonical(self) -> dict[str, Any]:
        """The parameters as JSON-able data."""
        return {"default": self.default, "per_owner": self._by_text}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the parameters in a numbered canonical form."""
        return digest(self.kind, self.canonical())

    @property
    def ref(self) -> PolicyRef:
        """Name, version and digest, as every decision carries them."""
        return PolicyRef(self.name or self.kind, self.version, self.digest)
