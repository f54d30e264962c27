"""What goes into the record, as events."""

import json
from enum import StrEnum

from app.core.audit import Event


class Kind(StrEnum):
    """What may happen; one word for it in the record, in exports and in the documents."""

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
    REQUEST_REFUSED = "request-refused"


def happened(microseconds: int, kind: Kind, actor: str, **data: object) -> Event:
    """An event; `data` must be what JSON can say."""
    return Event(microseconds, kind.value, actor, json.dumps(data))
