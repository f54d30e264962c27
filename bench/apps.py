"""The servers that are compared: ``python -m bench.apps NAME PORT FOLDER``, each under the same uvicorn."""

import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, SecretStr
from starlette.types import ASGIApp

import app.main
from app.server.interpreter import tune
from app.server.log import configure
from app.server.protocol import DeadlineProtocol
from app.settings import Settings
from app.store.records import DecisionRecord, PolicyRevision, Recorded
from app.store.store import Store

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


class Unrecorded(Store):
    """Takes decisions and keeps none."""

    async def record(self, claim: DecisionRecord, policies: PolicyRevision | None = None) -> Recorded:
        del policies
        return Recorded(claim.body, claim.outcome, claim.opens_at)


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


def gate(folder: Path) -> ASGIApp:
    """The gate with everything on."""
    database = SecretStr(f"sqlite:///{folder / 'bench.db'}")
    return app.main.create_app(Settings(policies=POLICIES, database_url=database))


def main() -> None:
    name, port, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    if name == "unrecorded":
        app.main.Store = Unrecorded  # type: ignore[attr-defined]
    if name != "bare":
        configure("info")
    application = bare() if name == "bare" else gate(folder)
    tune()
    uvicorn.run(
        application,
        port=port,
        http="httptools" if name == "bare" else DeadlineProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main()
