"""Answer deploys that wait by a signed POST: https://www.standardwebhooks.com, signatures of version 1."""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from app.clock import Clock
from app.core.decision_json import instant_or_none
from app.core.errors import MalformedValueError
from app.core.hold import AnswerKind, HoldAnswer, Reporting
from app.core.instant import format_instant
from app.gate.outbox import DeliveryResult
from app.integrations.callback.section import Callback
from app.integrations.callback_url import callback_url
from app.integrations.calls import Reply, delivery_result
from app.integrations.signatures import standard_signature
from app.integrations.vendor import Message

if TYPE_CHECKING:
    import httpx

_MOST: Final = 100
"""Answers to one deploy: a bound on calls, since a callback has none of its own."""

_ONLY_THE_LAST: Final = 1

_REFUSED: Final = frozenset({400, 410, 413, 422})
"""Statuses that reject the message itself; a retry would not help."""


def check_target(section: Callback, target: Mapping[str, Any]) -> None:
    """Check that a target is ``{"url": …}``, on a host that the integrations file lists.

    Raises:
        MalformedValueError: it is not.
    """
    url = target.get("url")
    if set(target) != {"url"} or not isinstance(url, str):
        raise MalformedValueError('the target of a callback is {"url": "https://…"}')
    callback_url(url, section.hosts)


def request(answer: HoldAnswer, secret: SecretStr, microseconds: int) -> Message:
    """Return the message for an answer, signed at an instant; its id is the same at every attempt."""
    hold, question, now = answer.hold, answer.hold.question, microseconds // 1_000_000
    body = json.dumps(
        {
            "type": f"hold-{answer.kind.value}",
            "timestamp": format_instant(now),
            "data": {
                "hold": hold.id,
                "key": hold.key,
                "answer": answer.kind.value,
                "message": answer.sentence,
                "opens_at": instant_or_none(answer.opens_at),
                "decision": {
                    "allowed": answer.kind is AnswerKind.APPROVED,
                    "id": hold.decision_id,
                },
                "service": question.service,
                "services": list(question.names),
                "environment": question.environment,
                "change": question.change,
                "ref": hold.ref,
                "run_url": hold.run_url,
            },
        }
    ).encode()
    subject = f"{hold.id}:{answer.kind.value}:{hold.decision_id}:{answer.opens_at}"
    message_id = f"msg_{hashlib.sha256(subject.encode()).hexdigest()[:32]}"
    headers = {
        "Content-Type": "application/json",
        "Webhook-Id": message_id,
        "Webhook-Timestamp": str(now),
        "Webhook-Signature": standard_signature(secret, message_id, str(now), body),
    }
    return Message(headers, body)


class CallbackResponder:
    """The answers by callback."""

    def __init__(self, section: Callback, clock: Clock) -> None:
        """Sign by the newest secret of the section, with the time of `clock`."""
        self._section = section
        self._clock = clock

    @property
    def reporting(self) -> Reporting:
        """The answers of one hold: only the last one, unless the section asks for progress."""
        return Reporting(_MOST if self._section.progress else _ONLY_THE_LAST)

    async def send(
        self,
        client: "httpx.AsyncClient",
        answer: HoldAnswer,
        secret: str | None,  # noqa: ARG002 - a callback gives nothing back
    ) -> DeliveryResult:
        """Send an answer; a redirect is not followed, and counts as a failure."""
        try:
            check_target(self._section, answer.hold.target)
        except MalformedValueError as error:
            return DeliveryResult("refused", str(error))
        newest, *_ = self._section.secrets("secret")
        message = request(answer, newest, self._clock.microseconds())
        async with client.stream(
            # The body of the reply is not read: it may be of any length.
            "POST",
            answer.hold.target["url"],
            headers=message.headers,
            content=message.body,
        ) as response:
            asked = response.headers.get("Retry-After", "")
            waits = int(asked[:9]) if asked.isascii() and asked.isdigit() else 0
            return delivery_result(Reply(response.status_code, waits, b""), _REFUSED)
