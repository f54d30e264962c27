"""The client of GitHub's API, authenticated as the App or as one of its installations.

A token of an installation is narrowed to the permissions that a call needs, and kept until shortly before it
expires. After an answer that tells of a rate limit, nothing is sent for that installation until the limit is
over: GitHub bans Apps that go on.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.clock import Clock, PacingClock
from app.core.errors import MalformedValueError
from app.core.instant import MINUTE, parse_instant
from app.integrations.github.section import GitHub

if TYPE_CHECKING:
    import httpx

DEADLINE: Final = 10.0
"""Seconds in which GitHub must answer a call."""

GRAPHQL: Final = "/graphql"
"""The path of calls of the GraphQL API, wherever it is."""

_LARGEST_ANSWER: Final = 8 * 1024 * 1024
"""Bytes; a delivery is read with its payload, and a page of deliveries has a hundred entries."""

_KEPT_BEFORE_EXPIRY: Final = 5 * MINUTE
"""Seconds that a token must have left; tokens live for an hour."""

_MOST_TOKENS: Final = 1_000

_BACKDATED: Final = MINUTE
"""Seconds that our clock may run ahead of GitHub's, as its documentation advises."""

_LONGEST_PROOF: Final = 9 * MINUTE
"""Seconds that the App's own proof is valid for; GitHub refuses more than 10 minutes."""

_FIRST_PAUSE: Final = MINUTE
"""Seconds to wait at least after a secondary rate limit that doesn't say how long, as documented."""

_LONGEST_PAUSE: Final = 15 * MINUTE

_LIMITED: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})
_MOVED: Final = frozenset({301, 302, 307, 308})
_NEXT: Final = re.compile(r'<([^<>]{1,2000})>; ?rel="next"')

_HEADERS: Final = {
    "Accept": "application/vnd.github+json",
    # Without decompression: a small compressed body could expand to a huge one.
    "Accept-Encoding": "identity",
    "User-Agent": "freezegate",
    "X-GitHub-Api-Version": "2022-11-28",
}


class Call(NamedTuple):
    """One call of the API."""

    method: str
    path: str
    """Behind the address of the API, with the query."""
    installation: int | None = None
    """The installation to act as; None: the App itself."""
    permissions: Mapping[str, str] = {}
    """The permissions that the call needs, such as ``{"deployments": "write"}``."""
    body: Mapping[str, Any] | None = None


