"""A small HTTP client that costs less than what it measures: kept-alive connections, one request each."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, cast


class Load(NamedTuple):
    """What one run measured."""

    requests: int
    seconds: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def p99(self) -> float:
        return sorted(self.latencies)[int(len(self.latencies) * 0.99)]


_LONGEST_HEAD = 4_096


class _Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last is whole."""

    def __init__(self, requests: Sequence[bytes], until: float, latencies: list[float]) -> None:
        self._requests = requests
        self._next = 0
        self._until = until
        self._latencies = latencies
        self._buffer = bytearray()
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, _ = bytes(self._buffer[:_LONGEST_HEAD]).partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]) if found else 0
        if not found or len(self._buffer) < len(head) + len(found) + length:
            return
        self._buffer.clear()
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 423")):
            raise RuntimeError(f"not an answer: {head[:60]!r}")
        now = time.perf_counter()
        self._latencies.append(now - self._sent)
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._requests[self._next])
        self._next = (self._next + 1) % len(self._requests)


async def load(
    port: int, requests: list[bytes], connections: int, seconds: float, *, in_turn: bool = False
) -> Load:
    """Ask over so many connections for so long, on the loopback address only.

    A connection repeats one request, or takes its share of them in turn.
    """
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    started = time.perf_counter()
    made = []
    for number in range(connections):
        first = number % len(requests)
        share = requests[first::connections] if in_turn else requests[first : first + 1]
        _, connection = await loop.create_connection(
            partial(_Connection, share, started + seconds, latencies), "127.0.0.1", port
        )
        made.append(connection.done)
    await asyncio.gather(*made)
    return Load(len(latencies), time.perf_counter() - started, latencies)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, body: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
