"""The background work: its loops go on after failures, tell of them once, and end cleanly."""

import asyncio
import logging

import httpx
import pytest
from starlette.testclient import TestClient

from app.gate.errors import StoreUnavailableError
from app.integrations.github import work as module
from app.integrations.github.deployments import MOST_REPORTS, Reviews
from app.integrations.github.section import GitHub
from app.integrations.github.vendor import VENDOR
from app.integrations.github.work import repeat, work
from tests.integrations.github.conftest import call, holds, surroundings
from tests.integrations.github.fake import FakeGitHub


@pytest.mark.anyio
async def test_a_failure_is_told_once_while_it_lasts_and_without_urls(
    caplog: pytest.LogCaptureFixture,
) -> None:
    errors: list[Exception | None] = [
        httpx.ConnectError("https://secret.example"),
        httpx.ConnectError("https://secret.example"),
        StoreUnavailableError("the store is gone"),
        None,
        None,
    ]
    done = asyncio.Event()

    async def look() -> None:
        if not errors:
            done.set()
            return
        if (error := errors.pop(0)) is not None:
            raise error

    with caplog.at_level(logging.INFO, "freezegate.github"):
        looking = asyncio.create_task(repeat(0, look, "a thing"))
        await done.wait()
        looking.cancel()
    assert [record.getMessage() for record in caplog.records] == [
        "GitHub: looking after a thing failed: ConnectError",
        "GitHub: looking after a thing failed: the store is gone",
        "GitHub: looking after a thing works again",
    ]


def test_all_work_is_done_beside_requests_and_left_to_others_at_the_end(
    gate: TestClient, github: FakeGitHub, section: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOKED_EVERY", 0.01)
    monkeypatch.setattr(module, "NOTICES_EVERY", 0.01)
    github.lose = lambda _event: True
    github.request_deploy()
    unknown = github.request_deploy("other/none")

    async def run() -> None:
        (loops,) = work(section, surroundings(gate))
        task = asyncio.create_task(loops)
        while not unknown.reports:  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    call(gate, run)
    assert len(holds(gate)) == 1
    assert "doesn't know" in unknown.reports[0].comment
    lease = surroundings(gate).gate.lease("github-deliveries", "another")
    assert call(gate, lease.take), "another replica goes on at once"


def test_the_table_entry_answers_as_the_app(gate: TestClient, section: GitHub) -> None:
    assert VENDOR.responder is not None
    responder = VENDOR.responder(section, surroundings(gate))
    assert responder.reporting.most == MOST_REPORTS
    for loops in work(section, surroundings(gate)):
        loops.close()
    assert isinstance(responder, Reviews)
    assert responder._app is section._app, "all share its rate limits"
