"""``POST /integrations/kubernetes/admission``: the validating webhook.

A review is a question: nothing is recorded, and no deploy is counted. The API server may ask several times
for one change, and asks for dry runs as well.
"""

import json
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.core.decision import Decision
from app.core.decision_json import AD_HOC
from app.core.errors import MalformedValueError, UnknownNameError
from app.gate.check import check_async
from app.gate.in_force import InForce
from app.identity.caller import Role
from app.integrations.inbound import section_of
from app.integrations.kubernetes import message
from app.integrations.kubernetes.review import API_VERSION, KIND, Review, read_review, uid_of
from app.integrations.kubernetes.section import Kubernetes
from app.server.context import Context, context
from app.server.middleware import LOG_FIELDS
from app.server.problems import InvalidFieldsError, RefusedError
from app.server.requests import limited_body, media_type
from app.server.routes import Routes

router = Routes(tags=["integrations"])

LARGEST_REVIEW: Final = 512 * 1024
"""Bytes, as of a batch: a review holds the object twice, with some 10 KiB each, and rarely over 100 KiB."""

_TIMEOUT: Final = {
    "name": "timeout",
    "in": "query",
    "required": False,
    "description": "sent by the API server; ignored",
    "schema": {"type": "string"},
}


class ReviewBody(BaseModel):
    """The body of a review; see the documentation of Kubernetes."""

    model_config = ConfigDict(extra="allow")

    apiVersion: str = Field(  # noqa: N815 - the name in the protocol
        description="the version of the protocol", examples=[API_VERSION]
    )
    kind: str = Field(description="the kind of message", examples=[KIND])
    request: dict[str, Any] = Field(
        description="the change under review, with its `uid`", examples=[{"uid": "0df28fbd"}]
    )


@router.operation(
    "POST",
    "/integrations/kubernetes/admission",
    role=Role.VIEWER,
    body=ReviewBody,
    headers=(_TIMEOUT,),
    also=(404,),
    summary="May this change be admitted to the cluster?",
    responses={
        200: {
            "description": "the answer, also if it is a deny: an AdmissionReview with `response.allowed`",
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    },
)
async def review(request: Request) -> Response:
    """Answer an AdmissionReview of Kubernetes. It is a question: nothing is recorded.

    Deploys are changes of a pod template; anything else is let through. See
    `docs/how-to/platforms/kubernetes.md` for the webhook configuration.
    """
    here = context(request)
    section = section_of(request, "kubernetes", Kubernetes)
    if media_type(request) != "application/json":
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON, as Content-Type: application/json")
    body = _parsed(await limited_body(request, LARGEST_REVIEW))
    uid = uid_of(body)
    if uid is None:
        raise InvalidFieldsError([{"field": "request.uid", "message": "is required"}])
    in_force, now = here.policies.in_force, here.clock.now()
    try:
        asked = read_review(body, section, in_force.policy_set.usual_change, now)
        content = await _answered(request, here, uid, asked, in_force, now)
    except (MalformedValueError, UnknownNameError) as error:
        content = message.deny(uid, f"freezegate can't tell whether this may be deployed: {error}.")
    return Response(content, media_type="application/json", headers={"Cache-Control": "no-store"})


def _parsed(raw: bytes) -> dict[str, Any]:
    """Parse a review. Looking for repeated members, as in other bodies, would take two thirds of its time."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise InvalidFieldsError([{"field": "body", "message": "not a JSON object"}])
    return body


async def _answered(
    request: Request, here: Context, uid: str, asked: Review, in_force: InForce, now: int
) -> bytes:
    if asked.question is None:
        return message.allow(uid)
    decision = await check_async(in_force, asked.question, now)
    if not asked.dry_run:
        _note(request, here, decision)
    return message.decided(uid, decision, in_force.home)


def _note(request: Request, here: Context, decision: Decision) -> None:
    """Count the question, and name it in the log."""
    outcome, question = decision.outcome.value, decision.question
    rules = [each.rule for each in (decision.blocking or decision.warnings)]
    here.metrics.decided(
        outcome, "question", [AD_HOC if rule.kind == "freeze" else rule.id for rule in rules]
    )
    request.scope["state"][LOG_FIELDS] = (
        f', "service": "{question.service}", "environment": "{question.environment}", "outcome": "{outcome}"'
    )
