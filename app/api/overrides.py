"""``/overrides``: tokens that let urgent deploys through."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Path as PathField
from fastapi import Request
from fastapi.responses import Response
from pydantic import Field

from app.gate.overrides import to_json
from app.identity.caller import Role
from app.server.context import context
from app.server.openapi import returns
from app.server.operations import GrantBody
from app.server.requests import (
    PageQuery,
    Strict,
    no_body,
    read_body,
    read_query,
    record_id,
)
from app.server.responses import json_response, last_id
from app.server.routes import Routes, caller_of

router = Routes(tags=["overrides"])

OverrideId = Annotated[str, PathField(description="the id of the override", examples=["ovr_8k2m4p6r"])]


class ListQuery(PageQuery):
    """The filter of the list of overrides."""

    state: Literal["active", "all"] = Field(
        "active",
        description="`active`: those that may still let a deploy through, or wait for approval",
        examples=["all"],
    )


@router.operation(
    "POST",
    "/overrides",
    role=Role.OPS,
    body=GrantBody,
    summary="Grant an override token",
    status_code=201,
    responses=returns("GrantedOverride", "the override with its token, shown this once", 201),
)
async def grant(request: Request) -> Response:
    """Grant a token that lets urgent deploys through. No other answer shows the token."""
    caller = caller_of(request)
    body = await read_body(request, GrantBody)
    here = context(request)
    now = here.cache.steady.now()
    override, token = await here.overrides.grant(caller, body.request(now), here.policies.in_force)
    shown = to_json(override, now, here.policies.in_force)
    return json_response({**shown, "token": token}, HTTPStatus.CREATED)


@router.operation(
    "GET",
    "/overrides",
    role=Role.OPS,
    query=ListQuery,
    summary="The overrides, newest first",
    responses=returns("OverridePage", "a page of overrides"),
)
async def list_overrides(request: Request) -> Response:
    """Return a page of overrides with grantor, reason and remaining uses; never a token."""
    query = read_query(request, ListQuery)
    here = context(request)
    usable = query.state == "active"
    found = await here.overrides.newest(usable=usable, before=query.cursor, most=query.limit)
    following = last_id(found, query.limit)
    now = here.cache.steady.now()
    in_force = here.policies.in_force
    return json_response({"overrides": [to_json(each, now, in_force) for each in found], "next": following})


@router.operation(
    "GET",
    "/overrides/{override_id}",
    role=Role.OPS,
    summary="One override",
    responses=returns("OverrideBody", "the override"),
)
async def show(request: Request, override_id: OverrideId) -> Response:
    """Return one override; never its token."""
    read_query(request, Strict)
    here = context(request)
    override = await here.overrides.show(record_id(override_id, "ovr", "override"))
    return json_response(to_json(override, here.cache.steady.now(), here.policies.in_force))


@router.operation(
    "DELETE",
    "/overrides/{override_id}",
    role=Role.OPS,
    summary="Revoke an override",
    responses=returns("OverrideBody", "the override, revoked"),
)
async def revoke(request: Request, override_id: OverrideId) -> Response:
    """End an override at once, on every replica; its record stays."""
    caller = caller_of(request)
    read_query(request, Strict)
    here = context(request)
    override = await here.overrides.revoke(caller, record_id(override_id, "ovr", "override"))
    return json_response(to_json(override, here.cache.steady.now(), here.policies.in_force))


@router.operation(
    "POST",
    "/overrides/{override_id}/approve",
    role=Role.OPS,
    also=(400, 408, 409, 413),
    summary="Approve an override that another person granted",
    responses=returns("OverrideBody", "the override with the approval"),
)
async def approve(request: Request, override_id: OverrideId) -> Response:
    """Approve an override of a policy that requires approvals. Approving your own grant is refused with 403.

    Returns 409 if the override needs no approval, or already has enough.
    """
    caller = caller_of(request)
    await no_body(request)
    here = context(request)
    override = await here.overrides.approve(
        caller, record_id(override_id, "ovr", "override"), here.policies.in_force
    )
    return json_response(to_json(override, here.cache.steady.now(), here.policies.in_force))
