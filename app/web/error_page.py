"""Error pages: a browser that follows a broken link gets a page, other clients the problem document."""

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from app.web.pages import html_response, render
from app.web.viewer import optional_viewer

Handler = Callable[[Request, Exception], Awaitable[Response]]

_NOT_FOUND: Final = 404


def or_problem(handle: Handler) -> Handler:
    """Wrap an error handler: browsers get a page for 404, everything else stays as `handle` answers."""

    async def handle_or_show(request: Request, error: Exception) -> Response:
        refused = await handle(request, error)
        if refused.status_code != _NOT_FOUND or not wants_page(request):
            return refused
        viewer = await optional_viewer(request)
        body = render(
            "error.html",
            viewer.root,
            viewer=viewer,
            status=_NOT_FOUND,
            heading="Page not found",
            why="There is no such page.",
        )
        return html_response(body, _NOT_FOUND)

    return handle_or_show


def wants_page(request: Request) -> bool:
    """Return whether a browser asks: clients of the API do not name HTML first (RFC 9110, 12.5.1)."""
    first = request.headers.get("accept", "").partition(",")[0].partition(";")[0].strip().lower()
    return request.method in ("GET", "HEAD") and first == "text/html"
