"""Routes that are called directly: nothing but the time changes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.responses import Response
from starlette.testclient import TestClient

from app.api import can_deploy
from app.core.errors import FreezegateError, MalformedValueError
from app.main import create_app
from app.server.direct import DirectRoutes
from app.server.problems import handle_error
from app.settings import Settings
from tests.api.fakes import FakeClock

NOW = 1_795_784_700
POLICIES = """\
version: 1
environments: [production, staging]
policies:
  - {id: closed, title: T, reason: R, applies_to: {environments: [production]}, when: [{always: true}]}
"""
REQUESTS: tuple[dict[str, Any], ...] = (
    {"method": "POST", "json": {"service": "checkout", "environment": "staging"}},
    {"method": "POST", "json": {"service": "checkout"}},
    {
        "method": "POST",
        "json": {"service": "checkout", "deny_status": 200},
        "headers": {"Accept": "text/plain"},
    },
    {"method": "POST", "json": {"service": "checkout", "environment": "unknown"}},
    {"method": "POST", "content": b"{", "headers": {"Content-Type": "application/json"}},
    {"method": "POST", "content": b"service=checkout"},
    {"method": "POST", "json": {"service": "checkout"}, "headers": {"Authorization": "Bearer fzg_wrong"}},
    {"method": "POST", "json": {"service": "a"}, "headers": {"Idempotency-Key": "a b"}},
    {"method": "GET", "params": {"service": "checkout"}},
    {"method": "GET", "params": {"service": "checkout"}, "headers": {"X-Override-Token": "t"}},
    {"method": "HEAD", "params": {"service": "checkout"}},
    {"method": "GET"},
    {"method": "PUT", "json": {}},
)
OF_EACH_REQUEST = re.compile(rb"dec_[0-9a-z]{26}")


@pytest.fixture(params=["", "/gate"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    return Settings(
        policies=tmp_path / "policies.yaml",
        database_url=SecretStr(f"sqlite:///{tmp_path / 'gate.db'}"),
        root_path=request.param or None,
    )


def answers(settings: Settings) -> Iterator[tuple[int, dict[str, str], bytes]]:
    with TestClient(create_app(settings, clock=FakeClock(NOW))) as gate:
        for each in REQUESTS:
            reply = gate.request(url=f"{settings.root_path or ''}/can-deploy", **each)
            headers = {name: value for name, value in reply.headers.items() if name != "x-request-id"}
            yield reply.status_code, headers, OF_EACH_REQUEST.sub(b"dec_", reply.content)
        served = gate.get("/metrics").text
        counted = re.findall(r"freezegate_(?:http|refused)_requests_total.*\n", served)
        assert any("refused" in each and 'route="/can-deploy"' in each for each in counted)
        yield 0, {}, "".join(counted).encode()


def test_a_direct_answer_is_that_of_the_framework(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = list(answers(settings))
    monkeypatch.setattr(can_deploy.router, "endpoints", {})
    other = SecretStr(f"sqlite:///{settings.policies.parent / 'other.db'}")
    assert direct == list(answers(settings.model_copy(update={"database_url": other})))
    statuses = {status for status, _, _ in direct}
    assert statuses >= {200, 400, 401, 405, 415, 422, 423}


async def endpoint(_: Any) -> Response:
    raise MalformedValueError("this is wrong")


async def broken(_: Any) -> Response:
    raise RuntimeError("this was not foreseen")


async def called(path: str, method: str = "GET") -> tuple[list[Any], list[str]]:
    """What is sent for a request, and the paths that are passed on."""
    sent: list[Any] = []
    passed: list[str] = []

    async def framework(scope: Any, _: Any, __: Any) -> None:
        passed.append(scope["path"])

    async def send(message: Any) -> None:
        sent.append(message)

    endpoints = {("GET", "/wrong"): endpoint, ("GET", "/broken"): broken}
    scope = {"type": "http", "method": method, "path": path, "state": {}, "headers": []}
    await DirectRoutes(endpoints, handle_error).before(framework)(scope, None, send)  # type: ignore[arg-type]
    return sent, passed


@pytest.mark.anyio
async def test_other_methods_and_paths_go_to_the_framework() -> None:
    assert await called("/wrong", "POST") == ([], ["/wrong"])
    assert await called("/wrong/more") == ([], ["/wrong/more"])


@pytest.mark.anyio
async def test_our_errors_are_answered_and_others_are_raised() -> None:
    sent, passed = await called("/wrong")
    assert sent[0]["status"] == 422
    assert not passed
    with pytest.raises(RuntimeError, match="not foreseen"):
        await called("/broken")
    assert issubclass(MalformedValueError, FreezegateError)
