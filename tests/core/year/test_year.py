"""A year, held against the slow twin, the engine and the calendar: every minute of it, and every day."""

import os
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from app.core.decision import Question
from app.core.engine import Engine
from app.core.errors import MalformedValueError
from app.core.freeze import Freeze
from app.core.instant import parse_instant
from app.core.policy import PolicySet, Selector
from app.core.rule_style import rule_styles
from app.core.wallclock import local_day, zone
from app.core.year import (
    MOST_PERIODS,
    MOST_RULES,
    TooOftenError,
    Year,
    YearDay,
    YearRequest,
    build_year,
    holidays_of,
    rules_of,
    year_span,
)
from app.core.year.representation import year_from_json, year_to_json
from app.core.year.words import day_in_words, period_in_words, shown_parts
from tests.spec import twin
from tests.spec.generate import case

SEEDS = max(8, int(os.environ.get("FREEZEGATE_CASES", "0")) // 1000)
AT_A_YEAR_END = (59, 63, 75, 177)
"""Seeds of cases whose two days are of two years."""

AMSTERDAM = "Europe/Amsterdam"


def policy(own_id: str, *when: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": own_id, "title": f"{own_id}.", "reason": "r", "when": list(when), **more}


FRIDAY = policy("friday", {"weekly": {"from": "fri 14:00", "to": "mon 08:00"}})
ALWAYS = policy("closed", {"always": True})


def policy_set(policies: Iterable[dict[str, Any]], where: str = AMSTERDAM, **more: Any) -> PolicySet:
    data = {"version": 1, "timezone": where, "policies": list(policies), **more}
    return PolicySet.model_validate(data)


def made(
    found: PolicySet, request: YearRequest, freezes: Iterable[Freeze] = (), where: str | None = None
) -> Year:
    engine = Engine(found).with_freezes(list(freezes))
    there = zone(where) if where else found.home
    scope = (
        engine.scope(request.service, request.environment, request.change)
        if request.service
        else engine.environment(request.environment, request.change)
    )
    styles = rule_styles(found.policies, engine.freezes, 0)
    rules = rules_of(scope.vetoers, year_span(request.year, there), styles)
    return build_year(request, there, rules, holidays_of(found, request.year))


def year_of(number: int, *policies: dict[str, Any], where: str = AMSTERDAM, **more: Any) -> Year:
    return made(policy_set(policies, where, **more), YearRequest(number, "production"))


def on(shown: Year, text: str) -> YearDay:
    wanted = date.fromisoformat(text)
    return next(day for day in shown.days if day.date == wanted)


def minutes_of(shown: Year, start: int, end: int, step: int = 60) -> dict[int, tuple[date, list[str]]]:
    """The day and the rules that each minute has in a year; instants of other years have none."""
    found: dict[int, tuple[date, list[str]]] = {}
    for day in shown.days:
        for first, last in day.pieces:
            for at in range(max(start, first + (start - first) % step), min(last, end), step):
                found[at] = (day.date, [])
        for part in day.parts:
            for at in range(max(start, part.start + (start - part.start) % step), min(part.end, end), step):
                found[at][1].append(shown.rules[part.rule].id)
    return found


@pytest.mark.parametrize("seed", [*range(SEEDS), *AT_A_YEAR_END])
def test_every_minute_of_days_of_clock_changes_and_year_ends_is_as_the_twin_says(seed: int) -> None:
    one = case(9_000_000 + seed, 1)
    question = one.questions[0]
    found = PolicySet.model_validate(one.policy_set)
    where = twin.zone(found.timezone)
    centre = sum(one.near) // 2
    start, end = centre - 86_400, centre + 86_400
    years = {twin.shown(at, where).year for at in (start, end)}
    assert len(years) == 2 or seed not in AT_A_YEAR_END
    minutes: dict[int, tuple[date, list[str]]] = {}
    for number in years:
        request = YearRequest(number, question.environment, question.service, question.change)
        minutes |= minutes_of(made(found, request), start, end)
    slow = twin.Twin(one.policy_set, question._asdict(), (start - 7 * 86_400, end + 7 * 86_400), {})
    for at in range(start, end, 60):
        day, ids = minutes[at]
        assert day == twin.shown(at, where).date(), at
        assert ids == [rule.id for rule in slow.vetoers if rule.holds(at)], at


@pytest.mark.parametrize(
    ("number", "where", "step"),
    [
        (2027, AMSTERDAM, 60),
        (2011, "Pacific/Apia", 660),
        (2010, "America/St_Johns", 660),
        (2028, "Australia/Lord_Howe", 660),
    ],
)
def test_every_minute_of_a_year_is_as_the_engine_decides(number: int, where: str, step: int) -> None:
    found = policy_set(
        [
            FRIDAY,
            policy("nights", {"daily": {"from": "23:30", "to": "02:30"}}),
            policy("hours", {"daily": {"from": "09:00", "to": "17:00"}}, effect="allow-only"),
            policy("year-end", {"yearly": {"from": "12-20 18:00", "to": "01-03"}}, effect="warn"),
            policy("trades", {"cron": {"start": "0 */5 * * *", "duration": "45m"}}, timezone="Asia/Kolkata"),
        ],
        where,
    )
    engine = Engine(found)
    shown = made(found, YearRequest(number, "production"))
    start, end = year_span(number, shown.zone)
    minutes = minutes_of(shown, start, end, step)
    assert len(minutes) == -(-(end - start) // step)
    clocks = twin.zone(where)
    scope = engine.environment("production")
    for at in range(start, end, step):
        day, ids = minutes[at]
        assert ids == [stretch.rule.id for stretch in scope.segment(at).blocking], at
        if at % 1800 == 0:
            assert day == twin.shown(at, clocks).date(), at
    assert engine.decide(Question("api"), start).blocking == scope.segment(start).blocking


@pytest.mark.parametrize("number", range(2000, 2101, 4))
@pytest.mark.parametrize("where", [AMSTERDAM, "America/Los_Angeles", "Pacific/Kiritimati"])
def test_a_year_has_each_day_once_and_its_days_cover_it(number: int, where: str) -> None:
    shown = year_of(number, ALWAYS, where=where)
    assert [day.date for day in shown.days] == [
        date(number, 1, 1) + timedelta(each) for each in range(len(shown.days))
    ]
    assert len(shown.days) == (366 if number != 2100 else 365)
    start, end = year_span(number, shown.zone)
    pieces = [piece for day in shown.days for piece in day.pieces]
    assert (pieces[0][0], pieces[-1][1]) == (start, end)
    assert all(first[1] == second[0] for first, second in pairwise(pieces))
    assert shown.seconds == end - start == sum(day.frozen for day in shown.days)


def test_days_of_clock_changes_are_23_and_25_hours_long_and_half_an_hour_off_where_clocks_move_by_it() -> (
    None
):
    shown = year_of(2027, FRIDAY, ALWAYS)
    assert (on(shown, "2027-03-28").seconds, on(shown, "2027-10-31").seconds) == (23 * 3600, 25 * 3600)
    assert on(shown, "2027-03-28").frozen == 23 * 3600
    howe = year_of(2027, ALWAYS, where="Australia/Lord_Howe")
    assert {day.seconds for day in howe.days} == {86_400, 86_400 - 1800, 86_400 + 1800}


def test_a_day_that_a_zone_skips_has_no_length_and_says_so() -> None:
    shown = year_of(2011, ALWAYS, where="Pacific/Apia")
    skipped = on(shown, "2011-12-30")
    assert (skipped.pieces, skipped.seconds, skipped.parts, skipped.frozen) == ((), 0, (), 0)
    assert day_in_words(shown, skipped) == "Fri 30 Dec 2011: skipped in Pacific/Apia"
    assert on(shown, "2011-12-29").frozen == on(shown, "2011-12-31").frozen == 86_400


def test_a_day_set_back_across_midnight_comes_in_two_pieces() -> None:
    # At 00:01 on Sunday 7 November 2010, clocks in Newfoundland went back to 23:01 on Saturday.
    shown = year_of(2010, ALWAYS, where="America/St_Johns")
    saturday, sunday = on(shown, "2010-11-06"), on(shown, "2010-11-07")
    assert (len(saturday.pieces), len(sunday.pieces)) == (2, 2)
    assert (saturday.seconds, sunday.seconds) == (86_400 + 59 * 60, 86_400 + 60)
    assert shown_parts(sunday, shown.zone) == [(0, 0, 60), (0, 0, 86_400)]


def test_a_part_says_when_and_by_which_rule_on_the_wall_clock() -> None:
    shown = year_of(2026, FRIDAY, policy("lunch", {"daily": {"from": "12:00", "to": "12:30"}}))
    friday = on(shown, "2026-11-27")
    assert shown_parts(friday, shown.zone) == [(0, 14 * 3600, 86_400), (1, 12 * 3600, 12 * 3600 + 1800)]
    assert friday.frozen == 10 * 3600 + 1800
    assert day_in_words(shown, friday) == (
        "Fri 27 Nov 2026: frozen 10 h 30 min: 14:00 to 24:00 friday; 12:00 to 12:30 lunch"
    )
    weekend = next(period for period in shown.rules[0].periods if period[0] == friday.parts[0].start)
    assert period_in_words(weekend, shown.zone) == "Fri 27 Nov 14:00 to Mon 30 Nov 08:00"
    assert day_in_words(shown, on(shown, "2026-11-28")) == (
        "Sat 28 Nov 2026: frozen all day: 00:00 to 24:00 friday; 12:00 to 12:30 lunch"
    )


def test_an_hour_that_is_shown_twice_is_frozen_if_either_pass_is_and_a_skipped_one_with_its_neighbours() -> (
    None
):
    again = year_of(2026, policy("night", {"daily": {"from": "01:00", "to": "05:00"}}))
    assert shown_parts(on(again, "2026-10-25"), again.zone) == [(0, 3600, 5 * 3600)]
    assert shown_parts(on(again, "2026-03-29"), again.zone) == [(0, 3600, 5 * 3600)]


def test_another_zone_shifts_the_days_and_not_the_freezes() -> None:
    found = policy_set([FRIDAY])
    request = YearRequest(2027, "production")
    here, there = made(found, request), made(found, request, where="Asia/Tokyo")
    assert shown_parts(on(there, "2027-07-02"), there.zone) == [(0, 21 * 3600, 86_400)]
    inner = [period for period in here.rules[0].periods if period in there.rules[0].periods]
    assert len(inner) >= 51


def test_a_service_has_its_own_rules_and_its_own_zone() -> None:
    shown = made(
        policy_set(
            [policy("evening", {"daily": {"from": "18:00", "to": "20:00"}}, timezone="service")],
            services={"shop": {"timezone": "America/New_York"}},
        ),
        YearRequest(2027, "production", "shop"),
    )
    assert shown_parts(on(shown, "2027-07-01"), shown.zone) == [(0, 0, 2 * 3600)]


def test_freezes_come_first_and_are_cut_to_the_year() -> None:
    incident = Freeze(
        "frz_1", "Incident", "r", None, None, Selector.model_validate({}), "token",
        parse_instant("2026-12-31T12:00:00Z"), None, "ada", 0,
    )  # fmt: skip
    shown = made(policy_set([FRIDAY]), YearRequest(2026, "production"), [incident])
    assert [(rule.id, rule.kind) for rule in shown.rules] == [("frz_1", "freeze"), ("friday", "policy")]
    assert shown.rules[0].periods == (
        (parse_instant("2026-12-31T12:00:00Z"), parse_instant("2026-12-31T23:00:00Z")),
    )
    before = made(policy_set([FRIDAY]), YearRequest(2025, "production"), [incident])
    assert [rule.id for rule in before.rules] == ["friday"]


def test_holidays_are_named_once_with_their_calendars_also_those_taken_out_and_added() -> None:
    window = {"holidays": {"country": "NL", "except_names": ["Goede Vrijdag"], "eve_from": "14:00"}}
    own = {
        "holidays": {
            "country": "BE",
            "names": ["*"],
            "add": [{"date": "2027-06-11", "title": "Company day"}],
        }
    }
    shown = year_of(2027, policy("nl", window), policy("be", own), {**FRIDAY, "except_when": [window]})
    names = {
        day.date.isoformat(): {each.name: each.calendars for each in day.holidays}
        for day in shown.days
        if day.holidays
    }
    assert names["2027-01-01"] == {"Nieuwjaarsdag": ("NL",), "Nieuwjaar": ("BE",)}
    assert names["2027-06-11"] == {"Company day": ()}
    assert "2027-03-26" not in names
    assert names["2027-12-25"]["Eerste kerstdag"] == ("NL",)
    assert on(shown, "2027-01-01").holidays[0].english_name == "New Year's Day"
    assert day_in_words(shown, on(shown, "2027-06-11")).endswith(". Holiday: Company day")
    merged = year_of(
        2027,
        policy("gb", {"holidays": {"country": "GB"}}),
        policy("us", {"holidays": {"country": "US", "subdivision": "MA"}}),
    )
    assert on(merged, "2027-12-25").holidays[0].calendars == ("GB", "US-MA")


def test_rules_after_the_first_are_told_as_one_and_every_second_of_theirs_counts() -> None:
    found = policy_set(
        policy(f"p{number}", {"dates": {"from": f"2027-01-01 00:{number % 60:02}", "to": "2027-01-02"}})
        for number in range(MOST_RULES + 3)
    )
    shown = made(found, YearRequest(2027, "production"))
    assert len(shown.rules) == MOST_RULES + 1
    others = shown.rules[-1]
    assert (others.id, others.kind, others.title) == ("", "others", "3 other policies")
    assert others.seconds == 2 * 86_400 - 4 * 60
    told = day_in_words(shown, on(shown, "2027-01-01"))
    assert told.endswith("; 59 more")


def test_what_freezes_too_often_is_refused_before_it_is_all_computed() -> None:
    every_minute = policy("jobs", {"cron": {"start": "* * * * *", "duration": "30s"}})
    with pytest.raises(TooOftenError, match="up to jobs freeze more than 20,000 times a year"):
        year_of(2027, FRIDAY, every_minute)
    hourly = policy("hourly", {"cron": {"start": "0 * * * *", "duration": "30m"}})
    assert len(year_of(2027, hourly).rules[0].periods) == 8760
    with pytest.raises(TooOftenError):
        year_of(2027, *({**hourly, "id": f"h{number}"} for number in range(3)))
    assert MOST_PERIODS == 20_000
    often = policy("often", {"cron": {"start": "*/30 * * * *", "duration": "5m"}})
    assert len(year_of(2027, often).rules[0].periods) == 17_520


def test_rules_told_as_one_that_freeze_too_often_together_are_refused() -> None:
    few = [policy(f"p{number}", {"yearly": {"from": "05-05", "to": "05-05"}}) for number in range(MOST_RULES)]
    many = [
        policy(f"m{number}", {"cron": {"start": f"{number} * * * *", "duration": "1m"}})
        for number in range(0, 60, 4)
    ]
    with pytest.raises(TooOftenError):
        year_of(2027, *few, *many)
    with pytest.raises(TooOftenError, match="3 others"):
        year_of(2027, *few, *many[:3])
    # Fifteen that open at the same minutes are one.
    alike = [{**many[0], "id": f"a{number}"} for number in range(15)]
    assert len(year_of(2027, *few, *alike).rules[-1].periods) == 8760


def test_many_rules_that_overlap_are_few_freezes_however_many_they_are() -> None:
    few = [policy(f"p{number}", {"yearly": {"from": "05-05", "to": "05-05"}}) for number in range(MOST_RULES)]
    days = [policy(f"d{number}", {"daily": {"from": "00:00", "to": "20:00"}}) for number in range(230)]
    others = year_of(2027, *few, *days).rules[-1]
    assert (others.title, len(others.periods)) == ("230 other policies", 365)


def test_a_year_comes_back_from_its_json_as_it_was() -> None:
    window = {"holidays": {"country": "NL", "eve_from": "14:00"}}
    shown = year_of(2027, FRIDAY, policy("nl", window))
    assert year_from_json(year_to_json(shown)) == shown
    many = [policy(f"p{number}", {"yearly": {"from": "05-05", "to": "05-05"}}) for number in range(70)]
    other = made(policy_set(many, services={"api": {}}), YearRequest(2028, "production", "api", "hotfix"))
    assert year_from_json(year_to_json(other)) == other
    days = year_to_json(shown)["days"]
    assert (days[0]["week"], days[3]["week"], len(days)) == ("2026-W53", "2027-W01", 365)
    assert sum(day["frozen_s"] for day in days) == year_to_json(shown)["frozen_s"]


@pytest.mark.parametrize(
    "change",
    [
        {"year": "soon"},
        {"year": 1999},
        {"service": 1},
        {"timezone": "Mars/Base"},
        {"timezone": None},
        {"rules": [{}]},
        {"rules": 1},
        {"days": [{"holidays": [{}]}]},
        {"days": [{"holidays": [{}], "date": "2027-02-30"}]},
        {"rules": [{"colour": '"><script>', "hatching": "hatching-0"}]},
    ],
)
def test_what_is_no_year_is_refused(change: dict[str, Any]) -> None:
    body = year_to_json(year_of(2027, FRIDAY))
    with pytest.raises(MalformedValueError):
        year_from_json({**body, **change})


def test_iso_weeks_are_those_of_the_calendar() -> None:
    for number in (2020, 2021, 2026, 2027, 2032):
        for day in year_to_json(year_of(number))["days"]:
            when = datetime.fromisoformat(day["date"])
            assert day["week"] == f"{when:%G-W%V}"
    assert local_day(date(2027, 1, 1)) == year_of(2027).days[0].number
