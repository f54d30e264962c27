import pytest

from app.core.instant import parse_instant
from app.policies.importers.convert import Converted, convert
from app.policies.importers.imported import ImportOptions, SourceText
from tests.policies.importers import prometheus_reading as reading
from tests.policies.importers.differential import Imported, differing, imported, is_caught
from tests.policies.importers.prometheus_reading import config, times

NOW = parse_instant("2026-11-29T12:00:00Z")


@pytest.fixture(scope="module")
def files() -> list[Imported]:
    return [imported("prometheus", case) for case in reading.CASES]


def test_every_file_answers_like_alertmanager(files: list[Imported]) -> None:
    assert len(files) >= 20
    assert not differing(files, reading.reading)


@pytest.mark.parametrize("mutation", reading.MUTATIONS)
def test_a_rule_that_is_read_otherwise_is_noticed(files: list[Imported], mutation: str) -> None:
    assert is_caught(files, reading.reading, mutation)


def converted(text: str, options: ImportOptions | None = None) -> Converted:
    return convert("prometheus", [SourceText("alertmanager.yml", text)], options or ImportOptions(NOW))


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"weekdays": ["saturday:monday"]}, 'weekdays: "saturday:monday" ends before it begins'),
        ({"weekdays": "monday"}, "weekdays is not a list"),
        ({"weekdays": []}, "weekdays is empty, so this interval contains no time"),
        ({"weekday": ["monday"]}, 'unknown key "weekday"; did you mean "weekdays"?'),
        ({"months": ["13"]}, 'months: "13" is no month'),
        ({"months": ["juny"]}, 'months: "juny" is no number'),
        ({"days_of_month": ["0"]}, "days_of_month: 0:0 are no days of a month"),
        ({"days_of_month": ["-3:5"]}, "days_of_month: -3:5 are no days of a month"),
        ({"days_of_month": ["29:-1"]}, "days_of_month: 29:-1 are no days of a month"),
        ({"days_of_month": ["-30:-1"]}, "days_of_month from -29 or -30 on have no equal"),
        ({"times": times("09:00-09:00")}, "the start_time isn't before the end_time"),
        ({"times": times("9:00-10:00")}, "start_time is not a time such as 09:00"),
        ({"times": ["09:00"]}, "times are mappings of start_time and end_time"),
        ({"location": "Europe/Amsterdm"}, "is not an IANA time zone; did you mean"),
        ("saturday", "expected a mapping"),
    ],
)
def test_an_interval_without_an_equal_is_refused(entry: object, sentence: str) -> None:
    [remark] = converted(config(named=[entry])).refused
    assert sentence in remark.sentence
    assert remark.origin.window == "named[0]"


def test_a_name_that_is_twice_or_missing_is_refused() -> None:
    entries = ["{name: a, time_intervals: [{}]}", "{name: a, time_intervals: []}", "{time_intervals: []}"]
    text = "time_intervals:\n" + "".join(f"- {entry}\n" for entry in entries)
    assert [remark.sentence.partition(";")[0] for remark in converted(text).refused] == [
        "another interval has this name",
        "expected a name and its time_intervals",
    ]


def test_active_times_that_can_not_be_joined_are_refused() -> None:
    route = {"receiver": "x", "active_time_intervals": ["a", "b"]}
    weekdays = {"weekdays": ["monday"]}
    zones = config(route, a=[weekdays], b=[{**weekdays, "location": "Europe/Amsterdam"}])
    years = config(route, a=[weekdays], b=[{**weekdays, "years": ["2030"]}])
    for text in (zones, years):
        assert "can't be joined into one policy" in converted(text).refused[0].sentence


def test_active_times_that_also_mute_are_refused_by_name() -> None:
    route = {"receiver": "x", "mute_time_intervals": ["a"], "routes": [{"active_time_intervals": ["a"]}]}
    result = converted(config(route, a=[{"weekdays": ["monday"]}]))
    assert "used as active_time_intervals too" in result.refused[0].sentence
    assert result.policies == 1


def test_names_that_are_used_and_not_defined_are_refused() -> None:
    route = {"receiver": "x", "mute_time_intervals": ["b"], "active_time_intervals": ["office"]}
    refused = converted(config(route, a=[{"weekdays": ["monday"]}])).refused
    assert [remark.sentence for remark in refused] == [
        f'a route uses "{name}", which isn\'t defined; Alertmanager refuses the file'
        for name in ("b", "office")
    ]


def test_a_month_that_alertmanager_takes_for_shorter_is_told() -> None:
    last = {"days_of_month": ["-1"], "location": "Europe/Amsterdam"}
    [remark] = converted(
        config(a=[last], b=[{**last, "months": ["june"]}], c=[{"days_of_month": ["-1"]}])
    ).differences
    assert remark.origin.window == "a[0]"
    assert "clocks are set forward" in remark.sentence


def test_the_zone_of_the_options_holds_where_there_is_no_location() -> None:
    options = ImportOptions(NOW, timezone="Asia/Tokyo")
    assert 'timezone: "Asia/Tokyo"' in converted(config(a=[{"weekdays": ["monday"]}]), options).text
