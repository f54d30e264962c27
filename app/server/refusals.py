"""Requests that are refused for their caller: 401, 403 and 429, counted for the metrics and the record."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.gate.refusals import Refusal
from app.server.context import context
from app.server.middleware import ROUTE
from app.server.rate_limit import network_of

Handler = Callable[[Request, Exception], Awaitable[Response]]

_NOTED: Final = "refusal"
"""The key of a request's state that has why it was refused, once that is counted."""

_CALLER: Final = "caller"
"""The key of its state that has the caller, see `app.server.routes`."""

_REASONS: Final = {
    HTTPStatus.UNAUTHORIZED: "no credentials",
    HTTPStatus.FORBIDDEN: "not allowed to this caller",
    HTTPStatus.TOO_MANY_REQUESTS: "too many requests",
}
"""The statuses that are counted, each with the reason where no other is known."""


def note_refused(request: Request, status: HTTPStatus, why: str, name: str = "") -> None:
    """Count a refused request; of one request only the first reason.

    Args:
        request: the request.
        status: the status that it is answered with.
        why: the reason, in words of ours.
        name: the caller, if known.
    """
    state = request.scope.setdefault("state", {})
    if _NOTED in state:
        return
    state[_NOTED] = why
    here = context(request)
    route = state.get(ROUTE) or getattr(request.scope.get("route"), "path", "")
    here.metrics.refused(route, status, why)
    address = network_of(request.client.host) if request.client else ""
    here.gate.refusals.note(Refusal(status.value, why, request.method, route, address, name))


def counting(handle: Handler) -> Handler:
    """Wrap an error handler: what it refuses with 401, 403 or 429 is counted. A periodic task records it."""

    async def handle_and_count(request: Request, error: Exception) -> Response:
        refused = await handle(request, error)
        if refused.status_code in _REASONS:
            status = HTTPStatus(refused.status_code)
            caller = request.scope.get("state", {}).get(_CALLER)
            note_refused(request, status, _REASONS[status], "" if caller is None else caller.name)
        return refused

    return handle_and_count
