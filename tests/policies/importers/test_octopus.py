import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.core.decision import Question
from app.core.engine import Engine
from app.policies.importers.convert import Converted
from app.policies.importers.imported import ImportOptions
from tests.policies.importers.comparison import differences, engine_of, imported, noticed
from tests.policies.importers.octopus_reading import NAMES, RULES, Asked, closed
from tests.policies.importers.wall_spans import HORIZON, Span, instants
from tests.spec.twin import zone

FOLDER = Path(__file__).parent / "octopus"
SLUGS = {
    "Projects-1": "web-shop",
    "Projects-2": "ledger",
    "Environments-1": "production",
    "Environments-2": "staging",
}
CATALOGUE = {
    "projects.json": json.dumps({"Items": [{"Id": each, "Slug": slug} for each, slug in SLUGS.items()][:2]}),
    "environments.json": json.dumps([{"Id": each, "Name": slug} for each, slug in SLUGS.items()][2:]),
}
ASKED = [Asked(project, environment) for project in list(SLUGS)[:2] for environment in list(SLUGS)[2:]]
CLOCKS = [zone("Europe/Berlin"), zone("America/New_York")]
"""Zones whose clock changes move no freeze."""

OFFSETS = (0, 60, 120, 330, 600, -180, -300, -480, 345)


def recurring(chance: random.Random) -> dict[str, Any]:
    kind = chance.choice(["Daily", "Weekly", "Weekly", "Monthly", "Monthly", "Annually"])
    found: dict[str, Any] = {"Type": kind, "Unit": chance.choice([1, 1, 2, 3])}
    found["UserUtcOffsetInMinutes"] = chance.choice(OFFSETS)
    found |= chance.choice(
        [
            {"EndType": "Never"},
            {"EndType": "OnDate", "EndOnDate": f"{chance.choice([2027, 2028])}-06-30T00:00:00+00:00"},
            {"EndType": "AfterOccurrences", "EndAfterOccurrences": chance.choice([1, 4, 30])},
        ]
    )
    if kind == "Weekly":
        found["DaysOfWeek"] = chance.sample(NAMES, chance.randint(1, 5))
    if kind == "Monthly":
        dated = {
            "MonthlyScheduleType": "DateOfMonth",
            "DateOfMonth": chance.choice(["1", "15", "29", "31", "L"]),
        }
        named = {"MonthlyScheduleType": "DayOfMonth", "DayNumberOfMonth": chance.choice("1234L")}
        found |= dated if chance.random() < 0.5 else {**named, "DayOfWeek": chance.choice(NAMES)}
    return found


def generated(number: int) -> str:
    chance = random.Random(f"octopus {number}")
    found = []
    for each in range(chance.randint(2, 4)):
        start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=30 * chance.randrange(20_000))
        hours = chance.choice([2, 8, 24, 40, 100])
        freeze: dict[str, Any] = {
            "Id": f"DeploymentFreezes-{each}",
            "Name": f"Generated {number}/{each}",
            "Start": start.isoformat(timespec="milliseconds"),
            "End": (start + timedelta(hours=hours)).isoformat(timespec="milliseconds"),
            "ProjectEnvironmentScope": {chance.choice(list(SLUGS)[:2]): chance.sample(list(SLUGS)[2:], 1)},
        }
        if chance.random() < 0.85:
            freeze["RecurringSchedule"] = recurring(chance)
        found.append(freeze)
    return json.dumps({"DeploymentFreezes": found, "Count": len(found)}, indent=1)


def files() -> Iterator[tuple[str, str]]:
    for path in sorted(FOLDER.iterdir()):
        yield path.name, path.read_text()
    for number in range(12):
        yield f"generated-{number}.json", generated(number)


FILES = dict(files())


@cache
def read(name: str) -> tuple[Converted, Engine]:
    converted = imported("octopus", {name: FILES[name], **CATALOGUE})
    return converted, engine_of(converted)


@cache
def expected(name: str, asked: Asked) -> tuple[list[Span], list[int]]:
    """A reading of a file, and the instants at which it is compared: 10,000 for the four questions."""
    spans = closed(FILES[name], asked)
    return spans, instants(spans, CLOCKS, f"{name} {asked}", 2_500)


