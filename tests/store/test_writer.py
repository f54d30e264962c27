import asyncio
import threading
from collections.abc import Sequence

import pytest

from app.store import writer as module
from app.store.errors import StoreUnavailableError
from app.store.writer import Writer

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_whoever_gave_up_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEADLINE", 0.05)
    written: list[str] = []
    going = threading.Event()

    def commit(items: Sequence[str]) -> Sequence[str]:
        written.extend(items)
        going.wait(5)
        return items

    slow: Writer[str, str] = Writer(commit)
    first = asyncio.create_task(slow.write("first"))
    while not written:  # noqa: ASYNC110 - the thread that writes has no event to offer
        await asyncio.sleep(0)
    with pytest.raises(StoreUnavailableError):
        await slow.write("second")
    going.set()
    with pytest.raises(StoreUnavailableError):
        await first
    monkeypatch.setattr(module, "DEADLINE", 5.0)
    assert await slow.write("third") == "third"
    assert written == ["first", "third"]
    await slow.close()


async def test_an_error_reaches_everyone_of_its_batch_and_nobody_after() -> None:
    failing = [True]

    def commit(items: Sequence[int]) -> Sequence[int]:
        if failing[0]:
            raise StoreUnavailableError("full")
        return items

    broken: Writer[int, int] = Writer(commit)
    results = await asyncio.gather(*(broken.write(number) for number in range(3)), return_exceptions=True)
    assert [str(each) for each in results] == ["full"] * 3
    failing[0] = False
    assert await broken.write(7) == 7
    await broken.close()


async def test_too_many_waiting_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    patient: Writer[int, int] = Writer(lambda items: items)
    results = await asyncio.gather(*(patient.write(number) for number in range(4)), return_exceptions=True)
    assert [isinstance(each, StoreUnavailableError) for each in results] == [False, False, True, True]
    await patient.close()
