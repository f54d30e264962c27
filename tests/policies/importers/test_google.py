import json
import random
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.core.decision import Question
from app.core.engine import Engine
from app.policies.importers.convert import Converted
from app.policies.importers.imported import ImportOptions
from tests.policies.importers.comparison import differences, engine_of, imported, noticed
from tests.policies.importers.google_reading import RULES, WEEK, Asked, closed, policies
from tests.policies.importers.wall_spans import FIRST, HORIZON, Span, instants
from tests.spec.twin import zone

FOLDER = Path(__file__).parent / "google"
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "UTC",
)
PIPELINES, TARGETS = ("web", "ledger"), ("production", "staging")


def time_of_day(chance: random.Random, *, late: bool = False) -> dict[str, int]:
    hours, minutes = chance.randint(12 if late else 0, 23 if late else 11), chance.choice([0, 0, 15, 30, 59])
    return {key: value for key, value in (("hours", hours), ("minutes", minutes)) if value}


def one_time(chance: random.Random) -> dict[str, Any]:
    start = FIRST + timedelta(days=chance.randrange(1_000))
    end = start + timedelta(days=chance.randrange(12))
    bounds = (("start", start, False), ("end", end, True))
    found = {
        f"{edge}{part}": value
        for edge, day, late in bounds
        for part, value in (("Date", parts(day)), ("Time", time_of_day(chance, late=late)))
    }
    return found | ({"endTime": {"hours": 24}} if chance.random() < 0.3 else {})


def parts(day: date) -> dict[str, int]:
    return {"year": day.year, "month": day.month, "day": day.day}


def weekly(chance: random.Random) -> dict[str, Any]:
    window: dict[str, Any] = {}
    if chance.random() < 0.8:
        window["daysOfWeek"] = chance.sample(WEEK, chance.randint(1, 6))
    if chance.random() < 0.8:
        ends = [time_of_day(chance, late=True), {"hours": 24}]
        window |= {"startTime": time_of_day(chance), "endTime": chance.choice(ends)}
    return window


def generated(number: int) -> str:
    chance = random.Random(f"google {number}")
    rules = []
    for rule in range(chance.randint(1, 3)):
        windows: dict[str, Any] = {"timeZone": chance.choice(ZONES)}
        windows["oneTimeWindows"] = [one_time(chance) for _ in range(chance.randint(1, 4))]
        if chance.random() < 0.7:
            windows["weeklyWindows"] = [weekly(chance) for _ in range(chance.randint(1, 2))]
        restriction: dict[str, Any] = {"id": f"rule-{rule}", "timeWindows": windows}
        actions = chance.choice([[], ["CREATE"], ["CREATE", "APPROVE"], ["ROLLBACK"], ["CREATE", "ROLLBACK"]])
        if actions:
            restriction["actions"] = actions
        rules.append({"rolloutRestriction": restriction})
    selectors = [
        {"deliveryPipeline": {"id": chance.choice([*PIPELINES, "*"])}},
        {"deliveryPipeline": {"id": chance.choice(PIPELINES)}, "target": {"id": chance.choice(TARGETS)}},
    ]
    policy = {
        "name": f"projects/p/locations/l/deployPolicies/generated-{number}",
        "selectors": selectors[chance.randrange(2) :],
        "rules": rules,
    }
    return json.dumps(policy, indent=2) if number % 2 else yaml.safe_dump(policy)


def files() -> Iterator[tuple[str, str]]:
    for path in sorted(FOLDER.iterdir()):
        yield path.name, path.read_text()
    for number in range(14):
        yield f"generated-{number}.{'json' if number % 2 else 'yaml'}", generated(number)


FILES = dict(files())


