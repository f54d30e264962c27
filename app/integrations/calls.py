"""Calls of vendors' APIs, with a deadline and a bounded reply."""

import asyncio
import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.gate.outbox import DeliveryResult

if TYPE_CHECKING:
    import httpx

DEADLINE: Final = 10.0
"""Seconds in which an API must reply."""

LARGEST_REPLY: Final = 1024 * 1024
"""Bytes of a reply that are read; a page of a hundred jobs has half of it."""

_ASKS_TO_WAIT: Final = frozenset({429, 503})


class Reply(NamedTuple):
    """The reply of an API."""

    status: int
    retry_after: int
    """Seconds that it asks to wait; 0 if it doesn't."""
    content: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is in the family of good ones."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the family of good answers

    def data(self) -> Any:
        """Return the JSON in it; None if it holds none."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return None


async def call(
    client: "httpx.AsyncClient", method: str, url: str, headers: Mapping[str, str], body: Any = None
) -> Reply:
    """Send a request, with a JSON body if one is given, and return the reply.

    Raises:
        TimeoutError: there is none in `DEADLINE`.
        ValueError: it is larger than `LARGEST_REPLY`.
        httpx.HTTPError: the connection failed.
    """
    sent = None if body is None else json.dumps(body).encode()
    typed = {"Accept": "application/json", "Content-Type": "application/json", **headers}
    if sent is None:
        del typed["Content-Type"]
    async with (
        asyncio.timeout(DEADLINE),
        client.stream(method, url, headers=typed, content=sent) as response,
    ):
        content = bytearray()
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > LARGEST_REPLY:
                raise ValueError("a reply is too large")
        return reply_of(response, bytes(content))


def reply_of(response: "httpx.Response", content: bytes = b"") -> Reply:
    """Return a response as a reply, with the content that was read of it."""
    asked = response.headers.get("Retry-After", "")
    waits = response.status_code in _ASKS_TO_WAIT and asked.isascii() and asked.isdigit()
    # A few digits: a longer number is no sensible delay in seconds.
    return Reply(response.status_code, int(asked[:9]) if waits else 0, content)


def delivery_result(reply: Reply, refused: Collection[int]) -> DeliveryResult:
    """Return what a reply means for a message of the outbox.

    Args:
        reply: the reply of the vendor.
        refused: the statuses after which another attempt is of no use.
    """
    if reply.is_success:
        return DeliveryResult("taken")
    why = f"answered {reply.status}"
    return DeliveryResult("refused" if reply.status in refused else "later", why, reply.retry_after)
