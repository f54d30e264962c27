"""``/can-deploy``: the question (GET) and the claim (POST)."""

import json
import re
from http import HTTPStatus
from json.encoder import encode_basestring_ascii as quoted
from typing import Annotated, Any, Final, Literal

from fastapi import Request, Response
from pydantic import AfterValidator, Field

from app.core.decision import Question, together
from app.core.decision_json import decision_to_json, determined_by
from app.core.decision_text import decision_text
from app.core.errors import MalformedValueError
from app.gate.check import check_async
from app.gate.claim import Claim, Claimed
from app.identity.caller import Caller, Role
from app.identity.credentials import digest, is_token
from app.server.authentication import limit_anonymous_claims
from app.server.context import Context, context
from app.server.middleware import LOG_FIELDS
from app.server.openapi import header, returns
from app.server.problems import InvalidFieldsError, RefusedError
from app.server.requests import (
    DecisionIdField,
    DurationField,
    InstantField,
    KeyField,
    NameField,
    Note,
    Strict,
    read_body,
    read_query,
)
from app.server.response_cache import PLAIN_TEXT, DecisionResponse, wants_plain_text
from app.server.routes import Routes, caller_of

router = Routes(tags=["decisions"])

TOKEN_HEADER: Final = "x-override-token"  # noqa: S105 - the name of the header
MOST_SERVICES: Final = 100
_PRINTABLE_KEY: Final = re.compile(r"[\x21-\x7e]{1,128}")
_JSON: Final = (b"content-type", b"application/json")
_TEXT: Final = (b"content-type", PLAIN_TEXT + b"; charset=utf-8")
_NO_STORE: Final = (b"cache-control", b"no-store")
DEGRADED: Final = (b"x-freezegate-degraded", b"the store can't be reached; answered from memory")


class QuestionFields(Strict):
    """The fields of a question, as parameters or as members of a body."""

    service: NameField = Field(description="the service to be deployed", examples=["checkout"])
    environment: NameField = Field(
        "production", description="the environment to deploy to; one of the file's", examples=["staging"]
    )
    change: NameField = Field(
        "normal", description="the kind of change; one of the file's", examples=["rollback"]
    )
    duration: DurationField = Field(
        0,
        description="how long the deploy takes, at most 31 days; all of it must be allowed",
        json_schema_extra={"default": "0s"},
    )

    @property
    def question(self) -> Question:
        """The question in these fields."""
        return Question(self.service, self.environment, self.change, self.duration)


def _without_default(schema: dict[str, Any]) -> None:
    """Leave out of the document that a field is empty unless it is given."""
    del schema["default"]


