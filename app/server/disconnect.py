"""Cancellation of long work when its client disconnects."""

import asyncio
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any, Final, TypeVar

from starlette.requests import Request

from app.server.problems import RefusedError

Found = TypeVar("Found")

_GONE: Final = "the client went away"


async def cancel_on_disconnect(request: Request, work: Coroutine[Any, Any, Found]) -> Found:
    """Return the result of `work`; cancel it when the client disconnects.

    The framework doesn't watch for that. The request's body must have been read: this consumes the rest.

    Raises:
        RefusedError: the client has disconnected.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            # The response can't be delivered; its status goes to the log and the metrics.
            raise RefusedError(HTTPStatus.REQUEST_TIMEOUT, _GONE)
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
