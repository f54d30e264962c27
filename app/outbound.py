"""HTTP clients for outgoing calls, to issuers and receivers.

Clients trust the roots of the system and Mozilla's, or those of ``SSL_CERT_FILE`` or ``SSL_CERT_DIR``
where one is set; and also those of ``FREEZEGATE_CA_FILE``. They follow ``HTTPS_PROXY``, ``HTTP_PROXY``,
``ALL_PROXY`` and ``NO_PROXY``, but calls to this machine never go through a proxy: they are the only ones
that may be unencrypted. Clients read no ``.netrc`` and follow no redirect.
"""

import logging
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.core.errors import FreezegateError

if TYPE_CHECKING:
    import httpx

_CA_FILE: Final = "FREEZEGATE_CA_FILE"
_NO_PROXY: Final = (
    "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY is not the URL of a proxy; one is http://proxy.example:3128"
)
_LOOPBACK: Final = ("all://localhost", "all://127.0.0.1", "all://[::1]")
_THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")


class OutboundError(FreezegateError):
    """Unusable certificates or proxy of outgoing calls; the text names the variable."""


class Outbound:
    """A factory of HTTP clients that share trusted roots and proxies."""

    def __init__(self, ca_file: Path | None = None) -> None:
        """Trust the certificates of `ca_file`, PEM, besides the usual ones; nothing is read yet."""
        self._ca_file = ca_file
        self._trusted: ssl.SSLContext | None = None

    def check(self) -> None:
        """Read the certificates and the proxies, so that a mistake is found at startup.

        Raises:
            OutboundError: they can't be used.
        """
        import httpx

        try:
            self.client(1.0)
        # SOCKS needs another library; the error of an unknown scheme quotes the URL, so it is not passed on.
        except (ValueError, ImportError, httpx.InvalidURL):
            raise OutboundError(_NO_PROXY) from None

    def client(self, timeout: float) -> "httpx.AsyncClient":
        """Return a new client; each of its waits lasts `timeout` seconds at most.

        Raises:
            OutboundError: the certificates can't be used.
        """
        import httpx

        _log_no_urls()
        return httpx.AsyncClient(
            timeout=timeout,
            follow_redirects=False,
            verify=self._context(),
            mounts=dict.fromkeys(_LOOPBACK),
            trust_env=True,  # the proxies; certificates are given
        )

    def direct(self, timeout: float, proxy: str | None = None) -> "httpx.AsyncClient":
        """Return a new client that goes through `proxy` only, whatever the environment says; see `client`.

        Raises:
            OutboundError: the certificates or the proxy can't be used.
        """
        import httpx

        _log_no_urls()
        try:
            return httpx.AsyncClient(
                timeout=timeout,
                follow_redirects=False,
                verify=self._context(),
                proxy=proxy,
                trust_env=False,
            )
        except (ValueError, ImportError, httpx.InvalidURL):
            raise OutboundError(_NO_PROXY) from None

    def proxy_for(self, scheme: str, host: str) -> str | None:
        """Return the proxy that the environment sets for a scheme and host; None if there is none."""
        from urllib.request import getproxies, proxy_bypass

        proxies = getproxies()
        proxy = proxies.get(scheme) or proxies.get("all")
        if not proxy or proxy_bypass(host) or host in _THIS_MACHINE:
            return None
        return proxy if "://" in proxy else f"http://{proxy}"

    def tls_context(self) -> ssl.SSLContext:
        """Return the context for connections of other protocols than HTTP.

        Raises:
            OutboundError: the certificates can't be used.
        """
        return self._context()

    def _context(self) -> ssl.SSLContext:
        if self._trusted is None:
            context = _system_trust()
            if self._ca_file is not None:
                try:
                    context.load_verify_locations(cafile=self._ca_file)
                except (OSError, ssl.SSLError) as error:
                    raise _unusable(_CA_FILE, error) from None
            self._trusted = context
        return self._trusted


def _log_no_urls() -> None:
    """Silence the libraries: both log the URL of every request, which may be a secret."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _system_trust() -> ssl.SSLContext:
    """Return a context that trusts the system's certificates, or those that the environment names."""
    import httpx

    file, folders = (os.environ.get(name, "") for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    # OpenSSL ignores a missing folder, and then trusts no certificate at all.
    if folders and not any(Path(each).is_dir() for each in folders.split(os.pathsep)):
        raise OutboundError("SSL_CERT_DIR: there is no such folder")
    try:
        context = httpx.create_ssl_context()
    except (OSError, ssl.SSLError) as error:
        raise _unusable("SSL_CERT_FILE", error) from None
    if not file and not folders:
        context.load_default_certs()
    return context


def _unusable(variable: str, error: OSError) -> OutboundError:
    if isinstance(error, ssl.SSLError):
        return OutboundError(f"{variable}: the file holds no certificates in PEM form")
    return OutboundError(f"{variable}: the file can't be read: {error.strerror}")
