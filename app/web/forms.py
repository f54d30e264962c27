"""Parse forms strictly, and protect them against cross-site request forgery.

The forms of a session carry a token derived from it. The sign-in form carries a random value that is also
in a cookie. Neither relies on headers about the origin of a request, because not every browser sends them.
"""

import asyncio
import hmac
import re
import secrets
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request

from app.gate.errors import ForbiddenError, UnauthenticatedError
from app.identity.caller import Caller, Role
from app.identity.credentials import proves
from app.server.authentication import SESSION_COOKIE, authorised, lacking, session_caller
from app.server.field_errors import shown_name
from app.server.problems import InvalidFieldsError, RefusedError
from app.server.requests import MAX_BODY, limited_body, media_type

FORM_COOKIE: Final = "freezegate_form"
CSRF_FIELD: Final = "proof"
_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 128
_FORM_VALUE: Final = re.compile(r"[A-Za-z0-9_-]{32}")
_FOREIGN: Final = "this form is not from your session; reload the page"

_TICKED: Final = frozenset({"environments", "exempt_changes"})
"""Groups of checkboxes, of which a browser sends one field per ticked box; joined by commas."""


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form that were filled in.

    Raises:
        InvalidFieldsError: it is malformed, or has a field twice.
        RefusedError: it is too large, or not a form.
    """
    pairs = await _pairs(request, MAX_BODY)
    fields = {name: value.strip() for name, value in _joined(pairs).items()}
    return {name: value for name, value in fields.items() if value}


async def _pairs(request: Request, most: int) -> list[tuple[str, str]]:
    """Return the fields of a form as they were sent, in order."""
    if media_type(request) != _FORM:
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the form of the page")
    raw = await limited_body(request, most)
    # A thread for megabytes, because they take tenths of a second.
    return _parsed(raw) if len(raw) <= MAX_BODY else await asyncio.to_thread(_parsed, raw)


def _parsed(raw: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise InvalidFieldsError([{"field": "body", "message": "not a readable form"}]) from None


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
        raise ForbiddenError(_FOREIGN)
    if not caller.may(role):
        raise lacking(caller, role)
    return caller, form


async def texts_form(request: Request, role: Role, most: int) -> tuple[Caller, list[tuple[str, str]]]:
    """Return the caller of a form that changes nothing, and its fields as they were sent, the proof too.

    Without a session, the caller has the anonymous role, and the form proves itself by its cookie.

    Args:
        request: the request of the browser.
        role: the role that the caller needs.
        most: bytes of the form.

    Raises:
        UnauthenticatedError: there is no valid session, and the anonymous role is insufficient.
        ForbiddenError: the role is insufficient, or the form comes from another site.
        RefusedError: the form can't be read.
        StoreUnavailableError: the session can't be looked up.
    """
    caller = await session_caller(request) or await authorised(request, role)
    if not caller.may(role):
        raise lacking(caller, role)
    pairs = await _pairs(request, most)
    proof = dict(pairs).get(CSRF_FIELD, "")
    has_session = caller.session_id is not None
    is_ours = proves(proof, request.cookies[SESSION_COOKIE]) if has_session else _is_kept(request, proof)
    if _from_elsewhere(request) or not is_ours:
        raise ForbiddenError(_FOREIGN)
    return caller, pairs


async def sign_in_form(request: Request) -> dict[str, str]:
    """Return the sign-in form, without its token.

    Raises:
        ForbiddenError: it comes from another site.
        RefusedError: it can't be read.
    """
    form = await read_form(request)
    if _from_elsewhere(request) or not _is_kept(request, form.pop(CSRF_FIELD, "")):
        raise ForbiddenError("this form is not from this site, or cookies are off; reload the page")
    return form


def form_value(request: Request) -> str:
    """Return the value for the cookie of a form without a session.

    That of another tab is used again, so that both forms stay valid.
    """
    kept = request.cookies.get(FORM_COOKIE, "")
    return kept if _FORM_VALUE.fullmatch(kept) else secrets.token_urlsafe(24)


def _is_kept(request: Request, given: str) -> bool:
    """Return whether a form has the value of its cookie."""
    kept = request.cookies.get(FORM_COOKIE, "")
    return bool(kept) and hmac.compare_digest(given.encode(errors="replace"), kept.encode(errors="replace"))


def _from_elsewhere(request: Request) -> bool:
    """Return whether the browser reports another site as the sender; not every browser reports it."""
    return request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
