"""
ABC analysis as columns: lines summed by key, ordered, cut; the same classes as from objects.

Whole units throughout. Of each cut the least value above it is one figure of the running sums, and the column is
compared with it: no window over ties and no join. A lazy frame stays one query that reads it once; what cannot be used
(a null, a sum that no integer holds) is then a cast that fails when it is computed, with our words in the engine's
error.
"""

# mypy: disable-error-code="no-any-return"
# narwhals is imported late, so what it makes is Any here.

from __future__ import annotations

from math import inf
from typing import Any, Final, TypeAlias

from crmcore.decisions.frames import OWN, check_free, narwhals
from crmcore.errors import InvalidFrame
from crmcore.sales.frames import KEY, SOUND, VALUE, Lines, collected, lines
from crmcore.value.cuts import NEGATIVE, ZERO, Cutting, Tally

__all__ = ["frame", "tally"]

Expr: TypeAlias = Any
Frame: TypeAlias = Any
"""A frame of narwhals."""

ANSWER: Final = ("value", "cumulative", "class")
ORDER: Final = f"{OWN}order"
"""The value, negated: windows know no descending order."""
SIZE: Final = f"{OWN}size"
"""The value as a float: it sees sums that no integer holds."""
POSITIVE: Final = f"{OWN}positive"
RUNNING: Final = f"{OWN}running"
BASE: Final = f"{OWN}base"
LEAST: Final = f"{OWN}least"
ABOVE: Final = f"{OWN}above"
START: Final = f"{OWN}start_"
END: Final = f"{OWN}end_"
SMALLEST: Final = f"{OWN}smallest"
GREATEST: Final = f"{OWN}greatest"
LARGEST: Final = 2**62
"""More units than there are: twice as many still fit an integer."""
GRAIN: Final = 2**11
HALF: Final = 2**31
NULLS: Final = "null keys, or values that are null, not finite or too large: drop those rows, or fill them"
TOO_LARGE: Final = "values whose sum is beyond 2 ** 62 units: give fewer places"


def frame(df: Any, cutting: Cutting, *, key: str, value: str, places: int, prefix: str) -> Any:
    """One row per key: the caller's key, then value, cumulative, class; by value descending, then by key."""
    nw, given = narwhals(), lines(df, key=key, value=value, places=places)
    names = [f"{prefix}{name}" for name in ANSWER]
    check_free(names, (key,))
    table = _cut(_ranked(_summed(given), given), cutting)
    if given.sql:
        table = table.sort(ORDER, KEY)
    units, nothing = nw.col(VALUE), nw.col(VALUE) * 0
    # Polars divides by one figure as a product with its inverse, off in the last digit; by a column it divides.
    made = {
        key: nw.col(KEY),
        names[0]: units / (nothing + given.unit) if given.unit > 1 else units,
        names[1]: nw.when(units > 0).then(nw.col(RUNNING) / (nothing + nw.col(BASE))),
        names[2]: _class(cutting),
    }
    return given.native(table.select(**made))


def tally(df: Any, cutting: Cutting, *, key: str, value: str, places: int) -> Tally:
    """The figures of all classes, from one small table that has a row for each."""
    nw, given = narwhals(), lines(df, key=key, value=value, places=places)
    table = _cut(_ranked(_summed(given), given), cutting)
    units, inside, running = nw.col(VALUE), nw.col(VALUE) > 0, _where(nw.col(VALUE) > 0, nw.col(RUNNING))
    sums = {
        "units": units,
        "positive": _where(inside, 1),
        "high": running // HALF,
        "low": running - running // HALF * HALF,
    }
    lows = {"smallest": nw.when(inside).then(units).otherwise(LARGEST)}
    for number, _ in enumerate(cutting.shares):
        above = inside & _above(cutting, number)
        lows[f"least{number}"] = nw.when(above).then(units).otherwise(LARGEST)
    highs = {"base": nw.col(BASE), "greatest": _where(inside, units)}
    told = {name: nw.col(name).sum() for name in sums} | {name: nw.col(name).min() for name in lows}
    told |= {name: nw.col(name).max() for name in highs}
    made = table.select(label=_class(cutting), **sums, **lows, **highs)
    rows = _rows(made.group_by("label").agg(nw.len().alias("customers"), **told))
    total = {name: sum(int(row[name]) for row in rows) for name in sums}
    lowest = {name: min((int(row[name]) for row in rows), default=LARGEST) for name in lows}
    highest = {name: max((int(row[name]) for row in rows), default=0) for name in highs}
    smallest, *least = (None if low == LARGEST else low for low in lowest.values())
    return Tally(
        exponent=-given.places,
        least=tuple(least),
        classes={row["label"]: (int(row["customers"]), int(row["units"])) for row in rows},
        positive=total["positive"],
        base=highest["base"],
        equal=smallest == highest["greatest"],
        running=total["high"] * HALF + total["low"],
    )


