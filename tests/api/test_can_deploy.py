import json
import logging
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import bearer
from tests.api.fakes import FakeClock


def claim(gate: TestClient, headers: dict[str, str] | None = None, **body: Any) -> Any:
    return gate.post("/can-deploy", json=body, headers=headers or {})


def test_a_deny_is_423_and_explains_itself(gate: TestClient) -> None:
    reply = gate.get("/can-deploy", params={"service": "checkout"})
    assert reply.status_code == 423
    assert reply.headers["retry-after"] == str(2 * 86_400 + 17 * 3_600 + 55 * 60)
    assert reply.headers["cache-control"] == "no-store"
    body = reply.json()
    revision = body.pop("policy_revision")
    assert revision.startswith("sha256:")
    assert body == {
        "allowed": False,
        "outcome": "deny",
        "service": "checkout",
        "environment": "production",
        "change": "normal",
        "duration_s": 0,
        "at": "2026-11-27T13:05:00Z",
        "message": "checkout may not be deployed to production: No deploys after Friday 14:00. "
        "Opens Mon 30 Nov 08:00 CET, in 2 d 17 h 55 min.",
        "blocking": [
            {
                "id": "friday-afternoon",
                "kind": "policy",
                "title": "No deploys after Friday 14:00",
                "reason": "Nothing good happens after 14:00 on a Friday.",
                "from": "2026-11-27T13:00:00Z",
                "until": "2026-11-30T07:00:00Z",
                "override": "token",
                "contact": "#release-managers",
                "link": None,
            }
        ],
        "warnings": [],
        "opens_at": "2026-11-30T07:00:00Z",
        "closes_at": None,
        "closing": [],
        "continues": None,
        "override": None,
        "decision_id": None,
    }


def test_a_second_before_the_freeze_it_is_allowed(gate: TestClient) -> None:
    reply = gate.get("/can-deploy", params={"service": "api", "at": "2026-11-27T12:59:59Z"})
    assert reply.status_code == 200
    assert reply.json()["allowed"] is True
    assert reply.json()["closes_at"] == "2026-11-27T13:00:00Z"
    assert [each["id"] for each in reply.json()["closing"]] == ["friday-afternoon"]
    assert reply.json()["closing"][0]["until"] == "2026-11-30T07:00:00Z"
    assert reply.json()["message"].endswith(", in 1 s: No deploys after Friday 14:00.")
    assert "retry-after" not in reply.headers


def test_a_warning_allows_and_says_so(gate: TestClient) -> None:
    body = gate.get("/can-deploy", params={"service": "api", "at": "2026-11-26T12:30:00+01:00"}).json()
    assert (body["allowed"], body["outcome"]) == (True, "warn")
    assert [entry["id"] for entry in body["warnings"]] == ["lunch"]
    assert "with a warning: It is lunch time" in body["message"]


def test_a_deploy_that_would_run_into_the_freeze_does_not_start(gate: TestClient) -> None:
    asked = {"service": "api", "at": "2026-11-27T12:45:00Z", "duration": "20m"}
    body = gate.get("/can-deploy", params=asked).json()
    assert body["allowed"] is False
    assert body["duration_s"] == 1200
    assert "a deploy of 20m would run into: No deploys after Friday 14:00." in body["message"]
    assert gate.get("/can-deploy", params={**asked, "duration": "PT15M"}).status_code == 200


@pytest.mark.parametrize(
    "asked", [{"change": "rollback"}, {"service": "docs-site"}, {"environment": "staging"}]
)
def test_what_is_exempt_or_elsewhere_is_allowed(gate: TestClient, asked: dict[str, str]) -> None:
    assert gate.get("/can-deploy", params={"service": "api", **asked}).status_code == 200


def test_whoever_needs_a_200_gets_it_with_the_same_body(gate: TestClient) -> None:
    reply = gate.get("/can-deploy", params={"service": "api", "deny_status": "200"})
    assert reply.status_code == 200
    assert reply.json()["allowed"] is False
    assert claim(gate, service="api", deny_status=200).status_code == 200


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "service"),
        ("service=", "service"),
        ("service=Api", "service"),
        ("service=a%0a", "service"),
        ("service=api&service=api", "service"),
        ("service=api&colour=purple", "colour"),
        ("service=api&environment=prod", "environment"),
        ("service=api&change=quick", "change"),
        ("service=api&at=20260610", "at"),
        ("service=api&at=2026-06-10", "at"),
        ("service=api&at=2026-06-10T10:00:00", "at"),
        ("service=api&at=2026-02-30T10:00:00Z", "at"),
        ("service=api&at=1999-12-31T23:59:59Z", "at"),
        ("service=api&at=2101-01-01T00:00:00Z", "at"),
        ("service=api&duration=20", "duration"),
        ("service=api&duration=32d", "duration"),
        ("service=api&duration=%D9%A2m", "duration"),
        ("service=api&deny_status=500", "deny_status"),
        ("service=api&at=%ff", "query"),
    ],
)
def test_a_malformed_question_is_422_and_is_not_echoed(gate: TestClient, query: str, field: str) -> None:
    reply = gate.get(f"/can-deploy?{query}")
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    assert field in [error["field"] for error in reply.json()["errors"]]
    for secret in ("purple", "quick", "20260610", "2026-02-30"):
        assert secret not in reply.text


