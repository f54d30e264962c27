"""``/policy-revisions``: the sets of policies that were in force."""

import json

from fastapi import Request
from fastapi.responses import Response

from app.identity.caller import Role
from app.server.context import context
from app.server.openapi import returns
from app.server.requests import PageQuery, place, read_query
from app.server.routes import Routes

router = Routes(tags=["state"])


@router.operation(
    "GET",
    "/policy-revisions",
    role=Role.VIEWER,
    query=PageQuery,
    summary="The history of the policies",
    responses=returns("RevisionPage", "a page of revisions"),
)
async def list_revisions(request: Request) -> Response:
    """Return the sets that were in force, newest first: from when to when, and what each of them changed.

    A set that several replicas load, or that is loaded at every start, is listed once.
    """
    query = read_query(request, PageQuery)
    here = context(request)
    revisions, before = here.gate.revisions, place(query.cursor)
    body = await here.shared.get(
        ("revisions", here.policies.in_force.revision, before, query.limit, here.clock.now()),
        lambda: json.dumps(revisions.page(before, query.limit).to_json("revisions")).encode(),
    )
    return Response(body, media_type="application/json")
