"""``POST /integrations/flagger``: the `confirm-rollout` webhook of a canary.

Flagger repeats it at each interval until it is answered with 200, so a denial is a question without a record.
The first allow of a checksum is the deploy: it is a claim whose key is made of the checksum, so that all
further requests for the same revision get the same decision. `pre-rollout` isn't used for the claim: its
failures count towards a rollback.
"""

import hashlib
import json
from http import HTTPStatus
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from app.core.decision import Question
from app.core.decision_text import one_line
from app.core.explain import message
from app.gate.check import check_async
from app.gate.claim import Claim
from app.gate.errors import IdempotencyConflictError
from app.identity.caller import Caller, Role
from app.integrations.deploy_rule import find_question
from app.integrations.flagger.section import Flagger
from app.integrations.inbound import FAILURES, raw_body, refuse, section_of
from app.integrations.signatures import token_matches
from app.server.context import context
from app.server.openapi import returns_text
from app.server.problems import InvalidFieldsError
from app.server.requests import parse_json, validated
from app.server.routes import Routes

router = Routes(tags=["integrations"])

CALLER: Final = Caller("flagger", Role.CI)

_Word = Annotated[str, StringConstraints(min_length=1, max_length=253)]


class CanaryWebhook(BaseModel):
    """The payload of a webhook, as far as it is read; newer versions may add fields."""

    model_config = ConfigDict(frozen=True)

    name: _Word
    namespace: _Word
    checksum: _Word
    metadata: dict[str, Any] = Field(default={}, max_length=100)


@router.operation(
    "POST",
    "/integrations/flagger",
    role=None,
    also=FAILURES,
    response_class=PlainTextResponse,
    summary="May this canary start? Called by Flagger as confirm-rollout",
    responses=returns_text("text/plain", "the canary may start, and the claim is recorded")
    | {
        423: {
            "description": "it waits; Flagger asks again",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
)
async def confirm_rollout(request: Request) -> Response:
    """Answer a `confirm-rollout` webhook, in the words of Flagger.

    `metadata.token` must be the secret of the section. While deploys are frozen, the answer is 423 without
    `Retry-After`: Flagger asks again at its next interval.
    """
    section = section_of(request, "flagger", Flagger)
    webhook = _webhook(request, section, await raw_body(request))
    question = find_question(
        section.deployments, {"namespace": webhook.namespace, "canary": webhook.name}, "flagger"
    )
    here = context(request)
    in_force = here.policies.in_force
    decision = await check_async(in_force, question, here.clock.now())
    if not decision.allowed:
        return _answer(HTTPStatus.LOCKED, message(decision, in_force.home))
    claim = Claim(
        question=question,
        ref=webhook.checksum,
        caller=CALLER,
        idempotency_key=_key(webhook, question),
        request_id=request.scope["state"]["request_id"],
    )
    try:
        claimed = await here.claims.claim(claim, in_force)
    except IdempotencyConflictError as error:  # frozen since this very moment
        return _answer(HTTPStatus.LOCKED, str(error))
    status = HTTPStatus.OK if claimed.allowed else HTTPStatus.LOCKED
    return _answer(status, json.loads(claimed.body)["message"])


def _webhook(request: Request, section: Flagger, raw: bytes) -> CanaryWebhook:
    """Parse a webhook whose token is right.

    Raises:
        UnauthenticatedError: it has none of the tokens; nothing else of it is looked at.
        InvalidFieldsError: a field is missing or malformed.
    """
    try:
        payload = parse_json(raw)
    except InvalidFieldsError:  # without a token, nobody learns what is wrong with it
        payload = {}
    metadata = payload.get("metadata")
    token = metadata.get("token") if isinstance(metadata, dict) else None
    if not isinstance(token, str) or not token_matches(section.secrets("secret"), token):
        raise refuse(request, "metadata.token is not the secret of the integrations file")
    return validated(payload, CanaryWebhook)


def _key(webhook: CanaryWebhook, question: Question) -> str:
    """Return the idempotency key of a revision; of another question, it is another deploy."""
    parts = [webhook.namespace, webhook.name, webhook.checksum, question]
    return f"flagger-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}"


def _answer(status: HTTPStatus, sentence: str) -> Response:
    return PlainTextResponse(
        f"{one_line(sentence)}\n", status_code=status.value, headers={"Cache-Control": "no-store"}
    )
