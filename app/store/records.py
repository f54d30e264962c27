"""What is stored, as values: the rows of the tables without the SQL.

Overrides, freezes and events are those of the core.
"""

from typing import NamedTuple


class Head(NamedTuple):
    """Where the record stands, and how often freezes and keys have changed."""

    seq: int
    hash: str
    freezes_version: int
    keys_version: int
    latest_at: int = 0
    """The latest instant of any event, in microseconds."""


class DecisionRow(NamedTuple):
    """What decisions are found by; the decision itself is the data of its event."""

    id: str
    """Sorts by time."""
    at: int
    """The instant it was decided for, in seconds."""
    service: str
    environment: str
    outcome: str
    caller: str
    """Who claimed; empty for an anonymous caller."""
    actor: str | None
    """Who deploys, as the claim says."""
    override_id: str | None
    """The override that was spent."""
    idempotency_key: str | None
    fingerprint: str | None
    """Of the request, so that a key that comes back with another one is noticed; None without a key."""
    policy_revision: str
    blocking: str | None
    """The ids of what vetoed, joined by commas, whether or not a token lifted it."""
    change: str
    """The kind of change."""
    duration: int
    """Seconds that the deploy takes, as the claim says."""


class StoredDecision(NamedTuple):
    """A decision as it stands in the record."""

    seq: int
    recorded_at: int
    """When it was written, in microseconds."""
    caller: str
    data: str
    """A JSON object, as the gate wrote it."""


class DecisionFilter(NamedTuple):
    """Which decisions are asked for; None does not matter."""

    service: str | None = None
    environment: str | None = None
    outcome: str | None = None
    actor: str | None = None
    """The caller, or who deploys."""
    start: int | None = None
    """Decided for this instant or later, in seconds."""
    end: int | None = None
    """Decided for an instant before this one."""


class PolicyRevision(NamedTuple):
    """The text of a policy set that was in force."""

    revision: str
    first_loaded_at: int
    sources: str


class OutcomeRow(NamedTuple):
    """How a deploy went, as somebody reported it."""

    decision_id: str
    result: str
    """``succeeded``, ``failed`` or ``rolled-back``."""
    incident: str | None
    reported_by: str
    """Empty for an anonymous caller."""
    reported_at: int
    """In seconds."""


class DeployRow(NamedTuple):
    """What a report on a decision must know of it."""

    service: str
    outcome: str


class DecidedFilter(NamedTuple):
    """Which decisions are counted; None does not matter."""

    start: int
    """Decided for this instant or later, in seconds."""
    end: int
    """Decided for an instant before this one."""
    service: str | None = None
    environment: str | None = None
    change: str | None = None


class OverrideCounts(NamedTuple):
    """How many overrides may still let something through: at once, or after an approval."""

    active: int
    pending: int


class SessionRecord(NamedTuple):
    """A session of the dashboard, without its secret; instants in seconds."""

    id: str
    key_id: str
    """Of the API key that it was opened with."""
    browser: str
    """What the browser says it is."""
    created_at: int
    expires_at: int
    revoked_at: int | None


class KeyRecord(NamedTuple):
    """An API key, without the key; instants in seconds."""

    id: str
    name: str
    """Of the person or machine."""
    role: str
    services: tuple[str, ...] | None
    """What a key of role ci is restricted to."""
    created_by: str
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    person: str | None = None
    """The person that it belongs to, as somebody wrote it; None for a machine's."""


class Denial(NamedTuple):
    """A claim that was refused."""

    at: int
    """The instant it was decided for, in seconds."""
    service: str
    environment: str
    who: str
    """The actor that the claim named, or else its caller; empty for an anonymous one."""
    data: str
    """What the record says of it, as JSON."""


class OutboxMessage(NamedTuple):
    """A notification that waits for its receiver; instants in seconds."""

    id: str
    """Sorts in the order in which they were put."""
    receiver: str
    key: str
    """Names what it tells of."""
    data: str
    """The notification, as JSON."""
    created_at: int
    due_at: int
    """Not tried before."""
    attempts: int


class Backlog(NamedTuple):
    """What waits for a receiver."""

    waiting: int
    oldest_at: int
    """When the oldest was put, in seconds."""


class Lease(NamedTuple):
    """Which replica sends notifications, and how far it has looked for something to tell."""

    holder: str
    held_until: int
    """In seconds; after that another one may take its place."""
    seq: int
    """The place in the record up to which everything was told."""
    looked_until: int
    """The instant up to which everything was told that comes by time; 0: nobody ever looked."""
    environments: str
    """JSON: of each environment, whether the policies freeze it, and who was denied and waits."""
