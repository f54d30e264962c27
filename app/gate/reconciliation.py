"""The reconciliation of the tables with the record: they must hold what the events say, and nothing else.

Decisions, outcomes, overrides, approvals and uses are compared event by event, a page at a time. Freezes,
keys, and the sessions and holds of the last month are few: they are rebuilt from the events, and compared at
the end.
"""

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.core.audit import Link
from app.core.decision_json import instant_or_none
from app.core.errors import FreezegateError
from app.core.hold import Hold
from app.core.override import Approval, Override
from app.gate.audit_events import Kind
from app.gate.decision_forms import DecisionForms
from app.gate.decision_rows import expected_row, expected_services, is_plain_row
from app.gate.freezes import to_json as freeze_to_json
from app.gate.hold_rows import HoldRows
from app.gate.overrides import to_json as override_to_json
from app.gate.rollup_check import RollupCheck
from app.gate.sessions import FORGOTTEN_AFTER, LIFETIME
from app.identity.caller import person_id
from app.identity.credentials import fingerprint
from app.policies.source import Snapshot
from app.store.records import DecisionRow, HoldFilter, KeyRecord, OutcomeRow, SessionRecord

if TYPE_CHECKING:
    from app.store.events import LinksInParts
    from app.store.view import View

MOST_NAMED: Final = 100
"""Differences that are listed; more are only counted."""

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

_UNREADABLE: Final = (KeyError, TypeError, ValueError, AttributeError, FreezegateError)
"""Errors of reading an event that an older version wrote, or that was tampered with."""


class Difference(NamedTuple):
    """A row that differs from the record."""

    table: str
    id: str
    what: str


class Rows(NamedTuple):
    """The rows that some events are about, all of one state of the database."""

    decisions: dict[int, DecisionRow]
    services: dict[int, tuple[str, ...]]
    """The services of the decisions on several, sorted."""
    outcomes: dict[int, OutcomeRow]
    overrides: dict[str, Override]
    digests: dict[str, str]
    """The stored hashes of the tokens of overrides granted in these events."""
    spends: dict[str, tuple[str, int]]
    unknown: frozenset[str] = frozenset()
    """The decisions of reported outcomes that were pruned."""


