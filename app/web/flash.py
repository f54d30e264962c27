"""What a page says once, after a form was sent.

A cookie carries it over the redirection: in the address, any link could claim that the freeze is on.
"""

from collections.abc import Mapping
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from app.web.cookies import delete_cookie, set_cookie
from app.web.pages import redirect

_COOKIE: Final = "freezegate_done"
_LIFETIME: Final = 60
_NOTICES: Final[Mapping[str, str]] = {
    "frozen": "The freeze is active.",
    "scheduled": "The freeze is scheduled.",
    "changed": "The freeze was changed.",
    "extended": "The end of the freeze was moved.",
    "lifted": "The freeze was lifted.",
    "approved": "The override was approved.",
    "revoked": "The override was revoked.",
    "signed-in": "You are signed in.",
    "signed-out": "You are signed out.",
}


def done(request: Request, what: str, place: str = "/") -> Response:
    """Go and see what was done."""
    reply = redirect(request, place)
    set_cookie(request, reply, _COOKIE, what, path="/", lifetime=_LIFETIME)
    return reply


def notice(request: Request) -> str | None:
    """What there is to be said."""
    return _NOTICES.get(request.cookies.get(_COOKIE, ""))


def said(request: Request, reply: Response) -> None:
    """Do not say it again."""
    if _COOKIE in request.cookies:
        delete_cookie(request, reply, _COOKIE, path="/")
