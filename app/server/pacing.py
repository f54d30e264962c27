"""Pacing: pages and lists begin one at a time, so that a question waits for one of them, not for hundreds.

The event loop runs everything that is ready before it looks for what is new. Hundreds of pages that are asked
for in the same moment would keep a question waiting for all of them; nobody needs them that urgently.
"""

import asyncio
from collections import deque


class Pacer:
    """Lets one request begin in each turn of the event loop, in the order in which they came."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._begun = False
        """Whether a request has begun in this turn of the loop."""

    def __len__(self) -> int:
        return len(self._waiting)

    async def turn(self) -> None:
        """Return when the caller may begin. The wait has no deadline of its own."""
        loop = asyncio.get_running_loop()
        if not self._begun:
            self._begun = True
            loop.call_soon(self._next)
            return
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiting.append(waiter)
        await waiter

    def _next(self) -> None:
        """Wake the one that has waited longest; the callback after it comes a turn later."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():  # else it gave up
                waiter.set_result(None)
                asyncio.get_running_loop().call_soon(self._next)
                return
        self._begun = False
