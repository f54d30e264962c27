"""The delivery of an event, and the form of its handler; see `app.integrations.github.events`."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from app.clock import Clock
from app.gate.gate import Gate
from app.integrations.github.section import GitHub


class Delivery(NamedTuple):
    """One event, as it was delivered."""

    event: str
    """Its kind, as in ``X-GitHub-Event``."""
    id: str
    """Its unique id, as in ``X-GitHub-Delivery``; the same at every delivery of it."""
    payload: Mapping[str, Any]


Handler = Callable[[GitHub, Gate, Clock, Delivery], Awaitable[str]]
"""Deals with an event, and returns a sentence that says what was done."""
