"""``/policies/diff``: which hours open or close if other policies take the place of those in force."""

from typing import Final

from fastapi import Request
from fastapi.responses import Response
from pydantic import Field

from app.core.diff.rendering import JSON, MARKDOWN, SVG, render
from app.core.instant import LATEST, MINUTE
from app.core.interval import Period
from app.gate.diff import LONGEST_DIFF, USUAL_DIFF, candidate_diff
from app.gate.job_queue import IsUnwanted
from app.identity.caller import Role
from app.policies.source import Snapshot
from app.server.candidate import CandidateBody, with_candidate
from app.server.context import context
from app.server.openapi import returns
from app.server.problems import InvalidFieldsError
from app.server.requests import InstantField, Strict, read_query
from app.server.responses import NO_STORE
from app.server.routes import Routes

router = Routes(tags=["state"])

_ALONE: Final = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
"""Stops a picture that is opened by itself from loading or running anything."""


class DiffQuery(Strict):
    """The period of a comparison."""

    from_: InstantField | None = Field(None, alias="from", description="the start; this minute if left out")
    to: InstantField | None = Field(
        None, description="the end, exclusive, at most 366 days later; 60 days later if left out"
    )

    def period(self, now: int) -> Period:
        """Return the start and the end."""
        start = now - now % MINUTE if self.from_ is None else self.from_
        end = min(start + USUAL_DIFF, LATEST) if self.to is None else self.to
        if not 0 < end - start <= LONGEST_DIFF:
            raise InvalidFieldsError([{"field": "to", "message": "must be after from, by 366 days at most"}])
        return Period(start, end)


@router.operation(
    "POST",
    "/policies/diff",
    role=Role.CI,
    query=DiffQuery,
    body=CandidateBody,
    summary="Compare policies with those in force",
    responses={
        200: {
            "description": "the difference; as Markdown for a pull request, or as a picture",
            "content": {
                **returns("DiffBody", "")[200]["content"],
                MARKDOWN: {"schema": {"type": "string"}},
                SVG: {"schema": {"type": "string"}},
            },
        },
    },
)
async def compare(request: Request) -> Response:
    """Return which hours open or close if a candidate takes the place of the policies in force.

    Nothing changes, and nothing is fetched. Ad-hoc freezes are left out. `Accept: text/markdown` returns
    Markdown of at most 60,000 characters, `image/svg+xml` a picture.
    """
    query = read_query(request, DiffQuery)
    here = context(request)
    in_force, period = here.policies.in_force, query.period(here.clock.now())
    accepted = request.headers.get("accept", "")
    kind = next((each for each in (MARKDOWN, SVG) if each in accepted), JSON)

    def work(candidate: Snapshot, is_unwanted: IsUnwanted) -> bytes:
        # Rendering takes as long as comparing.
        return render(candidate_diff(candidate, in_force, period, is_unwanted), kind).encode()

    body = await with_candidate(request, work)
    return Response(body, media_type=kind, headers={**NO_STORE, **(_ALONE if kind == SVG else {})})
