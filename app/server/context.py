"""What the routes share: one running gate."""

from dataclasses import dataclass

from starlette.requests import Request

from app.clock import Clock
from app.gate.claim import Claims
from app.gate.freezes import Freezes
from app.gate.in_force import Policies
from app.gate.insights import Measurement
from app.gate.live import Live
from app.gate.outcomes import Outcomes
from app.gate.overrides import Overrides
from app.gate.record import Record
from app.gate.sessions import Sessions
from app.gate.store_cache import StoreCache
from app.identity.caller import Role
from app.identity.oidc import IdentityProviders
from app.server.concurrency import ConcurrencyLimit
from app.server.metrics import Metrics
from app.server.rate_limit import Throttle
from app.server.response_cache import ResponseCache
from app.server.single_flight import SingleFlight
from app.server.stream import Hub
from app.store.store import Store


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of a running gate that routes use."""

    clock: Clock
    policies: Policies
    store: Store
    cache: StoreCache
    claims: Claims
    overrides: Overrides
    freezes: Freezes
    record: Record
    outcomes: Outcomes
    measurement: Measurement
    sessions: Sessions
    live: Live
    hub: Hub
    metrics: Metrics
    recent: ResponseCache
    shared: SingleFlight
    exports: ConcurrencyLimit
    anonymous_role: Role | None
    providers: IdentityProviders | None
    failures: Throttle
    anonymous_claims: Throttle


def context(request: Request) -> Context:
    """The running gate that a request came to."""
    found: Context = request.app.state.context
    return found
