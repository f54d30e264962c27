"""Places that lines of JSON are sent to: an HTTPS endpoint, a file, or a syslog server (RFC 5424).

Sending returns once the place has taken all lines, as far as its protocol tells: an endpoint answers, a file
is synced. Syslog has no answers: what is on its way when a connection breaks may be lost.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from app.core.errors import FreezegateError, MalformedValueError
from app.core.url import secure_url
from app.integrations.calls import DEADLINE, reply_of
from app.integrations.section import Section, Text

if TYPE_CHECKING:
    from typing import Self

    import httpx

    from app.outbound import Outbound

_PRIORITY: Final = 13 * 8 + 6
"""Facility 13 (log audit), severity 6 (informational)."""

_PORTS: Final = {"tls": 6514, "tcp": 601, "udp": 514}
"""The registered ports of syslog over each transport."""

_LARGEST_DATAGRAM: Final = 65_000
"""Bytes of a message that a datagram surely has room for."""

_TOO_LARGE: Final = {"left_out": "too large for a datagram; GET /audit has it"}
"""The data of an event in a datagram that has no room for its own."""


class DestinationError(FreezegateError):
    """A destination did not take what was sent; the text says why, and repeats no URL."""

    def __init__(self, why: str, retry_after: int = 0) -> None:
        """Give the reason, and the seconds that the destination asks to wait."""
        super().__init__(why)
        self.retry_after = retry_after


class SyslogServer(NamedTuple):
    """The transport, host and port of a syslog server."""

    transport: str
    host: str
    port: int


def syslog_server(url: str) -> SyslogServer:
    """Return the server of a URL such as ``tls://siem.example.com:6514``.

    Raises:
        ValueError: it names none.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.path or parts.query or "@" in parts.netloc:
        raise ValueError("must be tls://, tcp:// or udp://, a host, and a port if it is not the usual one")
    return SyslogServer(parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme])


def _is_url(text: str) -> str:
    try:
        return secure_url(text)
    except ValueError as error:
        raise MalformedValueError(str(error)) from None


def _is_syslog(text: str) -> str:
    try:
        syslog_server(text)
    except ValueError:
        raise MalformedValueError(
            "must be tls://, tcp:// or udp:// and a host, such as tls://siem.example.com:6514"
        ) from None
    return text


_Line = Annotated[str, StringConstraints(min_length=1, max_length=2_000), Field(title="text")]


class WithDestination(Section):
    """A section with a place that lines are sent to, and the token of an endpoint."""

    optional_secrets: ClassVar[tuple[str, ...]] = ("token",)

    url: Annotated[_Line, AfterValidator(_is_url), Field(title="URL")] | None = Field(
        None,
        description="an endpoint that takes a POST of lines of JSON: `https`, or `http` to this machine; "
        "exactly one of `url`, `file` and `syslog` is required",
        examples=["https://siem.example.com/ingest"],
    )
    file: _Line | None = Field(
        None,
        description="a file that lines are appended to; its folder must exist",
        examples=["/var/log/freezegate/events.ndjson"],
    )
    syslog: Annotated[_Line, AfterValidator(_is_syslog), Field(title="URL")] | None = Field(
        None,
        description="a syslog server (RFC 5424) by `tls://`, `tcp://` or `udp://`; the usual ports are 6514, "
        "601 and 514",
        examples=["tls://siem.example.com:6514"],
    )
    token: Text | None = Field(
        None,
        description="the token of the endpoint, sent as `Authorization: Bearer …`; or `token_file`, or "
        "`token_env`; none if left out",
        examples=["…"],
    )
    token_file: Text | None = Field(
        None,
        description="a file that holds the token; a relative path starts at the folder of this file",
        examples=["/run/secrets/siem-token"],
    )
    token_env: Text | None = Field(
        None,
        description="a variable that holds the token; not one that begins with `FREEZEGATE_`",
        examples=["SIEM_TOKEN"],
    )

    @model_validator(mode="after")
    def _one_destination(self) -> "Self":
        if sum(each is not None for each in (self.url, self.file, self.syslog)) != 1:
            raise MalformedValueError("exactly one of url, file and syslog is required")
        return self


