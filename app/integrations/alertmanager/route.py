"""Receive groups of alerts from Alertmanager: https://prometheus.io/docs/alerting/latest/configuration.

An incident is a *group*, by its `groupKey`: that is what Alertmanager tells of, again and again, and what it
resolves, and the key stays the same over its restarts. By the fingerprints of alerts, an outage of a thousand
instances would be a thousand freezes. Alertmanager signs nothing: it sends a token.
"""

from collections.abc import Mapping
from typing import Any, Final

from app.core.incident import MOST_VALUES, Incident, Signal
from app.integrations.alertmanager.section import Alertmanager
from app.integrations.inbound import bearer
from app.integrations.incidents import Source, Webhook, incident_routes
from app.integrations.payload import UnreadableError, at, labels, required, text, title
from app.integrations.signatures import token_matches


def _is_signed(section: Alertmanager, webhook: Webhook) -> bool:
    return token_matches(section.secrets("token"), bearer(webhook.headers.get("authorization", "")))


def read(payload: Mapping[str, Any]) -> Incident:
    """Return the group of alerts in a payload.

    Raises:
        UnreadableError: a custom template has replaced the payload, so that members are missing.
    """
    alerts, status = at(payload, "alerts"), text(payload, "status")
    if not isinstance(alerts, list) or status not in ("firing", "resolved"):
        raise UnreadableError(_CUSTOM)
    firing = [each for each in alerts if text(each, "status") != "resolved"]
    signals = [_signal(labels(each, "labels"), each) for each in firing[:MOST_VALUES]]
    incomplete = status == "firing" and (_is_truncated(payload) or len(firing) > MOST_VALUES)
    if incomplete:
        # The labels of the group are those of the alerts that were left out, too.
        signals.append(_signal(labels(payload, "groupLabels"), payload))
    first = firing[0] if firing else None
    return Incident(
        key=required(payload, "groupKey"),
        title=_title(payload, first),
        firing=tuple(signals),
        incomplete=incomplete,
        link=_link(payload, first),
    )


_CUSTOM: Final = (
    "this is not the payload of Alertmanager's webhook_config: it needs groupKey, status and alerts. "
    "Remove a `payload` template from the receiver"
)


def _is_truncated(payload: Mapping[str, Any]) -> bool:
    return text(payload, "truncatedAlerts") not in ("", "0")


def _signal(its_labels: dict[str, tuple[str, ...]], alert: object) -> Signal:
    annotations = labels(alert, "annotations")
    return Signal(
        severity=its_labels.get("severity", ()),
        priority=its_labels.get("priority", ()),
        service=its_labels.get("service", ()),
        labels={**annotations, **its_labels},
    )


def _title(payload: Mapping[str, Any], first: object) -> str:
    """Return the summary of the alerts, else their name, else the labels of the group."""
    found = (
        title(payload, "commonAnnotations", "summary"),
        title(first, "annotations", "summary"),
        title(payload, "commonLabels", "alertname"),
        title(first, "labels", "alertname"),
        " ".join(each for values in labels(payload, "groupLabels").values() for each in values),
    )
    return next(filter(None, found), "Alerts")


def _link(payload: Mapping[str, Any], first: object) -> str | None:
    """Return the runbook of the alerts, else where they come from."""
    found = (
        text(payload, "commonAnnotations", "runbook_url"),
        text(first, "annotations", "runbook_url"),
        text(first, "generatorURL"),
        text(payload, "externalURL"),
    )
    return next(filter(None, found), None)


SOURCE: Final = Source("alertmanager", Alertmanager, _is_signed, read, delivery=lambda *_: None)

router: Final = incident_routes(SOURCE, "Alertmanager")
