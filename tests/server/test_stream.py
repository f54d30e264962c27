import asyncio
from typing import Any

import pytest

from app.gate.live import News
from app.server.stream import _MOST_WAITING, _SIGN_OF_LIFE, EventStream, Hub, written

pytestmark = pytest.mark.anyio


def test_news_are_written_as_the_standard_says() -> None:
    told = written([News("state", {"text": "two\nlines"}), News("decision", {}, 7)])
    assert told == b'event: state\ndata: {"text": "two\\nlines"}\n\nid: 7\nevent: decision\ndata: {}\n\n'


async def served(
    hub: Hub, sent: list[dict[str, Any]], reading: asyncio.Event, *, barred: bool = False
) -> None:
    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        await reading.wait()
        sent.append(message)

    async def first() -> bytes:
        return b"first"

    async def may_listen() -> bool:
        return not barred

    await EventStream(hub, first, may_listen)({"type": "http"}, receive, send)


async def test_who_does_not_read_is_let_go_of_and_the_others_are_not() -> None:
    hub = Hub()
    stuck, lively = asyncio.Event(), asyncio.Event()
    lively.set()
    told: list[dict[str, Any]] = []
    tasks = [asyncio.create_task(served(hub, [], stuck)), asyncio.create_task(served(hub, told, lively))]
    await asyncio.sleep(0)
    for number in range(_MOST_WAITING + 1):
        await hub.tell([News("state", {"number": number})])
        await asyncio.sleep(0)
    stuck.set()
    await asyncio.wait_for(tasks[0], 30)
    assert len(hub) == 1
    assert b'"number": 64' in b"".join(each.get("body", b"") for each in told)
    hub.close()
    await asyncio.wait_for(tasks[1], 30)
    assert told[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert len(hub) == 0


async def test_who_comes_when_the_gate_stops_is_told_the_state_and_sent_away() -> None:
    hub = Hub()
    hub.close()
    reading = asyncio.Event()
    reading.set()
    told: list[dict[str, Any]] = []
    await asyncio.wait_for(served(hub, told, reading), 30)
    assert [each.get("body") for each in told[1:]] == [b"retry: 2000\n\nfirst", b""]


async def test_who_may_listen_no_more_is_sent_away_at_the_next_sign_of_life() -> None:
    hub = Hub()
    reading = asyncio.Event()
    reading.set()
    told: list[dict[str, Any]] = []
    task = asyncio.create_task(served(hub, told, reading, barred=True))
    await asyncio.sleep(0)
    await hub._spread(_SIGN_OF_LIFE)
    await hub.tell([News("state", {})])
    await asyncio.wait_for(task, 30)
    assert [each.get("body") for each in told[1:]] == [b"retry: 2000\n\nfirst", b""]
