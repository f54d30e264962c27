"""``/policies/lint``: errors, warnings and tests of policies that are not in force."""

from fastapi import Request
from fastapi.responses import Response

from app.gate.job_queue import IsUnwanted
from app.gate.lint import lint_candidate
from app.identity.caller import Role
from app.policies.source import Snapshot
from app.server.candidate import CandidateBody, with_candidate
from app.server.context import context
from app.server.openapi import returns
from app.server.responses import json_response
from app.server.routes import Routes

router = Routes(tags=["state"])


@router.operation(
    "POST",
    "/policies/lint",
    role=Role.VIEWER,
    body=CandidateBody,
    summary="Check policies that are not in force",
    responses=returns("LintBody", "the problems and test results; 200 with errors, too"),
)
async def lint(request: Request) -> Response:
    """Return what `freezegate lint --json` and `freezegate test --json` find in a candidate.

    Nothing changes, and nothing is fetched. The gate would refuse to load policies that are not `usable`.
    """
    here = context(request)
    in_force, now = here.policies.in_force, here.clock.now()

    def work(candidate: Snapshot, is_unwanted: IsUnwanted) -> dict[str, object]:
        return lint_candidate(candidate, in_force, now, is_unwanted)

    return json_response(await with_candidate(request, work))
