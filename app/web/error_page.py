"""Error pages: a browser that follows a wrong link gets a page, everybody else the problem document."""

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from app.web.pages import page, rendered
from app.web.viewer import present_viewer

Handler = Callable[[Request, Exception], Awaitable[Response]]

_NOT_FOUND: Final = 404


def or_problem(handle: Handler) -> Handler:
    """Return an error handler that shows a browser what is not found as a page; else `handle` answers."""

    async def handle_or_show(request: Request, error: Exception) -> Response:
        refused = await handle(request, error)
        if refused.status_code != _NOT_FOUND or not wants_page(request):
            return refused
        viewer = await present_viewer(request)
        body = rendered(
            "error.html",
            viewer.root,
            viewer=viewer,
            status=_NOT_FOUND,
            heading="Page not found",
            why="There is no such page.",
        )
        return page(body, _NOT_FOUND)

    return handle_or_show


def wants_page(request: Request) -> bool:
    """Tell whether a browser asks: clients of the API do not name HTML first (RFC 9110, 12.5.1)."""
    first = request.headers.get("accept", "").partition(",")[0].partition(";")[0].strip().lower()
    return request.method in ("GET", "HEAD") and first == "text/html"
