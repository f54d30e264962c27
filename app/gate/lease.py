"""A lease of one replica at a time, such as the one that sends notifications, as its holder knows it."""

from typing import Final

from app.clock import Clock

DURATION: Final = 15
"""Seconds after which another replica takes over from one that was killed."""

RENEWED: Final = 5
"""Seconds after which a replica renews the lease even if there was nothing to do."""


class HeldLease:
    """The lease as this replica knows it; the store has the truth."""

    def __init__(self, clock: Clock, own_name: str) -> None:
        """Hold nothing yet; `own_name` is unique to this replica."""
        self._clock = clock
        self.own_name = own_name
        self._taken_at: int | None = None
        self._elapsed = 0

    @property
    def held(self) -> bool:
        """Whether this replica holds the lease."""
        return self.is_younger_than(DURATION)

    def is_younger_than(self, seconds: int) -> bool:
        """Return whether this replica holds the lease, and took or renewed it less than that ago.

        Both clocks must say so: one may have been set, and the other one may stand still in a suspended
        machine.
        """
        if self._taken_at is None:
            return False
        passed = self._clock.elapsed() - self._elapsed
        return 0 <= self._clock.now() - self._taken_at < seconds and passed < seconds * 1_000_000

    def keep(self, taken_at: int | None, elapsed: int | None = None) -> None:
        """Note that this replica took the lease; None: it does not hold it.

        Args:
            taken_at: the instant, or None.
            elapsed: that of the clock's `elapsed`; None: now.
        """
        self._taken_at = taken_at
        self._elapsed = self._clock.elapsed() if elapsed is None else elapsed
