"""Receive incidents from incident.io: https://docs.incident.io, webhooks signed like Standard Webhooks.

A public event carries the incident. A private one carries its id alone, so its state is unknown: it lets a
freeze go on, and starts none.
"""

from collections.abc import Mapping
from typing import Any, Final

from app.core.incident import Incident, Signal
from app.integrations.incident_io.section import IncidentIo
from app.integrations.incidents import Source, Webhook, incident_routes
from app.integrations.payload import at, instant, items, required, text, texts, title
from app.integrations.signatures import standard_header, standard_webhook_matches

_PUBLIC: Final = "public_incident.incident_"
_PRIVATE: Final = "private_incident.incident_"

_OVER: Final = frozenset({"learning", "closed", "declined", "merged", "canceled"})
"""The categories of a status in which an incident is over; an unknown category is not."""

_NO_INCIDENT: Final = frozenset({"test", "tutorial", "retrospective"})
"""The modes of incidents that aren't happening."""


def _is_signed(section: IncidentIo, webhook: Webhook) -> bool:
    return standard_webhook_matches(section.secrets("secret"), webhook.headers, webhook.body, webhook.now)


def read(payload: Mapping[str, Any]) -> Incident | None:
    """Return the incident of an event; None if it is about something else, or about no real incident.

    Raises:
        UnreadableError: the event names no incident.
    """
    kind = text(payload, "event_type")
    found = at(payload, kind)
    if kind.startswith(_PRIVATE):
        return Incident(required(found, "id"), "Private incident", (), incomplete=True)
    # A change of status has the incident beside the status.
    data = at(found, "incident") or found
    if not kind.startswith(_PUBLIC) or text(data, "mode") in _NO_INCIDENT:
        return None
    status = at(data, "incident_status") or at(found, "new_status")
    return Incident(
        key=required(data, "id"),
        title=_title(data),
        firing=() if text(status, "category") in _OVER else (_signal(data, status),),
        link=text(data, "permalink") or None,
        at=instant(data, "updated_at"),
    )


def _title(data: object) -> str:
    return title({"": f"{text(data, 'reference')} {text(data, 'name')}"}, "") or "incident.io"


def _signal(data: object, status: object) -> Signal:
    fields = _custom_fields(data)
    its_labels = {"type": texts(data, "incident_type"), "status": texts(status), **fields}
    return Signal(
        severity=texts(data, "severity"),
        service=next((values for name, values in fields.items() if "service" in name.lower()), ()),
        labels={name: values for name, values in its_labels.items() if values},
    )


def _custom_fields(data: object) -> dict[str, tuple[str, ...]]:
    """Return the values of custom fields, by the names of the fields."""
    entries = items(data, "custom_field_entries")
    return {
        text(entry, "custom_field", "name"): tuple(
            name for value in items(entry, "values") for name in _value_names(value)
        )
        for entry in entries
    }


def _value_names(value: object) -> list[str]:
    """Return the names of a value, which is in a member for its type."""
    return [
        name
        for member in ("value_option", "value_catalog_entry", "value_text", "value_numeric", "value_link")
        for name in texts(value, member)
    ]


def _delivery(_: Mapping[str, Any], webhook: Webhook) -> str:
    return standard_header(webhook.headers, "id")


SOURCE: Final = Source("incident-io", IncidentIo, _is_signed, read, _delivery)

router: Final = incident_routes(SOURCE, "incident.io")
