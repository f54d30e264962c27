"""``POST /integrations/azure-devops``: an Invoke REST API check of Azure DevOps, in callback mode.

Azure describes the check in headers, and a token for the answer is among them. The body is the question, in
our own words: the person who adds the check to an environment writes it.
"""

from typing import Annotated, Final

from pydantic import ConfigDict, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from app.core.decision import Question
from app.core.decision_text import one_line
from app.core.explain import message
from app.core.instant import format_instant
from app.gate.check import check_async
from app.gate.holds import HoldRequest
from app.identity.caller import Caller, Role
from app.integrations.azure_devops.message import plan_url
from app.integrations.azure_devops.section import AzureDevOps
from app.integrations.callback_url import LONGEST_URL, callback_url
from app.integrations.inbound import FAILURES, bearer_token, raw_body, refuse, section_of
from app.integrations.note import link, note
from app.integrations.signatures import token_matches
from app.server.context import context
from app.server.openapi import returns_text
from app.server.problems import InvalidFieldsError
from app.server.requests import DurationField, NameField, Strict, parse_json, validated
from app.server.routes import Routes

router = Routes(tags=["integrations"])

CALLER: Final = Caller("azure-devops", Role.CI)

_Uuid = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"),
    Field(title="UUID"),
]
_Text = Annotated[str, StringConstraints(max_length=2_000)]


class CheckHeaders(Strict):
    """The headers that Azure sends with a check."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    planurl: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_URL)]
    projectid: _Uuid
    hubname: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{1,32}$")]
    planid: _Uuid
    jobid: _Uuid
    taskinstanceid: _Uuid
    authtoken: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,8000}$")]
    timelineid: _Uuid | None = None


class CheckBody(Strict):
    """The body of a check."""

    service: NameField = Field(description="the service to be deployed", examples=["checkout"])
    environment: NameField = Field("production", description="the environment", examples=["staging"])
    change: NameField = Field("normal", description="the kind of change", examples=["rollback"])
    duration: DurationField = Field(
        0,
        description="how long the deploy takes",
        examples=["20m"],
        json_schema_extra={"default": "0s"},
    )
    ref: _Text | None = Field(None, description="what is deployed", examples=["$(Build.SourceVersion)"])
    actor: _Text | None = Field(None, description="who deploys it", examples=["$(Build.RequestedFor)"])
    run_url: _Text | None = Field(None, description="the run", examples=["https://dev.azure.com/acme/…"])


@router.operation(
    "POST",
    "/integrations/azure-devops",
    role=None,
    body=CheckBody,
    also=FAILURES,
    summary="Hold this stage. Called by Azure DevOps as a check in callback mode",
    response_class=PlainTextResponse,
    responses=returns_text("text/plain", "taken; the decision is sent to Azure DevOps"),
)
async def check(request: Request) -> Response:
    """Take a check, whose decision is sent later.

    The secret of the section comes as `Authorization: Bearer`. The headers `PlanUrl`, `ProjectId`, `HubName`,
    `PlanId`, `JobId`, `TaskInstanceId` and `AuthToken` are those that Azure sends by default; with
    `TimelineId`, the log of the check says why it waits.
    """
    section = section_of(request, "azure-devops", AzureDevOps)
    if not token_matches(section.secrets("secret"), bearer_token(request)):
        raise refuse(request, "send the secret of the integrations file as Authorization: Bearer")
    body = validated(parse_json(await raw_body(request)), CheckBody)
    headers = _headers(request)
    target = {
        "plan_url": headers.planurl,
        "project_id": headers.projectid,
        "hub": headers.hubname,
        "plan_id": headers.planid,
        "job_id": headers.jobid,
        "task_id": headers.taskinstanceid,
        "timeline_id": headers.timelineid,
    }
    callback_url(plan_url(target), section.hosts)
    here = context(request)
    in_force, now = here.policies.in_force, here.clock.now()
    question = Question(body.service, body.environment, body.change, body.duration)
    hold = await here.holds.hold(
        CALLER,
        HoldRequest(
            question=question,
            responder="azure-devops",
            key=f"{headers.planid}/{headers.jobid}/{headers.taskinstanceid}".lower(),
            target=target,
            expires_at=now + section.longest_wait,
            ref=note(body.ref),
            actor=note(body.actor),
            run_url=link(body.run_url),
            secret=headers.authtoken,
        ),
        in_force,
    )
    decision = await check_async(in_force, question, now)
    sentence = message(decision, in_force.home)
    if not decision.allowed:
        sentence += f" This check waits until {format_instant(hold.expires_at)} at most, and then fails."
    return PlainTextResponse(f"{one_line(sentence)}\n", headers={"Cache-Control": "no-store"})


def _headers(request: Request) -> CheckHeaders:
    """Read the headers of a check.

    Raises:
        InvalidFieldsError: one is missing, repeated or malformed.
    """
    given = {name: request.headers.getlist(name) for name in CheckHeaders.model_fields}
    repeated = [
        {"field": name, "message": "is given more than once"} for name in given if len(given[name]) > 1
    ]
    if repeated:
        raise InvalidFieldsError(repeated)
    return validated({name: values[0] for name, values in given.items() if values}, CheckHeaders)
