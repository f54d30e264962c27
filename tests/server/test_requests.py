"""Bodies that do not come."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request

from app.server import requests
from app.server.problems import RefusedError

pytestmark = pytest.mark.anyio


def posted(*messages: dict[str, Any]) -> Request:
    """A request whose body comes in pieces, and then in no more of them."""
    left = list(messages)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    headers = [(b"content-type", b"application/json")]
    return Request({"type": "http", "method": "POST", "headers": headers, "query_string": b""}, receive)


def piece(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_that_stalls_is_refused_as_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "BODY_DEADLINE", 0.05)
    with pytest.raises(RefusedError, match="too long to come") as caught:
        await requests.limited_body(posted(piece(b"{", more=True)))
    assert caught.value.status == 408


async def test_a_body_that_breaks_off_is_refused() -> None:
    with pytest.raises(RefusedError, match="broke off") as caught:
        await requests.limited_body(posted(piece(b"{", more=True), {"type": "http.disconnect"}))
    assert caught.value.status == 400


async def test_a_body_in_pieces_is_put_together() -> None:
    assert await requests.limited_body(posted(piece(b"{", more=True), piece(b"}", more=False))) == b"{}"
