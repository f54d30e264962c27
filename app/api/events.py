"""``/events``: the event stream of changes, for pages and machines."""

from typing import Final

from fastapi import Request
from fastapi.responses import Response

from app.identity.caller import Role
from app.server.authentication import SESSION_COOKIE
from app.server.context import context
from app.server.middleware import set_deadline
from app.server.openapi import header, returns_text
from app.server.requests import Strict, read_query
from app.server.routes import Routes, is_still_authorised
from app.server.stream import EventStream, encode

router = Routes(tags=["state"])

_LONGEST_PLACE: Final = 18


@router.operation(
    "GET",
    "/events",
    role=Role.VIEWER,
    headers=(header("Last-Event-ID", "the `id` received last; events recorded since then come first"),),
    summary="Server-sent events: state changes, decisions, freezes, overrides",
    response_class=Response,
    responses={
        **returns_text("text/event-stream", "a stream that does not end"),
    },
)
async def events(request: Request) -> Response:
    """Stream the current state, then every change of it, and the events recorded on any replica.

    The events are `state`, `decision`, `freeze`, `override`, `hold`, `outcome`, `policies`, `missed` with the
    number of events that were dropped when more than 50 a second came, and `alive` every 15 seconds.
    """
    read_query(request, Strict)
    here = context(request)
    seen = _place(request.headers.get("last-event-id", ""))
    # Credentials may be revoked or expire meanwhile; an anonymous listener has none to check again.
    anonymous = "authorization" not in request.headers and SESSION_COOKIE not in request.cookies
    set_deadline(request, None)

    async def first() -> bytes:
        standing = here.live.standing
        # After an outage, all listeners reconnect at once, with the same last event.
        return await here.shared.get(
            ("events", standing, seen), lambda: encode(here.live.beginning(standing, seen))
        )

    async def may_listen() -> bool:
        return anonymous or await is_still_authorised(request)

    return EventStream(here.hub, first, may_listen)


def _place(text: str) -> int | None:
    """Return the last event that a listener has seen; None for an id that is not one of ours."""
    known = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_PLACE
    return int(text) if known else None
