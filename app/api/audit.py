"""``/audit``: the audit log, and the verification of its chain."""

import asyncio
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from app.identity.caller import Role
from app.server.context import context
from app.server.middleware import set_deadline
from app.server.openapi import returns
from app.server.requests import PageQuery, Strict, place, read_query
from app.server.responses import json_response
from app.server.routes import Routes

router = Routes(tags=["record"])

_VERIFY_DEADLINE: Final = 600.0
"""Seconds that a verification may take; enough for some fifty million events."""

_one_at_a_time: Final = asyncio.Semaphore(1)
"""Concurrent verifications: each reads the whole record."""


@router.operation(
    "GET",
    "/audit",
    role=Role.ADMIN,
    query=PageQuery,
    summary="Every event, newest first",
    responses=returns("AuditPage", "a page of events"),
)
async def list_events(request: Request) -> Response:
    """Return decisions, grants, approvals, spends, revocations, freezes, keys, policy loads and refusals."""
    query = read_query(request, PageQuery)
    before = place(query.cursor)
    page = await context(request).record.events(before, query.limit)
    return json_response({"events": page.items, "next": page.next})


@router.operation(
    "GET",
    "/audit/verify",
    role=Role.ADMIN,
    summary="Verify the record, and that the tables agree with it",
    responses=returns("VerificationBody", "what was found, also where it is not whole"),
)
async def verify_record(request: Request) -> Response:
    """Read the whole record and compare the tables with it; some ten seconds for a million events."""
    read_query(request, Strict)
    # Waiting for another verification is bounded like any request.
    async with _one_at_a_time:
        set_deadline(request, _VERIFY_DEADLINE)
        found = await context(request).record.verify()
    return json_response(found.to_json())
