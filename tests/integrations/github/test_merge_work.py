"""The merge freeze among the background work, and the route that hears of pull requests."""

import asyncio
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.gate.gate import Gate
from app.gate.in_force import Policies
from app.integrations.github.work import work
from app.integrations.vendor import Surroundings
from app.outbound import Outbound
from app.policies.source import Source
from tests.api.fakes import FakeClock
from tests.integrations.github.conftest import section_for
from tests.integrations.github.fake import FakeGitHub
from tests.integrations.github.merge_gate import BRANCHES, FILE
from tests.integrations.github.merge_queue import MergeQueue


@pytest.mark.anyio
async def test_the_work_of_the_app_checks_merges_and_ends_when_it_is_cancelled(
    tmp_path: Path, github: FakeGitHub, clock: FakeClock
) -> None:
    queue = MergeQueue(github)
    pull = queue.open(1)
    (tmp_path / "policies.yaml").write_text(FILE)
    policies = Policies()
    policies.load(Source(tmp_path / "policies.yaml"), clock.now())
    gate = Gate.open(f"sqlite:///{tmp_path / 'gate.db'}", policies, clock)
    section = section_for(github.url, merges={"branches": BRANCHES})
    (loop,) = work(section, Surroundings(gate, clock, Outbound(), "one"))
    task = asyncio.create_task(loop)
    for _ in range(1_000):
        if queue.conclusion(pull.head) is not None:
            break
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gate.close()
    assert queue.conclusion(pull.head) == "SUCCESS"


def test_without_the_part_about_merges_their_events_are_of_no_use(
    gate: TestClient, github: FakeGitHub
) -> None:
    queue = MergeQueue(github)
    queue.open(1)
    (delivery,) = github.deliveries
    assert (delivery.event, delivery.status_code) == ("pull_request", 200)
    assert "github" in gate.app.state.context.integrations  # type: ignore[attr-defined]
