"""The dashboard and the alerts, held against the metrics that a gate really exposes."""

import itertools
import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.instant import DAY, HOUR, parse_instant
from app.core.merge_check import MergeCheck
from app.core.merge_freeze import Head, MergeRule, branch_pattern, repository_pattern
from app.core.notification import Occasion
from app.gate.calendar_state import CalendarState
from app.gate.notifications import Notifications
from app.gate.outbox import DeliveryResult
from app.gate.projection_state import ProjectionPlace
from app.integrations.receivers import Receiver
from app.integrations.vendors import notifiers
from app.policies.calendars.fetch import NO_VALIDATORS
from app.policies.calendars.kept import Kept
from app.server.context import Context
from app.server.periodic import poll_policies
from tests.api.conftest import POLICIES, bearer, clock, folder, gate, keys, log
from tests.api.fakes import FakeClock
from tests.deploy.promql import named
from tests.gate.conftest import reload
from tests.store.hurried import hurried

__all__ = ["clock", "folder", "gate", "keys", "log"]

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "freezegate.rules.yaml"
RULE_TESTS = sorted((DEPLOY / "prometheus").glob("*.test.yaml"))
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "freezegate.json").read_text())
ALERTS: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [(panel["title"], target) for panel in PANELS for target in panel["targets"]]
EXPRESSIONS = {
    **{f"{title}, {target['refId']}": target["expr"] for title, target in TARGETS},
    **{alert["alert"]: alert["expr"] for alert in ALERTS},
}

MERGES = [MergeRule(repository_pattern("acme/*"), branch_pattern("main"), "{name}", "main")]
HEAD = Head("a", "main", ())

OF_PROMETHEUS = {"job", "instance"}
"""Labels that Prometheus puts on what it scrapes; its own metric `up` has no others."""

Exposed = Mapping[str, list[Mapping[str, str]]]


def scraped(gate: TestClient) -> list[Sample]:
    page = gate.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    return [sample for family in text_string_to_metric_families(page.text) for sample in family.samples]


def value(gate: TestClient, name: str, **labels: str) -> float | None:
    found = [each.value for each in scraped(gate) if each.name == name and each.labels == labels]
    assert len(found) < 2
    return found[0] if found else None


def grant(gate: TestClient, keys: dict[str, str]) -> dict[str, Any]:
    wanted = {"services": ["api"], "environments": ["production"], "reason": "The fix.", "ttl": "4h"}
    granted: dict[str, Any] = gate.post("/overrides", json=wanted, headers=bearer(keys["ops"])).json()
    return granted


def claim(gate: TestClient, **headers: str) -> int:
    return gate.post("/can-deploy", json={"service": "api"}, headers=headers).status_code


@pytest.fixture
def outbox(gate: TestClient) -> Notifications:
    """The notifications of the gate, for two receivers, without anybody who sends them."""
    here: Context = gate.app.state.context  # type: ignore[attr-defined]
    receivers = [
        Receiver(name, notifiers()["slack"], SecretStr("https://x"), None, frozenset(Occasion), None)
        for name in ("ops", "bot")
    ]
    made = Notifications(here.gate._store, here.policies, here.clock, receivers, "one")
    here.metrics.watch_outbox(made)
    return made


