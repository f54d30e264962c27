"""Deploys that wait, over HTTP: asked for, listed, looked at, cancelled."""

import time
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.decision import Question
from app.core.instant import DAY
from app.gate.holds import HoldRequest
from app.gate.keys import KeyRequest
from app.identity.caller import Caller, Role
from app.main import create_app
from app.settings import Settings
from tests.api.conftest import bearer, key_for
from tests.api.fakes import FakeClock

OPENS = "2026-11-30T07:00:00Z"
PATIENCE = 1_500
"""Looks at a hold, of a fiftieth of a second."""


def wait(gate: TestClient, headers: dict[str, str], key: str = "run-1", **fields: object) -> Any:
    named = {} if "services" in fields else {"service": "checkout"}
    return gate.post("/holds", json={"key": key, **named, **fields}, headers=headers)


@pytest.fixture
def ci(keys: dict[str, str]) -> dict[str, str]:
    return bearer(keys["ci"])


def test_a_deploy_waits_and_is_asked_for_until_it_is_answered(gate: TestClient, ci: dict[str, str]) -> None:
    reply = wait(gate, ci, ref="abc", actor="ada", run_url="https://ci.example.com/1", duration="20m")
    assert reply.status_code == 201
    held = reply.json()
    assert held["id"].startswith("hld_")
    expected = {
        "state": "waiting",
        "responder": None,
        "key": "run-1",
        "service": "checkout",
        "environment": "production",
        "change": "normal",
        "duration_s": 1200,
        "ref": "abc",
        "actor": "ada",
        "run_url": "https://ci.example.com/1",
        "requested_by": "ci person",
        "created_at": "2026-11-27T13:05:00Z",
        "expires_at": "2026-12-01T07:00:00Z",
        "opens_at": OPENS,
        "decision_id": None,
    }
    assert {name: held[name] for name in expected} == expected
    assert held["message"].startswith("checkout may not be deployed to production")
    assert "No deploys after Friday 14:00" in held["message"]
    assert gate.get(f"/holds/{held['id']}").json() == held
    assert "message" not in gate.get("/holds").json()["holds"][0]
    gate.delete(f"/holds/{held['id']}", headers=ci)
    assert gate.get(f"/holds/{held['id']}").json()["message"] is None
    assert reply.headers["cache-control"] == "no-store"


def test_the_same_key_is_the_same_hold(gate: TestClient, ci: dict[str, str], clock: FakeClock) -> None:
    first = wait(gate, ci).json()
    clock.at += 60
    again = wait(gate, ci, timeout="2h")
    # The sentence says how long it still is until the opening.
    assert (again.status_code, again.json() | {"message": first["message"]}) == (200, first)


def test_an_approval_is_not_given_again_in_a_freeze(
    gate: TestClient, ci: dict[str, str], clock: FakeClock
) -> None:
    clock.at -= DAY
    held = wait(gate, ci).json()["id"]
    for _ in range(PATIENCE):
        if gate.get(f"/holds/{held}").json()["state"] == "approved":
            break
        time.sleep(0.02)
    assert wait(gate, ci).json()["id"] == held
    clock.at += DAY
    again = wait(gate, ci)
    assert (again.status_code, again.json()["state"]) == (201, "waiting")
    assert again.json()["id"] != held


def test_a_key_of_another_deploy_or_caller_is_a_conflict(
    gate: TestClient, keys: dict[str, str], ci: dict[str, str]
) -> None:
    wait(gate, ci)
    for reply in (
        wait(gate, ci, environment="staging"),
        wait(gate, ci, change="rollback"),
        wait(gate, bearer(keys["ops"])),
        wait(gate, {}),
    ):
        assert reply.status_code == 409
        assert "hld_" not in reply.text
    assert len(gate.get("/holds").json()["holds"]) == 1


def test_it_says_until_when_it_can_wait_in_one_of_two_ways(gate: TestClient, ci: dict[str, str]) -> None:
    until = wait(gate, ci, "a", wait_until="2026-11-28T00:00:00+01:00").json()
    assert until["expires_at"] == "2026-11-27T23:00:00Z"
    assert wait(gate, ci, "open", change="rollback").json()["expires_at"] == "2026-11-28T13:05:00Z"
    assert wait(gate, ci, "b", timeout="2h").json()["expires_at"] == "2026-11-27T15:05:00Z"
    both = wait(gate, ci, "c", timeout="2h", wait_until="2026-11-28T00:00:00Z")
    assert (both.status_code, both.json()["errors"][0]["field"]) == (422, "wait_until")
    for fields in ({"timeout": "36d"}, {"wait_until": "2026-11-27T13:05:00Z"}, {"timeout": 60}):
        assert wait(gate, ci, "c", **fields).status_code == 422


