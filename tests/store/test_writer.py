import asyncio
import threading
from collections.abc import Sequence

import pytest

from app.store.errors import StoreUnavailableError
from app.store.writer import Writer

pytestmark = pytest.mark.anyio

LONG = 30.0
SHORT = 0.05


class Disk:
    """Commits when it is let; remembers what was committed together."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = threading.Event()
        self.going = threading.Event()
        self.going.set()
        self.error: Exception | None = None

    def commit(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.begun.set()
        self.going.wait(LONG)
        self.batches.append(list(items))
        if self.error is not None:
            raise self.error
        return [-item for item in items]


@pytest.fixture
def disk() -> Disk:
    return Disk()


async def begun(disk: Disk) -> None:
    await asyncio.to_thread(disk.begun.wait, LONG)


async def test_what_arrives_within_a_turn_is_committed_together_and_what_comes_meanwhile_next(
    disk: Disk,
) -> None:
    disk.going.clear()
    writer = Writer(disk.commit, deadline=LONG)
    first = [asyncio.create_task(writer.write(number)) for number in (1, 2, 3)]
    await begun(disk)
    second = [asyncio.create_task(writer.write(number)) for number in (4, 5)]
    await asyncio.sleep(0)
    disk.going.set()
    assert await asyncio.gather(*first, *second) == [-1, -2, -3, -4, -5]
    assert disk.batches == [[1, 2, 3], [4, 5]]
    assert await writer.close()


async def test_a_batch_is_bounded_and_the_rest_follows(disk: Disk) -> None:
    writer = Writer(disk.commit, deadline=LONG)
    assert len(await asyncio.gather(*(writer.write(number) for number in range(1_300)))) == 1_300
    assert [len(batch) for batch in disk.batches] == [512, 512, 276]
    assert await writer.close()


async def test_whoever_gave_up_waiting_is_not_written_and_those_after_are(disk: Disk) -> None:
    disk.going.clear()
    writer = Writer(disk.commit, deadline=SHORT)
    first = asyncio.create_task(writer.write(1))
    await begun(disk)
    with pytest.raises(StoreUnavailableError, match="in time"):
        await writer.write(2)
    with pytest.raises(StoreUnavailableError, match="in time"):
        await first
    assert not writer._gathering
    writer._deadline = LONG
    third = asyncio.create_task(writer.write(3))
    await asyncio.sleep(0)
    disk.going.set()
    assert await third == -3
    assert disk.batches == [[1], [3]]
    assert await writer.close()


async def test_whoever_is_cancelled_before_the_hand_over_is_not_written(disk: Disk) -> None:
    writer = Writer(disk.commit, deadline=LONG)
    cancelled = asyncio.create_task(writer.write(1))
    asyncio.get_running_loop().call_soon(cancelled.cancel)
    await asyncio.gather(cancelled, return_exceptions=True)
    assert cancelled.cancelled()
    assert await asyncio.gather(*(writer.write(number) for number in (2, 3))) == [-2, -3]
    assert disk.batches in ([[2, 3]], [[1], [2, 3]])
    assert await writer.close()


@pytest.mark.parametrize("error", [StoreUnavailableError("full"), RuntimeError("unforeseen")])
async def test_an_error_reaches_everyone_of_its_batch_in_a_copy_and_nobody_after(
    disk: Disk, error: Exception
) -> None:
    disk.error = error
    writer = Writer(disk.commit, deadline=LONG)
    results = await asyncio.gather(*(writer.write(number) for number in range(3)), return_exceptions=True)
    said = "full" if isinstance(error, StoreUnavailableError) else "the decision could not be recorded"
    assert [(type(each), str(each)) for each in results] == [(StoreUnavailableError, said)] * 3
    assert len({id(each) for each in results}) == 3
    disk.error = None
    assert await writer.write(7) == -7
    assert await writer.close()


async def test_an_error_of_one_item_is_its_own() -> None:
    def commit(items: Sequence[int]) -> Sequence[int | Exception]:
        return [StoreUnavailableError("odd") if item % 2 else item for item in items]

    writer: Writer[int, int] = Writer(commit, deadline=LONG)
    results = await asyncio.gather(*(writer.write(number) for number in range(3)), return_exceptions=True)
    assert [str(each) for each in results] == ["0", "odd", "2"]
    assert await writer.close()


async def test_too_many_waiting_are_refused_at_once_and_leave_room_when_they_give_up(disk: Disk) -> None:
    disk.going.clear()
    writer = Writer(disk.commit, deadline=SHORT, most_waiting=2)
    first = asyncio.create_task(writer.write(0))
    await begun(disk)
    results = await asyncio.gather(*(writer.write(number) for number in (1, 2, 3, 4)), return_exceptions=True)
    assert [str(each) for each in results] == [
        *["the decision could not be recorded in time"] * 2,
        *["too many claims are waiting to be recorded"] * 2,
    ]
    await asyncio.gather(first, return_exceptions=True)
    writer._deadline = LONG
    fifth = asyncio.create_task(writer.write(5))
    await asyncio.sleep(0)
    disk.going.set()
    assert await fifth == -5
    assert await writer.close()


async def test_closing_finishes_what_is_waiting_and_takes_nothing_more(disk: Disk) -> None:
    disk.going.clear()
    writer = Writer(disk.commit, deadline=LONG)
    first = asyncio.create_task(writer.write(1))
    await begun(disk)
    second = asyncio.create_task(writer.write(2))
    await asyncio.sleep(0)
    closing = asyncio.create_task(writer.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailableError, match="stopping"):
        await writer.write(3)
    disk.going.set()
    assert await closing
    assert [await first, await second] == [-1, -2]


async def test_closing_does_not_wait_for_ever(disk: Disk) -> None:
    disk.going.clear()
    writer = Writer(disk.commit, deadline=SHORT)
    first = asyncio.create_task(writer.write(1))
    await begun(disk)
    assert not await writer.close()
    with pytest.raises(StoreUnavailableError):
        await first
    disk.going.set()
    await asyncio.to_thread(writer._thread.join, LONG)
    assert not writer._thread.is_alive()


async def test_a_loop_that_is_gone_does_not_break_the_thread(disk: Disk) -> None:
    disk.going.clear()
    writer = Writer(disk.commit, deadline=LONG)

    async def leave() -> None:
        task = asyncio.create_task(writer.write(1))
        await asyncio.to_thread(disk.begun.wait, LONG)
        task.cancel()

    await asyncio.to_thread(asyncio.run, leave())
    disk.going.set()
    writer._batches.put(None)
    await asyncio.to_thread(writer._thread.join, LONG)
    assert disk.batches == [[1]]
