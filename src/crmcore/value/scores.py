"""
RFM: how recently, how often and for how much a customer bought, as scores from 1 to k and a segment.

Equal values always have equal scores: a score is a function of the value, and of a few cut values that are found once.

>>> from datetime import date
>>> from crmcore.sales import Sale
>>> from crmcore.value.scores import Quantiles, rfm
>>> days = {"ann": 3, "bob": 9, "cid": 9, "dan": 27}
>>> sales = [Sale(customer=name, at=date(2026, 3, day), amount=day) for name, day in days.items()]
>>> said = rfm(sales, as_of=date(2026, 3, 31), scoring=Quantiles(3))
>>> [(row.key, row.cell, row.recency_days) for row in said.rows]
[('ann', '121', 28), ('bob', '222', 22), ('cid', '222', 22), ('dan', '323', 4)]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar, get_args

import attrs

from crmcore.decisions.decision import PolicyRef
from crmcore.decisions.digest import digest
from crmcore.decisions.frozen import FrozenMap
from crmcore.errors import InvalidPolicy
from crmcore.sales import Sale, as_sale
from crmcore.sales.figures import EXACT
from crmcore.sales.names import in_order
from crmcore.value.purchases import Clock, Moment, mean
from crmcore.value.scoring import Cuts, Quantiles, Scoring, cuts_of
from crmcore.value.segments import SegmentMap, cell_name

__all__ = [
    "Cuts",
    "Frequency",
    "Monetary",
    "Quantiles",
    "RfmPolicy",
    "RfmScores",
    "Scored",
    "rfm",
    "rfm_frame",
]

Frame = TypeVar("Frame")
"""A kind of data frame."""
Frequency: TypeAlias = Literal["orders", "active_days", "lines"]
Monetary: TypeAlias = Literal["total", "mean"]


# --- what comes back ---


@attrs.frozen
class Scored:
    """
    One customer: scores from 1 to k, and what they are for.

    `recency_days`: whole days from the last purchase to `as_of`; this is not the recency of `Lifetime`.
    """

    key: Hashable
    r: int
    f: int
    m: int
    recency_days: int
    frequency: int
    monetary: Decimal
    segment: str

    @property
    def cell(self) -> str:
        """The three scores as text: ``555``."""
        return cell_name(self.r, self.f, self.m)

    def record(self) -> dict[str, Any]:
        """JSON-able data, the amount as text."""
        return attrs.asdict(self) | {"monetary": format(self.monetary, "f")}


@attrs.frozen(kw_only=True)
class RfmScores:
    """
    The customers in the order of their keys, how many each cell and each segment has, and the cuts they were scored by.

    `unscored`: customers without any purchase. `ignored`: how many sales come after `as_of`. `insufficient`: there are
    fewer customers than the policy asks for, and the scores say little. `cuts` scores others by the same measure.
    """

    as_of: date | datetime
    rows: tuple[Scored, ...]
    cells: Mapping[str, int]
    segments: Mapping[str, int]
    cuts: Cuts
    insufficient: bool
    unscored: tuple[Hashable, ...]
    ignored: int

    @property
    def n(self) -> int:
        """How many customers have scores."""
        return len(self.rows)

    def record(self) -> dict[str, Any]:
        """JSON-able data."""
        return {
            "as_of": self.as_of.isoformat(),
            "n": self.n,
            "cells": dict(self.cells),
            "segments": dict(self.segments),
            "rows": [row.record() for row in self.rows],
            "cuts": self.cuts.canonical(),
            "insufficient": self.insufficient,
            "unscored": list(self.unscored),
            "ignored": self.ignored,
        }


# --- the policy ---


def _scoring(value: Scoring) -> Scoring:
    if not isinstance(value, Quantiles | Cuts):
        raise InvalidPolicy("scoring", value, "Quantiles or Cuts")
    return value


def _one_of(name: str, value: Any, codes: tuple[str, ...]) -> Any:
    if value not in codes:
        raise InvalidPolicy(name, value, f"one of {', '.join(codes)}")
    return value


def _frequency(value: str) -> Frequency:
    return _one_of("frequency", value, get_args(Frequency))  # type: ignore[no-any-return]


def _monetary(value: str) -> Monetary:
    return _one_of("monetary", value, get_args(Monetary))  # type: ignore[no-any-return]


def _count(value: int | None) -> int | None:
    if value is not None and (type(value) is not int or value < 0):
        raise InvalidPolicy("min_customers", value, "a whole number, 0 or more")
    return value


@attrs.frozen(kw_only=True, slots=False)
class RfmPolicy:
    """
    How customers are scored by their purchases up to a day or an instant.

    `frequency` counts orders (a line without one is an order of its own), days with a purchase, or lines. `monetary` is
    the total net of returns, or that by frequency, rounded to four places. `segments`: by default ours for so many
    scores. `min_customers`: below it the scores are called insufficient; ``None``: as many as there are scores with
    `Quantiles`, none with `Cuts`. A purchase is a line of zero or more: a return makes nobody recent or frequent.
    Raises `InvalidPolicy`.
    """

    kind: ClassVar[str] = "value.rfm"

    name: str = ""
    version: str = "unversioned"
    frequency: Frequency = attrs.field(default="orders", converter=_frequency)
    monetary: Monetary = attrs.field(default="total", converter=_monetary)
    scoring: Scoring = attrs.field(default=Quantiles(), converter=_scoring)
    segments: SegmentMap = attrs.field()
    min_customers: int | None = attrs.field(default=None, converter=_count)

    @segments.default
    def _default_segments(self) -> SegmentMap:
        return SegmentMap.default(self.scoring.k)

    @segments.validator
    def _fits(self, _attribute: attrs.Attribute[SegmentMap], value: SegmentMap) -> None:
        if not isinstance(value, SegmentMap) or value.bins != self.scoring.k:
            raise InvalidPolicy("segments", value, f"a SegmentMap for {self.scoring.k} scores, as `scoring` makes them")

    def score(self, sales: Iterable[object], *, as_of: date | datetime) -> RfmScores:
        """
        The scores of all customers: `sales` are objects or mappings with customer, at, amount and, if known, order.

        Sales at or before `as_of` count. With an aware instant a sale's date is its first instant in the zone of
        `as_of`, whose wall clock tells whole days; with a date, sales have dates. Raises `InvalidFact`, `MissingFact`,
        `NaiveDatetime`.
        """
        return _score(self, sales, as_of)

    def frame(
        self,
        df: Frame,
        *,
        key: str,
        at: str,
        value: str,
        as_of: date | datetime,
        order: str | None = None,
        places: int = 2,
        prefix: str = "",
    ) -> Frame:
        """
        One row per customer with a purchase: the key, r, f, m, recency_days, frequency, monetary, segment.

        As `score`, on lines as columns (extra `frames`): the same kind comes back, in no order. The lines are read when
        this is called, for the cuts. Raises `InvalidFrame`, `MissingExtra`.
        """
        from crmcore.value.score_columns import frame

        names = {"key": key, "at": at, "value": value, "order": order}
        scored: Frame = frame(self, df, names, as_of=as_of, places=places, prefix=prefix)
        return scored

    @property
    def needed(self) -> int:
        """How many customers the scores need to say something."""
        if self.min_customers is not None:
            return self.min_customers
        return self.scoring.k if isinstance(self.scoring, Quantiles) else 0

    def canonical(self) -> dict[str, Any]:
        """The parameters as JSON-able data."""
        return {
            "frequency": self.frequency,
            "monetary": self.monetary,
            "scoring": self.scoring.canonical(),
            "segments": self.segments.canonical(),
            "min_customers": self.min_customers,
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the parameters in a numbered canonical form."""
        return digest(self.kind, self.canonical())

    @property
    def ref(self) -> PolicyRef:
        """Name, version and digest, as every decision carries them."""
        return PolicyRef(self.name or self.kind, self.version, self.digest)


