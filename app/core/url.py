"""What a URL must be for something that is worth a secret to go there."""

from typing import Final
from urllib.parse import urlsplit

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def secure_url(url: str) -> str:
    """Hand back a URL that nobody listens in on; ``http`` only to this machine.

    Raises:
        ValueError: it is another one; the text says why, and repeats nothing of it.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        # What the library says may quote the host.
        raise ValueError("can't be read") from None
    if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in _LOOPBACK):
        raise ValueError("must begin with https://")
    # A name and password in front of the host would end up in the log.
    if not parts.hostname or "@" in parts.netloc:
        raise ValueError("must name a host, and nothing in front of it")
    return url
