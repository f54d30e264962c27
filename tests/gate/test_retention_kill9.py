"""``kill -9`` at any instant of a pruning leaves chain and archive whole, and a rerun goes on."""

import asyncio
import contextlib
import json
import multiprocessing
import random
import signal
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from app.core.audit import Link
from app.gate import console, retention
from app.gate.console import Console
from app.gate.pace import Pace
from app.gate.record import verify
from app.store.store import Store
from tests.api.fakes import FakeClock
from tests.gate.conftest import AFTER, gate_on
from tests.gate.pruning import KEEP, LONG, all_events, archived, export_to, fill, verified_by_script
from tests.store.records import PATIENT

KILLS: Final = 10
CLAIMS: Final = 120
MOST_STEPS: Final = 34
AHEAD: Final = 4
"""Steps that a run may be ahead of what was seen of it; ten runs have fewer than the 388 that there are."""
IN_FILE: Final = 40
"""Events in a file, so that there are some ten of them."""


def prune_until_killed(url: str, folder: Path, now: int, told: "Connection[bytes, bytes]", most: int) -> None:
    """Prune, and wait for the end after so many steps: the parent may be late with it."""
    vars(retention)["_MOST_IN_FILE"] = IN_FILE
    # However fast the machine is, deletions take so many steps that the last run still has some to do.
    vars(console)["_PACES"] = (console._PACES[0], Pace(target=1, rest=0, least=2, most=2))
    store, clock = Store.open(url, deadline=PATIENT), FakeClock(now)

    steps = count(1)

    def tell(what: str, reached: int, _: int) -> None:
        told.send_bytes(f"{what} {reached}".encode())
        if next(steps) >= most:
            signal.pause()

    Console(store, clock).prune(KEEP, folder, tell, force=True)
    told.send_bytes(b"done")


def receive(told: "Connection[bytes, bytes]", most: int) -> list[str]:
    """The steps of a run, until it has made so many, or is gone."""
    received: list[str] = []
    # A sender that is killed may leave half a message.
    with contextlib.suppress(EOFError, OSError):
        while len(received) < most and received[-1:] != ["done"]:
            received.append(told.recv_bytes().decode())
    return received


def test_kill_9_while_pruning_loses_and_repeats_no_event(url: str, policy_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    before = asyncio.run(_recorded(url, policy_file))
    store = Store.open(url, deadline=PATIENT)
    fresh = multiprocessing.get_context("forkserver")
    fresh.set_forkserver_preload(["tests.gate.test_retention_kill9"])
    dice, now = random.Random(9), AFTER + LONG
    for _ in range(KILLS):
        told, tell = fresh.Pipe(duplex=False)
        steps = dice.randrange(1, MOST_STEPS)
        process = fresh.Process(target=prune_until_killed, args=(url, folder, now, tell, steps + AHEAD))
        process.start()
        tell.close()
        assert "done" not in receive(told, steps)
        process.kill()
        process.join()
        assert process.exitcode == -9
        found = verify(store.query)
        assert found.whole, found
        if list(folder.glob("events-*.jsonl.gz")):
            verified_by_script(folder)
        # Its lease runs out.
        now += retention.LEASE_DURATION
    Console(store, FakeClock(now)).prune(KEEP, folder, None, force=True)
    export = export_to(store, tmp_path / "export.jsonl")
    events = [line for line in archived(folder) if "seq" in line]
    assert len(events) == len(before)
    events += [line for line in map(json.loads, export.read_text().splitlines()) if "seq" in line]
    assert events[: len(before)] == [each._asdict() for each in before]
    assert {each["kind"] for each in events[len(before) :]} == {"record-pruned"}
    assert verify(store.query).whole
    Console(store, FakeClock(now)).verify_archive(folder, None)
    assert "names each of the files" in verified_by_script(folder, export)
    assert not list(folder.glob(".*"))
    store.let_go()


async def _recorded(url: str, policy_file: Path) -> list[Link]:
    gate = gate_on(url, policy_file, FakeClock(AFTER))
    await fill(gate, CLAIMS)
    events = all_events(gate.store)
    await gate.store.close()
    return events
