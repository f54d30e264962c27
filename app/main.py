"""The assembled application. Importing it opens and reads nothing.

``freezegate serve`` runs it, and so does ``uvicorn app.main:app``; both open the files and the store by
`open_resources`.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from fastapi import FastAPI
from starlette.exceptions import HTTPException

from app import __version__
from app.api import (
    audit,
    backtest,
    badge,
    calendar,
    can_deploy,
    can_deploy_batch,
    decisions,
    diff,
    events,
    freezes,
    health,
    holds,
    insights,
    lint,
    openapi,
    overrides,
    policies,
    policy_revisions,
    projections,
    schedule,
    status,
    year,
)
from app.clock import Clock, SystemClock
from app.core.errors import FreezegateError
from app.gate import keys
from app.gate.calendars import Calendars
from app.gate.gate import Gate
from app.gate.ids import new_id
from app.gate.in_force import Policies
from app.gate.pruning import Pruning
from app.identity.oidc import IdentityFile, IdentityProviders, People, read_identity_file
from app.integrations.answers import Answerer
from app.integrations.integrations import read_integrations_file
from app.integrations.receivers import Receiver, read_receivers_file
from app.integrations.section import Section
from app.integrations.sender import Sender
from app.integrations.vendor import Surroundings
from app.integrations.vendors import vendors
from app.outbound import Outbound
from app.policies.calendars.addresses import Reach
from app.policies.calendars.fetch import Fetcher
from app.policies.calendars.kept import CalendarFolder
from app.policies.source import Source
from app.server.context import Context, Outside, build_context
from app.server.direct import DirectRoutes
from app.server.log import RequestLog, event
from app.server.metrics import Metrics
from app.server.middleware import Edge, RequestIds
from app.server.openapi import complete
from app.server.periodic import all_made, beside, log_calendars, prune, watchers
from app.server.problems import handle_error, handle_http_exception
from app.server.quick_answers import QuickAnswers
from app.server.refusals import counting
from app.server.response_cache import ResponseCache
from app.server.root_path import RootPath
from app.server.routes import Routes
from app.server.shutdown import on_stop
from app.server.startup import StartupErrors, prepare
from app.server.tracing import Tracing
from app.settings import Settings, read_settings
from app.web import (
    assets,
    dashboard,
    error_page,
    operations,
    policy_list,
    propose,
    reference,
    sessions,
    sign_in,
)
from app.web import calendar as calendar_page
from app.web import decisions as decisions_page
from app.web import insights as insights_page
from app.web import past as past_page
from app.web import policy as policy_page
from app.web import service as service_page
from app.web import year as year_page
from app.web.dashboard import prepare_first_pages

_ROUTERS: Final = (
    can_deploy.router,
    can_deploy_batch.router,
    status.router,
    schedule.router,
    projections.router,
    year.router,
    policies.router,
    backtest.router,
    lint.router,
    diff.router,
    policy_revisions.router,
    overrides.router,
    freezes.router,
    holds.router,
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
    policy_page.router,
    policy_list.router,
    propose.router,
    year_page.router,
    service_page.router,
    calendar_page.router,
    past_page.router,
    decisions_page.router,
    sessions.router,
    sign_in.router,
    reference.router,
    assets.router,
    *(vendor.router for vendor in vendors().values() if vendor.router is not None),
)

_DESCRIPTION: Final = """
Answers one question: *may this service be deployed to this environment now?*
200 is yes, 423 Locked is no, and everything else is no as well. Compare the `service`, `environment` and
`change` of the answer with what you asked; with `Accept: text/plain` they are in its last line:
`allowed: service=…`.
"""


class Resources(NamedTuple):
    """The files and the store that a gate runs on, each read or opened once."""

    settings: Settings
    policies: Policies
    calendars: Calendars
    gate: Gate
    outbound: Outbound
    providers: IdentityProviders | None
    people: People | None
    receivers: Sequence[Receiver]
    integrations: Mapping[str, Section]


def open_resources(settings: Settings, clock: Clock, policies: Policies | None = None) -> Resources:
    """Read the files that the settings name, then open the store.

    Args:
        settings: name the files and the store.
        clock: gives the time at which the policies are loaded.
        policies: the holder to load the policies into; a new one if not given.

    Raises:
        SettingsError: the admin key is malformed.
        FreezegateError: a file can't be used, or the store can't be opened.
    """
    if settings.admin_key is not None:
        keys.check_given(settings.admin_key.get_secret_value())
    identity = None if settings.identity is None else read_identity_file(settings.identity, os.environ)
    receivers = _receivers(settings)
    integrations = _integrations(settings)
    outbound = Outbound(settings.ca_file)
    if identity or receivers or integrations or settings.ca_file:
        outbound.check()
    policies = policies or Policies()
    calendars = _calendars(settings, policies, outbound, clock)
    source = Source(settings.policies, calendars)
    log_calendars(calendars.begin(source.read().subscriptions))
    policies.start(source, clock)
    gate = Gate.open(settings.database, policies, clock)
    if integrations or settings.secret_key is not None:
        _use_secret_key(gate, settings)
    providers, people = _identities(settings, identity, outbound)
    return Resources(
        settings, policies, calendars, gate, outbound, providers, people, receivers, integrations
    )


def _identities(
    settings: Settings, identity: IdentityFile | None, outbound: Outbound
) -> tuple[IdentityProviders | None, People | None]:
    if identity is None or settings.identity is None:
        return None, None
    providers = IdentityProviders(identity.issuers, outbound) if identity.issuers else None
    people = People(identity.sign_in, settings.identity.parent, os.environ, outbound)
    return providers, people if identity.sign_in else None


def _use_secret_key(gate: Gate, settings: Settings) -> None:
    given = settings.secret_key
    if not gate.use_secret_key(None if given is None else given.get_secret_value()):
        event(
            logging.WARNING,
            "FREEZEGATE_SECRET_KEY is not set; deploys whose answer needs a secret can't wait",
        )


def _calendars(settings: Settings, policies: Policies, outbound: Outbound, clock: Clock) -> Calendars:
    reach = Reach.of(settings.calendar_networks, settings.calendar_ports, settings.calendar_http)
    folder = CalendarFolder(settings.data_folder / "calendars")
    return Calendars(policies, Fetcher(outbound, reach), folder, clock)


def _receivers(settings: Settings) -> Sequence[Receiver]:
    file = settings.notifications
    return [] if file is None else read_receivers_file(file, os.environ)


def _integrations(settings: Settings) -> Mapping[str, Section]:
    file = settings.integrations
    return {} if file is None else read_integrations_file(file, os.environ)


def create_app(
    settings: Settings | None = None,
    *,
    clock: Clock | None = None,
    resources: Resources | None = None,
    request_log: RequestLog | None = None,
) -> FastAPI:
    """Build the application; nothing is read or opened before it starts.

    Args:
        settings: read from the environment at start if not given.
        clock: the machine's clock if not given.
        resources: opened already, with the settings in them; opened at start if not given.
        request_log: where requests are logged; standard output if not given.
    """
    clock = clock or SystemClock()
    policies = Policies() if resources is None else resources.policies
    metrics = Metrics(policies, clock)
    cache = ResponseCache("/can-deploy", clock, policies, metrics)
    tracing = Tracing(os.environ)
    root_path = RootPath()
    log, ids = request_log or RequestLog(), RequestIds(clock)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opened = resources
        if opened is None:
            chosen = settings or read_settings(os.environ)
            opened = await asyncio.to_thread(open_resources, chosen, clock, policies)
        try:
            root_path.set(opened.settings.root_path or "", _paths())
            outside = Outside(
                opened.calendars, opened.providers, opened.people, opened.integrations, opened.outbound
            )
            app.state.context = context = build_context(
                opened.settings, clock, opened.gate, metrics, cache, outside
            )
            await asyncio.to_thread(prepare, context, opened.settings.admin_key)
            _warn_of_unknown_environments(opened)
            pruning = _pruning(context, opened)
            work = all_made(
                watchers(context),
                [prune(pruning), prepare_first_pages(context, opened.settings.root_path or "")],
                _senders(context, opened),
                _work(opened, clock),
            )
            async with beside(*work), tracing.sending():
                with on_stop(partial(_end_streams, context, pruning)):
                    yield
        finally:
            await opened.gate.close()

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
    if not tracing.is_on:
        app.state.quick_answers = QuickAnswers("/can-deploy", cache, root_path, clock, metrics, log, ids)
    for router in _ROUTERS:
        app.include_router(router)
    handle_own_error = error_page.or_problem(counting(handle_error))
    app.add_middleware(root_path.within)
    if not tracing.is_on:
        app.add_middleware(DirectRoutes(can_deploy.router.endpoints, handle_own_error).before)
    app.add_middleware(cache.before)
    app.add_middleware(tracing.before)
    app.add_middleware(Edge, clock=clock, metrics=metrics, log=log, ids=ids)
    app.add_middleware(root_path.before)
    app.add_middleware(StartupErrors)
    app.add_exception_handler(FreezegateError, handle_own_error)
    app.add_exception_handler(HTTPException, error_page.or_problem(handle_http_exception))
    complete(app, [each for router in _ROUTERS if isinstance(router, Routes) for each in router.declarations])
    return app


def __getattr__(name: str) -> FastAPI:
    """Build `app` for ``uvicorn app.main:app`` on first access: `freezegate serve` builds its own."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    app = globals()["app"] = create_app()
    return app


