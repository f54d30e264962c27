"""Recording in process, without HTTP: what it adds to a claim, and how many share a commit.

``python -m bench.recording [FOLDER]`` prints, for 1, 16 and 64 claims in flight, how many are recorded a
second, and the processor time that a claim takes with recording and without. Both take turns in one run.
The folder should lie on a real disk; one commit of a single row there is measured first.
"""

import asyncio
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from app.clock import SystemClock
from app.core.decision import Question
from app.gate.claim import Claim, Claims
from app.gate.in_force import InForce, Policies
from app.gate.record import note_policies
from app.gate.store_cache import StoreCache
from app.policies.source import Source
from app.server.interpreter import tune
from app.store.store import Store
from bench.apps import Nothing

SHIPPED = Path(__file__).parents[1] / "policies.yaml"
IN_FLIGHT = (1, 16, 64)
ROUNDS = 5
SECONDS = 1.0


class Unrecorded:
    """Takes decisions and keeps none."""

    async def write(self, work: Callable[[Any], Any], *, token: str | None = None) -> Any:  # noqa: ARG002 - a store's shape
        # A turn of the loop, as the way through any server takes many.
        await asyncio.sleep(0)
        return work(Nothing())

    def keeps(self, revision: str) -> bool:  # noqa: ARG002 - a store's shape
        return True


class Run(NamedTuple):
    """What one run measured."""

    rate: float
    cpu_us: float
    """Processor time a claim."""
    together: float
    """Claims a commit."""


class Counting:
    """Counts the batches of a store's writer."""

    def __init__(self, store: Store) -> None:
        self.batches = 0
        self._commit = store._writer._commit  # noqa: SLF001 - the figure is not worth a public name
        store._writer._commit = self  # noqa: SLF001 - the same

    def __call__(self, claims: Sequence[Any]) -> Sequence[Any]:
        self.batches += 1
        return self._commit(claims)


async def run(store: Any, in_force: InForce, in_flight: int, batches: Counting | None) -> Run:
    clock = SystemClock()
    claims = Claims(store, clock, StoreCache(store, Policies(), clock))
    until = time.perf_counter() + SECONDS
    done = 0

    async def claim_on_and_on(number: int) -> None:
        nonlocal done
        claim = Claim(Question(f"service-{number}"), "v1.2.3", "alice", "https://ci.example/runs/1")
        while time.perf_counter() < until:
            await claims.claim(claim, in_force)
            done += 1

    counted = batches.batches if batches else 0
    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(claim_on_and_on(number) for number in range(in_flight)))
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
    together = done / (batches.batches - counted) if batches else 0
    return Run(done / elapsed, cpu / done * 1e6, together)


async def compare(folder: Path) -> None:
    policies = Policies()
    policies.load(Source(SHIPPED), SystemClock().now())
    # As a gate has read them: else each claim is decided again in the writer's thread.
    policies.use_freezes([], 0)
    in_force = policies.in_force
    store = Store.open(f"sqlite:///{folder / 'bench.db'}")
    store.transact(note_policies(in_force, SystemClock().microseconds()))
    batches = Counting(store)
    print(f"{'in flight':>9} {'recorded/s':>11} {'a commit':>9} {'cpu us':>7} {'unrecorded':>11}")
    for in_flight in IN_FLIGHT:
        with_it, without = [], []
        for _ in range(ROUNDS):
            with_it.append(await run(store, in_force, in_flight, batches))
            without.append(await run(Unrecorded(), in_force, in_flight, None))
        print(
            f"{in_flight:>9} {statistics.median(each.rate for each in with_it):>11.0f}"
            f" {statistics.median(each.together for each in with_it):>9.1f}"
            f" {statistics.median(each.cpu_us for each in with_it):>7.0f}"
            f" {statistics.median(each.cpu_us for each in without):>11.0f}",
            flush=True,
        )
    await store.close()


def flush(folder: Path) -> float:
    """Milliseconds that SQLite takes to commit one row here."""
    connection = sqlite3.connect(folder / "flush.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE t (x)")
    times = []
    for _ in range(200):
        started = time.perf_counter()
        connection.execute("INSERT INTO t VALUES (1)")
        times.append(time.perf_counter() - started)
    connection.close()
    return statistics.median(times) * 1e3


def main() -> None:
    os.sched_setaffinity(0, {0})
    tune()
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        print(f"one commit of one row: {flush(Path(folder)):.2f} ms")
        uvloop.run(compare(Path(folder)))


if __name__ == "__main__":
    main()
