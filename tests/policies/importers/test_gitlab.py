import json

import pytest

from app.core.instant import parse_instant
from app.core.wallclock import zone_names
from app.policies.importers.convert import Converted, convert
from app.policies.importers.imported import ImportOptions, SourceText
from app.policies.importers.rails_zones import RAILS_ZONES
from tests.policies.importers import gitlab_reading as reading
from tests.policies.importers.differential import Imported, differing, imported, is_caught
from tests.policies.importers.gitlab_reading import periods

NOW = parse_instant("2026-11-29T12:00:00Z")


@pytest.fixture(scope="module")
def files() -> list[Imported]:
    return [imported("gitlab", case) for case in reading.CASES]


def test_every_file_answers_like_gitlab(files: list[Imported]) -> None:
    assert len(files) >= 20
    assert not differing(files, reading.reading)


@pytest.mark.parametrize("mutation", reading.MUTATIONS)
def test_a_rule_that_is_read_otherwise_is_noticed(files: list[Imported], mutation: str) -> None:
    assert is_caught(files, reading.reading, mutation)


def converted(text: str, options: ImportOptions | None = None) -> Converted:
    return convert("gitlab", [SourceText("freeze_periods.json", text)], options or ImportOptions(NOW))


@pytest.mark.parametrize(
    ("start", "end", "sentence"),
    [
        (
            "@daily",
            "0 8 * * *",
            'freeze_start "@daily": not five fields; the zone belongs into cron_timezone',
        ),
        ("0 0 * * * Europe/Paris", "0 8 * * *", "the zone belongs into cron_timezone"),
        ("0 0 ? * 1", "0 8 * * *", '"?" is no day of month'),
        ("0 0 * * monday", "0 8 * * *", '"monday" is no day of week'),
        ("0 0 * * mon%2", "0 8 * * *", "write a weekly window with every and starting"),
        ("0 0 * * *,1", "0 8 * * *", "fugit drops stars from lists of weekdays"),
        ("0 0 * * 0/4", "0 8 * * *", "fugit drops stars from lists of weekdays, and such steps"),
        ("0 0 * 10-2/2 *", "0 8 * * *", "fugit counts steps of a range that wraps in its own way"),
        ("0 0 -32 * *", "0 8 * * *", '"-32" is no day of month'),
        (
            "0 0 -2 * *",
            "0 8 * * *",
            "days counted from the end of the month, but the last one, have no equal",
        ),
        ("0 0 * * 1#-2", "0 8 * * *", "weekdays counted from the end of the month, but the last one"),
        ("*/0 0 * * *", "0 8 * * *", "has a step of nothing"),
        ("0 0 31 2 *", "0 8 * * *", '"0 0 31 2 *" never fires'),
        ("0 0 * * *", "60 8 * * *", 'freeze_end "60 8 * * *": "60" is no minute'),
        ("0 0 * * *", "30 2 * * *", "freeze_end falls into an hour that is skipped"),
    ],
)
def test_a_period_without_an_equal_is_refused(start: str, end: str, sentence: str) -> None:
    [remark] = converted(periods((start, end, "Berlin"))).refused
    assert sentence in remark.sentence
    assert str(remark.origin) == "freeze_periods.json:2:3: freeze period 1"


def test_a_start_in_a_skipped_hour_is_wider_and_says_so() -> None:
    text = converted(periods(("30 2 * * 0", "0 8 * * 1", "Berlin"))).text
    assert "# where clocks are set back" in text
    assert "GitLab leaves this freeze out" in text


def test_seconds_of_nothing_are_read() -> None:
    assert 'from: "fri 23:00"' in converted(periods(("0 0 23 * * 5", "0 7 * * 1", "UTC"))).text


def test_an_unknown_zone_gets_a_suggestion() -> None:
    [remark] = converted(periods(("0 0 * * *", "0 8 * * *", "Berlinn"))).refused
    assert remark.sentence == 'cron_timezone "Berlinn" is no time zone; did you mean "Berlin"?'


def test_every_zone_of_rails_is_one_of_ours() -> None:
    assert len(RAILS_ZONES) == 151
    assert set(RAILS_ZONES.values()) <= zone_names()


@pytest.mark.parametrize(
    ("text", "sentence", "line"),
    [
        ("[{]", "this is not JSON: expecting property name enclosed in double quotes", 1),
        ('[{"id": 1,\n "id": 2}]', 'the key "id" is twice in one object', 1),
        ("[NaN]", "NaN is no value of JSON", 1),
        ("[" * 100_000, "this JSON is nested too deeply", 1),
        ("[1]", "expected an object", 1),
        ('[{"freeze_start": 5}]', "freeze_start is not a text", 1),
    ],
)
def test_what_is_no_period_is_refused(text: str, sentence: str, line: int) -> None:
    [remark] = converted(text).refused
    assert (remark.sentence, remark.origin.line) == (sentence, line)


def test_json_that_is_no_yaml_is_read_without_positions() -> None:
    text = json.dumps([{"freeze_start": "0 0 * * *", "freeze_end": "0 8 * * *", "name": "\ud83d\ude00"}])
    assert converted(text).policies == 1