def _paths() -> list[str]:
    """Return the paths of all routes."""
    return [getattr(route, "path", "/") for router in _ROUTERS for route in router.routes]


def _end_streams(context: Context, pruning: Pruning) -> None:
    """End the work that would delay a shutdown: event streams, long measurements and pruning."""
    pruning.stop()
    context.hub.close()
    context.measurement.stop()
    context.jobs.stop()


def _pruning(context: Context, opened: Resources) -> Pruning:
    """Return the pruning of the record, watched by metrics."""
    own_name = new_id("prn", context.clock.microseconds())
    pruning = opened.gate.pruning(opened.settings.kept_for, opened.settings.archive, own_name)
    context.metrics.watch_pruning(pruning)
    return pruning


def _senders(context: Context, opened: Resources) -> list[Coroutine[None, None, None]]:
    """Return the sender of notifications, or nothing without receivers."""
    receivers = opened.receivers
    if not receivers:
        return []
    named = {name for receiver in receivers for name in receiver.environments or ()}
    unknown = named.difference(context.policies.in_force.policy_set.environments)
    if unknown:
        event(logging.WARNING, "receivers name environments that do not exist", environments=sorted(unknown))
    own_name = new_id("snd", context.clock.microseconds())
    notifications = context.gate.notifications(receivers, own_name)
    context.metrics.watch_outbox(notifications)
    return [Sender(notifications, receivers, context.clock, opened.outbound).run()]


