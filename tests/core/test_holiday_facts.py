"""What docs/how-to/calendars/holidays.md says of the package is true of the version that is installed."""

import re
from datetime import date
from importlib.metadata import version
from pathlib import Path

import holidays
import pytest

from app.core import holiday_codes as codes
from app.core.holiday_calendar import Calendar, is_off, last_year_of, year_of
from app.core.wallclock import local_day
from app.core.windows.holidays import Holidays
from app.policies.lint.holiday_gaps import gaps_to_subdivisions

PAGE = (Path(__file__).parents[2] / "docs/how-to/calendars/holidays.md").read_text(encoding="utf-8")


def calendar(code: str, part: str | None = None, *categories: str) -> Calendar:
    if code in holidays.list_supported_financial():
        return Calendar(None, None, categories, code)
    return Calendar(code, part, categories, None)


def has(where: Calendar, day: str) -> bool:
    number = local_day(date.fromisoformat(day))
    return number in year_of(where, int(day[:4])).holidays


def count(where: Calendar, year: int = 2027) -> int:
    return len(year_of(where, year).holidays)


def test_the_page_is_of_the_version_that_is_installed() -> None:
    assert f"version {version('holidays')}." in PAGE


def test_the_countries_that_lose_days_of_their_regions_are_those_of_the_page() -> None:
    first = local_day(date(2027, 1, 1))
    found = [
        code
        for code in holidays.list_supported_countries(include_aliases=False)
        if gaps_to_subdivisions(calendar(code), first, first + 365)
    ]
    listed = re.search(r"that way: ([A-Z,\s]+)\.", PAGE)
    assert listed is not None
    assert sorted(found) == listed[1].replace(",", " ").split()


@pytest.mark.parametrize(("code", "days"), [("AU", 7), ("CH", 4), ("CA", 6), ("DE", 9), ("ES", 9)])
def test_nationwide_calendars_have_few_days(code: str, days: int) -> None:
    assert count(calendar(code)) == days
    assert f"| {code} | has {days} days in 2027" in PAGE


def test_bavaria_has_more() -> None:
    assert count(calendar("DE", "BY")) == 12


def test_fewer_than_any_region_of_spain() -> None:
    assert count(calendar("ES")) < min(count(calendar("ES", part)) for part in codes.subdivisions("ES").codes)


@pytest.mark.parametrize("day", ["2026-12-28", "2027-12-27", "2027-12-28"])
def test_days_off_for_weekends_are_working_days_in_australia_but_in_no_state(day: str) -> None:
    number = local_day(date.fromisoformat(day))
    assert not is_off(calendar("AU"), number)
    assert all(is_off(calendar("AU", part), number) for part in codes.subdivisions("AU").codes)


@pytest.mark.parametrize(
    ("where", "day", "there"),
    [
        (calendar("DE", "BY"), "2027-08-15", False),
        (calendar("DE", "BY", "public", "catholic"), "2027-08-15", True),
        (calendar("GB"), "2027-03-29", False),
        (calendar("GB", "SCT"), "2027-03-29", False),
        (calendar("GB", "ENG"), "2027-03-29", True),
        (calendar("GB", "WLS"), "2027-03-29", True),
        (calendar("GB", "NIR"), "2027-03-29", True),
        (calendar("CA"), "2027-10-11", False),
        (calendar("CA", "ON"), "2027-10-11", True),
        (calendar("US"), "2027-11-26", False),
        (calendar("US", "TX"), "2027-11-26", True),
        (calendar("US"), "2027-06-18", True),
        (calendar("US"), "2027-12-24", True),
        (calendar("US"), "2027-12-31", True),
        (calendar("US", "MA"), "2027-06-18", False),
        (calendar("US", "MA"), "2027-12-24", False),
        (calendar("US", "MA"), "2027-12-31", False),
        (calendar("NL"), "2027-03-26", True),
        (calendar("NL"), "2027-05-05", False),
        (calendar("NL"), "2030-05-05", True),
        (calendar("NL", None, "optional"), "2027-05-05", True),
        (calendar("SE"), "2027-12-24", False),
        (calendar("SE", None, "de_facto"), "2027-12-24", True),
        (calendar("SE", None, "de_facto"), "2027-06-25", True),
        (calendar("SE", None, "bank"), "2027-12-24", True),
        (calendar("SE", None, "bank"), "2027-12-31", True),
        (calendar("IS"), "2027-12-24", False),
        (calendar("IS", None, "half_day"), "2027-12-24", True),
        (calendar("BE"), "2027-05-07", False),
        (calendar("BE", None, "bank"), "2027-05-07", True),
        (calendar("JP", None, "bank"), "2027-12-31", True),
        (calendar("KR"), "2027-02-07", True),
        (calendar("CN"), "2027-02-06", True),
        (calendar("XKRX"), "2026-06-03", True),
        (calendar("XKRX"), "2026-07-17", True),
        (calendar("XKRX"), "2027-05-03", True),
    ],
)
def test_a_day_is_where_the_page_says(where: Calendar, day: str, there: bool) -> None:  # noqa: FBT001 - a parameter
    assert has(where, day) is there


def test_seollal_is_a_day_after_the_chinese_day() -> None:
    def named(code: str, name: str) -> list[int]:
        year = year_of(calendar(code), 2027).holidays
        return [day for day, held in year.items() if any(each.english_name == name for each in held)]

    assert named("KR", "Korean New Year") == [named("CN", "Chinese New Year (Spring Festival)")[0] + 1]


def test_more_than_twenty_states_lack_columbus_day() -> None:
    lack = [part for part in codes.subdivisions("US").codes if not has(calendar("US", part), "2027-10-11")]
    assert len(lack) > 20


def test_ukraine_has_all_of_its_holidays_on_working_days() -> None:
    for year in range(2023, 2031):
        assert count(calendar("UA"), year) == 0
        assert count(calendar("UA", None, "workday"), year) > 5


def test_the_data_of_sri_lanka_end() -> None:
    assert last_year_of(calendar("LK")) == 2026
    assert count(calendar("LK"), 2027) == 0


@pytest.mark.parametrize("code", ["CN", "HU"])
def test_decrees_of_2027_are_not_in(code: str) -> None:
    for year, there in ((2025, True), (2026, True), (2027, False)):
        held = [each for day in year_of(calendar(code), year).holidays.values() for each in day]
        assert any(each.is_moved for each in held) is there


def test_half_days_of_markets() -> None:
    markets = holidays.list_supported_financial(include_aliases=False)
    half = [each for each in markets if "half_day" in getattr(holidays, each).supported_categories]
    assert f"{len(half)} of {len(markets)} have `half_day`" in PAGE
    for code in ("XETR", "XFRA"):
        with pytest.raises(ValueError, match="not a known category"):
            Holidays.model_validate({"market": code, "categories": ["half_day"]})


def test_the_error_for_an_unknown_category_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="known: bank, de_facto, optional, public"):
        Holidays.model_validate({"country": "SE", "categories": ["zzz"]})


@pytest.mark.parametrize(
    ("day", "off"),
    [("2013-06-27", True), ("2013-06-29", True), ("2013-07-04", False), ("2013-07-06", True)],
)
def test_saudi_arabia_moved_its_weekend_within_a_year(day: str, off: bool) -> None:  # noqa: FBT001 - a parameter
    assert is_off(calendar("SA"), local_day(date.fromisoformat(day))) is off
