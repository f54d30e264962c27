"""Forms: read as strictly as everything else, and taken only from pages of our own.

A form of somebody who is signed in carries a proof that only a page of that session can know. The
form that signs in carries a random value that stands in a cookie as well. Neither trusts what a
browser says of where a request comes from, for not every browser says it.
"""

import hmac
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
PROOF: Final = "proof"
_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 128

_TICKED: Final = frozenset({"environments", "exempt_changes"})
"""Fields of which a browser sends one for each box that is ticked; they are joined by commas."""


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form that were filled in.

    Raises:
        InvalidFieldsError: it can't be read, or a field is given twice.
        RefusedError: it is too large, or no form.
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
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields and name not in _TICKED:
            raise InvalidFieldsError([{"field": shown_name(name), "message": "is given more than once"}])
        fields[name] = f"{fields[name]},{value}" if name in fields else value
    return {name: value.strip() for name, value in fields.items() if value.strip()}


async def signed_in(request: Request, role: Role) -> tuple[Caller, dict[str, str]]:
    """Who sends a form out of a session, and the form without its proof.

    Raises:
        UnauthenticatedError: there is no session, or none that is good.
        ForbiddenError: the role does not reach so far, or the form comes from elsewhere.
        RefusedError: the form can't be read.
        StoreUnavailableError: the session can't be looked up; then nothing could be done, either.
    """
    caller = await session_caller(request)
    if caller is None:
        raise UnauthenticatedError("your session has ended; sign in again")
    form = await read_form(request)
    if _from_elsewhere(request) or not proves(form.pop(PROOF, ""), request.cookies[SESSION_COOKIE]):
        raise ForbiddenError("this form is not from your session; reload the page")
    if not caller.may(role):
        raise ForbiddenError(f"this needs the role {role.value}")
    return caller, form


async def signing_in(request: Request) -> dict[str, str]:
    """The form that signs in.

    Raises:
        ForbiddenError: it comes from elsewhere.
        RefusedError: it can't be read.
    """
    form = await read_form(request)
    given, kept = form.pop(PROOF, ""), request.cookies.get(FORM_COOKIE, "")
    same = bool(kept) and hmac.compare_digest(given.encode(errors="replace"), kept.encode(errors="replace"))
    if _from_elsewhere(request) or not same:
        raise ForbiddenError("this form is not from this site, or cookies are off; reload the page")
    return form


def _from_elsewhere(request: Request) -> bool:
    """Whether the browser says that another site sent this; not every browser says so."""
    return request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
