"""uvicorn's HTTP protocol with what it lacks: deadlines, and upgrade offers that are ignored as a whole.

uvicorn itself waits for ever: some hundred connections that send a byte now and then would fill it.
The body has its own deadline, in `edge`.

llhttp stops at the head of a request that offers an upgrade and leaves it to its user whether what
follows is the body or another protocol. uvicorn takes it for the next request, so a claim of a client
that offers HTTP/2 (Java's HttpClient, ``curl --http2``) lost its body, and its body was a request.
"""

import asyncio
import json
from http import HTTPStatus
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_DEADLINE: Final = 10.0
"""Seconds from the first byte of a connection or request to the end of its headers."""

_UNREADABLE: Final = "not a request that can be read: malformed, or its first line is too long"
_NO_TUNNEL: Final = "this is no proxy; it takes GET, HEAD and POST"


class GateProtocol(HttpToolsProtocol):
    """One connection: reads requests one after the other, and never a body as a request."""

    _deadline: asyncio.TimerHandle | None = None
    _in_head: bool = False
    _offered: bool = False
    """Whether the head that the parser has just read offers an upgrade."""
    _refused: bool = False
    """Whether nothing that still comes is read any more."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._met()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        self._unset_keepalive_if_required()
        if self._refused:
            return
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST, _UNREADABLE)

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
        self._expect()
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head, and none behind a chunked body (RFC 9110, section 6.5.1)."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is here."""
        if self.parser.should_upgrade():
            self._offered = True
            return
        self._met()
        self._in_head = False
        super().on_headers_complete()
        if self.expect_100_continue:
            # A client that is answered at once keeps its body: what came next would be taken for it.
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """The body is here; for a request that offers an upgrade, the parser only believes so."""
        if not self._offered:
            super().on_message_complete()

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer a request that is not read any further (RFC 9457), and close the connection."""
        self._refused = True
        body = json.dumps({"type": "about:blank", "title": status.phrase, "status": status, "detail": detail})
        allow = "allow: GET, HEAD, POST\r\n" if status is HTTPStatus.METHOD_NOT_ALLOWED else ""
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n{allow}"
            f"cache-control: no-store\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write((head + body).encode())
        self.transport.close()

    def _expect(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_DEADLINE, self._give_up)

    def _met(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        transport: Any = self.transport
        if not transport.is_closing():
            transport.close()
