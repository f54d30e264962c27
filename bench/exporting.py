"""Exports of 200,000 decisions as CSV, and questions beside one: ``python -m bench.exporting [CHECKOUT]``.

With another checkout of the repository, its build makes a record of the same claims and serves it, in turns
with this one. The system places the server, the client and the process that renders an export.
"""

import asyncio
import contextlib
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

import uvloop

import bench.verifying
from bench.client import get, load
from bench.serve import wait_for

PORT: Final = 14_190
DECISIONS: Final = 200_000
ROUNDS: Final = 3
SECONDS: Final = 3.0
CONNECTIONS: Final = 4
QUESTION: Final = [get("/can-deploy?service=checkout")]


def main() -> None:
    command, *rest = sys.argv[1:] or [""]
    if command == "make":
        bench.verifying.CLAIMS = DECISIONS
        asyncio.run(bench.verifying.make(rest[0]))
        return
    here = Path(__file__).parents[1]
    builds = {"this": here} | ({"other": Path(command).resolve()} if command else {})
    with tempfile.TemporaryDirectory() as folder:
        for name, checkout in builds.items():
            python(checkout, __file__, "make", f"sqlite:///{folder}/{name}.db").wait()
        for _ in range(ROUNDS):
            for number, (name, checkout) in enumerate(builds.items()):
                measure(name, checkout, folder, PORT + number)


def python(checkout: Path, *command: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    interpreter = checkout / ".venv" / "bin" / "python"
    return subprocess.Popen([interpreter, *command], cwd=checkout, env=environment, stdout=subprocess.DEVNULL)


def measure(name: str, checkout: Path, folder: str, port: int) -> None:
    url = f"sqlite:///{folder}/{name}.db"
    server = python(checkout, "-m", "bench.apps", "gate", str(port), folder, url)
    try:
        wait_for(port)
        alone = uvloop.run(load(port, QUESTION, CONNECTIONS, SECONDS))
        started, before = time.perf_counter(), _cpu(server.pid)
        size, lines = export(port)
        took, cpu = time.perf_counter() - started, _cpu(server.pid) - before
        exporting = threading.Thread(target=export, args=(port,), daemon=True)
        exporting.start()
        time.sleep(1)
        beside = uvloop.run(load(port, QUESTION, CONNECTIONS, SECONDS))
        memory = _resident(server.pid) / 1024
        server.terminate()
        exporting.join(60)
    finally:
        server.terminate()
        server.wait(30)
    print(
        f"{name}: {lines:,} lines, {size / 1e6:.0f} MB in {took:.1f} s ({cpu:.1f} s of the server's CPU); "
        f"questions' p99 {alone.p99 * 1e3:.1f} ms alone, {beside.p99 * 1e3:.1f} ms beside: "
        f"{beside.p99 / alone.p99:.2f}; medians {statistics.median(alone.latencies) * 1e3:.2f} and "
        f"{statistics.median(beside.latencies) * 1e3:.2f} ms; {memory:.0f} MiB; "
        f"load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def export(port: int) -> tuple[int, int]:
    """Read an export to its end, or as far as it goes; return its bytes and lines."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    size = lines = 0
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/decisions", headers={"Accept": "text/csv"})
        answer = connection.getresponse()
        while piece := answer.read(1 << 16):
            size += len(piece)
            lines += piece.count(b"\n")
    connection.close()
    return size, lines


def _cpu(pid: int) -> float:
    """Seconds of CPU of a process, without its children's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    """KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


if __name__ == "__main__":
    main()
