"""``POST /decisions/{id}/outcome``: how a deploy went."""

import json
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.gate.keys import KeyRequest
from app.identity.caller import Role
from app.main import create_app
from app.settings import Settings
from tests.api.conftest import POLICIES, bearer, key_for
from tests.api.fakes import FakeClock
from tests.hostile import HOSTILE


def claimed(gate: TestClient, service: str = "docs-site") -> str:
    return str(gate.post("/can-deploy", json={"service": service}).json()["decision_id"])


def report(gate: TestClient, own_id: str, headers: dict[str, str] | None = None, **body: object) -> Any:
    return gate.post(f"/decisions/{own_id}/outcome", json=body, headers=headers or {})


def test_a_report_is_answered_with_what_stands_in_the_record(
    gate: TestClient, keys: dict[str, str], clock: FakeClock
) -> None:
    own_id = claimed(gate)
    assert gate.get(f"/decisions/{own_id}").json()["outcomes"] == []
    reply = report(gate, own_id, bearer(keys["ci"]), result="succeeded")
    assert reply.status_code == 201
    assert reply.headers["cache-control"] == "no-store"
    first = {
        "decision_id": own_id,
        "result": "succeeded",
        "incident": None,
        "reported_by": "ci person",
        "reported_at": "2026-11-27T13:05:00Z",
    }
    assert reply.json() == first
    clock.at += 10 * 86_400
    late = report(gate, own_id, result="rolled-back", incident="https://example.org/42").json()
    assert (late["reported_by"], late["reported_at"]) == (None, "2026-12-07T13:05:00Z")
    assert gate.get(f"/decisions/{own_id}").json()["outcomes"] == [first, late]


def test_lists_and_exports_of_decisions_stay_as_they_were(gate: TestClient) -> None:
    report(gate, claimed(gate), result="failed")
    assert "outcomes" not in gate.get("/decisions").json()["decisions"][0]
    for accepted in ("text/csv", "application/x-ndjson"):
        assert gate.get("/decisions", headers={"Accept": accepted}).status_code == 200


def test_what_was_not_deployed_has_no_outcome(gate: TestClient) -> None:
    assert report(gate, claimed(gate, "api"), result="succeeded").status_code == 409
    for own_id in ("dec_0", "nothing", "ovr_0", "%00", "a" * 300):
        assert report(gate, own_id, result="succeeded").status_code in (404, 422)


def test_who_may_claim_for_some_services_reports_on_those(gate: TestClient) -> None:
    own = bearer(key_for(gate, KeyRequest("docs pipeline", Role.CI, ("docs-*",))))
    other = bearer(key_for(gate, KeyRequest("api pipeline", Role.CI, ("api",))))
    own_id = claimed(gate)
    assert report(gate, own_id, other, result="failed").status_code == 403
    assert report(gate, own_id, own, result="failed").status_code == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "result"),
        ({"result": "fine"}, "result"),
        ({"result": "Failed"}, "result"),
        ({"result": None}, "result"),
        ({"result": ["failed"]}, "result"),
        ({"result": "failed", "incident": ""}, "incident"),
        ({"result": "failed", "incident": "a\nb"}, "incident"),
        ({"result": "failed", "incident": "a\x00b"}, "incident"),
        ({"result": "failed", "incident": "\x1b[31m"}, "incident"),
        ({"result": "failed", "incident": "\ud800"}, "incident"),
        ({"result": "failed", "incident": "x" * 501}, "incident"),
        ({"result": "failed", "incident": 42}, "incident"),
        ({"result": "failed", "service": "api"}, "service"),
    ],
)
def test_what_makes_no_sense_is_refused_and_named(gate: TestClient, body: dict[str, Any], field: str) -> None:
    own_id = claimed(gate)
    reply = gate.post(
        f"/decisions/{own_id}/outcome", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert reply.status_code == 422, reply.text
    assert field in {each["field"] for each in reply.json()["errors"]}
    assert gate.get(f"/decisions/{own_id}").json()["outcomes"] == []


def test_hostile_incidents_are_kept_as_they_came_or_refused(gate: TestClient) -> None:
    own_id = claimed(gate)
    kept = [
        text for text in HOSTILE if report(gate, own_id, result="failed", incident=text).status_code == 201
    ]
    assert len(kept) > len(HOSTILE) / 2
    shown = gate.get(f"/decisions/{own_id}").json()["outcomes"]
    assert [each["incident"] for each in shown] == kept[-len(shown) :]


def test_anonymous_reports_are_limited_with_anonymous_claims(tmp_path: Any) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    settings = Settings(
        policies=tmp_path / "policies.yaml",
        database_url=SecretStr(f"sqlite:///{tmp_path / 'gate.db'}"),
        anonymous_claims="3/minute",
    )
    with TestClient(create_app(settings, clock=FakeClock(1_795_784_700))) as gate:
        own_id = claimed(gate)
        assert [report(gate, own_id, result="failed").status_code for _ in range(3)] == [201, 201, 429]
