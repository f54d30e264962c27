"""The OpenAPI document is complete: everything is described, and every body is as it is described."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from app.main import create_app
from tests.api.conftest import bearer

DOCUMENT: dict[str, Any] = json.loads(json.dumps(create_app().openapi()))
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def test_every_route_has_a_summary_and_a_description() -> None:
    assert len(OPERATIONS) >= 29
    assert [
        name for name, each in OPERATIONS.items() if not each.get("summary") or not each.get("description")
    ] == []


def test_every_parameter_says_what_it_means() -> None:
    found = [
        (name, each) for name, operation in OPERATIONS.items() for each in operation.get("parameters", ())
    ]
    assert len(found) >= 40
    assert [(name, each["name"]) for name, each in found if not each.get("description")] == []


def test_every_answer_is_described_and_has_a_body() -> None:
    lacking = [
        (name, status)
        for name, operation in OPERATIONS.items()
        for status, answer in operation["responses"].items()
        if answer["description"] == "Successful Response"
        or (
            status != "304"
            and not all(each.get("schema") for each in answer.get("content", {"": {}}).values())
        )
    ]
    assert lacking == []


def test_every_member_of_every_body_says_what_it_means() -> None:
    lacking = [
        (where, name) for where, name, member in members(DOCUMENT, "") if not member.get("description")
    ]
    assert lacking == []


def test_every_reference_leads_somewhere() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    wanted = {reference.rpartition("/")[2] for reference in references(DOCUMENT)}
    assert wanted - schemas.keys() == set()
    assert schemas.keys() - wanted == set()


@pytest.mark.parametrize(
    "path",
    [
        "/can-deploy?service=checkout",
        "/status",
        "/schedule?service=checkout",
        "/year?year=2027",
        "/policies",
        "/policies/lunch",
        "/policies/lunch/history",
        "/policy-revisions",
        "/freezes?state=all",
        "/freezes/{freeze}",
        "/overrides?state=all",
        "/overrides/{override}",
        "/holds",
        "/holds/{hold}",
        "/decisions",
        "/decisions/{decision}",
        "/insights",
        "/audit",
        "/audit/verify",
        "/healthz",
        "/readyz",
        "/badge.json",
    ],
)
def test_a_body_has_the_members_that_the_document_names_and_no_others(
    gate: TestClient, keys: dict[str, str], path: str
) -> None:
    ids = history(gate, keys)
    answer = gate.get(path.format(**ids), headers=bearer(keys["admin"]))
    operation = OPERATIONS[
        "GET "
        + path.partition("?")[0]
        .replace("{freeze}", "{freeze_id}")
        .replace("{hold}", "{hold_id}")
        .replace("{override}", "{override_id}")
        .replace("{decision}", "{decision_id}")
        .replace("lunch", "{policy_id}")
    ]
    check(answer.json(), operation, str(answer.status_code))


def test_the_bodies_of_operations_have_the_members_that_the_document_names(
    gate: TestClient, keys: dict[str, str]
) -> None:
    ids, ops = history(gate, keys), bearer(keys["ops"])
    grant = {"services": ["checkout"], "environments": ["production"], "reason": "A test", "ttl": "1h"}
    freeze = {"title": "Incident", "reason": "A test", "ttl": "1h", "exempt": [{"changes": ["rollback"]}]}
    claim = {"service": "checkout", "environment": "staging"}
    for method, path, body, name in (
        ("POST", "/can-deploy", claim, "/can-deploy"),
        ("POST", "/can-deploy", {"services": ["checkout", "docs-site"]}, "/can-deploy"),
        ("POST", "/can-deploy/batch", {"questions": [claim, {}]}, "/can-deploy/batch"),
        ("POST", "/overrides", grant, "/overrides"),
        ("DELETE", f"/overrides/{ids['override']}", None, "/overrides/{override_id}"),
        ("POST", "/freezes", freeze, "/freezes"),
        ("PATCH", f"/freezes/{ids['freeze']}", {"title": "Another"}, "/freezes/{freeze_id}"),
        ("DELETE", f"/freezes/{ids['freeze']}", {"reason": "Over"}, "/freezes/{freeze_id}"),
        ("POST", "/holds", {"services": ["checkout", "docs-site"], "key": "run-2"}, "/holds"),
        ("DELETE", f"/holds/{ids['hold']}", {"reason": "Over"}, "/holds/{hold_id}"),
        (
            "POST",
            f"/decisions/{ids['decision']}/outcome",
            {"result": "failed"},
            "/decisions/{decision_id}/outcome",
        ),
        ("POST", "/freezes", {"title": 1}, "/freezes"),
    ):
        answer = gate.request(method, path, json=body, headers=ops)
        check(answer.json(), OPERATIONS[f"{method} {name}"], str(answer.status_code))


def history(gate: TestClient, keys: dict[str, str]) -> dict[str, str]:
    """Let something of each kind happen; the ids of it."""
    ops = bearer(keys["ops"])
    freeze = gate.post(
        "/freezes",
        json={"title": "Incident", "reason": "A test", "open_ended": True, "environments": ["staging"]},
        headers=ops,
    ).json()["id"]
    override = gate.post(
        "/overrides",
        json={"services": ["checkout"], "environments": ["staging"], "reason": "A test", "ttl": "1h"},
        headers=ops,
    ).json()
    gate.post("/can-deploy", json={"service": "checkout"}, headers=ops)
    decision = gate.post(
        "/can-deploy",
        json={"service": "docs-site", "actor": "ada"},
        headers={**ops, "X-Override-Token": override["token"]},
    ).json()["decision_id"]
    gate.post(f"/decisions/{decision}/outcome", json={"result": "succeeded"}, headers=ops)
    hold = gate.post("/holds", json={"service": "checkout", "key": "run-1"}, headers=ops).json()["id"]
    return {"freeze": freeze, "override": override["id"], "decision": decision, "hold": hold}


def check(body: Any, operation: dict[str, Any], status: str) -> None:
    """Hold a body against its schema, which takes other members than those it names for wrong here."""
    contents = operation["responses"][status]["content"]
    content = contents.get("application/json") or contents["application/problem+json"]
    schema = {**closed(content["schema"]), "components": closed(DOCUMENT["components"])}
    assert [error.message for error in Draft202012Validator(schema).iter_errors(body)] == []


def closed(part: Any) -> Any:
    """Return a schema that refuses members that it does not name."""
    if isinstance(part, list):
        return [closed(each) for each in part]
    if not isinstance(part, dict):
        return part
    inner = {key: closed(each) for key, each in part.items()}
    return (
        {**inner, "additionalProperties": False}
        if isinstance(part.get("properties"), dict) and "type" in part
        else inner
    )


def members(part: Any, where: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield every member of every object in the document, and where that is."""
    if isinstance(part, list):
        for each in part:
            yield from members(each, where)
    if not isinstance(part, dict):
        return
    if part.get("type") == "object":
        for name, each in part.get("properties", {}).items():
            yield where, name, each
    for key, each in part.items():
        yield from members(each, f"{where}/{key}")


def references(part: Any) -> Iterator[str]:
    """Yield every reference of the document."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)
