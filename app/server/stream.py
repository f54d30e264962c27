"""Server-sent events: one stream of news, told to everybody who listens.

What is told is written once, and the same bytes go to all. A thousand listeners are told a few at a
time, so that a claim that comes in between does not wait for all of them. A listener that does not read is
let go of; the browser comes back by itself and says what it has seen last.

How many may listen is bounded, in all and for each address, so that listeners can't lock pipelines out.

The format is that of the HTML standard, section 9.2 "Server-sent events".
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app.gate.live import News
from app.server.concurrency import ConcurrencyLimit

HEARTBEAT: Final = 15.0
"""Seconds between signs of life, so that proxies keep the connection and the dead are noticed."""

SEND_DEADLINE: Final = 10.0
"""Seconds that a listener may take to receive what is sent to it."""

_MOST_WAITING: Final = 64
_TOGETHER: Final = 16
_PAUSE: Final = 0.004
_RETRY: Final = b"retry: 2000\n\n"
_SIGN_OF_LIFE: Final = b"event: alive\ndata: {}\n\n"


def written(news: Sequence[News]) -> bytes:
    """News as they go over the wire."""
    return b"".join(map(_written, news))


def _written(news: News) -> bytes:
    place = "" if news.seq is None else f"id: {news.seq}\n"
    return f"{place}event: {news.name}\ndata: {json.dumps(news.data)}\n\n".encode()


class _Listener:
    """One who listens, and what it has not been told yet."""

    __slots__ = ("gone", "told", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.told = asyncio.Event()
        self.gone = False

    def tell(self, chunk: bytes) -> None:
        if len(self.waiting) >= _MOST_WAITING:
            self.gone = True
        else:
            self.waiting.append(chunk)
        self.told.set()

    def leave(self) -> None:
        self.gone = True
        self.told.set()


class Hub:
    """Everybody who listens."""

    def __init__(self, limit: ConcurrencyLimit) -> None:
        """Take as many listeners as `limit` allows."""
        self.limit = limit
        self._listeners: dict[_Listener, None] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._listeners)

    async def tell(self, news: Sequence[News]) -> None:
        """Tell everybody, a few at a time."""
        await self._spread(written(news))

    async def keep_alive(self) -> None:
        """Send everybody a sign of life from time to time, for as long as this runs."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            await self._spread(_SIGN_OF_LIFE)

    def close(self) -> None:
        """Let go of everybody: an open stream would keep the process from stopping."""
        self._closed = True
        for listener in self._listeners:
            listener.leave()

    def join(self) -> _Listener:
        """Begin to listen."""
        listener = _Listener()
        self._listeners[listener] = None
        if self._closed:
            listener.leave()
        return listener

    def part(self, listener: _Listener) -> None:
        """Listen no more."""
        self._listeners.pop(listener, None)

    async def _spread(self, chunk: bytes) -> None:
        for number, listener in enumerate(list(self._listeners), 1):
            listener.tell(chunk)
            if number % _TOGETHER == 0:
                await asyncio.sleep(_PAUSE)


class EventStream(Response):
    """The answer that does not end: what is to be told first, and then what comes."""

    media_type = "text/event-stream"

    def __init__(
        self, hub: Hub, first: Callable[[], Awaitable[bytes]], may_listen: Callable[[], Awaitable[bool]]
    ) -> None:
        """Listen at `hub`.

        Args:
            hub: where news are told.
            first: gives what is sent before anything that is told there.
            may_listen: whether the listener still may; asked before anything is sent.
        """
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._hub = hub
        self._first = first
        self._may_listen = may_listen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the listener leaves, does not read, or the gate stops.

        Raises:
            RefusedError: too many listen already; nothing has been sent.
        """
        with self._hub.limit.held(scope):
            await self._listen(receive, send)

    async def _listen(self, receive: Receive, send: Send) -> None:
        # Before what comes first is worked out: what is told meanwhile must not be lost.
        listener = self._hub.join()
        leaving = asyncio.create_task(_leave_with(listener, receive))
        try:
            listener.waiting.appendleft(_RETRY + await self._first())
            with contextlib.suppress(TimeoutError):
                await self._send_all(listener, send)
        finally:
            self._hub.part(listener)
            leaving.cancel()

    async def _send_all(self, listener: _Listener, send: Send) -> None:
        await _in_time(send, {"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        while True:
            listener.told.clear()
            while listener.waiting:
                chunk = listener.waiting.popleft()
                if not await self._may_listen():
                    listener.leave()
                    break
                await _in_time(send, {"type": "http.response.body", "body": chunk, "more_body": True})
            if listener.gone:
                break
            await listener.told.wait()
        await _in_time(send, {"type": "http.response.body", "body": b"", "more_body": False})


async def _in_time(send: Send, message: Message) -> None:
    async with asyncio.timeout(SEND_DEADLINE):
        await send(message)


async def _leave_with(listener: _Listener, receive: Receive) -> None:
    """Notice that the connection was closed from the other side."""
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.leave()
