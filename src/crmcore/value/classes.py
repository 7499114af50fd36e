"""
ABC analysis (VAL-2, VAL-3): customers, or products, by their part in the cumulated value.

The class is a function of the value alone: of each cut there is a least value that is still above it. So equal values
share a class, and neither the order of the input nor a return booked as a line of its own changes one (VAL-7). The
file is long because policy and answer say all that is public here; how it is reckoned stands in `cuts`.

>>> from crmcore.value.classes import abc
>>> found = abc({"u1": 700, "u2": 150, "u3": 100, "u4": 50, "u5": 0, "u6": -20})
>>> [(row.key, row.class_, f"{float(row.cumulative):.2f}") for row in found.rows if row.cumulative]
[('u1', 'A', '0.70'), ('u2', 'A', '0.85'), ('u3', 'B', '0.95'), ('u4', 'C', '1.00')]
>>> found.of("u6"), found.total, found.net, found.classes["A"].share_value
('N', Decimal('1000'), Decimal('980'), Fraction(17, 20))
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, chain, pairwise, repeat, zip_longest
from typing import Any, ClassVar, Final, TypeVar, get_args

import attrs

from crmcore.decisions.decision import PolicyRef
from crmcore.decisions.digest import digest
from crmcore.decisions.frozen import FrozenMap
from crmcore.errors import InvalidPolicy
from crmcore.sales.figures import nearest, share
from crmcore.value.cuts import (
    NEGATIVE,
    ZERO,
    Cut,
    Cutting,
    Degenerate,
    Nonpositive,
    Scale,
    Straddle,
    Tally,
    Ties,
    Values,
    amount,
    least_units,
    ranked,
    read_cuts,
    read_labels,
    rows_above,
    units_of,
)
from crmcore.value.presets import PRESETS, Preset

__all__ = [
    "AbcPolicy",
    "ClassShare",
    "ClassSummary",
    "Classed",
    "Classes",
    "abc",
    "abc_frame",
]

Frame = TypeVar("Frame")
"""A kind of data frame."""
LETTERS: Final = "ABCDEFGHIJKLM"
"""Up to N, which is taken."""


# --- the answer ---


@attrs.frozen
class Classed:
    """
    One customer: its net value, the part of the base up to and including it, its class.

    `cumulative` is ``None`` outside the base, which is the sum of the positive values.
    """

    key: Any
    value: Decimal
    cumulative: Fraction | None
    class_: str

    def record(self) -> dict[str, Any]:
        """As JSON-able data."""
        key = self.key if isinstance(self.key, str | int) else str(self.key)
        return {
            "key": key,
            "value": format(self.value, "f"),
            "cumulative": nearest(self.cumulative),
            "class": self.class_,
        }


@attrs.frozen(kw_only=True)
class ClassShare:
    """
    What a class has: customers, value, and shares of both, beside the expected shares.

    `share_value` is of the base (below zero for `NEGATIVE`; ``None``: no base), `share_customers` of all customers
    (``None``: there are none). `expected_value` is what the cuts say, `expected_customers` what the preset says.
    """

    customers: int
    value: Decimal
    share_value: Fraction | None
    share_customers: Fraction | None
    expected_value: Fraction | None
    expected_customers: Fraction | None

    def record(self) -> dict[str, Any]:
        """As JSON-able data."""
        return {
            "customers": self.customers,
            "value": format(self.value, "f"),
            "share_value": nearest(self.share_value),
            "share_customers": nearest(self.share_customers),
            "expected_value": nearest(self.expected_value),
            "expected_customers": nearest(self.expected_customers),
        }


@attrs.frozen(kw_only=True)
class ClassSummary:
    """
    The classes without their rows.

    `total`: the base, the sum of the positive net values; `net`: the sum of all. `classes` has every label, and
    `ZERO` and `NEGATIVE` unless those customers are in the lowest class. `degenerate`: why the classes tell nothing,
    ``None``: they do. `gini`: the concentration of the positive values, 0 where all are equal; ``None``: no base.
    """

    total: Decimal
    net: Decimal
    classes: Mapping[str, ClassShare]
    degenerate: Degenerate | None
    gini: Fraction | None
    scale: Scale
    policy: PolicyRef

    def record(self) -> dict[str, Any]:
        """As JSON-able data: amounts as text, shares as floats."""
        return {
            "total": format(self.total, "f"),
            "net": format(self.net, "f"),
            "degenerate": self.degenerate,
            "gini": nearest(self.gini),
            "classes": {label: share.record() for label, share in self.classes.items()},
        }


@attrs.frozen(kw_only=True, slots=False)
class Classes(ClassSummary):
    """`rows`: by value, the greatest first, then by key; ints before text, each in its own order."""

    rows: tuple[Classed, ...]

    def of(self, key: Hashable) -> str:
        """The class of one key; raises `KeyError`."""
        return self._by_key[key]

    @cached_property
    def _by_key(self) -> dict[Any, str]:
        return {row.key: row.class_ for row in self.rows}

    def record(self) -> dict[str, Any]:
        """As JSON-able data, rows included."""
        return {**super().record(), "rows": [row.record() for row in self.rows]}


# --- the policy ---


def _cuts(value: str | Iterable[Cut]) -> str | tuple[Decimal, ...]:
    if isinstance(value, str):
        if value not in PRESETS:
            raise InvalidPolicy("cuts", value, f"one of {', '.join(PRESETS)}, or percentages such as (75, 95)")
        return value
    if not isinstance(value, Iterable):
        raise InvalidPolicy("cuts", value, "percentages such as (75, 95)")
    return read_cuts(value)


def _among(kind: Any) -> Callable[[Any, Any, str], None]:
    def check(_: Any, attribute: Any, value: str) -> None:
        if value not in get_args(kind):
            raise InvalidPolicy(attribute.name, value, f"one of {', '.join(get_args(kind))}")

    return check


@attrs.frozen(kw_only=True, slots=False)
class AbcPolicy:
    """
    Where ABC analysis cuts the cumulated value, and who is on which side (VAL-2, VAL-3, VAL-7 to VAL-9).

    `cuts`: the name of a preset, or rising percentages (75) or shares below 1 (0.75). `straddle` says where those go
    whose value crosses a cut, all of equal value together, as one block, or with `ties` ``"stable"`` one by one in the
    order of their keys: into the ``"upper"`` class if it has begun below the cut,
    stays in the ``"lower"`` one unless it ends at or below the cut, or ``"nearest"``: where the greater part of it
    lies, the upper of halves. `nonpositive`: customers whose net value is not positive are ``"own"`` classes, or in
    the ``"lowest"``; outside the base they are anyway. `labels`: from the best class to the lowest.

    One positive customer, or several of the same value, are in the best class. Raises `InvalidPolicy`.
    """

    kind: ClassVar[str] = "value.abc"

    name: str = ""
    version: str = "unversioned"
    cuts: Any = attrs.field(default="s1", converter=_cuts)
    straddle: Straddle = attrs.field(default="upper", validator=_among(Straddle))
    ties: Ties = attrs.field(default="together", validator=_among(Ties))
    nonpositive: Nonpositive = attrs.field(default="own", validator=_among(Nonpositive))
    labels: Any = attrs.field(default=None, converter=read_labels)

    def __attrs_post_init__(self) -> None:
        count, most = len(self.percentages) + 1, len(LETTERS)
        if self.labels is None and count > most:
            raise InvalidPolicy(
                "labels", self.labels, f"{count} labels of your own: letters are given to {most} classes"
            )
        if len(self.letters) != count:
            raise InvalidPolicy("labels", self.labels, f"{count} labels, one more than there are cuts")

    @property
    def preset(self) -> Preset | None:
        """The preset that `cuts` names."""
        return PRESETS[self.cuts] if isinstance(self.cuts, str) else None

    @property
    def percentages(self) -> tuple[Decimal, ...]:
        """The cuts in percent."""
        cuts: tuple[Decimal, ...] = self.preset.cuts if self.preset else self.cuts
        return cuts

    @cached_property
    def shares(self) -> tuple[Fraction, ...]:
        """The cuts as shares."""
        return tuple(Fraction(percentage) / 100 for percentage in self.percentages)

    @cached_property
    def letters(self) -> tuple[str, ...]:
        """The labels from the best class to the lowest, given or by letters."""
        return tuple(LETTERS[: len(self.percentages) + 1]) if self.labels is None else self.labels

    @property
    def expected_value(self) -> tuple[Fraction, ...]:
        """The share of value that the cuts leave to each class."""
        return tuple(high - low for low, high in pairwise((Fraction(0), *self.shares, Fraction(1))))

    @property
    def expected_customers(self) -> tuple[Fraction, ...] | None:
        """The share of customers that the preset expects in each class; ``None``: it says nothing."""
        said = self.preset.customers if self.preset else None
        return None if said is None else tuple(Fraction(percentage) / 100 for percentage in said)

    # --- the plain road ---

    def classify(self, values: Values) -> Classes:
        """
        The class of every key.

        Raises `InvalidFact` for a key that is ``None`` and a value that is no exact number, `CurrencyMismatch`.
        """
        summed = ranked(values)
        units, exponent = units_of(value for _, value in summed)
        inside = [unit for unit in units if unit > 0]
        running = list(accumulate(inside))
        base = running[-1] if running else 0
        above = rows_above(inside, self.shares, self.straddle, self.ties)
        classes, rows = dict[str, tuple[int, int]](), list[Classed]()
        shares = chain((Fraction(part, base) for part in running), repeat(None))
        for number, ((key, value), unit, part) in enumerate(zip(summed, units, shares, strict=False)):
            label = self.letters[sum(number >= count for count in above)] if unit > 0 else self._outside(unit)
            customers, sum_of = classes.get(label, (0, 0))
            classes[label] = customers + 1, sum_of + unit
            rows.append(Classed(key, value, part, label))
        tally = Tally(
            exponent=exponent,
            least=least_units(inside, above),
            classes=classes,
            positive=len(inside),
            base=base,
            equal=len(set(inside)) == 1,
            running=sum(running),
        )
        return Classes(rows=tuple(rows), **self._summary(tally))

    def scale(self, values: Values) -> Scale:
        """Where the classes begin; raises as `classify`."""
        units, exponent = units_of(value for _, value in ranked(values) if value > 0)
        above = rows_above(units, self.shares, self.straddle, self.ties)
        return self._scale(least_units(units, above), exponent)

    def _outside(self, unit: int) -> str:
        return self.letters[-1] if self.nonpositive == "lowest" else NEGATIVE if unit else ZERO

    def _scale(self, least: Iterable[int | None], exponent: int) -> Scale:
        at = tuple(None if unit is None else amount(unit, exponent) for unit in least)
        return Scale(labels=self.letters, least=at, nonpositive=self.nonpositive)

    def _summary(self, tally: Tally) -> dict[str, Any]:
        """What a `ClassSummary` has."""
        everybody = sum(customers for customers, _ in tally.classes.values())
        net = sum(units for _, units in tally.classes.values())
        outside = (ZERO, NEGATIVE) if self.nonpositive == "own" else ()
        expected = self.expected_value, self.expected_customers or ()
        classes = dict[str, ClassShare]()
        for label, of_value, of_customers in zip_longest((*self.letters, *outside), *expected):
            customers, units = tally.classes.get(label, (0, 0))
            classes[label] = ClassShare(
                customers=customers,
                value=amount(units, tally.exponent),
                share_value=share(units, tally.base),
                share_customers=share(customers, everybody),
                expected_value=of_value,
                expected_customers=of_customers,
            )
        return {
            "total": amount(tally.base, tally.exponent),
            "net": amount(net, tally.exponent),
            "classes": FrozenMap(classes),
            "degenerate": tally.degenerate,
            "gini": tally.gini,
            "scale": self._scale(tally.least, tally.exponent),
            "policy": self.ref,
        }

    # --- the column road ---

    def frame(self, df: Frame, *, key: str, value: str, places: int = 2, prefix: str = "") -> Frame:
        """
        One row for each key of a data frame of lines: the key, and value, cumulative, class (extra `frames`).

        `key` and `value` name the caller's columns. The same kind of frame comes back, ordered as `Classes.rows`.
        `value` is summed to `places` decimal places, `cumulative` a float, null outside the base (NaN in pandas).
        Polars, pandas, PyArrow, DuckDB. Raises `InvalidFrame`, `InvalidPolicy` for `places`, `MissingExtra`; what is
        null in a lazy frame raises an error of its engine when it is computed.
        """
        from crmcore.value.class_columns import frame

        answer: Frame = frame(df, self._cutting(), key=key, value=value, places=places, prefix=prefix)
        return answer

    def summary(self, df: Any, *, key: str, value: str, places: int = 2) -> ClassSummary:
        """What `classify` says of the lines in a data frame, without its rows; read in one pass. Raises as `frame`."""
        from crmcore.value.class_columns import tally

        return ClassSummary(**self._summary(tally(df, self._cutting(), key=key, value=value, places=places)))

    def _cutting(self) -> Cutting:
        return Cutting(self.shares, self.straddle, self.letters, self.nonpositive, self.ties)

    def canonical(self) -> dict[str, Any]:
        """The parameters as JSON-able data."""
        customers = self.expected_customers
        return {
            "cuts": [format(percentage, "f") for percentage in self.percentages],
            "straddle": self.straddle,
            "ties": self.ties,
            "nonpositive": self.nonpositive,
            "labels": list(self.letters),
            "expected_customers": None if customers is None else [str(part) for part in customers],
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the parameters in a numbered canonical form."""
        return digest(self.kind, self.canonical())

    @property
    def ref(self) -> PolicyRef:
        """Name, version and digest, as every decision carries them."""
        return PolicyRef(self.name or self.kind, self.version, self.digest)


def abc(
    values: Values,
    *,
    cuts: str | Iterable[Cut] = "s1",
    straddle: Straddle = "upper",
    ties: Ties = "together",
    nonpositive: Nonpositive = "own",
    labels: Iterable[str] | None = None,
) -> Classes:
    """The classes of a value by key, or of lines (key, value): `AbcPolicy.classify`, with a policy's parameters."""
    return AbcPolicy(cuts=cuts, straddle=straddle, ties=ties, nonpositive=nonpositive, labels=labels).classify(values)


def abc_frame(
    df: Frame,
    *,
    key: str,
    value: str,
    cuts: str | Iterable[Cut] = "s1",
    straddle: Straddle = "upper",
    ties: Ties = "together",
    nonpositive: Nonpositive = "own",
    labels: Iterable[str] | None = None,
    places: int = 2,
    prefix: str = "",
) -> Frame:
    """The classes of the lines in a data frame: `AbcPolicy.frame`, with a policy's parameters."""
    policy = AbcPolicy(cuts=cuts, straddle=straddle, ties=ties, nonpositive=nonpositive, labels=labels)
    return policy.frame(df, key=key, value=value, places=places, prefix=prefix)
