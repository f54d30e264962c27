"""The records of the store: plain values for the rows of the tables.

Overrides, freezes and events are the core's.
"""

from typing import NamedTuple


class Head(NamedTuple):
    """The end of the audit log, and the versions of freezes and keys."""

    seq: int
    hash: str
    freezes_version: int
    keys_version: int
    latest_at: int = 0
    """The latest instant of any event, in microseconds."""


class PrunedStretch(NamedTuple):
    """A stretch of the audit log that was pruned; its last event is the checkpoint."""

    seq: int
    """The position of its last event."""
    hash: str
    first: int
    """The position of its first event."""
    until: int
    """The instant of its last event, in microseconds."""
    pruned_at: int
    """In microseconds."""
    file: str | None
    """The name of its file in the archive; None if it was pruned without one."""
    digest: str | None
    """The SHA-256 of the file."""
    carried: int
    """The number of events up to here that stay."""
    carried_digest: str
    """Their running digest; see `app.core.audit.carried_over`."""
    cleared: int
    """The position up to which rows are deleted."""


class DecisionRow(NamedTuple):
    """The columns that decisions are searched by; the decision itself is the data of its event."""

    id: str
    """Sorts by time."""
    at: int
    """The instant of the decision, in seconds."""
    service: str
    environment: str
    outcome: str
    caller: str
    """The caller; empty for an anonymous one."""
    actor: str | None
    """The actor named by the claim."""
    override_id: str | None
    """The override that was spent."""
    idempotency_key: str | None
    fingerprint: str | None
    """The fingerprint of the request, to notice a reused key; None without a key."""
    policy_revision: str
    blocking: str | None
    """The ids of the vetoing policies and freezes, comma-separated, overridden or not."""
    change: str
    """The kind of change."""
    duration: int
    """The duration of the deploy in seconds, as claimed."""
    continues: str | None
    """The first step of the running deploy that it continues; None if it is a deploy of its own."""
    warnings: str | None
    """The ids of the policies that warned, comma-separated."""
    deploy: str | None = None
    """The key of the deploy; None if the claim names no id of it."""
    repeats: str | None = None
    """The first claim of the deploy with such an answer, denied or allowed; None if it is this one."""

    @property
    def is_counted(self) -> bool:
        """Whether it counts in insights: repeated claims, and later steps let through, don't."""
        return self.repeats is None and (self.continues is None or self.outcome == "deny")


class StoredDecision(NamedTuple):
    """A decision as recorded."""

    seq: int
    recorded_at: int
    """The instant of recording, in microseconds."""
    caller: str
    data: str
    """The JSON object that the gate wrote."""


class DecisionFilter(NamedTuple):
    """A filter of decisions; None matches all."""

    service: str | None = None
    environment: str | None = None
    outcome: str | None = None
    actor: str | None = None
    """The caller or the actor."""
    start: int | None = None
    """From this instant, in seconds."""
    end: int | None = None
    """Before this instant, in seconds."""
    policy: str | None = None
    """Vetoed by this policy or ad-hoc freeze, overridden or not, or warned about by it."""
    would_deny: bool = False
    """Only those that went out with a warning of `policy`, and that it would have stopped if it denied."""
    never_lifted: bool = False
    """Whether no token lifts `policy`."""
    once: bool = False
    """Without claims that repeat an earlier one of the same deploy."""


class PolicyRevision(NamedTuple):
    """The text of a policy set that was in force."""

    revision: str
    first_loaded_at: int
    sources: str


class OutcomeRow(NamedTuple):
    """A reported outcome of a deploy."""

    decision_id: str
    result: str
    """``succeeded``, ``failed`` or ``rolled-back``."""
    incident: str | None
    reported_by: str
    """The caller; empty for an anonymous one."""
    reported_at: int
    """In seconds."""


class DeployRow(NamedTuple):
    """The deploy of a decision, as an outcome needs it."""

    service: str
    """The service; several as in `Question.joined`."""
    outcome: str
    first: str
    """The first step of the deploy, which outcomes belong to; its own id if it continues none."""


