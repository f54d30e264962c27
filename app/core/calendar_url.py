"""The URLs of calendars: their form, and how they are shown.

The private URL of a calendar is a secret: it is all that a reader needs. So a URL is shown by its host and a
short hash, and the record keeps it in a masked form.
"""

import ipaddress
import re
from hashlib import sha256
from typing import Final, NamedTuple

from app.core.errors import MalformedValueError

LONGEST: Final = 2_048

_MASKED: Final = re.compile(r"https?://[^/?#@]+/#[0-9a-f]{16}")
"""A fragment, because no URL of a calendar has one."""

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_PARTS: Final = re.compile(r"(https?)://([^/?#]*)([/?][^#]*)?(#.*)?")
_AUTHORITY: Final = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::(.*))?")
_NAME: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER: Final = re.compile(r"\d+|0x[0-9a-f]*")
_NEVER: Final = frozenset('"<>\\^`{|}')
_PORTS: Final = {"http": 80, "https": 443}
_MOST_PORT: Final = 65_535
_LONGEST_NAME: Final = 253


class CalendarUrl(NamedTuple):
    """The parts of a URL; `host` is a name in lower case, or an address without brackets."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query, as they are sent."""

    @property
    def has_address(self) -> bool:
        """Whether its host is an address and no name."""
        return ":" in self.host or self.host.replace(".", "").isdecimal()

    @property
    def authority(self) -> str:
        """Host and port as a Host header has them; the port only if it isn't the usual one."""
        return _authority(self.host, self.port if self.port != _PORTS[self.scheme] else None)


def parse(url: str) -> CalendarUrl:
    """Return the parts of the URL of a calendar.

    Stricter than browsers: a form that two programs could read differently is refused. No sentence repeats
    the URL.

    Raises:
        MalformedValueError: it isn't the URL of a host that can be asked for a calendar.
    """
    _check_characters(url)
    match = _PARTS.fullmatch(url)
    if match is None:
        raise MalformedValueError(_on_scheme(url))
    scheme, authority, target, fragment = match.groups()
    if "@" in authority:
        raise MalformedValueError("the URL has a name or password in front of the host; leave them out")
    if fragment is not None and not is_masked(url):
        raise MalformedValueError("the URL has a # and a part that no server sees; leave them out")
    host, port = _host_and_port(authority)
    return CalendarUrl(scheme, host, port or _PORTS[scheme], _from_root(target or ""))


def masked(url: str) -> str:
    """Return a URL without its secret: its host and a hash; a masked one is returned as it is."""
    if is_masked(url):
        return url
    parts = parse(url)
    return f"{parts.scheme}://{parts.authority}/#{_digest(url)}"


def is_masked(url: str) -> bool:
    """Return whether a URL is in the form that the record keeps."""
    return _MASKED.fullmatch(url) is not None


def label(url: str) -> str:
    """Return ``calendar.example.com (3f9ac02b)``: what is shown of a URL."""
    hidden = masked(url)
    return f"{parse(hidden).authority} ({hidden.rpartition('#')[2][:8]})"


def _digest(url: str) -> str:
    return sha256(url.encode()).hexdigest()[:16]


def _check_characters(url: str) -> None:
    if len(url) > LONGEST:
        raise MalformedValueError(f"the URL is longer than {LONGEST:,} characters")
    if not all("!" <= letter <= "~" for letter in url):
        raise MalformedValueError(
            "the URL holds a space, a control character or a letter outside of ASCII; write them "
            "percent-encoded, and a host in its xn-- form"
        )
    if found := sorted(_NEVER.intersection(url)):
        raise MalformedValueError(f"the URL holds a {found[0]}, which no URL has")


def _on_scheme(url: str) -> str:
    match = _SCHEME.match(url)
    scheme = match[1].lower() if match else ""
    if scheme in ("webcal", "webcals"):
        return f"the URL begins with {scheme}://; write https:// instead, it is the same address"
    return "the URL must begin with https:// and a host"


def _host_and_port(authority: str) -> tuple[str, int | None]:
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise MalformedValueError("the URL has a host that can't be read")
    host, port = match[1].lower(), match[2]
    if port is not None and not (port.isdecimal() and 0 < int(port[:6]) <= _MOST_PORT):
        raise MalformedValueError("the URL has a port that is no number from 1 to 65535")
    return _host(host), None if port is None else int(port)


def _host(text: str) -> str:
    if not text:
        raise MalformedValueError("the URL names no host")
    if text.startswith("["):
        return _address_in_brackets(text[1:-1])
    if _NUMBER.fullmatch(text.rpartition(".")[2]):
        return _four_numbers(text)
    if len(text) > _LONGEST_NAME or not _NAME.fullmatch(text):
        raise MalformedValueError("the URL has a host that is no host name: a-z, 0-9, - and . make one")
    return text


def _address_in_brackets(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        address = None
    # A zone such as %eth0 is of one machine.
    if address is None or address.scope_id is not None:
        raise MalformedValueError("the URL has brackets around what is no IPv6 address")
    return str(address)


def _four_numbers(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise MalformedValueError(
            "the URL has an address that programs read differently; write four numbers, such as 192.0.2.7"
        ) from None


def _from_root(target: str) -> str:
    return target if target.startswith("/") else f"/{target}"


def _authority(host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"
