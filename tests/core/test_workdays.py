"""Workdays: days off of a country, a market or nobody, with days of one's own."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from app.core.errors import FaultyValuesError
from app.core.holiday_calendar import is_off, year_of
from app.core.wallclock import calendar_date, local_day
from app.core.workdays import Workdays, nth_workday


def off(day: str, **keys: Any) -> bool:
    return is_off(Workdays.model_validate(keys).calendar, local_day(date.fromisoformat(day)))


def after(day: str, count: int, **keys: Any) -> str:
    found = nth_workday(Workdays.model_validate(keys).calendar, local_day(date.fromisoformat(day)), count)
    return calendar_date(found).isoformat()


def faults(**keys: Any) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        Workdays.model_validate(keys)
    (error,) = caught.value.errors()
    cause = error["ctx"]["error"]
    if not isinstance(cause, FaultyValuesError):
        return [((), str(cause))]
    return [(fault.path, fault.sentence) for fault in cause.faults]


COMPANY = {"date": "2027-06-11", "title": "Company day"}
FOUNDERS = {"date": "06-11", "title": "Founders' day"}


def test_a_workday_is_counted_over_weekends_and_holidays() -> None:
    assert after("2027-03-25", 1, country="DE") == "2027-03-30"  # Easter
    assert after("2027-03-30", -1, country="DE") == "2027-03-25"
    assert after("2027-03-30", 0, country="DE") == "2027-03-30"
    assert after("2027-03-31", -3, country="DE", subdivision="BY") == "2027-03-24"
    assert after("2026-11-25", 1, market="XNYS") == "2026-11-27"


def test_a_calendar_without_a_country_has_the_weekend_alone() -> None:
    assert after("2027-12-24", 1, weekend=["sat", "sun"]) == "2027-12-27"
    assert off("2027-06-11", add=[COMPANY])
    assert off("2027-06-12", add=[COMPANY])
    assert not off("2027-12-27", add=[COMPANY])


def test_an_added_day_is_off_once_or_every_year() -> None:
    assert [off(f"{year}-06-11", add=[COMPANY]) for year in (2026, 2027, 2029)] == [False, True, False]
    assert [off(f"{year}-06-11", add=[FOUNDERS]) for year in (2026, 2027, 2029)] == [True, True, True]


def test_the_29th_of_february_is_off_in_leap_years_only() -> None:
    leap_day = [{"date": "02-29", "title": "Leap day"}]
    assert off("2028-02-29", add=leap_day)
    assert not off("2027-03-01", add=leap_day)
    assert not off("2027-02-28", add=leap_day, weekend=[])


def test_a_removed_holiday_is_a_workday_but_a_weekend_stays() -> None:
    keys: dict[str, Any] = {"country": "NL", "remove": ["2027-04-27", "12-25", "2027-06-12"]}
    assert not off("2027-04-27", **keys)
    assert off("2028-04-27", **keys)
    assert not off("2028-12-25", **keys)
    assert off("2027-12-25", **keys)  # a Saturday
    assert off("2027-06-12", **keys)


def test_a_date_is_an_exception_to_what_every_year_has() -> None:
    assert not off("2027-06-11", country="NL", add=[FOUNDERS], remove=["2027-06-11"])
    assert off("2027-12-27", country="GB", remove=["12-27"], add=[{"date": "2027-12-27", "title": "Kept"}])


def test_a_weekend_of_ones_own_replaces_that_of_the_country() -> None:
    friday, saturday, sunday = "2027-06-04", "2027-06-05", "2027-06-06"
    assert [off(day, country="NL", weekend=["fri-sat"]) for day in (friday, saturday, sunday)] == [
        True,
        True,
        False,
    ]
    assert not off(saturday, country="NL", weekend=[])
    assert off(friday, country="EG")  # the package knows that Egypt's weekend is Friday and Saturday


def test_titles_are_names_of_the_day() -> None:
    calendar = Workdays.model_validate(
        {"country": "NL", "add": [{"date": "2027-04-27", "title": "Party"}]}
    ).calendar
    both = year_of(calendar, 2027).holidays[local_day(date(2027, 4, 27))]
    assert [holiday.english_name for holiday in both] == ["King's Day", "Party"]
    assert [holiday.is_added for holiday in both] == [False, True]


def test_what_can_not_be_a_calendar_is_refused() -> None:
    assert faults() == [
        ((), "names no calendar; write a country or a market, or leave workdays out for Monday to Friday")
    ]
    assert faults(country="NL", market="XNYS") == [((), "name either a country or a market")]
    assert faults(country="UK")[0][1].endswith('did you mean "GB"?')
    assert faults(market="XNYS", subdivision="NY") == [
        (("subdivision",), "subdivision goes with a country, not with a market")
    ]
    assert faults(weekend=["mon-sun"]) == [(("weekend",), "leaves no working day: all seven days are off")]
    assert faults(weekend=["sat"], categories=["public"]) == [
        (("categories",), "categories go with a country or a market; name one")
    ]
    assert faults(country="NL", add=[FOUNDERS], remove=["06-11"]) == [
        (("remove", 0), "not to be removed, for add has it; keep one of them")
    ]
    with pytest.raises(ValidationError, match="a day has a title as well"):
        Workdays.model_validate({"add": ["2027-06-11"]})
    assert faults(weekend=["sat"], remove=["12-25"]) == [
        (("remove",), "there are no holidays to remove; name a country or a market")
    ]


@pytest.mark.parametrize(("year", "first"), [("", "2000-03-01"), ("2027-", "2027-01-01")])
def test_a_break_without_an_end_is_refused(year: str, first: str) -> None:
    days = [
        {"date": f"{year}{day:%m-%d}", "title": "Closed"}
        for day in (calendar_date(local_day(date(2027, 1, 1)) + number) for number in range(365))
    ]
    ((path, sentence),) = faults(add=days)
    assert path == ("add",)
    assert f"for more than 62 days, from {first} on" in sentence
    assert after("2027-01-01", 1, add=days[:61]) == "2027-03-03"
    assert after("2027-01-01", 1, add=days[::2]) == "2027-01-04"


def test_calendars_of_the_same_many_days_are_equal() -> None:
    days = [{"date": f"{calendar_date(number)}", "title": "Closed"} for number in range(20_000, 20_200, 2)]
    one, other = (Workdays.model_validate({"country": "NL", "add": days}).calendar for _ in range(2))
    assert one == other
    assert hash(one) == hash(other) == hash(one)
    assert one != Workdays.model_validate({"country": "NL", "add": days[1:]}).calendar
