"""`audit verify` of many decisions: ``python -m bench.verifying [CHECKOUT [CLAIMS]]``.

The record is made by claims, a third of them denied, in SQLite. With another checkout of the repository, its
build makes and verifies a record of the same claims, in turn with this one. The figures are the time per
event, by the clock and of the processor, and the most memory that a process ever held. This build verifies as
the command does, with a second process where there are two cores.
"""

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from app.core.decision import Question
from app.core.instant import parse_instant
from app.gate.claim import Claim, Claims
from app.gate.in_force import Policies
from app.gate.record import note_policies, verify
from app.gate.store_cache import StoreCache
from app.policies.source import Source
from app.store.store import Store

SHIPPED = Path(__file__).parents[1] / "policies.yaml"
CLAIMS = int(os.environ.get("CLAIMS", "100_000"))
TOGETHER = 500
ROUNDS = 5
OPEN, FROZEN = parse_instant("2026-11-25T12:00:00Z"), parse_instant("2026-11-27T15:00:00Z")


class Clock:
    """Goes on by a second a batch; every third batch is on a Friday afternoon."""

    def __init__(self) -> None:
        self.batch = 0

    def now(self) -> int:
        return (OPEN, OPEN, FROZEN)[self.batch % 3] + self.batch // 3

    def microseconds(self) -> int:
        return self.now() * 1_000_000

    def elapsed(self) -> int:
        return self.batch


async def make(database: str) -> None:
    clock = Clock()
    store = Store.open(database, deadline=60.0)
    policies = Policies()
    in_force = policies.load(Source(SHIPPED), clock.now())
    store.transact(note_policies(in_force, clock.microseconds()))
    claims = Claims(store, clock, StoreCache(store, policies, clock))
    for first in range(0, CLAIMS, TOGETHER):
        clock.batch += 1
        wanted = (
            Claim(
                Question(f"service-{number % 500}"),
                ref=f"{number:040x}",
                actor="ada",
                run_url="https://ci.example",
            )
            for number in range(first, first + TOGETHER)
        )
        await asyncio.gather(*(claims.claim(each, in_force) for each in wanted))
    await store.close()


def timed(database: str) -> None:
    """Verify in a process of its own; print seconds, events and mebibytes."""
    store = Store.open(database)
    started, used = time.perf_counter(), processor()
    found = verify(store.query, **helped(store))
    seconds, used = time.perf_counter() - started, processor() - used
    store.let_go()
    if found.fault is not None or getattr(found, "differing", False):
        raise SystemExit(str(found))
    print(seconds, used, found.events, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def processor() -> float:
    """Return the seconds that this process and those that it has ended used."""
    used = (resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def helped(store: Store) -> dict[str, Any]:
    """Return the argument for a second process; none for a build that has no such thing."""
    try:
        from app.gate.pages_ahead import helper_for
    except ImportError:
        return {}
    return {"helper": partial(helper_for, store.url)}


def run(checkout: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    return subprocess.run(
        [sys.executable, __file__, *command],
        cwd=checkout,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def main() -> None:
    if sys.argv[1:2] == ["make"]:
        asyncio.run(make(sys.argv[2]))
        return
    if sys.argv[1:2] == ["verify"]:
        timed(sys.argv[2])
        return
    if sys.argv[2:]:
        os.environ["CLAIMS"] = sys.argv[2]
    here = Path(__file__).parents[1]
    builds = {"this": here} | ({"other": Path(sys.argv[1]).resolve()} if sys.argv[1:] else {})
    with tempfile.TemporaryDirectory() as folder:
        databases = {name: f"sqlite:///{folder}/{name}.db" for name in builds}
        for name, checkout in builds.items():
            run(checkout, "make", databases[name])
        told: dict[str, list[list[float]]] = {name: [] for name in builds}
        for _ in range(ROUNDS):
            for name, checkout in builds.items():
                told[name].append([float(each) for each in run(checkout, "verify", databases[name]).split()])
    for name, rounds in told.items():
        clock, used = (statistics.median(each[which] / each[2] * 1e6 for each in rounds) for which in (0, 1))
        memory = max(each[3] for each in rounds)
        print(f"{name}: {clock:.1f} µs an event, {used:.1f} µs of the processor, {memory:.0f} MiB")
    if "other" in told:
        for which, what in enumerate(("by the clock", "of the processor")):
            pairs = zip(told["this"], told["other"], strict=True)
            ratios = [ours[which] / theirs[which] for ours, theirs in pairs]
            span = f"{min(ratios):.2f} to {max(ratios):.2f}"
            print(f"this / other, {what}: {statistics.median(ratios):.2f} ({span})")


if __name__ == "__main__":
    main()
