"""Clients that go away while something long is done for them."""

import asyncio
from http import HTTPStatus

import pytest
from starlette.requests import Request
from starlette.types import Message

from app.server.disconnect import cancel_on_disconnect
from app.server.problems import RefusedError

pytestmark = pytest.mark.anyio


class Client:
    """Sends a request, and goes away when it is told to."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._messages.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self.request = Request({"type": "http"}, self._messages.get)

    def leave(self) -> None:
        self._messages.put_nowait({"type": "http.disconnect"})


class Work:
    """Something that takes until it is let go."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.cancelled = False

    async def run(self) -> str:
        try:
            await self.done.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "found"


async def a_turn() -> None:
    for _ in range(9):
        await asyncio.sleep(0)


async def test_who_stays_is_given_what_was_found() -> None:
    client, work = Client(), Work()
    waiting = asyncio.create_task(cancel_on_disconnect(client.request, work.run()))
    await a_turn()
    assert not waiting.done()
    work.done.set()
    assert await waiting == "found"
    assert not work.cancelled


async def test_work_is_cancelled_when_its_client_leaves() -> None:
    client, work = Client(), Work()
    waiting = asyncio.create_task(cancel_on_disconnect(client.request, work.run()))
    await a_turn()
    client.leave()
    with pytest.raises(RefusedError) as refused:
        await waiting
    assert refused.value.status is HTTPStatus.REQUEST_TIMEOUT
    await a_turn()
    assert work.cancelled


async def test_it_is_cancelled_with_the_request_itself() -> None:
    client, work = Client(), Work()
    waiting = asyncio.create_task(cancel_on_disconnect(client.request, work.run()))
    await a_turn()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await a_turn()
    assert work.cancelled


async def test_what_goes_wrong_is_told() -> None:
    async def fail() -> None:
        raise RefusedError(HTTPStatus.CONFLICT, "no")

    with pytest.raises(RefusedError, match="no"):
        await cancel_on_disconnect(Client().request, fail())
