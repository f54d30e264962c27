"""Parse forms strictly, and protect them against cross-site request forgery.

The forms of a session carry a token derived from it. The sign-in form carries a random value that is also
in a cookie. Neither relies on headers about the origin of a request, because not every browser sends them.
"""

import hmac
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request

from app.gate.errors import ForbiddenError, UnauthenticatedError
from app.identity.caller import Caller, Role
from app.identity.credentials import proves
from app.server.authentication import SESSION_COOKIE, session_caller
from app.server.field_errors import shown_name
from app.server.problems import InvalidFieldsError, RefusedError
from app.server.requests import limited_body

FORM_COOKIE: Final = "freezegate_form"
CSRF_FIELD: Final = "proof"
_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 128

_TICKED: Final = frozenset({"environments", "exempt_changes"})
"""Groups of checkboxes, of which a browser sends one field per ticked box; joined by commas."""


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form that were filled in.

    Raises:
        InvalidFieldsError: it is malformed, or has a field twice.
        RefusedError: it is too large, or not a form.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the form of the page")
    raw = await limited_body(request)
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise InvalidFieldsError([{"field": "body", "message": "not a readable form"}]) from None
    fields = {name: value.strip() for name, value in _joined(pairs).items()}
    return {name: value for name, value in fields.items() if value}


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the fields of a form; ticked boxes of one name are comma-separated."""
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields and name not in _TICKED:
            raise InvalidFieldsError([{"field": shown_name(name), "message": "is given more than once"}])
        fields[name] = f"{fields[name]},{value}" if name in fields else value
    return fields


async def session_form(request: Request, role: Role) -> tuple[Caller, dict[str, str]]:
    """Return the caller of a form sent in a session, and the form without its token.

    Raises:
        UnauthenticatedError: there is no valid session.
        ForbiddenError: the role is insufficient, or the form comes from another site.
        RefusedError: the form can't be read.
        StoreUnavailableError: the session can't be looked up.
    """
    caller = await session_caller(request)
    if caller is None:
        raise UnauthenticatedError("your session has ended; sign in again")
    form = await read_form(request)
    if _from_elsewhere(request) or not proves(form.pop(CSRF_FIELD, ""), request.cookies[SESSION_COOKIE]):
        raise ForbiddenError("this form is not from your session; reload the page")
    if not caller.may(role):
        raise ForbiddenError(f"this needs the role {role.value}")
    return caller, form


async def sign_in_form(request: Request) -> dict[str, str]:
    """Return the sign-in form, without its token.

    Raises:
        ForbiddenError: it comes from another site.
        RefusedError: it can't be read.
    """
    form = await read_form(request)
    given, kept = form.pop(CSRF_FIELD, ""), request.cookies.get(FORM_COOKIE, "")
    same = bool(kept) and hmac.compare_digest(given.encode(errors="replace"), kept.encode(errors="replace"))
    if _from_elsewhere(request) or not same:
        raise ForbiddenError("this form is not from this site, or cookies are off; reload the page")
    return form


def _from_elsewhere(request: Request) -> bool:
    """Return whether the browser reports another site as the sender; not every browser reports it."""
    return request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
