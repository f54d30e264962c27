"""The bounds of connections and requests, each held against a server on a real socket."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from app.server import connections, protocol
from app.server.capacity import Capacity, capacity_of
from app.server.protocol import MAX_AHEAD, MAX_FIELDS, MAX_HEAD, MAX_MESSAGE

pytestmark = pytest.mark.anyio

AMPLE = Capacity(100, 100, 50, 50)
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

Serve = Callable[..., AbstractAsyncContextManager[int]]


@contextlib.asynccontextmanager
async def served(app: ASGIApp, capacity: Capacity = AMPLE, proxies: str | None = None) -> AsyncIterator[int]:
    factory: Any = protocol.protocol(capacity, proxies)
    config = uvicorn.Config(app, http=factory, lifespan="off", ws="none", log_config=None)
    config.load()
    state = uvicorn.Server(config).server_state
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: factory(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        for task in list(state.tasks):
            task.cancel()
        await asyncio.sleep(0)


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Echo the path, once the body is there."""
    while (await receive()).get("more_body"):
        pass
    body = scope["path"].encode()
    length = str(len(body)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": body})


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send; the other side may have had enough."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def reply(self) -> tuple[int, bytes]:
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 20)).decode()
        [length] = [int(line[15:]) for line in head.splitlines() if line.lower().startswith("content-length")]
        return int(head.split(" ", 2)[1]), await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        """What comes until the connection is closed."""
        with contextlib.suppress(ConnectionError):
            return await asyncio.wait_for(self.reader.read(), 20)
        return b""


@contextlib.asynccontextmanager
async def client(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_head_that_never_ends_is_given_up_and_a_whole_one_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "HEAD_DEADLINE", 0.2)
    async with served(answer) as port, client(port) as silent, client(port) as slow, client(port) as whole:
        await slow.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        await whole.send(GET)
        assert await whole.reply() == (200, b"/")
        assert await silent.rest() == b""
        assert await slow.rest() == b""
        # Line breaks are no request: they must not keep a connection either.
        await whole.send(b"\r\n")
        assert await whole.rest() == b""


def head_of(size: int, fields: int = 4) -> bytes:
    """A head of so many bytes, with so many fields."""
    each, more = divmod(size - len("GET / HTTP/1.1\r\n\r\n"), fields)
    longer = [each + (more if number == 0 else 0) for number in range(fields)]
    lines = [
        b"X-%04d: %s\r\n" % (n, b"v" * (length - len("X-0000: \r\n"))) for n, length in enumerate(longer)
    ]
    return b"GET / HTTP/1.1\r\n" + b"".join(lines) + b"\r\n"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (head_of(MAX_HEAD), 200),
        (head_of(MAX_HEAD + 1), 431),
        (head_of(MAX_HEAD, MAX_FIELDS), 200),
        (head_of(4_000, MAX_FIELDS), 200),
        (head_of(4_000, MAX_FIELDS + 1), 431),
        (b"GET /" + b"a" * MAX_HEAD + b" HTTP/1.1\r\n\r\n", 431),
        (
            head_of(MAX_HEAD + 1).replace(
                b"GET / HTTP/1.1", b"GET / HTTP/1.1\r\nUpgrade: a\r\nConnection: upgrade"
            ),
            431,
        ),
    ],
    ids=[
        "64 KiB",
        "a byte more",
        "64 KiB in 100 fields",
        "100 fields",
        "101 fields",
        "a long line",
        "an offer",
    ],
)
async def test_a_head_has_64_kib_and_100_fields_at_most(head: bytes, status: int) -> None:
    async with served(answer) as port, client(port) as asking:
        await asking.send(head)
        found, body = await asking.reply()
        assert found == status
        if status != 200:
            assert json.loads(body)["status"] == 431
            assert await asking.rest() == b""


