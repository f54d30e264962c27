"""Projections freeze when ``/schedule`` says so: held against independent readings of the targets' rules."""

import json
import random
from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

import pytest

from app.core.decision import Question
from app.core.errors import MalformedValueError, UnknownNameError
from app.core.freeze import Freeze
from app.core.instant import DAY, HOUR, format_instant, parse_instant
from app.core.interval import Period
from app.core.policy import Selector
from app.gate.in_force import InForce, with_freezes
from app.gate.schedule import schedule
from app.policies.exporters.export import Remark
from app.policies.load import load
from app.policies.projections.bounded import MOST_EXPLICIT
from app.policies.projections.projection import (
    Projected,
    ProjectionOptions,
    ProjectionScope,
    differences,
    merged,
)
from app.policies.projections.targets import TARGETS
from app.policies.source import Snapshot
from tests.policies.exporters.gitlab_reading import reading as gitlab_reading
from tests.policies.importers.argocd_reading import reading as argocd_reading
from tests.policies.importers.differential import Case, regimes, union
from tests.policies.importers.octopus_reading import Asked
from tests.policies.importers.octopus_reading import closed as octopus_reading

NOW = parse_instant("2026-11-29T12:34:56Z")
WINDOWED = [target for target in TARGETS if target != "kubernetes"]
"""The targets with a window for each freeze; a ConfigMap holds all frozen time, and the state of now."""

INSTANTS = 10_000
AMS, NYC = "Europe/Amsterdam", "America/New_York"
HEAD = """version: 1
timezone: Europe/Amsterdam
environments: [production, staging]
services: {api: {tags: [tier-1], timezone: America/New_York}, web: {}}
policies:
"""
HOURS = '{daily: {days: [mon-thu], from: "09:00", to: "16:00"}}'
WEEKEND = "{weekly: {from: fri 14:00, to: mon 08:00}}"


class Set(NamedTuple):
    """Policies and ad-hoc freezes that a projection is held against."""

    policies: str
    freezes: Sequence[Freeze] = ()
    service: str | None = None


def rule(when: str, more: str = "", own_id: str = "one") -> str:
    return f"  - {{id: {own_id}, title: T, reason: R, when: [{when}]{more and ', '}{more}}}\n"


def freeze(starts_at: int, ends_at: int | None, **keys: Any) -> Freeze:
    fields: dict[str, Any] = {
        "id": f"frz_{starts_at}",
        "title": "Database is down",
        "reason": "R",
        "contact": None,
        "link": None,
        "selector": Selector.model_validate({}),
        "override": "token",
        "started_by": "ada",
        "created_at": starts_at,
    }
    return Freeze(**{**fields, "starts_at": starts_at, "ends_at": ends_at, **keys})


MIDNIGHT = NOW - NOW % DAY
SETS = {
    "weekend": Set(rule(WEEKEND)),
    "working hours": Set(rule(HOURS, "effect: allow-only")),
    "working hours of a service": Set(
        rule(HOURS, "effect: allow-only, timezone: service, applies_to: {tags: [tier-1]}"), (), "api"
    ),
    "year-end": Set(rule("{yearly: {from: 12-20 18:00, to: 01-03}}")),
    "hours that clocks skip and repeat": Set(rule("{weekly: {from: sun 01:30, to: sun 02:30}}")),
    "cron": Set(rule('{cron: {start: "0 18 * * FRI", duration: 62h}}')),
    "holidays": Set(rule('{holidays: {country: NL, eve_from: "14:00", until: "08:00"}}')),
    "dates around a change of the clocks": Set(
        rule("{dates: {from: 2027-03-28 02:30, to: 2027-03-29}}, {dates: {from: 2026-11-01, to: 2026-12-04}}")
    ),
    "a freeze for hours": Set(rule(WEEKEND), [freeze(NOW - 60, MIDNIGHT + 20 * HOUR)]),
    "an open-ended freeze": Set(rule(WEEKEND), [freeze(NOW - NOW % 60 - 40 * DAY, None)]),
    "freezes to come, lifted and of staging": Set(
        rule(HOURS, "effect: allow-only"),
        [
            freeze(MIDNIGHT + 3 * DAY, MIDNIGHT + 5 * DAY),
            freeze(MIDNIGHT - 9 * DAY, None, lifted_at=MIDNIGHT - 3 * DAY),
            freeze(MIDNIGHT - 8 * DAY, None, selector=Selector.model_validate({"environments": ["staging"]})),
            freeze(MIDNIGHT - 7 * DAY, None, selector=Selector.model_validate({"services": ["web"]})),
        ],
        "api",
    ),
    "mixed": Set(
        rule(f"{WEEKEND}, {{dates: {{from: 2027-10-30, to: 2027-11-02}}}}")
        + rule(HOURS, "effect: allow-only", "two")
        + rule('{daily: {from: "00:00", to: "24:00"}}', "applies_to: {environments: [staging]}", "three"),
        [freeze(MIDNIGHT + 26 * HOUR, MIDNIGHT + 40 * HOUR)],
    ),
}
NAMES = {"projects": ["Projects-1"], "environments": ["Environments-1", "Environments-2"]}


