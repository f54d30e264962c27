"""Answers from memory that the protocol gives itself: the same to clients, log and metrics as all others."""

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from app.gate.in_force import Policies
from app.main import create_app
from app.policies.source import Source
from app.server.log import RequestLog
from app.server.metrics import Metrics
from app.server.middleware import RequestIds
from app.server.protocol import MAX_AHEAD
from app.server.quick_answers import QuickAnswers, quick_answers_of
from app.server.response_cache import MOST_KEPT, DecisionResponse, ResponseCache
from app.server.root_path import RootPath
from app.settings import Settings
from tests.api.fakes import FakeClock
from tests.server.test_protocol import Client, served

pytestmark = pytest.mark.anyio

NOW = 1_795_784_700
FIELDS = [(b"content-type", b"application/json"), (b"content-length", b"2"), (b"retry-after", b"60")]
DENIED = DecisionResponse(423, FIELDS, b"{}", "deny", ', "service": "api"', ("friday",))
PLAIN = b"GET /can-deploy?service=api HTTP/1.1\r\nHost: x\r\n%s\r\n"


class Application:
    """Says what it was asked, as slowly as a test wants it to; its answers from memory lie beside it."""

    def __init__(self, quick: QuickAnswers) -> None:
        self.state = SimpleNamespace(quick_answers=quick)
        self.begin = asyncio.Event()
        self.begin.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.begin.wait()
        while (await receive()).get("more_body"):
            pass
        body = f"{scope['method']} {scope['path']}".encode()
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})


class Gate:
    """The parts that an answer from memory is made of, with one answer."""

    def __init__(self, file: Path) -> None:
        file.write_text("version: 1\npolicies: []\n")
        policies = Policies()
        in_force = policies.load(Source(file), NOW)
        self.clock = FakeClock(NOW)
        self.metrics = Metrics(policies, self.clock)
        self.cache = ResponseCache("/can-deploy", self.clock, policies, self.metrics)
        self.root_path = RootPath()
        self.lines = io.BytesIO()
        self.quick = QuickAnswers(
            "/can-deploy",
            self.cache,
            self.root_path,
            self.clock,
            self.metrics,
            RequestLog(self.lines),
            RequestIds(self.clock),
        )
        self.application = Application(self.quick)
        self.cache.keep(b"service=api", (NOW, in_force), DENIED)


@pytest.fixture
def gate(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Gate:
    caplog.set_level("INFO", "freezegate")
    return Gate(tmp_path / "policies.yaml")


@pytest.fixture
async def client(gate: Gate) -> AsyncIterator[Client]:
    async with served(gate.application) as port:
        client = Client(*await asyncio.open_connection("127.0.0.1", port))
        yield client
        client.writer.close()
        with contextlib.suppress(ConnectionError):
            await client.writer.wait_closed()


async def head(client: Client, request: bytes) -> list[str]:
    """The lines of the head of a reply of two bytes."""
    await client.send(request)
    text = (await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), 20)).decode()
    assert await client.reader.readexactly(2) == b"{}"
    return text.splitlines()


async def test_an_answer_from_memory_looks_counts_and_logs_like_any_other(gate: Gate, client: Client) -> None:
    lines = await head(client, PLAIN % b"X-Request-Id: run-7\r\n")
    assert lines[0] == "HTTP/1.1 423 Locked"
    assert "x-request-id: run-7" in lines
    assert "x-content-type-options: nosniff" in lines
    assert "retry-after: 60" in lines
    logged = json.loads(gate.lines.getvalue())
    duration = logged.pop("duration_ms")
    assert duration >= 0
    assert logged == {
        "time": "2026-11-27T13:05:00Z",
        "level": "info",
        "message": "request",
        "request_id": "run-7",
        "method": "GET",
        "route": "/can-deploy",
        "status": 423,
        "service": "api",
    }
    page = gate.metrics.page().decode()
    assert 'freezegate_requests_total{route="/can-deploy",status="423"} 1.0' in page
    assert 'freezegate_request_duration_seconds_count{route="/can-deploy"} 1.0' in page
    assert 'freezegate_decisions_total{asked_by="question",outcome="deny"} 1.0' in page
    assert 'freezegate_policy_decisions_total{outcome="deny",policy="friday"} 1.0' in page


async def test_each_request_has_an_id_of_its_own_and_a_malformed_one_counts_for_nothing(
    client: Client,
) -> None:
    found = [await head(client, PLAIN % given) for given in (b"", b"", b"X-Request-Id: a b\r\n")]
    ids = {line for lines in found for line in lines if line.startswith("x-request-id: ")}
    assert len(ids) == 3
    assert "x-request-id: a b" not in ids


