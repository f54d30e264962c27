"""The events of the audit log, by kind."""

import json
from enum import StrEnum

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


class Cause(StrEnum):
    """Why a process loaded policies: it started, or the files or their calendars changed."""

    START = "start"
    CHANGE = "change"


def happened(microseconds: int, kind: Kind, actor: str, **data: object) -> Event:
    """Return an event of a kind; `data` must be serializable as JSON."""
    return Event(microseconds, kind.value, actor, json.dumps(data))
