"""Events of the record in the Open Cybersecurity Schema Framework (OCSF) 1.3.0.

Each is a Base Event, class 0: that is the class for events that no other class defines, and it has no
attribute that a gate would have to guess. The gate's own words are in `activity_name`, `metadata.event_code`
and `unmapped`.
"""

from collections.abc import Mapping
from typing import Any, Final

from app import __version__
from app.core.instant import parse_instant
from app.gate.audit_events import BY_THE_GATE

_OCSF: Final = "1.3.0"
_OTHER: Final = 99
"""The activity that is none of the schema's; `activity_name` says which."""

_OWN_NAME: Final = "freezegate"
_INFORMATIONAL: Final = 1
_MEDIUM: Final = 3
_NOTICED: Final = frozenset({"override-spent", "override-granted", "request-refused", "record-pruned"})
"""The kinds of event to look at; the others are informational."""


def ocsf_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event, as ``GET /audit`` shows it, in OCSF."""
    kind = str(event["kind"])
    return {
        "category_uid": 0,
        "class_uid": 0,
        "activity_id": _OTHER,
        "activity_name": kind,
        "type_uid": _OTHER,
        "severity_id": _MEDIUM if kind in _NOTICED else _INFORMATIONAL,
        "time": parse_instant(str(event["at"])) * 1_000,
        "message": f"{kind} by {event['actor'] or (_OWN_NAME if kind in BY_THE_GATE else 'anonymous')}",
        "metadata": {
            "version": _OCSF,
            "product": {"name": _OWN_NAME, "vendor_name": _OWN_NAME, "version": __version__},
            "event_code": kind,
            "uid": event["hash"],
            "sequence": event["seq"],
        },
        "unmapped": {"actor": event["actor"], "data": event["data"]},
    }
