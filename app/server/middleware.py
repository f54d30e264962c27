"""The outermost layer: every request gets an id, a line in the log, a count, and safe headers.

``HEAD`` is answered as ``GET`` without the body (RFC 9110, 9.3.2): monitors and caches ask so.

Plain ASGI: a middleware class of the framework's costs twenty times as much a request.
"""

import asyncio
import re
from collections.abc import Iterable
from http import HTTPStatus
from json.encoder import encode_basestring_ascii as quoted
from typing import Final

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.clock import Clock
from app.server.log import RequestLog, logger
from app.server.metrics import Metrics
from app.server.pacing import Pacer
from app.server.problems import problem, problem_for

REQUEST_DEADLINE: Final = 30.0
"""Seconds that a request may take, its body included: every wait has an end."""

LOG_FIELDS: Final = "log_fields"
"""The key of ``scope["state"]`` under which a route adds JSON members to its line in the log."""

ROUTE: Final = "route"
"""The key of ``scope["state"]`` for the route template of an answer that no route gave."""

_DEADLINE: Final = "deadline"

_ENDLESS: Final = frozenset({"/events"})
"""Streams; HEAD is not answered as GET there, because the response has no end."""

_QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Routes that machines poll every few seconds; their lines would drown the rest of the log."""

_URGENT: Final = frozenset(
    {("GET", "/can-deploy"), ("POST", "/can-deploy"), ("GET", "/healthz"), ("GET", "/readyz")}
)
"""Requests that pipelines and probes wait for; all others are paced."""

_UNMATCHED: Final = "unmatched"
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
SAFE_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
_LAST_ANSWER: Final = (*SAFE_HEADERS, (b"connection", b"close"))
"""The headers of the answer to a request that offers an upgrade. Our protocol ignores the offer and drops the
field; another server would read the body as the next request, so the connection is closed."""


def set_deadline(request: Request, seconds: float | None) -> None:
    """Set the deadline of a request to `seconds` from now; None for a stream, which has no end."""
    deadline: asyncio.Timeout = request.scope["state"][_DEADLINE]
    deadline.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)


class RequestIds:
    """New request ids: each is used once in this process, and hardly in another."""

    def __init__(self, clock: Clock) -> None:
        """Begin at the present, in microseconds."""
        self._last = clock.microseconds()

    def new(self) -> bytes:
        """Return an id that no request has."""
        self._last += 1
        return b"%x" % self._last


class Edge:
    """The outermost layer of the application; see the module."""

    def __init__(
        self, app: ASGIApp, clock: Clock, metrics: Metrics, log: RequestLog, ids: "RequestIds | None" = None
    ) -> None:
        """Wrap `app`; count in `metrics`, write to `log`, and take new ids from `ids`."""
        self._app = app
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._ids = ids or RequestIds(clock)
        self._plain: frozenset[str] | None = None
        self._pacer = Pacer()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        if method == "HEAD":
            scope = _as_get(scope)
        exchange = _Exchange(scope, send, method, self._identify(scope), self._clock.microseconds())
        try:
            async with asyncio.timeout(REQUEST_DEADLINE) as deadline:
                scope["state"][_DEADLINE] = deadline
                if (scope["method"], scope["path"]) not in _URGENT:
                    await self._pacer.turn()
                await self._app(scope, receive, exchange.send)
        except TimeoutError:
            late = problem(HTTPStatus.SERVICE_UNAVAILABLE, "the request took too long")
            if not exchange.status:
                await late(scope, receive, exchange.send)
        except Exception as error:
            logger.exception("unforeseen error in request %s", exchange.request_id.decode())
            if exchange.status:
                raise
            await problem_for(error)(scope, receive, exchange.send)
        finally:
            self._account(exchange)

    def _identify(self, scope: Scope) -> bytes:
        """Return the caller's request id if it is well-formed, else a new one."""
        request_id = given_request_id(scope["headers"]) or self._ids.new()
        scope.setdefault("state", {})["request_id"] = request_id.decode()
        return request_id

    def _template(self, scope: Scope) -> str:
        """Return the path template of the route that a request matched."""
        template: str | None = getattr(scope.get("route"), "path", None)
        if template is not None:
            return template
        # The framework notes no route for those that it adds itself; they have no parameters.
        if self._plain is None:
            routes = scope["app"].routes
            self._plain = frozenset(each.path for each in routes if isinstance(each, Route))
        path: str = scope["path"]
        return path if path in self._plain else _UNMATCHED

    def _account(self, exchange: "_Exchange") -> None:
        finished = self._clock.microseconds()
        elapsed = max(0, finished - exchange.started)
        state = exchange.scope["state"]
        route = state.get(ROUTE) or self._template(exchange.scope)
        self._metrics.served(route, exchange.status, elapsed / 1_000_000)
        if self._log.enabled and route not in _QUIET:
            self._log.write(
                finished // 1_000_000,
                f'"message": "request", "request_id": "{exchange.request_id.decode()}", "method": '
                f'{quoted(exchange.method)}, "route": "{route}", "status": {exchange.status}, '
                f'"duration_ms": {elapsed / 1000:.3f}{state.get(LOG_FIELDS, "")}',
            )


def given_request_id(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Return the first well-formed request id of a caller."""
    for name, value in headers:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value
    return None


def _as_get(scope: Scope) -> Scope:
    """Return the scope of a HEAD as that of a GET; unchanged for a stream."""
    return scope if scope["path"] in _ENDLESS else {**scope, "method": "GET"}


def _offers_upgrade(scope: Scope) -> bool:
    for name, _ in scope["headers"]:  # noqa: SIM110 - a generator costs more than the loop
        if name == b"upgrade":
            return True
    return False


class _Exchange:
    """One request and its answer, with the data for the log and the headers to add."""

    __slots__ = ("_send", "added", "method", "request_id", "scope", "started", "status")

    def __init__(self, scope: Scope, send: Send, method: str, request_id: bytes, started: int) -> None:
        self.scope = scope
        self.method = method
        """The method of the client; the application sees GET for a HEAD."""
        self.added = SAFE_HEADERS if not _offers_upgrade(scope) else _LAST_ANSWER
        self.request_id = request_id
        self.started = started
        self.status = 0
        self._send = send

    async def send(self, message: Message) -> None:
        """Pass a message on; add our headers to the first, and remove the body for HEAD."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self.added, (b"x-request-id", self.request_id)]
        elif self.method == "HEAD":
            message = {**message, "body": b""}
        await self._send(message)