@pytest.mark.parametrize(
    "fields",
    [
        {"key": ""},
        {"key": "has a blank"},
        {"key": "x" * 129},
        {"key": None},
        {"environment": "nowhere"},
        {"change": "else"},
        {"services": ["api", "api"]},
        {"service": "api", "services": ["web"]},
        {"deny_status": 200},
        {"answer": {}},
        {"answer": {"callback": {"url": "http://ci.example.com/"}}},
        {"answer": {"callback": {"url": "https://user:pass@ci.example.com/"}}},
        {"answer": {"callback": {"url": "https://[::1/"}}},
        {"answer": {"callback": {"url": "https://ci.example.com/", "secret": "s"}}},
    ],
)
def test_a_request_that_is_wrong_waits_for_nothing(
    gate: TestClient, ci: dict[str, str], fields: dict[str, object]
) -> None:
    reply = gate.post("/holds", json={"service": "checkout", "key": "k", **fields}, headers=ci)
    assert reply.status_code == 422, reply.text
    assert "user:pass" not in reply.text
    assert gate.get("/holds").json() == {"holds": [], "next": None}


def test_without_a_section_for_callbacks_none_are_sent(gate: TestClient, ci: dict[str, str]) -> None:
    reply = wait(gate, ci, answer={"callback": {"url": "https://ci.example.com/hook"}})
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "answer")


def test_a_hold_that_is_answered_at_a_url_shows_it_nowhere(
    folder: Path, clock: FakeClock, tmp_path: Path
) -> None:
    (tmp_path / "integrations.yaml").write_text(
        "callback: {hosts: [ci.example.com], secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}\n"
    )
    settings = Settings(policies=folder / "policies.yaml", integrations=tmp_path / "integrations.yaml")
    with TestClient(create_app(settings, clock=clock)) as client:
        ci, admin = (bearer(key_for(client, KeyRequest(name, Role(name)))) for name in ("ci", "admin"))
        foreign = wait(client, ci, answer={"callback": {"url": "https://elsewhere.example.com/"}})
        assert (foreign.status_code, "elsewhere" in foreign.text) == (422, False)
        held = wait(client, ci, answer={"callback": {"url": "https://ci.example.com/hook/hunter1"}}).json()
        assert held["responder"] == "callback"
        other = wait(client, ci, answer={"callback": {"url": "https://ci.example.com/another/hunter2"}})
        for reply in (other, wait(client, ci)):
            assert (reply.status_code, "hunter" in reply.text, held["id"] in reply.text) == (
                409,
                False,
                False,
            )
        asked = [client.get(path) for path in (f"/holds/{held['id']}", "/holds", "/")]
        asked += [client.get(path, headers=admin) for path in ("/audit", "/metrics")]
        assert not any("hunter" in reply.text for reply in asked)


def test_holds_are_listed_with_their_turns_and_by_page(
    gate: TestClient, ci: dict[str, str], clock: FakeClock
) -> None:
    made = []
    for number in range(7):
        clock.at += 1
        made.append(wait(gate, ci, f"run-{number}", timeout="4d").json()["id"])
    first = gate.get("/holds?limit=3").json()
    assert [each["id"] for each in first["holds"]] == made[:3:-1]
    second = gate.get(f"/holds?limit=5&cursor={first['next']}").json()
    assert ([each["id"] for each in second["holds"]], second["next"]) == (made[3::-1], None)
    turns = {each["id"]: each["turn_at"] for each in first["holds"] + second["holds"]}
    later = "2026-11-30T07:01:00Z"
    assert [turns[each] for each in made] == [OPENS] * 5 + [later] * 2


def test_holds_are_filtered(gate: TestClient, ci: dict[str, str], clock: FakeClock) -> None:
    one = wait(gate, ci, "a").json()["id"]
    clock.at += 1
    other = wait(gate, ci, "b", service="api").json()["id"]
    gate.delete(f"/holds/{one}", headers=ci)

    def ids(query: str) -> list[str]:
        return [each["id"] for each in gate.get(f"/holds?{query}").json()["holds"]]

    assert ids("") == [other]
    assert ids("state=all") == [other, one]
    assert ids("state=cancelled") == [one]
    assert ids("service=api") == ids("environment=production") == [other]
    assert ids("environment=staging") == ids("service=checkout") == []
    for query in ("state=gone", "limit=0", "cursor=A", "other=1"):
        assert gate.get(f"/holds?{query}").status_code == 422


