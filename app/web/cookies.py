"""The cookies of the pages: set in one place, so that none is ever set with less care than another."""

from fastapi import Request
from fastapi.responses import Response

from app.server.root_path import root_of


def set_cookie(
    request: Request,
    reply: Response,
    name: str,
    value: str,
    *,
    path: str,
    lifetime: int | None,
    followed: bool = False,
) -> None:
    """Give the browser a cookie that no script sees, and that goes over HTTPS only where the page does.

    Args:
        request: what is answered.
        reply: the answer.
        name: of the cookie.
        value: of the cookie.
        path: for which places of the gate it is.
        lifetime: in seconds; None for as long as the browser runs.
        followed: whether it also comes along when somebody follows a link from another site.
    """
    reply.set_cookie(
        name,
        value,
        max_age=lifetime,
        path=root_of(request) + path,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax" if followed else "strict",
    )


def delete_cookie(request: Request, reply: Response, name: str, *, path: str) -> None:
    """Let the browser forget a cookie that was set for `path`."""
    reply.delete_cookie(name, path=root_of(request) + path)