def questions(text: str) -> list[Asked]:
    """A rollout that a file is about, one to another target, and a rollback."""
    named: dict[str, list[str]] = {"deliveryPipeline": [], "target": []}
    for policy in policies([text]):
        for selector in policy["selectors"]:
            for key, attribute in selector.items():
                named[key] += [attribute["id"]] if attribute["id"] != "*" else []
    pipeline, target = (
        [*names, other][0] for names, other in zip(named.values(), ("web", "production"), strict=True)
    )
    known = [*named["target"], "production"]
    return [
        Asked(pipeline, target),
        Asked("another", known[-1]),
        Asked(pipeline, target, is_rollback=True),
        Asked([*named["deliveryPipeline"], "web"][-1], known[0]),
    ]


@cache
def read(name: str) -> tuple[Converted, Engine]:
    converted = imported("google", {name: FILES[name]})
    return converted, engine_of(converted)


@cache
def expected(name: str, asked: Asked) -> tuple[list[Span], list[int]]:
    """A reading of a file, and the instants at which it is compared: 10,000 for the four questions."""
    spans = closed([FILES[name]], asked)
    zones = [zone(each) for each in ZONES if each in FILES[name]]
    return spans, instants(spans, zones, f"{name} {asked}", 2_500)


def question_of(asked: Asked) -> Question:
    return Question(asked.pipeline, asked.target, "rollback" if asked.is_rollback else "normal")


@pytest.mark.parametrize("name", FILES)
def test_an_imported_file_answers_as_cloud_deploy_does(name: str) -> None:
    converted, engine = read(name)
    assert not converted.refused
    assert converted.tests
    for asked in questions(FILES[name]):
        assert differences(engine, question_of(asked), *expected(name, asked)) == []


@pytest.mark.parametrize("rule", RULES)
def test_a_misread_rule_is_noticed(rule: str) -> None:
    cases = ((name, asked) for name in FILES for asked in questions(FILES[name]))
    assert any(
        noticed(read(name)[1], question_of(asked), spans, closed([FILES[name]], asked, rule), at)
        for name, asked in cases
        for spans, at in [expected(name, asked)]
    )


def restricted(**rule: Any) -> str:
    windows = {"timeZone": "UTC", "weeklyWindows": [{"daysOfWeek": ["MONDAY"]}]}
    restriction = {"id": "r", "timeWindows": windows, **rule}
    return policy_of({"rolloutRestriction": restriction})


def policy_of(rule: Any, **policy: Any) -> str:
    whole = {"name": "p", "selectors": [{"target": {"id": "prod"}}], "rules": [rule], **policy}
    return json.dumps(whole, indent=1)


def windowed(**windows: Any) -> str:
    return restricted(timeWindows={"timeZone": "UTC", **windows})


