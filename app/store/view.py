"""What may be asked of one state of the database."""

from collections.abc import Collection, Sequence

from app.core.audit import Link
from app.core.freeze import Freeze
from app.core.insights import Decided
from app.core.override import Override
from app.store import (
    decisions,
    events,
    freezes,
    keys,
    outbox,
    outcomes,
    overrides,
    policy_revisions,
    reconciliation,
    sessions,
)
from app.store.connection import Connection
from app.store.records import (
    Backlog,
    DecidedFilter,
    DecisionFilter,
    DecisionRow,
    Denial,
    DeployRow,
    Head,
    KeyRecord,
    Lease,
    OutboxMessage,
    OutcomeRow,
    OverrideCounts,
    SessionRecord,
    StoredDecision,
)


class View:
    """One state of the database, for as long as a transaction lasts."""

    def __init__(self, connection: Connection) -> None:
        """Look through a connection, within a transaction."""
        self._connection = connection

    def head(self) -> Head:
        """Where the record ends, and the versions of freezes and keys."""
        return events.find_head(self._connection)

    def events_after(self, seq: int, most: int) -> list[Link]:
        """Events after a place in the record, in order."""
        return events.following(self._connection, seq, most)

    def newest_events(self, before: int, most: int) -> list[Link]:
        """Events before a place in the record, newest first."""
        return events.newest(self._connection, before, most)

    def latest_of_kind(self, kind: str) -> Link | None:
        """The newest event of a kind other than ``decision``."""
        return events.latest_of_kind(self._connection, kind)

    def decision(self, decision_id: str) -> StoredDecision | None:
        """A recorded decision."""
        return decisions.find(self._connection, decision_id)

    def decision_of_key(self, caller: str, key: str) -> tuple[str, str] | None:
        """The fingerprint and the data of the decision that a caller's idempotency key stands for."""
        return decisions.of_key(self._connection, caller, key)

    def newest_decisions(self, wanted: DecisionFilter, before: int | None, most: int) -> list[StoredDecision]:
        """Recorded decisions, newest first, from a place in the record backwards."""
        return decisions.newest(self._connection, wanted, before, most)

    def deploy(self, decision_id: str) -> DeployRow | None:
        """What a report on a decision must know of it."""
        return outcomes.deploy_of(self._connection, decision_id)

    def outcomes(self, decision_id: str, most: int) -> list[OutcomeRow]:
        """The latest reports on a decision, the newest last."""
        return outcomes.of_decision(self._connection, decision_id, most)

    def decided(self, wanted: DecidedFilter, after: tuple[int, int], most: int) -> list[tuple[int, Decided]]:
        """Decisions in the order of their instants, each with its place in the record."""
        return outcomes.decided(self._connection, wanted, after, most)

    def count_decisions(self) -> int:
        """How many decisions are recorded; looks at all of them."""
        return decisions.count(self._connection)

    def sources(self, revision: str) -> str | None:
        """The text of a policy set that was in force once."""
        return policy_revisions.sources(self._connection, revision)

    def override(self, override_id: str) -> Override | None:
        """The override of an id."""
        return overrides.find(self._connection, override_id)

    def override_of_token(self, digest: str) -> Override | None:
        """The override of a token, by the token's hash."""
        return overrides.of_token(self._connection, digest)

    def newest_overrides(self, now: int | None, before: str | None, most: int) -> list[Override]:
        """Overrides, newest first; with `now`, only those that may still let something through."""
        return overrides.newest(self._connection, now, before, most)

    def count_overrides(self, now: int) -> OverrideCounts:
        """How many overrides may still let something through, or wait for an approval."""
        return overrides.count(self._connection, now)

    def overrides_of(self, own_ids: Sequence[str]) -> list[Override]:
        """The overrides of some ids, those that are there."""
        return overrides.of_ids(self._connection, own_ids)

    def decision_rows(self, after: int, last: int) -> dict[int, DecisionRow]:
        """Return the rows of the decisions after a place in the record, up to another, by their places."""
        return reconciliation.decision_rows(self._connection, after, last)

    def outcome_rows(self, after: int, last: int) -> dict[int, OutcomeRow]:
        """The outcomes after a place in the record, up to another, by their places."""
        return reconciliation.outcome_rows(self._connection, after, last)

    def spend_rows(self, decision_ids: Collection[str]) -> dict[str, tuple[str, int]]:
        """Which use of which override each of some decisions spent."""
        return reconciliation.spend_rows(self._connection, decision_ids)

    def override_digests(self, own_ids: Collection[str]) -> dict[str, str]:
        """The stored hashes of the tokens of some overrides."""
        return reconciliation.override_digests(self._connection, own_ids)

    def key_digests(self) -> dict[str, str]:
        """The stored hashes of all keys."""
        return reconciliation.key_digests(self._connection)

    def session_rows(self) -> list[tuple[str, SessionRecord]]:
        """Return all sessions that were not pruned, each behind its hash, in the order of their ids."""
        return reconciliation.session_rows(self._connection)

    def count_rows(self) -> reconciliation.Counts:
        """How many rows there are of what events tell one by one."""
        return reconciliation.count_rows(self._connection)

    def miscounted_overrides(self, most: int) -> list[str]:
        """Overrides whose number of uses is not that of their spends."""
        return reconciliation.miscounted(self._connection, most)

    def rows_beyond(self, last: int) -> dict[str, int]:
        """How many rows claim places outside the record, by their tables."""
        return reconciliation.beyond(self._connection, last)

    def next_revision(self, after: str) -> tuple[str, str] | None:
        """The policy set after another, and its text; the first one after an empty name."""
        return reconciliation.next_revision(self._connection, after)

    def freeze(self, freeze_id: str) -> Freeze | None:
        """The freeze of an id."""
        return freezes.find(self._connection, freeze_id)

    def freezes_after(self, since: int) -> list[Freeze]:
        """The freezes that veto at some instant after `since`, or may."""
        return freezes.lasting_after(self._connection, since)

    def newest_freezes(self, before: str | None, most: int) -> list[Freeze]:
        """All freezes, newest first."""
        return freezes.newest(self._connection, before, most)

    def key(self, key_id: str) -> KeyRecord | None:
        """The API key of an id."""
        return keys.find(self._connection, key_id)

    def keys(self) -> list[KeyRecord]:
        """Every API key there ever was."""
        return keys.all_of_them(self._connection)

    def keys_by_digest(self) -> dict[str, KeyRecord]:
        """Every API key there ever was, by its hash."""
        return keys.by_digest(self._connection)

    def session(self, session_id: str) -> SessionRecord | None:
        """The session of an id."""
        return sessions.find(self._connection, session_id)

    def session_of_secret(self, digest: str) -> SessionRecord | None:
        """The session of a secret, by the secret's hash."""
        return sessions.of_digest(self._connection, digest)

    def open_sessions(self, now: int, key_ids: Collection[str] | None, most: int) -> list[SessionRecord]:
        """The sessions that have neither expired nor been revoked, newest first; of some keys, or of all."""
        return sessions.still_open(self._connection, now, key_ids, most)

    def lease(self) -> Lease:
        """Which replica sends notifications, and how far it has looked."""
        return outbox.find_lease(self._connection)

    def news(self, after: int, last: int) -> list[Link]:
        """The events after a place in the record, up to another, but for decisions."""
        return outbox.news(self._connection, after, last)

    def denials(self, after: int, last: int) -> list[Denial]:
        """The claims that were refused after a place in the record, up to another."""
        return outbox.denials(self._connection, after, last)

    def pending_messages(self, receiver: str, most: int) -> list[OutboxMessage]:
        """The notifications that wait for a receiver, the oldest first."""
        return outbox.first(self._connection, receiver, most)

    def latest_message(self, about: str) -> str | None:
        """The id of the newest notification whose key begins with `about`, whatever became of it."""
        return outbox.latest(self._connection, about)

    def backlog(self) -> dict[str, Backlog]:
        """How many notifications wait for each receiver, and since when."""
        return outbox.backlog(self._connection)