def _rows(table: Frame) -> list[dict[str, Any]]:
    """The rows of a small table; Polars makes it in batches, as lines come."""
    lazy = isinstance(table, narwhals().LazyFrame)
    streaming = {"engine": "streaming"} if table.implementation.is_polars() else {}
    try:
        rows: list[dict[str, Any]] = (table.collect(**streaming) if lazy else table).rows(named=True)
    except Exception as error:
        if fault := next((words for words in (NULLS, TOO_LARGE) if words in str(error)), None):
            what, _, remedy = fault.partition(": ")
            raise InvalidFrame("df", what, "known and summed in each row", remedy) from None
        raise
    return rows


# --- sums by key ---


def _summed(given: Lines) -> Frame:
    """One row per key: KEY, VALUE; what cannot be used is refused, now or when it is computed."""
    nw, table, name = narwhals(), given.frame, given.names["key"]
    kind = given.schema[name]
    if isinstance(kind, nw.Object):
        raise InvalidFrame(f"column {name!r}", kind, "keys of one type", "cast it to text or to whole numbers")
    if kind == nw.Categorical or isinstance(kind, nw.Enum):  # their own order differs from kind to kind
        table = table.with_columns(nw.col(KEY).cast(nw.String))
    if given.sql:
        return _sums(_failing_rows(table, given), VALUE)
    if not table.implementation.is_polars():
        return _sums(_checked(table, given), VALUE)
    # One more sum sees both: what is not sound makes it infinite, what is too large makes it so.
    size = nw.when(nw.col(SOUND)).then(nw.col(VALUE).cast(nw.Float64)).otherwise(inf)
    summed = _sums(table.with_columns(size.alias(SIZE)), VALUE, SIZE)
    sizes, nobody = nw.col(SIZE).abs().sum(), nw.col(KEY).is_null().any()
    if given.eager:
        summed = summed.collect()
        if summed.select((sizes >= LARGEST) | nobody).item():
            _checked(table, given)
        return summed.lazy()
    unusable = nw.when((sizes == inf) | nobody).then(nw.lit(_words(given, NULLS)))
    large = nw.when(sizes >= LARGEST).then(nw.lit(_words(given, TOO_LARGE)))
    return summed.with_columns(nw.col(VALUE) + nw.coalesce(unusable, large, nw.lit("0")).cast(nw.Int64))


def _sums(table: Frame, *names: str) -> Frame:
    nw = narwhals()
    summed = table.group_by(KEY).agg(*(nw.col(name).sum() for name in names))
    return summed.with_columns(nw.col(VALUE).cast(nw.Int64))  # a database sums to more digits, and fails here


