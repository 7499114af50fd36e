"""Where ABC analysis cuts, as the sources have it (VAL-2, VAL-3, VAL-8); data and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import attrs

from crmcore.decisions.frozen import FrozenMap

__all__ = ["PRESETS", "S1", "S4", "Preset"]


@attrs.frozen(kw_only=True)
class Preset:
    """
    Cuts of the cumulated value, and what each class is expected to have; all in percent.

    `customers`: the expected share of all customers by class; ``None``: not said.
    """

    name: str
    cuts: tuple[Decimal, ...]
    customers: tuple[Decimal, ...] | None
    source: str


S1: Final = Preset(name="s1", cuts=(Decimal(75), Decimal(95)), customers=None, source="S1 §3")
"""A makes up about 75 % of sales, B the next 20 %, C the rest."""

S4: Final = Preset(
    name="s4",
    cuts=(Decimal(70), Decimal(90)),
    customers=(Decimal(10), Decimal(20), Decimal(70)),
    source="S4 §2.2",
)
"""A makes 70 % of turnover with 10 % of the customers, B 20 % with 20 %, C 10 % with 70 %."""

PRESETS: Final[Mapping[str, Preset]] = FrozenMap({preset.name: preset for preset in (S1, S4)})
"""The presets by name."""
