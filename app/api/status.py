"""``/status``: the state of every environment, current and coming freezes, and the policies."""

import json

from fastapi import Request
from fastapi.responses import Response
from pydantic import Field

from app.gate.status import Asked, status
from app.identity.caller import Role
from app.server.context import context
from app.server.openapi import returns
from app.server.problems import InvalidFieldsError
from app.server.requests import InstantField, NameField, Strict, read_query
from app.server.responses import NO_STORE
from app.server.routes import Routes

router = Routes(tags=["state"])


class StatusQuery(Strict):
    """The parameters of the status."""

    at: InstantField | None = Field(None, description="the instant to show the state of; now if left out")
    environment: NameField | None = Field(
        None, description="the only environment to show; all if left out", examples=["production"]
    )
    cursor: NameField | None = Field(
        None,
        description="`next` of the environment in the page before: show its services from there on",
        examples=["search-api"],
    )

    @property
    def asked(self) -> Asked:
        """The environments and the page that are asked for.

        Raises:
            InvalidFieldsError: the cursor comes without its environment.
        """
        if self.cursor is not None and self.environment is None:
            message = "belongs to one environment; name it in `environment`"
            raise InvalidFieldsError([{"field": "cursor", "message": message}])
        return Asked(self.environment, self.cursor)


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

    Catalogued services are listed where they differ from their environment. If more than 100 do, services in
    the same state share an entry, see `also`. An environment whose services don't fit has `next`: ask for the
    rest with `environment` and `cursor`.
    """
    query = read_query(request, StatusQuery)
    asked = query.asked
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
    key = (in_force.revision, in_force.freezes_version, stale, degraded_since, at, now, calendars, asked)
    # The first time, the rules of every service are found and compiled: no claim should wait for that.
    body = await here.shared.get(
        key, lambda: json.dumps(status(in_force, failure, degraded_since, at, now, calendars, asked)).encode()
    )
    return Response(body, media_type="application/json", headers=NO_STORE)
