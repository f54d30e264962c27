"""``/policies/backtest``: recorded decisions under policies that are not in force."""

from fastapi import Request
from fastapi.responses import Response
from pydantic import Field

from app.core.errors import MalformedValueError
from app.core.record_period import LONGEST_DAYS, USUAL_DAYS, record_period
from app.gate.backtest import BacktestRequest
from app.gate.backtest_json import to_json
from app.gate.candidate import load_candidate
from app.gate.job_queue import IsUnwanted
from app.identity.caller import Role
from app.policies.source import Snapshot
from app.server.candidate import CandidateBody, with_candidate
from app.server.context import context
from app.server.openapi import returns
from app.server.problems import InvalidFieldsError
from app.server.requests import InstantField, NameField, Strict, read_query
from app.server.responses import json_response
from app.server.routes import Routes

router = Routes(tags=["record"])


class BacktestQuery(Strict):
    """The filter of the decisions."""

    from_: InstantField | None = Field(
        None,
        alias="from",
        description=f"decided at this instant or later; {USUAL_DAYS} days before `to` if left out",
    )
    to: InstantField | None = Field(
        None,
        description=f"decided before this instant, at most {LONGEST_DAYS} days later; "
        "the end of this minute if left out",
    )
    service: NameField | None = Field(None, description="only of this service", examples=["checkout"])
    environment: NameField | None = Field(
        None, description="only of this environment", examples=["production"]
    )
    change: NameField | None = Field(None, description="only of this kind of change", examples=["normal"])

    def wanted(self, now: int) -> BacktestRequest:
        """Return the filter for the gate."""
        try:
            period = record_period(now, self.from_, self.to)
        except MalformedValueError:
            sentence = f"must be after from, by {LONGEST_DAYS} days at most"
            raise InvalidFieldsError([{"field": "to", "message": sentence}]) from None
        return BacktestRequest(*period, self.service, self.environment, self.change)


@router.operation(
    "POST",
    "/policies/backtest",
    role=Role.VIEWER,
    query=BacktestQuery,
    body=CandidateBody,
    summary="Judge recorded decisions by policies that are not in force",
    responses=returns("BacktestBody", "what the policies would have done; `complete` says whether to all"),
)
async def test_on_the_record(request: Request) -> Response:
    """Return which deploys a candidate would have stopped, and which denied claims it would have allowed.

    Nothing changes, and nothing is fetched. After 20 seconds the gate returns what it has: the oldest
    decisions of the period, up to `until`.
    """
    here = context(request)
    since = here.clock.elapsed()
    wanted = read_query(request, BacktestQuery).wanted(here.clock.now())
    in_force = here.policies.in_force

    def work(candidate: Snapshot, is_unwanted: IsUnwanted) -> dict[str, object]:
        loaded = load_candidate(candidate, in_force)
        tested = here.backtests.run(loaded.engine.compiled, wanted, is_unwanted, since)
        return to_json(tested, loaded.policy_set, loaded.revision, wanted)

    return json_response(await with_candidate(request, work))
