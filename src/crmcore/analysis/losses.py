"""
What to watch from period to period (ANA-13): segments that buy less often, and who was lost, with traits and reasons.

The last period may not be over when it is looked at: say `at` which is compared, or end the metrics before it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import date, datetime
from fractions import Fraction
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

from crmcore.analysis.metrics import Metrics, PeriodMetrics, sale_lines
from crmcore.analysis.silence import LOST_AFTER, LostAfter, Silence, Timeline, first_instant
from crmcore.analysis.values import Ratio
from crmcore.errors import InvalidPolicy
from crmcore.sales import Number, Period, Periods, exact, share
from crmcore.sales.figures import nearest
from crmcore.sales.names import by_text

__all__ = ["Fall", "Falls", "LostIn", "Trait", "Watched", "falling", "lost_customers"]

Watched: TypeAlias = Literal[
    "frequency", "orders_per_customer", "average_order", "retention", "buyers", "orders", "sales", "end"
]
"""What may be watched: of `PeriodMetrics`."""
Traits: TypeAlias = Mapping[Any, Mapping[str, Hashable]]
"""Customer → trait → value."""
FALLS_BY: Final = "0.1"


@attrs.frozen(kw_only=True)
class Fall:
    """A segment whose figure has fallen; `change` is a share of `before`, below 0."""

    segment: Hashable
    measure: str
    periods: tuple[Period, Period]
    before: Fraction
    after: Fraction

    @property
    def change(self) -> Fraction:
        """(after - before) / before."""
        return (self.after - self.before) / self.before

    def record(self) -> dict[str, Any]:
        """For JSON."""
        figures = {name: float(getattr(self, name)) for name in ("before", "after", "change")}
        named = None if self.segment is None else str(self.segment)
        return {"segment": named, "measure": self.measure, "periods": [str(p) for p in self.periods], **figures}


@attrs.frozen(kw_only=True)
class Falls:
    """What fell, the worst first; `unknown` are the segments whose figure has no value in one of the two periods."""

    falling: tuple[Fall, ...]
    unknown: tuple[Hashable, ...]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        unknown = [None if segment is None else str(segment) for segment in self.unknown]
        return {"falling": [fall.record() for fall in self.falling], "unknown": unknown}


def falling(
    metrics: Metrics,
    *,
    measure: Watched = "frequency",
    by: Number = FALLS_BY,
    periods: int = 1,
    at: date | None = None,
) -> Falls:
    """
    The segments whose measure has fallen by the share `by` of what it was so many `periods` before, or by more.

    Looked at in the period of the day `at`, by default the last; without segments all customers are one, ``None``. What
    was 0 or below cannot fall. Raises `InvalidPolicy` for a measure that is none, for a share not above 0, and where
    there are too few periods.
    """
    if measure not in get_args(Watched):
        raise InvalidPolicy("measure", measure, f"one of {', '.join(get_args(Watched))}")
    if (least := Fraction(exact(by, "by"))) <= 0:
        raise InvalidPolicy("by", by, "a share above 0, such as '0.1'")
    then, now = _places(metrics, periods, at)
    falls, unknown = list[Fall](), list[Hashable]()
    for segment, rows in (metrics.segments or {None: metrics.periods}).items():
        before, after = (_figure(rows[place], measure) for place in (then, now))
        if before is None or after is None:
            unknown.append(segment)
        elif before > 0 and after <= before * (1 - least):
            both = rows[then].period, rows[now].period
            falls.append(Fall(segment=segment, measure=measure, periods=both, before=before, after=after))
    return Falls(falling=tuple(sorted(falls, key=lambda fall: fall.change)), unknown=tuple(unknown))


def _places(metrics: Metrics, periods: int, at: date | None) -> tuple[int, int]:
    rows = metrics.periods
    if isinstance(at, datetime):
        raise InvalidPolicy("at", str(at), "a date: the day of an instant depends on its zone")
    places = [place for place, row in enumerate(rows) if at is None or row.period.first <= at < row.period.end]
    if not places:
        raise InvalidPolicy("at", str(at), "a day in one of the periods")
    if periods < 1 or places[-1] < periods:
        raise InvalidPolicy("periods", periods, f"from 1 to {places[-1]}, as there are periods before")
    return places[-1] - periods, places[-1]


def _figure(row: PeriodMetrics, measure: str) -> Fraction | None:
    found = getattr(row, measure)
    if isinstance(found, Ratio):
        return found.value
    return None if found is None else Fraction(found)


# --- lost customers ---


@attrs.frozen(kw_only=True)
class Trait:
    """How many of the customers lost, and of those who stayed, have a value of a trait; ``None``: it is not known."""

    name: str
    value: Hashable
    lost: int
    stayed: int
    lift: Fraction | None
    """The share among the lost over the share among those who stayed; ``None`` where none of these has it."""


@attrs.frozen(kw_only=True)
class LostIn:
    """Who was lost in a period, held against the `stayed`: active at its end."""

    period: Period
    customers: tuple[Hashable, ...]
    """In the order of their names."""
    stayed: int
    traits: tuple[Trait, ...]
    """By trait, the highest lift first."""
    reasons: Mapping[str | None, int]
    """How many gave which reason; under ``None`` those without."""

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "period": str(self.period),
            "customers": [str(customer) for customer in self.customers],
            "stayed": self.stayed,
            "traits": [_trait_record(trait) for trait in self.traits],
            "reasons": {"unknown" if reason is None else reason: count for reason, count in self.reasons.items()},
        }


def _trait_record(trait: Trait) -> dict[str, Any]:
    value = None if trait.value is None else str(trait.value)
    return {"name": trait.name, "value": value, "lost": trait.lost, "stayed": trait.stayed, "lift": nearest(trait.lift)}


def lost_customers(
    sales: Iterable[object],
    *,
    periods: Periods | None = None,
    lost_after: LostAfter = LOST_AFTER,
    traits: Traits | None = None,
    reasons: Mapping[Any, str | None] | None = None,
    first: date | datetime | None = None,
    last: date | datetime | None = None,
) -> tuple[LostIn, ...]:
    """
    Of each period who was lost in it, as `metrics` counts them, with their traits and the reasons they gave.

    `traits`: customer → trait → value, `reasons`: customer → reason. Raises as `metrics`.
    """
    rule = Periods() if periods is None else periods
    silence = Silence.of(lost_after, rule)
    lines = [(line, first_instant(line.at, rule)) for line, _ in sale_lines(sales)]
    instants = [at for _, at in lines]
    timeline = Timeline.of(rule, min(instants, default=None), max(instants, default=None), first, last)
    bought = defaultdict[Hashable, dict[int, datetime]](dict)
    for line, at in lines:
        if line.bought and (place := timeline.index(at)) < len(timeline):
            bought[line.customer][place] = max(bought[line.customer].get(place, at), at)
    lost, active = defaultdict[int, list[Hashable]](list), defaultdict[int, list[Hashable]](list)
    for customer, purchases in bought.items():
        for stretch in silence.stretches(customer, purchases, timeline):
            for start in range(stretch.bought + 1, stretch.until):
                active[start].append(customer)
            if stretch.lost:
                lost[stretch.until - 1].append(customer)
    return tuple(
        LostIn(
            period=period,
            customers=tuple(sorted(lost[place], key=by_text)),
            stayed=len(active[place + 1]),
            traits=tuple(_traits(lost[place], active[place + 1], traits or {})),
            reasons=_reasons(lost[place], reasons or {}),
        )
        for place, period in enumerate(timeline.periods)
    )


def _reasons(lost: Iterable[Hashable], reasons: Mapping[Any, str | None]) -> dict[str | None, int]:
    counted = Counter(reasons.get(customer) for customer in lost)
    return dict(sorted(counted.items(), key=lambda found: (-found[1], *by_text(found[0]))))


def _traits(lost: list[Hashable], stayed: list[Hashable], traits: Traits) -> Iterator[Trait]:
    for name in sorted({name for known in traits.values() for name in known}):
        gone, here = (Counter(traits.get(who, {}).get(name) for who in some) for some in (lost, stayed))
        found = [
            Trait(name=name, value=value, lost=gone[value], stayed=here[value], lift=_lift(gone, here, value))
            for value in {**gone, **here}
        ]
        yield from sorted(found, key=lambda trait: (-(trait.lift or 0), -trait.lost, *by_text(trait.value)))


def _lift(gone: Counter[Hashable], here: Counter[Hashable], value: Hashable) -> Fraction | None:
    """Multiplied crosswise, for nobody may have been lost."""
    return share(gone[value] * here.total(), here[value] * gone.total())
