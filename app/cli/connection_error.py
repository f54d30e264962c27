"""Explain why a server could not be reached; the libraries' own messages are written for programmers."""

import errno
import socket
import ssl
from collections.abc import Mapping
from http.client import HTTPException
from typing import Final
from urllib.error import URLError
from urllib.parse import SplitResult, urlsplit
from urllib.request import proxy_bypass

from httptools import HttpParserError

from app.cli.server import DEFAULT_SERVER, proxies

_CERTIFICATES: Final = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is self-signed; set SSL_CERT_FILE to a file of certificates to trust",
    19: "its certificate is from a CA that this machine does not trust; set SSL_CERT_FILE to the CA's file",
    20: "its certificate is from a CA that this machine does not trust; set SSL_CERT_FILE to the CA's file",
    62: "its certificate is for another name",
    64: "its certificate is for another address",
}
"""By the codes of OpenSSL's X509_V_ERR_ constants."""

_PLAIN_HTTP: Final = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST")
"""OpenSSL's reasons where the server answers a TLS handshake in plain HTTP."""

_CAUSES: Final[Mapping[type[Exception], str]] = {
    socket.gaierror: "its name can't be resolved",
    ConnectionRefusedError: "nothing listens there (connection refused)",
    TimeoutError: "it does not answer in time",
    ConnectionError: "it closed the connection before its response was complete",
    HTTPException: "its response is not HTTP",
    HttpParserError: "its response is not HTTP",
}
"""The first that an error is an instance of counts."""

_NO_ROUTE: Final = (
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.EHOSTDOWN,
    errno.EADDRNOTAVAIL,
)


def sentence(error: Exception, url: str) -> str:
    """Return why a request to a URL failed, or got no complete response."""
    cause = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    other = "; set another with --server or FREEZEGATE_URL" if where == DEFAULT_SERVER else ""
    return f"the server at {where} can't be reached{_proxy(parts)}: {_cause(cause)}{other}"


def _proxy(parts: SplitResult) -> str:
    """Return the proxy that the environment sets for a server, without its password."""
    proxy = proxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.hostname or ""):
        return ""
    return f" through the proxy {proxy.rpartition('@')[2]}"


def _cause(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return _tls_cause(error)
    for kind, cause in _CAUSES.items():
        if isinstance(error, kind):
            return cause
    return _system_cause(error) if isinstance(error, OSError) else "its response can't be read"


def _tls_cause(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATES.get(error.verify_code, "its certificate can't be verified")
    return "it doesn't speak TLS; is its address http://?" if error.reason in _PLAIN_HTTP else "TLS failed"


def _system_cause(error: OSError) -> str:
    if error.errno in _NO_ROUTE:
        return "there is no route to it (network or host unreachable)"
    if error.errno is None:  # urllib's message when a proxy refuses a tunnel
        return "the proxy refused to connect to it"
    return f"the connection failed ({errno.errorcode.get(error.errno, error.errno)})"
