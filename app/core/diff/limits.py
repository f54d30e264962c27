"""The limits of a comparison: policies of every minute would fill gigabytes, and take minutes."""

from collections.abc import Callable
from typing import Final

from app.core.errors import FreezegateError
from app.core.instant import DAY
from app.core.interval import Interval
from app.core.policy import Policy

MOST_INTERVALS: Final = 1_000_000
"""Intervals of the policies that may make a difference: 10,000 of every day have 600,000 in 60 days."""

MOST_BITS: Final = 1 << 31
"""Policies times pieces of the period; as bits they take 256 MiB."""

MOST_FOUND: Final = 2_000_000
"""Stretches of time that differ, with the ids of the policies that veto in them. Two unrelated sets of 10,000
policies have 1,200,000 in 60 days, which nobody reads."""

MOST_FOUND_BESIDE: Final = 250_000
"""The same for a gate, which answers questions meanwhile: 10,000 new policies of every weekend are
180,000, and take 15 MB as JSON."""

_TOO_OFTEN: Final = "the policies open and close too often to be compared for so long; shorten the period"


class TooManyHoursError(FreezegateError):
    """Two sets differ too often in the period, or their windows open too often."""


class Work:
    """The work of one comparison, counted against the limits."""

    def __init__(self, checkpoint: Callable[[], None], most_found: int | None = None) -> None:
        """Call `checkpoint` now and then; it may raise an error to give up."""
        self.checkpoint = checkpoint
        self._intervals_left = MOST_INTERVALS
        self._left = MOST_FOUND if most_found is None else most_found

    def begin_to_read(self, policy: Policy, span: Interval) -> None:
        """Refuse a policy that opens too often within a span.

        Raises:
            TooManyHoursError: it does, as its windows say.
        """
        self.checkpoint()
        a_day = sum(entry.window.per_day() for entry in (*policy.when, *policy.except_when))
        _keep(a_day * (1 + (span[1] - span[0]) // DAY) <= MOST_INTERVALS)

    def count_intervals(self, count: int) -> None:
        """Count intervals in which a policy vetoes.

        Raises:
            TooManyHoursError: there are too many.
        """
        self._intervals_left -= count
        _keep(self._intervals_left >= 0)

    def check_bits(self, policies: int, pieces: int) -> None:
        """Check the bits that a comparison needs.

        Raises:
            TooManyHoursError: there are too many.
        """
        _keep(policies * pieces <= MOST_BITS)

    def count_found(self, ids: int) -> None:
        """Count a stretch that differs, with the ids of some policies.

        Raises:
            TooManyHoursError: there are too many.
        """
        self.checkpoint()
        self._left -= 1 + ids
        _keep(self._left >= 0)


def _keep(within: bool) -> None:  # noqa: FBT001 - reads like an assertion
    if not within:
        raise TooManyHoursError(_TOO_OFTEN)