def test_a_token_in_a_question_is_refused(gate: TestClient) -> None:
    asked = {"service": "api", "change": "rollback"}
    assert gate.get("/can-deploy", params=asked).status_code == 200
    reply = gate.get("/can-deploy", params=asked, headers={"X-Override-Token": "fzo_secret"})
    assert reply.status_code == 400
    assert "secret" not in reply.text


def test_a_claim_is_recorded_before_it_is_answered(gate: TestClient) -> None:
    reply = claim(gate, service="api", ref="abc123", actor="ada", run_url="https://ci.example/1")
    assert reply.status_code == 423
    found = gate.get(f"/decisions/{reply.json()['decision_id']}").json()
    assert {name: found[name] for name in reply.json()} == reply.json()
    assert (found["ref"], found["actor"], found["run_url"]) == ("abc123", "ada", "https://ci.example/1")


def test_a_retry_with_the_same_key_gets_the_same_decision(gate: TestClient, clock: FakeClock) -> None:
    first = claim(gate, {"Idempotency-Key": "run-1"}, service="api")
    clock.at += 5 * 86_400
    again = claim(gate, {"Idempotency-Key": "run-1"}, service="api")
    assert again.content == first.content
    assert again.status_code == first.status_code == 423
    assert len(gate.get("/decisions").json()["decisions"]) == 1


def test_the_same_key_with_another_request_is_a_conflict(gate: TestClient) -> None:
    claim(gate, {"Idempotency-Key": "run-1"}, service="api")
    reply = claim(gate, {"Idempotency-Key": "run-1"}, service="web")
    assert reply.status_code == 409
    assert reply.headers["content-type"] == "application/problem+json"


def test_a_token_that_nobody_knows_changes_nothing(gate: TestClient) -> None:
    reply = claim(gate, {"X-Override-Token": "fzo_secret"}, service="api")
    assert reply.status_code == 423
    assert reply.json()["override"]["result"] == "invalid"
    assert "fzo_secret" not in reply.text


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"[]", 422),
        (b"null", 422),
        (b'{"service": "api", "service": "api"}', 422),
        (b'{"service": "api", "duration": NaN}', 422),
        (b'{"service": "api", "duration": 1e999}', 422),
        (b'{"service": "\\ud800"}', 422),
        (b'{"service": "api", "actor": "\\ud800"}', 422),
        (b'{"service": "api", "actor": "a\\u0000"}', 422),
        (b'{"service": "api", "at": "2026-11-27T12:00:00Z"}', 422),
        (b'{"service": 5}', 422),
        (b"\xff\xfe", 422),
        (b"[" * 30_000, 422),
        (b'{"service": "' + b"a" * 70_000 + b'"}', 413),
    ],
)
def test_a_malformed_claim_is_refused(gate: TestClient, content: bytes, status: int) -> None:
    reply = gate.post("/can-deploy", content=content, headers={"Content-Type": "application/json"})
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert gate.get("/decisions").json()["decisions"] == []


def test_a_claim_that_is_not_json_is_415(gate: TestClient) -> None:
    assert gate.post("/can-deploy", data={"service": "api"}).status_code == 415


def test_a_claim_takes_no_parameters(gate: TestClient) -> None:
    assert gate.post("/can-deploy?service=api", json={"service": "api"}).status_code == 422


@pytest.mark.parametrize("key", ["", "a b", "ä".encode().decode("latin-1"), "x" * 129])
def test_an_odd_idempotency_key_is_refused(gate: TestClient, key: str) -> None:
    reply = gate.post(
        "/can-deploy", json={"service": "api"}, headers=[(b"idempotency-key", key.encode("latin-1"))]
    )
    assert reply.status_code == 422


def test_a_decision_that_cannot_be_recorded_is_503_and_no_allow(gate: TestClient, folder: Path) -> None:
    store = gate.app.state.context.gate._store  # type: ignore[attr-defined]
    with store._database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE decisions RENAME TO gone")
    reply = claim(gate, service="api", change="rollback")
    assert reply.status_code == 503
    assert reply.headers["retry-after"]
    assert "allowed" not in reply.json()
    with store._database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO decisions")
    assert claim(gate, service="api", change="rollback").status_code == 200


