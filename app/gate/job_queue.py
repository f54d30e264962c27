"""Jobs that take seconds of a core: comparing policy sets, replaying the record, linting a draft.

Claims and questions come first, so jobs run one at a time, in a thread of their own. Few may wait, each has a
deadline, and one without a waiting caller stops.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from app.gate.errors import BusyError

MOST_UNFINISHED: Final = 8
"""Jobs that are running or waiting; a further one fails with `BusyError`."""

JOB_DEADLINE: Final = 25.0
"""Seconds from the call to the result; shorter than the deadline of a request, so that its error is ours."""

IsUnwanted = Callable[[], bool]
"""Tells a job whether its result is no longer needed; a long job checks it now and then, and gives up."""

Result = TypeVar("Result")


class JobQueue:
    """A queue of jobs with one thread."""

    def __init__(self) -> None:
        """Begin without jobs; the thread starts with the first."""
        self._threads = ThreadPoolExecutor(1, "freezegate-jobs")
        self._unfinished: dict[Future[Any], threading.Event] = {}

    async def run(self, work: Callable[[IsUnwanted], Result], within: float = JOB_DEADLINE) -> Result:
        """Return the result of `work`, called in the thread when its turn comes.

        When the caller is cancelled, a waiting job is dropped, and a running one is told to stop. Until it
        does, no other job starts: jobs that ignore the news must not run side by side.

        Args:
            work: the job; raises `BusyError` when it gives up.
            within: seconds from this call to the result.

        Raises:
            BusyError: too many jobs are unfinished, this one missed its deadline, or the gate is stopping.
        """
        if len(self._unfinished) >= MOST_UNFINISHED:
            raise BusyError("too much is being computed already")
        unwanted = threading.Event()
        job = self._threads.submit(work, unwanted.is_set)
        self._unfinished[job] = unwanted
        job.add_done_callback(self._unfinished.pop)
        try:
            async with asyncio.timeout(within):
                return await asyncio.wrap_future(job)
        except TimeoutError:
            raise BusyError(f"this took longer than {within:.0f} seconds, and was stopped") from None
        finally:
            unwanted.set()

    def stop(self) -> None:
        """Stop all jobs, so that the process can end."""
        for job, unwanted in list(self._unfinished.items()):
            unwanted.set()
            job.cancel()
