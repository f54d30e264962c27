"""``POST /policies/backtest``: recorded decisions under policies that are not in force."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.instant import HOUR
from app.server.response_models import BacktestBody
from tests.api.conftest import POLICIES
from tests.api.fakes import FakeClock

LUNCH_DENIES = POLICIES.replace("effect: warn", "effect: deny").replace("fri 14:00, to", "fri 15:00, to", 1)

REPORTED = (
    "They would have stopped 1 of 1 failed deploy (21\u2013100 %) and 1 of 1 good deploy (21\u2013100 %); "
    "how 1 went is not reported."
)
TOO_FEW = (
    "Deploys that they would have stopped: too few to tell; "
    "2 of those and 0 others are reported, and each side needs 10."
)


@pytest.fixture
def lived(gate: TestClient, clock: FakeClock) -> TestClient:
    """Three deploys at lunch, which only warns, one of them failed; and two denials an hour later."""
    clock.at -= 2 * HOUR
    for service, result in (("api", "failed"), ("docs-site", "succeeded"), ("checkout", None)):
        answer = gate.post("/can-deploy", json={"service": service}).json()
        assert answer["outcome"] == "warn"
        if result is not None:
            gate.post(f"/decisions/{answer['decision_id']}/outcome", json={"result": result})
    clock.at += 2 * HOUR
    for service in ("api", "checkout"):
        assert gate.post("/can-deploy", json={"service": service}).status_code == 423
    return gate


def backtest(gate: TestClient, text: str = LUNCH_DENIES, query: str = "") -> dict[str, Any]:
    reply = gate.post(f"/policies/backtest{query}", json={"policies": {"policies.yaml": text}})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    BacktestBody.model_validate(found)
    assert set(found) == {each.alias or name for name, each in BacktestBody.model_fields.items()}
    return found


def test_it_says_what_would_have_been_stopped_and_what_allowed(lived: TestClient) -> None:
    text = LUNCH_DENIES.replace("  - {at: 2026-11-27 14:00", "  - {at: 2026-11-27 15:00")
    found = backtest(lived, text)
    assert (found["from"], found["to"]) == ("2026-08-29T13:05:00Z", "2026-11-27T13:05:00Z")
    assert (found["complete"], found["decisions"], found["decisions_in_period"]) == (True, 3, 3)
    found = backtest(lived, text, "?to=2026-11-27T13:06:00Z")
    assert found["until"] == "2026-11-27T13:05:00Z"
    assert found["deploys"]["failed"] == {"total": 1, "stopped": 1, "share": 1.0, "interval": [0.2065, 1.0]}
    assert found["deploys"]["comparison"]["verdict"] == "too few to tell"
    assert found["denied"] == {"total": 2, "allowed": 2, "by_freezes_alone": 0}
    assert found["no_longer_denied_by"] == [{"id": "friday-afternoon", "claims": 2}]
    assert [(each["id"], each["stopped"]) for each in found["policies"]] == [
        ("friday-afternoon", 0),
        ("lunch", 3),
    ]
    assert [each["service"] for each in found["examples"]["stopped"]] == ["checkout", "docs-site", "api"]
    assert found["examples"]["allowed"][0]["policies"] == ["friday-afternoon"]
    assert [(each["weekday"], each["hour"]) for each in found["hours"]] == [("fri", 12), ("fri", 14)]
    assert found["in_words"] == [
        "These policies would have stopped 3 of 3 deploys.",
        REPORTED,
        TOO_FEW,
        "They would have allowed 2 of 2 denied claims.",
    ]


def test_the_policies_in_force_change_nothing(lived: TestClient) -> None:
    found = backtest(lived, POLICIES, "?to=2026-11-27T13:06:00Z&service=checkout")
    assert found["in_words"] == [
        "These policies would have stopped none of 1 deploy.",
        "They would have allowed none of 1 denied claim.",
    ]
    assert found["new_revision"] == lived.get("/status").json()["policies"]["revision"]
    assert found["examples"] == {
        name: [] for name in ("stopped", "refused", "never", "allowed", "steps", "unknown")
    }
    nothing = backtest(lived, POLICIES, "?environment=staging")
    assert nothing["in_words"] == ["No decisions were recorded in this period."]
    assert nothing["until"] is None


def test_names_that_the_candidate_does_not_list_are_told_apart(lived: TestClient) -> None:
    found = backtest(lived, "version: 1\nenvironments: [staging]\npolicies: []\n", "?to=2026-11-27T13:06:00Z")
    assert found["unknown"] == {
        "decisions": 5,
        "names": [{"field": "environment", "name": "production", "decisions": 5}],
    }
    assert found["deploys"]["total"] == found["denied"]["total"] == 0
    assert len(found["examples"]["unknown"]) == 5
    assert found["in_words"] == [
        "5 decisions can't be judged, because these policies don't list environment production."
    ]


def test_without_time_for_all_decisions_the_oldest_are_judged(
    lived: TestClient, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gate.backtest._TOGETHER", 2)
    monkeypatch.setattr("app.gate.backtest.PATIENCE", -1)
    found = backtest(lived, POLICIES, "?to=2026-11-27T13:06:00Z")
    assert (found["complete"], found["decisions"], found["decisions_in_period"]) == (False, 2, 5)
    assert found["until"] == "2026-11-27T11:05:00Z"


@pytest.mark.parametrize(
    ("query", "text", "field"),
    [
        ("?from=2025-11-26T13:04:59Z&to=2026-11-27T13:05:00Z", POLICIES, "to"),
        ("?to=2026-11-27", POLICIES, "to"),
        ("?policy=lunch", POLICIES, "policy"),
        ("", POLICIES.replace("weekly", "wekly"), None),
    ],
)
def test_a_wrong_request_is_refused(gate: TestClient, query: str, text: str, field: str | None) -> None:
    reply = gate.post(f"/policies/backtest{query}", json={"policies": {"policies.yaml": text}})
    assert reply.status_code == 422
    if field is None:
        assert reply.json()["problems"][0]["line"]
    else:
        assert [each["field"] for each in reply.json()["errors"]] == [field]
