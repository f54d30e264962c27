"""``/dashboard/policies``: all policies, in words, with their reasons."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.core.rule_style import rule_styles
from app.gate import calendar_state
from app.gate.errors import UnauthenticatedError
from app.gate.policies import policies
from app.identity.caller import Role
from app.server.authentication import authorised
from app.server.context import context
from app.web.offsets import offsets
from app.web.pages import PageRoute, html_response, redirect, render
from app.web.viewer import viewer_of

router = APIRouter(prefix="/dashboard", include_in_schema=False, route_class=PageRoute)


@router.get("/policies")
async def list_policies(request: Request) -> Response:
    """List the policies in force, and what is to be said about their files and calendars."""
    try:
        caller = await authorised(request, Role.VIEWER)
    except UnauthenticatedError:
        return redirect(request, "/dashboard/sign-in")
    here = context(request)
    in_force, now = here.policies.in_force, here.clock.now()
    viewer = viewer_of(request, caller)
    body = render(
        "policies.html",
        viewer.root,
        viewer=viewer,
        seq=here.cache.seq,
        now=now,
        home=in_force.home,
        offsets=offsets(in_force.home, now),
        policies=policies(in_force, now)["policies"],
        calendars=[calendar_state.to_json(each, now) for each in here.policies.calendar_states],
        file_warnings=in_force.warnings,
        styles=rule_styles(in_force.policy_set.policies, (), now),
    )
    return html_response(body)
