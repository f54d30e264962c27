"""``/can-deploy/batch``: many questions at one instant."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import Request, Response
from pydantic import Field

from app.api.can_deploy import DEGRADED, QuestionFields, refuse_token
from app.core.decision import Question
from app.core.decision_text import one_line
from app.core.errors import FreezegateError
from app.core.instant import format_instant
from app.core.json_schema import UntitledJsonSchema
from app.gate.batch import MOST_QUESTIONS, Batch, answer
from app.gate.in_force import InForce
from app.identity.caller import Role
from app.server.context import context
from app.server.middleware import LOG_FIELDS
from app.server.openapi import returns
from app.server.problems import InvalidFieldsError, problem_body, wrong_fields
from app.server.requests import InstantField, Strict, read_body, validated
from app.server.response_cache import wants_plain_text
from app.server.responses import NO_STORE
from app.server.routes import Routes

router = Routes(tags=["decisions"])

MOST_BYTES: Final = 512 * 1024
"""Bytes of a body: 1,000 questions with the longest names."""


class _Questions:
    """Describes the list of questions in the OpenAPI document, once it is asked for; that takes 10 ms."""

    @staticmethod
    def __get_pydantic_json_schema__(_: object, __: object) -> dict[str, Any]:
        question = QuestionFields.model_json_schema(schema_generator=UntitledJsonSchema)
        return {"type": "array", "minItems": 1, "maxItems": MOST_QUESTIONS, "items": question}


class BatchBody(Strict):
    """The body of a batch."""

    # Each is read by itself: a question that can't be read must not spoil the others.
    questions: Annotated[list[Any], Field(min_length=1, max_length=MOST_QUESTIONS), _Questions] = Field(
        description="the questions, with the members that `GET /can-deploy` has as parameters",
        examples=[[{"service": "checkout"}]],
    )
    at: InstantField | None = Field(None, description="answer for this instant; now if left out")
    deny_status: Literal[200, 423] = Field(
        423,
        description="the status unless all are allowed, for clients that can only read 200",
        examples=[200],
    )


@router.operation(
    "POST",
    "/can-deploy/batch",
    role=Role.VIEWER,
    body=BatchBody,
    summary="May these services be deployed? Up to 1,000 questions at one instant",
    responses={
        **returns("BatchAnswers", "all are allowed; or not, if `deny_status` is 200", text=True),
        **returns("BatchAnswers", "not all are allowed; `Retry-After` says when they may be", 423, text=True),
    },
)
async def ask_many(request: Request) -> Response:
    """Answer many questions as `GET /can-deploy` answers each: without a record, and without a token.

    All are answered for the same instant, by the same policies and freezes, in the order of the questions. A
    question that can't be answered gets a problem in its place, and counts as denied.

    With `Accept: text/plain` you get one line for each question, in their order: its message, or why it has
    no answer.
    """
    refuse_token(request)
    body = await read_body(request, BatchBody, MOST_BYTES)
    here = context(request)
    in_force = here.policies.in_force
    at = here.clock.now() if body.at is None else body.at
    written = _in_text if wants_plain_text(request.scope["headers"]) else _in_json
    batch, content = await here.batches.run(lambda: _answered(in_force, body.questions, at, written))
    for (outcome, rules), times in batch.counts.items():
        here.metrics.decided(outcome, "question", rules, times)
    request.scope["state"][LOG_FIELDS] = (
        f', "questions": {len(batch.answers)}, "allowed": {json.dumps(batch.allowed)}'
    )
    status = HTTPStatus.OK if batch.allowed else HTTPStatus(body.deny_status)
    response = Response(content, status, NO_STORE, _MEDIA_TYPES[written])
    if status is HTTPStatus.LOCKED and batch.opens_at is not None:
        response.headers["Retry-After"] = str(max(1, batch.opens_at - at))
    if here.cache.degraded_since is not None:
        response.raw_headers.append(DEGRADED)
    return response


def _answered(in_force: InForce, questions: list[Any], at: int, written: "_Writer") -> tuple[Batch, bytes]:
    """Return the answers, and the body of the response."""
    batch = answer(in_force, map(_question, questions), at)
    problems: dict[FreezegateError, str] = {}
    texts = [each if isinstance(each, str) else _problem(each, problems) for each in batch.answers]
    head = {"allowed": batch.allowed, "at": format_instant(at), "policy_revision": in_force.revision}
    return batch, written(head, texts).encode()


_Writer = Callable[[dict[str, Any], list[str]], str]


def _in_json(head: dict[str, Any], answers: list[str]) -> str:
    return f'{json.dumps(head)[:-1]}, "answers": [{", ".join(answers)}]}}'


def _in_text(_: dict[str, Any], answers: list[str]) -> str:
    return "".join(f"{_sentence(json.loads(each))}\n" for each in answers)


def _sentence(body: dict[str, Any]) -> str:
    """Return the message of an answer, or what is wrong with the question."""
    return one_line(body["message"] if "message" in body else f"No answer: {body['detail']}")


_MEDIA_TYPES: Final = {_in_json: "application/json", _in_text: "text/plain"}


def _question(fields: Any) -> Question | FreezegateError:
    """Read one question; return the error if it can't be read."""
    try:
        return validated(fields, QuestionFields).question
    except FreezegateError as error:
        return error


def _problem(error: FreezegateError, known: dict[FreezegateError, str]) -> str:
    """Return the problem document that stands in place of an answer; the same error has the same one."""
    if error not in known:
        wrong = InvalidFieldsError(wrong_fields(error))
        body = problem_body(wrong.status, str(wrong), errors=wrong.errors, members={"allowed": False})
        known[error] = json.dumps(body, ensure_ascii=False)
    return known[error]
