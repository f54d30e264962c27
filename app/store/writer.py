"""Group commits: claims that arrive together are written together.

One flush to disk takes longer than a thousand decisions. So claims that arrive within one turn of the event
loop go to the writer's thread as one batch; while it commits, the next one is collected. The thread wakes the
loop once per batch. Each claim still waits for its own commit: recorded first, answered second.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Final, Generic, NamedTuple, TypeVar

from app.core.errors import FreezegateError
from app.store.errors import StoreUnavailableError

DEADLINE: Final = 2.0
"""Seconds that a claim waits for its commit."""

MOST_WAITING: Final = 10_000
_MOST_TOGETHER: Final = 512
_MOST_TURNS: Final = 8
"""The most turns of the loop that a batch is collected for while each brings more: under load, more claims
share the fixed cost of a commit and of switching threads."""

_logger: Final = logging.getLogger("freezegate.store")

Item = TypeVar("Item")
Result = TypeVar("Result")
_Results = Sequence[Result | Exception] | Exception


class _Waiting(NamedTuple, Generic[Item, Result]):
    item: Item
    future: "asyncio.Future[Result]"


class Writer(Generic[Item, Result]):
    """Write items in batches on a thread of its own; for use from one event loop."""

    def __init__(
        self,
        commit: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        *,
        deadline: float = DEADLINE,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """Write by `commit`, which commits a batch as a whole and returns a result for each item."""
        self._commit = commit
        self._deadline = deadline
        self._most_waiting = most_waiting
        self._gathering: dict[asyncio.Future[Result], Item] = {}
        self._committing: list[_Waiting[Item, Result]] = []
        self._closed = False
        self._batches: queue.SimpleQueue[list[_Waiting[Item, Result]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="freezegate-writer", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def write(self, item: Item) -> Result:
        """Write one item; return when it is committed.

        An item whose commit exceeds the deadline may still be written, without an answer.

        Raises:
            StoreUnavailableError: it was not committed in time, or can't be.
        """
        if self._closed:
            raise StoreUnavailableError("the gate is stopping")
        if len(self._gathering) >= self._most_waiting:
            raise StoreUnavailableError("too many claims are waiting to be recorded")
        loop = self._start()
        future: asyncio.Future[Result] = loop.create_future()
        if not self._gathering and not self._committing:
            loop.call_soon(self._gather, 1, 0)
        self._gathering[future] = item
        # Cheaper than a timeout around the wait, which counts in thousands of claims a second.
        too_late = loop.call_later(self._deadline, _give_up, future)
        try:
            return await future
        finally:
            too_late.cancel()
            # A caller that timed out got a refusal, and must not be recorded as allowed after all.
            self._gathering.pop(future, None)

    async def close(self) -> bool:
        """Finish the waiting items and stop the thread; return False if either exceeds the deadline."""
        self._closed = True
        waiting = [*self._gathering, *(each.future for each in self._committing)]
        if waiting:
            await asyncio.wait(waiting, timeout=self._deadline)
        if self._thread.is_alive():
            self._batches.put(None)
            await asyncio.to_thread(self._thread.join, self._deadline)
        return not self._thread.is_alive()

    def _start(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._thread.start()
        return self._loop

    def _gather(self, before: int, turns: int) -> None:
        """Hand over once a turn of the loop brings no more claims, or after a few turns; runs on the loop."""
        gathered = len(self._gathering)
        if before < gathered < _MOST_TOGETHER and turns < _MOST_TURNS:
            asyncio.get_running_loop().call_soon(self._gather, gathered, turns + 1)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        """Give the collected items to the thread; runs on the loop."""
        if self._committing or not self._gathering:
            return
        futures = list(islice(self._gathering, _MOST_TOGETHER))
        self._committing = [_Waiting(self._gathering.pop(future), future) for future in futures]
        self._batches.put(self._committing)

    def _work(self) -> None:
        """Commit batches until told to stop; runs on the thread."""
        while (batch := self._batches.get()) is not None:
            results: _Results[Result]
            try:
                results = self._commit([each.item for each in batch])
            except FreezegateError as error:
                results = error
            except Exception as error:
                _logger.exception("a batch of claims could not be recorded")
                results = error
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._resolve, batch, results)

    def _resolve(self, batch: list[_Waiting[Item, Result]], results: _Results[Result]) -> None:
        """Wake the callers of a finished batch; runs on the loop."""
        self._committing = []
        if isinstance(results, Exception):
            # One each: an error raised in many places at once would collect all their tracebacks.
            results = [StoreUnavailableError(_sentence(results)) for _ in batch]
        for waiting, result in zip(batch, results, strict=True):
            if waiting.future.done():
                continue
            if isinstance(result, Exception):
                waiting.future.set_exception(result)
            else:
                waiting.future.set_result(result)
        self._gather(0, 0)


def _give_up(future: "asyncio.Future[Any]") -> None:
    if not future.done():
        future.set_exception(StoreUnavailableError("the decision could not be recorded in time"))


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, FreezegateError) else "the decision could not be recorded"
