import asyncio
from typing import Any

import pytest

from app.gate.live import News
from app.server.concurrency import ConcurrencyLimit
from app.server.problems import RefusedError
from app.server.stream import _MOST_WAITING, EventStream, Hub, encode

pytestmark = pytest.mark.anyio


def test_news_are_written_as_the_standard_says() -> None:
    body = encode([News("state", {"text": "two\nlines"}), News("decision", {}, 7)])
    assert body == b'event: state\ndata: {"text": "two\\nlines"}\n\nid: 7\nevent: decision\ndata: {}\n\n'


def ample() -> ConcurrencyLimit:
    return ConcurrencyLimit("listeners", 50, 50)


async def served(
    hub: Hub,
    sent: list[dict[str, Any]],
    reading: asyncio.Event,
    *,
    barred: asyncio.Event | None = None,
    address: str = "192.0.2.1",
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
        return barred is None or not barred.is_set()

    await EventStream(hub, first, may_listen)({"type": "http", "client": (address, 1)}, receive, send)


async def test_who_does_not_read_is_let_go_of_and_the_others_are_not() -> None:
    hub = Hub(ample())
    stuck, lively = asyncio.Event(), asyncio.Event()
    lively.set()
    body: list[dict[str, Any]] = []
    tasks = [asyncio.create_task(served(hub, [], stuck)), asyncio.create_task(served(hub, body, lively))]
    await asyncio.sleep(0)
    for number in range(_MOST_WAITING + 1):
        await hub.publish([News("state", {"number": number})])
        await asyncio.sleep(0)
    stuck.set()
    await asyncio.wait_for(tasks[0], 30)
    assert len(hub) == 1
    assert b'"number": 64' in b"".join(each.get("body", b"") for each in body)
    hub.close()
    await asyncio.wait_for(tasks[1], 30)
    assert body[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert len(hub) == 0


async def test_who_comes_when_the_gate_stops_is_told_the_state_and_sent_away() -> None:
    hub = Hub(ample())
    hub.close()
    reading = asyncio.Event()
    reading.set()
    body: list[dict[str, Any]] = []
    await asyncio.wait_for(served(hub, body, reading), 30)
    assert [each.get("body") for each in body[1:]] == [b"retry: 2000\n\nfirst", b""]


async def test_nothing_is_sent_to_a_listener_whose_credentials_are_good_no_more() -> None:
    hub = Hub(ample())
    reading, barred = asyncio.Event(), asyncio.Event()
    reading.set()
    body: list[dict[str, Any]] = []
    task = asyncio.create_task(served(hub, body, reading, barred=barred))
    await asyncio.sleep(0)
    await hub.publish([News("state", {"before": 1})])
    for _ in range(10):
        await asyncio.sleep(0)
    barred.set()
    await hub.publish([News("state", {"after": 2})])
    await asyncio.wait_for(task, 30)
    assert b"".join(each.get("body", b"") for each in body) == (
        b'retry: 2000\n\nfirstevent: state\ndata: {"before": 1}\n\n'
    )


async def test_listeners_are_bounded_in_all_and_for_each_address() -> None:
    hub = Hub(ConcurrencyLimit("listeners", 3, 2))
    reading = asyncio.Event()
    reading.set()

    def listen(address: str) -> asyncio.Task[None]:
        return asyncio.create_task(served(hub, [], reading, address=address))

    tasks = [listen("2001:db8::1"), listen("2001:db8::2")]
    await asyncio.sleep(0)
    with pytest.raises(RefusedError) as refused:
        await listen("2001:db8::3")  # of the same network
    assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "30"})
    tasks.append(listen("192.0.2.7"))
    await asyncio.sleep(0)
    with pytest.raises(RefusedError) as refused:
        await listen("192.0.2.8")
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "30"})
    hub.close()
    await asyncio.wait_for(asyncio.gather(*tasks), 30)
    assert len(hub) == 0
