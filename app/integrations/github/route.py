"""The webhook of the App: checks the signature, and hands the event to its handler."""

import json
from collections.abc import Mapping
from typing import Any, Final

from fastapi import Request
from fastapi.responses import PlainTextResponse, Response

from app.core.errors import MalformedValueError
from app.integrations.github.delivery import Delivery
from app.integrations.github.events import handle
from app.integrations.github.section import GitHub
from app.integrations.inbound import FAILURES, raw_body, refuse, section_of
from app.integrations.signatures import hmac_matches
from app.server.context import context
from app.server.routes import Routes

_SCHEME: Final = "sha256="
_LONGEST_HEADER: Final = 100
"""Letters of the event and of the id; GitHub's have up to 40."""

router = Routes(tags=["integrations"])


@router.operation(
    "POST",
    "/integrations/github",
    role=None,
    also=FAILURES,
    summary="An event of GitHub",
    responses={200: {"description": "dealt with, or not used; a sentence says which"}},
    response_class=PlainTextResponse,
)
async def receive(request: Request) -> Response:
    """Take an event of the GitHub App, signed with the secret of its webhook."""
    section = section_of(request, "github", GitHub)
    body = await raw_body(request)
    given = request.headers.getlist("x-hub-signature-256")
    digests = [each.removeprefix(_SCHEME) for each in given if each.startswith(_SCHEME)]
    if not hmac_matches(section.secrets("secret"), body, digests):
        raise refuse(request, "the signature in X-Hub-Signature-256 is not valid")
    parts = context(request)
    delivery = Delivery(
        _header(request, "x-github-event"), _header(request, "x-github-delivery"), _payload(body)
    )
    done = await handle(section, parts.gate, parts.clock, delivery)
    return PlainTextResponse(f"{done}\n", headers={"Cache-Control": "no-store"})


def _header(request: Request, name: str) -> str:
    values = request.headers.getlist(name)
    if len(values) != 1 or not 1 <= len(values[0]) <= _LONGEST_HEADER:
        raise MalformedValueError(f"the header {name} is missing, repeated or too long")
    return values[0]


def _payload(body: bytes) -> Mapping[str, Any]:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        raise MalformedValueError(
            "the body is no JSON object; set the content type of the webhook to application/json"
        )
    return payload
