"""The record: list its decisions and events, verify it, export it."""

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic_core import from_json

from app import __version__
from app.clock import Clock
from app.core.archive import checkpoint_line, manifest_of
from app.core.audit import ChainBreak, Checkpoint, Link, finished
from app.core.decision_json import instant_or_none
from app.core.instant import format_instant
from app.core.policy import PolicySet
from app.core.rollup import Weights
from app.gate import page_check
from app.gate.audit_events import Cause, Kind, happened
from app.gate.errors import StateConflictError
from app.gate.findings import Difference
from app.gate.in_force import InForce
from app.gate.page_check import PageCheck, PageFound, PageRequest
from app.gate.pages_ahead import HelperFor, RunQuery, verified_ahead, without_helper
from app.gate.pruned_record import PrunedRecord, kept_since, pruned_to_json, unknown_decision
from app.gate.reconciliation import Reconciliation
from app.gate.removed import removed_before, removed_data
from app.gate.versions import holidays_version, host_name, tzdata_version
from app.policies.removal import Removal
from app.store.records import DecisionFilter, PolicyRevision, PrunedStretch, StoredDecision

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.transaction import Transaction
    from app.store.view import View

__all__ = ["DecisionFilter", "RunQuery"]

_logger: Final = logging.getLogger("freezegate")
_PROGRESS_EVERY: Final = 50_000
_TOGETHER: Final = 5_000
_SET: Final = ("revision", "tzdata", "holidays")
"""The fields of a load's event that are about the set itself."""

_SCANNED: Final = 200_000
"""Places in the record that one query looks at; that takes some hundredths of a second."""
_FAR: Final = 2**62
"""Beyond every place in the record."""


class Page(NamedTuple):
    """A page of a list, and the cursor of the next one."""

    items: list[dict[str, Any]]
    next: str | None
    since: str | None = None
    """The instant up to which such items were pruned; None if none were."""

    def to_json(self, name: str) -> dict[str, Any]:
        """Return the JSON representation of the page; `name` is that of its items."""
        return {name: self.items, "next": self.next}


class Verification(NamedTuple):
    """The result of verifying the record and the tables."""

    events: int
    """The position of the last event that was verified: their number, unless the record was pruned."""
    head: Checkpoint
    fault: ChainBreak | None
    """The first event that is wrong; the tables are not compared beyond it."""
    differences: tuple[Difference, ...]
    """The first rows that differ from the record."""
    differing: int
    """The number of rows that differ, listed or not."""
    unproven: dict[str, int]
    """Counts, by kind, of values that older events lack and that can't be compared."""
    pruned: PrunedStretch | None = None
    """The stretch that was pruned last, after which the record begins; None if it begins with event 1."""

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.fault is None and not self.differing

    def to_json(self) -> dict[str, Any]:
        """Return the JSON representation of the result, for the API and the command line."""
        return {
            "whole": self.whole,
            "events": self.events,
            "fault": self.fault and self.fault._asdict(),
            "differences": [each._asdict() for each in self.differences],
            "differing": self.differing,
            "unproven": self.unproven,
            "checkpoint": self.head._asdict(),
            "pruned": None if self.pruned is None else pruned_to_json(self.pruned),
        }


