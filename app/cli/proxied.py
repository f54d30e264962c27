"""Send one HTTP request through a proxy of the environment, with urllib."""

import ssl
from collections.abc import Callable, Mapping
from http.client import HTTPResponse
from typing import TYPE_CHECKING
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request, UnknownHandler

if TYPE_CHECKING:
    from app.cli.server import Prepared


def opened(
    request: "Prepared", timeout: float, proxies: Mapping[str, str], tls_context: Callable[[], ssl.SSLContext]
) -> HTTPResponse:
    """Open a response of any status; the opener neither follows redirects nor raises for error statuses.

    Args:
        request: the request.
        timeout: seconds for each step on the socket.
        proxies: the proxies by scheme; NO_PROXY exempts servers from them.
        tls_context: returns the certificates to trust; called for https only.

    Raises:
        OSError: there is no connection, or it broke off.
        HTTPException: the response is not HTTP.
        ValueError: the proxy or a part of the request is not valid.
    """
    opener = OpenerDirector()
    opener.add_handler(ProxyHandler(dict(proxies)))
    opener.add_handler(HTTPHandler())
    opener.add_handler(UnknownHandler())
    if any(url.startswith("https:") for url in (request.url, *proxies.values())):
        opener.add_handler(HTTPSHandler(context=tls_context()))
    sent = Request(request.url, request.content, dict(request.headers), method=request.method)  # noqa: S310
    response: HTTPResponse = opener.open(sent, timeout=timeout)
    return response
