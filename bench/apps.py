"""The servers that are compared: ``python -m bench.apps NAME PORT FOLDER [URL]``, each under uvicorn."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, SecretStr
from starlette.types import ASGIApp

import app.gate.gate
import app.main
from app.server.capacity import capacity_of, raise_file_limit
from app.server.interpreter import tune
from app.server.log import configure
from app.server.protocol import protocol
from app.settings import Settings
from app.store.store import Store

Found = TypeVar("Found")

POLICIES = Path(__file__).parents[1] / "policies.yaml"


class Ten(BaseModel):
    """Ten fields, as a plain route would answer with."""

    allowed: bool
    outcome: str
    service: str
    environment: str
    change: str
    duration_s: int
    at: str
    message: str
    opens_at: str | None
    policy_revision: str


class Nothing:
    """A transaction in which nothing is written, and nothing has ever been."""

    freezes_version = 0
    keys_version = 0
    kept = frozenset[str]()

    def record(self, *_: Any) -> None:
        """Keep nothing."""

    def keep_policies(self, _: Any) -> None:
        """Keep nothing."""


class Unrecorded(Store):
    """Takes decisions and keeps none."""

    async def write(self, work: Callable[[Any], Found], *, token: str | None = None) -> Found:
        del token
        return work(Nothing())


def bare() -> ASGIApp:
    """A FastAPI application of one route with a response model, and nothing else."""
    application = FastAPI()

    @application.get("/can-deploy")
    async def ask(service: str) -> Ten:
        return Ten(
            allowed=True,
            outcome="allow",
            service=service,
            environment="production",
            change="normal",
            duration_s=0,
            at="2026-11-27T13:05:00Z",
            message="it may be deployed",
            opens_at=None,
            policy_revision="sha256:0",
        )

    return application


def gate(folder: Path, database: str | None) -> ASGIApp:
    """The gate with everything on."""
    own = folder / "policies.yaml"
    settings = Settings(
        policies=own if own.exists() else POLICIES,
        database_url=SecretStr(database or f"sqlite:///{folder / 'bench.db'}"),
        anonymous_claims="100000000/second",
        admin_key=SecretStr(os.environ["FREEZEGATE_ADMIN_KEY"])
        if "FREEZEGATE_ADMIN_KEY" in os.environ
        else None,
    )
    return app.main.create_app(settings)


def main() -> None:
    name, port, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    if name == "unrecorded":
        app.gate.gate.Store = Unrecorded  # type: ignore[attr-defined]
    if name != "bare":
        configure("info")
    application = bare() if name == "bare" else gate(folder, sys.argv[4] if len(sys.argv) > 4 else None)
    tune()
    uvicorn.run(
        application,
        port=port,
        http="httptools" if name == "bare" else protocol(capacity_of(raise_file_limit())),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main()
