"""Why a server gave no reply, in words; the libraries' own are for programmers."""

import errno
import socket
import ssl
from http.client import HTTPException, RemoteDisconnected
from typing import Final
from urllib.error import URLError
from urllib.parse import SplitResult, urlsplit
from urllib.request import proxy_bypass

from app.cli.server import DEFAULT_SERVER, proxies

_CERTIFICATES: Final = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "it vouches for itself (self-signed); SSL_CERT_FILE names a file of certificates to trust",
    19: "its certificate comes from a CA that this machine does not trust; SSL_CERT_FILE names its file",
    20: "its certificate comes from a CA that this machine does not trust; SSL_CERT_FILE names its file",
    62: "its certificate is for another name",
    64: "its certificate is for another address",
}
"""By the codes of OpenSSL's X509_V_ERR_ constants."""

_NO_WAY: Final = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL)


def sentence(error: Exception, url: str) -> str:
    """Return why the server at a URL could not be asked, or gave no whole reply."""
    cause = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    by = _proxy(parts)
    other = "; --server or FREEZEGATE_URL names another" if where == DEFAULT_SERVER else ""
    return f"the server at {where} can't be reached{by}: {_cause(cause)}{other}"


def _proxy(parts: SplitResult) -> str:
    """Return by which proxy of the environment a server is asked, without its password."""
    proxy = proxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.hostname or ""):
        return ""
    return f" by the proxy {proxy.rpartition('@')[2]}"


def _cause(error: Exception) -> str:  # noqa: PLR0911 - one for each kind
    match error:
        case ssl.SSLCertVerificationError():
            return _CERTIFICATES.get(error.verify_code, "its certificate can't be verified")
        case ssl.SSLError():
            plain = error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST")
            return "it speaks no TLS there; perhaps its address is http" if plain else "TLS fails"
        case socket.gaierror():
            return "its name is not known"
        case ConnectionRefusedError():
            return "nothing listens there (connection refused)"
        case TimeoutError():
            return "it does not answer in time"
        case RemoteDisconnected() | ConnectionError():
            return "it closed the connection without a whole reply"
        case HTTPException():
            return "what answers there speaks no HTTP"
        case OSError():
            return _system(error)
    return "its reply can't be read"


def _system(error: OSError) -> str:
    if error.errno in _NO_WAY:
        return "there is no way to it from here (network or host unreachable)"
    if error.errno is None:  # urllib's words for a proxy that refuses a tunnel
        return "the proxy opens no way to it"
    return f"the connection failed ({errno.errorcode.get(error.errno, error.errno)})"
