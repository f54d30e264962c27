"""The routes of systems that report incidents: what each sends freezes, and nothing else does."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.core.incident import Incident, IncidentRule
from app.core.instant import HOUR, parse_instant
from app.gate.errors import StoreUnavailableError
from app.gate.keys import KeyRequest
from app.identity.caller import Role
from app.integrations.alertmanager.route import read as alertmanager
from app.integrations.inbound import LARGEST_BODY
from app.integrations.incident_io.route import read as incident_io
from app.integrations.incidents import IncidentSection
from app.integrations.integrations import IntegrationsFileError, read_integrations_file
from app.integrations.jira.route import read as jira
from app.integrations.pagerduty.route import read as pagerduty
from app.integrations.payload import UnreadableError
from app.integrations.rootly.route import read as rootly
from app.integrations.webhook.route import read as webhook
from app.main import create_app
from app.settings import Settings
from tests.api.conftest import POLICIES, bearer, key_for
from tests.api.fakes import FakeClock
from tests.integrations.reporters import PAYLOADS, SIGNED, SOURCES, Event, Sent, secret_of, sent
from tests.integrations.sections import integrations_file
from tests.live.gate import ROOT

NOW = parse_instant("2026-11-24T10:00:00Z")
LINKS = {
    "alertmanager": "https://runbooks.example/42",
    "pagerduty": "https://acme.pagerduty.com/incidents/OPS-1",
    "incident-io": "https://app.incident.io/acme/incidents/OPS-1",
    "rootly": "https://rootly.com/account/incidents/OPS-1",
    "jira": "https://acme.atlassian.net/browse/OPS-1",
    "webhook": "https://incidents.example/42",
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def gate(tmp_path: Path, clock: FakeClock) -> Iterator[TestClient]:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    settings = Settings(
        policies=tmp_path / "policies.yaml", integrations=integrations_file(tmp_path, SOURCES)
    )
    with TestClient(create_app(settings, clock=clock)) as client:
        yield client


def post(gate: TestClient, webhook: Sent, **headers: str) -> Response:
    return gate.post(
        f"/integrations/{webhook.source}", content=webhook.body, headers={**webhook.headers, **headers}
    )


def freezes(gate: TestClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = gate.get("/freezes", params={"state": "all"}).json()["freezes"]
    return found


@pytest.mark.parametrize("source", SOURCES)
def test_an_incident_freezes_goes_on_and_thaws(gate: TestClient, clock: FakeClock, source: str) -> None:
    first = post(gate, sent(Event(source, "OPS-1", True, NOW)))
    assert (first.status_code, first.json()["result"]) == (200, "started")
    (freeze,) = freezes(gate)
    assert first.json()["freezes"] == [freeze["id"]]
    assert (freeze["started_by"], freeze["link"]) == (source, LINKS[source])
    assert "Checkout is down" in freeze["title"]
    claim = gate.post("/can-deploy", json={"service": "checkout"})
    assert claim.status_code == 423
    assert LINKS[source] in claim.text
    clock.at += 5_400
    assert post(gate, sent(Event(source, "OPS-1", True, clock.at))).json()["result"] == "extended"
    clock.at += 120
    assert post(gate, sent(Event(source, "OPS-1", False, clock.at))).json()["result"] == "thawing"
    clock.at += 600
    assert gate.post("/can-deploy", json={"service": "checkout"}).status_code == 200
    assert len(freezes(gate)) == 1


SILENT = ("pagerduty", "incident-io", "rootly", "jira")
"""Systems that report nothing while nothing changes in an incident."""


@pytest.mark.parametrize("source", SILENT)
def test_the_page_of_a_system_that_falls_silent_says_when_the_freeze_ends(source: str) -> None:
    page = (ROOT / f"docs/how-to/incidents/{source}.md").read_text()
    assert "sends nothing while nothing changes" in page
    assert "After `life`, 12 hours if" in page
    assert IncidentRule.model_validate({"name": "sev1"}).life == 12 * HOUR


@pytest.mark.parametrize("source", SOURCES[1:])
def test_the_same_webhook_twice_is_one(gate: TestClient, clock: FakeClock, source: str) -> None:
    event = sent(Event(source, "OPS-1", True, NOW))
    post(gate, event)
    clock.at += 120
    # What isn't signed makes it no other webhook.
    again = post(gate, event, **{"X-Webhook-Id": "2", "X-Atlassian-Webhook-Identifier": "2"})
    assert (again.status_code, again.json()) == (200, {"result": "repeated", "freezes": []})


@pytest.mark.parametrize(("source", "seconds"), [("pagerduty", 86_400), ("jira", 86_400), ("rootly", 86_400)])
def test_a_webhook_that_is_too_old_is_refused(
    gate: TestClient, clock: FakeClock, source: str, seconds: int
) -> None:
    event = sent(Event(source, "OPS-1", True, NOW))
    clock.at += seconds + 1
    assert post(gate, event).status_code == 401
    clock.at -= 1
    assert post(gate, event).status_code == 200


@pytest.mark.parametrize("source", ["pagerduty", "jira"])
def test_a_webhook_without_a_time_is_refused(gate: TestClient, source: str) -> None:
    event = Event(source, "OPS-1", True, NOW)
    payload = PAYLOADS[source](event)
    if source == "jira":
        payload["timestamp"] = True
    else:
        payload["event"]["occurred_at"] = "yesterday"
    body = json.dumps(payload).encode()
    headers = SIGNED[source](secret_of(source), body, event)
    assert post(gate, Sent(source, headers, body)).status_code == 401


@pytest.mark.parametrize("source", SOURCES)
def test_several_secrets_are_accepted_during_a_rotation(tmp_path: Path, source: str) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    (tmp_path / "secret").write_text("whsec_bmV3bmV3bmV3bmV3bmV3\nwhsec_b2xkb2xkb2xkb2xkb2xk\n")
    name = "token_file" if source == "alertmanager" else "secret_file"
    file = tmp_path / "integrations.yaml"
    file.write_text(json.dumps({source: {name: "secret", "freezes": [{"name": "all"}]}}))
    settings = Settings(policies=tmp_path / "policies.yaml", integrations=file)
    with TestClient(create_app(settings, clock=FakeClock(NOW))) as gate:
        for number, secret in enumerate(("whsec_bmV3bmV3bmV3bmV3bmV3", "whsec_b2xkb2xkb2xkb2xkb2xk")):
            event = Event(source, f"OPS-{number}", True, NOW, {})
            assert post(gate, sent(event, secret)).json()["result"] == "started"
        assert post(gate, sent(Event(source, "OPS-3", True, NOW), "whsec_b3RoZXI=")).status_code == 401
        # There is no section of the others.
        others = [post(gate, sent(Event(other, "OPS-1", True, NOW))) for other in SOURCES if other != source]
        assert {each.status_code for each in others} == {404}


@pytest.mark.parametrize("source", SOURCES)
def test_bodies_of_256_kib_are_taken(gate: TestClient, source: str) -> None:
    event = Event(source, "OPS-1", True, NOW, {"padding": ""})
    size = len(sent(event).body)
    event = event._replace(fields={"padding": "x" * (LARGEST_BODY - size)})
    assert len(sent(event).body) == LARGEST_BODY
    assert post(gate, sent(event)).json()["result"] == "started"
    event = event._replace(fields={"padding": "x" * (LARGEST_BODY - size + 1)})
    assert post(gate, sent(event)).status_code == 413


@pytest.mark.parametrize("source", SOURCES)
def test_a_store_that_is_down_is_503_so_that_it_is_sent_again(
    gate: TestClient, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    async def down(*_: object) -> None:
        raise StoreUnavailableError("the database is down")

    store = gate.app.state.context.gate._store  # type: ignore[attr-defined]
    event = sent(Event(source, "OPS-1", True, NOW))
    with monkeypatch.context() as outage:
        outage.setattr(store, "write", down)
        reply = post(gate, event)
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "2")
    assert post(gate, event).json()["result"] == "started"


def test_the_dashboard_shows_the_freeze_with_the_link_of_its_incident(gate: TestClient) -> None:
    post(gate, sent(Event("pagerduty", "OPS-1", True, NOW)))
    page = gate.get("/").text
    assert "Incident: Checkout is down" in page
    assert f'href="{LINKS["pagerduty"]}"' in page


ODD: list[object] = [
    [],
    "x",
    None,
    {},
    {"event": 1, "alerts": [1], "status": "firing", "groupKey": {"a": 1}, "issue": []},
    {"event": {"event_type": "incident.triggered", "data": {"type": "incident"}}},
    {"event_type": "public_incident.incident_created_v2"},
    {"event_type": ["public_incident.incident_created_v2"]},
    {"event": {"type": "incident.created"}, "data": {"title": "x"}},
    {"webhookEvent": "jira:issue_created", "issue": {"key": "x", "id": {}}},
    {"id": "\ud800\u0000", "status": "firing", "title": "\ud800\u0000", "link": "https://\ud800"},
    {"id": 10**300, "status": "resolved", "labels": [1], "severity": {"name": ["x"]}},
    {"id": "1", "status": "open"},
    {"groupKey": "\ud800", "status": "firing", "alerts": [{"labels": {"severity": "critical"}}], "x": [[[]]]},
]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_no_payload_gives_a_5xx(gate: TestClient, source: str, odd: object) -> None:
    body = json.dumps(odd).encode()
    event = Event(source, "1", True, NOW)
    signed = Sent(source, SIGNED[source](secret_of(source), body, event), body)
    assert post(gate, signed).status_code in (200, 401, 422)
    key = key_for(gate, KeyRequest("ops", Role.OPS))
    simulated = gate.post(f"/integrations/{source}/simulate", content=body, headers=bearer(key))
    assert simulated.status_code in (200, 422)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 200_000, b'{"id": ' + b"9" * 5_000 + b"}"])
def test_what_is_signed_and_no_json_is_422_and_counted(gate: TestClient, body: bytes) -> None:
    headers = {"Authorization": "Bearer token-of-alertmanager"}
    assert post(gate, Sent("alertmanager", headers, body)).status_code == 422
    metrics = gate.get("/metrics").text
    assert 'freezegate_incidents_total{result="unreadable",source="alertmanager"} 1.0' in metrics


def test_a_custom_payload_of_alertmanager_is_named(gate: TestClient) -> None:
    headers = {"Authorization": "Bearer token-of-alertmanager"}
    reply = post(gate, Sent("alertmanager", headers, b'{"text": "it burns"}'))
    assert reply.status_code == 422
    assert "Remove a `payload` template" in reply.json()["detail"]


def test_refused_and_reported_incidents_are_counted(gate: TestClient) -> None:
    post(gate, sent(Event("jira", "OPS-1", True, NOW)))
    post(gate, sent(Event("jira", "OPS-1", True, NOW), "other"))
    post(gate, sent(Event("jira", "OPS-2", True, NOW, {"priority": {"name": "P3"}})))
    metrics = gate.get("/metrics").text
    assert 'freezegate_incidents_total{result="started",source="jira"} 1.0' in metrics
    assert 'freezegate_incidents_total{result="unmatched",source="jira"} 1.0' in metrics
    assert 'freezegate_webhooks_refused_total{source="jira"} 1.0' in metrics


def test_a_simulation_says_what_would_happen_and_why_rules_do_not_match(gate: TestClient) -> None:
    key = bearer(key_for(gate, KeyRequest("ops", Role.OPS)))

    def simulate(event: Event) -> dict[str, Any]:
        body = json.dumps(PAYLOADS[event.source](event))
        reply = gate.post(f"/integrations/{event.source}/simulate", content=body, headers=key)
        assert reply.status_code == 200
        found: dict[str, Any] = reply.json()
        return found

    would = simulate(Event("webhook", "1", True, NOW))
    assert would["result"] == "started"
    assert would["incident"] == {
        "key": "1",
        "title": "Checkout is down",
        "link": "https://incidents.example/42",
        "firing": 1,
        "incomplete": False,
    }
    assert [each["matches"] for each in would["rules"]] == [True, False, False]
    assert would["rules"][1]["why_not"] == ["priority is not given, not P1", "urgency is not given, not high"]
    assert would["rules"][2]["why_not"] == ['label team is "shop", not payments']
    (move,) = would["moves"]
    assert move["sentence"] == "start a freeze until 2026-11-24T22:00:00Z: Incident: Checkout is down"
    assert move["freeze"]["environments"] == ["production"]
    assert freezes(gate) == []
    assert simulate(Event("pagerduty", "1", True, NOW, {"type": "service"}))["result"] == "ignored"
    post(gate, sent(Event("webhook", "1", True, NOW)))
    own_id = freezes(gate)[0]["id"]
    (go_on,) = simulate(Event("webhook", "1", True, NOW))["moves"]
    assert go_on["sentence"] == f"nothing: {own_id} goes on until 2026-11-24T22:00:00Z"
    gate.delete(f"/freezes/{own_id}", headers=key)
    (leave,) = simulate(Event("webhook", "1", False, NOW))["moves"]
    assert leave["sentence"] == f"nothing: a person has changed or lifted {own_id}"


def read(source: str, event: Event) -> Incident | None:
    readers = {
        "alertmanager": alertmanager,
        "pagerduty": pagerduty,
        "incident-io": incident_io,
        "rootly": rootly,
        "jira": jira,
        "webhook": webhook,
    }
    return readers[source](PAYLOADS[source](event))


def incident(source: str, *, firing: bool = True, **fields: Any) -> Incident:
    found = read(source, Event(source, "OPS-1", firing, NOW, fields))
    assert found is not None
    return found


def test_what_rules_can_match_on() -> None:
    (alert,) = incident("alertmanager").firing
    assert (alert.severity, alert.service) == (("critical",), ("checkout",))
    assert alert.labels["alertname"] == ("CheckoutDown",)
    (page,) = incident("pagerduty").firing
    assert (page.urgency, page.priority, page.service) == (
        ("high",),
        ("P1", "PRIO1"),
        ("Checkout", "PIJ90N7"),
    )
    assert page.labels == {"team": ("Shop", "PTEAM")}
    (live,) = incident("incident-io").firing
    assert (live.severity, live.service) == (("Critical", "01SEV"), ("Checkout",))
    assert live.labels["team"] == ("shop", "2")
    (started,) = incident("rootly").firing
    assert (started.severity, started.service) == (("SEV1", "sev1", "s"), ("Checkout", "checkout", "u"))
    assert started.labels["environment"] == ("Production", "production")
    (issue,) = incident("jira").firing
    assert (issue.priority, issue.service) == (("P1",), ("checkout",))
    assert issue.labels["customfield_10050"] == ("Sev-1",)
    assert issue.labels["project"] == ("Operations", "OPS")
    assert issue.labels["labels"] == ("outage",)


def test_alerts_that_were_left_out_may_be_firing() -> None:
    told = incident("alertmanager", truncatedAlerts=3, groupLabels={"severity": "page"})
    assert told.incomplete
    assert told.firing[-1].severity == ("page",)
    assert not incident("alertmanager", firing=False, truncatedAlerts=3).incomplete
    resolved = {"status": "resolved", "labels": {"severity": "critical"}}
    firing = {"status": "firing", "labels": {"severity": "warning"}}
    assert [each.severity for each in incident("alertmanager", alerts=[resolved, firing]).firing] == [
        ("warning",)
    ]
    many = incident("alertmanager", alerts=[firing] * 1_000)
    assert many.incomplete
    assert len(many.firing) < 1_000


def test_the_title_of_alerts_is_their_summary_or_their_name() -> None:
    none: dict[str, Any] = {"commonAnnotations": {}, "commonLabels": {}}
    alert = {"status": "firing", "labels": {"alertname": "Down"}}
    annotated = {**alert, "annotations": {"summary": "It is\ndown"}}
    assert incident("alertmanager", **none, alerts=[annotated]).title == "It is down"
    assert incident("alertmanager", **none, alerts=[alert]).title == "Down"
    named = {**none, "commonLabels": {"alertname": "Up"}}
    assert incident("alertmanager", **named, alerts=[alert]).title == "Up"
    assert incident("alertmanager", **none, alerts=[]).title == "CheckoutDown"
    assert incident("alertmanager", **none, alerts=[], groupLabels={}).title == "Alerts"
    assert incident("alertmanager", **none, alerts=[alert]).link == "http://alertmanager.example:9093"
    assert incident("alertmanager", **none, alerts=[], externalURL="").link is None


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        ("incident-io", {"mode": "test"}),
        ("incident-io", {"mode": "tutorial"}),
        ("rootly", {"kind": "test_sub"}),
        ("rootly", {"kind": "backfilled"}),
        ("pagerduty", {"type": "service"}),
    ],
)
def test_what_is_no_incident_is_ignored(source: str, fields: dict[str, Any]) -> None:
    assert read(source, Event(source, "1", True, NOW, fields)) is None


def test_other_events_are_ignored() -> None:
    assert pagerduty({"event": {"event_type": "pagey.ping", "data": {"type": "ping"}}}) is None
    assert incident_io({"event_type": "public_incident.follow_up_created_v2"}) is None
    assert rootly({"event": {"type": "alert.created"}, "data": {"id": "1"}}) is None
    assert rootly({"event": {"type": "incident.scheduled.created"}, "data": {"id": "1"}}) is None
    assert jira({"webhookEvent": "comment_created", "issue": {"id": "1", "key": "A-1"}}) is None


def test_a_private_incident_has_no_state() -> None:
    kind = "private_incident.incident_updated_v2"
    told = incident_io({"event_type": kind, kind: {"id": "1"}})
    assert told is not None
    assert (told.key, told.firing, told.incomplete) == ("1", (), True)


def test_an_incident_is_over_in_the_states_that_mean_it_and_in_no_other() -> None:
    for category, firing in (("learning", 0), ("canceled", 0), ("triage", 1), ("paused", 1), ("new", 1)):
        assert len(incident("incident-io", incident_status={"category": category}).firing) == firing
    for status, firing in (("cancelled", 0), ("closed", 0), ("mitigated", 1), ("in_triage", 1), ("x", 1)):
        assert len(incident("rootly", status=status).firing) == firing
    for status, firing in (("resolved", 0), ("acknowledged", 1), ("", 1)):
        assert len(incident("pagerduty", status=status).firing) == firing
    deleted = {**PAYLOADS["jira"](Event("jira", "OPS-1", True, NOW)), "webhookEvent": "jira:issue_deleted"}
    assert jira(deleted).firing == ()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("https://[/x", None),
        ("http://acme.example/rest", None),
        ("https://user@acme.example/rest", None),
        ("https://jira.acme.example:8443/rest/api/2/1", "https://jira.acme.example:8443/browse/OPS-1"),
    ],
)
def test_the_link_of_an_issue_is_its_page(address: str, link: str | None) -> None:
    payload = PAYLOADS["jira"](Event("jira", "OPS-1", True, NOW))
    payload["issue"]["self"] = address
    assert jira(payload).link == link  # type: ignore[union-attr]


def test_a_payload_of_your_own_needs_an_id_and_a_status() -> None:
    with pytest.raises(UnreadableError, match="has no id"):
        webhook({"status": "firing"})
    with pytest.raises(UnreadableError, match="status is firing or resolved"):
        webhook({"id": "1", "status": "open"})
    many = webhook(
        {"id": 1, "status": "firing", "service": ["a", "b"], "labels": {"a": ["x", "y"], "b": None}}
    )
    assert (many.firing[0].service, many.firing[0].labels) == (("a", "b"), {"a": ("x", "y")})


PAGES = sorted((ROOT / "docs/how-to/incidents").glob("*.md"))


def block(page: Path, language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    return str(found[0])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_section_of_a_page_can_be_used(page: Path, tmp_path: Path) -> None:
    text = re.sub(r"(secret|token)_file: .*", r"\1: whsec_bmV3bmV3bmV3bmV3bmV3", block(page, "yaml"))
    file = tmp_path / "integrations.yaml"
    file.write_text(text)
    (section,) = read_integrations_file(file, {}).values()
    assert isinstance(section, IncidentSection)
    assert section.freezes


def test_the_webhook_of_the_page_is_accepted(gate: TestClient) -> None:
    page = ROOT / "docs/how-to/incidents/webhook.md"
    names: dict[str, Any] = {}
    exec(block(page, "python"), names)  # noqa: S102 - our own page
    body = block(page, "json").encode()
    headers = names["signed"](b"a webhook signs", "msg_1", NOW, body)
    assert post(gate, Sent("webhook", headers, body)).json()["result"] == "started"


def test_names_that_the_policies_do_not_list_are_logged_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    file = tmp_path / "integrations.yaml"
    file.write_text("jira: {secret: a-secret-of-jira, freezes: [{name: all, environments: [prod]}]}")
    settings = Settings(policies=tmp_path / "policies.yaml", integrations=file)
    with TestClient(create_app(settings, clock=FakeClock(NOW))):
        fields = [getattr(record, "fields", {}) for record in caplog.records]
    (logged,) = [each for each in fields if each.get("source") == "jira"]
    assert logged["rule"] == "all"
    assert 'environments: unknown environment "prod"' in logged["name"]


def test_a_name_of_two_rules_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "integrations.yaml"
    file.write_text("jira: {secret: a-secret-of-jira, freezes: [{name: a}, {name: a}]}")
    with pytest.raises(IntegrationsFileError, match="another rule has this name"):
        read_integrations_file(file, {})
