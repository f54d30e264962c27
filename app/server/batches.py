"""A thread for batches of questions, which take as long as dozens of single ones."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final, TypeVar

from app.server.problems import RefusedError

MOST_UNFINISHED: Final = 32
"""Batches that run or wait; a usual one takes 20 ms."""

Result = TypeVar("Result")


class BatchThread:
    """Runs batches one after another, so that single questions wait for none of them."""

    def __init__(self) -> None:
        """Start no thread before the first batch."""
        self._thread = ThreadPoolExecutor(1, "freezegate-batches")
        self._unfinished = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """Return the result of `work`.

        Raises:
            RefusedError: too many batches are unfinished.
        """
        if self._unfinished >= MOST_UNFINISHED:
            busy = "too many batches are asked for at once"
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, busy, headers={"Retry-After": "1"})
        self._unfinished += 1
        task = asyncio.get_running_loop().run_in_executor(self._thread, work)
        task.add_done_callback(self._finished)
        return await task

    def _finished(self, _: "asyncio.Future[Result]") -> None:
        self._unfinished -= 1
