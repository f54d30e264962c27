"""A server as the client commands see it: one request, within a deadline, no redirects.

httpx is imported by the request: it costs more than everything else that a client command loads.
"""

import os
import threading
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import click

from app.cli.errors import UndecidedError

DEADLINE: Final = 10.0
"""Seconds for everything: finding the address, connecting, and the whole of the reply."""

_LARGEST: Final = 16 * 1024 * 1024


class Reply(NamedTuple):
    """What came back."""

    status: int
    content: bytes


def address(server: str | None) -> str:
    """The address of the server: as given, else that of FREEZEGATE_URL.

    Raises:
        UsageError: nobody is named, or not by a usable address.
    """
    url = server or os.environ.get("FREEZEGATE_URL")
    if not url:
        raise click.UsageError("name a server with --server or FREEZEGATE_URL, or a file with --policies")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or not url.isprintable() or " " in url:
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


def send(request: Mapping[str, Any], deadline: float = DEADLINE) -> Reply:
    """Send a request, given as httpx takes it, and read the reply as a whole.

    Args:
        request: method, url, headers, and params or json.
        deadline: in seconds.

    Raises:
        UndecidedError: no reply came in time.
    """
    outcome: list[Reply | UndecidedError] = []
    # httpx's own timeouts count anew with every byte, and none covers the resolver. A thread that is
    # too late is left behind; it ends with the process at the latest.
    thread = threading.Thread(target=lambda: outcome.append(_exchange(request, deadline)), daemon=True)
    thread.start()
    thread.join(deadline)
    if not outcome:
        raise UndecidedError(f"the server did not answer within {deadline:g} s")
    if isinstance(outcome[0], UndecidedError):
        raise outcome[0]
    return outcome[0]


def _exchange(request: Mapping[str, Any], deadline: float) -> Reply | UndecidedError:
    import httpx

    content = bytearray()
    try:
        with (
            httpx.Client(timeout=deadline, follow_redirects=False) as client,
            client.stream(**request) as response,
        ):
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > _LARGEST:
                    return UndecidedError("the server's reply has no end")
            return Reply(response.status_code, bytes(content))
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as error:
        return UndecidedError(f"the server can't be reached: {str(error) or type(error).__name__}")