REFUSED = {
    "invokers": (restricted(invokers=["USER"]), "it restricts USER only"),
    "actions": (restricted(actions=["ADVANCE", "CANCEL"]), "it restricts ADVANCE, CANCEL only"),
    "an unknown action": (restricted(actions=["PROMOTE"]), 'the action "PROMOTE" is unknown'),
    "actions that are no list": (restricted(actions={"CREATE": 1}), "actions is a list of words"),
    "no windows": (restricted(timeWindows=None), "it has no timeWindows"),
    "a zone": (windowed(timeZone="Berlin"), "not an IANA time zone"),
    "an empty rule": (policy_of({"rolloutRestriction": None}), "its rolloutRestriction is empty"),
    "another rule": (policy_of({"canaryRestriction": {"id": "c"}}), "a rule of this kind is unknown"),
    "a rule that is a text": (policy_of("rule"), "a rule of this kind is unknown"),
    "rules that are no list": (policy_of({}, rules={"a": 1}), "expected a list"),
    "a weekday": (windowed(weeklyWindows=[{"daysOfWeek": ["MON"]}]), '"MON" is no weekday'),
    "one time": (windowed(weeklyWindows=[{"startTime": {"hours": 1}}]), "startTime and endTime go together"),
    "a window past midnight": (
        windowed(weeklyWindows=[{"startTime": "22:00", "endTime": "06:00"}]),
        "it doesn't end after it begins",
    ),
    "nanoseconds": (
        windowed(weeklyWindows=[{"startTime": {"nanos": 1}, "endTime": {"hours": 2}}]),
        "a time of day has hours, minutes and seconds",
    ),
    "25:00": (
        windowed(weeklyWindows=[{"startTime": {}, "endTime": {"hours": 25}}]),
        "between 00:00 and 24:00",
    ),
    "an unknown key": (windowed(weeklyWindows=[{"days": ["MONDAY"]}]), 'the key "days" is unknown'),
    "no date": (windowed(oneTimeWindows=[{"startTime": {"hours": 1}}]), "it has no date"),
    "no such day": (
        windowed(oneTimeWindows=[{"startDate": {"year": 2027, "month": 2, "day": 30}, "endDate": {}}]),
        "day is out of range for month",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_expressed_is_refused_with_its_place(name: str) -> None:
    text, sentence = REFUSED[name]
    converted = imported("google", {"policies.json": text})
    assert converted.policies == 0
    assert [sentence in str(each) for each in converted.refused] == [True]
    assert converted.refused[0].origin.line > 1


SELECTORS = {
    "no selectors": ([], "the policy has no selectors"),
    "an unknown selector": (
        [{"automation": {"id": "a"}}],
        "a selector has a deliveryPipeline, a target, or both",
    ),
    "neither id nor labels": ([{"target": {}}], "target has neither an id nor labels"),
    "labels": ([{"target": {"labels": {"env": "prod"}}}], "--map env=prod=environment:NAME"),
    "two labels": ([{"target": {"labels": {"env": "prod", "a": "b"}}}], "more than one condition"),
    "id and label": ([{"target": {"id": "x", "labels": {"a": "b"}}}], "more than one condition"),
}


@pytest.mark.parametrize("name", SELECTORS)
def test_a_selector_without_an_equal_is_refused(name: str) -> None:
    selectors, sentence = SELECTORS[name]
    policy = yaml.safe_load(restricted())
    converted = imported("google", {"p.json": json.dumps({**policy, "selectors": selectors})})
    assert converted.policies == 0
    assert sentence in str(converted.refused[0])


def test_labels_are_mapped_by_an_option() -> None:
    policy = {**yaml.safe_load(restricted()), "selectors": [{"target": {"labels": {"env": "prod"}}}]}
    options = ImportOptions(HORIZON[0], mapped={"env=prod": ("environments", "production")})
    converted = imported("google", {"p.json": json.dumps(policy)}, options)
    assert not converted.refused
    assert "- {environments: [production]}" in converted.text


def test_actions_that_freezegate_does_not_gate_are_named() -> None:
    converted = imported("google", {"p.json": restricted(actions=["CREATE", "ADVANCE", "CANCEL"])})
    assert ["it restricts CANCEL as well" in str(each) for each in converted.differences] == [True]


@pytest.mark.parametrize(
    ("actions", "stops"), [([], True), (["CREATE", "ADVANCE"], True), (["CREATE", "ROLLBACK"], False)]
)
def test_a_rule_for_the_phases_of_a_rollout_stops_it(actions: list[str], stops: bool) -> None:  # noqa: FBT001
    converted = imported("google", {"p.json": restricted(actions=actions)})
    assert ("    running: stop\n" in converted.text) is stops


def test_a_list_of_policies_and_a_file_that_is_no_json() -> None:
    listed = imported("google", {"p.json": json.dumps({"deployPolicies": [yaml.safe_load(restricted())]})})
    assert listed.policies == 1
    broken = imported("google", {"p.json": "{"})
    assert "this is not JSON" in str(broken.refused[0])


def test_a_name_that_no_request_can_have_is_refused_beside_others() -> None:
    texts = {"a.json": restricted().replace('"prod"', '"Prod!"'), "b.json": restricted()}
    converted = imported("google", texts)
    assert converted.policies == 1
    assert "a.json" in str(converted.refused[0])
    assert "environments: [production, prod]" in converted.text
