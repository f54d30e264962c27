"""Call the routes that pipelines wait for directly: finding its route was half of the work of a claim.

The framework looks through all routes of all routers, and wraps each in layers that ours don't need. The
path of a claim says its route, so that one lookup is enough. All else stays the same: the layers outside,
the role, the errors, and the document, to which the framework's own route still belongs.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.errors import FreezegateError
from app.server.middleware import ROUTE

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
ErrorHandler: TypeAlias = Callable[[Request, Exception], Awaitable[Response]]


class DirectRoutes:
    """Middleware that calls the endpoints of some methods and paths."""

    def __init__(self, endpoints: Mapping[tuple[str, str], Endpoint], handle_error: ErrorHandler) -> None:
        """Call `endpoints` by method and path; their errors are answered by `handle_error`."""
        self._endpoints = endpoints
        self._handle_error = handle_error

    def before(self, app: ASGIApp) -> ASGIApp:
        """Return an application that calls an endpoint, and passes other requests to `app`."""

        async def call_or_pass(scope: Scope, receive: Receive, send: Send) -> None:
            endpoint = self._find(scope) if scope["type"] == "http" else None
            if endpoint is None:
                await app(scope, receive, send)
                return
            scope["state"][ROUTE] = scope["path"]
            request = Request(scope, receive, send)
            try:
                response = await endpoint(request)
            except FreezegateError as error:
                response = await self._handle_error(request, error)
            await response(scope, receive, send)

        return call_or_pass

    def _find(self, scope: Scope) -> Endpoint | None:
        return self._endpoints.get((scope["method"], scope["path"]))
