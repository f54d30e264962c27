"""Claims while a thousand listen to ``/events``: ``python -m bench.listeners``.

One gate, asked in turn with and without listeners. The figure is the median of the ratios of p99s that
were measured right after one another. Then the same while all of them come back at once, as after a break
of the network; what the listeners cost in memory, and how long the gate takes to stop with all of them
connected.
"""

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from bench.client import Load, load
from bench.serve import CLAIM, compare, wait_for

PORT = 14_170
LISTENERS = 1_000
PAIRS = 5
SECONDS = 3.0
CONNECTIONS = 16
_ASK = b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n"


class _Listener(asyncio.Protocol):
    """Reads what it is told, and counts it."""

    def __init__(self, heard: list[int], seen: int | None = None) -> None:
        self._heard = heard
        self._seen = b"" if seen is None else b"Last-Event-ID: %d\r\n" % seen
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.transport.write(_ASK % self._seen)

    def data_received(self, data: bytes) -> None:
        self._heard[0] += data.count(b"event: decision\n")

    def connection_lost(self, _: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


async def join(heard: list[int]) -> list[_Listener]:
    loop = asyncio.get_running_loop()
    listeners = []
    for _ in range(LISTENERS):
        _, listener = await loop.create_connection(lambda: _Listener(heard), "127.0.0.1", PORT)
        listeners.append(listener)
    await asyncio.sleep(1)
    return listeners


async def part(listeners: list[_Listener]) -> None:
    for listener in listeners:
        listener.transport.close()
    await asyncio.gather(*(listener.closed for listener in listeners))
    await asyncio.sleep(1)


async def come_back(pid: int) -> None:
    """Claims while everybody who had missed some hundred events connects anew."""
    ratios = []
    before = _resident(pid)
    loop = asyncio.get_running_loop()
    for _ in range(PAIRS):
        alone = await _claims()
        heard = [0]
        claims = asyncio.create_task(_claims())
        made = [
            loop.create_connection(lambda: _Listener(heard, seen=1), "127.0.0.1", PORT)  # noqa: B023 - at once
            for _ in range(LISTENERS)
        ]
        listeners = [listener for _, listener in await asyncio.gather(*made)]
        among = await claims
        slowest = max(among.latencies) * 1000
        print(f"  p99 {among.p99 * 1000:.1f} ms, slowest {slowest:.0f} ms while all come back", flush=True)
        ratios.append(among.p99 / alone.p99)
        await part(listeners)
    compare(f"claim p99 while {LISTENERS} come back at once / alone", ratios, "<= 2")
    print(f"  memory: {(_resident(pid) - before) / 1024:.0f} MiB kept")


async def measure(pid: int) -> None:
    ratios, told = [], []
    before = _resident(pid)
    grown = 0
    for _ in range(PAIRS):
        alone = await _claims()
        heard = [0]
        listeners = await join(heard)
        among = await _claims()
        grown = max(grown, _resident(pid) - before)
        told.append(heard[0] / LISTENERS / among.requests)
        ratios.append(among.p99 / alone.p99)
        print(f"  p99 {alone.p99 * 1000:.1f} ms alone, {among.p99 * 1000:.1f} ms among listeners", flush=True)
        await part(listeners)
    compare(f"claim p99 at 16 connections, {LISTENERS} listening / alone", ratios, "<= 2")
    print(f"  each listener was told of {statistics.median(told):.0%} of the claims, the rest as a number")
    kept = (_resident(pid) - before) / 1024
    print(f"  memory: {grown / LISTENERS:.0f} KiB a listener, {kept:.0f} MiB kept after all")


async def _claims() -> Load:
    return await load(PORT, CLAIM, CONNECTIONS, SECONDS)


async def stop(process: subprocess.Popen[bytes]) -> None:
    listeners = await join([0])
    started = time.perf_counter()
    process.terminate()
    await asyncio.gather(*(listener.closed for listener in listeners))
    await asyncio.to_thread(process.wait, 20)
    print(f"  stopped with {LISTENERS} listening in {time.perf_counter() - started:.2f} s, wanted <= 2 s")


def _resident(pid: int) -> int:
    """KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def main() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8_192), most))
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.apps", "gate", str(PORT), folder], stdout=subprocess.DEVNULL
        )
        os.sched_setaffinity(process.pid, {0})
        os.sched_setaffinity(0, {1} if cores > 1 else {0})
        try:
            wait_for(PORT)
            uvloop.run(measure(process.pid))
            uvloop.run(come_back(process.pid))
            uvloop.run(stop(process))
        finally:
            process.terminate()
            process.wait(20)


if __name__ == "__main__":
    main()
