"""``/dashboard/sign-in``: exchange an API key for a session, or sign in at an issuer; ``/signed-out``."""

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.gate.errors import UnauthenticatedError, UnknownRecordError
from app.gate.sessions import LIFETIME
from app.identity.oidc.errors import CredentialsError, NoRuleError
from app.identity.oidc.login import LIFETIME as LOGIN_LIFETIME
from app.identity.oidc.login import Login, local_path
from app.identity.oidc.people import People, SignedIn
from app.server.authentication import SESSION_COOKIE, check_failures, failed, key_caller
from app.server.context import context
from app.server.refusals import note_refused
from app.server.root_path import root_of
from app.web.cookies import delete_cookie, set_cookie
from app.web.flash import redirect_with_flash
from app.web.forms import FORM_COOKIE, form_value, sign_in_form
from app.web.pages import PageRoute, html_response, redirect_away, render

router = APIRouter(prefix="/dashboard", include_in_schema=False, route_class=PageRoute)

_HERE: Final = "/dashboard/sign-in"
_LOGIN_COOKIE: Final = "freezegate_login"
_NOT_BEGUN: Final = "this sign-in was not begun in this browser, or took too long; start again"
_NO_SUCH: Final = "there is no issuer of that name to sign in at"


@router.get("/sign-in")
async def ask_to_sign_in(request: Request) -> Response:
    """Show the issuers, and the form for an API key; `next` is the page to go to afterwards."""
    return _form(request, None)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Exchange an API key for a session; the key is stored neither here nor in the browser."""
    form = await sign_in_form(request)
    place = local_path(form.get("next", "/"))
    try:
        caller = await key_caller(request, form.get("key", ""))
    except UnauthenticatedError:
        return _form(request, None, place, wrong_key="That key is not valid.")
    secret = await context(request).sessions.open(caller, request.headers.get("user-agent", ""))
    return _with_session(request, secret, place)


@router.get("/sign-in/{issuer_id}")
async def sign_in_at(request: Request, issuer_id: str) -> Response:
    """Send the browser to an issuer; a cookie binds the answer to it."""
    people, here = _people(request, issuer_id), context(request)
    now = here.clock.now()
    login = Login.begin(issuer_id, request.query_params.get("next", "/"), now)
    with here.sign_ins.held(request.scope):
        url = await people.begin(login, _redirect_uri(request, issuer_id), now)
    reply = redirect_away(url)
    # Lax: the issuer sends the browser back by a link from another site.
    set_cookie(
        request,
        reply,
        _LOGIN_COOKIE,
        login.cookie,
        path=_login_path(issuer_id),
        lifetime=LOGIN_LIFETIME,
        followed=True,
    )
    return reply


@router.get("/sign-in/{issuer_id}/callback")
async def signed_in_at(request: Request, issuer_id: str) -> Response:
    """Take the issuer's answer, and open a session for the person."""
    people, here = _people(request, issuer_id), context(request)
    check_failures(request)
    if _LOGIN_COOKIE not in request.cookies:
        # Not counted: a page of another site can make any browser ask for this URL, without the cookie.
        note_refused(request, HTTPStatus.UNAUTHORIZED, "no cookie of a sign-in")
        return _refused(request, issuer_id, UnauthenticatedError(_NOT_BEGUN), HTTPStatus.UNAUTHORIZED)
    try:
        with here.sign_ins.held(request.scope):
            signed_in = await _answered(request, people, issuer_id)
    except CredentialsError as error:
        return _refused(request, issuer_id, failed(request, here, str(error)), 401)
    except NoRuleError as error:
        note_refused(request, HTTPStatus.FORBIDDEN, "no rule gives this person a role", error.name)
        return _refused(request, issuer_id, error, 403)
    secret = await here.sessions.open_of_person(
        signed_in.caller, signed_in.issuer, request.headers.get("user-agent", "")
    )
    reply = _with_session(request, secret, signed_in.place, followed=True)
    delete_cookie(request, reply, _LOGIN_COOKIE, path=_login_path(issuer_id))
    return reply


@router.get("/signed-out")
async def signed_out(request: Request) -> Response:
    """Say that the session is over, and offer to sign out at the issuer as well."""
    here = context(request)
    issuer_id = request.query_params.get("issuer", "")
    url = None
    if here.people is not None and issuer_id in here.people.names:
        with here.sign_ins.held(request.scope):
            url = await here.people.farewell(issuer_id, f"{_base(request)}{_HERE}", here.clock.now())
    name = None if here.people is None else here.people.names.get(issuer_id)
    return html_response(render("signed_out.html", root_of(request), name=name, url=url))


async def _answered(request: Request, people: People, issuer_id: str) -> SignedIn:
    now = context(request).clock.now()
    login = Login.of_cookie(request.cookies.get(_LOGIN_COOKIE, ""), issuer_id, now)
    if login is None:
        raise CredentialsError(_NOT_BEGUN)
    return await people.finish(login, _redirect_uri(request, issuer_id), request.query_params, now)


def _refused(request: Request, issuer_id: str, error: Exception, status: int) -> Response:
    """Show why a sign-in failed, with the ways to try again.

    Raises:
        RefusedError: too many credentials from this address have failed.
    """
    if not isinstance(error, UnauthenticatedError | NoRuleError):
        raise error
    reply = _form(request, str(error), status=status)
    delete_cookie(request, reply, _LOGIN_COOKIE, path=_login_path(issuer_id))
    return reply


def _people(request: Request, issuer_id: str) -> People:
    people = context(request).people
    if people is None or issuer_id not in people.names:
        raise UnknownRecordError(_NO_SUCH)
    return people


def _with_session(request: Request, secret: str, place: str, *, followed: bool = False) -> Response:
    reply = redirect_with_flash(request, "signed-in", place, followed=followed)
    # Lax, so that a link from another site to the dashboard finds the viewer signed in.
    set_cookie(request, reply, SESSION_COOKIE, secret, path="/", lifetime=LIFETIME, followed=True)
    return reply


def _login_path(issuer_id: str) -> str:
    return f"{_HERE}/{issuer_id}"


def _redirect_uri(request: Request, issuer_id: str) -> str:
    """Return the URL that the issuer sends the browser back to; it must be registered there."""
    return f"{_base(request)}{_login_path(issuer_id)}/callback"


def _base(request: Request) -> str:
    """Return the URL of this gate, as the browser uses it, with the root path."""
    return str(request.base_url).rstrip("/")


def _form(
    request: Request, why: str | None, place: str | None = None, *, wrong_key: str = "", status: int = 401
) -> Response:
    """Return the page to sign in: a failure at an issuer stands above the form, a wrong key beside it."""
    proof, people = form_value(request), context(request).people
    reply = html_response(
        render(
            "sign_in.html",
            root_of(request),
            proof=proof,
            why=why,
            wrong={"key": wrong_key} if wrong_key else {},
            issuers={} if people is None else people.names,
            place=local_path(request.query_params.get("next", "/")) if place is None else place,
        ),
        200 if why is None and not wrong_key else status,
    )
    set_cookie(request, reply, FORM_COOKIE, proof, path=_HERE, lifetime=None)
    return reply
