"""The lease of work that one replica does at a time, such as writing to another system."""

import contextlib
from typing import TYPE_CHECKING

from app.clock import Clock
from app.gate.errors import StoreUnavailableError
from app.gate.lease import DURATION, RENEWED, HeldLease

if TYPE_CHECKING:
    from app.store.store import Store


class Lease:
    """The lease of some work, as this replica knows it; the store has the truth."""

    def __init__(self, store: "Store", clock: Clock, name: str, own_name: str) -> None:
        """Hold nothing yet.

        Args:
            store: has the leases.
            clock: the source of the time.
            name: the name of the work, such as ``holds``.
            own_name: the name of this replica, unique to it.
        """
        self._store = store
        self._clock = clock
        self._name = name
        self._own_name = own_name
        self._lease = HeldLease(clock, own_name)

    @property
    def held(self) -> bool:
        """Whether this replica holds the lease."""
        return self._lease.held

    async def take(self) -> bool:
        """Take the lease, or renew it when it is due; return whether this replica holds it.

        Raises:
            StoreUnavailableError: the store can't be written.
        """
        if self._lease.is_younger_than(RENEWED):
            return True
        now, elapsed = self._clock.now(), self._clock.elapsed()
        name, own_name = self._name, self._own_name
        held = await self._store.write(
            lambda transaction: transaction.take_named_lease(name, own_name, now, now + DURATION)
        )
        self._lease.keep(now if held else None, elapsed)
        return held

    async def release(self) -> None:
        """Release the lease, so that another replica takes over at once."""
        if not self.held:
            return
        self._lease.keep(None)
        name, own_name = self._name, self._own_name
        # If that fails, the lease expires.
        with contextlib.suppress(StoreUnavailableError):
            await self._store.write(lambda transaction: transaction.release_named_lease(name, own_name))
