"""The policies in force: loaded at start, replaced as a whole when their files change.

A changed set is read, checked, self-tested and compiled beside the one in force and takes its place
in one assignment. A bad one changes nothing but `last_error`.
"""

from typing import NamedTuple

from app.core.engine import Engine
from app.core.policy import PolicySet
from app.core.wallclock import Zone, zone
from app.gate.errors import NotLoadedError
from app.policies.load import load
from app.policies.problem import PolicyFileError, Problem
from app.policies.source import Snapshot, Source


class InForce(NamedTuple):
    """A policy set that answers, and where it comes from."""

    engine: Engine
    snapshot: Snapshot
    loaded_at: int
    warnings: tuple[Problem, ...]

    @property
    def policy_set(self) -> PolicySet:
        """What the files say."""
        return self.engine.policy_set

    @property
    def revision(self) -> str:
        """``sha256:…`` over the files."""
        return self.snapshot.revision

    @property
    def home(self) -> Zone:
        """The zone of the files, in which sentences tell the time."""
        return zone(self.policy_set.timezone)


class LoadFailure(NamedTuple):
    """A changed policy set that was not taken, and why."""

    at: int
    revision: str
    problems: tuple[Problem, ...]


class Policies:
    """Holds the set in force and looks for a new one."""

    def __init__(self, source: Source) -> None:
        """Take policies from `source`; nothing is read before `reload`."""
        self._source = source
        self._in_force: InForce | None = None
        self._seen = ""
        self.last_error: LoadFailure | None = None

    @property
    def in_force(self) -> InForce:
        """The set that answers now.

        Raises:
            NotLoadedError: none was ever loaded.
        """
        if self._in_force is None:
            raise NotLoadedError("no policies are loaded")
        return self._in_force

    def load(self, now: int) -> InForce:
        """Read the files and put them in force.

        Raises:
            PolicyFileError: they can't be read, or something in them is wrong.
        """
        return self._take(self._source.read(), now)

    def reload(self, now: int) -> InForce | LoadFailure | None:
        """Take a changed policy set if it is good; say what happened, None if nothing changed.

        Safe to call from a thread: what is in force changes in one assignment.
        """
        try:
            snapshot = self._source.read()
        except PolicyFileError as error:
            return self._fail(f"unreadable: {error}", error, now)
        if snapshot.revision == self._seen:
            return None
        if self._in_force is not None and snapshot.revision == self._in_force.revision:
            # Put back as it was: nothing to load, and nothing wrong any more.
            self._seen, self.last_error = snapshot.revision, None
            return self._in_force
        try:
            return self._take(snapshot, now)
        except PolicyFileError as error:
            return self._fail(snapshot.revision, error, now)

    def _take(self, snapshot: Snapshot, now: int) -> InForce:
        loaded = load(snapshot)
        loaded.engine.prepare(now)
        self._in_force = InForce(loaded.engine, snapshot, now, tuple(loaded.warnings))
        self._seen, self.last_error = snapshot.revision, None
        return self._in_force

    def _fail(self, revision: str, error: PolicyFileError, now: int) -> LoadFailure | None:
        if self._seen == revision and self.last_error is not None:
            return None
        self._seen = revision
        self.last_error = LoadFailure(now, revision, tuple(error.problems))
        return self.last_error
