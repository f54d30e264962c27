"""``/policies``: the policies in force, with their reasons and windows in words."""

import json
from typing import Annotated

from fastapi import Path as PathField
from fastapi import Request
from fastapi.responses import JSONResponse, Response

from app.gate.policies import policies, policy
from app.identity.caller import Role
from app.server.context import context
from app.server.openapi import returns
from app.server.requests import Strict, read_query
from app.server.routes import Routes

router = Routes(tags=["state"])

PolicyId = Annotated[str, PathField(description="the policy's id in the file", examples=["friday-afternoon"])]


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
