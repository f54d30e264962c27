"""``POST /integrations/hcp-terraform``: a run task of HCP Terraform or Terraform Enterprise.

The request is answered with 200 at once, and the result is sent to its callback address. Runs are held before
they apply. Other stages, and speculative runs, change nothing: their task passes right away. If its result
can't be sent, the request is not answered with 200, and is repeated.
"""

import logging
from http import HTTPStatus
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from app.core.errors import UnknownNameError
from app.gate.holds import HoldRequest
from app.identity.caller import Caller, Role
from app.integrations.callback_url import LONGEST_URL, callback_url
from app.integrations.deploy_rule import UnmatchedDeployError, find_question
from app.integrations.hcp_terraform.message import LONGEST_WAIT, send_result
from app.integrations.hcp_terraform.section import HcpTerraform
from app.integrations.inbound import FAILURES, raw_body, refuse, section_of
from app.integrations.note import link, note
from app.integrations.signatures import hmac_matches
from app.server.context import context
from app.server.log import event
from app.server.openapi import returns_text
from app.server.problems import RefusedError
from app.server.requests import parse_json, validated
from app.server.routes import Routes

router = Routes(tags=["integrations"])

CALLER: Final = Caller("hcp-terraform", Role.CI)

GATED: Final = "pre_apply"
"""The stage that is held; the plan is confirmed by then, and nothing has changed yet."""

VERIFICATION: Final = "test-token"
"""The access token of the request that is sent when the run task is created."""

_REPEATED_AFTER: Final = 5
_DEADLINE: Final = 5.0
"""Seconds for each wait of a result while the request itself waits for its answer."""

_Word = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class RunTaskRequest(BaseModel):
    """The payload of a run task, as far as it is read; newer versions may add fields."""

    model_config = ConfigDict(frozen=True)

    stage: _Word
    access_token: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,4000}$")]
    task_result_id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    task_result_callback_url: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_URL)]
    organization_name: _Word
    workspace_name: _Word
    is_speculative: bool = False
    run_id: str | None = Field(None, max_length=500)
    run_app_url: str | None = Field(None, max_length=2_000)
    run_created_by: str | None = Field(None, max_length=2_000)


@router.operation(
    "POST",
    "/integrations/hcp-terraform",
    role=None,
    also=FAILURES,
    response_class=Response,
    summary="Hold this run before it applies. Called by HCP Terraform as a run task",
    responses=returns_text("text/plain", "taken; the result is sent to the callback address"),
)
async def run_task(request: Request) -> Response:
    """Take a run task, whose result is sent later.

    `X-TFC-Task-Signature` must be the HMAC-SHA512 of the body with the secret of the section; an unsigned
    request is refused, so the run task needs an HMAC key.
    """
    section = section_of(request, "hcp-terraform", HcpTerraform)
    raw = await raw_body(request)
    digests = [each for each in request.headers.getlist("x-tfc-task-signature") if each]
    if not hmac_matches(section.secrets("secret"), raw, digests, "sha512"):
        raise refuse(request, "X-TFC-Task-Signature is not the HMAC-SHA512 of the body with the secret")
    payload = parse_json(raw)
    if payload.get("access_token") != VERIFICATION:
        await _take(request, section, validated(payload, RunTaskRequest))
    return Response(headers={"Cache-Control": "no-store"})


async def _take(request: Request, section: HcpTerraform, task: RunTaskRequest) -> None:
    url = callback_url(task.task_result_callback_url, section.hosts)
    if task.stage != GATED or task.is_speculative:
        _warn_of_stage(task)
        await _send_at_once(request, task, url, "passed", f"Only {GATED} of a real run is gated.")
        return
    names = {"organization": task.organization_name, "workspace": task.workspace_name}
    here = context(request)
    try:
        await here.holds.hold(
            CALLER,
            HoldRequest(
                question=find_question(section.deployments, names, "hcp-terraform"),
                responder="hcp-terraform",
                key=task.task_result_id,
                target={"callback_url": url},
                expires_at=here.clock.now() + LONGEST_WAIT,
                ref=note(task.run_id),
                actor=note(task.run_created_by),
                run_url=link(task.run_app_url),
                secret=task.access_token,
            ),
            here.policies.in_force,
        )
    except (UnmatchedDeployError, UnknownNameError) as error:
        # A 422 would be repeated, and then shown as a task that can't be reached.
        await _send_at_once(request, task, url, "failed", str(error))


def _warn_of_stage(task: RunTaskRequest) -> None:
    """Log that a real run isn't held; in Terraform, the task is green."""
    if task.stage != GATED and not task.is_speculative:
        event(
            logging.WARNING,
            "a run task of HCP Terraform stops no run: it is attached to another stage",
            organization=note(task.organization_name),
            workspace=note(task.workspace_name),
            stage=note(task.stage),
            instead=GATED,
        )


async def _send_at_once(request: Request, task: RunTaskRequest, url: str, status: str, message: str) -> None:
    """Send the only result of a task.

    Raises:
        RefusedError: it can't be sent now, so that the request is repeated.
    """
    try:
        async with context(request).outbound.client(_DEADLINE) as client:
            reply = await send_result(client, url, task.access_token, status, message)
        again = (
            reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or reply.status == HTTPStatus.TOO_MANY_REQUESTS
        )
    except Exception:  # noqa: BLE001 - any failure is repeated; its text may hold the address
        again = True
    if again:
        raise RefusedError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "the result can't be sent now; send the request again",
            headers={"Retry-After": str(_REPEATED_AFTER)},
        )