def _checked(table: Frame, given: Lines) -> Frame:
    """An eager frame with nothing in it that cannot be used."""
    nw, table = narwhals(), collected(table)
    coarse = (nw.col(VALUE) // GRAIN).cast(nw.Float64)  # Arrow makes no float of a whole number that it cannot hold
    faults = {**given.faults(), SIZE: coarse.abs().sum()}
    (found,) = table.select(**faults).rows(named=True)
    given.refuse(found)
    if found[SIZE] >= LARGEST // GRAIN:
        raise InvalidFrame(
            f"column {given.names['value']!r}", "a sum beyond 2 ** 62 units", "less", "give fewer places"
        )
    return table


def _failing_rows(table: Frame, given: Lines) -> Frame:
    nw = narwhals()
    fails = nw.lit(_words(given, NULLS)).cast(nw.Int64)
    usable = nw.col(SOUND) & ~nw.col(KEY).is_null()
    return table.with_columns(nw.when(~usable).then(fails).otherwise(nw.col(VALUE)).alias(VALUE))


def _words(given: Lines, what: str) -> str:
    return f"columns {given.names['key']!r}, {given.names['value']!r} have {what}"


# --- the cuts ---


def _ranked(table: Frame, given: Lines) -> Frame:
    """With RUNNING, the sum of the positive values up to each row, and BASE, that of all."""
    nw = narwhals()
    units = nw.col(VALUE)
    if not given.sql:  # a database sorts once, at the end; Polars sums what is in order in half the time
        table = table.sort(VALUE, KEY, descending=[True, False])
    table = table.with_columns((-units).alias(ORDER), _where(units > 0, units).alias(POSITIVE))
    running = nw.col(POSITIVE).cum_sum()
    if isinstance(table, nw.LazyFrame):
        running = running.over(order_by=[ORDER, KEY]).cast(nw.Int64)
    return table.with_columns(running.alias(RUNNING)).with_columns(nw.col(RUNNING).max().alias(BASE))


def _cut(table: Frame, cutting: Cutting) -> Frame:
    """With one column for each cut: the least value above it, in every row; it says nothing where there is no base."""
    nw = narwhals()
    units, running = nw.col(VALUE), nw.col(RUNNING)
    ratios = {f"{LEAST}{number}": share.as_integer_ratio() for number, share in enumerate(cutting.shares)}
    wide = table.implementation.is_duckdb()
    if cutting.ties == "stable":
        return _cut_rows(table, cutting, wide=wide)
    reaching = cutting.straddle != "lower"
    crossed = {name: _beyond(running, ratio, wide, reaching=reaching) for name, ratio in ratios.items()}
    table = table.with_columns(**{name: _where(rows, units).max() for name, rows in crossed.items()})
    if cutting.straddle == "upper":
        return table
    # What crosses the cut is above it only if its middle is (nearest), or if there is nothing else.
    ends = {SMALLEST: nw.when(units > 0).then(units).otherwise(LARGEST).min(), GREATEST: nw.col(POSITIVE).max()}
    if cutting.straddle == "nearest":
        ends |= {f"{START}{name}": _where(units > nw.col(name), running).max() for name in ratios}
        ends |= {f"{END}{name}": _where(units >= nw.col(name), running).max() for name in ratios}
    table = table.with_columns(**ends)
    above = {name: nw.col(SMALLEST) == nw.col(GREATEST) for name in ratios}
    if cutting.straddle == "nearest":
        for name, (part, whole) in ratios.items():
            twice = nw.col(f"{START}{name}") + nw.col(f"{END}{name}")
            above[name] |= ~_beyond(twice, (2 * part, whole), wide, reaching=False)
    return table.with_columns(
        **{name: nw.when(above[name]).then(nw.col(name)).otherwise(nw.col(name) + 1) for name in ratios}
    )


def _cut_rows(table: Frame, cutting: Cutting, *, wide: bool) -> Frame:
    """With one column for each cut: whether the row is above it."""
    nw = narwhals()
    units, running = nw.col(VALUE), nw.col(RUNNING)
    ends = {SMALLEST: nw.when(units > 0).then(units).otherwise(LARGEST).min(), GREATEST: nw.col(POSITIVE).max()}
    place, times, reaching = {
        "upper": (running - units, 1, True),
        "lower": (running, 1, False),
        "nearest": (running + running - units, 2, False),
    }[cutting.straddle]
    above = {}
    for number, (part, whole) in enumerate(share.as_integer_ratio() for share in cutting.shares):
        inside = ~_beyond(place, (times * part, whole), wide, reaching=reaching)
        above[f"{ABOVE}{number}"] = inside | (nw.col(SMALLEST) == nw.col(GREATEST))
    return table.with_columns(**ends).with_columns(**above)


def _above(cutting: Cutting, number: int) -> Expr:
    """Whether a row of the base is above a cut."""
    nw = narwhals()
    return nw.col(f"{ABOVE}{number}") if cutting.ties == "stable" else nw.col(VALUE) >= nw.col(f"{LEAST}{number}")


def _beyond(figure: Expr, ratio: tuple[int, int], wide: bool, *, reaching: bool) -> Expr:  # noqa: FBT001 - of a frame
    """
    Whether the figure is beyond this part of the base, or reaches it.

    `wide`: by products in 128 bits. Else by quotients, no more than twice the base; a database's are slow.
    """
    nw, (part, whole) = narwhals(), ratio
    base = nw.col(BASE)
    if wide:
        figure, limit = figure.cast(nw.Int128) * whole, base.cast(nw.Int128) * part
    else:
        rest = base - base // whole * whole  # Arrow in pandas knows no remainder
        limit = base // whole * part + (rest * part + (whole - 1 if reaching else 0)) // whole
    return figure >= limit if reaching else figure > limit


def _where(rows: Expr, figure: Expr) -> Expr:
    """The figure in these rows, elsewhere 0; a null would make floats of it in pandas."""
    return narwhals().when(rows).then(figure).otherwise(0)


def _class(cutting: Cutting) -> Expr:
    nw = narwhals()
    units, last = nw.col(VALUE), nw.lit(cutting.labels[-1])
    label = last
    for number, above in reversed(list(enumerate(cutting.labels[:-1]))):
        label = nw.when(_above(cutting, number)).then(nw.lit(above)).otherwise(label)
    outside = (
        last if cutting.nonpositive == "lowest" else nw.when(units < 0).then(nw.lit(NEGATIVE)).otherwise(nw.lit(ZERO))
    )
    return nw.when(units > 0).then(label).otherwise(outside)
