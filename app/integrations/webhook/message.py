"""Render a notification as a signed POST: https://www.standardwebhooks.com, signatures of version 1."""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Final

from pydantic import SecretStr

from app.core.instant import format_instant
from app.core.notification import Notification
from app.integrations.vendor import Message

_PREFIX: Final = "whsec_"


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
    key = "" if secret is None else secret.get_secret_value()
    headers = {
        "Content-Type": "application/json",
        "Webhook-Id": message_id,
        "Webhook-Timestamp": timestamp,
        "Webhook-Signature": signature(key, message_id, timestamp, body),
    }
    return Message(headers, body)


def id_of(key: str) -> str:
    """Return the message id for a notification's key, by which a receiver recognises a repetition."""
    return f"msg_{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """Return ``v1,`` and the HMAC-SHA256 of id, timestamp and body, in base 64."""
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    made = hmac.digest(_key(secret), signed, hashlib.sha256)
    return f"v1,{base64.b64encode(made).decode()}"


def _key(secret: str) -> bytes:
    """Decode the base 64 behind ``whsec_``; any other text is used as it is."""
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            return secret.encode()
    return secret.encode()
