"""500 runs over a week-end, on a clock that a test moves, with a GitHub that loses, repeats and fails.

None is approved in the freeze, each is within a minute of its batch's turn, none gets more than ten reports.
The gate is killed again and again: what it held in memory is gone, and so are its leases until they expire.
`test_killed` does that to real processes.
"""

import asyncio
import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import httpx
import pytest

from app.core.instant import HOUR, MINUTE, parse_instant
from app.core.release import Pace
from app.gate.gate import Gate
from app.gate.holds import HoldFilter
from app.gate.in_force import Policies
from app.gate.record import note_policies
from app.integrations.answers import Answerer
from app.integrations.github.client import App
from app.integrations.github.delivery import Delivery
from app.integrations.github.deployments import Reviews
from app.integrations.github.events import handle
from app.integrations.github.missed import MissedDeliveries, UnansweredError
from app.integrations.github.runs import EndedRuns
from app.integrations.github.section import GitHub
from app.integrations.github.work import LOOKED_EVERY
from app.integrations.vendor import Surroundings
from app.outbound import Outbound
from app.policies.source import Source
from tests.api.fakes import FakeClock
from tests.integrations.github.conftest import section_for
from tests.integrations.github.fake import BAD_GATEWAY, LOST_ANSWER, FakeGitHub, Fault, Run
from tests.integrations.github.judge import judge

pytestmark = pytest.mark.anyio

BATCH, EVERY = 25, MINUTE
DOWN_FOR = 20
POLICIES = f"""\
version: 1
timezone: Europe/Amsterdam
environments: {{production: {{release: {{batch: {BATCH}, every: 1m}}}}}}
policies:
  - id: week-end
    title: No deploys after Friday 14:00
    reason: Nothing good happens after 14:00 on a Friday.
    when:
      - weekly: {{from: fri 14:00, to: mon 08:00}}
"""
FROZEN: Final = parse_instant("2026-11-27T13:00:00Z")
OPENS: Final = parse_instant("2026-11-30T07:00:00Z")


class Replica:
    """A running gate: all of it that is not on disk."""

    def __init__(self, folder: Path, clock: FakeClock, section: GitHub, name: str) -> None:
        policies = Policies()
        in_force = policies.load(Source(folder / "policies.yaml"), clock.now())
        self.gate = Gate.open(f"sqlite:///{folder / 'gate.db'}", policies, clock)
        self.gate._store.transact(note_policies(in_force, clock.microseconds()))
        self.gate.cache.load()
        self.clock, self.section = clock, section
        surroundings = Surroundings(self.gate, clock, Outbound(), name)
        app = App(section, clock)
        reviews = Reviews(section, app)
        self.answering = self.gate.answering({"github": reviews.reporting}, name)
        self.answerer = Answerer(self.answering, {"github": reviews}, Outbound(), jitter=lambda: 0.0)
        self.missed = MissedDeliveries(section, app, surroundings)
        self.runs = EndedRuns(app, surroundings)
        self.looked_at = 0

    async def take(self, headers: Mapping[str, str], body: bytes) -> None:
        """Deal with an event that has arrived."""
        delivery = Delivery(headers["X-GitHub-Event"], headers["X-GitHub-Delivery"], json.loads(body))
        await handle(self.section, self.gate, self.clock, delivery)

    async def work(self, http: httpx.AsyncClient) -> None:
        """Do what the loops do at this moment."""
        if self.clock.at - self.looked_at >= LOOKED_EVERY:
            self.looked_at = self.clock.at
            try:
                await self.missed.look(http)
                await self.runs.look(http)
            except (httpx.HTTPError, UnansweredError):
                self.looked_at = 0  # the loop tells of it, and tries again
        await self.answering.releases.look()
        due = await self.answering.answers.due()
        await asyncio.gather(*(self.answerer.answer(http, each) for each in due))


def faults() -> Iterator[Fault | None]:
    """Yield what happens to each request: one of thirty fails, one of thirty is answered into the void."""
    seeded = random.Random(13)
    while True:
        drawn = seeded.random()
        yield BAD_GATEWAY if drawn < 1 / 30 else LOST_ANSWER if drawn < 2 / 30 else None


def instants(asked: list[int]) -> list[int]:
    """The instants at which something may happen: after each request, at times, and around the opening."""
    around = (0, 1, 2, 6, 11, 12, 20, 40, 80)
    found = {at + after for at in asked for after in around}
    found.update(range(FROZEN, OPENS, 3 * HOUR))
    return sorted(at for at in found if at < OPENS - 10) + list(range(OPENS - 10, OPENS + HOUR))


@pytest.mark.parametrize("number", [30, pytest.param(500, marks=pytest.mark.long)])
async def test_a_week_end_of_runs(tmp_path: Path, number: int) -> None:
    seeded = random.Random(number)
    (tmp_path / "policies.yaml").write_text(POLICIES)
    clock = FakeClock(FROZEN)
    github = FakeGitHub(now=clock.now)
    section = section_for(github.url, deployments=[{"repository": "acme/*", "environment": "production"}])
    inbox: list[tuple[Mapping[str, str], bytes]] = []
    replica: Replica | None = Replica(tmp_path, clock, section, "r0")

    def deliver(headers: Mapping[str, str], body: bytes) -> int:
        if replica is None:
            raise ConnectionRefusedError
        inbox.append((headers, body))
        return 200

    bad = faults()
    github.deliver, github.fault = deliver, lambda _method, _path: next(bad)
    github.lose = lambda _event: seeded.random() < 0.05
    github.twice = lambda _event: seeded.random() < 0.05
    asked = sorted(seeded.randrange(FROZEN, OPENS - HOUR) for _ in range(number))
    kills = [*seeded.sample(asked, 7), OPENS - 5, OPENS + 22, OPENS + 50]
    ticks = sorted({*instants(asked), *(at + after for at in kills for after in (0, DOWN_FOR))})
    runs: list[Run] = []
    killed = 0
    async with Outbound().client(5.0) as http:
        for clock.at in ticks:
            if clock.at in kills and replica is not None:
                await replica.gate._store.close()  # its connections; nothing is released
                replica, killed = None, killed + 1
            while asked and asked[0] <= clock.at:
                asked.pop(0)
                runs.append(github.request_deploy(f"acme/service-{len(runs) % 40}"))
            if replica is None and not any(at <= clock.at < at + DOWN_FOR for at in kills):
                replica = Replica(tmp_path, clock, section, f"r{killed}")
            if replica is not None:
                while inbox:
                    await replica.take(*inbox.pop(0))
                await replica.work(http)
            if clock.at > OPENS and all(run.state == "approved" for run in runs):
                break
        assert replica is not None
        for _ in range(60):  # the last results are recorded, too
            clock.at += 1
            await replica.work(http)
        holds = await replica.gate.holds.listed(HoldFilter(), None, 1_000)
        await replica.gate._store.close()
    github.close()
    assert killed == 10
    judge(runs, holds, OPENS, Pace(BATCH, EVERY))
    assert len(runs) == number
    assert all(run.reports[0].state is None for run in runs), "each is told why it waits"
