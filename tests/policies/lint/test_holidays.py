"""What lint says of holiday windows that freeze less than their author may well expect."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import holidays
import pytest
import yaml

from app.core.holiday_calendar import Calendar, year_of
from app.core.instant import parse_instant
from app.core.notation import WEEKDAYS
from app.core.policy import PolicySet
from app.core.wallclock import calendar_date, local_day
from app.policies.lint.holiday_gaps import days_of, gaps_to_subdivisions
from app.policies.lint.holidays import holiday_problems
from app.policies.lint.lint import lint
from app.policies.source import Snapshot
from app.yaml.problem import Problem

NOW = "2026-11-29T12:00:00Z"
ROOT = Path(__file__).parents[3]
NEVER_A_DAY_OFF = {"BV", "HM", "IO", "UA"}
"""Uninhabited places without a holiday, and Ukraine, whose holidays are all worked on."""


def problems(*windows: str, now: str = NOW, fields: str = "", key: str = "when") -> list[Problem]:
    lines = [
        "version: 1",
        "policies:",
        f"  - {{id: a, title: t, reason: r, {fields}{key}: [{', '.join(windows)}]}}",
        "tests: [{at: 2026-11-25 12:00, service: api, expect: allow}]",
    ]
    return lint(Snapshot.of("\n".join(lines) + "\n"), parse_instant(now))


def remarks(*windows: str, **more: Any) -> list[str]:
    found = problems(
        *(window if "dates" in window else f"{{holidays: {window}}}" for window in windows), **more
    )
    return [f"{each.path.partition('[0].')[2]}: {each.message}" for each in found]


def of(found: list[str], words: str) -> list[str]:
    return [remark for remark in found if words in remark]


# Regions


def test_a_country_without_a_subdivision_is_told_of_the_next_day_off_in_a_region() -> None:
    (remark,) = remarks("{country: AU}")
    assert remark == (
        'when[0].holidays.country: freezes nationwide days only: Mon 2026-12-28 "Boxing Day (observed)" '
        "is off in 9 of 9 subdivisions of AU (ACT, NSW, NT, …), and 28 more; write a subdivision, "
        "or subdivision: none if nationwide days are meant"
    )


@pytest.mark.parametrize(
    ("country", "words"),
    [
        ("GB", 'Mon 2026-11-30 "Saint Andrew\'s Day" is off in 1 of 4 subdivisions of GB (SCT)'),
        ("GB", 'Mon 2027-03-29 "Easter Monday" in 3, and'),
        ("CA", '"Remembrance Day" in 10'),
        ("CH", "subdivisions of CH"),
        ("DE", 'Wed 2027-01-06 "Epiphany" is off in 4 of 17 subdivisions of DE (BW, BY, ST, …)'),
        ("ES", "subdivisions of ES"),
        ("US", '"Day After Thanksgiving" in 17'),
    ],
)
def test_it_names_the_day_that_most_regions_have_as_well(country: str, words: str) -> None:
    assert len(of(remarks(f"{{country: {country}, categories: [public]}}"), words)) == 1


def test_thirty_countries_leave_out_days_of_their_regions_in_2027() -> None:
    today = date(2026, 12, 31).toordinal() - date(1970, 1, 1).toordinal()
    countries = holidays.list_supported_countries(include_aliases=False)
    whole = [Calendar(country, None, (), None) for country in countries]
    assert len([each for each in whole if gaps_to_subdivisions(each, today + 1, today + 366)]) == 30


def of_policy(policy: Any, now: str = NOW) -> list[str]:
    class CoverageIndex:
        problem = staticmethod(lambda path, sentence, _: f"{path}: {sentence}")

    document: Any = CoverageIndex()
    return [str(each) for each in holiday_problems(document, (), policy, parse_instant(now))]


@pytest.mark.parametrize(
    "windows",
    [
        ("{country: AU, subdivision: NSW, categories: [public]}",),
        ("{country: AU, subdivision: none, categories: [public]}",),
        (
            "{country: AU, categories: [public]}",
            "{country: AU, subdivision: NSW, categories: [public]}",
        ),
        ('{country: AU, names: ["Good Friday"]}',),
    ],
)
def test_who_says_which_region_is_meant_is_told_nothing(windows: tuple[str, ...]) -> None:
    assert remarks(*windows) == []


def test_only_days_of_the_names_that_are_meant_are_missed() -> None:
    (remark,) = remarks('{country: AU, names: ["Christmas Day"]}')
    assert 'Mon 2027-12-27 "Christmas Day (observed)" is off in 9 of 9' in remark


def test_a_day_that_another_window_freezes_is_not_missed() -> None:
    window = '{country: AU, names: ["Christmas Day"]}'
    assert len(remarks(window, "{dates: {from: 2027-12-27 12:00, to: 2027-12-27}}")) == 1
    assert remarks(window, "{dates: {from: 2027-12-27, to: 2027-12-27}}") == []


def test_a_subdivision_that_takes_days_of_the_country_away_is_told() -> None:
    (remark,) = remarks("{country: US, subdivision: MA}", now="2027-12-01T12:00:00Z")
    assert remark.startswith(
        "when[0].holidays.subdivision: freezes less than the whole of US does: "
        'not Fri 2027-12-24 "Christmas Day (observed)", and'
    )
    assert "add a window with {country: US, subdivision: none}, or name the days under except_names" in remark


@pytest.mark.parametrize(
    "windows",
    [
        ("{country: US, subdivision: MA}", "{country: US, subdivision: none}"),
        ("{country: US, subdivision: CA, except_names: [Columbus Day]}",),
        ("{country: US, subdivision: NY}",),
    ],
)
def test_days_that_are_frozen_or_excepted_all_the_same_are_not_missed(windows: tuple[str, ...]) -> None:
    assert remarks(*windows) == []


# Categories


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (
            "{country: NL}",
            'optional adds Wed 2027-05-05 "Liberation Day"; write categories: [public, optional]',
        ),
        ("{country: DE, subdivision: BY}", 'catholic adds Tue 2028-08-15 "Assumption Day"'),
        ("{market: XNYS}", 'half_day adds Thu 2026-12-24 "Christmas Eve (markets close at 1:00pm)"'),
        ("{country: SE}", 'de_facto adds Thu 2026-12-24 "Christmas Eve"'),
        ("{country: IS}", "half_day adds Thu 2026-12-24"),
        ("{country: BE}", "bank adds"),
        ("{country: JP}", 'bank adds Thu 2026-12-31 "Bank Holiday"'),
    ],
)
def test_what_another_category_adds_is_told(window: str, words: str) -> None:
    (remark,) = of(remarks(window), "freezes public holidays only")
    assert words in remark
    assert remark.endswith("or [public] if those days are worked on")


@pytest.mark.parametrize(
    "window",
    [
        "{country: NL, categories: [public]}",
        "{country: NL, categories: [public, optional]}",
        "{country: NL, names: [Koningsdag]}",
        "{country: DE, subdivision: BY, categories: [public]}",
        '{market: XNYS, names: ["*Thanksgiving*"], bridge_days: true}',
        "{country: SK, categories: [public]}",
    ],
)
def test_who_says_which_categories_are_meant_is_told_nothing(window: str) -> None:
    assert remarks(window) == []


def test_observances_on_which_people_work_are_no_days_off() -> None:
    assert remarks("{country: PH, categories: [public]}") == remarks("{country: PH}")


def test_a_public_holiday_on_which_most_companies_work_is_told() -> None:
    (remark,) = of(remarks("{country: NL}"), "Good Friday")
    assert 'freezes Fri 2027-03-26 "Good Friday", on which most companies there work' in remark
    assert of(remarks("{country: NL, except_names: [Goede vrijdag]}"), "Good Friday") == []


# What never comes


@pytest.mark.parametrize(
    ("window", "where", "last", "instead"),
    [
        (
            "{country: UA}",
            "when[0].holidays: never opens again",
            "Tue 2022-03-08",
            'write categories: [public, workday] for Fri 2026-12-25 "Christmas Day"',
        ),
        (
            "{country: DK, categories: [public], names: [Store bededag]}",
            "when[0].holidays.names[0]: never opens again",
            "Fri 2023-05-05",
            "take it out, or write dates",
        ),
        (
            '{country: GB, subdivision: none, names: ["Christmas Day", "Coronation*"]}',
            "when[0].holidays.names[1]: never opens again",
            "Mon 2023-05-08",
            "take it out, or write dates",
        ),
        (
            "{country: NL, categories: [public], names: [Bevrijdingsdag]}",
            "when[0].holidays.names[0]: opens on no day of the next two years; the next is Sun 2030-05-05",
            "Mon 2025-05-05",
            'write categories: [optional, public] for Wed 2027-05-05 "Liberation Day"',
        ),
        (
            "{country: DE, subdivision: none, names: [Reformationstag]}",
            "when[0].holidays.names[0]: never opens again",
            "Tue 2017-10-31",
            'write subdivision: BB for Tue 2028-10-31 "Reformation Day"',
        ),
    ],
)
def test_a_name_or_window_that_opens_on_no_coming_day_is_told(
    window: str, where: str, last: str, instead: str
) -> None:
    assert remarks(window) == [f"{where}; the last was {last}; {instead}"]


def test_a_category_that_only_regions_have_is_told_a_region() -> None:
    (remark,) = remarks("{country: DE, categories: [catholic]}")
    assert remark.startswith("when[0].holidays: never opens again; write subdivision: ")


def test_a_name_with_a_mark_is_told_to_do_without_it() -> None:
    (remark,) = of(remarks('{country: AE, names: ["Eid al-Fitr (estimated)"]}'), "marks it so")
    assert remark == (
        "when[0].holidays.names[0]: names the day only while the calendar marks it so; "
        '"Eid al-Fitr" means it with and without marks, "*(estimated)" the marked days alone'
    )
    for names in ('["*(observed)"]', '["Christmas Day"]', '["Christmas Day", "Christmas Day (observed)"]'):
        assert remarks(f"{{country: US, subdivision: none, names: {names}}}") == []


@pytest.mark.parametrize(
    ("country", "name", "day", "other"),
    [
        ("AE", "Eid al-Fitr", 'Wed 2027-03-10 "Eid al-Fitr Holiday (estimated)"', "Eid al-Fitr Holiday"),
        ("BW", "Labour Day", 'Mon 2027-05-03 "Labour Day Holiday"', "Labour Day Holiday"),
        (
            "KR",
            "설날",
            'Sat 2027-02-06 "The day preceding Korean New Year"',
            "The day preceding Korean New Year",
        ),
    ],
)
def test_a_name_that_means_one_day_of_a_festival_is_told_of_the_others(
    country: str, name: str, day: str, other: str
) -> None:
    (remark,) = of(remarks(f"{{country: {country}, names: [{name}]}}"), "does not mean")
    assert remark == (
        f'when[0].holidays.names[0]: does not mean {day}; write "{name}*" for both, '
        f'or except_names: ["{other}"] if it is worked on'
    )


@pytest.mark.parametrize(
    "window",
    [
        '{country: AE, names: ["Eid al-Fitr*"]}',
        "{country: AE, names: [Eid al-Fitr], except_names: [Eid al-Fitr Holiday]}",
        "{country: BW, names: [Labour Day, Labour Day Holiday]}",
    ],
)
def test_who_says_what_the_others_are_is_told_nothing_of_them(window: str) -> None:
    assert of(remarks(window), "does not mean") == []


# Eves


@pytest.mark.parametrize(
    ("window", "key"),
    [
        ('{country: SE, categories: [de_facto], until: "08:00"}', "until"),
        ('{country: PT, categories: [optional], eve_from: "14:00"}', "eve_from"),
    ],
)
def test_an_eve_that_is_a_public_holiday_itself_is_told(window: str, key: str) -> None:
    (remark,) = of(remarks(window), "for a working day")
    assert remark == (
        f"when[0].holidays.{key}: takes Fri 2026-12-25 for a working day, a public holiday: only the days "
        "of categories are days off; add public, and say with names which days are meant"
    )
    with_public = window.replace("[", "[public, ")
    assert of(remarks(with_public), "for a working day") == []


def test_names_leave_the_other_days_of_the_calendar_days_off() -> None:
    assert remarks('{country: NL, names: [Tweede kerstdag], eve_from: "14:00", until: "08:00"}') == []


# What is not known yet


def test_data_that_end_soon_are_told_unless_the_next_year_is_written_out() -> None:
    (remark,) = remarks("{country: LK}")
    assert remark == (
        "when[0].holidays: the calendar ends with 2026: "
        "update freezegate, or write the days of 2027 under add, or as dates in another window"
    )
    assert remarks("{country: LK}", "{dates: {from: 2027-04-13, to: 2027-04-14}}") == []
    assert remarks("{country: LK}", now="2025-11-29T12:00:00Z") == []


@pytest.mark.parametrize(
    "window",
    [
        "{country: ES, subdivision: MD}",
        "{country: JP, categories: [public]}",
        "{market: XAMS, categories: [public]}",
        "{market: XBUE, categories: [public]}",
    ],
)
@pytest.mark.parametrize("now", [NOW, "2031-03-01T00:00:00Z"])
def test_years_long_past_or_far_off_are_not_told(window: str, now: str) -> None:
    assert remarks(window, now=now) == []


@pytest.mark.parametrize("country", ["CN", "HU"])
def test_a_decree_that_is_not_out_yet_is_told_in_the_quarter_before(country: str) -> None:
    window = f"{{country: {country}, categories: [public]}}"
    (remark,) = remarks(window)
    assert "and that of 2027 is not in the calendar: update freezegate, or write the days of 2027" in remark
    assert remarks(window, "{dates: {from: 2027-10-01, to: 2027-10-07}}") == []
    assert remarks(window, now="2026-06-01T00:00:00Z") == []
    assert len(remarks(window, now="2027-02-01T00:00:00Z")) == 1


def test_two_years_with_decrees_are_no_habit() -> None:
    assert of(remarks("{country: VN, categories: [public]}", now="2019-12-01T00:00:00Z"), "decree") == []
    assert len(of(remarks("{country: VN, categories: [public]}"), "decree")) == 1


def test_who_leaves_moved_days_out_is_told_nothing_of_decrees() -> None:
    assert remarks('{country: CN, categories: [public], except_names: ["Day off (*"]}') == []


def test_estimated_dates_are_told_unless_dates_stand_around_them() -> None:
    window = "{country: AE, names: [Eid al-Fitr], except_names: [Eid al-Fitr Holiday]}"
    (remark,) = remarks(window)
    assert 'estimated, for it follows the moon: Tue 2027-03-09 "Eid al-Fitr (estimated)"' in remark
    assert remarks(window, "{dates: {from: 2027-03-08, to: 2027-03-10}}") == []
    assert remarks("{country: AE, names: [National Day]}") == []


def test_every_estimated_date_of_the_next_twelve_months_is_listed() -> None:
    (remark,) = remarks("{country: AE}")
    assert re.findall(r"2027-\d\d-\d\d", remark) == [
        *("2027-03-09", "2027-03-10", "2027-03-11", "2027-05-15", "2027-05-16", "2027-05-17", "2027-05-18"),
        *("2027-06-06", "2027-08-14"),
    ]
    assert "more" not in remark


def dates_around(calendar: Calendar) -> list[dict[str, Any]]:
    """What an author writes beside a calendar whose coming days are not settled."""
    first = local_day(date(2026, 11, 29))
    unsettled = [
        day for day, held in days_of(calendar, first, first + 366) if any(h.is_estimated for h in held)
    ]
    around = [(calendar_date(day - 1), calendar_date(day + 1)) for day in unsettled]
    around.append((date(2027, 5, 3), date(2027, 5, 4)))
    return [{"dates": {"from": str(start), "to": str(end)}} for start, end in around]


def test_for_every_country_and_market_there_is_a_policy_of_which_strict_says_nothing() -> None:
    countries = set(holidays.list_supported_countries(include_aliases=False)) - NEVER_A_DAY_OFF
    markets = set(holidays.list_supported_financial(include_aliases=False))
    for code in sorted(countries | markets):
        kind = {"country": code, "subdivision": "none"} if code in countries else {"market": code}
        calendar = Calendar(kind.get("country"), None, ("public",), kind.get("market"))
        weekend = [WEEKDAYS[day] for day in year_of(calendar, 2026).weekend]
        keys = {**kind, "categories": ["public"], "weekend": weekend, "eve_from": "14:00", "until": "08:00"}
        window = {"holidays": keys}
        policy = {"id": "a", "title": "t", "reason": "r", "when": [window, *dates_around(calendar)]}
        (read,) = PolicySet.model_validate({"version": 1, "policies": [policy]}).policies
        assert of_policy(read) == [], code


# Where a missing day freezes more


@pytest.mark.parametrize(
    ("fields", "key", "told"),
    [
        ("", "when", True),
        ("effect: warn, ", "when", True),
        ("effect: allow-only, ", "when", False),
        ("when: [{always: true}], ", "except_when", False),
        ("effect: allow-only, when: [{always: true}], ", "except_when", True),
    ],
)
def test_only_where_the_window_freezes_are_missing_days_told(fields: str, key: str, told: bool) -> None:  # noqa: FBT001 - a parameter
    found = of(remarks("{country: AU}", fields=fields, key=key), "nationwide")
    assert bool(found) is told


# Together


def test_the_cases_and_the_shipped_files_are_clean() -> None:
    for file in sorted(set((ROOT / "tests/cases").glob("*.yaml")) - {ROOT / "tests/cases/own-days.yaml"}):
        for case in yaml.load(file.read_text(), yaml.BaseLoader):  # noqa: S506 - it makes nothing but text
            policies = [{"id": "a", "title": "t", "reason": "r", **policy} for policy in case["policies"]]
            for policy in policies:
                if "true" not in str(policy):
                    (read,) = PolicySet.model_validate({"version": 1, "policies": [policy]}).policies
                    assert of_policy(read, "2026-01-10T00:00:00Z") == [], case["name"]


def test_ten_thousand_policies_look_at_each_calendar_once() -> None:
    countries = ("NL", "US", "DE", "JP", "GB", "BR", "IN", "AU", "IT", "AE")
    policies = [
        {
            "id": f"p{number}",
            "title": "t",
            "reason": "r",
            "when": [{"holidays": {"country": countries[number % 10], "eve_from": f"{number % 24:02}:00"}}],
        }
        for number in range(10_000)
    ]
    found = PolicySet.model_validate({"version": 1, "policies": policies})
    for policy in found.policies[:10]:
        of_policy(policy)
    loaded = year_of.cache_info().misses
    assert sum(len(of_policy(policy)) for policy in found.policies) >= 10_000
    assert year_of.cache_info().misses == loaded
