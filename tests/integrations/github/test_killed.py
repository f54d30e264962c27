"""Runs that wait survive ``kill -9`` of the gate, at any moment, while GitHub loses one event in twenty."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.hold import Hold
from app.core.release import Pace
from app.gate.holds import HoldFilter
from app.identity.credentials import new_key
from app.store.store import Store
from tests.integrations.github.demo import freeze, write_files
from tests.integrations.github.fake import FakeGitHub, Run
from tests.integrations.github.judge import judge
from tests.live.gate import Gate, start
from tests.store.records import PATIENT

DEADLINE = 300
"""Seconds after the opening; it only ends a test that has failed."""


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    made = FakeGitHub()
    yield made
    made.close()


class Killed:
    """A gate that is killed and started again on the same port."""

    def __init__(self, folder: Path, github: FakeGitHub, pace: Pace) -> None:
        self.folder, self.key = folder, new_key()
        self.policies, integrations = write_files(folder, github.url)
        release = f"{{batch: {pace.batch}, every: {pace.every}s}}"
        text = self.policies.read_text().replace("{batch: 5, every: 1m}", release)
        self.policies.write_text(text)
        settings = {"FREEZEGATE_INTEGRATIONS": str(integrations), "FREEZEGATE_ADMIN_KEY": self.key}
        self.settings = settings
        self.gate = self._start("0")
        github.hook = f"{self.gate.url}/integrations/github"

    def _start(self, port: str) -> Gate:
        return start(self.policies, self.folder / "gate.db", port=port, **self.settings)

    def end(self) -> None:
        self.gate.process.kill()
        self.gate.process.wait(10)
        assert self.gate.process.stderr is not None
        self.gate.process.stderr.close()

    def kill_and_start(self) -> None:
        self.end()
        self.gate = self._start(self.gate.url.rpartition(":")[2])

    def holds(self) -> list[Hold]:
        store = Store.open(f"sqlite:///{self.folder / 'gate.db'}", deadline=PATIENT)
        try:
            return store.query(lambda view: view.newest_holds(HoldFilter(), None, 1_000))
        finally:
            store.let_go()


def is_recorded(killed: Killed) -> bool:
    """Whether the gate knows that all answers were taken."""
    return all(hold.state.value == "approved" for hold in killed.holds())


@pytest.mark.parametrize(
    ("number", "kills", "seconds", "pace"),
    [
        (12, 1, 8, Pace(5, 3)),
        pytest.param(500, 10, 120, Pace(50, 10), marks=pytest.mark.long),
    ],
)
def test_no_run_is_lost_or_approved_early(
    tmp_path: Path, github: FakeGitHub, number: int, kills: int, seconds: int, pace: Pace
) -> None:
    seeded = random.Random(number)
    killed = Killed(tmp_path, github, pace)
    try:
        opens = int(freeze(killed.gate.url, killed.key, seconds).timestamp())
        github.lose = lambda _event: seeded.random() < 0.05
        drain = pace.every * number / pace.batch
        begun = opens - seconds
        # Events of the last seconds are found after the opening, if they are lost: they have no turn then.
        asks = sorted(begun + seeded.uniform(0, seconds * 0.5) for _ in range(number))
        deaths = [begun + (place + 0.9) * (seconds + drain) / (kills + 0.9) for place in range(kills)]
        runs: list[Run] = []
        while time.time() < opens + DEADLINE:
            if deaths and deaths[0] <= time.time():
                deaths.pop(0)
                killed.kill_and_start()
            while asks and asks[0] <= time.time():
                asks.pop(0)
                runs.append(github.request_deploy(f"acme/service-{len(runs) % 40}"))
            done = not asks and not deaths and all(run.state == "approved" for run in runs)
            if done and is_recorded(killed):
                break
            time.sleep(0.05)
        judge(runs, killed.holds(), opens, pace)
        assert (len(runs), deaths) == (number, [])
    finally:
        killed.end()
