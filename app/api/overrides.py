"""``/overrides``: tokens that let urgent deploys through."""

import re
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request
from fastapi import Path as PathField
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from app.gate.errors import UnknownRecordError
from app.gate.overrides import to_json
from app.identity.caller import Role
from app.server.authentication import authorised, needs
from app.server.context import context
from app.server.openapi import json_body, parameters, problems, returns
from app.server.operations import GrantBody
from app.server.requests import (
    PageQuery,
    Strict,
    no_body,
    read_body,
    read_query,
)

router = APIRouter(tags=["overrides"])

_ID: Final = re.compile(r"ovr_[0-9a-z]{1,36}")
OverrideId = Annotated[str, PathField(description="the id of the override", examples=["ovr_8k2m4p6r"])]
_NO_STORE: Final = {"Cache-Control": "no-store"}


class ListQuery(PageQuery):
    """Which overrides are listed."""

    state: Literal["active", "all"] = Field(
        "active",
        description="`active`: those that may still let a deploy through, or wait for approval",
        examples=["all"],
    )


@router.post(
    "/overrides",
    summary="Grant an override token",
    status_code=201,
    responses=returns("GrantedOverride", "the override with its token, shown this once", 201)
    | problems(400, 401, 403, 408, 413, 415, 422, 429, 503),
    openapi_extra={**needs(Role.OPS), **json_body(GrantBody)},
)
async def grant(request: Request) -> Response:
    """Grant a token that lets urgent deploys through. No other answer shows the token."""
    caller = await authorised(request, Role.OPS)
    body = await read_body(request, GrantBody)
    here = context(request)
    now = here.cache.steady.now()
    override, token = await here.overrides.grant(caller, body.request(now), here.policies.in_force)
    shown = to_json(override, now, here.policies.in_force)
    return _reply({**shown, "token": token}, HTTPStatus.CREATED)


@router.get(
    "/overrides",
    summary="The overrides, newest first",
    responses=returns("OverridePage", "a page of overrides") | problems(401, 403, 422, 429, 503),
    openapi_extra={**needs(Role.OPS), **parameters(ListQuery)},
)
async def list_overrides(request: Request) -> Response:
    """Return a page of overrides, each with who granted it, why, and what is left of it; never a token."""
    await authorised(request, Role.OPS)
    query = read_query(request, ListQuery)
    here = context(request)
    usable = query.state == "active"
    found = await here.overrides.newest(usable=usable, before=query.cursor, most=query.limit)
    following = found[-1].id if len(found) == query.limit else None
    now = here.cache.steady.now()
    in_force = here.policies.in_force
    return _reply({"overrides": [to_json(each, now, in_force) for each in found], "next": following})


@router.get(
    "/overrides/{override_id}",
    summary="One override",
    responses=returns("OverrideBody", "the override") | problems(401, 403, 404, 422, 429, 503),
    openapi_extra=needs(Role.OPS),
)
async def show(request: Request, override_id: OverrideId) -> Response:
    """Return one override; never its token."""
    await authorised(request, Role.OPS)
    read_query(request, Strict)
    here = context(request)
    override = await here.overrides.show(_known(override_id))
    return _reply(to_json(override, here.cache.steady.now(), here.policies.in_force))


@router.delete(
    "/overrides/{override_id}",
    summary="Revoke an override",
    responses=returns("OverrideBody", "the override, revoked") | problems(401, 403, 404, 422, 429, 503),
    openapi_extra=needs(Role.OPS),
)
async def revoke(request: Request, override_id: OverrideId) -> Response:
    """End an override at once, on every replica; its record stays."""
    caller = await authorised(request, Role.OPS)
    read_query(request, Strict)
    here = context(request)
    override = await here.overrides.revoke(caller, _known(override_id))
    return _reply(to_json(override, here.cache.steady.now(), here.policies.in_force))


@router.post(
    "/overrides/{override_id}/approve",
    summary="Approve an override that another person granted",
    responses=returns("OverrideBody", "the override with the approval")
    | problems(400, 401, 403, 404, 408, 409, 413, 422, 429, 503),
    openapi_extra=needs(Role.OPS),
)
async def approve(request: Request, override_id: OverrideId) -> Response:
    """Approve an override that a policy asks approvals for; never one's own grant (403).

    Where nothing asks for an approval, or for no more, this is 409.
    """
    caller = await authorised(request, Role.OPS)
    await no_body(request)
    here = context(request)
    override = await here.overrides.approve(caller, _known(override_id), here.policies.in_force)
    return _reply(to_json(override, here.cache.steady.now(), here.policies.in_force))


def _known(override_id: str) -> str:
    if _ID.fullmatch(override_id) is None:
        raise UnknownRecordError("there is no override of that id")
    return override_id


def _reply(body: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Response:
    return JSONResponse(body, status_code=status.value, headers=_NO_STORE)
