"""Requests for a difference of policies: its period, and its form."""

from typing import Any, Final

from fastapi.responses import Response
from pydantic import Field
from starlette.requests import Request

from app.core.diff.rendering import JSON, MARKDOWN, SVG
from app.core.instant import LATEST, MINUTE
from app.core.interval import Period
from app.gate.diff import LONGEST_DIFF, USUAL_DIFF
from app.server.openapi import returns
from app.server.problems import InvalidFieldsError
from app.server.requests import InstantField, Strict
from app.server.responses import NO_STORE, PICTURE_HEADERS

RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "the difference; as Markdown for a pull request, or as a picture",
        "content": {
            **returns("DiffBody", "")[200]["content"],
            MARKDOWN: {"schema": {"type": "string"}},
            SVG: {"schema": {"type": "string"}},
        },
    },
}


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


def form_of(request: Request) -> str:
    """Return the media type that a request asks for."""
    accepted = request.headers.get("accept", "")
    return next((each for each in (MARKDOWN, SVG) if each in accepted), JSON)


def difference_response(body: bytes, form: str) -> Response:
    """Return a rendered difference with its headers."""
    return Response(body, media_type=form, headers={**NO_STORE, **(PICTURE_HEADERS if form == SVG else {})})
