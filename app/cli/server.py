"""A server as the client commands see it: one request, within a deadline, no redirects.

By the standard library, imported by the request: httpx costs more than everything else that a
client command loads, and one request needs nothing of what it does better.
"""

import json
import os
import threading
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote, urlencode, urlsplit

import click

from app import __version__
from app.cli.errors import UndecidedError

if TYPE_CHECKING:
    import ssl
    import urllib.request
    from http.client import HTTPResponse

DEFAULT_SERVER: Final = "http://127.0.0.1:1400"
"""Where `freezegate serve` listens if nobody tells it otherwise."""

DEADLINE: Final = 10.0
"""Seconds for everything: finding the address, connecting, and the whole of the reply."""

LARGEST_ANSWER: Final = 1024 * 1024
"""Bytes of an answer to a question or a claim; no gate gives a larger one."""

_LARGEST: Final = 16 * 1024 * 1024
_CHUNK: Final = 64 * 1024


class Request(NamedTuple):
    """What is sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    params: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = None
    """Sent as JSON."""


class Reply(NamedTuple):
    """What came back."""

    status: int
    content: bytes


def address(server: str | None) -> str:
    """The address of the server: as given, else that of FREEZEGATE_URL, else the one on this machine.

    Raises:
        UsageError: it is no usable address.
    """
    url = server or os.environ.get("FREEZEGATE_URL") or DEFAULT_SERVER
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    # Names in other letters have a form in ASCII, which is the one that certificates know.
    readable = url.isascii() and url.isprintable() and " " not in url
    if not usable or parts.query or parts.fragment or not readable:
        raise click.UsageError("a server is given by an address such as http://127.0.0.1:1400")
    return url.rstrip("/")


def secret_header(variable: str) -> str | None:
    """A secret from the environment, fit for a header; None if it is not set.

    Raises:
        UsageError: it can't stand in a header. What it is is not said.
    """
    value = os.environ.get(variable, "").strip()
    if not all("!" <= letter <= "~" for letter in value):
        raise click.UsageError(f"{variable} holds characters that no key or token has")
    return value or None


def authorisation() -> dict[str, str]:
    """The header that says who is asking, if anybody in particular is."""
    key = secret_header("FREEZEGATE_API_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}


def key_hint(status: int) -> str:
    """Return what says how to send a key that will do; empty unless this status asks for one."""
    if status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return ""
    if secret_header("FREEZEGATE_API_KEY") is None:
        return (
            "; no key was sent: set FREEZEGATE_API_KEY "
            "(on the gate's machine, `freezegate keys create --name NAME --role ROLE` makes one)"
        )
    wrong = "is not valid there" if status == HTTPStatus.UNAUTHORIZED else "may not do this"
    return f"; the key in FREEZEGATE_API_KEY {wrong}"


def send(request: Request, deadline: float = DEADLINE, largest: int = _LARGEST) -> Reply:
    """Send a request and read the reply as a whole, within so many seconds and bytes.

    Raises:
        UndecidedError: no reply came in time, or not the whole of it.
    """
    exchange = _Exchange(request, deadline, largest)
    # Timeouts of sockets count anew with every byte, and none covers the resolver. A thread that is
    # too late is left behind; it ends with the process at the latest.
    thread = threading.Thread(target=exchange.run, daemon=True)
    thread.start()
    thread.join(deadline)
    if exchange.reply is not None:
        return exchange.reply
    sentence = exchange.fault or f"the server did not answer within {deadline:g} s"
    raise UndecidedError(sentence, exchange.status)


class _Exchange:
    """A request and its reply, as far as they have come."""

    def __init__(self, request: Request, deadline: float, largest: int) -> None:
        self._request = request
        self._largest = largest
        self._deadline = deadline
        self.status: int | None = None
        """Known before the rest of the reply: a refusal that breaks off is a refusal."""
        self.reply: Reply | None = None
        self.fault: str | None = None

    def run(self) -> None:
        from http.client import HTTPException

        try:
            with _opened(self._request, self._deadline) as response:
                self.status = response.status
                self._read(response)
        except (OSError, HTTPException, ValueError) as error:
            from app.cli.connection_error import sentence

            self.fault = sentence(error, self._request.url)

    def _read(self, response: "HTTPResponse") -> None:
        content = bytearray()
        while chunk := response.read(_CHUNK):
            content += chunk
            if len(content) > self._largest:
                self.fault = "the server's reply is larger than any answer"
                return
        if response.length:
            self.fault = "the server's reply breaks off"
            return
        self.reply = Reply(response.status, bytes(content))


def _opened(request: Request, timeout: float) -> "HTTPResponse":
    """The beginning of the reply, whatever its status: nothing follows redirects or raises for errors."""
    from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, UnknownHandler

    named = proxies()
    opener = OpenerDirector()
    opener.add_handler(ProxyHandler(named))
    opener.add_handler(HTTPHandler())
    opener.add_handler(UnknownHandler())
    if any(url.startswith("https:") for url in (request.url, *named.values())):
        opener.add_handler(HTTPSHandler(context=_trusted()))
    response: HTTPResponse = opener.open(_prepared(request), timeout=timeout)
    return response


def _prepared(request: Request) -> "urllib.request.Request":
    from base64 import b64encode
    from urllib.request import Request as Prepared

    parts = urlsplit(request.url)
    user, _, host = parts.netloc.rpartition("@")
    url = parts._replace(netloc=host, query=urlencode(request.params or {})).geturl()
    headers = {"User-Agent": f"freezegate/{__version__}", **request.headers}
    if user:
        headers.setdefault("Authorization", f"Basic {b64encode(unquote(user).encode()).decode()}")
    data = None
    if request.body is not None:
        data = json.dumps(request.body).encode()
        headers["Content-Type"] = "application/json"
    return Prepared(url, data, headers, method=request.method)  # noqa: S310 - `address` takes http(s) alone


def proxies() -> dict[str, str]:
    """The proxies of the environment; ALL_PROXY stands for those that are not named by their own."""
    from urllib.request import getproxies

    named = getproxies()
    everywhere = named.get("all")
    return {"http": everywhere, "https": everywhere, **named} if everywhere else named


def _trusted() -> "ssl.SSLContext":
    """Whom the system trusts, or SSL_CERT_FILE; where the system knows nobody, whom browsers trust."""
    import ssl

    context = ssl.create_default_context()
    known = ssl.get_default_verify_paths()
    if known.cafile is None and known.capath is None:
        import certifi

        context.load_verify_locations(certifi.where())
    return context
