"""Questions beside four clients that send heads of 64 MiB: ``python -m bench.heads [CHECKOUT]``.

With another checkout of the repository, its build is measured in the same run, after this one. The four send
again as soon as they are cut off. The first figure is the p99 of a question, the second the most memory that
the process ever held.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import uvloop

from bench.client import Load, load
from bench.serve import ASK, wait_for

PORT = 14_190
CLIENTS = 4
SECONDS = 5.0
MEBIBYTE = b"a: b\r\n" * (1024 * 1024 // 6)


def send_heads(port: int, until: float) -> None:
    while time.perf_counter() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 30) as connection:
            connection.sendall(b"GET /can-deploy?service=x HTTP/1.1\r\n")
            for _ in range(64):
                connection.sendall(MEBIBYTE)
            connection.sendall(b"\r\n")
            connection.recv(65_536)


async def ask(port: int) -> Load:
    return await load(port, ASK, 16, SECONDS)


def measure(name: str, checkout: Path, port: int, folder: Path) -> None:
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.apps", "gate", str(port), str(folder)],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        alone = uvloop.run(ask(port))
        until = time.perf_counter() + SECONDS
        senders = [threading.Thread(target=send_heads, args=(port, until)) for _ in range(CLIENTS)]
        for sender in senders:
            sender.start()
        beside = uvloop.run(ask(port))
        for sender in senders:
            sender.join()
        status = Path(f"/proc/{process.pid}/status").read_text().split()
        peak = int(status[status.index("VmHWM:") + 1]) / 1024
    finally:
        process.terminate()
        process.wait(60)
    print(
        f"{name:8} p99 of a question alone {alone.p99 * 1000:.0f} ms, beside {beside.p99 * 1000:.0f} ms, "
        f"slowest {max(beside.latencies) * 1000:.0f} ms; most memory {peak:.0f} MiB",
        flush=True,
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        builds = [("this", Path(__file__).parents[1])]
        builds += [("other", Path(path).resolve()) for path in sys.argv[1:2]]
        for number, (name, checkout) in enumerate(builds):
            measure(name, checkout, PORT + number, Path(temporary) / name)


if __name__ == "__main__":
    main()
