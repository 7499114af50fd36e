"""
Key accounts (VAL-4, VAL-5, VAL-10): the top 20 % of customers by sales, what they carry, and who looks after them.

>>> from crmcore.value.accounts import KeyAccountPolicy
>>> found = KeyAccountPolicy().pick({"u1": 700, "u2": 150, "u3": 90, "u4": 40, "u5": 20, "u6": 0})
>>> [row.key for row in found.accounts], found.share, found.class_a_share, found.recommendation.value
(['u1'], Fraction(7, 10), Fraction(17, 20), 'executives')
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from math import ceil, inf
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar, get_args

import attrs

from crmcore.decisions.decision import PolicyRef
from crmcore.decisions.digest import digest
from crmcore.decisions.frames import check_free, narwhal, narwhals
from crmcore.errors import InvalidPolicy
from crmcore.sales.figures import exact_sum, nearest, share
from crmcore.sales.frames import KEY, VALUE, Lines, collected, lines
from crmcore.value.classes import AbcPolicy, Classed, Classes
from crmcore.value.cuts import Cut, Values, read_cuts

__all__ = ["Care", "KeyAccountPolicy", "KeyAccounts", "KeyAccountsBy"]

Frame = TypeVar("Frame")
"""A kind of data frame."""
KeyAccountsBy: TypeAlias = Literal["share", "class_a"]


class Care(StrEnum):
    """Who looks after the key accounts (VAL-5)."""

    DEPARTMENT = "department"
    EXECUTIVES = "executives"


@attrs.frozen(kw_only=True)
class KeyAccounts:
    """
    The key accounts, the greatest first, beside class A.

    `customers`: those with positive net sales, of whom the top share is counted; `wanted`: how many that is, rounded
    up; `tied`: how many more are in because their value is that of the last one wanted. `share`: the part of the
    positive net sales that the accounts carry; ``None``: there are none. `class_a` and `class_a_share`: how many the
    best class has, and its part.
    """

    accounts: tuple[Classed, ...] = attrs.field(repr=False)
    by: KeyAccountsBy
    customers: int
    wanted: int
    value: Decimal
    share: Fraction | None
    class_a: int
    class_a_share: Fraction | None
    department_from: int

    @property
    def count(self) -> int:
        """How many key accounts there are."""
        return len(self.accounts)

    @property
    def tied(self) -> int:
        """How many there are beyond those wanted."""
        return self.count - self.wanted

    @property
    def recommendation(self) -> Care:
        """VAL-5: a department of their own from `department_from` key accounts on."""
        return Care.DEPARTMENT if self.count >= self.department_from else Care.EXECUTIVES

    def record(self) -> dict[str, Any]:
        """As JSON-able data."""
        return {
            "by": self.by,
            "customers": self.customers,
            "wanted": self.wanted,
            "tied": self.tied,
            "count": self.count,
            "value": format(self.value, "f"),
            "share": nearest(self.share),
            "class_a": {"customers": self.class_a, "share": nearest(self.class_a_share)},
            "recommendation": self.recommendation.value,
            "reason": {"rule": "VAL-5", "observed": self.count, "limit": self.department_from},
            "accounts": [row.record() for row in self.accounts],
        }


def _top(value: Cut) -> Decimal:
    try:
        return read_cuts((value,))[0]
    except InvalidPolicy as error:
        raise InvalidPolicy("top", value, error.expected) from None


def _by(_: object, __: object, value: str) -> None:
    if value not in get_args(KeyAccountsBy):
        raise InvalidPolicy("by", value, f"one of {', '.join(get_args(KeyAccountsBy))}")


def _count(_: object, attribute: Any, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidPolicy(attribute.name, value, "a whole number, 1 or more")


@attrs.frozen(kw_only=True, slots=False)
class KeyAccountPolicy:
    """
    Whom to pick as key accounts, and how many of them need a department (VAL-4, VAL-5, VAL-10).

    `top`: the percentage of the customers (20), or a share below 1; of those with positive net sales, rounded up. Who
    sells for as much as the last of them is in, too (VAL-7). `by` ``"class_a"`` picks the best class of `abc` instead.
    Raises `InvalidPolicy`.
    """

    kind: ClassVar[str] = "value.key_accounts"

    name: str = ""
    version: str = "unversioned"
    top: Decimal = attrs.field(default=Decimal(20), converter=_top)
    by: KeyAccountsBy = attrs.field(default="share", validator=_by)
    department_from: int = attrs.field(default=20, validator=_count)
    abc: AbcPolicy = attrs.field(factory=AbcPolicy)

    def wanted(self, customers: int) -> int:
        """How many of so many customers with positive net sales are the top share, rounded up."""
        return ceil(Fraction(self.top) * customers / 100)

    def pick(self, values: Values | Classes) -> KeyAccounts:
        """
        The key accounts among these values, or among `Classes`, which then say what class A is.

        Raises `InvalidFact` and `CurrencyMismatch` as `AbcPolicy.classify`.
        """
        classes = values if isinstance(values, Classes) else self.abc.classify(values)
        base = [row for row in classes.rows if row.cumulative is not None]
        best = classes.scale.labels[0]
        class_a = [row for row in base if row.class_ == best]
        wanted = len(class_a) if self.by == "class_a" else self.wanted(len(base))
        accounts = _with_ties(base, wanted)
        value = exact_sum(row.value for row in accounts)
        return KeyAccounts(
            accounts=accounts,
            by=self.by,
            customers=len(base),
            wanted=wanted,
            value=value,
            share=share(value, classes.total),
            class_a=len(class_a),
            class_a_share=classes.classes[best].share_value,
            department_from=self.department_from,
        )

    def frame(self, df: Frame, *, key: str, value: str, places: int = 2, prefix: str = "") -> Frame:
        """
        `AbcPolicy.frame` of the lines in a data frame, with one more column: key_account, true or false.

        The lines are read twice, once now, also those of a lazy frame. Raises as `AbcPolicy.frame`.
        """
        flag = f"{prefix}key_account"
        check_free((flag,), (key,))
        classed = narwhal(self.abc.frame(df, key=key, value=value, places=places, prefix=prefix))
        if self.by == "class_a":
            picked = narwhals().col(f"{prefix}class") == self.abc.letters[0]
        else:
            picked = narwhals().col(f"{prefix}value") > self._below(lines(df, key=key, value=value, places=places))
        marked: Frame = classed.with_columns(picked.alias(flag)).to_native()
        return marked

    def _below(self, sold: Lines) -> float:
        """Half a unit below the value of the last one wanted, and so above the next; infinite for none."""
        nw = narwhals()
        sold.refuse(collected(sold.frame.select(**sold.faults())).rows(named=True)[0])
        totals = collected(sold.frame.group_by(KEY).agg(nw.col(VALUE).sum()))
        units = totals.filter(nw.col(VALUE) > 0)[VALUE].sort(descending=True)
        wanted = self.wanted(len(units))
        return (int(units[wanted - 1]) - 0.5) / sold.unit if wanted else inf

    def canonical(self) -> dict[str, Any]:
        """The parameters as JSON-able data."""
        return {
            "top": format(self.top, "f"),
            "by": self.by,
            "department_from": self.department_from,
            "abc": self.abc.canonical(),
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the parameters in a numbered canonical form."""
        return digest(self.kind, self.canonical())

    @property
    def ref(self) -> PolicyRef:
        """Name, version and digest."""
        return PolicyRef(self.name or self.kind, self.version, self.digest)


def _with_ties(rows: Sequence[Classed], wanted: int) -> tuple[Classed, ...]:
    """The first rows, and those of the value of the last of them."""
    if not wanted:
        return ()
    least = rows[wanted - 1].value
    return tuple(row for row in rows if row.value >= least)
