"""uvicorn's HTTP protocol, with a deadline for the head of a request.

uvicorn itself waits for ever: some hundred connections that send a byte now and then would fill it.
The body has its own deadline, in `edge`.
"""

import asyncio
import json
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_DEADLINE: Final = 10.0
"""Seconds from the first byte of a connection or request to the end of its headers."""


class DeadlineProtocol(HttpToolsProtocol):
    """Closes a connection whose request does not get to its point."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._met()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Expect the rest of the head."""
        self._expect()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is here."""
        self._met()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Tell of a request that can't even be read as every other problem is told (RFC 9457)."""
        detail = "not a request that can be read: malformed, or its first line is too long"
        body = json.dumps({"type": "about:blank", "title": "Bad Request", "status": 400, "detail": detail})
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n"
            f"cache-control: no-store\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        del msg
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
