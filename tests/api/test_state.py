import importlib
import itertools
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.instant import HOUR
from app.gate.calendar_state import CalendarState
from app.policies.calendars.fetch import NO_VALIDATORS
from app.policies.calendars.kept import Kept
from app.policies.load import load
from app.policies.source import Snapshot, Source
from app.server.context import Context
from app.server.periodic import poll_policies
from app.server.response_models import StatusBody
from tests.api.conftest import POLICIES
from tests.api.fakes import FakeClock


def test_status_tells_every_environment_and_the_services_that_differ(gate: TestClient) -> None:
    body = gate.get("/status").json()
    production, staging = body["environments"]
    assert production["message"].startswith("production is frozen: No deploys after Friday 14:00.")
    assert (production["allowed"], production["opens_at"]) == (False, "2026-11-30T07:00:00Z")
    assert [service["service"] for service in production["services"]] == ["docs-site"]
    assert (staging["allowed"], staging["services"]) == (True, [])
    assert [freeze["id"] for freeze in body["freezes"]["active"]] == ["friday-afternoon"]
    assert body["policies"]["stale"] is False


def test_a_page_of_the_status_is_of_one_environment(gate: TestClient) -> None:
    body = gate.get("/status", params={"environment": "production"}).json()
    [production] = body["environments"]
    assert (production["environment"], production["services_differ"], production["next"]) == (
        "production",
        1,
        None,
    )
    assert [each["also"] for each in production["services"]] == [[]]
    after = {"environment": "production", "cursor": "docs-site"}
    [production] = gate.get("/status", params=after).json()["environments"]
    assert (production["services"], production["services_differ"]) == ([], 1)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"environment": "moon"}, "environment"),
        ({"environment": "production", "cursor": "moon"}, "cursor"),
        ({"cursor": "docs-site"}, "cursor"),
    ],
)
def test_pages_that_do_not_exist_are_refused(gate: TestClient, query: dict[str, str], field: str) -> None:
    reply = gate.get("/status", params=query)
    assert reply.status_code == 422
    assert [each["field"] for each in reply.json()["errors"]] == [field]


def test_status_is_200_at_another_instant_too(gate: TestClient) -> None:
    reply = gate.get("/status", params={"at": "2026-11-25T10:00:00Z"})
    assert reply.status_code == 200
    assert reply.json()["environments"][0]["allowed"] is True
    assert reply.json()["freezes"]["upcoming"][0]["from"] == "2026-11-27T13:00:00Z"


def test_what_holds_now_is_upcoming_again(gate: TestClient) -> None:
    freezes = gate.get("/status").json()["freezes"]
    [active], [coming] = freezes["active"], freezes["upcoming"]
    assert (active["id"], active["until"]) == ("friday-afternoon", "2026-11-30T07:00:00Z")
    assert (coming["id"], coming["from"]) == ("friday-afternoon", "2026-12-04T13:00:00Z")


def test_a_schedule_is_made_of_consecutive_segments(gate: TestClient) -> None:
    asked = {"service": "api", "from": "2026-11-26T00:00:00Z", "to": "2026-12-01T00:00:00Z"}
    body = gate.get("/schedule", params=asked).json()
    segments = body["segments"]
    assert segments[0]["from"] == "2026-11-26T00:00:00Z"
    assert segments[-1]["to"] == "2026-12-01T00:00:00Z"
    assert all(one["to"] == other["from"] for one, other in itertools.pairwise(segments))
    blocked = [each for each in segments if not each["allowed"]]
    assert (blocked[0]["from"], blocked[-1]["to"]) == ("2026-11-27T13:00:00Z", "2026-11-30T07:00:00Z")