class Destination:
    """The destination of a section."""

    def __init__(self, section: WithDestination, outbound: "Outbound") -> None:
        """Connect to nothing yet."""
        self._section = section
        self._outbound = outbound

    async def send(self, http: "httpx.AsyncClient", lines: Sequence[str], times: Sequence[str]) -> None:
        """Send lines of JSON, each with the RFC 3339 instant of what it tells.

        Raises:
            DestinationError: they were not all taken; some may have been.
        """
        try:
            async with asyncio.timeout(DEADLINE):
                if self._section.url is not None:
                    await self._post(http, self._section.url, lines)
                elif self._section.file is not None:
                    await asyncio.to_thread(_append, Path(self._section.file), lines)
                else:
                    await self._log(syslog_server(self._section.syslog or ""), lines, times)
        except DestinationError:
            raise
        except Exception as error:  # noqa: BLE001 - any failure is tried again; its text may hold the URL
            raise DestinationError(f"the call failed: {type(error).__name__}") from None

    async def _post(self, http: "httpx.AsyncClient", url: str, lines: Sequence[str]) -> None:
        headers = {"Content-Type": "application/x-ndjson"}
        if self._section.secrets("token"):
            headers["Authorization"] = f"Bearer {self._section.newest('token').get_secret_value()}"
        body = "".join(f"{line}\n" for line in lines).encode()
        # The body of the answer is not read: it may be of any length.
        async with http.stream("POST", url, headers=headers, content=body) as answer:
            reply = reply_of(answer)
        if not reply.is_success:
            raise DestinationError(f"answered {reply.status}", reply.retry_after)

    async def _log(self, server: SyslogServer, lines: Sequence[str], times: Sequence[str]) -> None:
        if server.transport == "udp":
            datagrams = [_datagram(line, at) for line, at in zip(lines, times, strict=True)]
            await asyncio.to_thread(_send_datagrams, server, datagrams)
            return
        messages = [syslog_message(line, at) for line, at in zip(lines, times, strict=True)]
        context = self._outbound.tls_context() if server.transport == "tls" else None
        _, writer = await asyncio.open_connection(server.host, server.port, ssl=context)
        try:
            # Octet counting: RFC 5425 for TLS, RFC 6587 for TCP.
            writer.writelines(b"%d %b" % (len(message), message) for message in messages)
            await writer.drain()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def syslog_message(line: str, at: str) -> bytes:
    """Return a message of RFC 5424: the line is its text, in UTF-8 with the byte order mark it asks for."""
    host = "".join(letter for letter in socket.gethostname() if "!" <= letter <= "~")[:255] or "-"
    head = f"<{_PRIORITY}>1 {at} {host} freezegate {os.getpid()} audit - "
    return head.encode("ascii") + b"\xef\xbb\xbf" + line.encode()


def _datagram(line: str, at: str) -> bytes:
    """Return the message of a line; if no datagram has room for it, a note stands for the event's data."""
    message = syslog_message(line, at)
    if len(message) <= _LARGEST_DATAGRAM:
        return message
    event = json.loads(line)
    # OCSF has the data among what it doesn't map.
    event.get("unmapped", event)["data"] = _TOO_LARGE
    return syslog_message(json.dumps(event), at)


def _send_datagrams(server: SyslogServer, messages: Sequence[bytes]) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_DGRAM)[
        0
    ]
    with socket.socket(family, kind, protocol) as sender:
        for message in messages:
            sender.sendto(message, address)


def _append(path: Path, lines: Sequence[str]) -> None:
    """Append lines and wait until they are on disk; a line that a crash cut off is ended first."""
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write("".join(f"{line}\n" for line in lines).encode())
        file.flush()
        os.fsync(file.fileno())