@cache
def loaded(policies: str) -> InForce:
    snapshot = Snapshot.of(HEAD + policies)
    return InForce(load(snapshot).engine, snapshot, NOW, ())


def in_force(case: Set) -> InForce:
    return with_freezes(loaded(case.policies), case.freezes, 1)


def projected(target: str, case: Set, days: int = 360, **options: Any) -> Projected:
    scope = ProjectionScope("production", case.service, NAMES)
    chosen = ProjectionOptions(NOW, days, options.pop("scopes", [scope]), **options)
    return TARGETS[target].project(in_force(case).engine, chosen)


def closed_by(target: str, body: Any) -> list[tuple[int, int]]:
    """When a target stops deploys, by the independent reading of its rules."""
    if target == "argocd":
        return union(argocd_reading(Case(json.dumps(body)), ("api", "production"), None))
    if target == "gitlab":
        return gitlab_reading(body)
    if target == "kubernetes":
        lines = body["data"]["horizon.normal"].splitlines()
        return union([(int(start), int(end)) for start, end, *_ in map(str.split, lines)])
    return octopus_reading(json.dumps(body), Asked("Projects-1", "Environments-2"))


def frozen_by(case: Set, until: int) -> list[tuple[int, int]]:
    """When ``/schedule`` says that deploys are refused."""
    question = Question(case.service or "")
    body = schedule(in_force(case), question, Period(NOW, until))
    return union(
        (parse_instant(each["from"]), parse_instant(each["to"]))
        for each in body["segments"]
        if not each["allowed"]
    )


def covers(intervals: Sequence[tuple[int, int]], at: int) -> bool:
    before = bisect_right(intervals, (at, 1 << 60)) - 1
    return before >= 0 and at < intervals[before][1]


def instants(edges: Sequence[int], until: int, seed: str) -> list[int]:
    """Near edges and changes of clocks, in the weeks of those, and anywhere."""
    chance = random.Random(seed)
    clocks = [start for zone in (AMS, NYC) for start, _, _ in regimes(zone) if NOW < start < until]
    close = [edge for edge in edges if NOW < edge < until] or [NOW, until]
    found = [
        chance.choice(close) + chance.choice([-1, 0, 1, chance.randint(-7200, 7200)]) for _ in range(5000)
    ]
    if clocks:
        found += [chance.choice(clocks) + chance.randint(-4 * DAY, 4 * DAY) for _ in range(3000)]
    found += [chance.randrange(NOW, until) for _ in range(INSTANTS - len(found))]
    return [min(max(at, NOW), until - 1) for at in found]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", SETS)
def test_a_projection_freezes_when_the_schedule_does(target: str, name: str) -> None:
    case = SETS[name]
    found = projected(target, case)
    until = found.until or MIDNIGHT + 360 * DAY
    closed, frozen = closed_by(target, TARGETS[target].body(found)), frozen_by(case, until)
    edges = [edge for interval in (*closed, *frozen) for edge in interval]
    for at in instants(edges, until, f"{target} {name}"):
        assert covers(closed, at) == covers(frozen, at), datetime.fromtimestamp(at, UTC)
    assert not found.refused


