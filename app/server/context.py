"""What a route needs of the running gate; put into the application's state when it starts."""

from typing import NamedTuple

from starlette.requests import Request

from app.clock import Clock
from app.gate.claim import Claims
from app.gate.in_force import Policies
from app.server.metrics import Metrics
from app.server.recent import RecentAnswers
from app.store.store import Store


class Context(NamedTuple):
    """The parts of a running gate."""

    clock: Clock
    policies: Policies
    store: Store
    claims: Claims
    metrics: Metrics
    recent: RecentAnswers


def context(request: Request) -> Context:
    """The running gate that a request came to."""
    found: Context = request.app.state.context
    return found
