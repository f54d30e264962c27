"""The queue of jobs: one at a time, few waiting, none for nobody."""

import asyncio
import threading
from functools import partial

import pytest

from app.gate import job_queue
from app.gate.errors import BusyError
from app.gate.job_queue import IsUnwanted, JobQueue

pytestmark = pytest.mark.anyio


class HeldJob:
    """A job that runs until a test releases it, or until nobody wants it."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.begun = threading.Event()
        self.gave_up = threading.Event()

    def __call__(self, unwanted: IsUnwanted) -> str:
        self.begun.set()
        while not self.released.wait(0.001):
            if unwanted():
                self.gave_up.set()
                raise BusyError("unwanted")
        return "done"


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 5)


async def test_jobs_run_one_at_a_time_in_a_thread_of_their_own() -> None:
    queue, first = JobQueue(), HeldJob()
    names: list[str] = []

    def second(_: IsUnwanted) -> None:
        names.append(threading.current_thread().name)

    running = asyncio.create_task(queue.run(first))
    await until(first.begun)
    waiting = asyncio.create_task(queue.run(second))
    await asyncio.sleep(0)
    assert names == []
    first.released.set()
    assert await running == "done"
    await waiting
    assert names[0].startswith("freezegate-jobs")


async def test_more_than_a_few_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_queue, "MOST_UNFINISHED", 2)
    queue, held = JobQueue(), HeldJob()
    tasks = [asyncio.create_task(queue.run(held)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(BusyError, match="too much"):
        await queue.run(held)
    held.released.set()
    assert await asyncio.gather(*tasks) == ["done", "done"]
    assert await queue.run(held) == "done"


async def test_a_job_without_a_caller_stops_and_one_that_waits_never_starts() -> None:
    queue, running, waiting = JobQueue(), HeldJob(), HeldJob()
    tasks = [asyncio.create_task(queue.run(each)) for each in (running, waiting)]
    await until(running.begun)
    for task in tasks:
        task.cancel()
    await until(running.gave_up)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await queue.run(lambda _: "next") == "next"
    assert not waiting.begun.is_set()


async def test_a_late_job_fails_and_is_stopped() -> None:
    queue, job = JobQueue(), HeldJob()
    with pytest.raises(BusyError, match="took longer than 0 seconds"):
        await queue.run(job, within=0.01)
    await until(job.gave_up)


async def test_a_stop_ends_all_jobs() -> None:
    queue, jobs = JobQueue(), [HeldJob(), HeldJob()]
    tasks = [asyncio.create_task(queue.run(each)) for each in jobs]
    await until(jobs[0].begun)
    queue.stop()
    await until(jobs[0].gave_up)
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[0], BusyError)
    assert isinstance(found[1], asyncio.CancelledError | BusyError)


async def test_the_error_of_a_job_is_that_of_the_call() -> None:
    def fail(sentence: str, _: IsUnwanted) -> None:
        raise ValueError(sentence)

    with pytest.raises(ValueError, match="so it goes"):
        await JobQueue().run(partial(fail, "so it goes"))