def question_of(asked: Asked) -> Question:
    return Question(SLUGS[asked.project], SLUGS[asked.environment])


@pytest.mark.parametrize("name", FILES)
def test_an_imported_file_answers_as_octopus_does(name: str) -> None:
    converted, engine = read(name)
    assert not converted.refused
    assert converted.tests >= converted.policies
    for asked in ASKED:
        spans, at = expected(name, asked)
        if spans or SLUGS[asked.environment] == "production":
            assert differences(engine, question_of(asked), spans, at) == []


@pytest.mark.parametrize("rule", RULES)
def test_a_misread_rule_is_noticed(rule: str) -> None:
    cases = ((name, asked) for name in FILES for asked in ASKED if SLUGS[asked.environment] == "production")
    assert any(
        noticed(read(name)[1], question_of(asked), spans, closed(FILES[name], asked, rule), at)
        for name, asked in cases
        for spans, at in [expected(name, asked)]
    )


def freeze(schedule: dict[str, Any] | None = None, **keys: Any) -> str:
    """A freeze of web-shop in production; `keys` replace its own."""
    whole = {
        "Name": "Freeze",
        "Start": "2026-03-02T10:00:00Z",
        "End": "2026-03-02T18:00:00Z",
        "ProjectEnvironmentScope": {"Projects-1": ["Environments-1"]},
        **keys,
    }
    if schedule is not None:
        whole["RecurringSchedule"] = {"Type": "Daily", "Unit": 1, "EndType": "Never", **schedule}
    return json.dumps({"DeploymentFreezes": [whole]}, indent=1)


def weekly(*days: Any, **keys: Any) -> dict[str, Any]:
    return {"Type": "Weekly", "DaysOfWeek": list(days), **keys}


def monthly(**keys: Any) -> dict[str, Any]:
    return {"Type": "Monthly", **keys}


REFUSED = {
    "no end": (freeze(End=None), "End: not an RFC 3339 date-time"),
    "an end before the start": (freeze(End="2026-03-01T00:00:00Z"), "it doesn't end after it begins"),
    "a schedule that is a text": (freeze(RecurringSchedule="daily"), "its RecurringSchedule is no object"),
    "an unknown recurrence": (freeze({"Type": "Hourly"}), 'the recurrence "Hourly" is unknown'),
    "an unknown key": (freeze({"Holidays": "NL"}), 'the key "Holidays" of its recurrence is unknown'),
    "a unit of zero": (freeze({"Unit": 0}), "Unit is a number from 1 to 999"),
    "a unit beyond all years": (freeze(weekly("Monday", Unit=10**20)), "Unit is a number from 1 to 999"),
    "an unknown end": (freeze({"EndType": "Sometime"}), 'EndType "Sometime" is unknown'),
    "an end without its date": (freeze({"EndType": "OnDate"}), "what goes with it is missing"),
    "an offset that no zone has": (freeze({"UserUtcOffsetInMinutes": 765}), "765 minutes ahead of UTC"),
    "an offset beyond the zones": (freeze({"UserUtcOffsetInMinutes": 900}), "900 minutes ahead of UTC"),
    "an offset that is a text": (freeze({"UserUtcOffsetInMinutes": "+01"}), "is no number"),
    "no weekdays": (freeze(weekly()), "DaysOfWeek is empty"),
    "an unknown weekday": (freeze(weekly("Caturday")), '"Caturday" is no weekday'),
    "no kind of month": (freeze(monthly()), 'MonthlyScheduleType "None" is unknown'),
    "day 32": (
        freeze(monthly(MonthlyScheduleType="DateOfMonth", DateOfMonth="32")),
        '"32" is neither a number up to 31 nor L',
    ),
    "day 0": (
        freeze(monthly(MonthlyScheduleType="DateOfMonth", DateOfMonth="0")),
        '"0" is neither a number up to 31 nor L',
    ),
    "a fifth weekday": (
        freeze(monthly(MonthlyScheduleType="DayOfMonth", DayNumberOfMonth="5", DayOfWeek="Monday")),
        '"5" is neither a number up to 4 nor L',
    ),
    "every five months, for ever": (
        freeze(monthly(Unit=5, MonthlyScheduleType="DateOfMonth", DateOfMonth="1")),
        "no window expresses its recurrence",
    ),
    "every 54 weeks": (freeze(weekly("Monday", Unit=54)), "as dates"),
    "a project without a name": (
        freeze(ProjectEnvironmentScope={"Projects-9": ["Environments-1"]}),
        "--map Projects-9=service:NAME",
    ),
    "an environment without a name": (
        freeze(ProjectEnvironmentScope={"Projects-1": ["Environments-9"]}),
        "--map Environments-9=environment:NAME",
    ),
    "a project without environments": (freeze(ProjectEnvironmentScope={"Projects-1": []}), "no environments"),
    "a scope that is a list": (freeze(ProjectEnvironmentScope=["Projects-1"]), "is no object"),
}


