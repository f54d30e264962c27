"""Exports mean the same as the policies: held against independent readings of the other programs' rules."""

import json
import random
from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

import pytest
import yaml
from icalendar import Calendar

from app.core.decision import Question
from app.core.errors import UnknownNameError
from app.core.instant import DAY, parse_instant
from app.policies.exporters.export import Exported, ExportOptions
from app.policies.exporters.formats import FORMATS
from app.policies.load import load
from app.policies.loaded import LoadedPolicies
from app.policies.source import Snapshot
from tests.policies.exporters.gitlab_reading import reading as gitlab_reading
from tests.policies.importers.argocd_reading import reading as argocd_reading
from tests.policies.importers.differential import LAST, Case, Intervals, regimes, union

NOW = parse_instant("2026-11-29T12:34:56Z")
INSTANTS = 10_000
HEAD = """version: 1
timezone: Europe/Amsterdam
environments: [production, staging]
services: {api: {tags: [tier-1], timezone: America/New_York}, web: {}}
policies:
"""
AMS, NYC = "Europe/Amsterdam", "America/New_York"


class Set(NamedTuple):
    """Policies, and what their export is held against."""

    policies: str
    dated: bool = True
    """Whether some windows hold for the exported days only."""
    service: str | None = None


def rule(when: str, more: str = "", own_id: str = "one") -> str:
    return f"  - {{id: {own_id}, title: T, reason: R, when: [{when}]{more and ', '}{more}}}\n"


HOURS = (
    '{daily: {days: [mon-thu], from: "09:00", to: "16:00"}}, '
    '{daily: {days: [fri], from: "09:00", to: "14:00"}}'
)
SETS = {
    "weekend": Set(rule("{weekly: {from: fri 14:00, to: mon 08:00}}"), dated=False),
    "working hours": Set(rule(HOURS, "effect: allow-only"), dated=False),
    "two sets of working hours": Set(
        rule(HOURS, "effect: allow-only")
        + rule('{daily: {from: "11:00", to: "23:00"}}', "effect: allow-only, timezone: Asia/Kolkata", "two"),
        dated=False,
    ),
    "nights that abut": Set(
        rule('{daily: {from: "22:00", to: "24:00"}}, {daily: {from: "00:00", to: "06:15"}}'), dated=False
    ),
    "Mondays": Set(rule('{daily: {days: [mon], from: "00:00", to: "24:00"}}'), dated=False),
    "hours but lunch": Set(
        rule('{daily: {from: "09:00", to: "17:00"}}', 'except_when: [{daily: {from: "12:00", to: "13:00"}}]'),
        dated=False,
    ),
    "year-end": Set(
        rule("{yearly: {from: 12-20 18:00, to: 01-03}}, {yearly: {from: 04-30, to: 05-05 12:00}}"),
        dated=False,
    ),
    "zone of the service": Set(
        rule("{weekly: {from: sat 00:00, to: mon 00:00}}", "timezone: service"), dated=False, service="api"
    ),
    "hours that clocks skip and repeat": Set(rule('{daily: {from: "01:30", to: "02:30"}}')),
    "leap days": Set(rule("{yearly: {from: 02-20, to: 02-28}}, {yearly: {from: 02-27 12:00, to: 03-02}}")),
    "holidays": Set(
        rule('{holidays: {country: NL, eve_from: "14:00", until: "08:00"}}')
        + rule("{holidays: {market: XNYS}}", f"timezone: {NYC}", "two")
    ),
    "sprints": Set(rule("{weekly: {from: thu 16:00, to: sat 00:00, every: 2, starting: 2027-01-08}}")),
    "cron": Set(
        rule('{cron: {start: "0 18 * * FRI", duration: 62h}}')
        + rule('{cron: {start: "0 12 1-7 * TUE", end: "30 23 * * *"}}', "", "two")
    ),
    "dates": Set(
        rule("{dates: {from: 2026-11-20, to: 2026-12-11}}, {dates: {from: 2027-03-28 02:30, to: 2028-05-01}}")
    ),
    "mixed": Set(
        rule("{weekly: {from: fri 14:00, to: mon 08:00}}, {dates: {from: 2027-10-30, to: 2027-11-02}}")
        + rule(HOURS + ", {dates: {from: 2027-01-16, to: 2027-01-16}}", "effect: allow-only", "two")
        + rule('{daily: {from: "00:00", to: "24:00"}}', "applies_to: {environments: [staging]}", "three")
    ),
    "always but": Set(
        rule("{always: true}", "except_when: [{weekly: {from: tue 10:00, to: thu 15:00}}]"), dated=False
    ),
}


@cache
def loaded(policies: str) -> LoadedPolicies:
    return load(Snapshot.of(HEAD + policies))


def export(target: str, policies: str, **options: Any) -> Exported:
    chosen = ExportOptions(NOW, options.pop("days", 364), options.pop("environment", "production"), **options)
    return FORMATS[target](loaded(policies), chosen)


