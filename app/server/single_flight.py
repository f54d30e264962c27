"""Share one computation among simultaneous requests, such as the state of thousands of services."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, Final, TypeVar

from app.server.problems import RefusedError

Result = TypeVar("Result")

_KEPT: Final = 8
_THREADS: Final = 2
_MOST_UNFINISHED: Final = 64


class SingleFlight:
    """A pool of threads in which callers with the same key share one result."""

    def __init__(self) -> None:
        """Begin without results."""
        self._tasks: dict[Hashable, asyncio.Future[bytes]] = {}
        self._joined: dict[Hashable, asyncio.Task[Any]] = {}
        self._unfinished = 0
        # A separate pool, so that a reload of policies never waits behind pages.
        self._threads = ThreadPoolExecutor(_THREADS, "freezegate-pages")

    async def get(self, key: Hashable, work: Callable[[], bytes]) -> bytes:
        """Return the result of `work`; share it with recent and concurrent calls for the same key.

        Raises:
            RefusedError: too many computations are unfinished.
        """
        task = self._tasks.get(key)
        if task is None:
            if self._unfinished >= _MOST_UNFINISHED:
                busy = "too much is asked for at once"
                raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, busy, headers={"Retry-After": "1"})
            while len(self._tasks) >= _KEPT:
                del self._tasks[next(iter(self._tasks))]
            task = self._tasks[key] = asyncio.get_running_loop().run_in_executor(self._threads, work)
            self._unfinished += 1
            task.add_done_callback(self._finished)
        # Shielded: others may wait for the result when the first caller disconnects.
        return await asyncio.shield(task)

    async def join(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Return the result of the coroutine `work`; share it with concurrent calls for the same key only."""
        task = self._joined.get(key)
        if task is None:
            task = self._joined[key] = asyncio.create_task(work())
            task.add_done_callback(lambda _: self._joined.pop(key))
        result: Result = await asyncio.shield(task)
        return result

    def _finished(self, _: "asyncio.Future[Any]") -> None:
        self._unfinished -= 1
