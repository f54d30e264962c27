"""Set and delete the cookies of the pages, all with the same security attributes."""

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
    """Set a cookie that is HttpOnly, and Secure if the page came over HTTPS.

    Args:
        request: the request.
        reply: the response that sets the cookie.
        name: its name.
        value: its value.
        path: its path below the root path of the gate.
        lifetime: in seconds; None for a session cookie.
        followed: whether the browser also sends it after a link from another site (SameSite=Lax).
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
    """Delete a cookie that was set for `path`."""
    reply.delete_cookie(name, path=root_of(request) + path)
