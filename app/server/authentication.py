"""Authentication and authorisation of requests.

Credentials come as ``Authorization: Bearer …``: an API key, or the identity token of a CI system. A browser
has a session in a cookie, which counts for GET and for the forms of our pages; forms prove their origin. A
caller without credentials has the anonymous role of the settings.
"""

from http import HTTPStatus
from typing import Final

from starlette.requests import Request

from app.gate.errors import ForbiddenError, StoreUnavailableError, UnauthenticatedError
from app.gate.store_cache import caller_of
from app.identity.caller import ANONYMOUS, Caller, Role
from app.identity.credentials import digest, is_key
from app.server.context import Context, context
from app.server.problems import RefusedError
from app.server.refusals import note_refused

SESSION_COOKIE: Final = "freezegate_session"

_INVALID: Final = "that key or token is not valid"
_EMPTY: Final = (
    "Authorization has no key or token: is the secret missing? Leave the header out to ask without one"
)


async def authorised(request: Request, role: Role) -> Caller:
    """Return the caller of a request that needs a role.

    Raises:
        UnauthenticatedError: the credentials are missing or invalid.
        ForbiddenError: the caller's role is insufficient.
        RefusedError: too many credentials from this address have failed.
        StoreUnavailableError: the session can't be looked up, and the anonymous role is insufficient.
    """
    here = context(request)
    caller = await _caller(request, here, role)
    if caller.may(role):
        return caller
    if not caller.name:
        note_refused(request, HTTPStatus.UNAUTHORIZED, "no credentials")
        raise UnauthenticatedError(f"this needs the role {role.value}; send credentials that have it")
    note_refused(request, HTTPStatus.FORBIDDEN, f"needs the role {role.value}", caller.name)
    raise lacking(caller, role)


def lacking(caller: Caller, role: Role) -> ForbiddenError:
    """Return the refusal of a caller whose role is insufficient: one sentence for the API and the pages."""
    has = "none" if caller.role is None else f"the role {caller.role.value}"
    return ForbiddenError(f"this needs the role {role.value}, and {caller.name} has {has}")


def limit_anonymous_claims(request: Request, caller: Caller) -> None:
    """Count a claim without credentials.

    Raises:
        RefusedError: there were too many from this address.
    """
    if not caller.name and (wait := context(request).anonymous_claims.wait(_address(request))):
        note_refused(request, HTTPStatus.TOO_MANY_REQUESTS, "too many claims without credentials")
        raise _too_many("too many claims without credentials from this address", wait)


async def _caller(request: Request, here: Context, role: Role) -> Caller:
    credentials = request.headers.getlist("authorization")
    if not credentials:
        return await _of_browser(request, ANONYMOUS._replace(role=here.anonymous_role), role)
    scheme, _, secret = credentials[0].partition(" ")
    if len(credentials) > 1 or scheme.lower() != "bearer":
        raise failed(request, here, "send credentials once, as Authorization: Bearer …")
    if not secret.strip():
        # Never anonymous: a pipeline whose secret is missing would pass for a caller without credentials.
        raise failed(request, here, _EMPTY)
    if not is_key(secret):
        return await _identified(request, here, secret)
    return await key_caller(request, secret)


async def _of_browser(request: Request, anonymous: Caller, role: Role) -> Caller:
    """Return the caller of a session for a GET, else `anonymous`."""
    # A foreign page can make a browser send the cookie with any method; GET is harmless. HEAD comes as GET.
    if request.method != "GET":
        return anonymous
    try:
        return await session_caller(request, from_memory=True) or anonymous
    except StoreUnavailableError:
        # A cookie must not take away what anonymous callers may see.
        if anonymous.may(role):
            return anonymous
        raise


async def session_caller(request: Request, *, from_memory: bool = False) -> Caller | None:
    """Return the caller of the session in the cookie; None without a valid one.

    Args:
        request: the request of the browser.
        from_memory: whether a session seen before counts while the store can't be reached.

    Raises:
        StoreUnavailableError: it can't be looked up.
    """
    secret = request.cookies.get(SESSION_COOKIE)
    if secret is None:
        return None
    return await context(request).sessions.caller(secret, from_memory=from_memory)


async def key_caller(request: Request, secret: str) -> Caller:
    """Return the caller of an API key.

    Raises:
        UnauthenticatedError: it is not a key, or it is unknown, revoked or expired.
        RefusedError: too many credentials from this address have failed.
    """
    here = context(request)
    if not is_key(secret):
        raise failed(request, here, _INVALID)
    key = here.cache.key(digest(secret)) or await here.cache.key_made_since(digest(secret))
    if key is None:
        raise failed(request, here, _INVALID)
    if key.revoked_at is not None or (
        key.expires_at is not None and key.expires_at <= here.cache.steady.now()
    ):
        note_refused(request, HTTPStatus.UNAUTHORIZED, "the key was revoked or has expired", key.name)
        raise failed(request, here, _INVALID)
    return caller_of(key)


async def _identified(request: Request, here: Context, secret: str) -> Caller:
    from app.identity.oidc import CredentialsError

    if here.providers is None or not here.providers.looks_like_identity_token(secret):
        raise failed(request, here, _INVALID)
    try:
        return await here.providers.authenticate(secret, here.clock.now())
    except CredentialsError as error:
        raise failed(request, here, str(error)) from None


def failed(request: Request, here: Context, why: str) -> Exception:
    """Count a failure of credentials from this address; return the error to raise."""
    if wait := here.failures.wait(_address(request)):
        note_refused(request, HTTPStatus.TOO_MANY_REQUESTS, "too many failed credentials")
        return _too_many("too many credentials from this address have failed", wait)
    note_refused(request, HTTPStatus.UNAUTHORIZED, "invalid credentials")
    return UnauthenticatedError(why)


def check_failures(request: Request) -> None:
    """Refuse to try more credentials from an address of which too many have failed.

    Raises:
        RefusedError: too many have; nothing is counted.
    """
    if wait := context(request).failures.is_over(_address(request)):
        raise _too_many("too many credentials from this address have failed", wait)


def _too_many(why: str, wait: int) -> RefusedError:
    return RefusedError(HTTPStatus.TOO_MANY_REQUESTS, why, headers={"Retry-After": str(wait)})


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