@pytest.mark.parametrize(
    ("begin", "go_on"),
    [
        (b"GET / HTTP/1.1\r\nX-Long: ", b"v" * 1024),
        (b"GET / HTTP/1.1\r\nX", b"n" * 1024),
        (b"GET /", b"a" * 1024),
        (b"GET / HTTP/1.1\r\n", b"X-Many: " + b"v" * 1014 + b"\r\n"),
        (b"", b"\r\n" * 512),
        (GET, b"\r\n" * 512),
        (CHUNKED + b"5;ext=", b"e" * 1024),
        (CHUNKED + b"0\r\nX-Trailer: ", b"v" * 1024),
        (CHUNKED + b"0\r\n", b"X-Trailer: " + b"v" * 1011 + b"\r\n"),
    ],
    ids=[
        "a value", "a name", "a path", "fields", "line breaks", "line breaks behind a request",
        "a chunk extension", "a trailer", "trailers",
    ],
)  # fmt: skip
async def test_what_never_ends_is_cut_off(begin: bytes, go_on: bytes) -> None:
    async with served(answer) as port, client(port) as asking:
        await asking.send(begin)
        if begin == GET:
            assert await asking.reply() == (200, b"/")
        for _ in range(2 * MAX_HEAD // len(go_on)):
            await asking.send(go_on)
        assert (await asking.reply())[0] == 431
        assert await asking.rest() == b""


async def test_a_body_that_nobody_reads_is_bounded_as_well() -> None:
    async def at_once(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    async with served(at_once) as port, client(port) as asking, client(port) as hasty:
        await asking.send(CHUNKED)
        assert await asking.reply() == (413, b"")
        for _ in range(2 * MAX_MESSAGE // 1024):
            await asking.send(b"3f9\r\n" + b"x" * 1017 + b"\r\n")
        assert await asking.rest() == b""
        # One who sends all of it first, as many clients do, gets to see the answer and may go on.
        body = b"x" * (MAX_MESSAGE - 1024)
        await hasty.send(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        assert await hasty.reply() == (413, b"")
        await hasty.send(GET)
        assert await hasty.reply() == (413, b"")


async def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MESSAGE_DEADLINE", 0.2)
    async with served(answer) as port, client(port) as asking:
        await asking.send(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nfive.")
        assert (await asking.reply())[0] == 408
        assert await asking.rest() == b""


async def test_what_can_not_be_read_does_not_take_the_place_of_an_earlier_answer() -> None:
    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.1)
        await answer(scope, receive, send)

    async with served(late) as port, client(port) as asking:
        await asking.send(
            GET.replace(b"/", b"/one", 1) + GET.replace(b"/", b"/two", 1) + b"no request\r\n\r\n"
        )
        assert await asking.reply() == (200, b"/one")
        assert await asking.reply() == (200, b"/two")
        assert await asking.rest() == b""


async def test_few_requests_are_taken_before_the_first_is_answered() -> None:
    go_on = asyncio.Event()

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await answer(scope, receive, send)

    async with served(late) as port, client(port) as asking:
        await asking.send(GET * (3 * MAX_AHEAD))
        await asyncio.sleep(0.1)
        go_on.set()
        for _ in range(MAX_AHEAD + 1):
            assert await asking.reply() == (200, b"/")
        assert await asking.rest() == b""


async def test_every_request_of_a_connection_learns_that_it_is_gone() -> None:
    left = []

    async def listen(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["type"] != "http.disconnect":
            pass
        left.append(scope["path"])

    async with served(listen) as port:
        async with client(port) as asking:
            await asking.send(GET.replace(b"/", b"/stream", 1) + GET)
            await asking.reader.readuntil(b"\r\n\r\n")
        for _ in range(100):
            await asyncio.sleep(0.01)
            if left:
                break
        assert left == ["/stream"]


async def endless(_: Scope, __: Receive, send: Send) -> None:
    """Send for as long as it is taken."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
        await asyncio.sleep(0)


async def much(_: Scope, __: Receive, send: Send) -> None:
    """Send more than the system keeps for a reader, at once, and end."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x" * 16_000_000})


@pytest.mark.parametrize("app", [endless, much])
async def test_who_takes_nothing_is_dropped_with_all_that_waits_for_it(
    app: ASGIApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "STALL", 0.3)
    monkeypatch.setattr(connections, "CLOSING", 0.3)
    monkeypatch.setattr(connections, "_CHECK_INTERVAL", 0.05)
    async with served(app) as port:
        stuck, _, writer = await _unread(port)
        # Another one, that reads slowly but steadily, is not.
        async with client(port) as slow:
            await slow.send(GET)
            for _ in range(20):
                assert await asyncio.wait_for(slow.reader.read(65_536), 5)
                await asyncio.sleep(0.05)
        await asyncio.wait_for(stuck, 20)
        writer.abort()


async def _unread(port: int) -> tuple[asyncio.Future[None], asyncio.Protocol, asyncio.Transport]:
    """A connection that asks and never reads; the future is done when the server has dropped it."""
    loop = asyncio.get_running_loop()
    gone = loop.create_future()

    class Idle(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            transport.pause_reading()
            transport.write(GET)

        def connection_lost(self, exc: Exception | None) -> None:
            if not gone.done():
                gone.set_result(None)

    transport, made = await loop.create_connection(Idle, "127.0.0.1", port)

    async def poke() -> None:
        while not gone.done():
            await asyncio.sleep(0.1)
            transport.write(b"\r\n")  # a connection that was reset says so to who writes

    poking = asyncio.create_task(poke())
    gone.add_done_callback(lambda _: poking.cancel())
    return gone, made, transport


async def test_an_address_can_not_take_every_connection_and_the_longest_idle_makes_room() -> None:
    async with served(answer, Capacity(3, 2, 1, 1)) as port, client(port) as one, client(port) as two:
        await one.send(GET)
        await two.send(GET)
        assert await one.reply() == await two.reply() == (200, b"/")
        async with client(port) as third:
            status, body = await third.reply()
            assert (status, json.loads(body)["title"]) == (429, "Too Many Requests")
            assert await third.rest() == b""
        await one.send(GET)
        assert await one.reply() == (200, b"/")

    async with (
        served(answer, Capacity(2, 2, 1, 1), "127.0.0.0/8") as port,
        client(port) as one,
        client(port) as two,
    ):
        await two.send(GET)
        await one.send(GET)
        assert await one.reply() == await two.reply() == (200, b"/")
        await two.send(GET)
        assert await two.reply() == (200, b"/")
        async with client(port) as third:
            await third.send(GET)
            assert await third.reply() == (200, b"/")
            assert await one.rest() == b""


async def test_the_places_of_an_address_are_free_again_when_its_connections_end() -> None:
    async with served(answer, Capacity(10, 2, 1, 1)) as port:
        for _ in range(3):
            async with client(port) as one, client(port) as two:
                for each in (one, two):
                    await each.send(GET)
                    assert await each.reply() == (200, b"/")
            await asyncio.sleep(0.05)


async def test_no_more_refusals_are_delivered_at_a_time_than_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "_MOST_REFUSALS", 2)
    async with served(answer, Capacity(10, 1, 1, 1)) as port, client(port) as one:
        await one.send(GET)
        assert await one.reply() == (200, b"/")
        # The first two read their refusal and stay; the third is dropped without a word.
        async with client(port) as second, client(port) as third, client(port) as fourth:
            assert (await second.reply())[0] == (await third.reply())[0] == 429
            assert await fourth.rest() == b""


async def test_who_goes_on_sending_after_a_refusal_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "LINGER", 60.0)
    async with served(answer) as port, client(port) as asking:
        await asking.send(b"no request\r\n\r\n")
        assert (await asking.reply())[0] == 400
        for _ in range(100):
            asking.writer.write(b"x" * 64 * 1024)
            try:
                await asyncio.wait_for(asking.writer.drain(), 5)
            except ConnectionError:
                break
            await asyncio.sleep(0.01)
        else:
            pytest.fail("6 MiB were taken")


async def test_where_all_are_busy_a_new_one_is_told_to_come_back() -> None:
    go_on = asyncio.Event()

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await answer(scope, receive, send)

    async with served(late, Capacity(2, 2, 1, 1), "*") as port, client(port) as one, client(port) as two:
        await one.send(GET)
        await two.send(GET)
        await asyncio.sleep(0.05)
        async with client(port) as third:
            head = await asyncio.wait_for(third.reader.readuntil(b"\r\n\r\n"), 20)
            assert head.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 5\r\n" in head
        go_on.set()
        assert await one.reply() == await two.reply() == (200, b"/")


async def test_who_sends_no_body_makes_room_and_who_is_being_answered_does_not() -> None:
    go_on = asyncio.Event()

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/late":
            await go_on.wait()
        await answer(scope, receive, send)

    begun = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{"
    async with served(late, Capacity(3, 3, 1, 1), "*") as port, client(port) as works, client(port) as again:
        await again.send(GET)
        assert await again.reply() == (200, b"/")
        async with client(port) as begins:
            # The second of these is being answered when the first is: its connection is not idle.
            await works.send(GET + GET.replace(b"/ ", b"/late "))
            assert await works.reply() == (200, b"/")
            await begins.send(begun)
            await asyncio.sleep(0.05)
            await again.send(begun)  # has waited longer, but began its body later
            await asyncio.sleep(0.05)
            async with client(port) as new:
                await new.send(GET)
                assert await new.reply() == (200, b"/")
                assert await begins.rest() == b""
                await again.send(b"}")
                assert await again.reply() == (200, b"/")
                go_on.set()
                assert await works.reply() == (200, b"/late")


async def test_who_reads_slowly_makes_room_where_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_CHECK_INTERVAL", 0.05)

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        await (endless if scope["path"] == "/" else answer)(scope, receive, send)

    async with served(either, Capacity(1, 1, 1, 1), "*") as port:
        stuck, _, writer = await _unread(port)
        await asyncio.sleep(0.5)
        async with client(port) as new:
            await new.send(GET.replace(b"/ ", b"/question "))
            assert await new.reply() == (200, b"/question")
        await asyncio.wait_for(stuck, 20)
        writer.abort()


def test_what_a_process_holds_follows_from_the_files_it_may_open() -> None:
    assert capacity_of(20_000) == (10_000, 5_000, 5_000, 1_250)
    assert capacity_of(1_024) == (832, 416, 416, 104)
    assert capacity_of(64) == (16, 8, 8, 4)
