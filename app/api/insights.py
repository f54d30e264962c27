"""``/insights``: the analysis of the recorded decisions."""

from fastapi import Request
from fastapi.responses import Response

from app.gate.insights import InsightsRequest
from app.identity.caller import Role
from app.server.context import context
from app.server.disconnect import cancel_on_disconnect
from app.server.openapi import returns
from app.server.record_query import RecordQuery
from app.server.requests import read_query
from app.server.responses import json_response
from app.server.routes import Routes

router = Routes(tags=["record"])


class InsightsQuery(RecordQuery):
    """The filter of the analysed decisions."""

    def wanted(self, now: int) -> InsightsRequest:
        """Return the filter for the gate."""
        return InsightsRequest(*self.period(now), self.service, self.environment, self.change)


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
