"""
Which products to push, keep, watch or drop (ANA-6, ANA-8): a table, the first row that holds decides.

S1 §3: the higher margin rate and turnover, the more a product is worth pushing. What is high is measured against the
assortment's own figures, or against limits of yours.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final

import attrs

from crmcore.analysis.advice_words import words_of
from crmcore.analysis.ratios import fractions
from crmcore.decisions.frozen import FrozenMap
from crmcore.errors import InvalidFact, InvalidPolicy
from crmcore.sales.figures import nearest

__all__ = ["ADVICE", "Advice", "AdviceLimits", "AdviceReason", "AdviceRow", "Fact", "Level", "Selling", "Verdict"]

PERCENT: Final = "{:.1%}"
NUMBER: Final = "{:,.2f}"


class Advice(StrEnum):
    """What to do with a product."""

    PUSH = "push"
    KEEP = "keep"
    WATCH = "watch"
    DROP = "drop"
    UNKNOWN = "unknown"


class Selling(StrEnum):
    """How a product sells against its plan (畅销, 滞销)."""

    FAST = "fast"
    PLANNED = "planned"
    SLOW = "slow"


class Level(StrEnum):
    """What a figure is against its limit."""

    HIGH = "high"
    LOW = "low"
    LOSS = "loss"
    SOME = "some"
    NONE = "none"
    MET = "met"
    MISSED = "missed"
    UNKNOWN = "unknown"


class Fact(StrEnum):
    """What the table reads of a product."""

    SALES = "sales"
    STOCK = "stock"
    MARGIN_RATE = "margin_rate"
    TURNOVER = "turnover"
    CROSS_RATIO = "cross_ratio"
    PLAN_MET = "plan_met"


JUDGED: Final = (Fact.MARGIN_RATE, Fact.STOCK, Fact.TURNOVER)
"""What must be known for any advice."""


@attrs.frozen
class AdviceRow:
    """One row of the table: where all of `when` holds, `advice`; `code` names the row."""

    rule: str
    code: str
    advice: Advice
    when: Mapping[Fact, Level]


def _row(rule: str, code: str, advice: Advice, **when: Level) -> AdviceRow:
    return AdviceRow(rule, code, advice, FrozenMap({Fact(fact): level for fact, level in when.items()}))


ADVICE: Final = (
    _row("ANA-5", "unsold", Advice.DROP, sales=Level.NONE, stock=Level.SOME),
    _row("ANA-5", "idle", Advice.UNKNOWN, sales=Level.NONE),
    _row("ANA-4", "loss_leader", Advice.WATCH, margin_rate=Level.LOSS, turnover=Level.HIGH),
    _row("ANA-4", "loss", Advice.DROP, margin_rate=Level.LOSS),
    _row("ANA-6", "strong", Advice.PUSH, margin_rate=Level.HIGH, turnover=Level.HIGH),
    _row("ANA-6", "balanced", Advice.KEEP, cross_ratio=Level.HIGH),
    _row("ANA-8", "weak_on_plan", Advice.WATCH, margin_rate=Level.LOW, turnover=Level.LOW, plan_met=Level.MET),
    _row("ANA-6", "weak", Advice.DROP, margin_rate=Level.LOW, turnover=Level.LOW),
    _row("ANA-5", "slow", Advice.WATCH, margin_rate=Level.HIGH, turnover=Level.LOW),
    _row("ANA-4", "thin", Advice.WATCH, margin_rate=Level.LOW, turnover=Level.HIGH),
    _row("ANA-4", "unstocked", Advice.KEEP, stock=Level.NONE, margin_rate=Level.HIGH),
    _row("ANA-4", "unstocked_thin", Advice.WATCH, stock=Level.NONE, margin_rate=Level.LOW),
    _row("ANA-8", "otherwise", Advice.UNKNOWN),
)
"""In order; the last holds always. (Ours: S1 gives the direction, not the limits.)"""


def _limit(value: Fraction | Decimal | int | str | None) -> Fraction | None:
    try:
        return fractions(limit=value)[0]
    except InvalidFact:
        raise InvalidPolicy("limits", value, "an exact number: Decimal, int, Fraction or text, never a float") from None


def _part(value: Fraction | Decimal | int | str) -> Fraction:
    part = _limit(value)
    if part is None:
        raise InvalidPolicy("limits", value, "a part of the plan, such as '0.9'")
    return part


@attrs.frozen(kw_only=True)
class AdviceLimits:
    """
    From where a figure counts as high, inclusive; ``None``: the assortment's own, over the products that have stock.

    `met`: the plan is met from this part of it on. `fast` and `slow`: a product sells fast from, slowly below this part
    of its plan. Raises `InvalidPolicy`.
    """

    margin_rate: Fraction | None = attrs.field(default=None, converter=_limit)
    turnover: Fraction | None = attrs.field(default=None, converter=_limit)
    cross_ratio: Fraction | None = attrs.field(default=None, converter=_limit)
    met: Fraction = attrs.field(default=Fraction(1), converter=_part)
    fast: Fraction = attrs.field(default=Fraction(11, 10), converter=_part)
    slow: Fraction = attrs.field(default=Fraction(9, 10), converter=_part)

    def __attrs_post_init__(self) -> None:
        if self.slow > self.fast:
            raise InvalidPolicy("slow", self.slow, f"at most fast, {self.fast}")

    def selling(self, plan_met: Fraction | None) -> Selling | None:
        """How a product with this part of its plan sells; ``None`` without a plan."""
        if plan_met is None:
            return None
        if plan_met >= self.fast:
            return Selling.FAST
        return Selling.SLOW if plan_met < self.slow else Selling.PLANNED

    def judge(self, figures: Mapping[Fact, Fraction | None]) -> Verdict:
        """The advice for a product of these figures, ``None``: unknown; the first row of `ADVICE` that holds."""
        levels = {fact: self._level(fact, figures[fact]) for fact in Fact}
        row = next(row for row in ADVICE if all(levels[fact] is level for fact, level in row.when.items()))
        why = row.when or {fact: levels[fact] for fact in JUDGED if levels[fact] is Level.UNKNOWN}
        reasons = (AdviceReason(fact, level, figures[fact], self._against(fact)) for fact, level in why.items())
        return Verdict(row.advice, row.rule, row.code, tuple(reasons))

    def _level(self, fact: Fact, value: Fraction | None) -> Level:
        if value is None:
            return Level.UNKNOWN
        if fact is Fact.SALES:
            return Level.SOME if value > 0 else Level.NONE
        if fact is Fact.STOCK:
            return Level.UNKNOWN if value < 0 else Level.SOME if value else Level.NONE
        if fact is Fact.PLAN_MET:
            return Level.MET if value >= self.met else Level.MISSED
        return self._rate(fact, value)

    def _rate(self, fact: Fact, value: Fraction) -> Level:
        if fact is Fact.MARGIN_RATE and value < 0:
            return Level.LOSS
        limit = self._against(fact)
        return Level.UNKNOWN if limit is None else Level.HIGH if value >= limit else Level.LOW

    def _against(self, fact: Fact) -> Fraction | None:
        limits = {
            Fact.MARGIN_RATE: self.margin_rate,
            Fact.TURNOVER: self.turnover,
            Fact.CROSS_RATIO: self.cross_ratio,
            Fact.PLAN_MET: self.met,
        }
        return limits.get(fact)

    def record(self) -> dict[str, float | None]:
        """JSON-able."""
        return {name: nearest(limit) for name, limit in attrs.asdict(self).items()}


@attrs.frozen
class AdviceReason:
    """One figure of a product against its limit."""

    fact: Fact
    level: Level
    observed: Fraction | None
    limit: Fraction | None

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        figures = {"observed": nearest(self.observed), "limit": nearest(self.limit)}
        return {"fact": self.fact.value, "level": self.level.value, **figures}

    def text(self, lang: str = "en") -> str:
        """The reason in words."""
        words = words_of(lang)
        shown = PERCENT if self.fact in {Fact.MARGIN_RATE, Fact.PLAN_MET} else NUMBER
        observed = "" if self.observed is None else shown.format(float(self.observed))
        limit = "" if self.limit is None else shown.format(float(self.limit))
        return words[f"level.{self.level}"].format(fact=words[f"fact.{self.fact}"], observed=observed, limit=limit)


@attrs.frozen
class Verdict:
    """The advice for one product, the row of `ADVICE` that gave it, and its figures."""

    advice: Advice
    rule: str
    code: str
    reasons: tuple[AdviceReason, ...]

    def text(self, lang: str = "en") -> str:
        """Advice and reasons in words, English or Chinese."""
        words = words_of(lang)
        reasons = words["join"].join(reason.text(lang) for reason in self.reasons)
        return words["head"].format(
            advice=words[f"advice.{self.advice}"], why=words[f"row.{self.code}"], reasons=reasons
        )
