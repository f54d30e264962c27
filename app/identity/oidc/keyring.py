"""The keys of one issuer: fetched, remembered, fetched anew, and kept while the issuer is down."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from app.identity.oidc.errors import IssuerUnavailableError
from app.identity.oidc.issuers import Issuer, secure_url

FRESH_FOR: Final = 600
"""Seconds after which keys are fetched anew."""

RETRY_AFTER: Final = 30
"""Seconds between two tries, however many unknown keys are named meanwhile."""

_TIMEOUT: Final = 2.0
_LARGEST: Final = 1024 * 1024
_MOST_KEYS: Final = 100

Fetch = Callable[[str], Awaitable[bytes]]

_logger: Final = logging.getLogger("freezegate.identity")


class Keyring:
    """Finds the key that a token says it was signed with."""

    def __init__(self, issuer: Issuer, fetch: Fetch) -> None:
        """Fetch the keys of `issuer` by `fetch`, when they are first needed."""
        self._issuer = issuer
        self._fetch = fetch
        self._keys: dict[str, Any] = {}
        self._tried_at: int | None = None
        self._fetched_at: int | None = None
        self._fetching = asyncio.Lock()

    async def find(self, key_id: str, now: int) -> Any | None:
        """The key of an id; None if the issuer has no such key.

        Raises:
            IssuerUnavailableError: no keys were ever to be had.
        """
        stale = self._fetched_at is None or now - self._fetched_at >= FRESH_FOR
        if (stale or key_id not in self._keys) and self._may_try(now):
            async with self._fetching:
                # Whoever waited here finds what the first one fetched.
                if self._may_try(now):
                    await self._refresh(now)
        if self._fetched_at is None:
            raise IssuerUnavailableError("the keys of the issuer can't be had at the moment")
        return self._keys.get(key_id)

    def _may_try(self, now: int) -> bool:
        return self._tried_at is None or now - self._tried_at >= RETRY_AFTER

    async def _refresh(self, now: int) -> None:
        self._tried_at = now
        try:
            self._keys = _parsed(await self._fetch(await self._where()))
        except Exception as error:  # noqa: BLE001 - whatever goes wrong there, the last good keys stay
            _logger.warning("keys of %s can't be fetched: %s", self._issuer.issuer, type(error).__name__)
        else:
            self._fetched_at = now

    async def _where(self) -> str:
        if self._issuer.jwks_url is not None:
            return self._issuer.jwks_url
        document = await self._fetch(f"{self._issuer.issuer.rstrip('/')}/.well-known/openid-configuration")
        found = json.loads(document)
        if found["issuer"] != self._issuer.issuer:
            raise ValueError("the discovery document is of another issuer")
        # Held to the same rule as an address in the file.
        return secure_url(found["jwks_uri"])


def _parsed(content: bytes) -> dict[str, Any]:
    """The signing keys of a set, by their ids; whatever is not understood is left out."""
    import jwt

    keys: dict[str, Any] = {}
    for each in json.loads(content)["keys"][:_MOST_KEYS]:
        if (
            not isinstance(each.get("kid"), str)
            or each.get("use", "sig") != "sig"
            or each.get("kty") == "oct"
        ):
            continue
        try:
            keys[each["kid"]] = jwt.PyJWK.from_dict(each)
        except jwt.PyJWTError:
            continue
    if not keys:
        raise ValueError("there are no keys in it")
    return keys


async def fetch(url: str) -> bytes:
    """Get a document from an issuer: within two seconds, no redirects, of 1 MiB at most."""
    import httpx

    content = bytearray()
    async with (
        asyncio.timeout(_TIMEOUT),
        httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False, trust_env=False) as client,
        client.stream("GET", url) as reply,
    ):
        if reply.status_code != httpx.codes.OK:
            raise ValueError(f"answered {reply.status_code}")
        async for chunk in reply.aiter_bytes():
            content += chunk
            if len(content) > _LARGEST:
                raise ValueError("the answer has no end")
    return bytes(content)
