"""The check of URLs that secrets are sent to."""

from typing import Final
from urllib.parse import urlsplit

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def secure_url(url: str) -> str:
    """Return a URL that is encrypted (``https``) or local (``http`` to this machine).

    Raises:
        ValueError: any other URL. The message gives the reason without repeating the URL.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        # The library's message may quote the host.
        raise ValueError("can't be read") from None
    if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in _LOOPBACK):
        raise ValueError("must begin with https://")
    # A name and password in front of the host would end up in the log.
    if not parts.hostname or "@" in parts.netloc:
        raise ValueError("must name a host, and nothing in front of it")
    return url
