"""``/dashboard/sign-out`` and ``/dashboard/sessions``: sessions of browsers."""

import re
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.gate.errors import UnknownRecordError
from app.identity.caller import Role
from app.server.authentication import SESSION_COOKIE, session_caller
from app.server.context import context
from app.server.root_path import root_of
from app.web.cookies import delete_cookie
from app.web.flash import redirect_with_flash
from app.web.forms import session_form
from app.web.pages import PageRoute, html_response, redirect, render
from app.web.viewer import viewer_of

router = APIRouter(prefix="/dashboard", include_in_schema=False, route_class=PageRoute)

_HERE: Final = "/dashboard/sign-in"
_ID: Final = re.compile(r"ses_[0-9a-z]{1,36}")


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """Close this session."""
    caller, _ = await session_form(request, Role.VIEWER)
    assert caller.session_id is not None  # noqa: S101 - it has just been found by it
    here = context(request)
    issuer = await here.sessions.close(caller, caller.session_id)
    signed_in_at = None if here.people is None else here.people.id_of(issuer)
    reply = (
        redirect_with_flash(request, "signed-out")
        if signed_in_at is None
        else redirect(request, f"/dashboard/signed-out?issuer={signed_in_at}")
    )
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
