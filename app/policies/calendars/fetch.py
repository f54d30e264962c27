"""Fetch a calendar from its URL, with bounds on everything that a server can choose.

The addresses of the host are resolved, checked and then used for the connection, so that a name can't mean
another address a moment later. Through a proxy of the environment the name is passed on, and the proxy
resolves it: an operator who sets a proxy restricts there what may be reached.
"""

import asyncio
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urljoin

from app import __version__
from app.core.calendar_url import CalendarUrl, is_masked, parse
from app.core.errors import FreezegateError, MalformedValueError
from app.core.vcalendar import MAX_TEXT
from app.outbound import Outbound, OutboundError
from app.policies.calendars.addresses import Reach, refusal

if TYPE_CHECKING:
    import httpx

TOTAL: Final = 30.0
"""Seconds for a fetch in all, redirects included; a server may send a byte now and then."""

WAIT: Final = 10.0
"""Seconds of each wait: for a connection, for the next part of an answer."""

_MOST_REDIRECTS: Final = 3
_MOST_ADDRESSES: Final = 3
"""Addresses of a host that are tried."""

_LONGEST_VALIDATOR: Final = 1_024
"""Characters of an ETag or Last-Modified that are kept and sent back."""

_REDIRECTS: Final = (301, 302, 303, 307, 308)
_OK: Final = 200
_NOT_MODIFIED: Final = 304
_GZIP: Final = 16 + zlib.MAX_WBITS

_NO_ANSWER: Final = "the answer breaks off, or is no HTTP"
_NO_TARGET: Final = "the server redirects to what is no usable address"

