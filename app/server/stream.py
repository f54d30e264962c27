"""Server-sent events: one stream, published to all listeners.

An event is encoded once, and all listeners get the same bytes. They are served a few at a time, so that a
claim in between doesn't wait for a thousand of them. A listener that doesn't read is dropped; the browser
reconnects by itself and sends the id of the last event that it has seen.

The number of listeners is limited, in total and for each address, so that they can't lock pipelines out.

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
"""Seconds between heartbeats, so that proxies keep the connection and dead peers are noticed."""

SEND_DEADLINE: Final = 10.0
"""Seconds that a listener may take to receive what is sent to it."""

_MOST_WAITING: Final = 64
_TOGETHER: Final = 16
_PAUSE: Final = 0.004
_RETRY: Final = b"retry: 2000\n\n"
_HEARTBEAT_EVENT: Final = b"event: alive\ndata: {}\n\n"


def encode(news: Sequence[News]) -> bytes:
    """Return events in the wire format."""
    return b"".join(map(_encode_one, news))


def _encode_one(news: News) -> bytes:
    place = "" if news.seq is None else f"id: {news.seq}\n"
    return f"{place}event: {news.name}\ndata: {json.dumps(news.data)}\n\n".encode()


class _Listener:
    """A listener, with the chunks that it has not received yet."""

    __slots__ = ("gone", "ready", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.ready = asyncio.Event()
        self.gone = False

    def push(self, chunk: bytes) -> None:
        if len(self.waiting) >= _MOST_WAITING:
            self.gone = True
        else:
            self.waiting.append(chunk)
        self.ready.set()

    def leave(self) -> None:
        self.gone = True
        self.ready.set()


class Hub:
    """The listeners of the event stream."""

    def __init__(self, limit: ConcurrencyLimit) -> None:
        """Begin without listeners; `limit` bounds their number."""
        self.limit = limit
        self._listeners: dict[_Listener, None] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._listeners)

    async def publish(self, news: Sequence[News]) -> None:
        """Send events to all listeners, a few at a time."""
        await self._spread(encode(news))

    async def keep_alive(self) -> None:
        """Send a heartbeat to all listeners every `HEARTBEAT` seconds, until cancelled."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            await self._spread(_HEARTBEAT_EVENT)

    def close(self) -> None:
        """Disconnect all listeners: an open stream would keep the process from stopping."""
        self._closed = True
        for listener in self._listeners:
            listener.leave()

    def add(self) -> _Listener:
        """Add a listener."""
        listener = _Listener()
        self._listeners[listener] = None
        if self._closed:
            listener.leave()
        return listener

    def remove(self, listener: _Listener) -> None:
        """Remove a listener."""
        self._listeners.pop(listener, None)

    async def _spread(self, chunk: bytes) -> None:
        for number, listener in enumerate(list(self._listeners), 1):
            listener.push(chunk)
            if number % _TOGETHER == 0:
                await asyncio.sleep(_PAUSE)


class EventStream(Response):
    """A response without an end: the initial events, then each event as it is published."""

    media_type = "text/event-stream"

    def __init__(
        self, hub: Hub, first: Callable[[], Awaitable[bytes]], may_listen: Callable[[], Awaitable[bool]]
    ) -> None:
        """Listen at `hub`.

        Args:
            hub: the source of the events.
            first: returns the encoded initial events.
            may_listen: returns whether the listener is still authorised; called before each chunk.
        """
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._hub = hub
        self._first = first
        self._may_listen = may_listen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the listener disconnects, stops reading, or the gate stops.

        Raises:
            RefusedError: there are too many listeners; nothing has been sent.
        """
        with self._hub.limit.held(scope):
            await self._listen(receive, send)

    async def _listen(self, receive: Receive, send: Send) -> None:
        # Before the initial events are built: events published meanwhile must not be lost.
        listener = self._hub.add()
        leaving = asyncio.create_task(_leave_with(listener, receive))
        try:
            listener.waiting.appendleft(_RETRY + await self._first())
            with contextlib.suppress(TimeoutError):
                await self._send_all(listener, send)
        finally:
            self._hub.remove(listener)
            leaving.cancel()

    async def _send_all(self, listener: _Listener, send: Send) -> None:
        await _in_time(send, {"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        while True:
            listener.ready.clear()
            while listener.waiting:
                chunk = listener.waiting.popleft()
                if not await self._may_listen():
                    listener.leave()
                    break
                await _in_time(send, {"type": "http.response.body", "body": chunk, "more_body": True})
            if listener.gone:
                break
            await listener.ready.wait()
        await _in_time(send, {"type": "http.response.body", "body": b"", "more_body": False})


async def _in_time(send: Send, message: Message) -> None:
    async with asyncio.timeout(SEND_DEADLINE):
        await send(message)


async def _leave_with(listener: _Listener, receive: Receive) -> None:
    """Wait for the client to disconnect, then end its listener."""
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.leave()
