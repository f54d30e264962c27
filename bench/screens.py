"""The screens and `/status` of a large company: ``python -m bench.screens CHECKOUT`` compares another build.

Both serve 300 services in 12 environments under 21 policies, see `company`, and take turns. Every page
is asked for in a second of its own, so that none is answered from memory. At last, one connection asks
questions without a pause beside the pages: the slowest of them is shown.
"""

import asyncio
import contextlib
import http.client
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench.builds import HERE, Build, serving, use_other_core
from bench.client import get, load
from bench.company import company

PATHS = ("/", "/?wall=1", "/status")
ROUNDS = 7
FIRST_PORT = 14_300


def page(port: int, path: str) -> tuple[float, int]:
    """Milliseconds to the first byte, and the bytes of an answer; a second has its own answers."""
    time.sleep(1.01 - time.time() % 1)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    started = time.perf_counter()
    connection.request("GET", path, headers={"Accept": "text/html"})
    reply = connection.getresponse()
    first = reply.read(1)
    elapsed = time.perf_counter() - started
    size = len(first + reply.read())
    connection.close()
    return elapsed * 1e3, size


async def beside(port: int, path: str | None) -> float:
    """The slowest question in milliseconds, with a page a second or none."""
    asked = asyncio.create_task(load(port, [get("/can-deploy?service=payments-api-0&duration=5m")], 1, 3.0))
    for _ in range(2 if path else 0):
        await asyncio.to_thread(page, port, path or "")
    return max((await asked).latencies) * 1e3


def main() -> None:
    use_other_core()
    checkouts = {"here": HERE, "there": Path(sys.argv[1]).resolve()}
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as stack:
        builds = {}
        for number, (name, checkout) in enumerate(checkouts.items()):
            folder = Path(temporary) / name
            folder.mkdir()
            (folder / "policies.yaml").write_text(json.dumps(company()))
            builds[name] = stack.enter_context(serving(checkout, FIRST_PORT + number, folder))
        compare(builds)


def compare(builds: Mapping[str, Build]) -> None:
    time.sleep(4)
    print(f"load {os.getloadavg()[0]:.1f}; {'':18} ms to first byte, CPU ms, kB")
    for path in PATHS:
        for name, build in builds.items():
            elapsed, size = page(build.port, path)
            print(f"{path:10} {name:6} first {elapsed:7.0f}  {size / 1e3:8.0f}", flush=True)
    for path in PATHS:
        seen: dict[str, list[tuple[float, float, int]]] = {name: [] for name in builds}
        for _ in range(ROUNDS):
            for name, build in builds.items():
                before = build.cpu
                elapsed, size = page(build.port, path)
                seen[name].append((elapsed, (build.cpu - before) * 1e3, size))
        for name, found in seen.items():
            elapsed, cpu = (statistics.median(each[column] for each in found) for column in (0, 1))
            print(f"{path:10} {name:6} again {elapsed:7.1f} {cpu:7.1f} {found[-1][2] / 1e3:8.0f}", flush=True)
    for shown in (None, *PATHS):
        slowest = {name: asyncio.run(beside(each.port, shown)) for name, each in builds.items()}
        print(f"slowest question beside {shown or 'nothing':10}", slowest, flush=True)


if __name__ == "__main__":
    main()
