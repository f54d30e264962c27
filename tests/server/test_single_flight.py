import asyncio
import threading

import pytest

from app.server.single_flight import SingleFlight

pytestmark = pytest.mark.anyio


async def test_what_many_ask_for_at_once_is_done_once() -> None:
    done: list[int] = []
    go = threading.Event()

    def work() -> bytes:
        go.wait(10)
        done.append(1)
        return b"state"

    shared = SingleFlight()
    asking = [asyncio.create_task(shared.get(("a", 1), work)) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()
    go.set()
    assert await asyncio.gather(*asking[1:]) == [b"state"] * 19
    assert len(done) == 1


async def test_another_second_is_another_question_and_old_ones_are_forgotten() -> None:
    shared = SingleFlight()
    for number in range(100):
        assert await shared.get(number, lambda n=number: str(n).encode()) == str(number).encode()  # type: ignore[misc]
    assert len(shared._tasks) <= 8


async def test_a_coroutine_is_shared_while_it_runs_also_when_the_first_caller_leaves() -> None:
    done: list[int] = []
    go = asyncio.Event()

    async def work() -> str:
        await go.wait()
        done.append(1)
        return "found"

    shared = SingleFlight()
    asking = [asyncio.create_task(shared.join("a", work)) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()
    go.set()
    assert await asyncio.gather(*asking[1:]) == ["found"] * 19
    assert len(done) == 1
    assert await shared.join("a", work) == "found"
    assert len(done) == 2
