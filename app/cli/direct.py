"""Send one HTTP request over a connection of its own, without a proxy.

Importing http.client and urllib.request takes a quarter of the CPU time of a `check`: they load the email
package, temporary files, and ssl even where nothing is encrypted. llhttp parses the response here; uvicorn
uses it for requests.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from httptools import HttpParserError, HttpResponseParser

if TYPE_CHECKING:
    import ssl

    from app.cli.server import Prepared

_CHUNK: Final = 16 * 1024
_LARGEST_HEAD: Final = 48 * 1024
_MOST_FIELDS: Final = 100
_FRAMING: Final = (b"content-length", b"transfer-encoding")
_FINAL: Final = 200
"""The lowest status of a response that no other follows (RFC 9110, section 15.2)."""


@contextmanager
def opened(
    request: "Prepared", timeout: float, tls_context: "Callable[[], ssl.SSLContext]"
) -> "Iterator[DirectResponse]":
    """Send a request and read the head of the response.

    Args:
        request: the request.
        timeout: seconds for each step on the socket.
        tls_context: returns the certificates to trust; called for https only.

    Raises:
        OSError: there is no connection, or it broke off.
        HttpParserError: the response is not HTTP.
        ValueError: a part of the request is not valid.
    """
    parts = urlsplit(request.url)
    host = parts.hostname or ""
    encrypted = parts.scheme == "https"
    # As bytes, because a str would load the IDNA codec; `app.cli.server.address` accepts only ASCII.
    destination = (host.encode("ascii"), parts.port or (443 if encrypted else 80))
    with socket.create_connection(destination, timeout) as plain:  # type: ignore[arg-type] # see typeshed
        connection = tls_context().wrap_socket(plain, server_hostname=host) if encrypted else plain
        with connection:
            connection.sendall(_to_bytes(request, parts))
            yield DirectResponse(connection)


def _to_bytes(request: "Prepared", parts: SplitResult) -> bytes:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    fields = {"Host": parts.netloc, "Accept-Encoding": "identity", "Connection": "close", **request.headers}
    if request.content is not None:
        fields["Content-Length"] = str(len(request.content))
    lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    if " " in target or not all(line.isprintable() for line in lines):
        raise ValueError("a space or a control character in the target or in a field")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + (request.content or b"")


class DirectResponse:
    """A response whose head has come; its body is read in pieces."""

    def __init__(self, connection: socket.socket) -> None:
        """Read the head of the response.

        Raises:
            OSError: the connection broke off.
            HttpParserError: the response is not HTTP, or its head is larger than any.
        """
        self.status = 0
        self._connection = connection
        self._parser = HttpResponseParser(self)
        self._content = bytearray()
        self._fields = 0
        self._is_framed = False
        self._has_head = False
        self._is_complete = False
        self._has_ended = False
        size = 0
        while not self._has_head:
            size += self._receive()
            if self._has_ended:
                raise ConnectionError("the connection ended before the response")
            if size > _LARGEST_HEAD and not self._has_head:
                raise HttpParserError("the head of the response is too large")

    @property
    def is_cut_off(self) -> bool:
        """Whether the connection ended before the body."""
        return self._has_ended and self._is_framed and not self._is_complete

    def read(self) -> bytes:
        """Return the next bytes of the body; none at its end, or at that of the connection.

        Raises:
            OSError: the connection broke off.
            HttpParserError: the response is not HTTP.
        """
        while not (self._content or self._is_complete or self._has_ended):
            self._receive()
        piece = bytes(self._content)
        self._content.clear()
        return piece

    def _receive(self) -> int:
        piece = self._connection.recv(_CHUNK)
        self._has_ended = not piece
        try:
            self._parser.feed_data(piece)
        except HttpParserError:
            if not self._is_complete:  # bytes after the end are not part of the response
                raise
        return len(piece)

    def on_message_begin(self) -> None:
        """Begin an interim response or the final one; reject any after that."""
        if self._is_complete:
            raise ValueError("more than one final response")
        self._fields = 0
        self._is_framed = False

    def on_header(self, name: bytes, _value: bytes) -> None:
        """Count the fields; note if one gives the end of the body."""
        self._fields += 1
        if self._fields > _MOST_FIELDS:
            raise ValueError("more fields than any response has")
        self._is_framed |= name.lower() in _FRAMING

    def on_headers_complete(self) -> None:
        """Read the status."""
        self.status = self._parser.get_status_code()
        self._has_head = self.status >= _FINAL

    def on_body(self, piece: bytes) -> None:
        """Collect the body."""
        self._content += piece

    def on_message_complete(self) -> None:
        """End the response; after an interim one, the final one follows."""
        self._is_complete = self._has_head
