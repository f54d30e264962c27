"""Exports: responses that stream text, a piece at a time.

The next piece is made after the client has taken the previous one, so a slow client costs a page of memory.
It may be slow, but not stop: each piece has a deadline, and the protocol drops a client that takes nothing.
An export that was cut off lacks the terminating chunk of HTTP, so no client takes it for complete.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.server.concurrency import ConcurrencyLimit
from app.server.middleware import set_deadline
from app.server.responses import NO_STORE

PIECE: Final = 32 * 1024
"""Bytes that a client takes at a time."""

PIECE_DEADLINE: Final = 60.0
"""Seconds in which the next piece must be made, and the one before taken."""

MOST_EXPORTS: Final = 8
MOST_EXPORTS_OF_ADDRESS: Final = 4


class Export(StreamingResponse):
    """A response that streams parts, and counts in the limit of concurrent exports."""

    def __init__(self, parts: AsyncGenerator[bytes, None], media_type: str, limit: ConcurrencyLimit) -> None:
        """Stream `parts`, within `limit`."""
        super().__init__(parts, media_type=media_type, headers=NO_STORE)
        self._parts = parts
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all parts.

        Raises:
            RefusedError: too many exports are running; nothing has been sent.
        """
        with self._limit.held(scope):
            async with aclosing(self._parts), aclosing(_pieces(self._parts, Request(scope))) as pieces:
                self.body_iterator = pieces
                await super().__call__(scope, receive, send)


async def _pieces(parts: AsyncGenerator[bytes, None], request: Request) -> AsyncGenerator[memoryview, None]:
    """Yield parts in pieces; each that is taken moves the deadline."""
    set_deadline(request, PIECE_DEADLINE)
    async for part in parts:
        for start in range(0, len(part), PIECE):
            yield memoryview(part)[start : start + PIECE]
            set_deadline(request, PIECE_DEADLINE)
