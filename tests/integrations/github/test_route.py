"""The webhook: signatures, forms, and what is answered."""

import json

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.integrations.github.section import GitHub
from app.integrations.inbound import LARGEST_BODY
from tests.integrations.github.conftest import HOOK, holds
from tests.integrations.github.fake import FakeGitHub, signature

PING = json.dumps({"zen": "Design for failure.", "hook_id": 1}).encode()
HEADERS = {"X-GitHub-Event": "ping", "X-GitHub-Delivery": "d-1", "Content-Type": "application/json"}


def post(gate: TestClient, body: bytes, sign: str | None = None, **headers: str) -> int:
    signed = {"X-Hub-Signature-256": signature(body) if sign is None else sign}
    return gate.post(HOOK, content=body, headers={**HEADERS, **signed, **headers}).status_code


def test_a_signed_event_is_answered(gate: TestClient) -> None:
    reply = gate.post(HOOK, content=PING, headers={**HEADERS, "X-Hub-Signature-256": signature(PING)})
    assert (reply.status_code, reply.text) == (200, "the gate is here\n")
    assert post(gate, PING, **{"X-GitHub-Event": "star"}) == 200


def test_any_of_several_secrets_is_accepted(gate: TestClient, section: GitHub) -> None:
    section._resolved["secret"] = (SecretStr("new"), SecretStr("old"))
    assert post(gate, PING, signature(PING, "old")) == 200
    assert post(gate, PING, signature(PING, "new")) == 200
    assert post(gate, PING, signature(PING)) == 401


@pytest.mark.parametrize(
    "sign",
    ["", "sha256=", signature(PING + b" "), signature(PING)[7:], signature(PING).replace("sha256", "sha1")],
)
def test_anything_else_is_refused_and_kept_nowhere(gate: TestClient, github: FakeGitHub, sign: str) -> None:
    body = json.dumps(github.requested(github.request_deploy())).encode()
    assert len(holds(gate)) == 1
    assert post(gate, body, sign) == 401
    assert len(holds(gate)) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"payload=%7B%7D", b"\xff", b"[" * 100_000, b'{"a":' * 20_000],
)
def test_a_signed_body_of_another_form_is_named(gate: TestClient, body: bytes) -> None:
    assert post(gate, body) == 422


def test_headers_are_required_once_and_short(gate: TestClient) -> None:
    assert post(gate, PING, **{"X-GitHub-Event": ""}) == 422
    assert post(gate, PING, **{"X-GitHub-Delivery": "x" * 101}) == 422


def test_a_body_may_have_256_kib(gate: TestClient) -> None:
    body = json.dumps({"zen": ""}).encode()
    assert post(gate, body + b" " * (LARGEST_BODY - len(body))) == 200
    assert post(gate, body + b" " * (LARGEST_BODY - len(body) + 1)) == 413


def test_without_a_section_there_is_no_such_route(gate: TestClient) -> None:
    del gate.app.state.context.integrations["github"]  # type: ignore[attr-defined]
    assert post(gate, PING) == 404
