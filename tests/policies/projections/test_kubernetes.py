"""The ConfigMap for policies in a cluster; its times are held against `/schedule` in `test_projections`."""

import json
from typing import Any

import pytest

from app.core.engine import Engine
from app.core.instant import DAY, format_instant, parse_instant
from app.policies.load import load
from app.policies.projections.kubernetes import KUBERNETES, MOST_BYTES, MOST_LINES
from app.policies.projections.projection import Projected, ProjectionOptions, ProjectionScope
from app.policies.source import Snapshot

NOW = parse_instant("2026-11-25T12:34:56Z")
FRIDAY, MONDAY = map(parse_instant, ("2026-11-27T13:00:00Z", "2026-11-30T07:00:00Z"))
HEAD = "version: 1\ntimezone: Europe/Amsterdam\nenvironments: [production]\nservices: {api: {tags: [t]}}\n"
WEEKEND = "weekly: {from: fri 14:00, to: mon 08:00}"


def rule(window: str, name: str = "one", more: str = "", title: str = "T") -> str:
    return f"  - {{id: {name}, title: {title!r}, reason: R, when: [{{{window}}}]{more}}}\n"


def engine(rules: str, head: str = HEAD) -> Engine:
    return load(Snapshot.of(f"{head}policies:\n{rules}")).engine


def projected(rules: str, *scopes: ProjectionScope, head: str = HEAD, days: int = 90) -> Projected:
    options = ProjectionOptions(NOW, days, scopes or [ProjectionScope()])
    return KUBERNETES.project(engine(rules, head), options)


def data(found: Projected) -> dict[str, str]:
    content: dict[str, str] = KUBERNETES.body(found)["data"]
    return content


def test_each_kind_of_change_has_its_state_and_its_frozen_time() -> None:
    found = data(projected(rule(WEEKEND, more=", exempt: {changes: [rollback]}, contact: '#ops'"), days=7))
    assert found == {
        "format": "1",
        "environment": "production",
        "generated_at": "2026-11-25T00:00:00Z",
        "valid_until": "2026-12-02T00:00:00Z",
        "valid_until_seconds": str(parse_instant("2026-12-02T00:00:00Z")),
        "usual_change": "normal",
        **{f"state.{change}": "open" for change in ("normal", "hotfix", "rollback")},
        **{
            f"message.{change}": "production is open. Closes Fri 27 Nov 14:00 CET."
            for change in ("normal", "hotfix")
        },
        "message.rollback": "production is open.",
        **{
            f"horizon.{change}": f"{FRIDAY} {MONDAY} one production is frozen: T. "
            "Opens Mon 30 Nov 08:00 CET. Ask #ops."
            for change in ("normal", "hotfix")
        },
        "horizon.rollback": "",
    }


def test_what_never_opens_says_so_and_lasts_until_the_end() -> None:
    found = data(projected(rule("always: true")))
    assert found["state.normal"] == "frozen"
    assert found["message.normal"] == "production is frozen: T. It does not open within two years."
    start, end, *_ = found["horizon.normal"].split()
    assert (int(start), end) == (parse_instant("2026-11-24T00:00:00Z"), found["valid_until_seconds"])


def test_a_service_has_a_config_map_of_its_own() -> None:
    about_tags = rule(WEEKEND, more=", applies_to: {tags: [t]}")
    scopes = ProjectionScope(), ProjectionScope("production", "api")
    found = projected(about_tags, *scopes)
    alone, api = KUBERNETES.body(found)["items"]
    assert (alone["metadata"]["name"], api["metadata"]["name"]) == (
        "freezegate-production",
        "freezegate-production-api",
    )
    assert alone["data"]["horizon.normal"] == ""
    assert api["data"]["service"] == "api"
    assert "one api in production is frozen: T." in api["data"]["horizon.normal"]
    assert found.remarks == []
    assert [(each.policy, each.refused) for each in projected(about_tags).remarks] == [("one", True)]
    assert KUBERNETES.live(KUBERNETES.body(found), "freezegate") == found.windows


def test_a_name_is_one_of_kubernetes_or_that_of_the_file() -> None:
    head = HEAD.replace("[production]", "[production, eu_west/prod]")
    found = projected(rule(WEEKEND), ProjectionScope("eu_west/prod"), head=head)
    assert KUBERNETES.body(found)["metadata"]["name"] == "freezegate-eu-west-prod"
    scope = ProjectionScope(names={"config_maps": ["ours"]})
    assert KUBERNETES.body(projected(rule(WEEKEND), scope))["metadata"]["name"] == "ours"


def test_a_kind_of_change_that_can_be_no_key_is_reported() -> None:
    found = projected(rule(WEEKEND), head=f"{HEAD}changes: [normal, a/b]\n")
    assert [each.policy for each in found.remarks] == ["a/b"]
    assert "state.a/b" not in data(found)


def test_a_kind_of_change_of_a_service_is_refused_if_it_is_open_in_the_environment() -> None:
    selectors = "[{changes: [normal]}, {services: [api]}]"
    found = projected(rule(WEEKEND, more=f", applies_to: {selectors}"))
    assert [each.sentence for each in found.refused] == [
        "left out: it is about api; project each of them, too"
    ]
    denied = f"{HEAD}changes: [normal, a/b]\n"
    assert projected(rule(WEEKEND, more=f", applies_to: {selectors}"), head=denied).refused == []


@pytest.mark.parametrize(
    ("window", "title", "refused"),
    [
        ('cron: {start: "0 */2 * * *", duration: 61m}', "T", False),
        ('cron: {start: "*/5 * * * *", duration: 61s}', "T", False),
        ('cron: {start: "*/2 * * * *", duration: 61s}', "T", True),
        ('cron: {start: "0 */2 * * *", duration: 61m}', "é" * 200, False),
    ],
)
def test_too_much_frozen_time_ends_earlier(window: str, title: str, *, refused: bool) -> None:
    found = projected(rule(window, title=title))
    content = data(found)
    until = int(content["valid_until_seconds"])
    assert content["valid_until"] == format_instant(until)
    assert NOW < until <= NOW + 90 * DAY
    lines = content["horizon.normal"].splitlines()
    assert len(lines) <= MOST_LINES
    assert all(int(line.split()[0]) < until and int(line.split()[1]) <= until for line in lines)
    assert len(json.dumps(KUBERNETES.body(found), ensure_ascii=False).encode()) < 1024 * 1024
    assert sum(len(content[f"horizon.{each}"].encode()) for each in ("normal", "hotfix")) <= MOST_BYTES
    told = [each for each in found.remarks if "there is room until" in each.sentence]
    assert [each.refused for each in told] == [refused]


def test_no_kind_of_change_has_frozen_time_after_the_end_of_another() -> None:
    often = rule('cron: {start: "*/5 * * * *", duration: 61s}', more=", applies_to: {changes: [normal]}")
    found = data(projected(often + rule("always: true", "two", ", applies_to: {changes: [hotfix]}")))
    (line,) = found["horizon.hotfix"].splitlines()
    assert line.split()[1] == found["valid_until_seconds"]


@pytest.mark.parametrize(
    "resource", [{}, [], None, {"items": [1]}, {"items": {}}, {"kind": "ConfigMap"}, {"kind": "Secret"}]
)
def test_something_else_is_no_config_map(resource: Any) -> None:
    with pytest.raises(ValueError, match="no ConfigMap"):
        KUBERNETES.live(resource, "freezegate")