def test_the_one_who_asked_takes_it_back_with_a_reason(
    gate: TestClient, keys: dict[str, str], ci: dict[str, str]
) -> None:
    held = wait(gate, ci).json()
    reply = gate.request("DELETE", f"/holds/{held['id']}", json={"reason": "Superseded"}, headers=ci)
    assert (reply.status_code, reply.json()["state"]) == (200, "cancelled")
    assert gate.delete(f"/holds/{held['id']}", headers=ci).json()["state"] == "cancelled"
    [event] = [
        each
        for each in gate.get("/audit", headers=bearer(keys["admin"])).json()["events"]
        if each["kind"] == "hold-cancelled"
    ]
    assert (event["actor"], event["data"]["reason"]) == ("ci person", "Superseded")


def test_ops_cancel_what_others_asked_for_and_ci_does_not(
    gate: TestClient, keys: dict[str, str], ci: dict[str, str]
) -> None:
    other = bearer(key_for(gate, KeyRequest("other pipeline", Role.CI)))
    namesake = bearer(key_for(gate, KeyRequest("ci person", Role.CI)))
    held = wait(gate, ci).json()["id"]
    assert wait(gate, namesake).status_code == 409
    for headers in (other, namesake, {}):
        assert gate.delete(f"/holds/{held}", headers=headers).status_code == 403
    assert gate.get(f"/holds/{held}").json()["state"] == "waiting"
    assert gate.delete(f"/holds/{held}", headers=bearer(keys["ops"])).json()["state"] == "cancelled"


def test_an_id_that_there_is_not_is_404(gate: TestClient, ci: dict[str, str]) -> None:
    for hold_id in ("hld_0", "frz_8k2m4p6r", "nothing", "HLD_1"):
        assert gate.get(f"/holds/{hold_id}").status_code == 404
        assert gate.delete(f"/holds/{hold_id}", headers=ci).status_code == 404


def test_a_key_for_some_services_holds_no_others(gate: TestClient) -> None:
    restricted = bearer(key_for(gate, KeyRequest("docs", Role.CI, services=("docs-*",))))
    assert wait(gate, restricted, service="docs-site").status_code == 201
    assert wait(gate, restricted, "2").status_code == 403
    assert wait(gate, restricted, "3", services=["docs-site", "checkout"]).status_code == 403


def test_holds_without_credentials_are_limited_like_claims(folder: Path, clock: FakeClock) -> None:
    settings = Settings(policies=folder / "policies.yaml", anonymous_claims="3/minute")
    with TestClient(create_app(settings, clock=clock)) as client:
        statuses = [wait(client, {}, f"run-{number}").status_code for number in range(4)]
    assert statuses == [201, 201, 201, 429]


async def _of_a_system(gate: TestClient) -> str:
    here = gate.app.state.context  # type: ignore[attr-defined]
    here.gate.holds.targets = {"azure-devops": lambda _: None}
    expires_at = here.clock.now() + 3_600
    wanted = HoldRequest(Question("checkout", "production"), "azure-devops", "plan", {}, expires_at)
    held = await here.gate.holds.hold(Caller("azure-devops", Role.CI), wanted, here.policies.in_force)
    return str(held.id)


def test_a_key_that_is_named_like_a_system_does_not_cancel_its_holds(gate: TestClient) -> None:
    assert gate.portal is not None
    held = gate.portal.call(_of_a_system, gate)
    namesake = bearer(key_for(gate, KeyRequest("azure-devops", Role.CI)))
    assert gate.delete(f"/holds/{held}", headers=namesake).status_code == 403
    assert gate.get(f"/holds/{held}").json()["state"] == "waiting"


def test_a_key_of_some_services_cancels_what_it_asked_for(gate: TestClient) -> None:
    narrow = bearer(key_for(gate, KeyRequest("narrow", Role.CI, services=("checkout",))))
    held = wait(gate, narrow).json()["id"]
    assert gate.delete(f"/holds/{held}", headers=narrow).json()["state"] == "cancelled"