@pytest.mark.parametrize("target", WINDOWED)
def test_a_projection_stays_the_same_all_day(target: str) -> None:
    for case in SETS.values():
        engine = in_force(case).engine
        scope = ProjectionScope("production", case.service, NAMES)
        late, later = (
            TARGETS[target].project(engine, ProjectionOptions(at, 90, [scope]))
            for at in (MIDNIGHT + 20 * HOUR, MIDNIGHT + DAY - 1)
        )
        assert late == later


def test_a_long_freeze_of_octopus_stays_the_same_for_days() -> None:
    case = Set(rule("{dates: {from: 2026-11-01, to: 2026-12-24}}"))
    [window] = projected("octopus", case).windows
    assert (window["Start"], window["End"]) == ("2026-10-31T23:00:00Z", "2026-12-24T23:00:00Z")
    assert window["Name"] == "freezegate: T (one) 2026-10-31"


def noise(target: str, body: Any) -> Any:
    """What an API returns for a body that it took: more keys, other orders and forms."""
    if target == "argocd":
        windows = [each | {"manualSync": False, "namespaces": []} for each in body["spec"]["syncWindows"]]
        return {"spec": {"syncWindows": windows}}
    if target == "gitlab":
        return [each | {"id": 7, "created_at": "2026-11-01T00:00:00Z"} for each in body]
    if target == "kubernetes":
        return body | {"metadata": body["metadata"] | {"uid": "1", "namespace": "freezegate"}}
    more = {
        "Id": "DeploymentFreezes-1",
        "RecurringSchedule": None,
        "ProjectEnvironmentScope": {"Projects-1": ["Environments-2", "Environments-1"]},
    }
    freezes = [each | more | {"Start": each["Start"].replace("Z", ".000+00:00")} for each in body]
    return {"DeploymentFreezes": freezes}


@pytest.mark.parametrize("target", TARGETS)
def test_what_an_api_returns_is_read_as_what_was_written(target: str) -> None:
    entry, found = TARGETS[target], projected(target, SETS["mixed"])
    live = entry.live(noise(target, entry.body(found)), "freezegate")
    assert not differences(found.windows, live)
    less = differences(found.windows, live[1:])
    assert (list(less.missing), list(less.surplus)) == ([live[0]], [])


def test_windows_of_people_and_of_other_gates_are_not_ours() -> None:
    windows = [{"kind": "deny", "description": text} for text in ("mine", "other: T (one)", "freezegate: T")]
    found = TARGETS["argocd"].live({"spec": {"syncWindows": [*windows, {"kind": "allow"}]}}, "freezegate")
    assert [each["description"] for each in found] == ["freezegate: T"]
    freezes = [{"Name": "Xmas", "Start": None}, {"Name": "freezegate: T", "Start": "soon", "End": None}]
    assert TARGETS["octopus"].live(freezes, "freezegate") == [
        {"Name": "freezegate: T", "Start": "soon", "End": "None", "ProjectEnvironmentScope": {}}
    ]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("body", [{}, {"spec": {"syncWindows": 3}}, [3], {"DeploymentFreezes": {}}, "x"])
def test_an_answer_of_something_else_is_refused(target: str, body: Any) -> None:
    if target == "octopus" and body == [3]:
        assert TARGETS[target].live(body, "freezegate") == []
    elif target == "argocd" and body == {}:
        with pytest.raises(MalformedValueError):
            TARGETS[target].live(body, "freezegate")
    else:
        with pytest.raises(MalformedValueError):
            TARGETS[target].live(body, "freezegate")


def test_argo_windows_name_their_applications_and_may_let_syncs_finish() -> None:
    policies = rule(WEEKEND) + rule(HOURS, "running: stop", "two")
    scopes = [
        ProjectionScope("production", "api", {"applications": ["api-*"], "clusters": ["live"]}),
        ProjectionScope("production", "web", {"applications": ["web-*"]}),
    ]
    found = projected("argocd", Set(policies), scopes=scopes, overrun=True, owner="gate-2")
    assert [each.get("applications") for each in found.windows] == [["api-*"]] * 2 + [["web-*"]] * 2
    assert [each.get("andOperator") for each in found.windows] == [True, True, None, None]
    assert [each.get("syncOverrun") for each in found.windows] == [True, None] * 2
    assert {each["description"] for each in found.windows} == {"gate-2: T (one)", "gate-2: T (two)"}
    assert {each["kind"] for each in found.windows} == {"deny"}


