"""Monthly windows, held against a plain walk over the days of a hundred years."""

from datetime import date, timedelta
from typing import Any

import pytest

from app.core.instant import DAY, EARLIEST, LATEST, parse_instant
from app.core.interval import Interval, clip, normalise, subtract
from app.core.wallclock import Wall, calendar_date, local_day, zone
from app.core.windows.monthly import Monthly, month_of

UTC = Wall.of(zone("UTC"), wide=True)


def monthly(start: str | int, end: str | int, **keys: Any) -> Monthly:
    return Monthly.model_validate({"from": start, "to": end, **keys})


def opens(window: Monthly, first: str, last: str) -> list[Interval]:
    span = parse_instant(f"{first}T00:00:00Z"), parse_instant(f"{last}T00:00:00Z")
    return clip(normalise(window.intervals(span, UTC)), span)


def days_on_which(window: Monthly) -> list[date]:
    """The days of two centuries on which a window of single days is open."""
    found = normalise(window.intervals((EARLIEST, LATEST), UTC))
    assert all((start % DAY, end - start) == (0, DAY) for start, end in found)
    return [calendar_date(start // DAY) for start, _ in clip(found, (EARLIEST, LATEST))]


def every_day() -> list[date]:
    return [date(2000, 1, 1) + timedelta(days=day) for day in range((LATEST - EARLIEST) // DAY)]


def test_a_number_is_that_day_of_the_months_that_have_it() -> None:
    assert days_on_which(monthly(30, 30)) == [day for day in every_day() if day.day == 30]


def test_the_nth_weekday_is_that_of_the_month() -> None:
    third = [day for day in every_day() if day.weekday() == 4 and 15 <= day.day <= 21]
    assert days_on_which(monthly("3rd fri", "3rd fri")) == third
    last = [day for day in every_day() if day.weekday() == 0 and (day + timedelta(days=7)).month != day.month]
    assert days_on_which(monthly("last mon", "last mon")) == last


def test_workdays_are_monday_to_friday_without_a_calendar() -> None:
    worked = [day for day in every_day() if day.weekday() < 5]
    months: dict[tuple[int, int], list[date]] = {}
    for day in worked:
        months.setdefault((day.year, day.month), []).append(day)
    assert days_on_which(monthly("last workday", "last workday")) == [days[-1] for days in months.values()]
    assert days_on_which(monthly("22nd workday", "22nd workday")) == [
        days[21] for days in months.values() if len(days) > 21
    ]
    two_before = [worked[worked.index(days[-1]) - 2] for days in months.values()]
    assert days_on_which(monthly("last workday -2", "last workday -2")) == two_before


def test_a_month_without_any_workday_does_not_open() -> None:
    off = [{"date": f"2027-08-{day:02}", "title": "Works holiday"} for day in range(1, 32)]
    window = monthly("first workday", "first workday", workdays={"add": off})
    found = [calendar_date(start // DAY) for start, _ in opens(window, "2027-07-01", "2027-10-01")]
    assert found == [date(2027, 7, 1), date(2027, 9, 1)]
    assert window.starts.of(month_of(local_day(date(2027, 8, 10)))) is None


def test_an_end_that_never_comes_is_taken_two_years_later() -> None:
    window = monthly(15, "23rd workday", months=["jan"], workdays={"weekend": ["fri-sun"]})
    assert opens(window, "2027-01-01", "2027-12-31")[0][0] == parse_instant("2027-01-01T00:00:00Z")
    assert window.opening(month_of(local_day(date(2027, 1, 1)))) == (
        local_day(date(2027, 1, 15)) * DAY,
        local_day(date(2029, 1, 1)) * DAY,
    )


def test_offsets_of_a_month_and_more_still_open_in_order() -> None:
    window = monthly("last workday +31 18:00", "first workday -31 08:00")
    found = window.intervals((EARLIEST, LATEST), UTC)
    assert sorted(found) == sorted(set(found))
    assert all(start < end for start, end in found)


def test_it_covers_itself_in_fewer_months() -> None:
    whole = monthly("last fri", "last fri")
    some = monthly("last fri", "last fri", months=["mar", "dec"])
    assert whole.covers(some)
    assert whole.covers(whole)
    assert not some.covers(whole)
    assert not whole.covers(monthly("last fri 12:00", "last fri"))
    assert not monthly("last workday", "last").covers(
        monthly("last workday", "last", workdays={"weekend": ["sun"]})
    )
    years = ("2026-01-01", "2028-01-01")
    assert subtract(opens(some, *years), opens(whole, *years)) == []


@pytest.mark.parametrize(
    ("keys", "when", "by"),
    [
        ({}, "every month", ""),
        (
            {"months": ["mar", "jun"], "workdays": {"country": "DE", "subdivision": "BY"}},
            "in March and June",
            " (by the workdays of DE BY)",
        ),
        (
            {"months": ["nov-jan"], "workdays": {"weekend": ["fri", "sat"]}},
            "in January, November and December",
            " (by workdays of its own)",
        ),
    ],
)
def test_it_says_its_months_and_whose_workdays_count(keys: dict[str, Any], when: str, by: str) -> None:
    window = monthly("last workday -2 18:00", "first workday 08:00", **keys)
    bounds = "from 18:00, 2 workdays before the last workday, to 08:00 on the first workday"
    assert window.words() == f"{when} {bounds}{by}"


def test_a_bare_day_at_the_end_is_said_to_be_included() -> None:
    assert monthly(15, "last").words() == "every month from the 15th to the end of the last day"
