"""
Sales as columns: who, how much, when; checked once, exact from there on.

Amounts become whole minor units, so that no sum depends on the order of the rows: a float is read to `places` decimals,
half away from zero. An integer or a decimal column is taken the same way, with the places that it has.
"""

# mypy: disable-error-code="no-any-return"
# narwhals is imported late, so what it makes is Any here.

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

import attrs

from crmcore.calendars import zone as zone_of
from crmcore.calendars.instants import SECOND, instant_at, micros
from crmcore.calendars.zones import Zone
from crmcore.decisions.frames import OWN, narwhal, narwhals, need
from crmcore.decisions.frozen import FrozenMap
from crmcore.errors import InvalidFrame, InvalidPolicy

__all__ = ["AT", "KEY", "ORDER", "SOUND", "VALUE", "Lines", "collected", "days_since", "lines", "purchases", "units"]

Expr: TypeAlias = Any
Frame: TypeAlias = Any
"""A frame or an expression of narwhals."""

KEY: Final = f"{OWN}key"
VALUE: Final = f"{OWN}value"
SOUND: Final = f"{OWN}sound"
AT: Final = f"{OWN}at"
ORDER: Final = f"{OWN}order"
PLACES: Final = 6
"""Most decimal places: millionths of nine million million still fit an integer."""
EXACT_UP_TO: Final = 2**53
DAY: Final = 86_400
NO_MORE: Final = FrozenMap[str, str]({})
CLOCKS_FROM: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Sales are not older; before, a zone counts as it did then."""


@attrs.frozen
class Lines:
    """
    The columns that matter, under our own names: `KEY`, `VALUE` in whole units of 10 ** -places, `AT`, `ORDER`.

    A value that no unit can hold is 0, and not `SOUND`.

    `frame` is as narwhals sees it, lazy where the caller's is (Polars: always); `eager` says whether the caller's was.
    Rows with faults are still there: `refuse` them with what is collected anyway.
    """

    frame: Frame
    places: int
    eager: bool
    names: Mapping[str, str]
    """Ours → the caller's."""
    schema: Mapping[str, Any] = attrs.field(repr=False)
    """The types of the caller's columns."""
    sql: bool
    """Whether a database computes it."""
    since: datetime = CLOCKS_FROM
    """No line lies before it: the later, the fewer changes of the clocks a database is told of."""

    @property
    def unit(self) -> int:
        """How many units make one: 100 for two places."""
        return 10**self.places

    def native(self, frame: Frame) -> Any:
        """A frame made of these as the caller's kind: eager or lazy as theirs was."""
        nw = narwhals()
        lazy = isinstance(frame, nw.LazyFrame)
        return (frame.collect() if self.eager and lazy else frame).to_native()

    @property
    def instants(self) -> bool:
        """Whether `AT` has instants; else it has days: dates, or their first moments where a frame knows no dates."""
        return bool(getattr(self.schema[self.names["at"]], "time_zone", None))

    def literal(self, at: date | datetime) -> Expr:
        """What to compare `AT` with; a day's first instant stands for the day. Raises `InvalidFrame` without a zone."""
        nw, name = narwhals(), self.names["at"]
        if self.instants:
            if not isinstance(at, datetime):
                remedy = "give an instant with its zone, or cast the column to dates"
                raise InvalidFrame(f"column {name!r}", self.schema[name], f"a date as {at} is", remedy)
            return nw.lit(at.astimezone(UTC))
        day = date(at.year, at.month, at.day)
        return nw.lit(day if self.schema[name] == nw.Date else datetime(day.year, day.month, day.day))  # noqa: DTZ001

    def faults(self) -> dict[str, Expr]:
        """Expressions that count what cannot be used, to be collected with the rest and given to `refuse`."""
        nw = narwhals()
        found = {"no_key": nw.col(KEY).is_null(), "no_value": ~nw.col(SOUND)}
        if "at" in self.names:
            found["no_at"] = nw.col(AT).is_null()
        return {f"{OWN}{name}": rows.cast(nw.Int64).sum() for name, rows in found.items()}  # Spark sums no truths

    def refuse(self, counted: Mapping[str, Any]) -> None:
        """Raises `InvalidFrame` if `faults` found any."""
        for what, remedy in (
            ("key", "drop those rows, or give their buyer a name of its own: .fill_null('unknown')"),
            ("value", "drop those rows, or fill in 0; a value is finite and below 2 ** 53 units"),
            ("at", "drop those rows: what was never sold is no sale"),
        ):
            if count := counted.get(f"{OWN}no_{what}"):
                raise InvalidFrame(f"column {self.names[what]!r}", f"null in {count} rows", "known in each", remedy)


