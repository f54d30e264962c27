"""``/decisions``: the record of what was claimed, and how it went."""

import re
from collections.abc import AsyncIterator
from functools import partial
from http import HTTPStatus
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Request
from fastapi import Path as PathField
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from app.gate.errors import UnknownRecordError
from app.gate.outcomes import Report, to_json
from app.gate.record import DecisionFilter, Page
from app.identity.caller import Role
from app.server.authentication import authorised, limit_anonymous_claims, needs
from app.server.context import Context, context
from app.server.export import EXPORT_DEADLINE, Export, Rows, csv_pages, ndjson_pages
from app.server.middleware import set_deadline
from app.server.openapi import json_body, parameters, problems, returns
from app.server.requests import (
    InstantField,
    NameField,
    Note,
    PageQuery,
    Strict,
    place,
    read_body,
    read_query,
)

router = APIRouter(tags=["record"])

_NO_STORE: Final = {"Cache-Control": "no-store"}
_CSV: Final = "text/csv"
_NDJSON: Final = "application/x-ndjson"
_EXPORT_TOGETHER: Final = 200
"""Rows of an export that are held at a time."""

_ID: Final = re.compile(r"dec_[0-9a-z]{1,36}")
DecisionId = Annotated[
    str, PathField(description="the id of the recorded decision", examples=["dec_8k2m4p6r"])
]

_COLUMNS: Final = (
    "decision_id", "recorded_at", "at", "outcome", "service", "environment", "change", "duration_s",
    "caller", "actor", "ref", "run_url", "message", "opens_at", "closes_at", "policy_revision",
)  # fmt: skip


class ListQuery(PageQuery):
    """Which decisions are listed."""

    service: NameField | None = Field(None, description="only of this service", examples=["checkout"])
    environment: NameField | None = Field(
        None, description="only of this environment", examples=["production"]
    )
    outcome: Literal["allow", "warn", "override", "deny"] | None = Field(
        None, description="only with this outcome", examples=["override"]
    )
    actor: Note | None = Field(
        None, description="only claimed or deployed by this key, identity or actor", examples=["ada"]
    )
    from_: InstantField | None = Field(
        None, alias="from", description="only those decided at this instant or later"
    )
    to: InstantField | None = Field(None, description="only those decided before this instant")

    @property
    def wanted(self) -> DecisionFilter:
        """As the store takes it."""
        return DecisionFilter(self.service, self.environment, self.outcome, self.actor, self.from_, self.to)


class OutcomeBody(Strict):
    """How a deploy went."""

    result: Literal["succeeded", "failed", "rolled-back"] = Field(
        description="how it went", examples=["rolled-back"]
    )
    incident: Note | None = Field(
        None, description="where its failure is written down: an id or a link", examples=["INC-42"]
    )


@router.get(
    "/decisions",
    summary="The record of decisions, newest first",
    responses={
        200: {
            "description": "a page; as CSV or NDJSON, every decision that matches",
            "content": {
                **returns("DecisionPage", "")[200]["content"],
                _CSV: {"schema": {"type": "string"}},
                _NDJSON: {"schema": {"type": "string"}},
            },
        },
        **problems(401, 403, 422, 429, 503),
    },
    openapi_extra={**needs(Role.VIEWER), **parameters(ListQuery)},
)
async def list_decisions(request: Request) -> Response:
    """Return a page of recorded claims.

    `Accept: text/csv` or `application/x-ndjson` exports everything that matches the filter.
    """
    await authorised(request, Role.VIEWER)
    query = read_query(request, ListQuery)
    here = context(request)
    accepted = request.headers.get("accept", "")
    for media_type, render in ((_CSV, partial(csv_pages, _COLUMNS)), (_NDJSON, ndjson_pages)):
        if media_type in accepted:
            set_deadline(request, EXPORT_DEADLINE)
            first = await _page(here, query.wanted, None, _EXPORT_TOGETHER)
            return Export(render(_all_of_it(here, query.wanted, first)), media_type, here.exports)
    page = await _page(here, query.wanted, place(query.cursor), query.limit)
    return JSONResponse({"decisions": page.items, "next": page.next}, headers=_NO_STORE)


@router.get(
    "/decisions/{decision_id}",
    summary="One recorded decision",
    responses=returns("DecisionWithOutcomes", "the decision") | problems(401, 403, 404, 422, 429, 503),
    openapi_extra=needs(Role.VIEWER),
)
async def show(request: Request, decision_id: DecisionId) -> Response:
    """Return what was answered, to whom and by which policies, and the reports on the deploy."""
    await authorised(request, Role.VIEWER)
    read_query(request, Strict)
    found = await context(request).outcomes.decision(_known(decision_id))
    return JSONResponse(found, headers=_NO_STORE)


@router.post(
    "/decisions/{decision_id}/outcome",
    summary="Report how a deploy went",
    status_code=201,
    responses=returns("ReportedOutcome", "the report", 201)
    | problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 503),
    openapi_extra={**needs(Role.CI), **json_body(OutcomeBody)},
)
async def report(request: Request, decision_id: DecisionId) -> Response:
    """Record how an allowed deploy went, as soon as it is known, even days later.

    Of several reports the last one counts; all are kept. The outcome of a denied claim is refused with 409.
    """
    caller = await authorised(request, Role.CI)
    limit_anonymous_claims(request, caller)
    body = await read_body(request, OutcomeBody)
    told = Report(_known(decision_id), body.result, body.incident)
    outcome = await context(request).outcomes.report(caller, told)
    return JSONResponse(to_json(outcome), status_code=HTTPStatus.CREATED, headers=_NO_STORE)


def _known(decision_id: str) -> str:
    if _ID.fullmatch(decision_id) is None:
        raise UnknownRecordError("there is no decision of that id")
    return decision_id


async def _page(here: Context, wanted: DecisionFilter, before: int | None, most: int) -> Page:
    return await here.record.decisions(wanted, before, most)


async def _all_of_it(here: Context, wanted: DecisionFilter, page: Page) -> AsyncIterator[Rows]:
    while True:
        yield page.items
        if page.next is None:
            return
        page = await _page(here, wanted, place(page.next), _EXPORT_TOGETHER)
