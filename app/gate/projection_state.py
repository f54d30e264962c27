"""The state of one place that a projection is kept in step with, as the replica that does it knows it."""

from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from app.core.instant import MINUTE
from app.policies.projections.projection import Projected, ProjectionScope

INTERVAL: Final = 15
"""Seconds between two looks at a place: drift is mended within a minute, also after a failed look."""

_LONGEST_PAUSE: Final = 5 * MINUTE
"""Seconds between two attempts at a place that fails; longer only if the target asks for it."""

_LONGEST_ASKED: Final = 15 * MINUTE

_MOST_DOUBLINGS: Final = 5

_REVERTED_AFTER: Final = 3
"""Mendings of the same windows within `_REVERTED_WITHIN`, after which something reverts them."""

_REVERTED_WITHIN: Final = 30 * MINUTE


class ProjectionPlace(NamedTuple):
    """A place at a target whose windows are ours to keep: an AppProject, a project, or a server."""

    target: str
    """The word on the command line."""
    name: str
    scopes: Sequence[ProjectionScope]
    days: int
    owner: str = "freezegate"
    overrun: bool = False


class Written(NamedTuple):
    """The changes at a place."""

    created: int = 0
    removed: int = 0

    def __bool__(self) -> bool:
        """Return whether anything was."""
        return bool(self.created or self.removed)


class ProjectionNews(StrEnum):
    """The news that a look at a place brought."""

    CHANGED = "changed"
    """The windows had to change, or were written for the first time by this replica."""
    DRIFTED = "drifted"
    """The place had other windows than were written."""
    REVERTED = "reverted"
    """It drifts again and again."""


class ProjectionState:
    """When a place was last in step, how often it drifted, and when to look again."""

    def __init__(self, place: ProjectionPlace, now: int) -> None:
        """Begin: the place is looked at right away."""
        self.place = place
        self.in_step_at = now
        """When it was last in step; before the first time, when this replica began."""
        self.drifts = 0
        self.refused = 0
        """The number of policies that the target would not follow."""
        self.error = ""
        """Why the last attempt failed; empty if it did not."""
        self._next_at = now
        self._failures = 0
        self._wanted: Projected | None = None
        self._mended: deque[int] = deque(maxlen=_REVERTED_AFTER)

    def is_due(self, now: int) -> bool:
        """Return whether to look at the place."""
        # A clock that was set back must not stop it.
        return not now < self._next_at <= now + _LONGEST_ASKED

    def is_reverted(self, now: int) -> bool:
        """Return whether something reverts the windows again and again."""
        return len(self._mended) == _REVERTED_AFTER and now - self._mended[0] < _REVERTED_WITHIN

    def succeed(self, wanted: Projected, written: Written, now: int) -> ProjectionNews | None:
        """Note that the place has the wanted windows; return what is news."""
        before, self._wanted = self._wanted, wanted
        self.in_step_at, self.error, self._failures = now, "", 0
        self.refused = len(wanted.refused)
        self._next_at = now + INTERVAL
        if not written:
            return None
        if before is None or before.windows != wanted.windows:
            return ProjectionNews.CHANGED
        self.drifts += 1
        self._mended.append(now)
        return ProjectionNews.REVERTED if self.is_reverted(now) else ProjectionNews.DRIFTED

    def fail(self, why: str, retry_after: int, now: int) -> bool:
        """Note that an attempt failed; return whether that is news."""
        is_news, self.error = why != self.error, why
        pause = min(INTERVAL << min(self._failures, _MOST_DOUBLINGS), _LONGEST_PAUSE)
        self._failures += 1
        self._next_at = now + max(pause, min(retry_after, _LONGEST_ASKED))
        return is_news
