"""The service over HTTP, as ratios: whatever is compared runs in turn within one run.

``python -m bench.serve``. Servers are pinned to one core, the client to another. Each figure is the median
of the ratios of pairs that ran right after one another.
"""

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import uvloop

from bench.client import Load, get, load, post

PAIRS = 5
SECONDS = 2.0
FIRST_PORT = 14_100
ASK = [get(f"/can-deploy?service=service-{number}") for number in range(32)]
CLAIM = [post("/can-deploy", f'{{"service": "service-{number}"}}') for number in range(64)]


@contextlib.contextmanager
def server(name: str, port: int, folder: Path, *database: str, core: int = 0) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.apps", name, str(port), str(folder), *database],
        stdout=subprocess.DEVNULL,
    )
    os.sched_setaffinity(process.pid, {core})
    try:
        wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def wait_for(port: int) -> None:
    for _ in range(2000):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/can-deploy?service=x", timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.005)
        else:
            return
    raise RuntimeError("the server does not come up")


def run(port: int, requests: list[bytes], connections: int) -> Load:
    return uvloop.run(load(port, requests, connections, SECONDS))


async def beside(port: int) -> Load:
    """Questions at 16 connections while 16 others claim."""
    asked, _ = await asyncio.gather(load(port, ASK, 16, SECONDS), load(port, CLAIM, 16, SECONDS))
    return asked


def compare(label: str, ratios: list[float], wanted: str, more: str = "") -> None:
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(f"{label:58} {statistics.median(ratios):6.2f}  ({spread})  wanted {wanted} {more}", flush=True)


def start_up(name: str, folder: Path, port: int) -> float:
    started = time.perf_counter()
    with server(name, port, folder):
        return time.perf_counter() - started


def main() -> None:
    os.sched_setaffinity(0, {1} if (os.cpu_count() or 1) > 1 else {0})
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as stack:
        folder = Path(temporary)
        for name in ("gate", "unrecorded"):
            (folder / name).mkdir()
        gate = stack.enter_context(server("gate", FIRST_PORT, folder / "gate"))
        unrecorded = stack.enter_context(server("unrecorded", FIRST_PORT + 1, folder / "unrecorded"))
        bare = stack.enter_context(server("bare", FIRST_PORT + 2, folder))

        pairs = [(run(gate, ASK, 32).rate, run(bare, ASK, 32).rate) for _ in range(PAIRS)]
        seen = f"[{statistics.median(rate for rate, _ in pairs):.0f}/s]"
        compare("GET, 32 connections / bare FastAPI route", [a / b for a, b in pairs], ">= 1.0", seen)
        for connections, wanted in ((1, ">= 0.45"), (16, ">= 0.65"), (64, ">= 0.70")):
            pairs = [
                (run(gate, CLAIM, connections).rate, run(unrecorded, CLAIM, connections).rate)
                for _ in range(PAIRS)
            ]
            seen = f"[{statistics.median(rate for rate, _ in pairs):.0f}/s]"
            label = f"POST recorded, {connections} connections / recording off"
            compare(label, [a / b for a, b in pairs], wanted, seen)
        ratios = [uvloop.run(beside(gate)).p99 / run(gate, ASK, 16).p99 for _ in range(PAIRS)]
        compare("GET p99 beside 16 claiming / alone", ratios, "<= 3")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        starts = [
            start_up("gate", folder, FIRST_PORT + 10 + number)
            / start_up("bare", folder, FIRST_PORT + 30 + number)
            for number in range(PAIRS)
        ]
        compare("start to first answer / bare FastAPI route", starts, "<= 2")


if __name__ == "__main__":
    main()
