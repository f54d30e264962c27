"""A gate with sections for the vendors, in this process: frozen on Fridays after 14:00."""

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.hold import Hold
from app.identity.credentials import new_secret_key
from app.identity.sealing import Sealing
from app.integrations.answers import Answerer
from app.integrations.vendor import Surroundings
from app.integrations.vendors import vendors
from app.main import create_app
from app.server.log import RequestLog
from app.settings import Settings
from app.store.records import HoldFilter
from tests.api.conftest import POLICIES
from tests.api.fakes import FakeClock


@contextlib.contextmanager
def gate_with(
    folder: Path, clock: FakeClock, sections: dict[str, Any], log: io.BytesIO | None = None
) -> Iterator[TestClient]:
    """Start a gate with these sections of the integrations file; deploys wait until a test makes `Passes`."""
    (folder / "policies.yaml").write_text(POLICIES)
    (folder / "integrations.yaml").write_text(json.dumps(sections))
    settings = Settings(
        policies=folder / "policies.yaml",
        database_url=SecretStr(f"sqlite:///{folder / 'gate.db'}"),
        integrations=folder / "integrations.yaml",
    )
    app = create_app(settings, clock=clock, request_log=RequestLog(log or io.BytesIO()))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Answerer, "run", _idle)
        with TestClient(app) as client:
            client.app.state.context.holds.sealing = Sealing([new_secret_key()])  # type: ignore[attr-defined]
            yield client


async def _idle(_: Answerer) -> None:
    """Release and answer nothing: the clock of a test stands still, and its passes are made by hand."""


class Passes:
    """The passes over those who wait, made by hand."""

    def __init__(self, gate: TestClient) -> None:
        self._gate = gate
        self._here = here = gate.app.state.context  # type: ignore[attr-defined]
        surroundings = Surroundings(here.gate, here.clock, here.outbound, "test")
        responders = {
            name: responder(section, surroundings)
            for name, section in here.integrations.items()
            if (responder := vendors()[name].responder) is not None
        }
        reportings = {name: each.reporting for name, each in responders.items()}
        self._answering = here.gate.answering(reportings, "test")
        self._answerer = Answerer(self._answering, responders, here.outbound, jitter=lambda: 0.0)

    def make(self, number: int = 1, every: int = 1) -> None:
        """Make passes; before each, the clock goes on by some seconds."""
        for _ in range(number):
            self._here.clock.at += every
            assert self._gate.portal is not None
            self._gate.portal.call(self._pass)

    async def _pass(self) -> None:
        await self._here.cache.refresh()
        await self._answering.releases.look()
        async with self._here.outbound.client(10.0) as client:
            # The loop looks again whenever one has been sent, for a host gets few at a time.
            while due := await self._answering.answers.due():
                for each in due:
                    await self._answerer.answer(client, each)


def holds_of(gate: TestClient) -> list[Hold]:
    """Return all holds, newest first."""
    store = gate.app.state.context.gate._store  # type: ignore[attr-defined]
    holds: list[Hold] = store.query(lambda view: view.newest_holds(HoldFilter(), None, 500))
    return holds


def recorded(gate: TestClient) -> list[dict[str, Any]]:
    """Return all decisions of the record."""
    decisions: list[dict[str, Any]] = gate.get("/decisions", params={"limit": 500}).json()["decisions"]
    return decisions
