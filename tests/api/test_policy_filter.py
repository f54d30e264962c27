"""``GET /decisions?policy=…&would=deny``: the decisions of one policy."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.instant import HOUR
from app.server.periodic import poll_policies
from tests.api.conftest import POLICIES, bearer
from tests.api.fakes import FakeClock


@pytest.fixture
def lived(gate: TestClient, clock: FakeClock) -> TestClient:
    """Three claims at lunch, which only warns, and two on the Friday afternoon after."""
    clock.at -= 2 * HOUR
    for service in ("api", "docs-site", "checkout"):
        assert gate.post("/can-deploy", json={"service": service}).json()["outcome"] == "warn"
    clock.at += 2 * HOUR
    for service in ("api", "checkout"):
        assert gate.post("/can-deploy", json={"service": service}).status_code == 423
    return gate


def found(gate: TestClient, **query: str) -> tuple[list[str], str | None]:
    reply: dict[str, Any] = gate.get("/decisions", params=query).json()
    return [each["service"] for each in reply["decisions"]], reply["next"]


@pytest.mark.parametrize("scanned", [1, 200_000])
def test_the_list_of_a_rule_that_only_warns_comes_by_pages(
    lived: TestClient, monkeypatch: pytest.MonkeyPatch, scanned: int
) -> None:
    monkeypatch.setattr("app.gate.record._SCANNED", scanned)
    services, cursor = found(lived, policy="lunch", would="deny", limit="2")
    assert services == ["checkout", "docs-site"]
    assert cursor is not None
    assert found(lived, policy="lunch", would="deny", limit="2", cursor=cursor) == (["api"], None)
    assert found(lived, policy="friday-afternoon") == (["checkout", "api"], None)
    assert found(lived, policy="friday-afternoon", would="deny") == ([], None)
    assert found(lived, policy="frz_8k2m4p6r") == ([], None)
    exported = lived.get("/decisions?policy=lunch&would=deny", headers={"Accept": "text/csv"}).text
    assert [line.split(",")[4] for line in exported.splitlines()] == [
        "service",
        "checkout",
        "docs-site",
        "api",
    ]


@pytest.mark.parametrize(("override", "services"), [("token", []), ("never", ["api"])])
def test_a_deploy_by_a_token_is_listed_if_no_token_lifts_the_rule(
    gate: TestClient, keys: dict[str, str], clock: FakeClock, folder: Path, override: str, services: list[str]
) -> None:
    longer = POLICIES.replace('to: "13:00"', 'to: "15:00"')
    if override == "never":
        longer = longer.replace("effect: warn", "effect: warn\n    override: never")
    (folder / "policies.yaml").write_text(longer)
    for _ in range(2):
        clock.at += 60
        poll_policies(gate.app.state.context)  # type: ignore[attr-defined]
    wanted = {"services": ["api"], "environments": ["production"], "reason": "The fix.", "ttl": "4h"}
    token = gate.post("/overrides", json=wanted, headers=bearer(keys["ops"])).json()["token"]
    claim = {"X-Override-Token": token, **bearer(keys["ci"])}
    assert gate.post("/can-deploy", json={"service": "api"}, headers=claim).json()["outcome"] == "override"
    viewer = bearer(keys["viewer"])
    listed = gate.get("/decisions?policy=lunch&would=deny", headers=viewer).json()["decisions"]
    assert [each["service"] for each in listed] == services
    exported = gate.get("/decisions?policy=lunch&would=deny", headers={"Accept": "text/csv", **viewer}).text
    assert len(exported.splitlines()) == 1 + len(services)
    page = gate.get("/dashboard/policies/lunch", headers=viewer).text
    assert ("Nothing yet." in page) is (not services)


def test_a_wrong_filter_is_refused_by_name(gate: TestClient) -> None:
    for query, field, sentence in (
        ("would=deny", "would", "needs policy"),
        ("policy=lunch&would=allow", "would", "deny"),
        ("policy=Lunch", "policy", "such as friday-afternoon"),
    ):
        reply = gate.get(f"/decisions?{query}")
        assert reply.status_code == 422
        (error,) = reply.json()["errors"]
        assert error["field"] == field
        assert sentence in error["message"]
