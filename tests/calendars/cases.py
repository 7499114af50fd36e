"""What the calendar tests draw and hold against: strategies, the laws, and an oracle that steps minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import attrs
from hypothesis import strategies as st

from crmcore.calendars import BoundSpan, zone

TICK = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
ZONES = (
    "UTC",
    "Africa/Casablanca",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Asia/Shanghai",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
)
FIRST, LAST = datetime(2009, 1, 1, tzinfo=UTC), datetime(2028, 12, 31, tzinfo=UTC)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OFFICE = {day: ["09:00-12:00", "13:00-18:00"] for day in WEEKDAYS[:5]}
WINDOWS = (
    ("09:00-18:00",),
    ("09:00-12:00", "13:00-18:00"),
    ("22:00-06:00",),
    ("00:00-24:00",),
    ("18:00-24:00",),
    ("06:00-07:00", "20:00-05:00"),
    ("08:00-20:00", "20:00-08:00"),
)
IN_THE_NIGHT = (("00:00-03:00", "02:30-04:00"), ("01:15-01:45", "02:00-02:30", "02:45-03:10"))
"""Windows that begin or end where clocks are changed."""


def at(text: str, place: str = "UTC") -> datetime:
    """A local time of a zone, as an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(place)).astimezone(UTC)


def transitions(place: str) -> list[datetime]:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    first, last = (int((t - epoch) / TICK) for t in (FIRST, LAST))
    return [epoch + start * TICK for start, _, _ in zone(place).stretches(first, last)][1:]


@st.composite
def specs(
    draw: st.DrawFn, *, places: tuple[str, ...] = ZONES, hours: tuple[tuple[str, ...], ...] = (*WINDOWS, *IN_THE_NIGHT)
) -> dict[str, object]:
    """The arguments of a calendar with some working time in each of its weeks."""
    days = st.dates(date(2009, 1, 1), date(2028, 12, 31))
    near = st.sampled_from([*map(date.fromisoformat, NOTABLE)])
    windows = st.sampled_from(hours)
    weeks = st.dictionaries(st.sampled_from(WEEKDAYS), windows, min_size=1)
    return {
        "zone": draw(st.sampled_from(places)),
        "week": draw(weeks),
        "closed": draw(st.lists(near | days, max_size=4)),
        "open": draw(st.dictionaries(near | days, windows, max_size=3)),
        "hours": [{"from": day, "week": draw(weeks)} for day in draw(st.lists(near | days, max_size=2, unique=True))],
        "whole_shifts": draw(st.booleans()),
    }


NOTABLE = (
    *("2026-03-28", "2026-03-29", "2026-10-24", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04"),
    *("2011-12-29", "2011-12-31", "2011-12-30", "2026-02-15", "2026-02-28", "2024-02-29", "2026-12-31", "2027-01-01"),
)


@st.composite
def instants(draw: st.DrawFn, place: str) -> datetime:
    """Instants, most a microsecond around a border: a transition, a midnight, a window's edge, a month's end."""
    kind = draw(st.sampled_from(("transition", "clock", "month", "any")))
    tz = ZoneInfo(place)
    if kind == "transition" and (known := transitions(place)):
        found = draw(st.sampled_from(known)) + draw(st.sampled_from((0, 0, -24, 24, -168, 168))) * timedelta(hours=1)
        found += draw(st.sampled_from((0, 0, -60, -30, 30, 60, 15, 90))) * MINUTE
    elif kind == "clock":
        day = draw(st.sampled_from(NOTABLE))
        clock = draw(st.sampled_from(("00:00", "02:00", "02:30", "03:00", "06:00", "09:00", "12:00", "18:00", "22:00")))
        fold = draw(st.integers(0, 1))
        found = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=tz, fold=fold).astimezone(UTC)
    elif kind == "month":
        year, month = draw(st.integers(2010, 2027)), draw(st.integers(1, 12))
        found = datetime(year, month, 1, tzinfo=tz).astimezone(UTC) - draw(st.integers(0, 4)) * timedelta(hours=12)
    else:
        days, seconds = draw(st.integers(0, (LAST - FIRST).days - 1)), draw(st.integers(0, 86_399))
        found = FIRST + timedelta(days=days, seconds=seconds)
    return found + draw(st.sampled_from((0, 0, -1, 1))) * TICK


COUNTS = {"min": 3000, "h": 300, "d": 120, "w": 20, "mo": 30, "wd": 40, "wh": 300, "wmin": 2000}


