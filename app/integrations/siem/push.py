"""Push the events of the record: batches in order, the position moved on after each."""

import json
import logging
from typing import TYPE_CHECKING, Any

from app.gate.event_feed import EventFeed
from app.integrations.delivery_loop import deliver
from app.integrations.destination import Destination
from app.integrations.siem.ocsf import ocsf_event
from app.integrations.siem.section import Siem
from app.integrations.vendor import Surroundings
from app.server.log import event

if TYPE_CHECKING:
    import httpx

_DEADLINE = 10.0
_IDLE = 1.0
"""Seconds between two looks for new events; the lease is renewed as often."""


class Push:
    """The push to the SIEM of a section."""

    def __init__(self, section: Siem, feed: EventFeed, destination: Destination) -> None:
        """Push the events of `feed` to `destination`."""
        self._section = section
        self._feed = feed
        self._destination = destination
        self._told_lost = False

    async def next_batch(self, http: "httpx.AsyncClient") -> bool:
        """Push the next batch, if this replica has the lease; return whether there was one.

        Raises:
            DestinationError: the SIEM did not take it.
            StoreUnavailableError: the store can't be read or written.
        """
        if not await self._feed.take():
            return False
        batch = await self._feed.batch()
        if batch is None:
            return False
        if batch.lost and not self._told_lost:
            event(logging.ERROR, "events were pruned before the SIEM had them", at_most=batch.lost)
        self._told_lost = bool(batch.lost)
        lines = [self._line(each) for each in batch.events]
        await self._destination.send(http, lines, [str(each["at"]) for each in batch.events])
        await self._feed.passed(batch)
        return True

    async def run(self, surroundings: Surroundings) -> None:
        """Push until cancelled; then release the lease to other replicas."""
        try:
            async with surroundings.outbound.client(_DEADLINE) as http:
                await deliver("events for the SIEM", lambda: self.next_batch(http), _IDLE)
        finally:
            await self._feed.release()

    def _line(self, found: dict[str, Any]) -> str:
        return json.dumps(ocsf_event(found) if self._section.format == "ocsf" else found)
