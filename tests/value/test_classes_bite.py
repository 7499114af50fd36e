"""Each law of `crmcore.testing.classing` catches a policy that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest

from crmcore.testing import classing
from crmcore.testing.classing import ValueLines, check_abc_policy
from crmcore.value.classes import AbcPolicy, Classes

FOUR: ValueLines = [("u1", Decimal(70)), ("u2", Decimal(20)), ("u3", Decimal(10)), ("u4", Decimal(10))]


def changed(found: Classes, label: Callable[[Any, int], str]) -> Classes:
    """The answer with other classes, by row and its place."""
    rows = [attrs.evolve(row, class_=label(row, place)) for place, row in enumerate(found.rows)]
    return attrs.evolve(found, rows=tuple(rows))


@attrs.frozen(kw_only=True, slots=False)
class ByAmount(AbcPolicy):
    """Cuts at an amount, whatever the total is."""

    def classify(self, values: Any) -> Classes:
        return changed(super().classify(values), lambda row, _: "A" if row.value >= 50 else row.class_)


@attrs.frozen(kw_only=True, slots=False)
class ByHeads(AbcPolicy):
    """The best quarter of all customers, those of no value included."""

    def classify(self, values: Any) -> Classes:
        found = super().classify(values)
        quarter = len(found.rows) / 4
        return changed(found, lambda _, place: "A" if place < quarter else "C")


@attrs.frozen(kw_only=True, slots=False)
class FirstComes(AbcPolicy):
    """The customer of the first line is in class A."""

    def classify(self, values: Any) -> Classes:
        first = values[0][0]
        return changed(super().classify(values), lambda row, _: "A" if row.key == first else row.class_)


@attrs.frozen(kw_only=True, slots=False)
class LastLine(AbcPolicy):
    """Takes the last line of a customer for the value."""

    def classify(self, values: Any) -> Classes:
        return super().classify(dict(values))


@attrs.frozen(kw_only=True, slots=False)
class SplitsTies(AbcPolicy):
    """Goes by the place of the row, and so do those who publish an id order as a rank."""

    def classify(self, values: Any) -> Classes:
        return changed(super().classify(values), lambda _, place: "A" if place < 3 else "B")


@attrs.frozen(kw_only=True, slots=False)
class UpsideDown(AbcPolicy):
    """Takes the smallest for the best."""

    def classify(self, values: Any) -> Classes:
        turned = {"A": "C", "C": "A"}
        return changed(super().classify(values), lambda row, _: turned.get(row.class_, row.class_))


@attrs.frozen(kw_only=True, slots=False)
class Swapped(AbcPolicy):
    """Takes upper for lower."""

    def classify(self, values: Any) -> Classes:
        other = AbcPolicy(straddle={"upper": "lower", "lower": "upper"}.get(self.straddle, "nearest"))
        return other.classify(values)


@attrs.frozen(kw_only=True, slots=False)
class OtherColumns(AbcPolicy):
    """Columns that cut elsewhere."""

    def frame(self, df: Any, **names: Any) -> Any:
        return AbcPolicy(cuts=(50, 60)).frame(df, **names)


@attrs.frozen(kw_only=True, slots=False)
class OtherSummary(AbcPolicy):
    """A summary that cuts elsewhere."""

    def summary(self, df: Any, **names: Any) -> Any:
        return AbcPolicy(cuts=(50, 60)).summary(df, **names)


@attrs.frozen(kw_only=True, slots=False)
class NoColumns(AbcPolicy):
    """Columns without rows: one customer is enough to tell."""

    def frame(self, df: Any, **names: Any) -> Any:
        return super().frame(df, **names)[:0]


@pytest.mark.parametrize(
    ("law", "broken", "arguments"),
    [
        ("scaling_changes_no_class", ByAmount, (FOUR, Decimal(10))),
        ("zero_changes_no_class", ByHeads, (FOUR,)),
        ("order_changes_nothing", FirstComes, (FOUR, FOUR[::-1])),
        ("splitting_changes_nothing", LastLine, (FOUR, Decimal(1))),
        ("equal_values_share_a_class", SplitsTies, (FOUR,)),
        ("greater_value_is_never_lower", UpsideDown, (FOUR,)),
        ("straddles_are_ordered", Swapped, (FOUR,)),
        ("columns_equal_objects", OtherColumns, (FOUR, "pyarrow")),
        ("columns_equal_objects", OtherSummary, (FOUR, "pyarrow")),
    ],
)
def test_a_law_catches_who_breaks_it(law: str, broken: type[AbcPolicy], arguments: tuple[Any, ...]) -> None:
    """The broken policy fails the law, and the sound one keeps it on the same lines."""
    getattr(classing, law)(AbcPolicy(), *arguments)
    with pytest.raises(AssertionError):
        getattr(classing, law)(broken(), *arguments)


@pytest.mark.parametrize("broken", [ByAmount, ByHeads, LastLine, UpsideDown, Swapped])
def test_check_abc_policy_catches_them_unaided(broken: type[AbcPolicy]) -> None:
    """The strategies find the case."""
    with pytest.raises(AssertionError):
        check_abc_policy(broken())


def test_check_abc_policy_catches_columns_unaided() -> None:
    """On the backends that are named, and on no others."""
    check_abc_policy(NoColumns(), 5)
    with pytest.raises(AssertionError, match="the columns of polars differ"):
        check_abc_policy(NoColumns(), 5, backends=("polars",))
