"""The policies in force, with the ad-hoc freezes beside them.

Policies are loaded at start and replaced as a whole when their files change. A changed set that two
polls find equal is checked, self-tested and compiled beside the one in force and takes its place in
one assignment. A bad one changes nothing but `last_error`.
"""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Final, NamedTuple

from app.clock import Clock
from app.core.engine import Engine
from app.core.freeze import Freeze
from app.core.instant import DAY
from app.core.policy import OwnedFile, PolicySet
from app.core.wallclock import Zone
from app.gate.calendar_state import CalendarState
from app.gate.errors import NotLoadedError
from app.policies.calendars.subscription import Subscription
from app.policies.load import load
from app.policies.removal import Contents, Removal, current, lost_events, removals, renamed
from app.policies.source import Snapshot, Source
from app.yaml.problem import PolicyFileError, Problem, Severity

FREEZES_KEPT_FOR: Final = 366 * DAY
"""Seconds that a freeze is kept in memory after its end, for schedules that look back."""


class InForce(NamedTuple):
    """The policies and ad-hoc freezes that decisions are made by."""

    engine: Engine
    snapshot: Snapshot
    loaded_at: int
    warnings: tuple[Problem, ...]
    freezes_version: int = 0
    """The version of the ad-hoc freezes: the number of their changes."""
    removed: tuple[Removal, ...] = ()
    """The removals by changes of the files; see `removed_lately`."""

    @property
    def policy_set(self) -> PolicySet:
        """The content of the files."""
        return self.engine.policy_set

    @property
    def revision(self) -> str:
        """``sha256:…`` over the files."""
        return self.snapshot.revision

    @property
    def home(self) -> Zone:
        """The zone of the files, used for the times in sentences."""
        return self.policy_set.home

    def removed_lately(self, now: int) -> tuple[Removal, ...]:
        """Return the policies and tests that a change of less than a day ago removed."""
        return current(self.removed, now)


class LoadFailure(NamedTuple):
    """A changed policy set that was refused, and its problems."""

    at: int
    revision: str
    problems: tuple[Problem, ...]
    owners: tuple[OwnedFile, ...] = ()
    """The broken files of teams, by the `owners` in force: the new ones may be what is broken."""

    @property
    def sentences(self) -> list[str]:
        """Each problem, and who mends each broken file, for one file holds back the reload of all."""
        return [*map(str, self.problems), *map(str, self.owners)]


