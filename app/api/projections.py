"""``/projections``: the places of other systems whose windows the gate keeps in step."""

import json
from typing import Final

from fastapi import Request
from fastapi.responses import Response
from pydantic import Field

from app.gate.errors import UnknownRecordError
from app.identity.caller import Role
from app.server.context import context
from app.server.openapi import returns
from app.server.requests import Strict, read_query
from app.server.responses import NO_STORE
from app.server.routes import Routes

router = Routes(tags=["state"])

_LONGEST_NAME: Final = 256
"""Characters of the name of a place, as the store keeps it."""


class ProjectionQuery(Strict):
    """The parameters of one projection."""

    target: str = Field(
        max_length=32, description="the word of the target on the command line", examples=["argocd"]
    )
    place: str = Field(max_length=_LONGEST_NAME, description="the name of the place", examples=["shop"])


@router.operation(
    "GET",
    "/projections",
    role=Role.VIEWER,
    summary="The places whose windows are kept in step",
    responses=returns("ProjectionList", "the places of the integrations file"),
)
async def list_projections(request: Request) -> Response:
    """Return the places, and what is known of them by the replica that answers."""
    body = {"projections": context(request).gate.projections.listed()}
    return Response(json.dumps(body), media_type="application/json", headers=NO_STORE)


@router.operation(
    "GET",
    "/projections/windows",
    role=Role.VIEWER,
    query=ProjectionQuery,
    also=(404,),
    summary="The windows that a place should have",
    responses=returns("ProjectedWindows", "the windows, and what the target can't follow"),
)
async def show_windows(request: Request) -> Response:
    """Return the windows that a place of the integrations file should have now."""
    query = read_query(request, ProjectionQuery)
    here = context(request)
    projections = here.gate.projections
    place = projections.find(query.target, query.place)
    if place is None:
        raise UnknownRecordError("the integrations file has no such place")
    in_force = here.policies.in_force
    body = await here.shared.get(
        ("projection", in_force.revision, in_force.freezes_version, query.target, query.place),
        lambda: json.dumps(projections.windows(place)).encode(),
    )
    return Response(body, media_type="application/json", headers=NO_STORE)
