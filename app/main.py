"""The application, put together. Importing it does nothing; starting it reads, opens and watches.

``freezegate serve`` runs it; ``uvicorn app.main:app`` works too.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from typing import Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException

from app import __version__
from app.api import can_deploy, health, policies, schedule, status
from app.clock import Clock, SystemClock
from app.core.errors import FreezegateError
from app.gate.claim import Claims
from app.gate.in_force import LoadFailure, Policies
from app.policies.source import Source
from app.server.context import Context
from app.server.documented import complete
from app.server.edge import Edge
from app.server.log import RequestLog, event
from app.server.metrics import Metrics
from app.server.problems import handle_error, handle_http_exception
from app.server.recent import RecentAnswers
from app.settings import Settings, read_settings
from app.store.store import Store

RELOAD_INTERVAL: Final = 1.0
"""Seconds between looks at the policy files; a change is in force within two."""

_ROUTERS: Final = (can_deploy.router, status.router, schedule.router, policies.router, health.router)

_DESCRIPTION: Final = """
Answers one question: *may this service be deployed to this environment now?*
200 is yes, 423 Locked is no, and everything else is no as well, so that `curl -f` is a safe gate.
"""


def create_app(
    settings: Settings | None = None,
    *,
    clock: Clock | None = None,
    loaded: Policies | None = None,
    request_log: RequestLog | None = None,
) -> FastAPI:
    """Build the application; nothing is read or opened before it starts.

    Args:
        settings: what to run with; read from the environment at start if not given.
        clock: tells the time; the machine's clock if not given.
        loaded: policies that are in force already; loaded at start if not given.
        request_log: where requests are logged; standard output if not given.
    """
    clock = clock or SystemClock()
    in_force = loaded or Policies()
    metrics = Metrics(in_force, clock)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        chosen = settings or read_settings(os.environ)
        if not in_force.loaded:
            in_force.load(Source(chosen.policies), clock.now())
        store = await asyncio.to_thread(Store.open, chosen.database)
        context = Context(clock, in_force, store, Claims(store, clock), metrics, recent)
        await asyncio.to_thread(_remember, context)
        watcher = asyncio.create_task(_watch(context))
        app.state.context = context
        try:
            yield
        finally:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
            await store.close()

    app = FastAPI(
        title="Freezegate",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    for router in _ROUTERS:
        app.include_router(router)
    recent = RecentAnswers("/can-deploy", clock, in_force, metrics)
    app.add_middleware(recent.before)
    app.add_middleware(Edge, clock=clock, metrics=metrics, log=request_log or RequestLog())
    app.add_exception_handler(FreezegateError, handle_error)
    app.add_exception_handler(HTTPException, handle_http_exception)
    complete(app)
    return app


async def _watch(context: Context) -> None:
    """Look for changed policies for as long as the application runs."""
    while True:
        await asyncio.sleep(RELOAD_INTERVAL)
        try:
            await asyncio.to_thread(_look, context)
        except Exception:
            logging.getLogger("freezegate").exception("looking for changed policies failed")


def _look(context: Context) -> None:
    changed = context.policies.reload(context.clock.now())
    if isinstance(changed, LoadFailure):
        problems = [str(problem) for problem in changed.problems]
        event(logging.ERROR, "policies refused; the set before stays in force", problems=problems)
    elif changed is not None:
        event(logging.INFO, "policies loaded", revision=changed.revision)
    if not context.store.keeps(context.policies.in_force.revision):
        _remember(context)


def _remember(context: Context) -> None:
    """Keep the text of the policies in force, so that what they decide can be evaluated again."""
    in_force = context.policies.in_force
    context.store.remember_revision(in_force.revision, in_force.snapshot.to_json(), in_force.loaded_at)


app: Final = create_app()