def test_each_scope_of_octopus_has_freezes_of_its_own_and_environments_are_joined() -> None:
    names = [(["Projects-2", "Projects-1"], 1), (["Projects-3"], 1), (["Projects-1", "Projects-2"], 2)]
    scopes = [
        ProjectionScope(
            "production", None, {"projects": projects, "environments": [f"Environments-{number}"]}
        )
        for projects, number in names
    ]
    found = projected("octopus", Set(rule("{dates: {from: 2026-12-01, to: 2026-12-02}}")), 7, scopes=scopes)
    both = ["Environments-1", "Environments-2"]
    assert [each["ProjectEnvironmentScope"] for each in found.windows] == [
        {"Projects-1": both, "Projects-2": both},
        {"Projects-3": ["Environments-1"]},
    ]


@pytest.mark.parametrize("target", WINDOWED)
def test_what_a_target_would_let_through_is_refused_by_name(target: str) -> None:
    policies = rule(WEEKEND, "applies_to: {changes: [hotfix]}", "by-change") + rule(
        WEEKEND, "applies_to: {tags: [tier-1]}", "tagged"
    )
    of_change = freeze(NOW - 60, None, selector=Selector.model_validate({"changes": ["hotfix"]}), id="frz_1")
    but_rollbacks = Selector.model_validate({"changes": ["rollback"]})
    found = projected(target, Set(policies, [of_change, freeze(NOW - 60, NOW + 60, exempt=(but_rollbacks,))]))
    assert [each.policy for each in found.refused] == ["by-change", "frz_1", "tagged"]
    assert found.refused[1].sentence.startswith("it freezes only hotfix, and ")
    assert [each.sentence for each in found.remarks if not each.refused] == [
        f"{TARGETS[target].title} also stops rollback, which the freeze leaves alone"
    ]


def about(remarks: Sequence[Remark]) -> list[str]:
    """What refused rules are about."""
    words = [each.sentence.removeprefix("left out: it is about ") for each in remarks if each.refused]
    return [each.removesuffix("; project each of them, too") for each in words]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("selector", "services"),
    [
        ({"services": ["api"]}, ["api"]),
        ({"services": ["api"], "environments": ["staging"]}, []),
        ({"tags": ["tier-*"]}, ["api"]),
        ({"services": ["a*", "web"]}, ["api, web and a*"]),
        ({"tags": ["tier-9"]}, []),
        ({"services": ["web"], "tags": ["tier-1"]}, []),
        ({}, []),
    ],
)
def test_what_an_environment_lacks_of_single_services_is_refused(
    target: str, selector: dict[str, list[str]], services: list[str]
) -> None:
    stops = freeze(NOW - 60, None, selector=Selector.model_validate(selector))
    assert about(projected(target, Set(" []\n", [stops])).remarks) == services
    if services:
        policy = rule(WEEKEND, f"applies_to: {json.dumps(selector)}")
        assert about(projected(target, Set(policy)).remarks) == services


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_over_or_later_or_has_a_scope_of_its_own_is_not_refused(target: str) -> None:
    of_api = {"selector": Selector.model_validate({"services": ["api"]})}
    over = freeze(NOW - HOUR, NOW, **of_api)
    later = freeze(NOW + 9 * DAY, None, **of_api)
    assert projected(target, Set(" []\n", [over, later]), 7).refused == []
    case = Set(rule(WEEKEND, "applies_to: {tags: [tier-1]}"), [freeze(NOW - 60, None, **of_api)])
    alone, api = ProjectionScope(names=NAMES), ProjectionScope("production", "api", NAMES)
    assert projected(target, case, scopes=[alone, api]).refused == []
    assert projected(target, case, scopes=[alone], elsewhere=[alone, api]).refused == []
    staging = ProjectionScope("staging", "api", NAMES)
    assert about(projected(target, case, scopes=[alone, staging]).remarks) == ["api", "api"]