def lines(
    df: Any,
    *,
    key: str,
    value: str,
    at: str | None = None,
    order: str | None = None,
    more: Mapping[str, str] = NO_MORE,
    places: int = 2,
) -> Lines:
    """
    The columns of the caller's frame that these names say.

    `value` is an integer, decimal or float column; what no integer of minor units can hold is counted in `faults`. `at`
    is a date or an instant with a zone; a time stamp without one says its day. `more`: our name → another column
    to be kept as it is. Raises `InvalidFrame`, `InvalidPolicy`, `MissingExtra`.
    """
    nw, frame = narwhals(), narwhal(df)
    eager = not isinstance(frame, nw.LazyFrame)
    schema = dict(frame.collect_schema())
    names = {"key": key, "value": value, **({"at": at} if at else {}), **({"order": order} if order else {})}
    sql = not eager and not frame.implementation.is_polars()
    others = {ours.removeprefix(OWN): name for ours, name in more.items()}
    for role, name in (names | others).items():
        need(schema, name, role, f"name yours: {role}='…'")
    if at is not None and eager and isinstance(schema[at], nw.Object):
        frame = _dated(frame, at)
        schema[at] = frame.collect_schema()[at]
    if at is not None and not isinstance(schema[at], nw.Date | nw.Datetime):
        remedy = "cast it to dates, or to instants with their zone; in pandas pd.to_datetime"
        raise InvalidFrame(f"column {at!r}", schema[at], "a date or an instant", remedy)
    if eager and frame.implementation.is_polars():
        frame = frame.lazy()
    made = {
        KEY: nw.col(key),
        **units(value, schema[value], places),
        **({AT: _moment(at, schema[at], sql=sql)} if at else {}),
        **({ORDER: nw.col(order)} if order else {}),
        **{ours: nw.col(name) for ours, name in more.items()},
    }
    chosen = frame.select(**made)
    return Lines(chosen, 0 if schema[value].is_integer() else places, eager, names, schema, sql)


def _dated(frame: Frame, name: str) -> Frame:
    """The frame with a column of Python dates, which pandas keeps as objects, as stamps; others as they are."""
    nw, days = narwhals(), frame.get_column(name).to_list()
    if not all(type(day) is date or day is None for day in days):
        return frame
    stamps = [day and datetime(day.year, day.month, day.day) for day in days]  # noqa: DTZ001 - a stamp says its day
    made: Frame = frame.with_columns(nw.new_series(name, stamps, nw.Datetime("us"), backend=frame.implementation))
    return made


def _moment(name: str, dtype: Any, *, sql: bool) -> Expr:
    """Days as they are, instants in UTC to the microsecond; a database has one type of them."""
    nw, column = narwhals(), narwhals().col(name)
    if dtype == nw.Date or (dtype.time_zone is not None and sql):
        return column
    if dtype.time_zone is None:
        return column.dt.truncate("1d")
    column = column if dtype.time_zone == "UTC" else column.dt.convert_time_zone("UTC")
    return column if dtype.time_unit == "us" else column.dt.timestamp("us").cast(nw.Datetime("us", "UTC"))


