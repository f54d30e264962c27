"""What is said of wrong fields: the field, and the form that its value needs, in words of ours."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.identity.credentials import new_key
from app.server.field_errors import MOST_SHOWN
from app.server.requests import MAX_BODY
from tests.api.conftest import bearer, clock, folder, gate, keys, log

__all__ = ["clock", "folder", "gate", "keys", "log"]

LIBRARY = (
    "Input should",
    "String should",
    "Value error",
    "List should",
    "valid",
    "pydantic",
    "type=",
    "Extra inputs",
)
GRANT = {"services": ["api"], "environments": ["production"], "reason": "r", "ttl": "1h"}
FREEZE = {"title": "t", "reason": "r", "ttl": "1h"}
TEXT = 'is text, in quotes: "…"'
NAME = "a name is 1 to 128 of a-z, 0-9 and . _ / -, and begins with a letter or digit"


def told(reply: Any) -> list[tuple[str, str]]:
    assert reply.status_code == 422, reply.text
    assert not any(words in reply.text for words in LIBRARY), reply.text
    return [(each["field"], each["message"]) for each in reply.json()["errors"]]


@pytest.mark.parametrize(
    ("path", "body", "field", "message"),
    [
        ("/can-deploy", {}, "service", "is required"),
        ("/can-deploy", {"service": 7}, "service", TEXT),
        ("/can-deploy", {"service": None}, "service", TEXT),
        ("/can-deploy", {"service": "A b"}, "service", NAME),
        ("/can-deploy", {"service": "api", "ref": ""}, "ref", "is not empty"),
        ("/can-deploy", {"service": "api", "ref": "x" * 501}, "ref", "has 500 characters at most"),
        (
            "/can-deploy",
            {"service": "api", "ref": "a\nb"},
            "ref",
            "is one line of text, without control characters",
        ),
        ("/can-deploy", {"service": "api", "deny_status": 201}, "deny_status", "is one of 200, 423"),
        ("/overrides", {**GRANT, "services": "api"}, "services", 'is a list: ["…"]'),
        ("/overrides", {**GRANT, "services": ["api", 7]}, "services", f"entry 2: {TEXT}"),
        ("/overrides", {**GRANT, "services": []}, "services", "is not an empty list"),
        ("/overrides", {**GRANT, "max_uses": "2"}, "max_uses", "is a whole number"),
        ("/overrides", {**GRANT, "max_uses": 0}, "max_uses", "is 1 at least"),
        ("/freezes", {**FREEZE, "override": "maybe"}, "override", "is one of token, never"),
        ("/freezes", {**FREEZE, "open_ended": "yes"}, "open_ended", "is true"),
    ],
)
def test_a_wrong_value_is_told_by_its_field_and_the_form_it_needs(
    gate: TestClient, keys: dict[str, str], path: str, body: dict[str, Any], field: str, message: str
) -> None:
    assert told(gate.post(path, json=body, headers=bearer(keys["ops"]))) == [(field, message)]


def test_an_unknown_field_is_named_where_it_is_short_and_plain(gate: TestClient) -> None:
    def unknown(name: str) -> tuple[str, str]:
        [found] = told(gate.post("/can-deploy", json={"service": "api", name: 1}))
        return found

    assert unknown("enviroment") == ("enviroment", 'there is no such field here; did you mean "environment"?')
    assert unknown("colour")[0] == "colour"
    assert unknown("colour")[1].startswith("there is no such field here; known: service, environment, ")
    for other in ("x" * 41, "<b>", "a b", "ü", "", new_key()):
        field, message = unknown(other)
        assert field == "unknown"
        assert not other or other not in message
    [found] = told(gate.get("/can-deploy", params={"service": "api", "servcie": "x"}))
    assert found == ("servcie", 'there is no such field here; did you mean "service"?')


def test_a_repeated_field_is_named(gate: TestClient) -> None:
    assert told(gate.get("/can-deploy?service=a&service=b")) == [("service", "is given more than once")]
    body = '{"service": "a", "environment": "production", "environment": "staging"}'
    reply = gate.post("/can-deploy", content=body, headers={"Content-Type": "application/json"})
    assert told(reply) == [("environment", "is given more than once")]


def test_of_very_many_wrong_fields_the_first_are_told(gate: TestClient) -> None:
    found = told(gate.post("/can-deploy", json={"service": "api", **{f"f{n}": 1 for n in range(5_000)}}))
    assert len(found) == MOST_SHOWN + 1
    assert found[-1] == ("body", f"{5_000 - MOST_SHOWN} more are wrong")


def test_a_body_of_64_kib_is_taken_and_one_byte_more_is_not(gate: TestClient) -> None:
    claim = json.dumps({"service": "docs-site"})
    exact = claim + " " * (MAX_BODY - len(claim))
    for chunked in (False, True):
        for body, status in ((exact, 200), (exact + " ", 413)):
            content: Any = iter([body[:100].encode(), body[100:].encode()]) if chunked else body
            reply = gate.post("/can-deploy", content=content, headers={"Content-Type": "application/json"})
            assert reply.status_code == status


def test_two_authorization_headers_are_refused_whatever_they_hold(
    gate: TestClient, keys: dict[str, str]
) -> None:
    good = f"Bearer {keys['ops']}"
    for first, second in ((good, good), (good, "Bearer x"), ("Bearer x", good), (good, "Basic eDp5")):
        reply = gate.get("/overrides", headers=[("Authorization", first), ("Authorization", second)])
        assert reply.status_code == 401
        assert reply.json()["detail"] == "send credentials once, as Authorization: Bearer …"
    assert gate.get("/overrides", headers={"Authorization": good}).status_code == 200


@pytest.mark.parametrize("sent", ["Bearer", "Bearer ", "bearer  "])
def test_an_empty_credential_is_never_anonymous(gate: TestClient, sent: str) -> None:
    body = {"service": "api", "environment": "staging"}
    assert gate.post("/can-deploy", json=body).status_code == 200
    reply = gate.post("/can-deploy", json=body, headers={"Authorization": sent})
    assert reply.status_code == 401
    assert reply.json()["detail"].startswith("Authorization has no key or token: is the secret missing?")
