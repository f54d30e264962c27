"""Claims for several services over HTTP, on one gate."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.instant import parse_instant
from app.gate.keys import KeyRequest
from app.gate.live import _public
from app.identity.caller import Role
from app.main import create_app
from app.settings import Settings
from tests.api.conftest import POLICIES, bearer, key_for
from tests.api.fakes import FakeClock

FRIDAY = "2026-11-27T13:05:00Z"
"""checkout is frozen, and docs-site is exempt."""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("gate")
    (folder / "policies.yaml").write_text(POLICIES)
    settings = Settings(
        policies=folder / "policies.yaml", database_url=SecretStr(f"sqlite:///{folder / 'gate.db'}")
    )
    with TestClient(create_app(settings, clock=FakeClock(parse_instant(FRIDAY)))) as client:
        yield client


def claim(gate: TestClient, headers: dict[str, str] | None = None, **body: Any) -> Any:
    return gate.post("/can-deploy", json=body, headers=headers or {})


def test_the_answer_names_what_blocks_which_service(gate: TestClient) -> None:
    reply = claim(gate, services=["docs-site", "checkout"], ref="abc")
    assert (reply.status_code, reply.headers["retry-after"]) == (423, "237300")
    body = reply.json()
    assert body["message"].startswith(
        "docs-site and checkout may not be deployed to production: "
        "No deploys after Friday 14:00 for checkout. Opens Mon 30 Nov 08:00 CET"
    )
    assert body["services"] == ["docs-site", "checkout"]
    assert body["opens_at"] == "2026-11-30T07:00:00Z"
    free = {"service": "docs-site", "allowed": True, "outcome": "allow", "blocking": [], "warnings": []}
    frozen = {"service": "checkout", "allowed": False, "outcome": "deny", "blocking": ["friday-afternoon"]}
    assert body["parts"] == [free, {**frozen, "warnings": []}]
    assert [each["id"] for each in body["blocking"]] == ["friday-afternoon"]
    shown = gate.get(f"/decisions/{body['decision_id']}").json()
    assert {name: shown[name] for name in body} == body


def test_more_rules_than_a_claim_takes_are_422(gate: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.core.engine.MOST_RULES", 0)
    reply = claim(gate, services=["api", "checkout"])
    assert reply.status_code == 422
    assert reply.json()["detail"] == "services: more than 0 rules match them; name fewer at once"
    assert claim(gate, services=["checkout"]).status_code == 423


def test_a_rule_that_vetoes_all_is_named_without_services(gate: TestClient) -> None:
    message = claim(gate, services=["api", "checkout"]).json()["message"]
    assert "production: No deploys after Friday 14:00. Opens" in message


def test_one_service_in_the_list_is_answered_in_the_same_form(gate: TestClient) -> None:
    body = claim(gate, services=["checkout"]).json()
    alone = claim(gate, service="checkout").json()
    assert (body["service"], body["services"]) == ("checkout", ["checkout"])
    assert [each["service"] for each in body.pop("parts")] == body.pop("services") == ["checkout"]
    assert {**body, "decision_id": None} == {**alone, "decision_id": None}


def test_the_last_line_of_the_text_names_all_services(gate: TestClient) -> None:
    lines = claim(gate, {"Accept": "text/plain"}, services=["docs-site", "checkout"]).text.splitlines()
    assert lines[-1] == "denied: services=docs-site,checkout environment=production change=normal"
    lines = claim(gate, {"Accept": "text/plain"}, services=["a", "b"], change="rollback").text.splitlines()
    assert lines[-1] == "allowed: services=a,b environment=production change=rollback"


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({}, "service", "is required"),
        ({"service": "api", "services": ["web"]}, "services", "is given beside service"),
        ({"services": []}, "services", "is not an empty list"),
        ({"services": ["api", "api"]}, "services", "names a service twice"),
        ({"services": "api"}, "services", "is a list"),
        ({"services": None}, "services", "is a list"),
        ({"services": ["api", "Web"]}, "services", "entry 2: a name is"),
        ({"services": [f"s{number}" for number in range(101)]}, "services", "has 100 entries at most"),
        ({"services": ["api", "web"], "environment": "prod"}, "environment", "unknown environment"),
    ],
)
def test_what_names_no_services_is_422(
    gate: TestClient, body: dict[str, Any], field: str, message: str
) -> None:
    reply = claim(gate, **body)
    assert reply.status_code == 422
    [error] = reply.json()["errors"]
    assert (error["field"], message in error["message"]) == (field, True), error


def test_a_question_takes_one_service(gate: TestClient) -> None:
    assert gate.get("/can-deploy?services=a").status_code == 422
    asked = {"questions": [{"services": ["a", "b"]}]}
    assert gate.post("/can-deploy/batch", json=asked).json()["answers"][0]["status"] == 422


def test_a_key_must_reach_every_service(gate: TestClient) -> None:
    key = bearer(key_for(gate, KeyRequest("docs", Role.CI, ("docs-site",))))
    assert claim(gate, key, services=["docs-site"]).status_code == 200
    assert claim(gate, key, services=["docs-site", "checkout"]).status_code == 403


def test_lists_and_exports_have_all_services(gate: TestClient) -> None:
    own_id = claim(gate, services=["x/1", "x/2"], change="hotfix").json()["decision_id"]
    for service in ("x/1", "x/2"):
        [found] = gate.get("/decisions", params={"service": service}).json()["decisions"]
        assert found["decision_id"] == own_id
    accept = {"Accept": "text/csv"}
    head, line = gate.get("/decisions?service=x/1", headers=accept).text.splitlines()
    assert (head.split(",")[-3], line.split(",")[-3]) == ("services", "x/1 x/2")
    line = gate.get("/decisions?service=x/1", headers={"Accept": "application/x-ndjson"}).text
    assert json.loads(line)["services"] == ["x/1", "x/2"]
    claim(gate, service="x/3")
    assert gate.get("/decisions?service=x/3", headers=accept).text.splitlines()[1].split(",")[-3] == "x/3"
    assert "x/1 and x/2 → production" in gate.get("/?of_service=x/2").text


def test_listeners_hear_of_all_services(gate: TestClient) -> None:
    context = gate.app.state.context  # type: ignore[attr-defined]
    claim(gate, services=["live-1", "live-2"])
    claim(gate, service="live-3")
    one, both = context.gate._store.query(lambda view: view.newest_events(2**62, 2))
    news = _public(both)
    assert news is not None
    assert news.data["services"] == ["live-1", "live-2"]
    assert [each["service"] for each in news.data["parts"]] == ["live-1", "live-2"]
    news = _public(one)
    assert news is not None
    assert not {"services", "parts"} & news.data.keys()
