"""``/holds``: deploys that wait for the gate to open."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Path as PathField
from fastapi import Request, Response
from pydantic import Field

from app.api.can_deploy import ClaimFields
from app.core.hold import CALLBACK, POLLED
from app.gate.holds import HoldRequest
from app.gate.waiting_deploys import HoldFilter
from app.identity.caller import Role
from app.server.authentication import limit_anonymous_claims
from app.server.context import context
from app.server.openapi import returns
from app.server.operations import AnswerFields, CancelFields
from app.server.problems import InvalidFieldsError
from app.server.requests import (
    InstantField,
    KeyField,
    NameField,
    PageQuery,
    PeriodField,
    Strict,
    read_body,
    read_body_or_query,
    read_query,
    record_id,
)
from app.server.responses import json_response
from app.server.routes import Routes, caller_of

router = Routes(tags=["holds"])

HoldId = Annotated[str, PathField(description="the id of the hold", examples=["hld_8k2m4p6r"])]


class HoldRequestBody(ClaimFields):
    """The body of `POST /holds`."""

    key: KeyField = Field(
        description="identifies the deploy, such as the id of the run and job: asked again with it, it is "
        "the same hold until that is finished; 1 to 128 printable characters",
        examples=["run-4711-deploy"],
    )
    timeout: PeriodField | None = Field(
        None,
        description="how long it can wait, at most 35 days; if left out, until 24 hours after the opening "
        "that is known now",
    )
    wait_until: InstantField | None = Field(None, description="until when it can wait, instead of `timeout`")
    answer: AnswerFields | None = Field(
        None,
        description="how it is answered; if left out, ask for the hold with GET until it is answered",
        examples=[{"callback": {"url": "https://ci.example.com/hooks/freezegate"}}],
    )

    def expires_at(self, now: int) -> int | None:
        """Return when it can't wait any longer; None if the request doesn't say.

        Raises:
            InvalidFieldsError: both fields are given.
        """
        if self.timeout is not None and self.wait_until is not None:
            raise InvalidFieldsError(
                [{"field": "wait_until", "message": "is given beside timeout; give one of them"}]
            )
        if self.wait_until is not None:
            return self.wait_until
        return None if self.timeout is None else now + self.timeout


class HoldsQuery(PageQuery):
    """The filter of the list of holds."""

    state: Literal[
        "unfinished", "all", "waiting", "released", "approved", "rejected", "cancelled", "failed"
    ] = Field(
        "unfinished",
        description="`unfinished`: those that wait, or whose answer is on the way",
        examples=["all"],
    )
    service: NameField | None = Field(None, description="those of a service", examples=["checkout"])
    environment: NameField | None = Field(
        None, description="those of an environment", examples=["production"]
    )

    @property
    def filter(self) -> HoldFilter:
        """The filter for the gate."""
        state = None if self.state in ("unfinished", "all") else self.state
        return HoldFilter(self.service, self.environment, None, state, unfinished=self.state == "unfinished")


@router.operation(
    "POST",
    "/holds",
    role=Role.CI,
    body=HoldRequestBody,
    also=(409,),
    summary="Let a deploy wait until it may start",
    status_code=201,
    responses=returns("HoldBody", "the hold; it is released in its turn, within a second if it is open", 201)
    | returns("HoldBody", "the hold that this key has already, as it was first asked for"),
)
async def hold(request: Request) -> Response:
    """Wait for the gate without asking again and again.

    A hold is released by a claim at the moment of its release; that is recorded, and its `decision_id` is in
    the hold. An environment releases some holds at a time, see `release` in policies.yaml.
    """
    caller = caller_of(request)
    body = await read_body(request, HoldRequestBody)
    limit_anonymous_claims(request, caller)
    here = context(request)
    found, is_new = await here.hold_desk.hold(caller, _wanted(body, here.cache.steady.now()))
    return json_response(found, HTTPStatus.CREATED if is_new else HTTPStatus.OK)


@router.operation(
    "GET",
    "/holds",
    role=Role.VIEWER,
    query=HoldsQuery,
    summary="The deploys that wait",
    responses=returns("HoldPage", "a page of holds"),
)
async def list_holds(request: Request) -> Response:
    """Return the deploys that wait, or with `state=all` finished ones of the last 30 days, too."""
    query = read_query(request, HoldsQuery)
    found = await context(request).hold_desk.page(query.filter, query.cursor, query.limit)
    following = found[-1]["id"] if len(found) == query.limit else None
    return json_response({"holds": found, "next": following})


@router.operation(
    "GET",
    "/holds/{hold_id}",
    role=Role.VIEWER,
    summary="One hold",
    responses=returns("HoldBody", "the hold"),
)
async def show(request: Request, hold_id: HoldId) -> Response:
    """Return a hold. Asking as often as you like counts nowhere; once every few seconds is enough."""
    read_query(request, Strict)
    found = await context(request).hold_desk.show(record_id(hold_id, "hld", "hold"))
    return json_response(found)


@router.operation(
    "DELETE",
    "/holds/{hold_id}",
    role=Role.CI,
    query=CancelFields,
    body=CancelFields,
    also=(409,),
    summary="Cancel a hold",
    responses=returns("HoldBody", "the hold, cancelled"),
)
async def cancel(request: Request, hold_id: HoldId) -> Response:
    """Cancel a hold: your own, or with the role ops that of others, whose system is answered then.

    Send `reason` in a JSON body or as a parameter. One that is finished is refused with 409. A hold that is
    `released` may be approved at its system all the same: the approval is on its way. It keeps `decision_id`.
    """
    caller = caller_of(request)
    body = await read_body_or_query(request, CancelFields)
    desk = context(request).hold_desk
    return json_response(await desk.withdraw(caller, record_id(hold_id, "hld", "hold"), body.reason))


def _wanted(body: HoldRequestBody, now: int) -> HoldRequest:
    callback = None if body.answer is None else body.answer.callback
    return HoldRequest(
        question=body.question,
        responder=POLLED if callback is None else CALLBACK,
        key=body.key,
        target={} if callback is None else {"url": callback.url},
        expires_at=body.expires_at(now),
        ref=body.ref,
        actor=body.actor,
        run_url=body.run_url,
    )
