"""``/policies/backtest``: recorded decisions under policies that are not in force."""

from fastapi import Request
from fastapi.responses import Response

from app.gate.backtest import BacktestRequest
from app.gate.backtest_json import to_json
from app.gate.candidate import load_candidate
from app.gate.job_queue import IsUnwanted
from app.identity.caller import Role
from app.policies.source import Snapshot
from app.server.candidate import CandidateBody, with_candidate
from app.server.context import context
from app.server.openapi import returns
from app.server.record_query import RecordQuery
from app.server.requests import read_query
from app.server.responses import json_response
from app.server.routes import Routes

router = Routes(tags=["record"])


class BacktestQuery(RecordQuery):
    """The filter of the decisions."""

    def wanted(self, now: int) -> BacktestRequest:
        """Return the filter for the gate."""
        return BacktestRequest(*self.period(now), self.service, self.environment, self.change)


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