def closed_by(target: str, text: str) -> Intervals:
    """When the other program stops deploys, by the independent reading of its rules."""
    if target == "gitlab":
        return gitlab_reading(json.loads(text))
    return union(argocd_reading(Case(text), ("api", "production"), None))


def covers(intervals: Intervals, at: int) -> bool:
    before = bisect_right(intervals, (at, 1 << 60)) - 1
    return before >= 0 and at < intervals[before][1]


def instants(edges: Sequence[int], first: int, last: int, seed: str) -> list[int]:
    """Half near edges and changes of clocks, a quarter in the weeks of those, the rest anywhere."""
    chance = random.Random(seed)
    clocks = [start for zone in (AMS, NYC) for start, _, _ in regimes(zone) if first < start < last]
    close = [edge for edge in edges if first < edge < last] or clocks
    found = [
        chance.choice(close) + chance.choice([-1, 0, 1, chance.randint(-7_200, 7_200)]) for _ in range(4_000)
    ]
    found += [chance.choice(clocks) + chance.randint(-4 * DAY, 4 * DAY) for _ in range(3_000)]
    found += [chance.choice(clocks) + chance.randint(-7_200, 7_200) for _ in range(1_000)]
    found += [chance.randrange(first, last) for _ in range(INSTANTS - len(found))]
    return [min(max(at, first), last - 1) for at in found]


@pytest.mark.parametrize("target", ["argocd", "gitlab"])
@pytest.mark.parametrize("name", SETS)
def test_an_export_freezes_when_the_policies_do(target: str, name: str) -> None:
    case = SETS[name]
    exported = export(target, case.policies, service=case.service, as_json=target == "gitlab")
    closed = closed_by(target, exported.text)
    # What recurs holds for good; windows with a date for the exported days.
    last = parse_instant("2027-11-27T00:00:00Z") if case.dated else LAST - 30 * DAY
    engine, question = loaded(case.policies).engine, Question(case.service or "any")
    edges = [edge for interval in closed for edge in interval]
    for at in instants(edges, NOW, last, f"{target} {name}"):
        assert covers(closed, at) == (not engine.decide(question, at).allowed), datetime.fromtimestamp(
            at, UTC
        )
    assert not any(remark.refused for remark in exported.remarks)


@pytest.mark.parametrize("target", ["argocd", "gitlab"])
@pytest.mark.parametrize("name", SETS)
def test_only_what_recurs_has_no_date_in_the_comment(target: str, name: str) -> None:
    case = SETS[name]
    text = export(target, case.policies, service=case.service).text
    assert ("# Windows with a date are complete until 2027-11-28T00:00:00Z" in text) == case.dated


def test_always_recurs_in_argo_cd_and_has_dates_in_gitlab() -> None:
    always = rule("{always: true}")
    argocd = export("argocd", always)
    (window,) = yaml.safe_load(argocd.text)["spec"]["syncWindows"]
    assert (window["schedule"], window["duration"]) == ("0 0 * * *", "48h")
    assert json.loads(export("gitlab", always, days=1, as_json=True).text) == [
        {"freeze_start": "34 12 29 11 *", "freeze_end": "0 0 30 11 *", "cron_timezone": "UTC"}
    ]


@pytest.mark.parametrize(
    "dates",
    [
        "{from: 2028-02-28, to: 2028-02-29 12:00}",
        "{from: 2028-02-20, to: 2028-02-28}",
        "{from: 2028-02-29 02:00, to: 2028-02-29 12:00}",
        "{from: 2028-02-29, to: 2028-03-02}",
    ],
)
@pytest.mark.parametrize("target", ["argocd", "gitlab"])
def test_a_freeze_around_a_leap_day_does_not_begin_a_year_before(target: str, dates: str) -> None:
    now = parse_instant("2027-12-01T00:00:00Z")
    policies = loaded(rule(f"{{dates: {dates}}}", "timezone: UTC"))
    text = FORMATS[target](policies, ExportOptions(now, 120, "production", as_json=target == "gitlab")).text
    closed = closed_by(target, text)
    for at in range(now, now + 118 * DAY, 3_600):
        is_frozen = not policies.engine.decide(Question("any"), at + 1).allowed
        assert covers(closed, at + 1) is is_frozen, datetime.fromtimestamp(at, UTC)


def test_seconds_are_rounded_outwards() -> None:
    night = rule('{daily: {from: "23:00:30", to: "23:10:10"}}')
    window = yaml.safe_load(export("argocd", night, days=2).text)["spec"]["syncWindows"][0]
    assert (window["schedule"], window["duration"], window["timeZone"]) == ("0 22 29 11 *", "11m", "UTC")


def remarks(target: str, policies: str, **options: Any) -> list[str]:
    return [
        f"{'refused ' if each.refused else ''}{each.policy}: {each.sentence}"
        for each in export(target, policies, **options).remarks
    ]