_STATUS: Final[Mapping[int, str]] = {
    401: "the server asks for a sign-in (401); use the calendar's secret or public address",
    403: "the server refuses access (403); the calendar may not be shared any more",
    404: "there is no such calendar (404); its address may have been reset",
    410: "the calendar is gone (410)",
    429: "the server refuses because it was asked too often (429)",
}

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a host name; raises OSError without any."""


class CalendarFetchError(FreezegateError):
    """A calendar could not be fetched; the sentence never repeats its URL."""


class Validators(NamedTuple):
    """The validators of a version, as its server sent them, for conditional requests."""

    etag: str | None = None
    last_modified: str | None = None


NO_VALIDATORS: Final = Validators()


class Fetch(NamedTuple):
    """The result of a fetch."""

    text: str | None
    """None if the calendar is the one that the validators were of."""
    validators: Validators = NO_VALIDATORS


class _Target(NamedTuple):
    """A URL, and how it is connected to."""

    url: CalendarUrl
    addresses: Sequence[str]
    """The checked addresses; none through a proxy, which resolves the name."""
    proxy: str | None


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host name by the system's resolver.

    Raises:
        OSError: it has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Fetcher:
    """Fetches calendars, within what the settings allow."""

    def __init__(
        self,
        outbound: Outbound,
        reach: Reach,
        *,
        resolve: Resolve = resolve,
        total: float = TOTAL,
        wait: float = WAIT,
    ) -> None:
        """Fetch by clients of `outbound` from what `reach` allows; `resolve` looks up names."""
        self._outbound = outbound
        self._reach = reach
        self._resolve = resolve
        self._total = total
        self._wait = wait

    async def fetch(self, url: str, validators: Validators = NO_VALIDATORS) -> Fetch:
        """Return a calendar's text as it was sent; whether it can be read is not checked.

        Raises:
            CalendarFetchError: there is no answer, or it holds no calendar.
        """
        try:
            async with asyncio.timeout(self._total):
                return await self._follow(url, validators)
        except TimeoutError:
            raise CalendarFetchError(f"the server took longer than {self._total:g} seconds in all") from None
        except OutboundError as error:
            raise CalendarFetchError(str(error)) from None

    async def _follow(self, url: str, validators: Validators) -> Fetch:
        first = at = _parsed(url)
        for _ in range(_MOST_REDIRECTS + 1):
            found = await self._get(at, validators)
            if isinstance(found, Fetch):
                return found
            at = _redirected(first, at, found)
        raise CalendarFetchError(f"the server redirects more than {_MOST_REDIRECTS} times")

    async def _get(self, url: CalendarUrl, validators: Validators) -> Fetch | str:
        """Return the answer of a server, or the address that it redirects to."""
        target = await self._target(url)
        failure: CalendarFetchError | None = None
        for address in target.addresses or ("",):
            try:
                return await self._ask(target, address, validators)
            except _UnreachableError as error:
                failure = error
        raise failure or CalendarFetchError("the host has no address")

    async def _target(self, url: CalendarUrl) -> _Target:
        """Check a URL, and return the target of its connection.

        Raises:
            CalendarFetchError: it must not be fetched.
        """
        self._check_form(url)
        proxy = self._outbound.proxy_for(url.scheme, url.host)
        if proxy is not None and not url.has_address:
            return _Target(url, (), proxy)
        addresses = [url.host] if url.has_address else await self._addresses(url)
        for what in filter(None, (refusal(each, self._reach.networks) for each in addresses)):
            raise CalendarFetchError(
                f"the host has an address that is {what}; FREEZEGATE_CALENDAR_NETWORKS may allow it"
            )
        return _Target(url, () if proxy else addresses[:_MOST_ADDRESSES], proxy)

    def _check_form(self, url: CalendarUrl) -> None:
        if url.scheme == "http" and not self._reach.http:
            raise CalendarFetchError("the address is not encrypted; write https://")
        if url.port not in self._reach.ports:
            known = ", ".join(map(str, sorted(set(self._reach.ports))))
            raise CalendarFetchError(f"port {url.port} is not allowed; allowed: {known}")

    async def _addresses(self, url: CalendarUrl) -> Sequence[str]:
        try:
            found = await self._resolve(url.host, url.port)
        except OSError:
            found = ()
        if not found:
            raise CalendarFetchError("the host can't be found")
        return found

    async def _ask(self, target: _Target, address: str, validators: Validators) -> Fetch | str:
        import httpx

        try:
            async with (
                self._outbound.direct(self._wait, target.proxy) as client,
                client.stream(
                    "GET",
                    _location(target.url, address),
                    headers=_headers(target.url, validators),
                    extensions={"sni_hostname": target.url.host},
                ) as response,
            ):
                return await _read(response, validators)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _UnreachableError(_on_connection(error)) from None
        except httpx.TimeoutException:
            raise CalendarFetchError(f"the server sent nothing for {self._wait:g} seconds") from None
        except httpx.ProxyError:
            raise CalendarFetchError("the proxy does not let this through") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # The library reads the target of a redirect even if it doesn't follow it.
            redirects = "location" in str(error) or isinstance(error, httpx.InvalidURL)
            raise CalendarFetchError(_NO_TARGET if redirects else _NO_ANSWER) from None


class _UnreachableError(CalendarFetchError):
    """No connection to an address; another one may be there."""


def _parsed(url: str) -> CalendarUrl:
    if is_masked(url):
        raise CalendarFetchError("this is the masked address of a record; write the address itself")
    try:
        return parse(url)
    except MalformedValueError as error:
        raise CalendarFetchError(str(error)) from None


def _redirected(first: CalendarUrl, at: CalendarUrl, location: str) -> CalendarUrl:
    """Return the target of a redirect.

    Raises:
        CalendarFetchError: it leads to another host, or out of the encryption.
    """
    base = f"{at.scheme}://{at.authority}{at.target}"
    try:
        to = parse(urljoin(base, location).partition("#")[0])
    except ValueError:
        raise CalendarFetchError(_NO_TARGET) from None
    if to.host != first.host:
        raise CalendarFetchError(
            "the server redirects to another host, which is not followed; it may ask for a sign-in. If it is "
            "right, write the address that it leads to"
        )
    if at.scheme == "https" and to.scheme != "https":
        raise CalendarFetchError("the server redirects to an address that is not encrypted")
    return to


def _location(url: CalendarUrl, address: str) -> str:
    """Return the URL that is requested, with a checked address as its host."""
    host = address or url.host
    return f"{url.scheme}://{f'[{host}]' if ':' in host else host}:{url.port}{url.target}"


def _headers(url: CalendarUrl, validators: Validators) -> dict[str, str]:
    headers = {
        "Host": url.authority,
        "User-Agent": f"freezegate/{__version__}",
        "Accept": "text/calendar",
        "Accept-Encoding": "gzip",
        "Connection": "close",
    }
    if validators.etag:
        headers["If-None-Match"] = validators.etag
    if validators.last_modified:
        headers["If-Modified-Since"] = validators.last_modified
    return headers


async def _read(response: "httpx.Response", validators: Validators) -> Fetch | str:
    """Return the calendar of an answer, or the address that it redirects to."""
    status = response.status_code
    if status in _REDIRECTS and "Location" in response.headers:
        return str(response.headers["Location"])
    if status == _NOT_MODIFIED and any(validators):
        return Fetch(None, validators)
    if status != _OK:
        raise CalendarFetchError(_STATUS.get(status, f"the server answers {status}"))
    content = await _content(response)
    text = calendar_text(content, response.headers.get("Content-Type", ""))
    return Fetch(text, Validators(*(_validator(response, name) for name in ("ETag", "Last-Modified"))))


def _validator(response: "httpx.Response", name: str) -> str | None:
    value = response.headers.get(name)
    usable = value and len(value) <= _LONGEST_VALIDATOR and value.isascii() and value.isprintable()
    return str(value) if usable else None


async def _content(response: "httpx.Response") -> bytes:
    """Return the body, decompressed part by part; stop at the first byte beyond the limit."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    parts = response.aiter_raw()
    if encoding in ("gzip", "x-gzip"):
        parts = _decompressed(parts)
    elif encoding != "identity":
        raise CalendarFetchError("the answer is compressed in a way that was not asked for")
    content = bytearray()
    async for part in parts:
        content += part
        if len(content) > MAX_TEXT:
            raise CalendarFetchError("the calendar is larger than 1 MiB")
    return bytes(content)


