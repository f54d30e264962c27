"""The queries on one state of the database."""

from collections.abc import Collection, Mapping, Sequence

from app.core.audit import Link
from app.core.backtest import Recorded
from app.core.continuation import EarlierStep
from app.core.freeze import Freeze
from app.core.hold import Hold
from app.core.incident_freeze import Episode
from app.core.override import Override
from app.core.rollup import Cell, Decided
from app.store import (
    backtest,
    decision_services,
    decisions,
    deliveries,
    events,
    freezes,
    holds,
    incidents,
    keys,
    outbox,
    outcomes,
    overrides,
    passages,
    policy_revisions,
    projections,
    reconciliation,
    retention,
    rollups,
    sessions,
)
from app.store.connection import Connection, Row
from app.store.records import (
    Backlog,
    DecidedFilter,
    DecisionFilter,
    DecisionRow,
    Denial,
    DeployRow,
    Head,
    HoldCount,
    HoldFilter,
    KeyRecord,
    Lease,
    OutboxMessage,
    OutcomeRow,
    OverrideCounts,
    PrunedStretch,
    SessionOwner,
    SessionRecord,
    StoredDecision,
    Unfinished,
)
from app.store.rollups import Rollup, WaitRow


class View:
    """One state of the database, for the length of a transaction."""

    def __init__(self, connection: Connection) -> None:
        """Query through a connection, within a transaction."""
        self._connection = connection

    def head(self) -> Head:
        """Return the end of the audit log, and the versions of freezes and keys."""
        return events.find_head(self._connection)

    def events_after(self, seq: int, most: int) -> list[Link]:
        """Return the events after a position, in order."""
        return events.following(self._connection, seq, most)

    def stored_events(self, seq: int, most: int) -> events.StoredEvents:
        """Return the events after a position, in order, as they are stored."""
        return events.stored_after(self._connection, seq, most)

    def forget_passages(self) -> None:
        """Read again what events share, instead of remembering it: to verify what is stored."""
        passages.forget()

    def newest_events(self, before: int, most: int) -> list[Link]:
        """Return the events before a position, newest first."""
        return events.newest(self._connection, before, most)

    def latest_of_kind(self, kind: str) -> Link | None:
        """Return the newest event of a kind other than ``decision``."""
        return events.latest_of_kind(self._connection, kind)

    def newest_of_kind(self, kind: str, before: int, most: int) -> list[Link]:
        """Return the events of a kind other than ``decision`` before a position, newest first."""
        return events.newest_of_kind(self._connection, kind, before, most)

    def next_of_kind(self, kind: str, since: int) -> Link | None:
        """Return the first event of a kind other than ``decision`` at a position or later."""
        return events.next_of_kind(self._connection, kind, since)

    def pruned_stretches(self) -> list[PrunedStretch]:
        """Return the stretches of the audit log that were pruned, oldest first."""
        return retention.stretches(self._connection)

    def latest_pruned(self) -> PrunedStretch | None:
        """Return the stretch that was pruned last, after which the audit log begins; None if nothing was."""
        return retention.latest(self._connection)

    def rows_pruned(self) -> dict[str, int]:
        """Return the number of rows that a finished pruning should have deleted, by table."""
        return retention.leftover(self._connection)

    def time_of_event(self, seq: int) -> int | None:
        """Return the instant of the event at a position, in microseconds; None if there is none."""
        return retention.time_of(self._connection, seq)

    def first_event_since(self, since: int, after: int, last: int) -> int | None:
        """Return the first position between two whose event is of an instant or later, in microseconds.

        Each event between them is read, so let them be few.
        """
        return retention.first_since(self._connection, since, after, last)

    def events_that_stay(self, kinds: tuple[str, ...], after: int, last: int, most: int) -> list[Link]:
        """Return the events of some kinds, not ``decision``, between two positions, in order."""
        return retention.staying(self._connection, kinds, after, last, most)

    def revisions_between(self, after: int, last: int) -> set[str]:
        """Return the policy revisions of the decisions between two positions."""
        return retention.revisions_between(self._connection, after, last)

    def droppable_revisions(self, before: int) -> set[str]:
        """Return the policy revisions first loaded before an instant, in seconds, whose text is kept."""
        return retention.droppable_revisions(self._connection, before)

    def oldest_decision(self) -> int | None:
        """Return the instant of the first decision that is kept, in seconds; None if there is none."""
        return retention.oldest(self._connection)

    def known_decisions(self, decision_ids: Sequence[str]) -> set[str]:
        """Return those of some ids that are decisions."""
        return retention.known(self._connection, decision_ids)

    def decision(self, decision_id: str) -> StoredDecision | None:
        """Return a recorded decision."""
        return decisions.find(self._connection, decision_id)

    def earlier_step(self, decision_id: str) -> EarlierStep | None:
        """Return a decision as a later step of its deploy needs it."""
        return decisions.step(self._connection, decision_id)

    def decision_of_key(self, caller: str, key: str) -> tuple[str, str] | None:
        """Return the fingerprint and the data of the decision under a caller's idempotency key."""
        return decisions.of_key(self._connection, caller, key)

    def newest_decisions(
        self, wanted: DecisionFilter, before: int | None, most: int, least: int = 0
    ) -> list[StoredDecision]:
        """Return recorded decisions, newest first, before a position, and not before the position `least`."""
        return decisions.newest(self._connection, wanted, before, most, least)

    def deploy(self, decision_id: str) -> DeployRow | None:
        """Return the deploy of a decision, as an outcome needs it."""
        return outcomes.deploy_of(self._connection, decision_id)

    def outcomes(self, decision_id: str, most: int) -> list[OutcomeRow]:
        """Return the latest outcomes of a decision, newest last."""
        return outcomes.of_decision(self._connection, decision_id, most)

    def decided(self, wanted: DecidedFilter, after: tuple[int, int], most: int) -> list[tuple[int, Decided]]:
        """Return decisions in the order of their instants, each with its position."""
        return outcomes.decided(self._connection, wanted, after, most)

    def rollup_cells_of(self, service: str) -> list[tuple[int, Cell]]:
        """Return the cells of a service, and those of several services, each with its number."""
        return rollups.cells_of(self._connection, service)

    def rollup_cells(self, after: int, most: int) -> list[tuple[int, Cell]]:
        """Return the cells that decisions are counted in, by number, above a number."""
        return rollups.cells(self._connection, after, most)

    def unlisted_rollup_days(self) -> set[int]:
        """Return the days that have counts, and are not among `rollup_days`."""
        return rollups.unlisted_days(self._connection)

    def rollup_days(self, first: int, last: int) -> dict[int, int]:
        """Return the days of a range with decisions, each with the position of its latest change."""
        return rollups.days(self._connection, first, last)

    def rollups(self, first: int, last: int) -> list[Row]:
        """Return the counts of a range of days, its last one included; see `app.core.rollup_sums.Row`."""
        return rollups.of_days(self._connection, first, last)

    def rollups_of(self, cells: Sequence[int], first: int, last: int) -> list[Row]:
        """Like `rollups`, of some cells."""
        return rollups.of_cells(self._connection, first, last, cells)

    def rollup_rows(self, day: int) -> list[Rollup]:
        """Return the counts of a day."""
        return rollups.rows_of(self._connection, day)

    def used_cells(self, day: int) -> list[int]:
        """Return the numbers of the cells that a day has counts of."""
        return rollups.used_cells(self._connection, day)

    def cell_numbers(self, after: int, most: int) -> list[int]:
        """Return the numbers of cells above a number, in order."""
        return rollups.cell_numbers(self._connection, after, most)

    def requests_without_cells(self, after: int, most: int) -> list[int]:
        """Return the numbers of requests above a number that no cell has, in order."""
        return rollups.requests_without_cells(self._connection, after, most)

    def latest_numbers(self) -> tuple[int, int]:
        """Return the greatest number of a cell, and that of a request; 0 if there are none."""
        return rollups.latest_numbers(self._connection)

    def requests_of_waits(self, start: int, before: int) -> list[int]:
        """Return the numbers of the requests with waits that begin in [start, before)."""
        return rollups.requests_of_waits(self._connection, start, before)

    def reported(self, after: int, most: int) -> list[tuple[int, Decided]]:
        """Return the counted decisions with a report after a position, in the order of the record."""
        return rollups.reported(self._connection, after, most)

    def waits(self, start: int, end: int) -> list[WaitRow]:
        """Return the waits that begin in [start, end)."""
        return rollups.waits_of(self._connection, start, end)

    def recorded(self, wanted: DecidedFilter, after: tuple[int, int], most: int) -> list[Recorded]:
        """Return decisions for a backtest, in the order of their instants, after a known one."""
        return backtest.recorded(self._connection, wanted, after, most)

    def count_recorded(self, wanted: DecidedFilter) -> int:
        """Return the number of decisions that `recorded` returns in all."""
        return backtest.count(self._connection, wanted)

    def count_decisions(self) -> int:
        """Return the number of recorded decisions; reads all of them."""
        return decisions.count(self._connection)

    def sources(self, revision: str) -> str | None:
        """Return the text of a policy set that was in force."""
        return policy_revisions.sources(self._connection, revision)

    def revisions(self, start: str, most: int) -> list[str]:
        """Return the revisions that begin with these letters; `start` holds no ``%`` or ``_``."""
        return policy_revisions.beginning_with(self._connection, start, most)

    def override(self, override_id: str) -> Override | None:
        """Return an override by id."""
        return overrides.find(self._connection, override_id)

    def override_of_token(self, digest: str) -> Override | None:
        """Return the override of a token, by the token's hash."""
        return overrides.of_token(self._connection, digest)

    def newest_overrides(self, now: int | None, before: str | None, most: int) -> list[Override]:
        """Return overrides, newest first; with `now`, only those that may still be used."""
        return overrides.newest(self._connection, now, before, most)

    def count_overrides(self, now: int) -> OverrideCounts:
        """Return the number of overrides that may still be used, or wait for an approval."""
        return overrides.count(self._connection, now)

    def overrides_of(self, own_ids: Sequence[str]) -> list[Override]:
        """Return the overrides of some ids, as far as they exist."""
        return overrides.of_ids(self._connection, own_ids)

    def decision_rows(self, after: int, last: int) -> dict[int, DecisionRow]:
        """Return the rows of decisions between two positions, by position."""
        return reconciliation.decision_rows(self._connection, after, last)

    def decision_columns(self, after: int, last: int) -> list[Row]:
        """Return the columns of `DecisionRow` and the position of decisions between two positions."""
        return reconciliation.decision_columns(self._connection, after, last)

    def decision_services(self, after: int, last: int) -> dict[int, tuple[str, ...]]:
        """Return the services of the decisions on several between two positions, by position, sorted."""
        return decision_services.between(self._connection, after, last)

    def outcome_rows(self, after: int, last: int) -> dict[int, OutcomeRow]:
        """Return the rows of outcomes between two positions, by position."""
        return reconciliation.outcome_rows(self._connection, after, last)

    def spend_rows(self, decision_ids: Collection[str]) -> dict[str, tuple[str, int]]:
        """Return the spend of each of some decisions."""
        return reconciliation.spend_rows(self._connection, decision_ids)

    def override_digests(self, own_ids: Collection[str]) -> dict[str, str]:
        """Return the stored token hashes of overrides."""
        return reconciliation.override_digests(self._connection, own_ids)

    def key_digests(self) -> dict[str, str]:
        """Return the stored hashes of all keys."""
        return reconciliation.key_digests(self._connection)

    def session_rows(self) -> list[tuple[str, SessionRecord]]:
        """Return all sessions that were not pruned, each with its hash, in the order of ids."""
        return reconciliation.session_rows(self._connection)

    def count_rows(self) -> reconciliation.Counts:
        """Return the numbers of rows that have one event each."""
        return reconciliation.count_rows(self._connection)

    def miscounted_overrides(self, most: int) -> list[str]:
        """Return the overrides whose number of uses differs from their spends."""
        return reconciliation.miscounted(self._connection, most)

    def rows_beyond(self, last: int) -> dict[str, int]:
        """Return the number of rows with positions outside the audit log, by table."""
        return reconciliation.beyond(self._connection, last)

    def next_revision(self, after: str) -> tuple[str, str] | None:
        """Return the next policy set and its text; the first one after an empty revision."""
        return reconciliation.next_revision(self._connection, after)

    def freeze(self, freeze_id: str) -> Freeze | None:
        """Return a freeze by id."""
        return freezes.find(self._connection, freeze_id)

    def freezes_after(self, since: int) -> list[Freeze]:
        """Return the freezes that may veto at some instant after `since`."""
        return freezes.lasting_after(self._connection, since)

    def newest_freezes(self, before: str | None, most: int) -> list[Freeze]:
        """Return all freezes, newest first."""
        return freezes.newest(self._connection, before, most)

    def hold(self, hold_id: str) -> Hold | None:
        """Return a hold by id."""
        return holds.find(self._connection, hold_id)

    def hold_of_key(self, responders: Sequence[str], key: str) -> Hold | None:
        """Return the latest hold of a key, at one vendor or either of two."""
        return holds.of_key(self._connection, responders, key)

    def waiting_holds(self, most: int, known: Mapping[str, Hold] | None = None) -> list[Hold]:
        """Return the holds that wait, the longest waiting first; the `known` ones are not parsed again."""
        return holds.waiting(self._connection, most, known or {})

    def newest_holds(self, wanted: HoldFilter, before: str | None, most: int) -> list[Hold]:
        """Return holds, newest first."""
        return holds.newest(self._connection, wanted, before, most)

    def count_holds(self) -> list[HoldCount]:
        """Return the numbers of unfinished holds, by environment and state."""
        return holds.count(self._connection)

    def count_unfinished(self, requested_by: str, key_id: str | None) -> Unfinished:
        """Return the numbers of unfinished holds: all, and those of a caller."""
        return holds.unfinished(self._connection, requested_by, key_id)

    def count_failed_holds(self, since: int) -> int:
        """Return the number of holds whose answer was not taken, since an instant."""
        return holds.failed(self._connection, since)

    def count_released(self, environment: str, since: int) -> int:
        """Return the number of holds of an environment released after an instant."""
        return holds.released(self._connection, environment, since)

    def releases(self, environment: str, since: int) -> list[int]:
        """Return the instants of the releases of holds of an environment after an instant."""
        return holds.releases(self._connection, environment, since)

    def key(self, key_id: str) -> KeyRecord | None:
        """Return an API key by id."""
        return keys.find(self._connection, key_id)

    def keys(self) -> list[KeyRecord]:
        """Return all API keys, revoked ones included."""
        return keys.all_of_them(self._connection)

    def keys_by_digest(self) -> dict[str, KeyRecord]:
        """Return all API keys, revoked ones included, by hash."""
        return keys.by_digest(self._connection)

    def session(self, session_id: str) -> SessionRecord | None:
        """Return a session by id."""
        return sessions.find(self._connection, session_id)

    def session_of_secret(self, digest: str) -> SessionRecord | None:
        """Return the session of a secret, by the secret's hash."""
        return sessions.of_digest(self._connection, digest)

    def open_sessions(self, now: int, owner: SessionOwner | None, most: int) -> list[SessionRecord]:
        """Return the open sessions, newest first; of an owner, or all."""
        return sessions.still_open(self._connection, now, owner, most)

    def lease(self) -> Lease:
        """Return the lease of the replica that sends notifications."""
        return outbox.find_lease(self._connection)

    def projection(self, target: str, place: str) -> str | None:
        """Return what was created at a place of another system; None if nothing is remembered."""
        return projections.find(self._connection, target, place)

    def news(self, after: int, last: int) -> list[Link]:
        """Return the events between two positions, without decisions."""
        return outbox.news(self._connection, after, last)

    def denials(self, after: int, last: int) -> list[Denial]:
        """Return the claims denied between two positions."""
        return outbox.denials(self._connection, after, last)

    def pending_messages(self, receiver: str, most: int) -> list[OutboxMessage]:
        """Return the notifications that wait for a receiver, oldest first."""
        return outbox.first(self._connection, receiver, most)

    def due_answers(self, now: int, most: int) -> list[OutboxMessage]:
        """Return the answers to holds that are due, oldest first."""
        return outbox.due_answers(self._connection, now, most)

    def latest_message(self, about: str) -> str | None:
        """Return the id of the newest notification whose key begins with `about`, sent or not."""
        return outbox.latest(self._connection, about)

    def backlog(self) -> dict[str, Backlog]:
        """Return the backlog of each receiver."""
        return outbox.backlog(self._connection)

    def is_delivery_known(self, source: str, delivery: str) -> bool:
        """Return whether a webhook is noted as dealt with."""
        return deliveries.is_known(self._connection, source, delivery)

    def episodes(self, source: str, key: str) -> list[Episode]:
        """Return the latest episode of an incident under each rule."""
        return incidents.of_key(self._connection, source, key)

    def count_standing_incidents(self, source: str, now: int) -> int:
        """Return the number of freezes that the incidents of a source still want."""
        return incidents.count_standing(self._connection, source, now)
