"""The reconciliation of the tables with the record: they must hold what the events say, and nothing else.

Decisions, outcomes, overrides, approvals and uses are compared event by event, a page at a time. Freezes,
keys, and the sessions and holds of the last month are few: they are rebuilt from the events, and compared at
the end.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from app.core.audit import Link
from app.core.counted import counted, noun_for
from app.core.decision_json import instant_or_none
from app.core.hold import Hold
from app.core.rollup import Weights
from app.gate.audit_events import Kind
from app.gate.errors import StoreUnavailableError
from app.gate.findings import MOST_NAMED, Findings
from app.gate.freezes import to_json as freeze_to_json
from app.gate.hold_rows import HoldRows
from app.gate.page_rows import UNREADABLE, expect_fingerprint, unreadable
from app.gate.rollup_check import differing_days
from app.gate.sessions import FORGOTTEN_AFTER, LIFETIME
from app.identity.credentials import fingerprint
from app.policies.source import Snapshot
from app.store.records import HoldFilter, KeyRecord, SessionRecord

if TYPE_CHECKING:
    from app.store.view import View

_TOGETHER: Final = 200
_KEY_FIELDS: Final = ("name", "role", "services", "tags", "expires_at", "person")
_SESSION_FIELDS: Final = ("person", "name", "role", "services", "tags", "issuer")
_BY_STATE: Final = frozenset({"state", "forgotten"})
"""Fields of a published freeze that depend on the instant."""

_CHANGES_OF_HOLDS: Final = (
    Kind.HOLD_RELEASED,
    Kind.HOLD_RETURNED,
    Kind.HOLD_ANSWERED,
    Kind.HOLD_CANCELLED,
    Kind.HOLD_EXPIRED,
)


class Reconciliation:
    """A comparison of the tables with the record, whose pages are compared before; see `page_rows`."""

    def __init__(self, weights: Weights) -> None:
        """Expect nothing in the tables before the first event; decisions were added up with `weights`."""
        self._weights = weights
        self.found = Findings()
        self._keys: dict[str, dict[str, Any]] = {}
        self._freezes: dict[str, dict[str, Any]] = {}
        self._sessions: dict[str, dict[str, Any]] = {}
        self._forgotten_before = 0
        self._holds = HoldRows()
        self._events: dict[str, Callable[[Link, dict[str, Any]], None]] = {
            Kind.FREEZE_STARTED: self._freeze_published,
            Kind.FREEZE_CHANGED: self._freeze_published,
            Kind.FREEZE_EXTENDED: self._freeze_extended,
            Kind.FREEZE_LIFTED: self._freeze_lifted,
            Kind.KEY_CREATED: self._key_created,
            Kind.KEY_REVOKED: self._key_revoked,
            Kind.SESSION_OPENED: self._session_opened,
            Kind.SESSION_CLOSED: self._session_closed,
            Kind.HOLD_REQUESTED: lambda _, data: self._holds.requested(data),
            **dict.fromkeys(
                _CHANGES_OF_HOLDS, lambda link, data: self._holds.changed(link.kind, link.actor, data)
            ),
        }

    def add(self, found: Findings, ordered: Iterable[Link]) -> None:
        """Add what was found in the next events, and follow those that change what earlier ones began."""
        self.found.add(found)
        for link in ordered:
            event = self._events.get(link.kind)
            if event is None:
                continue
            try:
                event(link, json.loads(link.data))
            except UNREADABLE:
                self.found.unproven[unreadable(link)] += 1

    def finish(self, view: "View", last: int) -> None:
        """Compare the totals and the rebuilt tables; `view` must show the state after the event `last`."""
        beyond, pruned = "at places outside the record", "in the part of the record that was pruned"
        for counts, where in ((view.rows_beyond(last), beyond), (view.rows_pruned(), pruned)):
            for table, rows in counts.items():
                if rows:
                    stand = f"{noun_for(rows, 'stands', 'stand')} {where}"
                    self.found.differs(table, counted(rows, "row"), stand)
        for own_id in view.miscounted_overrides(MOST_NAMED):
            self.found.differs("overrides", own_id, "its number of uses is not that of its spends")
        for name, rows in view.count_rows()._asdict().items():
            extra = rows - (self.found.events_of[name] - self.found.missing[name])
            if extra:
                self.found.differs(name, counted(extra, "row"), f"{noun_for(extra, 'is', 'are')} in no event")
        tables: dict[str, Callable[[View], None]] = {
            "rollups": self._compare_rollups,
            "keys": self._compare_keys,
            "freezes": self._compare_freezes,
            "sessions": self._compare_sessions,
            "holds": self._compare_holds,
            "policy_revisions": self._compare_revisions,
        }
        for table, compare in tables.items():
            try:
                compare(view)
            except StoreUnavailableError:
                raise
            except (*UNREADABLE, OverflowError):
                self.found.differs(table, "one row or more", "can't be read, so the table was not compared")

    def _freeze_published(self, _: Link, data: dict[str, Any]) -> None:
        body = data["freeze"]
        self._freezes[body["id"]] = {name: body[name] for name in body if name not in _BY_STATE}

    def _freeze_extended(self, link: Link, data: dict[str, Any]) -> None:
        ends_at = data["ends_at"]
        changed = {"ends_at": ends_at, "open_ended": ends_at is None, "changed_at": _second(link)}
        self._freezes[data["freeze"]].update(changed)

    def _freeze_lifted(self, link: Link, data: dict[str, Any]) -> None:
        at = _second(link)
        lifted = {
            "lifted_by": link.actor,
            "lifted_at": at,
            "changed_at": at,
            "lift_reason": data.get("reason"),
        }
        self._freezes[data["freeze"]].update(lifted)

    def _key_created(self, link: Link, data: dict[str, Any]) -> None:
        expected = {name: data.get(name) for name in _KEY_FIELDS}
        expected |= {"created_by": link.actor, "created_at": link.at // 1_000_000, "revoked_at": None}
        expect_fingerprint(expected, data, "keys", self.found)
        self._keys[data["key"]] = expected

    def _key_revoked(self, link: Link, data: dict[str, Any]) -> None:
        self._keys[data["key"]]["revoked_at"] = link.at // 1_000_000

    def _session_opened(self, link: Link, data: dict[str, Any]) -> None:
        now = link.at // 1_000_000
        expected = {
            "key_id": data["key"],
            "created_at": now,
            "expires_at": now + LIFETIME,
            "revoked_at": None,
            **{name: data.get(name) for name in _SESSION_FIELDS},
        }
        if "browser" in data:
            expected["browser"] = data["browser"]
        expect_fingerprint(expected, data, "sessions", self.found)
        # Like the gate itself whenever a session is opened: delete those that expired long ago.
        self._forgotten_before = max(self._forgotten_before, now - FORGOTTEN_AFTER)
        while self._sessions:
            oldest = next(iter(self._sessions))
            if self._sessions[oldest]["expires_at"] >= self._forgotten_before:
                break
            del self._sessions[oldest]
        self._sessions[data["session"]] = expected

    def _session_closed(self, link: Link, data: dict[str, Any]) -> None:
        if (session := self._sessions.get(data["session"])) is not None:
            session["revoked_at"] = link.at // 1_000_000

    def _compare_rollups(self, view: "View") -> None:
        for day in differing_days(view, self.found.sums, self._weights):
            self.found.differs(
                "rollups", day, "are not the sums of the decisions of the day and the reports on them"
            )

    def _compare_keys(self, view: "View") -> None:
        digests = view.key_digests()
        rows = {}
        for key in view.keys():  # noqa: SIM118 - no mapping
            rows[key.id] = _as_event(key, digests[key.id])
        self.found.compare_all("keys", self._keys, rows)

    def _compare_freezes(self, view: "View") -> None:
        before: str | None = None
        expected = dict(self._freezes)
        while page := view.newest_freezes(before, _TOGETHER):
            before = page[-1].id
            known = {each.id: expected.pop(each.id) for each in page if each.id in expected}
            rows = {each.id: {**freeze_to_json(each, each.created_at)} for each in page}
            self.found.compare_all("freezes", known, rows)
        self.found.compare_all("freezes", expected, {})

    def _compare_sessions(self, view: "View") -> None:
        rows = {session.id: _as_event(session, digest) for digest, session in view.session_rows()}
        standing = {
            own_id: expected
            for own_id, expected in self._sessions.items()
            if own_id in rows or expected["expires_at"] >= self._forgotten_before
        }
        self.found.compare_all("sessions", standing, rows)

    def _compare_holds(self, view: "View") -> None:
        self.found.compare_all("holds", *self._holds.compared(_all_holds(view)))

    def _compare_revisions(self, view: "View") -> None:
        wanted, after = set(self.found.revisions), ""
        while (found := view.next_revision(after)) is not None:
            after, sources = found
            wanted.discard(after)
            if _revision_of(sources) != after:
                self.found.differs("policy_revisions", after, "its text is not that of this revision")
        for revision in wanted:
            self.found.differs("policy_revisions", revision, "is missing, although decisions were made by it")


def _all_holds(view: "View") -> Iterator[Hold]:
    before: str | None = None
    while page := view.newest_holds(HoldFilter(), before, _TOGETHER):
        yield from page
        before = page[-1].id


def _second(link: Link) -> str | None:
    return instant_or_none(link.at // 1_000_000)


def _revision_of(sources: str) -> str | None:
    try:
        return Snapshot.from_json(sources).revision
    except UNREADABLE:
        return None


def _as_event(record: KeyRecord | SessionRecord, digest: str) -> dict[str, Any]:
    """Return the row of a key or session as its event has it: with a fingerprint, and JSON's lists."""
    fields = {
        name: list(value) if isinstance(value, tuple) else value for name, value in record._asdict().items()
    }
    return {**fields, "fingerprint": fingerprint(digest)}
