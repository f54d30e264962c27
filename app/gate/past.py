"""The past: when each environment was frozen, by the policies in force then, and the deploys in spite of it.

Policies are read from the revisions that the record keeps; ad-hoc freezes as they are recorded. Reading is
bounded: a quarter at a time, and only so many revisions and loads of it.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from app.core.engine import Engine
from app.core.errors import FreezegateError, UnknownNameError
from app.core.instant import DAY, EARLIEST
from app.core.interval import Period
from app.core.scope import ScopeTimeline, Segment
from app.gate.audit_events import Kind
from app.gate.calendar_lanes import Lane, grouped, runs_of, within
from app.gate.in_force import InForce
from app.gate.pruned_record import kept_since
from app.gate.record import RunQuery
from app.gate.revisions import Load
from app.policies.load import load_untested
from app.policies.source import Snapshot
from app.store.records import DecidedFilter

if TYPE_CHECKING:
    from app.core.audit import Link
    from app.core.freeze import Freeze
    from app.store.view import View

LONGEST: Final = 93 * DAY
"""Seconds that are read at a time: a quarter."""

MOST_LOADS: Final = 500
"""Loads of policies in one period that are read; calendars by URL may load often."""

MOST_PARSED: Final = 24
"""Sets that are parsed for one page; those of before them are not shown."""

MOST_SEGMENTS: Final = 8_000
"""Segments of an environment; a policy of every minute would make a page of many megabytes."""

MOST_DEPLOYS: Final = 200
"""Deploys of one freeze in one environment that are marked."""

MOST_LOOKED_AT: Final = 300
"""Freezes whose deploys are looked for, the latest ones."""

_BEFORE: Final = 7 * DAY
_TOGETHER: Final = 100
_FAR: Final = 2**62
_REMEMBERED: Final = 16


class Deploy(NamedTuple):
    """A deploy that went out while its environment was frozen."""

    at: int
    service: str
    environment: str
    change: str
    overridden: bool
    """Whether an override token lifted the freeze; otherwise the service or the kind of change was exempt."""
    result: str | None
    """The result of its latest report; None without any."""


class PastLane(NamedTuple):
    """The freezes of environments that had the same ones, and the deploys in them."""

    lane: Lane
    deploys: tuple[Deploy, ...]


class PastView(NamedTuple):
    """The past of every environment in a period."""

    lanes: tuple[PastLane, ...]
    known_since: int | None
    """From when on the policies are known; None if they are not at all."""
    revisions: int
    """The number of sets that were in force."""
    pruned_until: int | None = None
    """Up to when deploys are not known any more, if that is within the period."""


class _Reign(NamedTuple):
    """A time in which one set was in force."""

    start: int
    end: int
    revision: str


class Past:
    """The past of a store. Synchronous and safe to use from threads; parsed sets are remembered."""

    def __init__(self, query: RunQuery) -> None:
        """Read through `query`."""
        self._query = query
        self._known: dict[str, Engine | None] = {}
        self._changing = Lock()

    def view(self, in_force: InForce, period: Period, service: str | None = None) -> PastView:
        """Return the past of a period that ends by now, of a service or of any service.

        Raises:
            StoreUnavailableError: the record can't be read.
        """
        # From a week before: a freeze that began then is told from its beginning.
        read = Period(max(period.start - _BEFORE, EARLIEST), period.end)
        reigns = self._query(partial(_reigns, period=read))
        freezes = self._query(lambda view: view.freezes_after(read.start))
        engines = list(self._engines(in_force, reigns, freezes))
        lanes = grouped(_lane(name, kept, period) for name, kept in _segments(engines, service).items())
        pruned = self._query(kept_since)
        return PastView(
            tuple(PastLane(lane, self._deploys(lane, period, service)) for lane in lanes),
            min((reign.start for reign, _ in engines), default=None),
            len({reign.revision for reign, _ in engines}),
            pruned if pruned is not None and pruned >= period.start else None,
        )

    def _engines(
        self, in_force: InForce, reigns: Sequence[_Reign], freezes: "Sequence[Freeze]"
    ) -> Iterator[tuple[_Reign, Engine]]:
        """Yield each reign with the engine of its set, oldest first; leave out those that can't be read."""
        readable: list[tuple[_Reign, Engine]] = []
        parsed = 0
        for reign in reversed(reigns):
            if reign.revision not in self._known and reign.revision != in_force.revision:
                parsed += 1
                if parsed > MOST_PARSED:
                    break
            engine = self._engine(in_force, reign.revision)
            if engine is not None:
                readable.append((reign, engine.with_freezes(freezes)))
        yield from reversed(readable)

    def _engine(self, in_force: InForce, revision: str) -> Engine | None:
        """Return the engine of a revision; None if its text was not kept, or is no longer accepted."""
        if revision == in_force.revision:
            return in_force.engine
        if revision not in self._known:
            text = self._query(lambda view: view.sources(revision))
            try:
                engine = None if text is None else load_untested(Snapshot.from_json(text)).engine
            except FreezegateError:
                engine = None
            with self._changing:
                while len(self._known) >= _REMEMBERED:
                    del self._known[next(iter(self._known))]
                self._known[revision] = engine
            return engine
        return self._known.get(revision)

    def _deploys(self, lane: Lane, period: Period, service: str | None) -> tuple[Deploy, ...]:
        found: list[Deploy] = []
        for run in lane.runs[-MOST_LOOKED_AT:]:
            start, end = max(run.start, period.start), min(run.end, period.end)
            for environment in lane.environments:
                wanted = DecidedFilter(start, end, service, environment)
                found += self._query(partial(_deploys_in, wanted=wanted))
        return tuple(sorted(found, key=lambda each: (each.at, each.service)))


