"""Receive incidents from systems of your own, signed like https://www.standardwebhooks.com."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.core.incident import Incident, Signal
from app.integrations.incidents import Source, incident_routes
from app.integrations.incidents import Webhook as Delivered
from app.integrations.payload import UnreadableError, instant, labels, required, text, texts, title
from app.integrations.signatures import standard_header, standard_webhook_matches
from app.integrations.webhook.section import Webhook


class WebhookPayload(BaseModel):
    """The incident of a system of your own; unknown members are ignored."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(description="identifies the incident, in all of its reports", examples=["INC-42"])
    status: Literal["firing", "resolved"] = Field(description="whether it goes on")
    title: str = Field("", description="the incident in one line", examples=["Checkout is down"])
    severity: str | list[str] = Field("", description="for rules", examples=["critical"])
    urgency: str | list[str] = Field("", description="for rules", examples=["high"])
    priority: str | list[str] = Field("", description="for rules", examples=["P1"])
    service: str | list[str] = Field("", description="what is affected", examples=["checkout"])
    labels: dict[str, str | list[str]] = Field(
        default_factory=dict, description="for rules", examples=[{"team": "payments"}]
    )
    link: str | None = Field(
        None, description="where to read more", examples=["https://incidents.example.com/42"]
    )
    at: str | None = Field(
        None,
        description="when the report was made; an older report that comes later is ignored",
        examples=["2026-11-27T13:05:00Z"],
    )


def _is_signed(section: Webhook, webhook: Delivered) -> bool:
    return standard_webhook_matches(section.secrets("secret"), webhook.headers, webhook.body, webhook.now)


def read(payload: Mapping[str, Any]) -> Incident:
    """Return the incident of a payload.

    Raises:
        UnreadableError: it has no id, or no known status.
    """
    status = required(payload, "status")
    if status not in ("firing", "resolved"):
        raise UnreadableError("status is firing or resolved")
    signal = Signal(
        severity=texts(payload, "severity"),
        urgency=texts(payload, "urgency"),
        priority=texts(payload, "priority"),
        service=texts(payload, "service"),
        labels=labels(payload, "labels"),
    )
    return Incident(
        key=required(payload, "id"),
        title=title(payload, "title") or "Incident",
        firing=(signal,) if status == "firing" else (),
        link=text(payload, "link") or None,
        at=instant(payload, "at"),
    )


def _delivery(_: Mapping[str, Any], webhook: Delivered) -> str:
    return standard_header(webhook.headers, "id")


SOURCE: Final = Source("webhook", Webhook, _is_signed, read, _delivery, payload=WebhookPayload)

router: Final = incident_routes(SOURCE, "your own")
