"""Exports: a page at a time, as it is taken; no formula; a bounded number."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from functools import partial

import pytest
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from app.clock import SystemClock
from app.core.tabular import json_lines, spreadsheet_cell
from app.gate.in_force import Policies
from app.server.concurrency import ConcurrencyLimit
from app.server.export import PIECE, Export
from app.server.log import RequestLog
from app.server.metrics import Metrics
from app.server.middleware import Edge, set_deadline
from app.server.problems import RefusedError
from tests.server.test_protocol import GET, client, served

pytestmark = pytest.mark.anyio

ROW = {"text": "x" * 1_000}


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "\tx",
        " =1", "   @x", "\u00a0=1", "\u3000=1", "\u2003-1", "\ufeff=1", "\ufeff +1", "\u200b=1",
        "\u200e=1", "\x00=1",
        "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20x", " \uff1d1", "\ufe661", "\ufe63x", "\u207c1", "\ufe6bx",
    ],
)  # fmt: skip
def test_a_cell_that_a_spreadsheet_would_run_begins_with_an_apostrophe(text: str) -> None:
    assert spreadsheet_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "value", ["", " ", "plain", "a=1", " a", "'=1", "(=1)", "1-1", "é=1", "\ufeffa", None, 0, -5]
)
def test_any_other_cell_stays_as_it_is(value: object) -> None:
    assert spreadsheet_cell(value) == value


async def test_pages_are_read_as_they_are_taken_and_a_deadline_cuts_them_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, "uvicorn.error")
    made, closed = 0, False
    cut_off: Callable[[], None] = asyncio.Event().set
    limit = ConcurrencyLimit("exports", 1, 1)

    async def pages() -> AsyncGenerator[bytes, None]:
        nonlocal made, closed
        try:
            while True:
                made += 1
                yield json_lines([ROW] * 200).encode()
                await asyncio.sleep(0)
        finally:
            closed = True

    async def export(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal cut_off
        cut_off = partial(set_deadline, Request(scope), 0)
        await Export(pages(), "application/x-ndjson", limit)(scope, receive, send)

    clock = SystemClock()
    edge = Edge(export, clock, Metrics(Policies(), clock), RequestLog())
    async with served(edge) as port, client(port) as idle:
        await idle.send(GET)
        head = await idle.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        before = -1
        while before != made:
            before = made
            # What the two systems keep between them, and no more.
            assert made < 200
            await asyncio.sleep(0.3)
        cut_now = cut_off
        async with client(port) as another:
            await another.send(GET)
            assert (await another.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 429 ")
        assert len(limit) == 1
        cut_now()
        assert not (await idle.rest()).endswith(b"0\r\n\r\n")
        assert len(limit) == 0
        assert closed


async def test_each_piece_that_is_taken_moves_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader may take longer than the deadline in all."""
    moved = 0

    def moves(_: Request, seconds: float | None) -> None:
        nonlocal moved
        assert seconds == 60
        moved += 1

    monkeypatch.setattr("app.server.export.set_deadline", moves)

    async def pages() -> AsyncGenerator[bytes, None]:
        yield b"x" * (2 * PIECE + 1)
        yield b"y"

    sent = []

    async def send(message: Message) -> None:
        sent.append(bytes(message.get("body", b"")))

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    limit = ConcurrencyLimit("exports", 1, 1)
    await Export(pages(), "text/csv", limit)({"type": "http", "client": None}, receive, send)
    assert [len(each) for each in sent] == [0, PIECE, PIECE, 1, 1, 0]
    assert moved == 5


def test_so_many_at_a_time_and_no_more() -> None:
    limit = ConcurrencyLimit("exports", 2, 1)
    with limit.held({"client": ("192.0.2.1", 1)}):
        with pytest.raises(RefusedError, match="from this address"), limit.held({"client": ("192.0.2.1", 2)}):
            pass
        with limit.held({"client": ("192.0.2.2", 1)}):
            with pytest.raises(RefusedError) as refused, limit.held({"client": ("192.0.2.3", 1)}):
                pass
            assert (refused.value.status, str(refused.value)) == (503, "too many exports")
    assert len(limit) == 0
    with pytest.raises(KeyError), limit.held({}):
        raise KeyError
    assert len(limit) == 0
