"""Systems that report incidents, as their public documentation says they do."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from app.core.instant import format_instant
from tests.integrations.sections import SECTIONS


class Sent(NamedTuple):
    """A webhook, as it is sent."""

    source: str
    headers: Mapping[str, str]
    body: bytes


class Event(NamedTuple):
    """An event of an incident."""

    source: str
    key: str
    firing: bool
    at: int
    fields: Mapping[str, Any] = {}
    """Members that differ from the usual ones."""


def secret_of(source: str) -> str:
    section = SECTIONS[source]
    return str(section.get("secret") or section["token"])


def sent(event: Event, secret: str | None = None) -> Sent:
    """The webhook for an event, signed with the secret of the section, or another one."""
    payload = PAYLOADS[event.source](event)
    body = json.dumps(payload).encode()
    chosen = secret_of(event.source) if secret is None else secret
    return Sent(event.source, SIGNED[event.source](chosen, body, event), body)


def _alertmanager(event: Event) -> dict[str, Any]:
    status = "firing" if event.firing else "resolved"
    labels = {"alertname": "CheckoutDown", "severity": "critical", "service": "checkout", "team": "shop"}
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{event.key}"}}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "freezegate",
        "groupLabels": {"alertname": "CheckoutDown"},
        "commonLabels": labels,
        "commonAnnotations": {"summary": "Checkout is down", "runbook_url": "https://runbooks.example/42"},
        "externalURL": "http://alertmanager.example:9093",
        "notification_reason": "new",
        "alerts": [
            {
                "status": status,
                "labels": labels,
                "annotations": {"summary": "Checkout is down"},
                "startsAt": format_instant(event.at),
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://prometheus.example/graph?g0.expr=up",
                "fingerprint": "fbab788ec4c1018b",
            }
        ],
        **event.fields,
    }


def _pagerduty(event: Event) -> dict[str, Any]:
    kind = "triggered" if event.firing else "resolved"
    return {
        "event": {
            "id": f"01{event.key}{event.at}{kind}",
            "event_type": f"incident.{kind}",
            "resource_type": "incident",
            "occurred_at": format_instant(event.at).replace("Z", ".532Z"),
            "agent": {"id": "PXPGF42", "type": "user_reference"},
            "client": None,
            "data": {
                "id": event.key,
                "type": "incident",
                "self": f"https://api.pagerduty.com/incidents/{event.key}",
                "html_url": f"https://acme.pagerduty.com/incidents/{event.key}",
                "number": 1234,
                "status": kind,
                "title": "Checkout is down",
                "service": {"id": "PIJ90N7", "summary": "Checkout", "type": "service_reference"},
                "teams": [{"id": "PTEAM", "summary": "Shop", "type": "team_reference"}],
                "priority": {"id": "PRIO1", "summary": "P1", "type": "priority_reference"},
                "urgency": "high",
                **event.fields,
            },
        }
    }


def _incident_io(event: Event) -> dict[str, Any]:
    kind = "public_incident.incident_status_updated_v2"
    status = (
        {"category": "live", "name": "Fixing"} if event.firing else {"category": "closed", "name": "Closed"}
    )
    incident = {
        "id": event.key,
        "reference": "INC-42",
        "name": "Checkout is down",
        "mode": "standard",
        "visibility": "public",
        "permalink": f"https://app.incident.io/acme/incidents/{event.key}",
        "severity": {"id": "01SEV", "name": "Critical", "rank": 3},
        "incident_type": {"name": "Production"},
        "incident_status": status,
        "custom_field_entries": [
            {
                "custom_field": {"name": "Affected service", "field_type": "single_select"},
                "values": [{"value_catalog_entry": {"name": "Checkout"}}],
            },
            {"custom_field": {"name": "team"}, "values": [{"value_text": "shop"}, {"value_numeric": "2"}]},
        ],
        "updated_at": format_instant(event.at).replace("Z", ".801578Z"),
        **event.fields,
    }
    return {"event_type": kind, kind: {"incident": incident, "new_status": status}}


def _rootly(event: Event) -> dict[str, Any]:
    kind = "created" if event.firing else "resolved"
    return {
        "event": {
            "id": f"{event.key}-{event.at}-{kind}",
            "type": f"incident.{kind}",
            "issued_at": format_instant(event.at).replace("Z", ".546+00:00"),
        },
        "data": {
            "id": event.key,
            "title": "Checkout is down",
            "kind": "normal",
            "status": "started" if event.firing else "resolved",
            "url": f"https://rootly.com/account/incidents/{event.key}",
            "severity": {"id": "s", "name": "SEV1", "slug": "sev1", "color": "#f00"},
            "services": [{"id": "u", "name": "Checkout", "slug": "checkout"}],
            "environments": [{"name": "Production", "slug": "production"}],
            "labels": {"team": "shop"},
            **event.fields,
        },
    }


def _jira(event: Event) -> dict[str, Any]:
    return {
        "timestamp": event.at * 1_000 + 250,
        "webhookEvent": "jira:issue_updated",
        "issue_event_type_name": "issue_generic",
        "issue": {
            "id": f"100{event.key[-1]}",
            "self": "https://acme.atlassian.net/rest/api/2/1002",
            "key": event.key,
            "fields": {
                "summary": "Checkout is down",
                "issuetype": {"name": "[System] Incident"},
                "project": {"key": "OPS", "name": "Operations"},
                "priority": {"name": "P1"},
                "status": {"name": "x", "statusCategory": {"key": "new" if event.firing else "done"}},
                "components": [{"name": "checkout"}],
                "labels": ["outage"],
                "customfield_10050": {"value": "Sev-1"},
                "customfield_10051": None,
                **event.fields,
            },
        },
    }


def _webhook(event: Event) -> dict[str, Any]:
    return {
        "id": event.key,
        "status": "firing" if event.firing else "resolved",
        "title": "Checkout is down",
        "severity": "critical",
        "service": "checkout",
        "labels": {"team": "shop"},
        "link": "https://incidents.example/42",
        "at": format_instant(event.at),
        **event.fields,
    }


def _bearer(secret: str, _: bytes, __: Event) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def _hex(secret: str, signed: bytes) -> str:
    return hmac.digest(secret.encode(), signed, "sha256").hex()


def _pagerduty_signed(secret: str, body: bytes, _: Event) -> dict[str, str]:
    # During a rotation it signs with both secrets.
    return {"X-PagerDuty-Signature": f"v1={_hex('old', body)},v1={_hex(secret, body)}", "X-Webhook-Id": "1"}


def _rootly_signed(secret: str, body: bytes, event: Event) -> dict[str, str]:
    return {"X-Rootly-Signature": f"t={event.at},v1={_hex(secret, str(event.at).encode() + body)}"}


def _jira_signed(secret: str, body: bytes, _: Event) -> dict[str, str]:
    return {"X-Hub-Signature": f"sha256={_hex(secret, body)}", "X-Atlassian-Webhook-Identifier": "1"}


def _standard(secret: str, body: bytes, event: Event) -> dict[str, str]:
    own_id = f"msg_{event.key}{event.at}{event.firing}"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{own_id}.{event.at}.".encode() + body
    made = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {"webhook-id": own_id, "webhook-timestamp": str(event.at), "webhook-signature": f"v1,{made}"}


PAYLOADS: Mapping[str, Callable[[Event], dict[str, Any]]] = {
    "alertmanager": _alertmanager,
    "pagerduty": _pagerduty,
    "incident-io": _incident_io,
    "rootly": _rootly,
    "jira": _jira,
    "webhook": _webhook,
}
SIGNED: Mapping[str, Callable[[str, bytes, Event], dict[str, str]]] = {
    "alertmanager": _bearer,
    "pagerduty": _pagerduty_signed,
    "incident-io": _standard,
    "rootly": _rootly_signed,
    "jira": _jira_signed,
    "webhook": _standard,
}
SOURCES = tuple(PAYLOADS)