class Policies:
    """The owner of what is in force: policies and ad-hoc freezes. Safe to reload from a thread."""

    def __init__(self) -> None:
        """Begin without policies; `load` puts a first set in force."""
        self._source: Source | None = None
        self._in_force: InForce | None = None
        self._freezes: tuple[int, Sequence[Freeze]] = (-1, ())
        self._changing = Lock()
        self._found: str | None = None
        """The revision found by the last poll, if it is neither in force nor refused."""
        self._calendar_states: Callable[[], Sequence[CalendarState]] = tuple
        self.last_error: LoadFailure | None = None
        self.failed_at: int | None = None
        """The instant of the last refusal of a changed set, also after it was mended."""

    @property
    def loaded(self) -> bool:
        """Whether any set is in force."""
        return self._in_force is not None

    @property
    def in_force(self) -> InForce:
        """The policies and freezes in force now.

        Raises:
            NotLoadedError: no set was ever loaded.
        """
        if self._in_force is None:
            raise NotLoadedError("no policies are loaded")
        return self._in_force

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """The calendars by URL that the files named at the last poll, also in a set that was refused."""
        return () if self._source is None else self._source.subscriptions

    @property
    def are_folder(self) -> bool:
        """Whether they are the files of a folder, so that one may be added."""
        return self._source is not None and self._source.is_folder

    @property
    def calendar_states(self) -> Sequence[CalendarState]:
        """The present states of these calendars."""
        return self._calendar_states()

    def report_calendars(self, states: Callable[[], Sequence[CalendarState]]) -> None:
        """Take the states of the calendars from `states` from now on."""
        self._calendar_states = states

    @property
    def freezes_version(self) -> int:
        """The version of the ad-hoc freezes in force; -1 before the first are."""
        return self._freezes[0]

    def load(self, source: Source, now: int) -> InForce:
        """Read the files of `source`, put them in force, and poll them from now on.

        Raises:
            PolicyFileError: they can't be read, or something in them is wrong.
        """
        return self._begin(source, source.read(), now)

    def start(self, source: Source, clock: Clock) -> InForce:
        """Like `load`, but wait until the files are completely written; may take some seconds.

        Raises:
            PolicyFileError: they can't be read, keep changing, or something in them is wrong.
        """
        return self._begin(source, source.read_settled(clock), clock.now())

    def poll(self, now: int) -> InForce | LoadFailure | None:
        """Read the files once; load a changed set if the poll before found the same one.

        A half-written file, or a folder in the middle of a copy, differs at the next poll.

        Returns:
            The set put in force, or the failure of one that was refused; None without a change.
        """
        in_force = self.in_force
        if self._source is None:
            return None
        snapshot = self._source.read()
        found, self._found = self._found, None
        if self.last_error is not None and snapshot.revision == self.last_error.revision:
            return None
        if snapshot.revision == in_force.revision:
            # The same files, or put back as they were: then nothing is wrong any more.
            self.last_error = None
            return None
        if snapshot.revision != found or snapshot.awaiting:
            # Not before the first fetch of a calendar was tried: until then, it would freeze nothing.
            self._found = snapshot.revision
            return None
        return self._take(in_force, snapshot, now)

    def report_removed(self, removed: tuple[Removal, ...]) -> None:
        """Report removals from before this process started, or by the change that it started with."""
        with self._changing:
            self._in_force = self.in_force._replace(removed=removed)

    def _begin(self, source: Source, snapshot: Snapshot, now: int) -> InForce:
        loaded = _loaded(snapshot, now)
        self._source = source
        return self._put_in_force(loaded)

    def _take(self, in_force: InForce, snapshot: Snapshot, now: int) -> InForce | LoadFailure:
        try:
            loaded = _loaded(snapshot, now)
        except PolicyFileError as error:
            owners = _owners(in_force.policy_set, error.problems)
            self.last_error = LoadFailure(now, snapshot.revision, error.problems, owners)
            self.failed_at = now
            return self.last_error
        self.last_error = None
        old, new = in_force.policy_set, loaded.policy_set
        before = Contents.of(old).under(renamed(old, new))
        lost = lost_events(old, new, now)
        removed = removals(before, Contents.of(new), in_force.removed, now, lost)
        return self._put_in_force(loaded._replace(removed=removed))

    def use_freezes(self, freezes: Sequence[Freeze], version: int) -> None:
        """Put ad-hoc freezes in force beside the policies, unless newer ones are.

        Args:
            freezes: those that may veto within `FREEZES_KEPT_FOR` before now, or later, as committed.
            version: of the freezes.
        """
        with self._changing:
            if version < self._freezes[0]:
                return
            self._freezes = (version, freezes)
            if self._in_force is not None:
                self._in_force = with_freezes(self._in_force, freezes, version)

    def _put_in_force(self, loaded: InForce) -> InForce:
        with self._changing:
            version, freezes = self._freezes
            self._in_force = with_freezes(loaded, freezes, version)
            return self._in_force


def _owners(policy_set: PolicySet, problems: Sequence[Problem]) -> tuple[OwnedFile, ...]:
    """Return the files with errors that have an owner, each with it."""
    broken = dict.fromkeys(each.file for each in problems if each.severity is Severity.ERROR)
    owners = policy_set.owners or {}
    return tuple(OwnedFile(name, owners[name]) for name in broken if name in owners)


def with_freezes(in_force: InForce, freezes: Sequence[Freeze], version: int) -> InForce:
    """Return the same policies with these ad-hoc freezes."""
    return in_force._replace(engine=in_force.engine.with_freezes(freezes), freezes_version=version)


def _loaded(snapshot: Snapshot, now: int) -> InForce:
    loaded = load(snapshot)
    loaded.engine.prepare(now)
    return InForce(loaded.engine, snapshot, now, loaded.warnings)