@pytest.fixture
def exposed(gate: TestClient, folder: Path, keys: dict[str, str], outbox: Notifications) -> Exposed:
    """The labels of every series of a gate that has seen some work, by the name of its metric."""
    token = grant(gate, keys)["token"]
    assert claim(gate) == 423
    assert claim(gate, **{"X-Override-Token": token}) == 200
    freeze = {"title": "Incident", "reason": "Payments are down.", "open_ended": True}
    frozen = gate.post("/freezes", json={**freeze, "environments": ["staging"]}, headers=bearer(keys["ops"]))
    assert frozen.status_code == 201
    asked = {"service": "api", "environment": "staging"}
    assert gate.get("/can-deploy", params=asked).status_code == 423
    here: Context = gate.app.state.context  # type: ignore[attr-defined]
    kept = Kept("", here.clock.now(), here.clock.now(), NO_VALIDATORS)
    of_url = CalendarState("Releases", "calendar.example (3f9ac02b)", kept, None, None, None, None)
    here.policies.report_calendars(lambda: [of_url])
    here.gate.projections.begin(ProjectionPlace("argocd", "shop", [], 90))
    feed, anchoring = here.gate.event_feed("rep", from_start=True), here.gate.anchoring(HOUR, "rep")
    assert gate.portal is not None
    assert gate.portal.call(feed.take)
    assert gate.portal.call(anchoring.due)
    here.metrics.webhook_refused("pagerduty")
    assert gate.get("/audit").status_code == 401
    here.metrics.incident_reported("pagerduty", "started")
    here.gate.merges.count(MERGES, "acme/shop", [(HEAD, MergeCheck(False, "", "", ""))])
    (folder / "policies.yaml").write_text("version: 2\n")
    reload(here.policies, here.clock.now())
    series: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for sample in scraped(gate):
        series[sample.name].append(sample.labels)
    return {**series, "up": [{}]}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_expression_asks_for_what_is_exposed(name: str, exposed: Exposed) -> None:
    asked = named(EXPRESSIONS[name])
    assert asked.metrics
    assert asked.metrics <= set(exposed)
    for metric, label, operator, wanted in asked.matchers:
        if label in OF_PROMETHEUS:
            continue
        values = {labels[label] for labels in exposed[metric]}
        assert operator == "="
        assert wanted in values
    known = {label for metric in asked.metrics for labels in exposed[metric] for label in labels}
    assert asked.grouped_by <= known | OF_PROMETHEUS


@pytest.mark.parametrize(
    "wrong",
    [
        "freezegate_decision_total",
        "freezegate_claim_duration_seconds",
        'freezegate_overrides_total{action="used"}',
        'freezegate_overrides_total{kind="spent"}',
        "sum by (service) (freezegate_decisions_total)",
        "sum by (le) (freezegate_claim_duration_seconds_count)",
    ],
)
def test_expressions_that_ask_for_something_else_are_found(wrong: str, exposed: Exposed) -> None:
    EXPRESSIONS["wrong"] = wrong
    try:
        with pytest.raises((AssertionError, KeyError)):
            test_every_expression_asks_for_what_is_exposed("wrong", exposed)
    finally:
        del EXPRESSIONS["wrong"]


def test_what_is_not_understood_is_an_error() -> None:
    for text in ("sum(a) @ 3", 'a{b="c", d}', "a[$__made_up]"):
        with pytest.raises(ValueError, match="not understood"):
            named(text)


@pytest.mark.parametrize(("title", "target"), TARGETS, ids=lambda each: each if isinstance(each, str) else "")
def test_legends_name_labels_that_are_left(title: str, target: dict[str, Any]) -> None:
    shown = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", target["legendFormat"]))
    assert shown <= named(target["expr"]).grouped_by


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_every_alert_says_how_bad_what_why_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("info", "warning", "critical")
    assert set(alert["annotations"]) == {"summary", "description", "runbook"}
    shown = set(re.findall(r"\$labels\.(\w+)", " ".join(alert["annotations"].values())))
    assert shown <= named(alert["expr"]).grouped_by


def test_runbooks_lead_to_a_heading_of_a_page() -> None:
    hints = [re.findall(r"(docs/\S+\.md), ([^.]+)\.", alert["annotations"]["runbook"]) for alert in ALERTS]
    assert any(hints)
    for page, heading in itertools.chain.from_iterable(hints):
        text = (DEPLOY.parent / page).read_text()
        assert re.search(rf"^##? {re.escape(heading)}$", text, re.MULTILINE), (page, heading)


def test_the_dashboard_takes_any_prometheus_and_no_plugins() -> None:
    source = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
    variables = {each["name"]: each["type"] for each in DASHBOARD["templating"]["list"]}
    assert variables == {"DS_PROMETHEUS": "datasource", "job": "query"}
    for panel in PANELS:
        assert panel["datasource"] == source
        assert all(target["datasource"] == source for target in panel["targets"])
    brought_along = {"stat", "timeseries", "state-timeline", "bargauge", "table"}
    assert {panel["type"] for panel in PANELS} <= brought_along
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))