@pytest.mark.parametrize("target", TARGETS)
def test_names_outside_the_catalogue_count_only_if_they_may_be_asked_about(target: str) -> None:
    snapshot = Snapshot.of(HEAD.replace("policies:", "unknown_services: refuse\npolicies: []"))
    stops = freeze(NOW - 60, None, selector=Selector.model_validate({"services": ["a*", "other"]}))
    options = ProjectionOptions(NOW, 7, [ProjectionScope(names=NAMES)])
    found = TARGETS[target].project(load(snapshot).engine.with_freezes([stops]), options)
    assert about(found.remarks) == ["api"]
    both = freeze(NOW - 60, None, selector=Selector.model_validate({"services": ["api", "other"]}))
    found = TARGETS[target].project(load(snapshot).engine.with_freezes([both]), options)
    assert about(found.remarks) == ["api"]
    assert about(projected(target, Set(" []\n", [both])).remarks) == ["api and other"]


@pytest.mark.parametrize("target", TARGETS)
def test_services_for_which_a_policy_is_read_in_another_zone_are_refused(target: str) -> None:
    policy = Set(rule(WEEKEND, "timezone: service"))
    assert about(projected(target, policy).remarks) == [
        "read in Europe/Amsterdam, but in another time zone for api"
    ]
    scopes = [ProjectionScope("production", each, NAMES) for each in (None, "api")]
    assert projected(target, policy, scopes=scopes).refused == []


@pytest.mark.parametrize("target", WINDOWED)
def test_too_many_windows_end_earlier_and_are_refused_if_that_is_soon(target: str) -> None:
    hourly = Set(rule('{cron: {start: "0 */2 * * *", duration: 61m}}'))
    found = projected(target, hourly)
    assert len(found.windows) == MOST_EXPLICIT
    assert found.until is not None
    assert found.until > NOW + 40 * DAY
    assert found.refused == []
    assert found.remarks[0].sentence.endswith(f"complete until {format_instant(found.until)} only")
    often = projected(target, Set(rule('{cron: {start: "*/5 * * * *", duration: 1m}}')))
    assert [each.policy for each in often.refused] == ["one"]


@pytest.mark.parametrize("target", TARGETS)
def test_an_unknown_environment_is_refused(target: str) -> None:
    with pytest.raises(UnknownNameError):
        projected(target, SETS["weekend"], scopes=[ProjectionScope("live")])


def test_merged_projections_are_complete_until_the_first_ends() -> None:
    parts = [Projected([{"a": 1}], (), 5), Projected([{"a": 1}, {"b": 2}]), Projected([], (), 3)]
    assert merged(parts) == Projected([{"a": 1}, {"b": 2}], [], 3)


@pytest.mark.parametrize("target", ["argocd", "gitlab"])
def test_windows_without_a_year_are_right_whenever_they_are_renewed(target: str) -> None:
    case = Set(
        rule('{holidays: {country: NL, eve_from: "14:00", until: "08:00"}}')
        + rule("{dates: {from: 2026-12-20, to: 2027-01-03}}", "", "two"),
        [freeze(MIDNIGHT + 33 * DAY, MIDNIGHT + 35 * DAY), freeze(MIDNIGHT + 200 * DAY, None)],
    )
    frozen = frozen_by(case, NOW + 365 * DAY)
    chance = random.Random(target)
    for week in range(45):
        now = NOW + week * 7 * DAY + chance.randrange(DAY)
        options = ProjectionOptions(now, 90, [ProjectionScope()])
        found = TARGETS[target].project(in_force(case).engine, options)
        closed = closed_by(target, TARGETS[target].body(found))
        # Until the next look, and as long as an outage of a fortnight.
        for at in [now, *(now + chance.randrange(14 * DAY) for _ in range(220))]:
            assert covers(closed, at) == covers(frozen, at), datetime.fromtimestamp(at, UTC)


def test_a_freeze_is_projected_beside_policies_that_were_planned_before() -> None:
    case = SETS["weekend"]
    engine = in_force(case).engine
    options = ProjectionOptions(NOW, 90, [ProjectionScope()])
    alone = TARGETS["argocd"].project(engine, options)
    beside = TARGETS["argocd"].project(engine.with_freezes([freeze(NOW - 60, NOW + HOUR)]), options)
    assert beside.windows[:-1] == alone.windows
    tomorrow = options._replace(now=NOW + DAY)
    dated = in_force(SETS["dates around a change of the clocks"]).engine
    first, second = (TARGETS["argocd"].project(dated, each).windows for each in (options, tomorrow))
    assert first != second
