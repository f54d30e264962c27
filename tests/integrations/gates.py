"""A gate with sections for the vendors, in this process: frozen on Fridays after 14:00."""

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from starlette.testclient import TestClient

from app.main import create_app
from app.server.log import RequestLog
from app.settings import Settings
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
        yield client


def recorded(gate: TestClient) -> list[dict[str, Any]]:
    """Return all decisions of the record."""
    decisions: list[dict[str, Any]] = gate.get("/decisions", params={"limit": 500}).json()["decisions"]
    return decisions
