"""Calls of APIs that answer slowly, at length, or not at all."""

import asyncio

import httpx
import pytest

from app.integrations import calls
from app.integrations.calls import Reply, call, delivery_result

pytestmark = pytest.mark.anyio

URL = "https://api.example/x"


def client(*replies: httpx.Response) -> httpx.AsyncClient:
    waiting = list(replies)
    return httpx.AsyncClient(transport=httpx.MockTransport(lambda _: waiting.pop(0)))


async def test_the_body_is_json_and_the_reply_is_read() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"state": "blocked"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        reply = await call(http, "PATCH", URL, {"Authorization": "Bearer x"}, {"a": "ä"})
        await call(http, "GET", URL, {})
    assert reply.data() == {"state": "blocked"}
    assert (seen[0].method, seen[0].content) == ("PATCH", b'{"a": "\\u00e4"}')
    assert seen[0].headers["content-type"] == "application/json"
    assert seen[0].headers["authorization"] == "Bearer x"
    assert "content-type" not in seen[1].headers


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
async def test_a_reply_without_json_holds_nothing(content: bytes) -> None:
    async with client(httpx.Response(200, content=content)) as http:
        assert (await call(http, "GET", URL, {})).data() is None


async def test_a_reply_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "LARGEST_REPLY", 1_000)
    async with client(httpx.Response(200, content=b"x" * 1_001)) as http:
        with pytest.raises(ValueError, match="too large"):
            await call(http, "GET", URL, {})


async def test_a_reply_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "DEADLINE", 0.01)

    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with httpx.AsyncClient(transport=httpx.MockTransport(never)) as http:
        with pytest.raises(TimeoutError):
            await call(http, "GET", URL, {})


@pytest.mark.parametrize(
    ("status", "header", "asked"),
    [(429, "7", 7), (503, "120", 120), (500, "7", 0), (429, "Mon, 30 Nov", 0), (429, "-1", 0), (429, "²", 0)],
)
async def test_only_a_refusal_for_now_may_ask_to_wait(status: int, header: str, asked: int) -> None:
    async with client(httpx.Response(status, headers={b"Retry-After": header.encode()})) as http:
        assert (await call(http, "GET", URL, {})).retry_after == asked


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, "taken"), (204, "taken"), (302, "later"), (404, "refused"), (500, "later")]
)
def test_a_reply_says_whether_another_attempt_is_of_use(status: int, outcome: str) -> None:
    result = delivery_result(Reply(status, 0, b""), {404})
    assert result.outcome == outcome
    assert result.why == ("" if outcome == "taken" else f"answered {status}")
