"""The parts of a running gate that the routes share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from pydantic import BaseModel
from starlette.requests import Request

from app.clock import Clock
from app.gate.backtest import Backtests
from app.gate.calendars import Calendars
from app.gate.claim import Claims
from app.gate.exports import Exports
from app.gate.freezes import Freezes
from app.gate.gate import Gate
from app.gate.holds import Holds
from app.gate.in_force import Policies
from app.gate.insights import Measurement
from app.gate.job_queue import MOST_UNFINISHED, JobQueue
from app.gate.live import Live
from app.gate.outcomes import Outcomes
from app.gate.overrides import Overrides
from app.gate.record import Record
from app.gate.sessions import Sessions
from app.gate.store_cache import StoreCache
from app.gate.waiting_deploys import HoldDesk
from app.identity.caller import Role
from app.identity.oidc import IdentityProviders, People
from app.outbound import Outbound
from app.server.batches import BatchThread
from app.server.capacity import capacity_of, raise_file_limit
from app.server.concurrency import ConcurrencyLimit
from app.server.export import MOST_EXPORTS, MOST_EXPORTS_OF_ADDRESS
from app.server.metrics import Metrics
from app.server.rate_limit import RateLimit
from app.server.response_cache import ResponseCache
from app.server.single_flight import SingleFlight
from app.server.stream import Hub
from app.settings import Settings

MOST_CANDIDATES: Final = 8
MOST_CANDIDATES_OF_ADDRESS: Final = 4
"""Candidates that are received or worked on at a time; each may hold ten times its body in memory."""

MOST_JOBS_OF_ADDRESS: Final = 4
"""Jobs of an address that run or wait; half of `MOST_UNFINISHED`."""

MOST_SIGN_INS: Final = 32
MOST_SIGN_INS_OF_ADDRESS: Final = 8
"""Sign-ins that wait for an issuer at a time; an issuer that hangs holds each up for some seconds."""

FAILURES: Final = "20/minute"
"""The limit of failed credentials from one address."""


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of a running gate that routes use."""

    clock: Clock
    policies: Policies
    calendars: Calendars
    gate: Gate
    cache: StoreCache
    claims: Claims
    overrides: Overrides
    freezes: Freezes
    holds: Holds
    hold_desk: HoldDesk
    record: Record
    outcomes: Outcomes
    measurement: Measurement
    backtests: Backtests
    jobs: JobQueue
    """Work on candidates and the record that takes seconds."""
    sessions: Sessions
    live: Live
    hub: Hub
    metrics: Metrics
    recent: ResponseCache
    shared: SingleFlight
    batches: BatchThread
    exports: Exports
    running_exports: ConcurrencyLimit
    candidates: ConcurrencyLimit
    running_jobs: ConcurrencyLimit
    anonymous_role: Role | None
    providers: IdentityProviders | None
    people: People | None
    """The issuers at which people sign in."""
    sign_ins: ConcurrencyLimit
    integrations: Mapping[str, BaseModel]
    """The sections of the integrations file, by the names of their vendors."""
    outbound: Outbound
    failures: RateLimit
    anonymous_claims: RateLimit


class Outside(NamedTuple):
    """The systems outside that the gate asks or answers, and the way to them."""

    calendars: Calendars
    providers: IdentityProviders | None
    people: People | None
    integrations: Mapping[str, BaseModel]
    outbound: Outbound


def build_context(
    settings: Settings, clock: Clock, gate: Gate, metrics: Metrics, recent: ResponseCache, outside: Outside
) -> Context:
    """Build the context from an open gate and loaded policies."""
    metrics.watch(gate)
    for source in outside.integrations:
        metrics.expect_webhooks(source)
    if outside.people is not None:
        gate.sessions.still_given = outside.people.still_give
    capacity = capacity_of(raise_file_limit())
    return Context(
        clock=clock,
        policies=gate.policies,
        calendars=outside.calendars,
        gate=gate,
        cache=gate.cache,
        claims=gate.claims,
        overrides=gate.overrides,
        freezes=gate.freezes,
        holds=gate.holds,
        hold_desk=gate.hold_desk,
        record=gate.record,
        outcomes=gate.outcomes,
        measurement=gate.measurement,
        backtests=gate.backtests,
        jobs=gate.jobs,
        sessions=gate.sessions,
        live=gate.live,
        hub=Hub(ConcurrencyLimit("listeners", capacity.streams, capacity.streams_of_address)),
        metrics=metrics,
        recent=recent,
        shared=SingleFlight(),
        batches=BatchThread(),
        exports=gate.exports,
        running_exports=ConcurrencyLimit("exports", MOST_EXPORTS, MOST_EXPORTS_OF_ADDRESS),
        candidates=ConcurrencyLimit("candidates", MOST_CANDIDATES, MOST_CANDIDATES_OF_ADDRESS, 5),
        running_jobs=ConcurrencyLimit("long computations", MOST_UNFINISHED, MOST_JOBS_OF_ADDRESS, 5),
        anonymous_role=None if settings.anonymous_role == "none" else Role(settings.anonymous_role),
        providers=outside.providers,
        people=outside.people,
        sign_ins=ConcurrencyLimit("sign-ins", MOST_SIGN_INS, MOST_SIGN_INS_OF_ADDRESS, 5),
        integrations=outside.integrations,
        outbound=outside.outbound,
        failures=RateLimit(clock, FAILURES),
        anonymous_claims=RateLimit(clock, settings.anonymous_claims),
    )


def context(request: Request) -> Context:
    """Return the context of the gate that serves a request."""
    found: Context = request.app.state.context
    return found