class DecidedFilter(NamedTuple):
    """A filter of decisions to count; None matches all."""

    start: int
    """From this instant, in seconds."""
    end: int
    """Before this instant, in seconds."""
    service: str | None = None
    environment: str | None = None
    change: str | None = None


class OverrideCounts(NamedTuple):
    """The numbers of usable overrides: at once, and after an approval or their start."""

    active: int
    pending: int


class HoldFilter(NamedTuple):
    """A filter of holds; None matches all."""

    service: str | None = None
    """The service; holds of several services have them in words, and match none."""
    environment: str | None = None
    responder: str | None = None
    state: str | None = None
    unfinished: bool = False
    """Only those that wait, or whose answer is on the way."""


class Unfinished(NamedTuple):
    """The numbers of unfinished holds."""

    all: int
    of_caller: int


class HoldCount(NamedTuple):
    """The unfinished holds of an environment in a state, counted."""

    environment: str
    state: str
    holds: int
    oldest_at: int
    """The instant since which the oldest waits, in seconds."""


class HoldCounts(NamedTuple):
    """The holds that metrics show."""

    unfinished: tuple[HoldCount, ...]
    failed: int
    """Those of the last day whose answer was not taken."""


class SessionRecord(NamedTuple):
    """A session of the dashboard, without its secret; instants in seconds."""

    id: str
    key_id: str | None
    """The id of the API key that opened it; None for that of a person, which has the fields below."""
    browser: str
    """The browser's User-Agent."""
    created_at: int
    expires_at: int
    revoked_at: int | None
    person: str | None = None
    """The person that an issuer signed in, in normal form."""
    name: str | None = None
    """The person's name in the record."""
    role: str | None = None
    services: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    issuer: str | None = None
    """The URL of the issuer."""


class SessionOwner(NamedTuple):
    """Whose sessions are listed: those of some keys, and those of a person."""

    key_ids: tuple[str, ...]
    person: str | None
    """In normal form."""


class KeyRecord(NamedTuple):
    """An API key, without the key; instants in seconds."""

    id: str
    name: str
    """The name of the person or machine."""
    role: str
    services: tuple[str, ...] | None
    """The services, or patterns, that its actions are restricted to; see `app.identity.scope`."""
    created_by: str
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    person: str | None = None
    """The person that it belongs to, as written; None for a machine's."""
    tags: tuple[str, ...] | None = None
    """The tags of the services that its actions are restricted to."""


class Denial(NamedTuple):
    """A denied claim."""

    at: int
    """The instant of the decision, in seconds."""
    service: str
    environment: str
    who: str
    """The actor of the claim, or else its caller; empty for an anonymous one."""
    data: str
    """The recorded data, as JSON."""


class OutboxMessage(NamedTuple):
    """A notification that waits to be sent; instants in seconds."""

    id: str
    """Sorts by the order of insertion."""
    receiver: str
    key: str
    """Identifies its subject."""
    data: str
    """The notification, as JSON."""
    created_at: int
    due_at: int
    """The earliest instant of the next attempt."""
    attempts: int


class Backlog(NamedTuple):
    """The messages that wait for a receiver, counted."""

    waiting: int
    oldest_at: int
    """The instant of the oldest, in seconds."""


class Lease(NamedTuple):
    """The lease of the replica that sends notifications, and its position."""

    holder: str
    held_until: int
    """In seconds; after that another replica may take it."""
    seq: int
    """The position in the audit log up to which all events were handled."""
    looked_until: int
    """The instant up to which timed notifications were handled; 0: never."""
    environments: str
    """JSON: for each environment, whether policies freeze it, and the denied claims that wait."""

    def is_held_by_another(self, own_name: str, now: int, duration: int) -> bool:
        """Return whether another replica holds the lease, which lasts for `duration`, and it isn't stale."""
        return self.holder != own_name and now < self.held_until <= now + 2 * duration
