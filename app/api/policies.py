"""``/policies``: what is in force, in words, and why."""

import json
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as PathField
from fastapi.responses import JSONResponse, Response

from app.gate.policies import policies, policy
from app.identity.caller import Role
from app.server.authentication import authorised, needs
from app.server.context import context
from app.server.openapi import problems, returns
from app.server.requests import Strict, read_query

router = APIRouter(tags=["state"])

PolicyId = Annotated[str, PathField(description="the policy's id in the file", examples=["friday-afternoon"])]


@router.get(
    "/policies",
    summary="The policies in force",
    responses=returns("PoliciesBody", "the policies") | problems(401, 403, 422, 429, 503),
    openapi_extra=needs(Role.VIEWER),
)
async def list_policies(request: Request) -> Response:
    """Return every policy with its reason, its windows in words and their next three occurrences."""
    await authorised(request, Role.VIEWER)
    read_query(request, Strict)
    here = context(request)
    in_force, now = here.policies.in_force, here.clock.now()
    # Not in the threads that questions need.
    body = await here.shared.get(
        ("policies", in_force.revision, in_force.freezes_version, now),
        lambda: json.dumps(policies(in_force, now)).encode(),
    )
    return Response(body, media_type="application/json")


@router.get(
    "/policies/{policy_id}",
    summary="One policy in force",
    responses=returns("PolicyBody", "the policy") | problems(401, 403, 404, 422, 429, 503),
    openapi_extra=needs(Role.VIEWER),
)
async def show_policy(request: Request, policy_id: PolicyId) -> Response:
    """Return one policy with its reason, its windows in words and their next three occurrences."""
    await authorised(request, Role.VIEWER)
    read_query(request, Strict)
    here = context(request)
    return JSONResponse(policy(here.policies.in_force, policy_id, here.clock.now()))
