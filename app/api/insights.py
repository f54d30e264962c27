"""``/insights``: the analysis of the recorded decisions."""

from fastapi import Request
from fastapi.responses import Response
from pydantic import Field

from app.core.errors import MalformedValueError
from app.core.record_period import LONGEST_DAYS, USUAL_DAYS, record_period
from app.gate.insights import InsightsRequest
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
        None,
        alias="from",
        description=f"decided at this instant or later; {USUAL_DAYS} days before `to` if left out",
    )
    to: InstantField | None = Field(
        None,
        description=f"decided before this instant, at most {LONGEST_DAYS} days later; "
        "the end of this minute if left out",
    )
    environment: NameField | None = Field(
        None, description="only of this environment", examples=["production"]
    )
    service: NameField | None = Field(None, description="only of this service", examples=["checkout"])
    change: NameField | None = Field(None, description="only of this kind of change", examples=["normal"])

    def wanted(self, now: int) -> InsightsRequest:
        """Return the filter for the gate."""
        try:
            period = record_period(now, self.from_, self.to)
        except MalformedValueError:
            sentence = f"must be after from, by {LONGEST_DAYS} days at most"
            raise InvalidFieldsError([{"field": "to", "message": sentence}]) from None
        return InsightsRequest(*period, self.service, self.environment, self.change)


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
