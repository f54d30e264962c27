"""The comparison of the rows of consecutive events with what these say, a page at a time."""

import contextlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.core.audit import Link
from app.core.errors import FreezegateError
from app.core.override import Approval, Override
from app.gate.audit_events import Kind
from app.gate.decision_forms import DecisionForms
from app.gate.decision_rows import expected_row, expected_services, is_plain_row
from app.gate.errors import StoreUnavailableError
from app.gate.findings import Findings
from app.gate.overrides import to_json as override_to_json
from app.gate.rollup_check import DecisionWeights
from app.identity.caller import person_id
from app.identity.credentials import fingerprint
from app.store.records import DecisionRow, OutcomeRow

if TYPE_CHECKING:
    from app.store.connection import Row
    from app.store.view import View

UNREADABLE: Final = (KeyError, TypeError, ValueError, AttributeError, FreezegateError)
"""Errors of reading an event that an older version wrote, or that was tampered with."""

_DECISION: Final = Kind.DECISION.value
"""A plain text: comparing with the member of an enumeration takes longer, a million times."""


class Rows(NamedTuple):
    """The rows that some events are about, all of one state of the database."""

    decisions: "dict[int, Row]"
    """Their columns, those of `DecisionRow`, and the position."""
    services: dict[int, tuple[str, ...]]
    """The services of the decisions on several, sorted."""
    outcomes: dict[int, OutcomeRow]
    overrides: dict[str, Override]
    digests: dict[str, str]
    """The stored hashes of the tokens of overrides granted in these events."""
    spends: dict[str, tuple[str, int]]
    unknown: frozenset[str] = frozenset()
    """The decisions of reported outcomes that were pruned."""
    unreadable: frozenset[str] = frozenset()
    """The overrides whose rows can't be read."""