async def test_nothing_is_logged_where_the_level_leaves_requests_out(
    gate: Gate, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("ERROR", "freezegate")
    await head(client, PLAIN % b"")
    await asyncio.sleep(0)
    assert gate.lines.getvalue() == b""


@pytest.mark.parametrize(
    "request_",
    [
        PLAIN % b"Authorization: Bearer x\r\n",
        PLAIN % b"X-Override-Token: x\r\n",
        PLAIN % b"Accept: text/plain\r\n",
        PLAIN % b"Content-Length: 0\r\n",
        PLAIN % b"Content-Length: 2\r\n" + b"{}",
        PLAIN % b"Transfer-Encoding: chunked\r\n" + b"0\r\n\r\n",
        PLAIN % b"Connection: close\r\n",
        (PLAIN % b"").replace(b"HTTP/1.1", b"HTTP/1.0"),
        (PLAIN % b"").replace(b"service=api", b"service=web"),
        (PLAIN % b"").replace(b"/can-deploy", b"/status"),
    ],
)
async def test_anything_unusual_goes_through_the_application(client: Client, request_: bytes) -> None:
    await client.send(request_)
    status, body = await client.reply()
    assert (status, body.split()[0]) == (200, b"GET")


@pytest.mark.parametrize(
    "field", [b"Accept: application/json, text/plain\r\n", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"]
)
async def test_fields_that_change_nothing_are_no_reason_to_ask_the_application(
    client: Client, field: bytes
) -> None:
    await head(client, PLAIN % field)
    await head(client, PLAIN % b"")


async def test_an_answer_is_given_for_its_second_only(gate: Gate, client: Client) -> None:
    await head(client, PLAIN % b"")
    gate.clock.at += 1
    await client.send(PLAIN % b"")
    assert await client.reply() == (200, b"GET /can-deploy")


async def test_requests_on_one_connection_are_answered_in_their_order(gate: Gate, client: Client) -> None:
    gate.application.begin.clear()
    await client.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" + PLAIN % b"")
    await asyncio.sleep(0.05)
    gate.application.begin.set()
    assert await client.reply() == (200, b"GET /slow")
    # It had to wait, so the application answers it.
    assert await client.reply() == (200, b"GET /can-deploy")
    await client.send(PLAIN % b"" + PLAIN % b"" + b"GET /last HTTP/1.1\r\nHost: x\r\n\r\n")
    # One for each read: the second is no burst that the protocol answers by itself.
    assert [await client.reply() for _ in range(3)] == [
        (423, b"{}"),
        (200, b"GET /can-deploy"),
        (200, b"GET /last"),
    ]


async def test_a_burst_of_questions_ahead_of_their_answers_is_bounded(gate: Gate, client: Client) -> None:
    gate.application.begin.clear()
    await client.send((PLAIN % b"") * (3 * MAX_AHEAD))
    assert await client.reply() == (423, b"{}")
    gate.application.begin.set()
    for _ in range(MAX_AHEAD + 1):
        assert await client.reply() == (200, b"GET /can-deploy")
    assert await client.rest() == b""


async def test_a_claim_after_an_answer_from_memory_keeps_its_body(client: Client) -> None:
    await head(client, PLAIN % b"")
    await client.send(b"POST /claims HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    assert await client.reply() == (200, b"POST /claims")


async def test_questions_below_the_root_path_are_answered_with_it_and_without(
    gate: Gate, client: Client
) -> None:
    gate.root_path.set("/freezegate", [])
    await head(client, PLAIN % b"")
    await head(client, (PLAIN % b"").replace(b"/can", b"/freezegate/can"))


async def test_the_bytes_of_old_answers_are_dropped(gate: Gate) -> None:
    kept = [DENIED._replace(body=str(number).encode()) for number in range(MOST_KEPT + 1)]
    for each in kept:
        assert gate.quick.encoded(each, b"7", 0, []).endswith(b"\r\n\r\n" + each.body)
    assert len(gate.quick._heads) == 1


def test_the_answers_of_an_application_are_found_below_layers_of_the_server(gate: Gate) -> None:
    wrapped: Any = SimpleNamespace(app=SimpleNamespace(app=gate.application))
    assert quick_answers_of(wrapped) is gate.quick
    assert quick_answers_of(SimpleNamespace(state=None)) is None


def test_an_application_that_sends_traces_has_no_answers_without_a_span(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(policies=tmp_path / "policies.yaml")
    assert quick_answers_of(create_app(settings)) is not None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    assert quick_answers_of(create_app(settings)) is None
