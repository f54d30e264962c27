"""The events of the audit log, by kind."""

import json
from enum import StrEnum
from typing import Final

from app.core.audit import Event


class Kind(StrEnum):
    """The kinds of event; the record, exports and the documentation use the same words."""

    DECISION = "decision"
    OVERRIDE_GRANTED = "override-granted"
    OVERRIDE_APPROVED = "override-approved"
    OVERRIDE_SPENT = "override-spent"
    OVERRIDE_REVOKED = "override-revoked"
    FREEZE_STARTED = "freeze-started"
    FREEZE_EXTENDED = "freeze-extended"
    FREEZE_CHANGED = "freeze-changed"
    FREEZE_LIFTED = "freeze-lifted"
    KEY_CREATED = "key-created"
    KEY_REVOKED = "key-revoked"
    OUTCOME_REPORTED = "outcome-reported"
    SESSION_OPENED = "session-opened"
    SESSION_CLOSED = "session-closed"
    POLICIES_LOADED = "policies-loaded"
    HOLD_REQUESTED = "hold-requested"
    HOLD_RELEASED = "hold-released"
    HOLD_RETURNED = "hold-returned"
    HOLD_ANSWERED = "hold-answered"
    HOLD_CANCELLED = "hold-cancelled"
    HOLD_EXPIRED = "hold-expired"
    REQUEST_REFUSED = "request-refused"
    RECORD_PRUNED = "record-pruned"


STAYING: Final = (
    Kind.OVERRIDE_GRANTED.value,
    Kind.OVERRIDE_APPROVED.value,
    Kind.OVERRIDE_SPENT.value,
    Kind.OVERRIDE_REVOKED.value,
    Kind.FREEZE_STARTED.value,
    Kind.FREEZE_EXTENDED.value,
    Kind.FREEZE_CHANGED.value,
    Kind.FREEZE_LIFTED.value,
    Kind.KEY_CREATED.value,
    Kind.KEY_REVOKED.value,
    Kind.POLICIES_LOADED.value,
    Kind.RECORD_PRUNED.value,
)
"""The kinds of event that are never pruned: their rows stay as well, and are compared with them. None of them
can be removed from this list, because the digest of those that stayed is on record."""


BY_THE_GATE: Final = frozenset(
    {
        *(Kind.POLICIES_LOADED.value, Kind.RECORD_PRUNED.value, Kind.HOLD_RELEASED.value),
        *(Kind.HOLD_RETURNED.value, Kind.HOLD_ANSWERED.value, Kind.HOLD_EXPIRED.value),
    }
)
"""The kinds of event that no caller causes: without an actor, they are the gate's own."""


class Cause(StrEnum):
    """Why a process loaded policies: it started, or the files or their calendars changed."""

    START = "start"
    CHANGE = "change"


def happened(microseconds: int, kind: Kind, actor: str, **data: object) -> Event:
    """Return an event of a kind; `data` must be serializable as JSON."""
    return Event(microseconds, kind.value, actor, json.dumps(data))
