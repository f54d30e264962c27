"""``/calendar.ics``: the freezes as a calendar that people subscribe to."""

import hashlib
from http import HTTPStatus
from typing import Final

from fastapi import Request
from fastapi.responses import Response
from pydantic import Field

from app.core.feed import Wanted
from app.core.feed_calendar import rendered
from app.gate.feeds import feed, feed_span
from app.identity.caller import Role
from app.server.context import context
from app.server.openapi import header, returns_text
from app.server.requests import NameField, Strict, read_query
from app.server.routes import Routes

router = Routes(tags=["feeds"])

_MEDIA_TYPE: Final = "text/calendar; charset=utf-8"
_CACHED: Final = "private, max-age=300"
"""Five minutes, so that a new freeze shows soon; private, because a feed may need credentials."""


class CalendarQuery(Strict):
    """The parameters of the feed."""

    environment: NameField = Field("production", description="the environment", examples=["staging"])
    service: NameField | None = Field(
        None, description="the service; the environment as a whole if left out", examples=["checkout"]
    )
    change: NameField | None = Field(
        None, description="the kind of change; the usual one if left out", examples=["rollback"]
    )


@router.operation(
    "GET",
    "/calendar.ics",
    role=Role.VIEWER,
    query=CalendarQuery,
    headers=(header("If-None-Match", "the `ETag` of the calendar that you have"),),
    summary="The freezes, as a calendar to subscribe to",
    response_class=Response,
    responses={
        **returns_text(_MEDIA_TYPE, "the calendar"),
        304: {"description": "the calendar has not changed since the `ETag` that was sent"},
    },
)
async def show_calendar(request: Request) -> Response:
    """Return every freeze from four weeks ago to a year ahead, as iCalendar (RFC 5545)."""
    query = read_query(request, CalendarQuery)
    here = context(request)
    in_force = here.policies.in_force
    wanted = Wanted(query.environment, query.service, query.change)
    span = feed_span(here.clock.now())
    stamp = await here.gate.policies_stamp()
    key = ("calendar", in_force.revision, in_force.freezes_version, wanted, span, stamp)
    # Many clients poll at the full hour, and a year of freezes takes a while to render.
    body = await here.shared.get(key, lambda: rendered(feed(in_force, wanted, span, stamp), in_force.home))
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": _CACHED}
    if _is_known(tag, request):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, media_type=_MEDIA_TYPE, headers=headers)


def _is_known(tag: str, request: Request) -> bool:
    """Return whether the client has this version; a proxy that compresses makes the tag a weak one."""
    tags = request.headers.getlist("if-none-match")
    known = {each.strip().removeprefix("W/") for line in tags for each in line.split(",")}
    return tag in known or "*" in known
