"""A rollout in steps, on both databases: what has begun may finish, within its time, unless it is stopped."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.instant import parse_instant
from app.gate.replay import replay
from app.main import create_app
from app.settings import Settings
from tests.api.conftest import POLICIES, bearer
from tests.api.fakes import FakeClock

THURSDAY = "2026-11-26T12:{}:00Z"
LATER = """\
  - id: audit
    title: The auditors are here
    reason: They count.
    {}
    when: [{{dates: {{from: 2026-11-26 14:00, to: 2026-11-26 18:00}}}}]
"""
"""A policy that somebody adds while a rollout runs; 14:00 in Amsterdam is 13:00Z."""

INCIDENT = {"title": "Incident 42", "reason": "Payments are down.", "ttl": "2h"}


@pytest.fixture(params=["sqlite", "postgresql"])
def gate(request: pytest.FixtureRequest, folder: Path, clock: FakeClock) -> Iterator[TestClient]:
    url = f"sqlite:///{folder / 'gate.db'}"
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgresql_url"))
    settings = Settings(policies=folder / "policies.yaml", database_url=SecretStr(url))
    clock.at = parse_instant(THURSDAY.format("30"))
    with TestClient(create_app(settings, clock=clock)) as client:
        yield client


def claim(gate: TestClient, headers: dict[str, str] | None = None, **fields: object) -> dict[str, Any]:
    reply = gate.post("/can-deploy", json={"service": "api", **fields}, headers=headers or {})
    body: dict[str, Any] = reply.json()
    assert reply.status_code == (200 if body.get("allowed") else 423), body
    if body["continues"] is not None:
        context = gate.app.state.context  # type: ignore[attr-defined]
        replayed = context.gate._store.query(lambda view: replay(view, body["decision_id"]))
        assert replayed.evaluated == replayed.recorded == body
    return body


def add_policy(gate: TestClient, folder: Path, *keys: str) -> None:
    """Add the policy, and have it taken."""
    text = POLICIES.replace("tests:\n", LATER.format("\n    ".join(keys)) + "tests:\n")
    (folder / "policies.yaml").write_text(text)
    context = gate.app.state.context  # type: ignore[attr-defined]
    for _ in range(2):
        context.policies.poll(context.clock.now())
    assert gate.get("/policies/audit").status_code == 200


def at(clock: FakeClock, time: str) -> None:
    clock.at = parse_instant(f"2026-11-26T{time}:00Z")


def test_a_rollout_of_40_minutes_finishes_in_its_time_and_no_later(
    gate: TestClient, folder: Path, clock: FakeClock, keys: dict[str, str]
) -> None:
    first = claim(gate, duration="40m")
    assert (first["outcome"], first["continues"]) == ("allow", None)
    add_policy(gate, folder)
    at(clock, "13:01")
    assert [each["id"] for each in claim(gate)["blocking"]] == ["audit"]
    at(clock, "13:05")
    second = claim(gate, continues=first["decision_id"])
    assert (second["outcome"], second["blocking"], second["closes_at"]) == (
        "allow",
        [],
        "2026-11-26T13:10:00Z",
    )
    (lifted,) = second["continues"].pop("lifted")
    assert (lifted["id"], lifted["until"]) == ("audit", "2026-11-26T17:00:00Z")
    assert second["continues"] == {
        "id": first["decision_id"],
        "result": "running",
        "first": first["decision_id"],
        "until": "2026-11-26T13:10:00Z",
    }
    assert second["message"] == (
        "api may be deployed to production. Closes Thu 26 Nov 14:10 CET, in 5 min: The auditors are here. "
        f"It continues {first['decision_id']}, which may finish until Thu 26 Nov 14:10 CET, "
        "in spite of: The auditors are here."
    )
    # A chain lasts no longer than its first step.
    at(clock, "13:09")
    third = claim(gate, continues=second["decision_id"], duration="1m")
    assert third["continues"]["first"] == first["decision_id"]
    assert third["allowed"]
    assert not claim(gate, continues=second["decision_id"], duration="2m")["allowed"]
    at(clock, "13:10")
    for own_id in (first["decision_id"], third["decision_id"]):
        late = claim(gate, continues=own_id)
        assert (late["continues"]["result"], late["continues"]["lifted"]) == ("over", [])
        assert late["message"].endswith(
            f"It does not continue {own_id}, which is over since Thu 26 Nov 14:10 CET."
        )
        assert [each["id"] for each in late["blocking"]] == ["audit"]
    assert gate.get("/audit/verify", headers=bearer(keys["admin"])).json()["whole"]


def test_an_ad_hoc_freeze_stops_a_rollout_unless_it_lets_it_finish(
    gate: TestClient, folder: Path, clock: FakeClock, keys: dict[str, str]
) -> None:
    first = claim(gate, duration="40m")["decision_id"]
    add_policy(gate, folder)
    at(clock, "13:02")
    started = gate.post("/freezes", json=INCIDENT, headers=bearer(keys["ops"])).json()
    assert started["running"] == "stop"
    at(clock, "13:05")
    stopped = claim(gate, continues=first)
    assert [each["id"] for each in stopped["blocking"]] == [started["id"]]
    assert [each["id"] for each in stopped["continues"]["lifted"]] == ["audit"]
    assert stopped["message"].endswith(f"It continues {first}, but running deploys are stopped, too.")
    # A denied step can't be continued.
    denied = claim(gate, continues=stopped["decision_id"])
    assert denied["continues"]["result"] == "denied"
    change = gate.patch(f"/freezes/{started['id']}", json={"running": "finish"}, headers=bearer(keys["ops"]))
    assert (change.status_code, change.json()["running"]) == (200, "finish")
    finishing = claim(gate, continues=first)
    assert finishing["allowed"]
    assert [each["id"] for each in finishing["continues"]["lifted"]] == [started["id"], "audit"]
    at(clock, "13:10")
    late = claim(gate, continues=first)
    assert [each["id"] for each in late["blocking"]] == [started["id"], "audit"]
    # Over is over, also after the clock was set back.
    at(clock, "13:05")
    assert claim(gate, continues=first)["continues"]["result"] == "over"
    assert gate.get("/audit/verify", headers=bearer(keys["admin"])).json()["whole"]


def test_a_policy_that_says_stop_stops_a_rollout(gate: TestClient, folder: Path, clock: FakeClock) -> None:
    first = claim(gate, duration="40m")["decision_id"]
    add_policy(gate, folder, "running: stop")
    assert gate.get("/policies/audit").json()["running"] == "stop"
    at(clock, "13:05")
    stopped = claim(gate, continues=first)
    assert (stopped["allowed"], stopped["continues"]["result"]) == (False, "running")


def test_an_override_lets_a_whole_rollout_through_for_one_use(
    gate: TestClient, clock: FakeClock, keys: dict[str, str]
) -> None:
    clock.at = parse_instant("2026-11-27T13:05:00Z")
    wanted = {"services": ["api"], "environments": ["production"], "reason": "The fix.", "ttl": "4h"}
    granted = gate.post("/overrides", json=wanted, headers=bearer(keys["ops"])).json()
    token = {"X-Override-Token": granted["token"]}
    first = claim(gate, token, duration="40m")
    assert first["outcome"] == "override"
    clock.at += 600
    again = claim(gate, token, continues=first["decision_id"])
    assert (again["outcome"], again["override"]["result"]) == ("allow", "invalid")
    assert claim(gate, continues=again["decision_id"])["allowed"]
    gate.delete(f"/overrides/{granted['id']}", headers=bearer(keys["ops"]))
    for own_id in (first["decision_id"], again["decision_id"]):
        revoked = claim(gate, continues=own_id)
        assert (revoked["allowed"], revoked["continues"]["result"]) == (False, "revoked")
        assert f"the override of {own_id} was revoked" in revoked["message"]


def test_a_token_for_one_ref_lets_no_step_of_another_one_through(
    gate: TestClient, folder: Path, clock: FakeClock, keys: dict[str, str]
) -> None:
    add_policy(gate, folder)
    at(clock, "13:05")
    wanted = {"services": ["api"], "environments": ["production"], "reason": "The fix.", "ttl": "4h"}
    granted = gate.post("/overrides", json={**wanted, "ref": "v1"}, headers=bearer(keys["ops"])).json()
    first = claim(gate, {"X-Override-Token": granted["token"]}, duration="40m", ref="v1")["decision_id"]
    second = claim(gate, continues=first, ref="v1")
    assert second["continues"]["result"] == "running"
    for earlier in (first, second["decision_id"]):
        for ref in ("v2", None):
            other = claim(gate, continues=earlier, ref=ref)
            assert (other["allowed"], other["continues"]["result"]) == (False, "other-ref")
            assert f"the override of {earlier} is for another ref" in other["message"]


def test_a_token_with_a_step_is_spent_only_on_what_still_blocks(
    gate: TestClient, folder: Path, clock: FakeClock, keys: dict[str, str]
) -> None:
    first = claim(gate, duration="40m")["decision_id"]
    add_policy(gate, folder, "override: never")
    at(clock, "13:05")
    gate.post("/freezes", json=INCIDENT, headers=bearer(keys["ops"]))
    wanted = {"services": ["api"], "environments": ["production"], "reason": "The fix.", "ttl": "4h"}
    token = {
        "X-Override-Token": gate.post("/overrides", json=wanted, headers=bearer(keys["ops"])).json()["token"]
    }
    spent = claim(gate, token, continues=first)
    assert (spent["outcome"], spent["override"]["result"]) == ("override", "spent")
    assert [each["id"] for each in spent["continues"]["lifted"]] == ["audit"]
    assert f"It continues {first}, which may finish until" in spent["message"]
    assert gate.get("/audit/verify", headers=bearer(keys["admin"])).json()["whole"]


def test_a_claim_that_continues_nothing_is_decided_like_any_other(
    gate: TestClient, clock: FakeClock, keys: dict[str, str]
) -> None:
    first = claim(gate, duration="40m")["decision_id"]
    brief = claim(gate)["decision_id"]
    cases = [
        ("dec_0", {}, {}, "unknown", "there is no decision dec_0"),
        (first, {"environment": "staging"}, {}, "other-deploy", "of another service, environment or kind"),
        (first, {"change": "rollback"}, {}, "other-deploy", "of another service, environment or kind"),
        (first, {"service": "docs-site"}, {}, "other-deploy", "of another service, environment or kind"),
        (first, {}, bearer(keys["ci"]), "other-caller", f"{first} was claimed with other credentials"),
        (brief, {}, {}, "no-duration", f"{brief} was claimed without a duration"),
    ]
    for own_id, fields, headers, result, said in cases:
        answer = claim(gate, headers, continues=own_id, **fields)
        assert (answer["outcome"], answer["continues"]["result"]) == ("allow", result)
        assert said in answer["message"]
        assert answer["continues"]["lifted"] == []
    for wrong in ("", "dec_", "frz_1", "DEC_1", 7):
        reply = gate.post("/can-deploy", json={"service": "api", "continues": wrong})
        assert reply.status_code == 422
    assert gate.get("/can-deploy", params={"service": "api", "continues": first}).status_code == 422


def test_a_step_that_is_tried_again_gets_the_same_answer_also_against_a_freeze_that_is_never_overridden(
    gate: TestClient, folder: Path, clock: FakeClock
) -> None:
    first = claim(gate, duration="40m")["decision_id"]
    add_policy(gate, folder, "override: never")
    at(clock, "13:05")
    key = {"Idempotency-Key": "k1"}
    second = claim(gate, key, continues=first)
    assert second["allowed"]
    clock.at += 30
    assert claim(gate, key, continues=first) == second
    other = {"service": "api", "continues": second["decision_id"]}
    assert gate.post("/can-deploy", json=other, headers=key).status_code == 409
    at(clock, "13:10")
    over = gate.post("/can-deploy", json={"service": "api", "continues": first}, headers=key)
    assert over.status_code == 409


def test_the_steps_of_a_rollout_are_one_deploy_with_one_outcome(
    gate: TestClient, folder: Path, clock: FakeClock, keys: dict[str, str]
) -> None:
    first = claim(gate, duration="40m")["decision_id"]
    add_policy(gate, folder)
    at(clock, "13:05")
    second = claim(gate, continues=first)["decision_id"]
    third = claim(gate, continues=second)["decision_id"]
    reported = gate.post(f"/decisions/{third}/outcome", json={"result": "failed"}).json()
    assert reported["decision_id"] == first
    for own_id in (first, second, third):
        shown = gate.get(f"/decisions/{own_id}").json()
        assert [each["result"] for each in shown["outcomes"]] == ["failed"]
    gate.post("/freezes", json=INCIDENT, headers=bearer(keys["ops"]))
    claim(gate, continues=first)
    clock.at += 60
    totals = gate.get("/insights").json()["totals"]
    assert (totals["deploys"], totals["reported"], totals["failed"], totals["denials"]) == (1, 1, 1, 1)
    assert gate.get("/audit/verify", headers=bearer(keys["admin"])).json()["whole"]


def test_a_row_that_no_longer_continues_its_deploy_is_named(
    gate: TestClient, folder: Path, clock: FakeClock, keys: dict[str, str]
) -> None:
    first = claim(gate, duration="40m")["decision_id"]
    second = claim(gate, continues=first)["decision_id"]
    store = gate.app.state.context.gate._store  # type: ignore[attr-defined]
    for own_id, value in ((second, "NULL"), (first, f"'{second}'")):
        with store._database.engine.begin() as connection:
            statement = f"UPDATE decisions SET continues = {value} WHERE id = '{own_id}'"  # noqa: S608 - ours
            connection.exec_driver_sql(statement)
    differences = gate.get("/audit/verify", headers=bearer(keys["admin"])).json()["differences"]
    assert {(each["id"], each["what"]) for each in differences} == {
        (own_id, "differs from the record in continues") for own_id in (first, second)
    }
