"""Many questions at once: each answered as it would be alone."""

import json
import logging
from http import HTTPStatus
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.gate import batch
from app.server import batches
from tests.api.conftest import bearer
from tests.api.fakes import FakeClock


def ask(gate: TestClient, *questions: object, **rest: Any) -> Any:
    return gate.post("/can-deploy/batch", json={"questions": list(questions), **rest})


def alone(gate: TestClient, question: dict[str, str], **rest: str) -> Any:
    return gate.get("/can-deploy", params={**question, **rest}).json()


QUESTIONS = [
    {"service": "api"},
    {"service": "checkout"},
    {"service": "docs-site"},
    {"service": "api", "environment": "staging"},
    {"service": "api", "change": "rollback"},
    {"service": "checkout", "duration": "20m"},
    {"service": "a/b.c_d-e", "duration": "P3D"},
    {"service": "api"},
]
INSTANTS = [
    "2026-11-26T11:30:00Z",
    "2026-11-27T12:45:00Z",
    "2026-11-27T13:05:00Z",
    "2026-11-30T06:59:59Z",
    "2026-12-01T09:00:00Z",
]


@pytest.mark.parametrize("at", INSTANTS)
def test_each_answer_is_that_of_the_question_alone(gate: TestClient, at: str) -> None:
    answers = ask(gate, *QUESTIONS, at=at).json()["answers"]
    assert answers == [alone(gate, each, at=at) for each in QUESTIONS]


def test_names_in_the_texts_of_policies_stay_as_they_are(
    gate: TestClient, keys: dict[str, str], clock: FakeClock
) -> None:
    freeze = {"title": 'Of "service": "" and "message": ""', "reason": "api", "ttl": "1h"}
    assert gate.post("/freezes", json=freeze, headers=bearer(keys["ops"])).status_code == 201
    asked = [{"service": "api"}, {"service": "checkout"}]
    assert ask(gate, *asked).json()["answers"] == [alone(gate, each) for each in asked]


def test_in_plain_text_each_question_has_a_line_in_order(gate: TestClient) -> None:
    questions = [{"service": "docs-site"}, {"service": "api"}, {"service": "Api"}]
    headers = {"Accept": "text/plain"}
    reply = gate.post("/can-deploy/batch", json={"questions": questions}, headers=headers)
    assert (reply.status_code, reply.headers["content-type"]) == (423, "text/plain; charset=utf-8")
    *lines, unanswered = reply.text.splitlines()
    assert lines == [alone(gate, each)["message"] for each in questions[:2]]
    assert unanswered.startswith("No answer: service: ")
    assert ask(gate, *questions).headers["content-type"] == "application/json"


def test_all_must_be_allowed_for_a_200(gate: TestClient) -> None:
    reply = ask(gate, {"service": "docs-site"}, {"service": "api", "change": "rollback"})
    assert (reply.status_code, reply.json()["allowed"]) == (200, True)
    assert reply.headers["cache-control"] == "no-store"
    assert "retry-after" not in reply.headers
    reply = ask(gate, {"service": "docs-site"}, {"service": "api"})
    assert (reply.status_code, reply.json()["allowed"]) == (423, False)
    assert reply.headers["retry-after"] == str(2 * 86_400 + 17 * 3_600 + 55 * 60)
    reply = ask(gate, {"service": "docs-site"}, {"service": "api"}, deny_status=200)
    assert (reply.status_code, reply.json()["allowed"]) == (200, False)


@pytest.mark.parametrize(
    ("question", "field", "message"),
    [
        ({"service": "api", "environment": "prodution"}, "environment", 'did you mean "production"?'),
        ({"service": "api", "change": "quick"}, "change", "known: normal, hotfix, rollback"),
        ({"service": "Api"}, "service", "begins with a letter or digit"),
        ({"service": "api", "duration": 20}, "duration", 'such as "20m"'),
        ({"service": "api", "colour": "purple"}, "colour", "no such field"),
        ({}, "service", "is required"),
        ("api", "body", "is an object"),
        (None, "body", "is an object"),
    ],
)
def test_a_question_without_an_answer_spoils_no_other_and_allows_nothing(
    gate: TestClient, question: object, field: str, message: str
) -> None:
    reply = ask(gate, {"service": "docs-site"}, question, {"service": "docs-site"})
    assert (reply.status_code, reply.json()["allowed"]) == (423, False)
    assert "retry-after" not in reply.headers
    first, bad, last = reply.json()["answers"]
    assert first == last == alone(gate, {"service": "docs-site"})
    assert (bad["allowed"], bad["status"], bad["title"]) == (False, 422, HTTPStatus(422).phrase)
    [error] = bad["errors"]
    assert error["field"] == field
    assert message in error["message"]
    assert bad["detail"] == f"{field}: {error['message']}"
    assert "purple" not in reply.text
    assert ask(gate, question, deny_status=200).json()["allowed"] is False


