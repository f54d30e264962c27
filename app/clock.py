"""The only reader of the machine's time; everything else gets a clock, or an instant, passed in."""

import time
from threading import Lock
from typing import Final, Protocol

SLACK: Final = 1_000_000
"""Microseconds that a clock may run behind the record: those of two replicas never agree exactly."""


class Clock(Protocol):
    """A source of the time."""

    def now(self) -> int:
        """Return the current instant: whole seconds since the Unix epoch, UTC."""
        ...

    def microseconds(self) -> int:
        """Return the current instant in microseconds, for records that keep an order."""
        ...

    def elapsed(self) -> int:
        """Return microseconds since some fixed instant; never goes back, even when the clock is set."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Return the current instant, rounded down to whole seconds."""
        return int(time.time())

    def microseconds(self) -> int:
        """Return the current instant in microseconds since the Unix epoch."""
        return time.time_ns() // 1_000

    def elapsed(self) -> int:
        """Return the microseconds of the machine's monotonic clock."""
        return time.monotonic_ns() // 1_000


class SteadyClock:
    """A clock that never goes back, so that expired grants stay expired.

    It runs on from the latest instant of the record while the clock itself is behind that by more than a
    second. Grants and expiries go by it. Decisions go by the clock itself: a record made while the clock
    was years ahead must not decide today's deploys.
    """

    def __init__(self, clock: Clock) -> None:
        """Wrap `clock`; never fall behind the instants passed to `follow` by more than the slack."""
        self._clock = clock
        self._lock = Lock()
        self._floor = 0
        self._since = clock.elapsed()

    def follow(self, latest: int) -> None:
        """Note the latest instant of the record, in microseconds."""
        floor = not_behind(0, latest)
        with self._lock:
            elapsed = self._clock.elapsed()
            if floor > self._floor + elapsed - self._since:
                self._floor, self._since = floor, elapsed

    def now(self) -> int:
        """Return the current instant in whole seconds."""
        return self.microseconds() // 1_000_000

    def microseconds(self) -> int:
        """Return the current instant in microseconds."""
        return max(self._clock.microseconds(), self._running())

    def elapsed(self) -> int:
        """Return the wrapped clock's `elapsed`."""
        return self._clock.elapsed()

    def behind(self) -> int:
        """Return the microseconds that the clock is behind the record, beyond the slack; 0 if it isn't."""
        return max(0, self._running() - self._clock.microseconds())

    def _running(self) -> int:
        with self._lock:
            return self._floor + self._clock.elapsed() - self._since


class PacingClock:
    """A clock to pace work by: set back, it goes on from where it was, so that nothing waits for longer.

    Its instants are compared with each other, and with nothing else.
    """

    def __init__(self, clock: Clock) -> None:
        """Wrap `clock`; instants are its own until it is set back."""
        self._clock = clock
        self._last = clock.now()
        self._set_back = 0

    def now(self) -> int:
        """Return the current instant in whole seconds; never less than before."""
        now = self._clock.now()
        self._set_back += max(0, self._last - now)
        self._last = now
        return now + self._set_back


def not_behind(microseconds: int, latest: int) -> int:
    """Return an instant, or the earliest one that isn't behind the latest of the record beyond the slack."""
    return max(microseconds, latest - SLACK)