@pytest.mark.parametrize(
    "span",
    [
        {"from": "2026-01-01T00:00:00Z", "to": "2027-01-02T00:00:01Z"},
        {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
        {"from": "2100-12-31T00:00:00Z", "to": "2101-01-02T00:00:00Z"},
        {"from": "yesterday"},
    ],
)
def test_a_schedule_has_limits(gate: TestClient, span: dict[str, str]) -> None:
    assert gate.get("/schedule", params={"service": "api", **span}).status_code == 422


def test_a_schedule_may_span_366_days(gate: TestClient) -> None:
    span = {"service": "api", "from": "2026-01-01T00:00:00Z", "to": "2027-01-02T00:00:00Z"}
    reply = gate.get("/schedule", params=span)
    assert reply.status_code == 200
    assert reply.json()["segments"][-1]["to"] == span["to"]


def test_policies_are_told_in_words_with_their_next_occurrences(gate: TestClient) -> None:
    policies = gate.get("/policies").json()["policies"]
    assert policies[0]["in_words"] == (
        "Deploys are refused every week from Friday 14:00 to Monday 08:00, Europe/Amsterdam time."
    )
    assert policies[0]["next"] == [
        {"from": "2026-11-27T13:00:00Z", "until": "2026-11-30T07:00:00Z"},
        {"from": "2026-12-04T13:00:00Z", "until": "2026-12-07T07:00:00Z"},
        {"from": "2026-12-11T13:00:00Z", "until": "2026-12-14T07:00:00Z"},
    ]
    assert gate.get("/policies/lunch").json()["effect"] == "warn"
    assert gate.get("/policies/nobody").status_code == 404


def test_the_times_of_notices_are_shown_with_the_policy_and_remind_in_the_feed(
    gate: TestClient, folder: Path
) -> None:
    text = POLICIES.replace("    reason:", "    notify_before: [1h, 7d]\n    reason:", 1)
    (folder / "policies.yaml").write_text(text)
    reload(gate)
    friday, *others = gate.get("/policies").json()["policies"]
    assert friday["notify_before_s"] == [604_800, 3_600]
    assert {each["notify_before_s"] == [] for each in others} == {True}
    page = gate.get("/dashboard/policies").text
    assert page.count("Announced 7 d, 1 h ahead.") == 1
    feed = gate.get("/calendar.ics").text
    assert feed.count("BEGIN:VALARM") == 2 * feed.count("X-FREEZEGATE-RULE:friday") > 0
    assert "TRIGGER:-P7D\r\n" in feed
    assert "TRIGGER:-PT1H\r\n" in feed


@pytest.mark.parametrize("path", ["/status?x=1", "/schedule?service=api&x=1", "/policies?x=1"])
def test_unknown_parameters_are_refused_everywhere(gate: TestClient, path: str) -> None:
    assert gate.get(path).status_code == 422


def test_what_the_framework_refuses_is_a_problem_too(gate: TestClient) -> None:
    for reply, status in ((gate.get("/nothing"), 404), (gate.delete("/can-deploy"), 405)):
        assert reply.status_code == status
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["status"] == status


def reload(gate: TestClient) -> None:
    """Poll twice: the second poll takes what the first one found."""
    for _ in range(2):
        poll_policies(gate.app.state.context)  # type: ignore[attr-defined]


def test_a_good_change_of_the_policies_is_taken(gate: TestClient, folder: Path) -> None:
    before = gate.get("/status").json()["policies"]["revision"]
    (folder / "policies.yaml").write_text(POLICIES.replace("fri 14:00", "fri 15:00").split("tests:")[0])
    reload(gate)
    body = gate.get("/can-deploy", params={"service": "api"}).json()
    assert body["allowed"] is True
    assert body["closes_at"] == "2026-11-27T14:00:00Z"
    assert body["policy_revision"] != before


def test_a_bad_change_leaves_the_old_set_in_force_and_is_seen(
    gate: TestClient, folder: Path, clock: FakeClock
) -> None:
    (folder / "policies.yaml").write_text(POLICIES.replace("fri 14:00", "fri 25:00"))
    reload(gate)
    assert gate.get("/can-deploy", params={"service": "api"}).status_code == 423
    told = gate.get("/status").json()["policies"]
    assert told["stale"] is True
    assert "policies.yaml:17:24: policies[0].when[0].weekly.from" in told["last_error"]["problems"][0]
    ready = gate.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["checks"]["policies"]["stale_since"] == "2026-11-27T13:05:00Z"
    assert "freezegate_policies_stale 1.0" in gate.get("/metrics").text
    (folder / "policies.yaml").write_text(POLICIES)
    reload(gate)
    assert gate.get("/status").json()["policies"]["stale"] is False


OWNED = """
owners:
  payments.yaml: {team: Payments, services: [checkout], contact: "#payments"}
"""
TEAM = """version: 1
policies:
  - {id: mine, title: Ours, reason: R., when: [{weekly: {from: fri 14:00, to: mon 08:00}}]}
"""


def test_a_broken_file_of_a_team_is_named_with_its_team_everywhere(
    gate: TestClient, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "policies.yaml").write_text(POLICIES + OWNED)
    (folder / "payments.yaml").write_text(TEAM)
    here: Context = gate.app.state.context  # type: ignore[attr-defined]
    here.policies.load(Source(folder), here.clock.now())
    (folder / "payments.yaml").write_text(TEAM.replace("fri 14:00", "fri 25:00"))
    reload(gate)
    failure = gate.get("/status").json()["policies"]["last_error"]
    assert failure["problems"][0].startswith("payments.yaml:3:")
    assert failure["owners"] == [{"file": "payments.yaml", "team": "Payments", "contact": "#payments"}]
    page = " ".join(re.sub("<[^>]*>", "", gate.get("/").text).split())
    assert "payments.yaml:3:" in page
    assert "payments.yaml belongs to Payments: ask #payments. Until it is mended" in page
    assert (
        'freezegate_policies_broken_file{file="payments.yaml",team="Payments"} 1.0'
        in gate.get("/metrics").text
    )
    assert "payments.yaml belongs to Payments: ask #payments." in str(caplog.records[-1].__dict__)


def test_a_change_that_removes_policies_is_taken_and_reported(
    gate: TestClient, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "policies.yaml").write_text("version: 1\npolicies: []\n")
    reload(gate)
    body = gate.get("/status").json()
    removed = body["policies"]["removed"]
    assert {"kind": "policy", "name": "lunch", "at": "2026-11-27T13:05:00Z"} in removed
    assert any("removed from the policy files at 2026-11-27T13:05:00Z" in each for each in body["warnings"])
    policies = sum(each["kind"] == "policy" for each in removed)
    assert f'freezegate_policies_removed{{kind="policy"}} {float(policies)}' in gate.get("/metrics").text
    assert "removed from the policy files at 2026-11-27T13:05:00Z" in gate.get("/").text
    assert any("removed from the policy files" in message for message in caplog.messages)
    (folder / "policies.yaml").write_text(POLICIES)
    reload(gate)
    assert gate.get("/status").json()["policies"]["removed"] == []
    assert 'freezegate_policies_removed{kind="policy"} 0.0' in gate.get("/metrics").text


def test_a_file_that_fails_its_own_tests_is_not_taken(gate: TestClient, folder: Path) -> None:
    (folder / "policies.yaml").write_text(POLICIES.replace("from: fri 14:00", "from: fri 15:00"))
    reload(gate)
    assert gate.get("/status").json()["policies"]["stale"] is True


def test_health_readiness_and_metrics(gate: TestClient) -> None:
    assert gate.get("/healthz").json() == {"status": "up"}
    assert gate.get("/readyz").json()["ready"] is True
    gate.get("/can-deploy", params={"service": "made-up-name"})
    page = gate.get("/metrics").text
    assert 'freezegate_decisions_total{asked_by="question",outcome="deny"} 1.0' in page
    assert "made-up-name" not in page


def test_the_api_is_documented(gate: TestClient) -> None:
    document = gate.get("/openapi.json").json()
    parameters = document["paths"]["/can-deploy"]["get"]["parameters"]
    assert [each["name"] for each in parameters] == [
        "service",
        "environment",
        "change",
        "duration",
        "at",
        "deny_status",
    ]
    assert gate.get("/docs").status_code == 200


SEVERAL_CHANGES = """\
version: 1
environments: [production]
changes: [hotfix, normal, rollback]
policies:
  - id: closed
    title: Closed
    reason: A test.
    exempt: {changes: [hotfix]}
    when: [{always: true}]
"""


def test_an_environment_is_as_open_as_for_the_usual_kind_of_change_wherever_that_is_listed(
    gate: TestClient, folder: Path
) -> None:
    (folder / "policies.yaml").write_text(SEVERAL_CHANGES)
    context = gate.app.state.context  # type: ignore[attr-defined]
    context.policies.load(Source(folder / "policies.yaml"), context.clock.now())
    assert gate.post("/can-deploy", json={"service": "api"}).status_code == 423
    assert gate.get("/status").json()["environments"][0]["allowed"] is False
    assert gate.get("/badge.json").json()["message"].startswith("frozen")
    assert 'freezegate_environment_open{environment="production"} 0.0' in gate.get("/metrics").text
    events = gate.get("/calendar.ics").text.count("BEGIN:VEVENT")
    assert events == gate.get("/calendar.ics?service=api").text.count("BEGIN:VEVENT") == 1
    assert "FROZEN" in gate.get("/").text


def test_where_there_is_no_normal_change_the_first_kind_is_the_usual_one() -> None:
    text = SEVERAL_CHANGES.replace("normal, ", "")
    assert load(Snapshot.of(text)).engine.policy_set.usual_change == "hotfix"
    assert load(Snapshot.of(SEVERAL_CHANGES)).engine.policy_set.usual_change == "normal"


EVERY_MINUTE = """\
version: 1
policies:
  - {id: jobs, title: Jobs, reason: R., when: [{cron: {start: "* * * * *", duration: 30s}}]}
"""


def test_a_schedule_of_too_many_segments_is_refused_with_what_can_be_asked(
    gate: TestClient, folder: Path
) -> None:
    (folder / "policies.yaml").write_text(EVERY_MINUTE)
    context = gate.app.state.context  # type: ignore[attr-defined]
    context.policies.load(Source(folder / "policies.yaml"), context.clock.now())
    asked = {"service": "api", "from": "2026-11-27T00:00:00Z"}
    [error] = gate.get("/schedule", params=asked).json()["errors"]
    assert error["field"] == "to"
    until = error["message"].rpartition("until ")[2]
    assert len(gate.get("/schedule", params={**asked, "to": until}).json()["segments"]) == 10_000


def test_a_schedule_of_too_many_rules_is_refused_with_what_can_be_asked(
    gate: TestClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gate.schedule.MOST_RULES", 100)
    daily = "title: Nights, reason: R., when: [{daily: {from: '22:00', to: '06:00'}}]"
    policies = "".join(f"  - {{id: nights-{number}, {daily}}}\n" for number in range(30))
    (folder / "policies.yaml").write_text(f"version: 1\npolicies:\n{policies}")
    context = gate.app.state.context  # type: ignore[attr-defined]
    context.policies.load(Source(folder / "policies.yaml"), context.clock.now())
    asked = {"service": "api", "from": "2026-11-27T00:00:00Z"}
    [error] = gate.get("/schedule", params=asked).json()["errors"]
    assert error["field"] == "to"
    assert error["message"].endswith("100 rules in them; ask until 2026-11-29T22:00:00Z")
    segments = gate.get("/schedule", params={**asked, "to": "2026-11-29T22:00:00Z"}).json()["segments"]
    assert [len(each["blocking"]) for each in segments] == [30, 0, 30, 0, 30, 0]


@pytest.mark.parametrize("path", ["/schedule?service=api", "/policies"])
def test_what_takes_long_keeps_no_thread_from_questions(
    gate: TestClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    name = path[1:].partition("?")[0]
    module = importlib.import_module(f"app.api.{name}")
    work = getattr(module, name)
    threads: list[str] = []

    def noted(*asked: Any) -> Any:
        threads.append(threading.current_thread().name)
        return work(*asked)

    monkeypatch.setattr(module, name, noted)
    assert gate.get(path).status_code == 200
    assert [thread.startswith("freezegate-pages") for thread in threads] == [True]


def test_status_and_dashboard_show_calendars_without_their_urls(gate: TestClient) -> None:
    here: Context = gate.app.state.context  # type: ignore[attr-defined]
    now = here.clock.now()
    kept = Kept("", now - 3 * HOUR, now - 3 * HOUR, NO_VALIDATORS)
    address = "calendar.example (3f9ac02b)"
    loaded = CalendarState(
        "Releases", address, kept, "the server can't be reached", now - 3 * HOUR, None, None
    )
    missing = CalendarState("Audits", address, None, None, None, None, None)
    here.policies.report_calendars(lambda: [loaded, missing])
    body = gate.get("/status").json()
    StatusBody.model_validate(body)
    assert [(each["name"], each["loaded"], each["age_s"]) for each in body["calendars"]] == [
        ("Releases", True, 3 * HOUR),
        ("Audits", False, None),
    ]
    page = gate.get("/").text
    assert "The calendar Releases was last checked 3 h ago: the server can&#39;t be reached." in page
    assert "The calendar Audits was never loaded." in page
    policies = gate.get("/dashboard/policies").text
    assert "Calendars: <bdi>Releases</bdi>, checked" in policies
    assert "<bdi>Audits</bdi>, never loaded." in policies
