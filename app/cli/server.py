"""Send one HTTP request, within a deadline and without following redirects.

A module is imported only where a request needs it: importing takes most of the time of a client command, and
httpx would take more than everything else together.
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote, urlencode, urlsplit

import click

from app import __version__
from app.cli.errors import UndecidedError

if TYPE_CHECKING:
    import ssl

DEFAULT_SERVER: Final = "http://127.0.0.1:1400"
"""Where `freezegate serve` listens by default."""

DEADLINE: Final = 10.0
"""Seconds for the whole exchange: resolving the name, connecting, and reading all of the response."""

LARGEST_ANSWER: Final = 1024 * 1024
"""Most bytes of an answer to a question or a claim; the gate's are smaller."""

_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
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


def key_hint(status: int, detail: object) -> str:
    """Return a hint about the API key for a 401 or 403 response; empty for any other status.

    The gate's own sentence on a 403 says whose role or scope it is. It stays as it is, as on the dashboard.
    """
    if status not in (_UNAUTHORIZED, _FORBIDDEN):
        return ""
    if secret_header("FREEZEGATE_API_KEY") is None:
        return (
            "; no key was sent: set FREEZEGATE_API_KEY "
            "(on the gate's machine, `freezegate keys create --name NAME --role ROLE` makes one)"
        )
    if status == _UNAUTHORIZED:
        return "; the key in FREEZEGATE_API_KEY is not valid there"
    return "" if detail else "; the key in FREEZEGATE_API_KEY may not do this"


def unusable(status: int, detail: object) -> str:
    """Return the sentence on a response that is no decision: a refusal in the gate's own words."""
    hint = key_hint(status, detail)
    if status == _FORBIDDEN and detail and not hint:
        return str(detail)
    return f"the server answered {status}{f': {detail}' if detail else ''}{hint}"


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
        try:
            if proxies():
                self._through_proxy()
            else:
                self._directly()
        except Exception as error:  # noqa: BLE001 - a thread's error is lost unless it is kept
            from app.cli.connection_error import sentence

            self.fault = sentence(error, self._request.url)

    def _directly(self) -> None:
        from app.cli.direct import opened

        with opened(_prepared(self._request), self._deadline, _tls_context) as response:
            self.status = response.status
            content = self._read(response.read)
            self._finish(response.status, content, is_cut_off=response.is_cut_off)

    def _through_proxy(self) -> None:
        from app.cli.proxied import opened

        with opened(_prepared(self._request), self._deadline, proxies(), _tls_context) as response:
            self.status = response.status
            content = self._read(lambda: response.read(_CHUNK))
            self._finish(response.status, content, is_cut_off=bool(response.length))

    def _read(self, read: Callable[[], bytes]) -> bytes:
        """Read a body up to its end, or until it is too large."""
        content = bytearray()
        while len(content) <= self._largest and (piece := read()):
            content += piece
        return bytes(content)

    def _finish(self, status: int, content: bytes, *, is_cut_off: bool) -> None:
        if len(content) > self._largest:
            self.fault = "the server's response is larger than any answer"
        elif is_cut_off:
            self.fault = "the server's response is incomplete"
        else:
            self.response = Response(status, content)


class Prepared(NamedTuple):
    """A request as it is sent: the URL without credentials, all fields, the body in bytes."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None


def _prepared(request: Request) -> Prepared:
    parts = urlsplit(request.url)
    user, _, host = parts.netloc.rpartition("@")
    url = parts._replace(netloc=host, query=urlencode(request.params or {})).geturl()
    headers = {"User-Agent": f"freezegate/{__version__}", **request.headers}
    if user:
        from base64 import b64encode

        headers.setdefault("Authorization", f"Basic {b64encode(unquote(user).encode()).decode()}")
    content = None
    if request.body is not None:
        content = json.dumps(request.body).encode()
        headers["Content-Type"] = "application/json"
    return Prepared(request.method, url, headers, content)


def proxies() -> dict[str, str]:
    """Return the proxies of the environment by scheme; ALL_PROXY is the default for both."""
    # On macOS and Windows, urllib also reads the system's settings. Elsewhere nothing is lost without it.
    has_settings = sys.platform in ("darwin", "win32")
    if not (has_settings or any(name.lower().endswith("_proxy") for name in os.environ)):
        return {}
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
