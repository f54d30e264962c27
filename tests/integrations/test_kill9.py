"""Deploys that wait survive ``kill -9``: each acknowledged one is answered, in batches, at least once."""

import asyncio
import contextlib
import multiprocessing
import random
from collections import Counter
from itertools import count as counting
from multiprocessing.connection import Connection
from pathlib import Path

from app.clock import SystemClock
from app.core.decision import Question
from app.core.instant import DAY
from app.gate.gate import Gate
from app.gate.holds import HoldRequest
from app.gate.in_force import Policies
from app.gate.record import note_policies
from app.identity.caller import Caller, Role
from app.integrations.answers import Answerer
from app.integrations.callback.message import CallbackResponder
from app.outbound import Outbound
from app.policies.source import Source
from app.store.records import HoldFilter
from app.store.store import Store
from tests.integrations.receiver import LocalReceiver
from tests.integrations.test_callback import section
from tests.store.records import PATIENT, assert_whole

BATCH, EVERY = 10, 2
POLICIES = f"""\
version: 1
environments: {{production: {{release: {{batch: {BATCH}, every: {EVERY}s}}}}}}
policies: []
"""
KILLS = 10


def serve_until_killed(url: str, file: str, port: int, acknowledged: "Connection[bytes, bytes]") -> None:
    asyncio.run(_serve(url, Path(file), port, acknowledged))


async def _serve(url: str, file: Path, port: int, acknowledged: "Connection[bytes, bytes]") -> None:
    """Take in deploys that wait, tell what was acknowledged, and release and answer meanwhile."""
    clock, policies = SystemClock(), Policies()
    in_force = policies.load(Source(file), clock.now())
    store = Store.open(url, deadline=PATIENT)
    store.transact(note_policies(in_force, clock.microseconds()))
    gate = Gate(store, policies, clock)
    gate.cache.load()
    responder = CallbackResponder(section(f"127.0.0.1:{port}"), clock)
    # The name of the replica is that of the one before, so that no test waits for its lease to end.
    answering = gate.answering({"callback": responder.reporting}, "one")
    loops = Answerer(answering, {"callback": responder}, Outbound(), interval=0.05)
    caller, numbers, start = Caller("pipeline", Role.CI), counting(), clock.microseconds()

    async def ask() -> None:
        for number in numbers:
            key = f"{start}-{number}"
            target = {"url": f"http://127.0.0.1:{port}/{key}"}
            wanted = HoldRequest(Question("api"), "callback", key, target, clock.now() + DAY)
            await gate.holds.hold(caller, wanted, in_force)
            acknowledged.send_bytes(key.encode())
            await asyncio.sleep(0.2)

    await asyncio.gather(loops.run(), ask())


def test_what_waits_is_answered_after_kill_9(tmp_path: Path, local: LocalReceiver) -> None:
    file, url = tmp_path / "policies.yaml", f"sqlite:///{tmp_path / 'gate.db'}"
    file.write_text(POLICIES)
    fresh = multiprocessing.get_context("forkserver")
    fresh.set_forkserver_preload(["tests.integrations.test_kill9"])
    dice = random.Random(9)
    acknowledged: set[str] = set()
    for burst in range(KILLS + 1):
        told, tell = fresh.Pipe(duplex=False)
        process = fresh.Process(target=serve_until_killed, args=(url, str(file), local.port, tell))
        process.start()
        tell.close()
        with contextlib.suppress(EOFError, OSError):
            for _ in range(dice.randrange(1, 9)):
                acknowledged.add(told.recv_bytes().decode())
            if burst == KILLS:
                _wait_until_answered(local, acknowledged)
            process.kill()
            while True:
                acknowledged.add(told.recv_bytes().decode())
        process.join()
        told.close()
    _compare(url, acknowledged, local)


def _wait_until_answered(local: LocalReceiver, keys: set[str]) -> None:
    for number in range(1, 10_000):
        if {each.json["data"]["key"] for each in local.got} >= keys:
            return
        local.wait_for(number, seconds=120)
    raise AssertionError(f"{len(local.got)} answers to {len(keys)} deploys")


def _compare(url: str, acknowledged: set[str], local: LocalReceiver) -> None:
    store = Store.open(url, deadline=PATIENT)
    holds = {
        each.key: each for each in store.query(lambda view: view.newest_holds(HoldFilter(), None, 9_999))
    }
    assert acknowledged <= set(holds)
    answers = [each.json["data"] for each in local.got]
    for answer in answers:
        # Sent again, it is the same answer: a deploy starts once.
        assert answer["decision"] == {"allowed": True, "id": holds[answer["key"]].decision_id}
    released = Counter(each.released_at for each in holds.values() if each.released_at is not None)
    for second in released:
        assert sum(released[second + later] for later in range(EVERY)) <= BATCH
    assert_whole(store)
    store.let_go()
