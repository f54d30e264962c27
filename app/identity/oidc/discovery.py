"""The discovery document of an issuer at which people sign in: fetched, cached, kept while it is down."""

import asyncio
import json
import logging
from typing import Any, Final, NamedTuple

from app.core.url import secure_url
from app.identity.oidc.errors import IssuerUnavailableError
from app.identity.oidc.keyring import FRESH_FOR, KEPT_FOR, Fetch

_BASIC: Final = "client_secret_basic"

_logger: Final = logging.getLogger("freezegate.identity")


class Endpoints(NamedTuple):
    """The endpoints of an issuer, and how to use them."""

    authorization: str
    token: str
    userinfo: str | None
    end_session: str | None
    """Where a person is signed out there."""
    methods: tuple[str, ...]
    """How clients may authenticate at the token endpoint."""
    names_itself: bool
    """Whether its answers carry its URL as `iss` (RFC 9207)."""


class Discovery:
    """The endpoints of one issuer."""

    def __init__(self, issuer: str, fetch: Fetch, deadline: float) -> None:
        """Fetch the document of `issuer` by `fetch` when needed, within `deadline` seconds in all."""
        self._issuer = issuer
        self._fetch = fetch
        self._deadline = deadline
        self._known: Endpoints | None = None
        self._fetched_at = 0
        self._fetching = asyncio.Lock()

    async def endpoints(self, now: int) -> Endpoints:
        """Return the endpoints, at most some minutes old; of the last day while the issuer is down.

        Raises:
            IssuerUnavailableError: they can't be fetched, or the document can't be used.
        """
        async with self._fetching:
            if self._known is None or not 0 <= now - self._fetched_at < FRESH_FOR:
                await self._refresh(now)
        if self._known is None or now - self._fetched_at >= KEPT_FOR:
            raise IssuerUnavailableError("the issuer can't be reached at the moment")
        return self._known

    async def _refresh(self, now: int) -> None:
        where = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            async with asyncio.timeout(self._deadline):
                self._known = _endpoints(json.loads(await self._fetch(where)), self._issuer)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong there, the last good document stays
            why = str(error) if isinstance(error, ValueError) else type(error).__name__
            _logger.warning("the discovery document of %s can't be used: %s", self._issuer, why)
        else:
            self._fetched_at = now


def _endpoints(found: Any, issuer: str) -> Endpoints:
    if not isinstance(found, dict) or found.get("issuer") != issuer:
        raise ValueError("it is of another issuer")
    authorization, token = (_url(found, f"{name}_endpoint") for name in ("authorization", "token"))
    if authorization is None or token is None:
        raise ValueError("it names no authorization_endpoint or no token_endpoint")
    methods = found.get("token_endpoint_auth_methods_supported", [_BASIC])
    return Endpoints(
        authorization,
        token,
        _url(found, "userinfo_endpoint"),
        _url(found, "end_session_endpoint"),
        tuple(each for each in methods if isinstance(each, str)),
        found.get("authorization_response_iss_parameter_supported") is True,
    )


def _url(found: dict[str, Any], name: str) -> str | None:
    """Return a URL of the document, by the same rule as one in the file."""
    url = found.get(name)
    return secure_url(url) if isinstance(url, str) else None
