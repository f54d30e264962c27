"""The coming events that a new version of a calendar has lost.

A server that is half broken, or a wrong calendar under the right address, looks like a calendar whose events
were deleted. Moving an event is no loss, and neither is its end, because both versions are compared at the
same instant.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from app.core.windows.icalendar import ComingEvent


class Loss(NamedTuple):
    """The coming events that were lost, and how many there were."""

    lost: int
    of: int

    @property
    def is_large(self) -> bool:
        """Whether half of them or more were lost: a server may come back with half of its events."""
        return 2 * self.lost >= self.of > 0

    @property
    def words(self) -> str:
        """``6 of its 8 coming events``."""
        if self.of == 1:
            return "its only coming event"
        return f"all of its {self.of:,} coming events" if self.lost == self.of else self._some

    @property
    def _some(self) -> str:
        return f"{self.lost:,} of its {self.of:,} coming events"


def loss(before: Iterable[ComingEvent], after: Iterable[ComingEvent]) -> Loss:
    """Return the loss from one version to the next.

    An event whose occurrence is not there any more is moved, and not lost, if another one with its UID has
    come instead. Its UID may have changed if there is one at the same time.
    """
    old, new = Counter(before), Counter(after)
    gone, come = old - new, new - old
    spans = Counter(each.span for each in come.elements())
    for each in list(gone.elements()):
        if spans[each.span] > 0:
            spans[each.span] -= 1
            gone[each] -= 1
    moved = Counter(each.uid for each in gone.elements()) & Counter(each.uid for each in come.elements())
    return Loss(gone.total() - moved.total(), old.total())
