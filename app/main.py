"""The application, put together. Importing it does nothing; starting it reads, opens and watches.

``freezegate serve`` runs it; ``uvicorn app.main:app`` works too.
"""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from functools import partial
from typing import Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException

from app import __version__
from app.api import (
    audit,
    badge,
    calendar,
    can_deploy,
    decisions,
    events,
    freezes,
    health,
    insights,
    openapi,
    overrides,
    policies,
    schedule,
    status,
)
from app.clock import Clock, SystemClock
from app.core.errors import FreezegateError
from app.gate import keys
from app.gate.claim import Claims
from app.gate.freezes import Freezes
from app.gate.ids import new_id
from app.gate.in_force import Policies
from app.gate.insights import Measurement
from app.gate.live import Live
from app.gate.notifications import Notifications
from app.gate.outcomes import Outcomes
from app.gate.overrides import Overrides
from app.gate.receivers import read_receivers_file
from app.gate.record import Record
from app.gate.sessions import Sessions
from app.gate.store_cache import StoreCache
from app.identity.caller import Role
from app.identity.oidc import IdentityProviders, read_identity_file
from app.integrations.sender import Sender
from app.outbound import Outbound
from app.policies.source import Source
from app.server.capacity import capacity_of, raise_file_limit
from app.server.concurrency import ConcurrencyLimit
from app.server.context import Context
from app.server.export import MOST_EXPORTS, MOST_EXPORTS_OF_ADDRESS
from app.server.log import RequestLog, event
from app.server.metrics import Metrics
from app.server.middleware import Edge
from app.server.openapi import complete
from app.server.periodic import begin, beside, watchers
from app.server.problems import handle_error, handle_http_exception
from app.server.rate_limit import Throttle
from app.server.response_cache import ResponseCache
from app.server.root_path import RootPath
from app.server.shutdown import on_stop
from app.server.single_flight import SingleFlight
from app.server.startup import StartupErrors
from app.server.stream import Hub
from app.server.tracing import Tracing
from app.settings import Settings, read_settings
from app.store.store import Store
from app.web import assets, dashboard, error_page, operations, reference, sessions
from app.web import insights as insights_page

FAILURES: Final = "20/minute"
"""How often credentials from one address may fail."""

_ROUTERS: Final = (
    can_deploy.router,
    status.router,
    schedule.router,
    policies.router,
    overrides.router,
    freezes.router,
    decisions.router,
    insights.router,
    events.router,
    calendar.router,
    badge.router,
    audit.router,
    health.router,
    openapi.router,
    dashboard.router,
    operations.router,
    insights_page.router,
    sessions.router,
    reference.router,
    assets.router,
)

_DESCRIPTION: Final = """
Answers one question: *may this service be deployed to this environment now?*
200 is yes, 423 Locked is no, and everything else is no as well. Compare the `service`, `environment` and
`change` of the answer with what you asked; with `Accept: text/plain` they are in its last line:
`allowed: service=…`.
"""


def create_app(
    settings: Settings | None = None,
    *,
    clock: Clock | None = None,
    loaded: Policies | None = None,
    opened: Store | None = None,
    request_log: RequestLog | None = None,
) -> FastAPI:
    """Build the application; nothing is read or opened before it starts.

    Args:
        settings: what to run with; read from the environment at start if not given.
        clock: tells the time; the machine's clock if not given.
        loaded: policies that are in force already; loaded at start if not given.
        opened: the store; opened at start if not given.
        request_log: where requests are logged; standard output if not given.
    """
    clock = clock or SystemClock()
    in_force = loaded or Policies()
    metrics = Metrics(in_force, clock)
    tracing = Tracing(os.environ)
    root_path = RootPath()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        chosen = settings or read_settings(os.environ)
        root_path.set(chosen.root_path or "", _paths())
        outbound = await asyncio.to_thread(_outbound, chosen)
        if not in_force.loaded:
            await asyncio.to_thread(in_force.start, Source(chosen.policies), clock)
        store = await asyncio.to_thread(Store.open, chosen.database) if opened is None else opened
        try:
            app.state.context = context = _context(
                chosen, clock, in_force, store, metrics, recent, _providers(chosen, outbound)
            )
            await asyncio.to_thread(_begin, context, chosen)
            async with beside(*watchers(context), *_sending(context, chosen, outbound)), tracing.sending():
                with on_stop(partial(_let_go, context)):
                    yield
        finally:
            await store.close()

    app = FastAPI(
        title="Freezegate",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=None,  # ours, in app.api: the framework renders it at each call
        docs_url=None,  # ours, in app.web: the framework's loads its scripts from elsewhere
        redoc_url=None,
        telemetry=tracing.config,
    )
    for router in _ROUTERS:
        app.include_router(router)
    recent = ResponseCache("/can-deploy", clock, in_force, metrics)
    app.add_middleware(root_path.within)
    app.add_middleware(recent.before)
    app.add_middleware(tracing.before)
    app.add_middleware(Edge, clock=clock, metrics=metrics, log=request_log or RequestLog())
    app.add_middleware(root_path.before)
    app.add_middleware(StartupErrors)
    app.add_exception_handler(FreezegateError, error_page.or_problem(handle_error))
    app.add_exception_handler(HTTPException, error_page.or_problem(handle_http_exception))
    complete(app)
    return app


