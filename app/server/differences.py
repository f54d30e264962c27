"""Requests for a difference of policies: its period, and its form."""

from typing import Any, Final

from fastapi.responses import Response
from pydantic import Field
from starlette.requests import Request

from app.core.diff.period import LONGEST_DAYS, USUAL_DAYS, diff_period
from app.core.diff.rendering import JSON, MARKDOWN, SVG
from app.core.errors import MalformedValueError
from app.core.interval import Period
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
        None,
        description=f"the end, exclusive, at most {LONGEST_DAYS} days later; "
        f"{USUAL_DAYS} days later if left out",
    )

    def period(self, now: int) -> Period:
        """Return the start and the end."""
        try:
            return diff_period(now, self.from_, self.to)
        except MalformedValueError:
            sentence = f"must be after from, by {LONGEST_DAYS} days at most"
            raise InvalidFieldsError([{"field": "to", "message": sentence}]) from None


def form_of(request: Request) -> str:
    """Return the media type that a request asks for."""
    accepted = request.headers.get("accept", "")
    return next((each for each in (MARKDOWN, SVG) if each in accepted), JSON)


def difference_response(body: bytes, form: str) -> Response:
    """Return a rendered difference with its headers."""
    return Response(body, media_type=form, headers={**NO_STORE, **(PICTURE_HEADERS if form == SVG else {})})
