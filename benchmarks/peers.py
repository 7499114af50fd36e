"""
The other side of topic `columns`: two policies as a good engineer writes them by hand, once in Polars, once in SQL.

Same columns, same meaning, the unknown and the future too; nothing that these two policies do not need. A start that is
not known counts as long ago for the earliest deadline that the facts allow; the latest is its own column. Where both
give one answer, it stands. A working day more or less is looked up in a table of the days.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import attrs

from benchmarks.portfolio import ZONE
from crmcore import OPEN_ENDED
from crmcore.calendars import BusinessCalendar

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "DUCKDB",
    "SPARK",
    "WorkingDayTable",
    "polars_by_calendar_days",
    "polars_by_working_days",
    "sql_by_calendar_days",
    "sql_by_working_days",
]

DAY: Final = timedelta(days=1)
LONG_AGO: Final = datetime(1, 1, 2, tzinfo=UTC)
WORDS: Final = ("keep", "remind", "remind", "reclaim", "needs_data", None)
STEPS: Final = (0, 1, 2, 0, 0, 0)
RULES: Final = (None, "OWN-1", "OWN-2")
NEEDS_DATA, NO_OUTCOME = 4, 5


class WorkingDayTable:
    """
    By day of Shanghai, from `base` on: what a span of working days does to an instant of it.

    Adding: the later of the instant and `opens`, plus `later`. Going back, by the day of the microsecond before: the
    earlier of the instant minus `earlier` and `closes`.
    """

    BEHIND: Final = 400
    AHEAD: Final = 1_200

    def __init__(self, calendar: BusinessCalendar, now: datetime, count: int) -> None:
        first = now.astimezone(ZoneInfo(ZONE)).date() - self.BEHIND * DAY
        self.base = midnight(first)
        self.days = [first + number * DAY for number in range(self.BEHIND + self.AHEAD)]
        working = [day for day in self.days if calendar.working_day(day)]
        free = set(self.days).difference(working)
        self.opens: list[datetime] = []
        self.later: list[timedelta] = []
        self.closes: list[datetime] = []
        self.earlier: list[timedelta] = []
        for day in self.days:
            coming = bisect_left(working, day)
            here = working[min(coming, len(working) - 1)]
            there = working[min(coming + count, len(working) - 1)]
            self.opens.append(midnight(here))
            self.later.append(there - here)
            back = max(coming - (day in free) - count, 0)
            self.closes.append(midnight(working[back] + DAY))
            self.earlier.append(timedelta(0) if day in free else day - working[back])


def midnight(day: date) -> datetime:
    """The first instant of a day in Shanghai."""
    return datetime.combine(day, time(), ZoneInfo(ZONE)).astimezone(UTC)


# --- Polars ---


def polars_by_calendar_days(lf: pl.LazyFrame, now: datetime) -> pl.LazyFrame:
    """By grade, from the contact or the assignment; every day in Shanghai has 24 hours."""
    import polars as pl

    grade = pl.col("grade")
    limit = pl.when(grade == "A").then(_span(15)).when(grade == "B").then(_span(30)).otherwise(_span(60))
    ends = (now + 7 * DAY, now + DAY, now)
    return _answered(
        lf, now, ends, idle=lambda start: start + limit, floor=_frozen(0), begin=lambda due: due - _span(7)
    )


def polars_by_working_days(
    lf: pl.LazyFrame, now: datetime, *, limit: WorkingDayTable, lead: WorkingDayTable
) -> pl.LazyFrame:
    """Working days by a table of the days: `dt.add_business_days` takes ten times as long."""
    import polars as pl

    hold = pl.col("a") + _span(10)
    frozen = _frozen(5)
    floor = pl.when(frozen.is_null() | (frozen > hold)).then(frozen).otherwise(hold)
    ends = (_added(lead, now), now + DAY, now)
    return _answered(lf, now, ends, idle=_adding(limit), floor=floor, begin=_going_back(lead))


def _answered(
    lf: pl.LazyFrame,
    now: datetime,
    ends: tuple[datetime, datetime, datetime],
    *,
    idle: Callable[[pl.Expr], pl.Expr],
    floor: pl.Expr,
    begin: Callable[[pl.Expr], pl.Expr],
) -> pl.LazyFrame:
    """The four columns; `ends`: what is due by then is to be reminded of, soon, reclaimed."""
    import polars as pl

    c, when, lit = pl.col, pl.when, pl.lit
    names = lf.collect_schema().names()
    lf = lf.with_columns(
        a=_near("assigned_at", now),
        l=_near("last_contact_at", now),
        bound_a=_bound("assigned_at", now),
        bound_l=_bound("last_contact_at", now),
    )
    lf = lf.with_columns(start=when(c.l > c.a).then(c.l).otherwise(c.a), known=c.a > LONG_AGO)
    lf = lf.with_columns(idle=idle(c.start), no_deal=c.a + _span(90), floor=floor)
    lf = lf.with_columns(base=when(c.idle < c.no_deal).then(c.idle).otherwise(c.no_deal))
    lf = lf.with_columns(early=when(c.base > c.floor).then(c.base).otherwise(c.floor))
    alone = when(c.l > LONG_AGO).then(when(c.idle > c.floor).then(c.idle).otherwise(c.floor))
    lf = lf.with_columns(late=when(c.known).then(c.early).otherwise(alone))
    lf = lf.with_columns(code=_code(c.early, ends), latest=_code(c.late, ends))
    agreed = c.code == c.latest
    lf = lf.with_columns(due=when(agreed).then(c.early).otherwise(c.late))
    lf = lf.with_columns(begin=begin(c.due), soon=c.due - _span(1))
    steps = when((c.latest == 0) & (c.early - _span(1) > c.begin)).then(c.begin)
    steps = steps.when((c.latest <= 1) & (c.early > c.soon)).then(c.soon).when(c.due > now).then(c.due)
    no_owner, status = c.owner.is_null(), c.status
    closed = (status == "won") | (status == "lost") | (status == "invalid")
    by = when(c.code == 3).then(lit(ends[2])).when(c.code == 2).then(lit(ends[1])).otherwise(lit(ends[0]))
    lf = lf.with_columns(
        change=steps,
        bound=when(c.bound_a < c.bound_l).then(c.bound_a).otherwise(pl.coalesce(c.bound_l, c.bound_a)),
        judged=(status == "open") & ~no_owner,
        answer=when((status == "open") & ~no_owner)
        .then(when(agreed).then(c.code).otherwise(lit(NEEDS_DATA, pl.UInt32)))
        .when(closed | (status == "open"))
        .then(lit(0, pl.UInt32))
        .otherwise(lit(NO_OUTCOME, pl.UInt32)),
        ruled=when(c.idle <= by).then(lit(1, pl.UInt32)).otherwise(lit(2, pl.UInt32)),
    )
    return lf.select(
        *names,
        outcome=lit(pl.Series(WORDS)).gather(c.answer),
        step=lit(pl.Series(STEPS)).gather(c.answer),
        rule=lit(pl.Series(RULES)).gather(
            when((c.answer > 0) & (c.answer < NEEDS_DATA)).then(c.ruled).otherwise(lit(0, pl.UInt32))
        ),
        next_change_at=when(c.judged).then(
            when(c.bound < c.change).then(c.bound).otherwise(pl.coalesce(c.change, c.bound))
        ),
    )


def _span(days: int) -> pl.Expr:
    import polars as pl

    return pl.lit(days * DAY, pl.Duration("us"))


def _near(name: str, now: datetime) -> pl.Expr:
    """A past fact, or long ago: one that is null or too far ahead does not count."""
    import polars as pl

    return pl.when(pl.col(name) <= now + DAY).then(pl.col(name)).otherwise(pl.lit(LONG_AGO))


def _bound(name: str, now: datetime) -> pl.Expr:
    """When a past fact that lies ahead begins to count, or to count otherwise."""
    import polars as pl

    at = pl.col(name)
    return pl.when(at > now).then(pl.when(at > now + DAY).then(at - _span(1)).otherwise(at))


def _frozen(more: int) -> pl.Expr:
    """The end of a freeze and so many days; long ago where there is none, null where it has no end."""
    import polars as pl

    until = pl.col("frozen_until")
    ends = until + _span(more) if more else until
    return pl.when(until.is_null()).then(pl.lit(LONG_AGO)).when(until < OPEN_ENDED).then(ends)


def _code(due: pl.Expr, ends: tuple[datetime, datetime, datetime]) -> pl.Expr:
    """0 to 3: keep, the two reminders, reclaim."""
    import polars as pl

    codes = [pl.lit(code, pl.UInt32) for code in range(4)]
    chain = pl.when(due <= ends[2]).then(codes[3]).when(due <= ends[1]).then(codes[2])
    return chain.when(due <= ends[0]).then(codes[1]).otherwise(codes[0])


def _adding(table: WorkingDayTable) -> Callable[[pl.Expr], pl.Expr]:
    import polars as pl

    opens, later = pl.lit(pl.Series(table.opens)), pl.lit(pl.Series(table.later))

    def add(at: pl.Expr) -> pl.Expr:
        day = _day(at, table)
        return pl.max_horizontal(at, opens.gather(day)) + later.gather(day)

    return add


def _going_back(table: WorkingDayTable) -> Callable[[pl.Expr], pl.Expr]:
    import polars as pl

    closes, earlier = pl.lit(pl.Series(table.closes)), pl.lit(pl.Series(table.earlier))

    def back(at: pl.Expr) -> pl.Expr:
        day = _day(at - timedelta(microseconds=1), table)
        return pl.min_horizontal(at - earlier.gather(day), closes.gather(day))

    return back


def _day(at: pl.Expr, table: WorkingDayTable) -> pl.Expr:
    """The row of the table."""
    import polars as pl

    return (at - pl.lit(table.base)).dt.total_days().clip(0, len(table.days) - 1)


def _added(table: WorkingDayTable, at: datetime) -> datetime:
    day = (at - table.base) // DAY
    return max(at, table.opens[day]) + table.later[day]


# --- SQL: whole microseconds, and instants again at the end ---


@attrs.frozen
class Dialect:
    """What is not the same in two kinds of SQL."""

    micros: str
    instant: str
    divide: str
    numbers: str
    element: str

    def look_up(self, values: list[int], row: str) -> str:
        """The value in that row, counted from 1."""
        return self.element.format(self.numbers.format(", ".join(map(str, values))), row)


DUCKDB: Final = Dialect("epoch_us", "make_timestamptz", "//", "[{}]::BIGINT[]", "list_extract({}, {})")
SPARK: Final = Dialect("unix_micros", "timestamp_micros", "div", "array({})", "element_at({}, int({}))")

ANSWERED: Final = """\
WITH read AS (
  SELECT {source}.*, {micros}(assigned_at) AS assigned, {micros}(last_contact_at) AS contact,
    {micros}(frozen_until) AS frozen
  FROM {source}
), seen AS (
  SELECT *,
    CASE WHEN assigned <= {horizon} THEN assigned END AS a,
    CASE WHEN contact <= {horizon} THEN contact END AS l,
    CASE WHEN assigned > {horizon} THEN assigned - {day} WHEN assigned > {now} THEN assigned END AS bound_a,
    CASE WHEN contact > {horizon} THEN contact - {day} WHEN contact > {now} THEN contact END AS bound_l
  FROM read
), started AS (
  SELECT *, greatest(a, l) AS start FROM seen
), dues AS (
  SELECT *, {idle} AS idle, a + 90 * {day} AS no_deal, {floor} AS floor FROM started
), deadlines AS (
  SELECT *,
    CASE WHEN a IS NULL THEN coalesce(floor, 0) ELSE greatest(least(idle, no_deal), floor) END AS early,
    CASE WHEN idle IS NOT NULL THEN greatest(least(idle, no_deal), floor) END AS late
  FROM dues
), codes AS (
  SELECT *,
    CASE WHEN early <= {reclaimed} THEN 3 WHEN early <= {soon} THEN 2 WHEN early <= {first} THEN 1 ELSE 0 END AS code,
    CASE WHEN late <= {reclaimed} THEN 3 WHEN late <= {soon} THEN 2 WHEN late <= {first} THEN 1 ELSE 0 END AS latest
  FROM deadlines
), agreed AS (
  SELECT *,
    CASE WHEN code = latest THEN early ELSE late END AS due,
    CASE
      WHEN status = 'open' AND owner IS NOT NULL THEN CASE WHEN code = latest THEN code ELSE 4 END
      WHEN status IN ('open', 'won', 'lost', 'invalid') THEN 0
    END AS answer
  FROM codes
), begun AS (
  SELECT *, {begin} AS begin FROM agreed
)
SELECT {columns},
  CASE answer WHEN 0 THEN 'keep' WHEN 3 THEN 'reclaim' WHEN 1 THEN 'remind' WHEN 2 THEN 'remind'
    WHEN 4 THEN 'needs_data' END AS outcome,
  CAST(CASE WHEN answer IN (1, 2) THEN answer ELSE 0 END AS BIGINT) AS step,
  CASE WHEN answer BETWEEN 1 AND 3 THEN
    CASE WHEN idle <= CASE answer WHEN 3 THEN {reclaimed} WHEN 2 THEN {soon} ELSE {first} END
      THEN 'OWN-1' ELSE 'OWN-2' END
  END AS rule,
  CASE WHEN status = 'open' AND owner IS NOT NULL THEN {instant}(least(bound_a, bound_l,
    CASE
      WHEN due >= {open_ended} THEN NULL
      WHEN latest = 0 AND early - {day} > begin THEN begin
      WHEN latest <= 1 AND early > due - {day} THEN due - {day}
      WHEN due > {now} THEN due
    END)) END AS next_change_at
