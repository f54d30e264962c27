"""A notification as a signed POST: https://www.standardwebhooks.com, signatures of version 1."""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Final

from app.core.instant import format_instant
from app.core.notification import Notification
from app.gate.receivers import Receiver
from app.integrations.outgoing import Outgoing

_PREFIX: Final = "whsec_"


def request(notification: Notification, receiver: Receiver, microseconds: int) -> Outgoing:
    """The POST for a notification, signed at an instant; its id is the same at every try."""
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
    secret = "" if receiver.secret is None else receiver.secret.get_secret_value()
    headers = {
        "Content-Type": "application/json",
        "Webhook-Id": message_id,
        "Webhook-Timestamp": timestamp,
        "Webhook-Signature": signature(secret, message_id, timestamp, body),
    }
    return Outgoing(headers, body)


def id_of(key: str) -> str:
    """The id of the message of a key; whoever gets it twice knows it by that."""
    return f"msg_{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """``v1,`` and the HMAC-SHA256 of id, timestamp and body, in base 64."""
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    made = hmac.digest(_key(secret), signed, hashlib.sha256)
    return f"v1,{base64.b64encode(made).decode()}"


def _key(secret: str) -> bytes:
    """The bytes behind ``whsec_``, which are in base 64; of any other text, its own."""
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            return secret.encode()
    return secret.encode()
