"""Send one HTTP request, within a deadline and without following redirects.

It uses the standard library, imported when a request is sent: importing httpx costs more than everything else
that a client command loads, and one request needs none of its advantages.
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
"""Where `freezegate serve` listens by default."""

DEADLINE: Final = 10.0
"""Seconds for the whole exchange: resolving the name, connecting, and reading all of the response."""

LARGEST_ANSWER: Final = 1024 * 1024
"""Most bytes of an answer to a question or a claim; the gate's are smaller."""

_LARGEST: Final = 16 * 1024 * 1024
_CHUNK: Final = 64 * 1024


class Request(NamedTuple):
    """An HTTP request."""

    method: str
    url: str
    headers: Mapping[str, str]
    params: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = None
    """Sent as JSON."""


class Response(NamedTuple):
    """A complete HTTP response."""

    status: int
    content: bytes


def address(server: str | None) -> str:
    """Return the URL of the gate: as given, else FREEZEGATE_URL, else the default on this machine.

    Raises:
        UsageError: it is not a usable URL.
    """
    url = server or os.environ.get("FREEZEGATE_URL") or DEFAULT_SERVER
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    # Internationalised names must be given in their ASCII form, which is the one in certificates.
    readable = url.isascii() and url.isprintable() and " " not in url
    if not usable or parts.query or parts.fragment or not readable:
        raise click.UsageError("the server must be a URL such as http://127.0.0.1:1400")
    return url.rstrip("/")


def secret_header(variable: str) -> str | None:
    """Return a secret from the environment; None if it is not set.

    Raises:
        UsageError: it is not valid in a header. The message does not contain the secret.
    """
    value = os.environ.get(variable, "").strip()
    if not all("!" <= letter <= "~" for letter in value):
        raise click.UsageError(f"{variable} contains characters that no key or token has")
    return value or None


def authorisation() -> dict[str, str]:
    """Return the header with the API key of the environment; empty if none is set."""
    key = secret_header("FREEZEGATE_API_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}


def key_hint(status: int) -> str:
    """Return a hint about the API key for a 401 or 403 response; empty for any other status."""
    if status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return ""
    if secret_header("FREEZEGATE_API_KEY") is None:
        return (
            "; no key was sent: set FREEZEGATE_API_KEY "
            "(on the gate's machine, `freezegate keys create --name NAME --role ROLE` makes one)"
        )
    wrong = "is not valid there" if status == HTTPStatus.UNAUTHORIZED else "may not do this"
    return f"; the key in FREEZEGATE_API_KEY {wrong}"


def send(request: Request, deadline: float = DEADLINE, largest: int = _LARGEST) -> Response:
    """Send a request and read the complete response, within so many seconds and bytes.

    Raises:
        UndecidedError: no complete response came in time.
    """
    exchange = _Exchange(request, deadline, largest)
    # Socket timeouts restart with every byte, and none covers the resolver. A thread that misses the
    # deadline is abandoned; it ends with the process at the latest.
    thread = threading.Thread(target=exchange.run, daemon=True)
    thread.start()
    thread.join(deadline)
    if exchange.response is not None:
        return exchange.response
    sentence = exchange.fault or f"the server did not answer within {deadline:g} s"
    raise UndecidedError(sentence, exchange.status)


class _Exchange:
    """The state of one request and its response."""

    def __init__(self, request: Request, deadline: float, largest: int) -> None:
        self._request = request
        self._largest = largest
        self._deadline = deadline
        self.status: int | None = None
        """Set before the body is read, because an incomplete refusal is still a refusal."""
        self.response: Response | None = None
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
                self.fault = "the server's response is larger than any answer"
                return
        if response.length:
            self.fault = "the server's response is incomplete"
            return
        self.response = Response(response.status, bytes(content))


def _opened(request: Request, timeout: float) -> "HTTPResponse":
    """Open a response of any status; the opener neither follows redirects nor raises for error statuses."""
    from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, UnknownHandler

    named = proxies()
    opener = OpenerDirector()
    opener.add_handler(ProxyHandler(named))
    opener.add_handler(HTTPHandler())
    opener.add_handler(UnknownHandler())
    if any(url.startswith("https:") for url in (request.url, *named.values())):
        opener.add_handler(HTTPSHandler(context=_tls_context()))
    response: HTTPResponse = opener.open(_urllib_request(request), timeout=timeout)
    return response


def _urllib_request(request: Request) -> "urllib.request.Request":
    from base64 import b64encode
    from urllib.request import Request as UrllibRequest

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
    return UrllibRequest(url, data, headers, method=request.method)  # noqa: S310 - `address` allows only http(s)


def proxies() -> dict[str, str]:
    """Return the proxies of the environment by scheme; ALL_PROXY is the default for both."""
    from urllib.request import getproxies

    named = getproxies()
    everywhere = named.get("all")
    return {"http": everywhere, "https": everywhere, **named} if everywhere else named


def _tls_context() -> "ssl.SSLContext":
    """Trust the system's CAs or SSL_CERT_FILE; on a system without CAs, those that browsers trust."""
    import ssl

    context = ssl.create_default_context()
    known = ssl.get_default_verify_paths()
    if known.cafile is None and known.capath is None:
        import certifi

        context.load_verify_locations(certifi.where())
    return context