def test_suggestions_are_made_for_the_first_unknown_names_only(gate: TestClient) -> None:
    questions = [{"service": "api", "environment": f"stagin{n}"} for n in range(batch.MOST_SUGGESTED + 1)]
    details = [each["detail"] for each in ask(gate, *questions, *questions).json()["answers"]]
    assert all("staging" in detail for detail in details[: batch.MOST_SUGGESTED])
    assert details[batch.MOST_SUGGESTED] == "environment: unknown environment"
    assert details[batch.MOST_SUGGESTED + 1 :] == details[: batch.MOST_SUGGESTED + 1]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "questions"),
        ({"questions": []}, "questions"),
        ({"questions": {"service": "api"}}, "questions"),
        ({"questions": [{"service": "api"}] * 1_001}, "questions"),
        ({"questions": [{"service": "api"}], "at": "2026-06-10"}, "at"),
        ({"questions": [{"service": "api"}], "deny_status": 500}, "deny_status"),
        ({"questions": [{"service": "api"}], "colour": "purple"}, "colour"),
    ],
)
def test_a_malformed_batch_is_422(gate: TestClient, body: dict[str, object], field: str) -> None:
    reply = gate.post("/can-deploy/batch", json=body)
    assert reply.status_code == 422
    assert field in [error["field"] for error in reply.json()["errors"]]


def test_a_thousand_questions_with_the_longest_names_are_answered(gate: TestClient) -> None:
    longest = [{"service": f"{n:0128}", "change": "rollback", "duration": "20m"} for n in range(1_000)]
    reply = ask(gate, *longest)
    assert reply.status_code == 200
    assert [each["service"] for each in reply.json()["answers"]] == [each["service"] for each in longest]


def test_a_token_with_a_batch_is_refused(gate: TestClient) -> None:
    body = {"questions": [{"service": "docs-site"}]}
    reply = gate.post("/can-deploy/batch", json=body, headers={"X-Override-Token": "fzo_secret"})
    assert reply.status_code == 400
    assert "secret" not in reply.text


def test_a_batch_is_not_recorded_and_each_question_is_counted(
    gate: TestClient, log: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "freezegate")
    before = gate.get("/metrics").text
    ask(gate, {"service": "api"}, {"service": "checkout"}, {"service": "docs-site"}, {"service": "Api"})
    after = gate.get("/metrics").text
    assert gate.get("/decisions").json()["decisions"] == []

    def count(page: str, name: str) -> float:
        return float(next(line.split()[-1] for line in page.splitlines() if line.startswith(name)))

    denied = 'freezegate_decisions_total{asked_by="question",outcome="deny"}'
    blocked = 'freezegate_policy_decisions_total{outcome="deny",policy="friday-afternoon"}'
    assert count(after, denied) - count(before, denied) == 2
    assert count(after, blocked) - count(before, blocked) == 2
    line = next(json.loads(each) for each in log.getvalue().splitlines() if b"/can-deploy/batch" in each)
    assert (line["questions"], line["allowed"]) == (4, False)


def test_answers_that_are_too_long_together_are_refused(
    gate: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MOST_TEXT", 1_500)
    assert ask(gate, {"service": "api"}).status_code == 423
    reply = ask(gate, {"service": "api"}, {"service": "api"})
    assert reply.status_code == 422
    assert "ask fewer" in reply.json()["detail"]


def test_too_many_batches_at_once_are_refused(gate: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_UNFINISHED", 0)
    reply = ask(gate, {"service": "docs-site"})
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")


def test_the_answer_from_memory_says_so(gate: TestClient) -> None:
    gate.app.state.context.cache.degraded_since = 1  # type: ignore[attr-defined]
    assert "x-freezegate-degraded" in ask(gate, {"service": "api"}).headers
