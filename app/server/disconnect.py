"""Long work for a client that may go away before it is done."""

import asyncio
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any, Final, TypeVar

from starlette.requests import Request

from app.server.problems import RefusedError

Found = TypeVar("Found")

_GONE: Final = "the client went away"


async def cancel_on_disconnect(request: Request, work: Coroutine[Any, Any, Found]) -> Found:
    """What `work` gives; it is cancelled when the client goes away, for then nobody reads it.

    The framework does not look for that by itself. The body of the request must not be needed any more.

    Raises:
        RefusedError: the client is gone.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            # Nobody reads it; the log says what happened.
            raise RefusedError(HTTPStatus.REQUEST_TIMEOUT, _GONE)
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
