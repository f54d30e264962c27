"""A gate with a merge freeze, beside the GitHub on this machine, driven second by second."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from app.core.freeze import Freeze
from app.core.policy import Selector
from app.gate.gate import Gate
from app.gate.in_force import Policies
from app.integrations.github import merge_events
from app.integrations.github.checks import MergeChecks
from app.integrations.github.client import App
from app.integrations.github.delivery import Delivery
from app.integrations.github.section import GitHub
from app.integrations.vendor import Surroundings
from app.outbound import Outbound
from app.policies.source import Source
from tests.api.fakes import FakeClock
from tests.integrations.github.conftest import section_for
from tests.integrations.github.fake import FakeGitHub
from tests.integrations.github.merge_queue import MergeQueue, Pull

FILE = """version: 1
timezone: UTC
environments:
  production: {}
  main: {kind: merge}
  release: {kind: merge}
policies:
  - id: friday
    title: No merges on Friday
    reason: Nobody watches.
    contact: "#release-managers"
    applies_to: {environments: [main]}
    exempt: {changes: [hotfix]}
    when:
      - daily: {days: [fri], from: "14:00", to: "16:00"}
      - daily: {days: [fri], from: "18:00", to: "20:00"}
"""
BRANCHES: list[dict[str, Any]] = [
    {
        "repository": "acme/*",
        "branch": "main",
        "environment": "main",
        "exempt": {"labels": ["freeze-exempt"], "paths": ["guide/**"]},
        "changes": {"hotfix": "hotfix"},
    },
    {"repository": "acme/*", "branch": "release/*", "environment": "release"},
]


@dataclass
class MergeGate:
    """One replica, and the events on their way to it."""

    gate: Gate
    section: GitHub
    checks: MergeChecks
    clock: FakeClock
    github: FakeGitHub
    queue: MergeQueue
    http: httpx.AsyncClient
    arrived: list[Delivery] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    every_second: Callable[[], None] = lambda: None

    def deliver(self, headers: Mapping[str, str], body: bytes) -> int:
        event, id = headers["X-GitHub-Event"], headers["X-GitHub-Delivery"]  # noqa: A001 - as named there
        self.arrived.append(Delivery(event, id, json.loads(body)))
        return 200

    async def take(self) -> None:
        """Take the events that have arrived, as the route does."""
        arrived, self.arrived[:] = list(self.arrived), []
        for each in arrived:
            self.answers.append(await merge_events.handle(self.section, self.gate, self.clock, each))

    async def second(self) -> None:
        """Let one second pass."""
        await self.take()
        await self.checks.look(self.http)
        await self.checks.sweep(self.http)
        self.queue.process()
        self.every_second()
        self.clock.at += 1

    async def seconds(self, number: int) -> None:
        for _ in range(number):
            await self.second()

    async def until(self, instant: int) -> None:
        """Let time pass, ten minutes at a time at first, then second by second."""
        while self.clock.at < instant - 5:
            await self.second()
            self.clock.at = min(self.clock.at + 599, instant - 5)
        while self.clock.at < instant:
            await self.second()

    def freeze(self, **given: Any) -> None:
        """Put an ad-hoc freeze in force; with ``lifted=True``, none."""
        everything = Selector(environments=None, services=None, tags=None, changes=None)
        freeze = Freeze(
            *("frz_1", "Database down", "We are on it.", None, None, everything, "token"),
            *(self.clock.at, given.get("ends_at"), "Alice", self.clock.at),
        )
        version = self.gate.policies.freezes_version + 1
        self.gate.policies.use_freezes([] if given.get("lifted") else [freeze], version)

    def conclusion(self, pull: Pull) -> str | None:
        return self.queue.conclusion(pull.head)

    def titles(self, pull: Pull) -> list[str]:
        return [run.output["title"] for run in self.queue.runs.get(pull.head, ())]


@asynccontextmanager
async def merge_gate(
    folder: Path, clock: FakeClock, github: FakeGitHub, name: str = "one", queue: MergeQueue | None = None
) -> AsyncIterator[MergeGate]:
    """Start a replica on the database of a folder."""
    file = folder / "policies.yaml"
    if not file.exists():
        file.write_text(FILE)
    policies = Policies()
    policies.load(Source(file), clock.now())
    gate = Gate.open(f"sqlite:///{folder / 'gate.db'}", policies, clock)
    section = section_for(github.url, merges={"branches": BRANCHES})
    assert section.merges is not None

    async def pause(seconds: float) -> None:
        clock.at += int(seconds)

    async with Outbound().client(5.0) as http:
        surroundings = Surroundings(gate, clock, Outbound(), name)
        checks = MergeChecks(section, section.merges, surroundings, App(section, clock), pause)
        started = MergeGate(gate, section, checks, clock, github, queue or MergeQueue(github), http)
        github.deliver = started.deliver
        try:
            yield started
        finally:
            await gate.close()