class Record:
    """The record of a running gate."""

    def __init__(self, store: "Store", clock: Clock) -> None:
        """Read `store`, and record events in it by the time of `clock`."""
        self._store = store
        self._clock = clock
        self._noted: tuple[str, int] | None = None
        """The load that was recorded last: its revision and instant."""

    async def decisions(self, wanted: DecisionFilter, before: int | None, most: int) -> Page:
        """Return recorded decisions, newest first, from a place in the record backwards."""
        if wanted.policy is None:
            return await self._store.read(lambda view: decisions(view, wanted, before, most))
        return await self._decisions_of_policy(wanted, before, most)

    async def _decisions_of_policy(self, wanted: DecisionFilter, before: int | None, most: int) -> Page:
        """Look for the decisions of a policy, which no index finds, a stretch of the record at a time."""
        if before is None:
            before = (await self._store.read(lambda view: view.head())).seq + 1
        found: list[StoredDecision] = []
        while before > 0 and len(found) <= most:
            least = max(before - _SCANNED, 0)
            stretch = partial(_stretch, wanted=wanted, before=before, most=most + 1 - len(found), least=least)
            found += await self._store.read(stretch)
            before = least
        return _page(found, most, await self._store.read(kept_since))

    async def decision(self, decision_id: str) -> dict[str, Any]:
        """Return a recorded decision.

        Raises:
            UnknownRecordError: there is none of that id.
        """
        return await self._store.read(lambda view: decision(view, decision_id))

    async def events(self, before: int | None, most: int) -> Page:
        """Return events, newest first, from a place in the record backwards."""
        return await self._store.read(lambda view: events(view, before, most))

    async def verify(self) -> Verification:
        """Verify the whole record, in a thread."""
        return await asyncio.to_thread(verify, self._store.query)

    def has_noted(self, in_force: InForce) -> bool:
        """Return whether a load is known to be recorded, and its text to be kept; asks no database."""
        return self._noted == _load_of(in_force) and self._store.keeps(in_force.revision)

    def note_policies(self, in_force: InForce) -> None:
        """Keep the policies in force, and record their load if it is news; synchronous."""
        load, before = _load_of(in_force), self._noted
        cause = None if load == before else Cause.START if before is None else Cause.CHANGE
        self._store.transact(note_policies(in_force, self._clock.microseconds(), cause))
        self._noted = load

    def removed_before(self, in_force: InForce) -> tuple[Removal, ...]:
        """Return what is missing in the set that this process begins with; ask before it is noted."""
        return self._store.query(lambda view: removed_before(view, in_force))


def with_override_of(wanted: DecisionFilter, policy_set: PolicySet) -> DecisionFilter:
    """Return a filter that knows whether a token lifts its policy, as the policies in force say."""
    never = any(each.id == wanted.policy and each.overridable == "never" for each in policy_set.policies)
    return wanted._replace(never_lifted=never)


def decisions(view: "View", wanted: DecisionFilter, before: int | None, most: int) -> Page:
    """Return recorded decisions, newest first."""
    return _page(view.newest_decisions(wanted, before, most + 1), most, kept_since(view))


def find_decisions(query: RunQuery, wanted: DecisionFilter, before: int | None, most: int) -> Page:
    """Return recorded decisions, newest first, in the calling thread; see `Record.decisions`."""
    if wanted.policy is None:
        return query(lambda view: decisions(view, wanted, before, most))
    if before is None:
        before = query(lambda view: view.head()).seq + 1
    found: list[StoredDecision] = []
    while before > 0 and len(found) <= most:
        least = max(before - _SCANNED, 0)
        left = most + 1 - len(found)
        found += query(partial(_stretch, wanted=wanted, before=before, most=left, least=least))
        before = least
    return _page(found, most, query(kept_since))


def _stretch(
    view: "View", wanted: DecisionFilter, before: int, most: int, least: int
) -> list[StoredDecision]:
    return view.newest_decisions(wanted, before, most, least)


def _page(found: list[StoredDecision], most: int, since: int | None) -> Page:
    """Return the first `most` of the decisions; one more that was found tells that a page follows."""
    more = str(found[most - 1].seq) if len(found) > most else None
    return Page([to_json(each) for each in found[:most]], more, instant_or_none(since))


def decision(view: "View", decision_id: str) -> dict[str, Any]:
    """Return a recorded decision.

    Raises:
        UnknownRecordError: there is none of that id.
    """
    found = view.decision(decision_id)
    if found is None:
        raise unknown_decision(view, decision_id)
    return to_json(found)


