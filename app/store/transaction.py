"""Writing transactions: the audit log is locked, so that a decision still holds when it is written."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from app.core.audit import Event
from app.core.decision import joined
from app.core.freeze import Freeze
from app.core.hold import Hold
from app.core.incident_freeze import Episode
from app.core.override import Approval, Override, OverrideState
from app.store import (
    decision_services,
    decisions,
    deliveries,
    events,
    freezes,
    holds,
    incidents,
    keys,
    leases,
    outbox,
    outcomes,
    overrides,
    passages,
    policy_revisions,
    projections,
    retention,
    rollups,
    sessions,
)
from app.store.connection import Connection
from app.store.records import (
    DecisionRow,
    KeyRecord,
    Lease,
    OutboxMessage,
    OutcomeRow,
    PolicyRevision,
    PrunedStretch,
    SessionRecord,
)
from app.store.view import View

Result = TypeVar("Result")

_SPENT_NO_MORE: Final = frozenset({OverrideState.EXPIRED, OverrideState.USED_UP, OverrideState.REVOKED})


class Transaction(View):
    """A writing transaction: sees the latest state of all replicas, and excludes other writers.

    Events and decisions are collected and written together at its end, by `flush`.
    """

    def __init__(
        self,
        connection: Connection,
        numbers: rollups.Numbers | None = None,
        shared: passages.SharedPassages | None = None,
    ) -> None:
        """Lock the audit log; `connection` is within a writing transaction.

        The passages in `shared` are known to be stored.
        """
        super().__init__(connection)
        self._numbers = rollups.Numbers() if numbers is None else numbers
        self._gathered = rollups.Gathered()
        self._shortener = passages.Shortener(connection, shared or passages.SharedPassages())
        self._head = events.find_head(connection, lock=True)
        self._latest_at = self._head.latest_at
        self._events: list[Event] = []
        self._decisions: list[tuple[int, DecisionRow]] = []
        self._services: list[tuple[int, str]] = []
        self._of_keys: dict[tuple[str, str], tuple[str, str]] = {}
        self._of_deploys: dict[tuple[str, bool], str] = {}
        self._spends: list[overrides.Spend] = []
        self._of_tokens: dict[str, str | None] = {}
        self._seen: dict[str, Override] = {}
        self.kept: set[str] = set()
        """The policy revisions that it stored."""
        self.kinds: list[str] = []
        """The kinds of the events that it appends."""
        self.changes = 0
        """The number of writes: an error after the first one spoils the transaction."""

    @property
    def used(self) -> passages.Used:
        """The forms that it stored, to be noted once it is committed."""
        return self._shortener.used

    @property
    def freezes_version(self) -> int:
        """The version of the freezes: counted up at each change."""
        return self._head.freezes_version

    @property
    def keys_version(self) -> int:
        """The version of the keys, and of the texts of policies: counted up where one changes or goes."""
        return self._head.keys_version

    @property
    def latest_at(self) -> int:
        """The latest instant of any event, in microseconds."""
        return self._latest_at

    def append(self, event: Event) -> int:
        """Append an event to the audit log; return its position."""
        self.changes += 1
        self._latest_at = max(self._latest_at, event.at)
        self._events.append(event)
        self.kinds.append(event.kind)
        return self._head.seq + len(self._events)

    def record(self, row: DecisionRow, event: Event, services: Sequence[str] = ()) -> None:
        """Record a decision: its event, its row, and its services if there are several."""
        seq = self.append(event)
        self._decisions.append((seq, row))
        self._gathered.decided(seq, row, joined(services) if services else row.service)
        if services:
            self._services.extend((seq, service) for service in services)
        if row.idempotency_key is not None:
            self._of_keys[row.caller, row.idempotency_key] = (row.fingerprint or "", event.data)
        if row.deploy is not None and row.repeats is None:
            self._of_deploys[row.deploy, row.outcome == "deny"] = row.id

    def decision_of_key(self, caller: str, key: str) -> tuple[str, str] | None:
        """Like View.decision_of_key, including this transaction's own decisions."""
        return self._of_keys.get((caller, key)) or decisions.of_key(self._connection, caller, key)

    def first_of_deploy(self, deploy: str, *, denied: bool) -> str | None:
        """Return the first claim of a deploy that was denied, or that was allowed; None if there is none."""
        key = (deploy, denied)
        if key not in self._of_deploys:
            found = decisions.first_of_deploy(self._connection, deploy, denied=denied)
            if found is None:
                return None
            self._of_deploys[key] = found
        return self._of_deploys[key]

    def report(self, outcome: OutcomeRow, event: Event) -> None:
        """Record an outcome; earlier ones stay."""
        decided = rollups.decided(self._connection, outcome.decision_id)
        if decided is not None:
            self._gathered.reported(decided, outcome.result)
        outcomes.add(self._connection, self.append(event), outcome)

    def keep_policies(self, revision: PolicyRevision) -> bool:
        """Store the text of a policy set once; return whether it is new."""
        self.kept.add(revision.revision)
        return self._change(lambda: policy_revisions.keep(self._connection, revision))

    def add_override(self, override: Override, digest: str) -> None:
        """Store a new override under the hash of its token."""
        self._change(lambda: overrides.add(self._connection, override, digest))

    def look_up_tokens(self, digests: Sequence[str]) -> None:
        """Look up the overrides of many tokens at once, by the tokens' hashes."""
        found = overrides.of_tokens(self._connection, digests)
        self._of_tokens = {digest: found[digest].id if digest in found else None for digest in digests}
        self._seen = {override.id: override for override in found.values()}

    def override_of_token(self, digest: str) -> Override | None:
        """Like View.override_of_token, including this transaction's own changes."""
        if digest in self._of_tokens:
            own_id = self._of_tokens[digest]
            return None if own_id is None else self.override(own_id)
        return self._noted(super().override_of_token(digest))

    def override(self, override_id: str) -> Override | None:
        """Like View.override, including this transaction's own changes."""
        return self._seen.get(override_id) or self._noted(super().override(override_id))

    def spend(self, override: Override, decision_id: str, now: int) -> bool:
        """Spend one use on a decision; return False if none is left or the override is no longer valid."""
        if self.override(override.id) != override or override.state(now) in _SPENT_NO_MORE:
            return False
        self.changes += 1
        spent = override._replace(uses=override.uses + 1)
        self._seen[override.id] = spent
        self._spends.append(overrides.Spend(override.id, spent.uses, decision_id, now))
        return True

    def _noted(self, override: Override | None) -> Override | None:
        """Cache an override: no one else can change it within this transaction."""
        if override is not None:
            self._seen[override.id] = override
        return override

    def _altering(self, override_id: str) -> None:
        """Prepare another change of an override: write its spends, and drop it from the cache."""
        overrides.spend(self._connection, self._spends)
        self._spends = []
        self._seen.pop(override_id, None)

    def approve(self, override_id: str, approval: Approval) -> None:
        """Store an approval of an override."""
        self._altering(override_id)
        self._change(lambda: overrides.approve(self._connection, override_id, approval))

    def revoke_override(self, override_id: str, person: str, now: int) -> bool:
        """Revoke an override; return False if it is revoked already."""
        self._altering(override_id)
        return self._change(lambda: overrides.revoke(self._connection, override_id, person, now))

    def add_freeze(self, freeze: Freeze) -> None:
        """Store a new freeze, and notify every replica."""
        self._change(lambda: freezes.add(self._connection, freeze))
        self._head = self._head._replace(freezes_version=self._head.freezes_version + 1)

    def change_freeze(self, freeze: Freeze) -> None:
        """Update a freeze, and notify every replica."""
        self._change(lambda: freezes.change(self._connection, freeze))
        self._head = self._head._replace(freezes_version=self._head.freezes_version + 1)

    def add_hold(self, hold: Hold) -> None:
        """Store a new hold."""
        self._change(lambda: holds.add(self._connection, hold))

    def change_hold(self, hold: Hold) -> None:
        """Update a hold."""
        self._change(lambda: holds.change(self._connection, hold))

    def prune_holds(self, before: int) -> int:
        """Delete the holds that were finished before an instant."""
        return self._change(lambda: holds.prune(self._connection, before))

    def add_key(self, key: KeyRecord, digest: str) -> None:
        """Store a new API key under its hash."""
        self._change(lambda: keys.add(self._connection, key, digest))
        self._head = self._head._replace(keys_version=self._head.keys_version + 1)

    def revoke_key(self, key_id: str, now: int) -> bool:
        """Revoke an API key; return False if it is revoked already."""
        revoked = self._change(lambda: keys.revoke(self._connection, key_id, now))
        self._head = self._head._replace(keys_version=self._head.keys_version + 1)
        return revoked

    def add_session(self, session: SessionRecord, digest: str) -> None:
        """Store a new session under the hash of its secret."""
        self._change(lambda: sessions.add(self._connection, session, digest))

    def prune_sessions(self, before: int) -> int:
        """Delete the sessions that expired before an instant."""
        return self._change(lambda: sessions.prune(self._connection, before))

    def revoke_session(self, session_id: str, now: int) -> bool:
        """Revoke a session; return False if it is revoked already."""
        return self._change(lambda: sessions.revoke(self._connection, session_id, now))

    def put_notification(
        self, to: Iterable[str], key: str, data: str, microseconds: int, not_before: int
    ) -> int:
        """Add a notification to the outbox; return the number of receivers for which it is new."""
        return self._change(lambda: outbox.put(self._connection, to, key, data, microseconds, not_before))

    def note_sent(self, message: OutboxMessage, now: int) -> None:
        """Mark a notification as sent."""
        self._change(lambda: outbox.sent(self._connection, message.id, now))

    def note_failed(self, message: OutboxMessage, due_at: int, why: str) -> None:
        """Schedule another attempt of a notification."""
        self._change(lambda: outbox.failed(self._connection, message.id, due_at, why))

    def give_up(self, message: OutboxMessage, now: int, why: str) -> None:
        """Give up on a notification."""
        self._change(lambda: outbox.give_up(self._connection, message.id, now, why))

    def prune_outbox(self, before: int, longer_kept: str, longer_before: int) -> int:
        """Delete the notifications added before an instant; those of a prefix, before another."""
        return self._change(lambda: outbox.prune(self._connection, before, longer_kept, longer_before))

    def put_answer(self, responder: str, hold_id: str, data: str, now: int) -> None:
        """Add the answer to a hold to the outbox, instead of an older one that waits."""
        self._change(lambda: outbox.put_answer(self._connection, responder, hold_id, data, now))

    def drop_answer(self, responder: str, hold_id: str) -> None:
        """Delete the answer to a hold from the outbox."""
        self._change(lambda: outbox.drop_answer(self._connection, responder, hold_id))

    def drop_message(self, message: OutboxMessage) -> bool:
        """Delete a message from the outbox; return False if it is gone already."""
        return self._change(lambda: outbox.drop(self._connection, message.id))

    def take_lease(self, holder: str, now: int, until: int) -> bool:
        """Take or extend the lease; return False while another replica holds it."""
        return self._change(lambda: outbox.take_lease(self._connection, holder, now, until))

    def advance_lease(self, holder: str, before: Lease, after: Lease) -> bool:
        """Move the lease's position forward; return False if another replica did."""
        return self._change(lambda: outbox.advance_lease(self._connection, holder, before, after))

    def release_lease(self, holder: str) -> None:
        """Release the lease, so that another replica can take it at once."""
        self._change(lambda: outbox.release_lease(self._connection, holder))

    def take_named_lease(self, name: str, holder: str, now: int, until: int) -> bool:
        """Take or extend the lease of some work; return False while another replica holds it."""
        return self._change(lambda: leases.take(self._connection, name, holder, now, until))

    def release_named_lease(self, name: str, holder: str) -> None:
        """Release the lease of some work, so that another replica can take it at once."""
        self._change(lambda: leases.release(self._connection, name, holder))

    def keep_projection(self, target: str, place: str, content: str) -> None:
        """Remember what was created at a place of another system."""
        self._change(lambda: projections.keep(self._connection, target, place, content))

    def note_delivery(self, source: str, delivery: str, now: int) -> bool:
        """Note that a webhook was dealt with; return False if it was before."""
        return self._change(lambda: deliveries.add(self._connection, source, delivery, now))

    def prune_deliveries(self, before: int, most: int) -> int:
        """Forget the webhooks received before an instant, and the oldest beyond `most`."""
        return self._change(lambda: deliveries.prune(self._connection, before, most))

    def put_episode(self, episode: Episode) -> None:
        """Store an episode of an incident, in the place of an earlier one under the same rule."""
        self._change(lambda: incidents.put(self._connection, episode))

    def prune_episodes(self, before: int) -> int:
        """Forget the incidents that were told last before an instant."""
        return self._change(lambda: incidents.prune(self._connection, before))

    def add_pruned(self, stretch: PrunedStretch) -> None:
        """Store a stretch that is pruned: the audit log begins after it from now on."""
        self._change(lambda: retention.add(self._connection, stretch))

    def clear_pruned(self, kinds: tuple[str, ...], stretch: PrunedStretch, last: int) -> int:
        """Delete rows of a pruned stretch, up to a position; return the number of deleted events.

        At its end, delete the passages that only pruned events were joined from.

        Args:
            kinds: of the events that stay.
            stretch: of which nothing is deleted before its `cleared`.
            last: the position.
        """
        deleted = self._change(lambda: retention.clear(self._connection, kinds, stretch.cleared, last))
        self._change(lambda: retention.note_cleared(self._connection, stretch.seq, last))
        if last >= stretch.seq:
            self._change(lambda: passages.drop_unused(self._connection, last))
        return deleted

    def prune_rollups(self, day: int) -> None:
        """Delete the rollups of a day, given in days since the Unix epoch, and the waits that begin in it."""
        self._change(lambda: rollups.prune(self._connection, day))

    def drop_cells(self, numbers: Sequence[int], since: int) -> int:
        """Delete cells without counts at a position in the record, but not those that were used since.

        Counts up the version by which replicas know that the numbers they remember may be gone.
        """
        self._head = self._head._replace(keys_version=self._head.keys_version + 1)
        return self._change(lambda: rollups.drop_cells(self._connection, numbers, since))

    def drop_requests(self, numbers: Sequence[int]) -> int:
        """Like `drop_cells`, for requests that no cell has."""
        self._head = self._head._replace(keys_version=self._head.keys_version + 1)
        return self._change(lambda: rollups.drop_requests(self._connection, numbers))

    def drop_policies(self, revision: str) -> None:
        """Delete the text of a policy set, and count up the version by which replicas know what is stored."""
        self._change(lambda: retention.drop_text(self._connection, revision))
        self._head = self._head._replace(keys_version=self._head.keys_version + 1)

    def flush(self) -> None:
        """Write the collected events and decisions; call it last."""
        if not self.changes:
            return
        end = events.append(self._connection, self._head, self._events, self._shortener)
        decisions.add(self._connection, self._decisions)
        decision_services.add(self._connection, self._services)
        overrides.spend(self._connection, self._spends)
        self._numbers.as_of(self._head.keys_version)
        self._gathered.write(self._connection, self._numbers, end.seq)
        to = self._head._replace(seq=end.seq, hash=end.hash, latest_at=self._latest_at)
        events.move_head(self._connection, to)
        self._events, self._decisions, self._services, self._spends = [], [], [], []

    def _change(self, work: Callable[[], Result]) -> Result:
        self.changes += 1
        return work()