def results(text: str, options: ImportOptions | None = None) -> Converted:
    return imported("octopus", {"freezes.json": text, **CATALOGUE}, options)


def test_a_name_that_is_none_here_is_refused_with_what_to_do() -> None:
    named = json.dumps([{"Id": "Projects-1", "Name": "Web Shop"}])
    converted = imported("octopus", {**CATALOGUE, "freezes.json": freeze(), "projects.json": named})
    [remark] = converted.refused
    assert '"Web Shop" is no name here' in remark.sentence
    assert remark.sentence.endswith("--map Projects-1=service:NAME")


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_expressed_is_refused_with_its_place(name: str) -> None:
    text, sentence = REFUSED[name]
    converted = results(text)
    if name == "every 54 weeks":  # few enough until 2100
        assert "2100-" in converted.text
        return
    assert converted.policies == 0
    assert [sentence in str(each) for each in converted.refused] == [True]
    assert converted.refused[0].origin.line > 1


def test_freezes_of_tenants_are_refused_beside_those_of_projects() -> None:
    tenants = [{"TenantId": "Tenants-1", "ProjectId": "Projects-1", "EnvironmentId": "Environments-1"}]
    converted = results(freeze(TenantProjectEnvironmentScope=tenants))
    assert converted.policies == 1
    assert "it freezes 1 deployment to tenants" in str(converted.refused[0])


def test_a_freeze_without_projects_is_named() -> None:
    converted = results(freeze(ProjectEnvironmentScope={}))
    assert not converted.refused
    assert "no project is assigned" in str(converted.differences[0])


def test_names_can_be_given_by_an_option() -> None:
    mapped = {"Projects-7": ("services", "shop"), "Environments-7": ("environments", "production")}
    text = freeze(ProjectEnvironmentScope={"Projects-7": ["Environments-7"]})
    options = ImportOptions(HORIZON[0], mapped=mapped)  # type: ignore[arg-type]
    assert "- {services: [shop], environments: [production]}" in results(text, options).text


def test_a_freeze_that_does_not_recur_is_written_in_the_given_zone() -> None:
    options = ImportOptions(HORIZON[0], timezone="Europe/Berlin")
    assert 'from: "2026-03-02 11:00", to: "2026-03-02 19:00"' in results(freeze(), options).text


def test_a_bound_in_a_repeated_hour_stays_in_utc() -> None:
    text = freeze(Start="2026-10-24T12:00:00Z", End="2026-10-25T00:30:00Z")
    options = ImportOptions(HORIZON[0], timezone="Europe/Berlin")
    assert 'to: "2026-10-25 00:30"' in results(text, options).text


def test_weekdays_may_be_numbers_or_one_text() -> None:
    text = freeze(weekly(0, 1)), freeze({"Type": "Weekly", "DaysOfWeek": "Sunday, Monday"})
    assert ["days: [mon, sun]" in results(each).text for each in text] == [True, True]


def test_a_week_long_freeze_of_every_week_never_ends() -> None:
    converted = results(freeze(weekly("Monday"), End="2026-03-09T10:00:00Z"))
    assert "- always: true" in converted.text


def test_readings_that_octopus_leaves_open_are_named() -> None:
    dated = monthly(MonthlyScheduleType="DateOfMonth", DateOfMonth="31")
    remarks = [str(each) for each in results(freeze(dated)).differences]
    assert ["on that day, too" in remarks[0], "months without that day" in remarks[1]] == [True, True]


def test_a_file_that_is_no_json_is_refused() -> None:
    assert "this is not JSON" in str(results("freezes:").refused[0])