def test_no_two_panels_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = set(
            itertools.product(
                range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
            )
        )
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def promtool(*arguments: str | Path, given: str = "") -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip(
            "no promtool on PATH: the alert rules are NOT checked by Prometheus (.ci/run installs it)"
        )
    command = [program, *map(str, arguments)]
    ran = subprocess.run(
        command, cwd=RULES.parent, input=given, capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_prometheus_takes_the_rules() -> None:
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", RULES)


@pytest.mark.parametrize("file", RULE_TESTS, ids=lambda file: str(file.name))
def test_alerts_fire_and_rest_as_their_tests_say(file: Path) -> None:
    promtool("test", "rules", file)


def test_prometheus_finds_no_fault_with_the_metrics(gate: TestClient) -> None:
    claim(gate)
    assert promtool("check", "metrics", given=gate.get("/metrics").text) == ""


def test_prometheus_takes_the_configuration_of_the_readme(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", (DEPLOY / "README.md").read_text(), re.DOTALL)
    (job,) = (each["job_name"] for each in yaml.safe_load(text)["scrape_configs"])
    for alert in ALERTS:
        for _, label, _, wanted in named(alert["expr"]).matchers:
            assert label != "job" or wanted == job
    # Debian's promtool is built without Kubernetes; the rest of it can be looked at.
    discovered, static = "kubernetes_sd_configs: [{role: pod}]", 'static_configs: [{targets: ["gate:1400"]}]'
    assert discovered in text
    (tmp_path / "prometheus.yaml").write_text(text.replace(discovered, static))
    shutil.copy(RULES, tmp_path)
    promtool("check", "config", tmp_path / "prometheus.yaml")


def test_the_pages_name_every_metric_and_alert_and_no_others(exposed: Exposed) -> None:
    table = (DEPLOY.parent / "docs" / "reference" / "metrics.md").read_text()
    kinds = re.compile(r"_(bucket|count|sum|created)$")
    there = {kinds.sub("", name) for name in exposed if name.startswith("freezegate")}
    there -= {name for name in there if f"{name}_total" in there}
    assert set(re.findall(r"\bfreezegate_\w+", table)) == there
    readme = (DEPLOY / "README.md").read_text()
    assert set(re.findall(r"`(Freezegate\w+)`", readme)) == {alert["alert"] for alert in ALERTS}


def test_every_alert_is_tested_to_fire_and_to_rest() -> None:
    cases = [case for file in RULE_TESTS for case in yaml.safe_load(file.read_text())["tests"]]
    seen = {
        (each["alertname"], bool(each["exp_alerts"])) for case in cases for each in case["alert_rule_test"]
    }
    assert seen == {(alert["alert"], fires) for alert in ALERTS for fires in (True, False)}


def test_nobody_can_invent_a_series(gate: TestClient, keys: dict[str, str]) -> None:
    def work(number: int) -> None:
        made_up = {"ref": f"ref-{number}", "actor": f"actor-{number}", "run_url": f"https://ci/{number}"}
        headers = {**bearer(keys["ci"]), "Idempotency-Key": f"key-{number}", "X-Request-Id": f"id-{number}"}
        body = {"service": f"service-{number}", **made_up}
        assert gate.post("/can-deploy", json=body, headers=headers).status_code == 423
        gate.get("/can-deploy", params={"service": f"service-{number}"})
        gate.get("/can-deploy", params={"service": "api", "environment": f"environment-{number}"})
        gate.get(f"/path-{number}")
        gate.get(f"/policies/policy-{number}")
        gate.get(f"/static/{number}.js")
        gate.request(f"METHOD{number}", "/can-deploy")

    def series() -> set[tuple[str, str]]:
        return {(each.name, str(sorted(each.labels.items()))) for each in scraped(gate)}

    work(0)
    scraped(gate)
    before = series()
    for number in range(1, 201):
        work(number)
    assert series() == before


def test_every_route_is_counted_under_its_own_path(gate: TestClient) -> None:
    for path in ("/docs", "/openapi.json", "/made-up"):
        gate.get(path)
    routes = {each.labels["route"] for each in scraped(gate) if each.name == "freezegate_requests_total"}
    assert {"/docs", "/openapi.json", "unmatched"} <= routes
    assert not [route for route in routes if "made-up" in route]


def test_the_state_of_environments_and_policies(gate: TestClient, clock: FakeClock) -> None:
    assert value(gate, "freezegate_environment_open", environment="production") == 0
    assert value(gate, "freezegate_environment_open", environment="staging") == 1
    until = "freezegate_environment_next_change_seconds"
    assert value(gate, until, environment="production") == 2 * DAY + 18 * 3600 - 5 * 60
    assert value(gate, until, environment="staging") is None
    assert value(gate, "freezegate_policy_vetoing", policy="friday-afternoon") == 1
    assert value(gate, "freezegate_policy_vetoing", policy="lunch") is None
    clock.at += 3 * DAY
    assert value(gate, "freezegate_environment_open", environment="production") == 1
    assert value(gate, "freezegate_policy_vetoing", policy="friday-afternoon") == 0


def test_a_policy_in_the_zone_of_the_service_vetoes_while_it_does_in_any(
    gate: TestClient, folder: Path
) -> None:
    # 14:05 in Amsterdam, 08:05 in New York.
    (folder / "policies.yaml").write_text(
        "version: 1\ntimezone: Europe/Amsterdam\nservices: {shop: {timezone: America/New_York}}\n"
        "policies:\n  - {id: morning, title: T, reason: R, timezone: service, "
        "when: [{daily: {from: '06:00', to: '09:00'}}]}\n"
    )
    here: Context = gate.app.state.context  # type: ignore[attr-defined]
    poll_policies(here)
    poll_policies(here)
    assert value(gate, "freezegate_policy_vetoing", policy="morning") == 1


DETERMINED = "freezegate_policy_decisions_total"


def test_decisions_are_counted_by_what_determined_them(
    gate: TestClient, keys: dict[str, str], clock: FakeClock
) -> None:
    denied = {"policy": "friday-afternoon", "outcome": "deny"}
    assert value(gate, DETERMINED, **denied) == 0
    retry = {"Idempotency-Key": "once"}
    assert [claim(gate), claim(gate, **retry), claim(gate, **retry)] == [423] * 3
    for _ in range(3):
        gate.get("/can-deploy", params={"service": "api"})
    gate.get("/can-deploy", params={"service": "docs-site"})
    assert value(gate, DETERMINED, **denied) == 6
    assert value(gate, DETERMINED, policy="ad-hoc", outcome="deny") == 0
    freeze = {"title": "Incident", "reason": "Payments are down.", "ttl": "1h"}
    gate.post("/freezes", json=freeze, headers=bearer(keys["ops"]))
    assert [claim(gate), claim(gate, **{"Idempotency-Key": "twice"})] == [423, 423]
    assert claim(gate, **{"X-Override-Token": grant(gate, keys)["token"]}) == 200
    assert value(gate, DETERMINED, **denied) == 8
    assert value(gate, DETERMINED, policy="ad-hoc", outcome="deny") == 2
    assert value(gate, DETERMINED, policy="friday-afternoon", outcome="override") == 1
    assert value(gate, DETERMINED, policy="ad-hoc", outcome="override") == 1
    assert value(gate, DETERMINED, policy="lunch", outcome="warn") == 0
    clock.at = parse_instant("2026-12-01T11:30:00Z")
    assert claim(gate) == 200
    assert value(gate, DETERMINED, policy="lunch", outcome="warn") == 1


def test_overrides_are_counted_from_grant_to_end(
    gate: TestClient, keys: dict[str, str], clock: FakeClock
) -> None:
    def counted() -> list[float | None]:
        actions = ("granted", "approved", "spent", "revoked")
        return [value(gate, "freezegate_overrides_total", action=action) for action in actions]

    def usable() -> float | None:
        clock.at += 5
        gate.app.state.context.cache.load()  # type: ignore[attr-defined]
        return value(gate, "freezegate_overrides_active")

    assert (counted(), usable()) == ([0, 0, 0, 0], 0)
    first, second = grant(gate, keys), grant(gate, keys)
    assert (counted(), usable()) == ([2, 0, 0, 0], 2)
    assert claim(gate, **{"X-Override-Token": first["token"]}) == 200
    assert claim(gate, **{"X-Override-Token": first["token"]}) == 423
    assert (counted(), usable()) == ([2, 0, 1, 0], 1)
    for _ in range(2):
        gate.delete(f"/overrides/{second['id']}", headers=bearer(keys["ops"]))
    assert (counted(), usable()) == ([2, 0, 1, 1], 0)
    assert first["token"] not in gate.get("/metrics").text


def test_an_override_that_waits_for_approval_is_pending(
    folder: Path, gate: TestClient, keys: dict[str, str], clock: FakeClock
) -> None:
    text = POLICIES.replace("policies:\n", "overrides: {approvals: 1}\npolicies:\n", 1)
    (folder / "policies.yaml").write_text(text)
    here = gate.app.state.context  # type: ignore[attr-defined]
    poll_policies(here)
    poll_policies(here)
    granted = grant(gate, keys)
    for waiting in (1, 0):
        clock.at += 5
        here.cache.load()
        assert value(gate, "freezegate_overrides_pending") == waiting
        assert value(gate, "freezegate_overrides_active") == 1 - waiting
        gate.post(f"/overrides/{granted['id']}/approve", headers=bearer(keys["admin"]))
    assert value(gate, "freezegate_overrides_total", action="approved") == 1


def test_freezes_tell_how_old_the_oldest_is(gate: TestClient, keys: dict[str, str], clock: FakeClock) -> None:
    age = "freezegate_freezes_oldest_age_seconds"
    assert value(gate, age) == 0
    for _ in range(2):
        freeze = {"title": "Incident", "reason": "Payments are down.", "open_ended": True}
        gate.post("/freezes", json=freeze, headers=bearer(keys["ops"]))
        clock.at += 3600
    assert value(gate, age) == 7200
    assert value(gate, "freezegate_freezes_active") == 2


def test_what_waits_for_a_receiver_is_told_and_for_how_long(
    gate: TestClient, keys: dict[str, str], clock: FakeClock, outbox: Notifications
) -> None:
    def told(receiver: str) -> tuple[float | None, float | None]:
        assert gate.portal is not None
        gate.portal.call(outbox.collect)
        names = ("freezegate_notifications_waiting", "freezegate_notifications_oldest_age_seconds")
        waiting, age = (value(gate, name, receiver=receiver) for name in names)
        return waiting, age

    assert told("ops") == (0, 0)
    freeze = {"title": "Incident", "reason": "Payments are down.", "open_ended": True}
    gate.post("/freezes", json=freeze, headers=bearer(keys["ops"]))
    clock.at += 10
    # Found now, and counted at the next look but some.
    told("ops")
    clock.at += 10
    assert told("ops") == told("bot") == (1, 10)
    assert gate.portal is not None
    outstanding = gate.portal.call(outbox.due, "bot")
    assert outstanding is not None
    gate.portal.call(outbox.settle, outstanding.message, DeliveryResult("taken"), 0.0)
    clock.at += 3_600
    assert told("ops") == (1, 3_610)
    assert told("bot") == (0, 0)


def test_a_refused_file_is_told_also_after_it_was_mended(
    gate: TestClient, folder: Path, clock: FakeClock
) -> None:
    name = "freezegate_policies_last_failure_timestamp_seconds"
    here = gate.app.state.context  # type: ignore[attr-defined]
    assert value(gate, name) == 0
    (folder / "policies.yaml").write_text("version: 1\n")
    poll_policies(here)
    poll_policies(here)
    failed_at = clock.at
    clock.at += 60
    (folder / "policies.yaml").write_text(POLICIES)
    poll_policies(here)
    poll_policies(here)
    assert value(gate, name) == failed_at
    assert value(gate, "freezegate_policies_stale") == 0


def test_writing_is_timed_and_what_could_not_be_written_is_counted(gate: TestClient) -> None:
    assert value(gate, "freezegate_write_failures_total") == 0
    assert claim(gate) == 423
    assert value(gate, "freezegate_claim_duration_seconds_count") == 1
    assert value(gate, "freezegate_store_commit_duration_seconds_count") == 1
    assert value(gate, "freezegate_store_batch_size_sum") == 1
    store = gate.app.state.context.gate._store  # type: ignore[attr-defined]
    with hurried(store), store._database.writing():
        assert claim(gate) == 503
    assert value(gate, "freezegate_write_failures_total") == 1
    assert value(gate, "freezegate_claim_duration_seconds_count") == 2


def test_versions_are_told(gate: TestClient) -> None:
    told = gate.get("/status").json()["policies"]
    assert value(gate, "freezegate_tzdata_info", version=told["tzdata"]) == 1
    assert value(gate, "freezegate_holidays_info", version=told["holidays"]) == 1
    assert [each for each in scraped(gate) if each.name == "freezegate_build_info"]