def rfm(
    sales: Iterable[object],
    *,
    as_of: date | datetime,
    frequency: Frequency = "orders",
    monetary: Monetary = "total",
    scoring: Scoring | None = None,
    segments: SegmentMap | None = None,
) -> RfmScores:
    """The scores by a policy of these parameters: `RfmPolicy.score`."""
    return _policy(frequency, monetary, scoring, segments).score(sales, as_of=as_of)


def rfm_frame(
    df: Frame,
    *,
    key: str,
    at: str,
    value: str,
    as_of: date | datetime,
    order: str | None = None,
    frequency: Frequency = "orders",
    monetary: Monetary = "total",
    scoring: Scoring | None = None,
    segments: SegmentMap | None = None,
    places: int = 2,
    prefix: str = "",
) -> Frame:
    """The columns by a policy of these parameters: `RfmPolicy.frame`."""
    policy = _policy(frequency, monetary, scoring, segments)
    return policy.frame(df, key=key, at=at, value=value, as_of=as_of, order=order, places=places, prefix=prefix)


def _policy(
    frequency: Frequency, monetary: Monetary, scoring: Scoring | None, segments: SegmentMap | None
) -> RfmPolicy:
    scoring = Quantiles() if scoring is None else scoring
    segments = SegmentMap.default(_scoring(scoring).k) if segments is None else segments
    return RfmPolicy(frequency=frequency, monetary=monetary, scoring=scoring, segments=segments)


