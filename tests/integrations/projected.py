"""A gate whose freezes are projected, with a clock that stands where a test puts it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from app.core.freeze import Freeze
from app.core.instant import parse_instant
from app.core.policy import Selector
from app.gate.gate import Gate
from app.gate.in_force import Policies
from app.gate.projection_state import ProjectionState
from app.integrations.integrations import read_integrations_file
from app.integrations.projector import Place, Projector
from app.integrations.section import Section
from app.policies.source import Source
from app.store.store import Store
from tests.api.fakes import FakeClock
from tests.gate.conftest import reload
from tests.store.records import PATIENT

NOW = parse_instant("2026-11-25T12:00:00Z")
TOKEN = "token-of-the-fake"  # noqa: S105 - of the fake
POLICIES = """version: 1
environments: [production, staging]
policies:
  - id: friday
    title: No deploys on Friday
    reason: R
    when: [{weekly: {from: fri 14:00, to: mon 08:00}}]
"""


def section(folder: Path, name: str, content: dict[str, Any]) -> Any:
    """Read a section with the token of the fakes."""
    file = folder / "integrations.yaml"
    of_its_own = {} if name == "gitlab" else {"token_file": "token"}
    file.write_text(yaml.safe_dump({name: {**of_its_own, **content}}))
    (folder / "token").write_text(TOKEN)
    found: Section = read_integrations_file(file, {})[name]
    return found


class Running:
    """One replica, and the projectors that a test lets look."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.file = folder / "policies.yaml"
        if not self.file.exists():
            self.file.write_text(POLICIES)
        self.clock = clock
        self.policies = Policies()
        self.policies.load(Source(self.file), clock.now())
        store = Store.open(f"sqlite:///{folder / 'gate.db'}", deadline=PATIENT)
        self.gate = Gate(store, self.policies, clock)
        self._version = 1

    def projector(self, target: str, places: list[Any], own_name: str = "one") -> Projector:
        found: list[Place] = places
        return Projector(target, found, self.gate.projections, self.clock, own_name)

    def state(self, target: str, name: str) -> ProjectionState:
        return self.gate.projections.states[target, name]

    def change(self, text: str) -> None:
        self.file.write_text(text)
        reload(self.policies, self.clock.now())

    def freeze(self, *freezes: Freeze) -> None:
        self._version += 1
        self.policies.use_freezes(freezes, self._version)


@asynccontextmanager
async def running(folder: Path, clock: FakeClock) -> AsyncIterator[Running]:
    made = Running(folder, clock)
    yield made
    await made.gate.close()


def incident(starts_at: int, ends_at: int | None = None) -> Freeze:
    return Freeze(
        "frz_1", "Database is down", "R", None, None, Selector.model_validate({}), "token", starts_at,
        ends_at, "ada", starts_at,
    )  # fmt: skip


Looked = Callable[[], Any]
