import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.core.decision import Question
from app.core.engine import Engine
from app.policies.importers.convert import Converted
from app.policies.importers.imported import ImportOptions
from tests.policies.importers import aws_reading, calendar_reading
from tests.policies.importers.comparison import differences, engine_of, imported, noticed
from tests.policies.importers.wall_spans import HORIZON, Span, instants
from tests.spec.twin import zone

FOLDER = Path(__file__).parent / "aws"
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Sydney", "UTC", "UTC+09:00", "PST")


def generated(number: int) -> str:
    chance = random.Random(f"aws {number}")
    minutes = chance.choice(["*", "*", "*", "0-29", "15,45"])
    hours = chance.choice(["9-17", "22-3", "0/6", "2", "8,12-14"])
    months = chance.choice(["*", "*", "JAN-JUN", "3,6,9,12", "OCT-FEB"])
    month_days = chance.choice(["1-7", "L", "LW", "15", "1,10-20/5"])
    weekdays = chance.choice(["MON-FRI", "SAT-MON", "6", "TUE#1", "5L", "L", "2/2"])
    chosen = f"{month_days} {months} ?" if chance.random() < 0.5 else f"? {months} {weekdays}"
    years = chance.choice(["", " *", " 2027", " 2026-2028/2"])
    configuration = {"Cron": f"* {minutes} {hours} {chosen}{years}", "TimeZone": chance.choice(ZONES)}
    return json.dumps(pipeline(configuration), indent=2)


def pipeline(
    configuration: Any, kind: str = "beforeEntry", provider: str = "DeploymentWindow"
) -> dict[str, Any]:
    rule = {"name": "Window", "ruleTypeId": {"provider": provider}, "configuration": configuration}
    stage = {"name": "Production", kind: {"conditions": [{"result": "FAIL", "rules": [rule]}]}}
    return {"pipeline": {"name": "generated", "stages": [stage]}}


def files() -> Iterator[tuple[str, str]]:
    for path in sorted(FOLDER.iterdir()):
        yield path.name, path.read_bytes().decode()
    for number in range(14):
        yield f"generated-{number}.json", generated(number)


FILES = dict(files())
STAGES = ("production", "staging", "test", "canary", "prod_eu")


@cache
def read(name: str) -> tuple[Converted, Engine]:
    converted = imported("aws", {name: FILES[name]})
    return converted, engine_of(converted)


def reading(name: str, stage: str, wrong: str | None = None) -> list[Span]:
    """When deploys to a stage are closed, read from the source alone."""
    text = FILES[name]
    if name.startswith("calendar"):
        content = json.loads(text)["Content"] if name.endswith(".json") else text
        return calendar_reading.closed(content, wrong)
    return aws_reading.closed(text, stage, wrong)


def questions(name: str) -> list[Question]:
    if name.startswith("calendar"):
        return [Question("api")]
    service = "from-yaml" if name.endswith(".yaml") else json.loads(FILES[name])["pipeline"]["name"]
    return [Question(service, stage) for stage in STAGES if f'"name": "{stage.title()}"' in FILES[name]] or [
        Question(service, "prod_eu")
    ]


@cache
def expected(name: str, stage: str) -> tuple[list[Span], list[int]]:
    """A reading of a file, and the instants at which it is compared: 10,000 for all of its stages."""
    spans, count = reading(name, stage), 10_000 // len(questions(name))
    return spans, instants(spans, aws_reading.zones_of(FILES[name]) or [zone("Asia/Tokyo")], name, count)


@pytest.mark.parametrize("name", FILES)
def test_an_imported_file_answers_as_aws_does(name: str) -> None:
    converted, engine = read(name)
    assert not converted.refused
    assert converted.tests
    assert bool(converted.calendars) == (name == "calendar-closed-two.ics")
    for question in questions(name):
        if question.environment in ("production", "prod_eu") or "beforeEntry" in FILES[name]:
            spans, at = expected(name, question.environment)
            if spans:
                assert differences(engine, question, spans, at) == []


