"""``/policy-revisions``: the sets of policies that were in force."""

import json
from typing import Annotated

from fastapi import Path as PathField
from fastapi import Request
from fastapi.responses import Response

from app.core.diff.rendering import render
from app.gate.job_queue import IsUnwanted
from app.gate.revision_diff import difference
from app.identity.caller import Role
from app.server.context import context
from app.server.differences import RESPONSES, DiffQuery, difference_response, form_of
from app.server.jobs import run_job
from app.server.openapi import returns
from app.server.requests import PageQuery, place, read_query
from app.server.routes import Routes

router = Routes(tags=["state"])

OldRevision = Annotated[
    str,
    PathField(
        description="the older revision: `sha256:` and its digits, or the first of them, four at least; "
        "`sha256:` may be left out",
        examples=["sha256:3f9ac02b"],
    ),
]
NewRevision = Annotated[str, PathField(description="the newer revision", examples=["sha256:b7d10c5e"])]


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


@router.operation(
    "GET",
    "/policy-revisions/{old}/diff/{new}",
    role=Role.VIEWER,
    query=DiffQuery,
    also=(409,),
    summary="Compare two revisions that were in force",
    responses=RESPONSES,
)
async def compare_revisions(request: Request, old: OldRevision, new: NewRevision) -> Response:
    """Return which hours open or close, and which policies differ, from one revision to another.

    Ad-hoc freezes are left out. A revision that this version of freezegate does not accept is a 409.
    `Accept: text/markdown` returns Markdown of at most 60,000 characters, `image/svg+xml` a picture.
    """
    query = read_query(request, DiffQuery)
    here = context(request)
    period, form = query.period(here.clock.now()), form_of(request)

    def work(is_unwanted: IsUnwanted) -> bytes:
        found = difference(here.gate.revisions, old, new, period, is_unwanted)
        return render(found.compared, form).encode()

    return difference_response(await run_job(request, work), form)
