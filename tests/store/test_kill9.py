"""What was acknowledged survives ``kill -9``, with grants, spends and freezes among the claims."""

import asyncio
import contextlib
import multiprocessing
import random
from collections import Counter
from itertools import count as counting
from multiprocessing.connection import Connection

import pytest

from app.clock import SystemClock
from app.core.decision import Question
from app.core.policy import Selector
from app.gate.claim import Claim, Claims
from app.gate.freezes import Freezes, StartRequest
from app.gate.in_force import InForce, Policies
from app.gate.overrides import GrantRequest, Overrides
from app.gate.store_cache import StoreCache
from app.identity.caller import Caller, Role
from app.identity.credentials import digest
from app.policies.load import load
from app.policies.source import Snapshot
from app.store.store import Store
from tests.store.records import PATIENT, assert_whole

AT_ONCE = 16
FROZEN = """\
version: 1
overrides: {max_uses: 100, max_ttl: 24h}
policies:
  - {id: always, title: Frozen, reason: A test., when: [{always: true}]}
"""


def use_until_killed(url: str, acknowledged: "Connection[bytes, bytes]") -> None:
    asyncio.run(_use(url, acknowledged))


async def _use(url: str, acknowledged: "Connection[bytes, bytes]") -> None:
    """Grant, spend, freeze and claim as much as it goes; tell what was acknowledged."""
    snapshot = Snapshot.of(FROZEN)
    in_force = InForce(load(snapshot).engine, snapshot, 1, ())
    store, clock, ops = Store.open(url, deadline=PATIENT), SystemClock(), Caller("alice", Role.OPS)
    cache = StoreCache(store, Policies(), clock)
    claims = Claims(store, clock, cache)
    overrides, freezes = Overrides(store, cache), Freezes(store, clock, cache)
    numbers = counting()

    async def go_on_and_on() -> None:
        for number in numbers:
            if number % 10 == 0:
                wanted = StartRequest(
                    "Incident", "A test.", Selector.model_validate({}), None, clock.now() + 600
                )
                freeze = await freezes.start(ops, wanted, in_force)
                acknowledged.send_bytes(f"freeze {freeze.id}".encode())
            request = GrantRequest(("api",), ("production",), None, "A test.", clock.now() + 600, 2)
            override, token = await overrides.grant(ops, request, in_force)
            acknowledged.send_bytes(f"override {override.id}".encode())
            for _ in range(3):
                claimed = await claims.claim(Claim(Question("api"), token=digest(token)), in_force)
                kind = "spend" if claimed.allowed else "deny"
                acknowledged.send_bytes(f"{kind} {override.id}".encode())

    await asyncio.gather(*(go_on_and_on() for _ in range(AT_ONCE)))


def receive(told: "Connection[bytes, bytes]", most: int) -> list[str]:
    """The acknowledgements that arrive: `most` of them, or until the sender is gone."""
    received: list[str] = []
    # A sender that is killed may leave half a message.
    with contextlib.suppress(EOFError, OSError):
        while len(received) < most:
            received.append(told.recv_bytes().decode())
    return received


@pytest.mark.parametrize("bursts", [10, pytest.param(30, marks=pytest.mark.long)])
def test_nothing_acknowledged_is_missing_after_kill_9(url: str, bursts: int) -> None:
    fresh = multiprocessing.get_context("forkserver")
    fresh.set_forkserver_preload(["tests.store.test_kill9"])
    dice = random.Random(9)
    acknowledged: list[str] = []
    for _ in range(bursts):
        told, tell = fresh.Pipe(duplex=False)
        process = fresh.Process(target=use_until_killed, args=(url, tell))
        process.start()
        tell.close()
        acknowledged += receive(told, dice.randrange(1, 400))
        process.kill()
        acknowledged += receive(told, 1_000_000)
        process.join()
        assert process.exitcode == -9
        told.close()
    _compare(url, acknowledged)


def _compare(url: str, acknowledged: list[str]) -> None:
    store = Store.open(url, deadline=PATIENT)
    kept = {each.id: each for each in store.query(lambda view: view.newest_overrides(None, None, 100_000))}
    freezes = {each.id for each in store.query(lambda view: view.newest_freezes(None, 100_000))}
    told: dict[str, Counter[str]] = {}
    for line in acknowledged:
        kind, _, own_id = line.partition(" ")
        told.setdefault(kind, Counter())[own_id] += 1
    assert set(told) == {"override", "freeze", "spend", "deny"}
    assert set(told["override"]) <= set(kept)
    assert set(told["freeze"]) <= freezes
    for own_id, spent in told["spend"].items():
        assert spent <= kept[own_id].uses <= kept[own_id].max_uses
    assert_whole(store)
    store.let_go()