@pytest.mark.parametrize("rule", [*aws_reading.RULES, *calendar_reading.AWS_RULES])
def test_a_misread_rule_is_noticed(rule: str) -> None:
    is_calendar = rule in calendar_reading.AWS_RULES
    cases = (
        (name, question)
        for name in FILES
        if name.startswith("calendar") is is_calendar
        for question in questions(name)
    )
    assert any(
        noticed(read(name)[1], question, spans, reading(name, question.environment, rule), at)
        for name, question in cases
        for spans, at in [expected(name, question.environment)]
        if spans
    )


REFUSED = {
    "a rule of another kind": (pipeline({}, provider="LambdaInvoke"), "a rule of LambdaInvoke is no window"),
    "a rule after the stage": (
        pipeline({"Cron": "* * * ? * *"}, "onSuccess"),
        "onSuccess is checked after the stage",
    ),
    "no configuration": (pipeline(None), "it has no configuration"),
    "five fields": (pipeline({"Cron": "0 9 * * 1"}), "has 5 fields, not 6 or 7"),
    "seconds": (pipeline({"Cron": "30 * * ? * *"}), "the seconds"),
    "two fields of days": (pipeline({"Cron": "* * * * * *"}), "and only one"),
    "the nearest working day": (pipeline({"Cron": "* * * 15W * ?"}), "the working day nearest to a date"),
    "days before the last": (pipeline({"Cron": "* * * L-3 * ?"}), "is read in two ways"),
    "hour 24": (pipeline({"Cron": "* * 24 ? * *"}), "is no number from 0 to 23"),
    "a weekday": (pipeline({"Cron": "* * * ? * FRY"}), "is no number from 1 to 7"),
    "a step of 0": (pipeline({"Cron": "* 0/0 * ? * *"}), "has a step of 0"),
    "two nth weekdays": (pipeline({"Cron": "* * * ? * 2#1,3#1"}), "can't be expressed"),
    "an abbreviation": (pipeline({"Cron": "* * * ? * *", "TimeZone": "IST"}), "stands for several zones"),
    "an offset": (pipeline({"Cron": "* * * ? * *", "TimeZone": "UTC+12:45"}), "765 minutes ahead of UTC"),
    "neither": ({"Resources": {}}, "neither a change calendar nor a pipeline"),
    "a calendar without a type": (
        {"Content": "BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n"},
        "neither DEFAULT_OPEN nor DEFAULT_CLOSED",
    ),
    "a broken calendar": ({"Content": "BEGIN:VCALENDAR\n"}, "not an iCalendar file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_expressed_is_refused_with_its_place(name: str) -> None:
    data, sentence = REFUSED[name]
    converted = imported("aws", {"aws.json": json.dumps(data, indent=1)})
    assert converted.policies == 0
    assert [sentence in str(each) for each in converted.refused] == [True]


def test_a_file_that_is_no_json_is_refused() -> None:
    assert "this is not JSON" in str(imported("aws", {"aws.json": "{"}).refused[0])


def test_readings_that_differ_are_named() -> None:
    remarks = [
        str(each)
        for name in ("documented-example.json", "minutes.json")
        for each in read(name)[0].differences
    ]
    assert "PST is read as America/Los_Angeles" in remarks[0]
    assert "allows 9 minutes of a day" in remarks[1]
    assert "AWS rolls back outside of the window" in remarks[3]


def test_names_can_be_given_by_an_option() -> None:
    mapped = {"generated": ("services", "shop"), "Production": ("environments", "live")}
    options = ImportOptions(HORIZON[0], mapped=mapped)  # type: ignore[arg-type]
    text = json.dumps(pipeline({"Cron": "* * 9 ? * *"}))
    assert "- {services: [shop], environments: [live]}" in imported("aws", {"a.json": text}, options).text
