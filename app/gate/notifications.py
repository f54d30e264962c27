"""Notifications on one replica: a collector fills the outbox, and a sender empties it, under one lease."""

from typing import TYPE_CHECKING

from app.clock import Clock
from app.gate.collector import Collector, Receiver
from app.gate.in_force import Policies
from app.gate.lease import HeldLease
from app.gate.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.store.records import Backlog
    from app.store.store import Store


class Notifications:
    """The use cases of notifications."""

    def __init__(
        self,
        store: "Store",
        policies: Policies,
        clock: Clock,
        receivers: "Sequence[Receiver]",
        own_name: str,
    ) -> None:
        """Notify `receivers` of events in `store`, and of changes by the policies and the time.

        Args:
            store: has the record and the outbox.
            policies: in force on this replica.
            clock: the source of the time.
            receivers: the destinations.
            own_name: the name of this replica, unique to it.
        """
        self._lease = HeldLease(clock, own_name)
        self._collector = Collector(store, policies, clock, receivers, self._lease)
        outbox = Outbox(store, clock, self._lease)
        self.collect = self._collector.collect
        self.release = self._collector.release
        self.due = outbox.due
        self.settle = outbox.settle

    @property
    def holds_lease(self) -> bool:
        """Whether this replica is the one that sends."""
        return self._lease.held

    @property
    def backlog(self) -> "Mapping[str, Backlog]":
        """The messages that waited for each receiver some seconds ago."""
        return self._collector.backlog
