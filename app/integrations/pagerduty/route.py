"""Receive incidents from PagerDuty: webhooks of version 3, https://developer.pagerduty.com/docs/webhooks-overview.

The signature has no time, and the header with the id of a delivery isn't signed. So a repetition is known by
the id of the event, and an event that is older than the ids are remembered is refused.
"""

from collections.abc import Mapping
from typing import Any, Final

from app.core.incident import Incident, Signal
from app.integrations.incidents import OLDEST, Source, Webhook, incident_routes
from app.integrations.pagerduty.section import PagerDuty
from app.integrations.payload import at, instant, required, text, texts, title
from app.integrations.signatures import hmac_matches

_HEADER: Final = "x-pagerduty-signature"
_VERSION: Final = "v1="
_INCIDENT: Final = "incident."
_RESOLVED: Final = "resolved"


def _is_signed(section: PagerDuty, webhook: Webhook) -> bool:
    parts = (each.strip() for each in webhook.headers.get(_HEADER, "").split(","))
    digests = [each.removeprefix(_VERSION) for each in parts if each.startswith(_VERSION)]
    return hmac_matches(section.secrets("secret"), webhook.body, digests)


def read(payload: Mapping[str, Any]) -> Incident | None:
    """Return the incident of an event; None if it is about something else, such as the test ``pagey.ping``.

    The state is read from the incident and not from the type of event: there are a dozen types.

    Raises:
        UnreadableError: the event names no incident.
    """
    event = at(payload, "event")
    kind, data = text(event, "event_type"), at(event, "data")
    if not kind.startswith(_INCIDENT) or text(data, "type") != "incident":
        return None
    status = text(data, "status") or kind.removeprefix(_INCIDENT)
    return Incident(
        key=required(data, "id"),
        title=title(data, "title") or "PagerDuty",
        firing=() if status == _RESOLVED else (_signal(data),),
        link=text(data, "html_url") or None,
        at=instant(event, "occurred_at"),
    )


def _signal(data: object) -> Signal:
    found = {name: texts(data, field) for name, field in _LABELS.items()}
    return Signal(
        urgency=texts(data, "urgency"),
        priority=texts(data, "priority"),
        service=texts(data, "service"),
        labels={name: values for name, values in found.items() if values},
    )


_LABELS: Final = {"team": "teams", "escalation_policy": "escalation_policy", "type": "incident_type"}
"""The labels that an incident has for rules, and the members that they come from."""


def _delivery(payload: Mapping[str, Any], _: Webhook) -> str:
    return required(payload, "event", "id")


SOURCE: Final = Source("pagerduty", PagerDuty, _is_signed, read, _delivery, OLDEST)

router: Final = incident_routes(SOURCE, "PagerDuty")
