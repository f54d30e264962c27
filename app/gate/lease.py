"""The lease of the replica that sends notifications: held by one at a time, and renewed."""

from typing import Final

from app.clock import Clock

DURATION: Final = 15
"""Seconds after which another replica takes over from one that was killed."""

RENEWED: Final = 5
"""Seconds after which a replica renews the lease even if there was nothing to send."""


class HeldLease:
    """The lease as this replica knows it; the store has the truth."""

    def __init__(self, clock: Clock, own_name: str) -> None:
        """Hold nothing yet; `own_name` is unique to this replica."""
        self._clock = clock
        self.own_name = own_name
        self._held_until = 0

    @property
    def held(self) -> bool:
        """Whether this replica holds the lease."""
        return self._clock.now() < self._held_until

    def keep(self, until: int) -> None:
        """Note that this replica holds the lease until an instant; 0: it does not hold it."""
        self._held_until = until