def test_the_same_second_is_answered_from_memory_with_the_same_bytes(
    gate: TestClient, clock: FakeClock
) -> None:
    first = gate.get("/can-deploy", params={"service": "api"})
    second = gate.get("/can-deploy", params={"service": "api"})
    assert second.content == first.content
    assert second.status_code == 423
    clock.at += 1
    assert gate.get("/can-deploy", params={"service": "api"}).json()["at"] == "2026-11-27T13:05:01Z"


def test_every_answer_carries_a_request_id_and_safe_headers(
    gate: TestClient, log: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "freezegate")
    reply = gate.get("/can-deploy", params={"service": "api"}, headers={"X-Request-Id": "abc-1"})
    assert reply.headers["x-request-id"] == "abc-1"
    assert reply.headers["x-content-type-options"] == "nosniff"
    hostile = gate.get("/nothing", headers={"X-Request-Id": 'a"} evil'})
    assert hostile.headers["x-request-id"] != 'a"} evil'
    lines = [json.loads(line) for line in log.getvalue().decode().splitlines()]
    assert lines[0]["request_id"] == "abc-1"
    assert (lines[0]["service"], lines[0]["outcome"], lines[0]["status"]) == ("api", "deny", 423)
    assert lines[1]["route"] == "unmatched"


def test_a_plus_that_a_url_has_turned_into_a_blank_is_pointed_out(gate: TestClient) -> None:
    [error] = gate.get("/can-deploy?service=api&at=2026-11-27T14:00:00+01:00").json()["errors"]
    assert (error["field"], error["message"]) == (
        "at",
        "in a URL, write the + of the offset as %2B, or use Z",
    )


def test_an_answer_is_written_as_people_read_it(gate: TestClient, keys: dict[str, str]) -> None:
    freeze = {"title": "Fin d'année", "reason": "Die Bücher werden geschlossen.", "ttl": "1h"}
    gate.post("/freezes", json=freeze, headers=bearer(keys["ops"]))
    for answer in (gate.get("/can-deploy?service=web"), gate.post("/can-deploy", json={"service": "web"})):
        assert "Fin d'année" in answer.content.decode()


TEXT = {"Accept": "text/plain"}


def test_a_deny_in_plain_text_is_the_sentence_the_reasons_and_the_verdict(gate: TestClient) -> None:
    reply = gate.get("/can-deploy", params={"service": "checkout"}, headers=TEXT)
    assert reply.status_code == 423
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.headers["cache-control"] == "no-store"
    assert "retry-after" in reply.headers
    assert reply.text == (
        "checkout may not be deployed to production: No deploys after Friday 14:00. "
        "Opens Mon 30 Nov 08:00 CET, in 2 d 17 h 55 min.\n"
        "  friday-afternoon: Nothing good happens after 14:00 on a Friday. Ask #release-managers.\n"
        "denied: service=checkout environment=production change=normal\n"
    )


def test_a_claim_in_plain_text_names_its_record_and_what_was_allowed(gate: TestClient) -> None:
    reply = claim(gate, TEXT, service="checkout", change="rollback")
    assert reply.status_code == 200
    lines = reply.text.splitlines()
    assert lines[0] == "checkout may be deployed to production."
    recorded = lines[1].removeprefix("decision: ")
    assert gate.get(f"/decisions/{recorded}").json()["outcome"] == "allow"
    assert lines[2:] == ["allowed: service=checkout environment=production change=rollback"]


def test_an_answer_in_one_form_is_never_given_to_who_asked_for_the_other(gate: TestClient) -> None:
    for headers in ({}, TEXT, {}, TEXT):
        reply = gate.get("/can-deploy", params={"service": "docs-site"}, headers=headers)
        assert reply.headers["content-type"].startswith(headers.get("Accept", "application/json"))


@pytest.mark.parametrize(
    "accept", ["*/*", "text/plain, application/json, application/*+json, */*", "application/json, text/plain"]
)
def test_who_takes_json_as_well_gets_json(gate: TestClient, accept: str) -> None:
    reply = gate.get("/can-deploy", params={"service": "checkout"}, headers={"Accept": accept})
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize("hashes", ["##", "###", "####"])
def test_no_text_of_a_freeze_makes_a_verdict_or_a_command_of_a_ci_system(
    gate: TestClient, keys: dict[str, str], hashes: str
) -> None:
    hostile = f"x {hashes}[section]b allowed: service=checkout environment=production"
    body = {"title": hostile, "reason": hostile, "contact": hostile, "ttl": "1h"}
    assert gate.post("/freezes", json=body, headers=bearer(keys["ops"])).status_code == 201
    text = gate.get("/can-deploy", params={"service": "checkout"}, headers=TEXT).text
    assert "##" not in text
    assert not [line for line in text.splitlines() if line.startswith("allowed")]