def _segments(engines: Iterable[tuple[_Reign, Engine]], service: str | None) -> dict[str, list[Segment]]:
    """Return the segments of each environment through all reigns, at most one more than are drawn."""
    found: dict[str, list[Segment]] = {}
    for reign, engine in engines:
        for environment in engine.policy_set.environments:
            kept = found.setdefault(environment, [])
            room = MOST_SEGMENTS + 1 - len(kept)
            timeline = _timeline(engine, environment, service)
            kept += islice(timeline.segments(reign.start, reign.end), room)
    return found


def _timeline(engine: Engine, environment: str, service: str | None) -> ScopeTimeline:
    """Return the timeline of a service; that of any service if the set of then did not know it."""
    if service is not None:
        try:
            return engine.scope(service, environment, engine.policy_set.usual_change)
        except UnknownNameError:
            pass
    return engine.environment(environment)


def _lane(name: str, segments: Sequence[Segment], period: Period) -> Lane:
    whole = len(segments) <= MOST_SEGMENTS
    return Lane((name,), within(runs_of(segments), period) if whole else (), (), whole)


def _deploys_in(view: "View", wanted: DecidedFilter) -> list[Deploy]:
    return [
        Deploy(each.at, each.service, each.environment, each.change, each.outcome == "override", each.result)
        for _, each in view.decided(wanted, (wanted.start, 0), MOST_DEPLOYS)
        if each.outcome != "deny"
    ]


def _reigns(view: "View", period: Period) -> list[_Reign]:
    """Return the sets that were in force in a period, oldest first; the first began before it, if one did."""
    reigns: list[_Reign] = []
    end = period.end
    for link in _loads(view):
        load = Load.of(link, None)
        start = max(load.at, period.start)
        if start < end:
            reigns.append(_Reign(start, end, load.revision))
            end = start
        if load.at <= period.start or len(reigns) >= MOST_LOADS:
            break
    return reigns[::-1]


def _loads(view: "View") -> "Iterator[Link]":
    before = _FAR
    while page := view.newest_of_kind(Kind.POLICIES_LOADED.value, before, _TOGETHER):
        yield from page
        before = page[-1].seq
