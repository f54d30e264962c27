"""The open connections of the process: how many there may be, and which are given up.

A connection is given up when its reader takes nothing; and when there are too many, if its request is not yet
here as a whole, or its reader takes less than comes.
A process that runs out of files could not even refuse, so there is always room for a refusal.
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
"""Seconds in which a reader must take something of what waits for it."""

CLOSING: Final = 30.0
"""Seconds that a closed connection may take to deliver what is left."""

_LOOK_EVERY: Final = 2.0
_MOST_REFUSALS: Final = 64
"""Refusals that are being delivered at a time; beyond, a connection is dropped without a word."""

_TOO_MANY: Final = "too many connections; try again in a moment"
_TOO_MANY_OF_ADDRESS: Final = "too many connections from this address; try again in a moment"


class Refusal(NamedTuple):
    """Why a connection is not served."""

    status: HTTPStatus
    detail: str


class Connection(Protocol):
    """The part of a connection that is used here."""

    transport: asyncio.Transport

    def abort(self) -> None:
        """Drop it at once, with what has not been delivered."""


class _Writing:
    """How far the delivery to one reader has come."""

    __slots__ = ("closing_since", "left", "moved_at")

    def __init__(self, now: float) -> None:
        self.left = 0
        """Bytes that waited at the last look."""
        self.moved_at = now
        """When there was less to deliver than before, or nothing."""
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
    """Admits connections within the capacity, and drops those whose readers do not read."""

    def __init__(self, capacity: Capacity, trusted_proxies: str | None = None) -> None:
        """Admit what `capacity` allows; a trusted proxy may have all of it, for it speaks for many."""
        self._capacity = capacity
        self._is_proxy = _proxies(trusted_proxies)
        self._open: dict[Connection, _Writing] = {}
        self._addresses: dict[Connection, str] = {}
        self._of_address: Counter[str] = Counter()
        self._waiting: dict[Connection, None] = {}
        """Those whose request is not here yet as a whole; the longest first."""
        self._slow: dict[Connection, None] = {}
        """Those whose reader had not taken everything at the last look."""
        self._refusing: set[Connection] = set()
        self._look: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: Connection, address: str) -> Refusal | None:
        """Count a new connection; return why it is refused, if it is."""
        self._open[connection] = _Writing(_now())
        if self._look is None:
            self._look = asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look_at_readers)
        network = "" if not address or self._is_proxy(address) else network_of(address)
        if network and self._of_address[network] >= self._capacity.connections_of_address:
            return self._refuse(connection, HTTPStatus.TOO_MANY_REQUESTS, _TOO_MANY_OF_ADDRESS)
        if len(self._open) - len(self._refusing) > self._capacity.connections and not self._make_room():
            return self._refuse(connection, HTTPStatus.SERVICE_UNAVAILABLE, _TOO_MANY)
        if network:
            self._addresses[connection] = network
            self._of_address[network] += 1
        self._waiting[connection] = None
        return None

    def waits(self, connection: Connection) -> None:
        """Note that a connection has nothing to do from now on: it may be given up for another."""
        self._waiting.pop(connection, None)
        if connection in self._open:
            self._waiting[connection] = None

    def works(self, connection: Connection) -> None:
        """Note that a request is here, and is being answered."""
        self._waiting.pop(connection, None)

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
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
        """Give up the connection that has waited longest for its request, or else one that reads slowly."""
        longest = next(iter(self._waiting), None) or next(iter(self._slow), None)
        if longest is None:
            return False
        # Its end is told in the next turn of the loop; until then it must not be counted twice.
        self.leave(longest)
        longest.abort()
        return True

    def _refuse(self, connection: Connection, status: HTTPStatus, detail: str) -> Refusal:
        if len(self._refusing) >= _MOST_REFUSALS:
            connection.abort()
        self._refusing.add(connection)
        return Refusal(status, detail)

    def _look_at_readers(self) -> None:
        """Drop those who take nothing: a closed transport waits for its reader for ever."""
        now = _now()
        self._slow.clear()
        for connection, writing in list(self._open.items()):
            transport = connection.transport
            left = transport.get_write_buffer_size()
            if left:
                self._slow[connection] = None
            if writing.is_stuck(now, left, closing=transport.is_closing()):
                connection.abort()
        again = asyncio.get_running_loop().call_later
        self._look = again(_LOOK_EVERY, self._look_at_readers) if self._open else None


def _now() -> float:
    return asyncio.get_running_loop().time()


def _proxies(listed: str | None) -> Callable[[str], bool]:
    """Return whether an address is one of the listed proxies; what is no address or network is none."""
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
