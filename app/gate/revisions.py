"""The history of the policies: the sets that were in force, from the record, and what each of them changed.

The texts of the record are parsed anew, and a set may be large. So a page parses only so much, and ends early
when that is spent; comparisons are remembered.
"""

import json
import re
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeVar, cast

from app.core.diff.result import PolicyChange
from app.core.instant import format_instant
from app.core.policy import PolicySet
from app.gate.audit_events import Kind
from app.gate.errors import InvalidFieldError, UnknownRecordError
from app.gate.record import Page, RunQuery, set_of
from app.policies.set_change import NO_POLICIES, SetChange, contents, own_files
from app.policies.source import Snapshot
from app.yaml.problem import Problem

if TYPE_CHECKING:
    from app.core.audit import Link
    from app.store.view import View

Found = TypeVar("Found")

PARSED: Final = 1024 * 1024
"""Letters of policy files that a page parses, about a second's work; one set more may be begun."""

READ: Final = 16 * 1024 * 1024
"""Letters of recorded texts that a page reads: most are those of calendars, which aren't parsed."""

MOST_PASSED: Final = 2_000
"""Loads that a page goes through; few of them may be about the policy asked for."""

_PREFIX: Final = "sha256:"
_ABBREVIATED: Final = re.compile(r"(?:sha256:)?([0-9a-f]{4,64})")
"""A revision, or its beginning, as git abbreviates: four letters at least."""

_TOGETHER: Final = 100
"""Loads that are read at a time."""

_MOST_LISTED: Final = 100
"""Files, and policies, that are named of a load; the rest are counted."""

MOST_REMEMBERED: Final = 50_000
"""Changes that are remembered, some 10 MB; a comparison without any counts as one."""

_FAR: Final = 2**62
"""Beyond every place in the record."""

_NEIGHBOURS: Final = 3

_NOT_KEPT: Final = "the record doesn't have its text"
_NOT_COMPARED: Final = "the sets before it can't be read"