def test_what_the_other_program_cannot_say_is_named() -> None:
    week = "{weekly: {from: fri 14:00, to: mon 08:00}}"
    policies = (
        rule(week, "exempt: {changes: [rollback]}", "exempting")
        + rule(week, "effect: warn", "warning")
        + rule(week, "applies_to: {changes: [rollback, hotfix]}", "by-change")
        + rule(week, "applies_to: {tags: [tier-1]}", "tagged")
        + rule(week, "applies_to: {environments: [staging]}", "elsewhere")
    )
    assert remarks("argocd", policies) == [
        "exempting: Argo CD also stops rollback, which the policy leaves alone",
        "warning: left out: it only warns, and Argo CD can't warn",
        "refused by-change: it freezes only hotfix, rollback, and Argo CD knows no kinds of change",
        "tagged: left out: it is about some services; export each of them with --service",
    ]
    assert not any("tagged" in each for each in remarks("gitlab", policies, service="api"))
    assert "# by-change: it freezes only hotfix, rollback" in export("gitlab", policies).text
    minutes = rule('{cron: {start: "*/5 * * * *", duration: 1m}}')
    (refused,) = remarks("gitlab", minutes, days=5)
    assert refused.startswith("refused one: it takes")


def test_policies_in_the_zones_of_services_are_named_unless_for_one_service() -> None:
    policies = SETS["zone of the service"].policies
    sentence = "one: read in Europe/Amsterdam; services with a time zone of their own follow that one"
    for target in ("argocd", "gitlab"):
        (remark,) = remarks(target, policies)
        assert remark == f"{sentence}: export each of them with --service"
        assert f"# {sentence}" in export(target, policies).text
        assert remarks(target, policies, service="api") == []
    assert remarks("argocd", SETS["weekend"].policies) == []


@pytest.mark.parametrize("target", ["argocd", "gitlab", "ics"])
def test_an_unknown_environment_or_service_is_refused(target: str) -> None:
    week = SETS["weekend"].policies
    with pytest.raises(UnknownNameError):
        export(target, week, environment="live")
    refusing = load(Snapshot.of(HEAD.replace("policies:", "unknown_services: refuse\npolicies:") + week))
    with pytest.raises(UnknownNameError):
        FORMATS[target](refusing, ExportOptions(NOW, 90, "production", "nobody"))


@pytest.mark.parametrize("target", ["argocd", "gitlab"])
def test_titles_stay_in_their_comments(target: str) -> None:
    title = rule("{always: true}").replace("title: T", 'title: "T\\u202e- kind: allow #"')
    text = export(target, title, days=1).text
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert "\n- kind: allow" not in text


def test_applications_are_quoted() -> None:
    text = export("argocd", SETS["weekend"].policies, applications=("shop-*", 'a"b: c')).text
    (window,) = yaml.safe_load(text)["spec"]["syncWindows"]
    assert window["applications"] == ["shop-*", 'a"b: c']


def test_without_freezes_the_export_is_empty_and_valid() -> None:
    past = rule("{dates: {from: 2026-01-01, to: 2026-01-02}}")
    assert yaml.safe_load(export("argocd", past).text) == {"spec": {"syncWindows": []}}
    assert json.loads(export("gitlab", past, as_json=True).text) == []


def test_a_calendar_has_the_freezes_of_the_days() -> None:
    policies = SETS["weekend"].policies + rule("{dates: {from: 2026-12-01, to: 2027-12-01}}", "", "long")
    text = export("ics", policies, days=14).text
    events = Calendar.from_ical(text).walk("VEVENT")
    assert [str(each["x-freezegate-rule"]) for each in events] == ["one", "long", "one", "one"]
    assert events[0].decoded("dtstart") == datetime(2026, 11, 27, 13, tzinfo=UTC)


def test_json_has_the_resolved_set() -> None:
    text = HEAD.replace("policies:", 'defaults: {contact: "#ops"}\npolicies:') + rule(
        HOURS, "effect: allow-only, timezone: service, override: {max_ttl: 1h}, notify_before: [1h]"
    )
    exported = FORMATS["json"](load(Snapshot.of(text)), ExportOptions(NOW, 2, "production"))
    body = json.loads(exported.text)
    (policy,) = body["policies"]
    assert (body["from"], body["until"]) == ("2026-11-29T12:34:56Z", "2026-12-01T00:00:00Z")
    assert body["services"]["web"] == {"tags": [], "timezone": AMS}
    assert (policy["contact"], policy["override"], policy["notify_before_s"]) == (
        "#ops",
        {"max_ttl": 3600},
        [3600],
    )
    assert policy["running"] == "finish"
    assert policy["windows"]["when"][0] == {
        "kind": "daily",
        "in_words": "every Mon, Tue, Wed and Thu from 09:00 to 16:00",
    }
    assert [line["timezone"] for line in policy["freezes"]] == [NYC, AMS]
    assert policy["freezes"][1]["intervals"] == [
        {"from": "2026-11-27T13:00:00Z", "until": "2026-11-30T08:00:00Z"},
        {"from": "2026-11-30T15:00:00Z", "until": "2026-12-01T08:00:00Z"},
    ]
