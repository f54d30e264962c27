"""What is stored, as values: the rows of the tables without the SQL."""

from typing import NamedTuple


class DecisionRecord(NamedTuple):
    """A decision that was claimed, with all that is needed to evaluate it again."""

    id: str
    """Sorts by time."""
    at: int
    """The instant it was decided for, in seconds."""
    recorded_at: int
    """When it was written, in microseconds."""
    service: str
    environment: str
    change: str
    duration: int
    """Of the deploy, in seconds."""
    outcome: str
    opens_at: int | None
    body: str
    """The JSON object that was answered."""
    ref: str | None
    actor: str | None
    run_url: str | None
    caller: str
    """Who claimed; empty for an anonymous caller."""
    idempotency_key: str | None
    fingerprint: str | None
    """Of the request, so that a key that comes back with another one is noticed; None without a key."""
    policy_revision: str
    tzdata_version: str
    holidays_version: str
    request_id: str


class PolicyRevision(NamedTuple):
    """The text of a policy set that was in force."""

    revision: str
    first_loaded_at: int
    sources: str


class Recorded(NamedTuple):
    """What stands in the record after a claim: this one's decision, or that of the earlier try."""

    body: str
    outcome: str
    opens_at: int | None
