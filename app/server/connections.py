"""The open connections of the process: their limit, and the choice of those to drop.

A connection is dropped when its client reads nothing; and, when there are too many, if its request is
incomplete or its client reads more slowly than the output grows.
A process that has run out of files can't even refuse, so there is always room for a refusal.
"""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, NamedTuple, Protocol

from app.server.capacity import Capacity
from app.server.rate_limit import network_of

STALL: Final = 20.0
"""Seconds in which a client must read some of its waiting output."""

CLOSING: Final = 30.0
"""Seconds that a closed connection may take to deliver its remaining output."""

_CHECK_INTERVAL: Final = 2.0
_MOST_REFUSALS: Final = 64
"""Refusals that are being delivered at a time; beyond it, a connection is dropped without an answer."""

_TOO_MANY: Final = "too many connections; try again in a moment"
_TOO_MANY_OF_ADDRESS: Final = "too many connections from this address; try again in a moment"


class Refusal(NamedTuple):
    """The reason for not serving a connection."""

    status: HTTPStatus
    detail: str


class Connection(Protocol):
    """The interface of a connection that `Connections` uses."""

    transport: asyncio.Transport

    def abort(self) -> None:
        """Drop the connection at once, with its undelivered output."""


class _Delivery:
    """The progress of the delivery to one client."""

    __slots__ = ("closing_since", "left", "moved_at")

    def __init__(self, now: float) -> None:
        self.left = 0
        """Bytes that waited at the last check."""
        self.moved_at = now
        """The last time that the waiting output had shrunk or was empty."""
        self.closing_since: float | None = None

    def is_stuck(self, now: float, left: int, *, closing: bool) -> bool:
        if left == 0 or left < self.left:
            self.moved_at = now
        self.left = left
        if closing and self.closing_since is None:
            self.closing_since = now
        too_long = self.closing_since is not None and now - self.closing_since > CLOSING
        return too_long or now - self.moved_at > STALL


class Connections:
    """The admitted connections; keeps them within the capacity, and drops those whose clients don't read."""

    def __init__(self, capacity: Capacity, trusted_proxies: str | None = None) -> None:
        """Admit up to `capacity`; a trusted proxy may use all of it, because it serves many clients."""
        self._capacity = capacity
        self._is_proxy = _proxies(trusted_proxies)
        self._open: dict[Connection, _Delivery] = {}
        self._addresses: dict[Connection, str] = {}
        self._of_address: Counter[str] = Counter()
        self._waiting: dict[Connection, None] = {}
        """Connections with an incomplete request, or none; the longest waiting first."""
        self._slow: dict[Connection, None] = {}
        """Connections with waiting output at the last check."""
        self._refusing: set[Connection] = set()
        self._check: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: Connection, address: str) -> Refusal | None:
        """Count a new connection; return the reason if it is refused."""
        self._open[connection] = _Delivery(_now())
        if self._check is None:
            self._check = asyncio.get_running_loop().call_later(_CHECK_INTERVAL, self._drop_stalled)
        network = self._limited_network(address)
        if network and self._of_address[network] >= self._capacity.connections_of_address:
            return self._refuse(connection, HTTPStatus.TOO_MANY_REQUESTS, _TOO_MANY_OF_ADDRESS)
        if len(self._open) - len(self._refusing) > self._capacity.connections and not self._make_room():
            return self._refuse(connection, HTTPStatus.SERVICE_UNAVAILABLE, _TOO_MANY)
        if network:
            self._addresses[connection] = network
            self._of_address[network] += 1
        self._waiting[connection] = None
        return None

    def _limited_network(self, address: str) -> str:
        """Return the network that an address counts under; empty if it has no limit of its own."""
        return "" if not address or self._is_proxy(address) else network_of(address)

    def waits(self, connection: Connection) -> None:
        """Note that a connection is idle from now on: it may be dropped for another."""
        self._waiting.pop(connection, None)
        if connection in self._open:
            self._waiting[connection] = None

    def works(self, connection: Connection) -> None:
        """Note that a connection has a complete request, which is being answered."""
        self._waiting.pop(connection, None)

    def leave(self, connection: Connection) -> None:
        """Remove a closed connection."""
        self._open.pop(connection, None)
        self._waiting.pop(connection, None)
        self._slow.pop(connection, None)
        self._refusing.discard(connection)
        network = self._addresses.pop(connection, None)
        if network is not None:
            self._of_address[network] -= 1
            if not self._of_address[network]:
                del self._of_address[network]

    def _make_room(self) -> bool:
        """Drop the connection that has waited longest for its request, or else one that reads slowly."""
        longest = next(iter(self._waiting), None) or next(iter(self._slow), None)
        if longest is None:
            return False
        # The loop reports its end one turn later; it must not be counted until then.
        self.leave(longest)
        longest.abort()
        return True

    def _refuse(self, connection: Connection, status: HTTPStatus, detail: str) -> Refusal:
        if len(self._refusing) >= _MOST_REFUSALS:
            connection.abort()
        self._refusing.add(connection)
        return Refusal(status, detail)

    def _drop_stalled(self) -> None:
        """Drop the connections whose clients read nothing: asyncio waits for them without a deadline."""
        now = _now()
        self._slow.clear()
        for connection, delivery in list(self._open.items()):
            transport = connection.transport
            left = transport.get_write_buffer_size()
            if left:
                self._slow[connection] = None
            if delivery.is_stuck(now, left, closing=transport.is_closing()):
                connection.abort()
        later = asyncio.get_running_loop().call_later
        self._check = later(_CHECK_INTERVAL, self._drop_stalled) if self._open else None


def _now() -> float:
    return asyncio.get_running_loop().time()


def _proxies(listed: str | None) -> Callable[[str], bool]:
    """Return a test for the addresses of the listed proxies; ignore entries that are no network."""
    names = [name.strip() for name in (listed or "").split(",") if name.strip()]
    networks = []
    for name in names:
        try:
            networks.append(ipaddress.ip_network(name, strict=False))
        except ValueError:
            continue

    def is_proxy(address: str) -> bool:
        if "*" in names:
            return True
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in networks)

    return is_proxy