class Reply(NamedTuple):
    """The answer to a call."""

    status: int
    content: Any = None
    """The parsed JSON; None if there is none."""
    next: str | None = None
    """The path of the next page, with its query."""
    retry_after: int = 0
    """Seconds to wait because of a rate limit; 0 if there is none."""
    is_sent: bool = True
    """Whether the call was sent; if not, GitHub gave no token for it, and the answer is about that."""

    @property
    def is_good(self) -> bool:
        """Whether GitHub did what was asked."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the family of good answers


class _Limit(NamedTuple):
    until: int
    pause: int


class App:
    """The App of a section, as this replica calls the API by it."""

    def __init__(self, section: GitHub, clock: Clock) -> None:
        """Read the private key; nothing is sent yet.

        Raises:
            FaultyValuesError: the private key can't be used.
        """
        self._section = section
        self._clock = clock
        self._pacing = PacingClock(clock)
        self._tokens: dict[tuple[int, str], tuple[str, int]] = {}
        self._limits: dict[int | None, _Limit] = {}
        self._fetching = asyncio.Lock()
        self._key: Any = section.signing_key()

    async def call(self, http: "httpx.AsyncClient", call: Call) -> Reply:
        """Send a call and return the answer; a rate limit that is not over yet is answered by ourselves.

        Raises:
            httpx.HTTPError: there was no answer.
            TimeoutError: there was none in time.
            ValueError: it can't be read.
        """
        limit = self._limits.get(call.installation)
        now = self._pacing.now()
        if limit is not None and limit.until > now:
            return Reply(HTTPStatus.TOO_MANY_REQUESTS, retry_after=limit.until - now)
        async with asyncio.timeout(DEADLINE):
            reply = await self._authenticated(http, call)
            if reply.status == HTTPStatus.UNAUTHORIZED and call.installation is not None:
                # The token was revoked before its time: a new one, once.
                self._tokens.pop(_token_key(call), None)
                reply = await self._authenticated(http, call)
        return reply

    async def _authenticated(self, http: "httpx.AsyncClient", call: Call) -> Reply:
        if call.installation is None:
            return await self._send(http, call, self._proof())
        token = await self._token(http, call)
        return token if isinstance(token, Reply) else await self._send(http, call, token)

    async def _token(self, http: "httpx.AsyncClient", call: Call) -> str | Reply:
        """Return the token for a call, or the answer by which GitHub refuses one."""
        key = _token_key(call)
        async with self._fetching:
            token, until = self._tokens.get(key, ("", 0))
            if until > self._clock.now():
                return token
            wanted = Call(
                "POST",
                f"/app/installations/{call.installation}/access_tokens",
                call.installation,
                body={"permissions": dict(call.permissions)},
            )
            reply = await self._send(http, wanted, self._proof())
            if not reply.is_good:
                return reply._replace(is_sent=False)
            token, until = _granted(reply.content)
            if len(self._tokens) >= _MOST_TOKENS:
                self._tokens.clear()
            self._tokens[key] = (token, until - _KEPT_BEFORE_EXPIRY)
            return token

    def _proof(self) -> str:
        """Return the token by which the App proves itself."""
        import jwt

        now = self._clock.now()
        claims = {"iat": now - _BACKDATED, "exp": now + _LONGEST_PROOF, "iss": str(self._section.app_id)}
        return jwt.encode(claims, self._key, algorithm="RS256")

    async def _send(self, http: "httpx.AsyncClient", call: Call, token: str) -> Reply:
        """Send a call, and follow one redirection within the API: a repository may have been renamed."""
        url = self._section.graphql if call.path == GRAPHQL else f"{self._section.api}{call.path}"
        status, headers, content = await _exchange(http, call, url, token)
        target = headers.get("Location", "")
        if status in _MOVED and self.path_of(target) is not None:
            status, headers, content = await _exchange(http, call, target, token)
        retry_after = self._limit(call.installation, status, headers, content)
        found = _NEXT.search(headers.get("Link", ""))
        return Reply(status, content, None if found is None else self.path_of(found[1]), retry_after)

    def path_of(self, url: str) -> str | None:
        """Return the path of a URL that GitHub gave behind the address of the API; None if it leads away."""
        api = f"{self._section.api}/"
        return url[len(api) - 1 :] if url.startswith(api) and ".." not in url else None

    def _limit(self, installation: int | None, status: int, headers: Mapping[str, str], content: Any) -> int:
        """Return the seconds to wait because of a rate limit, and remember them; 0 if there is none."""
        now = self._clock.now()
        before = self._limits.pop(installation, None)
        if status not in _LIMITED:
            return 0
        pause = _FIRST_PAUSE if before is None else min(before.pause * 2, _LONGEST_PAUSE)
        seconds = _asked(headers, now)
        if seconds is None:
            if status == HTTPStatus.FORBIDDEN and "rate limit" not in _message(content).lower():
                return 0  # a permission is missing
            seconds = pause
        seconds = max(1, min(seconds, 60 * MINUTE))
        self._limits[installation] = _Limit(self._pacing.now() + seconds, pause)
        return seconds


async def _exchange(
    http: "httpx.AsyncClient", call: Call, url: str, token: str
) -> tuple[int, Mapping[str, str], Any]:
    """Return the status, the headers and the parsed body of an answer."""
    received = bytearray()
    body = None if call.body is None else json.dumps(call.body).encode()
    headers = {**_HEADERS, "Authorization": f"Bearer {token}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    async with http.stream(call.method, url, headers=headers, content=body) as answer:
        async for chunk in answer.aiter_raw():
            received += chunk
            if len(received) > _LARGEST_ANSWER:
                raise ValueError("the answer has no end")
    return answer.status_code, answer.headers, _parsed(bytes(received))


def _parsed(content: bytes) -> Any:
    """Return parsed JSON; None for anything else, such as the page of a proxy."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _asked(headers: Mapping[str, str], now: int) -> int | None:
    """Return the seconds that GitHub asks to wait; None if it asks for none."""
    wait = _number(headers.get("Retry-After", ""))
    if wait is not None:
        return wait
    reset = _number(headers.get("X-RateLimit-Reset", ""))
    if headers.get("X-RateLimit-Remaining") == "0" and reset is not None:
        return reset - now
    return None


def _number(text: str) -> int | None:
    # Eleven digits hold every instant that is meant; longer ones are nonsense.
    return int(text[:11]) if text.isascii() and text.isdigit() else None


def _message(content: Any) -> str:
    return str(content.get("message", "")) if isinstance(content, dict) else ""


def _granted(content: Any) -> tuple[str, int]:
    """Return a token and the instant at which it expires.

    Raises:
        ValueError: the answer has none.
    """
    try:
        return str(content["token"]), parse_instant(str(content["expires_at"]))
    except (KeyError, TypeError, MalformedValueError):
        raise ValueError("the answer holds no token") from None


def _token_key(call: Call) -> tuple[int, str]:
    return call.installation or 0, json.dumps(dict(call.permissions), sort_keys=True)
