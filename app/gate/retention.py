"""Retention: prune what the record has of long ago, into an archive, in small transactions beside claims.

A stretch of events at a time: its file is written and on disk; then one transaction records the pruning and
moves the checkpoint, after which the record begins; then its rows are deleted, a few at a time. A run that is
stopped at any instant is continued by the next one.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app import __version__
from app.clock import Clock
from app.core.archive import ArchiveError, manifest_of, policies_line
from app.core.audit import GENESIS, ORIGIN, Checkpoint, Link, Verifier, carried_over
from app.core.errors import FreezegateError
from app.core.instant import DAY, format_instant
from app.gate import archive
from app.gate.audit_events import STAYING, Kind, happened
from app.gate.event_feed import sent_to_siem
from app.gate.holds import KEPT_FOR
from app.gate.pace import Pace, Steps
from app.gate.rollup_names import UnusedNames
from app.gate.sessions import FORGOTTEN_AFTER
from app.settings import LEAST_DAYS
from app.store.records import PrunedStretch

if TYPE_CHECKING:
    from app.gate.store_access import Access
    from app.store.transaction import Transaction
    from app.store.view import View

LEAST_KEPT: Final = LEAST_DAYS * DAY
"""Seconds that decisions are kept at least. Sessions and holds are over and forgotten by then, so that no row
is left that only a pruned event would explain."""

COUNTS_OUTLIVE: Final = 10
"""How many times as long as decisions the counts of insights are kept."""

WAITS_FOR_SIEM: Final = 30 * DAY
"""Seconds that an event stays longer if the SIEM doesn't have it yet: enough to mend one, and an end for the
database's growth behind one that is gone."""

LEASE: Final = "pruning"
"""The name of the lease: one process prunes at a time."""

LEASE_DURATION: Final = 15
"""Seconds after which another process takes over from one that was killed."""

_MOST_IN_FILE: Final = 100_000
"""Events in a file; some 10 MB."""

_AGO: Final = DAY
_QUIET: Final = 7 * DAY
"""A clock is trusted by an event of more than `_AGO` seconds before it, but at most `_QUIET` more."""

_SCANNED: Final = 2_000
"""Places in the record whose policies are looked up at a time."""


class PruneError(FreezegateError):
    """The record can't be pruned; nothing that isn't in the archive was deleted."""


class BusyPruningError(PruneError):
    """Another process is pruning."""


