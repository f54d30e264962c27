"""``/schedule``: the timeline of a service, segment by segment."""

import json
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import Field

from app.core.decision import Question
from app.core.instant import LATEST
from app.core.interval import Period
from app.gate.schedule import MAX_SCHEDULE, schedule
from app.gate.status import UPCOMING
from app.identity.caller import Role
from app.server.context import context
from app.server.openapi import returns
from app.server.problems import InvalidFieldsError
from app.server.requests import InstantField, NameField, Strict, read_query
from app.server.responses import NO_STORE
from app.server.routes import Routes

router = Routes(tags=["state"])


class ScheduleQuery(Strict):
    """The parameters of the schedule."""

    service: NameField = Field(description="the service", examples=["checkout"])
    environment: NameField = Field("production", description="the environment", examples=["staging"])
    change: NameField = Field("normal", description="the kind of change", examples=["rollback"])
    from_: InstantField | None = Field(None, alias="from", description="the start; now if left out")
    to: InstantField | None = Field(
        None, description="the end, exclusive, at most 366 days later; four weeks later if left out"
    )

    def span(self, now: int) -> Period:
        """Return the start and the end of the schedule."""
        start = now if self.from_ is None else self.from_
        end = min(start + UPCOMING, LATEST) if self.to is None else self.to
        if not 0 < end - start <= MAX_SCHEDULE:
            raise InvalidFieldsError([{"field": "to", "message": "must be after from, by 366 days at most"}])
        return Period(start, end)


@router.operation(
    "GET",
    "/schedule",
    role=Role.VIEWER,
    query=ScheduleQuery,
    summary="What blocks a service, and when",
    responses=returns("ScheduleBody", "the timeline"),
)
async def show_schedule(request: Request) -> Response:
    """Return consecutive segments from `from` to `to`, each with the rules that block in it.

    At most 366 days, 10,000 segments and 100,000 rules in all of them.
    """
    query = read_query(request, ScheduleQuery)
    here = context(request)
    question = Question(query.service, query.environment, query.change)
    span = query.span(here.clock.now())
    in_force = here.policies.in_force
    # In threads of their own, so that questions don't queue behind long schedules.
    body = await here.shared.get(
        ("schedule", in_force.revision, in_force.freezes_version, question, span),
        lambda: _encode(schedule(in_force, question, span)),
    )
    return Response(body, media_type="application/json", headers=NO_STORE)


def _encode(body: dict[str, Any]) -> bytes:
    """Encode a schedule segment by segment: one call for all of it would keep questions waiting meanwhile."""
    segments = body.pop("segments")
    head = json.dumps(body).removesuffix("}")
    return f'{head}, "segments": [{", ".join(map(json.dumps, segments))}]}}'.encode()
