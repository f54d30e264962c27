"""The heads that this replica looks at next, because GitHub told of them.

They are lost with the process: the next sweep finds what they would have.
"""

from typing import Final, NamedTuple

MOST: Final = 2_000
"""Looks that wait; more are one look at the whole repository each."""

MOST_OF_REPOSITORY: Final = 20
"""Looks at one repository that wait; listing it is cheaper than more."""


class Look(NamedTuple):
    """A look at a pull request, a merge queue, or else at a whole repository."""

    installation: int
    repository: str
    pull: int | None = None
    """The number of the pull request."""
    branch: str | None = None
    """The base branch of the merge queue."""
    heads: frozenset[str] = frozenset()
    """The commits that must get their check, even if it is the one that they have."""
    attempts: int = 0
    due_at: int = 0

    @property
    def key(self) -> tuple[str, int | None, str | None]:
        """The key of the heads that it is about; two looks of one key are one."""
        return self.repository, self.pull, self.branch


class Looks:
    """The looks that wait; equal ones are one."""

    def __init__(self) -> None:
        """Begin with none."""
        self._waiting: dict[tuple[str, int | None, str | None], Look] = {}
        self.rediscover = False
        """Whether the App was installed or given repositories since they were last listed."""

    def add(self, look: Look) -> None:
        """Put a look behind the others."""
        before = self._waiting.get(look.key)
        if before is not None:
            look = look._replace(heads=before.heads | look.heads, attempts=before.attempts)
        self._waiting[look.key] = look
        alike = [each for each in self._waiting.values() if each.repository == look.repository]
        if len(alike) > MOST_OF_REPOSITORY or len(self._waiting) > MOST:
            for each in alike:
                del self._waiting[each.key]
            whole = Look(
                look.installation, look.repository, heads=frozenset().union(*(e.heads for e in alike))
            )
            self._waiting[whole.key] = whole

    def take(self, now: int) -> list[Look]:
        """Take those that are due."""
        due = [each for each in self._waiting.values() if each.due_at <= now]
        for each in due:
            del self._waiting[each.key]
        return due
