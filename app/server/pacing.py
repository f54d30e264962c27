"""Pacing: pages and lists begin one at a time, so that a question waits for one of them, not for hundreds.

The event loop runs every ready callback before it polls for new input. Hundreds of pages requested at the
same moment would keep a question waiting for all of them, and pages are less urgent.
"""

import asyncio
from collections import deque


class Pacer:
    """A queue that lets one request begin in each turn of the event loop, first come first served."""

    def __init__(self) -> None:
        """Begin with an empty queue."""
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