FROM begun"""


def sql_by_calendar_days(dialect: Dialect, source: str, columns: str, now: datetime) -> str:
    """By grade, from the contact or the assignment."""
    day = _micros(DAY)
    idle = f"start + CASE grade WHEN 'A' THEN {15 * day} WHEN 'B' THEN {30 * day} ELSE {60 * day} END"
    ends = (now + 7 * DAY, now + DAY, now)
    return _sql(dialect, source, columns, ends, idle=idle, floor="frozen", begin=f"due - {7 * day}")


def sql_by_working_days(
    dialect: Dialect, source: str, columns: str, now: datetime, *, limit: WorkingDayTable, lead: WorkingDayTable
) -> str:
    """Working days from lists of the days; a start before them is due, whatever it is."""
    look_up, day = dialect.look_up, _micros(DAY)
    row = _row(dialect, "start", limit)
    opens, later = look_up(list(map(_micros, limit.opens)), row), look_up(list(map(_micros, limit.later)), row)
    before = _row(dialect, "(due - 1)", lead)
    closes, earlier = (
        look_up(list(map(_micros, lead.closes)), before),
        look_up(list(map(_micros, lead.earlier)), before),
    )
    idle = f"CASE WHEN start >= {_micros(limit.base)} THEN greatest(start, {opens}) + {later} ELSE start END"
    begin = f"CASE WHEN due > {_micros(now)} THEN least(due - {earlier}, {closes}) END"
    # Without an end there is nothing to add; what is due then is never.
    frozen = f"CASE WHEN frozen < {_micros(OPEN_ENDED)} THEN frozen + {5 * day} ELSE frozen END"
    ends = (_added(lead, now), now + DAY, now)
    return _sql(dialect, source, columns, ends, idle=idle, floor=f"greatest(a + {10 * day}, {frozen})", begin=begin)


def _sql(dialect: Dialect, source: str, columns: str, ends: tuple[datetime, datetime, datetime], **parts: str) -> str:
    first, soon, now = map(_micros, ends)
    day = _micros(DAY)
    return ANSWERED.format(
        source=source,
        columns=columns,
        micros=dialect.micros,
        instant=dialect.instant,
        now=now,
        day=day,
        horizon=now + day,
        first=first,
        soon=soon,
        reclaimed=now,
        open_ended=_micros(OPEN_ENDED),
        **parts,
    )


def _row(dialect: Dialect, at: str, table: WorkingDayTable) -> str:
    return f"least(({at} - {_micros(table.base)}) {dialect.divide} {_micros(DAY)} + 1, {len(table.days)})"


def _micros(at: datetime | timedelta) -> int:
    gap = at - datetime(1970, 1, 1, tzinfo=UTC) if isinstance(at, datetime) else at
    return gap // timedelta(microseconds=1)
