"""``/policies``: the policies in force, with their reasons and windows in words, and the history of each."""

import json
from typing import Annotated

from fastapi import Path as PathField
from fastapi import Request
from fastapi.responses import JSONResponse, Response
from pydantic import Field, StringConstraints

from app.gate.policies import history, policies, policy
from app.identity.caller import Role
from app.server.context import context
from app.server.field_errors import HISTORY_CURSOR
from app.server.openapi import returns
from app.server.requests import LimitField, Strict, read_query
from app.server.routes import Routes

router = Routes(tags=["state"])

PolicyId = Annotated[str, PathField(description="the policy's id in the file", examples=["friday-afternoon"])]


class HistoryQuery(Strict):
    """The query parameters of a page of a policy's history."""

    cursor: Annotated[str, StringConstraints(pattern=HISTORY_CURSOR)] | None = Field(
        None, description="`next` of the page before; the first page if left out", examples=["1042.friday"]
    )
    limit: LimitField = Field(50, description="the most entries of a page", examples=[200])


@router.operation(
    "GET",
    "/policies",
    role=Role.VIEWER,
    summary="The policies in force",
    responses=returns("PoliciesBody", "the policies"),
)
async def list_policies(request: Request) -> Response:
    """Return every policy with its reason, its windows in words and their next three occurrences."""
    read_query(request, Strict)
    here = context(request)
    in_force, now = here.policies.in_force, here.clock.now()
    # In separate threads from those that questions need.
    body = await here.shared.get(
        ("policies", in_force.revision, in_force.freezes_version, now),
        lambda: json.dumps(policies(in_force, now)).encode(),
    )
    return Response(body, media_type="application/json")


@router.operation(
    "GET",
    "/policies/{policy_id}",
    role=Role.VIEWER,
    summary="One policy in force",
    responses=returns("PolicyBody", "the policy"),
)
async def show_policy(request: Request, policy_id: PolicyId) -> Response:
    """Return one policy with its reason, its windows in words and their next three occurrences."""
    read_query(request, Strict)
    here = context(request)
    return JSONResponse(policy(here.policies.in_force, policy_id, here.clock.now()))


@router.operation(
    "GET",
    "/policies/{policy_id}/history",
    role=Role.VIEWER,
    query=HistoryQuery,
    summary="The changes of one policy",
    responses=returns("PolicyHistory", "a page of changes"),
)
async def show_history(request: Request, policy_id: PolicyId) -> Response:
    """Return the revisions in which the content of a policy changed, newest first, through renames.

    Comments and order are no change, nor are other events of a calendar by URL. A removed policy keeps its
    history.
    """
    query = read_query(request, HistoryQuery)
    here = context(request)
    in_force, revisions = here.policies.in_force, here.gate.revisions
    body = await here.shared.get(
        ("history", in_force.revision, policy_id, query, here.clock.now()),
        lambda: json.dumps(history(in_force, revisions, policy_id, query.cursor, query.limit)).encode(),
    )
    return Response(body, media_type="application/json")
