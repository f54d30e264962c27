"""The only reader of the time. Everything else is told what time it is."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> int:
        """The present instant: whole seconds since the Unix epoch, UTC."""
        ...

    def microseconds(self) -> int:
        """The present instant in microseconds, for records that keep an order."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """The present instant, cut to whole seconds: a second counts once it has begun."""
        return int(time.time())

    def microseconds(self) -> int:
        """The present instant in microseconds since the Unix epoch."""
        return time.time_ns() // 1_000