def _warn_of_unknown_environments(opened: Resources) -> None:
    known = opened.policies.in_force.policy_set.environments
    for name, section in opened.integrations.items():
        unknown = section.named_environments().difference(known)
        if unknown:
            event(
                logging.WARNING,
                "the integrations file names environments that do not exist; deploys to them are denied",
                section=name,
                environments=sorted(unknown),
            )


def _work(opened: Resources, clock: Clock) -> Iterator[Coroutine[None, None, None]]:
    """Yield the background work on holds, and that of the vendors in the integrations file."""
    own_name = new_id("rep", clock.microseconds())
    surroundings = Surroundings(opened.gate, clock, opened.outbound, own_name)
    known = vendors()
    responders = {
        name: responder(section, surroundings)
        for name, section in opened.integrations.items()
        if (responder := known[name].responder) is not None
    }
    opened.gate.holds.targets = {
        name: partial(known[name].check_target or _any_target, opened.integrations[name])
        for name in responders
    }
    reportings = {name: each.reporting for name, each in responders.items()}
    answering = opened.gate.answering(reportings, own_name)
    yield Answerer(answering, responders, opened.outbound).run()
    for name, section in opened.integrations.items():
        work = known[name].work
        if work is not None:
            yield from work(section, surroundings)


def _any_target(section: Section, target: Mapping[str, Any]) -> None:
    """Take the target that a vendor's own route has made."""
