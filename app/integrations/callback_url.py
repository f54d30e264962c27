"""The hosts that may be called back.

A vendor's request names the address of its answer, and a token goes there with it. So the address must be on
a host that the integrations file lists: a sender of requests must not choose where secrets go.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from app.core.errors import MalformedValueError
from app.core.url import secure_url

LONGEST_URL: Final = 2_000

_USUAL_PORTS: Final = {"https": 443, "http": 80}
_UNFIT: Final = re.compile(r"[\x00-\x20\x7f\\]")
_NO_HOST: Final = re.compile(r"[@*\\\s%]")


def _host(text: str) -> str:
    name = text.lower().removeprefix("*.")
    if _NO_HOST.search(name) or not _is_authority(name):
        raise MalformedValueError(
            "a host is a name such as app.terraform.io, *.example.com or tfe.example:8443"
        )
    return text.lower()


def _is_authority(name: str) -> bool:
    try:
        parts = urlsplit(f"//{name}")
        port = parts.port
    except ValueError:
        return False
    return parts.netloc == name and port != 0 and parts.hostname is not None


Host = Annotated[
    str, StringConstraints(min_length=1, max_length=255), AfterValidator(_host), Field(title="host")
]


def callback_url(url: str, hosts: Sequence[str]) -> str:
    """Return an address that may be called back.

    Args:
        url: the address that the vendor sent.
        hosts: those that are allowed; ``*.`` stands for one or more labels, and a port must be given unless
            it is the usual one.

    Raises:
        MalformedValueError: it may not be called; the text doesn't repeat the address.
    """
    try:
        full = _authority(url)
    except ValueError as error:
        raise MalformedValueError(f"the callback address {_reason(error)}") from None
    # Parsers disagree on what a backslash and white space mean, so such an address is never followed.
    if len(url) > LONGEST_URL or _UNFIT.search(url):
        raise MalformedValueError("the callback address can't be read")
    if not any(_allows(host, full) for host in hosts):
        raise MalformedValueError(
            "the callback address is on a host that is not in `hosts` of the integrations file"
        )
    return url


def _authority(url: str) -> str:
    """Return the host of an address, with the port unless it is the usual one."""
    parts = urlsplit(secure_url(url))
    name = (parts.hostname or "").lower()
    return name if parts.port in (None, _USUAL_PORTS[parts.scheme]) else f"{name}:{parts.port}"


def _reason(error: ValueError) -> str:
    text = str(error)
    return text if text.startswith("must ") else "can't be read"


def _allows(host: str, full: str) -> bool:
    return full.endswith(host[1:]) and len(full) >= len(host) if host.startswith("*.") else full == host
