"""Calls to issuers: of bounded length and time, without redirects."""

import base64
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import quote_plus

from app.outbound import Outbound

TIMEOUT: Final = 10.0
"""Seconds of each wait of a call; the deadline of the caller is sooner."""

LARGEST: Final = 1024 * 1024
"""Bytes of an answer."""


class Answer(NamedTuple):
    """The answer of an issuer."""

    status: int
    content: bytes


async def call(
    outbound: Outbound, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None
) -> Answer:
    """Call an issuer by GET, or by POST with a form; the caller sets a deadline for all of it.

    Raises:
        ValueError: the answer is longer than 1 MiB.
        httpx.HTTPError: there was none.
        OutboundError: the certificates to trust can't be used.
    """
    content = bytearray()
    # Without decompression: a small compressed body could expand to a huge one.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
    method = "GET" if form is None else "POST"
    async with (
        outbound.client(TIMEOUT) as client,
        client.stream(method, url, headers=headers, data=form) as reply,
    ):
        async for chunk in reply.aiter_raw():
            content += chunk
            if len(content) > LARGEST:
                raise ValueError("the answer has no end")
    return Answer(reply.status_code, bytes(content))


def basic(user: str, secret: str) -> str:
    """Return the Authorization header of a client: both parts are encoded first (RFC 6749, 2.3.1)."""
    pair = f"{quote_plus(user)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
