"""Claims and questions over HTTP, against another build: ``python -m bench.claims CHECKOUT [FOLDER]``.

Both builds serve the shipped policies on SQLite, in turns. Shown are the rate and the processor time of
claims and questions, as ratios to the other build; a claim on one connection, over a bare commit of one row
in the same folder; and the p99 of questions beside 16 claiming connections, over that of questions alone.
The folder should lie on a real disk.
"""

import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import uvloop

from bench.builds import HERE, Build, serving, use_other_core
from bench.client import Load, load
from bench.recording import flush
from bench.serve import ASK, CLAIM

ROUNDS = 7
SECONDS = 1.5
FIRST_PORT = 14_200
Builds = Mapping[str, Build]


class Run(NamedTuple):
    """A run of requests on one build."""

    rate: float
    cpu_us: float
    """Processor time of the gate, a request."""


def run(build: Build, requests: list[bytes], connections: int) -> Run:
    before = build.cpu
    found = uvloop.run(load(build.port, requests, connections, SECONDS))
    return Run(found.rate, (build.cpu - before) / found.requests * 1e6)


def compare(builds: Builds, label: str, requests: list[bytes], connections: int) -> None:
    turns = [[run(build, requests, connections) for build in builds.values()] for _ in range(ROUNDS)]
    rate = [here.rate / there.rate for here, there in turns]
    cpu = [here.cpu_us / there.cpu_us for here, there in turns]
    rates = " and ".join(f"{statistics.median(each[side].rate for each in turns):.0f}" for side in (0, 1))
    cpus = " and ".join(f"{statistics.median(each[side].cpu_us for each in turns):.0f}" for side in (0, 1))
    print(
        f"{label}, {connections:2} connections: rate {spread(rate)}: {rates}/s; CPU {spread(cpu)}: {cpus} us",
        flush=True,
    )


def over_commit(builds: Builds, folder: Path) -> None:
    """A claim on one connection over a bare commit."""
    found: dict[str, list[float]] = {name: [] for name in builds}
    for turn in range(ROUNDS):
        own = folder / f"flush-{turn}"
        own.mkdir()
        commit = flush(own)
        for name, build in builds.items():
            claims = uvloop.run(load(build.port, CLAIM[:1], 1, SECONDS))
            found[name].append(statistics.median(claims.latencies) * 1e3 / commit)
    for name, ratios in found.items():
        print(f"claim on one connection over a bare commit, {name}: {spread(ratios)}", flush=True)


async def beside(port: int) -> Load:
    asked, _ = await asyncio.gather(load(port, ASK, 16, SECONDS), load(port, CLAIM, 16, SECONDS))
    return asked


def questions_beside(builds: Builds) -> None:
    found: dict[str, list[float]] = {name: [] for name in builds}
    for _ in range(ROUNDS):
        for name, build in builds.items():
            alone = uvloop.run(load(build.port, ASK, 16, SECONDS))
            found[name].append(uvloop.run(beside(build.port)).p99 / alone.p99)
    for name, ratios in found.items():
        print(f"GET p99 beside 16 claiming / alone, {name}: {spread(ratios)}", flush=True)


def spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def main() -> None:
    use_other_core()
    checkouts = {"here": HERE, "there": Path(sys.argv[1]).resolve()}
    place = sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(dir=place) as temporary, contextlib.ExitStack() as stack:
        folder, builds = Path(temporary), {}
        for number, (name, checkout) in enumerate(checkouts.items()):
            (folder / name).mkdir()
            builds[name] = stack.enter_context(serving(checkout, FIRST_PORT + number, folder / name))
        time.sleep(4)  # for what is prepared a moment after a start
        for connections in (1, 16, 64):
            compare(builds, "claims", CLAIM, connections)
        compare(builds, "questions", ASK, 32)
        over_commit(builds, folder)
        questions_beside(builds)


if __name__ == "__main__":
    main()