def texts(unit: str) -> st.SearchStrategy[str]:
    """Spans of a unit, short ones by preference."""
    counts = st.sampled_from((0, 1, 2, 12)) | st.integers(0, COUNTS[unit])
    return counts.map(lambda count: f"{count}{unit}")


def held(span: BoundSpan, t: datetime, now: datetime) -> bool:
    """The law t <= cutoff(now) ⇔ add(t) <= now."""
    return (t <= span.cutoff(now)) == (span.add(t) <= now)


def check_laws(span: BoundSpan, t: datetime, other: datetime) -> None:
    low, high = sorted((t, other))
    assert span.add(low) <= span.add(high)
    assert span.add(t) <= span.add(t + TICK)
    due = span.add(t)
    for now in (other, t, due - TICK, due, due + TICK):
        border = span.cutoff(now)
        for moment in (t, border - TICK, border, border + TICK):
            assert held(span, moment, now), (moment, now)
        begin = span.sub(now)
        assert span.add(begin) >= now > span.add(begin - TICK)
        assert begin == span.cutoff(now - TICK) + TICK


# The oracle: reads the arguments itself, knows nothing but ZoneInfo, and looks at one minute at a time.


@attrs.frozen
class Oracle:
    spec: dict[str, object]

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(str(self.spec["zone"]))

    def closed(self, day: date) -> bool:
        return day in self.spec["closed"] and day not in self.spec["open"]

    def windows(self, day: date) -> list[tuple[int, int]]:
        if day in self.spec["open"]:
            return [minutes(text) for text in self.spec["open"][day]]
        week = self.spec["week"]
        for hours in sorted(self.spec["hours"], key=lambda hours: hours["from"]):
            week = hours["week"] if hours["from"] <= day else week
        return [] if self.closed(day) else [minutes(text) for text in week.get(WEEKDAYS[day.weekday()], ())]

    def open_on(self, day: date, minute: int) -> bool:
        before = day - timedelta(days=1)
        tail = any(start <= minute + 1440 < end for start, end in self.windows(before))
        if self.closed(day):
            return tail and bool(self.spec["whole_shifts"])
        return tail or any(start <= minute < end for start, end in self.windows(day))

    def is_open(self, t: datetime) -> bool:
        local = t.astimezone(self.tz)
        return self.open_on(local.date(), local.hour * 60 + local.minute)

    def between(self, a: datetime, b: datetime) -> timedelta:
        total, t = timedelta(0), a
        while t < b:
            total += MINUTE * self.is_open(t)
            t += MINUTE
        return total

    def add(self, t: datetime, amount: timedelta, patience: int) -> datetime | None:
        for _ in range(patience):
            if not amount:
                return t
            amount -= MINUTE * self.is_open(t)
            t += MINUTE
        return None

    def add_days(self, t: datetime, count: int) -> datetime:
        return self.first_at(self.clock(t) + timedelta(days=count))

    def add_working_days(self, t: datetime, count: int) -> datetime:
        wall = self.clock(t)
        while not self.windows(wall.date()):
            wall = datetime.combine(wall.date() + timedelta(days=1), datetime.min.time())
        for _ in range(count):
            wall += timedelta(days=1)
            while not self.windows(wall.date()):
                wall += timedelta(days=1)
        return self.first_at(wall)

    def add_months(self, t: datetime, count: int) -> datetime:
        wall = self.clock(t)
        year, month = divmod(wall.year * 12 + wall.month - 1 + count, 12)
        try:
            return self.first_at(wall.replace(year=year, month=month + 1))
        except ValueError:
            year, month = divmod(year * 12 + month + 1, 12)
            return self.first_at(datetime(year, month + 1, 1))

    def clock(self, t: datetime) -> datetime:
        """The local clock; in a second pass, the end of the fold."""
        local = t.astimezone(self.tz)
        while local.fold:
            t = t.replace(second=0, microsecond=0) + MINUTE
            local = t.astimezone(self.tz)
        return local.replace(tzinfo=None)

    def first_at(self, wall: datetime) -> datetime:
        """The instant of a local clock; in a gap, the end of the gap."""
        while True:
            found = wall.replace(tzinfo=self.tz).astimezone(UTC)
            if found.astimezone(self.tz).replace(tzinfo=None) == wall:
                return found
            wall = wall.replace(second=0, microsecond=0) + MINUTE


def minutes(text: str) -> tuple[int, int]:
    start, end = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
    return start, end if end > start else end + 1440
