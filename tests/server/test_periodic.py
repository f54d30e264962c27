"""What goes on beside requests tells of a failure once, and goes on."""

import asyncio
import contextlib
import inspect
import logging
from collections.abc import Coroutine, Iterator, Sequence

import pytest

from app.core.errors import Fault, FaultyValuesError
from app.gate.errors import StoreUnavailableError
from app.server.periodic import _every, all_made

pytestmark = pytest.mark.anyio


async def logged(
    outcomes: Sequence[Exception | None], caplog: pytest.LogCaptureFixture
) -> list[logging.LogRecord]:
    """What is logged while a look ends like this, one time after the other."""
    caplog.set_level(logging.INFO, "freezegate")
    left: Iterator[Exception | None] = iter(outcomes)
    through = asyncio.Event()

    async def look() -> None:
        outcome = next(left, through)
        if outcome is through:
            through.set()
        elif isinstance(outcome, Exception):
            raise outcome

    task = asyncio.create_task(_every(0, look, "looking for changes"))
    await through.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return caplog.records


async def test_a_store_that_can_not_be_reached_is_one_sentence_while_it_lasts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    down = [StoreUnavailableError(f"the database can't be written: try {number}") for number in range(50)]
    records = await logged([None, *down, None, None, down[0], None], caplog)
    assert [record.getMessage() for record in records] == [
        "looking for changes failed: the database can't be written: try 0",
        "looking for changes works again",
        "looking for changes failed: the database can't be written: try 0",
        "looking for changes works again",
    ]
    assert not any(record.exc_info for record in records)


async def test_what_nobody_foresaw_has_its_traceback_once(caplog: pytest.LogCaptureFixture) -> None:
    records = await logged([ValueError("x")] * 5 + [StoreUnavailableError("y")] + [ValueError("z")], caplog)
    assert [bool(record.exc_info) for record in records] == [True, False, True, False]


async def test_what_is_made_already_is_closed_if_the_rest_can_not_be_made() -> None:
    made: list[Coroutine[None, None, None]] = []

    async def work() -> None:
        """Do nothing; a coroutine that is neither run nor closed is a warning."""

    def part() -> Iterator[Coroutine[None, None, None]]:
        made.append(work())
        yield made[-1]
        raise FaultyValuesError([Fault((), "no key")])

    with pytest.raises(FaultyValuesError):
        all_made(part(), part())
    assert [inspect.getcoroutinestate(each) for each in made] == [inspect.CORO_CLOSED]
