"""``/dashboard/sign-in``, ``/sign-out`` and ``/sessions``: sessions of browsers."""

import re
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.gate.errors import UnauthenticatedError, UnknownRecordError
from app.gate.sessions import LIFETIME
from app.identity.caller import Role
from app.server.authentication import SESSION_COOKIE, key_caller, session_caller
from app.server.context import context
from app.server.root_path import root_of
from app.web.cookies import delete_cookie, set_cookie
from app.web.flash import redirect_with_flash
from app.web.forms import FORM_COOKIE, form_value, session_form, sign_in_form
from app.web.pages import PageRoute, html_response, redirect, render
from app.web.viewer import viewer_of

router = APIRouter(prefix="/dashboard", include_in_schema=False, route_class=PageRoute)

_HERE: Final = "/dashboard/sign-in"
_ID: Final = re.compile(r"ses_[0-9a-z]{1,36}")


@router.get("/sign-in")
async def ask_to_sign_in(request: Request) -> Response:
    """Show the form for an API key."""
    return _form(request, None)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Exchange an API key for a session; the key is stored neither here nor in the browser."""
    form = await sign_in_form(request)
    try:
        caller = await key_caller(request, form.get("key", ""))
    except UnauthenticatedError:
        return _form(request, "That key is not valid.")
    secret = await context(request).sessions.open(caller, request.headers.get("user-agent", ""))
    reply = redirect_with_flash(request, "signed-in")
    # Lax, so that a link from another site to the dashboard finds the viewer signed in.
    set_cookie(request, reply, SESSION_COOKIE, secret, path="/", lifetime=LIFETIME, followed=True)
    return reply


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """Close this session."""
    caller, _ = await session_form(request, Role.VIEWER)
    assert caller.session_id is not None  # noqa: S101 - it has just been found by it
    await context(request).sessions.close(caller, caller.session_id)
    reply = redirect_with_flash(request, "signed-out")
    delete_cookie(request, reply, SESSION_COOKIE, path="/")
    return reply


@router.get("/sessions")
async def list_sessions(request: Request) -> Response:
    """List the caller's open sessions; for an admin, those of everyone."""
    caller = await session_caller(request)
    if caller is None:
        return redirect(request, _HERE)
    here = context(request)
    return html_response(
        render(
            "sessions.html",
            root_of(request),
            viewer=viewer_of(request, caller),
            own=caller.session_id,
            sessions=await here.sessions.listed(caller),
            now=here.clock.now(),
            home=here.policies.in_force.home,
        )
    )


@router.post("/sessions/{session_id}/revoke")
async def revoke_session(request: Request, session_id: str) -> Response:
    """Close a session, on every replica at once."""
    caller, _ = await session_form(request, Role.VIEWER)
    if _ID.fullmatch(session_id) is None:
        raise UnknownRecordError("there is no session of that id")
    await context(request).sessions.close(caller, session_id)
    return redirect(request, "/dashboard/sessions")


def _form(request: Request, why: str | None) -> Response:
    proof = form_value(request)
    reply = html_response(
        render("sign_in.html", root_of(request), proof=proof, why=why), 200 if why is None else 401
    )
    set_cookie(request, reply, FORM_COOKIE, proof, path=_HERE, lifetime=None)
    return reply
