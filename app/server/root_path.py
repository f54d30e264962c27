"""The path below which a proxy serves the gate, such as ``/freezegate``: FREEZEGATE_ROOT_PATH.

A proxy may pass that path on or strip it; requests are accepted with it and without. The URLs in answers
(links, forms, cookies, redirects, addresses to copy) begin with it.
"""

from collections.abc import Iterable

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.settings import SettingsError


def root_of(request: Request) -> str:
    """Return the root path of this request's gate; empty if it is served at the root."""
    root: str = request.scope.get("root_path", "")
    return root


class RootPath:
    """A pair of middleware that strips the root path from requests, and restores it for the framework.

    Between `before` and `within`, paths are those of our own routes, with any root path.
    """

    def __init__(self) -> None:
        """Serve at the root until `set` is called."""
        self._root = ""

    @property
    def root(self) -> str:
        """The path below which the gate is served; empty if it is served at the root."""
        return self._root

    def set(self, root: str, routes: Iterable[str]) -> None:
        """Serve below `root`.

        Raises:
            SettingsError: one of the gate's own `routes` begins with it, so paths would be ambiguous
                behind a proxy that strips it.
        """
        first = root.split("/")[1] if root else ""
        if first and any(route.split("/")[1] == first for route in routes):
            raise SettingsError(f"FREEZEGATE_ROOT_PATH: the gate has a route /{first} itself; choose another")
        self._root = root

    def before(self, app: ASGIApp) -> ASGIApp:
        """Return an application that passes requests to `app` without the root path."""

        async def take_off(scope: Scope, receive: Receive, send: Send) -> None:
            if self._root and scope["type"] == "http":
                scope["path"] = self._without_root(scope["path"])
            await app(scope, receive, send)

        return take_off

    def within(self, app: ASGIApp) -> ASGIApp:
        """Return an application that passes requests to `app` with `root_path` in `path`, as in ASGI 3."""

        async def give_back(scope: Scope, receive: Receive, send: Send) -> None:
            if not self._root or scope["type"] != "http":
                await app(scope, receive, send)
                return
            path = scope["path"]
            # In place, because the outer layers read the route that the router notes in the scope.
            scope.update(path=self._root + path, root_path=self._root)
            try:
                await app(scope, receive, send)
            finally:
                scope["path"] = path

        return give_back

    def _without_root(self, path: str) -> str:
        if path == self._root or path.startswith(f"{self._root}/"):
            return path[len(self._root) :] or "/"
        return path
