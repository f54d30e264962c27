"""``GET /insights``: what the record of decisions shows."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import bearer
from tests.api.fakes import FakeClock

COUNTS = {"deploys", "overrides", "reported", "failed", "rate", "interval"}
JUDGED = {"like_for_like", "difference", "difference_interval", "verdict", "in_words"}
COMPARISON = {"inside", "others", *JUDGED}


def deploy(gate: TestClient, result: str | None, service: str = "docs-site", **fields: str) -> None:
    own_id = gate.post("/can-deploy", json={"service": service, **fields}).json()["decision_id"]
    if result is not None:
        reply = gate.post(f"/decisions/{own_id}/outcome", json={"result": result})
        assert reply.status_code == 201


def asked(gate: TestClient, **query: str) -> Any:
    reply = gate.get("/insights", params=query)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_the_shape_of_insights(gate: TestClient, clock: FakeClock) -> None:
    deploy(gate, "failed")
    deploy(gate, None, "api", environment="staging")
    deploy(gate, None, "api")  # denied: it is Friday, 14:05
    clock.at += 3_600
    found = asked(gate)
    assert (found["from"], found["to"]) == ("2026-08-29T14:05:00Z", "2026-11-27T14:05:00Z")
    assert found["timezone"] == "Europe/Amsterdam"
    assert found["environment"] is found["service"] is found["change"] is None
    assert found["totals"] == {
        "decisions": 3,
        "denials": 1,
        "deploys": 2,
        "overrides": 0,
        "reported": 1,
        "failed": 1,
        "rate": 1.0,
        "interval": [0.2065, 1.0],
        "unreported": 1,
    }
    assert found["in_words"].startswith(
        "2 deploys, 1 denial and 0 overrides in 90 days. Deploys failed 100 %"
    )
    assert len(found["hours"]) == 168
    hour = found["hours"][4 * 24 + 14]
    assert (hour["weekday"], hour["hour"], hour["denials"], hour["deploys"]) == ("fri", 14, 1, 2)
    assert set(hour) == {"weekday", "hour", "denials", *COUNTS, *JUDGED}
    friday, lunch = found["policies"]
    assert (friday["id"], friday["effect"], friday["denials"]) == ("friday-afternoon", "deny", 1)
    assert friday["title"] == "No deploys after Friday 14:00"
    assert set(friday["comparison"]) == COMPARISON
    assert set(friday["comparison"]["inside"]) == COUNTS
    assert friday["comparison"]["verdict"] == "too few to tell"
    assert friday["waits"]["still_waiting"] == 1
    assert (lunch["effect"], lunch["comparison"]["others"]["deploys"]) == ("warn", 1)
    assert [each["environment"] for each in found["environments"]] == ["production", "staging"]
    assert set(found["environments"][0]) == {"environment", "denials", *COUNTS, "comparison"}
    assert found["findings"] == []
    assert found["method"]["enough"] == 10
    assert found["method"]["hours"] == {"comparisons": 0, "confidence_of_each": 0.95}


def test_a_difference_becomes_a_finding(gate: TestClient, clock: FakeClock) -> None:
    start = clock.at
    for number in range(30):  # on Friday afternoon, where staging is not frozen
        clock.at = start + number
        deploy(gate, "failed" if number % 2 else "succeeded", change="rollback")
    clock.at = start + 4 * 86_400  # Tuesday
    for _ in range(60):
        deploy(gate, "succeeded", "api")
    clock.at += 1
    found = asked(gate, environment="production")
    # What fails is unlike all that succeeded: another kind of change, to which other policies apply.
    assert found["hours"][4 * 24 + 14]["rate"] == 0.5
    assert found["hours"][4 * 24 + 14]["like_for_like"] is None
    assert found["findings"] == []
    for number in range(60):
        deploy(gate, "failed" if number == 7 else "succeeded", change="rollback")
    for number in range(12):
        deploy(gate, "failed" if number % 2 else "succeeded", "api", environment="staging")
    clock.at += 1
    found = asked(gate, environment="production")
    # docs-site is exempt from the policy: none of its deploys counts for it, but all do for their hour.
    assert found["policies"][0]["comparison"]["verdict"] == "too few to tell"
    assert found["totals"]["deploys"] == 150
    worse = [each for each in found["hours"] if each["verdict"] == "worse inside"]
    assert [(each["weekday"], each["hour"]) for each in worse] == [("fri", 14)]
    assert worse[0]["difference_interval"][0] > 0
    assert worse[0]["like_for_like"] == {"reported": 30, "rate": 0.5, "expected": 0.0167}
    assert worse[0]["in_words"].endswith(
        "at other times 0.8 % (1 of 120, 0\u20135 %); like with like, 50 % beside 2 %: worse."
    )
    assert worse[0]["in_words"] in found["findings"]
    assert asked(gate, service="api")["totals"]["deploys"] == 72
    assert asked(gate, service="api", environment="staging")["totals"]["failed"] == 6
    assert asked(gate, change="rollback")["totals"]["deploys"] == 90
    assert asked(gate, to="2026-11-27T13:05:10Z")["totals"]["deploys"] == 10
    assert asked(gate, **{"from": "2026-12-01T00:00:00Z"})["totals"]["deploys"] == 132


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-11-28T00:00:00Z"},
        {"to": "2026-01-01T00:00:00Z", "from": "2026-01-01T00:00:00Z"},
        {"from": "2025-11-01T00:00:00Z"},
        {"from": "yesterday"},
        {"from": "1999-01-01T00:00:00Z"},
        {"to": "2000-01-01T00:00:00Z"},
        {"service": "API"},
        {"environment": "a b"},
        {"change": "a b"},
        {"policy": "friday-afternoon"},
    ],
)
def test_what_makes_no_sense_is_422(gate: TestClient, query: dict[str, str]) -> None:
    assert gate.get("/insights", params=query).status_code == 422


@pytest.mark.parametrize(
    "query",
    [
        {"to": "2000-01-02T00:00:00Z"},
        {"from": "2100-01-01T00:00:00Z", "to": "2100-12-31T23:59:59Z"},
        {"from": "2025-11-26T13:05:00Z", "to": "2026-11-27T13:05:00Z"},
        {"environment": "gone", "service": "nobody-knows", "change": "none-of-ours"},
    ],
)
def test_the_ends_of_what_may_be_asked(gate: TestClient, query: dict[str, str]) -> None:
    assert asked(gate, **query)["totals"]["decisions"] == 0


def test_insights_are_for_viewers(gate: TestClient, keys: dict[str, str]) -> None:
    assert gate.get("/insights", headers=bearer(keys["viewer"])).status_code == 200
    assert gate.get("/insights", headers=bearer("fzk_wrong")).status_code == 401


def test_a_period_that_reaches_up_to_now_ends_with_the_minute(gate: TestClient, clock: FakeClock) -> None:
    clock.at += 1
    deploy(gate, "failed")
    found = asked(gate, **{"from": "2025-11-26T13:05:01Z"})
    assert (found["to"], found["totals"]["failed"]) == ("2026-11-27T13:06:00Z", 1)
    assert found["as_of"] == "2026-11-27T13:05:01Z"
    assert gate.get("/insights", params={"from": "2025-11-26T13:05:00Z"}).status_code == 422


def test_too_many_counts_at_once_are_refused_and_told_when_to_come_again(
    gate: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gate.insights.MOST_UNFINISHED", 0)
    for path in ("/insights", "/dashboard/insights"):
        reply = gate.get(path)
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "2")
    assert gate.get("/insights").json()["detail"] == "too much is being counted already"


def test_without_a_store_there_are_none(gate: TestClient, folder: Path) -> None:
    away = (folder / "gate.db").rename(folder / "away.db")
    assert gate.get("/insights").status_code == 503
    assert gate.post("/decisions/dec_0/outcome", json={"result": "failed"}).status_code == 503
    away.rename(folder / "gate.db")
    assert gate.get("/insights").status_code == 200