# --- the plain road ---


@attrs.define
class _Bought:
    """What one customer bought: the last purchase, and each of what frequency counts."""

    last: Moment
    counted: set[Hashable]


def _score(policy: RfmPolicy, sales: Iterable[object], as_of: date | datetime) -> RfmScores:
    clock, ignored, nothing = Clock(as_of), 0, Decimal(0)
    bought, totals = dict[Hashable, _Bought](), dict[Hashable, Decimal]()
    for number, sale in enumerate(map(as_sale, sales)):
        moment, customer = clock.moment(sale.at), sale.customer
        if moment.at > clock.now.at:
            ignored += 1
            continue
        totals[customer] = EXACT.add(totals.get(customer, nothing), sale.amount)
        if sale.bought:
            held = bought.get(customer)
            if held is None:
                held = bought[customer] = _Bought(moment, set())
            elif moment > held.last:
                held.last = moment
            held.counted.add(_counted(policy.frequency, sale, moment.wall, number))
    found = [
        (key, (clock.now.wall - held.last.wall).days, len(held.counted), _money(policy, totals[key], len(held.counted)))
        for key, held in bought.items()
    ]
    return _said(policy, as_of, found, in_order(totals.keys() - bought.keys()), ignored)


def _counted(frequency: Frequency, sale: Sale, wall: datetime, number: int) -> Hashable:
    """What makes one of frequency: a day, an order, or the line itself."""
    if frequency == "active_days":
        return wall.date()
    return (None, number) if frequency == "lines" or sale.order is None else (sale.order, None)


def _money(policy: RfmPolicy, total: Decimal, frequency: int) -> Decimal:
    return total if policy.monetary == "total" else mean(total, frequency)


def _said(
    policy: RfmPolicy,
    as_of: date | datetime,
    found: list[tuple[Hashable, int, int, Decimal]],
    unscored: tuple[Hashable, ...],
    ignored: int,
) -> RfmScores:
    cuts = policy.scoring
    if isinstance(cuts, Quantiles):
        _, days, often, much = zip(*found, strict=True) if found else ((), (), (), ())
        cuts = cuts_of(cuts.k, sorted(-day for day in days), sorted(often), sorted(much))
    scored = {}
    for key, recency, frequency, money in found:
        r, f, m = cuts.scores(recency, frequency, money)
        scored[key] = Scored(key, r, f, m, recency, frequency, money, policy.segments.segment(r, f, m))
    rows = tuple(scored[key] for key in in_order(scored))
    by_cell, by_segment = Counter(row.cell for row in rows), Counter(row.segment for row in rows)
    return RfmScores(
        as_of=as_of,
        rows=rows,
        cells=FrozenMap(dict(sorted(by_cell.items()))),
        segments=FrozenMap({name: by_segment[name] for name in policy.segments.names}),
        cuts=cuts,
        insufficient=len(rows) < policy.needed,
        unscored=unscored,
        ignored=ignored,
    )