class Pruned(NamedTuple):
    """The result of a run."""

    events: int
    """The events that were pruned, or would be."""
    deleted: int
    """The events whose rows were deleted, those of an earlier run that was stopped included."""
    files: tuple[str, ...]
    """The files that were added to the archive."""
    policies: int
    """The texts of policy sets that no decision names any more, and that were deleted."""
    begins: PrunedStretch | None
    """The last stretch that is pruned; the record begins after it."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON representation of the result, for the command line."""
        begins = self.begins
        return {
            "events": self.events,
            "deleted": self.deleted,
            "files": list(self.files),
            "policies": self.policies,
            "checkpoint": None if begins is None else {"seq": begins.seq, "hash": begins.hash},
            "since": None if begins is None else format_instant(begins.until // 1_000_000),
        }


Progress = Callable[[str, int, int], None]
"""Called with what is done (``archived`` or ``deleted``), how much of it, and of how much."""


class Pruner:
    """Prunes the record of one database. Synchronous; one run at a time."""

    def __init__(
        self,
        access: "Access",
        clock: Clock,
        holder: str,
        folder: Path | None,
        paces: tuple[Pace, Pace],
        progress: Progress | None = None,
    ) -> None:
        """Prune through `access`.

        Args:
            access: to the store.
            clock: the source of the time.
            holder: a name of this process, unique to it.
            folder: of the archive; None to prune without one.
            paces: of reading and of deleting.
            progress: is told how far it is.
        """
        self._access = access
        self._clock = clock
        self._holder = holder
        self._folder = folder
        self._reading, self._deleting = (Steps(access.pause, clock, pace) for pace in paces)
        self._progress = progress or (lambda *_: None)
        self._leased_at = 0
        self._waits = True

    def count(self, keep: int, most: int | None = None, *, force: bool = False) -> int:
        """Return the number of events to prune if `keep` seconds are kept, without pruning them.

        Args:
            keep: seconds, `LEAST_KEPT` at least.
            most: stop counting there; None to count all.
            force: count those that the SIEM lacks, too.
        """
        self._waits = not force
        start = _start(self._access.query(lambda view: view.latest_pruned()))
        return self._last_before(start.seq, self._limit(keep), most) - start.seq

    def waiting(self, keep: int) -> int:
        """Return about how many events are older than `keep` seconds, and stay as the SIEM lacks them."""
        start = _start(self._access.query(lambda view: view.latest_pruned())).seq
        limit = self._limit(keep)
        old = self._access.query(partial(_crossing, start=start, limit=limit))
        return old - self._access.query(partial(_prunable, start=start, limit=limit))

    def is_unfinished(self) -> bool:
        """Return whether a run was stopped before it had deleted all rows."""
        latest = self._access.query(lambda view: view.latest_pruned())
        return latest is not None and latest.cleared < latest.seq

    def prune(self, keep: int, least: int = 1, *, force: bool = False) -> Pruned:
        """Prune the events older than `keep` seconds.

        Args:
            keep: seconds, `LEAST_KEPT` at least.
            least: a stretch of fewer events is left for later.
            force: prune whatever the clock says, into another folder than before, and what the SIEM lacks.

        Raises:
            PruneError: another process is pruning, the record is not whole, or the clock is far ahead of it.
            ArchiveError: the archive can't be written, or lacks what was pruned last.
            StoreUnavailableError: the store can't be read or written.
        """
        limit = self._limit(keep)
        self._waits = not force
        if self._waits and self.count(keep, 1):
            self._check_clock()
            self._check_archive()
        self._take_lease()
        try:
            return self._prune(limit, least, keep)
        finally:
            self._access.transact(lambda transaction: transaction.release_named_lease(LEASE, self._holder))

    def _prune(self, limit: int, least: int, keep: int) -> Pruned:
        deleted = self._clear_all()
        files: list[str] = []
        events = 0
        while (stretch := self._next_stretch(limit, least)) is not None:
            events += stretch.seq - stretch.first + 1
            files += [stretch.file] if stretch.file else []
            deleted += self._clear(stretch)
        begins = self._access.query(lambda view: view.latest_pruned())
        policies = 0 if begins is None else self._drop_policies(begins)
        if begins is not None:
            self._drop_rollups(min(self._limit(keep * COUNTS_OUTLIVE), begins.until))
        return Pruned(events, deleted, tuple(files), policies, begins)

    def _limit(self, keep: int) -> int:
        if keep < LEAST_KEPT:
            raise PruneError(f"decisions are kept for {LEAST_DAYS} days at least")
        return self._clock.microseconds() - keep * 1_000_000

    def _check_clock(self) -> None:
        """Refuse to prune by a clock that runs ahead: then all that is kept looks old.

        Events are dated by the same clock, so the newest ones prove nothing for a day.
        """
        now = self._clock.microseconds()
        at = self._access.query(partial(_time_before, limit=now - _AGO * 1_000_000))
        if at is not None and now - at > (_AGO + _QUIET) * 1_000_000:
            raise PruneError(
                f"the clock says {format_instant(now // 1_000_000)}, and the last event of more than a day "
                f"before is of {format_instant(at // 1_000_000)}: check the clock. If it is right, the gate "
                "prunes a day after its next event; freezegate store prune --force prunes now"
            )

    def _check_archive(self) -> None:
        """Refuse an archive without the file that was written last: replicas may have a folder each."""
        latest = self._access.query(lambda view: view.latest_pruned())
        if self._folder is None or latest is None or latest.file is None or latest.digest is None:
            return
        try:
            archive.check_digest(self._folder / latest.file, latest.digest)
        except ArchiveError as error:
            raise ArchiveError(
                f"{error}. It was written last, so {self._folder} is not the archive: all replicas need the "
                "same folder. Copy the file there, or go on without it with freezegate store prune --force"
            ) from error

    def _take_lease(self) -> None:
        now = self._clock.now()
        if not self._access.transact(partial(self._holds, now=now)):
            raise BusyPruningError(f"another process is pruning; try again in {LEASE_DURATION} seconds")
        self._leased_at = now

    def _holds(self, transaction: "Transaction", now: int) -> bool:
        return transaction.take_named_lease(LEASE, self._holder, now, now + LEASE_DURATION)

    def _renew_lease(self) -> None:
        if not 0 <= self._clock.now() - self._leased_at < LEASE_DURATION // 3:
            self._take_lease()

    def _next_stretch(self, limit: int, least: int) -> PrunedStretch | None:
        """Archive the next stretch before an instant, and move the checkpoint; None: there is none."""
        before = self._access.query(lambda view: view.latest_pruned())
        start = _start(before)
        last = self._last_before(start.seq, limit, _MOST_IN_FILE)
        if last - start.seq < least:
            return None
        found = None if self._folder is None else archive.find(self._folder, start.seq + 1, self._paced)
        if found is not None:
            if found.manifest.last > last:
                return None
            last = found.manifest.last
        walk = _Walk(start, before, self._progress)
        links = self._links(start.seq, last)
        if found is None and self._folder is not None:
            end = self._checkpoint_at(last)
            lines = self._lines(start.seq, last, walk.events(links))
            found = archive.write(self._folder, manifest_of(start, end, __version__), lines, self._paced)
        else:
            for _ in walk.events(links):
                pass
        self._check_end(walk, found, last)
        return self._access.transact(partial(self._moved, walk=walk, found=found, before=before))

    def _last_before(self, start: int, limit: int, most: int | None) -> int:
        """Return the position of the last event that is older than an instant, like each one before it.

        Times can go back where a clock was set. So bisection only says how far to look: nothing as young as
        `limit` lies up to the position that is returned.

        Args:
            start: the position after which to look.
            limit: the instant, in microseconds.
            most: events to look at.
        """
        end = self._access.query(partial(_prunable if self._waits else _crossing, start=start, limit=limit))
        end = end if most is None else min(end, start + most)
        for after in range(start, end, _SCANNED):
            scan = partial(_first_since, since=limit, after=after, last=min(after + _SCANNED, end))
            young = self._access.query(scan)
            if young is not None:
                return young - 1
        return end

    def _check_end(self, walk: "_Walk", found: archive.Archived | None, last: int) -> None:
        if walk.reached.seq != last:
            raise PruneError(f"event {walk.reached.seq + 1} is missing; nothing of it was pruned")
        if found is not None and (found.manifest.start, found.manifest.end) != (walk.start, walk.reached):
            raise ArchiveError(f"{found.name} has other events than the record: move it away")

    def _links(self, after: int, last: int) -> Iterator[Link]:
        """Yield the events between two positions, a page at a time."""
        while after < last:
            page = self._reading.do(
                partial(
                    self._access.query,
                    partial(_page, after=after, most=min(self._reading.rows, last - after)),
                )
            )
            if not page:
                return
            yield from page
            after = page[-1].seq
            self._renew_lease()

    def _paced(self, lines: Iterator[bytes], take: Callable[[bytes], object]) -> None:
        """Verify the lines of a file, some at a time."""
        while self._reading.do(partial(_take_some, lines, take, self._reading.rows)):
            self._renew_lease()

    def _lines(self, after: int, last: int, links: Iterator[Link]) -> Iterator[dict[str, Any]]:
        """Yield the lines of a file: the texts of the policies that its decisions name, and the events."""
        named: set[str] = set()
        for first in range(after, last, _SCANNED):
            until = min(first + _SCANNED, last)
            named |= self._access.query(partial(_revisions, after=first, last=until))
        for revision in sorted(named):
            sources = self._access.query(partial(_sources, revision=revision))
            if sources is not None:
                yield policies_line(revision, sources)
        for link in links:
            yield link._asdict()

    def _checkpoint_at(self, seq: int) -> Checkpoint:
        links = self._access.query(partial(_page, after=seq - 1, most=1))
        if not links or links[0].seq != seq:
            raise PruneError(f"event {seq} is missing; nothing of it was pruned")
        return Checkpoint(seq, links[0].hash)

    def _moved(
        self,
        transaction: "Transaction",
        walk: "_Walk",
        found: archive.Archived | None,
        before: PrunedStretch | None,
    ) -> PrunedStretch:
        """Record the pruning of a stretch, and let the record begin after it."""
        now = self._clock.microseconds()
        if not self._holds(transaction, now // 1_000_000) or transaction.latest_pruned() != before:
            raise BusyPruningError("another process has begun to prune")
        # Their events go, so the rows that only they explain go first.
        transaction.prune_sessions(now // 1_000_000 - FORGOTTEN_AFTER)
        transaction.prune_holds(now // 1_000_000 - KEPT_FOR)
        name, digest = (None, None) if found is None else (found.name, found.digest)
        first = walk.start.seq + 1
        transaction.append(
            happened(
                now,
                Kind.RECORD_PRUNED,
                "",
                first=first,
                checkpoint=walk.reached._asdict(),
                until=format_instant(walk.until // 1_000_000),
                file=name,
                sha256=digest,
                stay={"events": walk.carried, "digest": walk.carried_digest},
            )
        )
        stretch = PrunedStretch(
            *walk.reached, first, walk.until, now, name, digest, walk.carried, walk.carried_digest, first - 1
        )
        transaction.add_pruned(stretch)
        return stretch

    def _clear_all(self) -> int:
        """Delete the rows that a run before has left."""
        left = self._access.query(lambda view: view.pruned_stretches())
        return sum(self._clear(stretch) for stretch in left if stretch.cleared < stretch.seq)

    def _clear(self, stretch: PrunedStretch) -> int:
        """Delete the rows of a stretch, a few at a time; return the number of events."""
        deleted = 0
        while stretch.cleared < stretch.seq:
            last = min(stretch.cleared + self._deleting.rows, stretch.seq)
            work = self._deleting.timed(partial(self._cleared, stretch=stretch, last=last))
            deleted += self._deleting.do(partial(self._access.transact_again, work))
            stretch = stretch._replace(cleared=last)
            self._progress("deleted", last, stretch.seq)
        return deleted

    def _cleared(self, transaction: "Transaction", stretch: PrunedStretch, last: int) -> int:
        if not self._holds(transaction, self._clock.now()):
            raise BusyPruningError("another process has begun to prune")
        return transaction.clear_pruned(STAYING, stretch, last)

    def _drop_rollups(self, limit: int) -> None:
        """Delete the counts of the days before that of an instant, a day at a time."""
        before = limit // (1_000_000 * DAY)
        days = sorted(self._access.query(lambda view: view.rollup_days(0, before - 1)))
        for day in days:
            self._deleting.do(partial(self._access.transact, partial(_without_rollups, day=day)))
            self._renew_lease()
        if days:
            # A run that is stopped here leaves names; they go with those of the next day.
            UnusedNames(self._access, self._reading, self._deleting, self._renew_lease).drop()

    def _drop_policies(self, begins: PrunedStretch) -> int:
        """Delete the texts of policies that no kept decision names, and that were not in force since."""
        left = self._access.query(lambda view: view.droppable_revisions(begins.until // 1_000_000))
        left -= self._access.query(lambda view: _loaded_since(view, begins.seq))
        end = self._access.query(lambda view: view.head()).seq
        for first in range(begins.seq, end, _SCANNED):
            if not left:
                return 0
            scan = partial(_revisions, after=first, last=min(first + _SCANNED, end))
            left -= self._reading.do(partial(self._access.query, scan))
            self._renew_lease()
        for revision in sorted(left):
            self._access.transact(partial(_drop, revision=revision, after=end))
        return len(left)


class _Walk:
    """The verification of a stretch, with the digest over its events that stay."""

    def __init__(self, start: Checkpoint, before: PrunedStretch | None, progress: Progress) -> None:
        self.start = start
        self._verifier = Verifier(start=start)
        self._progress = progress
        self.until = 0 if before is None else before.until
        self.carried, self.carried_digest = (
            (0, GENESIS) if before is None else (before.carried, before.carried_digest)
        )

    @property
    def reached(self) -> Checkpoint:
        """The event that was verified last."""
        return self._verifier.reached

    def events(self, links: Iterator[Link]) -> Iterator[Link]:
        """Yield events again, each verified.

        Raises:
            PruneError: one of them is wrong.
        """
        for link in links:
            fault = self._verifier.check(link)
            if fault is not None:
                raise PruneError(f"event {fault.seq} {fault.what}; nothing of it was pruned")
            if link.kind in STAYING:
                self.carried += 1
                self.carried_digest = carried_over(self.carried_digest, link.hash)
            self.until = max(self.until, link.at)
            self._progress("archived", link.seq, link.seq)
            yield link


def _without_rollups(transaction: "Transaction", day: int) -> None:
    transaction.prune_rollups(day)


def _start(before: PrunedStretch | None) -> Checkpoint:
    return ORIGIN if before is None else Checkpoint(before.seq, before.hash)


def _crossing(view: "View", start: int, limit: int) -> int:
    """Return a position after which times pass an instant, or the end of the record, by bisection."""
    low, high = start, view.head().seq
    while low < high:
        middle = (low + high + 1) // 2
        at = view.time_of_event(middle)
        if at is not None and at < limit:
            low = middle
        else:
            high = middle - 1
    return low


def _prunable(view: "View", start: int, limit: int) -> int:
    """Return a position as `_crossing` does, but none that the SIEM lacks, unless it is much older."""
    end, sent = _crossing(view, start, limit), sent_to_siem(view)
    if sent is None or end <= sent:
        return end
    return max(start, sent, _crossing(view, start, limit - WAITS_FOR_SIEM * 1_000_000))


def _time_before(view: "View", limit: int) -> int | None:
    """Return the time of the last event before an instant; None if there is none."""
    start = _start(view.latest_pruned()).seq
    last = _crossing(view, start, limit)
    return view.time_of_event(last) if last > start else None


def _first_since(view: "View", since: int, after: int, last: int) -> int | None:
    return view.first_event_since(since, after, last)


def _take_some(lines: Iterator[bytes], take: Callable[[bytes], object], most: int) -> int:
    """Verify some lines; return how many there were."""
    taken = 0
    for line in islice(lines, most):
        take(line)
        taken += 1
    return taken


def _page(view: "View", after: int, most: int) -> list[Link]:
    return view.events_after(after, most)


def _revisions(view: "View", after: int, last: int) -> set[str]:
    return view.revisions_between(after, last)


def _sources(view: "View", revision: str) -> str | None:
    return view.sources(revision)


def _loaded_since(view: "View", seq: int) -> set[str]:
    """Return the revisions that were in force after a position: the one loaded last before it, too."""
    found: set[str] = set()
    before = view.head().seq + 1
    while before > seq:
        page = view.newest_of_kind(Kind.POLICIES_LOADED.value, before, 100)
        for link in page:
            found.add(_revision_of(link))
            before = link.seq
            if before <= seq:
                break
        if not page:
            break
    return found


def _revision_of(link: Link) -> str:
    return str(json.loads(link.data)["revision"])


def _drop(transaction: "Transaction", revision: str, after: int) -> None:
    """Delete a text, unless a decision has named it meanwhile."""
    if revision not in transaction.revisions_between(after, transaction.head().seq):
        transaction.drop_policies(revision)
