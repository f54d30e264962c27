"""Pages begin in turn: however many are asked for, a question waits for few of them."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.gate.in_force import Policies
from app.server.log import RequestLog
from app.server.metrics import Metrics
from app.server.middleware import Edge
from app.server.pacing import Pacer
from tests.api.fakes import FakeClock

pytestmark = pytest.mark.anyio


async def test_one_begins_in_each_turn_of_the_loop_and_in_order() -> None:
    pacer = Pacer()
    begun: list[int] = []

    async def begin(number: int) -> None:
        await pacer.turn()
        begun.append(number)

    tasks = [asyncio.ensure_future(begin(number)) for number in range(5)]
    seen = []
    while len(begun) < 5:
        before = len(begun)
        await asyncio.sleep(0)
        seen.append(len(begun) - before)
    assert begun == [0, 1, 2, 3, 4]
    assert max(seen) == 1
    await asyncio.gather(*tasks)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.wait_for(pacer.turn(), 1)


async def test_who_gives_up_keeps_nobody_waiting() -> None:
    pacer = Pacer()
    await pacer.turn()
    first, second = (asyncio.ensure_future(pacer.turn()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait_for(second, 1)
    assert len(pacer) == 0


async def test_a_question_does_not_wait_for_every_page_that_was_asked_for_before_it() -> None:
    begun: list[str] = []

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        begun.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    clock = FakeClock(1_795_784_700)
    edge = Edge(app, clock, Metrics(Policies(), clock), RequestLog())

    async def ask(path: str) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        async def send(_: Message) -> None:
            return None

        scope = {"type": "http", "method": "GET", "path": path, "headers": [], "app": _NoRoutes()}
        await edge(scope, receive, send)

    pages = [asyncio.ensure_future(ask("/status")) for _ in range(50)]
    await asyncio.ensure_future(ask("/can-deploy"))
    assert begun.index("/can-deploy") < 5
    await asyncio.wait_for(asyncio.gather(*pages), 5)
    assert len(begun) == 51


class _NoRoutes:
    """An application that has no routes."""

    routes = ()