def to_json(stored: StoredDecision) -> dict[str, Any]:
    """Return the JSON representation of a recorded decision: the answer, and the context of the claim."""
    data = _data_of(stored)
    return {
        **data["answer"],
        "recorded_at": format_instant(stored.recorded_at // 1_000_000),
        "caller": stored.caller or None,
        "actor": data["actor"],
        "ref": data["ref"],
        "run_url": data["run_url"],
        "deploy_id": data.get("deploy_id"),
        "repeats": data.get("repeats"),
        "request_id": data["request_id"],
        "tzdata": data["tzdata"],
        "holidays": data["holidays"],
    }


def _data_of(stored: StoredDecision) -> Any:
    """Return the parsed data of a decision: by the fast parser first, as an export takes a million."""
    try:
        return from_json(stored.data)
    except ValueError:
        # It is stricter: about halves of surrogate pairs, for example.
        return json.loads(stored.data)


def events(view: "View", before: int | None, most: int) -> Page:
    """Return events, newest first."""
    found = view.newest_events(_FAR if before is None else before, most + 1)
    more = str(found[most - 1].seq) if len(found) > most else None
    return Page([event_to_json(each) for each in found[:most]], more)


def event_to_json(link: Link) -> dict[str, Any]:
    """Return the JSON representation of an event."""
    return {
        "seq": link.seq,
        "at": format_instant(link.at // 1_000_000),
        "kind": link.kind,
        "actor": link.actor or None,
        "data": json.loads(link.data),
        "hash": link.hash,
    }


def verify(
    query: RunQuery,
    against: Checkpoint | None = None,
    progress: Callable[[int, int], None] | None = None,
    helper: HelperFor = without_helper,
) -> Verification:
    """Verify the whole record, and compare the tables with it; stop at the first event that is wrong.

    Args:
        query: runs a query on the store; a few thousand events are read, and kept in memory, at a time.
        against: a checkpoint that the record must continue.
        progress: called from time to time with the number of verified events and that of all events.
        helper: starts another process, which verifies pages meanwhile, if there are many events.

    Raises:
        StoreUnavailableError: the record can't be read.
    """
    walk = _Walk(against, progress)
    found = query(walk.step)
    while found is None:
        found = walk.leap(query, helper) or query(walk.step)
    return found


class _Walk:
    """A verification of the record, page by page; each page and its rows are of one state of the store.

    A record that was pruned begins at its checkpoint, with the events before it that stay.
    """

    def __init__(self, against: Checkpoint | None, progress: Callable[[int, int], None] | None) -> None:
        self._against = against
        self._progress = progress
        self._has_leapt = False
        self._weights = Weights(secrets.token_bytes(32))
        self._begin(None)

    def step(self, view: "View") -> Verification | None:
        """Verify the next page; return the result once the record ends or is wrong, and None before."""
        if not self._reached.seq:
            view.forget_passages()
        standing = view.head()
        head = Checkpoint(standing.seq, standing.hash)
        if self._is_overtaken(view):
            self._begin(view.latest_pruned())
        if not self._start.is_read:
            return self._check_staying(view, head)
        request = PageRequest(self._reached.seq, self._against, page_check.TOGETHER)
        page = self._pages.check(view, request, self._reached.hash)
        fault = self._take(page, head.seq)
        if fault is not None:
            return self._found(head, fault)
        if page.is_full:
            return None
        # Includes events recorded meanwhile: this page and the tables show the same state.
        self._tables.finish(view, head.seq)
        return self._found(head, finished(self._reached, self._against, head) or self._start.finish())

    def leap(self, query: RunQuery, helper: HelperFor) -> Verification | None:
        """Verify what a helper makes faster, once; return the result if it is wrong, and None before.

        At a page that isn't right it stops: `step` then finds out what is wrong.
        """
        if self._has_leapt or not self._start.is_read:
            return None
        self._has_leapt = True
        standing = query(lambda view: view.head())
        request = PageRequest(self._reached.seq, self._against, page_check.TOGETHER)
        with helper(standing.seq - self._reached.seq, self._weights.key) as other:
            pages = verified_ahead(query, self._pages, other, request, standing.seq) if other else ()
            for page in pages:
                if not page.continues(self._reached):
                    break
                fault = self._take(page, standing.seq)
                if fault is not None:
                    return self._found(Checkpoint(standing.seq, standing.hash), fault)
        return None

    def _take(self, page: PageFound, last: int) -> ChainBreak | None:
        """Go on after a page; return what is wrong with it."""
        for link in page.ordered:
            fault = self._start.check(link)
            if fault is not None:
                self._reached = Checkpoint(link.seq, link.hash)
                return fault
        before, self._reached = self._reached.seq, page.reached
        if page.fault is None:
            self._tables.add(page.findings, page.ordered)
        if self._progress is not None:
            for seq in range(before // _PROGRESS_EVERY + 1, self._reached.seq // _PROGRESS_EVERY + 1):
                self._progress(seq * _PROGRESS_EVERY, last)
        return page.fault

    def _begin(self, stretch: PrunedStretch | None) -> None:
        """Begin where the record begins."""
        self._start = PrunedRecord(stretch)
        self._reached = self._start.checkpoint
        self._pages = PageCheck(self._weights)
        self._tables = Reconciliation(self._weights)

    def _is_overtaken(self, view: "View") -> bool:
        """Return whether events have been pruned meanwhile that aren't verified yet."""
        latest = view.latest_pruned()
        return latest is not None and latest.seq > self._reached.seq

    def _check_staying(self, view: "View", head: Checkpoint) -> Verification | None:
        """Verify the next events before the checkpoint that stay."""
        if self._against is not None and not _may_continue(self._against, view):
            return self._found(head, ChainBreak(self._against.seq, "is no checkpoint of what was pruned"))
        links = self._start.next_page(view)
        fault = next(filter(None, map(self._start.check_staying, links)), None)
        if fault is not None:
            return self._found(head, fault)
        self._tables.add(self._pages.check_staying(view, links), links)
        return None

    def _found(self, head: Checkpoint, fault: ChainBreak | None) -> Verification:
        tables = self._tables.found
        return Verification(
            self._reached.seq,
            head,
            fault,
            tuple(tables.differences),
            tables.found,
            dict(tables.unproven),
            self._start.stretch,
        )


def _may_continue(against: Checkpoint, view: "View") -> bool:
    """Return whether a record may continue a checkpoint: one that was pruned up to, or a later one."""
    pruned = view.pruned_stretches()
    return not pruned or against.seq > pruned[-1].seq or against in ((each.seq, each.hash) for each in pruned)


def exported(query: RunQuery) -> Iterator[dict[str, Any]]:
    """Yield a manifest, every event as it is stored, and a checkpoint: the form of an archive file.

    A record that was pruned begins after its checkpoint; the archive has the events before.

    Raises:
        StateConflictError: the record is pruned meanwhile.
        StoreUnavailableError: the record can't be read.
    """
    standing, pruned = query(lambda view: (view.head(), view.latest_pruned()))
    start, end = PrunedRecord(pruned).checkpoint, Checkpoint(standing.seq, standing.hash)
    yield manifest_of(start, end, __version__)._asdict()
    for link in _events(query, start.seq, end.seq):
        yield link._asdict()
    yield checkpoint_line(end)


def _events(query: RunQuery, after: int, last: int) -> Iterator[Link]:
    """Yield every event after a place in the record, up to another."""
    while after < last:
        page = query(partial(_page_of_events, after=after, most=min(_TOGETHER, last - after)))
        yield from page
        if not page:
            return
        after = page[-1].seq


def _page_of_events(view: "View", after: int, most: int) -> list[Link]:
    pruned = view.latest_pruned()
    if pruned is not None and pruned.seq > after:
        raise StateConflictError("the record is being pruned; export it again")
    return view.events_after(after, most)


def note_policies(
    in_force: InForce, microseconds: int, cause: Cause | None = Cause.START
) -> Callable[["Transaction"], None]:
    """Return a transaction that keeps the policies in force, and records their load if it is news.

    Replicas that load the same set with the same data record it once.

    Args:
        in_force: the set.
        microseconds: the present instant.
        cause: of the load. None if this process recorded it before: then only a record that doesn't have the
            set gets an event. Else a replica with older files would put them on record again whenever its
            connection breaks.
    """
    kept = PolicyRevision(in_force.revision, in_force.loaded_at, in_force.snapshot.to_json())
    event = happened(
        microseconds,
        Kind.POLICIES_LOADED,
        "",
        revision=in_force.revision,
        tzdata=tzdata_version(),
        holidays=holidays_version(),
        cause=(cause or Cause.START).value,
        host=host_name(),
        **removed_data(in_force),
    )
    loaded = set_of(event.data)

    def settle(transaction: "Transaction") -> None:
        is_new = transaction.keep_policies(kept)
        latest = transaction.latest_of_kind(Kind.POLICIES_LOADED.value)
        if (is_new or cause is not None) and (latest is None or set_of(latest.data) != loaded):
            transaction.append(event)

    return settle


def set_of(data: str) -> tuple[str, ...]:
    """Return the part of a load's event that is about the set itself, not about who loaded it and when."""
    found = json.loads(data)
    return tuple(found[key] for key in _SET)


def _load_of(in_force: InForce) -> tuple[str, int]:
    return in_force.revision, in_force.loaded_at
