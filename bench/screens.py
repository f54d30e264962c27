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
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.client import get, load
from bench.company import company
from bench.serve import wait_for

PATHS = ("/", "/?wall=1", "/status")
ROUNDS = 7
FIRST_PORT = 14_300


def start(checkout: Path, port: int, folder: Path) -> subprocess.Popen[bytes]:
    """A gate of a checkout, on the first core."""
    folder.mkdir()
    (folder / "policies.yaml").write_text(json.dumps(company()))
    command = [str(checkout / ".venv/bin/python"), "-m", "bench.apps", "gate", str(port), str(folder)]
    process = subprocess.Popen(command, cwd=checkout, stdout=subprocess.DEVNULL)
    os.sched_setaffinity(process.pid, {0})
    return process


def cpu_ms(process: subprocess.Popen[bytes]) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1e3 / os.sysconf("SC_CLK_TCK")


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
    os.sched_setaffinity(0, {1} if (os.cpu_count() or 1) > 1 else {0})
    trees = {"here": Path(__file__).parents[1], "there": Path(sys.argv[1]).resolve()}
    with tempfile.TemporaryDirectory() as temporary:
        gates = {}
        for number, (name, tree) in enumerate(trees.items()):
            port = FIRST_PORT + number
            gates[name] = start(tree, port, Path(temporary) / name), port
        try:
            compare(gates)
        finally:
            for process, _ in gates.values():
                process.terminate()
                process.wait(20)


def compare(gates: dict[str, tuple[subprocess.Popen[bytes], int]]) -> None:
    for _, port in gates.values():
        for _ in range(5):  # a busy machine takes its time
            with contextlib.suppress(RuntimeError):
                wait_for(port)
                break
    time.sleep(4)
    print(f"load {os.getloadavg()[0]:.1f}; {'':18} ms to first byte, CPU ms, kB")
    for path in PATHS:
        for name, (_, port) in gates.items():
            elapsed, size = page(port, path)
            print(f"{path:10} {name:6} first {elapsed:7.0f}  {size / 1e3:8.0f}", flush=True)
    for path in PATHS:
        seen: dict[str, list[tuple[float, float, int]]] = {name: [] for name in gates}
        for _ in range(ROUNDS):
            for name, (process, port) in gates.items():
                before = cpu_ms(process)
                elapsed, size = page(port, path)
                seen[name].append((elapsed, cpu_ms(process) - before, size))
        for name, found in seen.items():
            elapsed, cpu = (statistics.median(each[column] for each in found) for column in (0, 1))
            print(f"{path:10} {name:6} again {elapsed:7.1f} {cpu:7.1f} {found[-1][2] / 1e3:8.0f}", flush=True)
    for shown in (None, *PATHS):
        slowest = {name: asyncio.run(beside(port, shown)) for name, (_, port) in gates.items()}
        print(f"slowest question beside {shown or 'nothing':10}", slowest, flush=True)


if __name__ == "__main__":
    main()
