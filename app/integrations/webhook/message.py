"""Render a notification as a signed POST: https://www.standardwebhooks.com, signatures of version 1."""

import hashlib
import json

from pydantic import SecretStr

from app.core.instant import format_instant
from app.core.notification import Notification
from app.integrations.signatures import standard_signature
from app.integrations.vendor import Message


def request(notification: Notification, secret: SecretStr | None, microseconds: int) -> Message:
    """Return the message for a notification, signed at an instant; its id is the same at every attempt."""
    body = json.dumps(
        {
            "type": notification.event.value,
            "timestamp": format_instant(notification.at),
            "data": {
                "title": notification.title,
                "text": "\n".join(notification.text),
                "environments": list(notification.environments),
                "subject": notification.subject,
                "about": notification.data,
            },
        }
    ).encode()
    message_id = id_of(notification.key)
    timestamp = str(microseconds // 1_000_000)
    headers = {
        "Content-Type": "application/json",
        "Webhook-Id": message_id,
        "Webhook-Timestamp": timestamp,
        "Webhook-Signature": standard_signature(secret or SecretStr(""), message_id, timestamp, body),
    }
    return Message(headers, body)


def id_of(key: str) -> str:
    """Return the message id for a notification's key, by which a receiver recognises a repetition."""
    return f"msg_{hashlib.sha256(key.encode()).hexdigest()[:32]}"
