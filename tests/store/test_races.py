"""A token with N uses is spent N times, whoever else tries at the same moment; the harness is tested too."""

import asyncio
import multiprocessing
from collections import Counter
from collections.abc import Iterable

import pytest
from sqlalchemy import update

from app.clock import SystemClock
from app.core.decision import Question
from app.core.override import Override
from app.gate.audit_events import Kind, happened
from app.gate.claim import Claim, Claims
from app.gate.in_force import InForce, Policies
from app.gate.overrides import to_json
from app.gate.store_cache import StoreCache
from app.identity.credentials import digest, fingerprint
from app.policies.load import load
from app.policies.source import Snapshot
from app.store.store import Store
from app.store.tables import overrides
from app.store.transaction import Transaction
from tests.store.records import PATIENT, assert_whole
from tests.store.test_kill9 import FROZEN

PROCESSES = 8
REPLICAS = 2
TRIES = 16


def uses(number: int) -> int:
    return number % 3 + 1


def token(number: int) -> str:
    return f"token {number}"


def spend_all(url: str, process: int, tokens: int, naive: bool) -> list[int]:  # noqa: FBT001 - through a pool
    return asyncio.run(_spend_all(url, process, tokens, naive=naive))


async def _spend_all(url: str, process: int, tokens: int, *, naive: bool) -> list[int]:
    """Try every token once or twice, in an order of one's own; the numbers of those that let through."""
    snapshot = Snapshot.of(FROZEN)
    in_force = InForce(load(snapshot).engine, snapshot, 1, ())
    replicas = [Store.open(url, deadline=PATIENT) for _ in range(REPLICAS)]
    clock = SystemClock()
    allowed: list[int] = []

    async def attempt(store: Store, number: int) -> None:
        claim = Claim(Question("api"), token=digest(token(number)))
        if naive:
            if await _naive_attempt(store, claim.token or ""):
                allowed.append(number)
            return
        claims = Claims(store, clock, StoreCache(store, Policies(), clock))
        if (await claims.claim(claim, in_force)).allowed:
            allowed.append(number)

    order = [(each, (number + process * 37) % tokens) for number in range(tokens) for each in replicas]
    for first in range(0, len(order), 64):
        await asyncio.gather(*(attempt(*each) for each in order[first : first + 64]))
    for store in replicas:
        await store.close()
    return allowed


async def _naive_attempt(store: Store, token_digest: str) -> bool:
    """What a gate must not do: look in one transaction, and write in another what it has seen."""
    seen = await store.read(lambda view: view.override_of_token(token_digest))
    assert seen is not None
    if seen.uses_left <= 0:
        return False
    await asyncio.sleep(0)

    def write(transaction: Transaction) -> None:
        statement = update(overrides).where(overrides.c.id == seen.id).values(uses=seen.uses + 1)
        transaction._connection.change(statement)

    await store.write(write)
    return True


def grant(url: str, numbers: Iterable[int]) -> None:
    store = Store.open(url, deadline=PATIENT)
    now = SystemClock().now()

    def work(transaction: Transaction) -> None:
        for number in numbers:
            override = Override(
                id=f"ovr_{number:06}",
                services=("api",),
                environments=("production",),
                policies=None,
                reason="A test.",
                ticket=None,
                granted_by="alice",
                granted_at=now,
                expires_at=now + 3_600,
                max_uses=uses(number),
                uses=0,
                approvals_needed=0,
            )
            token_digest = digest(token(number))
            told = {"override": to_json(override, now), "fingerprint": fingerprint(token_digest)}
            transaction.add_override(override, token_digest)
            transaction.append(happened(now * 1_000_000, Kind.OVERRIDE_GRANTED, "alice", **told))

    store.transact(work)
    store.let_go()


def race(url: str, tokens: int, *, naive: bool) -> Counter[int]:
    """How often each token let something through, over all processes and replicas."""
    grant(url, range(tokens))
    fresh = multiprocessing.get_context("forkserver")
    with fresh.Pool(PROCESSES) as pool:
        tried = [pool.apply_async(spend_all, (url, number, tokens, naive)) for number in range(PROCESSES)]
        return Counter(number for each in tried for number in each.get(300))


@pytest.mark.parametrize("tokens", [250, pytest.param(1_000, marks=pytest.mark.long)])
def test_every_token_is_spent_exactly_so_often(url: str, tokens: int) -> None:
    assert PROCESSES * REPLICAS == TRIES
    spent = race(url, tokens, naive=False)
    assert spent == Counter({number: uses(number) for number in range(tokens)})
    store = Store.open(url, deadline=PATIENT)
    assert store.query(lambda view: view.count_decisions()) == tokens * TRIES
    assert store.query(lambda view: view.newest_overrides(SystemClock().now(), None, 10)) == []
    assert_whole(store)
    store.let_go()


def test_the_race_catches_a_store_that_looks_first_and_writes_later(url: str) -> None:
    spent = race(url, 250, naive=True)
    assert any(times > uses(number) for number, times in spent.items())
