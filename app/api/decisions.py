"""``/decisions``: the record of what was claimed."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator
from typing import Any, Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import Field

from app.gate.errors import UnknownRecordError
from app.gate.record import Page
from app.identity.caller import Role
from app.server.asking import authorised, needs
from app.server.context import Context, context
from app.server.documented import parameters, problems
from app.server.edge import without_deadline
from app.server.reading import InstantField, NameField, Note, PageQuery, Strict, place, read_query
from app.store.records import DecisionFilter

router = APIRouter(tags=["record"])

_NO_STORE: Final = {"Cache-Control": "no-store"}
_CSV: Final = "text/csv"
_NDJSON: Final = "application/x-ndjson"
_EXPORT_TOGETHER: Final = 500
_ID: Final = re.compile(r"dec_[0-9a-z]{1,36}")

_COLUMNS: Final = (
    "decision_id", "recorded_at", "at", "outcome", "service", "environment", "change", "duration_s",
    "caller", "actor", "ref", "run_url", "message", "opens_at", "closes_at", "policy_revision",
)  # fmt: skip

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would run."""


class ListQuery(PageQuery):
    """Which decisions are listed."""

    service: NameField | None = Field(None, description="of this service")
    environment: NameField | None = Field(None, description="of this environment")
    outcome: Literal["allow", "warn", "override", "deny"] | None = Field(None, description="of this outcome")
    actor: Note | None = Field(None, description="claimed or deployed by this one")
    from_: InstantField | None = Field(None, alias="from", description="decided for this instant or later")
    to: InstantField | None = Field(None, description="decided for an instant before this one")

    @property
    def wanted(self) -> DecisionFilter:
        """As the store takes it."""
        return DecisionFilter(self.service, self.environment, self.outcome, self.actor, self.from_, self.to)


@router.get(
    "/decisions",
    summary="The record of decisions, newest first",
    responses={
        200: {"content": {_CSV: {}, _NDJSON: {}}, "description": "a page; in the other types, all of it"},
        **problems(401, 403, 422, 429, 503),
    },
    openapi_extra={**needs(Role.VIEWER), **parameters(ListQuery)},
)
async def list_decisions(request: Request) -> Response:
    """By cursor; `Accept: text/csv` or `application/x-ndjson` exports everything that fits the filter."""
    await authorised(request, Role.VIEWER)
    query = read_query(request, ListQuery)
    here = context(request)
    accepted = request.headers.get("accept", "")
    for media_type, write in ((_CSV, _csv), (_NDJSON, _ndjson)):
        if media_type in accepted:
            without_deadline(request)
            first = await _page(here, query.wanted, None, _EXPORT_TOGETHER)
            exported = write(_all_of_it(here, query.wanted, first))
            return StreamingResponse(exported, media_type=media_type, headers=_NO_STORE)
    page = await _page(here, query.wanted, place(query.cursor), query.limit)
    return JSONResponse({"decisions": page.items, "next": page.next}, headers=_NO_STORE)


@router.get(
    "/decisions/{decision_id}",
    summary="One recorded decision",
    responses=problems(401, 403, 404, 422, 429, 503),
    openapi_extra=needs(Role.VIEWER),
)
async def show(request: Request, decision_id: str) -> Response:
    """What was answered, to whom, and by which policies."""
    await authorised(request, Role.VIEWER)
    read_query(request, Strict)
    if _ID.fullmatch(decision_id) is None:
        raise UnknownRecordError("there is no decision of that id")
    found = await context(request).record.decision(decision_id)
    return JSONResponse(found, headers=_NO_STORE)


async def _page(here: Context, wanted: DecisionFilter, before: int | None, most: int) -> Page:
    return await here.record.decisions(wanted, before, most)


async def _all_of_it(here: Context, wanted: DecisionFilter, page: Page) -> AsyncIterator[dict[str, Any]]:
    while True:
        for item in page.items:
            yield item
        if page.next is None:
            return
        page = await _page(here, wanted, place(page.next), _EXPORT_TOGETHER)


async def _csv(items: AsyncIterator[dict[str, Any]]) -> AsyncIterator[str]:
    yield ",".join(_COLUMNS) + "\r\n"
    async for item in items:
        line = io.StringIO()
        csv.writer(line).writerow([_cell(item[column]) for column in _COLUMNS])
        yield line.getvalue()


def _cell(value: object) -> object:
    """A value as it may stand in a spreadsheet: never as a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


async def _ndjson(items: AsyncIterator[dict[str, Any]]) -> AsyncIterator[str]:
    async for item in items:
        yield json.dumps(item) + "\n"
