"""``/insights``: the analysis of the recorded decisions."""

from fastapi import Request
from fastapi.responses import Response
from pydantic import Field

from app.core.instant import EARLIEST
from app.gate.insights import LONGEST, USUAL, InsightsRequest, until
from app.identity.caller import Role
from app.server.context import context
from app.server.disconnect import cancel_on_disconnect
from app.server.openapi import returns
from app.server.problems import InvalidFieldsError
from app.server.requests import InstantField, NameField, Strict, read_query
from app.server.responses import json_response
from app.server.routes import Routes

router = Routes(tags=["record"])


class InsightsQuery(Strict):
    """The filter of the analysed decisions."""

    from_: InstantField | None = Field(
        None, alias="from", description="decided at this instant or later; 90 days before `to` if left out"
    )
    to: InstantField | None = Field(
        None,
        description="decided before this instant, at most 366 days later; the end of this minute if left out",
    )
    environment: NameField | None = Field(
        None, description="only of this environment", examples=["production"]
    )
    service: NameField | None = Field(None, description="only of this service", examples=["checkout"])
    change: NameField | None = Field(None, description="only of this kind of change", examples=["normal"])

    def wanted(self, now: int) -> InsightsRequest:
        """Return the filter for the gate."""
        end = until(now) if self.to is None else self.to
        start = max(EARLIEST, end - USUAL) if self.from_ is None else self.from_
        if not 0 < (now if self.to is None else end) - start <= LONGEST:
            raise InvalidFieldsError([{"field": "to", "message": "must be after from, by 366 days at most"}])
        return InsightsRequest(start, end, self.service, self.environment, self.change)


@router.operation(
    "GET",
    "/insights",
    role=Role.VIEWER,
    query=InsightsQuery,
    summary="When deploys fail, what policies stop, and how long deploys wait",
    responses=returns("InsightsBody", "the insights, at most a minute old"),
)
async def show_insights(request: Request) -> Response:
    """Count the decisions of a period by the policies in force now, and judge the differences.

    A difference is called one only where there is enough of it to tell.
    """
    query = read_query(request, InsightsQuery)
    here = context(request)
    counting = here.measurement.insights(here.policies.in_force, query.wanted(here.clock.now()))
    found = await cancel_on_disconnect(request, counting)
    return json_response(found)
