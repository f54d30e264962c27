"""``/freezes``: stop deploys now, change, lift."""

import re
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request
from fastapi import Path as PathField
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from app.gate.errors import UnknownRecordError
from app.gate.freezes import to_json
from app.identity.caller import Role
from app.server.authentication import authorised, needs
from app.server.context import context
from app.server.openapi import json_body, parameters, problems, returns
from app.server.operations import ChangeBody, LiftFields, StartBody
from app.server.requests import (
    PageQuery,
    Strict,
    read_body,
    read_body_or_query,
    read_query,
)

router = APIRouter(tags=["freezes"])

_ID: Final = re.compile(r"frz_[0-9a-z]{1,36}")
FreezeId = Annotated[str, PathField(description="the id of the freeze", examples=["frz_8k2m4p6r"])]
_NO_STORE: Final = {"Cache-Control": "no-store"}


class ListQuery(PageQuery):
    """Which freezes are listed."""

    state: Literal["standing", "all"] = Field(
        "standing", description="`standing`: those that last or are scheduled", examples=["all"]
    )


@router.post(
    "/freezes",
    summary="Freeze deploys",
    status_code=201,
    responses=returns("FreezeBody", "the freeze; in force on every replica", 201)
    | problems(400, 401, 403, 408, 413, 415, 422, 429, 503),
    openapi_extra={**needs(Role.OPS), **json_body(StartBody)},
)
async def start(request: Request) -> Response:
    """Start or schedule an ad-hoc freeze. Once this answers, every replica blocks what it covers."""
    caller = await authorised(request, Role.OPS)
    body = await read_body(request, StartBody)
    here = context(request)
    freeze = await here.freezes.start(caller, body.request(here.clock.now()), here.policies.in_force)
    # The time again: a second may have ended, and a freeze from now would look scheduled before its start.
    return _reply(to_json(freeze, here.clock.now()), HTTPStatus.CREATED)


@router.get(
    "/freezes",
    summary="The ad-hoc freezes",
    responses=returns("FreezePage", "a page of freezes") | problems(401, 403, 422, 429, 503),
    openapi_extra={**needs(Role.VIEWER), **parameters(ListQuery)},
)
async def list_freezes(request: Request) -> Response:
    """Return the freezes that last or are scheduled; with `state=all`, every one there was, by cursor."""
    await authorised(request, Role.VIEWER)
    query = read_query(request, ListQuery)
    here = context(request)
    now = here.clock.now()
    if query.state == "standing":
        standing = [each for each in here.policies.in_force.engine.freezes if each.stands(now)]
        return _reply({"freezes": [to_json(each, now) for each in standing], "next": None})
    found = await here.freezes.newest(query.cursor, query.limit)
    following = found[-1].id if len(found) == query.limit else None
    return _reply({"freezes": [to_json(each, now) for each in found], "next": following})


@router.get(
    "/freezes/{freeze_id}",
    summary="One ad-hoc freeze",
    responses=returns("FreezeBody", "the freeze") | problems(401, 403, 404, 422, 429, 503),
    openapi_extra=needs(Role.VIEWER),
)
async def show(request: Request, freeze_id: FreezeId) -> Response:
    """Return one ad-hoc freeze, also one that is over."""
    await authorised(request, Role.VIEWER)
    read_query(request, Strict)
    here = context(request)
    return _reply(to_json(await here.freezes.show(_known(freeze_id)), here.clock.now()))


@router.patch(
    "/freezes/{freeze_id}",
    summary="Change a freeze, but not its past",
    responses=returns("FreezeBody", "the freeze as it is now")
    | problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 503),
    openapi_extra={**needs(Role.OPS), **json_body(ChangeBody)},
)
async def change(request: Request, freeze_id: FreezeId) -> Response:
    """Change the members that are sent; `null` removes a contact, a link, a scope or exemptions.

    `starts_at` can move until the freeze has begun. `ttl` counts from now, or from the `starts_at` beside it.
    A freeze that is over is refused with 409.
    """
    caller = await authorised(request, Role.OPS)
    body = await read_body(request, ChangeBody)
    here = context(request)
    now = here.clock.now()
    wanted = body.change(now)
    freeze = await here.freezes.change(caller, _known(freeze_id), wanted, here.policies.in_force)
    return _reply(to_json(freeze, now))


@router.delete(
    "/freezes/{freeze_id}",
    summary="Lift a freeze",
    responses=returns("FreezeBody", "the freeze, lifted")
    | problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 503),
    openapi_extra={**needs(Role.OPS), **parameters(LiftFields), **json_body(LiftFields, required=False)},
)
async def lift(request: Request, freeze_id: FreezeId) -> Response:
    """End a freeze at once, on every replica; its record stays.

    Send `reason` in a JSON body or as a parameter. A freeze that is over is refused with 409.
    """
    caller = await authorised(request, Role.OPS)
    body = await read_body_or_query(request, LiftFields)
    here = context(request)
    freeze = await here.freezes.lift(caller, _known(freeze_id), body.reason)
    return _reply(to_json(freeze, here.clock.now()))


def _known(freeze_id: str) -> str:
    if _ID.fullmatch(freeze_id) is None:
        raise UnknownRecordError("there is no freeze of that id")
    return freeze_id


def _reply(body: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Response:
    return JSONResponse(body, status_code=status.value, headers=_NO_STORE)
