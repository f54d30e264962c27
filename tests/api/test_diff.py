"""``POST /policies/diff``: a candidate against what is in force."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from app.core.instant import DAY, parse_instant
from app.core.interval import Period
from app.gate.diff import candidate_diff
from app.gate.errors import BusyError
from app.gate.in_force import InForce
from app.policies.load import load
from app.policies.source import Snapshot
from app.server.candidate import YAML
from tests.api.conftest import POLICIES
from tests.api.test_openapi import DOCUMENT, check

LATER = POLICIES.partition("tests:")[0].replace("fri 14:00", "fri 15:00")


def compared(gate: TestClient, text: str, accept: str = "*/*", **query: str) -> Any:
    body = {"policies": {"policies.yaml": text}}
    return gate.post("/policies/diff", json=body, params=query, headers={"Accept": accept})


def found(gate: TestClient, text: str, **query: str) -> dict[str, Any]:
    reply = compared(gate, text, **query)
    assert reply.status_code == 200, reply.text
    assert reply.headers["cache-control"] == "no-store"
    check(reply.json(), DOCUMENT["paths"]["/policies/diff"]["post"], "200")
    body: dict[str, Any] = reply.json()
    return body


def test_a_later_friday_opens_an_hour_of_each_and_nothing_else(module_gate: TestClient) -> None:
    body = found(module_gate, LATER)
    assert (body["opens"], body["closes"], body["differs"]) == (True, False, True)
    assert (body["from"], body["to"]) == ("2026-11-27T13:05:00Z", "2027-01-26T13:05:00Z")
    (difference,) = body["differences"]
    assert difference["environments"] == ["production"]
    assert difference["changes"] == ["normal", "hotfix"]
    assert (difference["services"]["names"], difference["services"]["others"]) == (["checkout"], True)
    assert [each["from"] for each in difference["hours"]][:2] == [
        "2026-11-27T13:05:00Z",
        "2026-12-04T13:00:00Z",
    ]
    assert len(difference["hours"]) == 9
    assert body["policies"] == [
        {"kind": "changed", "id": "friday-afternoon", "new_id": None, "fields": ["when"]}
    ]
    assert body["old_revision"] == module_gate.get("/policies").json()["policy_revision"]


def test_the_policies_in_force_do_not_differ_from_themselves(module_gate: TestClient) -> None:
    body = found(module_gate, POLICIES)
    assert (body["differs"], body["differences"]) == (False, [])
    assert body["new_revision"] == body["old_revision"]


def test_one_file_may_come_as_yaml(module_gate: TestClient) -> None:
    reply = module_gate.post("/policies/diff", content=LATER, headers={"Content-Type": YAML})
    assert reply.json()["opens"] is True


def test_it_comes_as_markdown_and_as_a_picture(module_gate: TestClient) -> None:
    reply = compared(module_gate, LATER, "text/markdown")
    assert reply.headers["content-type"] == "text/markdown; charset=utf-8"
    assert reply.text.startswith("### Opens 8 hours 55 min, closes none, in `production`\n")
    reply = compared(module_gate, LATER, "image/svg+xml")
    assert reply.headers["content-type"] == "image/svg+xml"
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert reply.text.startswith("<svg ")


def test_the_period_may_be_chosen(module_gate: TestClient) -> None:
    period = {"from": "2026-12-04T12:00:00Z", "to": "2026-12-04T13:30:00Z"}
    body = found(module_gate, LATER, **period)
    assert [(each["from"], each["to"]) for each in body["differences"][0]["hours"]] == [
        ("2026-12-04T13:00:00Z", "2026-12-04T13:30:00Z")
    ]


@pytest.mark.parametrize(
    "query",
    [
        {"to": "2026-11-27T13:05:00Z"},
        {"to": "2027-11-29T13:05:00Z"},
        {"from": "2026-12-01"},
        {"from": "1999-12-31T00:00:00Z", "to": "2000-01-02T00:00:00Z"},
        {"service": "checkout"},
    ],
)
def test_what_makes_no_sense_is_422(module_gate: TestClient, query: dict[str, str]) -> None:
    assert compared(module_gate, LATER, **query).status_code == 422


def test_a_candidate_with_errors_is_422_with_their_places(module_gate: TestClient) -> None:
    reply = compared(module_gate, LATER.replace("weekly", "wekly"))
    assert reply.status_code == 422
    (problem,) = reply.json()["problems"]
    assert (problem["file"], problem["path"]) == ("policies.yaml", "policies[0].when[0].wekly")
    schema = {**DOCUMENT["components"]["schemas"]["Problem"], "components": DOCUMENT["components"]}
    assert list(Draft202012Validator(schema).iter_errors(reply.json())) == []


def test_policies_that_open_too_often_are_422(module_gate: TestClient) -> None:
    every_minute = "{cron: {start: '* * * * *', duration: 1s}}"
    policy = f"  - {{id: a, title: t, reason: r, when: [{every_minute}, {every_minute}]}}\n"
    reply = compared(module_gate, f"version: 1\npolicies:\n{policy}", to="2027-11-27T00:00:00Z")
    assert reply.json()["errors"][0]["field"] == "to"
    assert "shorten the period" in reply.json()["errors"][0]["message"]


def test_a_comparison_that_nobody_waits_for_stops() -> None:
    now = parse_instant("2026-11-27T13:05:00Z")
    snapshot = Snapshot.of(POLICIES)
    in_force = InForce(load(snapshot).engine, snapshot, now, ())
    with pytest.raises(BusyError, match="stopped"):
        candidate_diff(Snapshot.of(LATER), in_force, Period(now, now + DAY), lambda: True)


def test_ad_hoc_freezes_are_left_out(gate: TestClient, keys: dict[str, str]) -> None:
    freeze = {"title": "Incident", "reason": "A test", "open_ended": True}
    headers = {"Authorization": f"Bearer {keys['ops']}"}
    assert gate.post("/freezes", json=freeze, headers=headers).status_code == 201
    reply = gate.post("/policies/diff", content=LATER, headers={"Content-Type": YAML, **headers})
    assert len(json.loads(reply.text)["differences"][0]["hours"]) == 9
