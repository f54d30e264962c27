"""``/badge.svg`` and ``/badge.json``: whether deploys are open, for a README."""

import asyncio
from typing import Final

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from app.core.badge import Badge, endpoint, svg
from app.core.feed import Wanted
from app.gate.feeds import badge_of
from app.identity.caller import Role
from app.server.context import context
from app.server.openapi import returns, returns_text
from app.server.requests import NameField, Strict, read_query
from app.server.responses import PICTURE_HEADERS
from app.server.routes import Routes

router = Routes(tags=["feeds"])

_MEDIA_TYPE: Final = "image/svg+xml"

_CACHE: Final = {"Cache-Control": "no-cache, max-age=0"}
"""The image proxies of code hosts cache pictures in a README for hours without this header."""


class BadgeQuery(Strict):
    """The parameters of the badges."""

    environment: NameField = Field("production", description="the environment", examples=["staging"])
    service: NameField | None = Field(
        None, description="the service; the environment as a whole if left out", examples=["checkout"]
    )


@router.operation(
    "GET",
    "/badge.svg",
    role=Role.VIEWER,
    query=BadgeQuery,
    summary="Whether deploys are open, as a picture",
    response_class=Response,
    responses=returns_text(_MEDIA_TYPE, "the picture"),
)
async def draw_badge(request: Request) -> Response:
    """Draw the state in green, amber or red, and in words."""
    return Response(svg(await _badge(request)), media_type=_MEDIA_TYPE, headers={**_CACHE, **PICTURE_HEADERS})


@router.operation(
    "GET",
    "/badge.json",
    role=Role.VIEWER,
    query=BadgeQuery,
    summary="Whether deploys are open, for shields.io to draw",
    responses=returns("EndpointBadge", "the badge"),
)
async def tell_badge(request: Request) -> Response:
    """Return the fields of a shields.io endpoint badge."""
    return JSONResponse(endpoint(await _badge(request)), headers=_CACHE)


async def _badge(request: Request) -> Badge:
    query = read_query(request, BadgeQuery)
    here = context(request)
    wanted = Wanted(query.environment, query.service)
    now, degraded_since = here.clock.now(), here.cache.degraded_since
    return await asyncio.to_thread(badge_of, here.policies.in_force, wanted, degraded_since, now)
