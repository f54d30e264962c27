"""A GitHub on this machine, and the App's section of the integrations file."""

import io
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.hold import Hold
from app.core.instant import parse_instant
from app.gate.holds import HoldFilter
from app.integrations.github.section import GitHub
from app.integrations.section import resolve_secrets
from app.integrations.vendor import Surroundings
from app.main import create_app
from app.outbound import Outbound
from app.server.log import RequestLog
from app.settings import Settings
from tests.api.fakes import FakeClock
from tests.integrations.github.fake import APP_ID, SECRET, FakeGitHub, private_pem

HOOK = "/integrations/github"
Returned = TypeVar("Returned")

NOW = parse_instant("2026-11-27T13:05:00Z")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    made = FakeGitHub(now=clock.now)
    yield made
    made.close()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with Outbound().client(5.0) as client:
        yield client


def section_for(api: str, **more: object) -> GitHub:
    """The section of an App on an API."""
    settings = {"app_id": APP_ID, "private_key": private_pem(), "secret": SECRET, "api": api, **more}
    section = GitHub.model_validate(settings)
    resolve_secrets(section, Path(), {})
    return section


POLICIES = """\
version: 1
timezone: Europe/Amsterdam
environments: [production, staging]
services: {checkout: {}}
unknown_services: refuse
policies:
  - id: friday-afternoon
    title: No deploys after Friday 14:00
    reason: Nothing good happens after 14:00 on a Friday.
    contact: "#release-managers"
    applies_to: {environments: [production]}
    when:
      - weekly: {from: fri 14:00, to: mon 08:00}
"""


@pytest.fixture
def section(github: FakeGitHub) -> GitHub:
    rules = [
        {"repository": "acme/*", "environment": "production"},
        {"repository": "acme/*", "environment": "staging", "github_environment": "Stage"},
        {"repository": "acme/*", "environment": "qa"},
    ]
    return section_for(github.url, deployments=rules, gate_url="https://gate.example.com")


@pytest.fixture
def gate(
    tmp_path: Path,
    clock: FakeClock,
    section: GitHub,
    github: FakeGitHub,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[TestClient]:
    """A gate with the section, whose background work is left to the tests."""
    monkeypatch.setattr("app.main._work", lambda *_: [])
    (tmp_path / "policies.yaml").write_text(POLICIES)
    settings = Settings(
        policies=tmp_path / "policies.yaml", database_url=SecretStr(f"sqlite:///{tmp_path / 'gate.db'}")
    )
    app = create_app(settings, clock=clock, request_log=RequestLog(io.BytesIO()))
    with TestClient(app) as client:
        client.app.state.context.integrations["github"] = section  # type: ignore[attr-defined]
        github.deliver = lambda headers, body: client.post(HOOK, headers=headers, content=body).status_code
        yield client


def surroundings(gate: TestClient, own_name: str = "this") -> Surroundings:
    """What background work would get."""
    context = gate.app.state.context  # type: ignore[attr-defined]
    return Surroundings(context.gate, context.clock, Outbound(), own_name)


def call(gate: TestClient, work: Callable[..., Coroutine[Any, Any, Returned]], *arguments: Any) -> Returned:
    """Run a coroutine on the gate's event loop."""
    assert gate.portal is not None
    returned: Returned = gate.portal.call(work, *arguments)
    return returned


def with_client(
    gate: TestClient, work: Callable[[httpx.AsyncClient], Coroutine[Any, Any, Returned]]
) -> Returned:
    """Run a coroutine on the gate's event loop, with a client for outgoing calls."""

    async def run() -> Returned:
        async with Outbound().client(5.0) as client:
            return await work(client)

    return call(gate, run)


def holds(gate: TestClient) -> list[Hold]:
    """All holds, oldest first."""
    context = gate.app.state.context  # type: ignore[attr-defined]
    found: list[Hold] = call(gate, context.gate.holds.listed, HoldFilter(), None, 1_000)
    return found[::-1]
