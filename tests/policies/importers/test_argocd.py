import json
from typing import Any

import pytest
import yaml

from app.core.instant import parse_instant
from app.policies.importers.convert import Converted, convert
from app.policies.importers.imported import ImportOptions, SourceText
from tests.policies.importers import argocd_reading as reading
from tests.policies.importers.argocd_reading import project, window
from tests.policies.importers.differential import Imported, differing, imported, is_caught

NOW = parse_instant("2026-11-29T12:00:00Z")


@pytest.fixture(scope="module")
def files() -> list[Imported]:
    return [imported("argocd", case) for case in reading.CASES]


def test_every_file_answers_like_argo_cd(files: list[Imported]) -> None:
    assert len(files) >= 20
    assert not differing(files, reading.reading)


@pytest.mark.parametrize("mutation", reading.MUTATIONS)
def test_a_rule_that_is_read_otherwise_is_noticed(files: list[Imported], mutation: str) -> None:
    assert is_caught(files, reading.reading, mutation)


def converted(text: str, **keys: Any) -> Converted:
    return convert("argocd", [SourceText("project.yaml", text)], ImportOptions(NOW, **keys))


def refused(text: str, **keys: Any) -> list[str]:
    return [remark.sentence for remark in converted(text, **keys).refused]


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (window("deny", "@daily", "1h"), 'schedule "@daily": Argo CD reads no shorthands such as @daily'),
        (window("deny", "CRON_TZ=UTC 0 0 * * *", "1h"), "the zone belongs into timeZone"),
        (window("deny", "0 0 * * 7", "1h"), 'schedule "0 0 * * 7": "7" is no day of week'),
        (window("deny", "0 0 * * 5-1", "1h"), 'schedule "0 0 * * 5-1": "5-1" is no day of week'),
        (window("deny", "0 0 0 * * *", "1h"), 'schedule "0 0 0 * * *": not five fields'),
        (window("deny", "*/0 0 * * *", "1h"), '"*/0" is no minute'),
        (window("deny", "0 , * * *", "1h"), "the hour is empty"),
        (window("deny", "0 0 1/2/3 * *", "1h"), '"1/2/3" is no day of month'),
        (window("deny", "0 0 * jann *", "1h"), '"jann" is no month'),
        (
            window("deny", "0 0 30 2 *", "1h"),
            "never fires; Argo CD takes such a window for active at all times",
        ),
        (
            window("deny", "0 0 * * *", "1d"),
            'duration "1d" is not a duration of Go such as 1h30m; days are 24h',
        ),
        (
            window("deny", "0 0 * * *", "0h"),
            "windows last whole seconds, more than none and at most 366 days",
        ),
        (window("deny", "0 0 * * *", ""), 'duration "" is not a duration of Go'),
        (window("deny", "*/2 * * * *", "30s"), "it would take 720 windows"),
        (window("deny", "0 0 * 5 1", "200h"), "windows of more than a week, on weekdays of some months"),
        (window("block", "0 0 * * *", "1h"), "kind is neither allow nor deny"),
        (
            window("deny", "0 0 * * *", "1h", timezone="UTC"),
            'unknown key "timezone"; did you mean "timeZone"?',
        ),
        (
            window("deny", "0 0 * * *", "1h", timeZone="Europe/Amsterdm"),
            "Argo CD takes it for UTC without a word",
        ),
        (window("deny", "0 0 * * *", "1h", applications=[]), "it applies to nothing"),
        (window("deny", "0 0 * * *", "1h", applications=["web-?"]), '"web-?" is no pattern of names'),
        (window("deny", "0 0 * * *", "1h", applications="web"), "applications is not a list of texts"),
        (window("deny", "0 0 * * *", "1h", manualSync="yes"), "manualSync is neither true nor false"),
        (
            window("deny", "0 0 * * *", "1h", clusters=["eu"], applications=[]),
            "--map 'clusters/eu=environment:NAME'",
        ),
        ("    - deny\n", "expected a mapping"),
        ("    - {kind: deny, schedule: 5, duration: 1h}\n", "schedule is not a text"),
    ],
)
def test_a_window_that_has_no_equal_is_refused(entry: str, sentence: str) -> None:
    [found] = refused(project(entry))
    assert sentence in found


