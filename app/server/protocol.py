"""uvicorn's HTTP protocol with what it lacks: bounds from the first byte, and bodies that stay bodies.

uvicorn waits for ever, and keeps whatever comes. Here heads, bodies, what lies between them, requests sent
ahead, connections and slow readers have bounds; over one, the connection is answered clearly, and closed.

llhttp stops at the head of a request that offers an upgrade and leaves it to its user whether what
follows is the body or another protocol. uvicorn takes it for the next request, so a claim of a client
that offers HTTP/2 (Java's HttpClient, ``curl --http2``) lost its body, and its body was a request.
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

KEEP_ALIVE: Final = 130
"""Seconds that a connection stays open for the next request. Longer than proxies keep theirs to us (nginx 60
seconds, Caddy 120): the side that closes first must be the one that sends, or a claim may meet our end."""

HEAD_DEADLINE: Final = 10.0
"""Seconds from the first byte of a connection or request to the end of its headers."""

MESSAGE_DEADLINE: Final = 20.0
"""Seconds from the end of the headers to the end of the body. Routes that read a body give up sooner."""

MAX_HEAD: Final = 64 * 1024
"""Bytes of the first line and the fields of a request; and of anything else that is no body."""

MAX_FIELDS: Final = 100

MAX_MESSAGE: Final = 8 * 1024 * 1024
"""Bytes that are read behind a head. Routes take far less; the rest is read so that a client which sends
everything first gets to see its refusal."""

MAX_AHEAD: Final = 16
"""Requests that may be sent before the first of them is answered."""

LINGER: Final = 2.0
"""Seconds in which what still comes is thrown away, so that the refusal is not lost with it."""

_LINGER_BYTES: Final = 1024 * 1024
_PIECE: Final = 16 * 1024
"""Bytes that the parser is given before the bounds are looked at."""

_UNREADABLE: Final = "not a request that can be read"
_TOO_LARGE_A_HEAD: Final = "the head of a request may have at most 64 KiB and 100 fields"
_TOO_LARGE_A_BODY: Final = "a body may have at most 64 KiB"
_NO_TUNNEL: Final = "this is no proxy; it takes GET, HEAD and POST"


def protocol(capacity: Capacity, trusted_proxies: str | None = None) -> type[asyncio.Protocol]:
    """Return what makes the protocol of each connection; all that it makes share `capacity`."""
    made: Any = partial(GateProtocol, Connections(capacity, trusted_proxies))
    return cast("type[asyncio.Protocol]", made)


class _OverBoundError(Exception):
    """Stops the parser: a bound is reached."""


class GateProtocol(HttpToolsProtocol):
    """One connection: reads requests one after the other, and never a body as a request."""

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
        self._deadline: asyncio.TimerHandle | None = None
        self._running: RequestResponseCycle | None = None
        """The request that is being answered, or was last."""
        self._in_head = False
        self._in_body = False
        self._offered = False
        """Whether the head that the parser has just read offers an upgrade."""
        self._refused: tuple[HTTPStatus, str] | None = None
        """Why nothing that still comes is read any more."""
        self._without_progress = 0
        """Bytes since the last part of a request was whole, or the last part of a body came."""
        self._message_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request, if there is room for one."""
        super().connection_made(transport)
        refusal = self._admitted.admit(self, self.client[0] if self.client else "")
        if refusal is None:
            self._expect(HEAD_DEADLINE)
        elif not transport.is_closing():
            self._refuse(*refusal)

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more, and tell every request that nobody waits for its answer."""
        self._met()
        self._admitted.leave(self)
        for cycle in (self._running, *(queued for queued, _ in self.pipeline)):
            _leave(cycle)
        self.pipeline.clear()
        super().connection_lost(exc)

    def abort(self) -> None:
        """Drop the connection at once, with what has not been delivered."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse what has come, and look at the bounds as it goes along."""
        self._unset_keepalive_if_required()
        if len(data) <= _PIECE and not self._refused:
            self._take(data)
            return
        for start in range(0, len(data), _PIECE):
            if self._refused:
                self._throw_away(len(data) - start)
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
            self._expect(MESSAGE_DEADLINE)
            if self._message_size > MAX_MESSAGE:
                self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE_A_BODY)
        elif self._in_head or self._without_progress:
            # Line breaks between requests are no request, and must not keep a connection.
            self._expect(HEAD_DEADLINE)
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
        """Read the head once more without its offer, so that what follows is its body.

        "A server MAY ignore a received Upgrade header field" (RFC 9110, section 7.8); but a parser that
        has seen one can't be told so.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if method == b"CONNECT":
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, _NO_TUNNEL)
            return
        self._offered = False
        head = [b"%s %s HTTP/%s\r\n" % (method, self.url, version.encode())]
        head += [b"%s: %s\r\n" % field for field in self.headers if field[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        # As uvicorn sets it: so that what follows a last request does no harm to its answer.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(b"".join(head) + b"\r\n")

    def on_message_begin(self) -> None:
        """Expect the rest of the head."""
        self._in_head = True
        self._without_progress = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is here."""
        self._look_at_head()
        if self.parser.should_upgrade():
            self._offered = True
            return
        super().on_headers_complete()
        self._met()
        self._in_head, self._in_body = False, True
        self._note_work()
        self._without_progress = self._message_size = 0
        # The parser tells of fields behind a chunked body in the same way; they are no headers (RFC 9110,
        # section 6.5.1), so they go to a list that nobody reads.
        self.headers = []
        if self.expect_100_continue:
            # A client that is answered at once keeps its body: what came next would be taken for it.
            self.cycle.keep_alive = False

    def _look_at_head(self) -> None:
        # Most heads came in a few pieces, and need not be measured. The first piece was not counted.
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
        """Pass on a part of the body."""
        self._without_progress = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is here; for a request that offers an upgrade, the parser only believes so."""
        if self._offered:
            return
        self._met()
        self._in_body = False
        self._without_progress = 0
        super().on_message_complete()
        self._note_work()

    def on_response_complete(self) -> None:
        """Go on with the next request that is here; else wait for one."""
        super().on_response_complete()
        self._note_work()

    def _note_work(self) -> None:
        """Say whether a request is being answered, or is yet to come as a whole.

        While only a body is missing, the connection may be given up for another: it costs nothing to begin
        a thousand bodies and send none.
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
        """Refuse from within the parser, which stops at an error only."""
        self._refused = (status, detail)
        raise _OverBoundError

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Read no further. The refusal is sent where its request is the next to be answered.

        Requests that came before it on this connection get their own answers, and then it is closed.
        """
        self._refused = (status, detail)
        self._message_size = 0
        self._met()
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
        """Refuse the request whose body is being read: its route learns that nobody waits any more."""
        running = self.cycle
        if running.response_started:
            self._linger() if running.response_complete else self.abort()
            return
        _leave(running)
        self._answer(status, detail)

    def _answer(self, status: HTTPStatus, detail: str) -> None:
        """Send a refusal (RFC 9457), and close."""
        body = json.dumps({"type": "about:blank", "title": status.phrase, "status": status, "detail": detail})
        more = _MORE.get(status, "")
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n{more}"
            f"cache-control: no-store\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write((head + body).encode())
        self._linger()

    def _linger(self) -> None:
        """Close as soon as the client has seen the last answer: a reset would take it away from it."""
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
        self._deadline = self.loop.call_later(LINGER, self.abort)

    def _throw_away(self, size: int) -> None:
        self._message_size += size
        if self._message_size > _LINGER_BYTES:
            self.abort()

    def _expect(self, seconds: float) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(seconds, self._give_up)

    def _met(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        """Close a connection whose request does not get to its point; earlier ones are answered first."""
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
"""Fields of a refusal."""


def _leave(cycle: RequestResponseCycle | None) -> None:
    """Tell a request that nobody waits for its answer."""
    if cycle is not None and not cycle.response_complete:
        cycle.disconnected = True
        cycle.message_event.set()
