"""``/freezes``: stop deploys now, extend, lift."""

import re
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field, StringConstraints

from app.core.policy import GLOB_PATTERN, Selector
from app.gate.errors import UnknownRecordError
from app.gate.freezes import StartRequest, described
from app.identity.caller import Role
from app.server.asking import authorised, needs
from app.server.context import context
from app.server.documented import json_body, parameters, problems
from app.server.problems import InvalidFieldsError
from app.server.reading import (
    InstantField,
    LinkField,
    NameField,
    PageQuery,
    PeriodField,
    Sentence,
    Strict,
    read_body,
    read_query,
)

router = APIRouter(tags=["freezes"])

_ID: Final = re.compile(r"frz_[0-9a-z]{1,36}")
_NO_STORE: Final = {"Cache-Control": "no-store"}

Glob = Annotated[str, StringConstraints(pattern=rf"^{GLOB_PATTERN}$")]


class EndFields(Strict):
    """When a freeze ends: one of three ways to say it."""

    ttl: PeriodField | None = Field(None, description="how long it lasts, from its start (or from now)")
    until: InstantField | None = Field(None, description="when it ends")
    open_ended: Literal[True] | None = Field(
        None, description="true: until somebody lifts it; after a day it is pointed out as forgotten"
    )

    def end(self, counted_from: int) -> int | None:
        """The instant; None for an open end."""
        given = [name for name in ("ttl", "until", "open_ended") if getattr(self, name) is not None]
        if len(given) != 1:
            message = "say when it ends: give ttl, until or open_ended, one of them"
            raise InvalidFieldsError([{"field": "until", "message": message}])
        return self.until if self.ttl is None else counted_from + self.ttl


class StartBody(EndFields):
    """What a freeze is to be."""

    title: Sentence = Field(description="shown to whoever is blocked")
    reason: Sentence = Field(description="why; shown to whoever is blocked")
    environments: list[NameField] | None = Field(None, min_length=1, max_length=50)
    services: list[Glob] | None = Field(None, min_length=1, max_length=50)
    tags: list[Glob] | None = Field(None, min_length=1, max_length=50)
    starts_at: InstantField | None = Field(None, description="when it starts; now if not given")
    override: Literal["token", "never"] = Field("token", description="whether a token may lift it")
    contact: Sentence | None = Field(None, description="whom to ask")
    link: LinkField | None = Field(None, description="where to read more")

    def request(self, now: int) -> StartRequest:
        """As the gate takes it."""
        named = {"environments": self.environments, "services": self.services, "tags": self.tags}
        selector = Selector.model_validate({name: each for name, each in named.items() if each})
        return StartRequest(
            self.title,
            self.reason,
            selector,
            self.starts_at,
            self.end(now if self.starts_at is None else self.starts_at),
            self.override,
            self.contact,
            self.link,
        )


class ListQuery(PageQuery):
    """Which freezes are listed."""

    state: Literal["standing", "all"] = Field(
        "standing", description="standing: those that last, or are scheduled"
    )


class FreezeList(BaseModel):
    """Freezes, newest first."""

    freezes: list[dict[str, Any]]
    next: str | None


@router.post(
    "/freezes",
    summary="Freeze",
    status_code=201,
    responses=problems(401, 403, 413, 415, 422, 429, 503),
    openapi_extra={**needs(Role.OPS), **json_body(StartBody)},
)
async def start(request: Request) -> Response:
    """From the answer on, every replica refuses what it covers."""
    caller = await authorised(request, Role.OPS)
    body = await read_body(request, StartBody)
    here = context(request)
    now = here.clock.now()
    freeze = await here.freezes.start(caller, body.request(now), here.policies.in_force)
    return _reply(described(freeze, now), HTTPStatus.CREATED)


@router.get(
    "/freezes",
    summary="The ad-hoc freezes",
    responses=problems(401, 403, 422, 429, 503),
    openapi_extra={**needs(Role.VIEWER), **parameters(ListQuery)},
)
async def list_freezes(request: Request) -> Response:
    """Those that last or are to come, from memory; with `state=all`, the whole record of them."""
    await authorised(request, Role.VIEWER)
    query = read_query(request, ListQuery)
    here = context(request)
    now = here.clock.now()
    if query.state == "standing":
        standing = [each for each in here.policies.in_force.engine.freezes if each.stands(now)]
        return _reply({"freezes": [described(each, now) for each in standing], "next": None})
    found = await here.freezes.newest(query.cursor, query.limit)
    following = found[-1].id if len(found) == query.limit else None
    return _reply({"freezes": [described(each, now) for each in found], "next": following})


@router.get(
    "/freezes/{freeze_id}",
    summary="One ad-hoc freeze",
    responses=problems(401, 403, 404, 422, 429, 503),
    openapi_extra=needs(Role.VIEWER),
)
async def show(request: Request, freeze_id: str) -> Response:
    """Where it stands."""
    await authorised(request, Role.VIEWER)
    read_query(request, Strict)
    here = context(request)
    return _reply(described(await here.freezes.show(_known(freeze_id)), here.clock.now()))


@router.patch(
    "/freezes/{freeze_id}",
    summary="Extend a freeze, or end it earlier",
    responses=problems(401, 403, 404, 409, 413, 415, 422, 429, 503),
    openapi_extra={**needs(Role.OPS), **json_body(EndFields)},
)
async def extend(request: Request, freeze_id: str) -> Response:
    """Move its end; `ttl` counts from now."""
    caller = await authorised(request, Role.OPS)
    body = await read_body(request, EndFields)
    here = context(request)
    now = here.clock.now()
    freeze = await here.freezes.extend(caller, _known(freeze_id), body.end(now))
    return _reply(described(freeze, now))


@router.delete(
    "/freezes/{freeze_id}",
    summary="Lift a freeze",
    responses=problems(401, 403, 404, 409, 422, 429, 503),
    openapi_extra=needs(Role.OPS),
)
async def lift(request: Request, freeze_id: str) -> Response:
    """Immediate, on every replica. The record stays."""
    caller = await authorised(request, Role.OPS)
    read_query(request, Strict)
    here = context(request)
    freeze = await here.freezes.lift(caller, _known(freeze_id))
    return _reply(described(freeze, here.clock.now()))


def _known(freeze_id: str) -> str:
    if _ID.fullmatch(freeze_id) is None:
        raise UnknownRecordError("there is no freeze of that id")
    return freeze_id


def _reply(body: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Response:
    return JSONResponse(body, status_code=status.value, headers=_NO_STORE)
