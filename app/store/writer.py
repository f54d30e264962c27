"""Shared commits: claims that come together are written together.

One flush to disk takes longer than a thousand decisions. So claims that arrive within one turn of
the event loop are handed to the writing thread as one batch; while it commits, the next gathers.
The thread wakes the loop once a batch. Each claim still waits for its own commit: recorded first,
answered second.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from app.store.errors import StoreUnavailableError

DEADLINE: Final = 2.0
"""Seconds that a claim waits for its commit."""

MOST_WAITING: Final = 10_000
MOST_TOGETHER: Final = 512

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Waiting(NamedTuple, Generic[Item, Result]):
    item: Item
    future: "asyncio.Future[Result]"


class Writer(Generic[Item, Result]):
    """Writes items in batches on a thread of its own; use it from one event loop."""

    def __init__(self, commit: Callable[[Sequence[Item]], Sequence[Result | Exception]]) -> None:
        """Write by `commit`, which commits a batch as a whole and gives a result for each item."""
        self._commit = commit
        self._gathering: list[_Waiting[Item, Result]] = []
        self._committing = False
        self._closed = False
        self._batches: queue.SimpleQueue[list[_Waiting[Item, Result]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="freezegate-writer", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def write(self, item: Item) -> Result:
        """Write one item; returns when it is committed.

        Raises:
            StoreUnavailableError: it was not committed in time, or can't be.
        """
        if self._closed or len(self._gathering) >= MOST_WAITING:
            raise StoreUnavailableError("too many claims are waiting to be recorded")
        loop = self._start()
        future: asyncio.Future[Result] = loop.create_future()
        if not self._gathering and not self._committing:
            loop.call_soon(self._hand_over)
        self._gathering.append(_Waiting(item, future))
        try:
            async with asyncio.timeout(DEADLINE):
                return await future
        except TimeoutError:
            raise StoreUnavailableError("the decision could not be recorded in time") from None

    async def close(self) -> None:
        """Finish what is waiting, within the deadline, and stop the thread."""
        self._closed = True
        waiting = [each.future for each in self._gathering if not each.future.done()]
        if waiting:
            await asyncio.wait(waiting, timeout=DEADLINE)
        if self._thread.is_alive():
            self._batches.put(None)
            await asyncio.to_thread(self._thread.join, DEADLINE)

    def _start(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._thread.start()
        return self._loop

    def _hand_over(self) -> None:
        """Give what has gathered to the thread; runs on the loop."""
        # Whoever gave up waiting was told so, and must not be recorded as allowed after all.
        waiting = [each for each in self._gathering if not each.future.done()]
        batch, self._gathering = waiting[:MOST_TOGETHER], waiting[MOST_TOGETHER:]
        self._committing = bool(batch)
        if batch:
            self._batches.put(batch)

    def _work(self) -> None:
        while (batch := self._batches.get()) is not None:
            results: Sequence[Result | Exception]
            try:
                results = self._commit([each.item for each in batch])
            except Exception as error:  # noqa: BLE001 - whatever it is, no claim of the batch was recorded
                results = [error] * len(batch)
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._resolve, batch, results)

    def _resolve(self, batch: list[_Waiting[Item, Result]], results: Sequence[Result | Exception]) -> None:
        for waiting, result in zip(batch, results, strict=True):
            if waiting.future.done():
                continue
            if isinstance(result, Exception):
                waiting.future.set_exception(result)
            else:
                waiting.future.set_result(result)
        self._committing = False
        if self._gathering:
            self._hand_over()