class PageRows:
    """The rows of a page of events; each is taken by its event, and none may be left."""

    def __init__(self, rows: Rows, forms: DecisionForms, weights: DecisionWeights, found: Findings) -> None:
        """Compare with `rows`, and add to `found`; `forms` knows those of the events."""
        self._rows = rows
        self._forms = forms
        self._weights = weights
        self._found = found
        self._decisions, self._services = dict(rows.decisions), dict(rows.services)
        self._outcomes = dict(rows.outcomes)

    def check(self, link: Link, parts: list[str]) -> None:
        """Compare the rows of the next event; `parts` are those that its data is joined from, if any."""
        try:
            if link.kind == _DECISION:
                self._decision(link, parts)
            elif link.kind == Kind.OUTCOME_REPORTED:
                self._outcome(link)
            else:
                self._override_event(link)
        except UNREADABLE:
            self._found.unproven[unreadable(link)] += 1

    def _override_event(self, link: Link) -> None:
        if link.kind == Kind.OVERRIDE_GRANTED:
            self._granted(link, json.loads(link.data))
        elif link.kind == Kind.OVERRIDE_APPROVED:
            self._approved(link, json.loads(link.data))
        elif link.kind == Kind.OVERRIDE_SPENT:
            self._spent(link, json.loads(link.data))
        elif link.kind == Kind.OVERRIDE_REVOKED:
            self._revoked(link, json.loads(link.data))

    def finish(self) -> None:
        """Report the rows that no event has taken."""
        for seq, columns in self._decisions.items():
            row = DecisionRow._make(columns[:-1])
            self._found.differs("decisions", row.id, f"event {seq} is no decision")
            with contextlib.suppress(*UNREADABLE):
                self._weights.add(self._found.sums, row, self._services.get(seq, ()))
        for seq in self._services:
            self._found.differs("decision_services", str(seq), f"event {seq} is no decision")
        for seq, outcome in self._outcomes.items():
            self._found.differs("outcomes", outcome.decision_id, f"event {seq} is no outcome")

    def _decision(self, link: Link, parts: list[str]) -> None:
        columns = self._decisions.pop(link.seq, None)
        services = self._services.pop(link.seq, ()) if self._services else ()
        if columns is None:
            self._found.differs("decisions", json.loads(link.data)["answer"]["decision_id"], "is missing")
            return
        if parts and not services and self._forms.is_row(link, parts, columns):
            self._weights.add_alike(self._found.sums, parts[0], columns)
            return
        row = DecisionRow._make(columns[:-1])
        self._weights.add(self._found.sums, row, services)
        self._found.revisions.add(row.policy_revision)
        if services or not is_plain_row(link, row):
            self._parsed_decision(link, row, services)

    def _parsed_decision(self, link: Link, row: DecisionRow, services: tuple[str, ...]) -> None:
        data = json.loads(link.data)
        expected = expected_row(link, data, row)
        if row.idempotency_key is not None and "idempotency_key" not in data:
            self._found.unproven["idempotency keys of decisions"] += 1
        if expected != row:
            self._found.compare("decisions", row.id, expected._asdict(), row._asdict())
        if expected_services(data) != services:
            self._found.differs("decision_services", row.id, "are not the services of the decision")

    def _outcome(self, link: Link) -> None:
        row = self._outcomes.pop(link.seq, None)
        body = json.loads(link.data)["outcome"]
        if row is None and body["id"] in self._rows.unknown:
            return
        if row is None:
            self._found.differs("outcomes", body["id"], "is missing")
            return
        expected = OutcomeRow(
            decision_id=body["id"],
            result=body["result"],
            incident=body["incident"],
            reported_by=link.actor,
            reported_at=link.at // 1_000_000,
        )
        self._found.compare("outcomes", row.decision_id, expected._asdict(), row._asdict())

    def _granted(self, _: Link, data: dict[str, Any]) -> None:
        body = data["override"]
        row = self._override(body["id"], "overrides")
        if row is None:
            return
        as_granted = row._replace(uses=0, approvals=(), revoked_by=None, revoked_at=None)
        shown = override_to_json(as_granted, row.granted_at)
        expected = {name: value for name, value in body.items() if name != "state"}
        shown["fingerprint"] = fingerprint(self._rows.digests[row.id])
        expect_fingerprint(expected, data, "tokens", self._found)
        # Older events lack them, and older tokens have none.
        expected |= {name: None for name in ("granter", "starts_at", "ref") if name not in body}
        self._found.compare("overrides", row.id, expected, shown)

    def _approved(self, link: Link, data: dict[str, Any]) -> None:
        row = self._override(data["override"], "approvals")
        person = data.get("person") or person_id(link.actor)
        given = Approval(link.actor, link.at // 1_000_000, person)
        if row is not None and given not in row.approvals:
            self._found.missing["approvals"] += 1
            self._found.differs(
                "approvals", row.id, f"the approval of {link.actor} in event {link.seq} is missing"
            )

    def _spent(self, link: Link, data: dict[str, Any]) -> None:
        row = self._override(data["override"], "spends")
        if row is None:
            return
        expected = (row.id, row.max_uses - data["uses_left"])
        found = self._rows.spends.get(data["decision"])
        if found is None:
            self._found.missing["spends"] += 1
            self._found.differs("spends", data["decision"], f"the use in event {link.seq} is missing")
        elif found != expected:
            self._found.differs("spends", data["decision"], f"differs from the use in event {link.seq}")

    def _revoked(self, link: Link, data: dict[str, Any]) -> None:
        row = self._override(data["override"], "revocations")
        if row is None:
            return
        if row.revoked_at is None:
            self._found.missing["revocations"] += 1
        expected = {"revoked_by": link.actor, "revoked_at": link.at // 1_000_000}
        self._found.compare("overrides", row.id, expected, row._asdict())

    def _override(self, own_id: str, counted: str) -> Override | None:
        """Return the override of an event, and count the event; report a missing override once."""
        self._found.events_of[counted] += 1
        row = self._rows.overrides.get(own_id)
        if own_id in self._rows.unreadable:
            if counted == "overrides":
                self._found.differs("overrides", own_id, "can't be read")
        elif row is None:
            self._found.missing[counted] += counted in ("overrides", "revocations")
            if counted == "overrides":
                self._found.differs("overrides", own_id, "is missing")
        return row


def unreadable(link: Link) -> str:
    """Return what is counted of an event that can't be read."""
    return f"events of kind {link.kind} that can't be read"


def expect_fingerprint(expected: dict[str, Any], data: dict[str, Any], what: str, found: Findings) -> None:
    """Expect the fingerprint that an event has; count it as unproven if it has none."""
    if "fingerprint" in data:
        expected["fingerprint"] = data["fingerprint"]
    else:
        found.unproven[f"hashes of {what}"] += 1


def read_rows(
    view: "View", links: Sequence[Link], between: tuple[int, int] = (0, 0), *, pruned: bool = False
) -> Rows:
    """Read the rows that some events are about.

    Args:
        view: of the state that they were read in.
        links: the events that are no decisions.
        between: the decisions and outcomes after the first position, up to the second one, are read, too;
            none of events that stay of a pruned stretch.
        pruned: the record was pruned, and outcomes may be those of decisions that are gone.
    """
    first, last = between
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
    overrides = _overrides(view, touched)
    return Rows(
        {row[-1]: row for row in view.decision_columns(first, last)},
        view.decision_services(first, last),
        outcomes,
        overrides,
        view.override_digests(granted),
        view.spend_rows(decided),
        _unknown(view, [link for link in links if link.seq not in outcomes]) if pruned else frozenset(),
        frozenset(view.override_digests(touched - overrides.keys())),
    )


def _overrides(view: "View", own_ids: set[str]) -> dict[str, Override]:
    """Return the overrides of these ids, without those whose rows can't be read."""
    try:
        return {override.id: override for override in view.overrides_of(sorted(own_ids))}
    except StoreUnavailableError:
        raise
    except UNREADABLE:
        if len(own_ids) == 1:
            return {}
        return {name: each for own_id in own_ids for name, each in _overrides(view, {own_id}).items()}


def _unknown(view: "View", links: Sequence[Link]) -> frozenset[str]:
    """Return the decisions of reported outcomes that are not there."""
    wanted: set[str] = set()
    for link in links:
        if link.kind == Kind.OUTCOME_REPORTED:
            with contextlib.suppress(*UNREADABLE):
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
    except UNREADABLE:
        return "", ""
