"""Limits for each address: how often it may try credentials that fail, or claim without any."""

import ipaddress
from collections import OrderedDict
from functools import lru_cache
from typing import Final

from limits import RateLimitItem, parse
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from app.clock import Clock

MOST_ADDRESSES: Final = 20_000
"""Addresses that are counted at a time; beyond that the one that was counted first is forgotten."""

_IPV6_NETWORK: Final = 64
"""Whoever has one address of such a network has all of them."""


class Throttle:
    """One limit, counted for each address in windows of fixed length."""

    def __init__(self, clock: Clock, limit: str) -> None:
        """Allow so many times a while, such as ``20/minute``; ValueError if it does not read like that."""
        self._clock = clock
        self._limit: RateLimitItem = parse(limit)
        self._counts = _BoundedCounts(clock)
        self._limiter = FixedWindowRateLimiter(self._counts)

    def wait(self, address: str) -> int:
        """Count one more; 0 if it is within the limit, else the seconds until the next is."""
        network = network_of(address)
        if self._limiter.hit(self._limit, network):
            return 0
        reset = self._limiter.get_window_stats(self._limit, network).reset_time
        return max(1, int(reset) - self._clock.now())


class _BoundedCounts(Storage):
    """Counts in memory, for a bounded number of keys and by our clock.

    The library's own grows with the number of addresses until their windows are over.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()
        """For each key how often, and the instant from which it counts anew."""

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        return ()

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        now = self._clock.now()
        count, until = self._counts.get(key, (0, 0))
        if until <= now:
            self._counts.pop(key, None)
            count, until = 0, now + int(expiry)
        self._counts[key] = (count + amount, until)
        if len(self._counts) > MOST_ADDRESSES:
            self._counts.popitem(last=False)
        return count + amount

    def get(self, key: str) -> int:
        count, until = self._counts.get(key, (0, 0))
        return count if until > self._clock.now() else 0

    def get_expiry(self, key: str) -> float:
        return float(self._counts.get(key, (0, self._clock.now()))[1])

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        forgotten = len(self._counts)
        self._counts.clear()
        return forgotten

    def clear(self, key: str) -> None:
        self._counts.pop(key, None)


@lru_cache(maxsize=4_096)
def network_of(address: str) -> str:
    """Return what an address is counted as: itself, or its network where those are given out whole."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        # What a socket for both versions says of IPv4; all of those lie in one /64.
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, _IPV6_NETWORK)))
