"""A gate in this process: real routes, real store, a clock that stands where a test puts it."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.instant import parse_instant
from app.gate.keys import KeyRequest, create
from app.identity.caller import Role
from app.main import create_app
from app.server.log import RequestLog
from app.settings import Settings
from tests.api.fakes import FakeClock

POLICIES = """\
version: 1
timezone: Europe/Amsterdam
environments: [production, staging]
services:
  checkout: {tags: [tier-1]}
  docs-site: {tags: [static]}
policies:
  - id: friday-afternoon
    title: No deploys after Friday 14:00
    reason: Nothing good happens after 14:00 on a Friday.
    contact: "#release-managers"
    applies_to: {environments: [production]}
    exempt:
      - {changes: [rollback]}
      - {services: [docs-site]}
    when:
      - weekly: {from: fri 14:00, to: mon 08:00}
  - id: lunch
    title: It is lunch time
    reason: Somebody has to watch it.
    effect: warn
    applies_to: {environments: [production]}
    when:
      - daily: {from: "12:00", to: "13:00"}
tests:
  - {at: 2026-11-27 14:00, service: api, expect: deny, by: [friday-afternoon]}
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(parse_instant("2026-11-27T13:05:00Z"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    return tmp_path


@pytest.fixture
def log() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def gate(folder: Path, clock: FakeClock, log: io.BytesIO) -> Iterator[TestClient]:
    settings = Settings(
        policies=folder / "policies.yaml", database_url=SecretStr(f"sqlite:///{folder / 'gate.db'}")
    )
    app = create_app(settings, clock=clock, request_log=RequestLog(log))
    with TestClient(app) as client:
        yield client


@pytest.fixture(scope="module")
def module_gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A gate for the tests of a module that leave it as it was."""
    folder = tmp_path_factory.mktemp("gate")
    (folder / "policies.yaml").write_text(POLICIES)
    settings = Settings(
        policies=folder / "policies.yaml",
        database_url=SecretStr(f"sqlite:///{folder / 'gate.db'}"),
        anonymous_role="ci",
    )
    clock = FakeClock(parse_instant("2026-11-27T13:05:00Z"))
    with TestClient(create_app(settings, clock=clock, request_log=RequestLog(io.BytesIO()))) as client:
        yield client


@pytest.fixture
def keys(gate: TestClient) -> dict[str, str]:
    """A key of every role, by the role."""
    return {role.value: key_for(gate, KeyRequest(f"{role.value} person", role)) for role in Role}


def key_for(gate: TestClient, wanted: KeyRequest) -> str:
    """A key that this gate knows; of the person that it is named for, if no other is named."""
    wanted = wanted._replace(person=wanted.person or wanted.name)
    context = gate.app.state.context  # type: ignore[attr-defined]
    _, key = create(context.gate._store, context.clock, wanted, "test")
    context.cache.load()
    return key


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
