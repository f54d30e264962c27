"""Pipelines that wait over a week-end, from request to answer, at platforms that behave badly."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from starlette.testclient import TestClient

from app.core.hold import HoldState
from app.core.instant import HOUR, MINUTE, parse_instant
from tests.api.fakes import FakeClock
from tests.integrations.azure_devops.fake import SECRET as AZURE_SECRET
from tests.integrations.azure_devops.fake import FakeAzure
from tests.integrations.buildkite import fake as buildkite
from tests.integrations.buildkite.fake import FakeBuildkite
from tests.integrations.gates import Passes, gate_with, holds_of, recorded
from tests.integrations.gitlab import fake as gitlab
from tests.integrations.gitlab.fake import FakeGitLab
from tests.integrations.hcp_terraform import fake as terraform
from tests.integrations.hcp_terraform.fake import FakeTerraform
from tests.integrations.platform import Answer, Platform

FROZEN = parse_instant("2026-11-27T13:05:00Z")
OPEN = parse_instant("2026-11-30T07:00:00Z")
FAULTS = (
    Answer(500),
    Answer(503, headers={"Retry-After": "2"}),
    Answer(429),
    Answer(200, lost=True),
    Answer(502, lost=True),
)

Send = Callable[[TestClient, int], int]
"""Sends the request of a deploy to the gate, at an instant; returns the status."""


class Pipelines(NamedTuple):
    """A platform, its section, and its deploys."""

    platform: Platform
    section: dict[str, Any]
    add: Callable[[], Send]
    """Starts one more deploy."""
    started: Callable[[], list[int]]
    """Returns how often each deploy was started."""
    lead: int
    """Seconds before the opening at which they arrive."""


def azure() -> Pipelines:
    fake = FakeAzure()

    def add() -> Send:
        check = fake.check()
        return lambda gate, _: (
            gate.post("/integrations/azure-devops", json=check.body, headers=check.headers()).status_code
        )

    section = {"azure-devops": {"secret": AZURE_SECRET, "hosts": [fake.host]}}
    return Pipelines(
        fake, section, add, lambda: [each.results.count("succeeded") for each in fake.checks], 40 * HOUR
    )


def tasks() -> Pipelines:
    fake = FakeTerraform()

    def add() -> Send:
        body, headers = terraform.signed(fake.task().payload())
        return lambda gate, _: (
            gate.post("/integrations/hcp-terraform", content=body, headers=headers).status_code
        )

    rule = {"service": "{workspace}", "environment": "production"}
    section = {"hcp-terraform": {"secret": terraform.KEY, "hosts": [fake.host], "deployments": [rule]}}

    def started() -> list[int]:
        return [[status for status, _ in task.results].count("passed") for task in fake.tasks.values()]

    return Pipelines(fake, section, add, started, 40 * MINUTE)


def jobs() -> Pipelines:
    fake = FakeGitLab()

    def add() -> Send:
        body, headers = gitlab.with_token(fake.job().job_event())
        return lambda gate, _: gate.post("/integrations/gitlab", content=body, headers=headers).status_code

    rule = {"project": "acme/*", "job": "deploy", "service": "{name}", "environment": "production"}
    token = {"token": gitlab.TOKENS["acme/checkout"]}
    section = {"gitlab": {"url": fake.url, "secret": gitlab.SECRET, "deployments": [rule | token]}}
    return Pipelines(
        fake, section, add, lambda: [fake.played.count(job.job_id) for job in fake.jobs], 60 * HOUR
    )


def builds() -> Pipelines:
    fake = FakeBuildkite()

    def add() -> Send:
        build = fake.build()

        def send(gate: TestClient, now: int) -> int:
            body, headers = buildkite.signed(build.event(), now)
            return gate.post("/integrations/buildkite", content=body, headers=headers).status_code

        return send

    rule = {"service": "{pipeline}", "environment": "production"}
    part = {"organization": "acme", "secret": buildkite.SECRET, "token": buildkite.TOKEN, "api": fake.url}
    section = {"buildkite": part | {"deployments": [rule]}}
    return Pipelines(
        fake, section, add, lambda: [fake.unblocked.count(build.number) for build in fake.builds], 60 * HOUR
    )


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(FROZEN)


@pytest.fixture
def waiting(request: pytest.FixtureRequest) -> Iterator[Pipelines]:
    made: Pipelines = request.param()
    yield made
    made.platform.close()


@pytest.mark.parametrize("waiting", [azure, tasks, jobs, builds], indirect=True)
def test_each_deploy_starts_once_when_deploys_open_and_none_before(
    tmp_path: Path, clock: FakeClock, waiting: Pipelines
) -> None:
    seeded = random.Random(12)
    clock.at = waiting.platform.now = OPEN - waiting.lead
    with gate_with(tmp_path, clock, waiting.section) as gate:
        passes = Passes(gate)
        for _ in range(12):
            send = waiting.add()
            for _ in range(seeded.choice((1, 1, 3))):  # deliveries come more than once
                assert send(gate, clock.at) == 200
            passes.make()
        while clock.at < OPEN - 10:
            passes.make(every=min(waiting.lead // 10, OPEN - 10 - clock.at))
            waiting.platform.now = clock.at
        assert waiting.started() == [0] * 12
        assert recorded(gate) == []
        waiting.platform.faults.extend(seeded.choices(FAULTS, k=8))
        passes.make(80, every=10)
        assert waiting.started() == [1] * 12
        assert [each["outcome"] for each in recorded(gate)] == ["allow"] * 12
        # One whose reply was lost may be told, at the next attempt, that the platform has it already.
        assert {hold.state for hold in holds_of(gate)} <= {HoldState.APPROVED, HoldState.FAILED}


def test_a_run_of_terraform_fails_after_an_hour_with_the_time_of_the_opening(
    tmp_path: Path, clock: FakeClock
) -> None:
    waiting = tasks()
    fake = waiting.platform
    assert isinstance(fake, FakeTerraform)
    fake.now = FROZEN
    with fake, gate_with(tmp_path, clock, waiting.section) as gate:
        passes = Passes(gate)
        assert waiting.add()(gate, clock.at) == 200
        for _ in range(70):
            passes.make()
            passes.make(every=59)
            fake.now = clock.at
        (task,) = fake.tasks.values()
        statuses = [status for status, _ in task.results]
        assert statuses[-1] == "failed"
        assert set(statuses[:-1]) == {"running"}
        assert len(statuses) >= 7
        assert "Opens Mon 30 Nov 08:00 CET" in task.results[-1][1]
        assert holds_of(gate)[0].state is HoldState.REJECTED
        assert recorded(gate) == []


def test_a_check_of_azure_fails_before_its_token_is_void(tmp_path: Path, clock: FakeClock) -> None:
    waiting = azure()
    fake = waiting.platform
    assert isinstance(fake, FakeAzure)
    fake.now = FROZEN
    with fake, gate_with(tmp_path, clock, waiting.section) as gate:
        passes = Passes(gate)
        assert waiting.add()(gate, clock.at) == 200
        for _ in range(100):
            passes.make(every=30 * MINUTE)
            fake.now = clock.at
        (check,) = fake.checks
        assert check.results == ["failed"]
        assert "Opens Mon 30 Nov 08:00 CET" in check.log[-1]
        assert holds_of(gate)[0].state is HoldState.REJECTED
        assert holds_of(gate)[0].sealed is None
        assert recorded(gate) == []


@pytest.mark.parametrize("waiting", [azure, jobs, builds], indirect=True)
def test_a_freeze_that_begins_before_the_answer_stops_it(
    tmp_path: Path, clock: FakeClock, waiting: Pipelines
) -> None:
    clock.at = waiting.platform.now = FROZEN - 7 * MINUTE  # 13:58, and frozen at 14:00
    with gate_with(tmp_path, clock, waiting.section) as gate:
        passes = Passes(gate)
        assert waiting.add()(gate, clock.at) == 200
        waiting.platform.faults.extend([Answer(500)] * 4)
        passes.make(every=1)
        assert waiting.started() == [0]
        clock.at = FROZEN
        waiting.platform.faults.clear()
        passes.make(20, every=60)
        assert waiting.started() == [0]
        assert holds_of(gate)[0].state is HoldState.WAITING