class Reconciliation:
    """A comparison of the tables with the record, page by page, beside the verifier of its hashes."""

    def __init__(self) -> None:
        """Expect nothing in the tables before the first event."""
        self.differences: list[Difference] = []
        self.found = 0
        """The number of differences, listed or not."""
        self.unproven: Counter[str] = Counter()
        """Counts, by kind, of values that older events lack and that can't be compared."""
        self._keys: dict[str, dict[str, Any]] = {}
        self._freezes: dict[str, dict[str, Any]] = {}
        self._sessions: dict[str, dict[str, Any]] = {}
        self._forgotten_before = 0
        self._holds = HoldRows()
        self._forms = DecisionForms()
        self._rollups = RollupCheck()
        self._revisions: set[str] = set()
        self._events_of: Counter[str] = Counter()
        """Counts of the events that imply a row, by table."""
        self._missing: Counter[str] = Counter()
        self._events: dict[str, Callable[[Link, dict[str, Any], Rows], None]] = {
            Kind.OVERRIDE_GRANTED: self._granted,
            Kind.OVERRIDE_APPROVED: self._approved,
            Kind.OVERRIDE_SPENT: self._spent,
            Kind.OVERRIDE_REVOKED: self._revoked,
            Kind.FREEZE_STARTED: self._freeze_published,
            Kind.FREEZE_CHANGED: self._freeze_published,
            Kind.FREEZE_EXTENDED: self._freeze_extended,
            Kind.FREEZE_LIFTED: self._freeze_lifted,
            Kind.KEY_CREATED: self._key_created,
            Kind.KEY_REVOKED: self._key_revoked,
            Kind.SESSION_OPENED: self._session_opened,
            Kind.SESSION_CLOSED: self._session_closed,
            Kind.HOLD_REQUESTED: lambda _, data, __: self._holds.requested(data),
            **dict.fromkeys(
                _CHANGES_OF_HOLDS, lambda link, data, _: self._holds.changed(link.kind, link.actor, data)
            ),
        }

    def check(self, links: Sequence[Link], rows: Rows, page: "LinksInParts | None" = None) -> None:
        """Compare consecutive events with their rows; `page` has the parts that their data is joined from."""
        decisions, outcomes, services = dict(rows.decisions), dict(rows.outcomes), dict(rows.services)
        self._rollups.take(decisions, services)
        self._forms.add(page.forms if page else {})
        for link, parts in zip(links, page.parts if page else repeat([]), strict=False):
            try:
                if link.kind == Kind.DECISION:
                    row = decisions.pop(link.seq, None)
                    self._decision(link, parts, row, services.pop(link.seq, ()))
                elif link.kind == Kind.OUTCOME_REPORTED:
                    self._outcome(link, outcomes.pop(link.seq, None), rows)
                elif (event := self._events.get(link.kind)) is not None:
                    event(link, json.loads(link.data), rows)
            except _UNREADABLE:
                self.unproven[f"events of kind {link.kind} that can't be read"] += 1
        for seq, decision in decisions.items():
            self._differs("decisions", decision.id, f"event {seq} is no decision")
        for seq in services:
            self._differs("decision_services", str(seq), f"event {seq} is no decision")
        for seq, outcome in outcomes.items():
            self._differs("outcomes", outcome.decision_id, f"event {seq} is no outcome")

    def finish(self, view: "View", last: int) -> None:
        """Compare the totals and the rebuilt tables; `view` must show the state after the event `last`."""
        for table, rows in view.rows_beyond(last).items():
            if rows:
                self._differs(table, f"{rows} rows", "stand at places outside the record")
        for table, rows in view.rows_pruned().items():
            if rows:
                self._differs(table, f"{rows} rows", "stand in the part of the record that was pruned")
        for own_id in view.miscounted_overrides(MOST_NAMED):
            self._differs("overrides", own_id, "its number of uses is not that of its spends")
        for name, rows in view.count_rows()._asdict().items():
            extra = rows - (self._events_of[name] - self._missing[name])
            if extra:
                self._differs(name, f"{extra} rows", "are in no event")
        for day in self._rollups.differing(view):
            self._differs(
                "rollups", day, "are not the sums of the decisions of the day and the reports on them"
            )
        self._compare_keys(view)
        self._compare_freezes(view)
        self._compare_sessions(view)
        self._compare_all("holds", *self._holds.compared(_all_holds(view)))
        self._compare_revisions(view)

    def _differs(self, table: str, own_id: str, what: str) -> None:
        self.found += 1
        if len(self.differences) < MOST_NAMED:
            self.differences.append(Difference(table, own_id, what))

    def _compare(self, table: str, own_id: str, expected: dict[str, Any], row: dict[str, Any]) -> None:
        """Report the columns that differ from the expected ones; empty, null and missing are equal."""
        wrong = [name for name in expected if (expected[name] or None) != (row.get(name) or None)]
        if wrong:
            self._differs(table, own_id, f"differs from the record in {', '.join(wrong)}")

    def _compare_all(
        self, table: str, expected: dict[str, dict[str, Any]], rows: dict[str, dict[str, Any]]
    ) -> None:
        for own_id in expected.keys() - rows.keys():
            self._differs(table, own_id, "is missing")
        for own_id, row in rows.items():
            if own_id in expected:
                self._compare(table, own_id, expected[own_id], row)
            else:
                self._differs(table, own_id, "is in no event")

    def _decision(
        self, link: Link, parts: list[str], row: DecisionRow | None, services: tuple[str, ...]
    ) -> None:
        if row is not None:
            self._revisions.add(row.policy_revision)
            if not services and self._is_plain(link, parts, row):
                return
        data = json.loads(link.data)
        if row is None:
            self._differs("decisions", data["answer"]["decision_id"], "is missing")
            return
        expected = expected_row(link, data, row)
        if row.idempotency_key is not None and "idempotency_key" not in data:
            self.unproven["idempotency keys of decisions"] += 1
        if expected != row:
            self._compare("decisions", row.id, expected._asdict(), row._asdict())
        if expected_services(data) != services:
            self._differs("decision_services", row.id, "are not the services of the decision")

    def _is_plain(self, link: Link, parts: list[str], row: DecisionRow) -> bool:
        """Return whether an event has exactly this row, if that can be told without parsing it."""
        return bool(parts and self._forms.is_row(link, parts, row)) or is_plain_row(link, row)

    def _outcome(self, link: Link, row: OutcomeRow | None, rows: Rows) -> None:
        body = json.loads(link.data)["outcome"]
        if row is None and body["id"] in rows.unknown:
            return
        if row is None:
            self._differs("outcomes", body["id"], "is missing")
            return
        expected = OutcomeRow(
            decision_id=body["id"],
            result=body["result"],
            incident=body["incident"],
            reported_by=link.actor,
            reported_at=link.at // 1_000_000,
        )
        self._compare("outcomes", row.decision_id, expected._asdict(), row._asdict())

    def _granted(self, _: Link, data: dict[str, Any], rows: Rows) -> None:
        body = data["override"]
        row = self._override(body["id"], "overrides", rows)
        if row is None:
            return
        as_granted = row._replace(uses=0, approvals=(), revoked_by=None, revoked_at=None)
        shown = override_to_json(as_granted, row.granted_at)
        expected = {name: value for name, value in body.items() if name != "state"}
        shown["fingerprint"] = fingerprint(rows.digests[row.id])
        self._expect_fingerprint(expected, data, "tokens")
        # Older events lack them, and older tokens have none.
        expected |= {name: None for name in ("granter", "starts_at", "ref") if name not in body}
        self._compare("overrides", row.id, expected, shown)

    def _approved(self, link: Link, data: dict[str, Any], rows: Rows) -> None:
        row = self._override(data["override"], "approvals", rows)
        person = data.get("person") or person_id(link.actor)
        given = Approval(link.actor, link.at // 1_000_000, person)
        if row is not None and given not in row.approvals:
            self._missing["approvals"] += 1
            self._differs("approvals", row.id, f"the approval of {link.actor} in event {link.seq} is missing")

    def _spent(self, link: Link, data: dict[str, Any], rows: Rows) -> None:
        row = self._override(data["override"], "spends", rows)
        if row is None:
            return
        expected = (row.id, row.max_uses - data["uses_left"])
        found = rows.spends.get(data["decision"])
        if found is None:
            self._missing["spends"] += 1
            self._differs("spends", data["decision"], f"the use in event {link.seq} is missing")
        elif found != expected:
            self._differs("spends", data["decision"], f"differs from the use in event {link.seq}")

    def _revoked(self, link: Link, data: dict[str, Any], rows: Rows) -> None:
        row = self._override(data["override"], "revocations", rows)
        if row is None:
            return
        if row.revoked_at is None:
            self._missing["revocations"] += 1
        expected = {"revoked_by": link.actor, "revoked_at": link.at // 1_000_000}
        self._compare("overrides", row.id, expected, row._asdict())

    def _override(self, own_id: str, counted: str, rows: Rows) -> Override | None:
        """Return the override of an event, and count the event; report a missing override once."""
        self._events_of[counted] += 1
        row = rows.overrides.get(own_id)
        if row is None:
            self._missing[counted] += counted in ("overrides", "revocations")
            if counted == "overrides":
                self._differs("overrides", own_id, "is missing")
        return row

    def _freeze_published(self, _: Link, data: dict[str, Any], __: Rows) -> None:
        body = data["freeze"]
        self._freezes[body["id"]] = {name: body[name] for name in body if name not in _BY_STATE}

    def _freeze_extended(self, link: Link, data: dict[str, Any], _: Rows) -> None:
        ends_at = data["ends_at"]
        changed = {"ends_at": ends_at, "open_ended": ends_at is None, "changed_at": _second(link)}
        self._freezes[data["freeze"]].update(changed)

    def _freeze_lifted(self, link: Link, data: dict[str, Any], _: Rows) -> None:
        at = _second(link)
        lifted = {
            "lifted_by": link.actor,
            "lifted_at": at,
            "changed_at": at,
            "lift_reason": data.get("reason"),
        }
        self._freezes[data["freeze"]].update(lifted)

    def _key_created(self, link: Link, data: dict[str, Any], _: Rows) -> None:
        expected = {name: data.get(name) for name in _KEY_FIELDS}
        expected |= {"created_by": link.actor, "created_at": link.at // 1_000_000, "revoked_at": None}
        self._expect_fingerprint(expected, data, "keys")
        self._keys[data["key"]] = expected

    def _key_revoked(self, link: Link, data: dict[str, Any], _: Rows) -> None:
        self._keys[data["key"]]["revoked_at"] = link.at // 1_000_000

    def _session_opened(self, link: Link, data: dict[str, Any], _: Rows) -> None:
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
        self._expect_fingerprint(expected, data, "sessions")
        # Like the gate itself whenever a session is opened: delete those that expired long ago.
        self._forgotten_before = max(self._forgotten_before, now - FORGOTTEN_AFTER)
        while self._sessions:
            oldest = next(iter(self._sessions))
            if self._sessions[oldest]["expires_at"] >= self._forgotten_before:
                break
            del self._sessions[oldest]
        self._sessions[data["session"]] = expected

    def _session_closed(self, link: Link, data: dict[str, Any], _: Rows) -> None:
        if (session := self._sessions.get(data["session"])) is not None:
            session["revoked_at"] = link.at // 1_000_000

    def _expect_fingerprint(self, expected: dict[str, Any], data: dict[str, Any], what: str) -> None:
        if "fingerprint" in data:
            expected["fingerprint"] = data["fingerprint"]
        else:
            self.unproven[f"hashes of {what}"] += 1

    def _compare_keys(self, view: "View") -> None:
        digests = view.key_digests()
        rows = {}
        for key in view.keys():  # noqa: SIM118 - no mapping
            rows[key.id] = _as_event(key, digests[key.id])
        self._compare_all("keys", self._keys, rows)

    def _compare_freezes(self, view: "View") -> None:
        before: str | None = None
        expected = dict(self._freezes)
        while page := view.newest_freezes(before, _TOGETHER):
            before = page[-1].id
            known = {each.id: expected.pop(each.id) for each in page if each.id in expected}
            rows = {each.id: {**freeze_to_json(each, each.created_at)} for each in page}
            self._compare_all("freezes", known, rows)
        self._compare_all("freezes", expected, {})

    def _compare_sessions(self, view: "View") -> None:
        rows = {session.id: _as_event(session, digest) for digest, session in view.session_rows()}
        standing = {
            own_id: expected
            for own_id, expected in self._sessions.items()
            if own_id in rows or expected["expires_at"] >= self._forgotten_before
        }
        self._compare_all("sessions", standing, rows)

    def _compare_revisions(self, view: "View") -> None:
        wanted, after = set(self._revisions), ""
        while (found := view.next_revision(after)) is not None:
            after, sources = found
            wanted.discard(after)
            if _revision_of(sources) != after:
                self._differs("policy_revisions", after, "its text is not that of this revision")
        for revision in wanted:
            self._differs("policy_revisions", revision, "is missing, although decisions were made by it")


def _all_holds(view: "View") -> Iterator[Hold]:
    before: str | None = None
    while page := view.newest_holds(HoldFilter(), before, _TOGETHER):
        yield from page
        before = page[-1].id


def read_rows(view: "View", links: Sequence[Link], *, staying: bool = False, pruned: bool = False) -> Rows:
    """Read the rows that some events are about.

    Args:
        view: of the state that they were read in.
        links: the events; consecutive, unless they are `staying`.
        staying: they are those that stay of a pruned stretch: its decisions and outcomes are not read.
        pruned: the record was pruned, and outcomes may be those of decisions that are gone.
    """
    first, last = (links[0].seq - 1, links[-1].seq) if links and not staying else (0, 0)
    granted, touched, decided = set(), set(), set()
    for link in links:
        if not link.kind.startswith("override-"):
            continue
        override, decision = _named(link)
        touched.add(override)
        if link.kind == Kind.OVERRIDE_GRANTED:
            granted.add(override)
        if decision:
            decided.add(decision)
    outcomes = view.outcome_rows(first, last)
    return Rows(
        view.decision_rows(first, last),
        view.decision_services(first, last),
        outcomes,
        {override.id: override for override in view.overrides_of(sorted(touched))},
        view.override_digests(granted),
        view.spend_rows(decided),
        _unknown(view, [link for link in links if link.seq not in outcomes]) if pruned else frozenset(),
    )


def _unknown(view: "View", links: Sequence[Link]) -> frozenset[str]:
    """Return the decisions of reported outcomes that are not there."""
    wanted: set[str] = set()
    for link in links:
        if link.kind == Kind.OUTCOME_REPORTED:
            with contextlib.suppress(*_UNREADABLE):
                wanted.add(str(json.loads(link.data)["outcome"]["id"]))
    return frozenset(wanted - view.known_decisions(sorted(wanted)))


def _named(link: Link) -> tuple[str, str]:
    """Return the ids of the override and the decision in an event; empty if it has none."""
    try:
        data = json.loads(link.data)
        override = data["override"]
        return str(override["id"] if isinstance(override, dict) else override), str(
            data.get("decision") or ""
        )
    except _UNREADABLE:
        return "", ""


def _second(link: Link) -> str | None:
    return instant_or_none(link.at // 1_000_000)


def _revision_of(sources: str) -> str | None:
    try:
        return Snapshot.from_json(sources).revision
    except _UNREADABLE:
        return None


def _as_event(record: KeyRecord | SessionRecord, digest: str) -> dict[str, Any]:
    """Return the row of a key or session as its event has it: with a fingerprint, and JSON's lists."""
    fields = {
        name: list(value) if isinstance(value, tuple) else value for name, value in record._asdict().items()
    }
    return {**fields, "fingerprint": fingerprint(digest)}
