"""uvicorn's HTTP protocol with limits from the first byte, and with safe handling of upgrade offers.

uvicorn waits without a deadline and buffers without a limit. Here heads, bodies, the bytes between them,
pipelined requests, connections and slow readers have limits; a connection that exceeds one gets an error
response and is closed.

llhttp stops at the head of a request that offers an upgrade and leaves it to its user whether the bytes
that follow are the body or another protocol. uvicorn takes them for the next request, so a claim of a
client that offers HTTP/2 (Java's HttpClient, ``curl --http2``) lost its body, and its body was a request.
"""

import asyncio
import json
from functools import partial
from http import HTTPStatus
from typing import Any, Final, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.server.capacity import Capacity
from app.server.connections import Connections
from app.server.quick_answers import QuickAnswer, QuickAnswers, quick_answers_of

KEEP_ALIVE: Final = 130
"""Seconds that a connection stays open for the next request. Longer than proxies keep theirs to us (nginx 60
seconds, Caddy 120): the side that closes first must be the one that sends, or a claim may meet our end."""

HEAD_DEADLINE: Final = 10.0
"""Seconds from the first byte of a connection or request to the end of its headers."""

MESSAGE_DEADLINE: Final = 20.0
"""Seconds from the end of the headers to the end of the body. Routes that read a body give up sooner."""

MAX_HEAD: Final = 64 * 1024
"""Bytes of the first line and the fields of a request; and of anything else outside a body."""

MAX_FIELDS: Final = 100

MAX_MESSAGE: Final = 8 * 1024 * 1024
"""Bytes that are read after a head. Routes take far less; the rest is read so that a client which sends
everything first still receives the error."""

MAX_AHEAD: Final = 16
"""Requests that may be sent before the first of them is answered."""

LINGER: Final = 2.0
"""Seconds in which further input is discarded, so that a reset doesn't take the error with it."""

_LINGER_BYTES: Final = 1024 * 1024
_PIECE: Final = 16 * 1024
"""Bytes that the parser gets between two checks of the limits."""

_UNREADABLE: Final = "not a request that can be read"
_TOO_LARGE_A_HEAD: Final = "the head of a request may have at most 64 KiB and 100 fields"
_TOO_LARGE_A_BODY: Final = "the body is larger than any route takes"
_NO_TUNNEL: Final = "this is no proxy; it takes GET, HEAD and POST"


def protocol(capacity: Capacity, trusted_proxies: str | None = None) -> type[asyncio.Protocol]:
    """Return the protocol factory for uvicorn; its connections share `capacity`."""
    made: Any = partial(GateProtocol, Connections(capacity, trusted_proxies))
    return cast("type[asyncio.Protocol]", made)


class _OverBoundError(Exception):
    """A limit is exceeded; stops the parser."""


