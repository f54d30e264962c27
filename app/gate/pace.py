"""The pace of long work beside claims: small steps, and pauses by the time that they take."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from app.clock import Clock

Argument = TypeVar("Argument")
Found = TypeVar("Found")


class Pace(NamedTuple):
    """The length of a step, and of the pause after it."""

    target: int
    """Microseconds that the work of one step should take."""
    rest: int
    """The pause, as a multiple of the time that a step took."""
    least: int = 10
    """Rows that a step deals with at least."""
    most: int = 2_000


class Steps:
    """The number of rows of the next step, and the pause after it, by the time that steps take."""

    def __init__(self, pause: Callable[[int], None], clock: Clock, pace: Pace) -> None:
        """Begin with the fewest rows; `pause` lets others have their turn, for some microseconds."""
        self._pause = pause
        self._clock = clock
        self._pace = pace
        self.rows = pace.least
        self._worked = 0

    def do(self, step: Callable[[], Found]) -> Found:
        """Do a step, then pause, and adapt the size of the next one."""
        began = self._clock.elapsed()
        self._worked = 0
        result = step()
        took = max(self._clock.elapsed() - began, 1)
        wanted = self.rows * self._pace.target // (self._worked or took)
        # Slower at once, faster bit by bit: a step that takes long says that others are busy.
        self.rows = min(max(wanted, self._pace.least), self.rows * 3 // 2 + 1, self._pace.most)
        if self._pace.rest:
            self._pause(took * self._pace.rest)
        return result

    def timed(self, work: Callable[[Argument], Found]) -> Callable[[Argument], Found]:
        """Return work within a step that its time is told by, apart from waiting for a lock or a disk."""

        def do(argument: Argument) -> Found:
            began = self._clock.elapsed()
            result = work(argument)
            self._worked = max(self._clock.elapsed() - began, 1)
            return result

        return do
