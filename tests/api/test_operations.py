"""Overrides, freezes and the record over HTTP: the story of the Friday fix, and what must not work."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.gate.keys import KeyRequest
from app.identity.caller import Role
from app.server.context import Context
from tests.api.conftest import bearer, key_for
from tests.api.fakes import FakeClock

GRANT = {"services": ["api"], "environments": ["production"], "reason": "The fix.", "ttl": "4h"}
FREEZE = {"title": "Incident 42", "reason": "Payments are down.", "ttl": "2h"}


def claim(gate: TestClient, headers: dict[str, str] | None = None, **fields: object) -> Any:
    return gate.post("/can-deploy", json={"service": "api", **fields}, headers=headers or {})


def test_the_story_of_the_friday_fix(gate: TestClient, keys: dict[str, str]) -> None:
    denied = claim(gate, bearer(keys["ci"]))
    assert denied.status_code == 423
    granted = gate.post("/overrides", json=GRANT, headers=bearer(keys["ops"]))
    assert granted.status_code == 201
    token = {"X-Override-Token": granted.json()["token"], **bearer(keys["ci"])}
    allowed = claim(gate, token)
    assert allowed.status_code == 200
    assert allowed.json()["outcome"] == "override"
    again = claim(gate, token)
    assert (again.status_code, again.json()["override"]["result"]) == (423, "invalid")
    told = gate.get("/audit", headers=bearer(keys["admin"])).json()["events"]
    assert [(each["kind"], each["actor"]) for each in reversed(told)][-5:] == [
        ("decision", "ci person"),
        ("override-granted", "ops person"),
        ("decision", "ci person"),
        ("override-spent", "ci person"),
        ("decision", "ci person"),
    ]
    verified = gate.get("/audit/verify", headers=bearer(keys["admin"])).json()
    assert (verified["whole"], verified["fault"]) == (True, None)
    shown = gate.get(f"/overrides/{granted.json()['id']}", headers=bearer(keys["ops"])).json()
    assert (shown["state"], shown["uses_left"]) == ("used-up", 0)
    assert "token" not in shown


def test_a_token_for_saturday_night_and_one_ref(
    gate: TestClient, keys: dict[str, str], clock: FakeClock
) -> None:
    ops = bearer(keys["ops"])
    wanted = {**GRANT, "starts_at": "2026-11-28T21:00:00Z", "ref": "v1.4.2"}
    granted = gate.post("/overrides", json=wanted, headers=ops).json()
    assert (granted["state"], granted["expires_at"]) == ("scheduled", "2026-11-29T01:00:00Z")
    token = {"X-Override-Token": granted["token"]}
    early = claim(gate, token, ref="v1.4.2").json()
    assert early["override"]["result"] == "pending"
    assert "is not active before Sat 28 Nov 22:00 CET" in early["message"]
    clock.at += 33 * 3_600
    other = claim(gate, token, ref="v1.4.3").json()["override"]
    (gap,) = other["uncovered"]
    assert (other["result"], gap["part"], gap["id"]) == ("does-not-cover", "ref", "v1.4.3")
    assert claim(gate, token, ref="v1.4.2").json()["outcome"] == "override"
    for wrong in ({"starts_at": "2026-11-28T21:00:00Z"}, {"ref": ""}, {"starts_at": "2027-03-01T00:00:00Z"}):
        assert gate.post("/overrides", json={**GRANT, **wrong}, headers=ops).status_code == 422
    assert gate.get("/audit/verify", headers=bearer(keys["admin"])).json()["whole"]


def test_a_freeze_from_now_is_active_although_a_second_ends_while_it_is_made(
    gate: TestClient, keys: dict[str, str], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    freezes = gate.app.state.context.freezes  # type: ignore[attr-defined]
    start = freezes.start

    async def start_in_the_next_second(*arguments: object) -> object:
        clock.at += 1
        return await start(*arguments)

    monkeypatch.setattr(type(freezes), "start", lambda _, *arguments: start_in_the_next_second(*arguments))
    reply = gate.post("/freezes", json=FREEZE, headers=bearer(keys["ops"]))
    assert reply.json()["state"] == "active"


def test_an_incident_stops_everything_and_is_lifted(gate: TestClient, keys: dict[str, str]) -> None:
    ops = bearer(keys["ops"])
    assert claim(gate, change="rollback").status_code == 200
    started = gate.post("/freezes", json=FREEZE, headers=ops)
    assert started.status_code == 201
    own_id = started.json()["id"]
    assert claim(gate, change="rollback").status_code == 423
    asked = gate.get("/can-deploy", params={"service": "docs-site", "environment": "staging"})
    assert asked.status_code == 423
    assert asked.json()["blocking"][0]["kind"] == "freeze"
    assert [each["id"] for each in gate.get("/freezes").json()["freezes"]] == [own_id]
    extended = gate.patch(f"/freezes/{own_id}", json={"open_ended": True}, headers=ops).json()
    assert (extended["ends_at"], extended["open_ended"]) == (None, True)
    assert gate.get("/status").json()["freezes"]["active"][0]["id"] == own_id
    lifted = gate.delete(f"/freezes/{own_id}", headers=ops)
    assert (lifted.status_code, lifted.json()["lifted_by"]) == (200, "ops person")
    assert claim(gate, change="rollback").status_code == 200
    assert gate.get("/freezes").json()["freezes"] == []
    assert gate.get("/freezes", params={"state": "all"}).json()["freezes"][0]["state"] == "lifted"
    assert gate.get(f"/freezes/{own_id}").json()["state"] == "lifted"
    assert gate.patch(f"/freezes/{own_id}", json={"ttl": "1h"}, headers=ops).status_code == 409


def test_rollbacks_go_on_in_an_incident_that_exempts_them(gate: TestClient, keys: dict[str, str]) -> None:
    ops = bearer(keys["ops"])
    frozen = {**FREEZE, "services": ["search-api"], "exempt": {"changes": ["rollback"]}}
    started = gate.post("/freezes", json=frozen, headers=ops)
    assert started.status_code == 201, started.text
    assert started.json()["exempt"] == [{"changes": ["rollback"]}]
    asked = {"service": "search-api", "environment": "staging"}
    assert gate.get("/can-deploy", params=asked).status_code == 423
    assert gate.get("/can-deploy", params={**asked, "change": "rollback"}).status_code == 200
    (blocking,) = gate.get("/can-deploy", params=asked).json()["blocking"]
    assert (blocking["started_by"], blocking["from"]) == ("ops person", "2026-11-27T13:05:00Z")


def test_a_freeze_is_changed_by_what_is_given(gate: TestClient, keys: dict[str, str]) -> None:
    ops = bearer(keys["ops"])
    made = {**FREEZE, "contact": "#incidents", "services": ["api"], "starts_at": "2026-11-27T14:05:00Z"}
    started = gate.post("/freezes", json=made, headers=ops).json()
    place = f"/freezes/{started['id']}"
    changes = {
        "title": "Incident 43",
        "contact": None,
        "services": None,
        "tags": ["tier-1"],
        "exempt": [{"changes": ["hotfix"]}],
        "override": "never",
        "starts_at": "2026-11-27T13:35:00Z",
        "ttl": "1h",
    }
    changed = gate.patch(place, json=changes, headers=ops)
    assert changed.status_code == 200, changed.text
    told = changed.json()
    assert told == {
        **started,
        **{name: each for name, each in changes.items() if name != "ttl"},
        "starts_at": "2026-11-27T13:35:00Z",
        "ends_at": "2026-11-27T14:35:00Z",
        "changed_at": "2026-11-27T13:05:00Z",
        "rescoped_at": "2026-11-27T13:05:00Z",
    }
    assert gate.get(place).json() == told
    assert gate.patch(place, json={"exempt": None}, headers=ops).json()["exempt"] == []


def test_a_title_is_enough_for_a_freeze_and_is_said_once(gate: TestClient, keys: dict[str, str]) -> None:
    ops = bearer(keys["ops"])
    started = gate.post("/freezes", json={"title": "Incident 42", "ttl": "2h"}, headers=ops).json()
    assert started["reason"] == "Incident 42"
    asked = {"service": "web", "change": "rollback"}
    denied = gate.get("/can-deploy", params=asked, headers={"Accept": "text/plain"}).text
    assert denied.count("Incident 42") == 1
    assert f"\n  {started['id']}\n" in denied
    for page in ("/", "/?wall=1", "/services/web"):
        shown = " ".join(re.sub(r"<[^>]*>", " ", gate.get(page).text.partition("<main")[2]).split())
        assert "Incident 42" in shown, page
        assert not re.search(r"Incident 42\W*Incident 42", shown), page
    place = f"/freezes/{started['id']}"
    renamed = gate.patch(place, json={"title": "Cards are down"}, headers=ops).json()
    assert renamed["reason"] == "Cards are down"
    gate.patch(place, json={"reason": "The acquirer is"}, headers=ops)
    kept = gate.patch(place, json={"title": "Incident 43"}, headers=ops).json()
    assert kept["reason"] == "The acquirer is"
    assert gate.patch(place, json={"reason": None}, headers=ops).json()["reason"] == "Incident 43"
    # It says no more than the title, as the texts see it, so it follows the title, too.
    gate.patch(place, json={"reason": "incident 43."}, headers=ops)
    assert gate.patch(place, json={"title": "Incident 44"}, headers=ops).json()["reason"] == "Incident 44"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"title": None}, "title"),
        ({"override": None}, "override"),
        ({"starts_at": None}, "starts_at"),
        ({"ttl": None}, "until"),
        ({"ttl": "1h", "open_ended": True}, "until"),
        ({"started_by": "me"}, "started_by"),
        ({"exempt": {}}, "exempt"),
        ({"environments": ["moon"]}, "environments"),
        ({"starts_at": "2026-11-27T13:04:00Z"}, "starts_at"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_and_named(
    gate: TestClient, keys: dict[str, str], body: dict[str, Any], field: str
) -> None:
    ops = bearer(keys["ops"])
    started = gate.post("/freezes", json=FREEZE, headers=ops).json()
    reply = gate.patch(f"/freezes/{started['id']}", json=body, headers=ops)
    assert reply.status_code == 422, reply.text
    assert field in {each["field"] for each in reply.json()["errors"]}
    assert gate.get(f"/freezes/{started['id']}").json() == started


def test_a_freeze_is_lifted_with_a_reason(gate: TestClient, keys: dict[str, str]) -> None:
    ops = bearer(keys["ops"])

    def place() -> str:
        return f"/freezes/{gate.post('/freezes', json=FREEZE, headers=ops).json()['id']}"

    in_body = gate.request("DELETE", place(), json={"reason": "Cards work."}, headers=ops)
    in_query = gate.request("DELETE", place(), params={"reason": "Cards work."}, headers=ops)
    for reply in (in_body, in_query):
        assert (reply.status_code, reply.json()["lift_reason"]) == (200, "Cards work.")
    assert gate.delete(place(), headers=ops).json()["lift_reason"] is None
    standing = place()
    wrong: tuple[dict[str, Any], ...] = (
        {"params": {"reason": "a"}, "json": {"reason": "b"}},
        {"json": {"why": "b"}},
        {"params": {"reason": ""}},
        {"params": {"reason": "a\nb"}},
    )
    for asked in wrong:
        assert gate.request("DELETE", standing, headers=ops, **asked).status_code == 422, asked
    assert gate.get(standing).json()["state"] == "active"


def test_the_document_has_no_references_that_lead_nowhere(gate: TestClient) -> None:
    document = gate.get("/openapi.json").json()
    body = document["paths"]["/freezes"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "#/$defs" not in json.dumps(document)
    named = set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document)))
    assert "Selector" in named
    assert named <= document["components"]["schemas"].keys()
    assert "Selector" in json.dumps(body["properties"]["exempt"])
    assert "changes" in document["components"]["schemas"]["Selector"]["properties"]
    assert document["paths"]["/freezes/{freeze_id}"]["delete"]["requestBody"]["required"] is False


def test_what_is_read_from_memory_follows_a_freeze_within_the_same_second(
    gate: TestClient, keys: dict[str, str]
) -> None:
    asked = {"service": "docs-site"}
    assert gate.get("/can-deploy", params=asked).status_code == 200
    assert gate.get("/can-deploy", params=asked).status_code == 200
    gate.post("/freezes", json=FREEZE, headers=bearer(keys["ops"]))
    assert gate.get("/can-deploy", params=asked).status_code == 423


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/overrides", {**GRANT, "reason": ""}, "reason"),
        ("/overrides", {**GRANT, "reason": "   "}, "reason"),
        ("/overrides", {**GRANT, "ttl": None}, "ttl"),
        ("/overrides", {**GRANT, "expires_at": "2026-11-27T14:00:00Z"}, "ttl"),
        ("/overrides", {**GRANT, "ttl": "25h"}, "ttl"),
        ("/overrides", {**GRANT, "ttl": 3600}, "ttl"),
        ("/overrides", {**GRANT, "ttl": "0s"}, "ttl"),
        ("/overrides", {**GRANT, "services": []}, "services"),
        ("/overrides", {**GRANT, "services": ["API"]}, "services"),
        ("/overrides", {**GRANT, "environments": ["moon"]}, "environments"),
        ("/overrides", {**GRANT, "policies": ["nothing"]}, "policies"),
        ("/overrides", {**GRANT, "max_uses": 0}, "max_uses"),
        ("/overrides", {**GRANT, "max_uses": 6}, "max_uses"),
        ("/overrides", {**GRANT, "max_uses": "1"}, "max_uses"),
        ("/overrides", {**GRANT, "max_uses": True}, "max_uses"),
        ("/overrides", {**GRANT, "ticket": "PAY-311\nPAY-312"}, "ticket"),
        ("/freezes", {**FREEZE, "link": "javascript:alert(1)"}, "link"),
        ("/overrides", {**GRANT, "token": "fzo_mine"}, "token"),
        ("/freezes", {**FREEZE, "title": "a\nb"}, "title"),
        ("/freezes", {**FREEZE, "until": "2026-11-27T14:00:00Z"}, "until"),
        ("/freezes", {"title": "a", "reason": "b"}, "until"),
        ("/freezes", {"title": "a", "reason": "b", "open_ended": False}, "open_ended"),
        ("/freezes", {**FREEZE, "starts_at": "2026-11-27T13:04:59Z"}, "starts_at"),
        ("/freezes", {**FREEZE, "exempt": {}}, "exempt"),
        ("/freezes", {**FREEZE, "exempt": []}, "exempt"),
        ("/freezes", {**FREEZE, "exempt": [{"changes": None}]}, "exempt"),
        ("/freezes", {**FREEZE, "exempt": [{"change": ["rollback"]}]}, "exempt"),
        ("/freezes", {**FREEZE, "exempt": [{"changes": ["rolback"]}]}, "exempt"),
        ("/freezes", {**FREEZE, "exempt": "rollback"}, "exempt"),
        ("/freezes", {**FREEZE, "colour": "red"}, "colour"),
        ("/freezes", {**FREEZE, "tags": ["nothing"]}, "tags"),
        ("/freezes", {**FREEZE, "override": "maybe"}, "override"),
    ],
)
def test_what_makes_no_sense_is_refused_and_named(
    gate: TestClient, keys: dict[str, str], path: str, body: dict[str, Any], field: str
) -> None:
    sent = {name: value for name, value in body.items() if value is not None}
    reply = gate.post(path, json=sent, headers=bearer(keys["admin"]))
    assert reply.status_code == 422, reply.text
    assert field in {each["field"] for each in reply.json()["errors"]}
    listed = gate.get(path, params={"state": "all"}, headers=bearer(keys["ops"])).json()
    assert listed[path.removeprefix("/")] == []


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("/overrides", {**GRANT, "environments": ["Production"]}, "a name is 1 to 128 of a-z"),
        ("/overrides", {**GRANT, "services": ["API"]}, "with * for any run of them"),
        ("/overrides", {**GRANT, "ticket": "a\nb"}, "is one line of text"),
        ("/freezes", {**FREEZE, "link": "wiki/incident-42"}, "a link begins with https://"),
        ("/freezes", {**FREEZE, "exempt": {}}, "an empty selector would mean every request"),
        ("/freezes", {**FREEZE, "exempt": {"change": ["rollback"]}}, 'did you mean "changes"?'),
        ("/freezes", {**FREEZE, "exempt": {"changes": ["rolback"]}}, 'did you mean "rollback"?'),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_the_field(
    gate: TestClient, keys: dict[str, str], path: str, body: dict[str, Any], sentence: str
) -> None:
    [error] = gate.post(path, json=body, headers=bearer(keys["admin"])).json()["errors"]
    assert sentence in error["message"]


def reload(gate: TestClient) -> None:
    context = gate.app.state.context  # type: ignore[attr-defined]
    for _ in range(2):  # the second poll takes what the first one found
        context.policies.poll(context.clock.now())


@pytest.mark.parametrize("ticket", ["PAY-311", "https://tickets.example/PAY-311", "INC 42 (see the channel)"])
def test_a_ticket_is_whatever_the_tracker_calls_it(
    gate: TestClient, keys: dict[str, str], ticket: str
) -> None:
    granted = gate.post("/overrides", json={**GRANT, "ticket": ticket}, headers=bearer(keys["ops"]))
    assert granted.json()["ticket"] == ticket


def test_patterns_are_for_admins(gate: TestClient, keys: dict[str, str]) -> None:
    wanted = {**GRANT, "services": ["a*"]}
    assert gate.post("/overrides", json=wanted, headers=bearer(keys["ops"])).status_code == 403
    assert gate.post("/overrides", json=wanted, headers=bearer(keys["admin"])).status_code == 201


def test_an_approval_that_nothing_asks_for_is_refused_with_a_sentence(
    gate: TestClient, keys: dict[str, str]
) -> None:
    granted = gate.post("/overrides", json=GRANT, headers=bearer(keys["ops"])).json()
    refused = gate.post(f"/overrides/{granted['id']}/approve", headers=bearer(keys["admin"]))
    assert refused.status_code == 409
    assert refused.json()["detail"] == "nothing that this override may lift asks for an approval"


def test_overrides_are_approved_by_somebody_else_and_revoked(
    gate: TestClient, keys: dict[str, str], folder: Path
) -> None:
    file = folder / "policies.yaml"
    file.write_text(file.read_text().replace("policies:", "overrides: {approvals: 1}\npolicies:", 1))
    reload(gate)
    granted = gate.post("/overrides", json=GRANT, headers=bearer(keys["ops"])).json()
    path = f"/overrides/{granted['id']}"
    assert gate.post(f"{path}/approve", headers=bearer(keys["ops"])).status_code == 403
    approved = gate.post(f"{path}/approve", json={}, headers=bearer(keys["admin"]))
    assert approved.json()["approvals"]["given"] == [
        {"by": "admin person", "at": "2026-11-27T13:05:00Z", "person": "admin person"}
    ]
    assert gate.post(f"{path}/approve", json={"a": 1}, headers=bearer(keys["admin"])).status_code == 422
    assert gate.delete(path, headers=bearer(keys["admin"])).json()["state"] == "revoked"
    assert gate.post(f"{path}/approve", headers=bearer(keys["admin"])).status_code == 200
    token = {"X-Override-Token": granted["token"]}
    assert claim(gate, token).json()["override"]["result"] == "invalid"


@pytest.mark.parametrize("own_id", ["nothing", "ovr_0", "frz_0", "..%2f..", "%00", "a" * 300])
@pytest.mark.parametrize("path", ["/overrides", "/freezes", "/decisions"])
def test_what_is_not_there_is_404(gate: TestClient, keys: dict[str, str], path: str, own_id: str) -> None:
    assert gate.get(f"{path}/{own_id}", headers=bearer(keys["admin"])).status_code in (404, 422)


def test_lists_go_on_by_their_cursor(gate: TestClient, keys: dict[str, str], clock: FakeClock) -> None:
    ops = bearer(keys["ops"])
    for _ in range(5):
        gate.post("/overrides", json=GRANT, headers=ops)
        gate.post("/freezes", json=FREEZE, headers=ops)
        claim(gate)
        clock.at += 1
    for path, params in (
        ("/overrides", {}),
        ("/freezes", {"state": "all"}),
        ("/decisions", {}),
        ("/audit", {}),
    ):
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            asked = {"limit": "2", **params, **cursor}
            page = gate.get(path, params=asked, headers=bearer(keys["admin"])).json()
            items = page["events" if path == "/audit" else path.removeprefix("/")]
            seen += [json.dumps(each) for each in items]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert len(seen) == len(set(seen)) >= 5, path
        assert gate.get(path, params={"cursor": "no!"}, headers=bearer(keys["admin"])).status_code == 422
        assert gate.get(path, params={"limit": "501"}, headers=bearer(keys["admin"])).status_code == 422


def test_decisions_are_filtered(gate: TestClient, keys: dict[str, str]) -> None:
    claim(gate, actor="ada")
    claim(gate, bearer(keys["ci"]), environment="staging")

    def found(**asked: str) -> int:
        return len(gate.get("/decisions", params=asked).json()["decisions"])

    assert [found(), found(outcome="deny"), found(outcome="warn")] == [2, 1, 0]
    assert [found(environment="staging"), found(actor="ada"), found(actor="ci person")] == [1, 1, 1]
    assert [found(to="2026-11-27T13:05:00Z"), found(**{"from": "2026-11-27T13:05:00Z"})] == [0, 2]
    assert gate.get("/decisions", params={"colour": "red"}).status_code == 422


def test_exports_carry_every_decision_and_run_no_formula(
    gate: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.api.decisions._AT_ONCE", 2)
    for actor in ("=1+1", "@cmd", "a,b", 'a"b', "+1"):
        claim(gate, actor=actor)
    exported = gate.get("/decisions", headers={"Accept": "text/csv"})
    assert exported.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(exported.text)))
    assert [row["actor"] for row in reversed(rows)] == ["'=1+1", "'@cmd", "a,b", 'a"b', "'+1"]
    lines = gate.get("/decisions", headers={"Accept": "application/x-ndjson"}).text.splitlines()
    assert [json.loads(line)["actor"] for line in reversed(lines)] == ["=1+1", "@cmd", "a,b", 'a"b', "+1"]
    filtered = gate.get("/decisions", params={"actor": "@cmd"}, headers={"Accept": "text/csv"})
    assert len(filtered.text.splitlines()) == 2


def test_a_key_of_role_ci_may_be_restricted_to_services(gate: TestClient) -> None:
    key = key_for(gate, KeyRequest("pipeline", Role.CI, ("api", "web/*")))
    assert claim(gate, bearer(key)).status_code == 423
    assert claim(gate, bearer(key), service="web/shop").status_code == 423
    refused = claim(gate, bearer(key), service="checkout")
    assert refused.status_code == 403


def test_a_refused_request_of_somebody_known_is_put_into_the_record(
    gate: TestClient, keys: dict[str, str]
) -> None:
    assert gate.post("/overrides", json=GRANT, headers=bearer(keys["ci"])).status_code == 403
    here: Context = gate.app.state.context  # type: ignore[attr-defined]
    assert gate.portal is not None
    gate.portal.call(here.gate.refusals.write)
    told = gate.get("/audit", headers=bearer(keys["admin"])).json()["events"][0]
    assert (told["kind"], told["actor"]) == ("request-refused", "ci person")
    assert told["data"] == {
        "status": 403,
        "why": "needs the role ops",
        "method": "POST",
        "route": "/overrides",
        "address": "testclient",
        "count": 1,
    }


def test_a_key_expires(gate: TestClient, clock: FakeClock) -> None:
    key = key_for(gate, KeyRequest("alice", Role.OPS, None, clock.at + 60))
    assert gate.get("/overrides", headers=bearer(key)).status_code == 200
    clock.at += 60
    reply = gate.get("/overrides", headers=bearer(key))
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == "Bearer"


def test_credentials_that_fail_too_often_are_told_to_wait(gate: TestClient, clock: FakeClock) -> None:
    statuses = [gate.get("/status", headers=bearer(f"fzk_{number}")).status_code for number in range(21)]
    assert statuses == [401] * 20 + [429]
    waiting = gate.get("/status", headers=bearer("fzk_x"))
    assert int(waiting.headers["retry-after"]) <= 60
    assert gate.get("/status").status_code == 200
    clock.at += 60
    assert gate.get("/status", headers=bearer("fzk_x")).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", "Basic dXNlcjpwdw==")],
        [("Authorization", "Bearer")],
        [("Authorization", "")],
        [("Authorization", "Bearer \xe4")],
        [("Authorization", "Bearer a.b.c")],
        [("Authorization", "Bearer fzk_1"), ("Authorization", "Bearer fzk_2")],
    ],
)
def test_odd_credentials_are_401_and_not_anonymous(gate: TestClient, headers: list[tuple[str, str]]) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    assert gate.get("/can-deploy?service=api&environment=staging", headers=raw).status_code == 401
    assert gate.post("/can-deploy", json={"service": "api"}, headers=raw).status_code == 401


def test_a_question_asked_with_credentials_is_not_answered_from_what_anybody_was_told(
    gate: TestClient,
) -> None:
    assert gate.get("/can-deploy?service=docs-site").status_code == 200
    assert gate.get("/can-deploy?service=docs-site", headers=bearer("fzk_wrong")).status_code == 401


def test_degraded_answers_say_so(gate: TestClient, folder: Any, keys: dict[str, str]) -> None:
    context = gate.app.state.context  # type: ignore[attr-defined]
    refresh: Callable[[], Any] = context.cache.refresh
    away = (folder / "gate.db").rename(folder / "away.db")
    assert gate.portal is not None
    gate.portal.call(refresh)
    asked = gate.get("/can-deploy", params={"service": "docs-site"})
    assert asked.status_code == 200
    assert asked.headers["x-freezegate-degraded"]
    assert gate.get("/status").json()["store"]["degraded"] is True
    assert "freezegate_store_degraded 1.0" in gate.get("/metrics").text
    assert claim(gate, service="docs-site").status_code == 503
    assert gate.get("/readyz").status_code == 503
    assert gate.post("/freezes", json=FREEZE, headers=bearer(keys["ops"])).status_code == 503
    away.rename(folder / "gate.db")
    gate.portal.call(refresh)
    assert "x-freezegate-degraded" not in gate.get("/can-deploy?service=api").headers


def test_freezes_are_in_the_metrics(gate: TestClient, keys: dict[str, str], clock: FakeClock) -> None:
    started = {"title": "a", "reason": "b", "open_ended": True}
    gate.post("/freezes", json=started, headers=bearer(keys["ops"]))
    page = gate.get("/metrics").text
    assert "freezegate_freezes_active 1.0" in page
    assert "freezegate_freezes_forgotten 0.0" in page
    clock.at += 86_400
    assert "freezegate_freezes_forgotten 1.0" in gate.get("/metrics").text
    assert "Is it still needed?" in gate.get("/status").json()["warnings"][0]
