"""A gate with sections for the vendors, in this process: frozen on Fridays after 14:00."""

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.hold import Hold
from app.identity.credentials import new_secret_key
from app.identity.sealing import Sealing
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
    """Start a gate with these sections of the integrations file."""
    (folder / "policies.yaml").write_text(POLICIES)
    (folder / "integrations.yaml").write_text(json.dumps(sections))
    settings = Settings(
        policies=folder / "policies.yaml",
        database_url=SecretStr(f"sqlite:///{folder / 'gate.db'}"),
        integrations=folder / "integrations.yaml",
    )
    app = create_app(settings, clock=clock, request_log=RequestLog(log or io.BytesIO()))
    with TestClient(app) as client:
        client.app.state.context.holds.sealing = Sealing([new_secret_key()])  # type: ignore[attr-defined]
        yield client


def holds_of(gate: TestClient) -> list[Hold]:
    """Return all holds, newest first."""
    store = gate.app.state.context.gate._store  # type: ignore[attr-defined]
    holds: list[Hold] = store.query(lambda view: view.newest_holds(HoldFilter(), None, 500))
    return holds


def recorded(gate: TestClient) -> list[dict[str, Any]]:
    """Return all decisions of the record."""
    decisions: list[dict[str, Any]] = gate.get("/decisions", params={"limit": 500}).json()["decisions"]
    return decisions
