"""Flash messages: shown once, on the page after a form was sent.

A cookie carries the message over the redirect. In the URL, any link could claim that a freeze is active.
"""

from collections.abc import Mapping
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from app.web.cookies import delete_cookie, set_cookie
from app.web.pages import redirect

_COOKIE: Final = "freezegate_done"
_LIFETIME: Final = 60
_MESSAGES: Final[Mapping[str, str]] = {
    "frozen": "The freeze is active.",
    "scheduled": "The freeze is scheduled.",
    "changed": "The freeze was changed.",
    "extended": "The end of the freeze was moved.",
    "lifted": "The freeze was lifted.",
    "again": "The freeze is active again.",
    "approved": "The override was approved.",
    "revoked": "The override was revoked.",
    "cancelled": "The deploy was cancelled.",
    "signed-in": "You are signed in.",
    "signed-out": "You are signed out.",
}


def redirect_with_flash(
    request: Request, what: str, place: str = "/", about: str = "", *, followed: bool = False
) -> Response:
    """Redirect to a page that shows a flash message, and perhaps the record that it is about, by its id.

    `followed` if the request came from another site: then the cookie must come after its link.
    """
    reply = redirect(request, place)
    said = f"{what}.{about}" if about else what
    set_cookie(request, reply, _COOKIE, said, path="/", lifetime=_LIFETIME, followed=followed)
    return reply


def flash_message(request: Request) -> str | None:
    """Return the flash message to show, if there is one."""
    return _MESSAGES.get(request.cookies.get(_COOKIE, "").partition(".")[0])


def flash_record(request: Request) -> str:
    """Return the id of the record that the flash message is about; empty if it is about none."""
    return request.cookies.get(_COOKIE, "").partition(".")[2]


def clear_flash(request: Request, reply: Response) -> None:
    """Clear the flash message."""
    if _COOKIE in request.cookies:
        delete_cookie(request, reply, _COOKIE, path="/")
