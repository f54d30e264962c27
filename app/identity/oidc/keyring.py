"""The signing keys of one issuer: fetched, cached, refreshed, and kept while the issuer is down."""

import asyncio
import json
import logging
import math
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, NamedTuple, Protocol

from app.core.url import secure_url
from app.identity.oidc.calls import call
from app.identity.oidc.errors import IssuerUnavailableError
from app.outbound import Outbound

FRESH_FOR: Final = 600
"""Seconds after which keys are refreshed in the background; the cached ones stay valid."""

TRUSTED_FOR: Final = 3_600
"""Seconds after which a request waits for the refresh, so that a withdrawn key is not used for days."""

KEPT_FOR: Final = 24 * 3_600
"""Seconds that cached keys stay valid while the issuer is down; then its tokens are refused. A leaked key may
have been withdrawn at an issuer that can't be reached from here."""

RETRY_AFTER: Final = 30
"""Seconds between two fetches, however many tokens name unknown keys."""

DEADLINE: Final = 2.0
"""Seconds of a fetch, in all."""

_MOST_KEYS: Final = 100

Fetch = Callable[[str], Awaitable[bytes]]

_logger: Final = logging.getLogger("freezegate.identity")


class Key(NamedTuple):
    """A signing key of an issuer."""

    material: Any
    """The public key, in the cryptography library's type."""
    algorithm: str | None
    """The only algorithm that it may be used with; None: any that fits its type."""


class KeySource(Protocol):
    """An issuer as far as its keys go."""

    @property
    def issuer(self) -> str:
        """Its URL."""

    @property
    def jwks_url(self) -> str | None:
        """The URL of its keys; None: as its discovery document says."""


class Keyring:
    """Find the key that a token names."""

    def __init__(self, issuer: KeySource, fetch: Fetch, deadline: float = DEADLINE) -> None:
        """Fetch the keys of `issuer` by `fetch` when needed, within `deadline` seconds in all."""
        self._issuer = issuer
        self._fetch = fetch
        self._deadline = deadline
        self._keys: dict[str, Key] = {}
        self._tried_at: int | None = None
        self._fetched_at: int | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, key_id: str, now: int) -> Key | None:
        """Return the key of an id; None if the issuer has no such key.

        Raises:
            IssuerUnavailableError: no keys could be fetched, ever or for a day.
        """
        age = self._age(now)
        fetching = self._begin(now) if age >= FRESH_FOR or key_id not in self._keys else None
        if fetching is not None and (age >= TRUSTED_FOR or key_id not in self._keys):
            # Shielded: other requests wait for it too, also after the first is cancelled.
            await asyncio.shield(fetching)
        if self._age(now) >= KEPT_FOR:
            raise IssuerUnavailableError("the keys of the issuer can't be had at the moment")
        return self._keys.get(key_id)

    def _age(self, now: int) -> float:
        """Return the age of the keys in seconds; they count as stale after the clock went back."""
        if self._fetched_at is None:
            return math.inf
        age = now - self._fetched_at
        return age if age >= 0 else FRESH_FOR

    def _begin(self, now: int) -> asyncio.Task[None] | None:
        """Return the fetch under way, or start one; None if the last was too recent."""
        if self._fetching is not None and not self._fetching.done():
            return self._fetching
        if self._tried_at is not None and 0 <= now - self._tried_at < RETRY_AFTER:
            return None
        self._tried_at = now
        self._fetching = asyncio.create_task(self._refresh(now))
        return self._fetching

    async def _refresh(self, now: int) -> None:
        try:
            async with asyncio.timeout(self._deadline):
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
        # The same rule as for a URL in the file.
        return secure_url(found["jwks_uri"])


def _parsed(content: bytes) -> dict[str, Key]:
    """Return the signing keys of a key set by id; unknown kinds are left out."""
    keys = {each["kid"]: key for each in json.loads(content)["keys"][:_MOST_KEYS] if (key := _key(each))}
    if not keys:
        raise ValueError("there are no keys in it")
    return keys


def _key(found: Any) -> Key | None:
    import jwt

    if (
        not isinstance(found, dict)
        or not isinstance(found.get("kid"), str)
        or found.get("use", "sig") != "sig"
        or found.get("kty") == "oct"
        # A published private key: any reader could sign with it.
        or "d" in found
    ):
        return None
    try:
        return Key(jwt.PyJWK.from_dict(found).key, found.get("alg"))
    except (jwt.PyJWTError, ValueError, TypeError):
        return None


async def fetch(outbound: Outbound, url: str) -> bytes:
    """Fetch a document of at most 1 MiB from an issuer.

    Raises:
        ValueError: the response is not a 200, or too long.
        httpx.HTTPError: there was no response.
        OutboundError: the certificates to trust can't be used.
    """
    answer = await call(outbound, url, {})
    if answer.status != HTTPStatus.OK:
        raise ValueError(f"answered {answer.status}")
    return answer.content
