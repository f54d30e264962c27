"""``/policies/diff``: which hours open or close if other policies take the place of those in force."""

from fastapi import Request
from fastapi.responses import Response

from app.core.diff.rendering import render
from app.gate.diff import candidate_diff
from app.gate.job_queue import IsUnwanted
from app.identity.caller import Role
from app.policies.source import Snapshot
from app.server.candidate import CandidateBody, with_candidate
from app.server.context import context
from app.server.differences import RESPONSES, DiffQuery, difference_response, form_of
from app.server.requests import read_query
from app.server.routes import Routes

router = Routes(tags=["state"])


@router.operation(
    "POST",
    "/policies/diff",
    role=Role.VIEWER,
    query=DiffQuery,
    body=CandidateBody,
    summary="Compare policies with those in force",
    responses=RESPONSES,
)
async def compare(request: Request) -> Response:
    """Return which hours open or close if a candidate takes the place of the policies in force.

    Nothing changes, and nothing is fetched. Ad-hoc freezes are left out. `Accept: text/markdown` returns
    Markdown of at most 60,000 characters, `image/svg+xml` a picture.
    """
    query = read_query(request, DiffQuery)
    here = context(request)
    in_force, period = here.policies.in_force, query.period(here.clock.now())
    form = form_of(request)

    def work(candidate: Snapshot, is_unwanted: IsUnwanted) -> bytes:
        # Rendering takes as long as comparing.
        return render(candidate_diff(candidate, in_force, period, is_unwanted), form).encode()

    return difference_response(await with_candidate(request, work), form)
