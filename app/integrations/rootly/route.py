"""Receive incidents from Rootly: https://docs.rootly.com/configuration/webhooks.

The signed time is that of the first attempt as far as its documentation says, so the window is as long as the
ids of events are remembered.
"""

from collections.abc import Mapping
from typing import Any, Final

from app.core.incident import Incident, Signal
from app.integrations.incidents import (
    OLDEST,
    Source,
    Webhook,
    by_content,
    incident_routes,
)
from app.integrations.payload import at, instant, labels, required, text, texts, title
from app.integrations.rootly.section import Rootly
from app.integrations.signatures import hmac_matches, is_recent

_HEADER: Final = "x-rootly-signature"

_OVER: Final = frozenset({"resolved", "closed", "cancelled", "completed"})
"""The states in which an incident is over. Mitigated is not: the fix may still have to be deployed."""

_NO_INCIDENT: Final = ("test", "example", "backfilled", "scheduled")
"""The beginnings of the kinds of incidents that aren't happening."""


def _is_signed(section: Rootly, webhook: Webhook) -> bool:
    parts = [each.strip().partition("=") for each in webhook.headers.get(_HEADER, "").split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not is_recent(times[0], webhook.now, OLDEST):
        return False
    digests = [value for name, _, value in parts if name == "v1"]
    return hmac_matches(section.secrets("secret"), times[0].encode() + webhook.body, digests)


def read(payload: Mapping[str, Any]) -> Incident | None:
    """Return the incident of an event; None if it is about something else, or about no real incident.

    Raises:
        UnreadableError: the event names no incident.
    """
    kind, data = text(payload, "event", "type"), at(payload, "data")
    if not _is_real(kind, data):
        return None
    over = text(data, "status") in _OVER or kind == "incident.deleted"
    return Incident(
        key=required(data, "id"),
        title=title(data, "title") or "Rootly",
        firing=() if over else (_signal(data),),
        link=text(data, "url") or None,
        at=instant(payload, "event", "issued_at"),
    )


def _is_real(kind: str, data: object) -> bool:
    is_incident = kind.startswith("incident.") and not kind.startswith("incident.scheduled")
    return is_incident and not text(data, "kind").startswith(_NO_INCIDENT)


def _signal(data: object) -> Signal:
    found = {
        "environment": texts(data, "environments"),
        "functionality": texts(data, "functionalities"),
        "team": texts(data, "groups"),
        "status": texts(data, "status"),
        **labels(data, "labels"),
    }
    return Signal(
        severity=texts(data, "severity"),
        service=texts(data, "services"),
        labels={name: values for name, values in found.items() if values},
    )


def _delivery(payload: Mapping[str, Any], webhook: Webhook) -> str:
    return text(payload, "event", "id") or by_content(payload, webhook)


SOURCE: Final = Source("rootly", Rootly, _is_signed, read, _delivery)

router: Final = incident_routes(SOURCE, "Rootly")
