"""Work that many ask for at the same moment, done once: the state of thousands of services, say."""

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, Final

from app.server.problems import RefusedError

_KEPT: Final = 8
_THREADS: Final = 2
_MOST_UNFINISHED: Final = 64


class SingleFlight:
    """Does work in a thread, and gives everybody who asks for the same the same result."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._tasks: dict[Hashable, asyncio.Future[bytes]] = {}
        self._unfinished = 0
        # Of its own, so that a reload of policies never waits behind pages.
        self._threads = ThreadPoolExecutor(_THREADS, "freezegate-pages")

    async def get(self, asked: Hashable, work: Callable[[], bytes]) -> bytes:
        """What `work` gives; what was asked for lately is not done again.

        Raises:
            RefusedError: too much else is being worked on.
        """
        task = self._tasks.get(asked)
        if task is None:
            if self._unfinished >= _MOST_UNFINISHED:
                busy = "too much is asked for at once"
                raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, busy, headers={"Retry-After": "1"})
            while len(self._tasks) >= _KEPT:
                del self._tasks[next(iter(self._tasks))]
            task = self._tasks[asked] = asyncio.get_running_loop().run_in_executor(self._threads, work)
            self._unfinished += 1
            task.add_done_callback(self._finished)
        # Shielded: others wait for it too, when whoever asked first goes away.
        return await asyncio.shield(task)

    def _finished(self, _: "asyncio.Future[Any]") -> None:
        self._unfinished -= 1
