"""The table entry of anchors, and their background work."""

import json
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Final

from app.gate.event_feed import Anchoring
from app.identity.anchor_key import private_key, signed
from app.integrations.anchors.section import Anchors
from app.integrations.delivery_loop import deliver
from app.integrations.destination import Destination
from app.integrations.vendor import Surroundings, Vendor

if TYPE_CHECKING:
    import httpx

_DEADLINE: Final = 10.0
_IDLE: Final = 5.0
"""Seconds between two looks for an anchor that is due; the lease is renewed as often."""


async def send_anchor(
    section: Anchors, anchoring: Anchoring, destination: Destination, http: "httpx.AsyncClient"
) -> bool:
    """Send the anchor that is due, if one is; return False: there is never another at once.

    Raises:
        DestinationError: it was not taken.
        StoreUnavailableError: the store can't be read or written.
    """
    anchor = await anchoring.due()
    if anchor is not None:
        if section.secrets("key"):
            anchor = signed(anchor, private_key(section.newest("key").get_secret_value()))
        await destination.send(http, [json.dumps(anchor.to_json())], [anchor.at])
        await anchoring.passed()
    return False


async def _run(section: Anchors, anchoring: Anchoring, surroundings: Surroundings) -> None:
    destination = Destination(section, surroundings.outbound)
    try:
        async with surroundings.outbound.client(_DEADLINE) as http:
            await deliver("anchor", lambda: send_anchor(section, anchoring, destination, http), _IDLE)
    finally:
        await anchoring.release()


def _work(section: Anchors, surroundings: Surroundings) -> Sequence[Coroutine[None, None, None]]:
    anchoring = surroundings.gate.anchoring(section.every, surroundings.own_name)
    return [_run(section, anchoring, surroundings)]


VENDOR: Final = Vendor("anchors", section=Anchors, work=_work)
