"""``/audit``: every event, and whether the chain is whole."""

import asyncio
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from app.identity.caller import Role
from app.server.authentication import authorised, needs
from app.server.context import context
from app.server.middleware import set_deadline
from app.server.openapi import parameters, problems, returns
from app.server.requests import PageQuery, Strict, place, read_query

router = APIRouter(tags=["record"])

_NO_STORE: Final = {"Cache-Control": "no-store"}
_VERIFY_DEADLINE: Final = 600.0
"""Seconds: some fifty million events."""

_one_at_a_time: Final = asyncio.Semaphore(1)
"""Verifying reads the whole record; twice at once helps nobody."""


@router.get(
    "/audit",
    summary="Every event, newest first",
    responses=returns("AuditPage", "a page of events") | problems(401, 403, 422, 429, 503),
    openapi_extra={**needs(Role.ADMIN), **parameters(PageQuery)},
)
async def list_events(request: Request) -> Response:
    """Return decisions, grants, approvals, spends, revocations, freezes, keys, policy loads and refusals."""
    await authorised(request, Role.ADMIN)
    query = read_query(request, PageQuery)
    before = place(query.cursor)
    page = await context(request).record.events(before, query.limit)
    return JSONResponse({"events": page.items, "next": page.next}, headers=_NO_STORE)


@router.get(
    "/audit/verify",
    summary="Verify the record, and that the tables agree with it",
    responses=returns("VerificationBody", "what was found, also where it is not whole")
    | problems(401, 403, 422, 429, 503),
    openapi_extra=needs(Role.ADMIN),
)
async def verify_record(request: Request) -> Response:
    """Read the whole record and compare the tables with it; some ten seconds for a million events."""
    await authorised(request, Role.ADMIN)
    read_query(request, Strict)
    # To wait for another one is to wait as long as any request may.
    async with _one_at_a_time:
        set_deadline(request, _VERIFY_DEADLINE)
        found = await context(request).record.verify()
    return JSONResponse(found.to_json(), headers=_NO_STORE)