def _each_once(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise MalformedValueError("names a service twice")
    return names


class AskQuery(QuestionFields):
    """The parameters of the question."""

    at: InstantField | None = Field(None, description="answer for this instant; now if left out")
    deny_status: Literal["200", "423"] = Field(
        "423", description="the status of a deny, for clients that can only read 200", examples=["200"]
    )


class ClaimFields(QuestionFields):
    """The fields of a deploy that is claimed, now or when it opens."""

    service: NameField = Field(
        "",
        description="the service to be deployed; or name `services`",
        examples=["checkout"],
        json_schema_extra=_without_default,
    )
    services: Annotated[list[NameField], AfterValidator(_each_once)] = Field(
        [],
        min_length=1,
        max_length=MOST_SERVICES,
        description="several services to be deployed together, instead of `service`: each must be allowed",
        examples=[["checkout", "docs-site"]],
        json_schema_extra=_without_default,
    )
    ref: Note | None = Field(None, description="what is deployed: a commit or a tag", examples=["abc123"])
    actor: Note | None = Field(None, description="who deploys it", examples=["ada"])
    run_url: Note | None = Field(
        None, description="the pipeline run", examples=["https://ci.example.com/runs/1"]
    )

    @property
    def question(self) -> Question:
        """The question in these fields.

        Raises:
            InvalidFieldsError: they name no service, or name it in both ways.
        """
        if self.service and self.services:
            message = "is given beside service; name the services here, or one service there"
            raise InvalidFieldsError([{"field": "services", "message": message}])
        if self.services:
            return together(self.services, self.environment, self.change, self.duration)
        if not self.service:
            raise InvalidFieldsError([{"field": "service", "message": "is required"}])
        return super().question


class ClaimBody(ClaimFields):
    """The body of the claim."""

    deploy_id: KeyField | None = Field(
        None,
        description="identifies the deploy, such as the id of the run and job; claims with the same one, "
        "from the same caller for the same services, environment and kind of change, count as one deploy",
        examples=["run-4711-deploy"],
    )
    continues: DecisionIdField | None = Field(
        None,
        description="the `decision_id` of an earlier step of the same rollout, which may then finish; see "
        "`running` of policies and freezes",
        examples=["dec_8k2m4p6r"],
    )
    deny_status: Literal[200, 423] = Field(
        423, description="the status of a deny, for clients that can only read 200", examples=[200]
    )


_DECISION_RESPONSES: Final = {
    **returns("DecisionBody", "allowed; or denied, if `deny_status` is 200", text=True),
    **returns("DecisionBody", "denied; `Retry-After` says when it opens", 423, text=True),
}


@router.operation(
    "GET",
    "/can-deploy",
    role=Role.VIEWER,
    query=AskQuery,
    also=(400,),
    summary="May this service be deployed to this environment now?",
    responses=_DECISION_RESPONSES,
)
async def ask(request: Request) -> Response:
    """Ask without a record. A pipeline that is about to deploy claims instead, with POST.

    With `Accept: text/plain` the answer comes in sentences. Its last line is
    `allowed: service=… environment=… change=…` or `denied: …`.
    """
    refuse_token(request)
    query = read_query(request, AskQuery)
    here = context(request)
    now = here.clock.now()
    in_force = here.policies.in_force
    decision = await check_async(in_force, query.question, now if query.at is None else query.at)
    status = HTTPStatus.OK if decision.allowed else HTTPStatus(int(query.deny_status))
    published = decision_to_json(decision, in_force.home, in_force.revision)
    in_text = wants_plain_text(request.scope["headers"])
    body = (decision_text(published) if in_text else json.dumps(published, ensure_ascii=False)).encode()
    answered = DecisionResponse(
        status=status.value,
        headers=_headers(status, body, decision.opens_at, decision.at, in_text=in_text),
        body=body,
        outcome=decision.outcome.value,
        log_fields=_log_fields(query.question, decision.outcome.value),
        determined_by=determined_by(published),
    )
    if here.cache.degraded_since is not None:
        answered.headers.append(DEGRADED)
    if not in_text and not _has_credentials(request):
        here.recent.keep(request.scope["query_string"], (now, in_force), answered)
    return _respond(request, here, answered, "question")


@router.operation(
    "POST",
    "/can-deploy",
    role=Role.CI,
    body=ClaimBody,
    headers=(
        header(
            "Idempotency-Key",
            "1 to 128 printable characters; a retry with the same key and body gets the same decision",
        ),
        header(
            "X-Override-Token",
            "an override token; spent only if something vetoes and it covers all of it",
        ),
    ),
    also=(409,),
    summary="Claim a deploy: ask, and record the decision before it is answered",
    responses=_DECISION_RESPONSES,
)
async def claim(request: Request) -> Response:
    """Decide, record the decision durably, then answer. A pipeline does this right before it deploys.

    A later step of a rollout names an earlier one in `continues`: policies that say `running: finish` don't
    veto it until the `duration` of the first step is over. Otherwise it is decided like any other claim.

    With `services`, one claim is about several: it is allowed only if each of them is, and is one record.

    With `Accept: text/plain` the answer comes in sentences, as for a question.
    """
    caller = caller_of(request)
    body = await read_body(request, ClaimBody)
    limit_anonymous_claims(request, caller)
    here = context(request)
    started = here.clock.microseconds()
    try:
        claimed = await _claimed(request, here, caller, body)
    finally:
        here.metrics.claimed(here.clock.microseconds() - started)
    status = HTTPStatus.OK if claimed.allowed else HTTPStatus(body.deny_status)
    in_text = wants_plain_text(request.scope["headers"])
    content = decision_text(json.loads(claimed.body)).encode() if in_text else claimed.body
    answered = DecisionResponse(
        status=status.value,
        headers=_headers(status, content, claimed.opens_at, started // 1_000_000, in_text=in_text),
        body=content,
        outcome=claimed.outcome,
        log_fields=_log_fields(body.question, claimed.outcome),
        determined_by=claimed.determined_by,
    )
    return _respond(request, here, answered, "repeat" if claimed.repeats else "claim")


def refuse_token(request: Request) -> None:
    """Check that a question comes without an override token.

    Raises:
        RefusedError: it comes with one.
    """
    if TOKEN_HEADER in request.headers:
        detail = "override tokens are spent by POST /can-deploy; a question takes none"
        raise RefusedError(HTTPStatus.BAD_REQUEST, detail)


async def _claimed(request: Request, here: Context, caller: Caller, body: ClaimBody) -> Claimed:
    return await here.claims.claim(
        Claim(
            question=body.question,
            ref=body.ref,
            actor=body.actor,
            run_url=body.run_url,
            caller=caller,
            idempotency_key=_idempotency_key(request),
            token=_token(request),
            request_id=request.scope["state"]["request_id"],
            continues=body.continues,
            deploy_id=body.deploy_id,
        ),
        here.policies.in_force,
    )


def _respond(request: Request, here: Context, answered: DecisionResponse, asked_by: str) -> Response:
    here.metrics.decided(answered.outcome, asked_by, answered.determined_by)
    request.scope["state"][LOG_FIELDS] = answered.log_fields
    response = Response(answered.body, status_code=answered.status)
    response.raw_headers = answered.headers
    return response


def _headers(
    status: HTTPStatus, body: bytes, opens_at: int | None, at: int, *, in_text: bool
) -> list[tuple[bytes, bytes]]:
    headers = [_TEXT if in_text else _JSON, _NO_STORE, (b"content-length", str(len(body)).encode())]
    if status is HTTPStatus.LOCKED and opens_at is not None:
        headers.append((b"retry-after", str(max(1, opens_at - at)).encode()))
    return headers


def _log_fields(question: Question, outcome: str) -> str:
    service, environment = quoted(question.service), quoted(question.environment)
    return f', "service": {service}, "environment": {environment}, "outcome": {quoted(outcome)}'


def _has_credentials(request: Request) -> bool:
    return "authorization" in request.headers or "cookie" in request.headers


def _token(request: Request) -> str | None:
    """Return the hash of the override token; None without one, empty if it is malformed."""
    tokens = request.headers.getlist(TOKEN_HEADER)
    if not tokens:
        return None
    return digest(tokens[0]) if len(tokens) == 1 and is_token(tokens[0]) else ""


def _idempotency_key(request: Request) -> str | None:
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1 or _PRINTABLE_KEY.fullmatch(keys[0]) is None:
        raise MalformedValueError("Idempotency-Key: one, of 1 to 128 printable characters")
    return keys[0]
