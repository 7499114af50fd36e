"""Holiday dates of the libraries: China's days are those of the State Council, and no year is guessed."""

from __future__ import annotations

import csv
import pickle
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from calendars.cases import OFFICE, at
from crmcore.calendars import BusinessCalendar, HolidayDates, Window, load
from crmcore.errors import InvalidCalendar, MissingExtra

CHINA = ("chinesecalendar", "holidays:CN")


def made(**fields: object) -> BusinessCalendar:
    return BusinessCalendar(**{"zone": "Asia/Shanghai", "week": OFFICE, **fields})


@pytest.fixture(scope="module", params=[*CHINA, "holidays:DE-BY"])
def dates(request: pytest.FixtureRequest) -> HolidayDates:
    pytest.importorskip("chinese_calendar" if request.param == "chinesecalendar" else "holidays")
    return load(request.param)


def test_dates_lie_in_the_years_they_are_known_for(dates: HolidayDates) -> None:
    assert max(*dates.closed, *dates.make_up) <= dates.known_through
    assert (dates.known_through.month, dates.known_through.day) == (12, 31)
    assert not dates.closed.keys() & dates.make_up
    assert all(day.weekday() >= 5 for day in dates.make_up)
    assert pickle.loads(pickle.dumps(dates)) == dates
    assert isinstance(hash(dates), int)


@pytest.mark.parametrize("source", CHINA)
def test_chinas_days_are_those_of_the_notices(source: str, shared_data: Path) -> None:
    pytest.importorskip("chinese_calendar")
    pytest.importorskip("holidays")
    with (shared_data / "holidays_cn" / "holidays_2023_2026.csv").open(encoding="utf-8") as file:
        kinds = {date.fromisoformat(row["date"]): row["kind"] for row in csv.DictReader(file)}
    calendar = made().with_holidays(source)
    for day in (date(2023, 1, 1) + timedelta(days=i) for i in range(4 * 365 + 1)):
        worked = kinds[day] == "work" if day in kinds else day.weekday() < 5
        assert calendar.working_day(day) == worked, day


@pytest.mark.parametrize("source", CHINA)
def test_a_year_that_is_not_announced_follows_the_week(source: str) -> None:
    """The library lists days off for 2027, without the days worked for them."""
    pytest.importorskip("chinese_calendar")
    pytest.importorskip("holidays")
    known = load(source).known_through
    calendar = made().with_holidays(source)
    after = [known + timedelta(days=i) for i in range(1, 366)]
    assert [calendar.working_day(day) for day in after] == [day.weekday() < 5 for day in after]
    assert calendar.known_through == known
    assert calendar.provisional(at(f"{after[0]}T12:00"))


def test_a_country_without_make_up_days_is_known_to_the_last_year() -> None:
    pytest.importorskip("holidays")
    country, land = load("holidays:DE"), load("holidays:DE-BY")
    assert (country.known_through, country.make_up) == (date(2040, 12, 31), frozenset())
    assert date(2026, 1, 6) in land.closed.keys() - country.closed.keys()


def test_make_up_days_have_their_hours() -> None:
    pytest.importorskip("chinese_calendar")
    saturday = date(2026, 10, 10)
    assert made().with_holidays("chinesecalendar").windows(saturday) == (Window(540, 720), Window(780, 1080))
    assert made().with_holidays("chinesecalendar", ["10:00-12:00"]).windows(saturday) == (Window(600, 720),)
    with pytest.raises(InvalidCalendar, match="make_up"):
        made(week={}).with_holidays("chinesecalendar")


def test_the_calendars_own_dates_win() -> None:
    pytest.importorskip("chinese_calendar")
    own = made(closed=["2026-10-10"], open={"2026-10-01": ["09:00-10:00"]}, known_through="2025-12-31")
    calendar = own.with_holidays("chinesecalendar")
    assert not calendar.working_day(date(2026, 10, 10))
    assert calendar.windows(date(2026, 10, 1)) == (Window(540, 600),)
    assert calendar.known_through == date(2025, 12, 31)
    assert calendar.labels[date(2026, 10, 2)]


def test_a_table_of_a_book_names_its_holidays() -> None:
    pytest.importorskip("chinese_calendar")
    table = {"zone": "Asia/Shanghai", "week": OFFICE, "holidays": "chinesecalendar", "make_up": ["09:00-18:00"]}
    found = BusinessCalendar.from_table(table)
    assert found == made().with_holidays("chinesecalendar", ["09:00-18:00"])
    assert BusinessCalendar(**found.canonical()) == found


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("chinesecalender", "did you mean 'chinesecalendar'?"),
        ("holiday:CN", "did you mean 'holidays'?"),
        ("holidays", '"holidays:CN"'),
        ("holidays:XQ", "a country it covers"),
        ("holidays:cn", "did you mean 'CN'?"),
        ("holidays:DE-by", "did you mean 'DE-BY'?"),
        ("holidays:DE-QQ", "a subdivision of DE"),
        ("ical", "an importer"),
        (5, "an importer"),
    ],
)
def test_an_unknown_source_is_refused(source: object, said: str) -> None:
    pytest.importorskip("holidays")
    with pytest.raises(InvalidCalendar) as error:
        load(source)
    assert error.value.key == "holidays"
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("source", "module", "package"),
    [("chinesecalendar", "chinese_calendar", "chinesecalendar"), ("holidays:CN", "holidays", "holidays")],
)
def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, source: str, module: str, package: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"needs {package}; pip install 'crmcore\[calendars\]'"):
        load(source)


def test_importing_calendars_imports_no_holiday_library() -> None:
    code = "import sys, crmcore.calendars; print(*{'holidays', 'chinese_calendar', 'workclock'} & sys.modules.keys())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