class GateProtocol(HttpToolsProtocol):
    """One connection: reads requests in order, and never takes a body for a request."""

    def __init__(
        self,
        connections: Connections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._admitted = connections
        self._quick: QuickAnswers | None = quick_answers_of(self.app)
        self._ready: QuickAnswer | None = None
        """The answer to the request that is being read, if it is known from its head."""
        self._answered = False
        """Whether a request of these data got its answer from memory."""
        self._deadline: asyncio.TimerHandle | None = None
        self._running: RequestResponseCycle | None = None
        """The request that is being answered, or was last."""
        self._in_head = False
        self._in_body = False
        self._offered = False
        """Whether the head that the parser has just read offers an upgrade."""
        self._refused: tuple[HTTPStatus, str] | None = None
        """The status and detail of the error that ended reading; None while requests are read."""
        self._without_progress = 0
        """Bytes since the last part of a request was whole, or the last part of a body came."""
        self._message_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request, if there is room for one."""
        super().connection_made(transport)
        refusal = self._admitted.admit(self, self.client[0] if self.client else "")
        if refusal is None:
            self._set_deadline(HEAD_DEADLINE)
        elif not transport.is_closing():
            self._refuse(*refusal)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadline, and mark every unanswered request as disconnected."""
        self._cancel_deadline()
        self._admitted.leave(self)
        for cycle in (self._running, *(queued for queued, _ in self.pipeline)):
            _mark_disconnected(cycle)
        self.pipeline.clear()
        super().connection_lost(exc)

    def abort(self) -> None:
        """Drop the connection at once, with its undelivered output."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse the data in pieces, and check the limits after each."""
        self._unset_keepalive_if_required()
        self._answered = False
        if len(data) <= _PIECE and not self._refused:
            self._take(data)
            return
        for start in range(0, len(data), _PIECE):
            if self._refused:
                self._discard(len(data) - start)
                return
            self._take(data[start : start + _PIECE])

    def _take(self, piece: bytes) -> None:
        self._without_progress += len(piece)
        self._message_size += len(piece)
        try:
            self._parse(piece)
        except httptools.HttpParserError:
            self._refuse(*self._refused or (HTTPStatus.BAD_REQUEST, _UNREADABLE))
            return
        if self._in_body:
            self._set_deadline(MESSAGE_DEADLINE)
            if self._message_size > MAX_MESSAGE:
                self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE_A_BODY)
        elif self._in_head or self._without_progress:
            # Line breaks between requests don't count as a request, and must not keep a connection open.
            self._set_deadline(HEAD_DEADLINE)
        if self._without_progress > MAX_HEAD:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LARGE_A_HEAD)

    def _parse(self, data: bytes) -> None:
        while data and not self._refused:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = data[offer.args[0] :]
                self._ignore_offer()
            else:
                return

    def _ignore_offer(self) -> None:
        """Parse the head again without the upgrade offer, so that the following bytes are its body.

        "A server MAY ignore a received Upgrade header field" (RFC 9110, section 7.8); but a parser that
        has seen one can't be made to.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if method == b"CONNECT":
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, _NO_TUNNEL)
            return
        self._offered = False
        head = [b"%s %s HTTP/%s\r\n" % (method, self.url, version.encode())]
        head += [b"%s: %s\r\n" % field for field in self.headers if field[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        # As uvicorn sets it: data after the last request must not break its answer.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(b"".join(head) + b"\r\n")

    def on_message_begin(self) -> None:
        """Expect the rest of the head."""
        self._in_head = True
        self._without_progress = 0
        self.url, self.headers = b"", []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        """Begin the body, unless the head exceeds a limit or has to be parsed again."""
        self._check_head()
        if self.parser.should_upgrade():
            self._offered = True
            return
        self._ready = self._find_answer()
        if self._ready is not None:
            return
        self._begin_scope()
        super().on_headers_complete()
        self._cancel_deadline()
        self._in_head, self._in_body = False, True
        self._note_work()
        self._without_progress = self._message_size = 0
        # The parser reports the trailers of a chunked body in the same way. They must not become headers
        # (RFC 9110, section 6.5.1), so they go to a list that is never read.
        self.headers = []
        if self.expect_100_continue:
            # A client that gets its answer at once sends no body; its next request would be read as one.
            self.cycle.keep_alive = False

    def _find_answer(self) -> QuickAnswer | None:
        """Return the answer from memory, unless an earlier request or the client keeps it waiting.

        One a turn of the loop: a client that sends thousands of requests ahead of their answers must not hold
        up the others. Its further ones wait for the application, and count against `MAX_AHEAD`.
        """
        parser = self.parser
        if self._quick is None or self._answered or self._is_answering():
            return None
        if self.flow.write_paused or not parser.should_keep_alive():
            return None
        if parser.get_method() != b"GET" or parser.get_http_version() != "1.1":
            return None
        return self._quick.find(self.url, self.headers)

    def _is_answering(self) -> bool:
        """Return whether an earlier request waits for its answer."""
        return self._running is not None and not self._running.response_complete

    def _begin_scope(self) -> None:
        """Begin the scope of a request, after its head: a quick answer needs none."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers

    def _check_head(self) -> None:
        # Most heads come in a few pieces and need no measuring. The first piece is not counted.
        if len(self.headers) > MAX_FIELDS or (
            self._without_progress > MAX_HEAD - _PIECE and self._head_size() > MAX_HEAD
        ):
            self._stop(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LARGE_A_HEAD)
        if len(self.pipeline) >= MAX_AHEAD:
            self._stop(HTTPStatus.TOO_MANY_REQUESTS, "too many requests ahead of their answers")

    def _head_size(self) -> int:
        fields = sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers)
        first_line = len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n")
        return first_line + fields + len("\r\n")

    def on_body(self, body: bytes) -> None:
        """Pass a part of the body on."""
        self._without_progress = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the message, unless it is the head of an upgrade offer: that is parsed again with its body."""
        if self._offered:
            return
        self._cancel_deadline()
        self._without_progress = 0
        if self._ready is not None:
            self._answer_at_once(self._ready)
            return
        self._in_body = False
        super().on_message_complete()
        self._note_work()

    def on_response_complete(self) -> None:
        """Continue with the next pipelined request, or wait for one."""
        super().on_response_complete()
        self._note_work()

    def _answer_at_once(self, answer: QuickAnswer) -> None:
        """Send an answer from memory, and wait for the next request."""
        self._ready = None
        self._answered = True
        self._in_head = False
        self.transport.write(answer.encoded(self.server_state.default_headers))
        super().on_response_complete()
        self._admitted.waits(self)

    def _note_work(self) -> None:
        """Report to `Connections` whether a request is being answered or is still incomplete.

        While a body is incomplete, the connection may be dropped for another: it costs a client nothing to
        begin a thousand bodies and finish none.
        """
        running = self._running
        comes = self._in_body and running is self.cycle
        if running is None or running.response_complete or comes:
            self._admitted.waits(self)
        else:
            self._admitted.works(self)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _stop(self, status: HTTPStatus, detail: str) -> None:
        """Refuse from within the parser, which only an exception stops."""
        self._refused = (status, detail)
        raise _OverBoundError

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Stop reading, and send the error when its request is the next to be answered.

        Earlier requests of this connection get their own answers first; then it is closed.
        """
        self._refused = (status, detail)
        self._message_size = 0
        self._cancel_deadline()
        if self._in_body and self.pipeline:
            self.pipeline.popleft()  # it is the refused one
        elif self._in_body:
            self._refuse_running(status, detail)
            return
        last = self.pipeline[0][0] if self.pipeline else self._running
        if last is None or last.response_complete:
            self._answer(status, detail)
        else:
            last.keep_alive = False

    def _refuse_running(self, status: HTTPStatus, detail: str) -> None:
        """Refuse the request whose body is being read, and mark it as disconnected for its route."""
        running = self.cycle
        if running.response_started:
            self._linger() if running.response_complete else self.abort()
            return
        _mark_disconnected(running)
        self._answer(status, detail)

    def _answer(self, status: HTTPStatus, detail: str) -> None:
        """Send an error response (RFC 9457), then close."""
        body = json.dumps({"type": "about:blank", "title": status.phrase, "status": status, "detail": detail})
        more = _MORE.get(status, "")
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n{more}"
            f"cache-control: no-store\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write((head + body).encode())
        self._linger()

    def _linger(self) -> None:
        """Close after the client could read the last answer: a reset would discard it."""
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
        self._deadline = self.loop.call_later(LINGER, self.abort)

    def _discard(self, size: int) -> None:
        self._message_size += size
        if self._message_size > _LINGER_BYTES:
            self.abort()

    def _set_deadline(self, seconds: float) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(seconds, self._time_out)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _time_out(self) -> None:
        """Close a connection that missed its deadline, after answering its earlier requests."""
        self._deadline = None
        if not self._in_body and (self._running is None or self._running.response_complete):
            self.transport.close()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request took too long to come")


_MORE: Final = {
    HTTPStatus.METHOD_NOT_ALLOWED: "allow: GET, HEAD, POST\r\n",
    HTTPStatus.TOO_MANY_REQUESTS: "retry-after: 5\r\n",
    HTTPStatus.SERVICE_UNAVAILABLE: "retry-after: 5\r\n",
}
"""Header fields of an error response, by status."""


def _mark_disconnected(cycle: RequestResponseCycle | None) -> None:
    """Mark an unanswered request as disconnected."""
    if cycle is not None and not cycle.response_complete:
        cycle.disconnected = True
        cycle.message_event.set()