def _places(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= PLACES:
        raise InvalidPolicy("places", value, f"a whole number from 0 to {PLACES}")
    return value


def units(name: str, dtype: Any, places: int) -> dict[str, Expr]:
    """
    `VALUE`, a column in whole units, 0 where it has none; and `SOUND`, whether it has.

    Raises `InvalidFrame` for what is no number, `InvalidPolicy` for `places`.
    """
    nw, places = narwhals(), _places(places)
    if dtype.is_integer():
        return {VALUE: nw.col(name).fill_null(0).cast(nw.Int64), SOUND: ~nw.col(name).is_null()}
    if not (dtype.is_float() or dtype.is_decimal()):
        remedy = "cast it to a number; a column of Python Decimals is best made a decimal column of Arrow"
        raise InvalidFrame(f"column {name!r}", dtype, "a number", remedy)
    more = min(max(dtype.scale - places, 0), PLACES) if dtype.is_decimal() else 0
    scaled = nw.col(name).cast(nw.Float64) * 10 ** (places + more)
    sound = (scaled.abs() < EXACT_UP_TO).fill_null(value=False)
    rounded = nw.when(scaled < 0).then(-((0.5 - scaled).floor())).otherwise((scaled + 0.5).floor())
    whole = nw.when(sound).then(rounded).otherwise(0).cast(nw.Int64)
    return {VALUE: _coarser(whole, 10**more) if more else whole, SOUND: sound}


def _coarser(whole: Expr, by: int) -> Expr:
    """A whole number divided by another, half away from zero: a decimal has places that a float would lose."""
    size = (whole.abs() + by // 2) // by
    return narwhals().when(whole < 0).then(-size).otherwise(size).cast(narwhals().Int64)


def purchases() -> Expr:
    """Which lines are purchases, though they may have cost nothing, and no returns."""
    return narwhals().col(VALUE) >= 0


def collected(frame: Frame) -> Frame:
    """The frame eager, computed if it is not yet."""
    return frame.collect() if isinstance(frame, narwhals().LazyFrame) else frame


def days_since(lines: Lines, last: Expr, now: date | datetime) -> Expr:
    """
    Whole days from `last`, an expression of `AT`, to `now`, told by the wall clock of the zone of `now`.

    Raises `InvalidFrame` for Spark, where narwhals tells no time between two moments.
    """
    nw = narwhals()
    if lines.frame.implementation.is_spark_like():
        raise InvalidFrame("df", "a frame of Spark", "one that can tell days between two dates", "give df.toArrow()")
    if not lines.instants or not isinstance(now, datetime):
        return (_wall(lines.literal(now)) - _wall(last)).dt.total_seconds() // DAY
    zone, there = zone_of(now.tzinfo or UTC), zone_of(lines.schema[lines.names["at"]].time_zone)
    if not lines.sql and isinstance(zone.tz, ZoneInfo):
        last, there = last.dt.convert_time_zone(zone.key), zone
    apart = (nw.lit(now.replace(tzinfo=None)) - last.dt.replace_time_zone(None)).dt.total_seconds()
    return (apart + _ahead(last, there, zone, lines.since, now)) // DAY


def _ahead(at: Expr, there: Zone, zone: Zone, since: datetime, now: datetime) -> Expr:
    """
    By how many seconds the clock of `there` is ahead of that of `zone` at an instant from `since` to `now`.

    Not the difference of two instants: a database tells it in days of its session's calendar.
    """
    nw = narwhals()
    ahead, found = 0, nw.lit(0)
    for moment, apart in _apart(there, zone, micros(since), micros(now)):
        if apart != ahead:
            found = found + nw.when(at >= nw.lit(instant_at(moment))).then(apart - ahead).otherwise(0)
        ahead = apart
    return found


def _apart(there: Zone, zone: Zone, since: int, now: int) -> Iterator[tuple[int, int]]:
    """When one of two clocks is moved, and how many seconds the first is ahead of the second from then on."""
    starts = sorted({start for each in (there, zone) for start, _, _ in each.stretches(min(since, now), now + 1)})
    for start in starts:
        yield start, (there.offset(start) - zone.offset(start)) // SECOND


def _wall(day: Expr) -> Expr:
    return day.cast(narwhals().Datetime("us"))