def _paths() -> list[str]:
    """Return the paths of all routes."""
    return [getattr(route, "path", "/") for router in _ROUTERS for route in router.routes]


def _let_go(context: Context) -> None:
    """End what has no end of its own, or takes long: the server waits for it."""
    context.hub.close()
    context.measurement.stop()


def _context(
    chosen: Settings,
    clock: Clock,
    policies: Policies,
    store: Store,
    metrics: Metrics,
    recent: ResponseCache,
    providers: IdentityProviders | None,
) -> Context:
    cache = StoreCache(store, policies, clock)
    metrics.watch(cache, store)
    capacity = capacity_of(raise_file_limit())
    return Context(
        clock=clock,
        policies=policies,
        store=store,
        cache=cache,
        claims=Claims(store, clock, cache),
        overrides=Overrides(store, cache),
        freezes=Freezes(store, clock, cache),
        record=Record(store, clock),
        outcomes=Outcomes(store, clock, cache),
        measurement=Measurement(store, clock),
        sessions=Sessions(store, cache),
        live=Live(store, policies, cache, clock),
        hub=Hub(ConcurrencyLimit("listeners", capacity.streams, capacity.streams_of_address)),
        metrics=metrics,
        recent=recent,
        shared=SingleFlight(),
        exports=ConcurrencyLimit("exports", MOST_EXPORTS, MOST_EXPORTS_OF_ADDRESS),
        anonymous_role=None if chosen.anonymous_role == "none" else Role(chosen.anonymous_role),
        providers=providers,
        failures=Throttle(clock, FAILURES),
        anonymous_claims=Throttle(clock, chosen.anonymous_claims),
    )


def _outbound(chosen: Settings) -> Outbound:
    """The maker of outgoing clients, checked where anything may need it."""
    outbound = Outbound(chosen.ca_file)
    if chosen.ca_file or chosen.identity or chosen.notifications:
        outbound.check()
    return outbound


def _providers(chosen: Settings, outbound: Outbound) -> IdentityProviders | None:
    if chosen.identity is None:
        return None
    return IdentityProviders(read_identity_file(chosen.identity), outbound)


def _begin(context: Context, chosen: Settings) -> None:
    """What has to be in the store before the first request: a key, and the policies in force."""
    given = None if chosen.admin_key is None else chosen.admin_key.get_secret_value()
    tell = _tell if sys.stderr.isatty() else None
    if not keys.begin(context.store, context.clock, given, tell):
        event(
            logging.WARNING,
            "no API key exists, and there is no terminal to show a first one on; make one with: "
            "freezegate keys create --name NAME --role admin",
        )
    begin(context)
    context.cache.load()
    _tell_of_approvers(context)


def _tell_of_approvers(context: Context) -> None:
    """Log which keys can't approve as they may be meant to, where the policies ask for approvals."""
    now = context.cache.steady.now()
    policy_set = context.policies.in_force.policy_set
    found = keys.doubtful_approvers(context.cache.known_keys, policy_set, now)
    if found.nobody:
        event(
            logging.WARNING,
            "the policies ask for approvals, and these keys belong to no person: they can neither approve "
            "nor grant what needs approval; make new ones with freezegate keys create --person",
            keys=found.nobody,
        )
    if found.by_name and context.providers is not None and context.providers.grants_ops:
        event(
            logging.WARNING,
            "the policies ask for approvals, and operators may use identity tokens: the owners of these keys "
            "are other people there, unless --person is the person of the token (issuer#claim=id)",
            keys=found.by_name,
        )


def _tell(key: str) -> None:
    """Show the first key to whoever started the gate, this once; it goes into no log."""
    sys.stderr.write(
        f"  admin key  {key}\n"
        "             Shown only now: keep it, and export it as FREEZEGATE_API_KEY.\n"
        "             `freezegate keys create` makes keys for others.\n"
    )


def _sending(context: Context, chosen: Settings, outbound: Outbound) -> list[Coroutine[None, None, None]]:
    """The sender of notifications, where there is anybody to send them to."""
    if chosen.notifications is None:
        return []
    receivers = read_receivers_file(chosen.notifications, os.environ)
    named = {name for receiver in receivers for name in receiver.environments or ()}
    unknown = named.difference(context.policies.in_force.policy_set.environments)
    if unknown:
        event(logging.WARNING, "receivers name environments that do not exist", environments=sorted(unknown))
    own_name = new_id("snd", context.clock.microseconds())
    notifications = Notifications(context.store, context.policies, context.clock, receivers, own_name)
    context.metrics.watch_outbox(notifications)
    return [Sender(notifications, receivers, context.clock, outbound).run()]


app: Final = create_app()