def test_a_seconds_window_that_is_one_with_its_neighbours_is_imported() -> None:
    assert (
        'daily: {from: "09:00", to: "18:00"}' in converted(project(window("deny", "* 9-17 * * *", "1m"))).text
    )
    assert "always: true" in converted(project(window("deny", "0 */6 * * *", "7h"))).text


def test_manual_sync_is_told_as_a_difference() -> None:
    result = converted(project(window("deny", "0 0 * * *", "1h", manualSync=True)))
    assert [remark.sentence.partition(";")[0] for remark in result.differences] == [
        "manualSync lets everyone sync by hand"
    ]


def test_allow_windows_of_overlapping_patterns_are_refused() -> None:
    text = project(
        window("allow", "0 9 * * *", "8h", applications=["web-*"])
        + window("allow", "0 20 * * *", "1h", applications=["*-eu"])
    )
    assert len(refused(text)) == 2
    assert "have names in common" in refused(text)[0]


def test_allow_windows_of_two_zones_are_refused() -> None:
    text = project(
        window("allow", "0 9 * * *", "8h") + window("allow", "0 9 * * *", "8h", timeZone="Asia/Tokyo")
    )
    assert "allow windows of several time zones" in refused(text)[0]


def test_windows_of_several_projects_need_to_know_their_services() -> None:
    text = (
        project(window("deny", "0 0 * * *", "1h"))
        + "---\n"
        + project(window("deny", "0 1 * * *", "1h"), "bank")
    )
    assert [each.partition("; ")[0] for each in refused(text)] == [
        'it applies to applications of the project "shop" only',
        'it applies to applications of the project "bank" only',
    ]
    mapped = {"projects/shop": ("services", "shop-*"), "projects/bank": ("services", "bank-*")}
    result = converted(text, mapped=mapped)
    assert not result.refused
    assert '- {services: ["shop-*"], environments: [production]}' in result.text


def test_lists_as_kubectl_prints_them_are_read_as_yaml_and_as_json() -> None:
    documents = [yaml.safe_load(project(window("deny", "0 1 * * *", "1h")))]
    listed = {"apiVersion": "v1", "kind": "List", "items": [*documents, {"kind": "ConfigMap", "spec": {}}]}
    for text in (yaml.safe_dump(listed), json.dumps(listed, indent=4)):
        assert converted(text).policies == 1
    assert "project.yaml:13:" in converted(json.dumps(listed, indent=4)).text


def test_a_running_sync_finishes_only_if_every_window_lets_it() -> None:
    deny = project(window("deny", "0 0 * * *", "1h") + window("deny", "0 2 * * *", "1h", syncOverrun=True))
    assert [line.strip() for line in converted(deny).text.splitlines() if "running" in line] == [
        "running: stop",
        "running: finish",
    ]
    one = window("allow", "0 9 * * *", "8h", syncOverrun=True)
    assert "running: stop" in converted(project(one + window("allow", "0 20 * * *", "1h"))).text
    assert "running: finish" in converted(project(one)).text


def test_a_selector_that_another_one_covers_is_left_out() -> None:
    lists = {"applications": ["*"], "clusters": ["in-cluster"], "namespaces": ["shop-prod"]}
    everything = window("deny", "0 22 * * *", "8h", **lists)
    placed = window("deny", "0 23 * * *", "1h", **{**lists, "applications": []})
    mapped: dict[str, Any] = {
        "projects/shop": ("services", "shop-*"),
        "clusters/in-cluster": ("environments", "production"),
        "namespaces/shop-prod": ("environments", "production"),
    }
    both = ["production", "staging"]
    result = converted(project(everything + placed), environments=both, mapped=mapped)
    policies = yaml.safe_load(result.text)["policies"]
    production = {"services": ["shop-*"], "environments": ["production"]}
    wide = {"services": ["shop-*"], "environments": both}
    assert [policy["applies_to"] for policy in policies] == [[wide], [production]]
