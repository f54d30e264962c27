"""``/freezes``: start, list, change and lift ad-hoc freezes."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Path as PathField
from fastapi import Request
from fastapi.responses import Response
from pydantic import Field

from app.gate.freezes import to_json
from app.identity.caller import Role
from app.server.context import context
from app.server.openapi import returns
from app.server.operations import ChangeBody, LiftFields, StartBody
from app.server.requests import (
    PageQuery,
    Strict,
    read_body,
    read_body_or_query,
    read_query,
    record_id,
)
from app.server.responses import json_response, last_id
from app.server.routes import Routes, caller_of

router = Routes(tags=["freezes"])

FreezeId = Annotated[str, PathField(description="the id of the freeze", examples=["frz_8k2m4p6r"])]


class ListQuery(PageQuery):
    """The filter of the list of freezes."""

    state: Literal["standing", "all"] = Field(
        "standing", description="`standing`: those that last or are scheduled", examples=["all"]
    )


@router.operation(
    "POST",
    "/freezes",
    role=Role.OPS,
    body=StartBody,
    summary="Freeze deploys",
    status_code=201,
    responses=returns("FreezeBody", "the freeze; in force on every replica", 201),
)
async def start(request: Request) -> Response:
    """Start or schedule an ad-hoc freeze. Once this answers, every replica blocks what it covers."""
    caller = caller_of(request)
    body = await read_body(request, StartBody)
    here = context(request)
    freeze = await here.freezes.start(caller, body.request(here.clock.now()), here.policies.in_force)
    # Read the clock again: a second may have passed, and by the old one the new freeze would look scheduled.
    return json_response(to_json(freeze, here.clock.now()), HTTPStatus.CREATED)


@router.operation(
    "GET",
    "/freezes",
    role=Role.VIEWER,
    query=ListQuery,
    summary="The ad-hoc freezes",
    responses=returns("FreezePage", "a page of freezes"),
)
async def list_freezes(request: Request) -> Response:
    """Return the active and scheduled freezes; with `state=all`, pages of all freezes."""
    query = read_query(request, ListQuery)
    here = context(request)
    now = here.clock.now()
    if query.state == "standing":
        standing = [each for each in here.policies.in_force.engine.freezes if each.stands(now)]
        return json_response({"freezes": [to_json(each, now) for each in standing], "next": None})
    found = await here.freezes.newest(query.cursor, query.limit)
    following = last_id(found, query.limit)
    return json_response({"freezes": [to_json(each, now) for each in found], "next": following})


@router.operation(
    "GET",
    "/freezes/{freeze_id}",
    role=Role.VIEWER,
    summary="One ad-hoc freeze",
    responses=returns("FreezeBody", "the freeze"),
)
async def show(request: Request, freeze_id: FreezeId) -> Response:
    """Return one ad-hoc freeze, even if it is over."""
    read_query(request, Strict)
    here = context(request)
    return json_response(
        to_json(await here.freezes.show(record_id(freeze_id, "frz", "freeze")), here.clock.now())
    )


@router.operation(
    "PATCH",
    "/freezes/{freeze_id}",
    role=Role.OPS,
    body=ChangeBody,
    also=(409,),
    summary="Change a freeze, but not its past",
    responses=returns("FreezeBody", "the freeze as it is now"),
)
async def change(request: Request, freeze_id: FreezeId) -> Response:
    """Change the members that are sent; `null` removes a contact, a link, a scope or exemptions.

    `starts_at` can move until the freeze has begun. `ttl` counts from now, or from the `starts_at` beside it.
    A freeze that is over is refused with 409.
    """
    caller = caller_of(request)
    body = await read_body(request, ChangeBody)
    here = context(request)
    now = here.clock.now()
    wanted = body.change(now)
    freeze = await here.freezes.change(
        caller, record_id(freeze_id, "frz", "freeze"), wanted, here.policies.in_force
    )
    return json_response(to_json(freeze, now))


@router.operation(
    "DELETE",
    "/freezes/{freeze_id}",
    role=Role.OPS,
    query=LiftFields,
    body=LiftFields,
    also=(409,),
    summary="Lift a freeze",
    responses=returns("FreezeBody", "the freeze, lifted"),
)
async def lift(request: Request, freeze_id: FreezeId) -> Response:
    """End a freeze at once, on every replica; its record stays.

    Send `reason` in a JSON body or as a parameter. A freeze that is over is refused with 409.
    """
    caller = caller_of(request)
    body = await read_body_or_query(request, LiftFields)
    here = context(request)
    freeze = await here.freezes.lift(caller, record_id(freeze_id, "frz", "freeze"), body.reason)
    return json_response(to_json(freeze, here.clock.now()))
