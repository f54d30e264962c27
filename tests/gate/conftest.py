"""The use cases on a real store, with a clock that stands where a test puts it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.core.decision import Question
from app.core.instant import HOUR, parse_instant
from app.core.policy import Selector
from app.gate import keys
from app.gate.claim import Claim, Claims
from app.gate.freezes import Freezes, StartRequest
from app.gate.in_force import InForce, LoadFailure, Policies
from app.gate.keys import KeyRequest
from app.gate.overrides import GrantRequest, Overrides
from app.gate.record import note_policies
from app.gate.store_cache import StoreCache
from app.identity.caller import Caller, Role
from app.identity.credentials import digest
from app.policies.source import Source
from app.store.connection import Connection
from app.store.store import Store
from tests.api.fakes import FakeClock
from tests.store.records import PATIENT

FRIDAY = """version: 1
timezone: Europe/Amsterdam
environments: [production, staging]
services:
  api: {tags: [tier-1]}
  web: {}
overrides: {max_ttl: 24h, max_uses: 5}
policies:
  - id: friday
    title: No deploys after Friday 14:00
    reason: Nothing good happens after 14:00 on a Friday.
    applies_to: {environments: [production]}
    when:
      - weekly: {from: fri 14:00, to: mon 08:00}
  - id: year-end
    title: Year-end freeze
    reason: The books are being closed.
    override: never
    when:
      - yearly: {from: 12-20, to: 01-03}
  - id: audit-week
    title: Audit week
    reason: The auditors are here.
    override: {max_ttl: 1h, max_uses: 1, approvals: 1}
    when:
      - dates: {from: 2026-12-01, to: 2026-12-05}
"""
BEFORE = parse_instant("2026-11-27T12:59:59Z")
AFTER = parse_instant("2026-11-27T13:00:00Z")
OPS = Caller("Alice", Role.OPS, person="alice")
OTHER = Caller("Bob", Role.OPS, person="bob")
ADMIN = Caller("Root", Role.ADMIN, person="root")


class Gate(NamedTuple):
    """One replica."""

    store: Store
    clock: FakeClock
    policies: Policies
    cache: StoreCache
    claims: Claims
    overrides: Overrides
    freezes: Freezes

    @property
    def in_force(self) -> InForce:
        return self.policies.in_force


def gate_on(url: str, file: Path, clock: FakeClock) -> Gate:
    """A replica on a database."""
    store = Store.open(url, deadline=PATIENT)
    policies = Policies()
    in_force = policies.load(Source(file), clock.now())
    cache = StoreCache(store, policies, clock)
    store.transact(note_policies(in_force, clock.microseconds()))
    cache.load()
    return Gate(
        store,
        clock,
        policies,
        cache,
        Claims(store, clock, cache),
        Overrides(store, cache),
        Freezes(store, clock, cache),
    )


def reload(policies: Policies, now: int) -> InForce | LoadFailure | None:
    """Poll twice: the second poll takes what the first one found."""
    policies.poll(now)
    return policies.poll(now)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(AFTER)


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    file = tmp_path / "policies.yaml"
    file.write_text(FRIDAY)
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'gate.db'}"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
async def gate(url: str, policy_file: Path, clock: FakeClock) -> AsyncIterator[Gate]:
    opened = gate_on(url, policy_file, clock)
    yield opened
    await opened.store.close()


@pytest.fixture
async def other(url: str, policy_file: Path, clock: FakeClock) -> AsyncIterator[Gate]:
    """Another replica on the same database."""
    opened = gate_on(url, policy_file, clock)
    yield opened
    await opened.store.close()


@pytest.fixture
async def busy(gate: Gate) -> Gate:
    """A gate on which everything has happened once."""
    record, _ = keys.create(gate.store, gate.clock, KeyRequest("Alice", Role.OPS), "root")
    request = GrantRequest(("api",), ("production",), None, "The fix.", AFTER + HOUR)
    override, token = await gate.overrides.grant(OPS, request, gate.in_force)
    await gate.overrides.approve(OTHER, override.id, gate.in_force)
    await gate.claims.claim(Claim(Question("api"), token=digest(token)), gate.in_force)
    await gate.overrides.revoke(OTHER, override.id)
    incident = StartRequest("Incident", "It burns.", Selector.model_validate({}), None, AFTER + HOUR)
    freeze = await gate.freezes.start(OPS, incident, gate.in_force)
    await gate.freezes.extend(OPS, freeze.id, AFTER + 2 * HOUR)
    await gate.freezes.lift(OPS, freeze.id)
    await gate.claims.claim(Claim(Question("api")), gate.in_force)
    keys.revoke(gate.store, gate.clock, record.id, "root")
    return gate


@pytest.fixture
def raw(busy: Gate) -> Iterator[Any]:
    """The database, as somebody gets at it who is not the gate."""
    connection: Connection = busy.store._database.connect()
    yield connection.raw
    connection.raw.close()
