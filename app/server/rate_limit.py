"""Rate limits for each address: failed credentials, and claims without credentials."""

import ipaddress
import re
from collections import OrderedDict
from functools import lru_cache
from typing import Final

from app.clock import Clock

MOST_ADDRESSES: Final = 20_000
"""Addresses that are counted at a time; beyond it, the oldest entry is dropped."""

_FORM: Final = re.compile(r"([1-9]\d{0,8})/(second|minute|hour)")
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3_600}

_IPV6_NETWORK: Final = 64
"""Prefix length; one customer usually has a whole network of this size."""


class RateLimit:
    """A rate limit for each address, in windows of fixed length and bounded memory."""

    def __init__(self, clock: Clock, limit: str) -> None:
        """Allow as many calls as `limit` says, such as ``20/minute``.

        Raises:
            ValueError: the limit is not of that form.
        """
        form = _FORM.fullmatch(limit)
        if form is None:
            raise ValueError("a rate limit is written like 20/minute")
        self._clock = clock
        self._most, self._window = int(form[1]), _SECONDS[form[2]]
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()
        """The number of calls of each network, and the second in which its window ends."""

    def is_over(self, address: str) -> int:
        """Return the seconds until the window ends if the limit is reached, else 0; count nothing."""
        now = self._clock.now()
        count, until = self._counts.get(network_of(address), (0, 0))
        return until - now if until > now and count >= self._most else 0

    def wait(self, address: str) -> int:
        """Count a call; return 0 if it is within the limit, else the seconds until the window ends."""
        network, now = network_of(address), self._clock.now()
        count, until = self._counts.get(network, (0, 0))
        if until <= now:
            self._counts.pop(network, None)
            count, until = 0, now + self._window
        self._counts[network] = (count + 1, until)
        if len(self._counts) > MOST_ADDRESSES:
            self._counts.popitem(last=False)
        return 0 if count < self._most else max(1, until - now)


@lru_cache(maxsize=4_096)
def network_of(address: str) -> str:
    """Return the key that an address is counted under: itself, or its network for IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        # A dual-stack socket reports IPv4 like this; all of IPv4 lies in one /64.
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, _IPV6_NETWORK)))
