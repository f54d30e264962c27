"""Claims beside `freezegate store prune`, against claims alone.

``python -m bench.pruning [DECISIONS [FOLDER]]`` makes a record of old decisions, a million, unless the
folder has one. Then it takes turns: claims alone, and claims while a pruning runs, which is interrupted after
each turn and goes on in the next one. The figure is the median of the ratios of p99s that were measured right
after one another. The rest is pruned in one go, and timed.
"""

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import uvloop

from app.core.audit import Event, Link
from app.core.decision import Question
from app.core.instant import DAY
from app.gate.claim import Claim, Claims
from app.gate.in_force import Policies
from app.gate.record import note_policies
from app.gate.store_cache import StoreCache
from app.policies.source import Source
from app.store.records import DecisionRow
from app.store.store import Store
from app.store.transaction import Transaction
from bench.client import Load, load, post
from bench.serve import wait_for

SHIPPED = Path(__file__).parents[1] / "policies.yaml"
PORT = 14_300
PAIRS = 4
SECONDS = 4.0
TOGETHER = 512
CONNECTIONS = 16
PRUNE = """
from app.cli import main
from app.gate import retention
vars(retention)["_MOST_IN_FILE"] = 10_000
main()
"""
"""Files of a tenth, so that each turn has all phases."""

CLAIMS = [post("/can-deploy", f'{{"service": "service-{number}"}}') for number in range(64)]


class Past:
    """A clock of 500 days ago."""

    def now(self) -> int:
        return int(time.time()) - 500 * DAY

    def microseconds(self) -> int:
        return self.now() * 1_000_000

    def elapsed(self) -> int:
        return time.perf_counter_ns() // 1_000


async def fill(url: str, decisions: int) -> None:
    """Record some claims, and copies of them: claiming each would take most of the time."""
    store, clock, policies = Store.open(url, deadline=60), Past(), Policies()
    in_force = policies.load(Source(SHIPPED), clock.now())
    store.transact(note_policies(in_force, clock.microseconds()))
    claims = Claims(store, clock, StoreCache(store, policies, clock))
    for number in range(TOGETHER):
        await claims.claim(Claim(Question(f"service-{number & 63}"), ref=f"v{number}"), in_force)
    links, rows = store.query(
        lambda view: (view.events_after(1, TOGETHER), view.decision_rows(1, TOGETHER + 1))
    )
    made = [(link, rows[link.seq]) for link in links]
    for first in range(TOGETHER, decisions, TOGETHER):
        store.transact(partial(copy, made, first))
    await store.close()


def copy(made: list[tuple[Link, DecisionRow]], first: int, transaction: Transaction) -> None:
    """Record decisions like those that were made, each later and with an id of its own."""
    for number, (link, row) in enumerate(made, first):
        own_id = f"{row.id[:-8]}{number:08}"
        event = Event(link.at + number * 1_000_000, link.kind, link.actor, link.data.replace(row.id, own_id))
        transaction.record(row._replace(id=own_id, at=row.at + number), event)


def command(name: str, *more: str, **settings: str) -> subprocess.Popen[bytes]:
    # The parent may have settings of its own.
    kept = {key: each for key, each in os.environ.items() if not key.startswith("FREEZEGATE_")}
    return subprocess.Popen(
        [sys.executable, "-c", PRUNE, *name.split(), *more],
        env={**kept, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_patiently() -> None:
    for _ in range(10):
        with contextlib.suppress(RuntimeError):
            return wait_for(PORT)
    return wait_for(PORT)


def claims_for(seconds: float) -> Load:
    return uvloop.run(load(PORT, CLAIMS, CONNECTIONS, seconds))


class Turn(NamedTuple):
    alone: Load
    beside: Load

    @property
    def ratio(self) -> float:
        return self.beside.p99 / self.alone.p99


def turn(settings: dict[str, str]) -> Turn:
    alone = claims_for(SECONDS)
    pruning = command("store prune", **settings)
    # It takes most of a second to start.
    time.sleep(2)
    beside = claims_for(SECONDS)
    if pruning.poll() is not None:
        raise RuntimeError("the pruning ended before its turn: take more decisions")
    pruning.send_signal(signal.SIGINT)
    pruning.wait()
    return Turn(alone, beside)


def main() -> None:
    decisions = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with contextlib.ExitStack() as stack:
        made = tempfile.TemporaryDirectory()
        folder = sys.argv[2] if len(sys.argv) > 2 else stack.enter_context(made)
        url = f"sqlite:///{folder}/gate.db"
        began = time.perf_counter()
        if not Path(folder, "gate.db").exists():
            uvloop.run(fill(url, decisions))
        size = Path(folder, "gate.db").stat().st_size
        print(
            f"{decisions:,} decisions of {size / decisions:.0f} bytes, in {time.perf_counter() - began:.0f} s"
        )
        settings = {
            "FREEZEGATE_POLICIES": str(SHIPPED),
            "FREEZEGATE_DATABASE_URL": url,
            "FREEZEGATE_KEEP_DECISIONS": "90d",
            "FREEZEGATE_ANONYMOUS_CLAIMS": "999999999/second",
        }
        # The gate itself looks only after five minutes.
        gate = command("serve", "--port", str(PORT), **settings)
        try:
            wait_patiently()
            claims_for(SECONDS)
            turns = [turn(settings) for _ in range(PAIRS)]
            report(turns)
            began = time.perf_counter()
            rest = command("store prune", **settings)
            rest.wait()
            took = time.perf_counter() - began
        finally:
            gate.terminate()
            gate.wait()
        archive = sum(file.stat().st_size for file in Path(folder, "archive").iterdir())
        print(f"the rest without claims: {took:.0f} s; archive: {archive / decisions:.0f} bytes a decision")


def report(turns: list[Turn]) -> None:
    ratios = sorted(each.ratio for each in turns)
    alone, beside = (
        (statistics.median(each.p99 for each in loads) * 1000, statistics.median(each.rate for each in loads))
        for loads in ([each.alone for each in turns], [each.beside for each in turns])
    )
    print(
        f"claims' p99 beside store prune / alone, {CONNECTIONS} connections: {statistics.median(ratios):.2f} "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f}), {beside[0]:.1f} / {alone[0]:.1f} ms; "
        f"{beside[1]:,.0f} / {alone[1]:,.0f} claims a second; load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