async def _decompressed(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield gzip data decompressed, at most a byte more than the limit at a time."""
    unzip = zlib.decompressobj(_GZIP)
    async for part in parts:
        try:
            yield unzip.decompress(part, MAX_TEXT + 1)
        except zlib.error:
            raise CalendarFetchError("the answer is compressed, and damaged") from None
    if not unzip.eof:
        raise CalendarFetchError("the answer breaks off")


def calendar_text(content: bytes, content_type: str) -> str:
    """Return the text of a whole calendar.

    Raises:
        CalendarFetchError: the content is empty, a web page, not UTF-8, no calendar, or a part of one.
    """
    kind = content_type.partition(";")[0].strip().lower()
    begin = content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1_024].upper()
    if not begin:
        raise CalendarFetchError("the server sent nothing")
    if kind in ("text/html", "application/xhtml+xml") or begin.startswith((b"<!DOCTYPE", b"<HTML")):
        raise CalendarFetchError(
            "the server sent a web page and no calendar; it may ask for a sign-in, or the address is that of "
            "a page: use the calendar's address in iCal format"
        )
    if not begin.startswith(b"BEGIN:VCALENDAR"):
        raise CalendarFetchError("what the server sent does not begin with BEGIN:VCALENDAR, as calendars do")
    if not content.rstrip().upper().endswith(b"END:VCALENDAR"):
        raise CalendarFetchError("the calendar breaks off: END:VCALENDAR is missing at its end")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CalendarFetchError("the calendar is not UTF-8") from None


def _on_connection(error: Exception) -> str:
    """Return why there is no connection."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate of the server is not trusted: {cause.verify_message}"
        cause = cause.__cause__ or cause.__context__
    return "the server can't be reached"
