"""``/decisions``: the recorded claims, and the outcomes of their deploys."""

from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Annotated, Final, Literal

from fastapi import Path as PathField
from fastapi import Request
from fastapi.responses import Response
from pydantic import Field

from app.core.tabular import csv_head
from app.gate.export_worker import Form
from app.gate.outcomes import Report, to_json
from app.gate.record import DecisionFilter, Page, with_override_of
from app.identity.caller import Role
from app.server.authentication import limit_anonymous_claims
from app.server.context import Context, context
from app.server.export import Export
from app.server.openapi import returns
from app.server.problems import InvalidFieldsError
from app.server.requests import (
    InstantField,
    NameField,
    Note,
    PageQuery,
    RuleIdField,
    Strict,
    place,
    read_body,
    read_query,
    record_id,
)
from app.server.responses import json_response
from app.server.routes import Routes, caller_of

router = Routes(tags=["record"])

_CSV: Final = "text/csv"
_NDJSON: Final = "application/x-ndjson"
_FORMATS: Final = {"csv": _CSV, "ndjson": _NDJSON}
_AT_ONCE: Final = 100
"""Decisions of an export that are rendered here; only a longer one needs another process."""

DecisionId = Annotated[
    str, PathField(description="the id of the recorded decision", examples=["dec_8k2m4p6r"])
]

_COLUMNS: Final = (
    "decision_id", "recorded_at", "at", "outcome", "service", "environment", "change", "duration_s",
    "caller", "actor", "ref", "run_url", "message", "opens_at", "closes_at", "policy_revision",
    "services", "deploy_id", "repeats",
)  # fmt: skip


class ListQuery(PageQuery):
    """The filter of the list of decisions."""

    format: Literal["csv", "ndjson"] | None = Field(
        None, description="export everything that matches, as `Accept` does; for links", examples=["csv"]
    )

    service: NameField | None = Field(
        None, description="only of this service, alone or with others", examples=["checkout"]
    )
    environment: NameField | None = Field(
        None, description="only of this environment", examples=["production"]
    )
    outcome: Literal["allow", "warn", "override", "deny"] | None = Field(
        None, description="only with this outcome", examples=["override"]
    )
    actor: Note | None = Field(
        None, description="only claimed or deployed by this key, identity or actor", examples=["ada"]
    )
    from_: InstantField | None = Field(
        None, alias="from", description="only those decided at this instant or later"
    )
    to: InstantField | None = Field(None, description="only those decided before this instant")

    policy: RuleIdField | None = Field(
        None,
        description="only those that this policy or ad-hoc freeze vetoed, overridden or not, or that this "
        "policy warned about",
        examples=["friday-afternoon"],
    )
    would: Literal["deny"] | None = Field(
        None,
        description="with `policy`: only deploys that went out with its warning, and that it would have "
        "stopped if its `effect` were `deny`",
        examples=["deny"],
    )

    @property
    def wanted(self) -> DecisionFilter:
        """The filter for the store."""
        if self.would is not None and self.policy is None:
            raise InvalidFieldsError([{"field": "would", "message": "needs policy: the id of a policy"}])
        return DecisionFilter(
            self.service,
            self.environment,
            self.outcome,
            self.actor,
            self.from_,
            self.to,
            self.policy,
            self.would is not None,
        )


class OutcomeBody(Strict):
    """The outcome of a deploy."""

    result: Literal["succeeded", "failed", "rolled-back"] = Field(
        description="how it went", examples=["rolled-back"]
    )
    incident: Note | None = Field(
        None, description="where its failure is written down: an id or a link", examples=["INC-42"]
    )


@router.operation(
    "GET",
    "/decisions",
    role=Role.VIEWER,
    query=ListQuery,
    summary="The record of decisions, newest first",
    responses={
        200: {
            "description": "a page; as CSV or NDJSON, every decision that matches",
            "content": {
                **returns("DecisionPage", "")[200]["content"],
                _CSV: {"schema": {"type": "string"}},
                _NDJSON: {"schema": {"type": "string"}},
            },
        },
    },
)
async def list_decisions(request: Request) -> Response:
    """Return a page of recorded claims.

    `Accept: text/csv` or `application/x-ndjson` exports everything that matches the filter.
    """
    query = read_query(request, ListQuery)
    here = context(request)
    wanted = with_override_of(query.wanted, here.policies.in_force.policy_set)
    accepted = _FORMATS.get(query.format or "", request.headers.get("accept", ""))
    for media_type, form in ((_CSV, Form(_COLUMNS)), (_NDJSON, Form(None))):
        if media_type in accepted:
            first = await here.record.decisions(wanted, None, _AT_ONCE)
            return Export(_all_of_it(here, wanted, form, first), media_type, here.running_exports)
    page = await here.record.decisions(wanted, place(query.cursor), query.limit)
    return json_response({"decisions": page.items, "next": page.next, "since": page.since})


@router.operation(
    "GET",
    "/decisions/{decision_id}",
    role=Role.VIEWER,
    summary="One recorded decision",
    responses=returns("DecisionWithOutcomes", "the decision"),
)
async def show(request: Request, decision_id: DecisionId) -> Response:
    """Return one decision with its caller, its policies and the reports on its deploy."""
    read_query(request, Strict)
    found = await context(request).outcomes.decision(record_id(decision_id, "dec", "decision"))
    return json_response(found)


@router.operation(
    "POST",
    "/decisions/{decision_id}/outcome",
    role=Role.CI,
    body=OutcomeBody,
    also=(409,),
    summary="Report how a deploy went",
    status_code=201,
    responses=returns("ReportedOutcome", "the report", 201),
)
async def report(request: Request, decision_id: DecisionId) -> Response:
    """Record how an allowed deploy went, as soon as it is known, even days later.

    Of several reports the last one counts; all are kept. The outcome of a denied claim is refused with 409.
    """
    caller = caller_of(request)
    limit_anonymous_claims(request, caller)
    body = await read_body(request, OutcomeBody)
    reported = Report(record_id(decision_id, "dec", "decision"), body.result, body.incident)
    outcome = await context(request).outcomes.report(caller, reported)
    return json_response(to_json(outcome), HTTPStatus.CREATED)


async def _all_of_it(
    here: Context, wanted: DecisionFilter, form: Form, first: Page
) -> AsyncGenerator[bytes, None]:
    if form.columns is not None:
        yield csv_head(form.columns).encode()
    yield form.text(first).encode()
    if first.next is None:
        return
    cursor: str | None = first.next
    async with here.exports.open():
        while cursor is not None:
            part = await here.exports.page(wanted, place(cursor), form)
            yield part.body
            cursor = part.next