class Load(NamedTuple):
    """A load of policies: a set, and when it was in force."""

    seq: int
    """Its place in the record."""
    revision: str
    at: int
    """From when on it was in force, in seconds since the Unix epoch."""
    until: int | None
    """When another one took its place; None if it is in force."""
    tzdata: str
    holidays: str
    cause: str | None
    """See `Cause`; None in records of earlier versions, like `host`."""
    host: str | None

    @classmethod
    def of(cls, link: "Link", after: "Link | None") -> Self:
        """Return the load of an event; the event `after` it ended it."""
        data = json.loads(link.data)
        return cls(
            link.seq,
            data["revision"],
            link.at // 1_000_000,
            None if after is None else after.at // 1_000_000,
            data["tzdata"],
            data["holidays"],
            data.get("cause"),
            data.get("host"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON representation of the load."""
        return {
            "revision": self.revision,
            "from": format_instant(self.at),
            "until": None if self.until is None else format_instant(self.until),
            "cause": self.cause,
            "host": self.host,
            "tzdata": self.tzdata,
            "holidays": self.holidays,
        }


class Change(NamedTuple):
    """A load, and what it changed."""

    load: Load
    comparison: SetChange | None
    since: str | None = None
    """The revision that it is compared with: the one before, or the last one that can be read."""
    problem: str | None = None
    """Why there is no comparison."""

    @property
    def is_first(self) -> bool:
        """Whether the record begins with this load; all of its policies count as added then."""
        return self.comparison is not None and self.since is None

    def of_policy(self, policy_id: str) -> PolicyChange | None:
        """Return what changed of the policy with this id: its id afterwards, else its id before."""
        known = () if self.comparison is None else self.comparison.policies
        named = (each for each in known if policy_id in (each.id, each.new_id))
        return max(named, key=lambda each: each.new_id == policy_id, default=None)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON representation of the load with all that it changed."""
        files, policies, keys = self.comparison or ((), (), ())
        return {
            **self.load.to_json(),
            "since": self.since,
            "files": [each._asdict() for each in files[:_MOST_LISTED]],
            "more_files": max(0, len(files) - _MOST_LISTED),
            "policies": [_change_to_json(each) for each in policies[:_MOST_LISTED]],
            "more_policies": max(0, len(policies) - _MOST_LISTED),
            "keys": list(keys),
            "problem": self.problem,
        }

    def to_json_of(self, change: PolicyChange | None) -> dict[str, Any]:
        """Return the JSON representation of the load with what it changed of one policy."""
        return {
            **self.load.to_json(),
            "since": self.since,
            "change": None if change is None else _change_to_json(change),
            "problem": self.problem,
        }


def _change_to_json(change: PolicyChange) -> dict[str, Any]:
    return {**change._asdict(), "fields": list(change.fields)}


class Revisions:
    """The history of the policies in a store. Synchronous, and safe to use from threads."""

    def __init__(self, query: RunQuery) -> None:
        """Read through `query`."""
        self._query = query
        self._known = _Known()

    def page(self, before: int | None, most: int) -> Page:
        """Return loads, newest first, before a place in the record, each with what it changed.

        Raises:
            StoreUnavailableError: the record can't be read.
        """
        walk = _Walk(self._query, self._known, before)
        items: list[dict[str, Any]] = []
        for change in walk.changes():
            items.append(change.to_json())
            if len(items) == most or walk.is_spent:
                return Page(items, _rest(change))
        return Page(items, None)

    def history(self, policy_id: str, before: str | None, most: int) -> Page:
        """Return the loads that changed a policy, newest first; through a rename, those of its older id.

        Each ends where the next one of them begins: loads between them left the policy as it was.
        A load that could not be compared is returned without a change: it may have changed the policy.

        Args:
            policy_id: the policy, in force or not.
            before: the cursor of the page before: a place in the record, the beginning of the entry listed
                last, and the older id after a rename.
            most: the most loads to return.

        Raises:
            StoreUnavailableError: the record can't be read.
        """
        place, until, named = _place_of(before, policy_id)
        walk = _Walk(self._query, self._known, place)
        items: list[dict[str, Any]] = []
        for change in walk.changes():
            found = change.of_policy(named)
            if found is not None or change.problem is not None:
                load = change.load._replace(until=until)
                items.append(change._replace(load=load).to_json_of(found))
                until = load.at
            named = named if found is None else found.id
            if len(items) == most or walk.is_spent:
                return Page(items, _rest(change, f"{'' if until is None else f'-{until}'}.{named}"))
        return Page(items, None)

    def resolve(self, text: str) -> str:
        """Return the revision of the record that a text names: in full, or abbreviated as in git.

        Raises:
            UnknownRecordError: the record has no such revision.
            InvalidFieldError: it has several that begin so.
            StoreUnavailableError: it can't be read.
        """
        named = _ABBREVIATED.fullmatch(text)
        if named is None:
            raise UnknownRecordError("a revision is sha256: and hexadecimal digits, four of them at least")
        found = self._query(lambda view: view.revisions(_PREFIX + named[1], 2))
        if not found:
            raise UnknownRecordError("no set of policies with that revision was in force")
        if len(found) > 1:
            raise InvalidFieldError("revision", "several revisions begin so; give more of its digits")
        return found[0]

    def snapshot(self, revision: str) -> Snapshot:
        """Return the texts of a revision, as `resolve` returns it.

        Raises:
            UnknownRecordError: the record doesn't have them.
            StoreUnavailableError: it can't be read.
        """
        texts = self._query(lambda view: view.sources(revision))
        if texts is None:
            raise UnknownRecordError("the texts of that revision were not kept")
        return Snapshot.from_json(texts)


def _place_of(cursor: str | None, policy_id: str) -> tuple[int | None, int | None, str]:
    """Return what a cursor of a history names: a place in the record, and the end and id of the policy there.

    There is no end if nothing after that place changed the policy.
    """
    if cursor is None:
        return None, None, policy_id
    places, _, older_id = cursor.partition(".")
    place, _, until = places.partition("-")
    return int(place), int(until) if until else None, older_id


def _rest(last: Change, of_policy: str = "") -> str | None:
    """Return the cursor of the loads before one; None for the first of the record."""
    return None if last.is_first else f"{last.load.seq}{of_policy}"


class _Walk:
    """A walk through the loads, newest first, that compares each with the one before it."""

    def __init__(self, query: RunQuery, known: "_Known", before: int | None) -> None:
        self._query = query
        self._known = known
        self._before = _FAR if before is None else before
        self._parsed = 0
        self._letters = 0
        self._passed = 0
        self._read: dict[str, _Set] = {}
        """The sets that were read last."""

    @property
    def is_spent(self) -> bool:
        """Whether so much was parsed, read or passed that the page should end."""
        return self._parsed > PARSED or self._letters > READ or self._passed > MOST_PASSED

    def changes(self) -> Iterator[Change]:
        """Yield every load with what it changed; comparisons pass over sets that can't be read.

        Ends early within a long run of those, once the page is spent.
        """
        newer: Load | None = None
        passed: list[Change] = []
        for load in self._loads():
            self._passed += 1
            problem = self._problem(load.revision)
            if problem is not None:
                passed.append(Change(load, None, problem=problem))
                if self.is_spent:
                    break
                continue
            if newer is not None:
                yield self._change(newer, load)
            yield from passed
            newer, passed = load, []
        if newer is not None and not passed:
            yield self._change(newer, None)
        else:
            yield from (*_uncompared(newer), *passed)

    def _loads(self) -> Iterator[Load]:
        """Yield the loads before the place, newest first; of equal ones in a row, the first."""
        held: Link | None = None
        after = self._query(lambda view: view.next_of_kind(Kind.POLICIES_LOADED.value, self._before))
        for link in self._links():
            if held is not None and set_of(link.data) != set_of(held.data):
                yield Load.of(held, after)
                after = held
            held = link
        if held is not None:
            yield Load.of(held, after)

    def _links(self) -> Iterator["Link"]:
        before = self._before
        while page := self._query(partial(_page_of_loads, before=before)):
            yield from page
            before = page[-1].seq

    def _change(self, newer: Load, older: Load | None) -> Change:
        since = None if older is None else older.revision
        found = self._known.get(
            (since, newer.revision), partial(self._compare, since, newer.revision), _weight_of_comparison
        )
        return Change(newer, found, since)

    def _compare(self, since: str | None, revision: str) -> SetChange:
        before = None if since is None else self._set(since).readable
        return SetChange.of(before, self._set(revision).readable)

    def _problem(self, revision: str) -> str | None:
        """Return why a set can't be read; None if it can."""
        return self._known.get(revision, lambda: self._set(revision).problem, _weight_of_problem)

    def _set(self, revision: str) -> "_Set":
        found = self._read.get(revision)
        if found is None:
            found = self._read_set(self._query(lambda view: view.sources(revision)))
            # Each is compared with its neighbours only.
            while len(self._read) >= _NEIGHBOURS:
                del self._read[next(iter(self._read))]
            self._read[revision] = found
        return found

    def _read_set(self, texts: str | None) -> "_Set":
        if texts is None:
            return _Set(Snapshot({}), Snapshot({}), NO_POLICIES, _NOT_KEPT)
        snapshot = Snapshot.from_json(texts)
        files = own_files(snapshot)
        self._letters += len(texts)
        same = next((each for each in self._read.values() if each.files == files), None)
        if same is not None:
            return same._replace(snapshot=snapshot)
        self._parsed += sum(map(len, files.policies.values()))
        found = contents(files)
        if isinstance(found, Problem):
            return _Set(snapshot, files, NO_POLICIES, f"this version does not accept it: {found}")
        return _Set(snapshot, files, found, None)


class _Set(NamedTuple):
    """A set that was read."""

    snapshot: Snapshot
    files: Snapshot
    """Without calendars by URL, which change without the content of the policies."""
    policy_set: PolicySet
    problem: str | None
    """Why it can't be read; then there is no content."""

    @property
    def readable(self) -> tuple[Snapshot, PolicySet]:
        return self.snapshot, self.policy_set


def _uncompared(load: Load | None) -> tuple[Change, ...]:
    return () if load is None else (Change(load, None, problem=_NOT_COMPARED),)


def _page_of_loads(view: "View", before: int) -> "list[Link]":
    return view.newest_of_kind(Kind.POLICIES_LOADED.value, before, _TOGETHER)


def _weight_of_problem(_: str | None) -> int:
    return 1


def _weight_of_comparison(found: SetChange) -> int:
    return 1 + len(found.files) + len(found.policies)


class _Known:
    """Results that need not be parsed for again, by what they are about; safe to use from threads."""

    def __init__(self) -> None:
        self._found: dict[Hashable, tuple[Any, int]] = {}
        """Each with its weight."""
        self._weight = 0
        self._changing = Lock()

    def get(self, key: Hashable, find: Callable[[], Found], weigh: Callable[[Found], int]) -> Found:
        """Return a result; `find` finds one that is not remembered, and `weigh` says how large it is."""
        known = self._found.get(key)
        if known is not None:
            return cast("Found", known[0])
        result = find()
        with self._changing:
            self._forget(key)
            self._found[key] = result, (weight := weigh(result))
            self._weight += weight
            while self._weight > MOST_REMEMBERED:
                self._forget(next(iter(self._found)))
        return result

    def _forget(self, key: Hashable) -> None:
        self._weight -= self._found.pop(key, (None, 0))[1]
