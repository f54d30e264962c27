"""The path below which a proxy serves the gate, such as ``/freezegate``: FREEZEGATE_ROOT_PATH.

A proxy may pass that path on or cut it off; requests are taken with it and without. What the gate hands
out (links, forms, cookies, redirections, addresses to copy) begins with it.
"""

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send


def root_of(request: Request) -> str:
    """Return the path below which this request's gate is served; empty where that is the root."""
    root: str = request.scope.get("root_path", "")
    return root


class RootPath:
    """Stands before the application and takes the root path off the path of each request."""

    def __init__(self) -> None:
        """Serve at the root until `root` is set."""
        self.root = ""

    def before(self, app: ASGIApp) -> ASGIApp:
        """Return an application that sees the paths of its own routes."""

        async def take_off(scope: Scope, receive: Receive, send: Send) -> None:
            if self.root and scope["type"] == "http":
                scope = {**scope, "path": self._without_root(scope["path"]), "root_path": self.root}
            await app(scope, receive, send)

        return take_off

    def _without_root(self, path: str) -> str:
        if path == self.root or path.startswith(f"{self.root}/"):
            path = path[len(self.root) :] or "/"
        # The framework takes it off as well (ASGI 3: `path` includes `root_path`): from a path of our own
        # that begins with the same letters it would take too much.
        return self.root + path if path.startswith(self.root) else path
