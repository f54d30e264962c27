"""``/year``: a whole year of a service or an environment, as data or as a picture."""

import json
from typing import Final

from fastapi import Request
from fastapi.responses import Response
from pydantic import Field

from app.core.field_types import ZoneName
from app.core.instant import DAY
from app.core.wallclock import calendar_date, zone
from app.core.year import YearRequest
from app.core.year.representation import year_to_json
from app.core.year.svg import year_svg
from app.gate.year import year_in_force
from app.identity.caller import Role
from app.server.context import context
from app.server.openapi import returns
from app.server.requests import NameField, Strict, YearField, read_query
from app.server.responses import NO_STORE, PICTURE_HEADERS
from app.server.routes import Routes

router = Routes(tags=["state"])

_SVG: Final = "image/svg+xml"
_JSON: Final = "application/json"


class YearQuery(Strict):
    """The parameters of the year."""

    environment: NameField = Field("production", description="the environment", examples=["staging"])
    year: YearField | None = Field(None, description="the year; the present one if left out", examples=[2027])
    service: NameField | None = Field(
        None, description="the service; the environment as a whole if left out", examples=["checkout"]
    )
    change: NameField = Field("normal", description="the kind of change", examples=["rollback"])
    timezone: ZoneName | None = Field(
        None, description="the zone of its days; the zone of the policies if left out"
    )


@router.operation(
    "GET",
    "/year",
    role=Role.VIEWER,
    query=YearQuery,
    summary="A whole year: what is frozen each day, and the holidays",
    responses={
        200: {
            "description": "the year; as SVG, the picture of it",
            "content": {**returns("YearBody", "")[200]["content"], _SVG: {"schema": {"type": "string"}}},
        }
    },
)
async def show_year(request: Request) -> Response:
    """Return the days of a year with their frozen parts and holidays, and the rules that freeze them.

    `Accept: image/svg+xml` returns the picture, a sheet of A3. At most 20,000 freezes; rules that only warn
    are left out, and so are ad-hoc freezes that ended more than a year ago.
    """
    query = read_query(request, YearQuery)
    here = context(request)
    in_force, now = here.policies.in_force, here.clock.now()
    where = zone(query.timezone) if query.timezone else in_force.home
    today = where.local(now) // DAY
    asked = YearRequest(
        query.year or calendar_date(today).year, query.environment, query.service, query.change
    )
    drawn = _SVG in request.headers.get("accept", "")

    def work() -> bytes:
        shown = year_in_force(in_force, asked, where, now)
        return (year_svg(shown, today) if drawn else json.dumps(year_to_json(shown))).encode()

    key = ("year", in_force.revision, in_force.freezes_version, asked, where.name, today, drawn)
    body = await here.shared.get(key, work)
    headers = NO_STORE | (PICTURE_HEADERS if drawn else {})
    return Response(body, media_type=_SVG if drawn else _JSON, headers=headers)
