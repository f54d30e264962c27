"""The events that GitHub tells the App of, and the handler of each.

Handlers are called for a webhook, and for a delivery that was missed and fetched later. GitHub may deliver an
event more than once, so a handler does the same at a second call as at the first. It answers at once: what
takes longer is kept for background work.
"""

import logging
from collections.abc import Mapping
from typing import Final

from app.clock import Clock
from app.gate.gate import Gate
from app.integrations.github import deployments, merge_events
from app.integrations.github.delivery import Delivery, Handler
from app.integrations.github.section import GitHub

logger: Final = logging.getLogger("freezegate.github")


async def _ping(_section: GitHub, _gate: Gate, _clock: Clock, _delivery: Delivery) -> str:
    return "the gate is here"


HANDLERS: Final[Mapping[str, Handler]] = {
    "ping": _ping,
    "deployment_protection_rule": deployments.handle,
    **dict.fromkeys(merge_events.EVENTS, merge_events.handle),
}
"""The handlers by event."""


async def handle(section: GitHub, gate: Gate, clock: Clock, delivery: Delivery) -> str:
    """Deal with an event, and return a sentence that says what was done.

    Raises:
        MalformedValueError: the event is not of the documented form.
        NotLoadedError: no policies are loaded.
        StoreUnavailableError: the store can't be written.
    """
    handler = HANDLERS.get(delivery.event)
    if handler is None:
        return "the gate doesn't use this event"
    done = await handler(section, gate, clock, delivery)
    logger.debug("a GitHub event", extra={"fields": {"event": delivery.event, "done": done}})
    return done
