"""``/status``: the state of every environment, current and coming freezes, and the policies."""

import json

from fastapi import Request
from fastapi.responses import Response
from pydantic import Field

from app.gate.status import status
from app.identity.caller import Role
from app.server.context import context
from app.server.openapi import returns
from app.server.requests import InstantField, Strict, read_query
from app.server.responses import NO_STORE
from app.server.routes import Routes

router = Routes(tags=["state"])


class StatusQuery(Strict):
    """The parameters of the status."""

    at: InstantField | None = Field(None, description="the instant to show the state of; now if left out")


@router.operation(
    "GET",
    "/status",
    role=Role.VIEWER,
    query=StatusQuery,
    summary="The freeze state of every environment",
    responses=returns("StatusBody", "the state, whatever it is"),
)
async def show_status(request: Request) -> Response:
    """Return for every environment whether deploys are open, why not, and when that changes.

    Catalogued services are listed where they differ from their environment.
    """
    query = read_query(request, StatusQuery)
    here = context(request)
    now = here.clock.now()
    at = now if query.at is None else query.at
    in_force, failure, degraded_since = (
        here.policies.in_force,
        here.policies.last_error,
        here.cache.degraded_since,
    )
    stale = failure and failure.revision
    calendars = tuple(here.policies.calendar_states)
    key = (in_force.revision, in_force.freezes_version, stale, degraded_since, at, now, calendars)
    # Thousands of catalogued services take a while: neither claims nor other readers should wait for them.
    body = await here.shared.get(
        key, lambda: json.dumps(status(in_force, failure, degraded_since, at, now, calendars)).encode()
    )
    return Response(body, media_type="application/json", headers=NO_STORE)
